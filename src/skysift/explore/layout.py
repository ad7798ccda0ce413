"""The map of a sample: two numbers a source, by UMAP or the first principal components."""

from __future__ import annotations

import warnings
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.random import generator
from skysift.explore.options import ExploreOptions

__all__ = ["map_of", "place"]

Floats: TypeAlias = NDArray[np.float64]

_FEWEST = 10  # sources that UMAP is worth while for
_PER_PASS = 2048  # sources that are placed at once


def map_of(coordinates: Floats, options: ExploreOptions) -> tuple[Floats, str]:
    """Positions (row, 2) of the sources, and what they were made by.

    UMAP begins with the first two components and runs on one thread by a seed, so that one sample has one map.
    """
    two = (
        coordinates[:, :2]
        if coordinates.shape[1] > 1
        else np.column_stack([coordinates, np.zeros(len(coordinates))])
    )
    if options.map == "pca" or len(coordinates) < _FEWEST:
        return two.copy(), "pca"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numba and of graphs that are not connected
        import umap  # late: it compiles for half a minute

        scale = np.abs(two).max()
        begin = (10.0 * two / scale if scale > 0.0 else two).astype(np.float32)
        noise = generator(options.random_seed, "explore", "umap").normal(scale=1e-4, size=begin.shape)
        reducer = umap.UMAP(
            n_neighbors=min(options.neighbours, len(coordinates) - 1),
            min_dist=options.min_dist,
            n_components=2,
            init=begin + noise.astype(np.float32),
            random_state=options.random_seed,
            n_jobs=1,
        )
        made = np.asarray(reducer.fit_transform(coordinates.astype(np.float32)), np.float64)
    return made - np.median(made, axis=0), "umap"


def place(
    new: Floats, reference: Floats, positions: Floats, neighbours: int
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Positions of new sources on the map of a reference, with the neighbours that say so and how much each says.

    A source lies at the mean of the positions of its nearest neighbours in the space, weighted as UMAP weighs the edges
    of its graph: exp(-(d - rho) / sigma), rho the nearest distance and sigma such that the weights sum to log2(k)
    (McInnes et al. 2018). One that the reference holds lies where it lay. Each source is placed by itself: unlike in
    UMAP's own transform, nothing depends on which others come with it.

    Returns
    -------
    positions, weights, rows
        (row, 2); (row, neighbour), summing to 1; (row, neighbour) of the reference.
    """
    from sklearn.neighbors import NearestNeighbors  # late: heavy

    k = min(neighbours, len(reference))
    search = NearestNeighbors(n_neighbors=k, algorithm="kd_tree").fit(reference)
    out = np.empty((len(new), 2))
    weights, rows = np.empty((len(new), k)), np.empty((len(new), k), np.int64)
    for start in range(0, len(new), _PER_PASS):
        part = slice(start, start + _PER_PASS)
        far, near = search.kneighbors(new[part])
        weight = _weighed(far)
        weights[part], rows[part] = weight, near
        out[part] = np.einsum("rk,rkx->rx", weight, positions[near])
    return out, weights, rows


def _weighed(far: Floats) -> Floats:
    """Weights (row, neighbour) of neighbours at these distances, the nearest first."""
    k = far.shape[1]
    beyond = np.maximum(far - far[:, :1], 0.0)
    low, high = np.full(len(far), 1e-12), np.full(len(far), np.maximum(beyond.max(), 1e-9) * 1e3)
    for _ in range(60):
        middle = np.sqrt(low * high)
        much = np.exp(-beyond / middle[:, None]).sum(axis=1) > np.log2(max(k, 2))
        high, low = np.where(much, middle, high), np.where(much, low, middle)
    weight = np.exp(-beyond / np.sqrt(low * high)[:, None])
    same = far[:, 0] <= 1e-9 * np.maximum(far[:, -1], 1e-300)
    weight[same] = 0.0
    weight[same, 0] = 1.0
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))
