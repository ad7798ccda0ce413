"""Whatever a layout can hold comes back from it, to the figures that it prints; no flux is lost."""

import functools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import catalogues

from skysift.base.registry import Registry
from skysift.io.layouts.declared import DeclaredLayout
from skysift.io.layouts.reading import read_any, reader

DECLARED = [name for name in Registry("layout").names() if isinstance(reader(name), DeclaredLayout)]
EXACT = 1e-12  # a unit there and back costs two roundings
PRINTED = {"cds-mrt": 1e-5}
NOT_BACK = {
    ("aegean", "foreign_id"),  # written where the table has it
    ("casda", "spectral_index"),
    ("casda", "spectral_index_err"),
    ("casda", "foreign_id"),  # made where the table has none
}


@functools.cache
def plausible(seed):
    catalogue = catalogues.catalogue(40, seed)
    frequency = {"frequency": lambda rows: np.full(rows, 1.4e9)}
    pixels = {
        "n_pixels": lambda rows: np.arange(20, 20 + rows),
        "n_beams": lambda rows: np.linspace(1.5, 9.5, rows),
    }
    made = {}
    for kind in ("islands", "sources", "components"):
        table = catalogue.table(kind)
        changes = {name: of(len(table)) for name, of in (frequency | pixels).items() if name in table}
        made[kind] = table.with_columns(changes)
    return made


@st.composite
def tables(draw, kind):
    """Some rows of a plausible table, with numbers missing here and there, faint and bright."""
    table = plausible(draw(st.integers(0, 3)))[kind]
    rows = draw(st.lists(st.integers(0, len(table) - 1), max_size=8, unique=True))
    picked = table[np.array(sorted(rows), dtype=np.int64)]
    scale = draw(st.sampled_from([1e-6, 1.0, 1e3]))
    changes = {}
    for each in picked.declared:
        if each.dtype != "float64" or each.name in ("ra", "dec", "frequency", "n_beams"):
            continue
        gone = np.array(draw(st.lists(st.booleans(), min_size=len(picked), max_size=len(picked))), dtype=bool)
        size = scale if each.unit in ("Jy", "Jy/beam") else 1.0
        changes[each.name] = np.where(gone, np.nan, picked[each.name] * size)
    return picked.with_columns(changes)


@pytest.mark.parametrize("name", DECLARED)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_it_can_hold_comes_back(name, data):
    layout = reader(name)
    kind = data.draw(st.sampled_from(layout.tables))
    suffix = data.draw(st.sampled_from(layout.suffixes))
    table = data.draw(tables(kind))
    with tempfile.TemporaryDirectory() as folder:
        again = read_any(layout.write(table, Path(folder) / f"out{suffix}"))
    assert len(again) == len(table)
    tolerance = PRINTED.get(name, EXACT)
    held = {
        place.ours for place in layout.places[kind] if place.ours and not place.special and not place.further
    }
    for column in sorted(held - {ours for where, ours in NOT_BACK if where == name}):
        before, after = table[column], again[column]
        if column in ("ra", "dec", "pa"):
            assert np.allclose(after, before, rtol=tolerance, atol=1e-7, equal_nan=True), column
        elif before.dtype.kind == "f":
            assert np.allclose(after, before, rtol=tolerance, atol=0, equal_nan=True), column
        elif column != "structure" or name != "pybdsf":
            assert np.array_equal(after, before), column
    known = np.isfinite(table["flux_int"])
    assert np.isclose(again["flux_int"][known].sum(), table["flux_int"][known].sum(), rtol=1e-5)
