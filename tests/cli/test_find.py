import csv
import json
import logging
import os
import pty
import re
import resource
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest
from astropy.io import fits
from tests import skies
from tests.commands import called

from skysift.base.settings import settings
from skysift.cli.main import main
from skysift.flow.products import PART, checksum
from skysift.io.tables import FitsFormat

BEAM = (4.0, 4.0, 0.0)
TABLES = ("islands", "sources", "components")
MAPS = ("background", "rms", "model", "residual", "labels")
BARE = ("--no-report", "--maps", "none")


def run(*arguments):
    """The command, in this process."""
    return called("find", *arguments)


def spawned(*arguments, **options):
    """The command in a process of its own."""
    command = [sys.executable, "-m", "skysift.cli.main", "find", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def start(*arguments, until=": noise", **settings):
    """The command, left running once it has told its first stage, or another."""
    command = [sys.executable, "-m", "skysift.cli.main", "find", *map(str, arguments)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | settings
    )
    told = ""
    while until not in told:  # the first run after a change of the kernels says first that it compiles
        line = process.stderr.readline()
        assert line, told
        told += line
    return process


def read(path):
    return FitsFormat().read(path)


def everything(folder):
    """Bytes of every file below a folder, hidden ones included."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    """A small map with sources on a lattice."""
    sources = skies.population((240, 300), BEAM, n_points=20, snr=(15, 300), lattice=30, seed=4)
    image, _ = skies.paint((240, 300), BEAM, sources=sources, seed=4)
    path = tmp_path_factory.mktemp("sky") / "field.fits"
    skies.write(path, image, BEAM)
    return path


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A map that takes seconds."""
    sources = skies.population((2400, 2400), BEAM, n_points=1500, snr=(10, 300), seed=5)
    image, _ = skies.paint((2400, 2400), BEAM, sources=sources, seed=5)
    path = tmp_path_factory.mktemp("sky") / "large.fits"
    skies.write(path, image, BEAM)
    return path


@pytest.fixture(scope="module")
def done(sky, tmp_path_factory):
    """The folder and the words of a run with everything."""
    out = tmp_path_factory.mktemp("out") / "field"
    said = spawned(sky, "--out", out, "--format", "fits,votable,parquet,csv")
    assert said.returncode == 0, said.stderr
    return out, said


def test_a_run_leaves_all_products_and_nothing_else(done):
    out, _ = done
    tables = {f"{table}{suffix}" for table in TABLES for suffix in (".fits", ".vot", ".parquet", ".csv")}
    others = {"regions.reg", "regions.crtf", "report.html", "manifest.json"}
    assert {path.name for path in out.iterdir()} == tables | others | {f"{name}.fits" for name in MAPS}


def test_the_summary_says_what_was_found_and_where_to_look(done):
    out, said = done
    sources = read(out / "sources.fits")
    assert len(sources) == 20
    assert re.search(r"sources +20 ", said.stdout)
    assert re.search(r"median rms +9\.\d+ +.Jy/beam|median rms +10\.?\d* +.Jy/beam", said.stdout)
    assert str(out / "report.html") in said.stdout
    assert "Traceback" not in said.stderr


def test_the_manifest_tells_the_whole_story(done, sky):
    out, _ = done
    told = json.loads((out / "manifest.json").read_text())
    assert told["finder"] == "classic"
    assert told["options"]["seed"] == 5.0
    assert told["inputs"][0]["name"] == "field.fits"
    assert told["inputs"][0]["checksum"] == checksum(sky)
    assert {"python", "numpy", "numba", "astropy"} <= set(told["versions"])
    assert told["counts"]["sources"] == 20
    assert told["counts"]["components"] == len(read(out / "components.fits"))
    assert {"tables", "maps", "report"} <= set(told["seconds"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["started"])
    assert told["tile"] == settings().tile
    assert told["workers"] == settings().workers
    files = {entry["name"]: entry for entry in told["outputs"]}
    assert set(files) == {path.name for path in out.iterdir()} - {"manifest.json"}
    for name, entry in files.items():
        assert entry["size"] == (out / name).stat().st_size
        assert entry["checksum"] == checksum(out / name)


def test_csv_has_a_head_and_rows_and_no_comments(done):
    out, _ = done
    for table in TABLES:
        rows = list(csv.reader((out / f"{table}.csv").read_text().splitlines()))
        assert rows[0] == list(read(out / f"{table}.fits").names)
        assert len(rows) == 1 + len(read(out / f"{table}.fits"))
        assert {len(row) for row in rows} == {len(rows[0])}
        assert "#" not in (out / f"{table}.csv").read_text()


def test_the_maps_add_up_and_keep_their_place(done, sky):
    out, _ = done
    data = fits.getdata(sky)
    maps = {name: fits.getdata(out / f"{name}.fits") for name in MAPS}
    left = data - maps["background"] - maps["model"]
    np.testing.assert_allclose(maps["residual"], left, atol=1e-9)
    assert maps["labels"].dtype.kind == "i"
    assert maps["labels"].max() == len(read(out / "islands.fits"))
    for name in MAPS:
        header = fits.getheader(out / f"{name}.fits")
        for key in ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "BMAJ"):
            assert header[key] == pytest.approx(fits.getheader(sky)[key])
        assert header["CREATOR"].startswith("skysift")


def test_the_report_needs_no_other_file(done):
    text = (done[0] / "report.html").read_text()
    assert len(text) < 8e6
    assert not re.findall(r'(?:src|href)="(?!data:image/png;base64,|#)', text)
    assert "@import" not in text
    assert "url(" not in text
    for name in read(done[0] / "sources.fits")["name"]:
        assert name in text


def test_tables_and_maps_are_the_same_bytes_for_any_tile_and_workers(done, sky, tmp_path):
    said = run(
        sky,
        "--out",
        tmp_path,
        "--format",
        "csv,votable,fits,parquet",
        "--no-report",
        "--tile",
        64,
        "--workers",
        3,
    )
    assert said.returncode == 0, said.stderr
    ours = everything(tmp_path)
    assert len(ours) == 4 * 3 + 2 + 5 + 1
    for name, content in ours.items():
        if name != "manifest.json":
            assert content == (done[0] / name).read_bytes(), name


def test_only_what_is_asked_for_is_written(sky, tmp_path):
    said = run(sky, "--out", tmp_path, "--maps", "rms,labels", "--no-report", "--format", "csv", "--quiet")
    assert said.returncode == 0
    assert said.stdout == said.stderr == ""
    assert {path.name for path in tmp_path.iterdir()} == {
        *(f"{table}.csv" for table in TABLES),
        *("regions.reg", "regions.crtf", "rms.fits", "labels.fits", "manifest.json"),
    }


def test_options_come_from_a_file_and_from_flags(sky, tmp_path):
    (tmp_path / "choices.yaml").write_text("seed: 60\ngrow: 4\n")
    out = tmp_path / "out"
    said = run(sky, "--out", out, *BARE, "--options", tmp_path / "choices.yaml", "--set", "grow=3.5")
    assert said.returncode == 0, said.stderr
    told = json.loads((out / "manifest.json").read_text())
    assert (told["options"]["seed"], told["options"]["grow"]) == (60.0, 3.5)
    assert 0 < told["counts"]["islands"] < 20
    assert read(out / "islands.fits")["snr"].min() > 50


def test_a_region_holds_its_sources(sky, done, tmp_path):
    said = run(sky, "--out", tmp_path, *BARE, "--region", "0,150,0,240")
    assert said.returncode == 0, said.stderr
    some, every = read(tmp_path / "sources.fits"), read(done[0] / "sources.fits")
    assert 0 < len(some) < len(every)
    assert some["x"].max() < 160
    assert set(some["flux"]) <= set(every["flux"])


def test_what_the_header_lacks_can_be_said(sky, tmp_path):
    with fits.open(sky) as hdus:
        data, header = hdus[0].data, hdus[0].header
        for key in ("BMAJ", "BMIN", "BPA", "RESTFRQ"):
            del header[key]
        header["BUNIT"] = "furlong"
        fits.writeto(tmp_path / "bare.fits", data * 1e3, header)
    refused = run(tmp_path / "bare.fits", "--out", tmp_path / "out", *BARE)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
    said = run(
        *(tmp_path / "bare.fits", "--out", tmp_path / "out", *BARE, "--beam", "8,8,0"),
        *("--unit", "mJy/beam", "--frequency", "1.4GHz", "--pixel-scale", "2"),
    )
    assert said.returncode == 0, said.stderr
    sources = read(tmp_path / "out" / "sources.fits")
    assert len(sources) == 20
    assert set(sources["frequency"]) == {1.4e9}


def test_notes_about_the_map_are_warnings(sky, tmp_path):
    with fits.open(sky) as hdus:
        del hdus[0].header["BUNIT"]
        hdus.writeto(tmp_path / "odd.fits")
    said = run(tmp_path / "odd.fits", "--out", tmp_path / "out", *BARE)
    assert said.returncode == 0
    lines = [line for line in said.stderr.splitlines() if line.startswith("skysift: warning: odd: ")]
    assert len(lines) == 1
    assert "BUNIT" in lines[0]
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["warnings"] == [
        lines[0].removeprefix("skysift: warning: odd: ")
    ]


def test_several_maps_get_a_folder_each_and_one_that_fails_does_not_stop_the_others(sky, tmp_path):
    (tmp_path / "broken.fits").write_text("this is text")
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "field.fits").write_bytes(sky.read_bytes())
    out = tmp_path / "out"
    said = run(sky, tmp_path / "broken.fits", tmp_path / "again" / "field.fits", "--out", out, *BARE)
    assert said.returncode == 2
    assert sorted(path.name for path in out.iterdir()) == ["field", "field-2"]
    assert (out / "field" / "sources.fits").read_bytes() == (out / "field-2" / "sources.fits").read_bytes()
    assert "1 of 3 maps failed" in said.stderr
    assert "Traceback" not in said.stderr
    assert said.stdout.count("\n  islands ") == 2


def test_earlier_products_are_kept_unless_told(sky, tmp_path):
    assert run(sky, "--out", tmp_path, *BARE).returncode == 0
    (tmp_path / "mine.txt").write_text("mine")
    before = everything(tmp_path)
    refused = run(sky, "--out", tmp_path, *BARE)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "--overwrite" in refused.stderr
    assert everything(tmp_path) == before
    failed = run(tmp_path / "none.fits", "--out", tmp_path, "--overwrite")
    assert failed.returncode == 2
    assert everything(tmp_path) == before
    said = run(sky, "--out", tmp_path, "--no-report", "--maps", "rms", "--format", "csv", "--overwrite")
    assert said.returncode == 0, said.stderr
    assert {path.name for path in tmp_path.iterdir()} == {
        *(f"{table}.csv" for table in TABLES),
        *("regions.reg", "regions.crtf", "rms.fits", "manifest.json", "mine.txt"),
    }


def test_a_place_that_cannot_be_written_is_told_before_any_work(sky, tmp_path):
    (tmp_path / "file").write_text("mine")
    said = run(sky, "--out", tmp_path / "file" / "below", *BARE)
    assert said.returncode == 2
    assert said.stderr.count("\n") == 1
    assert "cannot write" in said.stderr


def test_a_full_disk_leaves_earlier_products_as_they_were(large, tmp_path):
    out = tmp_path / "out"
    assert run(large, "--out", out, *BARE, "--region", "0,300,0,300").returncode == 0
    before = everything(out)

    def little_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))  # a map has 360 000 bytes

    said = spawned(
        *(large, "--out", out, "--no-report", "--overwrite", "--region", "0,300,0,300"),
        preexec_fn=little_room,
    )
    assert said.returncode == 2
    assert [line for line in said.stderr.splitlines() if "error" in line] == said.stderr.splitlines()[-1:]
    assert "Traceback" not in said.stderr
    assert everything(out) == before


def test_the_second_of_two_runs_at_once_is_refused(sky, tmp_path):
    process = start(sky, "--out", tmp_path, *BARE)
    process.send_signal(signal.SIGSTOP)  # it holds the folder for as long as this test looks
    try:
        said = run(sky, "--out", tmp_path, *BARE)
    finally:
        process.send_signal(signal.SIGCONT)
        _, told = process.communicate(timeout=300)
    assert said.returncode == 2
    assert said.stderr.count("\n") == 1
    assert "another run" in said.stderr
    assert process.returncode == 0, told
    assert (tmp_path / "sources.fits").exists()


def test_an_interrupt_ends_a_run_and_leaves_earlier_products_as_they_were(large, sky, tmp_path):
    out = tmp_path / "out"
    assert run(sky, "--out", out, *BARE).returncode == 0
    before = everything(out)
    process = start(large, "--out", out, *BARE, "--overwrite", "--workers", 2)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in told
    assert told.splitlines()[-1].startswith("skysift: interrupted")
    assert {name: data for name, data in everything(out).items() if not name.startswith(PART)} == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_early_interrupt_leaves_no_folder_behind(large, tmp_path, number):
    process = start(large, "--out", tmp_path / "a" / "b", SKYSIFT_KEEP="3600")
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_gets_a_bar(sky, tmp_path):
    ours, theirs = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "skysift.cli.main",
        "find",
        str(sky),
        "--out",
        str(tmp_path / "x"),
        *BARE,
    ]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(command, stderr=theirs, stdout=subprocess.PIPE, env=environment) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
    os.close(ours)
    assert process.returncode == 0
    assert b"\x1b[" in shown
    assert b"field: fits" in shown


@pytest.fixture
def _fresh_process(monkeypatch):
    """`main` is the whole process: what it sets there is put back."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    root = logging.getLogger("skysift")
    before = root.handlers[:], root.level, root.propagate
    yield
    root.handlers[:], root.level, root.propagate = before


@pytest.mark.usefixtures("_fresh_process")
@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--finder", "clasic"], "did you mean 'classic'"),
        (["--set", "sed=5"], "did you mean 'seed'"),
        (["--set", "seed=-1"], "above 0"),
        (["--set", "seed"], "KEY=VALUE"),
        (["--options", "nowhere.yaml"], "nowhere.yaml"),
        (["--workers", "0"], "1 or more"),
        (["--tile", "63"], "64 or more"),
        (["--tile", "many"], "--tile"),
        (["--region", "1,2"], "three or four parts"),
        (["--region", "5,5,0,9"], "no pixel"),
        (["--format", "fits,excel"], "excel"),
        (["--format", ","], "--format"),
        (["--maps", "rms,noise"], "noise"),
        (["--maps", "none,rms"], "none"),
        (["--beam", "4,x,0"], "--beam"),
        (["--beam", "0,4,0"], "--beam"),
        (["--beam", "4,4"], "--beam"),
        (["--beam-plane", "tree"], "image, sky"),
        (["--plane", "first"], "--plane"),
        (["--pixel-scale", "-2"], "--pixel-scale"),
        (["--frequency", "1.4parsec"], "--frequency"),
        (["--frequency", "0"], "--frequency"),
        (["--out", ""], "--out is empty"),
        (["--set", "background_file=zero.fits"], "background_file is used by background=file only"),
        (["--no-such-flag"], "--no-such-flag"),
    ],
)
def test_a_bad_request_is_told_in_one_line_before_any_file_is_touched(flags, told, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["find", str(tmp_path / "there-is-no.fits"), "--out", str(out), *flags]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert told in said.err
    assert "there-is-no" not in said.err
    assert not out.exists()


def test_help_teaches_with_examples():
    said = run("--help")
    assert said.returncode == 0
    assert "skysift find map.fits --out field" in said.stdout
    assert "--region" in said.stdout
    assert max(map(len, said.stdout.splitlines())) <= 110


def test_reliability_cuts_and_says_so(tmp_path):
    rng = np.random.default_rng(2)
    sources = skies.population((240, 300), BEAM, n_points=20, snr=(15, 300), lattice=30, seed=4)
    image, _ = skies.paint((240, 300), BEAM, sources=sources, seed=4)
    y, x = np.mgrid[:240, :300]
    rms = 1.4826 * np.median(np.abs(image - np.median(image)))
    for sign in [1, -1] * 8:  # errors around a bright source
        r, t = rng.uniform(18, 40), rng.uniform(0, 2 * np.pi)
        at = (x - 150 - r * np.cos(t)) ** 2 + (y - 120 - r * np.sin(t)) ** 2
        image = image + sign * 300 * rms / r * np.exp(-at / (2 * 1.7**2))
    image = image + 6000 * rms * np.exp(-((x - 150) ** 2 + (y - 120) ** 2) / (2 * 1.7**2))
    path = tmp_path / "field.fits"
    skies.write(path, image, BEAM)
    result = run(path, "--out", tmp_path / "out", "--reliability", 0.95, "--maps", "none")
    assert result.returncode == 0, result.stderr
    told = json.loads((tmp_path / "out" / "manifest.json").read_text())
    dropped = told["facts"]["reliability"]["sources_dropped"]
    assert dropped >= 3
    assert f"{dropped} sources below 0.95 dropped" in result.stdout
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Reliability" in page
    assert "dropped below 0.95" in page
    sources = read(tmp_path / "out" / "sources.fits")
    assert sources["reliability"].min() >= 0.95
    assert told["counts"]["sources"] == len(sources)


@pytest.mark.parametrize("wrong", ["1.2", "-1"])
def test_a_reliability_out_of_range_is_one_line(sky, tmp_path, wrong):
    result = run(sky, "--out", tmp_path / "out", f"--reliability={wrong}")
    assert result.returncode == 2
    assert "reliability" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
