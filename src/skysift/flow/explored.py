"""The files of an explored sample: its table, ranking, page; written and read again."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

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
    "amount",
    "csv_of",
    "joined",
    "open_explored",
    "ranked",
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


def joined(
    tables: Sequence[Features], names: Sequence[str] = ()
) -> tuple[Features, dict[str, tuple[str, ...]]]:
    """Several tables of the same sources as one, rows by name; and the columns of each table, by its name.

    A column that an earlier table has already gets the number of its table behind its name: ``e000_2`` is of a second
    embedding.

    Parameters
    ----------
    tables
        The tables.
    names
        Of the tables, such as those of their files; one that is there twice gets a number as well.

    Raises
    ------
    UsageError
        A row is not in all.
    """
    whole: Features | None = None
    parts: dict[str, tuple[str, ...]] = {}
    for k, table in enumerate(tables, 1):
        own = without_explored(table)
        name = re.sub(r"\W+", "_", names[k - 1]) if names else f"table_{k}"
        taken = set() if whole is None else set(whole.titles)
        columns = tuple(
            replace(each, name=f"{each.name}_{k}") if each.name in taken else each for each in own.columns
        )
        own = replace(own, columns=columns)
        whole = own if whole is None else whole.beside(own)
        parts[f"{name}_{k}" if name in parts else name] = own.titles
    if whole is None:
        raise UsageError("there is no table of features", allowed="one or more")
    return whole, parts


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
    folder.path(RANKING).write_text(csv_of(_ranking(table, sayings)), encoding="utf-8")
    counts, facts = manifest.counts, manifest.facts
    parts = f"{amount(facts['features'], 'feature')} in {amount(facts['components'], 'component')}"
    lead = f"{amount(counts['sources'], 'source')}, {parts}; the map is made by {facts['map']}."
    if ranked(table)[1] == "interest":
        lead += " It is ranked by a person's scores: what to look at next, and what they would score high (interest)."
    else:
        lead += " It is ranked by strangeness"
        lead += f", sought in {' and '.join(facts['parts'])} apart." if facts.get("parts") else "."
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
            (f"{counts['duplicates']:,}", "pairs that are nearly one"),
            *((value, name) for name, value in scored),
        ],
        notes=manifest.warnings,
        facts={
            **_flat(manifest.provenance.options),
            **{each.name: each.checksum for each in manifest.provenance.inputs},
        },
        footer=f"skysift {manifest.provenance.version}",
        most_columns=int(manifest.provenance.options["columns"]),
        key=_key(table),
    )
    folder.path(REPORT).write_text(page, encoding="utf-8")
    write_manifest(manifest, folder)


def _flat(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the run and of its methods one by one, as they are set: ``kmeans.number``."""
    out: dict[str, Any] = {}
    for name, value in options.items():
        if name == "methods":
            out |= {f"{method}.{key}": one for method, menu in value.items() for key, one in menu.items()}
        elif isinstance(value, Mapping):
            out |= {f"{name}.{key}": one for key, one in value.items()}
        else:
            out[name] = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
    return out


def _key(table: Features) -> str:
    """What names the sample: the same for the same names."""
    return hashlib.sha256("\n".join(table.names).encode()).hexdigest()[:16]


def ranked(table: Features) -> tuple[NDArray[np.int64], str]:
    """The rows in the order of the ranking, and what that goes by: strangeness, or interest after a person's scores.

    Equal ones stand in the order of their names.
    """
    names = np.array(table.names, np.str_)
    if "interest" in table.titles:
        return np.lexsort(
            (names, table.facts[RANK], -np.nan_to_num(table["interest"], nan=-np.inf))
        ), "interest"
    return np.lexsort((names, table.facts[RANK])), "strangeness"


def _ranking(table: Features, sayings: Sayings) -> Rows:
    """One row a source, in the order of the ranking; the columns are the same before and after a person's scores.

    ``said`` is the label that the person gave, ``label`` the one that came with the sample.
    """
    order, by = ranked(table)
    shown = [
        each.name
        for each in table.columns
        if each.group == EXPLORED and not each.name.startswith("map_") and each.name != "interest"
    ]
    none = np.full(len(table), np.nan)
    interest = table["interest"] if by == "interest" else none
    told = {name: table.facts.get(name, none) for name in ("next", "score")}
    label = {"label": table.facts["label"]} if "label" in table.facts else {}
    return [
        {
            "place": place,
            "by": by,
            "name": table.names[k],
            RANK: float(table.facts[RANK][k]),
            CLUSTER: int(table.facts[CLUSTER][k]),
            "interest": float(interest[k]),
            **{name: float(values[k]) for name, values in told.items()},
            "said": sayings[table.names[k]].label if table.names[k] in sayings else "",
            **{name: values[k] for name, values in label.items()},
            **{name: float(table[name][k]) for name in shown},
        }
        for place, k in enumerate(order.tolist(), 1)
    ]


def amount(n: int, noun: str) -> str:
    """So many of something: ``1 feature``, ``1,200 features``."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


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
