"""Charts of a survey: how much of it is how deep, how its fields compare, what the duplicates say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skysift.flow.figures import Picture
from skysift.flow.style import BLUE, INK, ORANGE, blank, digits, plain_numbers, png, prefixed, quiet, sheet
from skysift.flow.survey_checks import Check
from skysift.flow.survey_coverage import SurveyCoverage
from skysift.match.sky import offsets

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from skysift.flow.survey_result import Survey

__all__ = ["chart_of_area", "chart_of_duplicates", "chart_of_offsets", "chart_of_ratios"]

SIZE = (6.0, 4.1)
_OTHERS = "other fields"
_COLOURS = (BLUE, ORANGE, "#c2417c", "#4b9b4b")


def chart_of_area(coverage: SurveyCoverage) -> Picture:
    """The area over brightness: in which the rms is no higher, in which such a peak is detected."""
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    level, deep, seen = coverage.curve()
    if not len(level):
        blank(axes, "nothing was searched")
        return Picture(png(figure), "Area: nothing was searched.")
    factor, unit = prefixed("Jy/beam", level)
    axes.plot(level * factor, deep, color=BLUE, linewidth=1.6, label="rms is no higher")
    axes.plot(level * factor, seen, color=ORANGE, linewidth=1.6, label="a peak like this begins an island")
    axes.set_xscale("log")
    axes.set_xlabel(f"brightness [{unit}]")
    axes.set_ylabel("area [deg\N{SUPERSCRIPT TWO}]")
    axes.set_ylim(0, coverage.area * 1.06)
    plain_numbers(axes.xaxis)
    _legend(axes, above=True)  # the curves rise from one corner to the other
    full = level[np.searchsorted(seen, 0.95 * coverage.area)] if len(seen) else np.nan
    return Picture(
        png(figure),
        f"Area by depth. A peak of {digits(float(full) * factor)} {unit} is detected in 95 % of the survey.",
    )


def chart_of_offsets(checks: tuple[Check, ...]) -> Picture:
    """The median offsets of all fields, with errors."""
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    axes.set_xlabel("offset east [arcsec]")
    axes.set_ylabel("offset north [arcsec]")
    told = [each for each in checks if each.sky.n]
    if not told:
        blank(axes, "no pairs to compare")
        return Picture(png(figure), "Offsets: no pairs to compare.")
    for colour, (label, some) in zip(_COLOURS * 8, _kinds(told), strict=False):
        axes.errorbar(
            [each.sky.east for each in some],
            [each.sky.north for each in some],
            [each.sky.north_err for each in some],
            [each.sky.east_err for each in some],
            fmt="o", markersize=4, color=colour, elinewidth=1, label=label,
        )  # fmt: skip
        for each in some if len(told) <= 12 and label != _OTHERS else ():
            axes.annotate(
                _short(each), (each.sky.east, each.sky.north), (5, 4), textcoords="offset points", fontsize=7.5,
                color=INK,
            )  # fmt: skip
    axes.axhline(0, color=INK, linewidth=0.6, linestyle="--")
    axes.axvline(0, color=INK, linewidth=0.6, linestyle="--")
    _legend(axes)
    return Picture(png(figure), "Median offset of each field, less the reference or the other field.")


def chart_of_ratios(checks: tuple[Check, ...]) -> Picture:
    """The median flux ratios of all fields, with errors."""
    told = [each for each in checks if each.scale.n]
    figure = sheet(SIZE[0], float(np.clip(1.4 + 0.28 * len(told), 2.6, 12.0)))
    axes = figure.add_subplot()
    quiet(axes)
    axes.set_xlabel("flux ratio")
    if not told:
        blank(axes, "no pairs to compare")
        return Picture(png(figure), "Flux ratios: no pairs to compare.")
    place, ticks = 0, []
    for colour, (label, some) in zip(_COLOURS * 8, _kinds(told), strict=False):
        rows = np.arange(place, place + len(some))
        axes.errorbar(
            [each.scale.ratio for each in some],
            rows,
            xerr=[each.scale.ratio_err for each in some],
            fmt="o", markersize=4, color=colour, elinewidth=1, label=label,
        )  # fmt: skip
        ticks += [_short(each) for each in some]
        place += len(some)
    axes.set_yticks(np.arange(place), ticks if place <= 40 else [""] * place)
    axes.invert_yaxis()
    axes.axvline(1, color=INK, linewidth=0.6, linestyle="--")
    _legend(axes)
    return Picture(png(figure), "Median flux ratio of each field, over the reference or the other field.")


def chart_of_duplicates(survey: Survey) -> Picture:
    """Flux of rows that do not count over that of the row that counts, against its S/N."""
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    axes.set_xlabel("S/N of the row that counts")
    axes.set_ylabel("flux ratio, duplicate over counted")
    sources = survey.catalogue.sources
    rows = np.flatnonzero(~sources["primary"])
    counted = survey.merged.resolved.counterpart[rows]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = sources["flux"][rows] / sources["flux"][counted]
    snr = np.abs(sources["snr"][counted])
    good = (ratio > 0) & (snr > 0) & np.isfinite(ratio) & np.isfinite(snr)
    if not good.any():
        blank(axes, "no source in several fields")
        return Picture(png(figure), "Duplicates: no source in several fields.")
    partner = survey.merged.resolved.group[rows] == survey.merged.resolved.group[counted]
    for some, colour, label in (
        (good & partner, BLUE, "the same source"),
        (good & ~partner, ORANGE, "a piece of it, or a whole that is split"),
    ):
        if some.any():
            axes.scatter(
                snr[some], ratio[some], s=14 if good.sum() < 1500 else 5, color=colour, alpha=0.65, linewidths=0,
                label=f"{label} ({int(some.sum()):,})",
            )  # fmt: skip
    axes.axhline(1, color=INK, linewidth=0.8, linestyle="--")
    axes.set_xscale("log")
    axes.set_yscale("log")
    plain_numbers(axes.xaxis)
    plain_numbers(axes.yaxis)
    _legend(axes)
    east, north = offsets(*(sources[name][at] for at in (counted, rows) for name in ("ra", "dec")))
    far = np.median(np.hypot(east, north)[partner]) if partner.any() else np.nan
    return Picture(
        png(figure),
        f"Duplicates: rows that do not count against those that do; half of them lie within {digits(float(far))}\u2033.",
    )


def _kinds(checks: list[Check]) -> list[tuple[str, list[Check]]]:
    """The comparisons by what they are with."""
    names = dict.fromkeys(_OTHERS if each.kind == "field" else each.against for each in checks)
    return [
        (
            name,
            [
                each
                for each in checks
                if (
                    each.kind == "field" if name == _OTHERS else each.kind != "field" and each.against == name
                )
            ],
        )
        for name in names
    ]


def _short(check: Check) -> str:
    return f"{check.field} \u2212 {check.against}" if check.kind == "field" else check.field


def _legend(axes: Axes, *, above: bool = False) -> None:
    """A legend where the axes have room, or above them."""
    more = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 2} if above else {"loc": "best"}
    box = axes.legend(fontsize=9, frameon=False, **more)
    for text in box.get_texts():
        text.set_color(INK)
