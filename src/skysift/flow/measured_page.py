"""`measured_page`: one self-contained HTML page about measurements at known places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skysift.base.provenance import Manifest
from skysift.flow.figures import Picture
from skysift.flow.measured_charts import (
    brightest,
    chart_of_series,
    chart_of_snr,
    chart_of_variability,
    most_variable,
)
from skysift.flow.measurements import Measurements
from skysift.flow.page import render
from skysift.flow.style import digits, prefixed
from skysift.measure.options import MeasureOptions
from skysift.sky.flags import FLAGS, describe

__all__ = ["measured_page"]

LISTED = 30

Fact = tuple[str, str]


@dataclass(frozen=True)
class _List:
    title: str
    lead: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class _Page:
    """All that the template shows."""

    title: str
    lead: str
    numbers: tuple[Fact, ...]
    notes: tuple[str, ...]
    charts: tuple[Picture, ...]
    lists: tuple[_List, ...]
    facts: tuple[tuple[str, tuple[Fact, ...]], ...]
    footer: str


def measured_page(done: Measurements, manifest: Manifest, options: MeasureOptions) -> str:
    """The page of a run, as HTML that needs no other file.

    Parameters
    ----------
    done
        What was measured.
    manifest
        The story of the run.
    options
        How it was measured.
    """
    several = len(done.maps) > 1
    charts = [chart_of_snr(done), chart_of_series(done, options.series_flux)]
    if several:
        charts.append(chart_of_variability(done))
    lists = [_maps(done), *([_variable(done)] if several else []), _bright(done), _flags(done)]
    held = {
        "flux": "positions and shapes held",
        "position": "shapes held",
        "shape": "positions and shapes free",
    }
    page = _Page(
        done.maps[0] if not several else f"{len(done.maps)} maps",
        f"Fluxes at {len(done):,} known places, {held[options.fit]}; errors are statistical, 1 sigma.",
        _numbers(done),
        done.notes,
        tuple(charts),
        tuple(each for each in lists if each.rows),
        _facts(manifest),
        f"Made by skysift {manifest.provenance.version}, {manifest.started}.",
    )
    return render(page, "measured.html.jinja")


def _numbers(done: Measurements) -> tuple[Fact, ...]:
    measured = np.isfinite(done.table["flux_int"])
    rms = done.table["rms"]
    factor, unit = prefixed("Jy/beam", rms)
    numbers = [
        (f"{len(done):,}", "places"),
        (f"{len(done.maps):,}", "maps" if len(done.maps) > 1 else "map"),
        (f"{int(measured.sum()):,}", "fluxes"),
        (f"{int((done.table['snr'] > 5).sum()):,}", "above five errors"),
        (f"{int((done.table['flux_int'] < 0).sum()):,}", "negative"),
    ]
    if np.isfinite(rms).any():
        numbers.append((digits(float(np.nanmedian(rms)) * factor), f"median rms, {unit}"))
    return tuple(numbers)


def _maps(done: Measurements) -> _List:
    rows = []
    for number, name in enumerate(done.maps):
        flux, rms = done.of("flux_int")[number], done.of("rms")[number]
        frequency, epoch = done.of("frequency")[number], done.of("epoch")[number]
        good = np.isfinite(flux)
        factor, unit = prefixed("Jy/beam", rms)
        rows.append(
            (
                name,
                f"{frequency[0] / 1e6:.6g}" if len(frequency) and np.isfinite(frequency[0]) else "\u2013",
                f"{epoch[0]:.4f}" if len(epoch) and np.isfinite(epoch[0]) else "\u2013",
                f"{int(good.sum()):,}",
                f"{int((done.of('snr')[number] > 5).sum()):,}",
                f"{digits(float(np.median(rms[good])) * factor)} {unit}" if good.any() else "\u2013",
            )
        )
    heads = ("map", "frequency [MHz]", "epoch [MJD]", "fluxes", "above five errors", "median rms")
    return _List("Maps", "In the order that they were given.", heads, tuple(rows))


def _variable(done: Measurements) -> _List:
    series = done.series
    factor, unit = prefixed("Jy", series["flux_mean"])
    rows = tuple(
        (
            str(series["name"][row] or f"place {series['place_id'][row]}"),
            f"{series['n_maps'][row]}",
            digits(float(series["flux_mean"][row]) * factor),
            digits(float(series["flux_min"][row]) * factor),
            digits(float(series["flux_max"][row]) * factor),
            digits(float(series["eta"][row])),
            digits(float(series["v"][row])),
            digits(float(series["modulation"][row])),
            f"{series['p_constant'][row]:.2g}",
        )
        for row in most_variable(done, LISTED).tolist()
    )
    heads = ("place", "fluxes", f"mean [{unit}]", "lowest", "highest", "eta", "V", "modulation", "p constant")
    lead = "Those that a constant source explains least. V counts the noise, the modulation index does not."
    return _List("The most variable", lead, heads, rows)


def _bright(done: Measurements) -> _List:
    series = done.series
    factor, unit = prefixed("Jy", series["flux_mean"])
    rows = tuple(
        (
            str(series["name"][row] or f"place {series['place_id'][row]}"),
            f"{series['ra'][row]:.5f}",
            f"{series['dec'][row]:+.5f}",
            f"{series['n_maps'][row]}",
            digits(float(series["flux_mean"][row]) * factor),
            digits(float(series["flux_mean_err"][row]) * factor),
            f"{series['alpha'][row]:.2f}" if np.isfinite(series["alpha"][row]) else "\u2013",
        )
        for row in brightest(done, LISTED).tolist()
    )
    heads = ("place", "RA [deg]", "Dec [deg]", "fluxes", f"mean [{unit}]", "error", "alpha")
    return _List("The brightest", "By their means over all maps.", heads, rows)


def _flags(done: Measurements) -> _List:
    flags = done.table["flags"]
    met = int(np.bitwise_or.reduce(flags, initial=0))
    meaning = {each.name: each.meaning for each in FLAGS}
    rows = tuple(
        (name, f"{int(((flags >> bit) & 1).sum()):,}", meaning.get(name, ""))
        for bit in range(met.bit_length())
        if (met >> bit) & 1
        for name in describe(1 << bit)
    )
    return _List("Flags", "Of the measurements.", ("flag", "measurements", "meaning"), rows)


def _facts(manifest: Manifest) -> tuple[tuple[str, tuple[Fact, ...]], ...]:
    told = manifest.provenance
    inputs = tuple((record.name, f"{record.size:,} bytes, {record.checksum}") for record in told.inputs)
    options = tuple((name, "\u2013" if value is None else str(value)) for name, value in told.options.items())
    run = (
        ("started", manifest.started),
        ("workers", str(manifest.workers)),
        *((f"seconds: {stage}", f"{spent:.2f}") for stage, spent in manifest.seconds.items()),
        ("skysift", told.version),
        *manifest.versions.items(),
    )
    return (("Input", inputs), ("Options", options), ("Run", tuple(run)))
