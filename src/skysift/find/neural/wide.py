"""Wide sources: a network that sees some tens of pixels far looks for them on the map binned by 4."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from skysift.find.neural.detector import Detector
from skysift.find.neural.found import as_detections
from skysift.find.neural.levels import binned
from skysift.find.neural.shapes import beam_width
from skysift.find.neural.windows import WINDOW, found_in, seen_in_each, windows_of
from skysift.sky.box import Box
from skysift.sky.detections import Detections

__all__ = ["FACTOR", "not_too_wide", "wide_in", "wide_in_each", "wide_windows"]

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]

FACTOR = 4  # pixels along the side of a bin
_NARROWEST = 24.0  # pixels (FWHM, with the beam): narrower sources are not taken from the binned map
_WIDEST = 48.0  # likewise: wider ones not from the map itself; between the two the better score decides


def wide_windows(area: Box, detector: Detector) -> list[Box]:
    """Cores of windows of the binned map that cover an area of the map, in bins; none for a detector without them."""
    if not detector.wide:
        return []
    small = Box(area.y0 // FACTOR, -(-area.y1 // FACTOR), area.x0 // FACTOR, -(-area.x1 // FACTOR))
    return list(windows_of(small, WINDOW - 2 * detector.margin))


def not_too_wide(found: Detections, detector: Detector, beam: Floats) -> Detections:
    """What a window of the map itself is believed."""
    if not detector.wide:
        return found
    return found.select(_width(found, beam) <= _WIDEST)


def wide_in(
    core: Box, detector: Detector, run: Callable[[dict[str, Pixels]], Pixels], read: Callable[[Box], Pixels],
    shape: tuple[int, int], beam: Floats, least: float, flips: int, quiet: float,
) -> Detections:  # fmt: skip
    """
    The wide sources in the core of a window of the binned map, in pixels of the map; doubles among them.

    Parameters
    ----------
    core
        In bins.
    detector, run, read, shape, beam, least, flips
        As for `skysift.find.neural.windows.found_in`, of the map itself.
    quiet
        Noise of the mean of a bin in units of that of a pixel.
    """
    coarse, small = _coarse(read, shape, quiet)
    found = found_in(core, detector, run, coarse, small, beam / FACTOR**2, least, flips)
    return _on_the_map(found, shape, beam, quiet)


def wide_in_each(
    core: Box, detector: Detector, run: Callable[[dict[str, Pixels]], Pixels], read: Callable[[Box], Pixels],
    shape: tuple[int, int], beam: Floats, flips: int, quiet: float,
) -> list[Detections]:  # fmt: skip
    """All wide sources that a network says of in the window around a core in each orientation; as `wide_in` otherwise."""
    coarse, small = _coarse(read, shape, quiet)
    looks = seen_in_each(core, detector, run, coarse, small, beam / FACTOR**2, flips)
    return [_on_the_map(found, shape, beam, quiet) for found in looks]


def _coarse(
    read: Callable[[Box], Pixels], shape: tuple[int, int], quiet: float
) -> tuple[Callable[[Box], Pixels], tuple[int, int]]:
    """What reads boxes of the binned map, in bins, and its shape."""
    whole = Box.of(shape)

    def coarse(box: Box) -> Pixels:
        pixels = Box(*(FACTOR * each for each in (box.y0, box.y1, box.x0, box.x1))).intersect(whole)
        return binned(read(pixels), FACTOR, quiet)

    return coarse, (-(-shape[0] // FACTOR), -(-shape[1] // FACTOR))


def _on_the_map(found: Detections, shape: tuple[int, int], beam: Floats, quiet: float) -> Detections:
    """What was found on the binned map, in pixels of the map itself, where it is wide enough."""
    raw = dict(found.raw)
    for name in ("x", "y"):
        raw[name] = FACTOR * (raw[name] + 0.5) - 0.5
    for name in ("major", "minor", "x_err", "reach"):
        raw[name] = FACTOR * raw[name]
    raw["snr"] = quiet * raw["snr"]
    made = as_detections(raw, found.scores)
    inside = (made["x"] < shape[1] - 0.5) & (made["y"] < shape[0] - 0.5)
    return made.select(inside & (_width(made, beam) > _NARROWEST))


def _width(found: Detections, beam: Floats) -> Floats:
    """Major axis with the beam (FWHM, pixel)."""
    return np.asarray(np.hypot(found["major"], beam_width(beam)))
