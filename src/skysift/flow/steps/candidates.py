"""`CandidatesStep`: where a network and labels of a map disagree, as a table and a page for a person to decide."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

import skysift
from skysift.base.parallel import ALONE, Crew
from skysift.base.provenance import InputRecord, Manifest, Provenance, library_versions
from skysift.find.neural.calibration import Calibration
from skysift.find.neural.eye import Eye, eye_of
from skysift.find.neural.finder import seen_on
from skysift.find.neural.known import point_detector_of
from skysift.find.neural.labelled import labels_of
from skysift.find.noise import Noise, measure_noise
from skysift.find.places import places_at
from skysift.flow.products import MANIFEST, ProductFolder, checksum, size, write_manifest, writing
from skysift.flow.training.candidates_page import candidates_page
from skysift.flow.training.corrections import write_candidates
from skysift.flow.training.labels import open_labels
from skysift.flow.training.lacking import Compared, compared
from skysift.flow.training.options import CandidatesOptions
from skysift.io.layouts.declared import table_of
from skysift.io.regions import write_crtf, write_ds9
from skysift.measure.ellipse import shape_transform
from skysift.sky.detections import Detections
from skysift.sky.image import SkyImage
from skysift.sky.shapes import axes_of
from skysift.sky.table import Table

__all__ = ["PAGE", "TABLE", "CandidatesMade", "CandidatesStep", "Listed", "candidates_products"]

Floats: TypeAlias = NDArray[np.float64]

TABLE, PAGE = "candidates.csv", "report.html"
REGIONS = ("candidates.reg", "candidates.crtf")


@dataclass(frozen=True, eq=False)
class Listed:
    """
    Where a network and labels disagree.

    Attributes
    ----------
    compared
        The candidates.
    labels
        Those of the map.
    noise
        Of the map.
    eye
        The network.
    threshold
        The score that finds have at least.
    notes
        What was odd about the labels, one line each.
    """

    compared: Compared
    labels: Detections
    noise: Noise
    eye: Eye
    threshold: float
    notes: tuple[str, ...]


class CandidatesStep:
    """
    Confident finds that labels lack, and labels that a network does not find.

    A find is the object of a label where it lies within `radius` of its position or inside its mask.
    """

    def __init__(self, options: CandidatesOptions) -> None:
        self.options = options

    def compare(
        self, image: SkyImage, labels: Path, classes: Mapping[str, str] | None = None, crew: Crew = ALONE
    ) -> Listed:
        """
        The candidates of a map.

        Parameters
        ----------
        image
            The map.
        labels
            What is on it, in any form that training takes.
        classes
            What names of classes in the labels mean.
        crew
            Who works.

        Raises
        ------
        DataError
            There is no label on the map.
        """
        options = self.options
        eye = eye_of(options)  # first: wrong weights are told before the map is read
        point_detector_of(eye.weights, "candidates")
        noise = measure_noise(image, options, crew)
        truth, notes = open_labels(labels, image, noise, classes)
        told = labels_of(image, truth, noise)
        threshold = eye.weights.card.threshold if options.threshold is None else options.threshold
        calibration = Calibration.of(eye.weights.card.settings)
        least = calibration.raw_of(min(threshold, 0.5 * options.lost))
        flips = int(eye.weights.card.settings.get("flips", 1))  # as they were calibrated
        (found,) = seen_on(image, noise, options, eye, least, flips, crew)
        found = Detections(found.boxes, calibration.scores(found.scores), found.footprints, found.raw)
        return Listed(
            compared(found, told, image, noise, options, threshold), told, noise, eye, threshold, notes
        )


@dataclass(frozen=True)
class CandidatesMade:
    """What a comparison wrote: the folder, what it says, and the manifest."""

    folder: Path
    listed: Listed
    manifest: Manifest


def candidates_products(
    options: CandidatesOptions,
    image: SkyImage,
    labels: Path,
    out: Path,
    *,
    classes: Mapping[str, str] | None = None,
    workers: int = 1,
    overwrite: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> CandidatesMade:
    """
    The products of a comparison: the table to be filled in, regions, a page with cutouts, and a manifest.

    Parameters
    ----------
    options
        Which network, and what is a candidate.
    image
        The map.
    labels
        What is on it.
    out
        The folder.
    classes
        What names of classes in the labels mean.
    workers
        How many windows are looked at at once; no number depends on it.
    overwrite
        Whether the products of an earlier run are replaced, on success.
    progress
        Called as progress(stage, done, total).
    """
    begun, clock = datetime.now(UTC), time.perf_counter()
    names = (TABLE, *REGIONS, PAGE, MANIFEST)
    with ProductFolder(out, names=names, overwrite=overwrite) as folder, writing(out):
        listed = CandidatesStep(options).compare(image, labels, classes, Crew(workers, progress=progress))
        weights = listed.eye.weights
        one = listed.compared
        inputs = [
            image.input_record(),
            *(each.input_record() for each in listed.noise.given),
            InputRecord(weights.path.name, weights.checksum, size=size(weights.path)),
            InputRecord(labels.name, checksum(labels), size=size(labels)),
        ]
        told = {
            **options.to_dict(), "weights": weights.card.name, "labels": labels.name, "classes": dict(classes or {}),
            "flips": int(weights.card.settings.get("flips", 1)),
        }  # fmt: skip
        manifest = Manifest(
            Provenance(skysift.__version__, "candidates", told, tuple(inputs), kind="step"),
            outputs=names[:-1],
            workers=workers,
            started=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
            seconds={"candidates": time.perf_counter() - clock},
            facts={
                "threshold": listed.threshold, "labels": one.n_labels, "finds": one.n_found, "both": one.n_both,
                "found": one.candidates.kind.count("found"), "lost": one.candidates.kind.count("lost"),
            },
            versions=library_versions(),
            warnings=(*image.notes, *listed.notes),
        )  # fmt: skip
        write_candidates(folder.path(TABLE), one.candidates)
        table = _drawn(one, image)
        for write, name in zip((write_ds9, write_crtf), REGIONS, strict=True):
            write(folder.path(name), table, image.frame)
        page = candidates_page(one, listed.labels, image, listed.noise, manifest, shown=options.shown)
        folder.path(PAGE).write_text(page, encoding="utf-8")
        write_manifest(manifest, folder)
        folder.commit()
    return CandidatesMade(out, listed, manifest)


def _drawn(one: Compared, image: SkyImage) -> Table:
    """Candidates as rows that region files draw: as the map shows them, coloured by class."""
    told = one.candidates
    x, y = told.numbers["x"], told.numbers["y"]
    shape = one.own + places_at(image, x, y).beam
    major, minor, pa = axes_of(np.einsum("nij,nj->ni", shape_transform(image.frame.tangent(x, y)), shape))
    names = [f"{kind} {k + 1}" for k, kind in enumerate(told.kind)]
    columns = {
        "name": np.array(names, np.str_), "class": np.array(told.label_class, np.str_), "x": x, "y": y,
        "ra": told.numbers["ra"], "dec": told.numbers["dec"], "major": major, "minor": minor, "pa": pa,
    }  # fmt: skip
    return table_of("sources", columns, Path(TABLE), len(told))
