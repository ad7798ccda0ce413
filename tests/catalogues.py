"""Made tables and catalogues: any that there can be (for hypothesis), and plausible ones."""

from __future__ import annotations

import string
from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from skysift.base.provenance import InputRecord, Provenance
from skysift.sky import schema
from skysift.sky.catalogue import Catalogue, Table
from skysift.sky.naming import names
from skysift.sky.schema import Column, TableName

_TEXT = st.text(string.ascii_letters + string.digits + " +-.,;:'\"<>&/\\{}[]()#%", max_size=12).map(str.strip)


def values(column: Column, rows: int) -> st.SearchStrategy[np.ndarray]:
    """Any column of this kind."""
    if column.dtype == "str":
        return st.lists(_TEXT, min_size=rows, max_size=rows).map(lambda texts: np.array(texts, dtype=np.str_))
    if column.dtype == "float64":
        return npst.arrays(
            np.float64, rows, elements=st.floats(allow_nan=True, allow_infinity=True), fill=st.just(np.nan)
        )
    dtype = {"int64": np.int64, "bool": np.bool_}[column.dtype]
    return npst.arrays(dtype, rows)


@st.composite
def tables(draw: st.DrawFn, kind: TableName | None = None, extra: Sequence[Column] = ()) -> Table:
    """Any table: any kind, any number of rows, any values."""
    chosen = draw(st.sampled_from(schema.TABLES)) if kind is None else kind
    rows = draw(st.integers(0, 5))
    declared = (*schema.columns(chosen), *extra)
    return Table(chosen, {each.name: draw(values(each, rows)) for each in declared}, tuple(extra))


def extra_columns(kind: TableName) -> tuple[Column, ...]:
    """Columns that the schema does not know, one of each kind."""
    return (
        Column(
            "flux_net",
            "float64",
            "Jy",
            "phot.flux.density",
            "Flux by a network, <&> 'quoted'.",
            (kind,),
            ".3g",
        ),
        Column("n_visits", "int64", "", "meta.number", "How often it was looked at.", (kind,), "d"),
        Column("label", "str", "", "meta.code.class", "What somebody calls it.", (kind,)),
        Column("kept", "bool", "", "meta.code", "Whether it stays.", (kind,)),
    )


def provenance() -> Provenance:
    """One with every sort of value, and with characters that files may trip over."""
    options = {
        "seed": 5.0,
        "grow": 3,
        "negative": False,
        "file": None,
        "scales": [1.0, 2.5],
        "acronym": 'A & <B>\'s "C"',
    }
    inputs = (InputRecord("map µ.fits", "sha256:" + "0" * 64, hdu="SCI", plane=(0, 2), size=123456),)
    return Provenance(
        "0.1.0", "classic", options, inputs, ("no BUNIT; Jy/beam is assumed", "a 'quoted' note & <more> " * 8)
    )


def catalogue(n_sources: int = 12, seed: int = 1, *, on_sky: bool = True) -> Catalogue:
    """A plausible catalogue: sources of one to three components, islands that hold one to several of them."""
    rng = np.random.default_rng(seed)
    per_source = rng.integers(1, 4, n_sources)
    source_of = np.repeat(np.arange(n_sources), per_source)
    island_of = np.maximum.accumulate(np.where(rng.random(source_of.size) < 0.6, source_of, source_of // 2))
    island_names, island_of = np.unique(island_of, return_inverse=True)
    rows = {"islands": island_names.size, "sources": n_sources, "components": source_of.size}
    filled = {
        kind: {each.name: _plausible(each, count, rng) for each in schema.columns(kind)}
        for kind, count in rows.items()
    }
    for kind, count in rows.items():
        table = filled[kind]
        table[f"{kind[:-1]}_id"] = np.arange(1, count + 1)
        if not on_sky:
            table["ra"], table["dec"] = np.full(count, np.nan), np.full(count, np.nan)
        table["name"] = names(table["ra"], table["dec"], 1.0, x=table["x"], y=table["y"])
    filled["components"]["source_id"] = source_of + 1
    filled["components"]["island_id"] = island_of + 1
    tables = {kind: Table(kind, filled[kind]) for kind in schema.TABLES}
    return Catalogue(tables["islands"], tables["sources"], tables["components"], provenance())


def _plausible(column: Column, rows: int, rng: np.random.Generator) -> np.ndarray:
    if column.dtype == "bool":
        return rng.random(rows) < 0.3
    if column.dtype == "str":
        return rng.choice(["S", "C", "M"], rows)
    if column.dtype == "int64":
        return rng.integers(0, 8, rows)
    if column.name in ("ra", "pa", "pa_deconv", "dec"):
        low, high = {"ra": (0.0, 360.0), "dec": (-90.0, 90.0)}.get(column.name, (0.0, 180.0))
        return rng.uniform(low, high, rows)
    if column.name in ("x", "y"):
        return rng.uniform(0.0, 500.0, rows)
    if column.name.startswith(("major", "minor")):
        return (
            rng.uniform(20.0, 30.0, rows)
            if column.name.startswith("minor")
            else rng.uniform(30.0, 60.0, rows)
        )
    return rng.lognormal(-5.0, 1.0, rows)
