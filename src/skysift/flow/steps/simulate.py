"""`simulate_products`: a made sky as a folder of maps, truths, a page and a manifest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UnknownName
from skysift.base.parallel import map_tasks
from skysift.base.provenance import Manifest, library_versions
from skysift.base.settings import settings
from skysift.flow.products import MANIFEST, ProductFolder, write_manifest, writing
from skysift.flow.simulated_page import simulated_page
from skysift.io.fits import write_image
from skysift.io.open import open_image
from skysift.io.sdc import write_truth_sdc1
from skysift.io.truth import write_truth
from skysift.sim.painting import CELL
from skysift.sim.simulator import Simulator
from skysift.sky.box import Box
from skysift.sky.image import SkyImage
from skysift.sky.truth import CLASSES, Truth

__all__ = ["FORMATS", "REPORT", "Simulated", "map_name", "simulate_products"]

REPORT = "report.html"
FORMATS = ("sdc1",)

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called as progress(stage, done, total)."""


@dataclass(frozen=True)
class Simulated:
    """What a run made: the folder, its manifest, and the maps with their truths, read from there."""

    folder: Path
    manifest: Manifest
    maps: tuple[tuple[SkyImage, Truth], ...]


def map_name(frequency: float) -> str:
    """What a map and its truth are called after their first word."""
    return f"{frequency / 1e6:.12g}MHz"


def simulate_products(
    simulator: Simulator[Any],
    out: str | Path,
    *,
    formats: Sequence[str] = (),
    report: bool = True,
    overwrite: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
    started: datetime | None = None,
) -> Simulated:
    """The products of a simulator, written into a folder: ``map-NMHz.fits``, ``truth-NMHz``, a page, a manifest.

    With a primary beam, its response stands beside each map as ``primary_beam-NMHz.fits``.

    Parameters
    ----------
    simulator
        What makes the sky.
    out
        The folder; made where it is missing. It gets all products or, when anything fails, none.
    formats
        Further forms of the truths: ``sdc1``, the text of the first SKA Science Data Challenge.
    report
        Whether ``report.html`` is written.
    overwrite
        Whether the products of an earlier run are replaced, on success.
    workers
        How many tasks run at once; nothing else depends on it.
    progress
        Called as progress(stage, done, total).
    started
        When the run began; now by default.

    Raises
    ------
    UnknownName
        A format has a name that does not exist.
    BusyError
        Another run is writing into the folder.
    OutputError
        The folder cannot be written, or holds earlier products and `overwrite` is off.
    StorageError
        The disk is full.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise UnknownName("no such form of a truth", got=unknown[0], allowed=FORMATS)
    begun = started or datetime.now(UTC)
    workers = workers or settings().workers
    told = progress or _nothing
    frequencies = simulator.options.frequencies
    seen = {each: simulator.primary_beam(each) for each in frequencies}
    beams = [map_name(each) for each in frequencies if seen[each] is not None]
    names = _names([map_name(each) for each in frequencies], beams, formats, report=report)
    seconds: dict[str, float] = {}
    with ProductFolder(Path(out), names=names, overwrite=overwrite) as folder:
        with _timed(seconds, "sky"):
            made = simulator.simulate(workers=workers, progress=told)
        with writing(folder.directory):
            shown = []
            for frequency, (image, truth) in zip(frequencies, made, strict=True):
                name = map_name(frequency)
                with _timed(seconds, "maps"):
                    _write_map(
                        image, truth, folder.path(f"map-{name}.fits"), workers, partial(told, f"map {name}")
                    )
                    response = seen[frequency]
                    if response is not None:
                        _write_response(response, truth, folder.path(f"primary_beam-{name}.fits"), workers)
                with _timed(seconds, "truths"):
                    told(f"truth {name}", 0, 1)
                    write_truth(truth, folder.path(f"truth-{name}"))
                    if "sdc1" in formats:
                        write_truth_sdc1(truth, folder.path(f"truth-{name}-sdc1.txt"))
                    told(f"truth {name}", 1, 1)
                shown.append((open_image(str(folder.path(f"map-{name}.fits"))), truth))
            manifest = partial(
                Manifest,
                simulator.provenance,
                tile=CELL,
                workers=workers,
                started=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
                counts=_counts(made),
                versions=library_versions(),
                warnings=tuple(dict.fromkeys(note for image, _ in made for note in image.notes)),
            )
            if report:
                with _timed(seconds, "report"):
                    told("report", 0, 1)
                    page = simulated_page(shown, manifest(seconds=seconds))
                    folder.path(REPORT).write_text(page, encoding="utf-8")
                    told("report", 1, 1)
            done = manifest(outputs=tuple(name for name in names if name != MANIFEST), seconds=seconds)
            write_manifest(done, folder)
        folder.commit()
    return Simulated(
        Path(out),
        done,
        tuple(
            (open_image(str(Path(out) / f"map-{map_name(each)}.fits")), truth)
            for each, (_, truth) in zip(frequencies, made, strict=True)
        ),
    )


def _names(
    maps: Sequence[str], beams: Sequence[str], formats: Sequence[str], *, report: bool
) -> tuple[str, ...]:
    """Names of all products, the manifest last."""
    return (
        *(f"map-{name}.fits" for name in maps),
        *(f"primary_beam-{name}.fits" for name in beams),
        *(f"truth-{name}" for name in maps),
        *(f"truth-{name}-{form}.txt" for form in dict.fromkeys(formats) for name in maps),
        *([REPORT] * report),
        MANIFEST,
    )


def _write_map(
    image: SkyImage, truth: Truth, path: Path, workers: int, progress: Callable[[int, int], None]
) -> None:
    """The map as FITS, painted cell by cell; one row of cells is in memory at a time."""
    write_image(
        path,
        image.shape,
        _rows(image, workers, progress),
        frame=image.frame,
        beam=image.beam,
        unit=image.unit,
        frequency=image.frequency,
        title="Intensity",
        provenance=truth.catalogue.provenance,
    )


def _write_response(image: SkyImage, truth: Truth, path: Path, workers: int) -> None:
    """The response of the primary beam as FITS."""
    write_image(
        path,
        image.shape,
        _rows(image, workers, lambda done, total: None),
        frame=image.frame,
        beam=image.beam,
        unit="",
        frequency=image.frequency,
        title="response of the primary beam",
        provenance=truth.catalogue.provenance,
    )


def _rows(
    image: SkyImage, workers: int, progress: Callable[[int, int], None]
) -> Iterator[NDArray[np.float32]]:
    """Rows of cells of a map, from its first row up."""
    ny, nx = image.shape
    boxes = [
        Box(y, y + CELL, x, x + CELL).intersect(image.box)
        for y in range(0, ny, CELL)
        for x in range(0, nx, CELL)
    ]
    columns = -(-nx // CELL)
    row: list[NDArray[np.float32]] = []
    for cell in map_tasks(image.pixels.read, boxes, workers=workers, progress=progress):
        row.append(cell)
        if len(row) == columns:
            yield np.concatenate(row, axis=1)
            row = []


def _counts(made: Sequence[tuple[SkyImage, Truth]]) -> dict[str, int]:
    """Objects of each class, by map."""
    counts: dict[str, int] = {}
    for image, truth in made:
        name = map_name(image.frequency)
        counts[f"objects {name}"] = int(truth.real.sum())
        for kind in CLASSES:
            counts[f"{kind} {name}"] = int(np.sum(truth.sources["class"] == kind))
    return counts


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - begun


def _nothing(stage: str, done: int, total: int) -> None:
    """No progress is told."""
