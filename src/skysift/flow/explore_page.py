"""The page of a sample: a map to move in, pictures on hover, a lasso, and a panel for a person's scores."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.explore.scores import Sayings
from skysift.flow.page import render
from skysift.flow.thumbs import Thumbs
from skysift.sky.features import Features

__all__ = ["CLUSTER", "EXPLORED", "RANK", "explore_page"]

EXPLORED = "explored"  # group of the columns that exploring adds
CLUSTER, RANK = "cluster", "rank"
NO_GROUP = "no group"  # what -1 is called
_DOCS = {
    "next": "what to look at next, 1 is the first; empty for what has a score",
    "score": "given by a person, 0 is dull and 5 most interesting",
}
_FEW = 40  # values of a column that is shown by one colour each
_LISTED = 200  # rows of the tables of the page

Table = tuple[Sequence[str], Sequence[Sequence[str]]]


@dataclass(frozen=True)
class _Page:
    """All that the template shows."""

    title: str
    lead: str
    numbers: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    data: str
    tables: tuple[tuple[str, str, Sequence[str], Sequence[Sequence[str]]], ...]
    facts: tuple[tuple[str, str], ...]
    footer: str


def explore_page(
    table: Features,
    thumbs: Thumbs | None,
    *,
    title: str,
    lead: str,
    models: Table,
    duplicates: Table,
    sayings: Sayings,
    numbers: Sequence[tuple[str, str]],
    notes: Sequence[str],
    facts: Mapping[str, Any],
    footer: str,
    most_columns: int,
    key: str,
) -> str:
    """The page as HTML that needs no other file and no network.

    Parameters
    ----------
    table
        The sample with the columns that exploring added.
    thumbs
        Pictures of its rows; None without.
    title, lead, numbers, notes, facts, footer
        What it says.
    models, duplicates
        Heads and rows of the tables.
    sayings
        What a person has said already.
    most_columns
        Features that one can colour by.
    key
        Of the sample: scores that are given on the page are kept by the browser under it.
    """
    listed = duplicates[1][:_LISTED]
    more = "" if len(duplicates[1]) <= _LISTED else f" The first {_LISTED} of {len(duplicates[1])} are shown."
    tables = (
        ("Groups", "What was tried, with the stability of groups under samples drawn anew.", *models),
        ("Near-duplicates", f"Pairs that are nearly one source.{more}", duplicates[0], listed),
    )
    page = _Page(
        title,
        lead,
        tuple(numbers),
        tuple(notes),
        _safe(_data(table, thumbs, sayings, most_columns, key)),
        tuple(each for each in tables if each[3]),
        tuple((name, "" if value is None else str(value)) for name, value in facts.items()),
        footer,
    )
    return render(page, "explore.html.jinja")


def _safe(value: object) -> str:
    """JSON that can stand in a script of a page."""
    # "<" is escaped: nothing in the sample can end the script
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _data(
    table: Features, thumbs: Thumbs | None, sayings: Sayings, most_columns: int, key: str
) -> dict[str, Any]:
    """What the script of the page works with."""
    own = [each for each in table.columns if each.group == EXPLORED and each.name not in ("map_x", "map_y")]
    others = [each for each in table.columns if each.group != EXPLORED][:most_columns]
    columns = [_classes(CLUSTER, table.facts[CLUSTER], "group of the source")]
    columns.append(_numbers(RANK, table.facts[RANK], "place by strangeness alone, 1 is the strangest"))
    columns += [_numbers(each.name, table[each.name], each.doc, each.unit) for each in own]
    for name, values in table.facts.items():
        if name in (CLUSTER, RANK, "name"):
            continue
        made = _fact(name, np.asarray(values), _DOCS.get(name, ""))
        columns += [] if made is None else [made]
    columns += [_numbers(each.name, table[each.name], each.doc, each.unit) for each in others]
    of = np.full(len(table), -1, np.int32)
    if thumbs is not None:
        of[thumbs.rows] = np.arange(len(thumbs))
    return {
        "key": key,
        "names": list(table.names),
        "x": _packed(table["map_x"]),
        "y": _packed(table["map_y"]),
        "columns": columns,
        "thumbs": {
            "of": base64.b64encode(of.astype("<i4").tobytes()).decode(),
            "side": 0 if thumbs is None else int(thumbs.pixels.shape[1]),
            "line": 0 if thumbs is None else thumbs.per_line,
            "per": 0 if thumbs is None else thumbs.per_sheet,
            "sheets": [] if thumbs is None else thumbs.sheets(),
            "across": [] if thumbs is None else thumbs.across.tolist(),
            "scale": None if thumbs is None or not np.isfinite(thumbs.scale) else thumbs.scale,
        },
        "said": {
            name: [said.label, None if np.isnan(said.score) else said.score] for name, said in sayings.items()
        },
    }


def _packed(values: NDArray[Any]) -> str:
    return base64.b64encode(np.asarray(values, "<f4").tobytes()).decode()


def _numbers(name: str, values: NDArray[Any], doc: str = "", unit: str = "") -> dict[str, Any]:
    with np.errstate(over="ignore", invalid="ignore"):
        return {"name": name, "kind": "number", "doc": doc, "unit": unit, "data": _packed(values)}


def _classes(name: str, values: NDArray[Any], doc: str = "") -> dict[str, Any]:
    kinds, codes = np.unique(values, return_inverse=True)
    shown = [NO_GROUP if name == CLUSTER and each == -1 else str(each) for each in kinds]
    packed = base64.b64encode(codes.astype("<i4").tobytes()).decode()
    return {"name": name, "kind": "class", "doc": doc, "unit": "", "values": shown, "data": packed}


def _fact(name: str, values: NDArray[Any], doc: str) -> dict[str, Any] | None:
    """A column of facts, as classes where it has few values; None where it says nothing that has a colour."""
    kind = values.dtype.kind
    if kind in "US":
        return _classes(name, values) if 2 <= len(np.unique(values)) <= _FEW else None
    if kind == "b":
        return _classes(name, np.where(values, "yes", "no"))
    return _numbers(name, values, doc) if kind in "iuf" else None
