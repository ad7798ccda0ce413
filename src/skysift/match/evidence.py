"""What tells whether two parts of a map are one object: the logarithm of a Bayes factor for each kind of evidence.

Every term compares how often a measurement comes about for two parts of one object with how often it does for two that
chance has put side by side. None of them is fitted to made skies; `docs/ideas/joining.rst` says what they stand on.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import erf, erfcx, i0e, ndtr

__all__ = [
    "abundance", "aligned", "between", "bridged", "companions", "like_brightness", "like_flux", "physical", "sized",
]  # fmt: skip

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SIZE, SIZE_SLOPE, SIZE_TAIL = (
    2.0,
    0.30,
    1.2,
)  # median size (arcsec) at 1 mJy and 1.4 GHz, its slope, power of the tail
FREE = 0.15  # share of objects whose size the flux tells nothing of
WIDEST = 300.0  # beams
MULTIPLE_BRIGHT, MULTIPLE_FAINT, TURN = (
    0.8,
    0.2,
    0.3,
)  # share of radio galaxies far above and below so many mJy
LOBES, LOBES_RATIO, KNOTS_RATIO = (
    0.75,
    0.75,
    2.0,
)  # pairs of lobes; spread of the logarithm of their flux ratio
FILLED, FILLED_SPREAD, COMPACT = 0.3, 0.7, 0.3  # size of a part over the separation; share of compact parts
STRAIGHT, RING, KAPPA = 0.45, 0.25, 2.5  # share along their axis, on a ring; concentration of thin parts
GLOW, GLOW_LEVEL, STRAY = 0.4, 0.06, 0.03  # share of bridges, their brightness over the peak; chance emission
BEYOND = 12.0  # errors below, and usual brightnesses above
CORE, CORE_PLACE, CORE_SIDE, CORE_SHARE = 0.35, 0.15, 0.12, 1.5
STEPS = 32  # of the logarithm of the separation, over which companions are counted
ABUNDANCE = 1.5  # how well the number of companions is known beforehand: spread of its logarithm
EVEN = 0.8  # spread of the logarithm of the ratio of surface brightnesses


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
) -> float:
    """
    Fainter companions that all parts should have by `physical`, those that could be found beside them.

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
    step = (np.arange(STEPS) + 0.5) / STEPS
    farthest = np.maximum(np.sqrt(most / (np.pi * density)), 1.01 * beam)
    width = np.log(farthest / beam)
    separation = beam * np.exp(width[:, None] * step)
    number = (_by_size(scale * flux[:, None], separation, beam)).mean(axis=1) * width
    q = np.maximum(np.log(flux / faintest), 0.0)
    seen = LOBES * erf(q / (LOBES_RATIO * np.sqrt(2.0))) + (1.0 - LOBES) * erf(
        q / (KNOTS_RATIO * np.sqrt(2.0))
    )
    return float((number * seen).sum())


def abundance(odds: Floats, expected: float) -> float:
    """
    Logarithm of the factor by which the companions of a map are more than those expected; log-normal about 0 by itself.

    The likeliest for a mixture of companions and neighbours by chance.

    Parameters
    ----------
    odds
        Log odds of each part with what it most likely belongs to.
    expected
        Companions by the model.
    """
    factor = np.arange(-5.0, 2.0, 0.05)
    likely = np.logaddexp(0.0, odds[:, None] + factor).sum(axis=0) if len(odds) else np.zeros(len(factor))
    value = likely - np.exp(factor) * expected - 0.5 * (factor / ABUNDANCE) ** 2
    return float(factor[value.argmax()])


def like_flux(ratio: Floats, slope: float) -> Floats:
    """Log Bayes factor of the flux of the fainter over the brighter part, for counts N(>S) ~ S^-slope."""
    q = -np.log(ratio)
    near = LOBES * _half_normal(q, LOBES_RATIO) + (1.0 - LOBES) * _half_normal(q, KNOTS_RATIO)
    return np.asarray(np.log(near / slope))


def _half_normal(value: Floats, sigma: float) -> Floats:
    return np.asarray(np.sqrt(2.0 / np.pi) / sigma * np.exp(-0.5 * (value / sigma) ** 2))


def sized(
    size: Floats, extended: Bools, separation: Floats, beam: float, field: tuple[float, float, float]
) -> Floats:
    """
    Log Bayes factor of the size of a part at this separation: lobes have about a third of it.

    Parameters
    ----------
    size
        FWHM of the major axis without the beam (arcsec).
    extended
        Whether the part is larger than the beam.
    field
        Of the parts of the map: the share that is extended, mean and spread of the logarithm of their sizes.
    """
    share, middle, spread = field
    expected = np.log(FILLED * separation)
    with np.errstate(divide="ignore"):
        ln = np.log(np.where(extended, size, 1.0))
    seen = (1.0 - COMPACT) * _normal(ln, expected, FILLED_SPREAD)
    hidden = COMPACT + (1.0 - COMPACT) * ndtr((np.log(0.5 * beam) - expected) / FILLED_SPREAD)
    chance = np.where(extended, share * _normal(ln, middle, spread), 1.0 - share)
    return np.asarray(np.clip(np.log(np.where(extended, seen, hidden) / chance), -3.0, 2.5))


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


def bridged(mean: Floats, error: Floats, peak: Floats) -> Floats:
    """
    Log Bayes factor of the mean brightness between two parts; 0 where it is NaN.

    Four of ten pairs of one object have a bridge, of some per cent of the fainter peak; by chance there is
    emission of about the noise of a pixel or more in few.

    Parameters
    ----------
    mean, error
        Brightness between the parts, and its error.
    peak
        Of the fainter part.
    """
    known = np.isfinite(mean) & (error > 0.0)
    z = np.where(known, mean / np.where(known, error, 1.0), 0.0)
    wide = np.maximum(GLOW_LEVEL * np.abs(peak) / np.where(known, error, 1.0), 1.0)
    z = np.clip(z, -BEYOND, BEYOND * wide)  # what is brighter is no more and no less of a bridge
    none = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    bridge, stray = _glow(z, wide), _glow(z, np.maximum(wide, 5.0))
    value = np.log(((1.0 - GLOW) * none + GLOW * bridge) / ((1.0 - STRAY) * none + STRAY * stray))
    return np.where(known, value, 0.0)


def _glow(z: Floats, scale: Floats) -> Floats:
    """Density of an exponential of this scale with a unit normal error, at z."""
    u = (1.0 / scale - z) / np.sqrt(2.0)
    inner = np.minimum(u, 0.0)
    tail = erfcx(np.maximum(u, 0.0)) * np.exp(-0.5 * z * z)  # the same without overflow
    plain = 2.0 * ndtr(-np.sqrt(2.0) * inner) * np.exp(0.5 / scale**2 - z / scale)
    return np.asarray(np.where(u > 0.0, tail, plain) / (2.0 * scale))


def between(along: Floats, across: Floats, expected: Floats, share: Floats, slope: float) -> Floats:
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
    return np.asarray(np.clip(np.log(_normal(ln, zero, EVEN) / _normal(ln, zero, spread)), -3.0, 2.0))
