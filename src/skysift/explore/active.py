"""A person's scores from 0 to 5 change the ranking: the neighbour score, and a Gaussian process with its acquisition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.explore.options import ActiveOptions

__all__ = ["MOST_SCORE", "Process", "expected_improvement", "neighbour_score", "reranked"]

Floats: TypeAlias = NDArray[np.float64]

MOST_SCORE = 5.0
_LEAST, _SLOPE = 0.1, 0.85  # of the person's part of the neighbour score: it stays between 0.1 and 0.95


def reranked(
    views: Sequence[Floats], strange: Floats, scores: Floats, options: ActiveOptions
) -> tuple[Floats, Floats]:
    """How interesting each source is after a person's scores, and how much it is worth to be looked at next.

    The mean of what each view says. The Gaussian process adds to what it expects the person to score how strange a
    source is, ``strangeness`` -ln(1 - s): few scores say little of sources far from them.

    Parameters
    ----------
    views
        Where sources lie, in one space or several: (row, component); a row of NaN for one that is not in it.
    strange
        How strange each is without a person, from 0 to 1.
    scores
        The person's scores, 0 to 5; NaN where there is none.

    Returns
    -------
    interest
        Larger for what the person would score high.
    acquisition
        Larger for what should be shown next; -inf for what has a score.

    Raises
    ------
    UsageError
        There is no score, or one is not from 0 to 5.
    """
    known = np.isfinite(scores)
    if not known.any():
        raise UsageError(
            "there is no score to learn from", allowed="a table name,score with scores from 0 to 5"
        )
    if (scores[known] < 0.0).any() or (scores[known] > MOST_SCORE).any():
        wrong = scores[known][(scores[known] < 0.0) | (scores[known] > MOST_SCORE)][0]
        raise UsageError(
            "a score is out of bounds", got=float(wrong), allowed="0 (dull) to 5 (most interesting)"
        )
    told, worth = np.zeros((2, len(views), scores.size))
    there = np.zeros((len(views), scores.size), np.bool_)
    for k, coordinates in enumerate(views):
        rows = np.flatnonzero(np.isfinite(coordinates).all(axis=1))
        if not known[rows].any():
            continue
        there[k, rows] = True
        told[k, rows], worth[k, rows] = _in_view(coordinates[rows], strange[rows], scores[rows], options)
    number = np.maximum(there.sum(axis=0), 1)
    interest, acquisition = told.sum(axis=0) / number, worth.sum(axis=0) / number
    interest[~there.any(axis=0)] = np.nan
    acquisition[known | ~there.any(axis=0)] = -np.inf
    return interest, acquisition


def _in_view(
    coordinates: Floats, strange: Floats, scores: Floats, options: ActiveOptions
) -> tuple[Floats, Floats]:
    """The interest and the acquisition of the sources of one view."""
    known = np.isfinite(scores)
    if options.method == "neighbour":
        interest = neighbour_score(coordinates, strange, scores, options.trust, options.random_seed)
        return interest, interest.copy()
    process = Process.fitted(coordinates[known], scores[known])
    mean, spread = process.predict(coordinates)
    interest = mean - options.strangeness * np.log(np.maximum(1.0 - strange, 1e-12))
    acquisition = expected_improvement(interest, spread, float(scores[known].max()), options.tradeoff)
    return interest, acquisition + 1e-9 * strange  # of equal ones the stranger comes first


def neighbour_score(
    coordinates: Floats, strange: Floats, scores: Floats, trust: float, random_seed: int
) -> Floats:
    """Strangeness turned down where a person found things dull (Lochner & Bassett 2021, eq. 1 and 2).

    ``s tanh(delta - 1 + artanh(u))``: u is what a forest of regression trees expects the person to score, scaled to 0.1
    ... 0.95, and delta = exp(trust d / <d>) with the distance d to the nearest source that has a score: far from all
    scores the strangeness is left as it is.
    """
    from scipy.spatial import cKDTree  # late: heavy
    from sklearn.ensemble import RandomForestRegressor

    known = np.isfinite(scores)
    forest = RandomForestRegressor(100, random_state=random_seed).fit(coordinates[known], scores[known])
    expected = _LEAST + _SLOPE * forest.predict(coordinates) / MOST_SCORE
    far = np.asarray(cKDTree(coordinates[known]).query(coordinates)[0], np.float64)
    mean = far.mean()
    delta = np.exp(np.minimum(trust * far / mean, 50.0)) if mean > 0.0 else np.ones(far.size)
    return np.asarray(strange * np.tanh(delta - 1.0 + np.arctanh(expected)))


@dataclass(frozen=True, eq=False)
class Process:
    """
    A Gaussian process of scores over the space: Matern kernel of order 3/2 and white noise (Rasmussen & Williams 2006).

    Attributes
    ----------
    known
        Where sources with scores lie.
    weights
        Of the kernel at each, for the mean.
    factor
        Cholesky factor of the covariance of the scores.
    mean, amplitude, length, noise
        Of the scores; standard deviation of the process, its length, standard deviation of a score.
    """

    known: Floats
    weights: Floats
    factor: Floats
    mean: float
    amplitude: float
    length: float
    noise: float

    @classmethod
    def fitted(cls, known: Floats, scores: Floats) -> Process:
        """The process whose length and noise make the scores most likely, of a grid of both."""
        apart = _distances(known, known)
        positive = apart[apart > 0.0]
        unit = float(np.median(positive)) if positive.size else 1.0
        mean = float(scores.mean())
        inner = scores - mean
        best: tuple[float, Process] | None = None
        for length in unit * np.array([0.125, 0.25, 0.5, 1.0, 2.0, 4.0]):
            shape = _matern(apart, length)
            for share in (0.01, 0.1, 0.3, 1.0):  # noise over amplitude, squared
                factor = np.asarray(
                    np.linalg.cholesky(shape + (share + 1e-9) * np.eye(len(known))), np.float64
                )
                white = np.linalg.solve(factor, inner)
                power = max(float(white @ white) / len(known), 1e-6)  # most likely amplitude, squared
                likelihood = -0.5 * len(known) * np.log(power) - float(np.log(np.diag(factor)).sum())
                if best is None or likelihood > best[0]:
                    process = cls(
                        known, np.linalg.solve(factor.T, white), factor, mean, float(np.sqrt(power)),
                        float(length), float(np.sqrt(power * share)),
                    )  # fmt: skip
                    best = likelihood, process
        assert best is not None
        return best[1]

    def predict(self, coordinates: Floats) -> tuple[Floats, Floats]:
        """The mean and the standard deviation of the score of each source, without the noise of a score."""
        mean, spread = np.empty(len(coordinates)), np.empty(len(coordinates))
        for start in range(0, len(coordinates), 4096):
            part = slice(start, start + 4096)
            near = _matern(_distances(coordinates[part], self.known), self.length)
            mean[part] = self.mean + near @ self.weights
            inner = np.linalg.solve(self.factor, near.T)
            spread[part] = self.amplitude * np.sqrt(np.maximum(1.0 - (inner**2).sum(axis=0), 1e-12))
        return mean, spread


def expected_improvement(mean: Floats, spread: Floats, best: float, tradeoff: float) -> Floats:
    """How much better than the best score a source is expected to be (Mockus 1978; as Walmsley et al. 2022 use it)."""
    from scipy.special import ndtr  # late: heavy

    gain = mean - best - tradeoff
    z = gain / spread
    return np.asarray(gain * ndtr(z) + spread * np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi))


def _distances(one: Floats, other: Floats) -> Floats:
    """Distances (one, other)."""
    from scipy.spatial.distance import cdist  # late: heavy

    return np.asarray(cdist(one, other), np.float64)


def _matern(apart: Floats, length: float) -> Floats:
    """The Matern kernel of order 3/2 at these distances."""
    scaled = np.sqrt(3.0) * apart / length
    return np.asarray((1.0 + scaled) * np.exp(-scaled))
