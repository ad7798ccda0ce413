"""``skysift info`` from the shell's side."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests import catalogues
from tests.io.fits_maps import NONE, noise, write_map

import skysift
from skysift.base.errors import UsageError
from skysift.cli.info import image_facts
from skysift.cli.main import main
from skysift.io.layouts.reading import reader
from skysift.io.open import open_image
from skysift.io.tables import FitsFormat


@pytest.fixture
def field(tmp_path):
    data = noise(200, 300)
    data[:20] = np.nan
    return write_map(tmp_path / "field.fits", data, BUNIT="mJy/beam", CRPIX1=150.5, CRPIX2=100.5)


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    code = main(["info", *map(str, arguments)])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_facts_for_a_person(capsys, field):
    code, out, err = run(capsys, field)
    assert (code, err) == (0, "")
    for words in (
        "[0] PRIMARY image 200 x 300",
        "200 x 300 px (y, x)",
        '5" x 5"',
        "SIN, ICRS",
        "03:20:00.00 -36:00:00.0 (ICRS; 50.000000 -36.000000 deg)",
        "0.2778 x 0.4167 deg",
        '25" x 20", pa 10 deg',
        "5 x 4 px, area 22.66 px",
        "Jy/beam (stored x 0.001)",
        "1.4 GHz",
        "10 % blank",
        "notes",
    ):
        assert words in out, words


def test_facts_for_a_program(capsys, field):
    code, out, _ = run(capsys, field, "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["shape"] == [200, 300]
    assert facts["beam"]["major_pixels"] == pytest.approx(5.0)
    assert facts["centre"]["ra"] == pytest.approx(50.0)
    data = noise(200, 300)[20:] * 1e-3
    assert facts["data"]["max"] == pytest.approx(data.max(), rel=1e-6)
    assert facts["data"]["median"] == pytest.approx(np.median(data), rel=1e-5)
    assert facts["data"]["blank"] == pytest.approx(0.1)
    assert facts["frequency_hz"] == 1.4e9
    assert facts["hdus"] == ["[0] PRIMARY image 200 x 300"]
    assert len(facts["notes"]) == 1


def test_a_large_map_is_sampled(tmp_path):
    path = write_map(tmp_path / "large.fits", np.ones((3000, 3000), np.float32))
    facts = image_facts(open_image(path))["data"]
    assert 16 <= facts["rows_read"] < 3000
    assert (facts["min"], facts["max"], facts["blank"]) == (1.0, 1.0, 0.0)


@pytest.mark.parametrize("shape", [(1, 500), (500, 1), (1, 1)])
def test_thin_and_blank_maps(tmp_path, capsys, shape):
    code, out, _ = run(capsys, write_map(tmp_path / "thin.fits", np.full(shape, np.nan, np.float32)))
    assert code == 0
    assert "100 % blank" in out


def test_flags_say_what_the_header_does_not(tmp_path, capsys):
    cards = {"BMAJ": NONE, "BMIN": NONE, "BUNIT": "counts", "CTYPE1": NONE, "CTYPE2": NONE, "CDELT1": NONE}
    path = write_map(tmp_path / "bare.fits", np.stack([noise(), noise() + 5]), **cards, RESTFRQ=NONE)
    code, out, err = run(capsys, path)
    assert code == 2
    assert "2 x 30 x 40" in out  # what the file holds is told all the same
    assert "--pixel-scale" in err
    flags = [
        "--plane",
        1,
        "--beam",
        "12,9,30",
        "--pixel-scale",
        "2,3",
        "--unit",
        "Jy/beam",
        "--frequency",
        "1.4GHz",
    ]
    code, out, err = run(capsys, path, *flags, "--beam-plane", "sky", "--hdu", "0")
    assert (code, err) == (0, "")
    assert '12" x 9", pa 30 deg' in out
    assert '3" x 2" (y, x)' in out
    assert "1.4 GHz" in out
    assert "plane 1" in out
    assert "none: pixel positions only" in out
    assert "one ellipse on the sky" in out


@pytest.mark.parametrize(
    "flags",
    [
        ["--beam", "1,2"],
        ["--beam", "0,0,0"],
        ["--beam", "wide"],
        ["--beam", "5,4,nan"],
        ["--plane", "a"],
        ["--pixel-scale", "-1"],
        ["--frequency", "1.4 parsec"],
        ["--frequency", "0"],
        ["--beam-plane", "moon"],
        ["--unit", "furlong"],
        ["--hdu", "7"],
    ],
)
def test_a_flag_that_says_nothing_is_told_in_one_line(field, capsys, flags):
    code, _, err = run(capsys, field, *flags)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "allowed" in err


@pytest.mark.parametrize(
    ("cards", "unit", "told"),
    [
        ({"BMAJ": NONE, "BMIN": NONE}, "Jy/beam", "the map has no beam"),
        ({"BUNIT": "counts"}, "counts", "cannot be converted"),
        ({"BMAJ": NONE, "BMIN": NONE, "BUNIT": "counts"}, "counts", "the map has no beam"),
        ({"BMAJ": 90.0, "BUNIT": NONE}, None, "far wider than the map"),
    ],
)
def test_a_map_without_beam_or_unit_is_told_all_the_same(tmp_path, capsys, cards, unit, told):
    path = write_map(tmp_path / "bare.fits", **cards)
    code, out, err = run(capsys, path)
    assert (code, err) == (0, "")
    assert "30 x 40 px (y, x)" in out
    assert told in out
    assert "was given" not in out
    facts = json.loads(run(capsys, path, "--json")[1])
    assert facts["unit"] == unit
    assert (facts["beam"] is None) == ("converted" not in told)


def test_several_maps_of_which_one_is_bad(field, tmp_path, capsys):
    bad = tmp_path / "bad.fits"
    bad.write_text("no map")
    code, out, err = run(capsys, field, bad, field)
    assert code == 2
    assert out.count("notes") == 2
    assert err.startswith(f"skysift: error: {bad}: the file is not FITS")
    code, out, _ = run(capsys, "--json", field, bad)
    first, second = (json.loads(line) for line in out.splitlines())
    assert "error" not in first
    assert "not FITS" in second["error"]


def test_a_catalogue_of_ours_and_of_another_program(capsys, tmp_path):
    catalogue = catalogues.catalogue(20)
    (ours,) = catalogue.write(tmp_path / "sources.vot", table="sources")
    theirs = reader("casda").write(catalogue.components, tmp_path / "casda.xml")
    code, out, err = run(capsys, ours, theirs)
    assert (code, err) == (0, "")
    assert "20 sources of skysift" in out
    assert f"{len(catalogue.components)} components of another program, layout casda" in out
    code, out, _ = run(capsys, theirs, "--json")
    facts = json.loads(out)
    assert (code, facts["layout"], facts["rows"]) == (0, "casda", len(catalogue.components))
    assert facts["dec_deg"][0] == pytest.approx(catalogue.components["dec"].min())
    assert "flux_int" in facts["columns"]
    assert "x" not in facts["columns"]


def test_a_field_across_zero_is_a_short_arc(capsys, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("ra,dec\n359.5,-1\n0.5,1\n,\n")
    _, out, _ = run(capsys, path)
    assert "RA 359.5000 to 0.5000, Dec -1.0000 to +1.0000 deg" in out
    assert "1 rows without a position" in out
    assert "frequency   not known" in out


def test_a_broken_catalogue_is_told(capsys, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("ra,dec,flux\n1,2,3\n")
    code, _, err = run(capsys, path)
    assert code == 2
    assert "does not tell the unit of the column for flux_int" in err
    assert err.count("\n") == 1


def test_a_folder_tells_its_tables(capsys, tmp_path):
    found = catalogues.catalogue(12, seed=3)
    FitsFormat().write(found, tmp_path / "field")
    code, out, err = run(capsys, tmp_path / "field")
    assert (code, err) == (0, "")
    assert "a catalogue of skysift" in out
    for kind in ("islands", "sources", "components"):
        assert f"{kind:<11} {len(found.table(kind))} rows" in out
    code, out, _ = run(capsys, "--json", tmp_path / "field")
    assert [each["table"] for each in json.loads(out)["tables"]] == ["islands", "sources", "components"]


def test_the_folder_of_a_made_sky_names_its_truths(capsys, tmp_path):
    for name in ("truth-1400MHz", "truth-843MHz"):
        FitsFormat().write(catalogues.catalogue(3, seed=3), tmp_path / "made" / name)
    code, _, err = run(capsys, tmp_path / "made")
    assert code == 2
    assert "is an output folder of `skysift simulate`" in err
    assert "made/truth-1400MHz" in err
    assert "made/truth-843MHz" in err
    with pytest.raises(UsageError, match="name the truth inside it"):
        skysift.open(tmp_path / "made")
