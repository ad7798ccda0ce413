"""Made skies at several frequencies: the same sources, each with its spectrum, and Taylor terms of them."""

import numpy as np
from tests import images, skies

from skysift.sky.image import SkyImage

REFERENCE = 1.2e9
PLACE = {"centre": (180.0, -30.0)}


def sources(n=30, *, size=400, extended=0, snr=(60, 600), seed=1):
    """Sources on a lattice, and their indices."""
    found = skies.population(
        (size, size), images.ROUND, n_points=n, n_extended=extended, rms=1e-3, snr=snr, lattice=50, margin=20,
        by_peak=True, seed=seed,
    )  # fmt: skip
    return found, skies.generator(seed, "indices").normal(-0.7, 0.4, len(found))


def spectrum(alpha, frequency, beta=0.0):
    u = np.log(frequency / REFERENCE)
    return np.exp(alpha * u + beta * u * u)


def channel(found, alpha, frequency, *, size=400, beam_px=images.ROUND, rms=1e-3, beta=0.0, seed=0, **place):
    """The sky at one frequency, with a beam of its own."""
    some = found.copy()
    some["total"] = found["total"] * spectrum(alpha, frequency, beta)
    data, _ = skies.paint((size, size), beam_px, rms=rms, sources=some, seed=seed)
    made = images.image(data, beam_px, **{**PLACE, **place})
    return SkyImage(made.pixels, made.frame, made.beam, frequency=frequency, name=f"{frequency / 1e6:.0f}MHz")


def taylor(found, alpha, *, terms=2, n=24, size=400, beam_px=images.ROUND, rms=1e-3, beta=0.0, seed=0,
    band=(0.75, 1.4), spare=2):  # fmt: skip
    """Taylor terms: the polynomial of least squares through many narrow channels, each with its own noise.

    The band is not centred on the reference frequency, so that the noise of the terms goes together.
    """
    frequency = np.linspace(*band, n) * REFERENCE
    w = frequency / REFERENCE - 1.0
    # terms beyond those that are wanted take up what the polynomial leaves
    solve = np.linalg.pinv(np.vander(w, terms + spare, increasing=True))[:terms]
    maps = np.zeros((terms, size, size))
    for k, nu in enumerate(frequency):
        plane = channel(
            found, alpha, nu, size=size, beam_px=beam_px, rms=rms, beta=beta, seed=seed + 1000 + k
        )
        maps += solve[:, k, None, None] * plane.read()
    made = [images.image(each, beam_px, **PLACE) for each in maps]
    return [
        SkyImage(each.pixels, each.frame, each.beam, frequency=REFERENCE, name=f"tt{k}")
        for k, each in enumerate(made)
    ]


def paired(rows, found):
    """Numbers of the rows and of the sources that lie within a pixel of each other."""
    away = np.hypot(rows["x"][:, None] - found["x"], rows["y"][:, None] - found["y"])
    near = away.argmin(axis=1)
    good = away.min(axis=1) < 1.0
    return np.flatnonzero(good), near[good]
