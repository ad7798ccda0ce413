"""Runs of ``skysift find`` that are broken off, and the same command again."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from tests import skies

BEAM = (4.0, 4.0, 0.0)
FLAGS = ("--no-report", "--maps", "none", "--tile", "64", "--workers", "1")
OFTEN = {"SKYSIFT_KEEP": "0", "SKYSIFT_LOG_LEVEL": "info"}
FILES = ("islands.fits", "sources.fits", "components.fits", "regions.reg", "regions.crtf")


def command(*arguments):
    return [sys.executable, "-m", "skysift.cli.main", "find", *map(str, arguments)]


def run(*arguments, **settings):
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=300, env=os.environ | OFTEN | settings
    )


def break_off(number, *arguments, files, out):
    """The command, sent a signal once it has kept so many files of results; what it told."""
    with subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | OFTEN
    ) as process:
        end = time.monotonic() + 120
        while len(list(out.glob(".partial/results/*.part"))) < files:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.001)
        process.send_signal(number)
        told = process.communicate(timeout=60)[1]
    assert process.returncode == (-9 if number == signal.SIGKILL else 130), told
    return told


def kept(said):
    """Stage -> (tasks that were kept, tasks), as the log tells."""
    found = re.findall(r"info: (.+): (\d+) of (\d+) tasks are kept", said.stderr)
    return {stage: (int(there), int(total)) for stage, there, total in found}


def content(out):
    return {name: (out / name).read_bytes() for name in FILES}


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    """A map of many tiles."""
    sources = skies.population((500, 520), BEAM, n_points=60, snr=(10, 300), lattice=30, seed=4)
    image, _ = skies.paint((500, 520), BEAM, sources=sources, seed=4)
    path = tmp_path_factory.mktemp("sky") / "field.fits"
    skies.write(path, image, BEAM)
    return path


@pytest.fixture(scope="module")
def whole(sky, tmp_path_factory):
    """The products of a run that was not broken off, and how many tasks it had."""
    out = tmp_path_factory.mktemp("whole") / "out"
    said = run(sky, "--out", out, *FLAGS)
    assert said.returncode == 0, said.stderr
    tasks = kept(said)
    assert all(there == 0 for there, _ in tasks.values())
    assert not (out / ".partial").exists()
    return content(out), {stage: total for stage, (_, total) in tasks.items()}


@pytest.mark.parametrize("where", ["noise, second pass", "islands", "fits"])
def test_a_killed_run_is_continued_to_the_same_bytes(sky, whole, tmp_path, where):
    bytes_of, tasks = whole
    stages = list(tasks)
    before = sum(tasks[stage] for stage in stages[: stages.index(where)])
    break_off(signal.SIGKILL, sky, "--out", tmp_path, *FLAGS, files=before + 1, out=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} <= {".partial", ".skysift.lock"}
    said = run(sky, "--out", tmp_path, *FLAGS)
    assert said.returncode == 0, said.stderr
    assert "continuing a run that was broken off at" in said.stderr
    there = kept(said)
    for stage in stages[: stages.index(where)]:
        assert there[stage] == (tasks[stage], tasks[stage])
    assert there[where][0] >= 1
    assert content(tmp_path) == bytes_of
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_tells_that_it_can_be_continued(sky, whole, tmp_path, number):
    told = break_off(number, sky, "--out", tmp_path, *FLAGS, files=3, out=tmp_path)
    assert re.fullmatch(
        r"skysift: interrupted; what is done is kept \(\d+ % of [\w ,]+\): run the same command again to go on",
        told.splitlines()[-1],
    )
    said = run(sky, "--out", tmp_path, *FLAGS, "--quiet", SKYSIFT_LOG_LEVEL="warning")
    assert said.returncode == 0
    assert said.stderr == ""
    assert content(tmp_path) == whole[0]


def test_workers_tiles_and_formats_may_differ(sky, whole, tmp_path):
    break_off(signal.SIGKILL, sky, "--out", tmp_path, *FLAGS, files=30, out=tmp_path)
    said = run(sky, "--out", tmp_path, "--maps", "rms", "--tile", "200", "--workers", "2", "--no-report")
    assert said.returncode == 0, said.stderr
    assert content(tmp_path) == whole[0]


def test_another_command_is_refused_until_it_is_told_to_begin_anew(sky, whole, tmp_path):
    out = tmp_path / "out"
    break_off(signal.SIGKILL, sky, "--out", out, *FLAGS, files=5, out=out)
    before = {path.name for path in out.rglob("*")}
    other = tmp_path / "other.fits"
    other.write_bytes(sky.read_bytes()[:-1] + b"\1")
    for arguments, told in (
        ([sky, *FLAGS, "--set", "seed=6"], "option seed: 5.0 there, 6.0 here"),
        ([sky, *FLAGS, "--region", "0,200,0,200"], "region: the whole map there"),
        ([sky, *FLAGS, "--beam", "9,8,0"], "map beam"),
        ([other, *FLAGS], "map content: sha256"),
        ([sky, *FLAGS, "--set", "seed=6", "--overwrite"], "--fresh"),
    ):
        said = run(*arguments, "--out", out, SKYSIFT_LOG_LEVEL="error")
        assert said.returncode == 2
        lines = [line for line in said.stderr.splitlines() if "warning" not in line]
        assert len(lines) == 1
        assert told in lines[0]
        assert "--fresh" in lines[0]
    assert {path.name for path in out.rglob("*")} - before <= {".skysift.lock"}
    said = run(sky, *FLAGS, "--out", out, "--set", "seed=6", "--fresh")
    assert said.returncode == 0, said.stderr
    assert kept(said)["fits"][0] == 0
    assert not (out / ".partial").exists()


def test_damaged_results_are_made_again(sky, whole, tmp_path):
    break_off(signal.SIGKILL, sky, "--out", tmp_path, *FLAGS, files=8, out=tmp_path)
    files = sorted((tmp_path / ".partial" / "results").glob("*.part"))
    files[2].write_bytes(files[2].read_bytes()[:-9])
    files[4].write_bytes(b"")
    said = run(sky, "--out", tmp_path, *FLAGS)
    assert said.returncode == 0, said.stderr
    assert said.stderr.count("kept results cannot be read") == 2
    assert content(tmp_path) == whole[0]


def test_a_run_that_is_going_on_is_left_alone(sky, tmp_path):
    with subprocess.Popen(
        command(sky, "--out", tmp_path, *FLAGS), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | OFTEN,
    ) as process:  # fmt: skip
        while not list(tmp_path.glob(".partial/results/*.part")):
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(signal.SIGSTOP)
        try:
            for more in ((), ("--fresh",)):
                said = run(sky, "--out", tmp_path, *FLAGS, *more, SKYSIFT_LOG_LEVEL="error")
                assert said.returncode == 2
                assert "another run" in said.stderr
                assert said.stderr.count("\n") == 1
        finally:
            process.send_signal(signal.SIGCONT)
    assert process.returncode == 0


def test_maps_that_were_finished_are_not_done_again(sky, whole, tmp_path):
    out = tmp_path / "out"
    other = tmp_path / "second.fits"
    shutil.copy(sky, other)
    break_off(signal.SIGKILL, sky, other, "--out", out, *FLAGS, files=2, out=out / "second")
    first = (out / "field" / "manifest.json").stat().st_mtime_ns
    said = run(sky, other, "--out", out, *FLAGS)
    assert said.returncode == 0, said.stderr
    assert "field: finished before the run was broken off" in said.stderr
    assert "second: continuing a run that was broken off at" in said.stderr
    assert (out / "field" / "manifest.json").stat().st_mtime_ns == first
    assert sorted(path.name for path in out.iterdir()) == ["field", "second"]
    names = ("regions.reg", "regions.crtf")
    assert {name: (out / "second" / name).read_bytes() for name in names} == {
        name: whole[0][name] for name in names
    }
    said = run(sky, other, "--out", out, *FLAGS)
    assert said.returncode == 2
    assert said.stderr.count("holds the products of an earlier run") == 2
