"""`opinion_of`: what a network says of given places, whoever found them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from skysift.base.parallel import ALONE, Crew
from skysift.find.extended.coarse import block_noise
from skysift.find.neural.calibration import Calibration
from skysift.find.neural.eye import eye_of
from skysift.find.neural.found import half_width, without_doubles
from skysift.find.neural.labelled import significance
from skysift.find.neural.options import JudgeOptions
from skysift.find.neural.shapes import beam_of, beam_width
from skysift.find.neural.wide import FACTOR, not_too_wide, wide_in_each
from skysift.find.neural.windows import WINDOW, seen_in_each
from skysift.find.noise import Noise
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.image import SkyImage
from skysift.sky.truth import CLASSES, SPURIOUS

__all__ = ["Opinion", "opinion_of"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

_LEAST = 0.1  # answers of the binned map with a lower score count as none


@dataclass(frozen=True, eq=False)
class Opinion:
    """
    What a network says of places.

    Attributes
    ----------
    kind
        Number in `skysift.sky.truth.CLASSES`; -1 where it says nothing.
    class_score
        Probability of the class; NaN likewise, and where the network has no answer near.
    score
        How sure it is that there is an object of the class, which may be spurious too: what is real has a high score and
        another class. NaN likewise, 0 where the network has no answer near: then it is spurious.
    """

    kind: Ints
    class_score: Floats
    score: Floats

    @property
    def given(self) -> NDArray[np.bool_]:
        """Which places it says something of: those on the map where there are data."""
        return self.kind >= 0

    def __len__(self) -> int:
        return int(self.kind.size)

    def __repr__(self) -> str:
        return f"Opinion({int(self.given.sum())} of {len(self)} places)"


def opinion_of(
    image: SkyImage, noise: Noise, x: Floats, y: Floats, options: JudgeOptions, crew: Crew = ALONE
) -> Opinion:
    """
    What a network says of places: the surest of its answers whose source is within a radius of the place.

    All answers count, not only those that are the best of their source, so that a place beside another source has one
    of its own. Where the weights were calibrated with several orientations of the map the network looks at as many: the
    score is the mean, that of an orientation without an answer being 0, and each votes for its class.
    Windows are those of the finder, on a lattice that is anchored to the map; where it looks at the binned map too, wide
    sources are taken from there, and each speaks for places within half of its minor axis.

    Parameters
    ----------
    image, noise
        The map; only windows that hold places are looked at.
    x, y
        Pixels ``(n,)``; NaN for none.
    options
        Which network, how near, what runs it.
    crew
        Who looks.
    """
    eye = eye_of(options)
    settings = eye.weights.card.settings
    ways = int(settings.get("flips", 1))  # as they were calibrated
    beam, step = beam_of(image), WINDOW - 2 * eye.detector.margin
    here = np.flatnonzero(image.box.contains(x, y))
    quiet = block_noise(noise.mesh.correlation, FACTOR)[0] if eye.detector.wide else 1.0
    places = [(*each, False) for each in _by_core(x, y, here, step)]
    if eye.detector.wide:
        places += [(*each, True) for each in _by_core(x, y, here, step, FACTOR)]
    look = partial(_look, image, noise, options, eye.weights.checksum, beam, ways, quiet)
    tasks = [(core, x[mine], y[mine], wide) for core, mine, wide in places]
    known = np.zeros(x.shape, np.bool_)
    best = np.zeros((3, ways, x.size))  # score, class and its probability, as each orientation tells them
    for (_, mine, _), (data, told) in zip(places, crew.map("judge", look, tasks), strict=True):
        known[mine] |= data
        best[:, :, mine] = np.where(told[0] > best[0][:, mine], told, best[:, :, mine])
    total, votes = best[0].sum(axis=0), np.zeros((x.size, len(CLASSES)))
    for said, number, share in zip(*best, strict=True):
        weight = np.where(share > 0.0, np.maximum(said, 1e-6) * share, 0.0)
        votes[np.arange(x.size), number.astype(np.int64)] += weight
    answered = votes.any(axis=1) & known
    kind = np.where(answered, votes.argmax(axis=1), np.where(known, CLASSES.index(SPURIOUS), -1))
    class_score = np.where(answered, votes.max(axis=1) / np.maximum(total, 1e-6), np.nan)
    score = np.where(answered, Calibration.of(settings).scores(total / ways), np.where(known, 0.0, np.nan))
    return Opinion(kind, class_score, score)


def _by_core(x: Floats, y: Floats, here: Ints, step: int, factor: int = 1) -> list[tuple[Box, Ints]]:
    """Cores of windows of a map that is binned by a factor, in bins, with the places of `here` in each."""
    row, column = (np.floor(each[here] + 0.5).astype(np.int64) // factor for each in (y, x))
    cells = np.stack([row // step, column // step], axis=1)
    cores, first = np.unique(cells, axis=0, return_inverse=True)
    order = np.argsort(first.ravel(), kind="stable")
    members = np.split(here[order], np.cumsum(np.bincount(first.ravel(), minlength=len(cores)))[:-1])
    return [
        (Box(j * step, (j + 1) * step, i * step, (i + 1) * step), mine)
        for (j, i), mine in zip(cores.tolist(), members, strict=bool(len(cores)))
    ]


def _look(
    image: SkyImage,
    noise: Noise,
    options: JudgeOptions,
    checksum: str,
    beam: Floats,
    ways: int,
    quiet: float,
    task: tuple[Box, Floats, Floats, bool],
) -> tuple[NDArray[np.bool_], Floats]:
    """Which places in the core of one window hold data, as far as it tells; and the surest answer to each.

    Answers are ``(3, orientation, place)``: score, class and its probability, 0 where there is none.
    """
    core, x, y, wide = task
    eye = eye_of(options, checksum)
    read, radius = partial(significance, image, noise), options.radius * beam_width(beam)
    told = np.zeros((3, ways, x.size))
    if wide:
        known = np.zeros(x.shape, np.bool_)  # the window of the map itself tells
        looks = wide_in_each(core, eye.detector, eye.run, read, image.shape, beam, ways, quiet)
        looks = [without_doubles(each.select(each.scores >= _LEAST)) for each in looks]
    else:
        inside = core.intersect(Box.of(image.shape))
        row, column = (np.floor(each + 0.5).astype(np.int64) for each in (y, x))
        known = np.isfinite(image.read(inside))[row - inside.y0, column - inside.x0]
        looks = seen_in_each(core, eye.detector, eye.run, read, image.shape, beam, ways)
        looks = [not_too_wide(each, eye.detector, beam) for each in looks]
    for way, said in enumerate(looks):
        reach = np.maximum(radius, half_width(said["minor"])) if wide else np.full(len(said), radius)
        place, best = _surest(x, y, said, reach)
        told[:, way, place] = said.scores[best], said["class"][best], said["class_score"][best]
    return known, told


def _surest(x: Floats, y: Floats, said: Detections, reach: Floats) -> tuple[Ints, Ints]:
    """The places that answers reach, and the number of the surest one of each."""
    near = cKDTree(np.stack([x, y], axis=1)).sparse_distance_matrix(
        cKDTree(np.stack([said["x"], said["y"]], axis=1)), reach.max(initial=0.0), output_type="ndarray"
    )
    near = near[near["v"] <= reach[near["j"]]]
    place, answer = near["i"], near["j"]
    order = np.lexsort((answer, -said.scores[answer], place))
    place, at = np.unique(place[order], return_index=True)
    return place, answer[order][at]
