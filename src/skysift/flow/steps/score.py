"""`write_scores` and `write_comparison`: reports in; a folder with numbers, tables, figures and a page out."""

from __future__ import annotations

import csv
import json
import math
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import skysift
from skysift.base.provenance import InputRecord, Manifest, Provenance, library_versions
from skysift.flow.products import MANIFEST, ProductFolder, checksum, size, write_manifest, writing
from skysift.flow.report_page import Figure, page_of, page_of_runs, plan_of
from skysift.score.scorer import Report, ReportTable, reports_to_json
from skysift.sky.schema import TABLES

__all__ = [
    "COMPARISON",
    "COMPARISON_PAGE",
    "PAGE",
    "REPORTS",
    "Side",
    "comparison_json",
    "write_comparison",
    "write_scores",
]

REPORTS = "report.json"
PAGE = "report.html"
COMPARISON = "compare.json"
COMPARISON_PAGE = "compare.html"


@dataclass(frozen=True)
class Side:
    """One side of a score: what it is called, and the file or folder that it was read from."""

    name: str
    path: Path

    def records(self) -> tuple[InputRecord, ...]:
        """The files with their checksums; of a folder its tables."""
        stems = (*TABLES, "footprints")
        files = [self.path]
        if self.path.is_dir():
            files = sorted(each for each in self.path.iterdir() if each.name.partition(".")[0] in stems)
        return tuple(
            InputRecord(f"{self.name}: {file.name}", checksum(file), size=size(file)) for file in files
        )


def write_scores(
    reports: Sequence[Report],
    out: Path,
    sides: Sequence[Side] = (),
    *,
    facts: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> tuple[Path, ...]:
    """The files written: ``report.json``, a CSV a table, a PNG a figure, ``report.html`` and ``manifest.json``.

    All of them appear in the folder, or none.

    Parameters
    ----------
    reports
        Of one catalogue.
    out
        The folder; made where it is missing.
    sides
        Where catalogue and truth were read from.
    facts
        What else the manifest tells.
    overwrite
        Whether the reports of an earlier run are replaced, on success.

    Raises
    ------
    BusyError
        Another run is writing into the folder.
    OutputError
        The folder cannot be written, or holds earlier products and `overwrite` is off.
    StorageError
        The disk is full.
    """
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    plans = {
        f"{report.kind}_{name}.png": draw for report in reports for name, draw in plan_of(report).items()
    }
    tables = {f"{r.kind}_{name}.csv": table for r in reports for name, table in r.tables.items() if table}
    names = (REPORTS, *tables, *plans, PAGE, MANIFEST)
    told = Provenance(
        skysift.__version__,
        "",
        {report.kind: dict(report.options) for report in reports},
        tuple(record for side in sides for record in side.records()),
        tuple(dict.fromkeys(note for report in reports for note in report.notes)),
    )
    manifest = Manifest(
        told, names[:-1], started=started, facts=dict(facts or {}), versions=library_versions()
    )
    with ProductFolder(out, names=names, overwrite=overwrite) as folder, writing(out):
        folder.path(REPORTS).write_text(reports_to_json(reports) + "\n", encoding="utf-8")
        for name, table in tables.items():
            _write_csv(table, folder.path(name))
        figures: dict[str, list[Figure]] = {report.kind: [] for report in reports}
        for name, draw in plans.items():
            kind, _, short = name.removesuffix(".png").partition("_")
            figure = Figure(short, draw())
            figures[kind].append(figure)
            folder.path(name).write_bytes(png_bytes(figure))
        folder.path(PAGE).write_text(page_of(reports, figures, told, started), encoding="utf-8")
        write_manifest(manifest, folder)
        folder.commit()
    return tuple(out / name for name in names)


def write_comparison(
    runs: Mapping[str, Mapping[str, Report]], out: Path, *, overwrite: bool = False
) -> tuple[Path, ...]:
    """The files written: ``compare.json``, ``compare.html`` and ``manifest.json``; all of them, or none.

    Parameters
    ----------
    runs
        Run -> kind -> its report.
    out
        The folder; made where it is missing.
    overwrite
        Whether an earlier comparison is replaced, on success.

    Raises
    ------
    BusyError
        Another run is writing into the folder.
    OutputError
        The folder cannot be written, or holds earlier products and `overwrite` is off.
    StorageError
        The disk is full.
    """
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    names = (COMPARISON, COMPARISON_PAGE, MANIFEST)
    manifest = Manifest(
        Provenance(skysift.__version__, ""), names[:-1], started=started, versions=library_versions()
    )
    with ProductFolder(out, names=names, overwrite=overwrite) as folder, writing(out):
        text = json.dumps(comparison_json(runs), indent=2, allow_nan=False)
        folder.path(COMPARISON).write_text(text + "\n", encoding="utf-8")
        folder.path(COMPARISON_PAGE).write_text(page_of_runs(runs, started), encoding="utf-8")
        write_manifest(manifest, folder)
        folder.commit()
    return tuple(out / name for name in names)


def comparison_json(
    runs: Mapping[str, Mapping[str, Report]],
) -> dict[str, dict[str, dict[str, float | int | None]]]:
    """Kind -> number -> run -> value; null for what is not known."""
    result: dict[str, dict[str, dict[str, float | int | None]]] = {}
    for run, reports in runs.items():
        for kind, report in reports.items():
            for name, value in report.numbers.items():
                known = value if math.isfinite(value) else None
                result.setdefault(kind, {}).setdefault(name, {})[run] = known
    return result


def png_bytes(figure: Figure) -> bytes:
    """The bytes of a figure, which its page carries as text."""
    return b64decode(figure.picture.image.partition(",")[2])


def _write_csv(table: ReportTable, path: Path) -> None:
    """The columns of a table as CSV; what is not a number is empty."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table)
        for row in zip(*table.values(), strict=True):
            writer.writerow(
                ["" if isinstance(value, float) and math.isnan(value) else value for value in row]
            )
