"""`cut`: a part of a map or cube as a FITS file of its own, whose pixels and place on the sky are those of the whole."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import HeaderError, RegionError
from skysift.base.store import name_of, place_of
from skysift.io.cards import Hdu, read_hdus
from skysift.io.headers import Plane, choose_plane, map_frame
from skysift.io.open import check_length, chosen_hdu, file_of, plane_source
from skysift.io.output import whole_file
from skysift.sky.box import Box
from skysift.sky.frame import Frame
from skysift.stamps.axes import Run, channel_run, spectral_axis, stokes_axis, stokes_run
from skysift.stamps.beam_table import beam_table
from skysift.stamps.header import padded, part_cards, shape_of
from skysift.stamps.region import Shape, parse_shape, system_of
from skysift.stamps.window import Overlap, Window, read_box, turn_of, window_of

__all__ = ["Cut", "FilePlanes", "Planes", "cut"]


class Planes(Protocol):
    """Where the pixels of a part come from: its planes (y, x), one after the other in the order of the file."""

    def __iter__(self) -> Iterator[NDArray[np.float32]]: ...


@dataclass(frozen=True)
class FilePlanes:
    """Windows of the planes of an HDU.

    Parameters
    ----------
    path, hdu, plane
        The file, its HDU and which of its axes are the sky.
    box
        The window; it may reach outside the map.
    runs
        Planes along each other axis, in array order.
    turn
        Columns of a whole turn of a map all around the sky, else 0.
    """

    path: str
    hdu: Hdu
    plane: Plane
    box: Box
    runs: tuple[Run, ...]
    turn: int = 0

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for index in itertools.product(*(run.indices for run in self.runs)):
            where = choose_plane(self.hdu, index) if index else self.plane
            yield read_box(plane_source(self.hdu, where, self.path), self.box, self.turn)


@dataclass(frozen=True, eq=False)
class Cut:
    """A part of one map or of several: told at once, its pixels read when asked for, plane by plane.

    Make it with `cut` or `skysift.stamps.merge.merge`.

    Parameters
    ----------
    name
        Of the map.
    shape
        Lengths of the axes in array order: (..., y, x); the axes of the map, none dropped.
    frame
        Geometry of the part.
    box
        Its window in the map.
    overlap
        How much of the region the map holds: ``full``, ``partial`` or ``none``.
    cards
        Its header, cards of 80 characters without END.
    pixels
        Its planes.
    tables
        The table of beams that goes with it, as the bytes of HDUs.
    told
        What was asked for, in words.
    notes
        What is worth telling.
    """

    name: str
    shape: tuple[int, ...]
    frame: Frame
    box: Box
    overlap: Overlap
    cards: tuple[str, ...] = ()
    pixels: Planes = ()
    tables: bytes = b""
    told: str = ""
    notes: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """True where nothing of the map was asked for."""
        return self.overlap == "none"

    @property
    def size(self) -> int:
        """Bytes of the file that `write` makes."""
        if self.empty:
            return 0
        return len(self._header()) + padded(4 * math.prod(self.shape)) + len(self.tables)

    @cached_property
    def data(self) -> NDArray[np.float32]:
        """The pixels, in the unit of the map: float32, blanks as NaN."""
        if self.empty:
            return np.empty(self.shape, np.float32)
        return np.stack(list(self.pixels)).reshape(self.shape)

    @property
    def blanks(self) -> int:
        """How many pixels are blank."""
        return int(np.isnan(self.data).sum())

    @property
    def header(self) -> Any:
        """The header as an `astropy.io.fits.Header`."""
        from astropy.io.fits import Header  # heavy: for those who want it

        return Header.fromstring("".join(self.cards))

    def blocks(self) -> Iterator[bytes]:
        """The file, piece by piece, so that it can be sent while it is read; `size` bytes in all.

        Raises
        ------
        RegionError
            Nothing of the map was asked for.
        """
        if self.empty:
            raise RegionError(
                "the region does not meet the map", got=self.told, todo="ask for another region"
            )
        yield self._header()
        planes = (self.data,) if "data" in self.__dict__ else self.pixels
        for each in planes:
            yield np.ascontiguousarray(each, ">f4").tobytes()
        n = 4 * math.prod(self.shape)
        yield b"\0" * (padded(n) - n) + self.tables

    def write(self, path: str | os.PathLike[str], *, overwrite: bool = True) -> Path:
        """Write the part as a FITS file; the path.

        Raises
        ------
        RegionError
            Nothing of the map was asked for.
        OutputError
            The file exists and `overwrite` is false, or it cannot be written there.
        StorageError
            The disk is full.
        """
        blocks = self.blocks()
        first = next(blocks)
        with whole_file(Path(path), overwrite=overwrite) as part, part.open("wb") as file:
            file.write(first)
            file.writelines(blocks)
        return Path(path)

    def _header(self) -> bytes:
        text = "".join((*self.cards, "END".ljust(80)))
        return text.encode("ascii", "replace").ljust(padded(len(text)))

    def __repr__(self) -> str:
        return f"<Cut of {self.name}: {self.told or 'all'}, {self.overlap}, {self.shape}>"


def cut(
    path: str | os.PathLike[str],
    region: Shape | Box | str | None = None,
    *,
    hdu: int | str | None = None,
    band: tuple[float, float] | None = None,
    velocity: tuple[float, float] | None = None,
    channels: tuple[int, int] | None = None,
    pol: Sequence[str] | None = None,
    system: str = "ICRS",
    pad: bool = False,
) -> Cut:
    """The part of a map or cube that lies in a region and a band; pixels are read when they are asked for.

    The part is the box of all pixels that the region touches. It keeps all axes and cards of the map; its
    coordinates, beam and unit are those of the whole. Where nothing overlaps, the answer is an empty `Cut`.

    Parameters
    ----------
    path
        A FITS file or URL; ``map.fits[SCI]`` names an HDU.
    region
        A circle, polygon or range on the sky, as a value or as text (see `skysift.stamps.region.parse_shape`), a box of
        pixels, or None for all.
    hdu
        Number or name of the HDU; the first image with data by default.
    band
        Wavelengths (m) of the channels; either end may be 0 or infinite.
    velocity
        Velocities (m/s), in the convention of the cube.
    channels
        First and last channel, 0-based, both included.
    pol
        Names of polarisations: I, Q, U, V, XX ...
    system
        Of the region: ICRS, GALACTIC or FK5.
    pad
        Whether what lies outside of the map is there as NaN.

    Raises
    ------
    UsageError
        There is no such file, HDU, system, channel or polarisation.
    FormatError
        The file is not FITS, is truncated, or holds no image.
    HeaderError
        The map has no place on the sky, its sky axes are not stored first, or its channels cannot be told.
    """
    name = file_of(path)
    image = chosen_hdu(path, hdu)
    check_length(image, name)
    plane = replace(choose_plane(image, None), notes=())
    frame = map_frame(image.header, plane, pixel_scale=1.0)[0]
    shape = parse_shape(region) if isinstance(region, str) else region
    window = _window(frame, shape, system, name)
    box = _padded_box(frame, window) if pad and window.overlap != "none" else window.box
    runs = _runs(image, plane, band, velocity, channels, pol)
    told = " ".join(filter(None, (_told_region(shape, system), _told_runs(image, plane, runs))))
    if window.overlap == "none" or not all(len(run) for run in runs):
        none = Box(0, 0, 0, 0)
        return Cut(name_of(name), (0, 0), frame.crop(none), none, "none", told=told)
    hdus = read_hdus(name)
    tables = beam_table(name, hdus, image, plane, runs)
    return Cut(
        name_of(name),
        shape_of(image, plane, box, runs),
        frame.crop(box),
        box,
        window.overlap,
        part_cards(place_of(name), hdus, image, plane, frame, box, runs, told, tables=bool(tables)),
        FilePlanes(place_of(name), image, plane, box, runs, turn_of(frame)),
        tables,
        told,
    )


def _window(frame: Frame, shape: Shape | Box | None, system: str, name: str) -> Window:
    whole = Box.of(frame.shape)
    if shape is None:
        return Window(whole, whole, "full")
    if isinstance(shape, Box):
        inside = shape.intersect(whole)
        return Window(shape, inside, "none" if inside.empty else "full" if whole.holds(shape) else "partial")
    if not frame.celestial:
        raise HeaderError(
            "the map has no place on the sky to cut a region from",
            got=name,
            todo="ask for a box of pixels (PIXEL)",
        )
    return window_of(frame, shape, system_of(system))


def _padded_box(frame: Frame, window: Window) -> Box:
    """The box that was asked for, where it is no larger than a few maps."""
    asked, (ny, nx) = window.asked, frame.shape
    if asked.size > 16 * ny * nx:
        raise RegionError(
            "the region is far larger than the map, so that most of it would be blank",
            got=f"{asked.shape[0]} x {asked.shape[1]} px",
            allowed=f"16 times {ny} x {nx} px",
        )
    return asked


def _runs(
    hdu: Hdu,
    plane: Plane,
    band: tuple[float, float] | None,
    velocity: tuple[float, float] | None,
    channels: tuple[int, int] | None,
    pol: Sequence[str] | None,
) -> tuple[Run, ...]:
    """Planes along each axis beyond the sky."""
    header, lengths = hdu.header, hdu.axes
    runs = {axis: Run(0, lengths[axis - 1]) for axis in plane.axes}
    spectral, stokes = spectral_axis(header, plane.axes), stokes_axis(header, plane.axes)
    n = 1 if spectral is None else lengths[spectral - 1]
    chosen = channel_run(header, plane, spectral, n, band=band, velocity=velocity, channels=channels)
    planes = stokes_run(header, stokes, 1 if stokes is None else lengths[stokes - 1], pol)
    runs |= {axis: run for axis, run in ((spectral, chosen), (stokes, planes)) if axis is not None}
    if not (len(chosen) and len(planes)):
        return tuple(replace(run, stop=run.start) for run in runs.values()) or (Run(0, 0),)
    return tuple(runs.values())


def _told_region(shape: Shape | Box | None, system: str) -> str:
    if shape is None:
        return ""
    return "a box of pixels" if isinstance(shape, Box) else f"{shape} {system.upper()}"


def _told_runs(hdu: Hdu, plane: Plane, runs: tuple[Run, ...]) -> str:
    parts = []
    for axis, run in zip(plane.axes, runs, strict=False):
        if run != Run(0, hdu.axes[axis - 1]):
            name = hdu.header.text(f"CTYPE{axis}") or f"axis {axis}"
            step = f" step {run.step}" if run.step != 1 else ""
            parts.append(
                f"{name} planes {run.start} to {run.stop - 1}{step}" if len(run) else f"{name} no plane"
            )
    return ", ".join(parts)
