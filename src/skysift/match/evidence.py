"""What tells whether two parts of a map are one object: the logarithm of a Bayes factor for each kind of evidence.

Every term compares how often a measurement comes about for two parts of one object with how often it does for two that
chance has put side by side. Forms and numbers stand on what `docs/ideas/joining.rst` says; where few were to choose from,
development skies chose, see `bench/notes.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import erf, erfcx, expit, i0e, ndtr

__all__ = [
    "Sizes", "abundance", "aligned", "between", "bridged", "companions", "like_brightness", "like_flux", "linked",
    "octaves", "physical", "sized",
]  # fmt: skip

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# sizes: median (arcsec) at 1 mJy and 1.4 GHz, its slope, power of the tail; share whose size the flux tells nothing of
SIZE, SIZE_SLOPE, SIZE_TAIL, FREE = 2.0, 0.30, 1.2, 0.15
WIDEST = 300.0  # beams
# share of radio galaxies far above and below a flux in mJy
MULTIPLE_BRIGHT, MULTIPLE_FAINT, TURN = 0.8, 0.2, 0.3
# share of pairs of lobes; spread of the logarithm of the flux ratio of these, and of others
LOBES, LOBES_RATIO, KNOTS_RATIO = 0.75, 0.75, 2.0
# size of a part over the separation, and the spread of its logarithm; share whose size the separation tells nothing of
FILLED, FILLED_SPREAD, COMPACT = 0.3, 0.8, 0.5
LOBES_MOST, ANY_MOST = 4.5, 1.0  # log Bayes factors of the sizes of two lobes, and of one other part, at most
ODD, ODD_WIDER = 0.15, 3.0  # share of parts of any size in a map, and how much wider these are spread
# separation over the reach of both where islands by chance meet, how sharply, and how often far beyond
MEET, MEET_WIDTH, STRAY_MEET = 1.22, 0.13, 0.004
LINKED, LINKED_FAR = 0.4, 3.0  # share of pairs whose islands are linked, and how far that reaches
TOUCHING = 0.25  # beams of a gap
STRAIGHT, RING, KAPPA = 0.45, 0.25, 2.5  # share along their axis, on a ring; concentration of thin parts
GLOW, GLOW_LEVEL, STRAY = 0.4, 0.06, 0.03  # share of bridges, their brightness over the peak; chance emission
STRAY_WIDE = 5.0  # errors that chance emission is at least as bright as, usually
STRAY_HELD = 20.0  # pairs that hold its share
STRAY_ROUNDS = 30  # in which the share is learned
BEYOND = 12.0  # errors below, and usual brightnesses above, that make no more difference
# share of pairs with a core; spread of its place along and across, and of the logarithm of its flux
CORE, CORE_PLACE, CORE_SIDE, CORE_SHARE = 0.35, 0.15, 0.12, 1.5
EVEN = 0.8  # spread of the logarithm of the ratio of surface brightnesses
UNEVEN = 0.4  # share of pairs of any ratio
STEPS = 32  # of the logarithm of the separation, over which companions are counted
# the number of companions beforehand: spread of the logarithm of the factor on it, and of its change in an octave
ABUNDANCE, SMOOTH = 1.5, 1.0
OCTAVES, ROUNDS = 9, 60  # of separation from a beam on; steps to find the numbers


def physical(flux: Floats, separation: Floats, expected: Floats, beam: float) -> Floats:
    """
    Log prior odds of pairs: companions by the sizes of radio sources over neighbours by chance.

    Sizes follow a log-logistic law whose median is that of Windhorst et al. (1990, ASP Conf. 10, 389), 2 arcsec
    (S / mJy)^0.30, and whose tail is a power law; a share of all objects (shells, relics, nearby galaxies) has any
    size. The odds are those of densities on the sky: of companions f p(ln d) / (2 pi d^2), of chance neighbours that of
    the local counts.

    Parameters
    ----------
    flux
        Of both together, brought to 1.4 GHz (Jy).
    separation
        In arcsec.
    expected
        Chance neighbours within the separation.
    beam
        FWHM (arcsec).
    """
    return np.asarray(np.log(_by_size(flux, separation, beam)) - np.log(2.0 * expected))


def _by_size(flux: Floats, separation: Floats, beam: float) -> Floats:
    """Companions of a source by the logarithm of the separation."""
    mjy = flux * 1e3
    share = MULTIPLE_FAINT + (MULTIPLE_BRIGHT - MULTIPLE_FAINT) / (1.0 + TURN / mjy)
    u = (separation / (SIZE * np.maximum(mjy, 1.0) ** SIZE_SLOPE)) ** SIZE_TAIL
    by_flux = SIZE_TAIL * u / (1.0 + u) ** 2
    free = np.where(separation <= WIDEST * beam, 1.0 / np.log(WIDEST), 0.0)
    return np.asarray(share * ((1.0 - FREE) * by_flux + FREE * free))


def companions(
    flux: Floats, scale: float, faintest: float, beam: float, density: Floats, most: float
) -> tuple[Floats, Floats]:
    """
    Logarithms of separations in beams, and the fainter companions at them that all parts should have by `physical`.

    Those that could be found: as bright as the faintest, and where no more than `most` neighbours are expected.

    Parameters
    ----------
    flux
        Of the parts (Jy).
    scale
        What brings it to 1.4 GHz.
    faintest
        Flux of the faintest part that is found (Jy).
    beam
        FWHM (arcsec): the least separation.
    density, most
        Parts as bright on a square arcsec, and the expected number up to which neighbours are looked at.
    """
    step = np.log(WIDEST) / STEPS
    apart = (np.arange(STEPS) + 0.5) * step
    separation = beam * np.exp(apart)
    inside = np.pi * density[:, None] * separation**2 < most
    number = np.where(inside, _by_size(scale * flux[:, None], separation, beam), 0.0) * step
    q = np.maximum(np.log(flux / faintest), 0.0)
    seen = LOBES * erf(q / (LOBES_RATIO * np.sqrt(2.0))) + (1.0 - LOBES) * erf(
        q / (KNOTS_RATIO * np.sqrt(2.0))
    )
    return apart, np.asarray(seen @ number)


def abundance(odds: Floats, apart: Floats, places: Floats, expected: Floats) -> Floats:
    """
    How many companions a map has at each separation: logarithms of the factor on those expected, an octave apart.

    The likeliest for a mixture of companions and neighbours by chance, by expectation and maximisation. The factor is
    log-normal about 1 beforehand, and changes little from octave to octave; between them it is interpolated.

    Parameters
    ----------
    odds, apart
        Log odds of each part with what it most likely belongs to, and the logarithm of their separation in beams.
    places, expected
        What `companions` gives.
    """
    n = OCTAVES
    steps = np.diff(np.eye(n), axis=0) / SMOOTH
    prior = steps.T @ steps + np.eye(n) / (n * ABUNDANCE**2)
    here, there = octaves(apart), octaves(places)  # (octave, pair), (octave, place)
    value = np.zeros(n)
    for _ in range(ROUNDS):
        one = expit(odds + value @ here)
        model = expected * np.exp(value @ there)
        slope = here @ one - there @ model - prior @ value
        value = value + np.clip(np.linalg.solve((there * model) @ there.T + prior, slope), -0.5, 0.5)
    return value


def octaves(apart: Floats) -> Floats:
    """Weights ``(octave, n)`` by which the values of `abundance` are interpolated at logarithms of separations."""
    place = np.clip(apart / np.log(2.0), 0.0, OCTAVES - 1.0)
    return np.asarray(np.maximum(1.0 - np.abs(place - np.arange(OCTAVES)[:, None]), 0.0))


def like_flux(ratio: Floats, slope: Floats) -> Floats:
    """Log Bayes factor of the flux of the fainter over the brighter part, for counts N(>S) ~ S^-slope."""
    q = -np.log(ratio)
    near = LOBES * _half_normal(q, LOBES_RATIO) + (1.0 - LOBES) * _half_normal(q, KNOTS_RATIO)
    return np.asarray(np.log(near / slope))


def _half_normal(value: Floats, sigma: float) -> Floats:
    return np.asarray(np.sqrt(2.0 / np.pi) / sigma * np.exp(-0.5 * (value / sigma) ** 2))


@dataclass(frozen=True, eq=False)
class Sizes:
    """Sizes of parts, and of others as bright in the map; arrays ``(n,)``.

    Attributes
    ----------
    size, extended
        FWHM of the major axis without the beam (arcsec), and whether the part is larger than the beam.
    limit
        From what size on a part as bright is seen to be (arcsec).
    share, middle, spread
        Of parts as bright: the share that is extended, mean and spread of the logarithm of their sizes.
    """

    size: Floats
    extended: Bools
    limit: Floats
    share: Floats
    middle: Floats
    spread: float


def sized(
    alone: Sizes,
    member: Sizes,
    rows: tuple[Ints, Ints],
    taken: tuple[Floats, Floats],
    separation: Floats,
    most: Floats,
) -> Floats:
    """
    Log Bayes factor of the sizes of pairs at these separations: lobes have about a third of it, both; others have any.

    A neighbour by chance stands alone, or is a part of something else.

    Parameters
    ----------
    alone, member
        What parts are like that stand alone in this map, and those that are one with others.
    rows
        The brighter and the fainter part of each pair.
    taken
        How likely it is that each of the two is one with another part than this.
    separation
        In arcsec.
    most
        How much the size of the fainter part may tell for a pair.
    """
    lonely, joined = _density(alone), _density(member)
    told = []
    for part, other in zip(rows, taken, strict=True):
        chance = (1.0 - other) * lonely[part] + other * joined[part]
        lobe = np.log(np.maximum(_lobe(alone, part, separation), 1e-30) / chance)
        any_ = np.log(joined[part] / chance)
        told.append((np.clip(lobe, -8.0, 2.5), np.clip(any_, -ANY_MOST, ANY_MOST)))
    (first, first_any), (second, second_any) = told
    lobes = np.minimum(first + np.minimum(second, most), LOBES_MOST)
    others = first_any + np.minimum(second_any, most)
    return np.asarray(np.logaddexp(np.log(1.0 - COMPACT) + lobes, np.log(COMPACT) + others))


def _lobe(sizes: Sizes, rows: Ints, separation: Floats) -> Floats:
    """How often a lobe at these separations is as large as these parts."""
    expected = np.log(FILLED * separation)
    ln = np.log(np.where(sizes.extended[rows], sizes.size[rows], 1.0))
    hidden = ndtr((np.log(sizes.limit[rows]) - expected) / FILLED_SPREAD)
    return np.where(sizes.extended[rows], _normal(ln, expected, FILLED_SPREAD), hidden)


def _density(sizes: Sizes) -> Floats:
    """How often parts as bright are as large: the density of the logarithm of the size, or the share that has none."""
    ln = np.log(np.where(sizes.extended, sizes.size, 1.0))
    usual = (1.0 - ODD) * _normal(ln, sizes.middle, sizes.spread) + ODD * _normal(
        ln, sizes.middle, ODD_WIDER * sizes.spread
    )
    return np.asarray(np.where(sizes.extended, sizes.share * usual, 1.0 - sizes.share))


def _normal(value: Floats, mean: Floats | float, sigma: Floats | float) -> Floats:
    return np.asarray(np.exp(-0.5 * ((value - mean) / sigma) ** 2) / (np.sqrt(2.0 * np.pi) * sigma))


def aligned(first: Floats, second: Floats, thin_first: Floats, thin_second: Floats) -> tuple[Floats, Bools]:
    """
    Log Bayes factor of the directions of two parts, and whether they lie on a ring rather than along a line.

    Lobes point along the line between them. Two arcs of one circle stand to that line as mirror images do: what one is
    turned by, the other is turned back.

    Parameters
    ----------
    first, second
        Angles (rad) from the line to the major axes, counted in one sense.
    thin_first, thin_second
        How elongated the parts are: one less the axis ratio, 0 for what has no direction.
    """
    a, b = KAPPA * thin_first, KAPPA * thin_second
    c = 2.0 * np.minimum(a, b)
    along = _directed(first, a) * _directed(second, b)
    mirrored = _directed(first + second, c)
    value = STRAIGHT * along + RING * mirrored + (1.0 - STRAIGHT - RING)
    return np.log(value), (RING * mirrored > STRAIGHT * along) & (mirrored > 1.5)


def _directed(angle: Floats, kappa: Floats) -> Floats:
    """Density of an axis about a direction, in units of that of random axes (von Mises of the doubled angle)."""
    return np.asarray(np.exp(kappa * (np.cos(2.0 * angle) - 1.0)) / i0e(kappa))


def linked(gap: Floats, separation: Floats, reach: Floats, beam: float) -> Floats:
    """
    Log Bayes factor of whether two parts touch; 0 where that is not known.

    Sources by chance meet where their separation is about the sum of their reaches, and hardly beyond; four of ten
    pairs of one object are linked by emission farther out.

    Parameters
    ----------
    gap
        Length of the line between the two that is on neither (arcsec).
    separation
        In arcsec.
    reach
        Of both together: how far their Gaussians are above the limit of islands, along the line (arcsec).
    beam
        FWHM (arcsec).
    """
    u = separation / reach
    chance = STRAY_MEET + (1.0 - STRAY_MEET) * expit((MEET - u) / MEET_WIDTH)
    one = chance + (1.0 - chance) * LINKED * np.exp(-((u / LINKED_FAR) ** 2))
    touching = gap < TOUCHING * beam
    value = np.log(np.where(touching, one / chance, (1.0 - one) / np.maximum(1.0 - chance, 1e-9)))
    return np.where(np.isfinite(gap), value, 0.0)


def bridged(mean: Floats, error: Floats, peak: Floats, chance: Floats) -> Floats:
    """
    Log Bayes factor of the mean brightness between two parts; 0 where it is NaN.

    Four of ten pairs of one object have a bridge, of some per cent of the fainter peak. By chance there is emission, of
    about the noise of a pixel or more, in three of a hundred and in as many more as the map shows between neighbours by
    chance: where it is full of diffuse emission a bridge tells nothing.

    Parameters
    ----------
    mean, error
        Brightness between the parts, and its error.
    peak
        Of the fainter part.
    chance
        How likely it is by all else that the two are neighbours by chance.
    """
    known = np.isfinite(mean) & (error > 0.0)
    z = np.where(known, mean / np.where(known, error, 1.0), 0.0)
    wide = np.maximum(GLOW_LEVEL * np.abs(peak) / np.where(known, error, 1.0), 1.0)
    z = np.clip(z, -BEYOND, BEYOND * wide)  # what is brighter is no more and no less of a bridge
    none = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    bridge, stray = _glow(z, wide), _glow(z, np.maximum(wide, STRAY_WIDE))
    share, weight = STRAY, chance * known
    for _ in range(STRAY_ROUNDS):
        seen = share * stray / ((1.0 - share) * none + share * stray)
        share = float((STRAY_HELD * STRAY + (weight * seen).sum()) / (STRAY_HELD + weight.sum()))
    value = np.log(((1.0 - GLOW) * none + GLOW * bridge) / ((1.0 - share) * none + share * stray))
    return np.where(known, value, 0.0)


def _glow(z: Floats, scale: Floats) -> Floats:
    """Density of an exponential of this scale with a unit normal error, at z."""
    u = (1.0 / scale - z) / np.sqrt(2.0)
    inner = np.minimum(u, 0.0)
    tail = erfcx(np.maximum(u, 0.0)) * np.exp(-0.5 * z * z)  # the same without overflow
    plain = 2.0 * ndtr(-np.sqrt(2.0) * inner) * np.exp(0.5 / scale**2 - z / scale)
    return np.asarray(np.where(u > 0.0, tail, plain) / (2.0 * scale))


def between(along: Floats, across: Floats, expected: Floats, share: Floats, slope: Floats) -> Floats:
    """
    Log Bayes factor of a part that stands between two others, as a core does.

    Parameters
    ----------
    along, across
        Its place in units of the separation: 0 and 1 are the two parts.
    expected
        Chance neighbours at least as bright as it on the square of the separation.
    share
        Its flux over that of the two.
    slope
        Of the counts.
    """
    place = _normal(along, 0.5, CORE_PLACE) * _normal(across, 0.0, CORE_SIDE)
    flux = _normal(np.log(share), np.log(0.1), CORE_SHARE)
    return np.minimum(np.log(1.0 - CORE + CORE * place * flux / (slope * expected)), 3.0)


def like_brightness(ratio: Floats, spread: float) -> Floats:
    """Log Bayes factor of the ratio of two surface brightnesses; `spread` is that of its logarithm in the field."""
    ln = np.log(ratio)
    zero = np.zeros_like(ln)
    usual = _normal(ln, zero, spread)
    value = np.log(UNEVEN + (1.0 - UNEVEN) * _normal(ln, zero, EVEN) / usual)
    return np.asarray(np.minimum(value, 2.0))
