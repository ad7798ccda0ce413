"""Machine-readable tables: astropy reads what is written, with its units; a line is not too long."""

import numpy as np
import pytest
from astropy.io import ascii as texts
from tests import catalogues

from skysift.io.layouts.reading import layout_of, read_any, reader
from skysift.sky.schema import TABLES


@pytest.mark.parametrize("form", ["mrt", "cds"])
@pytest.mark.parametrize("kind", TABLES)
def test_astropy_reads_what_is_written(tmp_path, kind, form):
    table = catalogues.catalogue(30).table(kind)
    path = reader("cds-mrt").write(table, tmp_path / "out.mrt")
    theirs = texts.read(path, format=form)  # a unit that it does not know would be a warning: an error here
    assert len(theirs) == len(table)
    assert str(theirs["RAdeg"].unit) == "deg"
    assert str(theirs["Fpeak"].unit) == "mJy"
    assert np.allclose(theirs["RAdeg"], table["ra"], atol=5e-8)
    assert np.allclose(theirs["Fint"], 1e3 * table["flux_int"], rtol=1e-5)


def test_lines_of_the_description_fit_a_page(tmp_path):
    path = reader("cds-mrt").write(catalogues.catalogue(30).components, tmp_path / "out.mrt")
    head, _, _ = path.read_text().rpartition("-" * 80)
    assert max(len(line) for line in head.splitlines()) <= 80
    assert head.isascii()


def test_what_is_not_known_is_blank_and_said_to_be_possible(tmp_path):
    table = catalogues.catalogue(3).sources
    gaps = table.with_columns({"major": [np.nan, 40.0, np.nan], "name": ["", "A", "B"]})
    path = reader("cds-mrt").write(gaps, tmp_path / "out.mrt")
    assert any(
        line.split()[-2:-1] != [] and " Maj " in line and "? " in line
        for line in path.read_text().splitlines()
    )
    again = read_any(path)
    assert np.allclose(again["major"], gaps["major"], equal_nan=True)
    assert list(again["name"]) == ["", "A", "B"]


@pytest.mark.parametrize("spread", [1e-9, 1.0, 1e12])
def test_six_figures_of_any_number(tmp_path, spread):
    table = catalogues.catalogue(4).sources
    flux = np.array([1.234567e-6, -2.345678e-3, 3.456789 * spread, 0.0])
    again = read_any(reader("cds-mrt").write(table.with_columns({"flux_int": flux}), tmp_path / "out.mrt"))
    assert np.allclose(again["flux_int"], flux, rtol=1e-5, atol=0)


def test_a_table_of_other_authors_is_read_by_its_names(tmp_path):
    path = tmp_path / "table2.dat"
    lines = [
        "Title: Sources", "Authors: Somebody", "Table: Two sources", "=" * 80,
        "Byte-by-byte Description of file: table2.dat", "-" * 80,
        "   Bytes Format Units   Label     Explanations", "-" * 80,
        "   1-  9 F9.5   deg     RAdeg     Right ascension", "  11- 19 F9.5   deg     DEdeg     Declination",
        "  21- 26 F6.2   mJy     Fint      Flux", "  28- 31 F4.1   arcsec  MajAxis   ? Axis", "-" * 80,
        " 15.00000 -30.00000  12.50  7.0", " 15.10000 -30.10000   2.50     ", "",
    ]  # fmt: skip
    path.write_text("\n".join(lines))
    assert layout_of(path) == "named"
    table = read_any(path)
    assert list(table["flux_int"]) == pytest.approx([0.0125, 0.0025])
    assert np.allclose(table["major"], [7.0, np.nan], equal_nan=True)
