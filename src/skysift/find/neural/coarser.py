"""Crops as the coarser levels of a map show them, so that networks that look at several levels learn all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skysift.find.neural.levels import binned, quiet_of
from skysift.learn.samples import Crop
from skysift.sky.shapes import determinants

__all__ = ["coarser", "on_some_level"]


def on_some_level(crops: Sequence[Crop], drawn: float, share: float, multiple: int) -> list[Crop]:
    """
    The crops of a batch, binned by 1, 2 or 4.

    Parameters
    ----------
    crops
        Of one size.
    drawn
        A number from 0 to 1 that chooses.
    share
        Part of the batches that are binned; a third of these by 4.
    multiple
        The side of a binned crop is a multiple of this (pixel); where it would not be, it is binned less.
    """
    factor = 1 if drawn >= share else 2 if drawn >= share / 3.0 else 4
    while factor > 1 and any(side % (factor * multiple) for side in crops[0].pixels.shape):
        factor //= 2
    return [coarser(crop, factor) for crop in crops]


def coarser(crop: Crop, factor: int) -> Crop:
    """
    A crop binned, in units of the noise of the bins; a bin belongs to the object of the pixel in its middle.

    Fluxes of labels are over the noise of the bins then, and peaks are those of objects that the bins smooth.
    """
    if factor == 1:
        return crop
    means = binned(crop.pixels, factor)
    quiet = quiet_of(means, factor)
    labels = crop.labels.copy()
    labels[:, :2] = (labels[:, :2] + 0.5) / factor - 0.5
    seen = labels[:, 2:5] + crop.beam
    smooth = seen + np.array([1.0, 0.0, 1.0]) * (factor**2 - 1.0) / 12.0
    labels[:, 2:5] /= factor**2
    labels[:, 5] *= np.sqrt(determinants(seen) / determinants(smooth)) / quiet
    labels[:, 6] /= quiet
    middle = slice(factor // 2, None, factor)
    mask = None if crop.mask is None else np.ascontiguousarray(crop.mask[middle, middle])
    return Crop(means / np.float32(quiet), labels, crop.rows, crop.beam / factor**2, mask)
