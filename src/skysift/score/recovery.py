"""`Recovery`: what became of sources that were put into a map; and the report of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.score.curve import CompletenessCurve, fit_curve
from skysift.score.intervals import poisson, spread, wilson
from skysift.score.scorer import Report

__all__ = ["LEVELS", "Recovery", "Searches", "recovery_report"]

Floats = NDArray[np.float64]

LEVELS = (50, 80, 95)  # per cent of which the fluxes are told
_PER_BIN = 100  # made sources in a bin of a curve, about
_PER_CELL = 25  # bright ones in a cell of the map of completeness, at least about
_MOST_CELLS = 24  # along the longer side
FLUX_EDGES = (0.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0, math.inf)
THRESHOLDS = (4.0, 4.5, 5.0, 5.5, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0)


@dataclass(frozen=True, eq=False)
class Recovery:
    """Sources that were put into a map, one row each, and what was found of them; NaN where nothing was.

    Parameters
    ----------
    x, y
        Where they are (pixel).
    flux, snr
        Their total flux (Jy), and the peak of their image over the noise there.
    found
        Whether a row of the catalogue is this source.
    flux_found, flux_found_err
        The flux of that row (Jy).
    dx, dy, dx_err, dy_err
        Its position minus the true one (pixel), and the errors told.
    """

    x: Floats
    y: Floats
    flux: Floats
    snr: Floats
    found: NDArray[np.bool_]
    flux_found: Floats
    flux_found_err: Floats
    dx: Floats
    dy: Floats
    dx_err: Floats
    dy_err: Floats

    def __len__(self) -> int:
        return int(self.x.size)


@dataclass(frozen=True, eq=False)
class Searches:
    """S/N of what was found in the map itself, and in the map turned upside down; None where that was not searched."""

    positive: Floats
    negative: Floats | None = None


def recovery_report(
    recovery: Recovery,
    searches: Searches,
    shape: tuple[int, int],
    *,
    rule: str = "",
    options: Mapping[str, Any] | None = None,
    random_seed: int = 1,
    catalogue: str = "",
) -> Report:
    """The report of a recovery: fluxes at which 50, 80 and 95 % are found, curves, fluxes found, map, reliability.

    Parameters
    ----------
    recovery
        What became of the made sources.
    searches
        What was found without them.
    shape
        Rows and columns of the map.
    rule, options, catalogue
        For the report.
    random_seed
        Of the resampling that gives the errors of the curves.
    """
    by_snr = fit_curve(recovery.snr, recovery.found, random_seed)
    by_flux = fit_curve(recovery.flux, recovery.found, random_seed)
    share = float(recovery.found.mean()) if len(recovery) else math.nan
    numbers: dict[str, float | int] = {
        "n_made": len(recovery),
        "n_found": int(recovery.found.sum()),
        "completeness_made": share,
    }
    for name, curve in (("snr", by_snr), ("flux", by_flux)):
        numbers |= {
            f"{name}_middle": curve.middle,
            f"{name}_width": curve.width,
            f"{name}_ceiling": curve.ceiling,
        }
        for level in LEVELS:
            value, low, high = curve.reaches(level / 100.0)
            numbers |= {f"{name}_{level}": value, f"{name}_{level}_low": low, f"{name}_{level}_high": high}
    tables = {
        "snr": _binned(recovery.snr, recovery.found, by_snr, "snr"),
        "flux": _binned(recovery.flux, recovery.found, by_flux, "flux"),
        "fluxes": _fluxes(recovery),
        "cells": _cells(recovery, shape, numbers["flux_80"]),
        "reliability": _reliability(searches),
    }
    bright = recovery.found & (recovery.snr >= 10.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = spread((recovery.flux_found / recovery.flux)[bright])
        pull = spread(_pull(recovery)[recovery.found])
        place = spread((recovery.dx / recovery.dx_err)[recovery.found])
    numbers |= {
        "flux_ratio": ratio.median,
        "flux_ratio_low": ratio.median_low,
        "flux_ratio_high": ratio.median_high,
        "flux_pull_width": pull.width,
        "flux_pull_width_low": pull.width_low,
        "flux_pull_width_high": pull.width_high,
        "position_pull_width": place.width,
        "position_pull_width_low": place.width_low,
        "position_pull_width_high": place.width_high,
        "n_positive": int(searches.positive.size),
        **_reliable(searches),
    }
    return Report(
        "completeness", numbers, tables, rule, options or {}, catalogue, f"{len(recovery)} made sources"
    )


def _binned(
    strength: Floats, found: NDArray[np.bool_], curve: CompletenessCurve, name: str
) -> dict[str, list[float]]:
    """Shares found in bins of equal width in the logarithm, with intervals, and the curve through them."""
    if not strength.size:
        return {
            each: []
            for each in (name, "n", "found", "completeness", "completeness_low", "completeness_high", "curve")
        }
    x = np.log10(strength)
    low, high = float(x.min()), float(x.max())
    n_bins = int(np.clip(strength.size / _PER_BIN, 4, 40))
    edges = np.linspace(low, max(high, low + 1e-3), n_bins + 1)
    which = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, n_bins - 1)
    n = np.bincount(which, minlength=n_bins)
    k = np.bincount(which, weights=found, minlength=n_bins)
    some = n > 0
    middle = 10.0 ** (np.bincount(which, weights=x, minlength=n_bins)[some] / n[some])
    below, above = wilson(k[some], n[some])
    columns = {
        name: middle, f"{name}_from": 10.0 ** edges[:-1][some], f"{name}_to": 10.0 ** edges[1:][some],
        "n": n[some], "found": k[some].astype(np.int64), "completeness": k[some] / n[some],
        "completeness_low": below, "completeness_high": above, "curve": curve.at(middle),
    }  # fmt: skip
    return {key: values.tolist() for key, values in columns.items()}


def _pull(recovery: Recovery) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return (recovery.flux_found - recovery.flux) / recovery.flux_found_err


def _fluxes(recovery: Recovery) -> dict[str, list[float]]:
    """Found over true flux, and pulls of flux and position, in bins of the true S/N."""
    columns: dict[str, list[float]] = {
        name: [] for name in (
            "snr_from", "snr_to", "n", "flux_ratio", "flux_ratio_low", "flux_ratio_high", "flux_scatter",
            "flux_pull", "flux_pull_width", "flux_pull_width_low", "flux_pull_width_high",
            "position_pull_width", "position_pull_width_low", "position_pull_width_high",
        )
    }  # fmt: skip
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio, pull = recovery.flux_found / recovery.flux, _pull(recovery)
        places = np.stack([recovery.dx / recovery.dx_err, recovery.dy / recovery.dy_err])
    for low, high in pairwise(FLUX_EDGES):
        rows = recovery.found & (recovery.snr >= low) & (recovery.snr < high)
        if not rows.any():
            continue
        r, p, q = spread(ratio[rows]), spread(pull[rows]), spread(places[:, rows].ravel())
        values = (
            low, high, int(rows.sum()), r.median, r.median_low, r.median_high, r.width,
            p.median, p.width, p.width_low, p.width_high, q.width, q.width_low, q.width_high,
        )  # fmt: skip
        for column, value in zip(columns.values(), values, strict=True):
            column.append(value if math.isfinite(value) else math.nan)
    return columns


def _cells(recovery: Recovery, shape: tuple[int, int], faintest: float) -> dict[str, list[float]]:
    """Shares found over the field of the sources brighter than `faintest` (Jy), cell by cell."""
    bright = recovery.flux >= faintest if math.isfinite(faintest) else np.ones(len(recovery), dtype=np.bool_)
    side = math.sqrt(_PER_CELL * shape[0] * shape[1] / max(int(bright.sum()), 1))
    side = max(side, max(shape) / _MOST_CELLS)
    rows, columns = (max(1, round(n / side)) for n in shape)
    i = np.clip((recovery.x[bright] + 0.5) * columns / shape[1], 0, columns - 1).astype(np.int64)
    j = np.clip((recovery.y[bright] + 0.5) * rows / shape[0], 0, rows - 1).astype(np.int64)
    n = np.bincount(j * columns + i, minlength=rows * columns)
    k = np.bincount(j * columns + i, weights=recovery.found[bright], minlength=rows * columns)
    low, high = wilson(k, n)
    edges_y, edges_x = np.linspace(0, shape[0], rows + 1), np.linspace(0, shape[1], columns + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = k / n
    return {
        "x_from": np.tile(edges_x[:-1], rows).tolist(), "x_to": np.tile(edges_x[1:], rows).tolist(),
        "y_from": np.repeat(edges_y[:-1], columns).tolist(), "y_to": np.repeat(edges_y[1:], columns).tolist(),
        "n": n.tolist(), "found": k.astype(np.int64).tolist(), "completeness": share.tolist(),
        "completeness_low": low.tolist(), "completeness_high": high.tolist(),
    }  # fmt: skip


def _reliability(searches: Searches) -> dict[str, list[float]]:
    """One minus the number in the inverted map over that in the map, above thresholds of S/N."""
    columns: dict[str, list[float]] = {
        name: []
        for name in ("snr", "n_positive", "n_negative", "reliability", "reliability_low", "reliability_high")
    }
    if searches.negative is None:
        return columns
    for threshold in THRESHOLDS:
        positive, negative = (
            int((each >= threshold).sum()) for each in (searches.positive, searches.negative)
        )
        if not positive and not negative:
            continue
        values = (threshold, positive, negative, *_share_true(positive, negative))
        for column, value in zip(columns.values(), values, strict=True):
            column.append(value)
    return columns


def _share_true(positive: int, negative: int) -> tuple[float, float, float]:
    """The share of positive detections that are real if as many are false as negative ones, with its interval."""
    if not positive:
        return math.nan, math.nan, math.nan
    few, many = (float(each) for each in poisson(negative))
    value, low, high = (float(np.clip(1.0 - n / positive, 0.0, 1.0)) for n in (negative, many, few))
    return value, low, high


def _reliable(searches: Searches) -> dict[str, float | int]:
    if searches.negative is None:
        return {}
    value, low, high = _share_true(searches.positive.size, searches.negative.size)
    return {
        "n_negative": int(searches.negative.size),
        "reliability": value,
        "reliability_low": low,
        "reliability_high": high,
    }
