"""`drawn`: a table of made sources of several classes, with fluxes as surveys of the radio and infrared see them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import OptionError
from skysift.base.random import generator
from skysift.sim.colours.options import SamplesOptions
from skysift.sim.colours.published import BANDS, CLOUD, KINDS, STAR, Band, Chance, Kind
from skysift.sky.features import Feature, Features
from skysift.sky.systems import System

__all__ = ["Sources", "bands_of", "drawn", "table_of"]

Floats = NDArray[np.float64]

_CALIBRATION = 0.07  # of infrared fluxes, as a part of them
_LOW, _HIGH = 1.0, 1.8  # GHz; ends of the radio band, between which the spectral index is measured
_INDEX_SNR = 10.0  # below this no spectral index is measured


@dataclass(frozen=True, eq=False)
class Sources:
    """
    Made sources, as they are and as they are seen.

    Attributes
    ----------
    labels
        Class of each.
    glon, glat
        Where they are (deg).
    intrinsic
        Flux at 1.4 GHz (mJy).
    radio, radio_err
        The same as it is measured, and its error (mJy).
    alpha, alpha_err
        Spectral index as it is measured, and its error; NaN where a source is too faint for it.
    size
        FWHM (arcsec); 0 for points.
    flux, noise
        (source, band): as measured, unrelated light included, and the noise of it (mJy); NaN where there are no data.
    true
        (source, band): without noise, unrelated light included (mJy).
    """

    labels: NDArray[np.str_]
    glon: Floats
    glat: Floats
    intrinsic: Floats
    radio: Floats
    radio_err: Floats
    alpha: Floats
    alpha_err: Floats
    size: Floats
    flux: Floats
    noise: Floats
    true: Floats

    def __len__(self) -> int:
        return len(self.labels)


def bands_of(options: SamplesOptions) -> tuple[Band, ...]:
    """The infrared bands of a sample."""
    return tuple(band for band in BANDS if options.far_infrared or band.wavelength < 50.0)


def drawn(options: SamplesOptions) -> Sources:
    """Sources of the classes, class after class; what one class is does not depend on which others are drawn.

    Raises
    ------
    OptionError
        A class is not known, or stands twice.
    """
    for name in options.classes:
        if name not in KINDS or options.classes.count(name) > 1:
            told = "a class stands twice" if name in KINDS else "no colours are known of this class"
            raise OptionError(told, got=name, allowed=sorted(KINDS))
    if not options.classes:
        raise OptionError("there is no class to draw", allowed=sorted(KINDS))
    parts = [_class(KINDS[name], options) for name in options.classes]
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in Sources.__dataclass_fields__
    }
    return Sources(**joined)


def _class(kind: Kind, options: SamplesOptions) -> Sources:
    n, bands = options.number, bands_of(options)
    rng = generator(options.random_seed, "colours", kind.name)
    glon, glat = _places(kind, options, rng)
    radio = _cut_normal(rng, n, *kind.flux, math.log10(5.0 * options.rms))
    alpha = kind.alpha[0] + options.alpha_scatter * kind.alpha[1] * rng.standard_normal(n)
    size = kind.size[0] * 10.0 ** (kind.size[1] * rng.standard_normal(n))
    radio_err = np.hypot(options.rms, 0.03 * radio)
    measured = np.maximum(radio + options.rms * rng.standard_normal(n), options.rms)
    index_err = math.sqrt(2.0) * options.rms * math.sqrt(2.0) / radio / math.log(_HIGH / _LOW)
    index = np.where(
        radio / options.rms >= _INDEX_SNR, alpha + np.hypot(index_err, 0.05) * rng.standard_normal(n), np.nan
    )
    true = _infrared(kind, radio, bands, options, rng)
    near = np.abs(glat) < 1.0
    for chance in (STAR, CLOUD):
        true += _unrelated(chance, near, bands, options, rng)
    noise = _noise(near, size, bands)
    seen = true * (1.0 + _CALIBRATION * rng.standard_normal(true.shape))
    seen += noise * rng.standard_normal(true.shape)
    noise = np.hypot(noise, _CALIBRATION * np.maximum(seen, 0.0))
    lost = ~_covered(glon, glat, bands) | (rng.random(true.shape) < options.missing)
    seen[lost] = noise[lost] = np.nan
    return Sources(
        np.full(n, kind.name), glon, glat, radio, measured, radio_err, index,
        np.where(np.isfinite(index), np.hypot(index_err, 0.05), np.nan), size, seen, noise, true,
    )  # fmt: skip


def _places(kind: Kind, options: SamplesOptions, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Galactic coordinates (deg): in the strip of the plane, or over the sky away from it."""
    n = options.number
    inner = rng.random(n) < (1.0 if options.sky == "plane" else kind.plane)
    glon = np.where(inner, rng.uniform(-60.0, 60.0, n), rng.uniform(-180.0, 180.0, n)) % 360.0
    sine = rng.uniform(math.sin(math.radians(5.0)), 1.0, n) * rng.choice((-1.0, 1.0), n)
    return glon, np.where(inner, rng.uniform(-1.0, 1.0, n), np.degrees(np.arcsin(sine)))


def _cut_normal(rng: np.random.Generator, n: int, mean: float, sd: float, low: float) -> Floats:
    """10 to the power of normal numbers above a limit; always the same count of draws for the same count of numbers."""
    from scipy.special import ndtr, ndtri  # late: only here

    least = float(ndtr((low - mean) / sd))
    uniform = least + (1.0 - least) * rng.random(n)
    return np.asarray(10.0 ** np.maximum(mean + sd * ndtri(np.clip(uniform, 1e-12, 1 - 1e-12)), low))


def _infrared(
    kind: Kind, radio: Floats, bands: Sequence[Band], options: SamplesOptions, rng: np.random.Generator
) -> Floats:
    """(source, band) mJy; three normal numbers a source whatever bands there are."""
    n = len(radio)
    of_radio, of_warmth = rng.standard_normal((2, n))
    of_bands = rng.standard_normal((n, len(BANDS)))
    whole = [band.name for band in BANDS]
    wavelengths = np.array([band.wavelength for band in BANDS])
    tilt = np.log10(wavelengths / 24.0) / math.log10(500.0 / 3.4)
    over, warmth, each = (options.scatter * part for part in kind.spread)
    ratios = (
        np.array(kind.ratios)
        + over * of_radio[:, None]
        + warmth * of_warmth[:, None] * tilt
        + each * of_bands
    )
    at = [whole.index(band.name) for band in bands]
    return np.asarray(radio[:, None] * 10.0 ** ratios[:, at])


def _unrelated(
    chance: Chance,
    near: NDArray[np.bool_],
    bands: Sequence[Band],
    options: SamplesOptions,
    rng: np.random.Generator,
) -> Floats:
    """Light of something else in the beam: (source, band) mJy, 0 where there is nothing."""
    n = len(near)
    there = rng.random(n) < options.confusion * np.where(near, chance.plane, chance.sky)
    flux = 10.0 ** (np.where(near, chance.flux, chance.faint) + chance.scatter * rng.standard_normal(n))
    ratios = np.array([chance.ratios[band.name] for band in bands])
    return np.asarray(np.where(there, flux, 0.0)[:, None] * 10.0**ratios)


def _noise(near: NDArray[np.bool_], size: Floats, bands: Sequence[Band]) -> Floats:
    """Noise of each flux (mJy): a source wider than the beam is summed over more of it."""
    depth = np.array([band.depth for band in bands])
    plane = np.array([band.plane for band in bands])
    beam = np.array([band.beam for band in bands])
    level = np.where(near[:, None], plane, depth)
    return np.asarray(level * np.sqrt(1.0 + (size[:, None] / beam) ** 2))


def _covered(glon: Floats, glat: Floats, bands: Sequence[Band]) -> NDArray[np.bool_]:
    """(source, band): where the surveys of the plane look."""
    apart = np.abs((glon + 180.0) % 360.0 - 180.0)
    reach = np.array([band.longitude for band in bands])
    inside = (np.abs(glat) < 1.0)[:, None] & (apart[:, None] <= reach)
    return np.asarray((reach == 0.0) | inside)


def table_of(sources: Sources, options: SamplesOptions) -> Features:
    """Sources as features: fluxes, upper limits, log ratios to the radio flux, colours, spectral index, size."""
    bands = bands_of(options)
    with np.errstate(invalid="ignore"):
        seen = sources.flux >= options.threshold * sources.noise
    limit = np.where(np.isfinite(sources.flux) & ~seen, options.threshold * sources.noise, np.nan)
    flux = np.where(seen, sources.flux, np.nan)
    columns: list[Feature] = [Feature("flux_radio", "mJy", "Flux at 1.4 GHz", "flux")]
    values: list[Floats] = [sources.radio]

    def add(name: str, unit: str, doc: str, group: str, array: Floats) -> None:
        columns.append(Feature(name, unit, doc, group))
        values.append(array)

    add("flux_radio_err", "mJy", "Error of the flux at 1.4 GHz", "flux", sources.radio_err)
    logs = np.log10(flux)
    for k, band in enumerate(bands):
        what = f"at {band.wavelength:.3g} um"
        add(f"flux_{band.name}", "mJy", f"Flux {what}; NaN where it is not detected", "flux", flux[:, k])
        add(f"limit_{band.name}", "mJy", f"Upper limit {what}, where there is no flux", "flux", limit[:, k])
        log = logs[:, k] - np.log10(sources.radio)
        add(f"ratio_{band.name}", "dex", f"log10 of the flux {what} over that at 1.4 GHz", "colour", log)
        log = np.log10(limit[:, k] / sources.radio)
        add(f"ratio_limit_{band.name}", "dex", f"The same of the upper limit {what}", "colour", log)
    for k in range(len(bands) - 1):
        a, b = bands[k], bands[k + 1]
        doc = f"log10 of the flux at {a.wavelength:.3g} um over that at {b.wavelength:.3g} um"
        add(f"colour_{a.name}_{b.name}", "dex", doc, "colour", logs[:, k] - logs[:, k + 1])
    doc = f"Spectral index (S ~ nu^alpha) from {_LOW:g} to {_HIGH:g} GHz; NaN below {_INDEX_SNR:g} sigma"
    add("alpha", "", doc, "spectral", sources.alpha)
    add("alpha_err", "", "Error of the spectral index", "spectral", sources.alpha_err)
    add("size", "arcsec", "FWHM at 1.4 GHz, without the beam", "shape", sources.size)
    ra, dec = System.of("GLON", "", math.nan).to_icrs(sources.glon, sources.glat)
    kinds = [KINDS[name] for name in sources.labels]
    facts = {
        "label": sources.labels,
        "galactic": np.array(["galactic" if kind.galactic else "extragalactic" for kind in kinds]),
        "ra": ra,
        "dec": dec,
        "glon": sources.glon,
        "glat": sources.glat,
    }
    numbers: dict[str, int] = {}
    names = []
    for label in sources.labels:
        numbers[str(label)] = numbers.get(str(label), 0) + 1
        names.append(f"made-{label}-{numbers[str(label)]:05d}")
    return Features(tuple(names), tuple(columns), np.stack(values, axis=1), facts)
