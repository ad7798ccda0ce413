"""Shape of a source: size, axes, profile, symmetry, concentration and bend of its pixels in the reference band."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.classify.features.extractor import Columns, Extractor
from skysift.classify.features.moments import ZERNIKE, Axes, axes_of, hu, zernike
from skysift.classify.features.options import FeaturesOptions
from skysift.classify.features.picked import Picked
from skysift.classify.features.seen import Seen
from skysift.classify.features.view import View
from skysift.sky.features import Feature

__all__ = ["ShapeFeatures"]

Floats: TypeAlias = NDArray[np.float64]

BINS = 5  # of the folded profile
FRACTIONS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7)  # of the peak


class ShapeFeatures(Extractor):
    """The numbers that tell compact from extended, FR I from FR II, and straight from bent."""

    title = "size, axes, profile, symmetry and bend of the source"

    def columns(self, view: View, options: FeaturesOptions) -> tuple[Feature, ...]:
        """What is measured."""
        size, at = view.length, f"in the band {view.bands[view.reference]}"
        rows = [
            ("snr_peak", "", f"log10 of the brightest pixel over the noise {at}"),
            ("flux_peak_ratio", "", "log10 of the sum of the source's pixels over the brightest one"),
            ("area", "", f"log10 of the source's area ({size}^2)"),
            ("largest_share", "", "share of the brightest island in the flux"),
            ("rms_major", size, "flux-weighted rms along the major axis"),
            ("rms_minor", size, "flux-weighted rms along the minor axis"),
            ("axis_ratio", "", "rms of the minor over that of the major axis"),
            ("extent_major", size, "from end to end along the major axis"),
            ("extent_minor", size, "from side to side across it"),
            ("extent_ratio", "", "extent across over extent along the major axis"),
            ("filling", "", "area over that of the rectangle of both extents"),
            ("centroid_offset", size, "from the middle of the picture to the centroid"),
            ("peak_offset", size, "from the middle of the picture to the brightest pixel"),
            ("peak_centroid", "", "from the centroid to the brightest pixel, in halves of the extent"),
            ("skew_major", "", "absolute skewness of the flux along the major axis"),
            ("kurtosis_major", "", "kurtosis of the flux along the major axis"),
            ("skew_minor", "", "absolute skewness of the flux across it"),
            ("kurtosis_minor", "", "kurtosis of the flux across it"),
            (
                "asymmetry_axis",
                "",
                "difference of the fluxes of both halves about the middle, over their sum",
            ),
            (
                "mean_distance",
                "",
                "flux-weighted unsigned distance from the centroid along the major axis, in halves of the extent",
            ),
            *(
                (
                    f"profile_{k}",
                    "",
                    f"share of the flux in part {k} of {BINS} from the centroid to the farther end",
                )
                for k in range(1, BINS + 1)
            ),
            *(
                (f"ridge_{k}", "", f"brightest pixel in part {k} of {BINS}, over the brightest of all")
                for k in range(1, BINS + 1)
            ),
            ("bend", "", "quadratic term of the flux-weighted ridge: sagitta over half of the extent"),
            ("bend_scatter", "", "rms about that parabola, over half of the extent"),
            (
                "opening_angle",
                "deg",
                "between the mean directions to both sides of the middle; 180 is straight",
            ),
            ("opening_centroid", "deg", "the same about the flux-weighted centroid"),
            (
                "rotation_asymmetry",
                "",
                "flux that a turn by 180 degrees about the centroid does not find again, share; of what it turns to data",
            ),
            ("peak_median", "", "log10 of the brightest over the median pixel"),
            ("gini", "", "Gini coefficient of the pixels"),
            ("m20", "", "log10 of the second moment of the brightest fifth of the flux over the total one"),
            ("r20", "", "radius about the centroid with 20 % of the flux, over that with 80 %"),
            ("r50", "", "radius with 50 % of the flux, over that with 80 %"),
            ("r80", size, "radius about the centroid with 80 % of the flux"),
            *(
                (f"hu_{k}", "", f"Hu's invariant {k} of the flux, log10 of its size with its sign")
                for k in range(1, 8)
            ),
            *(
                (f"zernike_{n}_{m}", "", f"size of Zernike's moment {n}, {m} about the centroid")
                for n, m in ZERNIKE
            ),
        ]
        for level in FRACTIONS:
            percent = round(100 * level)
            rows += [
                (f"area_{percent}", "", f"share of the source's pixels above {percent} % of the brightest"),
                (f"major_{percent}", size, "rms of these along their major axis"),
                (f"minor_{percent}", size, "rms of these along their minor axis"),
            ]
        return tuple(Feature(*row) for row in rows)

    def measure(self, seen: Seen) -> Columns:
        """The numbers."""
        source, pixel = seen.source, seen.view.pixel
        with np.errstate(invalid="ignore", divide="ignore"):
            return _numbers(seen, source, seen.light, pixel)


def _numbers(seen: Seen, source: Picked, value: Floats, pixel: float) -> Columns:
    flux, peak = source.total(value), source.top(value)
    count = source.total(np.ones_like(value))
    none = count == 0
    flux[none] = np.nan
    axes = seen.axes
    u, v = axes.turned(source.y, source.x, source.row)
    low, high = source.low(u), source.top(u)
    half = np.maximum(0.5 * (high - low), 0.5)
    wide = source.top(v) - source.low(v) + 1.0
    out: dict[str, Floats] = {
        "snr_peak": np.log10(peak / seen.noise[:, seen.view.reference]),
        "flux_peak_ratio": np.log10(flux / peak),
        "area": np.log10(count * pixel**2),
        "largest_share": _largest(source, value, flux),
        "rms_major": axes.major * pixel,
        "rms_minor": axes.minor * pixel,
        "axis_ratio": axes.minor / axes.major,
        "extent_major": (high - low + 1.0) * pixel,
        "extent_minor": wide * pixel,
        "extent_ratio": wide / (high - low + 1.0),
        "filling": count / (wide * (high - low + 1.0)),
        "centroid_offset": np.hypot(axes.y, axes.x) * pixel,
    }
    at = _brightest(source, value, peak)
    out["peak_offset"] = np.hypot(*at) * pixel
    out["peak_centroid"] = np.hypot(at[0] - axes.y, at[1] - axes.x) / half
    out |= _profile(source, value, u, v, flux, peak, axes, half)
    out |= _opening(source, value, axes)
    out["rotation_asymmetry"] = _rotation(
        source, value, axes, np.isfinite(seen.pixels[:, seen.view.reference]), flux
    )
    out |= _concentration(source, value, axes, flux, peak, pixel)
    for k, each in enumerate(hu(source, value, axes, flux).T, start=1):
        out[f"hu_{k}"] = each
    for (n, m), each in zip(ZERNIKE, zernike(source, value, axes, flux).T, strict=True):
        out[f"zernike_{n}_{m}"] = each
    for level in FRACTIONS:
        bright = source.some(value >= level * peak[source.row])
        part = axes_of(bright, np.clip(bright.value, 0.0, None))
        percent = round(100 * level)
        out[f"area_{percent}"] = bright.total(np.ones(len(bright.row))) / np.where(none, np.nan, count)
        out[f"major_{percent}"], out[f"minor_{percent}"] = part.major * pixel, part.minor * pixel
    return {name: np.where(none, np.nan, values) for name, values in out.items()}


def _largest(source: Picked, value: Floats, flux: Floats) -> Floats:
    """Share of the brightest island."""
    if not len(value):
        return np.full(source.n, np.nan)
    width = int(source.island.max()) + 1
    fluxes = np.bincount(source.row * width + source.island, value, source.n * width).reshape(source.n, width)
    return np.asarray(fluxes.max(axis=1) / flux)


def _brightest(source: Picked, value: Floats, peak: Floats) -> tuple[Floats, Floats]:
    """Where the brightest pixel is; the mean place of several."""
    best = value == peak[source.row]
    n = source.total(best.astype(np.float64))
    return source.total(best * source.y) / n, source.total(best * source.x) / n


def _profile(
    source: Picked, value: Floats, u: Floats, v: Floats, flux: Floats, peak: Floats, axes: Axes, half: Floats
) -> dict[str, Floats]:
    """What the flux does along and across the major axis."""
    row = source.row
    out: dict[str, Floats] = {}
    for name, w, rms in (("major", u, axes.major), ("minor", v, axes.minor)):
        scaled = w / rms[row]
        out[f"skew_{name}"] = np.abs(source.total(value * scaled**3) / flux)
        out[f"kurtosis_{name}"] = source.total(value * scaled**4) / flux
    along = (
        np.sin(axes.pa[row]) * source.y + np.cos(axes.pa[row]) * source.x
    )  # from the middle of the picture
    out["asymmetry_axis"] = np.abs(source.total(value * np.sign(along))) / flux
    farther = np.maximum(source.top(np.abs(u)), 0.5)
    share = np.abs(u) / farther[row]
    out["mean_distance"] = source.total(value * np.abs(u)) / flux / half
    part = np.minimum((share * BINS).astype(np.int64), BINS - 1) if len(u) else np.empty(0, np.int64)
    folded = np.bincount(row * BINS + part, value, source.n * BINS).reshape(source.n, BINS) / flux[:, None]
    crest = np.zeros(source.n * BINS)
    np.maximum.at(crest, row * BINS + part, value)
    crest = crest.reshape(source.n, BINS) / peak[:, None]
    for k in range(BINS):
        out[f"profile_{k + 1}"], out[f"ridge_{k + 1}"] = folded[:, k], crest[:, k]
    t, s = u / half[row], v / half[row]
    m2, m3, m4 = (source.total(value * t**k) / flux for k in (2, 3, 4))
    b0, b1, b2 = (source.total(value * s * t**k) / flux for k in (0, 1, 2))
    matrix = np.stack([np.ones_like(m2), 0 * m2, m2, 0 * m2, m2, m3, m2, m3, m4], axis=-1).reshape(-1, 3, 3)
    matrix = matrix + 1e-9 * np.eye(3)
    good = np.isfinite(matrix).all(axis=(1, 2)) & np.isfinite(b2)
    solved = np.full((source.n, 3), np.nan)
    if good.any():
        solved[good] = np.linalg.solve(matrix[good], np.stack([b0, b1, b2], axis=-1)[good][..., None])[..., 0]
    rest = s - (solved[row, 0] + solved[row, 1] * t + solved[row, 2] * t**2)
    out["bend"] = np.minimum(np.abs(solved[:, 2]), 10.0)
    out["bend_scatter"] = np.sqrt(source.total(value * rest**2) / flux)
    return out


def _opening(source: Picked, value: Floats, axes: Axes) -> dict[str, Floats]:
    """Angles between what lies on both sides of a point, as seen from there."""
    out: dict[str, Floats] = {}
    for name, y0, x0 in (("angle", 0.0 * axes.y, 0.0 * axes.x), ("centroid", axes.y, axes.x)):
        y, x = source.y - y0[source.row], source.x - x0[source.row]
        along = np.sin(axes.pa[source.row]) * y + np.cos(axes.pa[source.row]) * x
        ends = []
        for side in (along > 0.0, along < 0.0):
            weight = value * side
            total = source.total(weight)
            ends.append((source.total(weight * y) / total, source.total(weight * x) / total))
        (ay, ax), (by, bx) = ends
        cosine = (ay * by + ax * bx) / (np.hypot(ay, ax) * np.hypot(by, bx))
        out[f"opening_{name}"] = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return out


def _rotation(source: Picked, value: Floats, axes: Axes, data: NDArray[np.bool_], flux: Floats) -> Floats:
    """Sum of |I - I turned by 180 degrees about the centroid| over twice the flux; to the nearest half pixel.

    Pixels that are turned out of the picture or onto pixels without data are left out; NaN where they are the half.
    """
    ny, nx = data.shape[1:]
    turned_y = np.round(2.0 * axes.y)[source.row] - source.y + 0.5 * (ny - 1)
    turned_x = np.round(2.0 * axes.x)[source.row] - source.x + 0.5 * (nx - 1)
    inside = (turned_y >= 0) & (turned_y < ny) & (turned_x >= 0) & (turned_x < nx)
    j = np.where(inside, turned_y, 0).astype(np.int64)
    i = np.where(inside, turned_x, 0).astype(np.int64)
    known = inside & data[source.row, j, i]
    place = source.row * (ny * nx) + (source.y + 0.5 * (ny - 1)).astype(np.int64) * nx
    place += (source.x + 0.5 * (nx - 1)).astype(np.int64)  # sorted: by picture, row, column
    wanted = source.row * (ny * nx) + j * nx + i
    at = np.minimum(np.searchsorted(place, wanted), max(len(place) - 1, 0))
    there = known & (place[at] == wanted) if len(place) else known
    other = np.where(there, value[at], 0.0) if len(place) else value
    # a pixel whose partner is no pixel of the source counts twice: here and there
    lost = source.total(np.abs(value - other) * np.where(there, 1.0, 2.0) * known)
    held = source.total(value * known)
    return np.asarray(np.where(held > 0.5 * flux, lost / (2.0 * held), np.nan))


def _concentration(
    source: Picked, value: Floats, axes: Axes, flux: Floats, peak: Floats, pixel: float
) -> dict[str, Floats]:
    """How unevenly the flux is spread."""
    row, n = source.row, source.n
    order = np.lexsort((value, row))
    sorted_value = value[order]
    first = np.zeros(n, np.int64)
    first[source.rows] = source.starts
    count = np.bincount(row, minlength=n)
    rank = np.arange(len(row)) - first[row]  # from the faintest
    gini = np.bincount(row, (2 * rank - count[row] + 1) * sorted_value, n) / (flux * np.maximum(count - 1, 1))
    middle = np.full(n, np.nan)
    if len(source.rows):
        middle[source.rows] = sorted_value[source.starts + count[source.rows] // 2]
    radius2 = (source.y - axes.y[row]) ** 2 + (source.x - axes.x[row]) ** 2
    falling = np.lexsort((-value, row))
    before = _cumulated(value[falling], row, first) - value[falling]
    bright = before < 0.2 * flux[row]
    moment = np.bincount(row, value[falling] * radius2[falling] * bright, n)
    m20 = np.log10(np.maximum(moment, 1e-6) / np.maximum(source.total(value * radius2), 1e-6))
    outward = np.lexsort((radius2, row))
    grown = _cumulated(value[outward], row, first)
    radii = {}
    for level in (0.2, 0.5, 0.8):
        inside = np.bincount(row, grown < level * flux[row], n).astype(np.int64)
        at = np.full(n, np.nan)
        if len(source.rows):
            place = source.starts + np.minimum(inside[source.rows], count[source.rows] - 1)
            at[source.rows] = np.sqrt(radius2[outward][place])
        radii[level] = np.maximum(at, 0.5)
    return {
        "peak_median": np.log10(peak / middle),
        "gini": gini,
        "m20": m20,
        "r20": radii[0.2] / radii[0.8],
        "r50": radii[0.5] / radii[0.8],
        "r80": radii[0.8] * pixel,
    }


def _cumulated(values: Floats, row: NDArray[np.int64], first: NDArray[np.int64]) -> Floats:
    """Sums from the first pixel of each picture on."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(sums[1:] - sums[first[row]])
