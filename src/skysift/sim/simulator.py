"""`Simulator`: what every made sky is; a simulator says what there is, and this file how a map shows it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from skysift import __version__
from skysift.base.provenance import Provenance
from skysift.sim.apparent import appear
from skysift.sim.drawn import DrawnSource, Layer
from skysift.sim.field import area_of, beam_of, frame_of
from skysift.sim.instrument import Instrument, response_at
from skysift.sim.masks import true_masks
from skysift.sim.objects import Elements, Objects
from skysift.sim.options import SkyOptions
from skysift.sim.painting import FAINT, GaussianLayer
from skysift.sim.truths import Scene, make_truth
from skysift.sky.box import Box
from skysift.sky.frame import Frame
from skysift.sky.image import SkyImage, sampling_notes
from skysift.sky.truth import Truth
from skysift.sky.units import frequency_text

__all__ = ["Progress", "Simulator"]

Floats = NDArray[np.float64]
Progress: TypeAlias = Callable[[str, int, int], None]
"""Called as progress(stage, done, total)."""

_ISLAND = 0.5  # beam areas: smaller parts of a mask do not make an object one of several islands

M = TypeVar("M", bound=SkyOptions)


class Simulator(ABC, Generic[M]):
    """A way to make a sky: it says what there is; how a map shows it is the same for all.

    Attributes
    ----------
    name
        In the index; it stands in the provenance.
    reference
        Frequency (Hz) of the fluxes that `sky` gives.
    """

    name: ClassVar[str] = ""
    reference: ClassVar[float] = 1.4e9

    def __init__(self, options: M) -> None:
        self.options = options

    @property
    def provenance(self) -> Provenance:
        """What decides the sky."""
        return Provenance(__version__, self.name, self.options.to_dict(), kind="simulator")

    @abstractmethod
    def sky(self, area: tuple[float, float, float, float]) -> tuple[Objects, Elements]:
        """What there is in a rectangle (east, east, north, north; arcsec) of the plane that touches the middle.

        Fluxes are those at the frequency `reference`. The same objects come out where two rectangles overlap.
        """

    def frame(self) -> Frame:
        """The frame of all maps: SIN around the middle, north up."""
        return frame_of(self.options)

    def primary_beam(self, frequency: float) -> SkyImage | None:
        """The response of the primary beam at a frequency (Hz), on the pixels of the maps; None where there is none."""
        if self.options.primary_beam == "none":
            return None
        frame, beam = self.frame(), beam_of(self.options, frequency)
        pixels = _Response(self.options, frame, frequency)
        return SkyImage(pixels, frame, beam, "", frequency, f"{self.name}-primary-beam")

    def layers(self, frame: Frame, frequency: float) -> tuple[Layer, ...]:
        """What else there is that is no object, such as diffuse emission, before the primary beam; by default nothing."""
        return ()

    def simulate(
        self, *, workers: int = 1, progress: Progress | None = None
    ) -> tuple[tuple[SkyImage, Truth], ...]:
        """One map and its truth for each frequency, of one sky; pixels are painted when they are read.

        Parameters
        ----------
        workers
            How many tasks run at once; the outcome does not depend on it.
        progress
            Called as progress(stage, done, total).
        """
        frame = self.frame()
        told = progress or _silent
        told("sky", 0, 1)
        beams = [beam_of(self.options, each) for each in self.options.frequencies]
        objects, elements = self.sky(area_of(frame, beams))
        told("sky", 1, 1)
        return tuple(
            self._map(frame, each, objects, elements, workers, told) for each in self.options.frequencies
        )

    def _map(
        self,
        frame: Frame,
        frequency: float,
        objects: Objects,
        elements: Elements,
        workers: int,
        progress: Progress,
    ) -> tuple[SkyImage, Truth]:
        """The map at one frequency and its truth."""
        options = self.options
        beam = beam_of(options, frequency)
        progress("instrument", 0, 1)
        instrument = Instrument(options, frame, beam, frequency)
        progress("instrument", 1, 1)
        apparent = appear(
            objects,
            elements,
            frame,
            beam,
            frequency / self.reference,
            response=instrument.response,
            corrected=options.corrected,
            kept=instrument.kept,
        )
        rms = instrument.level.at(apparent.x_object, apparent.y_object)
        masks = true_masks(
            apparent.owner,
            apparent.x,
            apparent.y,
            apparent.peak * apparent.kept[apparent.owner],
            apparent.shape,
            rms,
            frame.shape,
            smallest=_ISLAND * frame.beam_area_pixels(beam),
            workers=workers,
            progress=partial(progress, "masks"),
        )
        progress("artefacts", 0, 1)
        artefacts = instrument.artefacts(apparent, masks.peak, rms)
        found = instrument.labels(artefacts)
        middle = np.asarray(
            0.5 * (found.boxes[:, 0::2] + found.boxes[:, 1::2] - 1.0), dtype=np.float64
        )  # (artefact, y x)
        progress("artefacts", 1, 1)
        scene = Scene(
            objects,
            apparent,
            masks,
            rms,
            found,
            instrument.level.at(middle[:, 1], middle[:, 0]),
            instrument.blank(apparent.x_object, apparent.y_object),
            _any_corner(instrument.blank, masks.detections.boxes),
            frame,
            beam,
            frequency,
        )
        truth = make_truth(scene, self.provenance)
        sources = GaussianLayer(
            apparent.x, apparent.y, apparent.peak, apparent.shape, frame.shape, FAINT * instrument.rms
        )
        layers: tuple[Layer | None, ...] = (
            sources,
            *(_Seen(each, instrument) for each in self.layers(frame, frequency)),
            artefacts,
            instrument.noise,
            *instrument.blanks(),
        )
        pixels = DrawnSource(frame.shape, tuple(each for each in layers if each is not None))
        name = f"{self.name}-{frequency_text(frequency).replace(' ', '')}"
        notes = sampling_notes(frame, beam)
        return SkyImage(pixels, frame, beam, "Jy/beam", frequency, name, notes), truth


@dataclass(frozen=True, eq=False)
class _Seen:
    """A layer of the sky as the primary beam shows it."""

    layer: Layer
    instrument: Instrument

    def paint(self, box: Box) -> Floats:
        """The layer (y, x) over one cell of the lattice (Jy/beam)."""
        painted = self.layer.paint(box)
        if self.instrument.options.corrected or self.instrument.options.primary_beam == "none":
            return painted
        y, x = np.mgrid[box.y0 : box.y1, box.x0 : box.x1].astype(np.float64)
        return np.asarray(painted * self.instrument.response(x, y))


@dataclass(frozen=True, eq=False)
class _Response:
    """The response of the primary beam, pixel by pixel."""

    options: SkyOptions
    frame: Frame
    frequency: float

    @property
    def shape(self) -> tuple[int, int]:
        return self.frame.shape

    def read(self, box: Box) -> NDArray[np.float32]:
        y, x = np.mgrid[box.y0 : box.y1, box.x0 : box.x1].astype(np.float64)
        return response_at(self.options, self.frame, self.frequency, x, y).astype(np.float32)


def _any_corner(
    blank: Callable[[Floats, Floats], NDArray[np.bool_]], boxes: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which boxes have a corner that is blank."""
    y0, y1, x0, x1 = boxes.T.astype(np.float64)
    return blank(x0, y0) | blank(x1 - 1, y0) | blank(x0, y1 - 1) | blank(x1 - 1, y1 - 1)


def _silent(stage: str, done: int, total: int) -> None:
    """No progress is told."""
