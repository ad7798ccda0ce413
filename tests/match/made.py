"""Made catalogues of one small sky, of which it is known who is who."""

import numpy as np

from skysift.match.entries import Entries


def sky(n: int, seed: int = 1, width: float = 1.0, ra: float = 10.0, dec: float = -30.0):
    """Positions (deg) and fluxes (Jy) of n sources in a field `width` degrees wide."""
    rng = np.random.default_rng(seed)
    stretch = np.cos(np.radians(dec))
    return (
        (ra + rng.uniform(-width / 2, width / 2, n) / stretch) % 360,
        dec + rng.uniform(-width / 2, width / 2, n),
        rng.lognormal(-5.0, 1.0, n),
    )


def seen(
    name: str,
    truth: tuple[np.ndarray, np.ndarray, np.ndarray],
    seed: int,
    *,
    sigma: float = 0.5,
    keep: float = 1.0,
    own: int = 0,
    offset: tuple[float, float] = (0.0, 0.0),
    factor: float = 1.0,
    noise: float = 0.03,
    frequency: float = 1.4e9,
    **columns,
) -> tuple[Entries, np.ndarray]:
    """A catalogue of a sky, shuffled, and which source each of its rows is (-1 for one of its own)."""
    rng = np.random.default_rng(seed)
    ra, dec, flux = truth
    chosen = np.flatnonzero(rng.random(ra.size) < keep)
    here = ra[chosen] + (offset[0] + rng.normal(0, sigma, chosen.size)) / 3600 / np.cos(
        np.radians(dec[chosen])
    )
    there = dec[chosen] + (offset[1] + rng.normal(0, sigma, chosen.size)) / 3600
    more = (rng.uniform(ra.min(), ra.max(), own), rng.uniform(dec.min(), dec.max(), own))
    bright = np.concatenate([flux[chosen] * factor, rng.lognormal(-5.0, 1.0, own)])
    order = rng.permutation(chosen.size + own)
    entries = Entries.from_columns(
        name,
        np.concatenate([here, more[0]])[order] % 360,
        np.concatenate([there, more[1]])[order],
        **{
            "ra_err": sigma,
            "dec_err": sigma,
            "flux": (bright * (1 + rng.normal(0, noise, bright.size)))[order],
            "flux_err": (bright * noise)[order],
            "rms": 1e-4,
            "frequency": frequency,
            "major": 10.0,
            "minor": 8.0,
            "pa": 20.0,
            **columns,
        },
    )
    return entries, np.concatenate([chosen, np.full(own, -1)])[order]
