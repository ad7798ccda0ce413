"""What every layout of a catalogue promises, over the whole index."""

import warnings

import numpy as np
import pytest
from tests import catalogues

from skysift.base.errors import FormatError, OptionError, OutputError, SkysiftWarning, UsageError
from skysift.base.registry import Registry
from skysift.io.layouts.reading import layout_of, read_any, reader
from skysift.plugins import PLUGINS
from skysift.sky import schema
from skysift.sky.catalogue import Table
from skysift.sky.table import ID_OF

NAMES = Registry("layout").names()
pytestmark = pytest.mark.parametrize("name", NAMES)

BLANK = {"float64": np.nan, "int64": 0, "bool": False, "str": ""}


def unknown(kind, rows=2):
    """Rows about which nothing is known but their numbers."""
    columns = {each.name: np.full(rows, BLANK[each.dtype]) for each in schema.columns(kind)}
    return Table(kind, columns | {ID_OF[kind]: np.arange(1, rows + 1)})


def tables(kind):
    many = catalogues.catalogue(60).table(kind)
    return {"no rows": many[:0], "one row": many[:1], "many rows": many, "nothing known": unknown(kind)}


def written(layout, table, path):
    """How many rows a warning says were left out of the file; None where the layout has no place for the table."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            layout.write(table, path)
        except UsageError:
            assert not path.exists()
            return None
    ours = [str(each.message) for each in caught if issubclass(each.category, SkysiftWarning)]
    left_out = [int(text.split(" of ")[0]) for text in ours if "left out" in text]
    assert len(ours) == len(caught)
    return sum(left_out)


def places(name):
    layout = reader(name)
    return [(kind, suffix) for kind in layout.tables for suffix in layout.suffixes]


def test_it_says_what_it_is(name):
    layout = reader(name)
    assert layout.name == name
    assert layout.title
    assert set(layout.tables) <= set(schema.TABLES)
    assert all(suffix.startswith(".") for suffix in layout.suffixes)


@pytest.mark.parametrize("case", ["no rows", "one row", "many rows", "nothing known"])
def test_what_is_written_is_known_and_read(tmp_path, name, case):
    layout = reader(name)
    for kind, suffix in places(name):
        table = tables(kind)[case]
        path = tmp_path / f"{kind}{suffix}"
        left_out = written(layout, table, path)
        if left_out is None:
            continue
        assert layout_of(path) == name
        again = read_any(path)
        assert again.kind in layout.tables
        assert len(again) == len(table) - left_out
        if case == "many rows":
            assert np.allclose(again["ra"], table["ra"], atol=1e-6)
            fluxes = [table[each].sum() for each in ("flux_int", "flux") if each in table]
            assert np.isclose(again["flux_int"].sum(), fluxes, rtol=1e-4).any()


def test_a_file_is_that_of_one_layout(tmp_path, name):
    layout = reader(name)
    for kind, suffix in places(name):
        path = tmp_path / f"{kind}{suffix}"
        if written(layout, catalogues.catalogue(5).table(kind), path) is None:
            continue
        others = [other for other in NAMES if other not in (name, "named") and reader(other).matches(path)]
        assert others == []


def test_our_own_tables_are_not_its(tmp_path, name):
    catalogue = catalogues.catalogue(5)
    for kind in schema.TABLES:
        (path,) = catalogue.write(tmp_path / f"{kind}.fits", table=kind)
        assert layout_of(path) == "skysift"
        assert read_any(path) == catalogue.table(kind)
        assert name == "named" or not reader(name).matches(path)


def test_nothing_is_replaced_unless_asked_and_nothing_is_left_half_written(tmp_path, name):
    layout = reader(name)
    for kind, suffix in places(name):
        path = tmp_path / f"{kind}{suffix}"
        path.write_text("mine")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SkysiftWarning)
            with pytest.raises((OutputError, UsageError)):
                layout.write(catalogues.catalogue(5).table(kind), path)
        assert path.read_text() == "mine"
        assert sorted(each.name for each in tmp_path.glob(".*")) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"words", b"\x00" * 5000, b"SIMPLE  =", b"PAR1PAR1", b"<VOTABLE/>", b"a,b,c\n1,2,3\n"],
)
def test_what_is_something_else_is_told_in_one_line(tmp_path, name, content):
    path = tmp_path / "other"
    path.write_bytes(content)
    assert not reader(name).matches(path)
    with pytest.raises(FormatError) as error:
        reader(name).read(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    with pytest.raises(UsageError):
        reader(name).read(tmp_path / "missing")


def test_options_are_checked(name):
    if PLUGINS["layout"][name][1]:
        assert reader(name, {}).name == name
        with pytest.raises(OptionError, match="no such option"):
            reader(name, {"nonsense": 1})
    else:
        with pytest.raises(UsageError, match="has no options"):
            reader(name, {"nonsense": 1})
