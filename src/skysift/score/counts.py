"""`CountsScorer`: completeness and reliability, over the field and over S/N, flux, size and class.

Completeness is the share of true objects that were found, in bins of what is true; reliability is the share of
found rows that are true objects, in bins of what was measured.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from skysift.score.intervals import share_numbers, wilson
from skysift.score.matching import Matching, is_injected
from skysift.score.opening import open_catalogue
from skysift.score.options import CountsOptions
from skysift.score.rule import match, table_of
from skysift.score.scorer import Number, Report, ReportTable, Scorer
from skysift.score.sides import Floats, Ints, Rows, found_rows
from skysift.score.visibility import source_counts
from skysift.sky.catalogue import Catalogue
from skysift.sky.truth import Truth

__all__ = ["SEED", "CountsScorer", "log_edges", "share_table", "snr_reached"]

Bools = NDArray[np.bool_]

FEWEST = 10  # truths in a bin, of which the S/N that a completeness is reached at is told
SEED = 5.0  # sigma; where most finders begin, which should not lie within a bin
_RULE_SNR = (
    " snr_at_50 and snr_at_90 are the lowest S/N above which that many per cent are found, by completeness made to rise "
    "with S/N over bins of at least 10 truths."
)
_RULE = (
    " Source counts are corrected bin by bin for false rows, Eddington bias, resolution and completeness by this very "
    "truth, which gives back the true ones; counts_of corrects those of another catalogue."
)
_RULE_OTHER = (
    " Source counts are those of {}, corrected bin by bin for Eddington bias, resolution and completeness by the truth "
    "of this comparison, and not for false rows; their errors hold the noise of both."
)
_SIZES = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 1e3)  # edges of intrinsic sizes, in beams
_MEASURED_SIZES = (0.0, 0.9, 1.1, 1.3, 1.6, 2.0, 3.0, 5.0, 9.0, 1e3)  # of sizes with the beam, in beams


class CountsScorer(Scorer[CountsOptions]):
    """Completeness, reliability and differential source counts."""

    name = "counts"

    def score(self, catalogue: Catalogue, truth: Truth) -> Report:
        """How many are found of what there is, and how many are real of what is found.

        Raises
        ------
        UsageError
            Catalogue or truth lack what the rule needs.
        """
        options = self.options
        matched = match(catalogue, truth, options)
        tables: dict[str, ReportTable] = {
            **matched.tables(),
            **self._completeness(matched),
            **({} if is_injected(truth) else self._reliability(matched)),
        }
        tables["map"] = completeness_map(matched, truth, options)
        area = self._area(matched, truth)
        tables["source_counts"] = self._source_counts(matched, truth, area)
        if matched.noise is not None:
            level = matched.noise.levels()
            visible = matched.noise.visible(level * options.bright * (1.0 + 1e-9), options.bright)
            tables["visibility"] = {
                "flux_peak": (level * options.bright).tolist(),
                "rms": level.tolist(),
                "area": visible.tolist(),
                "share": (visible / matched.noise.area).tolist() if level.size else [],
            }
        numbers = self._numbers(matched, area)
        if is_injected(truth):
            numbers |= {name: math.nan for name in numbers if name.startswith("reliability")}
        return Report(
            self.name,
            numbers,
            tables,
            matched.rule
            + _RULE_SNR
            + (_RULE if options.counts_of is None else _RULE_OTHER.format(options.counts_of)),
            options.to_dict(),
            repr(catalogue),
            repr(truth),
            matched.notes,
        )

    def _numbers(self, matched: Matching, area: float) -> dict[str, Number]:
        true, found = matched.true, matched.found
        bright = matched.findable & ~(true["snr"] < self.options.bright)
        numbers: dict[str, Number] = {}
        for name, rows, good in (
            ("completeness", matched.findable, matched.detected),
            ("completeness_bright", bright, matched.detected),
            ("reliability", matched.used, matched.real),
            ("reliability_bright", matched.used & ~(found["snr"] < self.options.bright), matched.real),
        ):
            numbers |= share_numbers(name, int(np.sum(good & rows)), int(rows.sum()))
        table = self._snr_table(matched)
        numbers |= {f"snr_at_{part}": snr_reached(table, part / 100.0) for part in (50, 90)}
        return numbers | matched.numbers() | {"area": area}

    def _snr_table(self, matched: Matching) -> dict[str, list[float]]:
        edges = log_edges(matched.true["snr"][matched.findable], self.options.bins, 1.0, SEED)
        return share_table(
            "snr", matched.true["snr"], edges, matched.findable, matched.detected, "completeness"
        )

    def _completeness(self, matched: Matching) -> dict[str, ReportTable]:
        """Completeness against what is true."""
        true, done, options = matched.true, matched.detected, self.options
        bright = matched.findable & ~(true["snr"] < options.bright)
        size = (
            np.sqrt(np.nan_to_num(true["major_deconv"]) * np.nan_to_num(true["minor_deconv"])) / matched.beam
        )
        flux = true[options.flux]
        return {
            "completeness_snr": self._snr_table(matched),
            "completeness_flux": share_table(
                "flux",
                flux,
                log_edges(flux[matched.findable], options.bins),
                matched.findable,
                done,
                "completeness",
            ),
            "completeness_size": share_table("size", size, np.array(_SIZES), bright, done, "completeness"),
            "completeness_class": class_table(true, ("class", "morphology"), bright, done, "completeness"),
        }

    def _reliability(self, matched: Matching) -> dict[str, ReportTable]:
        """Reliability against what was measured."""
        found, used, real, options = matched.found, matched.used, matched.real, self.options
        size = np.sqrt(np.maximum(found["major"] * found["minor"], 0.0)) / matched.beam
        flux, snr = found[options.flux], found["snr"]
        return {
            "reliability_snr": share_table(
                "snr", snr, log_edges(snr[used], options.bins, 1.0, SEED), used, real, "reliability"
            ),
            "reliability_flux": share_table(
                "flux", flux, log_edges(flux[used], options.bins), used, real, "reliability"
            ),
            "reliability_size": share_table(
                "size", size, np.array(_MEASURED_SIZES), used, real, "reliability"
            ),
            "reliability_class": class_table(found, ("class", "structure"), used, real, "reliability"),
        }

    def _area(self, matched: Matching, truth: Truth) -> float:
        """The area searched (deg^2): of the rms map, the option, the map of the truth; else NaN."""
        if matched.noise is not None:
            return matched.noise.area
        if self.options.area is not None or truth.frame is None:
            return math.nan if self.options.area is None else self.options.area
        return truth.frame.pixel_area * truth.frame.shape[0] * truth.frame.shape[1] / 3600.0**2

    def _source_counts(self, matched: Matching, truth: Truth, area: float) -> ReportTable:
        true, found, name = matched.true, matched.found, self.options.flux
        other = None if self.options.counts_of is None else self._other(matched, truth)
        told = found[name][matched.used] if other is None else other
        edges = log_edges(np.concatenate([true[name][matched.findable], told]), self.options.bins)
        size = np.sqrt(np.nan_to_num(true["major_deconv"]) * np.nan_to_num(true["minor_deconv"]))
        counts = source_counts(
            edges,
            area,
            found[name][matched.used],
            matched.real[matched.used],
            true[name],
            matched.detected,
            ~(size > 0.5 * matched.beam),
            other,
        )
        return counts.table()

    def _other(self, matched: Matching, truth: Truth) -> Floats:
        """The fluxes of the catalogue `counts_of`, where truths were looked for.

        Raises
        ------
        UsageError
            It is not there, or lacks the table or positions.
        """
        catalogue = open_catalogue(str(self.options.counts_of))
        rows, _, inside = found_rows(table_of(catalogue, self.options.table), truth)
        if matched.noise is not None:
            inside &= np.isfinite(matched.noise.at(rows.ra, rows.dec, rows.x, rows.y))
        return rows[self.options.flux][inside]


def completeness_map(matched: Matching, truth: Truth, options: CountsOptions) -> ReportTable:
    """Completeness of bright truths in the cells of a grid over the field, row by row.

    Cells are of pixels of the truth's map, else of ICRS degrees: `x` along right ascension.
    """
    rows = matched.findable & ~(matched.true["snr"] < options.bright)
    x, y = matched.true.x, matched.true.y
    if truth.frame is not None:
        y_edges, x_edges = (np.linspace(-0.5, n - 0.5, options.grid + 1) for n in truth.frame.shape)
    else:
        x, y = _beside_each_other(matched.true.ra), matched.true.dec
        if not rows.any():
            return {name: [] for name in _MAP_COLUMNS}
        x_edges, y_edges = (_even(values[rows], options.grid) for values in (x, y))
    column = np.clip(np.searchsorted(x_edges, x, side="right") - 1, 0, options.grid - 1)
    row = np.clip(np.searchsorted(y_edges, y, side="right") - 1, 0, options.grid - 1)
    cell, n_cells = row * options.grid + column, options.grid**2
    n = np.bincount(cell[rows], minlength=n_cells)
    k = np.bincount(cell[rows & matched.detected], minlength=n_cells)
    low, high = wilson(k, n)
    with np.errstate(invalid="ignore"):
        share = k / n
    grid_y, grid_x = np.divmod(np.arange(n_cells), options.grid)
    values = (
        *((edges[at] + edges[at + 1]) / 2.0 if part == 1 else edges[at + part // 2]
          for edges, at in ((x_edges, grid_x), (y_edges, grid_y)) for part in (1, 0, 2)),
        n, k, share, low, high,
    )  # fmt: skip
    return {name: np.asarray(each).tolist() for name, each in zip(_MAP_COLUMNS, values, strict=True)}


_MAP_COLUMNS = (
    *("x", "x_low", "x_high", "y", "y_low", "y_high", "n", "n_detected"),
    *("completeness", "completeness_low", "completeness_high"),
)


def log_edges(values: Floats, per_decade: int, least: float = 0.0, anchor: float = 1.0) -> Floats:
    """Edges in equal steps of the logarithm that hold all values above `least`; `anchor` would be one of them."""
    good = values[np.isfinite(values) & (values > least)]
    if not good.size:
        return np.array([anchor, anchor * 10.0 ** (1.0 / per_decade)])
    low = math.floor(math.log10(float(good.min()) / anchor) * per_decade + 1e-9)
    high = math.floor(math.log10(float(good.max()) / anchor) * per_decade + 1e-9) + 1
    return np.asarray(anchor * 10.0 ** (np.arange(low, high + 1) / per_decade))


def share_table(
    name: str, values: Floats, edges: Floats, rows: Bools, good: Bools, share: str
) -> dict[str, list[float]]:
    """The share of `rows` that are `good` in bins of `values`; what lies beyond the edges is in no bin.

    Parameters
    ----------
    name
        What the values are called in the table.
    values
        One a row, (n,).
    edges
        Of the bins, the last one inclusive; (bin + 1,).
    rows, good
        Those that count, and those of them that do well; (n,).
    share
        What the share is called in the table.
    """
    known = rows & np.isfinite(values)
    n, k = np.histogram(values[known], edges)[0], np.histogram(values[known & good], edges)[0]
    low, high = wilson(k, n)
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = np.where(
            edges[:-1] > 0, np.sqrt(np.maximum(edges[1:] * edges[:-1], 0)), (edges[1:] + edges[:-1]) / 2
        )
        part = k / n
    columns = {
        name: middle,
        f"{name}_low": edges[:-1],
        f"{name}_high": edges[1:],
        "n": n,
        "n_good": k,
        share: part,
        f"{share}_low": low,
        f"{share}_high": high,
    }
    return {key: np.asarray(each).tolist() for key, each in columns.items()}


def class_table(rows: Rows, columns: tuple[str, ...], used: Bools, good: Bools, share: str) -> ReportTable:
    """The share of rows that do well for every value of the columns with classes that the rows have."""
    table: dict[str, list[object]] = {
        name: [] for name in ("column", "class", "n", "n_good", share, f"{share}_low", f"{share}_high")
    }
    for column in columns:
        if column not in rows:
            continue
        text = np.asarray(rows.columns[column])
        for value in np.unique(text[used]).tolist():
            here = used & (text == value)
            n, k = int(here.sum()), int(np.sum(here & good))
            low, high = wilson(k, n)
            for key, each in zip(table, (column, value, n, k, k / n, float(low), float(high)), strict=True):
                table[key].append(each)
    return table


def snr_reached(table: ReportTable, part: float) -> float:
    """The lowest S/N above which completeness stays at or over `part`; NaN where it never gets there.

    Bins are joined upwards until they hold 10 truths, and completeness is made to rise with S/N (the isotonic fit of
    Barlow et al. 1972), so that a truth missed among few bright ones moves nothing. Between bins the share runs
    straight in the logarithm of the S/N. NaN as well where no bin is below.

    Parameters
    ----------
    table
        Completeness in bins of S/N: columns ``snr``, ``n``, ``n_good``.
    part
        The share.
    """
    n, good = (np.asarray(table[name], dtype=np.float64) for name in ("n", "n_good"))
    log_snr = np.log(np.asarray(table["snr"], dtype=np.float64))
    if n.sum() < FEWEST:
        return math.nan
    whole = np.floor(np.cumsum(n) / FEWEST) > np.floor((np.cumsum(n) - n) / FEWEST)
    group: Ints = np.cumsum(whole) - whole  # what is left over at the end joins the last that is whole
    group = np.minimum(group, whole.sum() - 1)
    count = np.bincount(group, n)
    x, y = np.bincount(group, n * log_snr) / count, np.bincount(group, good) / count
    y = isotonic_regression(y, weights=count).x
    reached = np.flatnonzero(y >= part - 1e-12)
    if not reached.size or reached[0] == 0:
        return math.nan
    i = int(reached[0])
    step = (part - y[i - 1]) / (y[i] - y[i - 1])
    return float(np.exp(x[i - 1] + step * (x[i] - x[i - 1])))


def _beside_each_other(ra: Floats) -> Floats:
    """Right ascensions without the jump from 360 to 0: within half a turn of their first."""
    if not ra.size:
        return ra
    return np.asarray(ra[0] + (ra - ra[0] + 180.0) % 360.0 - 180.0)


def _even(values: Floats, n: int) -> Floats:
    low, high = float(values.min()), float(values.max())
    return np.linspace(low, high if high > low else low + 1e-6, n + 1)
