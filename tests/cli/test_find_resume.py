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
from tests.commands import called

from skysift.base.errors import BusyError, OutputError
from skysift.cli.beside import besides
from skysift.find.run import make_finder
from skysift.flow.steps.find import find_products, run_key
from skysift.io.open import open_image
from skysift.sky.box import Box, PixelRegion

BEAM = (4.0, 4.0, 0.0)
FLAGS = ("--no-report", "--maps", "none", "--tile", "64", "--workers", "1")
OFTEN = {"SKYSIFT_KEEP": "0", "SKYSIFT_LOG_LEVEL": "info"}
FILES = ("islands.fits", "sources.fits", "components.fits", "regions.reg", "regions.crtf")


def command(*arguments):
    return [sys.executable, "-m", "skysift.cli.main", "find", *map(str, arguments)]


def run(*arguments):
    """The command, in this process."""
    return called("find", *arguments, **OFTEN)


def go_on(sky, out, *, opening=None, seed=5.0, name="classic", **more):
    """What the command does, in this process."""
    how = {"maps": (), "report": False, "tile": 64, "workers": 1} | more
    return find_products(
        open_image(sky, **(opening or {})), make_finder("classic", seed=seed), out, name=name, **how
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


def kept(text):
    """Stage -> (tasks that were kept, tasks), as the log tells."""
    found = re.findall(r"([\w ,]+): (\d+) of (\d+) tasks are kept", text)
    return {stage.strip(): (int(there), int(total)) for stage, there, total in found}


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
    """The products of a run that was not broken off."""
    out = tmp_path_factory.mktemp("whole") / "out"
    go_on(sky, out)
    assert not (out / ".partial").exists()
    return content(out)


@pytest.mark.parametrize("part", [0.4, 0.98])
def test_a_killed_run_is_continued_to_the_same_bytes(sky, whole, tmp_path, caplog, part):
    tasks = 40 + 40 + 72 + 4  # two passes of the noise, the islands, the fits
    break_off(signal.SIGKILL, sky, "--out", tmp_path, *FLAGS, files=int(part * tasks), out=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} <= {".partial", ".skysift.lock"}
    said = []
    with caplog.at_level("INFO", "skysift"):
        go_on(sky, tmp_path, say=said.append)
    assert said[0].startswith("continuing a run that was broken off at ")
    there = kept(caplog.text)
    stages = list(there)
    assert sum(total for _, total in there.values()) == tasks
    assert sum(each for each, _ in there.values()) >= int(part * tasks)
    reached = max(number for number, stage in enumerate(stages) if there[stage][0])
    assert all(there[stage][0] == there[stage][1] for stage in stages[:reached])
    assert content(tmp_path) == whole
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_tells_that_it_can_be_continued(sky, whole, tmp_path, number):
    told = break_off(number, sky, "--out", tmp_path, *FLAGS, files=3, out=tmp_path)
    assert re.fullmatch(
        r"skysift: interrupted; what is done is kept \(\d+ % of [\w ,]+\): run the same command again to go on",
        told.splitlines()[-1],
    )
    go_on(sky, tmp_path)
    assert content(tmp_path) == whole


def test_the_same_command_says_that_it_goes_on(sky, whole, tmp_path):
    break_off(signal.SIGKILL, sky, "--out", tmp_path, *FLAGS, files=30, out=tmp_path)
    said = run(sky, "--out", tmp_path, "--maps", "rms", "--tile", "200", "--workers", "2", "--no-report")
    assert said.returncode == 0, said.stderr
    assert "field: continuing a run that was broken off at" in said.stderr
    assert content(tmp_path) == whole


def test_another_command_is_refused_until_it_is_told_to_begin_anew(sky, whole, tmp_path):
    out = tmp_path / "out"
    break_off(signal.SIGKILL, sky, "--out", out, *FLAGS, files=5, out=out)
    before = {path.name for path in out.rglob("[0-9]*.part")}
    other = tmp_path / "other.fits"
    other.write_bytes(sky.read_bytes()[:-1] + b"\1")
    for path, changed, told in (
        (sky, {"seed": 6.0}, "option seed: 5.0 there, 6.0 here"),
        (sky, {"seed": 6.0, "overwrite": True}, "option seed: 5.0 there, 6.0 here"),
        (sky, {"region": PixelRegion(Box(0, 200, 0, 200))}, "region: the whole map there"),
        (sky, {"opening": {"beam": (9.0, 8.0, 0.0)}}, "map beam"),
        (other, {}, "map: field.fits there, other.fits here"),
    ):
        with pytest.raises(OutputError, match="--fresh") as refused:
            go_on(path, out, **changed)
        assert told in str(refused.value)
        assert "\n" not in str(refused.value)
    assert {path.name for path in out.rglob("[0-9]*.part")} == before
    go_on(sky, out, seed=6.0, fresh=True)
    assert not (out / ".partial").exists()


def test_damaged_results_are_made_again(sky, whole, tmp_path, caplog):
    break_off(signal.SIGKILL, sky, "--out", tmp_path, *FLAGS, files=8, out=tmp_path)
    files = sorted((tmp_path / ".partial" / "results").glob("*.part"))
    files[2].write_bytes(files[2].read_bytes()[:-9])
    files[4].write_bytes(b"")
    go_on(sky, tmp_path)
    assert caplog.text.count("kept results cannot be read") == 2
    assert content(tmp_path) == whole


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
            for fresh in (False, True):
                with pytest.raises(BusyError, match="another run"):
                    go_on(sky, tmp_path, fresh=fresh)
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
    assert (out / "second" / "regions.reg").read_bytes() == whole["regions.reg"]
    said = run(sky, other, "--out", out, *FLAGS)
    assert said.returncode == 2
    assert said.stderr.count("holds the products of an earlier run") == 2


def test_a_finished_map_is_done_again_where_a_map_beside_it_changed(sky, tmp_path):
    image = open_image(sky)
    other = tmp_path / "tt1.fits"
    keys = []
    for seed in (1, 2):
        skies.write(other, skies.paint((500, 520), BEAM, seed=seed)[0], BEAM)
        beside = besides([str(sky)], taylor=[str(other)]).of(image, {})
        finder = make_finder("classic", psf_file=str(other))
        keys.append(run_key(image, finder, name="classic", beside=beside))
    assert keys[0]["map"] == keys[1]["map"]
    assert keys[0]["option"]["psf_file"] != keys[1]["option"]["psf_file"]
    assert keys[0]["beside"] != keys[1]["beside"]
    assert run_key(image, finder, name="classic", beside=beside) == keys[1]
