import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import catalogues

from skysift.base.errors import UnknownName, UsageError
from skysift.sky import schema
from skysift.sky.table import Table


@pytest.mark.parametrize("kind", schema.TABLES)
def test_an_empty_table_has_every_column(kind):
    table = Table.empty(kind)
    assert len(table) == 0
    assert not table
    assert table.names == schema.names(kind)
    for each in table.declared:
        assert (
            table[each.name].dtype.kind == {"int64": "i", "float64": "f", "bool": "b", "str": "U"}[each.dtype]
        )
    assert table == Table.empty(kind)
    assert table.select(np.zeros(0, dtype=bool)) == table
    assert table.sort_by("flux_peak") == table


@settings(deadline=None)
@given(catalogues.tables(), st.slices(6))
def test_rows_come_out_by_slices_masks_and_numbers(table, some):
    rows = np.arange(len(table))[some]
    assert table[some] == table[rows] == table.select(rows)
    assert table[np.ones(len(table), bool)] == table
    with pytest.raises(UsageError, match="rows are picked by"):
        table[np.int64(0)]


@settings(deadline=None)
@given(catalogues.tables())
def test_a_table_is_a_value(table):
    assert table == table.select(np.arange(len(table)))
    again = pickle.loads(pickle.dumps(table))
    assert again == table
    for name in table:
        assert not again[name].flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            table[name][:] = table[name]


@settings(deadline=None)
@given(catalogues.tables(), st.data())
def test_a_changed_cell_is_another_table(table, data):
    if not len(table):
        return
    name = data.draw(st.sampled_from(table.names))
    changed = table[name].copy()
    row = data.draw(st.integers(0, len(table) - 1))
    if changed.dtype.kind == "U":
        changed = changed.astype("<U99")
        changed[row] += "x"
    elif changed.dtype.kind == "b":
        changed[row] = not changed[row]
    else:
        changed[row] = 1 if changed[row] != 1 else 2
    assert table.with_columns({name: changed}) != table


@settings(deadline=None)
@given(catalogues.tables(), st.data())
def test_select_by_mask_and_by_numbers_agree(table, data):
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(table), max_size=len(table))), dtype=bool)
    assert table.select(mask) == table.select(np.flatnonzero(mask))
    assert Table.concat([table.select(mask), table.select(~mask)]).sort_by(*table.names) == table.sort_by(
        *table.names
    )


def test_columns_are_reached_by_item_and_attribute():
    table = catalogues.catalogue().components
    assert table.flux_int is table["flux_int"]
    assert "flux_int" in table
    assert "flux_int" in dir(table)
    with pytest.raises(UnknownName, match="has no such column: got 'fluxx'"):
        table["fluxx"]
    with pytest.raises(AttributeError, match="no column 'fluxx'"):
        table.fluxx  # noqa: B018
    with pytest.raises(AttributeError):
        table.kind = "sources"


def test_sort_by_several_columns_is_stable_and_puts_nan_last():
    table = catalogues.catalogue(4).sources.with_columns(
        {"structure": ["S", "M", "S", "M"], "flux": [2.0, np.nan, 1.0, 3.0], "x": [1.0, 1.0, 1.0, 1.0]}
    )
    assert table.sort_by("structure", "flux").source_id.tolist() == [4, 2, 3, 1]
    assert table.sort_by("flux", descending=True).source_id.tolist() == [4, 1, 3, 2]
    assert (
        table.sort_by("x").source_id.tolist()
        == table.sort_by("x", descending=True).source_id.tolist()
        == [1, 2, 3, 4]
    )


def test_values_are_brought_to_the_kind_of_the_schema():
    columns = {name: list(values) for name, values in catalogues.catalogue(3).sources.columns.items()}
    columns["flux"] = [1, 2, 3]
    columns["n_components"] = [1.0, 2.0, 3.0]
    table = Table.from_columns("sources", columns)
    assert table.flux.dtype == np.float64
    assert table.n_components.dtype == np.int64


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("n_components", [1.5, 2.0, 3.0]),
        ("n_components", [1.0, np.nan, 3.0]),
        ("n_components", [1.0, np.inf, 3.0]),
        ("flux", ["a", "b", "c"]),
        ("resolved", [0, 1, 0]),
        ("structure", [1, 2, 3]),
        ("name", ["ä", "b", "c"]),
        ("name", ["a ", "b", "c"]),
        ("name", ["a\n", "b", "c"]),
        ("flux", [[1.0], [2.0], [3.0]]),
        ("flux", [1.0, 2.0]),
    ],
)
def test_what_does_not_fit_the_schema_is_refused(name, bad):
    columns = dict(catalogues.catalogue(3).sources.columns)
    with pytest.raises(UsageError, match=name if len(bad) == 3 else "differ in length"):
        Table.from_columns("sources", {**columns, name: bad})


def test_missing_and_unknown_columns_are_named():
    columns = dict(catalogues.catalogue(3).sources.columns)
    with pytest.raises(UnknownName, match="no such column: got 'colour'"):
        Table("sources", {**columns, "colour": columns["flux"]})
    del columns["flux"]
    with pytest.raises(UsageError, match="lacks columns: got 'flux'"):
        Table("sources", columns)
    with pytest.raises(UnknownName, match="no such table"):
        Table("stars", columns)


def test_a_table_keeps_no_hold_on_what_it_was_made_of():
    columns = dict(catalogues.catalogue(3).sources.columns)
    columns["flux"] = columns["flux"].copy()
    table = Table("sources", columns)
    before = table.flux.copy()
    columns["flux"][0] = 99.0
    assert np.array_equal(table.flux, before)


def test_further_columns_are_declared_and_kept():
    table = catalogues.catalogue(3).sources
    extra = catalogues.extra_columns("sources")
    more = table.with_columns(
        {"flux_net": [1.0, 2.0, 3.0], "n_visits": [1, 2, 3], "label": list("abc"), "kept": [True] * 3}, extra
    )
    assert more.names == (*table.names, "flux_net", "n_visits", "label", "kept")
    assert more != table
    assert pickle.loads(pickle.dumps(more)) == more
    assert more.select(np.array([2])).label.tolist() == ["c"]
    assert Table.empty("sources", extra).names == more.names
    with pytest.raises(UsageError, match="declared twice: got 'flux'"):
        table.with_columns({}, [schema.column("flux")])
    with pytest.raises(UsageError, match="same columns"):
        Table.concat([table, more])


def test_to_astropy_has_units_and_meanings():
    table = catalogues.catalogue().components
    result = table.to_astropy()
    assert result.colnames == list(table.names)
    assert str(result["flux_peak"].unit) == "Jy / beam"
    assert result["ra"].description == "Right ascension, ICRS."
    assert result["ra"].meta["ucd"] == "pos.eq.ra;meta.main"
    result["flux_peak"][0] = -1.0
    assert table.flux_peak[0] != -1.0


def test_rows_that_are_not_there_are_refused():
    table = catalogues.catalogue(3).sources
    assert table.select(np.array([-1])).source_id.tolist() == [3]
    with pytest.raises(UsageError, match="no such row: got 3; allowed: 0 to 2"):
        table.select(np.array([0, 3]))
    with pytest.raises(UsageError, match="one value a row"):
        table.select(np.array([True]))
    with pytest.raises(UsageError, match="by a mask or by row numbers"):
        table.select(np.array([0.5]))


def test_repr_says_what_it_is():
    assert repr(catalogues.catalogue(3).sources) == "Table('sources', 3 rows, 38 columns)"
