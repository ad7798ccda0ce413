"""The files of an explored sample: its table, ranking, page; written and read again."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from skysift.base.errors import UsageError
from skysift.base.provenance import Manifest
from skysift.explore.reference import Reference, read_reference
from skysift.explore.scores import Sayings
from skysift.flow.explore_page import CLUSTER, EXPLORED, RANK, explore_page
from skysift.flow.products import MANIFEST, ProductFolder, write_manifest
from skysift.flow.thumbs import Thumbs
from skysift.io.features import read_features, write_features
from skysift.sky.features import Features

__all__ = [
    "DUPLICATES",
    "LABELS",
    "MODELS",
    "RANKING",
    "REFERENCE",
    "REPORT",
    "TABLE",
    "THUMBS",
    "Rows",
    "csv_of",
    "joined",
    "open_explored",
    "read_rows",
    "without_explored",
    "write_explored",
]

TABLE, RANKING, MODELS, DUPLICATES = "explored.parquet", "ranking.csv", "models.csv", "duplicates.csv"
REFERENCE, REPORT, THUMBS, LABELS = "reference.npz", "report.html", "thumbs.npz", "labels.csv"

Rows: TypeAlias = Sequence[Mapping[str, Any]]


def open_explored(directory: Path) -> tuple[Features, Reference, dict[str, Any]]:
    """The table, the reference and the manifest of a folder of `skysift explore`.

    Raises
    ------
    UsageError
        It is none.
    """
    try:
        story = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        story = {}
    if not isinstance(story, dict) or story.get("finder") != "explore" or not (directory / TABLE).is_file():
        raise UsageError(
            "the folder is none of `skysift explore`",
            got=str(directory),
            todo="`skysift explore FEATURES --out DIR` makes one",
        )
    return read_features(directory / TABLE), read_reference(directory / REFERENCE), story


def joined(tables: Sequence[Features]) -> Features:
    """Several tables of the same sources as one, rows by name.

    Raises
    ------
    UsageError
        A row is not in all, or a column in two.
    """
    first = without_explored(tables[0])
    for other in tables[1:]:
        first = first.beside(without_explored(other))
    return first


def without_explored(features: Features) -> Features:
    """A table without what exploring has added to it before."""
    names = [each.name for each in features.columns if each.group != EXPLORED]
    kept = features if len(names) == len(features.columns) else features.only(names)
    twice = [name for name, n in Counter(kept.names).items() if n > 1]
    if twice:
        raise UsageError(
            "a name stands twice in the table of features",
            got=twice[0],
            todo="give every source its own name",
        )
    if len(names) == len(features.columns):
        return features
    facts = {
        name: values for name, values in kept.facts.items() if name not in (CLUSTER, RANK, "next", "score")
    }
    return replace(kept, facts=facts)


def write_explored(
    folder: ProductFolder,
    table: Features,
    thumbs: Thumbs | None,
    sayings: Sayings,
    manifest: Manifest,
    models: Rows,
    duplicates: Rows,
) -> None:
    """Write what depends on a person's scores: the table, the ranking, the page, and the manifest."""
    write_features(table, folder.path(TABLE))
    folder.path(RANKING).write_text(csv_of(_ranking(table)), encoding="utf-8")
    counts, facts = manifest.counts, manifest.facts
    features = facts["features"]
    parts = f"{features} features in {facts['components']} components"
    lead = f"{counts['sources']} sources, {parts}; the map is made by {facts['map']}."
    scored = [("scores", str(counts["scores"]))] if counts.get("scores") else []
    page = explore_page(
        table,
        thumbs,
        title="Explored sample",
        lead=lead + (" The sample lies on the map of another one." if facts["on_reference"] else ""),
        models=_shown(models),
        duplicates=_shown(duplicates),
        sayings=sayings,
        numbers=[
            (f"{counts['sources']:,}", "sources"),
            (str(counts["groups"]), f"groups ({facts['clusterer'] or 'none'})"),
            (f"{counts['noise']:,}", "in no group"),
            (f"{counts['duplicates']:,}", "near-duplicate pairs"),
            *((value, name) for name, value in scored),
        ],
        notes=manifest.warnings,
        facts={
            **manifest.provenance.options,
            **{each.name: each.checksum for each in manifest.provenance.inputs},
        },
        footer=f"skysift {manifest.provenance.version}",
        most_columns=int(manifest.provenance.options["columns"]),
        key=_key(table),
    )
    folder.path(REPORT).write_text(page, encoding="utf-8")
    write_manifest(manifest, folder)


def _key(table: Features) -> str:
    """What names the sample: the same for the same names."""
    return hashlib.sha256("\n".join(table.names).encode()).hexdigest()[:16]


def _ranking(table: Features) -> Rows:
    """One row a source, the strangest first; what should be looked at next first, where a person has given scores."""
    order = np.argsort(table.facts.get("next", table.facts[RANK]), kind="stable")
    shown = [
        each.name for each in table.columns if each.group == EXPLORED and not each.name.startswith("map_")
    ]
    facts = [name for name in ("next", "score", "label") if name in table.facts]
    return [
        {
            RANK: int(table.facts[RANK][k]),
            "name": table.names[k],
            CLUSTER: int(table.facts[CLUSTER][k]),
            **{name: table.facts[name][k] for name in facts},
            **{name: float(table[name][k]) for name in shown},
        }
        for k in order.tolist()
    ]


def csv_of(rows: Rows, columns: Sequence[str] = ()) -> str:
    """A table as CSV, with a line of these names where it has no row; empty where a number is not known."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if rows or columns:
        writer.writerow(rows[0] if rows else columns)
    for row in rows:
        writer.writerow([_plain(value) for value in row.values()])
    return out.getvalue()


def _plain(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:.6g}"
    return str(value)


def read_rows(path: Path) -> Rows:
    """The rows of a table of CSV, as texts; none where there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _shown(rows: Rows) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Heads and cells of a table of the page."""
    heads = [name.replace("_", " ") for name in rows[0]] if rows else []
    return heads, [
        [_plain(value) if isinstance(value, str) else _short(value) for value in row.values()] for row in rows
    ]


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) and not np.isnan(value) else _plain(value)
