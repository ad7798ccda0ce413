"""Charts of a run: how clean the residual is, how many sources there are of which S/N, how wide they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skysift.flow.figures import Picture
from skysift.flow.overview import Histogram
from skysift.flow.style import (
    BLUE,
    INK,
    MEANINGS,
    ORANGE,
    STRUCTURES,
    blank,
    plain_numbers,
    png,
    quiet,
    sheet,
)
from skysift.sky.catalogue import Catalogue
from skysift.sky.flags import doubtful
from skysift.sky.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["chart_of_counts", "chart_of_fits", "chart_of_residual", "chart_of_structure", "chart_of_widths"]

SIZE = (6.0, 4.1)


def chart_of_residual(histogram: Histogram) -> Picture:
    """Counts of pixels over residual / rms beside a Gaussian of width 1 with as many pixels."""
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    total = int(histogram.everywhere.sum())
    axes.set_xlabel("residual / rms [sigma]")
    axes.set_ylabel("pixels per bin of 0.1 sigma")
    if total == 0:
        blank(axes, "no pixel holds data")
        return Picture(png(figure), "Residual in units of the local rms: no pixel holds data.")
    edges = histogram.edges
    middle = (edges[1:] + edges[:-1]) / 2
    n_outside = max(int(histogram.outside.sum()), 1)
    bell = n_outside * np.diff(edges) * np.exp(-(middle**2) / 2) / np.sqrt(2 * np.pi)
    axes.stairs(histogram.outside, edges, fill=True, color=BLUE, alpha=0.35, label="outside islands")
    axes.stairs(histogram.everywhere, edges, color=BLUE, linewidth=1.3, label="all pixels")
    axes.plot(middle, bell, color=ORANGE, linewidth=1.6, label="Gaussian of width 1")
    axes.set_yscale("log")
    axes.set_ylim(0.6, max(float(histogram.everywhere.max()), 1.0) * 2.5)
    used = np.flatnonzero(histogram.everywhere)
    reach = max(5.5, float(np.abs(edges[[used[0], used[-1] + 1]]).max()) + 0.3)
    axes.set_xlim(-reach, reach)
    _legend(axes)
    caption = (
        "Residual in units of the local rms. Half the 16-84 % range outside islands: "
        f"{histogram.half_width:.3f} (1 expected)."
    )
    if histogram.beyond:
        caption += f" {histogram.beyond} pixels lie beyond 10 sigma."
    return Picture(png(figure), caption)


def chart_of_counts(catalogue: Catalogue) -> Picture:
    """How many sources and components there are per step of S/N, both axes logarithmic."""
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    axes.set_xlabel("S/N (peak / rms)")
    axes.set_ylabel("number per bin")
    snr = _above_one(np.abs(catalogue.components["snr"]))
    if snr.size == 0:
        blank(axes, "nothing was found")
        return Picture(png(figure), "S/N of the components: nothing was found.")
    low, high = np.floor(np.log10(snr.min()) * 10) / 10, np.ceil(np.log10(snr.max()) * 10 + 1e-9) / 10
    step = 0.1 if snr.size > 60 else 0.2
    edges = 10 ** np.arange(low, max(high, low + step) + step, step)
    counts, _ = np.histogram(snr, edges)
    middle = np.sqrt(edges[1:] * edges[:-1])
    some = counts > 0
    axes.stairs(counts, edges, fill=True, color=BLUE, alpha=0.3, baseline=0.5, label="components")
    axes.errorbar(
        middle[some],
        counts[some],
        np.sqrt(counts[some]),
        fmt="none",
        ecolor=BLUE,
        elinewidth=1.2,
        label="_nolegend_",
    )
    of_sources, _ = np.histogram(_above_one(np.abs(catalogue.sources["snr"])), edges)
    axes.stairs(
        np.where(of_sources > 0, of_sources, 0.5),
        edges,
        color=ORANGE,
        linewidth=1.4,
        baseline=0.5,
        label="sources",
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(0.5, max(2.0, counts.max() * 2))
    plain_numbers(axes.xaxis)
    plain_numbers(axes.yaxis)
    _legend(axes)
    return Picture(png(figure), "S/N of components (with Poisson errors) and of sources.")


def chart_of_widths(components: Table) -> Picture:
    """Integrated over peak flux against S/N: 1 for a point, above for what is resolved."""
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    axes.set_xlabel("S/N (peak / rms)")
    axes.set_ylabel("integrated / peak flux [beam]")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = components["flux_int"] / components["flux_peak"]
    snr = np.abs(components["snr"])
    good = (ratio > 0) & np.isfinite(ratio) & (snr > 1)
    if not good.any():
        blank(axes, "nothing was fitted")
        return Picture(png(figure), "Integrated over peak flux: nothing was fitted.")
    resolved = np.asarray(components["resolved"], bool)
    size = 14 if good.sum() < 1500 else 5
    for rows, colour, label in (
        (good & ~resolved, BLUE, "unresolved"),
        (good & resolved, ORANGE, "resolved"),
    ):
        if rows.any():
            axes.scatter(
                snr[rows],
                ratio[rows],
                s=size,
                color=colour,
                alpha=0.6,
                linewidths=0,
                label=f"{label} ({int(rows.sum())})",
            )
    axes.axhline(1.0, color=INK, linewidth=0.9, linestyle="--")
    axes.set_xscale("log")
    axes.set_yscale("log")
    plain_numbers(axes.xaxis)
    plain_numbers(axes.yaxis)
    _legend(axes)
    return Picture(
        png(figure), "Integrated over peak flux of each component against its S/N; a point source has 1."
    )


def chart_of_structure(sources: Table) -> Picture:
    """How many sources there are of each structure, and how many of them are resolved or doubtful."""
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    structure = sources["structure"]
    letters = [letter for letter in MEANINGS if letter in STRUCTURES or (structure == letter).any()]
    rows = np.arange(len(letters))
    every = [int((structure == letter).sum()) for letter in letters]
    resolved = [
        int(((structure == letter) & np.asarray(sources["resolved"], bool)).sum()) for letter in letters
    ]
    doubt = [int(((structure == letter) & doubtful(sources["flags"])).sum()) for letter in letters]
    for offset, counts, colour, label in (
        (-0.27, every, BLUE, "all"),
        (0.0, resolved, ORANGE, "resolved"),
        (0.27, doubt, "#c2417c", "doubtful"),
    ):
        bars = axes.barh(rows + offset, counts, height=0.25, color=colour, alpha=0.85, label=label)
        axes.bar_label(bars, padding=3, color=INK, fontsize=9)
    axes.set_yticks(
        rows, [f"{letter}\n{MEANINGS[letter].replace(', ', ',' + chr(10))}" for letter in letters]
    )
    axes.invert_yaxis()
    axes.set_xlabel("sources")
    axes.set_xlim(0, max(max(every), 1) * 1.15)
    box = axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, fontsize=9, frameon=False)
    for text in box.get_texts():
        text.set_color(INK)
    return Picture(png(figure), "Sources by structure.")


def chart_of_fits(islands: Table) -> Picture:
    """The largest residual of each island against its S/N: how well the model describes what is there."""
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    axes.set_xlabel("S/N of the island (peak / rms)")
    axes.set_ylabel("largest residual / rms [sigma]")
    snr, worst = np.abs(islands["snr"]), np.abs(islands["residual_peak"])
    good = (snr > 1) & (worst > 0) & np.isfinite(worst)
    if not good.any():
        blank(axes, "nothing was fitted")
        return Picture(png(figure), "Largest residual of the islands: nothing was fitted.")
    single = islands["n_components"] == 1
    size = 14 if good.sum() < 1500 else 5
    for rows, colour, label in ((good & single, BLUE, "one component"), (good & ~single, ORANGE, "several")):
        if rows.any():
            axes.scatter(
                snr[rows],
                worst[rows],
                s=size,
                color=colour,
                alpha=0.6,
                linewidths=0,
                label=f"{label} ({int(rows.sum())})",
            )
    reach = np.array([snr[good].min(), snr[good].max()])
    axes.plot(reach, 0.05 * reach, color=INK, linewidth=0.9, linestyle="--", label="5 % of the peak")
    axes.set_xscale("log")
    axes.set_yscale("log")
    plain_numbers(axes.xaxis)
    plain_numbers(axes.yaxis)
    _legend(axes)
    caption = "Largest residual of each island against its S/N. Noise alone leaves 2 to 4 sigma."
    if np.isnan(worst).any():
        caption += " Extended sources are not fitted and have none."
    return Picture(png(figure), caption)


def _above_one(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values) & (values > 1)]


def _legend(axes: Axes) -> None:
    box = axes.legend(loc="best", fontsize=9, frameon=False)
    for text in box.get_texts():
        text.set_color(INK)
