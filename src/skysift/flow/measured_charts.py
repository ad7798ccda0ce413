"""Charts of measurements at known places: their S/N, the series that vary most, spectra, eta against V."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skysift.flow.figures import Picture
from skysift.flow.measurements import Measurements
from skysift.flow.style import BLUE, INK, ORANGE, blank, plain_numbers, png, prefixed, quiet, sheet
from skysift.measure.variability import bands_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "brightest",
    "chart_of_series",
    "chart_of_snr",
    "chart_of_variability",
    "measured_again",
    "most_variable",
]

SIZE = (6.0, 4.4)
SHOWN = 6  # series that are drawn
_MAPS = "map"
WIDE = 10.0  # S/N to which the bars of faint fluxes reach


def most_variable(done: Measurements, number: int) -> NDArray[np.int64]:
    """Rows of the series that a constant source explains least, at most so many; brightest first among equals."""
    series = done.series
    p, eta = series["p_constant"], series["eta"]
    flux = np.nan_to_num(np.abs(series["flux_mean"]))
    order = np.lexsort((-flux, -np.nan_to_num(eta), np.nan_to_num(p, nan=2.0)))
    return np.asarray(order[np.isfinite(p[order])][:number], np.int64)


def brightest(done: Measurements, number: int) -> NDArray[np.int64]:
    """Rows of the series with the brightest means, at most so many."""
    flux = np.nan_to_num(done.series["flux_mean"], nan=-np.inf)
    order = np.argsort(-flux, kind="stable")
    return np.asarray(order[np.isfinite(flux[order])][:number], np.int64)


def chart_of_snr(done: Measurements) -> Picture:
    """How many fluxes there are of which S/N, negative ones too, beside what noise alone makes."""
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    axes.set_xlabel("flux / error")
    axes.set_ylabel("fluxes per bin")
    snr = done.table["snr"]
    snr = snr[np.isfinite(snr)]
    if not snr.size:
        blank(axes, "nothing was measured")
        return Picture(png(figure), "S/N of the fluxes: nothing was measured.")
    edges = np.arange(-WIDE, 3.0 * WIDE + 0.25, 0.5)
    counts, _ = np.histogram(np.clip(snr, edges[0], edges[-1] - 1e-6), edges)
    axes.stairs(counts, edges, fill=True, color=BLUE, alpha=0.35, label="fluxes")
    middle = 0.5 * (edges[1:] + edges[:-1])
    negative = int((snr < 0).sum())
    bell = 2.0 * negative * 0.5 * np.exp(-0.5 * middle**2) / np.sqrt(2.0 * np.pi)
    axes.plot(middle, bell, color=ORANGE, linewidth=1.4, label="noise, by the negative ones")
    axes.set_yscale("symlog", linthresh=10.0)
    axes.set_ylim(bottom=0.0)
    _legend(axes)
    return Picture(
        png(figure),
        f"S/N of {snr.size:,} fluxes, {negative:,} of them negative; beyond {3 * WIDE:g} they are in the last bin.",
    )


def chart_of_series(done: Measurements, flux: str) -> Picture:
    """Light curves of the places that vary most; spectra of the brightest where maps differ in frequency alone."""
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    rows, kind = most_variable(done, SHOWN), "vary most"
    epoch, frequency = done.of("epoch"), done.of("frequency")
    bands = len(np.unique(bands_of(frequency[:, :1].ravel())))
    spectra = bands > 1 and (not rows.size or bands == len(done.maps))
    if spectra or not rows.size:
        rows, kind = brightest(done, SHOWN), "are brightest"
    values, errors = done.of(flux), done.of(f"{flux}_err")
    if not rows.size:
        blank(axes, "nothing was measured")
        return Picture(png(figure), "Light curves: nothing was measured.")
    x, label = _axis(done, epoch, frequency, spectra)
    factor, unit = prefixed("Jy", values[:, rows])
    for number, row in enumerate(rows.tolist()):
        order = np.argsort(x, kind="stable")
        name = done.series["name"][row] or f"place {done.series['place_id'][row]}"
        axes.errorbar(
            x[order],
            factor * values[order, row],
            factor * errors[order, row],
            fmt="o-",
            markersize=3.5,
            linewidth=0.9,
            capsize=2.0,
            color=_colour(number, len(rows)),
            label=str(name)[-30:],
        )
    axes.set_xlabel(label)
    axes.set_ylabel(f"{flux} [{unit}]")
    if label == _MAPS:
        _whole_numbers(axes, len(x))
    if spectra:
        axes.set_xscale("log")
        plain_numbers(axes.xaxis)
        if np.nanmin(values[:, rows]) > 0:
            axes.set_yscale("log")
            plain_numbers(axes.yaxis)
    _legend(axes)
    what = "Spectra" if spectra else "Light curves"
    return Picture(png(figure), f"{what} of the {len(rows)} places that {kind}; errors are 1 sigma.")


def measured_again(done: Measurements) -> NDArray[np.bool_]:
    """Rows of the series whose variability can be drawn: measured twice at one frequency, with a positive mean."""
    series = done.series
    return np.asarray((series["eta"] > 0) & (series["v"] > 0) & (series["flux_mean"] > 0), np.bool_)


def chart_of_variability(done: Measurements) -> Picture:
    """The statistic eta against V of all places: what varies stands at the upper right."""
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    axes.set_xlabel("V (scatter / mean)")
    axes.set_ylabel("eta (reduced chi-squared of a constant)")
    eta, v = done.series["eta"], done.series["v"]
    good = measured_again(done)
    if not good.any():
        blank(axes, "no place was measured twice at one frequency")
        return Picture(png(figure), "eta against V: no place was measured twice at one frequency.")
    odd = done.series["p_constant"] < 1e-3
    for rows, colour, label in (
        (good & ~odd, BLUE, "constant within the errors"),
        (good & odd, ORANGE, "constant with a probability below 0.1 %"),
    ):
        if rows.any():
            axes.scatter(v[rows], eta[rows], s=12, color=colour, alpha=0.6, linewidths=0, label=label)
    axes.axhline(1.0, color=INK, linewidth=0.9, linestyle="--")
    axes.set_xscale("log")
    axes.set_yscale("log")
    plain_numbers(axes.xaxis)
    plain_numbers(axes.yaxis)
    _legend(axes)
    return Picture(png(figure), f"eta against V of {int(good.sum()):,} places with a positive mean.")


def _axis(
    done: Measurements, epoch: NDArray[np.float64], frequency: NDArray[np.float64], spectra: bool
) -> tuple[NDArray[np.float64], str]:
    """Where each map stands on the axis, and the label of the axis."""
    if spectra and np.isfinite(frequency[:, 0]).all():
        return frequency[:, 0] / 1e6, "frequency [MHz]"
    if np.isfinite(epoch[:, 0]).all() and np.ptp(epoch[:, 0]) > 0:
        first = float(np.floor(epoch[:, 0].min()))
        return epoch[:, 0] - first, f"MJD - {first:.0f} [d]"
    return np.arange(1.0, len(done.maps) + 1.0), _MAPS


def _whole_numbers(axes: Axes, last: int) -> None:
    """Ticks at whole numbers only, from 1 to the last."""
    from matplotlib.ticker import MaxNLocator  # late: only reports need it

    axes.xaxis.set_major_locator(MaxNLocator(9, integer=True))
    axes.set_xlim(0.6, last + 0.4)


def _colour(number: int, total: int) -> tuple[float, float, float, float]:
    import matplotlib as mpl  # late: only reports need it

    made: tuple[float, float, float, float] = mpl.colormaps["viridis"](0.1 + 0.8 * number / max(total - 1, 1))
    return made


def _legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[1]:
        for text in axes.legend(loc="best", fontsize=8, frameon=False).get_texts():
            text.set_color(INK)
