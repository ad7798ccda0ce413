"""Pages about classifiers: numbers, tables and figures as HTML that needs no other file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skysift.flow.figures import Picture
from skysift.flow.page import render
from skysift.flow.report_page import Figure, Listing, Section
from skysift.flow.report_text import number_rows, table_rows, value_text
from skysift.flow.score_charts import (
    RUN_COLOURS,
    chart_of_bars,
    chart_of_calibration,
    chart_of_confusion,
    start,
)
from skysift.flow.style import INK, png
from skysift.score.scorer import Report, ReportTable

__all__ = [
    "Listing",
    "Section",
    "chart_of_contenders",
    "classified_page",
    "counted",
    "figures_of",
    "listing_of",
    "numbers_listing",
    "spread_listing",
]

_ROWS = 40


@dataclass(frozen=True)
class _Page:
    title: str
    lead: str
    numbers: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    sections: tuple[Section, ...]
    facts: tuple[tuple[str, str], ...]
    footer: str


def classified_page(
    title: str,
    lead: str,
    numbers: Sequence[tuple[str, str]],
    sections: Sequence[Section],
    facts: Mapping[str, Any],
    footer: str,
    notes: Sequence[str] = (),
) -> str:
    """The page: headlines, sections, and what decided it."""
    told = tuple((name, _plain(value)) for name, value in facts.items())
    page = _Page(title, lead, tuple(numbers), tuple(notes), tuple(sections), told, footer)
    return render(page, "scores.html.jinja")


def counted(n: int, thing: str) -> str:
    """How many of a thing, such as ``1 source`` and ``2 sources``."""
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


def _plain(value: Any) -> str:
    """An option as a person reads it: what is not set as a dash, lists and tables without brackets."""
    if value is None or value == () or value == []:
        return "-"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_plain(each) for each in value)
    return str(value)


def listing_of(title: str, table: ReportTable, most: int = _ROWS) -> Listing:
    """A table as the page shows it; longer ones end in the CSV."""
    heads, rows = table_rows(table)
    return Listing(title, heads, tuple(rows[:most]), max(0, len(rows) - most))


def figures_of(report: Report, others: Mapping[str, Report] | None = None) -> tuple[Figure, ...]:
    """Confusion, reliability (of others too) and F1 of each class."""
    drawn = []
    if "confusion" in report.tables:
        drawn.append(Figure("confusion", chart_of_confusion(report.tables["confusion"])))
    runs = {report.catalogue: report, **(others or {})}
    drawn.append(Figure("reliability", chart_of_calibration(runs)))
    table = report.tables["classes"]
    f1 = [float(np.nan_to_num(value)) for value in table["f1"]]
    names = [f"{name} ({n})" for name, n in zip(table["class"], table["n_true"], strict=True)]
    drawn.append(
        Figure("f1", chart_of_bars(names, f1, "F1", "F1 of each class, with its number of sources.", ".3f"))
    )
    return tuple(drawn)


def chart_of_contenders(parts: Mapping[str, Sequence[float]], label: str) -> Picture:
    """A number of each contender: every fold a point, mean and deviation as a bar."""
    figure, axes = start(label, "")
    for row, (values, colour) in enumerate(zip(parts.values(), _colours(len(parts)), strict=True)):
        good = np.asarray(values, float)[np.isfinite(values)]
        if not good.size:
            continue
        spread = good.std(ddof=1) if good.size > 1 else 0.0
        shift = np.linspace(-0.18, 0.18, good.size) if good.size > 1 else np.zeros(1)
        axes.scatter(good, row + shift, s=14, color=colour, alpha=0.55, linewidths=0)
        axes.errorbar(good.mean(), row, xerr=spread, fmt="o", color=colour, markersize=7, capsize=4)
        axes.text(
            good.mean(), row - 0.3, f"{good.mean():.3f}", ha="center", va="center", color=INK, fontsize=9
        )
    axes.set_yticks(range(len(parts)), list(parts))
    axes.set_ylim(len(parts) - 0.45, -0.6)
    caption = f"{label[0].upper()}{label[1:]}: every fold of every repeat, mean and standard deviation."
    return Picture(png(figure), caption)


def numbers_listing(report: Report) -> Listing:
    """All numbers of a report with their intervals."""
    return Listing("Numbers", ("", "value", "95 % interval"), tuple(number_rows(report.numbers)))


def spread_listing(report: Report) -> Listing:
    """All numbers of a report that are means, with their standard deviations."""
    numbers = report.numbers
    rows = [
        (name, value_text(value), value_text(numbers[f"{name}_sd"]) if f"{name}_sd" in numbers else "")
        for name, value in numbers.items()
        if not name.endswith("_sd")
    ]
    return Listing("Numbers", ("", "mean", "standard deviation"), tuple(rows))


def _colours(n: int) -> list[str]:
    return [RUN_COLOURS[k % len(RUN_COLOURS)] for k in range(n)]
