"""`FluxesScorer`: bias and scatter of what was measured, and whether the errors tell them.

Bins are of true S/N, so that what noise does to the selection (Eddington bias) shows as bias and is not hidden.
A pull is (found - true) / error; with right errors pulls have a median of 0 and half their 16-84 % range is 1.
Rows that match one of several merged truths are left out: their truth is another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from skysift.score.counts import SEED, log_edges
from skysift.score.intervals import spread
from skysift.score.matching import Matching
from skysift.score.options import FluxesOptions
from skysift.score.rule import match
from skysift.score.scorer import Number, Report, ReportTable, Scorer
from skysift.score.sides import Floats
from skysift.sky.catalogue import Catalogue
from skysift.sky.truth import Truth

__all__ = ["FEWEST", "QUANTITIES", "Deviations", "FluxesScorer", "deviations"]

QUANTITIES: dict[str, str] = {
    "ra": "right ascension, found - true, times cos(dec) [arcsec]",
    "dec": "declination, found - true [arcsec]",
    "flux_peak": "peak, found / true - 1",
    "flux_int": "integrated flux, found / true - 1",
    "flux": "flux to use, found / true - 1",
    "major": "major axis with the beam, found / true - 1",
    "minor": "minor axis with the beam, found / true - 1",
    "pa": "position angle with the beam, found - true [deg]",
}

FEWEST = 5  # pairs, of which a scatter or a pull is told

_RULE = (
    " Found rows that are one of several truths merged are left out here. Medians, and half the 16-84 % range, stand "
    "for bias and scatter; bins are of true S/N. A pull is (found - true) / error of the found row. Position angles are "
    "compared where the true axis ratio with the beam is below {round_above:g}. The numbers are of truths above "
    "{bright:g} sigma. Scatter and pulls of fewer than 5 are not told."
)


@dataclass(frozen=True, eq=False)
class Deviations:
    """How found rows differ from their truths in one quantity.

    Parameters
    ----------
    difference
        Found less true; for fluxes and axes as a part of the true value; (pair,).
    pull
        Found less true, over the error of the found row; NaN where it has none; (pair,).
    """

    difference: Floats
    pull: Floats


class FluxesScorer(Scorer[FluxesOptions]):
    """Bias, scatter and pulls of positions, fluxes, sizes and angles."""

    name = "fluxes"

    def score(self, catalogue: Catalogue, truth: Truth) -> Report:
        """How right what was measured is, and its errors.

        Raises
        ------
        UsageError
            Catalogue or truth lack what the rule needs.
        """
        matched = match(catalogue, truth, self.options)
        pairs, found_pairs = matched.pairs
        snr = matched.true["snr"][pairs]
        several = matched.true["n_members"][pairs] > 1
        edges = log_edges(snr[~several], self.options.bins, 1.0, SEED)
        bright = ~(snr < self.options.bright) & ~several
        numbers: dict[str, Number] = {"n_pairs": int(np.sum(~several)), "n_pairs_bright": int(bright.sum())}
        tables: dict[str, ReportTable] = {}
        for name in QUANTITIES:
            found = deviations(matched, name, self.options.round_above)
            good = ~several & np.isfinite(found.difference)
            tables[name] = _table(snr, edges, found, good)
            numbers |= _numbers(name, found, bright & good)
        numbers["n_pairs_of_merged"] = int(np.sum(several)) + int(np.sum(matched.real)) - len(found_pairs)
        rule = matched.rule + _RULE.format(**self.options.to_dict())
        return Report(
            self.name,
            numbers | matched.numbers(),
            tables | matched.tables(),
            rule,
            self.options.to_dict(),
            repr(catalogue),
            repr(truth),
            matched.notes,
        )


def deviations(matched: Matching, name: str, round_above: float) -> Deviations:
    """How the found rows of the pairs differ from their truths in a quantity, one of `QUANTITIES`."""
    here, there = matched.pairs
    true, found = matched.true.select(here), matched.found.select(there)
    with np.errstate(divide="ignore", invalid="ignore"):
        if name == "ra":
            turn = (found.ra - true.ra + 180.0) % 360.0 - 180.0
            difference = turn * np.cos(np.radians(true.dec)) * 3600.0
            return Deviations(difference, _over(difference, found["ra_err"]))
        if name == "dec":
            difference = (found.dec - true.dec) * 3600.0
            return Deviations(difference, _over(difference, found["dec_err"]))
        if name == "pa":
            difference = (found["pa"] - true["pa"] + 90.0) % 180.0 - 90.0
            difference = np.where(true["minor"] < round_above * true["major"], difference, np.nan)
            return Deviations(difference, _over(difference, found["pa_err"]))
        apart = found[name] - true[name]
        part = np.where(true[name] != 0.0, apart / true[name], np.nan)
        return Deviations(part, _over(np.where(np.isfinite(part), apart, np.nan), found[f"{name}_err"]))


def _over(difference: Floats, error: Floats) -> Floats:
    return np.where(error > 0.0, difference / error, np.nan)


def _numbers(name: str, found: Deviations, rows: np.ndarray) -> dict[str, Number]:
    """The summary of one quantity."""
    apart, pull = spread(found.difference[rows]), spread(found.pull[rows])
    told = {
        f"{name}_bias": apart.median,
        f"{name}_bias_low": apart.median_low,
        f"{name}_bias_high": apart.median_high,
        f"{name}_scatter": apart.width,
        f"{name}_scatter_low": apart.width_low,
        f"{name}_scatter_high": apart.width_high,
        f"{name}_pull": pull.median,
        f"{name}_pull_low": pull.median_low,
        f"{name}_pull_high": pull.median_high,
        f"{name}_pull_width": pull.width,
        f"{name}_pull_width_low": pull.width_low,
        f"{name}_pull_width_high": pull.width_high,
        f"{name}_beyond_5": pull.beyond,
        f"{name}_n_with_error": pull.n,
    }
    few = (
        *((f"{name}_scatter",) if apart.n < FEWEST else ()),
        *((f"{name}_pull", f"{name}_pull_width", f"{name}_beyond_5") if pull.n < FEWEST else ()),
    )
    return told | dict.fromkeys(few, math.nan)


def _table(snr: Floats, edges: Floats, found: Deviations, good: np.ndarray) -> ReportTable:
    """The same in bins of true S/N."""
    rows: list[dict[str, float]] = []
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        here = good & (snr >= low) & (snr < high)
        summary = {key.removeprefix("_"): value for key, value in _numbers("", found, here).items()}
        rows.append(
            {"snr": math.sqrt(low * high), "snr_low": low, "snr_high": high, "n": int(here.sum()), **summary}
        )
    return {key: [row[key] for row in rows] for key in rows[0]}
