"""``skysift simulate``: maps, truths, a page and a manifest; nothing half-written; bad requests in one line."""

import json

import numpy as np
import pytest

import skysift
from skysift.cli.main import main
from skysift.io.sdc import read_sdc1_table
from skysift.io.truth import read_truth

SMALL = ["--set", "n_pixels=200", "--set", "artefacts=false", "--set", "rms=2e-6"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a run at two frequencies."""
    out = tmp_path_factory.mktemp("made") / "field"
    bands = ["--set", "frequency=700e6,1.4e9", "--set", "beam=2", "--format", "sdc1"]
    assert main(["simulate", "continuum", "--out", str(out), *SMALL, *bands]) == 0
    return out


def test_the_products_are_there(made):
    names = {path.name for path in made.iterdir()}
    assert names == {
        "map-700MHz.fits",
        "map-1400MHz.fits",
        "truth-700MHz",
        "truth-1400MHz",
        "truth-700MHz-sdc1.txt",
        "truth-1400MHz-sdc1.txt",
        "report.html",
        "manifest.json",
    }
    manifest = json.loads((made / "manifest.json").read_text())
    assert manifest["finder"] == "continuum"
    assert manifest["options"]["n_pixels"] == 200
    assert {entry["name"] for entry in manifest["outputs"]} == names - {"manifest.json"}
    page = (made / "report.html").read_text()
    assert "700 MHz" in page
    assert "<script src" not in page
    assert "700 MHz, 1.4 GHz, changed" in page  # the option as a person says it
    assert ">None" not in page


def test_the_map_says_what_it_is(made):
    image = skysift.open(made / "map-700MHz.fits")
    assert image.unit == "Jy/beam"
    assert image.frequency == 700e6
    assert (image.beam.major, image.frame.scale[0]) == pytest.approx((2.0, 0.4))
    head = (made / "map-700MHz.fits").read_bytes()[:28800]
    assert b"SIMULATR= 'continuum'" in head
    assert b"HISTORY option random_seed = 1" in head


def test_the_truth_reads_back(made):
    image, truth = skysift.open(made / "map-1400MHz.fits"), read_truth(made / "truth-1400MHz")
    assert truth.frame == image.frame
    assert truth.beam.major == pytest.approx(image.beam.major)
    assert len(truth) > 10
    assert len(truth.detections) == len(truth)
    assert len(read_sdc1_table(made / "truth-1400MHz-sdc1.txt")) == truth.real.sum()


def test_the_manifest_makes_the_same_field_again(made, tmp_path):
    again = tmp_path / "again"
    call = ["simulate", "continuum", "--out", str(again), "--options", str(made / "manifest.json")]
    assert main([*call, "--no-report", "--quiet", "--workers", "2"]) == 0
    assert (again / "map-1400MHz.fits").read_bytes() == (made / "map-1400MHz.fits").read_bytes()
    assert read_truth(again / "truth-700MHz") == read_truth(made / "truth-700MHz")


def test_python_gives_the_pixels_of_the_file(made):
    maps = skysift.simulate(n_pixels=200, artefacts=False, rms=2e-6, frequency=(700e6, 1.4e9), beam=2.0)
    assert np.array_equal(maps[1][0].read(), skysift.open(made / "map-1400MHz.fits").read())


def test_earlier_products_are_kept_unless_told(made, capsys):
    before = (made / "map-700MHz.fits").read_bytes()
    assert main(["simulate", "continuum", "--out", str(made), *SMALL]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (made / "map-700MHz.fits").read_bytes() == before


def test_a_run_replaces_an_earlier_one(tmp_path):
    out = tmp_path / "field"
    call = ["simulate", "continuum", "--out", str(out), *SMALL, "--no-report", "--quiet"]
    assert main([*call, "--set", "frequency=700e6"]) == 0
    assert main([*call, "--overwrite"]) == 0
    assert {path.name for path in out.iterdir()} == {"map-1400MHz.fits", "truth-1400MHz", "manifest.json"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["continuum", "--set", "n_pixels=3"], "32 to 65536"),
        (["continuum", "--set", "pixls=3"], "did you mean 'pixel'"),
        (["continuum", "--set", "frequency=fast"], "frequency"),
        (["continuum", "--format", "xml"], "sdc1"),
        (["continuum", "--workers", "0"], "1 or more"),
        (["continuum", "--set", "n_pixels=60000", "--set", "pixel=9"], "too wide"),
        (["continuum", "--set", "dec=80"], "never high enough"),
        (["continum"], "did you mean 'continuum'"),
    ],
)
def test_bad_requests_are_told_in_one_line(words, said, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["simulate", *words, "--out", str(out), "--quiet"]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert not out.exists()


def test_help_tells_of_examples(capsys):
    assert main(["simulate", "--help"]) == 0
    assert "skysift simulate continuum --out field" in capsys.readouterr().out
