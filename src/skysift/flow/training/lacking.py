"""What a network finds and labels lack, and what labels have and it does not find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from skysift.find.neural.labelled import rms_at
from skysift.find.neural.shapes import beam_of, beam_width, intrinsic
from skysift.find.noise import Noise
from skysift.find.places import places_at
from skysift.flow.training.corrections import FOUND, LOST, Candidates, candidates_of
from skysift.flow.training.options import CandidatesOptions
from skysift.measure.ellipse import shape_transform
from skysift.sky.detections import Detections, Footprints
from skysift.sky.image import SkyImage
from skysift.sky.shapes import axes_of, determinants
from skysift.sky.truth import CLASSES, SPURIOUS

__all__ = ["Compared", "compared", "same_object"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Compared:
    """
    Finds of a network against labels.

    Attributes
    ----------
    candidates
        Those that the labels lack, the surest first; then the labels that it does not find, those first near which it
        is least sure, the brightest of equals.
    own
        Intrinsic covariance ``(candidate, 3)`` (pixels squared) of each.
    n_found, n_labels, n_both
        Finds above the threshold, labels, and labels that are found.
    """

    candidates: Candidates
    own: Floats
    n_found: int
    n_labels: int
    n_both: int


def compared(
    found: Detections,
    labels: Detections,
    image: SkyImage,
    noise: Noise,
    options: CandidatesOptions,
    threshold: float,
) -> Compared:
    """
    The candidates of a map.

    Parameters
    ----------
    found
        All that the network told, faint things too, the best of doubles.
    labels
        With the raw parameters of `skysift.learn.fields.LABELS`.
    image, noise
        The map.
    options
        What is a candidate.
    threshold
        The score that a find has at least.
    """
    find, label = same_object(found, labels, options.radius * beam_width(beam_of(image)))
    best = np.zeros(len(labels))
    np.maximum.at(best, label, found.scores[find])
    sure = found.scores >= threshold
    if not options.spurious:
        sure &= found["class"] != CLASSES.index(SPURIOUS)
    new = sure.copy()
    new[find] = False
    at = np.flatnonzero(new)
    at = at[np.lexsort((found["x"][at], found["y"][at], -found.scores[at]))]
    usable = np.asarray(labels["use"]) > 0.0
    gone = np.flatnonzero(usable & (best < options.lost) & ~(labels["snr_peak"] < options.lost_snr))
    gone = gone[np.lexsort((labels["x"][gone], -labels["snr_peak"][gone], best[gone]))]
    own = np.concatenate(
        [intrinsic(found.select(at)), np.stack([labels[name][gone] for name in ("xx", "xy", "yy")], axis=1)]
    )
    x, y, kind, snr, core = (
        np.concatenate([found[theirs][at], labels[ours][gone]])
        for theirs, ours in (("x", "x"), ("y", "y"), ("class", "class"), ("snr", "snr_int"), ("core", "core"))
    )
    beam = places_at(image, x, y).beam
    peak = snr * np.sqrt(determinants(beam) / determinants(own + beam))
    peak[at.size :] = labels["snr_peak"][gone]
    major, minor, pa = axes_of(np.einsum("nij,nj->ni", shape_transform(image.frame.tangent(x, y)), own))
    ra = dec = np.full(x.size, np.nan)
    if image.frame.celestial:
        ra, dec = image.frame.to_sky(x, y)
    made = candidates_of(
        [FOUND] * at.size + [LOST] * gone.size,
        [CLASSES[k] for k in kind.astype(np.int64).tolist()],
        {
            "score": np.concatenate([found.scores[at], best[gone]]), "snr": snr, "snr_peak": peak, "x": x, "y": y,
            "ra": ra, "dec": dec, "flux": snr * rms_at(image, noise, x, y), "major": major, "minor": minor, "pa": pa,
            "core": core,
        },
    )  # fmt: skip
    return Compared(made, own, int(sure.sum()), int(usable.sum()), int((usable & (best >= threshold)).sum()))


def same_object(found: Detections, labels: Detections, radius: float) -> tuple[Ints, Ints]:
    """
    Pairs of finds and labels that are the same object: near to each other, or the find inside the mask of the label.

    Parameters
    ----------
    found, labels
        With ``x`` and ``y`` (pixel).
    radius
        How near (pixel).
    """
    if not len(found) or not len(labels):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    finds, places = (cKDTree(np.stack([each["x"], each["y"]], axis=1)) for each in (found, labels))
    near = finds.sparse_distance_matrix(places, radius, output_type="ndarray")
    inside = _inside(found["x"], found["y"], labels.footprints)
    find, label = (np.concatenate(each) for each in ((near["i"], inside[0]), (near["j"], inside[1])))
    pairs = np.unique(np.stack([find, label], axis=1).astype(np.int64), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _inside(x: Floats, y: Floats, prints: Footprints) -> tuple[Ints, Ints]:
    """Pairs of places and footprints that hold their pixel."""
    column, row = np.floor(x + 0.5).astype(np.int64), np.floor(y + 0.5).astype(np.int64)
    order = np.argsort(prints.row, kind="stable")
    rows = prints.row[order]
    first, last = np.searchsorted(rows, row, "left"), np.searchsorted(rows, row, "right")
    count = last - first
    place = np.repeat(np.arange(x.size), count)
    run = order[np.arange(place.size) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)]
    good = (prints.start[run] <= column[place]) & (column[place] < prints.stop[run])
    return place[good], prints.index[run[good]]
