"""The part of a run's page about reliability: what the inverted map showed, and how sure each source is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from skysift.find.finding import Finding
from skysift.flow.figures import Picture
from skysift.flow.section import Section
from skysift.flow.style import BLUE, INK, ORANGE, blank, digits, plain_numbers, png, quiet, sheet
from skysift.sky.table import Table

__all__ = ["reliability_section"]

SIZE = (6.0, 4.1)
SURE = 0.95


def reliability_section(finding: Finding) -> Section | None:
    """How reliable the sources of a run are; None where that was not asked for."""
    sources, told = finding.catalogue.sources, finding.facts.get("reliability")
    if "reliability" not in sources or not isinstance(told, Mapping):
        return None
    value = sources["reliability"]
    numbers = [(f"{int((value >= SURE).sum()):,}", f"sources of reliability {SURE:g} or more")]
    numbers.append((f"{int((value < SURE).sum()):,}", "below"))
    story = finding.catalogue.provenance
    level = None if story is None else story.options.get("reliability")
    if isinstance(level, float) and level > 0.0:
        numbers.append((f"{int(told['sources_dropped']):,}", f"dropped below {level:g}"))
    for kind in ("islands", "segments"):
        if f"negative_{kind}" in told:
            expected = digits(float(told[f"negative_{kind}_expected"]))
            numbers.append(
                (f"{told[f'negative_{kind}']:,}", f"negative {kind}, {expected} expected by noise")
            )
    alike = "as bright, as large and as close to strong sources"
    if "negative_sources" in told:
        numbers.append((f"{told['negative_sources']:,}", "sources of the network in the inverted map"))
        alike = "near it, of which the network is as sure, as large and as close to strong sources"
    lead = (
        "The map was searched once more, upside down. A source is the less reliable, the more there is in the inverted "
        f"map that is {alike}."
    )
    charts = (chart_against_snr(sources), chart_of_counts(sources))
    return Section("reliability", "Reliability", lead, tuple(numbers), charts)


def chart_against_snr(sources: Table) -> Picture:
    """Reliability of the sources against their signal to noise."""
    caption = "Reliability of the sources against their signal to noise"
    value, snr = sources["reliability"], np.abs(sources["snr"])
    extended = sources["structure"] == "E"
    good = np.isfinite(value) & (snr > 0.0)
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    axes.set_ylabel("reliability")
    axes.set_xlabel("peak over rms")
    if not good.any():
        blank(axes, "no source")
        return Picture(png(figure), f"{caption}: none.")
    for rows, colour, label in ((good & ~extended, BLUE, "compact"), (good & extended, ORANGE, "extended")):
        if rows.any():
            axes.plot(
                snr[rows],
                value[rows],
                "o",
                markersize=3,
                alpha=0.7,
                color=colour,
                label=f"{label} ({rows.sum()})",
            )
    axes.axhline(SURE, color=INK, linewidth=0.9, linestyle="--")
    axes.set_xscale("log")
    axes.set_ylim(-0.03, 1.03)
    plain_numbers(axes.xaxis)
    axes.legend(fontsize=8, frameon=False, labelcolor=INK, loc="lower right")
    return Picture(png(figure), f"{caption}; the line is {SURE:g}.")


def chart_of_counts(sources: Table) -> Picture:
    """How many sources are how reliable."""
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    axes.set_xlabel("reliability")
    axes.set_ylabel("sources per bin")
    value = sources["reliability"][np.isfinite(sources["reliability"])]
    if not len(value):
        blank(axes, "no source")
        return Picture(png(figure), "Reliability of the sources: none.")
    axes.hist(value, np.linspace(0.0, 1.0, 21).tolist(), color=BLUE, alpha=0.7)
    axes.set_yscale("log")
    return Picture(png(figure), "How many sources are how reliable.")
