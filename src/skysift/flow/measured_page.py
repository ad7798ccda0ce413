"""`measured_page`: one self-contained HTML page about measurements at known places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skysift.base.provenance import Manifest
from skysift.flow.figures import Picture
from skysift.flow.measured_charts import (
    brightest,
    chart_of_series,
    chart_of_snr,
    chart_of_variability,
    measured_again,
    most_variable,
)
from skysift.flow.measurements import Measurements
from skysift.flow.page import render
from skysift.flow.style import digits, prefixed
from skysift.measure.options import MeasureOptions
from skysift.measure.variability import bands_of
from skysift.sky.flags import FLAGS, describe, flag
from skysift.sky.units import frequency_text

__all__ = ["measured_page"]

LISTED = 30
_BANDS = 4  # frequencies that get a column each

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
    charts = [chart_of_snr(done)]
    if several:
        charts.append(chart_of_series(done, options.series_flux))
    if measured_again(done).any():
        charts.append(chart_of_variability(done))
    lists = [
        _maps(done),
        *([_variable(done)] if several else []),
        _bright(done, options.series_flux),
        _flags(done),
    ]
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
    one = len(_bands(done)) == 1
    spread = (
        ("flux_mean", "flux_min", "flux_max") if one else ()
    )  # over frequencies they tell of the spectrum
    factor, unit = prefixed("Jy", series["flux_mean"])
    rows = tuple(
        (
            _called(done, row),
            f"{series['n_maps'][row]}",
            *(digits(float(series[name][row]) * factor) for name in spread),
            digits(float(series["eta"][row])),
            digits(float(series["v"][row])),
            digits(float(series["modulation"][row])),
            f"{series['p_constant'][row]:.2g}",
            _told(series["flags"][row]),
        )
        for row in most_variable(done, LISTED).tolist()
    )
    heads = (f"mean [{unit}]", "lowest", "highest") if one else ()
    lead = "Those that a constant source explains least. V counts the noise, the modulation index does not."
    if not one:
        lead += " Fluxes are compared within each frequency."
    return _List(
        "The most variable",
        lead,
        ("place", "fluxes", *heads, "eta", "V", "modulation", "p constant", "flags"),
        rows,
    )


def _bright(done: Measurements, flux: str) -> _List:
    series = done.series
    chosen = brightest(done, LISTED)
    bands = _bands(done)
    factor, unit = prefixed("Jy", series["flux_mean"])
    lead = "By their means over all maps."
    heads: tuple[str, ...] = (f"mean [{unit}]", "error")
    columns = [
        [_value(series[name][row] * factor) for row in chosen] for name in ("flux_mean", "flux_mean_err")
    ]
    if len(bands) > 1:
        lead = "By their fluxes at the frequency in the middle; alpha is S ~ frequency^alpha."
        at = series["frequency"]
        heads = (f"flux [{unit}]", "error", "at [MHz]", "alpha", "error")
        columns += [
            [f"{at[row] / 1e6:.6g}" if np.isfinite(at[row]) else "\u2013" for row in chosen],
            *([_value(series[name][row]) for row in chosen] for name in ("alpha", "alpha_err")),
        ]
        for frequency, maps in bands[:_BANDS] if len(bands) <= _BANDS else ():
            heads = (*heads, f"{frequency_text(frequency)} [{unit}]")
            mean = _mean(done.of(flux)[maps][:, chosen], done.of(f"{flux}_err")[maps][:, chosen])
            columns.append([_value(each * factor) for each in mean])
    rows = tuple(
        (
            _called(done, row),
            f"{series['ra'][row]:.5f}",
            f"{series['dec'][row]:+.5f}",
            f"{series['n_maps'][row]}",
            *(column[number] for column in columns),
            _told(series["flags"][row]),
        )
        for number, row in enumerate(chosen.tolist())
    )
    return _List("The brightest", lead, ("place", "RA [deg]", "Dec [deg]", "fluxes", *heads, "flags"), rows)


def _called(done: Measurements, row: int) -> str:
    return str(done.series["name"][row] or f"place {done.series['place_id'][row]}")


def _value(number: float) -> str:
    return digits(float(number)) if np.isfinite(number) else "\u2013"


def _told(flags: int) -> str:
    return ", ".join(describe(int(flags))) or "\u2013"


def _bands(done: Measurements) -> list[tuple[float, NDArray[np.int64]]]:
    """The frequencies of the maps, ascending, and which maps are at each; unknown ones last, as NaN."""
    frequency = done.of("frequency")[:, 0] if len(done) else np.full(len(done.maps), np.nan)
    band = bands_of(frequency)
    return [
        (float(np.mean(frequency[band == number])), np.flatnonzero(band == number))
        for number in np.unique(band)
    ]


def _mean(flux: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted means along the first axis (map, place); NaN where there is no flux."""
    weight = np.where(np.isfinite(flux) & (error > 0), 1.0 / np.square(error), 0.0)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sum(weight * np.nan_to_num(flux), axis=0) / weight.sum(axis=0))


def _flags(done: Measurements) -> _List:
    of_series = done.series["flags"] & flag("uv_mismatch")
    flags = np.concatenate([done.table["flags"], of_series])
    met = int(np.bitwise_or.reduce(flags, initial=0))
    meaning = {each.name: each.meaning for each in FLAGS}
    rows = tuple(
        (name, f"{int(((flags >> bit) & 1).sum()):,}", meaning.get(name, ""))
        for bit in range(met.bit_length())
        if (met >> bit) & 1
        for name in describe(1 << bit)
    )
    return _List(
        "Flags", "Of the measurements, and of the spectral indices.", ("flag", "rows", "meaning"), rows
    )


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
