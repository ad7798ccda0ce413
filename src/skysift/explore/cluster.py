"""Groups of sources: `Clusterer` and those of the house; ids go from the largest group to the smallest, -1 is noise."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from skysift.base.options import Options
from skysift.base.random import generator
from skysift.explore.options import HdbscanOptions, KMeansOptions, MixtureOptions

__all__ = ["Clusterer", "HdbscanClusterer", "KMeansClusterer", "MixtureClusterer", "by_size", "silhouette"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
O = TypeVar("O", bound=Options)  # noqa: E741

_MOST = 2000  # sources whose silhouettes are looked at


class Clusterer(ABC, Generic[O]):
    """What parts sources into groups."""

    def __init__(self, options: O) -> None:
        self.options = options

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.options!r})"

    @abstractmethod
    def labels(self, coordinates: Floats, random_seed: int) -> Ints:
        """The group of each source (row, component); -1 for noise, whatever the other numbers are.

        Parameters
        ----------
        coordinates
            Where the sources lie.
        random_seed
            Every random choice follows from it.
        """


class HdbscanClusterer(Clusterer[HdbscanOptions]):
    """Dense regions as groups, and noise that stays noise."""

    def labels(self, coordinates: Floats, random_seed: int) -> Ints:
        """The group of each source."""
        from sklearn.cluster import HDBSCAN  # late: heavy

        del random_seed  # nothing is left to chance
        smallest = self.options.smallest or max(5, round(0.02 * len(coordinates)))
        if len(coordinates) <= max(smallest, self.options.samples, 2):
            return np.full(len(coordinates), -1)
        how = HDBSCAN(
            min_cluster_size=max(2, smallest),
            min_samples=self.options.samples,
            cluster_selection_method=self.options.method,
            copy=True,
        )
        return by_size(how.fit_predict(coordinates))


class KMeansClusterer(Clusterer[KMeansOptions]):
    """Every source in the group whose mean is nearest."""

    def labels(self, coordinates: Floats, random_seed: int) -> Ints:
        """The group of each source."""
        most = min(self.options.most, len(np.unique(coordinates, axis=0)) - 1)
        if self.options.number:
            return self._parted(coordinates, min(self.options.number, most + 1), random_seed)
        if most < 2:
            return np.zeros(len(coordinates), np.int64)
        tried = [self._parted(coordinates, n, random_seed) for n in range(2, most + 1)]
        return max(tried, key=lambda each: silhouette(coordinates, each))

    def _parted(self, coordinates: Floats, n: int, random_seed: int) -> Ints:
        from sklearn.cluster import KMeans  # late: heavy

        return by_size(KMeans(n, n_init=5, random_state=random_seed).fit_predict(coordinates))


class MixtureClusterer(Clusterer[MixtureOptions]):
    """Every source in the Gaussian of a mixture that it most likely comes from."""

    def labels(self, coordinates: Floats, random_seed: int) -> Ints:
        """The group of each source."""
        from sklearn.mixture import GaussianMixture  # late: heavy

        most = max(1, min(self.options.most, len(coordinates) // 3))
        if len(coordinates) < 2:
            return np.zeros(len(coordinates), np.int64)
        numbers = [min(self.options.number, most)] if self.options.number else range(1, most + 1)
        best, least = np.zeros(len(coordinates), np.int64), np.inf
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one that does not converge has a worse criterion
            for n in numbers:
                how = GaussianMixture(
                    n, covariance_type=self.options.covariance, reg_covar=1e-4, random_state=random_seed
                ).fit(coordinates)
                criterion = float(how.bic(coordinates))
                if criterion < least:
                    best, least = how.predict(coordinates), criterion
        return by_size(best)


def by_size(labels: NDArray[np.integer]) -> Ints:
    """Labels numbered from 0 by size, the largest first, of equal ones that which begins first; noise stays -1."""
    found, first, count = np.unique(labels, return_index=True, return_counts=True)
    kept = found >= 0
    order = np.lexsort((first[kept], -count[kept]))
    table = np.full(found.size, -1, np.int64)
    table[np.flatnonzero(kept)[order]] = np.arange(order.size)
    return np.asarray(table[np.searchsorted(found, labels)], np.int64)


def silhouette(coordinates: Floats, labels: Ints) -> float:
    """The mean silhouette of sources that are in groups (Rousseeuw 1987); NaN where there are not two groups.

    Of many sources some are looked at, the same ones each time.
    """
    from sklearn.metrics import silhouette_score  # late: heavy

    rows = np.flatnonzero(labels >= 0)
    if rows.size > _MOST:
        rows = np.sort(generator(0, "silhouette").choice(rows, _MOST, replace=False))
    groups = np.unique(labels[rows])
    if not 2 <= groups.size < rows.size:
        return float("nan")
    return float(silhouette_score(coordinates[rows], labels[rows]))
