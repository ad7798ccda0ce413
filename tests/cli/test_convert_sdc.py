import json

import numpy as np
import pytest
from astropy.io import fits
from tests import catalogues
from tests.reference import sdc_cases

from skysift.cli.main import main
from skysift.io.sdc import read_rows, write_rows
from skysift.io.sdc_rows import SDC1, sdc1_rows
from skysift.io.tables import FitsFormat, read_table
from skysift.sky.catalogue import Catalogue


@pytest.fixture
def folder(tmp_path):
    """An output folder of `skysift find`, its sources near RA 0 and Dec -30."""
    told = catalogues.catalogue()
    sources = told.sources.with_columns(
        {"ra": np.linspace(-0.5, 0.5, 12) % 360.0, "dec": np.linspace(-30.5, -29.5, 12)}
    )
    FitsFormat().write(Catalogue(told.islands, sources, told.components), tmp_path / "field")
    return tmp_path / "field"


@pytest.fixture
def beam(tmp_path):
    """A response that is 0.5 everywhere on a square of 0.8 degrees."""
    cards = {
        "CTYPE1": "RA---SIN",
        "CTYPE2": "DEC--SIN",
        "CRVAL1": 0.0,
        "CRVAL2": -30.0,
        "CRPIX1": 4.5,
        "CRPIX2": 4.5,
    }
    header = fits.Header(cards | {"CDELT1": -0.1, "CDELT2": 0.1})
    fits.PrimaryHDU(np.full((8, 8), 0.5, "f4"), header).writeto(tmp_path / "pb.fits")
    return tmp_path / "pb.fits"


@pytest.mark.filterwarnings("always::skysift.base.errors.SkysiftWarning")
def test_a_list_with_fluxes_over_the_primary_beam(folder, beam, tmp_path, capsys):
    out = tmp_path / "out.txt"
    assert main(["convert", str(folder), str(out), "--to", "sdc1", "--primary-beam", str(beam)]) == 0
    told = capsys.readouterr()
    assert told.out == f"{out}: 12 sources in the layout sdc1\n"
    assert told.err.startswith("skysift: warning: ")
    assert "of 12 sources are left out: " in told.err
    assert told.err.count("\n") == 1
    rows, sources = read_rows(out, SDC1), read_table(folder / "sources.fits")
    left_out = int(told.err.split()[2])
    assert 0 < left_out == 12 - len(rows["id"])
    there = sources.select(np.isin(sources.ids, rows["id"]))
    assert rows["flux"] == pytest.approx(2.0 * there["flux"])
    assert rows["b_maj"] == pytest.approx(there["major_deconv"])


@pytest.mark.filterwarnings("always::skysift.base.errors.SkysiftWarning")
def test_without_a_primary_beam_it_is_told(folder, tmp_path, capsys):
    out = tmp_path / "out.txt"
    assert main(["convert", str(folder), str(out), "--to", "sdc1", "--set", "class_id=1"]) == 0
    assert "not corrected for the primary beam: --primary-beam names its map" in capsys.readouterr().err
    assert set(read_rows(out, SDC1)["class"]) == {1}


def test_a_list_becomes_a_table_and_a_list_again(tmp_path, capsys):
    rows = sdc_cases.sdc1_truth(8, 20, 560)
    given, table, again = tmp_path / "given.txt", tmp_path / "table.parquet", tmp_path / "again.txt"
    write_rows(rows, given)
    assert main(["convert", str(given), str(table)]) == 0
    assert main(["convert", str(table), str(again), "--to", "sdc1"]) == 0
    assert capsys.readouterr().err == ""
    assert again.read_bytes() == given.read_bytes()
    for name, values in sdc1_rows(read_table(table))[0].items():
        np.testing.assert_array_equal(values, rows[name])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["field", "out.csv", "--primary-beam", "pb.fits"], "--primary-beam is for lists of sdc1 only"),
        (["field", "out.txt", "--to", "sdc1", "--primary-beam", "none.fits"], "no such file"),
        (["field", "out.txt", "--to", "sdc1", "--table", "islands"], "islands have no axes"),
        (
            ["field", "out.txt", "--to", "sdc1", "--set", "class_id=7"],
            "option 'class_id' is not allowed: got",
        ),
        (["field", "out.txt", "--to", "sdc2"], "the table of sources lacks columns of HI sources"),
        (["field", "here.txt", "--to", "sdc1"], "the file exists: got 'here.txt'"),
    ],
)
def test_requests_that_cannot_be_met_are_told_in_one_line(
    folder, beam, tmp_path, monkeypatch, capsys, arguments, told
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.txt").write_text("mine")
    before = sorted(path.name for path in tmp_path.iterdir())
    assert main(["convert", *arguments]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_lists_are_scored_from_the_shell(tmp_path, capsys):
    true = sdc_cases.sdc1_truth(9, 300, 560)
    found = sdc_cases.sdc1_found(10, true, 560)
    write_rows(found, tmp_path / "sub.txt")
    write_rows(true, tmp_path / "truth.cat", header=False)
    lists = ["score", str(tmp_path / "sub.txt"), str(tmp_path / "truth.cat"), "--kind", "sdc1"]
    numbers = {}
    for train in ([], ["--train"]):
        assert main([*lists, "--frequency", "560MHz", "--json", *train]) == 0
        numbers[bool(train)] = json.loads(capsys.readouterr().out)["sdc1"]
    from skysift.score.sdc1 import score_sdc1

    for train, told in numbers.items():
        assert told["M_s"] == pytest.approx(score_sdc1(found, true, 560.0, train=train).value)
        assert told["N_det"] + told["N_left_out"] == len(found["id"])
    assert main(lists) == 2
    assert "give --frequency, such as 560MHz" in capsys.readouterr().err
