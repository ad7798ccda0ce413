"""Charts of matched catalogues: offsets, fluxes against each other, their ratio over flux and over the field."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skysift.flow.figures import Picture
from skysift.flow.match_text import pair
from skysift.flow.style import (
    BLUE,
    INK,
    ORANGE,
    blank,
    colours,
    digits,
    plain_numbers,
    png,
    prefixed,
    quiet,
    sheet,
)
from skysift.match.offsets import median_of
from skysift.match.result import Join, Match
from skysift.match.sky import offsets

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Pairs",
    "chart_of_distance",
    "chart_of_fluxes",
    "chart_of_map",
    "chart_of_offsets",
    "chart_of_ratios",
    "chart_of_separations",
    "pairs_of",
]

SIZE = (6.0, 4.4)
_BINS = 8
_LEAST = 7  # pairs in a bin whose median is drawn
_CHI2 = {0.68: 2.2958, 0.95: 5.9915}  # of two degrees of freedom
_MOST_ARROWS = 400
_SCATTERS = 6.0  # to which the axes of the offsets reach
_ARROW = 0.04  # of the field's width: the arrow of a median offset
_LONGEST = 3.0  # median offsets that an arrow shows at most
_NARROWEST = 0.6  # of the longer side of the field: the shorter side of its chart

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pairs:
    """The pairs of the reference with one catalogue, as charts take them; (n,).

    Parameters
    ----------
    join
        What is told of the catalogue.
    reference
        Name of the reference.
    east, north
        Offsets, catalogue minus reference (arcsec).
    separation
        In arcsec.
    flux, other
        Of the reference and of the catalogue (Jy).
    x, y
        East and north of the field's centre (arcmin).
    """

    join: Join
    reference: str
    east: Floats
    north: Floats
    separation: Floats
    flux: Floats
    other: Floats
    x: Floats
    y: Floats

    @property
    def ratio(self) -> Floats:
        """Flux of the catalogue over that of the reference; NaN where one is not positive."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where((self.flux > 0) & (self.other > 0), self.other / self.flux, np.nan)


def pairs_of(match: Match, number: int) -> Pairs:
    """The rows that both the reference and the catalogue with this number have."""
    both = (match["row_1"] >= 0) & (match[f"row_{number}"] >= 0)
    join = match.joins[number - 2]
    sky = join.astrometry
    ra, dec = match["ra_1"][both], match["dec_1"][both]
    x, y = offsets(np.full_like(ra, sky.ra), np.full_like(dec, sky.dec), ra, dec)
    names = ("east", "north", "separation")
    east, north, separation = (match[f"{name}_{number}"][both] for name in names)
    return Pairs(
        join,
        match.tallies[0].name,
        east,
        north,
        separation,
        match["flux_1"][both],
        match[f"flux_{number}"][both],
        x / 60.0,
        y / 60.0,
    )


def chart_of_offsets(pairs: Pairs) -> Picture:
    """Offsets of the pairs, their median with its error, and the ellipses that hold 68 and 95 % of a Gaussian."""
    figure, axes = _start("offset east [arcsec]", "offset north [arcsec]", square=True)
    if not pairs.east.size:
        return _nothing(figure, axes, "Offsets: no pairs.")
    _dots(axes, pairs.east, pairs.north)
    sky = pairs.join.astrometry
    if sky.n and "positions" not in pairs.join.corrected:
        for level, style in ((0.68, "-"), (0.95, "--")):
            ellipse = _ellipse(pairs, math.sqrt(_CHI2[level]))
            axes.plot(
                *ellipse, color=ORANGE, linewidth=1.4, linestyle=style, label=f"{level:.0%} of a Gaussian"
            )
        axes.errorbar(
            [sky.east], [sky.north], [sky.north_err], [sky.east_err], fmt="o", color=ORANGE, ecolor=ORANGE,
            markersize=5, label="median",
        )  # fmt: skip
    axes.axhline(0.0, color=INK, linewidth=0.8)
    axes.axvline(0.0, color=INK, linewidth=0.8)
    reach = _reach(pairs)
    outside = int(np.sum(np.maximum(np.abs(pairs.east), np.abs(pairs.north)) > reach))
    axes.set_xlim(reach, -reach)  # east is left, as on the sky
    axes.set_ylim(-reach, reach)
    axes.set_aspect("equal")
    _legend(axes)
    told = (
        f"Offsets of {pairs.join.name} from {pairs.reference} of {pairs.east.size:,} pairs, east to the left."
    )
    if outside:
        told += f" {outside:,} pairs lie beyond the edges."
    if sky.n:
        told += (
            f" Median of the {sky.n:,} bright ones: east {pair(sky.east, sky.east_err)}, "
            f"north {pair(sky.north, sky.north_err)} arcsec."
        )
    return Picture(png(figure), told)


def chart_of_separations(pairs: Pairs) -> Picture:
    """How many pairs there are of which separation, and how many of them chance makes."""
    figure, axes = _start("separation [arcsec]", "pairs per bin")
    if not pairs.separation.size:
        return _nothing(figure, axes, "Separations: no pairs.")
    edges = np.linspace(0.0, max(pairs.join.radius, float(pairs.separation.max())), 31)
    counts, _ = np.histogram(pairs.separation, edges)
    axes.stairs(counts, edges, fill=True, color=BLUE, alpha=0.35, label="pairs")
    chance = pairs.join.chance
    if math.isfinite(chance.density):
        rings = math.pi * np.diff(edges**2) * chance.density
        axes.stairs(rings * pairs.join.rows, edges, color=ORANGE, linewidth=1.4, label="of unrelated rows")
    axes.set_ylim(bottom=0)
    _legend(axes)
    told = "Separations of the pairs, beside what unrelated rows make if every row of the reference is near some."
    return Picture(png(figure), told)


def chart_of_fluxes(pairs: Pairs) -> Picture:
    """Flux against flux, with the line of equal ones and the line of the median ratio."""
    good = np.isfinite(pairs.ratio)
    factor, unit = prefixed("Jy", pairs.flux[good])
    figure, axes = _start(f"flux in {pairs.reference} [{unit}]", f"flux in {pairs.join.name} [{unit}]")
    if not good.any():
        return _nothing(figure, axes, "Fluxes: no pair has both.")
    x, y = pairs.flux[good] * factor, pairs.other[good] * factor
    _dots(axes, x, y)
    ends = np.array([min(x.min(), y.min()), max(x.max(), y.max())])
    axes.plot(ends, ends, color=INK, linewidth=0.9, linestyle="--", label="equal")
    scale = pairs.join.flux_scale
    if scale.n:
        axes.plot(
            ends, ends * scale.ratio, color=ORANGE, linewidth=1.4, label=f"median ratio {scale.ratio:.3f}"
        )
    _logarithmic(axes)
    _legend(axes)
    return Picture(png(figure), f"Flux densities of {int(good.sum()):,} pairs.")


def chart_of_ratios(pairs: Pairs) -> Picture:
    """The flux ratio over the flux, with medians of bins."""
    good = np.isfinite(pairs.ratio)
    factor, unit = prefixed("Jy", pairs.flux[good])
    figure, axes = _start(f"flux in {pairs.reference} [{unit}]", "flux ratio")
    if not good.any():
        return _nothing(figure, axes, "Flux ratio over flux: no pair has both fluxes.")
    x, ratio = pairs.flux[good] * factor, pairs.ratio[good]
    _dots(axes, x, ratio)
    _medians(axes, x, ratio)
    _ratio_lines(axes, pairs, ratio)
    _logarithmic(axes)
    _legend(axes)
    told = (
        f"Flux in {pairs.join.name} over that in {pairs.reference}. Faint pairs are those that noise raised."
    )
    return Picture(png(figure), told)


def chart_of_distance(pairs: Pairs) -> Picture:
    """The flux ratio over the distance from the field's centre, with medians of bins."""
    good = np.isfinite(pairs.ratio)
    figure, axes = _start("distance from the centre [arcmin]", "flux ratio")
    if not good.any():
        return _nothing(figure, axes, "Flux ratio over distance: no pair has both fluxes.")
    far, ratio = np.hypot(pairs.x, pairs.y)[good], pairs.ratio[good]
    _dots(axes, far, ratio)
    _medians(axes, far, ratio)
    _ratio_lines(axes, pairs, ratio)
    axes.set_yscale("log")
    plain_numbers(axes.yaxis)
    axes.set_xlim(left=0)
    _legend(axes)
    sky = pairs.join.astrometry
    middle = f"the middle of the pairs, {sky.ra:.4f} {sky.dec:+.4f}"
    told = f"Flux ratio over the distance from {middle}: a primary beam would show."
    return Picture(png(figure), told)


def chart_of_map(pairs: Pairs) -> Picture:
    """Offsets over the field: arrows from the reference to the catalogue, coloured by the flux ratio."""
    figure, axes = _start("east of the centre [arcmin]", "north of the centre [arcmin]", square=True)
    if not pairs.east.size:
        return _nothing(figure, axes, "Offsets over the field: no pairs.")
    step = max(1, math.ceil(pairs.east.size / _MOST_ARROWS))
    shown = np.argsort(-np.nan_to_num(pairs.flux), kind="stable")[:: step if step > 1 else 1]
    ratio = np.nan_to_num(np.log2(pairs.ratio[shown]), nan=0.0)
    middle = float(np.median(ratio))
    limit = max(float(np.percentile(np.abs(ratio - middle), 95)), 0.1)
    width, height = (float(np.ptp(each)) for each in (pairs.x, pairs.y))
    field = max(width, height, 1e-6)
    lengths = np.hypot(pairs.east[shown], pairs.north[shown])
    typical = max(float(np.median(lengths)), 1e-9)
    longest = _LONGEST * typical
    shorter = np.minimum(1.0, longest / np.maximum(lengths, 1e-30))
    arrows = axes.quiver(
        pairs.x[shown], pairs.y[shown], pairs.east[shown] * shorter, pairs.north[shown] * shorter, ratio,
        angles="xy", scale_units="xy", scale=typical / (_ARROW * field), cmap=colours("coolwarm"),
        units="inches", width=0.02, edgecolor=INK, linewidth=0.3, clim=(middle - limit, middle + limit),
    )  # fmt: skip
    axes.set_title(" ")  # room for the key
    key = _round(2.0 * typical)
    axes.quiverkey(
        arrows, 0.14, 1.04, key, f"{key:g} arcsec", labelpos="E", color=INK, labelcolor=INK, angle=0.0
    )
    bar = figure.colorbar(arrows, ax=axes, shrink=0.8)
    ticks = np.linspace(middle - limit, middle + limit, 5)
    bar.set_ticks(ticks.tolist(), labels=[f"{2**tick:.2f}" for tick in ticks])
    bar.set_label("flux ratio", color=INK)
    bar.ax.tick_params(colors=INK, labelsize=9)
    bar.outline.set_visible(False)
    axes.set_aspect("equal")
    sides = (
        (pairs.x, max(width, _NARROWEST * field), axes.set_xlim, -1),  # east to the left
        (pairs.y, max(height, _NARROWEST * field), axes.set_ylim, 1),
    )
    for place, side, limits, sign in sides:
        centre, half = float(place.min() + place.max()) / 2.0, 0.5 * side + (0.03 + _LONGEST * _ARROW) * field
        limits(centre - sign * half, centre + sign * half)
    told = "Offsets over the field, east to the left, coloured by the flux ratio."
    if step > 1:
        told += f" {len(shown):,} of {pairs.east.size:,} pairs are drawn."
    cut = int(np.sum(lengths > longest))
    if cut:
        told += f" {cut:,} arrows stand for more than the {digits(longest)} arcsec that they show."
    return Picture(png(figure), told)


def _round(value: float) -> float:
    """The largest of 1, 2, 5, 10 ... times a power of ten that is not above a value."""
    power = 10.0 ** math.floor(math.log10(value))
    return power * max(each for each in (1.0, 2.0, 5.0) if each <= max(value / power, 1.0))


def _reach(pairs: Pairs) -> float:
    """How far the axes of the offsets reach (arcsec): to nearly all pairs, but not beyond six scatters."""
    sky = pairs.join.astrometry
    every = 1.08 * max(float(np.percentile(np.hypot(pairs.east, pairs.north), 99.5)), 1e-3)
    shifted = "positions" not in pairs.join.corrected
    wide = [
        (abs(middle) if shifted else 0.0) + _SCATTERS * scatter
        for middle, scatter in ((sky.east, sky.east_scatter), (sky.north, sky.north_scatter))
    ]
    return min(every, max(wide)) if sky.n > 2 and min(wide) > 0 else every


def _ellipse(pairs: Pairs, sigmas: float) -> tuple[Floats, Floats]:
    """An outline about the median offset, by the robust widths along the axes and their correlation."""
    sky = pairs.join.astrometry
    widths = np.array([max(sky.east_scatter, 1e-9), max(sky.north_scatter, 1e-9)])
    u, v = (pairs.east - sky.east) / widths[0], (pairs.north - sky.north) / widths[1]
    plus, minus = (float(np.median(np.abs(each)) ** 2) for each in (u + v, u - v))
    rho = min(max((plus - minus) / max(plus + minus, 1e-30), -0.99), 0.99)
    turn = np.linspace(0.0, 2.0 * np.pi, 181)
    root = np.linalg.cholesky(np.array([[1.0, rho], [rho, 1.0]]))
    x, y = root @ np.stack([np.cos(turn), np.sin(turn)]) * sigmas
    return sky.east + x * widths[0], sky.north + y * widths[1]


def _ratio_lines(axes: Axes, pairs: Pairs, ratio: Floats) -> None:
    axes.axhline(1.0, color=INK, linewidth=0.9, linestyle="--")
    if pairs.join.flux_scale.n:
        axes.axhline(pairs.join.flux_scale.ratio, color=ORANGE, linewidth=1.1, label="median of bright pairs")
    low, high = np.percentile(ratio, [0.5, 99.5])
    axes.set_ylim(min(low, 0.9) / 1.15, max(high, 1.1) * 1.15)


def _medians(axes: Axes, x: Floats, ratio: Floats) -> None:
    """Medians of bins with equally many pairs, with the errors that their scatter tells."""
    parts = np.array_split(np.argsort(x, kind="stable"), max(1, min(_BINS, x.size // _LEAST)))
    if x.size < _LEAST:
        return
    drawn = []
    for inside in parts:
        middle, error, _ = median_of(np.log(ratio[inside]))
        drawn.append((float(np.median(x[inside])), math.exp(middle), error))
    at, middle_of, error_of = np.array(drawn).T
    spread = np.stack([middle_of * -np.expm1(-error_of), middle_of * np.expm1(error_of)])
    axes.errorbar(
        at,
        middle_of,
        spread,
        fmt="s",
        color=ORANGE,
        ecolor=ORANGE,
        markersize=5,
        capsize=2,
        label="median of a bin",
    )


def _dots(axes: Axes, x: Floats, y: Floats) -> None:
    size = 14 if x.size < 1500 else 4
    axes.scatter(x, y, s=size, color=BLUE, alpha=0.5 if x.size < 5000 else 0.15, linewidths=0)


def _start(x_label: str, y_label: str, *, square: bool = False) -> tuple[Figure, Axes]:
    figure = sheet(SIZE[0], 5.2 if square else SIZE[1])
    axes = figure.add_subplot()
    quiet(axes)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    return figure, axes


def _nothing(figure: Figure, axes: Axes, caption: str) -> Picture:
    blank(axes, "nothing to draw")
    return Picture(png(figure), caption)


def _logarithmic(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    plain_numbers(axes.xaxis)
    plain_numbers(axes.yaxis)


def _legend(axes: Axes) -> None:
    if not axes.get_legend_handles_labels()[1]:
        return
    for text in axes.legend(loc="best", fontsize=9, frameon=False).get_texts():
        text.set_color(INK)
