"""``skysift score`` and ``skysift compare`` as a shell sees them."""

import json

import numpy as np
import pytest
from astropy.io import fits
from tests.score import worlds

from skysift.cli.compare import run_names
from skysift.cli.main import main
from skysift.io.tables import FitsFormat
from skysift.io.truth import write_truth
from skysift.sky.truth import Truth


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a truth, and two catalogues of it."""
    root = tmp_path_factory.mktemp("scores")
    place, truth = worlds.sky(150, side=500, low=4, classes=("compact", "extended"), size=2.0)
    write_truth(truth, root / "truth")
    for name, n_false in (("one", 5), ("two", 60)):
        found = worlds.found_in(
            truth, place, 2, n_false=n_false, score="score", classes=("compact", "extended")
        )
        FitsFormat().write(found, root / name)
    return root


def run(capsys, *words):
    code = main([str(word) for word in words])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_it_prints_numbers_with_intervals_and_the_rule(folder, capsys):
    code, out, err = run(capsys, "score", folder / "one", folder / "truth")
    assert (code, err) == (0, "")
    for part in ("completeness  ", "reliability_snr", "chance_rate", "pull_width", "never matches", " to "):
        assert part in out
    assert out.count("never matches") == 1  # what all kinds share is told once
    assert max(len(line) for line in out.splitlines()) < 200


def test_json_is_one_object_keyed_by_kind(folder, capsys):
    code, out, _ = run(
        capsys, "score", folder / "one", folder / "truth", "--kind", "counts,classes,coco", "--json"
    )
    assert code == 0
    told = json.loads(out)
    assert list(told) == ["counts", "classes", "coco"]
    assert 0.5 < told["counts"]["completeness"] < 1
    assert told["coco"]["rule"]


def test_out_holds_everything_and_is_not_overwritten(folder, capsys, tmp_path):
    words = (
        "score",
        folder / "one",
        folder / "truth",
        "--kind",
        "counts,classes",
        "--out",
        tmp_path / "out",
    )
    assert run(capsys, *words)[0] == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {
        "report.json",
        "report.html",
        "manifest.json",
        "counts_completeness_snr.csv",
        "counts_map.png",
    } <= names
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert {entry["name"] for entry in manifest["outputs"]} == names - {"manifest.json"}
    assert manifest["options"]["counts"]["bright"] == 5.0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "http" not in page.replace("http://www.w3.org", "")
    assert page.count("<img") == 9
    lines = (tmp_path / "out" / "counts_completeness_snr.csv").read_text().splitlines()
    assert lines[0].startswith("snr,snr_low,snr_high,n,n_good,completeness")
    code, _, err = run(capsys, *words)
    assert code == 2
    assert "overwrite" in err
    # it is refused before anything is read
    assert "overwrite" in run(capsys, "score", tmp_path / "none", words[2], *words[-2:])[2]
    assert run(capsys, *words[:3], "--kind", "classes", "--out", tmp_path / "out", "--overwrite")[0] == 0
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert "counts_map.png" not in left  # what an earlier run made goes with it
    assert "classes_confusion.png" in left
    again = (
        "score",
        folder / "one",
        folder / "truth",
        "--options",
        tmp_path / "out" / "manifest.json",
        "--kind",
        "classes",
    )
    assert run(capsys, *again)[0] == 0


def test_options_are_for_one_kind_or_for_all(folder, capsys, tmp_path):
    (tmp_path / "options.yaml").write_text("faintest: 3\ncounts:\n  bright: 6\n")
    words = ("score", folder / "one", folder / "truth", "--json", "--options", tmp_path / "options.yaml")
    code, out, _ = run(capsys, *words, "--set", "fluxes.bright=20", "--set", "merge=0.25")
    assert code == 0
    told = json.loads(out)
    assert told["counts"]["options"]["bright"] == 6
    assert told["fluxes"]["options"]["bright"] == 20
    assert {told[kind]["options"]["faintest"] for kind in told} == {3}
    assert {told[kind]["options"]["merge"] for kind in told} == {0.25}


def test_maps_beside_a_catalogue_are_taken(folder, capsys, tmp_path):
    place = worlds.frame(500)
    header = fits.Header(
        dict(place.cards) | {"BMAJ": 6 / 3600, "BMIN": 6 / 3600, "BPA": 0.0, "BUNIT": "Jy/beam"}
    )
    rms = np.full((500, 500), worlds.RMS, dtype=np.float32)
    rms[:250] = np.nan
    near = tmp_path / "near"
    near.mkdir()
    for name in ("islands", "sources", "components"):
        (near / f"{name}.fits").write_bytes((folder / "one" / f"{name}.fits").read_bytes())
    fits.writeto(near / "rms.fits", rms, header)
    half = json.loads(run(capsys, "score", near, folder / "truth", "--json")[1])
    whole = json.loads(run(capsys, "score", folder / "one", folder / "truth", "--json")[1])
    named = run(capsys, "score", folder / "one", folder / "truth", "--json", "--rms", near / "rms.fits")[1]
    assert half["counts"]["area"] == pytest.approx(whole["counts"]["area"] / 2)
    assert half["counts"]["n_outside"] > 0
    assert json.loads(named)["counts"]["n_outside"] == half["counts"]["n_outside"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("nowhere", "truth"), "the catalogue is not there"),
        (("one", "nowhere"), "the truth is not there"),
        (("one", "truth", "--kind", "count"), "--kind names something unknown: got 'count'; allowed: counts"),
        (("one", "truth", "--set", "counts.brigth=7"), "did you mean 'bright'"),
        (("one", "truth", "--set", "nonsense=7"), "no scorer of counts, fluxes has such an option"),
        (("one", "truth", "--set", "coco.score=x"), "--set names a kind that is not scored"),
        (("one", "truth", "--kind", "sdc1", "--rms", "map"), "no scorer of sdc1 has such an option"),
        (("one", "truth", "--rms", "nowhere.fits"), "nowhere.fits"),
        (("one", "truth", "--out", "one"), "--out is what is scored"),
        (("one", "truth", "--set", "table=components"), "the catalogue has no components"),
        (("empty.fits", "truth"), "empty.fits"),
        (("words.txt", "truth"), "words.txt"),
    ],
)
def test_what_cannot_be_scored_is_one_line_and_exit_2(folder, capsys, monkeypatch, words, line):
    monkeypatch.chdir(folder)
    (folder / "empty.fits").write_bytes(b"")
    (folder / "words.txt").write_text("no table\n")
    code, out, err = run(capsys, "score", *words)
    assert code == 2
    assert out == ""
    assert err.startswith("skysift: error: ")
    assert len(err.splitlines()) == 1
    assert line in err


def test_no_common_sky_is_an_error(folder, capsys, tmp_path):
    place, far = worlds.sky(20, side=500)
    rows = far.sources.with_columns({"ra": far.sources["ra"] + 40})
    write_truth(Truth(worlds.catalogue(sources=rows), beam=worlds.BEAM), tmp_path / "far")
    code, out, err = run(capsys, "score", folder / "one", tmp_path / "far")
    assert code == 2
    assert "catalogue and truth have no sky in common" in err
    assert out == ""
    beam = {"BMAJ": 6 / 3600, "BMIN": 6 / 3600, "BPA": 0.0, "BUNIT": "Jy/beam"}
    rms = np.full((500, 500), worlds.RMS, dtype=np.float32)
    fits.writeto(tmp_path / "rms.fits", rms, fits.Header(dict(place.cards) | beam))
    words = ("score", folder / "one", tmp_path / "far", "--rms", tmp_path / "rms.fits")
    assert "no sky in common" in run(capsys, *words)[2]  # where all of the truth is off the map
    assert "no sky in common" in run(capsys, *words[:3], "--kind", "sdc1", "--frequency", "1400MHz")[2]


def test_what_is_odd_is_warned_of(folder, capsys, tmp_path):
    truth = worlds.sky(20, side=500)[1]
    rows = truth.sources.with_columns({"source_id": np.ones(20, int)})
    FitsFormat().write(worlds.catalogue(sources=rows), tmp_path / "odd")
    write_truth(truth, tmp_path / "truth")
    code, _, err = run(capsys, "score", tmp_path / "odd", tmp_path / "truth")
    assert code == 0
    assert err == (
        "skysift: warning: 19 rows of the catalogue share their number with another; they are scored as they are\n"
    )


def test_a_kind_that_cannot_be_scored_leaves_the_others(folder, capsys, tmp_path):
    truth = worlds.sky(20, side=500)[1]
    write_truth(truth, tmp_path / "sky" / "truth")
    FitsFormat().write(truth.catalogue, tmp_path / "plain")
    words = ("score", tmp_path / "plain", tmp_path / "sky", "--json", "--kind")
    code, out, err = run(capsys, *words, "counts,classes")
    assert code == 0
    assert list(json.loads(out)) == ["counts"]
    assert err.startswith("skysift: warning: classes is left out: the catalogue has no column 'class'")
    assert len(err.splitlines()) == 1
    code, out, err = run(capsys, *words, "classes")
    assert (code, out) == (2, "")
    assert "no column 'class'" in err
    code, _, err = run(capsys, "score", tmp_path / "sky" / "truth", tmp_path / "plain")
    assert code == 2
    assert "the other way round" in err
    written = tmp_path / "scores"
    assert run(capsys, *words[:3], "--out", written)[0] == 0
    assert "truth: footprints.fits" in (written / "manifest.json").read_text()


def test_runs_stand_side_by_side(folder, capsys, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        told = run(capsys, "score", folder / name, folder / "truth", "--json", "--kind", "counts,classes")[1]
        (tmp_path / name / "report.json").write_text(told)
    code, out, _ = run(capsys, "compare", tmp_path / "one", tmp_path / "two" / "report.json")
    assert code == 0
    head, *lines = out.splitlines()
    assert head.split() == ["counts", "one", "two"]
    reliability = next(line.split() for line in lines if line.split()[:1] == ["reliability"])
    assert float(reliability[1]) > float(reliability[2])
    words = ("compare", tmp_path / "one", tmp_path / "two", "--json", "--out", tmp_path / "both")
    code, out, _ = run(capsys, *words)
    assert code == 0
    told = json.loads(out)
    assert told["counts"]["reliability"].keys() == {"one", "two"}
    assert json.loads((tmp_path / "both" / "compare.json").read_text()) == told
    assert "<img" in (tmp_path / "both" / "compare.html").read_text()
    code, _, err = run(capsys, *words)
    assert code == 2
    assert "overwrite" in err


@pytest.mark.parametrize(
    "content", ["", "[]", "words", '{"counts": 3}', '{"counts": {"tables": {"x": {"a": 1}}}}']
)
def test_what_is_no_report_is_told(capsys, tmp_path, content):
    (tmp_path / "report.json").write_text(content)
    code, _, err = run(capsys, "compare", tmp_path / "report.json")
    assert code == 2
    assert "holds no reports" in err
    code, _, err = run(capsys, "compare", tmp_path / "missing.json")
    assert code == 2
    assert "no such file or folder: got" in err
    assert "Errno" not in err
    (tmp_path / "none").mkdir()
    assert "no report is there" in run(capsys, "compare", tmp_path / "none")[2]


def test_runs_have_names_of_their_own(tmp_path):
    files = [tmp_path / name / "report.json" for name in ("a", "b", "a")] + [tmp_path / "c.json"]
    assert run_names(files) == ("a", "b", "a-2", "c")
