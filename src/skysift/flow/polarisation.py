"""The part of a run's page about polarisation: fractions against flux, V / I and its leakage, the strongest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skysift.find.finding import Finding
from skysift.find.stokes import V_TABLE
from skysift.flow.figures import Picture
from skysift.flow.rows import DASH, MINUS, Cell, Listing, listing_of, to_three_digits, with_its_error
from skysift.flow.section import Section
from skysift.flow.style import BLUE, INK, ORANGE, blank, plain_numbers, png, prefixed, quiet, sheet
from skysift.sky.catalogue import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["polarisation_section"]

SIZE = (6.0, 4.1)
LISTED = 25


def polarisation_section(finding: Finding) -> Section | None:
    """What was measured in Stokes Q, U and V; None where nothing was."""
    sources = finding.catalogue.sources
    found = finding.tables.get(V_TABLE)
    options = finding.catalogue.provenance.options if finding.catalogue.provenance is not None else {}
    linear, circular = "flux_p" in sources, "flux_v" in sources
    letters = [letter for letter in "QUV" if f"flux_{letter.lower()}" in sources]
    if not letters:
        return None
    numbers: list[tuple[str, str]] = []
    charts: list[Picture] = []
    listings: list[tuple[str, Listing]] = []
    if linear:
        numbers.append((f"{_detected(sources, 'p').sum():,}", "sources with linear polarisation"))
        charts += [chart_of_fractions(sources, "p", _number(options, "leakage_p")), chart_of_angles(sources)]
        strongest = _strongest(sources, "p", sources["snr_p"])
        listings.append(("Linear polarisation, the most significant", linear_listing(sources, strongest)))
    if circular:
        numbers.append((f"{_detected(sources, 'v').sum():,}", "sources with circular polarisation"))
        charts += [
            chart_of_fractions(sources, "v", _number(options, "leakage_v")),
            chart_of_v(sources, _number(options, "leakage_v")),
        ]
        with np.errstate(divide="ignore", invalid="ignore"):
            significance = np.abs(sources["flux_v"]) / sources["flux_v_err"]
        strongest = _strongest(sources, "v", significance)
        listings.append(("Circular polarisation, the most significant", circular_listing(sources, strongest)))
    if isinstance(found, Table):
        alone = found["stokes_i_id"] == 0
        numbers += [
            (f"{int((found['flux'] > 0).sum()):,}", "positive components found in Stokes V"),
            (f"{int((found['flux'] < 0).sum()):,}", "negative ones"),
            (f"{int(alone.sum()):,}", "of them on no component of Stokes I"),
        ]
        by_snr = np.argsort(-np.abs(np.nan_to_num(found["snr"])), kind="stable")[:LISTED]
        listings.append(("Found in Stokes V itself", v_listing(found, by_snr)))
    lead = (
        f"Stokes {', '.join(letters)} at the positions and with the shapes of Stokes I, each with the noise of its map. "
        "Errors are statistical, 1 sigma; polarised intensity is freed of its bias by noise."
    )
    return Section("polarisation", "Polarisation", lead, tuple(numbers), tuple(charts), tuple(listings))


def chart_of_fractions(sources: Table, what: str, leakage: float) -> Picture:
    """Degree of polarisation against flux density: detections with errors, limits as arrows, the leakage as a line."""
    figure, axes = _axes("flux density in Stokes I [Jy]", {"p": "P / I", "v": "|V| / I"}[what])
    name = {"p": "linear", "v": "circular"}[what]
    total, share = sources["flux"], np.abs(sources[f"fraction_{what}"])
    error, limit = sources[f"fraction_{what}_err"], sources[f"fraction_{what}_limit"]
    seen = _detected(sources, what) & (share > 0) & (total > 0)
    bound = np.isfinite(limit) & (limit > 0) & (total > 0)
    caption = f"Degree of {name} polarisation against flux density: detections, and upper limits of the rest."
    if not (seen.any() or bound.any()):
        blank(axes, "nothing was measured")
        return Picture(png(figure), caption)
    if bound.any():
        axes.scatter(
            total[bound], limit[bound], s=16, marker="v", color=INK, alpha=0.45, linewidths=0,
            label=f"upper limits ({int(bound.sum())})",
        )  # fmt: skip
    if seen.any():
        low = np.minimum(error[seen], 0.9 * share[seen])
        axes.errorbar(
            total[seen], share[seen], (low, error[seen]), fmt="o", markersize=3.5, color=BLUE, elinewidth=0.9,
            label=f"detected ({int(seen.sum())})",
        )  # fmt: skip
    if leakage > 0:
        axes.axhline(leakage, color=ORANGE, linewidth=1.4, linestyle="--", label=f"leakage {leakage:g}")
        caption += " The line is the leakage that the option tells."
    axes.set_xscale("log")
    axes.set_yscale("log")
    plain_numbers(axes.xaxis)
    plain_numbers(axes.yaxis)
    _legend(axes)
    return Picture(png(figure), caption)


def chart_of_v(sources: Table, leakage: float) -> Picture:
    """How many sources have which V / I, those that are detected and all, with the leakage on both sides of zero."""
    figure, axes = _axes("V / I", "sources per bin")
    share = sources["fraction_v"]
    good = np.isfinite(share)
    caption = "V / I of the sources, with its sign."
    if not good.any():
        blank(axes, "nothing was measured")
        return Picture(png(figure), caption)
    reach = max(float(np.percentile(np.abs(share[good]), 99)) * 1.15, 3.0 * leakage, 1e-6)
    edges = np.linspace(-reach, reach, 42)
    inside = np.clip(share, -reach, reach)
    seen = _detected(sources, "v")
    for rows, colour, label in ((good, BLUE, "all"), (good & seen, ORANGE, "detected")):
        counts, _ = np.histogram(inside[rows], edges)
        axes.stairs(counts, edges, fill=True, color=colour, alpha=0.45, label=f"{label} ({int(rows.sum())})")
    if leakage > 0:
        axes.axvspan(-leakage, leakage, color=INK, alpha=0.18, linewidth=0, label=f"leakage {leakage:g}")
        caption += " Shaded: what may have leaked from Stokes I."
    if (np.abs(share[good]) > reach).any():
        caption += " The outermost bins hold what lies beyond."
    _legend(axes)
    return Picture(png(figure), caption)


def chart_of_angles(sources: Table) -> Picture:
    """How many sources have which angle of the electric vector, of those with linear polarisation."""
    figure, axes = _axes("angle of the electric vector, north through east [deg]", "sources per bin")
    seen = _detected(sources, "p")
    caption = "Angles of the sources with linear polarisation; one bin that stands out tells of leakage."
    if not seen.any():
        blank(axes, "no linear polarisation is detected")
        return Picture(png(figure), caption)
    counts, edges = np.histogram(sources["angle_p"][seen], np.linspace(0, 180, 19))
    axes.stairs(counts, edges, fill=True, color=BLUE, alpha=0.45)
    axes.set_xlim(0, 180)
    axes.set_xticks(range(0, 181, 30))
    return Picture(png(figure), caption)


def linear_listing(sources: Table, rows: NDArray[np.int64]) -> Listing:
    """The linear polarisation of some sources."""
    some = sources.select(rows)
    factor, unit = prefixed("Jy", some["flux_p"])
    columns = {
        f"I [{unit}]": with_its_error(some, "flux", factor),
        f"P [{unit}]": with_its_error(some, "flux_p", factor),
        "S/N": lambda row: Cell(f"{some['snr_p'][row]:.1f}"),
        "P / I": with_its_error(some, "fraction_p"),
        "angle [deg]": with_its_error(some, "angle_p"),
    }
    return listing_of(some, columns)


def circular_listing(sources: Table, rows: NDArray[np.int64]) -> Listing:
    """The circular polarisation of some sources."""
    some = sources.select(rows)
    factor, unit = prefixed("Jy", some["flux_v"])
    columns = {
        f"I [{unit}]": with_its_error(some, "flux", factor),
        f"V [{unit}]": with_its_error(some, "flux_v", factor),
        "V / I": with_its_error(some, "fraction_v"),
        "limit of |V| / I": to_three_digits(some, "fraction_v_limit"),
    }
    return listing_of(some, columns)


def v_listing(found: Table, rows: NDArray[np.int64]) -> Listing:
    """Some of the components found in Stokes V."""
    some = found.select(rows)
    factor, unit = prefixed("Jy", some["flux"])
    columns = {
        f"V [{unit}]": with_its_error(some, "flux", factor),
        "S/N": lambda row: Cell(f"{some['snr'][row]:.1f}".replace("-", MINUS)),
        f"I [{unit}]": with_its_error(some, "flux_i", factor),
        "V / I": with_its_error(some, "fraction_v"),
        "|V| / I at least": to_three_digits(some, "fraction_v_lower"),
        "component of I": lambda row: Cell(str(some["stokes_i_id"][row] or DASH)),
    }
    return listing_of(some, columns)


def _detected(sources: Table, what: str) -> NDArray[np.bool_]:
    """Where the polarised flux is no limit."""
    measured = np.isfinite(sources[f"fraction_{what}"])
    return np.asarray(measured & ~np.isfinite(sources[f"fraction_{what}_limit"]))


def _strongest(sources: Table, what: str, significance: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows of the most significant detections, the first ones first."""
    order = np.argsort(-np.nan_to_num(significance), kind="stable")
    return order[_detected(sources, what)[order]][:LISTED]


def _number(options: Mapping[str, object], name: str) -> float:
    value = options.get(name, 0.0)
    return float(value) if isinstance(value, int | float) else 0.0


def _axes(x: str, y: str) -> tuple[Figure, Axes]:
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


def _legend(axes: Axes) -> None:
    for text in axes.legend(loc="best", fontsize=9, frameon=False).get_texts():
        text.set_color(INK)
