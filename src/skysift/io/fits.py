"""FITS images: planes read box by box, fpack'd ones too, and maps written band by band."""

from __future__ import annotations

import contextlib
import math
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import FormatError, OutputError, StorageError, UsageError
from skysift.base.provenance import Provenance
from skysift.base.store import is_url, local_copy, read_ranges
from skysift.io.output import FULL
from skysift.sky.beam import Beam
from skysift.sky.box import Box
from skysift.sky.frame import Frame

__all__ = ["CompressedSource", "FitsSource", "write_image"]

_DTYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_BAND_ROWS = 64  # rows unpacked at once from an fpack'd map, at least
_SPARSE = 4  # a box behind a URL wider than this part of its map is read with what lies beside it
_SMALL = 2**20  # bytes that are always asked for at once
_KEPT_BYTES = 64 * 2**20  # unpacked bands kept ready per fpack'd map


@dataclass(frozen=True)
class FitsSource:
    """A plane of an uncompressed FITS image, read by plain `pread`: any thread, no open file, no memory map.

    Behind a URL, the bytes of a box are asked for: all at once where it is about as wide as the map, else by rows.

    Parameters
    ----------
    path
        The file, or its URL.
    shape
        Rows and columns, (ny, nx).
    start
        First byte of the plane.
    bitpix
        BITPIX of the stored numbers.
    bscale, bzero, blank
        Stored numbers times `bscale` plus `bzero` are the map's; the stored number `blank` (integers only)
        is no data.

    Raises
    ------
    FormatError
        FITS has no such BITPIX.
    """

    path: str
    shape: tuple[int, int]
    start: int
    bitpix: int
    bscale: float = 1.0
    bzero: float = 0.0
    blank: int | None = None

    def __post_init__(self) -> None:
        if self.bitpix not in _DTYPES:
            raise FormatError("the image has an impossible BITPIX", got=self.bitpix, allowed=sorted(_DTYPES))

    def read(self, box: Box) -> NDArray[np.float32]:
        """The pixels of a box inside the plane: float32, contiguous, blanks and infinities as NaN.

        Raises
        ------
        FormatError
            The file ends before the box does.
        StorageError
            The disk does not give the bytes.
        TransientError
            The server does not answer.
        """
        if is_url(self.path):
            return _as_float32(self._fetched(box), self.bscale, self.bzero, self.blank)
        raw = np.empty(box.shape, dtype=_DTYPES[self.bitpix])
        try:
            fd = os.open(self.path, os.O_RDONLY)
            try:
                self._fill(raw, box, fd)
            finally:
                os.close(fd)
        except OSError as error:
            raise StorageError(
                "the map cannot be read", got=self.path, todo=error.strerror or str(error)
            ) from error
        return _as_float32(raw, self.bscale, self.bzero, self.blank)

    def _fetched(self, box: Box) -> NDArray[Any]:
        """The stored numbers of a box behind a URL."""
        dtype = np.dtype(_DTYPES[self.bitpix])
        (ny, nx), width = box.shape, self.shape[1]
        first = self.start + (box.y0 * width + box.x0) * dtype.itemsize
        span = ((ny - 1) * width + nx) * dtype.itemsize  # from the first pixel to the last
        if nx * _SPARSE >= width or span <= _SMALL:
            (data,) = read_ranges(self.path, [(first, first + span)])
            flat = np.zeros(ny * width, dtype)
            flat[: span // dtype.itemsize] = np.frombuffer(data, dtype)
            return flat.reshape(ny, width)[:, :nx]
        starts = [first + row * width * dtype.itemsize for row in range(ny)]
        rows = read_ranges(self.path, [(start, start + nx * dtype.itemsize) for start in starts])
        return np.frombuffer(b"".join(rows), dtype).reshape(ny, nx)

    def _fill(self, raw: NDArray[Any], box: Box, fd: int) -> None:
        """Read rows into an array; a box as wide as the map in one go."""
        width, bytes_per_value = self.shape[1], raw.dtype.itemsize
        first = self.start + (box.y0 * width + box.x0) * bytes_per_value
        if box.shape[1] == width or box.shape[0] == 1:
            self._fill_run(raw.data.cast("B"), first, fd)
            return
        rows, size = raw.data.cast("B"), box.shape[1] * bytes_per_value
        for i in range(box.shape[0]):
            self._fill_run(rows[i * size : (i + 1) * size], first + i * width * bytes_per_value, fd)

    def _fill_run(self, view: memoryview, offset: int, fd: int) -> None:
        while view:
            n = os.preadv(fd, [view], offset)
            if n == 0:
                raise FormatError(
                    "the map ends too early", got=self.path, todo="the file is truncated or has just changed"
                )
            view, offset = view[n:], offset + n


def _as_float32(raw: NDArray[Any], bscale: float, bzero: float, blank: int | None) -> NDArray[np.float32]:
    """Stored numbers as the map's: scaled in float64, native float32, NaN for blanks and infinities."""
    plain = bscale == 1.0 and bzero == 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        if plain and raw.dtype == ">f4":
            data = raw.astype(np.float32)
        elif plain:
            data = raw.astype(np.float64).astype(np.float32)
        else:
            data = (raw.astype(np.float64) * bscale + bzero).astype(np.float32)
    if blank is not None and raw.dtype.kind in "iu":
        data[raw == blank] = np.nan
    if raw.dtype.kind == "f" or not plain:
        data[np.isinf(data)] = np.nan
    return data


@dataclass(frozen=True)
class CompressedSource:
    """A plane of an fpack'd FITS image, unpacked in bands by astropy under a lock; the last bands are kept.

    What lies behind a URL is fetched once, as a whole, into the cache of the machine that reads it.

    Parameters
    ----------
    path
        The file, or its URL.
    hdu
        Number of the HDU.
    shape
        Rows and columns, (ny, nx).
    plane
        Which plane: one number for each axis of the array before the last two.
    tile_rows
        Rows of one compressed tile.
    """

    path: str
    hdu: int
    shape: tuple[int, int]
    plane: tuple[int, ...] = ()
    tile_rows: int = 1

    def read(self, box: Box) -> NDArray[np.float32]:
        """The pixels of a box inside the plane: float32, contiguous, blanks and infinities as NaN.

        Raises
        ------
        FormatError
            The file cannot be unpacked.
        """
        out = np.empty(box.shape, dtype=np.float32)
        height = self._band_height()
        with self._unpacker() as bands:
            for number in range(box.y0 // height, -(-box.y1 // height)):
                band = bands.get(number, height)
                y0, y1 = max(box.y0, number * height), min(box.y1, (number + 1) * height)
                out[y0 - box.y0 : y1 - box.y0] = band[
                    y0 - number * height : y1 - number * height, box.x0 : box.x1
                ]
        return out

    def _band_height(self) -> int:
        return self.tile_rows * max(1, -(-_BAND_ROWS // self.tile_rows))

    def _unpacker(self) -> _Bands:
        with _making:
            bands: _Bands | None = self.__dict__.get("_bands")
            if bands is None:
                bands = _Bands(self.path, self.hdu, self.plane, self.shape)
                self.__dict__["_bands"] = bands  # beside the fields: never compared, never pickled
        return bands

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_bands"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


_making = threading.Lock()


class _Bands:
    """The open file of one compressed plane and its last bands; entered by one thread at a time."""

    def __init__(self, path: str, hdu: int, plane: tuple[int, ...], shape: tuple[int, int]) -> None:
        self._path, self._hdu, self._plane, self._shape = path, hdu, plane, shape
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, NDArray[np.float32]] = OrderedDict()
        self._hdus: Any = None

    def __enter__(self) -> _Bands:
        self._lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def get(self, number: int, height: int) -> NDArray[np.float32]:
        """The rows of one band, whole width."""
        band = self._kept.get(number)
        if band is None:
            band = self._unpack(slice(number * height, min((number + 1) * height, self._shape[0])))
            self._kept[number] = band
            while len(self._kept) > 1 and sum(kept.nbytes for kept in self._kept.values()) > _KEPT_BYTES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(number)
        return band

    def _unpack(self, rows: slice) -> NDArray[np.float32]:
        local = local_copy(self._path) if self._hdus is None else self._path
        try:
            if self._hdus is None:
                from astropy.io import fits  # heavy: only fpack'd maps need it

                self._hdus = fits.open(local, mode="readonly")
                weakref.finalize(self, self._hdus.close)
            raw = np.asarray(self._hdus[self._hdu].section[(*self._plane, rows, slice(None))])
        except Exception as error:
            raise FormatError(
                "the compressed map cannot be unpacked",
                got=self._path,
                todo=f"{type(error).__name__}: {error}",
            ) from error
        with np.errstate(over="ignore", invalid="ignore"):
            data = np.ascontiguousarray(raw.reshape(-1, self._shape[1]), dtype=np.float32)
        data[np.isinf(data)] = np.nan
        return data


def write_image(
    path: str | os.PathLike[str],
    shape: tuple[int, int],
    bands: Iterable[NDArray[Any]],
    *,
    dtype: Literal["float32", "int32"] = "float32",
    frame: Frame | None = None,
    beam: Beam | None = None,
    unit: str = "",
    frequency: float = math.nan,
    title: str = "",
    provenance: Provenance | None = None,
    cards: Sequence[tuple[str, str | float | int | bool, str]] = (),
) -> None:
    """Write a FITS image from bands of rows; only one band is in memory at a time.

    Parameters
    ----------
    path
        The file to write; one that exists is replaced.
    shape
        Rows and columns, (ny, nx).
    bands
        Arrays (rows, nx) from the first row (y = 0) to the last.
    dtype
        Type of the stored pixels.
    frame
        Geometry, written as celestial cards (or CDELT alone for a map without place on the sky).
    beam, unit, frequency
        Written as BMAJ, BMIN, BPA; BUNIT; RESTFRQ, where given.
    title
        What the map shows, written as BTYPE.
    provenance
        Written as its cards and HISTORY.
    cards
        More cards: (keyword, value, comment).

    Raises
    ------
    StorageError
        The disk is full or gave up; what was written is removed.
    OutputError
        The file cannot be made there.
    UsageError
        The bands do not make up the shape.
    """
    header = _header_bytes(shape, dtype, frame, beam, unit, frequency, title, provenance, cards)
    try:
        with Path(path).open("wb") as file:
            try:
                file.write(header)
                _write_bands(file, shape, bands, np.dtype(dtype).newbyteorder(">"))
            except BaseException:
                file.close()
                with contextlib.suppress(OSError):
                    Path(path).unlink()
                raise
    except OSError as error:
        place = os.fspath(path)
        if error.errno in FULL:
            raise StorageError(
                "the map cannot be written", got=place, todo=f"{error.strerror}: make room and try again"
            ) from error
        raise OutputError(
            "the map cannot be written", got=place, todo=error.strerror or str(error)
        ) from error


def _write_bands(
    file: Any, shape: tuple[int, int], bands: Iterable[NDArray[Any]], dtype: np.dtype[Any]
) -> None:
    rows = 0
    for band in bands:
        if band.ndim != 2 or band.shape[1] != shape[1]:
            raise UsageError(
                "a band of rows has the wrong shape", got=band.shape, allowed=f"(rows, {shape[1]})"
            )
        rows += band.shape[0]
        if rows > shape[0]:
            break
        file.write(np.ascontiguousarray(band, dtype=dtype).data.cast("B"))
    if rows != shape[0]:
        raise UsageError(
            "the bands do not make up the map", got=f"{rows} rows or more", allowed=f"{shape[0]} rows"
        )
    file.write(b"\0" * (-(shape[0] * shape[1] * dtype.itemsize) % 2880))


def _header_bytes(
    shape: tuple[int, int],
    dtype: str,
    frame: Frame | None,
    beam: Beam | None,
    unit: str,
    frequency: float,
    title: str,
    provenance: Provenance | None,
    more: Sequence[tuple[str, str | float | int | bool, str]],
) -> bytes:
    """The header's blocks; floats keep their last digit, so that a map reopens with the same geometry."""
    if frame is not None and frame.shape != shape:
        raise UsageError("the frame has another shape than the map", got=frame.shape, allowed=str(shape))
    lines = [
        _card("SIMPLE", True, "FITS"),
        _card("BITPIX", -32 if dtype == "float32" else 32, "bits per pixel"),
        _card("NAXIS", 2, "number of axes"),
        _card("NAXIS1", shape[1], "columns"),
        _card("NAXIS2", shape[0], "rows"),
    ]
    if title:
        lines.append(_card("BTYPE", title, "what the map shows"))
    if unit:
        lines.append(_card("BUNIT", unit, "unit of the pixels"))
    if beam is not None:
        lines += [
            _card("BMAJ", beam.major / 3600.0, "[deg] beam, major axis FWHM"),
            _card("BMIN", beam.minor / 3600.0, "[deg] beam, minor axis FWHM"),
            _card("BPA", beam.pa, "[deg] beam, position angle"),
        ]
    if math.isfinite(frequency):
        lines.append(_card("RESTFRQ", float(frequency), "[Hz] frequency of the map"))
    if frame is not None and frame.celestial:
        lines += [_card(key, value, "") for key, value in frame.cards]
    elif frame is not None:
        lines += [
            _card("CDELT1", -frame.scale[1] / 3600.0, "[deg] size of a pixel along x"),
            _card("CDELT2", frame.scale[0] / 3600.0, "[deg] size of a pixel along y"),
        ]
    lines += [_card(*card) for card in more]
    for key, value, comment in provenance.cards() if provenance is not None else ():
        lines.append(f"HISTORY {value}"[:80].ljust(80) if key == "HISTORY" else _card(key, value, comment))
    text = "".join([*lines, "END".ljust(80)])
    return text.encode("ascii", "replace").ljust(-(-len(text) // 2880) * 2880)


def _card(key: str, value: str | float | int | bool, comment: str) -> str:
    """One card of 80 characters; a float keeps its last digit, in more than 20 columns if need be."""
    if isinstance(value, bool):
        text = f"{'T' if value else 'F':>20}"
    elif isinstance(value, str):
        text = f"'{value.replace(chr(39), chr(39) * 2)[:66]:<8}'"
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise UsageError("a FITS card holds no NaN or infinity", got=f"{key} = {value}")
        text = f"{repr(value).upper():>20}"
    else:
        text = f"{value:>20}"
    line = f"{key:<8}= {text}"
    return (f"{line} / {comment}" if comment else line)[:80].ljust(80)
