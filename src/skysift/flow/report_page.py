"""`page_of` and `page_of_runs`: one self-contained HTML page about the scores of a catalogue, or of several runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import skysift
from skysift.base.provenance import Provenance
from skysift.flow.figures import Picture
from skysift.flow.page import render
from skysift.flow.report_text import SHOWN, common_rule, number_rows, of_one_rule, shared_numbers, table_rows
from skysift.flow.score_charts import (
    chart_of_bars,
    chart_of_calibration,
    chart_of_confusion,
    chart_of_counts,
    chart_of_map,
    chart_of_shares,
    chart_of_spread,
    chart_of_visibility,
)
from skysift.flow.style import digits
from skysift.score.scorer import Report, ReportTable

__all__ = ["Figure", "Listing", "Section", "figures_of_runs", "page_of", "page_of_runs", "plan_of"]

_HEADLINES: dict[str, tuple[tuple[str, str], ...]] = {
    "counts": (
        ("completeness_bright", "completeness of bright truths"),
        ("reliability", "reliability"),
        ("snr_at_50", "S/N at 50 % completeness"),
        ("n_found", "rows found"),
        ("n_truth", "objects that can be found"),
        ("chance_rate", "matches by chance"),
    ),
    "fluxes": (
        ("flux_bias", "flux bias"),
        ("flux_pull_width", "width of flux pulls"),
        ("ra_pull_width", "width of RA pulls"),
    ),
    "classes": (("macro_f1", "macro F1"), ("accuracy", "right class"), ("ece", "calibration error")),
    "coco": (("ap_box", "box AP"), ("ap_mask", "mask AP"), ("ar_box", "box AR")),
    "masks": (
        ("completeness", "completeness, mean over classes"),
        ("reliability", "reliability, mean over classes"),
        ("ap50_mask", "mask AP50"),
        ("ap50_box", "box AP50"),
        ("ece", "calibration error"),
    ),
    "sdc1": (("M_s", "SDC1 score"), ("purity", "purity of the SDC1 matches")),
    "sdc2": (("M_s", "SDC2 score"), ("purity", "purity of the SDC2 matches")),
}
_ROWS = 40  # of a table on the page


@dataclass(frozen=True)
class Figure:
    """One figure: what its file is called, and its picture."""

    name: str
    picture: Picture


@dataclass(frozen=True)
class Listing:
    """A table as the template shows it."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: int = 0


@dataclass(frozen=True)
class Section:
    """All that the page says of one kind."""

    kind: str
    figures: tuple[Figure, ...] = ()
    listings: tuple[Listing, ...] = ()
    rule: str = ""


@dataclass(frozen=True)
class _Page:
    """All that the template shows."""

    title: str
    lead: str
    numbers: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    sections: tuple[Section, ...]
    facts: tuple[tuple[str, str], ...]
    footer: str


def plan_of(report: Report) -> dict[str, Callable[[], Picture]]:
    """Name -> what draws the figure, for each figure of a report."""
    tables = report.tables
    alone = {"": report}
    plan: dict[str, Callable[[], Picture]] = {
        name: partial(draw, alone) for name, draw in _OF_RUNS.get(report.kind, {}).items()
    }
    if report.kind == "counts":
        if "reliability_snr" not in tables:
            del plan["reliability_snr"]  # the truth does not tell it
        fate = tables["found_rows"]
        names = [str(name).replace("_", " ") for name in fate["fate"]]
        plan["map"] = partial(chart_of_map, tables["map"])
        plan["found_rows"] = partial(
            chart_of_bars, names, fate["n"], "found rows", "What became of found rows."
        )
        plan["source_counts"] = partial(chart_of_counts, tables["source_counts"])
        if "visibility" in tables:
            threshold = float(report.options.get("bright", 5.0))
            plan["visibility"] = partial(chart_of_visibility, tables["visibility"], threshold)
    if report.kind in ("sdc1", "sdc2") and "terms" in tables:
        terms = tables["terms"]
        caption = "What matches earn by each of the terms of the challenge, in the mean."
        plan["terms"] = partial(chart_of_bars, terms["term"], terms["mean"], "mean points", caption, ".3f")
    if report.kind == "fluxes":
        plan |= {name: partial(draw, report) for name, draw in _OF_FLUXES.items()}
    if report.kind in ("classes", "masks"):
        plan["confusion"] = partial(chart_of_confusion, tables["confusion"])
        if "calibration" in tables:
            plan["calibration"] = partial(chart_of_calibration, alone)
    return plan


def figures_of_runs(kind: str, runs: Mapping[str, Report]) -> tuple[Figure, ...]:
    """The figures that set several runs against each other."""
    drawn = [Figure(name, draw(runs)) for name, draw in _OF_RUNS.get(kind, {}).items()]
    if kind == "fluxes":
        drawn += [
            Figure(
                f"{table}_{what}",
                chart_of_spread(runs, [(table, "")], what, f"{table}: {label}", text, level=level),
            )
            for table in ("flux_peak", "flux", "ra", "major")
            for what, label, text, level in (
                (
                    "bias",
                    "median of found / true - 1" if table != "ra" else "median offset [arcsec]",
                    "Bias.",
                    0.0,
                ),
                (
                    "pull_width",
                    "width of pulls",
                    "Half the 16-84 % range of the pulls; 1 where errors are right.",
                    1.0,
                ),
            )
        ]
    if kind in ("classes", "masks") and any("calibration" in report.tables for report in runs.values()):
        drawn.append(Figure("calibration", chart_of_calibration(runs)))
    return tuple(drawn)


def page_of(
    reports: Sequence[Report], figures: Mapping[str, Sequence[Figure]], told: Provenance, started: str
) -> str:
    """The page about the scores of one catalogue, as HTML that needs no other file.

    Parameters
    ----------
    reports
        One a kind.
    figures
        Kind -> its figures.
    told
        What decided the scores.
    started
        When, ISO 8601 in UTC.
    """
    first = reports[0]
    rule, shared, alike = common_rule(reports), shared_numbers(reports), of_one_rule(reports)
    sections = tuple(
        _section(
            report,
            tuple(figures.get(report.kind, ())),
            rule if report in alike else "",
            shared if report in alike else frozenset(),
        )
        for report in reports
    )
    if rule or shared:
        matching = number_rows({name: value for name, value in alike[0].numbers.items() if name in shared})
        heads = ("", "value", "95 % interval")
        listing = (
            (Listing(f"The same for {', '.join(each.kind for each in alike)}", heads, tuple(matching)),)
            if matching
            else ()
        )
        sections = (Section("matching", (), listing, rule), *sections)
    facts = [("catalogue", first.catalogue), ("truth", first.truth)]
    facts += [(record.name, record.checksum) for record in told.inputs]
    for report in reports:
        facts += [(f"{report.kind}.{name}", str(value)) for name, value in report.options.items()]
    return render(
        _Page(
            title="Scores",
            lead=f"{first.catalogue} against {first.truth}",
            numbers=_headlines(reports),
            notes=tuple(dict.fromkeys(note for report in reports for note in report.notes)),
            sections=sections,
            facts=tuple(facts),
            footer=f"Made by skysift {told.version}, {started}.",
        ),
        "scores.html.jinja",
    )


def page_of_runs(runs: Mapping[str, Mapping[str, Report]], started: str) -> str:
    """The page that puts the scores of several runs side by side."""
    sections = []
    every = [report for reports in runs.values() for report in reports.values()]
    begins = common_rule(every) if len({report.kind for report in every}) > 1 else ""
    alike = of_one_rule(every) if begins else ()
    if begins:
        sections.append(Section("matching", (), (), begins))
    said: dict[str, dict[str, str]] = {}  # number -> run -> text
    for kind in dict.fromkeys(kind for reports in runs.values() for kind in reports):
        of = {name: reports[kind] for name, reports in runs.items() if kind in reports}
        rules = list(dict.fromkeys(report.rule for report in of.values() if report.rule))
        rule = "These runs were scored by different rules: compare with care."
        if len(rules) == 1:
            known = begins if all(report in alike for report in of.values()) else ""
            rule = rules[0][len(known) :].strip()
        listing = _side_by_side(of)
        rows = tuple(
            row
            for row in listing.rows
            if not dict(zip(of, row[1:], strict=True)).items() <= said.get(row[0], {}).items()
        )
        said |= {row[0]: dict(zip(of, row[1:], strict=True)) for row in rows}
        title = "Numbers" if len(rows) == len(listing.rows) else "Numbers, those left out that stand above"
        listing = Listing(title, listing.heads, rows)
        sections.append(Section(kind, figures_of_runs(kind, of), (listing,), rule if rules else ""))
    facts = [(name, next(iter(reports.values())).catalogue) for name, reports in runs.items() if reports]
    return render(
        _Page(
            title="Runs side by side",
            lead=", ".join(runs),
            numbers=(),
            notes=tuple(
                dict.fromkeys(
                    f"{name}: {note}"
                    for name, reports in runs.items()
                    for report in reports.values()
                    for note in report.notes
                )
            ),
            sections=tuple(sections),
            facts=tuple(facts),
            footer=f"Made by skysift {skysift.__version__}, {started}.",
        ),
        "scores.html.jinja",
    )


def _headlines(reports: Sequence[Report]) -> tuple[tuple[str, str], ...]:
    found = []
    for report in reports:
        for name, label in _HEADLINES.get(report.kind, ()):
            value = report.numbers.get(name)
            if value is not None and value == value:  # a number
                text = f"{value:.2g}" if 0.0 < abs(value) < 0.01 else digits(float(value))
                found.append((f"{value:,}" if isinstance(value, int) else text, label))
    return tuple(found)


def _section(report: Report, figures: tuple[Figure, ...], rule: str, shared: frozenset[str]) -> Section:
    """What the page says of one kind beside what is the same for all."""
    rows = tuple(number_rows({name: value for name, value in report.numbers.items() if name not in shared}))
    listings = [Listing("Numbers", ("", "value", "95 % interval"), rows)] if rows else []
    shown = SHOWN.get(report.kind) or tuple(report.tables)
    if "source_counts" in report.tables:
        shown = (*shown, "source_counts")
    listings += [_listing(name, report.tables[name]) for name in shown if report.tables.get(name)]
    return Section(report.kind, figures, tuple(listings), report.rule[len(rule) :].strip())


def _listing(name: str, table: ReportTable) -> Listing:
    heads, rows = table_rows(table)
    return Listing(name.replace("_", " "), heads, tuple(rows[:_ROWS]), max(0, len(rows) - _ROWS))


def _side_by_side(of: Mapping[str, Report]) -> Listing:
    names = dict.fromkeys(name for report in of.values() for name in report.numbers)
    shown = [
        name for name in names if not (name.endswith(("_low", "_high")) and name.rpartition("_")[0] in names)
    ]
    rows = []
    for name in shown:
        cells = []
        for report in of.values():
            row = {each[0]: each for each in number_rows(report.numbers)}.get(name, ("", "-", ""))
            cells.append(f"{row[1]} ({row[2]})" if row[2] else row[1])
        rows.append((name, *cells))
    return Listing("Numbers", ("", *of), tuple(rows))


def _shares(
    table: str, x: str, y: str, x_label: str, caption: str, log: bool = True
) -> Callable[[Mapping[str, Report]], Picture]:
    return lambda runs: chart_of_shares(runs, table, x, y, x_label, _LABELS.get(y, y), caption, log=log)


_LABELS = {"precision50_box": "precision", "ap_box": "average precision"}

_OF_RUNS: dict[str, dict[str, Callable[[Mapping[str, Report]], Picture]]] = {
    "counts": {
        "completeness_snr": _shares(
            "completeness_snr",
            "snr",
            "completeness",
            "true S/N (peak / rms)",
            "Completeness against true S/N.",
        ),
        "reliability_snr": _shares(
            "reliability_snr",
            "snr",
            "reliability",
            "measured S/N (peak / rms)",
            "Reliability against measured S/N.",
        ),
        "completeness_flux": _shares(
            "completeness_flux", "flux", "completeness", "true flux [Jy]", "Completeness against true flux."
        ),
        "completeness_size": _shares(
            "completeness_size",
            "size",
            "completeness",
            "true size without the beam [beams]",
            "Completeness of bright truths against their size (geometric mean of the FWHM).",
        ),
    },
    "coco": {
        "precision_recall": _shares(
            "precision_recall",
            "recall",
            "precision50_box",
            "recall",
            "Precision against recall of boxes at an IoU of 0.5.",
            False,
        ),
        "iou": _shares(
            "iou", "iou", "ap_box", "IoU", "Average precision of boxes against the IoU that counts.", False
        ),
    },
    "masks": {
        name: _shares("threshold", "threshold", name, "score at least", f"{text} against the score.", False)
        for name, text in (("completeness", "Completeness"), ("reliability", "Reliability"), ("f1", "F1"))
    },
}

_OF_FLUXES: dict[str, Callable[[Report], Picture]] = {
    "flux_bias": lambda report: chart_of_spread(
        {"": report},
        [("flux_peak", "peak"), ("flux_int", "integrated"), ("flux", "flux to use")],
        "bias",
        "median of found / true - 1",
        "Bias of fluxes against true S/N, with 95 % intervals.",
    ),
    "flux_scatter": lambda report: chart_of_spread(
        {"": report},
        [("flux_peak", "peak"), ("flux_int", "integrated"), ("flux", "flux to use")],
        "scatter",
        "half the 16-84 % range of found / true",
        "Scatter of fluxes against true S/N.",
    ),
    "position": lambda report: chart_of_spread(
        {"": report},
        [("ra", "right ascension"), ("dec", "declination")],
        "scatter",
        "half the 16-84 % range [arcsec]",
        "Scatter of positions against true S/N.",
    ),
    "size_bias": lambda report: chart_of_spread(
        {"": report},
        [("major", "major axis"), ("minor", "minor axis")],
        "bias",
        "median of found / true - 1",
        "Bias of the axes with the beam against true S/N.",
    ),
    "pull_width": lambda report: chart_of_spread(
        {"": report},
        [("ra", "RA"), ("dec", "Dec"), ("flux_peak", "peak"), ("flux", "flux"), ("major", "major"), ("minor", "minor")],
        "pull_width",
        "half the 16-84 % range of the pulls",
        "Widths of the pulls; 1 where the errors are right.",
        level=1.0,
    ),
    "pull_median": lambda report: chart_of_spread(
        {"": report},
        [("ra", "RA"), ("dec", "Dec"), ("flux_peak", "peak"), ("flux", "flux"), ("major", "major"), ("minor", "minor")],
        "pull",
        "median of the pulls",
        "Medians of the pulls.",
    ),
}  # fmt: skip
