"""A map and its truth as a field that networks learn from: pixels over noise, labels in pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.find.neural.masks import peaks_of
from skysift.find.neural.shapes import beam_of
from skysift.find.noise import Noise
from skysift.find.places import places_at
from skysift.learn.fields import Field
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.image import SkyImage
from skysift.sky.shapes import covariances
from skysift.sky.tiling import Tiling
from skysift.sky.truth import CLASSES, Truth

__all__ = ["labelled_field", "labels_of", "rms_at", "significance"]

Floats = NDArray[np.float64]


def significance(image: SkyImage, noise: Noise, box: Box) -> NDArray[np.float32]:
    """(map - level) / rms in a box, float32 ``(y, x)``; NaN where there are no data."""
    tile = noise.tile(image, box)
    return np.asarray((tile.data - tile.level) / tile.rms, np.float32)


def labelled_field(
    image: SkyImage,
    truth: Truth,
    noise: Noise,
    *,
    name: str,
    held: Box | None = None,
    facts: Mapping[str, Any] | None = None,
    beside: Truth | None = None,
) -> Field:
    """
    The field of a map whose objects are known.

    Parameters
    ----------
    image, truth
        The map, and what is on it.
    noise
        Of the map, measured as a finder does it.
    name
        Of the field.
    held
        The part that is kept for validation.
    facts
        Where it comes from.
    beside
        What else is on the map, neither right nor wrong to find.
    """
    labels = labels_of(image, truth, noise)
    if beside is not None and len(beside):
        other = labels_of(image, beside, noise)
        none = np.zeros(len(other))
        other = Detections(other.boxes, other.scores, other.footprints, {**other.raw, "use": none})
        labels = Detections.concat([labels, other])
    pixels = np.empty(image.shape, np.float32)
    for box in Tiling(image.box, 1024):
        pixels[box.slices()] = significance(image, noise, box)
    xx, xy, yy = beam_of(image)
    labels = _as_seen(labels, pixels, image.box)
    return Field(name, pixels, labels, (float(xx), float(xy), float(yy)), held, facts or {})


def _as_seen(labels: Detections, pixels: NDArray[np.float32], whole: Box) -> Detections:
    """The labels; of those whose centre is beyond the map the peak is at most that of the pixels that are on it."""
    beyond = np.flatnonzero(~whole.contains(labels["x"], labels["y"]))
    prints = labels.footprints.select(beyond)
    top = peaks_of(prints, beyond.size, pixels)
    peak = np.array(labels["snr_peak"], np.float64)
    peak[beyond] = np.minimum(peak[beyond], top)
    return Detections(labels.boxes, labels.scores, labels.footprints, {**labels.raw, "snr_peak": peak})


def labels_of(image: SkyImage, truth: Truth, noise: Noise) -> Detections:
    """The labels of a map's objects: masks where they are known, and the parameters of `skysift.learn.fields.LABELS`."""
    table = truth.sources
    x, y = np.asarray(table["x"], np.float64), np.asarray(table["y"], np.float64)
    if truth.frame is not image.frame and image.frame.celestial and np.isfinite(table["ra"]).all():
        x, y = image.frame.to_pixel(table["ra"], table["dec"])
    intrinsic = covariances(table["major_deconv"], table["minor_deconv"], table["pa_deconv"])
    places = places_at(image, x, y, intrinsic)
    own = np.nan_to_num(places.shape - places.beam)
    inside = image.box.contains(x, y)
    near = [np.clip(each, 0.0, size - 1.0) for each, size in ((x, image.shape[1]), (y, image.shape[0]))]
    some = np.zeros(len(table), np.bool_)
    if len(truth.detections):  # of what the border cuts a part is seen, though its centre may lie beyond
        some[truth.detections.footprints.index] = True
    rms = np.where(inside | some, rms_at(image, noise, near[0], near[1]), np.nan)
    peak, flux = np.asarray(table["flux_peak"]) / rms, np.asarray(table["flux"]) / rms
    flux = np.where(np.isfinite(flux) & (flux > 0.0), flux, np.abs(peak))
    kind = table["class"] if "class" in table else np.full(len(table), "compact")
    core = table["core_fraction"] if "core_fraction" in table else np.full(len(table), np.nan)
    raw = {
        "x": x,
        "y": y,
        "xx": own[:, 0],
        "xy": own[:, 1],
        "yy": own[:, 2],
        "snr_peak": np.nan_to_num(peak),
        "snr_int": np.nan_to_num(flux),
        "core": np.asarray(core, np.float64),
        "class": np.array([CLASSES.index(each) for each in kind.tolist()], np.float64),
        "use": ((inside | some) & np.isfinite(rms)).astype(np.float64),
    }
    if len(truth.detections):
        return Detections(truth.detections.boxes, np.ones(len(table)), truth.detections.footprints, raw)
    low = np.stack([np.floor(y + 0.5), np.floor(x + 0.5)], axis=1).astype(np.int64)
    boxes = np.stack([low[:, 0], low[:, 0] + 1, low[:, 1], low[:, 1] + 1], axis=1)
    return Detections(boxes, np.ones(len(table)), raw=raw)


def rms_at(image: SkyImage, noise: Noise, x: Floats, y: Floats) -> Floats:
    """Noise at positions (Jy/beam); NaN outside the map."""
    inside = image.box.contains(x, y)
    result = np.full(x.shape, np.nan)
    column, row = np.floor(x + 0.5).astype(np.int64), np.floor(y + 0.5).astype(np.int64)
    for box in Tiling(image.box, 1024):
        here = inside & (column >= box.x0) & (column < box.x1) & (row >= box.y0) & (row < box.y1)
        if here.any():
            result[here] = noise.tile(image, box).rms[row[here] - box.y0, column[here] - box.x0]
    return result
