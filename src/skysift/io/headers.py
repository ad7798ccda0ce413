"""What a map's header means, with the repairs that real headers need; every repair is told as a note.

Each function takes the cards as they are (`skysift.io.cards`) and gives a value and its notes. Which map
needs which repair:

- no BPA, frequency only as a frequency axis beyond NAXIS: Miriad (SUMSS, ATCA)
- beam in HISTORY only: AIPS; beam in arcsec as BMMAJ: WSRT (GIPSY); one beam per plane: CASA, ASKAP
- EPOCH for EQUINOX, RADECSYS for RADESYS, PC001001 for PC1_1, CUNIT 'DEGREE', NCP for SIN: AIPS, Miriad,
  GIPSY, older CASA
- CRPIX of the parent mosaic left in a cut-out: ATCA Scorpio
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skysift.base.errors import HeaderError, OptionError
from skysift.io.cards import Hdu, Header
from skysift.sky.frame import BeamPlane, CardValue, Frame
from skysift.sky.units import LIGHT, RADIO

__all__ = [
    "STOKES",
    "Plane",
    "axis_value",
    "choose_plane",
    "map_frame",
    "map_frequency",
    "position_notes",
    "unread_notes",
]

_LONGITUDES, _LATITUDES = ("RA", "GLON", "ELON", "SLON"), ("DEC", "GLAT", "ELAT", "SLAT")
_FREQUENCY_CARDS = ("RESTFRQ", "RESTFREQ", "FREQ", "OBSFREQ", "FREQUENC", "CENTFREQ", "REFFREQ", "FREQR")
_TELESCOPE_FREQUENCY = {"MOST": 843e6}  # Hz; telescopes of one frequency, whose maps (SUMSS) do not tell it
_PREFIX = {"hz": 1.0, "khz": 1e3, "mhz": 1e6, "ghz": 1e9}
_SYSTEMS = {
    "J2000": "FK5",
    "B1950": "FK4",
    "FK5": "FK5",
    "FK4": "FK4",
    "FK4-NO-E": "FK4-NO-E",
    "ICRS": "ICRS",
}
_NEEDED = ("CRVAL", "CRPIX")
STOKES = {1: "I", 2: "Q", 3: "U", 4: "V", -1: "RR", -2: "LL", -5: "XX", -6: "YY"}
DEGREES = {
    "": 1.0,
    "DEG": 1.0,
    "DEGREE": 1.0,
    "DEGREES": 1.0,
    "ARCMIN": 1 / 60,
    "ARCSEC": 1 / 3600,
    "RAD": 180 / math.pi,
}
_FAR = 45.0  # deg; a SIN, TAN or NCP map this far from its reference point is not an image that was made so
_LARGEST_PIXEL = 10.0  # deg; CDELT beyond that is no pixel size in degrees


@dataclass(frozen=True)
class Plane:
    """Which plane of an HDU is the image.

    Parameters
    ----------
    x_axis, y_axis
        FITS numbers (from 1) of the axes of columns and rows.
    index
        0-based index along the other axes, in array order (the last FITS axis first).
    axes
        FITS numbers of those other axes, in the same order.
    skipped
        Pixels stored before the plane.
    shape
        Rows and columns, (ny, nx).
    notes
        What is worth telling.
    """

    x_axis: int
    y_axis: int
    index: tuple[int, ...]
    axes: tuple[int, ...]
    skipped: int
    shape: tuple[int, int]
    notes: tuple[str, ...] = ()

    def along(self, axis: int) -> int:
        """The 0-based index along a FITS axis; 0 for an axis that the array does not have."""
        return self.index[self.axes.index(axis)] if axis in self.axes else 0


def choose_plane(hdu: Hdu, plane: int | Sequence[int] | None) -> Plane:
    """The plane of an HDU to take: its sky axes, and the first index along all others if none is asked for.

    Parameters
    ----------
    hdu
        An HDU that holds an image.
    plane
        0-based: one number for the only long axis, or one for each axis above the second, in array order.

    Raises
    ------
    HeaderError
        The sky axes are not stored first.
    OptionError
        There is no such plane.
    """
    lengths = hdu.axes
    pair = _sky_axes(hdu.header, len(lengths))
    x_axis, y_axis = sorted(pair) if pair else (1, 2)
    if any(n > 1 for n in (*lengths[: x_axis - 1], *lengths[x_axis : y_axis - 1])):
        raise HeaderError(
            "the sky axes of the map are not stored first",
            got=[hdu.header.text(f"CTYPE{i + 1}") for i in range(len(lengths))],
            todo="reorder the axes of the map (sky first)",
        )
    axes = tuple(i for i in range(len(lengths), 0, -1) if i not in (x_axis, y_axis))
    sizes = tuple(lengths[i - 1] for i in axes)
    index = _plane_index(plane, sizes)
    notes = []
    for axis, size, chosen in zip(axes, sizes, index, strict=True):
        kind = hdu.header.text(f"CTYPE{axis}") or f"axis {axis}"
        if size > 1 and plane is None:
            notes.append(
                f"the map has {size} planes along {kind}: plane {chosen} of 0 to {size - 1} is taken (--plane takes "
                "another); a cube is searched plane by plane, not for lines"
            )
        if kind.upper().startswith("STOKES"):
            notes += _stokes_notes(hdu.header, axis, chosen)
    skipped = 0
    for size, chosen in zip(sizes, index, strict=True):
        skipped = skipped * size + chosen
    shape = (lengths[y_axis - 1], lengths[x_axis - 1])
    return Plane(x_axis, y_axis, index, axes, skipped * shape[0] * shape[1], shape, tuple(notes))


def _sky_axes(header: Header, naxis: int) -> tuple[int, int] | None:
    """FITS numbers of the longitude and the latitude axis, where the array has both."""
    found: dict[str, int] = {}
    for i in range(1, naxis + 1):
        kind, _, projection = header.text(f"CTYPE{i}").upper().partition("-")
        if projection.strip("-"):
            if kind in _LONGITUDES:
                found.setdefault("lon", i)
            elif kind in _LATITUDES:
                found.setdefault("lat", i)
    return (found["lon"], found["lat"]) if len(found) == 2 else None


def _plane_index(plane: int | Sequence[int] | None, sizes: tuple[int, ...]) -> tuple[int, ...]:
    if plane is None:
        return (0,) * len(sizes)
    allowed = f"0-based, one number for the long axis or one each for axes of {list(sizes)} planes"
    long = [i for i, size in enumerate(sizes) if size > 1]
    asked = [int(plane)] if isinstance(plane, (int, np.integer)) else [int(value) for value in plane]
    if len(asked) == len(sizes):
        index = asked
    elif len(asked) == 1 and len(long) <= 1:
        index = [0] * len(sizes)
        if long:
            index[long[0]] = asked[0]
        elif asked != [0]:
            raise OptionError("the map has no such plane", got=plane, allowed="0: the map has one plane")
    else:
        raise OptionError("the plane is not told completely", got=plane, allowed=allowed)
    if any(not 0 <= chosen < size for chosen, size in zip(index, sizes, strict=True)):
        raise OptionError("the map has no such plane", got=plane, allowed=allowed)
    return tuple(index)


def _stokes_notes(header: Header, axis: int, index: int) -> list[str]:
    value = axis_value(header, axis, index)
    if value is None or value == 1.0:
        return []
    return [f"the plane is Stokes {STOKES.get(int(value), f'{value:g}')}, not I"] if value in STOKES else []


def axis_value(header: Header, axis: int, index: int) -> float | None:
    """The world value at a 0-based index of a linear axis."""
    value = header.number(f"CRVAL{axis}")
    if value is None:
        return None
    pixel = header.number(f"CRPIX{axis}")
    return value + (index + 1.0 - (1.0 if pixel is None else pixel)) * (header.number(f"CDELT{axis}") or 0.0)


def map_frame(
    header: Header,
    plane: Plane,
    *,
    beam_plane: BeamPlane | None = None,
    pixel_scale: float | tuple[float, float] | None = None,
) -> tuple[Frame, tuple[str, ...]]:
    """The geometry of the plane; one without place on the sky where the header has none, with a note.

    Parameters
    ----------
    header
        The cards.
    plane
        Which axes are the image.
    beam_plane
        ``image`` or ``sky``; by default as the projection suggests.
    pixel_scale
        Size of a pixel (arcsec), one number or (sy, sx), for a header without any.

    Raises
    ------
    HeaderError
        Neither a place on the sky nor the size of a pixel is known.
    """
    notes: list[str] = []
    why = "no celestial coordinates in the header"
    if header.text(f"CTYPE{plane.x_axis}") and _sky_axes(header, max(plane.x_axis, plane.y_axis)):
        try:
            cards, card_notes = _celestial_cards(header, plane.x_axis, plane.y_axis)
            frame = Frame.from_cards(cards, plane.shape, beam_plane=beam_plane)
            if pixel_scale is not None:
                card_notes = (
                    *card_notes,
                    "the size of a pixel was given, and is not used: the header has it",
                )
            return frame, (*card_notes, *position_notes(frame, header))
        except HeaderError as error:
            reason = (error.got or error.wrong).strip("'\"")
            why = f"the celestial coordinates cannot be used ({reason})"
    scale = pixel_scale if pixel_scale is not None else _pixel_size(header, plane)
    if scale is None:
        raise HeaderError(
            f"{why}, and no size of a pixel (CDELT in degrees) to measure the beam by",
            got=[f"{key} = {header.values.get(key)}" for key in ("CTYPE1", "CTYPE2", "CDELT1", "CDELT2")],
            todo="give the size of a pixel by --pixel-scale ARCSEC",
        )
    sy, sx = scale if isinstance(scale, tuple) else (scale, scale)
    notes.append(
        f'{why}: the catalogue has pixel positions only (pixels of {sx:.6g}" x {sy:.6g}", north taken as up)'
    )
    frame = Frame.pixels_only(plane.shape, (sy, sx))
    return (frame if beam_plane is None else frame.with_beam_plane(beam_plane)), tuple(notes)


def _pixel_size(header: Header, plane: Plane) -> tuple[float, float] | None:
    """Size of a pixel (sy, sx) in arcsec out of CDELT or CD; None where it is not told in degrees."""
    sizes = []
    for axis in (plane.y_axis, plane.x_axis):
        step = header.number(f"CDELT{axis}") or header.number(f"CD{axis}_{axis}")
        factor = DEGREES.get(header.text(f"CUNIT{axis}").upper())
        if step is None or factor is None or not 0 < abs(step * factor) < _LARGEST_PIXEL or abs(step) == 1.0:
            return None  # a step of 1 is the FITS default for "one pixel"
        sizes.append(abs(step * factor) * 3600.0)
    return sizes[0], sizes[1]


def _celestial_cards(
    header: Header, x_axis: int, y_axis: int
) -> tuple[dict[str, CardValue], tuple[str, ...]]:
    """The cards of the two image axes under their standard names, numbered 1 and 2."""
    notes: list[str] = []
    cards: dict[str, CardValue] = {}
    axes = {x_axis: 1, y_axis: 2}
    for old, new in axes.items():
        ctype = header.text(f"CTYPE{old}").upper()
        if len(ctype) > 8:
            notes.append(f"the distortion terms of the projection ({ctype[5:]}) are not used")
        cards[f"CTYPE{new}"] = ctype[:8]
        unit = header.text(f"CUNIT{old}")
        cards[f"CUNIT{new}"] = "deg" if unit.upper() in ("", "DEG", "DEGREE", "DEGREES") else unit.lower()
        for key in ("CRVAL", "CRPIX", "CDELT", "CROTA"):
            value = header.number(f"{key}{old}")
            if value is not None:
                cards[f"{key}{new}"] = value
        for parameter in range(30):
            value = header.number(f"PV{old}_{parameter}")
            if value is not None:
                cards[f"PV{new}_{parameter}"] = value
    cards |= _matrix_cards(header, axes)
    _check_complete(cards, header, axes)
    for key in ("LONPOLE", "LATPOLE"):
        value = header.number(key)
        if value is not None:
            cards[key] = value
    if any(str(cards[f"CTYPE{axis}"]).startswith(("RA", "DEC")) for axis in (1, 2)):
        system_cards, system_notes = _system_cards(header)
        cards |= system_cards
        notes += system_notes
    return cards, tuple(dict.fromkeys(notes))


def _check_complete(cards: dict[str, CardValue], header: Header, axes: dict[int, int]) -> None:
    """Refuse cards that cannot be, and those that wcslib would take as zero: missing, not finite, unread."""
    missing = [f"no {key}{old}" for old, new in axes.items() for key in _NEEDED if f"{key}{new}" not in cards]
    if not any(key.startswith(("CDELT", "CD1", "CD2")) for key in cards):
        missing.append("no CDELT and no CD")
    missing += [
        f"{key} = {value}"
        for key, value in cards.items()
        if isinstance(value, float) and not math.isfinite(value)
    ]
    missing += [
        card.strip() for card in header.unread if re.match(r"(CRVAL|CRPIX|CDELT|CROTA|CD\d|PC\d|PV\d)", card)
    ]
    for axis in (1, 2):
        if cards.get(f"CDELT{axis}") == 0.0 and not any(key.startswith("CD1") for key in cards):
            missing.append(f"CDELT{axis} = 0")
        latitude = cards.get(f"CRVAL{axis}", 0.0)
        if str(cards[f"CTYPE{axis}"]).startswith(_LATITUDES) and not abs(float(latitude)) <= 90.0:
            missing.append(f"CRVAL{axis} = {latitude} deg is beyond the pole")
    if missing:
        raise HeaderError("the celestial header is not usable", got=", ".join(dict.fromkeys(missing)))


def _matrix_cards(header: Header, axes: dict[int, int]) -> dict[str, CardValue]:
    """CD, else PC (in its old spelling too), of the image axes."""
    for name in ("CD", "PC"):
        cards: dict[str, CardValue] = {}
        for i, new_i in axes.items():
            for j, new_j in axes.items():
                value = header.number(f"{name}{i}_{j}")
                value = header.number(f"{name}{i:03d}{j:03d}") if value is None else value
                if value is not None:
                    cards[f"{name}{new_i}_{new_j}"] = value
        if cards:
            return cards
    return {}


def _system_cards(header: Header) -> tuple[dict[str, CardValue], list[str]]:
    """RADESYS and EQUINOX under their standard names."""
    cards: dict[str, CardValue] = {}
    notes: list[str] = []
    system = (header.text("RADESYS") or header.text("RADECSYS")).upper()
    if system in _SYSTEMS:
        cards["RADESYS"] = _SYSTEMS[system]
    elif system:
        notes.append(
            f"the celestial system {system!r} is not known: FK5 or ICRS is taken, as the equinox suggests"
        )
    for key in ("EQUINOX", "EPOCH"):
        match = re.fullmatch(r"[JB]?(\d+(?:\.\d*)?)", header.text(key).upper())
        if match and 1800.0 < float(match.group(1)) < 2200.0:
            cards["EQUINOX"] = float(match.group(1))
            break
    return cards, notes


def position_notes(frame: Frame, header: Header) -> tuple[str, ...]:
    """Notes where the celestial coordinates cannot be right for these pixels, or may well not be.

    A reference point outside the map is usual for a cut-out, so that alone says nothing. What does: pixels
    that the projection does not reach; an undistorted image far from its reference point; or a cut-out
    whose place is far from where the header says that the telescope pointed (OBSRA, OBSDEC), as when the
    cut-out kept the reference pixel of its parent.
    """
    notes = (
        () if frame.parity > 0 else ("the map is mirrored: east is to the right with north up; check CDELT",)
    )
    ny, nx = frame.shape
    x, y = np.meshgrid(np.linspace(0, nx - 1, 9), np.linspace(0, ny - 1, 9))
    ra, dec = frame.to_sky(x, y)
    if np.isnan(ra).all():
        note = "the WCS cannot be right for these pixels: the projection reaches none; check CRPIX and CRVAL"
        return (*notes, note)
    middle = float(ra[4, 4]), float(dec[4, 4])
    at_x, at_y = frame.reference
    outside = max(max(-at_x, at_x - (nx - 1), 0.0) / nx, max(-at_y, at_y - (ny - 1), 0.0) / ny)
    if frame.projection not in ("SIN", "TAN", "NCP") or outside == 0.0 or math.isnan(middle[0]):
        return notes
    return (*notes, *_distance_notes(frame, middle), *_pointing_notes(frame, header, middle, outside))


def _distance_notes(frame: Frame, middle: tuple[float, float]) -> list[str]:
    ra, dec = frame.to_sky(*frame.reference)
    away = _separation(float(ra), float(dec), *middle)
    if not away > _FAR:
        return []
    what = (
        f"{frame.projection} image: they lie {away:.0f} deg from its reference point; check CRPIX and CRVAL"
    )
    return [f"the WCS may not be right for these pixels of a {what}"]


def _pointing_notes(frame: Frame, header: Header, middle: tuple[float, float], outside: float) -> list[str]:
    ra, dec = header.number("OBSRA"), header.number("OBSDEC")
    if ra is None or dec is None or not abs(dec) <= 90.0:
        return []
    diagonal = math.hypot(frame.shape[0] * frame.scale[0], frame.shape[1] * frame.scale[1]) / 3600.0
    away = _separation(ra, dec, *middle)
    if outside < 1.0 or not away > 3.0 * diagonal:
        return []
    note = (
        f"the WCS may not be right for these pixels: the reference pixel lies {outside:.1f} map widths away "
        f"and the map {away:.1f} deg ({away / diagonal:.0f} map diagonals) from where the telescope "
        "pointed (OBSRA, OBSDEC), as when a cut-out keeps the CRPIX of its parent; check positions before use"
    )
    return [note]


def _separation(ra1: float, dec1: float, ra2: float, dec2: float) -> float:
    """Angle between two directions (deg)."""
    a, b, c = math.radians(dec1), math.radians(dec2), math.radians(ra1 - ra2)
    x = math.hypot(
        math.cos(b) * math.sin(c), math.cos(a) * math.sin(b) - math.sin(a) * math.cos(b) * math.cos(c)
    )
    return math.degrees(math.atan2(x, math.sin(a) * math.sin(b) + math.cos(a) * math.cos(b) * math.cos(c)))


def map_frequency(header: Header, plane: Plane) -> tuple[float, tuple[str, ...]]:
    """The frequency of the plane (Hz), NaN with a note where the header does not tell it."""
    refused = []
    for what, value in _frequency_candidates(header, plane):
        if RADIO[0] <= value <= RADIO[1]:
            return value, ()
        refused.append(f"{what} {value:g} Hz")
    known = _TELESCOPE_FREQUENCY.get(header.text("TELESCOP").upper())
    if known is not None:
        name = header.text("TELESCOP")
        return known, (f"no frequency in the header: {known / 1e6:g} MHz is taken, as always for {name}",)
    why = f"the frequency in the header cannot be right ({', '.join(refused)})"
    why = why if refused else "no frequency in the header"
    return math.nan, (f"{why}: it is taken as unknown (--frequency gives it)",)


def _frequency_candidates(header: Header, plane: Plane) -> list[tuple[str, float]]:
    """What the header offers as frequency (Hz), best first."""
    found: list[tuple[str, float]] = []
    rest = header.number("RESTFRQ") or header.number("RESTFREQ")
    for axis in range(1, 8):
        kind = header.text(f"CTYPE{axis}").upper()[:4]
        value = axis_value(header, axis, plane.along(axis))
        if value is None or not math.isfinite(value):
            continue
        unit = header.text(f"CUNIT{axis}").lower()
        if kind == "FREQ":
            found.append((f"axis {axis}", value * _PREFIX.get(unit, 1.0)))
        elif kind in ("VRAD", "VELO", "VOPT", "FELO") and rest:
            beta = value * (1e3 if unit == "km/s" else 1.0) / LIGHT
            found.append(
                (f"axis {axis}", rest * (1.0 - beta) if kind in ("VRAD", "VELO") else rest / (1.0 + beta))
            )
        elif kind in ("WAVE", "AWAV") and value > 0:
            found.append((f"axis {axis}", LIGHT / value))
    for key in _FREQUENCY_CARDS:
        value = header.number(key)
        if value is not None and math.isfinite(value):
            found.append((key, value))
    return found


def unread_notes(header: Header) -> tuple[str, ...]:
    """A note on cards of meaning that cannot be read."""
    lost = [
        card
        for card in header.unread
        if re.match(r"(CTYPE|BUNIT|BPA|RESTFR|FREQ|EQUINOX|RADESYS|LONPOLE|LATPOLE)", card)
    ]
    return (
        (f"cards that cannot be read are left out: {'; '.join(' '.join(card.split()) for card in lost[:4])}",)
        if lost
        else ()
    )
