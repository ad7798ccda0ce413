"""`opinion_of`: what a network says of given places, whoever found them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from skysift.base.parallel import ALONE, Crew
from skysift.find.neural.calibration import Calibration
from skysift.find.neural.eye import eye_of
from skysift.find.neural.labelled import significance
from skysift.find.neural.options import JudgeOptions
from skysift.find.neural.shapes import beam_of, beam_width
from skysift.find.neural.windows import WINDOW, seen_in_each
from skysift.find.noise import Noise
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.image import SkyImage
from skysift.sky.truth import CLASSES, SPURIOUS

__all__ = ["Opinion", "opinion_of"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


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
    Windows are those of the finder, on a lattice that is anchored to the map.

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
    kind = np.full(x.shape, -1, np.int64)
    class_score, score = np.full(x.shape, np.nan), np.full(x.shape, np.nan)
    step = WINDOW - 2 * eye.detector.margin
    here = np.flatnonzero(image.box.contains(x, y))
    row, column = (np.floor(each[here] + 0.5).astype(np.int64) for each in (y, x))
    cells = np.stack([row // step, column // step], axis=1)
    cores, first = np.unique(cells, axis=0, return_inverse=True)
    order = np.argsort(first.ravel(), kind="stable")
    members = np.split(here[order], np.cumsum(np.bincount(first.ravel(), minlength=len(cores)))[:-1])
    tasks = [
        (Box(j * step, (j + 1) * step, i * step, (i + 1) * step), x[mine], y[mine])
        for (j, i), mine in zip(cores.tolist(), members, strict=True)
    ]
    beam = beam_of(image)
    answers = crew.map("judge", partial(_look, image, noise, options, eye.weights.checksum, beam), tasks)
    for mine, answer in zip(members, answers, strict=True):
        kind[mine], class_score[mine], score[mine] = answer
    return Opinion(kind, class_score, score)


def _look(
    image: SkyImage,
    noise: Noise,
    options: JudgeOptions,
    checksum: str,
    beam: Floats,
    task: tuple[Box, Floats, Floats],
) -> tuple[Ints, Floats, Floats]:
    """Class, its probability and score of the places in the core of one window."""
    core, x, y = task
    eye = eye_of(options, checksum)
    settings = eye.weights.card.settings
    ways = int(settings.get("flips", 1))  # as they were calibrated
    read = partial(significance, image, noise)
    looks = seen_in_each(core, eye.detector, eye.run, read, image.shape, beam, ways)
    inside = core.intersect(Box.of(image.shape))
    row, column = (np.floor(each + 0.5).astype(np.int64) for each in (y, x))
    known = np.isfinite(image.read(inside))[row - inside.y0, column - inside.x0]
    radius = options.radius * beam_width(beam)
    total, votes = np.zeros(x.shape), np.zeros((x.size, len(CLASSES)))
    for said in looks:
        place, best = _surest(x, y, said, radius)
        total[place] += said.scores[best]
        weight = np.maximum(said.scores[best], 1e-6) * said["class_score"][best]
        votes[place, said["class"][best].astype(np.int64)] += weight
    answered = votes.any(axis=1) & known
    kind = np.where(answered, votes.argmax(axis=1), np.where(known, CLASSES.index(SPURIOUS), -1))
    sure = np.maximum(total, 1e-6)
    class_score = np.where(answered, votes.max(axis=1) / sure, np.nan)
    score = np.where(answered, Calibration.of(settings).scores(total / ways), np.where(known, 0.0, np.nan))
    return kind, class_score, score


def _surest(x: Floats, y: Floats, said: Detections, radius: float) -> tuple[Ints, Ints]:
    """The places near which a network has an answer, and the number of its surest one."""
    near = cKDTree(np.stack([x, y], axis=1)).sparse_distance_matrix(
        cKDTree(np.stack([said["x"], said["y"]], axis=1)), radius, output_type="ndarray"
    )
    place, answer = near["i"], near["j"]
    order = np.lexsort((answer, -said.scores[answer], place))
    place, at = np.unique(place[order], return_index=True)
    return place, answer[order][at]
