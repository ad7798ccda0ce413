"""`DetectionsStep`: stamps of what a finder finds in made maps with artefacts, labelled real or spurious."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import skysift
from skysift.base.errors import UsageError
from skysift.base.parallel import ALONE, Crew
from skysift.base.provenance import Manifest, Provenance, library_versions
from skysift.classify.detections import MadeDetections, made_detections
from skysift.classify.likeness import BEAM_PIXELS
from skysift.classify.options import DetectionsOptions
from skysift.flow.products import MANIFEST, ProductFolder, write_manifest, writing
from skysift.flow.stamp_sheets import PER_SHEET, Sheet, sheet_png, stamps_page

__all__ = ["DetectionsMade", "DetectionsStep"]

STAMPS, REPORT = "stamps.npz", "report.html"
_LABELS = ("real", "spurious")


@dataclass(frozen=True)
class DetectionsMade:
    """What was made: the folder and its manifest."""

    folder: Path
    manifest: Manifest


class DetectionsStep:
    """Made maps searched, and a stamp of each detection with its label.

    Parameters
    ----------
    options
        Of the maps, the finder and the stamps.
    """

    def __init__(self, options: DetectionsOptions) -> None:
        self.options = options

    def __repr__(self) -> str:
        return f"DetectionsStep({self.options!r})"

    def run(self, out: str | Path, *, overwrite: bool = False, crew: Crew = ALONE) -> DetectionsMade:
        """The products: ``stamps.npz`` (images, label, field, snr, inverted, beam_pixels), the page and the manifest.

        Raises
        ------
        OptionError
            A range does not rise.
        UsageError
            Nothing was found in any map.
        OutputError
            The folder cannot be written, or holds earlier products and `overwrite` is off.
        """
        begun, clock = datetime.now(UTC), time.perf_counter()
        options = self.options
        with ProductFolder(Path(out), names=(STAMPS, REPORT, MANIFEST), overwrite=overwrite) as folder:
            found = made_detections(options, crew)
            if not len(found):
                raise UsageError("nothing was found in any of the maps", got=f"{options.fields} maps")
            told = Provenance(
                skysift.__version__,
                "detections",
                options.to_dict(),
                notes=(
                    "the maps are made: what is spurious in them is so by the artefacts that were put in",
                ),
                kind="step",
            )
            labels = np.where(found.real, *_LABELS)
            manifest = Manifest(
                told,
                outputs=(STAMPS, REPORT),
                workers=crew.workers,
                started=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
                seconds={"all": time.perf_counter() - clock},
                counts={"maps": options.fields, **{name: int((labels == name).sum()) for name in _LABELS}},
                versions=library_versions(),
                warnings=told.notes,
            )
            arrays: dict[str, Any] = {
                "images": found.pixels[:, None],
                "bands": np.array(["radio"]),
                "names": np.array([f"m{field:04d}-{k:05d}" for k, field in enumerate(found.field)]),
                "label": labels,
                "field": found.field,
                "snr": found.snr,
                "inverted": found.inverted,
                BEAM_PIXELS: found.beam,
            }
            with writing(folder.directory):
                with folder.path(STAMPS).open("wb") as file:
                    np.savez_compressed(file, **arrays)
                folder.path(REPORT).write_text(_page(found, options, manifest), encoding="utf-8")
                write_manifest(manifest, folder)
            folder.commit()
        return DetectionsMade(Path(out), manifest)


def _page(found: MadeDetections, options: DetectionsOptions, manifest: Manifest) -> str:
    counts = manifest.counts
    sheets = [
        Sheet(f"{name}.png", _sheet(found, np.flatnonzero(found.real == (name == "real"))), name)
        for name in _LABELS
    ]
    table = []
    for low, high in ((0.0, 6.0), (6.0, 10.0), (10.0, 30.0), (30.0, np.inf)):
        some = (found.snr >= low) & (found.snr < high)
        table.append(
            (
                f"{low:g} to {high:g}",
                str(int(some.sum())),
                str(int((some & found.real).sum())),
                str(int((some & ~found.real).sum())),
            )
        )
    return stamps_page(
        "Made detections",
        f"What {options.finder} finds in {options.fields} made maps with artefacts. The maps are made.",
        sheets,
        heading="Found",
        numbers=tuple((str(counts[name]), name) for name in _LABELS),
        heads=("S/N", "found", "real", "spurious"),
        table=table,
        options=options.to_dict(),
        notes=manifest.warnings,
        footer=f"skysift {skysift.__version__}, {manifest.started}",
    )


def _sheet(found: MadeDetections, rows: Sequence[int] | np.ndarray[Any, Any]) -> bytes:
    """Pictures of some, spread evenly over all."""
    chosen = (
        [rows[int(k)] for k in np.linspace(0, len(rows) - 1, min(PER_SHEET, len(rows)))] if len(rows) else []
    )
    thumbs = [np.nan_to_num(found.pixels[k])[None] for k in chosen]
    return sheet_png([f"{found.snr[k]:.1f} sigma" for k in chosen], ["radio"], thumbs, "asinh")
