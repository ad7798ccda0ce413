"""`InjectStep`: a real map with made sources in it, as a folder of the map, its truth and a manifest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

import skysift
from skysift.base.parallel import Crew
from skysift.base.provenance import Manifest, Provenance, library_versions
from skysift.base.settings import settings
from skysift.find.beams import as_seen
from skysift.find.noise import Noise, measure_noise
from skysift.find.response import pointing_cards, with_pointing
from skysift.flow.options import InjectMapOptions
from skysift.flow.products import MANIFEST, ProductFolder, write_manifest, writing
from skysift.io.fits import write_image
from skysift.io.truth import write_truth
from skysift.measure.options import NoiseOptions, ResponseOptions
from skysift.sim.inject.sources import Reader, make_sources
from skysift.sim.made import inject, injected_truth
from skysift.sky.box import Box
from skysift.sky.image import SkyImage
from skysift.sky.truth import Truth

__all__ = ["InjectStep", "Injected", "rms_reader"]

Progress: TypeAlias = Callable[[str, int, int], None]

MAP, TRUTH = "map.fits", "truth"
_ROWS = 256  # of the map, written at once


@dataclass(frozen=True)
class Injected:
    """What was made: the folder, its manifest, the map with the sources in it, and the truth of these."""

    folder: Path
    manifest: Manifest
    image: SkyImage
    truth: Truth


def rms_reader(image: SkyImage, noise: Noise) -> Reader:
    """The noise of a map as `make_sources` wants it: NaN where the map holds no data."""

    def read(box: Box) -> NDArray[np.float32]:
        tile = noise.tile(image, box)
        return np.where(np.isnan(tile.data), np.float32(np.nan), tile.rms)

    return read


class InjectStep:
    """Made sources or templates put into a real map, with the truth of them.

    Parameters
    ----------
    options
        What is put in.
    """

    def __init__(self, options: InjectMapOptions) -> None:
        self.options = options

    def __repr__(self) -> str:
        return f"InjectStep({self.options!r})"

    def make(
        self, image: SkyImage, *, workers: int = 1, progress: Progress | None = None
    ) -> tuple[SkyImage, Truth]:
        """The map with the sources in it, painted when it is read, and their truth.

        The noise of the map is measured as finders do it by default; S/N and masks of the truth rest on it. Fluxes
        are true ones: of a map that was not corrected for its primary beam the pixels get what it shows of them.

        Raises
        ------
        UsageError
            The map holds no data, has no room for so many sources, or a template cannot be used; or the primary beam
            does not fit it.
        """
        options = with_pointing(image, self.options)  # what is made has no header to tell it
        seen, beam_files = as_seen(image, options)
        how = NoiseOptions(**{name: getattr(options, name) for name in ResponseOptions.model_fields})
        noise = measure_noise(seen, how, Crew(workers, progress=progress))
        made = make_sources(seen, rms_reader(seen, noise), options)
        response = noise.response
        told = Provenance(
            skysift.__version__,
            "inject",
            options.to_dict(),
            (image.input_record(), *(one.input_record() for one in noise.given), *beam_files),
            seen.notes if response is None else (*seen.notes, *response.notes),
            kind="simulator",
        )
        truth = injected_truth(
            seen,
            made,
            told,
            workers=workers,
            response=None if response is None else response.at(made.x, made.y),
        )
        return inject(seen, made, None if response is None else response.shown), truth

    def run(
        self,
        image: SkyImage,
        out: str | Path,
        *,
        overwrite: bool = False,
        workers: int | None = None,
        progress: Progress | None = None,
    ) -> Injected:
        """The products, written into a folder: ``map.fits``, the folder ``truth`` and ``manifest.json``.

        Raises
        ------
        BusyError
            Another run is writing into the folder.
        OutputError
            The folder cannot be written, or holds earlier products and `overwrite` is off.
        UsageError
            As for `make`.
        """
        begun, clock = datetime.now(UTC), time.perf_counter()
        workers = workers or settings().workers
        with ProductFolder(Path(out), names=(MAP, TRUTH, MANIFEST), overwrite=overwrite) as folder:
            full, truth = self.make(image, workers=workers, progress=progress)
            told = truth.catalogue.provenance
            assert told is not None  # `make` gave it
            with writing(folder.directory):
                write_image(
                    folder.path(MAP),
                    full.shape,
                    _rows(full, progress),
                    frame=full.frame,
                    beam=full.beam,
                    unit=full.unit,
                    frequency=full.frequency,
                    title="Intensity",
                    provenance=told,
                    cards=pointing_cards(image),
                )
                write_truth(truth, folder.path(TRUTH))
                manifest = Manifest(
                    told,
                    outputs=(MAP, TRUTH),
                    workers=workers,
                    started=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    seconds={"all": time.perf_counter() - clock},
                    counts={"sources": len(truth)},
                    versions=library_versions(),
                    warnings=told.notes,
                )
                write_manifest(manifest, folder)
            folder.commit()
        return Injected(Path(out), manifest, full, truth)


def _rows(image: SkyImage, progress: Progress | None) -> Iterator[NDArray[np.float32]]:
    """Bands of rows of a map, from its first row up."""
    ny, nx = image.shape
    for y in range(0, ny, _ROWS):
        yield image.read(Box(y, min(y + _ROWS, ny), 0, nx))
        if progress is not None:
            progress("map", min(y + _ROWS, ny), ny)
