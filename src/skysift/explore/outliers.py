"""How strange a source is: `Outlier` and those of the house, calibrated quantiles, and one rank of all."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from skysift.base.options import Options
from skysift.explore.options import DensityOptions, DistanceOptions, ForestOptions

__all__ = ["DensityOutlier", "DistanceOutlier", "ForestOutlier", "Outlier", "combined", "quantiles", "ranks"]

Floats: TypeAlias = NDArray[np.float64]
O = TypeVar("O", bound=Options)  # noqa: E741


class Outlier(ABC, Generic[O]):
    """What says how strange sources are among others."""

    def __init__(self, options: O) -> None:
        self.options = options

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.options!r})"

    @abstractmethod
    def scores(self, reference: Floats, new: Floats | None, random_seed: int) -> Floats:
        """A number a source, larger for stranger ones.

        Parameters
        ----------
        reference
            Where the sources lie that say what is usual: (row, component).
        new
            Other sources; None for those of the reference, each among the others.
        random_seed
            Every random choice follows from it.
        """


class ForestOutlier(Outlier[ForestOptions]):
    """Sources that random cuts isolate quickly are strange."""

    def scores(self, reference: Floats, new: Floats | None, random_seed: int) -> Floats:
        """The anomaly score of Liu et al. (2008), from 0 to 1."""
        from sklearn.ensemble import IsolationForest  # late: heavy

        forest = IsolationForest(
            n_estimators=self.options.trees,
            max_samples=min(self.options.sample, len(reference)),
            random_state=random_seed,
        ).fit(reference)
        return -np.asarray(forest.score_samples(reference if new is None else new), np.float64)


class DensityOutlier(Outlier[DensityOptions]):
    """Sources around which it is thinner than around their neighbours are strange."""

    def scores(self, reference: Floats, new: Floats | None, random_seed: int) -> Floats:
        """The local outlier factor."""
        from sklearn.neighbors import LocalOutlierFactor  # late: heavy

        del random_seed  # nothing is left to chance
        k = max(1, min(self.options.neighbours, len(reference) - 1))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # copies of a source are told by the report of duplicates
            how = LocalOutlierFactor(n_neighbors=k, novelty=new is not None).fit(reference)
            found = how.negative_outlier_factor_ if new is None else how.score_samples(new)
        return -np.asarray(found, np.float64)


class DistanceOutlier(Outlier[DistanceOptions]):
    """Sources whose nearest neighbours are far are strange."""

    def scores(self, reference: Floats, new: Floats | None, random_seed: int) -> Floats:
        """The mean distance to the nearest neighbours."""
        from sklearn.neighbors import NearestNeighbors  # late: heavy

        del random_seed  # nothing is left to chance
        k = max(1, min(self.options.neighbours, len(reference) - (new is None)))
        search = NearestNeighbors(n_neighbors=k).fit(reference)
        far, _ = search.kneighbors(new)  # without an argument: among the others
        return np.asarray(far.mean(axis=1), np.float64)


def quantiles(scores: Floats, reference: Floats | None = None) -> Floats:
    """The part of a reference that has a lower score, between 0 and 1; of the scores themselves without one.

    Of a sample of its own kind a source has each quantile as often, which makes methods comparable.
    """
    known = np.sort(scores if reference is None else reference)
    below, upto = np.searchsorted(known, scores, "left"), np.searchsorted(known, scores, "right")
    if reference is None:
        return np.asarray((below + upto) / (2.0 * known.size))
    return np.asarray((0.5 * (below + upto) + 0.5) / (known.size + 1.0))


def combined(each: Mapping[str, Floats]) -> Floats:
    """One number of the quantiles of several methods: the mean of -ln(1 - q), after Fisher (1932).

    Of those that there are: NaN are passed over, and where all are NaN so is the mean.
    """
    told = np.stack([-np.log(np.maximum(1.0 - q, 1e-12)) for q in each.values()])
    number = np.isfinite(told).sum(axis=0)
    return np.where(number > 0, np.nansum(told, axis=0) / np.maximum(number, 1), np.nan)


def ranks(strange: Floats) -> Floats:
    """1 for the strangest; equal ones share the mean of their ranks, as do those without a number, which come last."""
    from scipy.stats import rankdata  # late: heavy

    return np.asarray(rankdata(-np.where(np.isfinite(strange), strange, -np.inf)), np.float64)
