"""`report`: one self-contained HTML page about a run, what a person opens first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from skysift.base.provenance import Manifest, Provenance
from skysift.base.registry import Registry
from skysift.find.finding import Finding
from skysift.flow.charts import (
    chart_of_counts,
    chart_of_fits,
    chart_of_residual,
    chart_of_structure,
    chart_of_widths,
)
from skysift.flow.extended import drawn_sources
from skysift.flow.extended_section import extended_section
from skysift.flow.figures import Picture, background_picture, residual_picture, rms_picture, sky_picture
from skysift.flow.gallery import Exhibit, brightest, exhibit, extended_exhibit, most_complex
from skysift.flow.overview import Overview, Reader, overview
from skysift.flow.polarisation import polarisation_section
from skysift.flow.reliability import reliability_section
from skysift.flow.rows import FlagRow, Listing, flag_rows, source_listing
from skysift.flow.section import Section
from skysift.flow.spectra import spectra_section
from skysift.flow.style import digits, prefixed
from skysift.io.regions import Drawn
from skysift.sky.flags import REMARKS, doubtful
from skysift.sky.units import frequency_text

__all__ = ["Page", "render", "report"]

GALLERY = 8  # islands of each kind
LISTED = 50  # rows of a list of sources

Fact = tuple[str, str]


@dataclass(frozen=True)
class Page:
    """All that the template of a report shows."""

    title: str
    lead: str
    numbers: tuple[Fact, ...]
    notes: tuple[str, ...]
    sky: Picture
    noise_lead: str
    noise: tuple[Picture, ...]
    charts: tuple[Picture, ...]
    sections: tuple[Section, ...]
    brightest: tuple[Exhibit, ...]
    complex: tuple[Exhibit, ...]
    flags: tuple[FlagRow, ...]
    flagged_lead: str
    flagged: Listing
    sources: Listing
    facts: tuple[tuple[str, tuple[Fact, ...]], ...]
    footer: str


def report(finding: Finding, manifest: Manifest, read: Mapping[str, Reader]) -> str:
    """The page of one run, as HTML that needs no other file.

    Parameters
    ----------
    finding
        What was found.
    manifest
        The story of the run.
    read
        Readers of the maps ``data background rms model residual labels``.
    """
    image, catalogue = finding.image, finding.catalogue
    seen = overview(read, finding.area)
    islands, sources = catalogue.islands, catalogue.sources
    drawn = drawn_sources(finding)
    emission = set(np.flatnonzero(np.isin(islands.ids, finding.segments)).tolist())
    first = brightest(islands, GALLERY, without=emission)
    more = most_complex(islands, GALLERY, without=emission | set(first))
    shown = {row: exhibit(read, image, catalogue, row) for row in [*first, *more]}
    by_peak = np.argsort(-np.nan_to_num(np.abs(sources["flux_peak"])), kind="stable")
    flagged = by_peak[doubtful(sources["flags"])[by_peak]]
    page = Page(
        title=image.name,
        lead=_lead(finding, manifest.region),
        numbers=_numbers(finding, seen, manifest),
        notes=tuple(dict.fromkeys(finding.notes)),
        sky=sky_picture(seen, image.frame, sources, drawn),
        noise_lead=_noise_lead(drawn is not None),
        noise=(
            residual_picture(seen, image.frame),
            chart_of_residual(seen.histogram),
            rms_picture(seen, image.frame),
            background_picture(seen, image.frame),
        ),
        charts=(
            chart_of_counts(catalogue),
            chart_of_widths(catalogue.components),
            chart_of_fits(islands),
            chart_of_structure(sources),
        ),
        sections=(*_extended(finding, read, drawn), *sections_of(finding)),
        brightest=tuple(shown[row] for row in first),
        complex=tuple(shown[row] for row in more),
        flags=flag_rows(catalogue),
        flagged_lead=_flagged_lead(manifest.counts),
        flagged=source_listing(sources, flagged[:LISTED]),
        sources=source_listing(sources, by_peak[:LISTED], _listed_lead(len(sources), finding)),
        facts=_facts(finding, manifest),
        footer=f"Made by skysift {manifest.provenance.version}, {manifest.started}.",
    )
    return render(page)


def _extended(finding: Finding, read: Mapping[str, Reader], drawn: Drawn | None) -> tuple[Section, ...]:
    """The part of the page about extended sources, where there are any."""
    if drawn is None:
        return ()
    sources = finding.catalogue.sources
    rows = np.isin(sources.ids, drawn.outlines.owner)
    by_flux = np.argsort(-np.where(rows, np.nan_to_num(sources["flux"]), -np.inf), kind="stable")
    shown = tuple(
        extended_exhibit(read, finding.image, finding.catalogue, drawn, int(row))
        for row in by_flux[: min(GALLERY, int(rows.sum()))]
    )
    section = extended_section(sources, rows, shown)
    return () if section is None else (section,)


def sections_of(finding: Finding) -> tuple[Section, ...]:
    """The parts of the page that not every run has."""
    found = (reliability_section(finding), spectra_section(finding), polarisation_section(finding))
    return tuple(each for each in found if each is not None)


def render(page: object, template: str = "report.html.jinja") -> str:
    """The HTML of a page by one of the templates; styles and scripts are part of it."""
    from jinja2 import Environment, FunctionLoader  # loaded late: only reports need it

    folder = files("skysift.flow").joinpath("templates")
    loader = FunctionLoader(lambda name: folder.joinpath(name).read_text(encoding="utf-8"))
    environment = Environment(autoescape=True, trim_blocks=True, loader=loader)
    return environment.get_template(template).render(page=page)


def _lead(finding: Finding, region: str) -> str:
    image = finding.image
    n_y, n_x = image.shape
    scale_y, scale_x = image.frame.scale
    beam, said = image.beam, "beam" if image.beams is None else "nominal beam"
    parts = [
        f"{n_x} \u00d7 {n_y} pixels of {_angle(scale_x)} \u00d7 {_angle(scale_y)}",
        f"{said} {_angle(beam.major)} \u00d7 {_angle(beam.minor)}, PA {beam.pa:.0f}\u00b0",
    ]
    if np.isfinite(image.frequency):
        parts.append(frequency_text(image.frequency, 4))
    story = finding.catalogue.provenance
    scale = "unknown" if story is None else str(story.options.get("flux_scale", "unknown"))
    if scale != "unknown":
        parts.append(f"flux-density scale {scale}")
    parts.append(
        f"{image.frame.name} coordinates"
        if image.frame.celestial
        else "no sky coordinates: positions are pixels"
    )
    response = finding.facts.get("primary_beam")
    if isinstance(response, Mapping):
        parts.append(
            f"corrected for the primary beam ({response['response']}): fluxes and noise are true; "
            f"{response['area_lost']:.1%} of the data, where the response is below {response['cutoff']:g}, count as blank"
        )
    if region:
        parts.append(f"searched and shown here: the region {region} (x0,x1,y0,y1 in pixels)")
    return "; ".join(parts)


def _angle(arcsec: float) -> str:
    if arcsec < 300:
        return f"{arcsec:.3g}\u2033"
    return f"{arcsec / 60:.3g}\u2032" if arcsec < 18000 else f"{arcsec / 3600:.3g}\u00b0"


def _numbers(finding: Finding, seen: Overview, manifest: Manifest) -> tuple[Fact, ...]:
    catalogue = finding.catalogue
    typical = finding.facts.get("rms_median")
    rms = float(typical) if isinstance(typical, float) else seen.rms_median
    factor, unit = prefixed("Jy/beam", rms)
    numbers = [
        (f"{len(catalogue.sources):,}", "sources"),
        (f"{len(catalogue.components):,}", "components"),
        (f"{len(catalogue.islands):,}", "islands"),
        (f"{int(np.sum(catalogue.sources['resolved'])):,}", "resolved sources"),
        (f"{manifest.counts['flagged']:,}", f"flagged sources, {manifest.counts['doubtful']:,} doubtful"),
        (
            digits(rms * factor),
            f"median rms, {unit}",
        ),
    ]
    if len(catalogue.islands):
        peak, peak_unit = prefixed("Jy/beam", [np.nanmax(np.abs(catalogue.islands["flux_peak"]))])
        numbers.append((digits(np.nanmax(catalogue.islands["flux_peak"]) * peak), f"brightest, {peak_unit}"))
    scale_y, scale_x = finding.image.frame.scale
    area = seen.n_good * scale_y * scale_x / 3600**2
    if area < 0.01:
        numbers.append((digits(area * 3600), "square arcminutes searched"))
    else:
        numbers.append((digits(area), "square degrees searched"))
    numbers.append((f"{sum(manifest.seconds.values()):.1f}", "seconds to find them"))
    return tuple(numbers)


def _flagged_lead(counts: Mapping[str, int]) -> str:
    some, doubted = counts["flagged"], counts["doubtful"]
    text = f"{some} of {counts['sources']} sources are flagged, {doubted} of them doubtful"
    text += f"; the {LISTED} brightest of these are listed" if doubted > LISTED else ""
    return f"{text}. Flags that are remarks and speak of no doubt: {', '.join(REMARKS)}."


def _noise_lead(extended: bool) -> str:
    text = "What is left when background and model are taken away should be noise of the width that the rms map tells."
    if extended:
        text += " The model holds compact sources; extended ones are measured, not modelled, and stay in the residual."
    return text


def _listed_lead(total: int, finding: Finding) -> str:
    which = f"The {LISTED} brightest of {total} sources" if total > LISTED else "All sources"
    told = (
        "The whole flux of a large complex object is flux_int of its island in the table islands; sources and components "
        "hold its pieces."
    )
    if len(finding.segments):
        told = (
            "The flux of an extended source (E) is that of its pixels without the compact sources on top of it, which "
            "are rows of their own; flux_int of its island in the table islands is the sum of all, where it was not "
            "joined from several."
        )
    return f"{which} by peak. Errors are statistical, 1 sigma. {told}"


def _facts(finding: Finding, manifest: Manifest) -> tuple[tuple[str, tuple[Fact, ...]], ...]:
    """What was run on what, for the end of the page."""
    told = manifest.provenance
    inputs: list[Fact] = []
    for record in told.inputs:
        where = "" if record.hdu is None else f", HDU {record.hdu}"
        where += f", plane {list(record.plane)}" if record.plane else ""
        inputs.append((record.name, f"{record.size:,} bytes{where}"))
        inputs.append(("checksum", record.checksum))
    elsewhere = ("seconds", "counts", "seed")  # on this page, in other places
    measured = [
        (name, _text(value)) for name, value in _flat(finding.facts) if not name.startswith(elsewhere)
    ]
    run = [
        ("started", manifest.started),
        ("workers", str(manifest.workers)),
        ("tile", f"{manifest.tile} pixels"),
        *((f"seconds: {stage}", f"{seconds:.2f}") for stage, seconds in manifest.seconds.items()),
    ]
    versions = [("skysift", told.version), *((name, version) for name, version in manifest.versions.items())]
    return (
        ("Input", tuple(inputs)),
        (f"Options of the finder {told.finder}", _options(told)),
        ("Measured on the way", tuple(measured)),
        ("Time", tuple(run)),
        ("Versions", tuple(versions)),
    )


def _options(told: Provenance) -> tuple[Fact, ...]:
    """Every option with its unit and what it does."""
    registry = Registry[object]("finder")
    known = told.finder in registry.names()
    menu = {row.name: row for row in registry.options(told.finder).rows()} if known else {}
    facts = []
    for name, value in told.options.items():
        unit = f" {menu[name].unit}" if name in menu and menu[name].unit else ""
        changed = ", changed" if name in menu and value != menu[name].default else ""
        facts.append((name, f"{_text(value)}{unit}{changed}"))
    return tuple(facts)


def _flat(facts: Mapping[str, object], before: str = "") -> list[tuple[str, object]]:
    flat: list[tuple[str, object]] = []
    for name, value in facts.items():
        if isinstance(value, Mapping):
            flat += _flat(value, f"{before}{name}: ")
        else:
            flat.append((f"{before}{name}", value))
    return flat


def _text(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return f"{float(value):.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(_text(part) for part in value)
    return "\u2013" if value is None else str(value)
