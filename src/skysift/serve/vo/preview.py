"""A small grey picture of a map of any size: a grid of its pixels, read row by row."""

from __future__ import annotations

import io
import os

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from skysift.io.open import open_image
from skysift.sky.box import Box

__all__ = ["preview"]

SIDE = 512  # pixels
_FAINT, _BRIGHT = 1.0, 99.5  # percent of the pixels that are darker


def preview(path: str | os.PathLike[str], hdu: int | None = None) -> bytes:
    """The picture as PNG: north up where the map has it so, a stretch that shows faint and bright; blanks are clear.

    Parameters
    ----------
    path, hdu
        The map.

    Raises
    ------
    SkysiftError
        The map cannot be read.
    """
    image = open_image(path, hdu=hdu, beam=(1.0, 1.0, 0.0), unit="Jy/beam")
    height, width = image.shape
    step = max(1, -(-max(height, width) // SIDE))
    if step == 1:
        data = image.read(Box.of(image.shape))
    else:
        data = np.stack(
            [image.read(Box(y, y + 1, 0, width))[0, ::step] for y in range(step // 2, height, step)]
        )
    return _png(np.asarray(data, dtype=np.float32))


def _png(data: NDArray[np.float32]) -> bytes:
    good = np.isfinite(data)
    grey = np.zeros((*data.shape, 2), np.uint8)
    if good.any():
        low, high = np.percentile(data[good], (_FAINT, _BRIGHT))
        scaled = np.clip((data - low) / max(high - low, 1e-30), 0.0, 1.0)
        with np.errstate(invalid="ignore"):
            value = np.arcsinh(10.0 * scaled) / np.arcsinh(10.0)
        grey[..., 0] = np.where(good, np.nan_to_num(value) * 255.0, 0.0).astype(np.uint8)
        grey[..., 1] = np.where(good, 255, 0)
    held = io.BytesIO()
    Image.fromarray(grey[::-1], "LA").save(held, "PNG")
    return held.getvalue()
