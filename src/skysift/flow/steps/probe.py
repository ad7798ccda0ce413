"""`probe_products`: how good an encoder is, by simple classifiers over folds, as a table, a page and a manifest."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch

import skysift
from skysift.base.provenance import InputRecord, Manifest, Provenance, library_versions
from skysift.flow.learning.options import ProbeOptions
from skysift.flow.learning.page import Section, counted, learning_page, on_a_plane
from skysift.flow.learning.probing import HEADS, Asked, Row, beside, rows_of
from skysift.flow.products import MANIFEST, ProductFolder, write_manifest, writing
from skysift.learn.checkpoint import Checkpoint
from skysift.learn.embed import embed

__all__ = ["REPORT", "TABLE", "ProbeMade", "probe_products", "write_rows"]

Progress: TypeAlias = Callable[[str, int, int], None]

TABLE, REPORT = "probe.csv", "report.html"


@dataclass(frozen=True)
class ProbeMade:
    """The rows, and the manifest."""

    rows: tuple[Row, ...]
    manifest: Manifest


def probe_products(
    weights: Sequence[Checkpoint],
    asked: Asked,
    options: ProbeOptions,
    out: Path,
    *,
    inputs: Sequence[InputRecord] = (),
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ProbeMade:
    """
    How good encoders are on pictures with classes: ``probe.csv``, a page and a manifest.

    Parameters
    ----------
    weights
        Of encoders.
    asked
        The pictures, their classes, and the folds.
    options
        What is tried.
    out
        The folder.
    inputs
        What was read.
    overwrite
        Whether earlier products are replaced.
    progress
        Called as progress(stage, done, total).
    """
    begun, clock = datetime.now(UTC), time.perf_counter()
    names = (TABLE, REPORT, MANIFEST)
    with ProductFolder(out, names=names, overwrite=overwrite) as folder, writing(out):
        rows: list[Row] = []
        for each in weights:
            rows += rows_of(each, asked, options, progress)
        rows += beside(asked, options, weights, progress)
        counts = {name: int((asked.targets == k).sum()) for k, name in enumerate(asked.classes)}
        told = {
            **options.to_dict(),
            "weights": [{"name": each.card.name, "checksum": each.checksum} for each in weights],
        }
        manifest = Manifest(
            Provenance(skysift.__version__, "probe", told, tuple(inputs), asked.notes, "step"),
            outputs=names[:-1],
            started=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
            seconds={"all": time.perf_counter() - clock},
            counts=counts,
            versions={**library_versions(), "torch": torch.__version__},
            warnings=asked.notes,
        )
        write_rows(rows, folder.path(TABLE))
        page = _page(weights, asked, options, rows, manifest)
        folder.path(REPORT).write_text(page, encoding="utf-8")
        write_manifest(manifest, folder)
        folder.commit()
    return ProbeMade(tuple(rows), manifest)


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """The rows as CSV."""
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, [*Row.__dataclass_fields__])
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {
                    key: f"{value:.5g}" if isinstance(value, float) else value
                    for key, value in asdict(row).items()
                }
            )


def _page(
    weights: Sequence[Checkpoint],
    asked: Asked,
    options: ProbeOptions,
    rows: Sequence[Row],
    manifest: Manifest,
) -> str:
    planes = []
    for each in weights[:4]:
        values = embed(asked.pictures, each, turns=options.turns, stages=options.stages or None).values
        named = [asked.classes[k] for k in asked.targets]
        planes.append(
            on_a_plane(np.nan_to_num(values), named, f"{each.card.name}: the two directions of most scatter.")
        )
    classes = ", ".join(f"{name} {n}" for name, n in manifest.counts.items())
    best = max(rows, key=lambda row: row.accuracy)
    return learning_page(
        "Probe of features",
        f"{counted(len(asked), 'picture')} ({classes}); {options.folds} folds, {counted(options.repeats, 'time')}",
        [(f"{best.accuracy:.3f}", f"best accuracy: {best.features}, {best.kind}")],
        [
            Section(
                "table",
                "Accuracy",
                "Mean and scatter over the parts that are left out; beside the encoder what needs none.",
                HEADS,
                tuple(row.told() for row in rows),
            ),
            Section("planes", "Features", pictures=tuple(planes)),
        ],
        {"Probe": options.to_dict()},
        manifest,
    )
