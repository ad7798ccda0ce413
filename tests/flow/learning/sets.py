"""Small sets of pictures and maps that tests of learning without labels share."""

import numpy as np
from astropy.io import fits

from skysift.base.random import generator

SIDE, N = 48, 64


SMALL = ("encoder.width=4", "encoder.blocks=1,1", "hidden=16", "out=8", "prepare.size=24", "prepare.bin=2")


def sets(*given):
    return [word for pair in given for word in ("--set", pair)]


def doubles(n=N, seed=1):
    """Single sources, and pairs of them."""
    rng = generator(seed, "doubles")
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    pixels = 0.02 * rng.standard_normal((n, SIDE, SIDE))
    for k in range(n):
        apart, angle = 8.0 * (k % 2), rng.uniform(0, 2 * np.pi)
        for sign in (-1, 1):
            dx, dy = sign * apart * np.cos(angle), sign * apart * np.sin(angle)
            pixels[k] += np.exp(-((x - dx) ** 2 + (y - dy) ** 2) / 2 / 2.5**2)
    return pixels.astype(np.float32)


def write_map(path, shape=(200, 260), ra=10.0, dec=-30.0, sources=((60, 50), (150, 180), (100, 120))):
    rng = generator(2, "map")
    data = 1e-3 * rng.standard_normal(shape)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for yy, xx in sources:
        data += 0.1 * np.exp(-((x - xx) ** 2 + (y - yy) ** 2) / 2 / 2.0**2)
    head = fits.Header()
    head["CTYPE1"], head["CTYPE2"] = "RA---SIN", "DEC--SIN"
    head["CRVAL1"], head["CRVAL2"], head["CRPIX1"], head["CRPIX2"] = ra, dec, shape[1] / 2, shape[0] / 2
    head["CDELT1"], head["CDELT2"], head["BUNIT"] = -2 / 3600, 2 / 3600, "Jy/beam"
    head["BMAJ"], head["BMIN"], head["BPA"] = 9.4 / 3600, 9.4 / 3600, 0.0
    fits.writeto(path, data.astype(np.float32), head)
    return path
