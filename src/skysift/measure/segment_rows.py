"""Extended sources become rows of the catalogue, before the compact sources that lie on top of them."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from skysift.measure.characterise import finish
from skysift.measure.ellipse import ellipses, shape_transform
from skysift.measure.measured import Columns
from skysift.measure.options import FitOptions
from skysift.measure.segment import SegmentFluxes
from skysift.sky import schema
from skysift.sky.catalogue import Catalogue
from skysift.sky.image import SkyImage
from skysift.sky.table import Table

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def with_segments(
    catalogue: Catalogue,
    island: Ints,
    fluxes: SegmentFluxes,
    more: Columns,
    image: SkyImage,
    options: FitOptions,
) -> Catalogue:
    """
    The catalogue with a source for each of the islands that are segments.

    Sources stay in the order of their islands, the extended source of an island before the compact ones on top of
    it, which have its number as `parent_id`. Numbers are given anew. Each source has the number of its island, or of
    the first of several, as `island_id`.

    Parameters
    ----------
    catalogue
        Islands, and the compact sources with their components.
    island
        Which island each segment is, from 0, ascending.
    fluxes
        What was summed over each segment.
    more
        Further columns of the segments, of `skysift.sky.schema.FURTHER`.
    """
    sources, components = catalogue.sources, catalogue.components
    n_old, n_new = len(sources), len(island)
    of_source = np.full(n_old, -1, np.int64)  # the first island of each compact source
    rows = np.searchsorted(sources.ids, components["source_id"])
    of_source[rows[::-1]] = components["island_id"][::-1] - 1
    at = np.concatenate([of_source, island])
    order = np.lexsort((np.arange(n_old + n_new) < n_old, at))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    new = _columns(catalogue, island, fluxes, image, options)
    number = np.full(int(at.max(initial=0)) + 1, -1, np.int64)
    number[island] = place[n_old:]
    parent = np.concatenate([number[of_source] + 1, np.zeros(n_new, np.int64)])
    children = np.concatenate(
        [np.zeros(n_old, np.int64), np.bincount(of_source, minlength=len(number))[island]]
    )
    columns: Columns = {}
    for name in sources.columns:
        columns[name] = _stacked(np.asarray(sources[name]), new.get(name), n_new)[order]
    for name, values in more.items():
        columns[name] = np.concatenate([_blank(np.asarray(values), n_old), values])[order]
    columns["island_id"] = at[order] + 1
    columns["parent_id"], columns["n_children"] = parent[order], children[order]
    columns["source_id"] = np.arange(1, n_old + n_new + 1)
    extra = [name for name in columns if name not in schema.names("sources")]
    table = Table.from_columns("sources", columns, schema.further("sources", *extra))
    islands = catalogue.islands
    count = islands["n_sources"].copy()
    count[island] += 1
    return replace(
        catalogue,
        sources=table,
        components=components.with_columns({"source_id": place[rows] + 1}),
        islands=islands.with_columns({"n_sources": count}),
    )


def _blank(like: npt.NDArray[np.generic], n: int) -> npt.NDArray[np.generic]:
    """Values that say nothing."""
    if like.dtype.kind == "f":
        return np.full(n, np.nan)
    return np.full(n, "") if like.dtype.kind == "U" else np.zeros(n, like.dtype)


def _stacked(
    old: npt.NDArray[np.generic], new: npt.NDArray[np.generic] | None, n: int
) -> npt.NDArray[np.generic]:
    """A column of compact sources with that of the segments below."""
    if new is None:
        new = _blank(old, n)
    return np.concatenate([old, new])


def _columns(
    catalogue: Catalogue, island: Ints, fluxes: SegmentFluxes, image: SkyImage, options: FitOptions
) -> Columns:
    """Columns that every source has, of the segments."""
    tangent = image.frame.tangent(fluxes.x, fluxes.y)
    to_sky = shape_transform(tangent)
    shape = np.einsum("nij,nj->ni", to_sky, fluxes.moments)
    beam = np.einsum("nij,nj->ni", to_sky, image.unit_covariance(fluxes.x, fluxes.y))
    none = np.zeros((len(island), 3, 3))
    whole, left = ellipses(shape, none), ellipses(shape - beam, none)
    error = np.stack([fluxes.x_err, fluxes.y_err], axis=1)
    on_sky = np.sqrt(np.einsum("nij,nj->ni", tangent**2, error**2))
    islands = catalogue.islands
    out: Columns = {
        "x": fluxes.x,
        "y": fluxes.y,
        "x_err": fluxes.x_err,
        "y_err": fluxes.y_err,
        "ra_err": on_sky[:, 0],
        "dec_err": on_sky[:, 1],
        "flux_peak": fluxes.flux_peak,
        "flux_peak_err": fluxes.rms,
        "flux_int": fluxes.flux_int,
        "flux_int_err": fluxes.flux_int_err,
        "flux": fluxes.flux_int,
        "flux_err": fluxes.flux_int_err,
        "rms": fluxes.rms,
        "background": fluxes.background,
        "resolved": np.ones(len(island), np.bool_),
        "n_components": np.zeros(len(island), np.int64),
        "n_islands": np.ones(len(island), np.int64),
        "structure": np.full(len(island), "E"),
        "major": whole.major,
        "minor": whole.minor,
        "pa": whole.pa,
        "major_deconv": left.major,
        "minor_deconv": left.minor,
        "pa_deconv": left.pa,
        "flags": np.asarray(islands["flags"])[island],
    }
    finish(out, image, options)
    return out
