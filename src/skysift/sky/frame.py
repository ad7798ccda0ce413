"""`Frame`: where the pixels of a map lie on the sky; pixel to sky and back in one place."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skysift.base.errors import HeaderError, UsageError
from skysift.sky.beam import FWHM_PER_SIGMA, Beam
from skysift.sky.box import Box
from skysift.sky.systems import System, vectors

if TYPE_CHECKING:
    from astropy.wcs import WCS, Wcsprm

__all__ = ["BeamPlane", "CardValue", "Frame"]

BeamPlane: TypeAlias = Literal["image", "sky"]
CardValue: TypeAlias = str | float | int
Floats = NDArray[np.float64]

_IN_IMAGE_PLANE = ("SIN", "TAN", "NCP", "pixel")  # an interferometer's own image: one beam in the image plane
_LONGITUDES = ("RA", "GLON", "SLON", "ELON")
_CYLINDRICAL = ("CAR", "CEA", "MER", "CYP")  # x is proportional to longitude and repeats after one turn
_STEP = 1e-5  # rad; step of the numerical derivatives of the projection
_KEPT = 16  # projections kept ready per thread


@dataclass(frozen=True)
class Frame:
    """The geometry of a map: its shape, its projection and the size of its pixels.

    Make it with `from_cards`, `from_wcs` or `pixels_only`.

    Parameters
    ----------
    shape
        Rows and columns, (ny, nx).
    scale
        Size of a pixel along y and x at the reference point, (sy, sx) (arcsec).
    cards
        The celestial header cards, normalised; empty for a map without place on the sky.
    projection
        Three letters of the projection as the header names it, ``pixel`` where there is none.
    system
        Celestial system of the header's axes.
    beam_plane
        ``image``: the beam is one ellipse of pixels all over the map (an interferometer's own image);
        ``sky``: it is one ellipse on the sky (a reprojected mosaic).
    """

    shape: tuple[int, int]
    scale: tuple[float, float]
    cards: tuple[tuple[str, CardValue], ...] = ()
    projection: str = "pixel"
    system: System | None = None
    beam_plane: BeamPlane = "image"

    @classmethod
    def from_cards(
        cls, cards: Mapping[str, CardValue], shape: tuple[int, int], *, beam_plane: BeamPlane | None = None
    ) -> Frame:
        """The frame of FITS header cards that describe two celestial axes.

        Parameters
        ----------
        cards
            CTYPE, CRVAL, CRPIX, CDELT with PC, CD or CROTA, CUNIT, PV, LONPOLE, LATPOLE, RADESYS, EQUINOX.
        shape
            Rows and columns, (ny, nx).
        beam_plane
            ``image`` or ``sky``; by default ``image`` for SIN, TAN and NCP, ``sky`` for all others.

        Raises
        ------
        HeaderError
            The cards describe no projection.
        """
        name = str(cards.get("CTYPE1", "")).strip()[-3:].upper()
        try:
            wcsprm = _wcsprm(tuple(cards.items()))
            wcsprm.fix()
            wcsprm.set()
        except (
            ValueError,
            MemoryError,
        ) as error:  # wcslib's own complaint; every subclass of its errors is a ValueError
            raise HeaderError("the celestial header cannot be used", got=_reason(error)) from error
        if wcsprm.lng < 0 or wcsprm.lat < 0 or wcsprm.naxis != 2:
            raise HeaderError("the header has no pair of celestial axes", got=[str(c) for c in wcsprm.ctype])
        kept = {key: cards[key] for key in ("LONPOLE", "LATPOLE") if key in cards}
        return cls._of(wcsprm, shape, name, beam_plane, kept)

    @classmethod
    def from_wcs(cls, wcs: WCS, shape: tuple[int, int], *, beam_plane: BeamPlane | None = None) -> Frame:
        """The frame of the celestial part of an astropy WCS; distortion terms are left out.

        Raises
        ------
        HeaderError
            The WCS has no pair of celestial axes.
        """
        if not wcs.has_celestial:
            raise HeaderError("the WCS has no pair of celestial axes", got=[str(c) for c in wcs.wcs.ctype])
        wcsprm = wcs.celestial.wcs
        wcsprm.set()
        kept = {
            key: float(value) for key, value in (("LONPOLE", wcsprm.lonpole), ("LATPOLE", wcsprm.latpole))
        }
        return cls._of(wcsprm, shape, str(wcsprm.ctype[0])[-3:].upper(), beam_plane, kept)

    @classmethod
    def pixels_only(cls, shape: tuple[int, int], scale: tuple[float, float]) -> Frame:
        """The frame of a map without place on the sky, with the size of its pixels (sy, sx) (arcsec).

        Raises
        ------
        UsageError
            A size is not above zero.
        """
        sy, sx = (abs(float(value)) for value in scale)
        if not (math.isfinite(sy) and math.isfinite(sx) and sy > 0 and sx > 0):
            raise UsageError("pixels need a size", got=scale, allowed="arcsec above 0, along y and x")
        return cls((int(shape[0]), int(shape[1])), (sy, sx))

    @classmethod
    def _of(
        cls,
        wcsprm: Wcsprm,
        shape: tuple[int, int],
        projection: str,
        beam_plane: BeamPlane | None,
        kept: Mapping[str, CardValue],
    ) -> Frame:
        ctype = [str(text) for text in wcsprm.ctype]
        system = System.of(ctype[wcsprm.lng].split("-")[0], str(wcsprm.radesys), float(wcsprm.equinox))
        matrix = wcsprm.get_pc() * wcsprm.get_cdelt()[:, np.newaxis]
        if not np.isfinite(matrix).all() or np.linalg.det(matrix) == 0.0:
            raise HeaderError(
                "the pixels of the map have no size", got=f"CDELT with PC or CD {matrix.tolist()}"
            )
        cards = _cards_of(wcsprm, ctype, system, kept)
        projection = _family(projection, wcsprm)
        sx, sy = (3600.0 * float(np.hypot(*matrix[:, axis])) for axis in (0, 1))
        plane = beam_plane or ("image" if projection in _IN_IMAGE_PLANE else "sky")
        return cls((int(shape[0]), int(shape[1])), (sy, sx), cards, projection, system, plane)

    @property
    def celestial(self) -> bool:
        """True where pixels have a place on the sky."""
        return bool(self.cards)

    @property
    def name(self) -> str:
        """The celestial system: ``ICRS``, ``FK5``, ``Galactic`` ...; ``pixel`` where there is none."""
        return "pixel" if self.system is None else str(self.system)

    @property
    def wcs(self) -> WCS:
        """The same geometry as an astropy WCS (a new one at every call).

        Raises
        ------
        UsageError
            The map has no place on the sky.
        """
        if not self.celestial:
            raise UsageError("the map has no celestial coordinates", got=repr(self))
        from astropy.io.fits import Header  # heavy: loaded for this door only
        from astropy.wcs import WCS

        wcs = WCS(Header(list(self.cards)), fix=False)
        wcs.array_shape = self.shape
        return wcs

    @property
    def reference(self) -> tuple[float, float]:
        """Pixel (x, y) of the reference point, maybe outside the map; without place on the sky its middle."""
        known = dict(self.cards)
        if not known:
            return (self.shape[1] - 1) / 2.0, (self.shape[0] - 1) / 2.0
        return float(known["CRPIX1"]) - 1.0, float(known["CRPIX2"]) - 1.0

    def crop(self, box: Box) -> Frame:
        """The frame of a window of the map; positions on the sky stay what they are.

        Parameters
        ----------
        box
            The window; it may reach outside the map.
        """
        shift = {"CRPIX1": box.x0, "CRPIX2": box.y0}
        cards = tuple(
            (key, float(value) - shift[key]) if key in shift else (key, value) for key, value in self.cards
        )
        return replace(self, shape=box.shape, cards=cards)

    def with_beam_plane(self, beam_plane: BeamPlane) -> Frame:
        """The same frame with the beam fixed in the ``image`` plane or on the ``sky``."""
        return replace(self, beam_plane=beam_plane)

    def to_sky(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """ICRS right ascension and declination (deg) of pixel positions; NaN outside the projection.

        Parameters
        ----------
        x, y
            Positions (pixel, 0-based), of any common shape.
        """
        x, y = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
        if self.system is None or x.size == 0:
            return np.full(x.shape, np.nan), np.full(x.shape, np.nan)
        lon, lat = self._to_native(x.ravel(), y.ravel())
        ra, dec = self.system.to_icrs(lon, lat)
        return ra.reshape(x.shape), dec.reshape(x.shape)

    def to_pixel(self, ra: ArrayLike, dec: ArrayLike) -> tuple[Floats, Floats]:
        """Pixel positions (x, y) of ICRS positions (deg); NaN where the projection does not reach.

        Parameters
        ----------
        ra, dec
            ICRS right ascension and declination (deg), of any common shape.
        """
        ra, dec = np.broadcast_arrays(np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64))
        if self.system is None or ra.size == 0:
            return np.full(ra.shape, np.nan), np.full(ra.shape, np.nan)
        lon, lat = self.system.from_icrs(ra.ravel(), dec.ravel())
        wcsprm = self._ready()
        world = np.empty((lon.size, 2))
        world[:, wcsprm.lng], world[:, wcsprm.lat] = lon, lat
        good = np.isfinite(world).all(axis=1)
        pixel: Floats = np.full(world.shape, np.nan)
        if good.any():
            pixel[good] = wcsprm.s2p(world[good], 0)["pixcrd"]
        if self.projection in _CYLINDRICAL:
            pixel = self._nearest_turn(pixel)
        return pixel[:, 0].reshape(ra.shape), pixel[:, 1].reshape(ra.shape)

    def tangent(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """Matrices (n, 2, 2) T with (east, north) = T @ (dx, dy): arcsec for pixels, at each position.

        North is that of ICRS at the position itself, so angles are right for Galactic maps and near a pole.
        A map without place on the sky has its pixel size, east towards -x. NaN outside the projection.

        Parameters
        ----------
        x, y
            Positions (n,) (pixel, 0-based).
        """
        return self._tangent(x, y, icrs=True)

    def north_angle(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """Angle (n,) (rad) from ICRS north through east to the north of the map's own system, at each position."""
        to_icrs = self._tangent(x, y, icrs=True) @ _inverse(self._tangent(x, y, icrs=False))
        return np.asarray(np.arctan2(to_icrs[:, 0, 1], to_icrs[:, 1, 1]))

    def beam_covariance(self, beam: Beam, x: ArrayLike, y: ArrayLike) -> Floats:
        """Covariance (n, 3) of a beam at each position: xx, xy, yy (pixel^2, sigma not FWHM).

        In the image plane (`beam_plane` ``image``) it is the same everywhere, its angle counted from the
        image's +y towards east; on the sky the beam keeps its size and its angle from the north of the
        map's own system.

        Parameters
        ----------
        beam
            The beam (arcsec).
        x, y
            Positions (n,) (pixel, 0-based).
        """
        x, y = np.broadcast_arrays(
            np.atleast_1d(np.asarray(x, dtype=np.float64)), np.atleast_1d(np.asarray(y, dtype=np.float64))
        )
        covariance = beam.to_covariance()
        if self.beam_plane == "image" or not self.celestial:
            jacobian = self.jacobian
            north = jacobian[:, 1] / np.hypot(*jacobian[:, 1])  # the image's +y
            axes = np.array(
                [[north[1], north[0]], [-north[0], north[1]]]
            )  # columns: towards east of it, and it
            to_pixel = np.linalg.inv(jacobian) @ axes
            matrix = np.broadcast_to(to_pixel @ covariance @ to_pixel.T, (x.size, 2, 2))
        else:
            to_pixels = _inverse(self._tangent(x.ravel(), y.ravel(), icrs=False))
            matrix = to_pixels @ covariance @ to_pixels.transpose(0, 2, 1)
        return np.stack([matrix[:, 0, 0], matrix[:, 0, 1], matrix[:, 1, 1]], axis=1)

    def beam_pixels(self, beam: Beam) -> tuple[float, float]:
        """FWHM of the beam along its major and its minor axis (pixel), at the reference point."""
        xx, xy, yy = self.with_beam_plane("image").beam_covariance(beam, 0.0, 0.0)[0]
        low, high = np.linalg.eigvalsh(np.array([[xx, xy], [xy, yy]]))
        return FWHM_PER_SIGMA * math.sqrt(max(high, 0.0)), FWHM_PER_SIGMA * math.sqrt(max(low, 0.0))

    def beam_width_pixels(self, beam: Beam) -> float:
        """FWHM of the beam in pixels at the reference point, the geometric mean of its axes."""
        major, minor = self.beam_pixels(beam)
        return math.sqrt(major * minor)

    def beam_area_pixels(self, beam: Beam) -> float:
        """Solid angle of the beam in pixels, at the reference point."""
        return beam.area / self.pixel_area

    @property
    def pixel_area(self) -> float:
        """Solid angle of a pixel (arcsec^2), at the reference point."""
        return abs(float(np.linalg.det(self.jacobian)))

    @property
    def jacobian(self) -> Floats:
        """Matrix (2, 2): arcsec (east, north) in the plane of the projection for steps of a pixel (x, y)."""
        known = dict(self.cards)
        if not known:
            return np.array([[-self.scale[1], 0.0], [0.0, self.scale[0]]])
        pc = [[float(known.get(f"PC{i}_{j}", float(i == j))) for j in (1, 2)] for i in (1, 2)]
        cdelt = [[3600.0 * float(known[f"CDELT{i}"])] for i in (1, 2)]
        matrix: Floats = np.array(cdelt) * np.array(pc)
        return matrix if str(known["CTYPE1"]).startswith(_LONGITUDES) else matrix[::-1]

    @property
    def parity(self) -> int:
        """+1 where east is towards -x when north is towards +y, as on the sky; -1 for a mirrored map."""
        return 1 if np.linalg.det(self.jacobian) < 0 else -1

    def _ready(self) -> Wcsprm:
        """The projection, one per thread: wcslib changes its structures while it works."""
        kept: OrderedDict[tuple[tuple[str, CardValue], ...], Wcsprm] = _local.__dict__.setdefault(
            "kept", OrderedDict()
        )
        wcsprm = kept.get(self.cards)
        if wcsprm is None:
            wcsprm = _wcsprm(self.cards)
            wcsprm.set()
            if self.projection in _CYLINDRICAL:
                wcsprm.bounds_check(
                    False, False
                )  # a crop may lie more than half a turn from the reference point
            kept[self.cards] = wcsprm
            if len(kept) > _KEPT:
                kept.popitem(last=False)
        return wcsprm

    def _to_native(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Longitude and latitude (deg) in the map's own system; NaN outside the projection."""
        wcsprm = self._ready()
        pixel = np.stack([x, y], axis=1)
        good = np.isfinite(pixel).all(axis=1)
        lon, lat = np.full(x.size, np.nan), np.full(x.size, np.nan)
        if good.any():
            answer = wcsprm.p2s(pixel[good], 0)
            world = np.where(np.abs(answer["theta"])[:, np.newaxis] <= 90.0 + 1e-9, answer["world"], np.nan)
            lon[good], lat[good] = world[:, wcsprm.lng], world[:, wcsprm.lat]
        return lon, lat

    def _nearest_turn(self, pixel: Floats) -> Floats:
        """Pixels moved by whole turns of longitude to where they are nearest to the middle of the map."""
        turn = np.linalg.inv(self.jacobian) @ np.array([360.0 * 3600.0, 0.0])
        middle = np.array([(self.shape[1] - 1) / 2.0, (self.shape[0] - 1) / 2.0])
        away = middle - pixel
        turns = np.round((away[:, 0] * turn[0] + away[:, 1] * turn[1]) / (turn[0] ** 2 + turn[1] ** 2))
        moved: Floats = pixel + turns[:, np.newaxis] * turn
        return moved

    def _tangent(self, x: ArrayLike, y: ArrayLike, *, icrs: bool) -> Floats:
        x, y = np.broadcast_arrays(
            np.atleast_1d(np.asarray(x, dtype=np.float64)), np.atleast_1d(np.asarray(y, dtype=np.float64))
        )
        if self.system is None:
            sy, sx = self.scale
            return np.tile(np.array([[-sx, 0.0], [0.0, sy]]), (x.size, 1, 1))
        step = _STEP / math.radians(min(self.scale) / 3600.0)
        ways = np.array([(0.0, 0.0), (step, 0.0), (-step, 0.0), (0.0, step), (0.0, -step)])
        lon, lat = self._to_native(
            (x.ravel() + ways[:, :1]).ravel(), (y.ravel() + ways[:, 1:]).ravel()
        )  # in one call: wcslib is asked for few places at a time
        if icrs:
            lon, lat = self.system.to_icrs(lon, lat)
        east, north = _compass(lon[: x.size], lat[: x.size])
        centre, *sides = vectors(lon, lat).reshape(len(ways), x.size, 3)
        out = np.empty((x.size, 2, 2))
        for axis, (ahead, behind) in enumerate((sides[:2], sides[2:])):
            # at the rim of the projection only one side exists
            ahead, behind = (
                np.where(np.isnan(ahead), centre, ahead),
                np.where(np.isnan(behind), centre, behind),
            )
            distance = step * ((ahead != centre).any(axis=1).astype(float) + (behind != centre).any(axis=1))
            slope = (
                np.degrees(ahead - behind) * 3600.0 / np.where(distance > 0, distance, np.nan)[:, np.newaxis]
            )
            out[:, 0, axis], out[:, 1, axis] = (slope * east).sum(axis=1), (slope * north).sum(axis=1)
        return out


_local = threading.local()


def _wcsprm(cards: tuple[tuple[str, CardValue], ...]) -> Wcsprm:
    """The cards as wcslib's structure; every number arrives to its last digit."""
    from astropy.wcs import Wcsprm  # heavy: maps without celestial cards do without

    lines = [
        f"{key:<8}= '{value:<8}'" if isinstance(value, str) else f"{key:<8}= {value!r:>20}"
        for key, value in cards
    ]
    header = "".join(f"{line:<80}" for line in [*lines, "END"])
    return Wcsprm(header.encode("ascii", "replace"), relax=True)


def _cards_of(
    wcsprm: Wcsprm, ctype: list[str], system: System, kept: Mapping[str, CardValue]
) -> tuple[tuple[str, CardValue], ...]:
    """The normalised cards of a celestial pair: CDELT with PC, no CD, no CROTA, no old names."""
    crpix, crval, cdelt, pc = wcsprm.crpix, wcsprm.crval, wcsprm.get_cdelt(), wcsprm.get_pc()
    cards: dict[str, CardValue] = {"WCSAXES": 2}
    for i in (0, 1):
        cards[f"CTYPE{i + 1}"] = ctype[i]
        cards[f"CRVAL{i + 1}"] = float(crval[i])
        cards[f"CRPIX{i + 1}"] = float(crpix[i])
        cards[f"CDELT{i + 1}"] = float(cdelt[i])
        cards[f"CUNIT{i + 1}"] = "deg"
    if not np.array_equal(pc, np.eye(2)):
        cards |= {f"PC{i + 1}_{j + 1}": float(pc[i, j]) for i in (0, 1) for j in (0, 1)}
    cards |= {f"PV{i}_{m}": float(value) for i, m, value in wcsprm.get_pv()}
    cards |= {key: float(value) for key, value in kept.items()}
    if system.name in ("ICRS", "FK5", "FK4", "FK4-NO-E"):
        cards["RADESYS"] = system.name
    if system.equinox is not None:
        cards["EQUINOX"] = system.equinox
    return tuple(cards.items())


def _family(projection: str, wcsprm: Wcsprm) -> str:
    """The projection's usual name: a SIN with its plane tilted to the pole is the NCP of east-west arrays."""
    slant = {(i, m): float(value) for i, m, value in wcsprm.get_pv()}
    dec = math.radians(float(wcsprm.crval[wcsprm.lat]))
    tilt = slant.get((wcsprm.lat + 1, 2), 0.0)
    if projection in ("SIN", "NCP") and tilt != 0.0 and slant.get((wcsprm.lat + 1, 1), 0.0) == 0.0:
        return "NCP" if math.isclose(tilt, 1.0 / math.tan(dec), rel_tol=1e-6) else "SIN"
    return {"NCP": "SIN", "GLS": "SFL"}.get(projection, projection)


def _compass(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """Unit vectors (n, 3) towards east and north at directions in degrees."""
    a, b = np.radians(lon), np.radians(lat)
    east = np.stack([-np.sin(a), np.cos(a), np.zeros_like(a)], axis=-1)
    north = np.stack([-np.sin(b) * np.cos(a), -np.sin(b) * np.sin(a), np.cos(b)], axis=-1)
    return east, north


def _inverse(matrices: Floats) -> Floats:
    """Inverses of matrices (n, 2, 2); NaN stays NaN."""
    a, b, c, d = matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 1, 0], matrices[:, 1, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse: Floats = (
            np.array([[d, -b], [-c, a]]).transpose(2, 0, 1) / (a * d - b * c)[:, np.newaxis, np.newaxis]
        )
    return inverse


def _reason(error: Exception) -> str:
    """The last line of wcslib's complaint, without its place in the C sources."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
