"""The rows of sources that were joined: fluxes summed, places and shapes of the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from skysift.measure.ellipse import ellipses
from skysift.measure.options import FitOptions
from skysift.sky.catalogue import Catalogue
from skysift.sky.column import Column
from skysift.sky.image import SkyImage
from skysift.sky.naming import names
from skysift.sky.shapes import covariances
from skysift.sky.table import Table
from skysift.sky.truth import FLAGGED

__all__ = ["islands_of", "joined_catalogue", "shapes_of"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Columns = dict[str, npt.NDArray[Any]]

OF_THE_MAP = ("instr.beam", "instr.sensitivity", "arith.ratio", "em.freq", "time.epoch")
"""Columns that tell of the map at a place keep the value of the brightest part; what else is not summed is unknown."""


SUMMED = ("n_components", "n_children", "n_holes", "n_peaks")
EXTENDED = "E"  # the structure of a source of pixels, not of Gaussians


def shapes_of(table: Table, tail: str = "") -> Floats:
    """Covariances ``(n, 3)`` (arcsec^2) of the axes of sources, deconvolved with ``_deconv``; round without an angle."""
    major, minor, pa = (table[f"{name}{tail}"] for name in ("major", "minor", "pa"))
    mean = np.sqrt(0.5 * (np.nan_to_num(major) ** 2 + np.nan_to_num(minor) ** 2))
    known = np.isfinite(pa)
    return covariances(np.where(known, major, mean), np.where(known, minor, mean), pa)


def joined_catalogue(catalogue: Catalogue, object_: Ints, image: SkyImage, options: FitOptions) -> Catalogue:
    """
    The catalogue in which sources of one object are one row, numbered anew from 1; other rows stay as they are.

    Fluxes are summed, with their errors in quadrature, those of calibration linearly. The place is the mean weighted by
    flux, axes are those of the second moments, peak and noise those of the brightest part, the extent reaches from the
    far end of one part to that of another. The class is ``flagged`` where that of a part is: what cuts or spoils a part
    does so to the whole; else that of an extended object, of several islands where it has them. Flags are those of all
    parts, reliability and score those of the surest. A column that tells of the map at a place is taken from the
    brightest part too; any other has no value for the whole and is NaN.

    Parameters
    ----------
    catalogue
        What was found.
    object_
        Number of the object of each row of the sources, from 0 without gaps, in the order of their first rows.
    image
        The map.
    options
        Acronym of the names.
    """
    sources, components, islands = catalogue.sources, catalogue.components, catalogue.islands
    n = int(object_.max(initial=-1)) + 1
    order = np.argsort(object_, kind="stable")
    first = np.searchsorted(object_[order], np.arange(n))
    columns = {name: values[order[first]] for name, values in sources.columns.items()}
    columns["source_id"] = np.arange(1, n + 1)
    several = np.bincount(object_, minlength=n) > 1
    rows = np.flatnonzero(several[object_])
    of = (np.cumsum(several) - 1)[object_[rows]]  # the joined object of each part
    row, island = islands_of(catalogue)
    links = np.unique(np.stack([object_[row], island], axis=1), axis=0)
    if len(rows):
        whole = _whole(sources.select(rows), of, image, options)
        whole["n_islands"] = np.bincount(links[:, 0], minlength=n)[several]
        if "class" in whole:
            spoilt = np.bincount(of, sources["class"][rows] == FLAGGED) > 0
            kind = np.where(whole["n_islands"] > 1, "extended-multisland", "extended")
            whole["class"] = np.where(spoilt, FLAGGED, kind)
        for name, values in whole.items():
            if values.dtype.kind == "U":
                columns[name] = columns[name].astype(np.result_type(columns[name], values))
            columns[name][several] = values
    if "parent_id" in columns:
        _keep_parents(columns, sources.ids, object_)
    owner = object_[_rows_of(components["source_id"], sources.ids)]
    structure = np.where(several[owner], "M", components["structure"])
    components = components.with_columns({"source_id": owner + 1, "structure": structure})
    counted = np.bincount(_rows_of(links[:, 1], islands.ids), minlength=len(islands))
    islands = islands.with_columns({"n_sources": counted})
    return Catalogue(islands, Table("sources", columns, sources.extra), components, catalogue.provenance)


def islands_of(catalogue: Catalogue) -> tuple[Ints, Ints]:
    """Rows of the sources, and the numbers of the islands that they have pixels on; each pair once."""
    sources, components = catalogue.sources, catalogue.components
    row, island = _rows_of(components["source_id"], sources.ids), components["island_id"]
    if "island_id" in sources:  # extended sources have no components
        row = np.concatenate([row, np.arange(len(sources))])
        island = np.concatenate([island, sources["island_id"]])
    pairs = np.unique(np.stack([row, island], axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _keep_parents(columns: Columns, ids: Ints, object_: Ints) -> None:
    """Numbers of parents as the sources are numbered now; none where both became one source."""
    parent = columns["parent_id"]
    on_top = parent > 0
    parent[on_top] = object_[_rows_of(parent[on_top], ids)] + 1
    parent[parent == columns["source_id"]] = 0
    columns["n_children"] = np.bincount(parent, minlength=len(parent) + 1)[1:]


def _rows_of(wanted: Ints, ids: Ints) -> Ints:
    """The row of each wanted number."""
    order = np.argsort(ids, kind="stable")
    return np.asarray(order[np.searchsorted(ids, wanted, sorter=order)])


def _whole(parts: Table, of: Ints, image: SkyImage, options: FitOptions) -> Columns:
    """Columns of the objects that the parts ``(part,)`` make, by the number of their object."""
    n = int(of.max()) + 1
    by_peak = np.lexsort((np.arange(len(of)), -np.nan_to_num(np.abs(parts["flux_peak"])), of))
    brightest = by_peak[np.searchsorted(of[by_peak], np.arange(n))]

    def total(values: npt.NDArray[Any]) -> Floats:
        return np.asarray(np.bincount(of, values, n), np.float64)

    out: Columns = {}
    for each in parts.declared:
        values = parts[each.name]
        if each.unit == "Jy":
            systematic = each.name.endswith("_err") and "stat.error.sys" in each.ucd
            square = each.name.endswith("_err") and not systematic
            out[each.name] = np.sqrt(total(values**2)) if square else total(values)
        elif each.name in SUMMED:
            out[each.name] = total(values).astype(np.int64)
        elif each.dtype != "float64" or each.unit == "Jy/beam" or _of_the_map(each):
            out[each.name] = values[brightest]
        else:
            out[each.name] = np.full(n, np.nan)
    flags, extended = np.zeros(n, np.int64), np.zeros(n, np.bool_)
    np.bitwise_or.at(flags, of, parts["flags"])
    for name in ("reliability", "score"):  # of the surest part
        if name in out:
            best = np.full(n, -np.inf)
            np.fmax.at(best, of, parts[name])
            out[name] = np.where(np.isfinite(best), best, np.nan)
    np.logical_or.at(extended, of, parts["structure"] == EXTENDED)
    out["flags"], out["resolved"] = flags, np.ones(n, np.bool_)
    out["structure"] = np.where(extended, EXTENDED, "M")
    if "morphology" in out:
        out["morphology"] = np.full(n, "")
    if "parent_id" in out:  # of an object that a part lies on top of, another part too perhaps
        out["parent_id"] = np.zeros(n, np.int64)
        np.maximum.at(out["parent_id"], of, parts["parent_id"])
    out["snr"] = out["flux_peak"] / out["rms"]
    _place_and_shape(out, parts, of, image, options)
    _extent(out, parts, of, image)
    return {name: values for name, values in out.items() if name != "source_id"}


def _extent(out: Columns, parts: Table, of: Ints, image: SkyImage) -> None:
    """
    How large the whole is: areas summed, the largest distance of two ends, and what follows from them.

    The ends of two parts lie half their extents, or axes where they have none, beyond their places.
    """
    n = len(out["flags"])
    for name in ("n_beams", "segment_snr"):
        if name in out:
            known = np.isfinite(parts[name])
            best = np.full(n, -np.inf)
            np.fmax.at(best, of, parts[name])
            whole = np.bincount(of, np.nan_to_num(parts[name]), n) if name == "n_beams" else best
            out[name] = np.where(np.bincount(of, known, n) > 0, whole, np.nan)
    if "surface_brightness" in out:
        with np.errstate(invalid="ignore", divide="ignore"):
            solid = parts["flux_int"] / parts["surface_brightness"]
            told = np.isfinite(solid)
            area = np.bincount(of[told], solid[told], n)
            light = np.bincount(of[told], parts["flux_int"][told], n)
            out["surface_brightness"] = light / area
    if "extent" not in out:
        return
    own = np.where(np.isfinite(parts["extent"]), parts["extent"], np.nan_to_num(parts["major"]))
    order = np.argsort(of, kind="stable")
    count = np.bincount(of, minlength=n)
    first = np.cumsum(count) - count
    a = np.repeat(order, count[of[order]])
    nth = np.arange(len(a)) - np.repeat(np.cumsum(count[of[order]]) - count[of[order]], count[of[order]])
    b = order[first[of[a]] + nth]
    pixels = np.stack([parts["x"][b] - parts["x"][a], parts["y"][b] - parts["y"][a]], axis=1)
    east, north = np.einsum("nij,nj->in", image.frame.tangent(parts["x"][a], parts["y"][a]), pixels)
    length = np.hypot(east, north) + 0.5 * (own[a] + own[b])
    longest = np.lexsort((-length, of[a]))
    chosen = longest[np.searchsorted(of[a][longest], np.arange(n))]
    out["extent"] = length[chosen]
    out["extent_pa"] = np.mod(np.degrees(np.arctan2(east[chosen], north[chosen])), 180.0)
    out["largest_angular_size"] = length[chosen]
    if "extent_err" in parts:
        known = np.where(np.isfinite(parts["extent_err"]), parts["extent_err"], parts["major_err"])
        error = 0.5 * np.hypot(known[a], known[b])[chosen]
        out["extent_err"], out["largest_angular_size_err"] = error, error.copy()


def _of_the_map(column: Column) -> bool:
    """Whether a column tells of the map at a place rather than of the source as a whole."""
    named = column.name in ("residual_rms", "residual_peak", "position_cal_err")
    return named or any(part in column.ucd for part in OF_THE_MAP)


def _place_and_shape(out: Columns, parts: Table, of: Ints, image: SkyImage, options: FitOptions) -> None:
    """Mean position, second moments and name; errors by those of the parts' fluxes and positions."""
    n = len(out["flags"])
    flux, flux_err = parts["flux_int"], np.nan_to_num(parts["flux_int_err"])
    sum_ = np.bincount(of, flux, n)
    weight, share_err = flux / sum_[of], flux_err / sum_[of]

    def mean(values: Floats) -> Floats:
        return np.asarray(np.bincount(of, weight * values, n), np.float64)

    def error(name: str, offset: Floats) -> Floats:
        own = np.bincount(of, (weight * parts[name]) ** 2, n)
        return np.asarray(np.sqrt(own + np.bincount(of, (share_err * offset) ** 2, n)), np.float64)

    x, y = mean(parts["x"]), mean(parts["y"])
    pixels = np.stack([parts["x"] - x[of], parts["y"] - y[of]], axis=1)
    sky = np.einsum("nij,nj->ni", image.frame.tangent(x, y)[of], pixels)
    out["x"], out["y"] = x, y
    out["x_err"], out["y_err"] = error("x_err", pixels[:, 0]), error("y_err", pixels[:, 1])
    out["ra"], out["dec"] = image.frame.to_sky(x, y)
    out["ra_err"], out["dec_err"] = error("ra_err", sky[:, 0]), error("dec_err", sky[:, 1])
    apart = np.stack([sky[:, 0] ** 2, sky[:, 0] * sky[:, 1], sky[:, 1] ** 2], axis=1)
    east, north = np.nan_to_num(parts["ra_err"]), np.nan_to_num(parts["dec_err"])
    none = np.zeros(len(of))
    slopes = np.stack(  # of the moments by the two coordinates of a part, times their errors
        [
            np.stack([2.0 * sky[:, 0] * east, sky[:, 1] * east, none], axis=1),
            np.stack([none, sky[:, 0] * north, 2.0 * sky[:, 1] * north], axis=1),
        ],
        axis=1,
    )
    for tail in ("", "_deconv"):
        own = apart + shapes_of(parts, tail)
        moments = np.stack([mean(own[:, k]) for k in range(3)], axis=1)
        pulls = np.concatenate(
            [share_err[:, None, None] * (own - moments[of])[:, None], weight[:, None, None] * slopes], axis=1
        )
        spread = np.einsum("nki,nkj->nij", pulls, pulls).reshape(-1, 9)
        covariance: Floats = np.stack([np.bincount(of, spread[:, k], n) for k in range(9)], axis=1)
        shape = ellipses(moments, covariance.reshape(-1, 3, 3))
        for name in ("major", "minor", "pa"):
            out[f"{name}{tail}"] = getattr(shape, name)
            if not tail:
                out[f"{name}_err"] = getattr(shape, f"{name}_err")
    known = np.hypot(out["ra_err"], out["dec_err"])
    out["name"] = names(out["ra"], out["dec"], known, options.acronym, x=x, y=y)
