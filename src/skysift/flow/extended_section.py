"""The part of a run's page about extended sources: how many, how large and how bright, of which shapes, a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skysift.flow.figures import Picture
from skysift.flow.gallery import Exhibit
from skysift.flow.rows import (
    DASH,
    Cell,
    Listing,
    angle_unit,
    listing_of,
    to_three_digits,
    with_its_error,
)
from skysift.flow.section import Section
from skysift.flow.style import BLUE, INK, ORANGE, blank, digits, plain_numbers, png, prefixed, quiet, sheet
from skysift.measure.tags import TAGS
from skysift.sky.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["extended_section", "flux_share"]

SIZE = (6.0, 4.1)
LISTED = 30
SURE = 0.7  # score of a morphology from which on it is counted as sure
CLEAR = 10.0  # S/N of a flux
COLOURS = (
    "#3b8bd0", "#dd7a1f", "#3fa56b", "#c2417c", "#8a6fd1", "#7c8791", "#c9a21b", "#20a3a8", "#a85d3a"
)  # fmt: skip
MARKS = "os^vDPX*<"


def extended_section(
    sources: Table, rows: NDArray[np.bool_], shown: tuple[Exhibit, ...] = ()
) -> Section | None:
    """The extended sources of a run; None where there are none.

    Parameters
    ----------
    sources
        All sources.
    rows
        Which of them are extended.
    shown
        Pictures of some.
    """
    if not rows.any():
        return None
    some = sources.select(rows)
    flux, unit = prefixed("Jy", [np.nansum(some["flux"])])
    numbers = [
        (f"{len(some):,}", "extended sources"),
        (digits(float(np.nansum(some["flux"])) * flux), f"{unit} in all of them"),
    ]
    share = flux_share(sources, rows)
    if np.isfinite(share):
        numbers.append((f"{share:.0%}", "of the flux of all sources"))
    if "n_children" in some:
        children = some["n_children"]
        numbers.append(
            (f"{int((children > 0).sum()):,}", f"with compact sources on top, {int(children.sum()):,} in all")
        )
    if "n_parts" in some and (some["n_parts"] > 1).any():
        numbers.append((f"{int((some['n_parts'] > 1).sum()):,}", "joined from several parts"))
    if "largest_angular_size" in some and np.isfinite(some["largest_angular_size"]).any():
        longest = float(np.nanmax(some["largest_angular_size"]))
        size, name = angle_unit(np.array([longest]))
        numbers.append((digits(longest * size), f"{name}, the longest"))
    lead = (
        "Measured pixel by pixel above the level around them; compact sources on top are rows of their own, their flux "
        "is not in that of the extended one. Sizes hold the beam. Errors are statistical, 1 sigma."
    )
    by_flux = np.argsort(-np.nan_to_num(some["flux"]), kind="stable")[:LISTED]
    which = f"The {LISTED} brightest of {len(some)}" if len(some) > LISTED else "All of them"
    return Section(
        "extended",
        "Extended sources",
        lead,
        tuple(numbers),
        (chart_of_sizes(some), chart_of_brightness(some), chart_of_shapes(some)),
        ((f"{which}, by flux", extended_listing(some, by_flux)),),
        shown,
    )


def flux_share(sources: Table, rows: NDArray[np.bool_]) -> float:
    """Flux of some sources over that of all positive ones; NaN where there is none."""
    flux = np.where(sources["flux"] > 0, sources["flux"], 0.0)
    total = float(flux.sum())
    return float(flux[rows].sum()) / total if total > 0 else float("nan")


def chart_of_sizes(some: Table) -> Picture:
    """Flux density against largest angular size, by morphology."""
    size = _values(some, "largest_angular_size")
    factor, unit = prefixed("Jy", some["flux"])
    scale, angle = angle_unit(size)
    figure, axes = _axes(f"largest angular size [{angle}]", f"flux density [{unit}]")
    caption = "Flux density of the extended sources against their largest angular size, with errors."
    good = (some["flux"] > 0) & (size > 0)
    if not good.any():
        blank(axes, "nothing was measured")
        return Picture(png(figure), caption)
    error = np.minimum(np.nan_to_num(some["flux_err"]), 0.9 * np.abs(some["flux"]))
    for label, colour, mark, chosen in _by_shape(some, good):
        axes.errorbar(
            size[chosen] * scale,
            some["flux"][chosen] * factor,
            error[chosen] * factor,
            fmt=mark,
            markersize=4.5,
            color=colour,
            alpha=0.8,
            elinewidth=0.8,
            label=label,
        )
    _logarithmic(axes)
    return Picture(png(figure), caption)


def chart_of_brightness(some: Table) -> Picture:
    """Mean brightness over the noise against the area in beams, with the line of a flux of `CLEAR` sigma."""
    figure, axes = _axes("area [beams]", "mean brightness / rms [sigma]")
    caption = (
        "Mean brightness of the extended sources in a beam over the noise, against their area: what lies low and to the "
        f"left is hard to find. On the line a flux is {CLEAR:g} times its noise, if the level is known."
    )
    area, snr = _values(some, "n_beams"), _values(some, "surface_snr")
    good = (area > 0) & (snr > 0)
    if not good.any():
        blank(axes, "nothing was measured")
        return Picture(png(figure), caption)
    for label, colour, mark, chosen in _by_shape(some, good):
        axes.plot(area[chosen], snr[chosen], mark, markersize=4.5, color=colour, alpha=0.8, label=label)
    reach = np.geomspace(area[good].min() / 1.3, area[good].max() * 1.3, 30)
    axes.plot(reach, CLEAR / np.sqrt(reach), color=INK, linewidth=0.9, linestyle="--")
    _logarithmic(axes)
    return Picture(png(figure), caption)


def chart_of_shapes(some: Table) -> Picture:
    """How many there are of each morphology, and of how many it is sure."""
    figure, axes = _axes("extended sources", "")
    caption = f"Extended sources by morphology, and those whose morphology has a score above {SURE:g}."
    shape, score = _shapes(some), _values(some, "morphology_score")
    names = [name for name in (*TAGS, "") if (shape == name).any()]
    every = [int((shape == name).sum()) for name in names]
    sure = [int(((shape == name) & (score > SURE)).sum()) for name in names]
    rows = np.arange(len(names))
    for offset, counts, colour, label in (
        (-0.2, every, BLUE, "all"),
        (0.2, sure, ORANGE, f"score above {SURE:g}"),
    ):
        bars = axes.barh(rows + offset, counts, height=0.36, color=colour, alpha=0.85, label=label)
        axes.bar_label(bars, padding=3, color=INK, fontsize=9)
    axes.set_yticks(rows, [name or "not known" for name in names])
    axes.invert_yaxis()
    axes.set_xlim(0, max(every) * 1.15)
    box = axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, fontsize=9, frameon=False)
    for text in box.get_texts():
        text.set_color(INK)
    return Picture(png(figure), caption)


def extended_listing(sources: Table, rows: NDArray[np.int64]) -> Listing:
    """Some extended sources: shape, flux, size, brightness, compact sources on top."""
    some = sources.select(rows)
    flux, flux_unit = prefixed("Jy", some["flux"])
    shape, score = _shapes(some), _values(some, "morphology_score")
    columns = {
        "morphology (score)": lambda row: Cell(f"{shape[row]} ({score[row]:.2f})" if shape[row] else DASH),
        f"flux [{flux_unit}]": with_its_error(some, "flux", flux),
    }
    if "largest_angular_size" in some:
        size, size_unit = angle_unit(some["largest_angular_size"])
        bright, bright_unit = prefixed("Jy", some["surface_brightness"] * 3600)
        columns |= {
            f"length [{size_unit}]": to_three_digits(some, "largest_angular_size", size),
            f"width [{size_unit}]": to_three_digits(some, "width_mean", size),
            f"mean brightness [{bright_unit}/arcmin\u00b2]": with_its_error(
                some, "surface_brightness", bright * 3600
            ),
            "mean / rms": to_three_digits(some, "surface_snr"),
            "beams": to_three_digits(some, "n_beams"),
        }
    if "n_children" in some:
        columns["compact on top"] = lambda row: Cell(str(some["n_children"][row] or DASH))
    if "reliability" in some:
        columns["reliability"] = lambda row: Cell(f"{some['reliability'][row]:.2f}")
    if "n_parts" in some:
        columns["joined parts"] = lambda row: Cell(str(some["n_parts"][row]))
    return listing_of(some, columns, texts=("morphology (score)",))


def _shapes(some: Table) -> NDArray[np.str_]:
    return np.asarray(some["morphology"] if "morphology" in some else np.full(len(some), ""), np.str_)


def _values(some: Table, name: str) -> NDArray[np.float64]:
    """A column that may not be there."""
    return np.asarray(some[name], np.float64) if name in some else np.full(len(some), np.nan)


def _by_shape(some: Table, good: NDArray[np.bool_]) -> list[tuple[str, str, str, NDArray[np.bool_]]]:
    """Name with its count, colour, mark and rows of each morphology that there is."""
    shape = _shapes(some)
    looks = dict(zip(TAGS, zip(COLOURS, MARKS, strict=True), strict=True)) | {"": (INK, "o")}
    found = []
    for name, (colour, mark) in looks.items():
        chosen = good & (shape == name)
        if chosen.any():
            found.append((f"{name or 'not known'} ({int(chosen.sum())})", colour, mark, chosen))
    return found


def _axes(x: str, y: str) -> tuple[Figure, Axes]:
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


def _logarithmic(axes: Axes) -> None:
    """Logarithmic axes with plain numbers, and the legend beside them."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    plain_numbers(axes.xaxis)
    plain_numbers(axes.yaxis)
    box = axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8.5, frameon=False)
    for text in box.get_texts():
        text.set_color(INK)
