"""What every table format promises, over the whole index."""

import numpy as np
import pytest
from tests import catalogues

from skysift.base.errors import FormatError, OutputError, SkysiftError, UsageError
from skysift.base.registry import Registry
from skysift.sky import schema
from skysift.sky.catalogue import Catalogue, Table, table_format
from skysift.sky.schema import Column

pytestmark = pytest.mark.parametrize("name", Registry("format").names())


def blank(each: Column) -> np.ndarray:
    """Two rows of a column about which nothing is known."""
    empty = {"float64": np.nan, "int64": 0, "bool": False, "str": ""}[each.dtype]
    return np.full(2, empty)


def catalogues_to_write() -> dict[str, Catalogue]:
    unknown = {
        kind: Table(kind, {each.name: blank(each) for each in schema.columns(kind)}) for kind in schema.TABLES
    }
    return {
        "nothing": Catalogue.empty(),
        "one source": catalogues.catalogue(1),
        "many": catalogues.catalogue(300),
        "no sky": catalogues.catalogue(5, on_sky=False),
        "not a number": Catalogue(unknown["islands"], unknown["sources"], unknown["components"]),
    }


@pytest.mark.parametrize("case", catalogues_to_write())
def test_what_is_written_is_read(tmp_path, name, case):
    form = Registry("format").make(name)
    catalogue = catalogues_to_write()[case]
    for kind in schema.TABLES:
        (path,) = form.write(catalogue, tmp_path / f"{kind}{form.suffixes[0]}", kind)
        assert form.read(path) == catalogue.table(kind)
        again = form.write(catalogue, tmp_path / "again", kind, overwrite=True)[0]
        assert again.read_bytes() == path.read_bytes()


def test_three_tables_make_a_folder(tmp_path, name):
    form = Registry("format").make(name)
    catalogue = catalogues.catalogue()
    written = form.write(catalogue, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {path.name for path in written}
    assert {path.stem for path in written} == set(schema.TABLES)


def test_a_suffix_leads_to_the_format(tmp_path, name):
    form = Registry("format").load(name)
    for suffix in form.suffixes:
        assert suffix.startswith(".")
        assert isinstance(table_format(tmp_path / f"out{suffix}"), form)


def test_nothing_is_replaced_unless_asked(tmp_path, name):
    form = Registry("format").make(name)
    path = tmp_path / "out"
    path.write_text("mine")
    with pytest.raises(OutputError):
        form.write(catalogues.catalogue(), path, "sources")
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"words", b"\x00" * 5000, b"SIMPLE  =", b"PAR1PAR1", b"<VOTABLE/>"]
)
def test_what_is_something_else_is_told_in_one_line(tmp_path, name, content):
    form = Registry("format").make(name)
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(FormatError) as error:
        form.read(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    assert isinstance(error.value, SkysiftError)
    with pytest.raises(UsageError):
        form.read(tmp_path / "missing")
