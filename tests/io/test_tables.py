import errno
import os
import pickle

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import catalogues

from skysift.base.errors import FormatError, OutputError, StorageError, UsageError
from skysift.base.registry import Registry
from skysift.io.output import whole_file
from skysift.io.tables import (
    CsvFormat,
    FitsFormat,
    ParquetFormat,
    is_table,
    load_table,
    read_catalogue,
    read_table,
)
from skysift.io.votable import VOTableFormat
from skysift.sky import schema
from skysift.sky.catalogue import Catalogue, Table

FORMATS = [FitsFormat, VOTableFormat, ParquetFormat, CsvFormat]
TELLING = [FitsFormat, VOTableFormat, ParquetFormat]  # those with room for units and provenance
each_format = pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
each_telling_format = pytest.mark.parametrize("form", TELLING, ids=lambda form: form.name)
anywhere = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)


def test_the_index_holds_these_formats():
    registry = Registry("format")
    assert [registry.load(name) for name in registry.names()] == FORMATS
    assert [registry.load(name).name for name in registry.names()] == list(registry.names())


@each_format
@anywhere
@given(table=catalogues.tables())
def test_any_table_comes_back_equal(tmp_path, form, table):
    path = tmp_path / "any"
    form().write_table(table, path, overwrite=True)
    assert form().read(path) == table
    assert read_table(path) == table


@each_telling_format
@anywhere
@given(data=st.data())
def test_further_columns_come_back_equal_and_declared(tmp_path, form, data):
    extra = catalogues.extra_columns("sources")
    table = data.draw(catalogues.tables("sources", extra))
    form().write_table(table, tmp_path / "any", overwrite=True)
    again = form().read(tmp_path / "any")
    assert again == table
    for got, declared in zip(again.extra, extra, strict=True):
        assert (got.name, got.dtype, got.unit, got.ucd, got.meaning) == (
            declared.name,
            declared.dtype,
            declared.unit,
            declared.ucd,
            declared.meaning,
        )


def test_further_columns_of_a_csv_are_read_as_they_look(tmp_path):
    table = catalogues.catalogue(3).sources.with_columns(
        {
            "flux_net": [1.5, np.nan, 2.0],
            "n_visits": [1, 2, 3],
            "label": ["a,b", 'c"d', ""],
            "kept": [True, False, True],
        },
        catalogues.extra_columns("sources"),
    )
    CsvFormat().write_table(table, tmp_path / "out.csv")
    assert read_table(tmp_path / "out.csv") == table


@each_format
@pytest.mark.parametrize("kind", schema.TABLES)
def test_an_empty_table_keeps_its_columns(tmp_path, form, kind):
    form().write_table(Table.empty(kind), tmp_path / "empty")
    assert read_table(tmp_path / "empty") == Table.empty(kind)


@each_telling_format
@pytest.mark.parametrize("provenance", [None, catalogues.provenance()], ids=["none", "full"])
def test_the_provenance_comes_back(tmp_path, form, provenance):
    table = catalogues.catalogue().components
    form().write_table(table, tmp_path / "out", provenance)
    assert load_table(tmp_path / "out") == (table, provenance)


@each_format
def test_the_same_catalogue_gives_the_same_bytes(tmp_path, form):
    catalogue = catalogues.catalogue()
    first = form().write(catalogue, tmp_path / "first")
    second = form().write(pickle.loads(pickle.dumps(catalogue)), tmp_path / "second")
    assert [path.name for path in first] == [f"{kind}{form.suffixes[0]}" for kind in schema.TABLES]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert read_table(one) == catalogue.table(one.stem)


@each_format
def test_every_suffix_is_that_of_one_format(form):
    others = {suffix for other in FORMATS if other is not form for suffix in other.suffixes}
    assert not others & set(form.suffixes)
    assert repr(form()) == f"{form.__name__}()"


# -- what is in the files


def test_fits_tells_unit_ucd_and_meaning(tmp_path):
    catalogue = catalogues.catalogue()
    catalogue.write(tmp_path / "out.fits", table="components")
    with fits.open(tmp_path / "out.fits") as hdus:
        hdus.verify("exception")
        header = hdus[1].header
        assert header["EXTNAME"] == "COMPONENTS"
        assert header["RADESYS"] == "ICRS"
        for number, each in enumerate(catalogue.components.declared, start=1):
            assert header[f"TTYPE{number}"] == each.name
            assert header.get(f"TUNIT{number}", "") == each.unit
            assert header[f"TUCD{number}"] == each.ucd
            assert header[f"TCOMM{number}"] == each.meaning
        assert header["CREATOR"] == "skysift 0.1.0"
        assert any("option seed = 5.0" in line for line in header["HISTORY"])
        assert "DATE" not in header


def test_parquet_tells_unit_ucd_and_meaning(tmp_path):
    import pyarrow.parquet as pq

    catalogue = catalogues.catalogue()
    catalogue.write(tmp_path / "out.parquet", table="components")
    content = pq.read_schema(tmp_path / "out.parquet")
    field = content.field("flux_peak")
    assert field.metadata[b"unit"] == b"Jy/beam"
    assert field.metadata[b"ucd"].startswith(b"phot.flux.density")
    assert content.metadata[b"skysift.table"] == b"components"
    (tmp_path / "head.vot").write_bytes(content.metadata[b"IVOA.VOTable-Parquet.content"])
    assert load_table(tmp_path / "head.vot") == (Table.empty("components"), catalogue.provenance)


def test_csv_has_names_and_rows_and_nothing_else(tmp_path):
    table = catalogues.catalogue(2).sources.with_columns({"flux": [0.1, np.nan], "flux_int": [np.inf, -0.0]})
    CsvFormat().write_table(table, tmp_path / "out.csv", catalogues.provenance())
    lines = (tmp_path / "out.csv").read_text().split("\n")
    assert lines[0] == ",".join(table.names)
    assert len(lines) == 4
    assert lines[3] == ""
    cells = dict(zip(table.names, lines[2].split(","), strict=True))
    assert cells["flux"] == ""
    assert cells["source_id"] == "2"
    assert cells["ra"] == repr(float(table.ra[1]))


# -- what is not a table of skysift


@each_telling_format  # a CSV that was cut at the end of a line cannot be told from a shorter one
@pytest.mark.parametrize("keep", [0.2, 0.5, 0.97])
def test_a_truncated_file_is_told_in_one_line(tmp_path, form, keep):
    path = tmp_path / "out"
    form().write_table(catalogues.catalogue(200).components, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(FormatError) as error:
        read_table(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is no table"),
        (b"just words\nand more\n", "is no table"),
        (b"\x00\x01\x02,\x03", "is no table"),
        (b"a,b\n1,2\n", "is not a table of skysift: got 'the columns a, b'"),
        (b"source_id,name\n1,x\n", "it lacks columns of sources: got 'x, y, x_err"),
        (b"PAR1 and nothing else", "cannot be read as Parquet"),
        (b"<VOTABLE><RESOURCE></RESOURCE></VOTABLE>", "holds no table"),
        (b"<?xml version='1.0'?><VOTABLE><RESOURCE>", "cannot be read as VOTable"),
    ],
)
def test_other_files_are_told_in_one_line(tmp_path, content, told):
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(FormatError) as error:
        read_table(path)
    assert told in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_map_is_not_a_table(tmp_path):
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(tmp_path / "map.fits")
    with pytest.raises(FormatError, match="holds no table"):
        read_table(tmp_path / "map.fits")


def test_somebody_elses_fits_table_is_not_one_of_skysift(tmp_path):
    columns = [fits.Column("ra", "D", array=np.ones(2)), fits.Column("spectrum", "4E", array=np.ones((2, 4)))]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "other.fits")
    with pytest.raises(FormatError, match="is not a table of skysift: got 'the columns ra, spectrum'"):
        read_table(tmp_path / "other.fits")


def test_columns_that_no_table_can_hold_are_told(tmp_path):
    CsvFormat().write_table(Table.empty("islands"), tmp_path / "out.csv")
    with fits.open(fits_of(tmp_path, catalogues.catalogue(2).islands)) as hdus:
        wide = fits.Column("spectrum", "4E", array=np.ones((len(hdus[1].data), 4)))
        fits.BinTableHDU.from_columns([*hdus[1].columns, wide]).writeto(tmp_path / "wide.fits")
    with pytest.raises(FormatError, match="the column spectrum holds values that no table can"):
        read_table(tmp_path / "wide.fits")


def fits_of(folder, table):
    return FitsFormat().write_table(table, folder / "table.fits")


def test_a_changed_unit_is_told(tmp_path):
    path = fits_of(tmp_path, catalogues.catalogue(2).sources)
    number = schema.names("sources").index("flux_int") + 1
    with fits.open(path, mode="update") as hdus:
        hdus[1].header[f"TUNIT{number}"] = "mJy"
    with pytest.raises(FormatError, match="the column flux_int has another unit: got 'mJy'; allowed: Jy"):
        read_table(path)


def test_text_in_a_column_of_numbers_is_told(tmp_path):
    table = catalogues.catalogue(2).sources
    CsvFormat().write_table(table, tmp_path / "out.csv")
    text = (tmp_path / "out.csv").read_text().replace(repr(float(table.flux[0])), "bright")
    (tmp_path / "out.csv").write_text(text)
    with pytest.raises(FormatError, match="cannot be read as CSV"):
        read_table(tmp_path / "out.csv")


def test_a_missing_file_is_told(tmp_path):
    for read in (read_table, is_table, FitsFormat().read):
        with pytest.raises(UsageError, match="no such file"):
            read(tmp_path / "none.fits")


def test_is_table_leaves_fits_to_those_who_know_maps(tmp_path):
    catalogue = catalogues.catalogue(2)
    for name in ("a.vot", "a.parquet", "a.csv"):
        assert is_table(catalogue.write(tmp_path / name)[0])
    assert not is_table(catalogue.write(tmp_path / "a.fits")[0])
    (tmp_path / "words").write_text("words")
    assert not is_table(tmp_path / "words")


def test_tables_of_others_are_read_by_content(tmp_path):
    catalogue = catalogues.catalogue(5)
    catalogue.sources.to_astropy().write(tmp_path / "a.table", format="fits")
    catalogue.sources.to_astropy().write(tmp_path / "b.table", format="votable")
    catalogue.sources.to_astropy().write(tmp_path / "c.table", format="votable", tabledata_format="binary2")
    for name in ("a.table", "b.table", "c.table"):
        assert read_table(tmp_path / name) == catalogue.sources


# -- catalogues


@each_format
def test_a_folder_is_a_catalogue(tmp_path, form):
    catalogue = catalogues.catalogue()
    form().write(catalogue, tmp_path / "out")
    again = read_catalogue(tmp_path / "out")
    known = catalogue.provenance if form in TELLING else None
    assert again == Catalogue(catalogue.islands, catalogue.sources, catalogue.components, known)


def test_a_file_is_a_catalogue_of_one_table(tmp_path):
    catalogue = catalogues.catalogue()
    catalogue.write(tmp_path / "out.fits", table="components")
    again = read_catalogue(tmp_path / "out.fits")
    assert again.components == catalogue.components
    assert again.sources == Table.empty("sources")
    assert again.provenance == catalogue.provenance


def test_a_folder_of_something_else_is_told(tmp_path):
    with pytest.raises(FormatError, match="is not an output folder of `skysift find`"):
        read_catalogue(tmp_path)


# -- writing


def test_nothing_is_replaced_unless_asked(tmp_path):
    catalogue = catalogues.catalogue(2)
    FitsFormat().write(catalogue, tmp_path)
    (tmp_path / "islands.fits").unlink()
    with pytest.raises(OutputError, match=r"the file exists: got .*sources\.fits"):
        FitsFormat().write(catalogue, tmp_path)
    assert not (tmp_path / "islands.fits").exists()
    FitsFormat().write(catalogue, tmp_path, overwrite=True)
    assert (tmp_path / "islands.fits").exists()


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old")

    def fail(error):
        with whole_file(path, overwrite=True) as part:
            part.write_text("new")
            raise error

    with pytest.raises(StorageError, match="the disk is full"):
        fail(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    with pytest.raises(OutputError, match="cannot write the file"):
        fail(OSError(errno.EACCES, os.strerror(errno.EACCES)))
    with pytest.raises(KeyboardInterrupt):
        fail(KeyboardInterrupt())
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["out.txt"]


def test_places_that_cannot_be_written_are_told(tmp_path):
    catalogue = catalogues.catalogue(2)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="no such folder"):
        catalogue.write(tmp_path / "none" / "out.fits")
    with pytest.raises(OutputError, match="a file is wanted, this is a folder"):
        catalogue.write(tmp_path, "fits", overwrite=True)
    with pytest.raises(OutputError, match="cannot make the folder"):
        catalogue.write(tmp_path / "file" / "sub", "fits", table=None)
