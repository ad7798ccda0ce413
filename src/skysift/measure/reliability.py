"""Reliability as arrays: how many negative detections are like a positive one, and how many noise alone makes.

Serra, Jurek & Floeer (2012, PASA 29, 296) compare the density of positive with that of negative detections; the
number of peaks of noise is that of a Gaussian field (Adler 1981; Bond & Efstathiou 1987, MNRAS 226, 655).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammainc, ndtr

from skysift.base.compiled import kernel

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

AXES = 4  # log S/N, log contrast, log size, alignment
WIDTHS = np.array([0.1, 0.25, 0.6, 0.3])  # of the kernel along them
FARTHEST = 1.0  # log contrast of what no stronger source is near
CAUSE = 3.0  # times the flux of a detection; a source that may be its cause has so much or more
RMS_KNOWN = 0.03  # relative error of the rms at a place
SAMPLE = 4000  # detections that stand for all of them
TOGETHER = 64  # places on one source that are looked at as one, as long as that tells enough
DOUBT = 1.0  # of the Poisson error of the number of negative detections


@dataclass(frozen=True, eq=False)
class Marks:
    """
    What tells true detections from false ones.

    Attributes
    ----------
    snr
        ``(n,)`` peak signal to noise, of an extended one on its best scale.
    peak
        ``(n,)`` signal to noise of the pixel that it was found by.
    contrast
        ``(n,)`` log10 of the signal to noise over that of what a stronger source might cause here.
    area
        ``(n,)`` in beams.
    size
        ``(n,)`` log10 of the area over that of a point of this signal to noise.
    alignment
        ``(n,)`` from -1, round the stronger source, to 1, towards it; 0 where it is round or has no such neighbour.
    """

    snr: Floats
    peak: Floats
    contrast: Floats
    area: Floats
    size: Floats
    alignment: Floats

    @property
    def places(self) -> Floats:
        """``(n, 4)``: where each is, along the axes of the kernel in units of its widths."""
        axes = np.stack([np.log10(self.snr), self.contrast, self.size, self.alignment], axis=1)
        return np.ascontiguousarray(axes / WIDTHS)

    def of_peak(self) -> "Marks":
        """The same, told by the brightest pixel alone."""
        none = np.zeros(len(self.snr))
        return Marks(self.peak, self.peak, none, self.area, none, none)


def strongest(
    x: Floats, y: Floats, flux: Floats, owner: Ints, island: Ints, sources: Floats, of: Ints, out: Floats
) -> None:
    """
    Fill ``out (n, 3)`` with what the strongest neighbour may cause at each place, and the direction (dx, dy) to it.

    Parameters
    ----------
    x, y, flux, owner, island
        Of the detections ``(n,)``: place (beams), integrated signal to noise, number of the source and of the island.
    sources
        ``(m, 4)``: x, y, flux, radius (beams).
    of
        ``(m,)`` whose those are, a source or -2 less an island: a detection is not its own neighbour. Places of one
        owner that follow each other are looked at together, and one by one only where they may tell.
    """
    n = len(sources)
    if not n:
        out[:] = 0.0
        return
    new = np.append(True, np.diff(of) != 0)
    nth = np.arange(n) - np.maximum.accumulate(np.where(new, np.arange(n), 0))
    first = np.flatnonzero(nth % TOGETHER == 0)
    low, high = (np.ascontiguousarray(each.reduceat(sources, first)) for each in (np.minimum, np.maximum))
    _strongest_of(x, y, flux, owner, island, sources, of, np.append(first, n), low, high, out)


@kernel
def _strongest_of(
    x: Floats, y: Floats, flux: Floats, owner: Ints, island: Ints, sources: Floats, of: Ints, first: Ints,
    low: Floats, high: Floats, out: Floats,
) -> None:  # fmt: skip
    """
    What `strongest` fills in.

    Parameters
    ----------
    first
        ``(groups + 1,)`` the first source of each group, all of one owner, and how many sources there are.
    low, high
        ``(groups, 4)`` the least and the largest of each value in a group: a group tells nothing if all of its flux
        at the nearest place of its box, and the least radius, would cause no more than what is known.
    """
    for i in range(len(x)):
        out[i] = 0.0
        for g in range(len(first) - 1):
            whose = of[first[g]]
            if whose == owner[i] or whose == -2 - island[i] or high[g, 2] < CAUSE * flux[i]:
                continue
            u = max(low[g, 0] - x[i], 0.0, x[i] - high[g, 0])
            v = max(low[g, 1] - y[i], 0.0, y[i] - high[g, 1])
            if high[g, 2] / (np.sqrt(u * u + v * v) + low[g, 3]) <= out[i, 0]:
                continue
            for k in range(first[g], first[g + 1]):
                if sources[k, 2] < CAUSE * flux[i]:
                    continue
                dx, dy = sources[k, 0] - x[i], sources[k, 1] - y[i]
                value = sources[k, 2] / (np.sqrt(dx * dx + dy * dy) + sources[k, 3])
                if value > out[i, 0]:
                    out[i, 0], out[i, 1], out[i, 2] = value, dx, dy


@kernel
def count_alike(
    places: Floats, area: Floats, others: Floats, other_area: Floats, weight: Floats, most: float,
    out: Floats,
) -> None:  # fmt: skip
    """
    Fill ``out (n,)`` with how many others are like each.

    Parameters
    ----------
    places, area
        See `Marks`.
    others, other_area, weight
        The others, those of most signal to noise last, and how much each counts.
    most
        0, or others of more signal to noise or area are as like, and a larger one counts as all that it might be
        cut into, up to so many.
    """
    reach = 4.0
    for i in range(len(places)):
        total = 0.0
        first = np.searchsorted(others[:, 0], places[i, 0] - reach)
        for k in range(first, len(others)):
            d = others[k, 0] - places[i, 0]
            if most > 0.0:
                d = min(d, 0.0)
            elif d > reach:
                break
            c = others[k, 1] - places[i, 1]
            square = d * d + c * c
            if square > reach * reach:
                continue
            times = weight[k]
            b = others[k, 2] - places[i, 2]
            if most > 0.0 and other_area[k] > area[i]:
                b = min(b, 0.0)
                times *= min(other_area[k] / area[i], most)
            a = others[k, 3] - places[i, 3]
            total += times * np.exp(-0.5 * (square + b * b + a * a))
        out[i] = total


def false_islands(snr: Floats, n_pixels: float, correlation: Floats) -> Floats:
    """
    Expected number of islands above each signal to noise in a map of noise alone.

    Parameters
    ----------
    snr
        ``(n,)``.
    n_pixels
        Pixels that were searched.
    correlation
        Autocorrelation of the noise ``(dy, dx)``, 1 at its centre.
    """
    curvature = np.sqrt(_curvature(correlation))
    s = np.asarray(snr, np.float64)
    peaks = n_pixels * curvature * (2.0 * np.pi) ** -1.5 * s * np.exp(-0.5 * s * s)
    return np.asarray(np.minimum(peaks, n_pixels * ndtr(-s)))


def _curvature(correlation: Floats) -> float:
    """Determinant of the second derivatives of the autocorrelation at lag 0, by those of the Gaussian through lag 1."""
    n_y, n_x = correlation.shape[0] // 2, correlation.shape[1] // 2
    if min(n_y, n_x) < 1:
        return np.inf

    def fall(dy: int, dx: int) -> float:
        return float(-2.0 * np.log(np.clip(correlation[n_y + dy, n_x + dx], 1e-3, 1.0 - 1e-9)))

    cross = 0.25 * (fall(1, 1) - fall(1, -1))
    return max(fall(0, 1) * fall(1, 0) - cross**2, 1e-12)


def beyond_noise(snr: Floats, expected: Floats) -> Floats:
    """
    How far each negative detection is more than noise: 0 where noise makes as many, 1 where it makes none.

    Parameters
    ----------
    snr
        ``(n,)`` of the negative detections.
    expected
        ``(n,)`` number of islands that noise makes above each of these.
    """
    order = np.argsort(-snr, kind="stable")
    number = np.empty(len(snr))
    number[order] = np.arange(1, len(snr) + 1)
    excess = np.maximum(1.0 - expected / np.maximum(number, 1.0), 0.0)
    chance = gammainc(np.maximum(number, 1.0), expected)  # of so many or more
    return np.asarray(excess * (1.0 - chance))


def reliabilities(
    marks: Marks, negative: Marks, n_pixels: float, correlation: Floats, most: float = 1.0
) -> tuple[Floats, Floats]:
    """
    The reliability ``(n,)`` of positive detections, and how far each negative one is more than noise.

    Of P positive detections like one, N are false if there are N negative ones that are like it or worse: R = 1 - N / P.
    With few of them this is uncertain, and the mean over what is possible is taken. Of what is left, noise makes some: by
    the density of Gaussian peaks beside that of the detections, both by brightness alone.

    Parameters
    ----------
    marks, negative
        Detections in the map, and in the inverted map.
    n_pixels, correlation
        Of the noise; see `false_islands`.
    most
        A negative detection that is larger than a positive one counts as all that it might be cut into, up to so many.
    """
    n = len(marks.snr)
    seen = (1.0 - RMS_KNOWN) * negative.snr
    weight = beyond_noise(negative.snr, false_islands(seen, n_pixels, correlation))
    if not n:
        return np.empty(0), weight
    alike = np.maximum(_alike(marks, marks, np.ones(n)), 1.0)  # each is like itself
    share = share_of_true(_alike(marks, negative, weight, most), alike)
    as_bright = np.maximum(_alike(marks.of_peak(), marks.of_peak(), np.ones(n)), 1.0)
    noise = _noise_alike(marks.peak, n_pixels, correlation)
    return share * as_bright / (as_bright + noise), weight


def share_of_true(bad: Floats, alike: Floats) -> Floats:
    """
    Mean of 1 - N / P over what N may be, as far as that is not below zero.

    Parameters
    ----------
    bad, alike
        ``(n,)`` how many negative and positive detections are like each.
    """
    share, error = 1.0 - bad / alike, DOUBT * np.sqrt(bad) / alike + 1e-9
    z = share / error
    mean = share * ndtr(z) + error * np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    return np.asarray(np.clip(mean, 0.0, 1.0))


def _noise_alike(snr: Floats, n_pixels: float, correlation: Floats) -> Floats:
    """Islands that noise makes at each signal to noise: their density there times the width of the kernel."""
    s = (1.0 - RMS_KNOWN) * snr
    step = 1e-3 * s
    density = (
        false_islands(s - step, n_pixels, correlation) - false_islands(s + step, n_pixels, correlation)
    ) / (2.0 * step)
    width = np.sqrt(2.0 * np.pi) * WIDTHS[0] * np.log(10.0) * snr
    return np.asarray(np.maximum(density, 0.0) * width)


def _alike(marks: Marks, others: Marks, weight: Floats, most: float = 0.0) -> Floats:
    """How many others are like each, or, with `most`, like it or worse; where there are many, some stand for all."""
    step = max(1, len(others.snr) // SAMPLE)
    rows = np.arange(0, len(others.snr), step)
    scale = len(others.snr) / max(len(rows), 1)
    places, area, times = others.places[rows], others.area[rows], scale * weight[rows]
    order = np.lexsort((rows, places[:, 0]))
    out = np.empty(len(marks.snr))
    count_alike(
        marks.places, marks.area, np.ascontiguousarray(places[order]), area[order], times[order], most, out
    )
    return out


def second_moments(row: Ints, start: Ints, stop: Ints, index: Ints, n: int) -> Floats:
    """
    Centre x, y and second moments xx, xy, yy ``(n, 5)`` (pixels) of the pixels of n objects; all alike count.

    Parameters
    ----------
    row, start, stop, index
        Runs along rows, and the object of each.
    """
    width = (stop - start).astype(np.float64)
    middle = 0.5 * (start + stop - 1)
    area = np.bincount(index, width, n)
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y = (np.bincount(index, width * each, n) / area for each in (middle, row))
        dx, dy = middle - x[index], row - y[index]
        xx = np.bincount(index, width * (dx * dx + (width * width - 1.0) / 12.0), n) / area
        xy = np.bincount(index, width * dx * dy, n) / area
        yy = np.bincount(index, width * dy * dy, n) / area
    return np.nan_to_num(np.stack([x, y, xx, xy, yy], axis=1))


def middle_pixels(row: Ints, start: Ints, stop: Ints, index: Ints, n: int) -> Floats:
    """
    A place x, y ``(n, 2)`` on each of n objects: its middle pixel in the order of the map; a ring holds no centre.

    Parameters
    ----------
    row, start, stop, index
        Runs along rows, and the object of each.
    """
    order = np.lexsort((start, row, index))
    row, start, stop, index = row[order], start[order], stop[order], index[order]
    end = np.cumsum(stop - start)
    area = np.bincount(index, stop - start, n).astype(np.int64)
    first = np.cumsum(area) - area
    half = first + area // 2  # the pixel in the order of all
    run = np.minimum(np.searchsorted(end, half, side="right"), max(len(end) - 1, 0))
    if not len(end):
        return np.zeros((n, 2))
    x = stop[run] - (end[run] - half)
    return np.stack([np.where(area > 0, x, 0), np.where(area > 0, row[run], 0)], axis=1).astype(np.float64)
