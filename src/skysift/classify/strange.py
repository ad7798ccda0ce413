"""`Strangeness`: how far a source lies from those that a classifier learnt from, as a part of these, from 0 to 1.

A fixed threshold on a distance flags nothing in one table and everything in the next; here the distance is compared
with those of sources that were left out while the measure was fitted (split conformal, Laxhammar & Falkman 2010), so
that the part x of sources like those learnt from lies above 1 - x, whatever the features are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.random import generator

__all__ = ["MEASURES", "UNLIKE_ALL", "Strangeness", "fitted"]

Floats: TypeAlias = NDArray[np.float64]

MEASURES = ("neighbours", "mahalanobis")
UNLIKE_ALL = 1.0  # of what cannot be like anything that was learnt
NEIGHBOURS = 5
_WIDEST = 8.0  # widths: one wild feature must not decide alone
_MOST = 4000  # sources that are kept to measure distances to
_BLOCK = 512


@dataclass(frozen=True, eq=False)
class Strangeness:
    """
    A measure of distance with what is usual.

    Attributes
    ----------
    measure
        ``neighbours``: mean distance to the nearest five; ``mahalanobis``: in units of the covariance.
    middle, width
        Of each feature: features are compared in these units.
    kept
        Sources learnt from in these units, or the factor that whitens.
    usual
        Distances of sources that were left out, growing.
    """

    measure: str
    middle: Floats
    width: Floats
    kept: Floats
    usual: Floats

    def __call__(self, values: Floats) -> Floats:
        """Of each row the part of the sources learnt from that lie nearer; NaN where a row holds no number."""
        told = np.full(len(values), np.nan)
        some = np.isfinite(values).any(axis=1)
        if some.any():
            far = _distances(self.measure, self.kept, self._scaled(values[some]))
            told[some] = np.searchsorted(self.usual, far, side="left") / (len(self.usual) + 1.0)
        return told

    def usual_among(self, others: Floats) -> Strangeness:
        """The same measure, with the distances of others than those learnt from as what is usual."""
        others = others[np.isfinite(others).any(axis=1)]
        far = np.sort(_distances(self.measure, self.kept, self._scaled(others)))
        return Strangeness(self.measure, self.middle, self.width, self.kept, far)

    def _scaled(self, values: Floats) -> Floats:
        return _scaled(values, self.middle, self.width)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What it keeps."""
        return {
            "ood.middle": self.middle.astype(np.float32),
            "ood.width": self.width.astype(np.float32),
            "ood.kept": self.kept.astype(np.float16 if self.measure == "neighbours" else np.float32),
            "ood.usual": self.usual.astype(np.float32),
        }

    @classmethod
    def of(cls, measure: str, arrays: Mapping[str, NDArray[Any]]) -> Strangeness:
        """What `arrays` told of."""
        middle, width, kept, usual = (
            np.asarray(arrays[f"ood.{name}"], np.float64) for name in ("middle", "width", "kept", "usual")
        )
        return cls(measure, middle, width, kept, usual)


def fitted(
    measure: str,
    values: Floats,
    random_seed: int,
    first: NDArray[np.int64] | None = None,
    folds: int = 5,
) -> Strangeness:
    """
    The measure of sources like these.

    Parameters
    ----------
    measure
        ``neighbours`` or ``mahalanobis``.
    values
        (row, feature); what is NaN counts as the middle.
    random_seed
        Decides which sources are left out together.
    first
        Of each row the first that is left out with it, such as the one that it is a copy of; itself by default.
    folds
        Into how many parts they are divided for that.
    """
    known = np.isfinite(values).any(axis=1)
    values = values[known]
    rng = generator(random_seed, "classify", "ood")
    rows = rng.permutation(len(values))[:_MOST]
    part = _drawn(rows if first is None else first[known][rows]) % max(2, min(folds, len(rows)))
    usual = np.concatenate(
        [_left_out(measure, values[rows[part != k]], values[rows[part == k]]) for k in range(part.max() + 1)]
    )
    middle, width = _units(values)
    kept = _kept(measure, _scaled(values[np.sort(rows)], middle, width))
    return Strangeness(measure, middle, width, kept, np.sort(usual))


def _drawn(first: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, 1, 2 ... in the order of rows; rows of one source share a number."""
    _, at, number = np.unique(first, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(at))[number], np.int64)


def _left_out(measure: str, learnt: Floats, others: Floats) -> Floats:
    middle, width = _units(learnt)
    return _distances(measure, _kept(measure, _scaled(learnt, middle, width)), _scaled(others, middle, width))


def _units(values: Floats) -> tuple[Floats, Floats]:
    """Median of each feature, and half the range of the middle 68 %."""
    finite = np.where(np.isfinite(values), values, np.nan)
    empty = ~np.isfinite(finite).any(axis=0)
    finite = np.where(empty, 0.0, finite)
    low, middle, high = np.nanquantile(finite, (0.16, 0.5, 0.84), axis=0)
    width = (high - low) / 2.0
    spread = np.nanstd(finite, axis=0)
    width = np.where(width > 1e-6 * np.maximum(np.abs(middle), 1e-30), width, spread)
    return middle, np.where(width > 0, width, 1.0)


def _scaled(values: Floats, middle: Floats, width: Floats) -> Floats:
    scaled = np.nan_to_num((values - middle) / width, nan=0.0, posinf=_WIDEST, neginf=-_WIDEST)
    return np.asarray(np.clip(scaled, -_WIDEST, _WIDEST))


def _kept(measure: str, scaled: Floats) -> Floats:
    if measure == "neighbours":
        return scaled
    centred = scaled - scaled.mean(axis=0)
    covariance = centred.T @ centred / max(len(scaled) - 1, 1)
    covariance += np.eye(len(covariance)) * (0.05 * np.trace(covariance) / len(covariance) + 1e-9)
    factor = np.linalg.cholesky(np.linalg.inv(covariance))
    return np.asarray(np.vstack([scaled.mean(axis=0), factor]))


def _distances(measure: str, kept: Floats, scaled: Floats) -> Floats:
    if measure == "mahalanobis":
        return np.asarray(np.linalg.norm((scaled - kept[0]) @ kept[1:], axis=1))
    n = min(NEIGHBOURS, len(kept))
    far = np.empty(len(scaled))
    squares = (kept**2).sum(axis=1)
    for start in range(0, len(scaled), _BLOCK):
        some = scaled[start : start + _BLOCK]
        apart = np.maximum((some**2).sum(axis=1)[:, None] + squares - 2.0 * some @ kept.T, 0.0)
        far[start : start + _BLOCK] = np.sqrt(np.partition(apart, n - 1, axis=1)[:, :n]).mean(axis=1)
    return far
