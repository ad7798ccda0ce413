"""The part of a run's page about spectra: indices against flux, their histogram, and the spectra of the brightest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skysift.find.finding import Finding
from skysift.flow.figures import Picture
from skysift.flow.section import Section
from skysift.flow.style import BLUE, INK, ORANGE, blank, plain_numbers, png, prefixed, quiet, sheet
from skysift.match.result import ResultTable
from skysift.sky.flags import has
from skysift.sky.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["spectra_section"]

SIZE = (6.0, 4.1)
SHOWN = 6  # spectra that are drawn
CLEAR = 0.2  # an index with a smaller error is told well
TABLE = "spectra"


def spectra_section(finding: Finding) -> Section | None:
    """The spectral indices of a run; None where there are none."""
    sources, table = finding.catalogue.sources, finding.tables.get(TABLE)
    if not isinstance(table, ResultTable) or "spectral_index" not in sources:
        return None
    index, error = sources["spectral_index"], sources["spectral_index_err"]
    doubted = has(sources["flags"], "uv_mismatch")
    known = np.isfinite(index)
    clear = known & (error < CLEAR) & ~doubted
    numbers = [
        (f"{int(known.sum()):,}", "sources with a spectral index"),
        (f"{int(clear.sum()):,}", f"with an error below {CLEAR:g}"),
    ]
    if clear.any():
        numbers.append((f"{np.median(index[clear]):+.2f}", "median of these"))
    if doubted.any():
        numbers.append((f"{int(doubted.sum()):,}", "extended, seen unlike by the maps (uv_mismatch)"))
    channels = "n_channels" in sources
    lead = (
        "S ~ frequency^alpha, fitted to the fluxes of the channels at the places of the components, all with one beam."
        if channels
        else "S ~ frequency^alpha, from the ratio of the Taylor terms at the places of the components."
    )
    charts = [chart_of_indices(sources), chart_of_counts(sources)]
    if channels:
        charts.append(chart_of_spectra(finding.catalogue.components, table))
    return Section(
        "spectra", "Spectra", f"{lead} Errors are statistical, 1 sigma.", tuple(numbers), tuple(charts)
    )


def chart_of_indices(sources: Table) -> Picture:
    """Spectral index against flux density, with errors; doubtful ones in another colour."""
    caption = "Spectral index of the sources against their flux density"
    flux, index, error = sources["flux"], sources["spectral_index"], sources["spectral_index_err"]
    good = np.isfinite(index) & (flux > 0) & (error < 1.0)
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    axes.set_ylabel("spectral index")
    if not good.any():
        blank(axes, "no index with an error below 1")
        return Picture(png(figure), f"{caption}: none with an error below 1.")
    factor, unit = prefixed("Jy", flux[good])
    axes.set_xlabel(f"flux density [{unit}]")
    doubted = has(sources["flags"], "uv_mismatch")
    for rows, colour, label in (
        (good & ~doubted, BLUE, "index"),
        (good & doubted, ORANGE, "uv_mismatch"),
    ):
        if rows.any():
            axes.errorbar(
                flux[rows] * factor,
                index[rows],
                error[rows],
                fmt="o",
                markersize=3,
                color=colour,
                elinewidth=0.7,
                alpha=0.75,
                label=f"{label} ({int(rows.sum())})",
            )
    axes.axhline(-0.7, color=INK, linewidth=0.9, linestyle="--", label="-0.7, usual for synchrotron")
    axes.set_xscale("log")
    plain_numbers(axes.xaxis)
    _legend(axes)
    return Picture(png(figure), f"{caption}; those with an error below 1.")


def chart_of_counts(sources: Table) -> Picture:
    """How many sources there are of which index."""
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    axes.set_xlabel("spectral index")
    axes.set_ylabel("sources per bin")
    index, error = sources["spectral_index"], sources["spectral_index_err"]
    fair = np.isfinite(index) & (error < 0.5)
    clear = fair & (error < CLEAR)
    if not fair.any():
        blank(axes, "no index with an error below 0.5")
        return Picture(png(figure), "Spectral indices: none with an error below 0.5.")
    edges = np.arange(-3.0, 3.01, 0.1 if clear.sum() > 50 else 0.25)
    shown = np.clip(index, edges[0], edges[-1])
    axes.hist(
        shown[fair], edges.tolist(), color=BLUE, alpha=0.35, label=f"error below 0.5 ({int(fair.sum())})"
    )
    axes.hist(
        shown[clear],
        edges.tolist(),
        color=BLUE,
        histtype="step",
        linewidth=1.4,
        label=f"error below {CLEAR:g} ({int(clear.sum())})",
    )
    _legend(axes)
    return Picture(png(figure), "Spectral indices of the sources.")


def chart_of_spectra(components: Table, table: ResultTable) -> Picture:
    """Fluxes of the brightest isolated components in the channels, with the power laws that were fitted."""
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    axes.set_xlabel("frequency [MHz]")
    n = len(components)
    m = len(table) // n if n else 0
    some = np.isfinite(components["spectral_index"]) & (components["flux"] > 0)
    rows = np.flatnonzero(some)[np.argsort(-components["flux"][some], kind="stable")][:SHOWN]
    if not rows.size or m < 2:
        blank(axes, "no spectrum was fitted")
        return Picture(png(figure), "Spectra: none was fitted.")
    frequency = table["frequency"].reshape(n, m) / 1e6
    flux, error = table["flux_int"].reshape(n, m), table["flux_int_err"].reshape(n, m)
    factor, unit = prefixed("Jy", flux[rows])
    axes.set_ylabel(f"flux density [{unit}]")
    for place, row in enumerate(rows):
        colour = (BLUE, ORANGE, "#3fa56b", "#c2417c", "#8a6fd1", "#7c8791")[place % 6]
        axes.errorbar(
            frequency[row],
            flux[row] * factor,
            error[row] * factor,
            fmt="o",
            markersize=3.5,
            color=colour,
            elinewidth=0.9,
            label=f"{components['component_id'][row]}: {components['spectral_index'][row]:+.2f}",
        )
        axes.plot(
            *_law(components, row, frequency[row], flux[row], error[row], factor), color=colour, linewidth=1
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    plain_numbers(axes.xaxis)
    plain_numbers(axes.yaxis)
    _legend(axes)
    return Picture(
        png(figure),
        f"Fluxes of the {len(rows)} brightest components in the channels; number of the component and its index.",
    )


def _law(
    components: Table,
    row: int,
    frequency: NDArray[np.float64],
    flux: NDArray[np.float64],
    error: NDArray[np.float64],
    factor: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The fitted spectrum of a component, through its fluxes by weight."""
    reference = float(components["frequency"][row]) / 1e6
    if not reference > 0:
        reference = float(np.exp(np.mean(np.log(frequency))))
    bend = float(components["spectral_curvature"][row]) if "spectral_curvature" in components else 0.0
    bend = bend if np.isfinite(bend) else 0.0

    def shape(at: NDArray[np.float64]) -> NDArray[np.float64]:
        u = np.log(at / reference)
        return np.asarray(np.exp(components["spectral_index"][row] * u + bend * u * u))

    good = np.isfinite(flux) & (error > 0)
    model, weight = shape(frequency[good]), 1.0 / error[good] ** 2
    scale = float((weight * model * flux[good]).sum() / (weight * model * model).sum())
    along = np.geomspace(frequency.min() * 0.97, frequency.max() * 1.03, 40)
    return along, shape(along) * scale * factor


def _legend(axes: Axes) -> None:
    box = axes.legend(loc="best", fontsize=9, frameon=False)
    for text in box.get_texts():
        text.set_color(INK)
