"""The field of a made sky: its frame, its beams and the part of the sky that it sees, from the options."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skysift.base.errors import UsageError
from skysift.sim.options import FieldOptions
from skysift.sky.beam import Beam
from skysift.sky.box import Box
from skysift.sky.frame import Frame

__all__ = ["MARGIN", "area_of", "beam_of", "frame_of", "shape_of"]

USUAL_BEAM, USUAL_FREQUENCY = 0.6, 1.4e9  # arcsec at Hz, as in the SKA Science Data Challenge 1
SAMPLES = 2.5  # pixels across the minor axis of the sharpest beam
WIDEST = 50.0 * 3600.0  # arcsec along a side of a field
MARGIN = 90.0  # arcsec around the map in which there are objects too
MARGIN_BEAMS = (
    3.0  # FWHM of the widest beam, where that is more: objects farther out do not reach into the map
)


def beam_of(options: FieldOptions, frequency: float) -> Beam:
    """The beam at a frequency: that of the options at the first one, as large as its wavelength at others."""
    if options.beam is None:
        return Beam.of(USUAL_BEAM * USUAL_FREQUENCY / frequency)
    given, ratio = Beam.of(options.beam), options.frequencies[0] / frequency
    return Beam(given.major * ratio, given.minor * ratio, given.pa)


def shape_of(options: FieldOptions) -> tuple[int, int]:
    """Rows and columns of the maps, (ny, nx)."""
    given = options.n_pixels
    return given if isinstance(given, tuple) else (given, given)


def frame_of(options: FieldOptions) -> Frame:
    """The frame of all maps: SIN projection, north up, the middle at the middle pixel (ny // 2, nx // 2)."""
    ny, nx = shape_of(options)
    scale = options.pixel or min(beam_of(options, each).minor for each in options.frequencies) / SAMPLES
    degrees = float(f"{scale / 3600.0:.12g}")  # so few digits survive any program's writing of a header
    cards: dict[str, str | float | int] = {
        "WCSAXES": 2,
        "CTYPE1": "RA---SIN",
        "CTYPE2": "DEC--SIN",
        "CRVAL1": options.ra,
        "CRVAL2": options.dec,
        "CRPIX1": float(nx // 2 + 1),
        "CRPIX2": float(ny // 2 + 1),
        "CDELT1": -degrees,
        "CDELT2": degrees,
        "CUNIT1": "deg",
        "CUNIT2": "deg",
        "RADESYS": "ICRS",
    }
    return Frame.from_cards(cards, (ny, nx))


def area_of(frame: Frame, beams: Sequence[Beam] = ()) -> tuple[float, float, float, float]:
    """The rectangle of the plane of the projection that a map sees, with a margin: east, east, north, north (arcsec).

    The margin is 90 arcsec, or three beams where that is more, and 0.2 % of the side, more than the difference of
    any two projections over 5 deg.

    Parameters
    ----------
    frame
        Of the map.
    beams
        Those of the maps.

    Raises
    ------
    UsageError
        A side is longer than 50 deg.
    """
    box = Box.of(frame.shape)
    x, y = frame.reference
    wide = max(side * scale for side, scale in zip(frame.shape, frame.scale, strict=True))
    if wide > WIDEST:
        raise UsageError(
            "the field is too wide for one plane",
            got=f"{wide / 3600.0:.4g} deg",
            allowed=f"a side of up to {WIDEST / 3600.0:g} deg",
            todo="take fewer or smaller pixels (n_pixels, pixel)",
        )
    corners = np.array(
        [[box.x0 - x, box.x1 - x, box.x0 - x, box.x1 - x], [box.y0 - y] * 2 + [box.y1 - y] * 2]
    )
    east, north = frame.jacobian @ corners
    margin = max([MARGIN, *(MARGIN_BEAMS * beam.major for beam in beams)])
    return (
        1.002 * float(east.min()) - margin,
        1.002 * float(east.max()) + margin,
        1.002 * float(north.min()) - margin,
        1.002 * float(north.max()) + margin,
    )
