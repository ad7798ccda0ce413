"""Catalogues against the truth: matches, false detections, duplicates, paired completeness, pulls.

Match: one to one, pairs in order of distance over radius; radius: half the geometric mean of the convolved
FWHM.
False: an entry with no true source, however faint, within its radius (discs answer for their whole face);
many lie between the sources of a blend. Spurious: none within twice the radius.
Duplicate: an entry within a radius that the one-to-one match left over.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from bench.peers.fields import Field
from bench.peers.run import Run

BINS = (5, 6, 7, 10, 20, 50, np.inf)
Z95 = 1.645  # one-sided


def sizes(truth: np.ndarray) -> np.ndarray:
    """Geometric mean of the convolved FWHM in px."""
    return np.sqrt(truth["maj"] * truth["min"])


def candidate_pairs(truth: np.ndarray, x: np.ndarray, y: np.ndarray, reach: float = 1.0) -> np.ndarray:
    """(true, entry) index pairs within `reach` radii, nearest in units of the radius first."""
    radius = 0.5 * reach * sizes(truth)
    if not len(x) or not len(truth):
        return np.zeros((0, 2), int)
    near = cKDTree(np.c_[x, y]).query_ball_point(np.c_[truth["x"], truth["y"]], radius)
    i = np.repeat(np.arange(len(truth)), [len(n) for n in near])
    j = np.concatenate([np.asarray(n, int) for n in near])
    distance = np.hypot(x[j] - truth["x"][i], y[j] - truth["y"][i]) / radius[i]
    return np.c_[i, j][np.lexsort((j, i, distance))]


def one_to_one(pairs: np.ndarray, n_truth: int, keep: np.ndarray) -> np.ndarray:
    """Entry matched to each true source, -1 where there is none; only entries in `keep` take part."""
    match, taken = np.full(n_truth, -1), ~keep
    for i, j in pairs:
        if match[i] < 0 and not taken[j]:
            match[i], taken[j] = j, True
    return match


def false_entries(truth: np.ndarray, x: np.ndarray, y: np.ndarray, reach: float = 1.0) -> np.ndarray:
    """True for entries that belong to no true source: none within `reach` radii."""
    false = np.ones(len(x), bool)
    false[candidate_pairs(truth, x, y, reach)[:, 1]] = False
    for s in truth[truth["kind"] == "disc"]:
        edge = 0.5 * s["dmaj"] + 0.5 * reach * np.sqrt(s["maj"] * s["min"])
        false &= np.hypot(x - s["x"], y - s["y"]) > edge
    return false


def isolated(truth: np.ndarray) -> np.ndarray:
    """True for sources further from every other than three times the mean of the two convolved FWHM.

    Between points that is three beams; sources whose peak is below 1 sigma do not count.
    """
    bright = np.flatnonzero(truth["snr"] > 1)
    fwhm = sizes(truth)
    alone = np.ones(len(truth), bool)
    tree = cKDTree(np.c_[truth["x"], truth["y"]][bright])
    near = tree.query_ball_point(np.c_[truth["x"], truth["y"]], 1.5 * (fwhm + fwhm.max()))
    for i, found in enumerate(near):
        j = bright[np.asarray(found, int)]
        j = j[j != i]
        distance = np.hypot(truth["x"][j] - truth["x"][i], truth["y"][j] - truth["y"][i])
        alone[i] = not (distance < 1.5 * (fwhm[i] + fwhm[j])).any()
    return alone


@dataclass(frozen=True)
class Listing:
    """The list of one run on one field."""

    run: Run
    field: Field
    table: str = "components"

    @cached_property
    def truth(self) -> np.ndarray:
        return self.field.truth()

    @cached_property
    def isolated(self) -> np.ndarray:
        return isolated(self.truth)

    @cached_property
    def columns(self) -> dict[str, np.ndarray]:
        with np.load(self.run.folder(self.field) / f"{self.table}.npz") as c:
            return {k: c[k] for k in c.files}

    @cached_property
    def snr(self) -> np.ndarray:
        return self.columns["peak"] / self.columns["rms"]

    @cached_property
    def pairs(self) -> np.ndarray:
        return candidate_pairs(self.truth, self.columns["x"], self.columns["y"])

    @cached_property
    def false(self) -> np.ndarray:
        return false_entries(self.truth, self.columns["x"], self.columns["y"])

    @cached_property
    def spurious(self) -> np.ndarray:
        return false_entries(self.truth, self.columns["x"], self.columns["y"], reach=2.0)

    def keep(self, threshold: float | None = None) -> np.ndarray:
        """Entries above the threshold; by default those that the run stands for."""
        threshold = self.run.cut if threshold is None else threshold
        return np.ones(len(self.snr), bool) if threshold is None else self.snr >= threshold

    def match(self, threshold: float | None = None) -> np.ndarray:
        """Entry of each true source at a threshold, -1 where there is none."""
        return one_to_one(self.pairs, len(self.truth), self.keep(threshold))


@dataclass(frozen=True)
class Purity:
    """What a list holds beside the one-to-one matches, pooled."""

    entries: int
    false: int
    spurious: int
    duplicates: int

    @property
    def reliability(self) -> float:
        return 1 - self.false / max(self.entries, 1)

    @property
    def duplicate_share(self) -> float:
        return self.duplicates / max(self.entries, 1)


def purity(listings: list[Listing], threshold: float | None = None) -> Purity:
    """Entries, false and spurious ones and duplicates, summed over fields."""
    entries = false = spurious = duplicates = 0
    for a in listings:
        keep = a.keep(threshold)
        n, f = int(keep.sum()), int((keep & a.false).sum())
        entries, false, spurious = entries + n, false + f, spurious + int((keep & a.spurious).sum())
        duplicates += n - f - int((a.match(threshold) >= 0).sum())
    return Purity(entries, false, spurious, duplicates)


def threshold_at(listings: list[Listing], n_false: int, what: str = "false") -> float | None:
    """The loosest threshold with at most `n_false` false (or "spurious") entries in all.

    None: the whole list has no more.
    """
    snr = np.sort(np.concatenate([a.snr[getattr(a, what)] for a in listings]))[::-1]
    return None if len(snr) <= n_false else float(np.nextafter(snr[n_false], np.inf))


def detected(listings: list[Listing], threshold: float | None) -> np.ndarray:
    """True sources found, all fields one after the other."""
    return np.concatenate([a.match(threshold) >= 0 for a in listings])


@dataclass(frozen=True)
class Difference:
    """Paired difference of two completenesses over the same true sources."""

    n: int
    ours: float
    theirs: float
    lower: float  # 95 % lower bound of ours - theirs

    @property
    def value(self) -> float:
        return self.ours - self.theirs


def paired(ours: np.ndarray, theirs: np.ndarray) -> Difference:
    """The difference with a one-sided 95 % bound: Agresti and Min (2005), a half added to each cell."""
    n = len(ours)
    if n == 0:
        return Difference(0, np.nan, np.nan, np.nan)
    b, c = int((ours & ~theirs).sum()), int((~ours & theirs).sum())
    d = (b - c) / (n + 2)
    error = np.sqrt(max((b + c + 1) / (n + 2) - d**2, 0) / (n + 2))
    return Difference(n, float(ours.mean()), float(theirs.mean()), d - Z95 * error)


@dataclass(frozen=True)
class Pull:
    """Distribution of (measured - true) / error: half of the 16-84 % width, median, share beyond 5."""

    n: int
    width: float
    median: float
    beyond: float


def pull(values: np.ndarray) -> Pull:
    """Summary of pulls; values that are not finite count as beyond 5."""
    good = values[np.isfinite(values)]
    if not len(good):
        return Pull(0, np.nan, np.nan, np.nan)
    low, mid, high = np.percentile(good, (16, 50, 84))
    beyond = np.mean(~(np.abs(values) <= 5))
    return Pull(len(values), float(high - low) / 2, float(mid), float(beyond))


QUANTITIES = ("peak", "flux", "gauss", "position", "maj", "min", "pa")


def deviations(
    listings: list[Listing], quantity: str, kind: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True S/N, pulls and measured / true of isolated matched sources of a kind, pooled.

    Angles: sources with a true convolved axis ratio below 0.8 only. Errors that a finder lacks give NaN.
    """
    snrs, pulls, ratios = [], [], []
    measured = {"position": ("x", "y"), "flux": ("total",)}.get(quantity, (quantity,))
    true = {"total": "total", "gauss": "total"}
    for a in listings:
        t, c, match = a.truth, a.columns, a.match()
        use = (match >= 0) & a.isolated & (t["kind"] == kind)
        if quantity == "pa":
            use &= t["min"] < 0.8 * t["maj"]
        for name in measured:
            if name not in c:
                continue
            value, truth = c[name][match[use]], t[true.get(name, name)][use]
            d = value - truth
            if quantity == "pa":
                d = (d + 90) % 180 - 90
            error = c.get(f"e_{name}", np.full(len(c["x"]), np.nan))[match[use]]
            snrs.append(t["snr"][use])
            pulls.append(d / error)
            ratios.append(value / truth)
    if not snrs:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    return np.concatenate(snrs), np.concatenate(pulls), np.concatenate(ratios)
