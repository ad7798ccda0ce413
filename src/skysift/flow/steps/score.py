"""`write_scores`: reports in, a folder with their numbers, tables, figures and a page out."""

from __future__ import annotations

import csv
import json
import math
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import skysift
from skysift.base.provenance import InputRecord, Manifest, Provenance, library_versions
from skysift.flow.products import MANIFEST, ProductFolder, checksum, size, writing
from skysift.flow.report_page import Figure, figures_of, page_of
from skysift.score.scorer import Report, ReportTable, reports_to_json
from skysift.sky.schema import TABLES

__all__ = ["PAGE", "REPORTS", "Side", "write_scores"]

REPORTS = "report.json"
PAGE = "report.html"


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
    reports: Sequence[Report], out: Path, sides: Sequence[Side] = (), *, overwrite: bool = False
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
    figures = {report.kind: figures_of(report) for report in reports}
    tables = {f"{r.kind}_{name}.csv": table for r in reports for name, table in r.tables.items() if table}
    pictures = {f"{kind}_{each.name}.png": each for kind, drawn in figures.items() for each in drawn}
    names = (REPORTS, *tables, *pictures, PAGE, MANIFEST)
    told = Provenance(
        skysift.__version__,
        "",
        {report.kind: dict(report.options) for report in reports},
        tuple(record for side in sides for record in side.records()),
        tuple(dict.fromkeys(note for report in reports for note in report.notes)),
    )
    manifest = Manifest(told, names[:-1], started=started, versions=library_versions())
    with ProductFolder(out, names=names, overwrite=overwrite) as folder, writing(out):
        folder.path(REPORTS).write_text(reports_to_json(reports) + "\n", encoding="utf-8")
        for name, table in tables.items():
            _write_csv(table, folder.path(name))
        for name, figure in pictures.items():
            folder.path(name).write_bytes(png_bytes(figure))
        folder.path(PAGE).write_text(page_of(reports, figures, told, started), encoding="utf-8")
        content = manifest.to_dict()
        content["outputs"] = [
            {"name": name, "size": size(folder.path(name)), "checksum": checksum(folder.path(name))}
            for name in names[:-1]
        ]
        folder.path(MANIFEST).write_text(
            json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        folder.commit()
    return tuple(out / name for name in names)


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
