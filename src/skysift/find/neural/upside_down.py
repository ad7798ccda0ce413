"""How reliable what a network found is: what it finds in the map upside down, near by and alike.

Serra, Jurek & Floeer (2012, PASA 29, 296) compare the density of positive with that of negative detections, in the
space of what is known of them. Here that is how sure the network is, the contrast to what a stronger source might cause
at the place, the area, and the place itself: noise with stripes and the surroundings of bright sources are worse than
the rest of a map.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skysift.base.compiled import kernel
from skysift.measure.reliability import FARTHEST, share_of_true, strongest
from skysift.sky.detections import Detections
from skysift.sky.truth import CLASSES, SPURIOUS

__all__ = ["density_near", "reliabilities_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WIDTHS = np.array([0.7, 0.25, 0.3])  # of the kernel: logit of the score, log contrast, log area in beams
NEAR = 20.0  # beams: likewise of the place
REACH = 4.0  # widths; what is farther does not count
STRONGEST = 1000  # detections that may spoil their surroundings
SUREST = 1.0 - 1e-4  # a higher score is as sure


def reliabilities_of(found: Detections, negative: Detections, beam: float) -> Floats:
    """
    The reliability ``(n,)`` of what was found: of P detections like one, N are false if there are N negative ones.

    What is told as an artefact (class spurious) has none, NaN, and speaks against nothing.

    Parameters
    ----------
    found, negative
        In the map and in the map upside down, with the raw parameters `skysift.find.neural.found.RAW`.
    beam
        Width (FWHM, pixel).
    """
    value = np.full(len(found), np.nan)
    real, false = (each["class"] != CLASSES.index(SPURIOUS) for each in (found, negative))
    if real.any():
        value[real] = _share_of_true(found.select(real), negative.select(false), beam)
    return value


def _share_of_true(found: Detections, negative: Detections, beam: float) -> Floats:
    """What `reliabilities_of` tells of those that are no artefacts."""
    causes, owner = _causes(found, beam)
    mine = _marks(found, np.arange(len(found)), causes, owner, beam)
    others = _marks(negative, np.full(len(negative), -1), causes, owner, beam)
    alike = np.maximum(density_near(mine, mine), 1.0)  # each is like itself
    return share_of_true(density_near(mine, others), alike)


def _causes(found: Detections, beam: float) -> tuple[Floats, Ints]:
    """The strongest detections: place, flux over noise, radius (beams); and the row of each."""
    radius = np.sqrt(_area(found, beam) / np.pi)
    rows = np.stack([found["x"] / beam, found["y"] / beam, found["snr"], np.maximum(radius, 0.5)], axis=1)
    order = np.lexsort((found["x"], found["y"], -found["snr"]))[:STRONGEST].astype(np.int64)
    return np.ascontiguousarray(rows[order]), order


def _area(found: Detections, beam: float) -> Floats:
    """Product of the axes with the beam, in beams."""
    return np.asarray(np.hypot(found["major"], beam) * np.hypot(found["minor"], beam) / beam**2)


def _marks(found: Detections, rows: Ints, causes: Floats, owner: Ints, beam: float) -> Floats:
    """``(n, 5)``: what tells true detections from false ones, in widths of the kernel; the place comes first."""
    caused = np.zeros((len(found), 3))
    alone = np.full(len(found), -1, np.int64)  # no two share an island
    strongest(found["x"] / beam, found["y"] / beam, found["snr"], rows, alone, causes, owner, caused)
    score = np.minimum(found.scores, SUREST)
    with np.errstate(divide="ignore"):
        contrast = np.minimum(np.log10(found["snr"]) - np.log10(caused[:, 0]), FARTHEST)
        sure = np.log(score) - np.log1p(-score)
    told = np.stack([sure, contrast, np.log10(_area(found, beam))], axis=1) / WIDTHS
    at = np.stack([found["y"], found["x"]], axis=1) / (NEAR * beam)
    return np.ascontiguousarray(np.concatenate([at, told], axis=1))


def density_near(places: Floats, others: Floats) -> Floats:
    """
    How many others ``(m, 5)`` are near to and like each place ``(n, 5)``, by a Gaussian of width 1 that ends at `REACH`.

    The result does not depend on the order of the others beyond rounding: they are added by cells of the map, and in
    these by place.
    """
    out = np.zeros(len(places))
    if not len(places) or not len(others):
        return out
    low = np.minimum(places[:, :2].min(axis=0), others[:, :2].min(axis=0))
    n_x = int((max(places[:, 1].max(), others[:, 1].max()) - low[1]) / REACH) + 1
    cell = ((others[:, :2] - low) / REACH).astype(np.int64)
    number = cell[:, 0] * n_x + cell[:, 1]
    order = np.lexsort((*others.T[::-1], number))
    _add_alike(places, np.ascontiguousarray(others[order]), number[order], low, n_x, out)
    return out


@kernel
def _add_alike(places: Floats, others: Floats, number: Ints, low: Floats, n_x: int, out: Floats) -> None:
    """
    Fill ``out (n,)`` for `density_near`.

    Parameters
    ----------
    places, others
        The others by ascending number of their cell.
    number
        ``(m,)`` row of the cell times `n_x` plus its column.
    low
        Where the first cell begins.
    n_x
        Cells in a row.
    """
    square = REACH * REACH
    for i in range(len(places)):
        j, k = int((places[i, 0] - low[0]) / REACH), int((places[i, 1] - low[1]) / REACH)
        first, last = max(k - 1, 0), min(k + 1, n_x - 1)
        total = 0.0
        for row in range(max(j - 1, 0), j + 2):
            begin = np.searchsorted(number, row * n_x + first)
            end = np.searchsorted(number, row * n_x + last + 1)
            for m in range(begin, end):
                d = 0.0
                for axis in range(others.shape[1]):
                    step = others[m, axis] - places[i, axis]
                    d += step * step
                if d < square:
                    total += np.exp(-0.5 * d)
        out[i] = total
