"""A window seen in several orientations: a network's answers to each, turned back and joined."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from skysift.base.compiled import kernel
from skysift.find.neural.detector import Detector
from skysift.find.neural.found import RAW, as_detections, half_width, nothing_found, without_doubles
from skysift.sky.detections import Detections
from skysift.sky.truth import CLASSES, SPURIOUS

__all__ = [
    "ORIENTATIONS",
    "found_in_all",
    "found_in_each",
    "joined_found",
    "mean_score",
    "turned",
    "turned_back",
    "turned_beam",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Pixels = NDArray[np.float32]
Orientation = tuple[bool, bool, bool]

ORIENTATIONS: tuple[Orientation, ...] = (
    (False, False, False),
    (False, True, True),
    (False, True, False),
    (False, False, True),
    (True, False, False),
    (True, True, True),
    (True, True, False),
    (True, False, True),
)
"""Whether y and x change places; then whether y, and whether x, runs backwards. The first 1, 2, 4 and 8 are groups."""

_LEAST = 0.1  # an answer with a lower score counts as none: scores do not depend on the threshold
_NEAR = 0.6  # of the reach of a source: answers that are so near to each other are of the same one


def turned(z: Pixels, how: Orientation) -> Pixels:
    """A window ``(y, x)`` in another orientation."""
    swapped, back_y, back_x = how
    seen = z.T if swapped else z
    return np.ascontiguousarray(seen[:: -1 if back_y else 1, :: -1 if back_x else 1])


def turned_beam(beam: Floats, how: Orientation) -> Floats:
    """A beam ``(3,)`` in another orientation."""
    xx, xy, yy = beam
    swapped, back_y, back_x = how
    return np.array([yy, xy, xx] if swapped else [xx, xy, yy]) * (1.0, -1.0 if back_y != back_x else 1.0, 1.0)


def turned_back(found: Detections, how: Orientation, shape: tuple[int, int]) -> dict[str, Floats]:
    """The raw parameters of what was found in a turned window, as they are in the window ``(y, x)`` itself."""
    swapped, back_y, back_x = how
    ny, nx = shape[::-1] if swapped else shape
    raw = {name: np.asarray(found[name], np.float64) for name in RAW}
    if back_x:
        raw["x"] = nx - 1.0 - raw["x"]
    if back_y:
        raw["y"] = ny - 1.0 - raw["y"]
    if back_x != back_y:
        raw["sin"] = -raw["sin"]
    if swapped:
        raw["x"], raw["y"], raw["cos"] = raw["y"], raw["x"], -raw["cos"]
    return raw


def found_in_all(
    detector: Detector,
    run: Callable[[dict[str, Pixels]], Pixels],
    z: Pixels,
    beam: Floats,
    least: float,
    flips: int,
) -> Detections:
    """
    What a network finds in a window that it sees in several orientations; without doubles.

    Parameters
    ----------
    detector, run
        What answers mean, and how they are got.
    z, beam
        The window ``(y, x)`` in units of the noise, and its beam ``(3,)``.
    least
        Mean score below which nothing is told.
    flips
        How many orientations: 1, 2, 4 or 8.
    """
    parts, scores, ways = [], [], []
    for number, how in enumerate(ORIENTATIONS[:flips]):
        seen, its_beam = turned(z, how), turned_beam(beam, how)
        answer = run(detector.inputs(seen, its_beam))[0]
        found = without_doubles(detector.single(detector.found(answer, seen, its_beam, _LEAST), its_beam))
        parts.append(turned_back(found, how, z.shape))
        scores.append(found.scores)
        ways.append(np.full(len(found), number))
    raw = {name: np.concatenate([each[name] for each in parts]) for name in RAW}
    joined, _ = joined_found(raw, np.concatenate(scores), np.concatenate(ways), flips)
    return joined.select(joined.scores >= least)


def found_in_each(
    detector: Detector, run: Callable[[dict[str, Pixels]], Pixels], z: Pixels, beam: Floats, flips: int
) -> list[Detections]:
    """All that a network says of a window in each of several orientations, doubles among it, turned back.

    Parameters
    ----------
    detector, run
        What answers mean, and how they are got.
    z, beam
        The window ``(y, x)`` in units of the noise, and its beam ``(3,)``.
    flips
        How many orientations: 1, 2, 4 or 8.
    """
    made = []
    for how in ORIENTATIONS[:flips]:
        seen, its_beam = turned(z, how), turned_beam(beam, how)
        found = detector.found(run(detector.inputs(seen, its_beam))[0], seen, its_beam, 0.0)
        made.append(as_detections(turned_back(found, how, (z.shape[0], z.shape[1])), found.scores))
    return made


def mean_score(told: Floats) -> Floats:
    """The mean over all who looked ``(source, who)``; NaN, of those who saw nothing, counts as 0."""
    return np.asarray(np.nan_to_num(told).mean(axis=1))


def joined_found(
    raw: Mapping[str, Floats],
    scores: Floats,
    ways: Ints,
    n_ways: int,
    law: Callable[[Floats], Floats] = mean_score,
    *,
    near: float = _NEAR,
    sure: Floats | None = None,
) -> tuple[Detections, Floats]:
    """
    Detections of several who looked at the same map, joined source by source, and the scores ``(source, who)`` of each.

    Parameters are means weighted by score, of flux and axes those of their logarithms. Where those who looked differ,
    parameters are those of the surest, and who takes the source for an artefact does not speak for it: its score is that
    of those who do not, or that of those who do where this is higher, and then an artefact it is.

    Parameters
    ----------
    raw, scores
        Parameters and scores of all detections, each of one who looked without doubles.
    ways
        Who found each, from 0.
    n_ways
        How many looked.
    law
        The score of sources from those of each who looked, NaN of who saw nothing.
    near
        Of the reach of a source: detections that are so near to each other are of the same one; and those that are
        nearer than half of the smaller minor axis, as for `skysift.find.neural.found.without_doubles`.
    sure
        How far each detection is to be believed, where those who looked differ.
    """
    if not scores.size:
        return nothing_found(), np.empty((0, n_ways))
    order = np.lexsort((ways, raw["x"], raw["y"], -scores))
    value = {name: each[order] for name, each in raw.items()}
    scores, ways = scores[order], ways[order]
    group = np.full(scores.size, -1, np.int64)
    n = join_nearest(
        np.ascontiguousarray(value["x"]), np.ascontiguousarray(value["y"]),
        np.ascontiguousarray(near * value["reach"]), half_width(value["minor"]), ways.astype(np.int64), n_ways, group,
    )  # fmt: skip
    told = np.full((n, n_ways), np.nan)
    told[group, ways] = scores
    weight = np.maximum(scores, 1e-6)
    if sure is not None:
        artefact = value["class"] == CLASSES.index(SPURIOUS)
        told, spurious = _sides(told, group, ways, artefact, law)
        other = artefact != spurious[group]
        by_group = np.lexsort((ways, -sure[order], other, group))
        weight = np.zeros(scores.size)
        weight[by_group[np.searchsorted(group[by_group], np.arange(n))]] = 1.0
    total = np.bincount(group, weight, n)

    def mean(values: Floats) -> Floats:
        return np.asarray(np.bincount(group, weight * values, n) / total)

    columns = {name: mean(value[name]) for name in RAW}
    for name in ("snr", "major", "minor"):
        columns[name] = np.exp(mean(np.log(np.maximum(value[name], 1e-6))))
    length = np.maximum(np.hypot(columns["cos"], columns["sin"]), 1e-9)
    columns["cos"], columns["sin"] = columns["cos"] / length, columns["sin"] / length
    votes = np.zeros((n, len(CLASSES)))
    np.add.at(votes, (group, value["class"].astype(np.int64)), weight * value["class_score"])
    columns["class"] = votes.argmax(axis=1).astype(np.float64)
    columns["class_score"] = votes.max(axis=1) / total
    final = law(told)
    order = np.lexsort((columns["x"], columns["y"], -final))  # as detections are kept
    return as_detections({name: each[order] for name, each in columns.items()}, final[order]), told[order]


def _sides(
    told: Floats, group: Ints, ways: Ints, artefact: NDArray[np.bool_], law: Callable[[Floats], Floats]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Scores ``(source, who)`` of the likelier side, those who see a source or an artefact; and which are artefacts."""
    sides, chances = [], []
    for kind in (False, True):
        side = np.full(told.shape, np.nan)
        of = artefact == kind
        side[group[of], ways[of]] = told[group[of], ways[of]]
        sides.append(side)
        chances.append(np.where(np.isfinite(side).any(axis=1), law(side), -np.inf))
    spurious = chances[1] > chances[0]
    return np.where(spurious[:, None], sides[1], sides[0]), spurious


@kernel
def join_nearest(
    x: Floats, y: Floats, near: Floats, half: Floats, ways: Ints, n_ways: int, group: Ints
) -> int:
    """
    Give each detection the number of its source, and return how many there are.

    Detections come the best first. One that belongs to none begins a source, to which the nearest free detection of
    each of the others who looked belongs, if it is near: nearer than `near` of the first, or than the smaller `half` of
    both. Candidates are looked up in a grid.
    """
    n = x.shape[0]
    wide = max(1.0, near.max())
    x0, y0 = x.min(), y.min()
    nx, ny = int((x.max() - x0) / wide) + 1, int((y.max() - y0) / wide) + 1
    head = np.full(min(nx * ny, 4 * n + 17), -1, np.int64)  # cells share places, whatever the map's size
    after = np.full(n, -1, np.int64)
    for k in range(n):
        cell = (int((y[k] - y0) / wide) * nx + int((x[k] - x0) / wide)) % head.size
        after[k] = head[cell]
        head[cell] = k
    best = np.empty(n_ways, np.int64)
    away = np.empty(n_ways)
    count = 0
    for k in range(n):
        if group[k] >= 0:
            continue
        group[k] = count
        best[:] = -1
        away[:] = np.inf
        far = max(near[k], half[k])
        low_i, low_j = int(max(x[k] - far - x0, 0.0) / wide), int(max(y[k] - far - y0, 0.0) / wide)
        high_i, high_j = int((x[k] + far - x0) / wide), int((y[k] + far - y0) / wide)
        for b in range(low_j, min(ny, high_j + 1)):
            for a in range(low_i, min(nx, high_i + 1)):
                other = head[(b * nx + a) % head.size]
                while other >= 0:
                    way = ways[other]
                    if group[other] < 0 and way != ways[k]:
                        d = (x[k] - x[other]) ** 2 + (y[k] - y[other]) ** 2
                        limit = max(near[k], min(half[k], half[other]))
                        nearer = d < away[way] or (d == away[way] and other < best[way])
                        if d < limit * limit and nearer:
                            away[way] = d
                            best[way] = other
                    other = after[other]
        for way in range(n_ways):
            if best[way] >= 0:
                group[best[way]] = count
        count += 1
    return count
