"""`Thumbs`: small grey pictures of sources, kept beside a sample and shown on its page in sheets."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.random import generator
from skysift.stamps.pictures import Pictures, centred

__all__ = ["Thumbs", "chosen_rows", "read_thumbs", "thumbs_of", "write_thumbs"]

Bytes: TypeAlias = NDArray[np.uint8]
Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

_ACROSS = 32  # pictures side by side on a sheet
_DOWN = 16
_NOISE = 3.0  # of the scatter of a picture: what is shown as half of the range of an arcsinh
_PER_READ = 256


@dataclass(frozen=True, eq=False)
class Thumbs:
    """
    Small pictures of some rows of a sample.

    Attributes
    ----------
    rows
        Which rows have one, ascending.
    pixels
        (picture, y, x), 0 to 255, the first row at the top; 0 where there are no data.
    """

    rows: Ints
    pixels: Bytes

    def __len__(self) -> int:
        return len(self.rows)

    def sheets(self) -> list[str]:
        """Pictures side by side, so many across and down, as addresses of PNGs that carry their own bytes."""
        from PIL import Image  # comes with matplotlib, loaded late

        side = self.pixels.shape[1]
        per = _ACROSS * _DOWN
        out = []
        for start in range(0, len(self), per):
            some = self.pixels[start : start + per]
            whole = np.zeros((-(-len(some) // _ACROSS) * _ACROSS, side, side), np.uint8)
            whole[: len(some)] = some
            picture = whole.reshape(-1, _ACROSS, side, side).swapaxes(1, 2).reshape(-1, _ACROSS * side)
            buffer = io.BytesIO()
            # 64 shades are as many as one sees, and noise then compresses better
            Image.fromarray((picture // 4 * 4).astype(np.uint8)).save(buffer, "PNG", optimize=True)
            out.append("data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii"))
        return out

    @property
    def across(self) -> int:
        """Pictures side by side on a sheet."""
        return _ACROSS

    @property
    def per_sheet(self) -> int:
        """Pictures of a sheet."""
        return _ACROSS * _DOWN


def chosen_rows(rank: Floats, able: NDArray[np.bool_], most: int, random_seed: int) -> Ints:
    """Rows that get a picture: half of them the strangest, the others drawn by chance; ascending."""
    rows = np.flatnonzero(able)
    if rows.size <= most:
        return rows
    first = rows[np.argsort(rank[rows], kind="stable")[: (most + 1) // 2]]
    rest = np.setdiff1d(rows, first)
    drawn = generator(random_seed, "thumbs").choice(rest, most - first.size, replace=False)
    return np.sort(np.concatenate([first, drawn]))


def thumbs_of(pictures: Pictures, places: Ints, rows: Ints, side: int, cut: int) -> Thumbs:
    """Pictures of rows of a sample, made small.

    Parameters
    ----------
    pictures
        All of them; the mean of their bands is shown.
    places
        Where the picture of each row of the sample is; -1 where there is none.
    rows
        Rows of the sample that are wanted; each has a picture.
    side, cut
        Pixels along the side, and of the part about the middle that is shown; 0 for all.
    """
    out = np.zeros((len(rows), side, side), np.uint8)
    for start in range(0, len(rows), _PER_READ):
        part = slice(start, start + _PER_READ)
        pixels = pictures.read(places[rows[part]])
        with np.errstate(invalid="ignore"):
            count = np.isfinite(pixels).sum(axis=1)
            mean = np.where(count > 0, np.nansum(pixels, axis=1) / np.maximum(count, 1), np.nan)
        out[part] = [_small(centred(each, cut) if cut else each, side) for each in mean.astype(np.float32)]
    return Thumbs(np.asarray(rows, np.int64), out)


def _small(image: NDArray[np.float32], side: int) -> Bytes:
    """A picture of so many pixels: bright parts by an arcsinh, north up."""
    shown = _resampled(image[::-1].astype(np.float64), side)
    good = np.isfinite(shown)
    if not good.any():
        return np.zeros((side, side), np.uint8)
    values = shown[good]
    level = float(np.median(values))
    noise = 1.4826 * float(np.median(np.abs(values - level)))
    top = float(values.max())
    low = max(level - 2.0 * noise, float(values.min()))
    soft = _NOISE * noise if noise > 0.0 else max(top - low, 1e-30) / 20.0
    scaled = np.arcsinh((np.where(good, shown, low) - low) / soft) / max(
        np.arcsinh((top - low) / soft), 1e-12
    )
    return np.asarray(np.where(good, 1 + np.clip(scaled, 0.0, 1.0) * 254, 0), np.uint8)


def _resampled(image: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """The mean over equal parts of a picture, blank parts left out; where it is smaller, its pixels repeat."""
    for axis in (0, 1):
        n = image.shape[axis]
        if n <= side:
            image = np.take(image, np.arange(side) * n // side, axis=axis)
            continue
        begin = np.arange(side) * n // side
        good = np.isfinite(image)
        total = np.add.reduceat(np.where(good, image, 0.0), begin, axis=axis)
        count = np.add.reduceat(good.astype(np.float64), begin, axis=axis)
        image = np.where(count > 0, total / np.maximum(count, 1.0), np.nan)
    return image


def write_thumbs(thumbs: Thumbs, path: Path) -> None:
    """Write pictures as npz."""
    np.savez_compressed(path, rows=thumbs.rows, pixels=thumbs.pixels)


def read_thumbs(path: Path) -> Thumbs | None:
    """The pictures of a file; None where there is no file."""
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as held:
        return Thumbs(held["rows"], held["pixels"])
