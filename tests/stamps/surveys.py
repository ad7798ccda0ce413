"""Maps of made sources for tests of stamps: a source of known flux, seen by surveys of any beam, grid and unit."""

import numpy as np
from astropy.io import fits
from tests.images import frame

from skysift.sky.beam import Beam


def survey(
    path,
    sources,
    *,
    beam=(5.4, 5.4, 0.0),
    shape=(300, 300),
    scale=1.8,
    centre=(180.0, -30.0),
    unit="Jy/beam",
    value=lambda beam, pixel: beam.area,
    extra=0.0,
    noise=0.0,
    tell_beam=True,
    **place,
):
    """Write a map of points [(ra, dec, Jy)]; `value` is Jy/arcsec^2 -> its unit; `extra` is added in its unit."""
    where = frame(shape, scale=(scale, scale), centre=centre, **place)
    seen = Beam(*beam)
    y, x = np.mgrid[: shape[0], : shape[1]]
    data = np.zeros(shape)
    for ra, dec, flux in sources:
        at_x, at_y = (float(each) for each in where.to_pixel(ra, dec))
        tangent = where.tangent(at_x, at_y)[0]
        east, north = np.einsum("ij,jyx->iyx", tangent, np.stack([x - at_x, y - at_y]))
        inverse = np.linalg.inv(seen.to_covariance())
        power = inverse[0, 0] * east**2 + 2 * inverse[0, 1] * east * north + inverse[1, 1] * north**2
        data += flux / seen.area * np.exp(-0.5 * power)
    data = data * value(seen, where.pixel_area) + extra
    data += np.random.default_rng(3).normal(0.0, 1.0, shape) * noise
    head = fits.Header(list(where.cards))
    head["BUNIT"] = unit
    if tell_beam:
        head["BMAJ"], head["BMIN"], head["BPA"] = beam[0] / 3600, beam[1] / 3600, beam[2]
    fits.writeto(path, data.astype(np.float32), head, overwrite=True)
    return data
