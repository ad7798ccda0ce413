import io
import subprocess

import numpy as np
import pytest
from astropy.io.votable import parse
from astropy.units import Unit
from tests import catalogues

from skysift.base.errors import FormatError
from skysift.io.tables import FitsFormat
from skysift.io.votable import VOTableFormat, votable_text
from skysift.sky import schema
from skysift.sky.table import Table


def made(kind: str, rows: int) -> Table:
    """A table with every value that a file may trip over."""
    table = catalogues.catalogue(max(rows, 1)).table(kind)
    if not rows:
        return Table.empty(kind)
    odd = np.resize([np.nan, np.inf, -np.inf, -0.0, 5e-324, 1.7976931348623157e308, 0.1], len(table))
    text = np.resize(["A & B", "<a>", "'q' \"r\"", "", "x  y"], len(table))
    return table.with_columns({"flux_int": odd, "name": text})


@pytest.mark.parametrize("kind", schema.TABLES)
@pytest.mark.parametrize("rows", [0, 1, 20])
def test_votlint_finds_nothing_to_say(tmp_path, program, kind, rows):
    stilts = program("stilts", "make system-deps")
    path = VOTableFormat().write_table(made(kind, rows), tmp_path / "out.vot", catalogues.provenance())
    told = subprocess.run(
        [stilts, "votlint", "ucd=true", "unit=true", f"votable={path}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


def test_stilts_reads_the_same_values(tmp_path, program):
    stilts = program("stilts", "make system-deps")
    table = catalogues.catalogue(5).components
    VOTableFormat().write_table(table, tmp_path / "out.vot")
    subprocess.run(
        [
            stilts,
            "tpipe",
            f"in={tmp_path}/out.vot",
            f"out={tmp_path}/back.vot",
            "ofmt=votable-binary2-inline",
        ],
        check=True,
        capture_output=True,
    )
    assert VOTableFormat().read(tmp_path / "back.vot") == table


def test_stilts_reads_our_fits(tmp_path, program):
    stilts = program("stilts", "make system-deps")
    table = catalogues.catalogue(5).components
    FitsFormat().write_table(table, tmp_path / "out.fits")
    subprocess.run(
        [stilts, "tpipe", f"in={tmp_path}/out.fits", f"out={tmp_path}/back.vot"],
        check=True,
        capture_output=True,
    )
    assert VOTableFormat().read(tmp_path / "back.vot") == table
    fields = parse(tmp_path / "back.vot", verify="ignore").get_first_table().fields
    for field, each in zip(fields, table.declared, strict=True):
        assert field.ucd == each.ucd
        assert field.description == each.meaning


def test_fields_are_those_of_the_schema():
    document = parse(io.BytesIO(votable_text(catalogues.catalogue().components).encode()), verify="exception")
    table = document.get_first_table()
    assert table.name == "components"
    for field, each in zip(table.fields, schema.columns("components"), strict=True):
        assert field.name == each.name
        assert field.ucd == each.ucd
        assert field.description == each.meaning
        assert Unit("" if field.unit is None else field.unit) == Unit(each.unit)
    system = {field.name: field.ref for field in table.fields if field.ref}
    assert system == {"ra": "icrs", "dec": "icrs"}
    assert document.resources[0].coordinate_systems[0].system == "ICRS"


def test_astropy_finds_nothing_to_warn_of(tmp_path):
    path = VOTableFormat().write_table(made("components", 20), tmp_path / "out.vot", catalogues.provenance())
    assert parse(path, verify="exception")


def test_the_provenance_is_there_for_people():
    text = votable_text(catalogues.catalogue(1).sources, catalogues.provenance())
    assert '<INFO name="creator" value="skysift 0.1.0"/>' in text
    assert '<INFO name="finder" value="classic"/>' in text
    assert '<INFO name="option.seed" value="5.0"/>' in text


def test_many_rows_are_written_in_blocks(tmp_path):
    one = catalogues.catalogue(5).sources
    table = one.select(np.arange(25_000) % 5)
    VOTableFormat().write_table(table, tmp_path / "out.vot")
    assert (tmp_path / "out.vot").read_text().count("<TR>") == 25_000


def test_somebody_elses_provenance_is_nobodys(tmp_path):
    path = tmp_path / "out.vot"
    text = votable_text(catalogues.catalogue(1).sources, catalogues.provenance())
    path.write_text(text.replace("skysift 0.1.0", "topcat"))
    assert VOTableFormat().load(path)[1] is None


def test_missing_whole_numbers_are_told(tmp_path):
    path = tmp_path / "out.vot"
    text = votable_text(catalogues.catalogue(1).sources)
    path.write_text(
        text.replace("<TR><TD>1</TD>", "<TR><TD></TD>", 1).replace(
            '<FIELD name="source_id" datatype="long" ucd="meta.id">',
            '<FIELD name="source_id" datatype="long" ucd="meta.id"><VALUES null="-1"/>',
        )
    )
    with pytest.raises(FormatError):
        VOTableFormat().read(path)
