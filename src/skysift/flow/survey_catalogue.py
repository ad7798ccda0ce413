"""`merge_fields`: the catalogues of overlapping fields in, one catalogue out, each source with one row that counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.base.provenance import Provenance
from skysift.flow.options import SurveyOptions
from skysift.flow.survey_coverage import SurveyCoverage
from skysift.flow.survey_fields import FieldDone
from skysift.match.fields import FieldRows, Resolved, resolve_fields
from skysift.sky import schema
from skysift.sky.catalogue import Catalogue
from skysift.sky.flags import flag
from skysift.sky.healpix import cells_at
from skysift.sky.naming import names
from skysift.sky.schema import Column, TableName
from skysift.sky.table import ID_OF, Table

__all__ = ["Merged", "merge_fields"]

Ints = NDArray[np.int64]

_CUT = ("edge", "blank", "region_cut")  # part of the source may not be in the field
_NOTHING = {"float64": np.nan, "int64": 0, "bool": False, "str": ""}


@dataclass(frozen=True, eq=False)
class Merged:
    """One catalogue of many fields.

    Parameters
    ----------
    catalogue
        Islands, sources and components, numbered by their order on the sky.
    resolved
        What became of each source.
    field
        Number of each source's field, among the names of the fields.
    """

    catalogue: Catalogue
    resolved: Resolved
    field: Ints


def merge_fields(
    fields: Sequence[FieldDone], coverage: SurveyCoverage, options: SurveyOptions, provenance: Provenance
) -> Merged:
    """One catalogue of all rows of all fields, with a row that counts for each source.

    Parameters
    ----------
    fields
        By name.
    coverage
        Of all fields.
    options
        How near rows of one source are.
    provenance
        Of the survey.
    """
    joined = Catalogue.concat(_aligned([_marked(each) for each in fields]), provenance)
    catalogue = _linked({kind: _by_sky(joined.table(kind)) for kind in schema.TABLES}, provenance)
    sources = catalogue.sources
    rows = _rows_of(sources, fields)
    resolved = resolve_fields(rows, n_sigma=options.match_sigma, beam_share=options.match_beams)
    cell = coverage.find(cells_at(coverage.order, sources["ra"], sources["dec"]))
    covering = np.where(cell >= 0, coverage.n_fields[cell] if len(coverage.cells) else 0, 0)
    counterpart = np.where(resolved.primary, 0, resolved.counterpart + 1)  # ids are rows from 1
    acronym = str(getattr(fields[0].opened.plan.options, "acronym", "SKYSIFT")) if fields else "SKYSIFT"
    more: dict[str, Any] = {
        "primary": resolved.primary,
        "duplicate_of": counterpart,
        "n_fields_covering": np.maximum(covering, resolved.detected),
        "n_fields_detected": resolved.detected,
    }
    filled = _numbered(catalogue, more)
    return Merged(
        _linked({kind: _named(filled.table(kind), acronym) for kind in schema.TABLES}, provenance),
        resolved,
        rows.field,
    )


def _linked(tables: Mapping[TableName, Table], provenance: Provenance | None = None) -> Catalogue:
    return Catalogue(tables["islands"], tables["sources"], tables["components"], provenance)


def _marked(field: FieldDone) -> Catalogue:
    """The catalogue of a field whose rows tell from which field they are."""
    tables: dict[TableName, Table] = {}
    for kind in schema.TABLES:
        table = field.catalogue.table(kind)
        n = len(table)
        told: dict[str, Any] = {
            "field": np.full(n, field.name),
            "id_in_field": table.ids,
            "epoch": np.full(n, field.opened.epoch),
            "date_obs": np.full(n, field.opened.date),
        }
        new = [each for each in schema.further(kind, *told) if each.name not in table]
        tables[kind] = table.with_columns(told, new)
    return _linked(tables)


def _aligned(catalogues: Sequence[Catalogue]) -> list[Catalogue]:
    """The catalogues with the columns that any of them has; what a field did not measure is NaN, 0 or empty."""
    extra: dict[TableName, dict[str, Column]] = {}
    for kind in schema.TABLES:
        known = {each.name: each for one in catalogues for each in one.table(kind).extra}
        place = {each.name: number for number, each in enumerate(schema.FURTHER)}
        extra[kind] = dict(sorted(known.items(), key=lambda item: (place.get(item[0], len(place)), item[0])))
    made = []
    for one in catalogues:
        tables: dict[TableName, Table] = {}
        for kind, wanted in extra.items():
            table = one.table(kind)
            columns = {name: table[name] for name in schema.names(kind)}
            for name, each in wanted.items():
                columns[name] = table[name] if name in table else np.full(len(table), _NOTHING[each.dtype])
            tables[kind] = Table(kind, columns, tuple(wanted.values()))
        made.append(_linked(tables))
    return made


def _by_sky(table: Table) -> Table:
    """The rows by right ascension, declination and field; numbers stay."""
    order = np.lexsort((table["id_in_field"], table["field"], table["dec"], table["ra"]))  # NaN come last
    return table.select(order.astype(np.int64))


def _rows_of(sources: Table, fields: Sequence[FieldDone]) -> FieldRows:
    """What the search for duplicates looks at."""
    known = np.array([each.name for each in fields] or [""])
    field = (
        np.searchsorted(known, sources["field"]).astype(np.int64) if len(sources) else np.empty(0, np.int64)
    )
    beam = np.array([each.beam for each in fields] or [np.nan])[field]
    cal = np.nan_to_num(sources["position_cal_err"])
    error = np.sqrt((sources["ra_err"] ** 2 + sources["dec_err"] ** 2) / 2.0 + cal**2)
    cut = (sources["flags"] & sum(flag(name) for name in _CUT)) != 0
    return FieldRows(
        sources["ra"],
        sources["dec"],
        error,
        beam,
        sources["major"],
        sources["minor"],
        sources["pa"],
        sources["resolved"],
        sources["flux"],
        sources["rms"],
        cut,
        field,
    )


def _numbered(catalogue: Catalogue, more: dict[str, Any]) -> Catalogue:
    """The catalogue with rows numbered from 1, links kept, and what was found out of the sources in all tables."""
    old = {kind: catalogue.table(kind).ids for kind in schema.TABLES}
    by_source = _lookup(old["sources"], catalogue.components["source_id"])
    by_island = _lookup(old["islands"], catalogue.components["island_id"])
    counts = more["primary"][by_source] if len(by_source) else np.empty(0, np.bool_)
    of_island = np.zeros(len(catalogue.islands), np.bool_)
    of_island[by_island[counts]] = True
    found: dict[TableName, dict[str, Any]] = {
        "sources": dict(more),
        "components": {"primary": counts, "source_id": by_source + 1, "island_id": by_island + 1},
        "islands": {"primary": of_island},
    }
    tables: dict[TableName, Table] = {}
    for kind in schema.TABLES:
        table = catalogue.table(kind)
        told = {**found[kind], ID_OF[kind]: np.arange(1, len(table) + 1)}
        new = [each for each in schema.further(kind) if each.name in told and each.name not in table]
        tables[kind] = table.with_columns(told, new)
    return _linked(tables, catalogue.provenance)


def _lookup(ids: Ints, wanted: Ints) -> Ints:
    """The row of each wanted id, all of which are there."""
    order = np.argsort(ids, kind="stable")
    return order[np.searchsorted(ids, wanted, sorter=order)].astype(np.int64)


def _named(table: Table, acronym: str) -> Table:
    """The table with names that differ: by position for rows that count, with their field for the others."""
    known = {name: name in table for name in ("ra_err", "dec_err")}
    nothing = np.full(len(table), np.nan)
    error = np.hypot(*(table[name] if has else nothing for name, has in known.items()))
    counts = np.flatnonzero(table["primary"])
    count = table.select(counts)
    text = np.char.add(np.char.add(table["name"], " "), table["field"]).astype(object)
    text[counts] = names(
        count["ra"], count["dec"], error[counts], acronym, x=count["x"], y=count["y"]
    ).astype(object)
    return table.with_columns({"name": text.astype(np.str_)})
