"""`survey_page`: one HTML page about a survey, what a person opens first; it links to the pages of the fields."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skysift.flow.figures import Picture
from skysift.flow.match_text import pair
from skysift.flow.page import render
from skysift.flow.style import digits, prefixed
from skysift.flow.survey_charts import chart_of_area, chart_of_duplicates, chart_of_offsets, chart_of_ratios
from skysift.flow.survey_checks import Check
from skysift.flow.survey_fields import FieldDone
from skysift.flow.survey_result import Survey
from skysift.flow.survey_sky import Plane, depth_picture, footprint_picture
from skysift.io.moc import moc_area
from skysift.sky.flags import doubtful
from skysift.sky.units import frequency_text

__all__ = ["survey_page"]

Fact = tuple[str, str]
_LISTED = 500  # rows of a table of the page


@dataclass(frozen=True)
class _Cell:
    """A cell of a table: its text, and where it leads."""

    text: str
    link: str = ""


@dataclass(frozen=True)
class _Table:
    """A table of the page; the first column and those of texts are flush left."""

    heads: tuple[str, ...]
    rows: tuple[tuple[_Cell, ...], ...]
    more: str = ""


@dataclass(frozen=True)
class _Page:
    """All that the template shows."""

    title: str
    lead: str
    numbers: tuple[Fact, ...]
    notes: tuple[str, ...]
    sky: tuple[Picture, ...]
    fields: _Table
    checks: _Table
    checks_lead: str
    charts: tuple[Picture, ...]
    duplicates_lead: str
    duplicates: tuple[Picture, ...]
    files: tuple[Fact, ...]
    facts: tuple[tuple[str, tuple[Fact, ...]], ...]
    footer: str


def survey_page(survey: Survey) -> str:
    """The page of a survey, as HTML; its pictures are part of it."""
    options, coverage = survey.plan.options, survey.coverage
    told = survey.catalogue.provenance
    sky: tuple[Picture, ...] = ()
    if len(coverage.cells):
        plane = Plane.around(coverage)
        sky = (footprint_picture(survey, plane), depth_picture(coverage, plane))
    page = _Page(
        title=f"{options.name} {options.version}",
        lead=_lead(survey),
        numbers=_numbers(survey),
        notes=tuple(dict.fromkeys((*survey.notes, *survey.notes_of_fields))),
        sky=(*sky, chart_of_area(coverage)),
        fields=_fields(survey),
        checks=_checks(survey.checks),
        checks_lead=(
            f"Medians over pairs of S/N {options.min_snr:g} in both without doubtful flags; field less the other, field "
            "over the other. A pull is the scatter in units of the errors: 1 where errors tell all."
        ),
        charts=(chart_of_offsets(survey.checks), chart_of_ratios(survey.checks)),
        duplicates_lead=_duplicates(survey),
        duplicates=(chart_of_duplicates(survey),),
        files=_files(survey),
        facts=(
            ("Survey", tuple((name, _text(value)) for name, value in _facts(survey))),
            (
                "Options of the finder",
                tuple((n, _text(v)) for n, v in (told.options if told else {}).items()),
            ),
        ),
        footer=f"Made by skysift {told.version if told else ''}.",
    )
    return render(page, "survey.html.jinja")


def _lead(survey: Survey) -> str:
    frequencies = sorted({frequency_text(each.opened.image.frequency) for each in survey.fields if
                          math.isfinite(each.opened.image.frequency)})  # fmt: skip
    at = f" at {', '.join(frequencies[:4])}" if frequencies else ""
    return f"{len(survey.fields)} fields{at}, searched by {survey.plan.options.finder} and merged into one catalogue."


def _numbers(survey: Survey) -> tuple[Fact, ...]:
    sources = survey.catalogue.sources
    counts = sources["primary"]
    factor, unit = prefixed("Jy/beam", survey.coverage.rms)
    middle = float(np.median(survey.coverage.rms)) if len(survey.coverage.rms) else math.nan
    return (
        (f"{int(counts.sum()):,}", "sources that count"),
        (f"{int((~counts).sum()):,}", "duplicates, kept beside them"),
        (f"{int((counts & (sources['n_fields_detected'] > 1)).sum()):,}", "sources in several fields"),
        (f"{int((counts & doubtful(sources['flags'])).sum()):,}", "that count and are doubtful"),
        (digits(survey.coverage.area), "square degrees"),
        (digits(moc_area(survey.holes)), "square degrees of holes"),
        (digits(middle * factor), f"median rms, {unit}"),
        (f"{len(survey.fields)}", f"fields, {len(survey.failed)} failed"),
    )


def _fields(survey: Survey) -> _Table:
    heads = (
        "field", "map", "observed", "beam [\u2033]", "area [deg\u00b2]", "median rms", "sources", "that count",
        "only here, though others look", "doubtful",
    )  # fmt: skip
    factor, unit = prefixed("Jy/beam", survey.coverage.rms)
    rows = [_field(survey, each, factor, unit) for each in survey.fields[:_LISTED]]
    return _Table(heads, tuple(rows), _more(survey.fields))


def _field(survey: Survey, field: FieldDone, factor: float, unit: str) -> tuple[_Cell, ...]:
    sources = survey.catalogue.sources
    mine = sources["field"] == field.name
    counts = mine & sources["primary"]
    alone = counts & (sources["n_fields_covering"] > 1) & (sources["n_fields_detected"] == 1)
    beam = field.opened.image.beam
    rms = float(np.median(field.coverage.rms)) if len(field.coverage.rms) else math.nan
    return (
        _Cell(field.name, f"fields/{field.name}/report.html" if field.page else ""),
        _Cell(Path(field.opened.plan.path).name),
        _Cell(field.opened.date or "\u2013"),
        _Cell(f"{digits(beam.major)} \u00d7 {digits(beam.minor)}"),
        _Cell(digits(field.coverage.area)),
        _Cell(f"{digits(rms * factor)} {unit}"),
        *(_Cell(f"{int(each.sum()):,}") for each in (mine, counts, alone, mine & doubtful(sources["flags"]))),
    )


def _checks(checks: tuple[Check, ...]) -> _Table:
    heads = (
        "field", "against", "pairs", "that tell", "east [\u2033]", "north [\u2033]", "scatter [\u2033]",
        "pull of places", "flux ratio", "scatter", "pull of fluxes", "by chance",
    )  # fmt: skip
    rows = tuple(
        (
            _Cell(each.field, each.page),
            _Cell(each.against),
            _Cell(f"{each.n_pairs:,}"),
            _Cell(f"{each.sky.n:,}"),
            _Cell(pair(each.sky.east, each.sky.east_err)),
            _Cell(pair(each.sky.north, each.sky.north_err)),
            _Cell(f"{digits(each.sky.east_scatter)}, {digits(each.sky.north_scatter)}"),
            _Cell(digits(each.position_pull)),
            _Cell(pair(each.scale.ratio, each.scale.ratio_err)),
            _Cell(digits(each.scale.scatter)),
            _Cell(digits(each.flux_pull)),
            _Cell(f"{each.chance:.2%}" if math.isfinite(each.chance) else "\u2013"),
        )
        for each in checks[:_LISTED]
    )
    return _Table(heads, rows, _more(checks))


def _more(rows: Iterable[object]) -> str:
    total = len(list(rows))
    return f"The first {_LISTED} of {total:,} rows; the tables hold all." if total > _LISTED else ""


def _duplicates(survey: Survey) -> str:
    sources = survey.catalogue.sources
    counts = sources["primary"]
    several = counts & (sources["n_fields_covering"] > 1)
    both = several & (sources["n_fields_detected"] > 1)
    return (
        f"{int(several.sum()):,} sources that count lie where several fields look; {int(both.sum()):,} of them were "
        "found by two or more. Of each the row of the field with the lowest rms counts, unless an edge or blank "
        "pixels cut it there."
    )


def _files(survey: Survey) -> tuple[Fact, ...]:
    return (
        ("islands, sources, components", "the catalogue; rows that count have primary = true"),
        ("regions.reg, regions.crtf", "the components for viewers; blue (tag duplicate) what does not count"),
        ("comparisons", "the table of astrometry and fluxes above"),
        ("rms_area", "area over depth"),
        ("coverage.moc.fits, holes.moc.fits", "MOC of what was searched, and of what it encloses unsearched"),
        ("rms_coverage.fits", f"HEALPix map (nested, order {survey.coverage.order}) of the lowest rms"),
        ("fields/NAME", "each field: tables, page, coverage.moc.fits, coverage.fits"),
        ("manifest.json", "all fields with the checksums of their maps and products"),
    )


def _facts(survey: Survey) -> list[tuple[str, object]]:
    options = survey.plan.options
    return [
        ("version of the catalogue", options.version),
        ("fields that an earlier run had searched", len(survey.kept)),
        ("rows of one source lie within", f"{options.match_sigma:g} sigma and {options.match_beams:g} beams"),
        ("order of the coverage", survey.coverage.order),
        ("references", ", ".join(each.name for each in survey.plan.references) or "none"),
    ]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "\u2013" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
