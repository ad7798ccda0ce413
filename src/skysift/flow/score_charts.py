"""Figures of scores; those of one report, and those with a line for each of several runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from skysift.flow.figures import Picture
from skysift.flow.style import BLUE, INK, ORANGE, blank, colours, plain_numbers, png, prefixed, quiet, sheet
from skysift.score.fluxes import FEWEST
from skysift.score.scorer import Report, ReportTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet

__all__ = [
    "RUN_COLOURS",
    "chart_of_bars",
    "chart_of_calibration",
    "chart_of_confusion",
    "chart_of_counts",
    "chart_of_map",
    "chart_of_shares",
    "chart_of_spread",
    "chart_of_visibility",
]

SIZE = (6.0, 4.1)
RUN_COLOURS = (BLUE, ORANGE, "#4ba36b", "#9a6bd0", "#c2417c", "#a08a2c", "#4bb3b3", "#8a5a44")

Runs = Mapping[str, Report]


def column(table: ReportTable, name: str) -> NDArray[np.float64]:
    """A column of a report's table as numbers."""
    return np.asarray(table[name], dtype=np.float64)


def start(x_label: str, y_label: str) -> tuple[Sheet, Axes]:
    """An empty chart."""
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    return figure, axes


def legend(axes: Axes, where: Literal["best", "lower right"] = "best") -> None:
    """The legend in the ink of the page, where there is something to tell apart."""
    if not axes.get_legend_handles_labels()[1]:
        return
    box = axes.legend(loc=where, fontsize=9, frameon=False)
    for text in box.get_texts():
        text.set_color(INK)


def points(
    axes: Axes,
    table: ReportTable,
    x: str,
    y: str,
    colour: str,
    label: str = "",
    shift: float = 1.0,
    marker: str = "o",
    fewest: int = 1,
) -> bool:
    """One column against another, with its intervals and a thin line; whether there was anything to draw.

    Bins of fewer rows than `fewest` are left out.
    """
    here, there = column(table, x) * shift, column(table, y)
    good = np.isfinite(here) & np.isfinite(there) & (column(table, "n") >= fewest)
    if not good.any():
        return False
    if f"{y}_low" in table:
        down, up = there - column(table, f"{y}_low"), column(table, f"{y}_high") - there
        error = np.nan_to_num(np.maximum(np.stack([down, up]), 0.0))[:, good]
        axes.errorbar(here[good], there[good], error, fmt="none", ecolor=colour, elinewidth=1.1, capsize=2)
    axes.plot(
        here[good],
        there[good],
        color=colour,
        linewidth=1.3,
        marker=marker,
        markersize=4.5,
        label=label or None,
    )
    return True


def chart_of_shares(
    runs: Runs, table: str, x: str, y: str, x_label: str, y_label: str, caption: str, *, log: bool = True
) -> Picture:
    """A share in bins, such as completeness against S/N, for one or several runs."""
    factor = 1.0
    if "[Jy]" in x_label:
        tables = [report.tables[table] for report in runs.values() if table in report.tables]
        factor, unit = prefixed("Jy", [flux for each in tables for flux in _filled(each, x)])
        x_label = x_label.replace("[Jy]", f"[{unit}]")
    figure, axes = start(x_label, y_label)
    drawn = False
    for (name, report), colour in zip(runs.items(), _cycle(len(runs)), strict=True):
        if table in report.tables:
            drawn |= points(axes, report.tables[table], x, y, colour, name if len(runs) > 1 else "", factor)
    if not drawn:
        blank(axes, "nothing to count")
        return Picture(png(figure), f"{caption} Nothing to count.")
    axes.axhline(1.0, color=INK, linewidth=0.7, linestyle=":")
    axes.set_ylim(-0.02, 1.05)
    if log:
        axes.set_xscale("log")
        plain_numbers(axes.xaxis)
    legend(axes, "lower right")
    return Picture(png(figure), caption)


def chart_of_spread(
    runs: Runs, tables: Sequence[tuple[str, str]], y: str, y_label: str, caption: str, *, level: float = 0.0
) -> Picture:
    """A column of the tables of `fluxes` against true S/N: of several quantities of one run, or of several runs."""
    figure, axes = start("true S/N (peak / rms)", y_label)
    drawn = False
    lines = [(run, table, label) for run in runs for table, label in tables]
    for (run, table, label), colour in zip(lines, _cycle(len(lines)), strict=True):
        named = " ".join(
            part for part in (run if len(runs) > 1 else "", label if len(tables) > 1 else "") if part
        )
        place = 1.0 + 0.012 * (lines.index((run, table, label)) - (len(lines) - 1) / 2)
        if table in runs[run].tables:
            drawn |= points(axes, runs[run].tables[table], "snr", y, colour, named, place, fewest=FEWEST)
    caption = f"{caption} Bins with fewer than {FEWEST} are left out."
    if not drawn:
        blank(axes, "nothing to compare")
        return Picture(png(figure), f"{caption} Nothing to compare.")
    axes.axhline(level, color=INK, linewidth=0.8, linestyle="--")
    axes.set_xscale("log")
    plain_numbers(axes.xaxis)
    legend(axes)
    return Picture(png(figure), caption)


def chart_of_map(table: ReportTable) -> Picture:
    """Completeness over the field."""
    figure, axes = start("x", "y")
    n = np.asarray(table["n"])
    if not n.size or not n.sum():
        blank(axes, "no bright truths")
        return Picture(png(figure), "Completeness over the field: no bright truths.")
    side = round(math.sqrt(n.size))
    share = column(table, "completeness").reshape(side, side)
    x, y = column(table, "x_low").reshape(side, side), column(table, "y_low").reshape(side, side)
    x_edges = np.append(x[0], column(table, "x_high")[-1])
    y_edges = np.append(y[:, 0], column(table, "y_high")[-1])
    low = min(0.5, float(np.nanmin(share)))
    mesh = axes.pcolormesh(x_edges, y_edges, share, cmap=colours("viridis"), vmin=low, vmax=1.0)
    axes.set_aspect("equal" if abs(x_edges[-1] - x_edges[0]) < 20 * abs(y_edges[-1] - y_edges[0]) else "auto")
    bar = figure.colorbar(mesh, ax=axes, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=INK, labelsize=9)
    bar.set_label("completeness", color=INK)
    if side <= 10:
        for i, (value, number) in enumerate(zip(share.ravel(), n, strict=True)):
            if number:
                dark = value < low + 0.6 * (1.0 - low)
                axes.text(
                    (x_edges[i % side] + x_edges[i % side + 1]) / 2,
                    (y_edges[i // side] + y_edges[i // side + 1]) / 2,
                    str(number),
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="white" if dark else "black",
                )
    text = "Completeness of bright truths over the field; numbers say how many there are in a cell."
    return Picture(png(figure), text)


def chart_of_bars(
    names: Sequence[str], values: Sequence[float], label: str, caption: str, form: str = ",.0f"
) -> Picture:
    """One bar a name."""
    figure, axes = start(label, "")
    if not any(value > 0 for value in values):
        blank(axes, "nothing to count")
        return Picture(png(figure), f"{caption} Nothing to count.")
    rows = np.arange(len(names))
    bars = axes.barh(rows, values, height=0.62, color=BLUE, alpha=0.8)
    axes.bar_label(bars, padding=3, color=INK, fontsize=9, fmt=lambda value: format(value, form))
    axes.set_yticks(rows, names)
    axes.invert_yaxis()
    axes.set_xlim(0, max(values) * 1.15)
    return Picture(png(figure), caption)


def chart_of_visibility(table: ReportTable, threshold: float) -> Picture:
    """The area over which a source of each peak could be found."""
    factor, unit = prefixed("Jy/beam", column(table, "flux_peak"))
    figure, axes = start(f"peak [{unit}]", "part of the area")
    peak, share = column(table, "flux_peak") * factor, column(table, "share")
    if not peak.size:
        blank(axes, "the noise map holds nothing")
        return Picture(png(figure), "Visibility area: the noise map holds nothing.")
    axes.step(np.append(peak, peak[-1] * 1.3), np.append(share, 1.0), where="post", color=BLUE, linewidth=1.5)
    axes.set_xscale("log")
    plain_numbers(axes.xaxis)
    axes.set_ylim(0, 1.04)
    plain = f"Part of the {column(table, 'area')[-1]:.3g} square degrees searched over which a peak exceeds "
    return Picture(png(figure), plain + f"{threshold:g} times the rms.")


def chart_of_counts(table: ReportTable) -> Picture:
    """Euclid-normalised differential source counts: as measured, corrected, and true."""
    factor, unit = prefixed("Jy", _filled(table, "flux"))
    figure, axes = start(f"flux [{unit}]", "S$^{2.5}$ dN/dS [Jy$^{1.5}$ sr$^{-1}$]")
    n = column(table, "n")
    some = n > 0
    if not some.any() or not np.isfinite(column(table, "euclidean")[some]).any():
        blank(axes, "nothing to count, or no area")
        return Picture(png(figure), "Differential source counts: nothing to count, or the area is not known.")
    flux = column(table, "flux") * factor
    for name, colour, label, move in (
        ("euclidean", BLUE, "as measured", 0.98),
        ("corrected", ORANGE, "corrected", 1.02),
    ):
        value = column(table, name)
        good = some & np.isfinite(value) & (value > 0)
        error = np.stack([value - column(table, f"{name}_low"), column(table, f"{name}_high") - value])
        error = np.nan_to_num(np.maximum(error, 0.0))[:, good]
        axes.errorbar(
            flux[good] * move,
            value[good],
            error,
            fmt="o",
            color=colour,
            markersize=4.5,
            elinewidth=1.1,
            label=label,
        )
    true = column(table, "true")
    good = np.isfinite(true) & (true > 0)
    if good.any():
        axes.plot(flux[good], true[good], color=INK, linewidth=1.0, linestyle="--", label="true")
    axes.set_xscale("log")
    axes.set_yscale("log")
    plain_numbers(axes.xaxis)
    legend(axes)
    caption = (
        "Euclid-normalised differential source counts. Corrected for completeness, resolution, Eddington bias and "
        "false rows by the ratio of true to measured numbers in each bin."
    )
    return Picture(png(figure), caption)


def chart_of_confusion(table: ReportTable) -> Picture:
    """How many rows of each true class were found to be of each class, as shares of the true class."""
    figure, axes = start("found to be", "truly")
    names = [str(name) for name in table["true"]]
    count = np.array([column(table, name) for name in names], dtype=np.float64).T.reshape(
        len(names), len(names)
    )
    if not count.sum():
        blank(axes, "nothing to compare")
        return Picture(png(figure), "Confusion of classes: nothing to compare.")
    with np.errstate(invalid="ignore"):
        share = count / count.sum(axis=1, keepdims=True)
    axes.imshow(np.nan_to_num(share), cmap=colours("Blues"), vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    for y, row in enumerate(count):
        for x, number in enumerate(row):
            if number:
                text = f"{number:,.0f}\n{share[y, x]:.0%}"
                colour = "white" if share[y, x] > 0.55 else "#27313b"
                axes.text(x, y, text, ha="center", va="center", fontsize=8.5, color=colour)
    return Picture(png(figure), "Confusion of classes: numbers of rows, and shares of each true class.")


def chart_of_calibration(runs: Runs) -> Picture:
    """How often rows of each score are right."""
    figure, axes = start("mean score", "share that is right")
    drawn = False
    for (name, report), colour in zip(runs.items(), _cycle(len(runs)), strict=True):
        if "calibration" in report.tables:
            drawn |= points(
                axes, report.tables["calibration"], "score", "right", colour, name if len(runs) > 1 else ""
            )
    if not drawn:
        blank(axes, "no scores")
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.9, linestyle="--")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    legend(axes)
    return Picture(
        png(figure), "Calibration: on the dashed line a score is the probability that it claims to be."
    )


def _filled(table: ReportTable, name: str) -> list[float]:
    """The values of a column where there is something in the bin."""
    return [value for value, n in zip(table[name], table["n"], strict=True) if n > 0]


def _cycle(n: int) -> list[str]:
    return [RUN_COLOURS[i % len(RUN_COLOURS)] for i in range(n)]
