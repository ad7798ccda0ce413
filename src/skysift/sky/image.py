"""`SkyImage`: one plane of a map, read when asked for, with all that gives its numbers a meaning."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skysift.base.errors import RegionError, UsageError
from skysift.base.provenance import InputRecord
from skysift.base.store import checksum, name_of
from skysift.sky.beam import Beam
from skysift.sky.beams import BeamMap
from skysift.sky.box import Box
from skysift.sky.frame import BeamPlane, Frame
from skysift.sky.smear import Smear
from skysift.sky.units import frequency_text, jansky_per_beam

if TYPE_CHECKING:
    from astropy.wcs import WCS

__all__ = ["ArraySource", "CutSource", "NegativeSource", "Origin", "PixelSource", "SkyImage"]

Floats: TypeAlias = NDArray[np.float64]

UNDERSAMPLED = 2.0  # pixels across the beam's minor axis below which a Gaussian is not sampled
_HASHED_ROWS = 256  # of an array, read at once for its checksum


@runtime_checkable
class PixelSource(Protocol):
    """Where pixels come from: a plane (y, x) read box by box, from any thread; it travels by pickle."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, (ny, nx)."""
        ...

    def read(self, box: Box) -> NDArray[np.float32]:
        """The pixels of a box inside the plane: float32, contiguous, blanks and infinities as NaN."""
        ...


@dataclass(frozen=True, eq=False)
class ArraySource:
    """The pixels of an array (y, x) in memory.

    Raises
    ------
    UsageError
        The array is not a plane, or holds no pixel.
    """

    data: NDArray[np.float32]

    def __post_init__(self) -> None:
        data = np.array(self.data, dtype=np.float32, order="C")
        if data.ndim != 2 or data.size == 0:
            raise UsageError("an image is a plane (y, x) of pixels", got=f"an array of shape {data.shape}")
        data[~np.isfinite(data)] = np.nan
        data.setflags(write=False)
        object.__setattr__(self, "data", data)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, (ny, nx)."""
        return self.data.shape[0], self.data.shape[1]

    def read(self, box: Box) -> NDArray[np.float32]:
        """The pixels of a box inside the plane, as a copy."""
        return self.data[box.slices()].copy()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArraySource) and np.array_equal(self.data, other.data, equal_nan=True)

    def __hash__(self) -> int:
        return hash(self.data.tobytes())


@dataclass(frozen=True)
class CutSource:
    """A window of another source."""

    source: PixelSource
    box: Box

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, (ny, nx)."""
        return self.box.shape

    def read(self, box: Box) -> NDArray[np.float32]:
        """The pixels of a box inside the window."""
        return self.source.read(box.shift(self.box.y0, self.box.x0))


@dataclass(frozen=True, eq=False)
class NegativeSource:
    """Another source with its sign turned."""

    source: PixelSource

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, (ny, nx)."""
        return self.source.shape

    def read(self, box: Box) -> NDArray[np.float32]:
        """The pixels of a box, negative."""
        return -self.source.read(box)


@dataclass(frozen=True)
class Origin:
    """Where an image was read from: file, HDU, and the plane along the other axes (0-based, array order)."""

    path: str
    hdu: int | str
    plane: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class SkyImage:
    """One plane of a map with its geometry, beam and unit; pixels stay where they are until they are read.

    Parameters
    ----------
    pixels
        Where the pixels come from.
    frame
        Where they lie on the sky.
    beam
        What a point source looks like; where `beams` says otherwise, the nominal beam.
    unit
        Unit of what `read` gives: Jy/beam.
    frequency
        Of the observation (Hz); NaN where not known.
    name
        A short name: the stem of the file.
    notes
        Whatever was odd when the image was opened, one plain line each.
    origin
        The file; None for an array.
    factor
        What the stored numbers are multiplied by to be in `unit`.
    beams
        The beam where it is not the same all over the map; None where it is.
    smear
        How points away from the phase centre are drawn out; None where they are not.
    per_beam
        Whether the stored numbers are for each beam: then those of a map whose beam varies are for the beam at
        the pixel, else (kelvin, Jy/pixel) for the nominal one.

    Raises
    ------
    UsageError
        Pixels and frame differ in shape, or the beam has no two axes.
    """

    pixels: PixelSource
    frame: Frame
    beam: Beam
    unit: str = "Jy/beam"
    frequency: float = math.nan
    name: str = "image"
    notes: tuple[str, ...] = ()
    origin: Origin | None = None
    factor: float = 1.0
    beams: BeamMap | None = None
    smear: Smear | None = None
    per_beam: bool = True

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SkyImage):
            return NotImplemented
        mine, theirs = ([getattr(each, part.name) for part in fields(each)] for each in (self, other))
        return all(a == b or (a != a and b != b) for a, b in zip(mine, theirs, strict=True))  # NaN is NaN

    def __hash__(self) -> int:
        return hash((self.name, self.frame, self.beam, self.factor))

    def __post_init__(self) -> None:
        if self.pixels.shape != self.frame.shape:
            raise UsageError(
                "pixels and frame differ in shape",
                got=(self.pixels.shape, self.frame.shape),
                allowed="the same (ny, nx)",
            )
        if not (self.beam.major > 0 and self.beam.minor > 0):
            raise UsageError(
                "an image needs a beam with two axes", got=self.beam, allowed="major and minor above 0 arcsec"
            )

    @classmethod
    def from_array(
        cls,
        data: ArrayLike,
        *,
        beam: Beam | float | tuple[float, float, float],
        pixel_scale: float | tuple[float, float] | None = None,
        wcs: WCS | None = None,
        frame: Frame | None = None,
        unit: str = "Jy/beam",
        frequency: float = math.nan,
        name: str = "array",
        beam_plane: BeamPlane | None = None,
    ) -> SkyImage:
        """The image of an array in memory.

        Parameters
        ----------
        data
            Pixels (y, x); infinities count as NaN.
        beam
            A `Beam`, (major, minor, pa) in arcsec and degrees, or one FWHM.
        pixel_scale
            Size of a pixel (arcsec), one number or (sy, sx), for an array without `wcs` or `frame`.
        wcs
            An astropy WCS with a celestial part.
        frame
            A `Frame` of the same shape, instead of `wcs`.
        unit
            Unit of the data: Jy/beam, or one that can be converted to it.
        frequency
            Of the observation (Hz); needed for brightness temperatures.
        name
            A short name.
        beam_plane
            ``image`` or ``sky``; by default as the projection suggests.

        Raises
        ------
        UsageError
            None or several of `pixel_scale`, `wcs` and `frame` are given, or they do not fit the data.
        """
        source = ArraySource(np.asarray(data))
        if sum(given is not None for given in (pixel_scale, wcs, frame)) != 1:
            raise UsageError("an array needs its geometry once", allowed="one of pixel_scale=, wcs=, frame=")
        if wcs is not None:
            frame = Frame.from_wcs(wcs, source.shape, beam_plane=beam_plane)
        elif pixel_scale is not None:
            scale = pixel_scale if isinstance(pixel_scale, tuple) else (pixel_scale, pixel_scale)
            frame = Frame.pixels_only(source.shape, scale)
        assert frame is not None  # one of the three was given
        if beam_plane is not None:
            frame = frame.with_beam_plane(beam_plane)
        beam = Beam.of(beam)
        conversion = jansky_per_beam(unit, beam=beam, pixel_area=frame.pixel_area, frequency=frequency)
        notes = (*conversion.notes, *sampling_notes(frame, beam))
        return cls(
            source,
            frame,
            beam,
            "Jy/beam",
            float(frequency),
            name,
            notes,
            None,
            conversion.factor,
            per_beam=conversion.per_beam,
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, (ny, nx)."""
        return self.frame.shape

    @property
    def box(self) -> Box:
        """The box of the whole image."""
        return Box.of(self.shape)

    @property
    def even(self) -> bool:
        """True where a point looks the same all over the map."""
        return self.beams is None and self.smear is None

    def beam_covariance(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """Covariance (n, 3) of the beam at each position: xx, xy, yy (pixel^2, sigma not FWHM); see `Frame`.

        Where `beams` does not tell, it is the nominal beam.

        Parameters
        ----------
        x, y
            Positions (n,) (pixel, 0-based).
        """
        nominal = self.frame.beam_covariance(self.beam, x, y)
        if self.beams is None:
            return nominal
        x, y = np.broadcast_arrays(np.atleast_1d(x), np.atleast_1d(y))
        own = self._to_pixels(self.beams.at(*self.frame.to_sky(x, y)), x, y)
        return np.where(np.isfinite(own).all(axis=1, keepdims=True), own, nominal)

    def point_covariance(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """Covariance (n, 3) of what a point looks like at each position: the beam, drawn out by `smear`.

        Parameters
        ----------
        x, y
            Positions (n,) (pixel, 0-based).
        """
        beam = self.beam_covariance(x, y)
        if self.smear is None:
            return beam
        x, y = np.broadcast_arrays(np.atleast_1d(x), np.atleast_1d(y))
        return beam + self._to_pixels(self.smear.covariance(*self.frame.to_sky(x, y)), x, y)

    def unit_covariance(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """Covariance (n, 3) of the beam that the unit Jy/beam means at each position.

        Parameters
        ----------
        x, y
            Positions (n,) (pixel, 0-based).
        """
        return self.beam_covariance(x, y) if self.per_beam else self.frame.beam_covariance(self.beam, x, y)

    def beam_known(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.bool_]:
        """Where (n,) the beam is known: everywhere, but for places of which `beams` tells nothing."""
        x, y = np.broadcast_arrays(np.atleast_1d(x), np.atleast_1d(y))
        if self.beams is None:
            return np.ones(x.shape, np.bool_)
        return np.asarray(np.isfinite(self.beams.at(*self.frame.to_sky(x, y))).all(axis=1))

    def _to_pixels(self, covariance: Floats, x: ArrayLike, y: ArrayLike) -> Floats:
        """Covariances (n, 3) on the sky (ee, en, nn; arcsec^2, ICRS axes) as those in pixels."""
        tangent = self.frame.tangent(x, y)
        a, b, c, d = tangent[:, 0, 0], tangent[:, 0, 1], tangent[:, 1, 0], tangent[:, 1, 1]
        ee, en, nn = covariance.T
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = 1.0 / (a * d - b * c) ** 2
        return np.stack(
            [
                (d * d * ee - 2.0 * b * d * en + b * b * nn) * scale,
                (-c * d * ee + (a * d + b * c) * en - a * b * nn) * scale,
                (c * c * ee - 2.0 * a * c * en + a * a * nn) * scale,
            ],
            axis=1,
        )

    def read(self, box: Box | None = None) -> NDArray[np.float32]:
        """The pixels of a box (y, x), float32, Jy/beam, blanks and infinities as NaN; all without a box.

        Parameters
        ----------
        box
            The window to read; what lies outside the image is cut off.
        """
        box = self.box if box is None else box.intersect(self.box)
        if box.empty:
            return np.empty(box.shape, dtype=np.float32)
        data = self.pixels.read(box)
        if self.factor != 1.0:
            with np.errstate(over="ignore"):
                data *= np.float32(self.factor)
            data[np.isinf(data)] = np.nan
        return data

    def upside_down(self) -> SkyImage:
        """The image with its sign turned: what is found in it is false, or absorbs."""
        return replace(self, pixels=NegativeSource(self.pixels))

    def cut(self, box: Box) -> SkyImage:
        """The image of a window; its geometry, beam, unit and story travel with it.

        Raises
        ------
        RegionError
            The window does not meet the image.
        """
        inside = box.intersect(self.box)
        if inside.empty:
            raise RegionError(
                "the region does not meet the map",
                got=box,
                allowed=f"x 0 to {self.shape[1]}, y 0 to {self.shape[0]}",
            )
        if isinstance(self.pixels, CutSource):
            pixels = CutSource(self.pixels.source, inside.shift(self.pixels.box.y0, self.pixels.box.x0))
        else:
            pixels = CutSource(self.pixels, inside)
        return replace(self, pixels=pixels, frame=self.frame.crop(inside))

    def input_record(self) -> InputRecord:
        """What the image was made from, with the sha256 of the file, or of the array's bytes.

        Raises
        ------
        FormatError
            The file has gone or cannot be read any more.
        """
        if self.origin is None:
            running, (ny, nx) = hashlib.sha256(), self.pixels.shape
            for y in range(0, ny, _HASHED_ROWS):
                band = self.pixels.read(Box(y, min(y + _HASHED_ROWS, ny), 0, nx))
                running.update(np.ascontiguousarray(band, dtype="<f4").data)
            return InputRecord(self.name, "sha256:" + running.hexdigest(), None, (), 4 * ny * nx)
        digest, size = checksum(self.origin.path)
        return InputRecord(name_of(self.origin.path), digest, self.origin.hdu, self.origin.plane, size)

    def __repr__(self) -> str:
        place = f", {frequency_text(self.frequency)}" if math.isfinite(self.frequency) else ""
        return (
            f"<SkyImage {self.name}: {self.shape[0]} x {self.shape[1]} (y, x) px, {self.frame.projection} "
            f"{self.frame.name}, beam {self.beam}, {self.unit}{place}, {len(self.notes)} notes>"
        )


def sampling_notes(frame: Frame, beam: Beam) -> tuple[str, ...]:
    """A note where the beam is too narrow for the pixels."""
    _, minor = frame.beam_pixels(beam)
    if minor >= UNDERSAMPLED * (1.0 - 1e-6):
        return ()
    note = (
        f"the beam is undersampled: its minor axis is {minor:.2f} px (at least {UNDERSAMPLED:g} are needed); "
        "sizes and errors of faint sources are not to be trusted"
    )
    return (note,)
