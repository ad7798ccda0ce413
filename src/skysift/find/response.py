"""`response_of`: the response of the primary beam that the options name, opened and checked against the map.

`with_pointing` gives options that say where a dish points, for maps that are made of the one whose header says it, and
`pointing_cards` the cards that say it in their headers.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from skysift.base.errors import HeaderError, UsageError
from skysift.base.parallel import ALONE, Crew
from skysift.io.cards import Header, read_hdus
from skysift.io.open import open_image
from skysift.measure.options import CorrectionOptions, ResponseOptions
from skysift.measure.response import DishResponse, MapResponse, Response, ResponseSource
from skysift.sky.beam import Beam
from skysift.sky.box import Box
from skysift.sky.frame import Frame
from skysift.sky.grids import SAME_GRID, grids_apart
from skysift.sky.image import SkyImage
from skysift.sky.power_pattern import half_power
from skysift.sky.systems import EQUATORIAL, System
from skysift.sky.tiling import Tiling
from skysift.sky.units import LIGHT, frequency_text

__all__ = ["pointing_cards", "response_of", "with_pointing"]

Floats = npt.NDArray[np.float64]
Menu = TypeVar("Menu", bound=ResponseOptions)

HIGHEST, LOWEST = 1.01, -0.01  # of a map of a response
MUCH = 0.2  # of the data: so much lost below the cut-off is told


def response_of(image: SkyImage, options: CorrectionOptions, crew: Crew = ALONE) -> Response | None:
    """
    The response over a map; None where the options tell of no primary beam.

    Raises
    ------
    UsageError
        The map of the beam has another shape or lies elsewhere on the sky, is no response, or leaves no data.
    HeaderError
        The pattern of a dish is wanted, and the frequency of the map is not known.
    """
    path = options.primary_beam or options.weight
    if path is None and options.dish is None:
        return None
    source: ResponseSource
    if path is None:
        source, told = _dish(image, options)
        maps: tuple[SkyImage, ...] = ()
    else:
        given = _opened(path, image)
        maps = (given,)
        source, told = _of_map(given, path, image, options, crew)
    response = Response(
        source,
        options.corrected or options.weight is not None,
        options.primary_beam_cutoff,
        options.primary_beam_error,
        maps,
    )
    boxes = list(Tiling(image.box, crew.tile))
    kept, lost = np.sum(
        list(crew.map("response, area", partial(_areas, image, response), boxes)), axis=0
    ).tolist()
    if lost and not kept:
        raise UsageError(
            f"the primary beam leaves nothing of the map: {told}",
            got=f"a response below {response.cutoff:g} wherever there are data",
            todo="set pointing=RA,DEC, or lower primary_beam_cutoff",
        )
    facts = _facts(response, told, kept, lost, image.frame)
    notes = (_loss(response, told, kept, lost),) if lost > MUCH * (kept + lost) else ()
    return replace(response, facts=facts, notes=notes)


def _loss(response: Response, told: str, kept: int, lost: int) -> str:
    return (
        f"{lost / (kept + lost):.0%} of the data lie where the response of the primary beam is below "
        f"{response.cutoff:g}, and count as blank ({told})"
    )


def _facts(response: Response, told: str, kept: int, lost: int, frame: Frame) -> dict[str, object]:
    square = frame.pixel_area / 3600.0**2
    return {
        "primary_beam": {
            "response": told,
            "map": "true fluxes" if response.corrected else "apparent fluxes",
            "cutoff": response.cutoff,
            "area_deg2": kept * square,
            "area_lost_deg2": lost * square,
            "area_lost": lost / (kept + lost) if kept + lost else 0.0,
        }
    }


def _areas(image: SkyImage, response: Response, box: Box) -> tuple[int, int]:
    """How many pixels of a box hold data above the cut-off, and how many below it or where there is no response."""
    below = np.isnan(response.read(box))
    data = np.isfinite(image.read(box))
    return int((data & ~below).sum()), int((data & below).sum())


# -- maps


def _opened(path: str, image: SkyImage) -> SkyImage:
    """The map of a response or of weights, on the pixels of the image."""
    # such a map has neither beam nor unit, which others must have; what is given here is not used
    given = open_image(path, beam=Beam(1.0, 1.0), unit="Jy/beam", pixel_scale=1.0)
    if given.shape != image.shape:
        raise UsageError(
            f"{path} does not fit the map",
            got=given.shape,
            allowed=f"shape {image.shape} (y, x)",
            todo="regrid it onto the pixels of the map",
        )
    apart = grids_apart(image.frame, given.frame)
    if apart > SAME_GRID:
        raise UsageError(
            f"{path} does not fit the map: it lies elsewhere on the sky",
            got=f"{apart:.3g} pixels apart" if math.isfinite(apart) else "no pixel in common",
            allowed=f"{SAME_GRID:g} pixels at most",
            todo="regrid it onto the pixels of the map",
        )
    return replace(given, notes=())  # they tell of the beam and the unit that stood in


def _of_map(
    given: SkyImage, path: str, image: SkyImage, options: CorrectionOptions, crew: Crew
) -> tuple[MapResponse, str]:
    """The response that a map tells, and what to say of it."""
    boxes = list(Tiling(given.box, crew.tile))
    ends = list(crew.map("response, range", partial(_range, given), boxes))
    low, (high, y, x) = (
        min(each[0] for each in ends),
        max((each[1] for each in ends), key=lambda e: (e[0], -e[1], -e[2])),
    )
    if not high > 0.0:
        raise UsageError(
            f"{path} holds no value above 0", got=f"at most {high:g}" if math.isfinite(high) else "blanks"
        )
    if options.weight is not None:
        if low < 0.0:
            raise UsageError(f"{path} holds weights below 0", got=f"{low:g}", allowed="0 or more")
        source, told = MapResponse(given, high), f"root of the weights of {given.name} over {high:.6g}"
    else:
        if high > HIGHEST or low < LOWEST:
            raise UsageError(
                f"{path} is no response of a primary beam",
                got=f"values from {low:g} to {high:g}",
                allowed="0 to 1",
                todo="give a map of weights by weight (--weight)",
            )
        source, told = MapResponse(given), f"map {given.name}"
    if options.dish is None:
        return source, told
    width = _half_power(image, options, pattern="gaussian")
    scale_y, scale_x = image.frame.scale
    source = replace(source, width=(width / scale_y, width / scale_x))
    top = float(source.mosaic(np.array([float(x)]), np.array([float(y)]))[0])
    return replace(
        source, top=top if math.isfinite(top) else 0.0
    ), f"{told}, of beams {width / 60.0:.4g} arcmin wide"


def _range(given: SkyImage, box: Box) -> tuple[float, tuple[float, int, int]]:
    """The smallest value in a box, and the largest with its pixel (y, x)."""
    pixels = given.read(box)
    if np.isnan(pixels).all():
        return math.inf, (-math.inf, box.y0, box.x0)
    y, x = np.unravel_index(int(np.nanargmax(pixels)), pixels.shape)
    return float(np.nanmin(pixels)), (float(pixels[y, x]), box.y0 + int(y), box.x0 + int(x))


# -- dishes


def _half_power(image: SkyImage, options: CorrectionOptions, pattern: str) -> float:
    """FWHM (arcsec) of the pattern of the dish at the frequency of the map."""
    assert options.dish is not None  # asked where there is one
    if not image.frequency > 0.0:
        raise HeaderError(
            "the width of the primary beam needs the frequency of the map",
            got="none in the header",
            todo="give --frequency, such as --frequency 1.4GHz",
        )
    wavelength = LIGHT / image.frequency
    if options.dish < wavelength:
        raise UsageError(
            "a dish smaller than the wavelength has no beam",
            got=f"a dish of {options.dish:g} m at a wavelength of {wavelength:.3g} m",
            allowed=f"a diameter in metres, {wavelength:.3g} or more at {frequency_text(image.frequency)}",
            todo="mend dish, or the frequency",
        )
    return half_power(pattern, image.frequency, options.dish)


def _dish(image: SkyImage, options: CorrectionOptions) -> tuple[DishResponse, str]:
    """The pattern of a dish over the map, and what to say of it."""
    width = _half_power(image, options, options.pattern)
    frame = image.frame
    if not frame.celestial:
        if options.pointing is not None:
            raise UsageError(
                "a pointing on the sky needs a map with sky coordinates",
                got="a map in pixels",
                todo="leave pointing out: the middle of the map is taken",
            )
        centre, where = frame.reference, "the middle of the map"
    else:
        centre, where = (options.pointing, "as given") if options.pointing else _pointing(image)
    told = (
        f"{options.pattern} pattern of a dish of {options.dish:g} m at {frequency_text(image.frequency)}, "
        f"{width / 60.0:.4g} arcmin wide (FWHM), pointing: {where}"
    )
    return DishResponse(frame, options.pattern, width, centre), told


def _pointing(image: SkyImage) -> tuple[tuple[float, float], str]:
    """Where the telescope pointed (ICRS, deg): OBSRA and OBSDEC, else the reference point of the map."""
    told = _pointing_of_header(image)
    if told is not None:
        return told, "OBSRA, OBSDEC of the header"
    ra_there, dec_there = image.frame.to_sky(*image.frame.reference)
    return (float(ra_there), float(dec_there)), "the reference point of the map"


def _pointing_of_header(image: SkyImage) -> tuple[float, float] | None:
    """OBSRA and OBSDEC (ICRS, deg); None where the header does not have them."""
    header = _header(image)
    ra, dec = (None, None) if header is None else (header.number("OBSRA"), header.number("OBSDEC"))
    if header is not None and ra is not None and dec is not None and abs(dec) <= 90.0:
        equinox = header.number("EQUINOX")
        system = System.of("RA", header.text("RADESYS"), math.nan if equinox is None else equinox)
        lon, lat = system.to_icrs(np.array([ra]), np.array([dec]))
        return float(lon[0]), float(lat[0])
    return None


def pointing_cards(image: SkyImage) -> tuple[tuple[str, float, str], ...]:
    """OBSRA and OBSDEC as the header of the map has them, for the header of one that is made of it; else none."""
    told = _pointing_of_header(image)
    system = image.frame.system
    if told is None or system is None:
        return ()
    ra, dec = (np.array([each]) for each in told)
    if system.name in EQUATORIAL:
        ra, dec = system.from_icrs(ra, dec)
    return (
        ("OBSRA", float(ra[0]), "[deg] where the telescope pointed"),
        ("OBSDEC", float(dec[0]), "[deg] where the telescope pointed"),
    )


def with_pointing(image: SkyImage, options: Menu) -> Menu:
    """The options with the pointing of the dish that the header of the map tells, where they need it and have none."""
    if options.dish is None or options.pointing is not None or options.primary_beam or options.weight:
        return options
    if not image.frame.celestial:
        return options
    return options.model_copy(update={"pointing": _pointing(image)[0]})


def _header(image: SkyImage) -> Header | None:
    """The header of the HDU that the image was read from."""
    if image.origin is None:
        return None
    return next((hdu.header for hdu in read_hdus(image.origin.path) if hdu.index == image.origin.hdu), None)
