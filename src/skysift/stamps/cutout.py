"""`cut`: a part of a map or cube as a FITS file of its own, whose pixels and place on the sky are those of the whole."""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import HeaderError, RegionError, SkysiftError
from skysift.base.store import name_of, place_of, reading
from skysift.io.beams import map_beam
from skysift.io.cards import Hdu, read_hdus
from skysift.io.headers import Plane, choose_plane, map_frame
from skysift.io.open import check_length, chosen_hdu, file_of, plane_source
from skysift.io.output import whole_file
from skysift.sky.box import Box
from skysift.sky.frame import Frame
from skysift.stamps.axes import Run, channel_run, spectral_axis, stokes_axis, stokes_run
from skysift.stamps.beam_table import beam_table
from skysift.stamps.region import Shape, parse_shape, system_of
from skysift.stamps.window import Overlap, Window, read_box, turn_of, window_of

__all__ = ["Cut", "cut"]

_BLOCK = 2880
_STRUCTURE = re.compile(
    r"(SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|BSCALE|BZERO|BLANK|CHECKSUM|DATASUM|DATAMIN|DATAMAX"
    r"|TFIELDS|THEAP|T(TYPE|FORM|UNIT|NULL|SCAL|ZERO|DISP|DIM)\d+"
    r"|Z(IMAGE|TILE\d+|CMPTYPE|NAME\d+|VAL\d+|BITPIX|NAXIS\d*|SIMPLE|TENSION|EXTEND|PCOUNT|GCOUNT|HECKSUM|DATASUM|QUANTIZ|DITHER0"
    r"|BLANK|SCALE|ZERO)|END)$"
)
_UNITS = {"FREQ": "Hz", "VRAD": "m/s", "VELO": "m/s", "VOPT": "m/s", "FELO": "m/s", "WAVE": "m", "AWAV": "m"}


@dataclass(frozen=True, eq=False)
class Cut:
    """A part of a map: told at once, its pixels read when asked for, plane by plane.

    Make it with `cut`.

    Parameters
    ----------
    path
        The map.
    hdu
        Its HDU.
    plane
        Which of its axes are the sky.
    frame
        Geometry of the part.
    box
        Its window in the map.
    runs
        Planes along each other axis, in array order.
    overlap
        How much of the region the map holds: ``full``, ``partial`` or ``none``.
    cards
        Its header, cards of 80 characters without END.
    tables
        The table of beams that goes with it, as the bytes of HDUs.
    told
        What was asked for, in words.
    """

    path: str
    hdu: Hdu
    plane: Plane
    frame: Frame
    box: Box
    runs: tuple[Run, ...]
    overlap: Overlap
    cards: tuple[str, ...] = ()
    tables: bytes = b""
    told: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes in array order: (..., y, x); the axes of the map, none dropped."""
        lengths = list(self.hdu.axes)
        for axis, run in zip(self.plane.axes, self.runs, strict=True):
            lengths[axis - 1] = len(run)
        lengths[self.plane.y_axis - 1], lengths[self.plane.x_axis - 1] = self.box.shape
        return tuple(reversed(lengths))

    @property
    def empty(self) -> bool:
        """True where nothing of the map was asked for."""
        return self.overlap == "none"

    @property
    def size(self) -> int:
        """Bytes of the file that `write` makes."""
        if self.empty:
            return 0
        return len(self._header()) + _padded(4 * math.prod(self.shape)) + len(self.tables)

    @cached_property
    def data(self) -> NDArray[np.float32]:
        """The pixels, in the unit of the map: float32, blanks as NaN."""
        if self.empty:
            return np.empty((*self.shape[:-2], 0, 0), np.float32)
        return np.stack(list(self.planes())).reshape(self.shape)

    @property
    def blanks(self) -> int:
        """How many pixels are blank."""
        return int(np.isnan(self.data).sum())

    @property
    def header(self) -> Any:
        """The header as an `astropy.io.fits.Header`."""
        from astropy.io.fits import Header  # heavy: for those who want it

        return Header.fromstring("".join(self.cards))

    def planes(self) -> Iterator[NDArray[np.float32]]:
        """The planes (y, x), one after the other in the order of the file."""
        turn = turn_of(_whole_frame(self.hdu, self.plane))
        for index in itertools.product(*(run.indices for run in self.runs)):
            where = choose_plane(self.hdu, index) if index else self.plane
            yield read_box(plane_source(self.hdu, where, self.path), self.box, turn)

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
        for each in self.planes():
            yield np.ascontiguousarray(each, ">f4").tobytes()
        n = 4 * math.prod(self.shape)
        yield b"\0" * (_padded(n) - n) + self.tables

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
        return text.encode("ascii", "replace").ljust(_padded(len(text)))

    def __repr__(self) -> str:
        return f"<Cut of {name_of(self.path)}: {self.told or 'all'}, {self.overlap}, {self.shape}>"


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
    frame = _whole_frame(image, plane)
    shape = parse_shape(region) if isinstance(region, str) else region
    window = _window(frame, shape, system, name)
    box = _padded_box(frame, window) if pad and window.overlap != "none" else window.box
    runs = _runs(image, plane, band, velocity, channels, pol)
    told = " ".join(filter(None, (_told_region(shape, system), _told_runs(image, plane, runs))))
    overlap: Overlap = window.overlap if all(len(run) for run in runs) else "none"
    empty = Cut(
        place_of(name), image, plane, frame.crop(Box(0, 0, 0, 0)), Box(0, 0, 0, 0), runs, "none", told=told
    )
    if overlap == "none":
        return empty
    hdus = read_hdus(name)
    made = replace(empty, frame=frame.crop(box), box=box, overlap=overlap)
    tables = beam_table(name, hdus, image, plane, runs)
    return replace(made, cards=_cards(made, hdus, bool(tables)), tables=tables)


def _window(frame: Frame, shape: Shape | Box | None, system: str, name: str) -> Window:
    whole = Box.of(frame.shape)
    if shape is None:
        return Window(whole, whole, "full")
    if isinstance(shape, Box):
        inside = shape.intersect(whole)
        return Window(shape, inside, "none" if inside.empty else "full" if whole.holds(shape) else "partial")
    if not frame.celestial:
        raise HeaderError(
            "the map has no place on the sky to cut a region from", got=name, todo="ask for a box of pixels"
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


def _whole_frame(hdu: Hdu, plane: Plane) -> Frame:
    return map_frame(hdu.header, plane, pixel_scale=1.0)[0]


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


def _cards(made: Cut, hdus: Sequence[Hdu], tables: bool) -> tuple[str, ...]:
    """The header: that of the map, with the axes, reference pixels and steps of the part."""
    lengths = tuple(reversed(made.shape))
    structure = [("SIMPLE", True), ("BITPIX", -32), ("NAXIS", len(lengths))]
    structure += [(f"NAXIS{i + 1}", n) for i, n in enumerate(lengths)]
    structure += [("EXTEND", True)] if tables else []
    cards = [_card(key, value) for key, value in structure]
    changed = _changed(made)
    unread, seen = set(made.hdu.header.unread), set()
    skip = False
    for line in _raw_cards(made.path, hdus, made.hdu.index):
        key = line[:8].strip().upper()
        if key == "CONTINUE":
            if not skip:
                cards.append(line)
            continue
        skip = bool(_STRUCTURE.match(key)) or line.rstrip() in unread
        if key not in ("", "COMMENT", "HISTORY", "HIERARCH"):
            skip = skip or key in seen
            seen.add(key)
        if skip:
            continue
        comment = line.partition(" / ")[2].rstrip() if key in changed else ""
        cards.append(_card(key, changed.pop(key), comment) if key in changed else line)
    cards += [_card(key, value) for key, value in changed.items()]
    cards += [_card(key, value, comment) for key, value, comment in _mended(made, hdus)]
    history = f"skysift: cut from {name_of(made.path)}, {made.told or 'all of it'}: "
    box = made.box
    history += f"columns {box.x0} to {box.x1 - 1}, rows {box.y0} to {box.y1 - 1} (0-based)"
    return (*cards, *(f"HISTORY {part}".ljust(80) for part in _pieces(history, 70)))


def _changed(made: Cut) -> dict[str, float]:
    """Cards whose value is another one in the part: reference pixels, and steps where planes are left out."""
    header = made.hdu.header
    shifts = {made.plane.x_axis: (made.box.x0, 1), made.plane.y_axis: (made.box.y0, 1)}
    shifts |= {axis: (run.start, run.step) for axis, run in zip(made.plane.axes, made.runs, strict=True)}
    changed: dict[str, float] = {}
    for axis, (start, step) in shifts.items():
        if (start, step) == (0, 1):
            continue
        for version in ("", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"):
            key, pixel = f"CRPIX{axis}{version}", header.number(f"CRPIX{axis}{version}")
            if pixel is None and (version or f"CRVAL{axis}" not in header.values):
                continue
            changed[key] = ((1.0 if pixel is None else pixel) - 1.0 - start) / step + 1.0
            width = header.number(f"CDELT{axis}{version}")
            if step != 1 and width is not None:
                changed[f"CDELT{axis}{version}"] = width * step
        shift = header.number(f"LTV{axis}")
        if shift is not None:
            changed[f"LTV{axis}"] = shift - start
    return changed | _moved_reference(made)


def _moved_reference(made: Cut) -> dict[str, float]:
    """Another reference point for a part that goes over the seam: readers refuse pixels beyond half a turn from it."""
    whole = _whole_frame(made.hdu, made.plane)
    if made.box.x0 >= 0 and made.box.x1 <= whole.shape[1]:
        return {}
    if not turn_of(whole):
        return {}
    known, axis = dict(whole.cards), made.plane.x_axis
    middle = (made.box.x0 + made.box.x1) // 2
    away = (middle + 1.0 - float(known["CRPIX1"])) * float(whole.jacobian[0, 0]) / 3600.0
    lon = (float(known["CRVAL1"]) + away) % 360.0
    return {f"CRVAL{axis}": lon, f"CRPIX{axis}": middle + 1.0 - made.box.x0}


def _mended(made: Cut, hdus: Sequence[Hdu]) -> list[tuple[str, str | float, str]]:
    """Cards that the map should have: a beam that only its history tells, the unit of its spectral axis."""
    header = made.hdu.header
    cards: list[tuple[str, str | float, str]] = []
    if "BMAJ" not in header.values and not made.tables:
        try:
            beam, _ = map_beam(hdus, made.hdu, made.plane, made.frame, made.path)
        except SkysiftError:  # the map tells no beam: neither does the part
            pass
        else:
            told = (("BMAJ", beam.major / 3600.0), ("BMIN", beam.minor / 3600.0), ("BPA", beam.pa))
            cards += [(key, value, "[deg] beam") for key, value in told]
    axis = spectral_axis(header, made.plane.axes)
    if axis is not None and not header.text(f"CUNIT{axis}"):
        unit = _UNITS.get(header.text(f"CTYPE{axis}").upper()[:4])
        cards += [(f"CUNIT{axis}", unit, "unit of the spectral axis")] if unit else []
    return cards


def _raw_cards(path: str, hdus: Sequence[Hdu], index: int) -> Iterator[str]:
    """The cards of one HDU as they are on disk, without END."""
    before = hdus[index - 1] if index else None
    begin = before.start + _padded(before.size) if before else 0
    with reading(path) as file:
        block = file.read(hdus[index].start - begin, begin)
    for i in range(0, len(block), 80):
        line = block[i : i + 80].decode("ascii", "replace")
        if line.rstrip() == "END":
            return
        yield "".join(each if " " <= each <= "~" else " " for each in line)


def _card(key: str, value: str | float | int | bool, comment: str = "") -> str:
    """One card of 80 characters; a float keeps its last digit."""
    if isinstance(value, bool):
        text = f"{'T' if value else 'F':>20}"
    elif isinstance(value, str):
        text = f"'{value:<8}'"
    else:
        text = f"{repr(value).upper():>20}"
    line = f"{key:<8}= {text}"
    return (f"{line} / {comment}" if comment else line)[:80].ljust(80)


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


def _pieces(text: str, width: int) -> Iterator[str]:
    plain = text.encode("ascii", "backslashreplace").decode()
    for start in range(0, len(plain), width):
        yield plain[start : start + width]


def _padded(n: int) -> int:
    return -(-n // _BLOCK) * _BLOCK
