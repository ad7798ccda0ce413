"""`describe_image`: what ObsCore tells of a map or a cube, from its header; pixels are not read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.archive.regions import Area, Vector, middle_of, region_of, region_text, separation, vector_of
from skysift.base.dates import mjd_of
from skysift.base.errors import HeaderError, RegionError, SkysiftError
from skysift.io.beams import map_beam
from skysift.io.cards import Hdu, Header, read_hdus
from skysift.io.headers import STOKES, Plane, axis_value, choose_plane, map_frame, map_frequency
from skysift.io.open import chosen_hdu
from skysift.sky.frame import Frame
from skysift.sky.units import LIGHT

__all__ = ["describe_image", "outline"]

_SPECTRAL = ("FREQ", "VRAD", "VELO", "VOPT", "FELO", "WAVE", "AWAV")
_BORDER = 8  # places along each side of a map that its outline goes through where it is wide
_WIDE = 5.0  # deg; the sides of a smaller map are great circles
_ESTIMATE = 1000  # bytes in the unit of access_estsize


def describe_image(path: Path, size: int) -> dict[str, Any]:
    """The columns of ObsCore that the header of a FITS image tells.

    Parameters
    ----------
    path
        The file; ``map.fits[SCI]`` names an HDU.
    size
        Bytes of the file.

    Raises
    ------
    FormatError, UsageError
        The file holds no image.
    """
    hdu = chosen_hdu(path)
    plane = choose_plane(hdu, None)
    header = hdu.header
    found: dict[str, Any] = {
        "dataproduct_type": "image",
        "calib_level": 3,
        "access_estsize": max(1, size // _ESTIMATE),
        "target_name": header.text("OBJECT") or None,
        "facility_name": header.text("TELESCOP") or None,
        "instrument_name": header.text("INSTRUME") or None,
        "o_ucd": "phot.flux.density;em.radio",
        "o_unit": header.text("BUNIT") or None,
        "s_xel1": plane.shape[1],
        "s_xel2": plane.shape[0],
        "pol_xel": 0,
        "t_xel": 1,
        "em_xel": 1,
    }
    frame = _frame(header, plane)
    if frame is not None and frame.celestial:
        found |= _on_sky(frame)
        beam = _beam(hdu, plane, frame, path)
        found["s_resolution"] = beam
    found |= _spectrum(header, plane, hdu) | _polarisation(header, hdu) | _time(header)
    return found


def outline(frame: Frame) -> Area | None:
    """What a map covers of the sky; None where it covers none that can be told."""
    x, y = _border(frame, 1)
    ra, dec = frame.to_sky(x, y)
    if np.isfinite(ra).all() and np.isfinite(dec).all():
        area = _polygon(ra, dec)
        if area is not None and _extent(area) > _WIDE:
            ra, dec = frame.to_sky(*_border(frame, _BORDER))
            fine = _polygon(ra, dec) if np.isfinite(ra).all() else None
            area = fine or area
        if area is not None:
            return area
    return _circle(frame)


def _border(frame: Frame, parts: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places along the border of the pixels, counter-clockwise on the sky as usual maps lie."""
    ny, nx = frame.shape
    t = np.arange(parts) / parts
    x = np.concatenate([-0.5 + nx * t, np.full(parts, nx - 0.5), nx - 0.5 - nx * t, np.full(parts, -0.5)])
    y = np.concatenate([np.full(parts, -0.5), -0.5 + ny * t, np.full(parts, ny - 0.5), ny - 0.5 - ny * t])
    return x, y


def _polygon(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> Area | None:
    try:
        return region_of("POLYGON", [float(v) for pair in zip(ra, dec, strict=True) for v in pair])
    except RegionError:
        return None


def _circle(frame: Frame) -> Area | None:
    """A circle about the places of a map that are on the sky: the outline of all-sky projections."""
    ny, nx = frame.shape
    x, y = (
        each.ravel() for each in np.meshgrid(np.linspace(-0.5, nx - 0.5, 41), np.linspace(-0.5, ny - 0.5, 41))
    )
    ra, dec = frame.to_sky(x, y)
    known = np.isfinite(ra) & np.isfinite(dec)
    if not known.any():
        return None
    places = [vector_of(float(a), float(d)) for a, d in zip(ra[known], dec[known], strict=True)]
    x0, y0, z0 = (sum(v[k] for v in places) for k in range(3))
    length = math.sqrt(x0 * x0 + y0 * y0 + z0 * z0)
    if length < 1e-3 * len(places):
        return region_of("CIRCLE", (0.0, 0.0, 180.0))
    middle: Vector = (x0 / length, y0 / length, z0 / length)
    radius = max(separation(middle, v) for v in places) + max(frame.scale) / 3600.0
    lon = math.degrees(math.atan2(middle[1], middle[0]))
    lat = math.degrees(math.atan2(middle[2], math.hypot(middle[0], middle[1])))
    return region_of("CIRCLE", (lon, lat, min(radius, 180.0)))


def _frame(header: Header, plane: Plane) -> Frame | None:
    try:
        return map_frame(header, plane)[0]
    except HeaderError:
        return None


def _on_sky(frame: Frame) -> dict[str, Any]:
    area = outline(frame)
    if area is None:
        return {}
    ny, nx = frame.shape
    ra, dec = frame.to_sky(np.array([(nx - 1) / 2.0]), np.array([(ny - 1) / 2.0]))
    place = (float(ra[0]), float(dec[0])) if np.isfinite(ra[0]) and np.isfinite(dec[0]) else middle_of(area)
    return {
        "s_ra": place[0],
        "s_dec": place[1],
        "s_fov": _extent(area),
        "s_region": region_text(area).replace(" ", " ICRS ", 1),
        "s_pixel_scale": math.sqrt(frame.scale[0] * frame.scale[1]),
        "s_ucd": "pos.eq",
        "s_unit": "deg",
    }


def _extent(area: Area) -> float:
    """The diameter of a region (deg)."""
    if area.kind == "CIRCLE":
        return min(360.0, 2.0 * area.numbers[2])
    middle = vector_of(*middle_of(area))
    return 2.0 * max(separation(middle, vector_of(*corner)) for corner in area.corners)


def _beam(hdu: Hdu, plane: Plane, frame: Frame, path: Path) -> float | None:
    """The major axis of the beam (arcsec), where the header tells it."""
    from skysift.io.open import file_of

    try:
        beam, _ = map_beam(read_hdus(file_of(path)), hdu, plane, frame, str(path))
    except SkysiftError:
        return None
    return beam.major


def _spectrum(header: Header, plane: Plane, hdu: Hdu) -> dict[str, Any]:
    """Wavelengths (vacuum, m) that a map or cube covers, from its spectral axis."""
    cube: dict[str, Any] = {}
    for axis in range(1, 10):
        kind = header.text(f"CTYPE{axis}").upper()[:4]
        if kind not in _SPECTRAL:
            continue
        count = hdu.axes[axis - 1] if axis <= len(hdu.axes) else 1
        if count > 1:
            cube = {"dataproduct_type": "cube", "em_xel": count}
        ends = [axis_value(header, axis, 0), axis_value(header, axis, count - 1)]
        half = (header.number(f"CDELT{axis}") or 0.0) / 2.0
        if any(each is None or not math.isfinite(each) for each in ends):
            break
        first, last = (float(each) for each in ends if each is not None)
        edges = [_wavelength(kind, value, axis, header) for value in (first - half, last + half)]
        known = [value for value in edges if value is not None and value > 0.0]
        if not known:
            break
        more: dict[str, Any] = {
            "em_min": min(known),
            "em_max": max(known),
            "em_xel": count,
            "em_ucd": "em.wl",
            **cube,
        }
        if count > 1:
            more |= _velocities(known, header)
            width = (max(known) - min(known)) / count
            more["em_res_power"] = (min(known) + max(known)) / 2.0 / width if width > 0 else None
        return more
    frequency, _ = map_frequency(header, plane)
    if not math.isfinite(frequency) or frequency <= 0:
        return cube
    return cube | {"em_min": LIGHT / frequency, "em_max": LIGHT / frequency, "em_ucd": "em.wl"}


def _velocities(known: list[float], header: Header) -> dict[str, Any]:
    """Velocities (km/s, radio convention) of wavelengths, where a line is told."""
    rest = header.number("RESTFRQ") or header.number("RESTFREQ")
    if not rest or not math.isfinite(rest) or rest <= 0:
        return {}
    speeds = [LIGHT / 1e3 * (1.0 - LIGHT / value / rest) for value in known]
    return {"v_min": min(speeds), "v_max": max(speeds)} if max(map(abs, speeds)) < LIGHT / 1e3 else {}


def _wavelength(kind: str, value: float, axis: int, header: Header) -> float | None:
    unit = header.text(f"CUNIT{axis}").lower()
    if kind == "FREQ":
        hertz = value * {"khz": 1e3, "mhz": 1e6, "ghz": 1e9}.get(unit, 1.0)
        return LIGHT / hertz if hertz > 0 else None
    if kind in ("WAVE", "AWAV"):
        return value * {"um": 1e-6, "nm": 1e-9, "mm": 1e-3, "cm": 1e-2, "angstrom": 1e-10}.get(unit, 1.0)
    rest = header.number("RESTFRQ") or header.number("RESTFREQ")
    if not rest:
        return None
    beta = value * (1e3 if unit == "km/s" else 1.0) / LIGHT
    hertz = rest / (1.0 + beta) if kind in ("VOPT", "FELO") else rest * (1.0 - beta)
    return LIGHT / hertz if hertz > 0 else None


def _polarisation(header: Header, hdu: Hdu) -> dict[str, Any]:
    for axis in range(1, len(hdu.axes) + 1):
        if header.text(f"CTYPE{axis}").upper() != "STOKES":
            continue
        values = [axis_value(header, axis, k) for k in range(hdu.axes[axis - 1])]
        names = [STOKES.get(int(value), "") for value in values if value is not None]
        states = [name for name in names if name]
        return {"pol_xel": len(states), "pol_states": f"/{'/'.join(states)}/"} if states else {}
    return {}


def _time(header: Header) -> dict[str, Any]:
    start = header.number("MJD-OBS")
    if start is None or not math.isfinite(start) or start <= 0:
        start = mjd_of(header.text("DATE-OBS"))
    if not math.isfinite(start):
        return {}
    seconds = next(
        (value for key in ("EXPTIME", "DURATION", "ONTIME") if (value := header.number(key))), None
    )
    stop = mjd_of(header.text("DATE-END"))
    if not math.isfinite(stop) or stop < start:
        stop = start + (seconds or 0.0) / 86400.0
    return {"t_min": start, "t_max": stop, "t_exptime": seconds}
