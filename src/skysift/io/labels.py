"""`read_labels`: the mask in a FITS map of labels, such as ``labels.fits`` of ``skysift find``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from skysift.base.errors import FormatError, UsageError
from skysift.io.format import reading
from skysift.sky.box import Box
from skysift.sky.mask import IntArray, Mask

__all__ = ["read_labels"]

_BAND = 1 << 24  # pixels that are read at once


def read_labels(path: str | Path) -> Mask:
    """The labels in the first image of a FITS file; what is 0 or less belongs to nothing.

    Raises
    ------
    UsageError
        There is no such file.
    FormatError
        It is not FITS, or holds no plane of whole numbers.
    """
    place = Path(path)
    if not place.is_file():
        raise UsageError("no such map of labels", got=str(place))
    parts = []
    with reading(place, "FITS", OSError, ValueError, TypeError, IndexError), fits.open(place) as hdus:
        hdu = next((each for each in hdus if each.is_image and each.header.get("NAXIS", 0) >= 2), None)
        if hdu is None or any(hdu.header[f"NAXIS{i}"] != 1 for i in range(3, hdu.header["NAXIS"] + 1)):
            raise FormatError(f"{place} holds no plane of labels")
        nx, ny = int(hdu.header["NAXIS1"]), int(hdu.header["NAXIS2"])
        step = max(1, _BAND // max(nx, 1))
        for y in range(0, ny, step):
            box = Box(y, min(y + step, ny), 0, nx)
            leading = (0,) * (hdu.header["NAXIS"] - 2)
            pixels = np.asarray(hdu.section[(*leading, slice(box.y0, box.y1), slice(0, nx))])
            parts.append(Mask.from_labels(_whole(pixels, place), box, (ny, nx)))
    row, start, stop, label = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("row", "start", "stop", "label")
    )
    return Mask(row, start, stop, label, (ny, nx))


def _whole(pixels: NDArray[Any], path: Path) -> IntArray:
    """The pixels as whole numbers; blanks are 0.

    Raises
    ------
    FormatError
        They are not whole numbers.
    """
    if pixels.dtype.kind in "iu":
        return pixels.astype(np.int64)
    known = np.nan_to_num(pixels, nan=0.0, posinf=0.5, neginf=0.5)
    labels: IntArray = known.astype(np.int64)
    if np.any(labels != known):
        raise FormatError(f"{path} holds other pixels than labels", allowed="whole numbers")
    return labels
