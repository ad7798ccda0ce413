"""What the scores of the SKA Science Data Challenges have in common: candidates, terms, and their summary.

A detection that matches an object of the truth earns up to one point, the mean of seven terms; one that matches
none costs a point. A term is min(1, tolerance / error). The rules are those of the package ska-sdc 2.0.0 and of
the challenges' papers (Bonaldi et al. 2021, MNRAS 500, 3821; Hartley et al. 2023, MNRAS 523, 1967).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from skysift.score.intervals import Z, share_numbers
from skysift.score.scorer import Number, ReportTable
from skysift.sky.table import Values

__all__ = [
    "Matches",
    "SdcScore",
    "best_of_each",
    "candidates",
    "fluxes_table",
    "joined",
    "numbers_of",
    "picked",
    "relative",
    "term",
    "terms_table",
]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

MULTID_LIMIT = 5.0  # a candidate further off than this, in all quantities together, is no match
_PAIRS = 4_000_000  # candidates that are looked at together
_EDGES = 2  # bins of flux in a decade


@dataclass(frozen=True, eq=False)
class Matches:
    """Candidates of which each detection has at most one: the nearest in all quantities together.

    Parameters
    ----------
    left, right
        Rows of the detections and of the truth; (n,).
    distance
        In position, flux and size together, each in units of its usual error; NaN where it has none; (n,).
    """

    left: Ints
    right: Ints
    distance: Floats

    def select(self, picked: NDArray[np.bool_] | Ints) -> Matches:
        """The candidates where a mask is true, or with these numbers."""
        return Matches(self.left[picked], self.right[picked], self.distance[picked])

    @property
    def near(self) -> NDArray[np.bool_]:
        """True for what is a match."""
        return np.asarray(self.distance < MULTID_LIMIT)

    @property
    def n_far(self) -> int:
        """The number of candidates that are too far off to be matches."""
        return int(np.sum(self.distance >= MULTID_LIMIT))

    def __len__(self) -> int:
        return int(self.left.size)


@dataclass(frozen=True, eq=False)
class SdcScore:
    """The outcome of a challenge for one list.

    Parameters
    ----------
    n_det
        Detections that count.
    n_truth
        Objects of the truth that count.
    n_bad
        Detections with a candidate that was too far off.
    matches
        Rows of the two lists as they were given.
    terms
        Name -> what each match earned, 0 to 1, NaN where truth and detection have no such value (it counts 0).
    share
        What a match is worth: 1 over the number of detections that share its object.
    if_none
        The score of a list of which nothing matches.
    """

    n_det: int
    n_truth: int
    n_bad: int
    matches: Matches
    terms: Mapping[str, Floats]
    share: Floats
    if_none: float

    @property
    def points(self) -> Floats:
        """What each match earned in all terms together."""
        if not self.n_match:
            return np.empty(0)
        return np.asarray(self.share * np.mean([np.nan_to_num(each) for each in self.terms.values()], axis=0))

    @property
    def n_match(self) -> int:
        """The number of matches."""
        return len(self.matches)

    @property
    def n_false(self) -> int:
        """The number of detections that match nothing."""
        return self.n_det - self.n_match

    @property
    def value(self) -> float:
        """The score: points earned less detections that match nothing."""
        return float(np.sum(self.points)) - self.n_false if self.n_match else self.if_none


def candidates(there: Floats, here: Floats, radius: Floats) -> Iterator[tuple[Ints, Ints]]:
    """Pairs (row of `here`, row of `there`) no further apart than the radius of the row of `here`.

    They come in the order of the rows, a few million at a time.

    Parameters
    ----------
    there, here
        Positions in a flat space; (n, axes).
    radius
        One a row of `here`.
    """
    if not len(there) or not len(here):
        return
    tree = cKDTree(there)
    count = np.asarray(tree.query_ball_point(here, radius, return_length=True), dtype=np.int64)
    total = np.cumsum(count)
    start = 0
    while start < len(here):
        before = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, before + _PAIRS, side="right")))
        rows = np.arange(start, stop)[count[start:stop] > 0]
        if rows.size:
            lists = tree.query_ball_point(here[rows], radius[rows], return_sorted=True)
            found = np.fromiter(
                itertools.chain.from_iterable(lists), dtype=np.int64, count=int(np.sum(count[rows]))
            )
            yield np.repeat(rows, count[rows]), found
        start = stop


def best_of_each(matches: Matches, owner: Values, first: Values) -> Matches:
    """The nearest candidate of each owner; of equally near ones that which is lowest in `first`.

    A distance that is NaN is beyond all others.
    """
    order = np.lexsort((first, matches.distance, owner))
    owned = owner[order]
    kept = np.ones(order.size, dtype=np.bool_)
    kept[1:] = owned[1:] != owned[:-1]
    return matches.select(order[kept])


def joined(parts: Sequence[Matches]) -> Matches:
    """The candidates of all parts, one after the other."""
    if not parts:
        none = np.empty(0, dtype=np.int64)
        return Matches(none, none, np.empty(0))
    return Matches(
        np.concatenate([each.left for each in parts]),
        np.concatenate([each.right for each in parts]),
        np.concatenate([each.distance for each in parts]),
    )


def picked(columns: Mapping[str, Floats], rows: Ints) -> dict[str, Floats]:
    """The columns of the rows with these numbers."""
    return {name: values[rows] for name, values in columns.items()}


def term(error: Floats, tolerance: float) -> Floats:
    """min(1, tolerance / error): 1 without an error, NaN where the error is NaN."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.minimum(1.0, 1.0 / error * tolerance)


def relative(measured: Floats, true: Floats, scale: Floats) -> Floats:
    """|measured - true| / scale; NaN where all of it is 0."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(np.abs(measured - true) / scale)


def numbers_of(score: SdcScore, measured: tuple[str, ...], n_rows: int) -> dict[str, Number]:
    """The numbers of a report.

    Parameters
    ----------
    score
        The outcome.
    measured
        The terms that rest on a measurement: the rest earns nearly as much without one.
    n_rows
        Of the catalogue; those that are no detections of the score were left out.
    """
    low, high = _points_interval(score)
    numbers: dict[str, Number] = {
        "M_s": score.value,
        "M_s_low": low,
        "M_s_high": high,
        "N_det": score.n_det,
        "N_match": score.n_match,
        "N_false": score.n_false,
        "N_bad": score.n_bad,
        "N_truth": score.n_truth,
        "N_left_out": n_rows - score.n_det,
    }
    numbers |= share_numbers("purity", score.n_match, score.n_det)
    n_objects = int(np.unique(score.matches.right).size)
    numbers |= share_numbers("completeness", n_objects, score.n_truth)
    numbers |= _mean("mean_score", score.points)
    terms = {name: np.nan_to_num(values) for name, values in score.terms.items()}
    alone = np.mean([terms[name] for name in measured], axis=0) if score.n_match else np.empty(0)
    numbers |= _mean("mean_measured", alone)
    for name, values in terms.items():
        numbers |= _mean(f"mean_{name}", values)
    return numbers


def terms_table(score: SdcScore) -> ReportTable:
    """What the matches earned in each term, with intervals, and the share of those that earned all of it."""
    values = {name: np.nan_to_num(each) for name, each in score.terms.items()}
    means = {name: _mean("mean", each) for name, each in values.items()}
    full = {name: float(np.mean(each >= 1.0)) if each.size else math.nan for name, each in values.items()}
    return {
        "term": list(values),
        "mean": [means[name]["mean"] for name in values],
        "mean_low": [means[name]["mean_low"] for name in values],
        "mean_high": [means[name]["mean_high"] for name in values],
        "full": [full[name] for name in values],
    }


def fluxes_table(score: SdcScore, flux: Floats, counted: NDArray[np.bool_]) -> ReportTable:
    """Objects of the truth, those matched and what these earned, in bins of true flux.

    Parameters
    ----------
    score
        The outcome.
    flux
        Of the truth; (n,).
    counted
        True for the objects of the truth that count; (n,).
    """
    usable = counted & (flux > 0.0) & np.isfinite(flux)
    if not usable.any():
        return {name: [] for name in ("flux", "flux_low", "flux_high", "n_truth", "n_match", "points")}
    number = np.floor(_EDGES * np.log10(np.where(usable, flux, 1.0))).astype(np.int64)
    bins, place = np.unique(number[usable], return_inverse=True)
    slot = np.full(flux.size, -1)
    slot[usable] = place
    matched = slot[score.matches.right]
    known = matched >= 0
    n_truth = np.bincount(place, minlength=bins.size)
    n_match = np.bincount(matched[known], minlength=bins.size)
    points = np.bincount(matched[known], weights=score.points[known], minlength=bins.size)
    return {
        "flux": [10.0 ** ((each + 0.5) / _EDGES) for each in bins.tolist()],
        "flux_low": [10.0 ** (each / _EDGES) for each in bins.tolist()],
        "flux_high": [10.0 ** ((each + 1) / _EDGES) for each in bins.tolist()],
        "n_truth": n_truth.tolist(),
        "n_match": n_match.tolist(),
        "points": points.tolist(),
    }


def _mean(name: str, values: Floats) -> dict[str, Number]:
    """A mean with the interval that the scatter of the values gives it."""
    if not values.size:
        return {name: math.nan, f"{name}_low": math.nan, f"{name}_high": math.nan}
    mean = float(np.mean(values))
    if values.size == 1:
        return {name: mean, f"{name}_low": math.nan, f"{name}_high": math.nan}
    half = Z * float(np.std(values, ddof=1)) / math.sqrt(values.size)
    # points lie from 0 to 1, and so does their mean
    return {name: mean, f"{name}_low": max(mean - half, 0.0), f"{name}_high": min(mean + half, 1.0)}


def _points_interval(score: SdcScore) -> tuple[float, float]:
    """The interval of the score by the scatter of what single detections earn, their number held."""
    if score.n_det < 2 or not score.n_match:
        return math.nan, math.nan
    points = score.points
    total, squares = float(np.sum(points)) - score.n_false, float(np.sum(points**2)) + score.n_false
    variance = max(squares - total**2 / score.n_det, 0.0) * score.n_det / (score.n_det - 1)
    return total - Z * math.sqrt(variance), total + Z * math.sqrt(variance)
