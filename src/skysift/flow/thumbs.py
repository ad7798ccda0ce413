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
from skysift.classify.features.islands import RADIUS, label_islands
from skysift.classify.features.noise import level_and_noise
from skysift.classify.features.options import FeaturesOptions
from skysift.stamps.pictures import Pictures, Pixels, centred

__all__ = ["Thumbs", "chosen_rows", "read_thumbs", "thumbs_of", "write_thumbs"]

Bytes: TypeAlias = NDArray[np.uint8]
Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

_ACROSS = 32  # pictures side by side on a sheet
_DOWN = 16
_NOISE = 3.0  # of the scatter of a picture: what is shown as half of the range of an arcsinh
_PER_READ = 256
_ROOM = 1.4  # a picture shows so many times the extent of its source
_SOURCE = FeaturesOptions()  # what of a picture is its source: as features are measured by default


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
    across
        Pixels along the side of the part of the picture that each shows.
    scale
        Size of such a pixel (arcsec); NaN where it is not known.
    """

    rows: Ints
    pixels: Bytes
    across: Ints
    scale: float = float("nan")

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
    def per_line(self) -> int:
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


def thumbs_of(pictures: Pictures, places: Ints, rows: Ints, side: int, cut: int | None = None) -> Thumbs:
    """Pictures of rows of a sample, made small.

    Parameters
    ----------
    pictures
        All of them; of several bands the mean is shown, each in units of its noise.
    places
        Where the picture of each row of the sample is; -1 where there is none.
    rows
        Rows of the sample that are wanted; each has a picture.
    side, cut
        Pixels along the side, and of the part about the middle that is shown; 0 for all. By default each shows its
        source and some room around.
    """
    out = np.zeros((len(rows), side, side), np.uint8)
    across = np.zeros(len(rows), np.int64)
    whole = max(pictures.shape[-2:])
    sides = np.asarray(pictures.facts.get("pixels", np.full(len(pictures), whole)), np.int64)
    for start in range(0, len(rows), _PER_READ):
        at = places[rows[start : start + _PER_READ]]
        part = slice(start, start + len(at))
        shown = _together(pictures.read(at))
        own = np.minimum(sides[at], whole)
        across[part] = _around(shown, own, side) if cut is None else np.full(len(at), cut or whole)
        out[part] = [_small(centred(each, n), side) for each, n in zip(shown, across[part], strict=True)]
    return Thumbs(np.asarray(rows, np.int64), out, across, float(pictures.scale))


def _together(pixels: Pixels) -> Pixels:
    """Bands (picture, band, y, x) as one picture (picture, y, x): their mean in units of the noise of each."""
    n, bands, ny, nx = pixels.shape
    if bands == 1:
        return pixels[:, 0]
    level, noise = (
        each.reshape(n, bands, 1, 1)
        for each in level_and_noise(pixels.reshape(n * bands, ny, nx), _SOURCE.clip)
    )
    known = noise > 0  # a band without noise cannot be weighed against the others
    with np.errstate(invalid="ignore"):
        weighed = np.where(known, (pixels - level) / np.where(known, noise, 1.0), np.nan)
    count = np.isfinite(weighed).sum(axis=1)
    mean = np.where(count > 0, np.nansum(weighed, axis=1) / np.maximum(count, 1), np.nan)
    bare = ~known.any(axis=1)  # none can
    mean = np.where(bare, pixels[:, 0], mean)
    return np.asarray(mean, np.float32)


def _around(images: Pixels, sides: Ints, side: int) -> Ints:
    """How many pixels about the middle of each (picture, y, x) show its source; all of its own where there is none.

    Half the side of a small picture or a multiple of it, so that small pictures are made of whole pixels.
    """
    n, ny, nx = images.shape
    level, noise = (each[:, None, None].astype(np.float32) for each in level_and_noise(images, _SOURCE.clip))
    labels, counts = np.zeros(images.shape, np.int32), np.zeros(n, np.int64)
    with np.errstate(invalid="ignore", divide="ignore"):
        significance = (images - level) / noise
    radius = _SOURCE.radius * 0.5 * min(ny, nx)
    label_islands(
        significance, _SOURCE.grow, _SOURCE.seed, _SOURCE.min_pixels, RADIUS, radius, labels, counts
    )
    far = np.maximum(np.abs(np.arange(ny) - ny // 2)[:, None], np.abs(np.arange(nx) - nx // 2))
    reach = 2 * np.where(labels > 0, far, 0).max(axis=(1, 2)) + 1
    wanted = np.ceil(_ROOM * reach).astype(np.int64)
    step = np.where(wanted <= side // 2, side // 2, side)
    return np.where(counts > 0, np.minimum(-(-wanted // step) * step, sides), sides)


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
    np.savez_compressed(
        path, rows=thumbs.rows, pixels=thumbs.pixels, across=thumbs.across, scale=np.float64(thumbs.scale)
    )


def read_thumbs(path: Path) -> Thumbs | None:
    """The pictures of a file; None where there is no file."""
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as held:
        if "across" not in held:  # of an earlier version: what they show is not known
            return Thumbs(held["rows"], held["pixels"], np.zeros(len(held["rows"]), np.int64))
        return Thumbs(held["rows"], held["pixels"], held["across"], float(held["scale"]))
