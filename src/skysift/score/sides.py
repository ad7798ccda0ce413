"""The two sides of a comparison as bare arrays: found rows, and true objects, those of one beam merged.

`Rows` holds the columns that scores look at, NaN where a table does not know them. Positions are ICRS degrees;
on a map without place on the sky they are offsets from its middle, laid where the sphere is flat.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from skysift.base.errors import UsageError
from skysift.match.sky import unit_vectors
from skysift.score.visibility import NoiseMap
from skysift.sky.beam import FWHM_PER_SIGMA
from skysift.sky.frame import Frame
from skysift.sky.table import Table
from skysift.sky.truth import Truth
from skysift.sky.units import ARCSEC

__all__ = ["Floats", "Ints", "Rows", "Truths", "found_rows", "true_objects"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

NUMBERS = (
    *("ra_err", "dec_err", "flux_peak", "flux_peak_err", "flux_int", "flux_int_err", "flux", "flux_err"),
    *(
        "major",
        "minor",
        "pa",
        "major_err",
        "minor_err",
        "pa_err",
        "major_deconv",
        "minor_deconv",
        "pa_deconv",
    ),
    *("rms", "snr", "flux_true"),
)
TEXTS = ("class", "morphology", "object_type", "structure")


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of one side.

    Parameters
    ----------
    row
        Their numbers in the table; of a merged truth that of its brightest member; (n,).
    ra, dec
        Positions (deg), (n,).
    x, y
        Pixels of the truth's map, NaN where there is none; (n,).
    columns
        Name -> numbers or texts, (n,).
    """

    row: Ints
    ra: Floats
    dec: Floats
    x: Floats
    y: Floats
    columns: Mapping[str, NDArray[Any]]

    def select(self, picked: NDArray[np.bool_] | Ints) -> Rows:
        """The rows where a mask is true, or with these numbers."""
        columns = {name: values[picked] for name, values in self.columns.items()}
        return Rows(
            self.row[picked], self.ra[picked], self.dec[picked], self.x[picked], self.y[picked], columns
        )

    def replace(self, **columns: NDArray[Any]) -> Rows:
        """The same rows with some columns changed or added."""
        return Rows(self.row, self.ra, self.dec, self.x, self.y, {**self.columns, **columns})

    def __getitem__(self, name: str) -> Floats:
        values: Floats = self.columns[name]
        return values

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __len__(self) -> int:
        return int(self.row.size)

    def __repr__(self) -> str:
        return f"Rows({len(self)})"


@dataclass(frozen=True, eq=False)
class Truths:
    """What there is to be found.

    Parameters
    ----------
    rows
        The objects, those nearer to each other than the merging radius as one; column ``n_members``.
    members
        The objects that were merged, each on its own.
    member_of
        The row of `rows` that each member became part of.
    artefacts
        Rows of the class ``spurious``.
    without_position, outside, merged
        Rows of the truth that are in no other list: no position; off the searched area; fewer by merging.
    """

    rows: Rows
    members: Rows
    member_of: Ints
    artefacts: Rows
    without_position: int
    outside: int
    merged: int


def found_rows(table: Table, truth: Truth) -> tuple[Rows, NDArray[np.bool_], NDArray[np.bool_]]:
    """Found rows, the mask of those that have a position, and of these that lie on the truth's map.

    Raises
    ------
    UsageError
        No row has a position that can be compared with those of the truth.
    """
    rows = _rows_of(table, truth.frame)
    known = np.isfinite(rows.ra) & np.isfinite(rows.dec)
    if len(rows) and not known.any() and len(truth):
        raise UsageError(
            "no row of the catalogue has a position",
            got=f"{len(rows)} rows, all without ra and dec",
            todo="score it against a truth on the map of the same pixels",
        )
    return rows, known, known & _on_map(rows, truth.frame)


def true_objects(truth: Truth, radius: float, beam: float, noise: NoiseMap | None) -> Truths:
    """The objects of a truth that can be found, merged within `radius` (arcsec).

    Parameters
    ----------
    truth
        What there is.
    radius
        Objects nearer to each other than this are one (arcsec); 0 merges none.
    beam
        FWHM of the beam (arcsec); NaN where not known.
    noise
        The map of the noise; objects where it has no value were not searched for.

    Raises
    ------
    UsageError
        No object has a position.
    """
    everything = _rows_of(truth.sources, truth.frame)
    known = np.isfinite(everything.ra) & np.isfinite(everything.dec)
    if len(everything) and not known.any():
        raise UsageError(
            "no object of the truth has a position", todo="give a truth with ra and dec, or one with its map"
        )
    inside = known & _on_map(everything, truth.frame)
    if noise is not None:
        rms = noise.at(everything.ra, everything.dec, everything.x, everything.y)
        inside &= np.isfinite(rms)
        everything = everything.replace(rms=np.where(np.isfinite(everything["rms"]), everything["rms"], rms))
    everything = _with_peaks(everything, beam)
    real = everything.select(inside & truth.real)
    rows, group = _merged(real, radius)
    several = rows["n_members"][group] > 1
    return Truths(
        rows=rows,
        members=real.select(several),
        member_of=group[several],
        artefacts=everything.select(known & ~truth.real),
        without_position=int(np.sum(~known & truth.real)),
        outside=int(np.sum(known & ~inside & truth.real)),
        merged=len(real) - len(rows),
    )


def _rows_of(table: Table, frame: Frame | None) -> Rows:
    ra, dec = np.array(table["ra"]), np.array(table["dec"])
    x, y = np.array(table["x"]), np.array(table["y"])
    if frame is not None and frame.celestial:
        lost = ~(np.isfinite(ra) & np.isfinite(dec)) & np.isfinite(x) & np.isfinite(y)
        if lost.any():
            ra[lost], dec[lost] = frame.to_sky(x[lost], y[lost])
        x, y = frame.to_pixel(ra, dec)
    elif frame is not None:
        (sy, sx), (ny, nx) = frame.scale, frame.shape
        ra, dec = -(x - (nx - 1) / 2.0) * sx / 3600.0, (y - (ny - 1) / 2.0) * sy / 3600.0
    else:
        x, y = np.full(len(table), np.nan), np.full(len(table), np.nan)
    n = len(table)
    columns: dict[str, NDArray[Any]] = {
        name: table[name] if name in table else np.full(n, np.nan) for name in NUMBERS
    }
    columns["flux"] = np.where(np.isfinite(columns["flux"]), columns["flux"], columns["flux_int"])
    columns |= {name: table[name] for name in TEXTS if name in table}
    columns |= {
        each.name: table[each.name]
        for each in table.extra
        if each.name not in columns and each.dtype in ("float64", "int64")
    }
    return Rows(np.arange(n, dtype=np.int64), ra, dec, x, y, columns)


def _on_map(rows: Rows, frame: Frame | None) -> NDArray[np.bool_]:
    """True for rows on a pixel of the map; for all where there is none."""
    if frame is None:
        return np.ones(len(rows), dtype=np.bool_)
    ny, nx = frame.shape
    inside = (rows.x >= -0.5) & (rows.x < nx - 0.5) & (rows.y >= -0.5) & (rows.y < ny - 0.5)
    return np.asarray(inside)


def _with_peaks(rows: Rows, beam: float) -> Rows:
    """The rows with their convolved sizes, peak and S/N, worked out where the truth does not tell them."""
    intrinsic = np.nan_to_num(np.stack([rows["major_deconv"], rows["minor_deconv"]]))
    convolved = np.hypot(intrinsic, beam)
    major = np.where(np.isfinite(rows["major"]), rows["major"], convolved[0])
    minor = np.where(np.isfinite(rows["minor"]), rows["minor"], convolved[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        peak = np.where(
            np.isfinite(rows["flux_peak"]), rows["flux_peak"], rows["flux_int"] * beam**2 / (major * minor)
        )
        snr = np.where(np.isfinite(rows["snr"]), rows["snr"], peak / rows["rms"])
    return rows.replace(major=major, minor=minor, flux_peak=peak, snr=snr)


def _merged(rows: Rows, radius: float) -> tuple[Rows, Ints]:
    """The rows with those of one chain of near neighbours as one, and the merged row of each row."""
    n = len(rows)
    group = np.arange(n, dtype=np.int64)
    if radius > 0.0 and n > 1:
        chord = 2.0 * math.sin(min(radius * ARCSEC, math.pi) / 2.0)
        pairs = cKDTree(unit_vectors(rows.ra, rows.dec)).query_pairs(chord, output_type="ndarray")
        links = coo_array((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
        group = connected_components(links, directed=False)[1].astype(np.int64)
    count = np.bincount(group, minlength=group.max() + 1 if n else 0)
    order = np.lexsort((-np.nan_to_num(rows["flux"]), group))
    brightest = order[np.cumsum(count) - count]
    single = rows.select(brightest).replace(n_members=count)
    several = np.flatnonzero(count > 1)
    return (single if not several.size else _with_sums(single, rows, group, several)), group


def _with_sums(single: Rows, rows: Rows, group: Ints, several: Ints) -> Rows:
    """The merged rows, `several` of them with the sums, centroids and moments of their members."""
    part = np.flatnonzero(np.isin(group, several))
    place = np.searchsorted(several, group[part])  # of each member among `several`
    members = rows.select(part)

    def total(values: Floats) -> Floats:
        return np.bincount(place, values, several.size).astype(np.float64, copy=False)

    weight = np.maximum(np.nan_to_num(members["flux"]), 0.0)
    empty = total(weight)[place] <= 0.0
    weight = np.where(empty, 1.0, weight)
    weight /= total(weight)[place]
    middle = np.stack([total(weight * axis) for axis in unit_vectors(members.ra, members.dec).T])
    ra, dec = single.ra.copy(), single.dec.copy()
    ra[several] = np.degrees(np.arctan2(middle[1], middle[0])) % 360.0
    dec[several] = np.degrees(np.arctan2(middle[2], np.hypot(middle[0], middle[1])))
    x, y = single.x.copy(), single.y.copy()
    x[several], y[several] = total(weight * members.x), total(weight * members.y)

    turn = (members.ra - ra[several][place] + 180.0) % 360.0 - 180.0
    east = turn * np.cos(np.radians(members.dec)) * 3600.0
    north = (members.dec - dec[several][place]) * 3600.0
    changed = {name: values.copy() for name, values in single.columns.items()}
    for axes in (("major", "minor", "pa"), ("major_deconv", "minor_deconv", "pa_deconv")):
        for name, values in zip(axes, _moments(members, axes, weight, east, north, total), strict=True):
            changed[name][several] = values
    for name in ("flux", "flux_int", "flux_true"):
        changed[name][several] = total(members[name])
    area = np.maximum(members["major"] * members["minor"], 1e-30)
    falloff = np.exp(-4.0 * math.log(2.0) * (east**2 + north**2) / area)
    changed["flux_peak"][several] = total(members["flux_peak"] * falloff)
    known = np.isfinite(changed["snr"][several])
    with np.errstate(divide="ignore", invalid="ignore"):
        merged = changed["flux_peak"][several] / changed["rms"][several]
    changed["snr"][several] = np.where(known & np.isfinite(merged), merged, changed["snr"][several])
    return Rows(single.row, ra, dec, x, y, changed)


def _moments(
    members: Rows, axes: tuple[str, str, str], weight: Floats, east: Floats, north: Floats, total: Any
) -> tuple[Floats, Floats, Floats]:
    """FWHM and angle of the second moments of the members together, (group,) each."""
    major, minor = (np.nan_to_num(members[name]) / FWHM_PER_SIGMA for name in axes[:2])
    angle = np.radians(np.nan_to_num(members[axes[2]]))
    s, c = np.sin(angle), np.cos(angle)
    ee = total(weight * ((major * s) ** 2 + (minor * c) ** 2 + east**2))
    nn = total(weight * ((major * c) ** 2 + (minor * s) ** 2 + north**2))
    en = total(weight * ((major**2 - minor**2) * s * c + east * north))
    half, root = (ee + nn) / 2.0, np.hypot((nn - ee) / 2.0, en)
    large, small = np.sqrt(half + root), np.sqrt(np.maximum(half - root, 0.0))
    pa = np.degrees(np.arctan2(2.0 * en, nn - ee)) / 2.0 % 180.0
    return FWHM_PER_SIGMA * large, FWHM_PER_SIGMA * small, pa
