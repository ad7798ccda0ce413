"""Peaks of a source: how many, how bright, where, and in which order; components and peaks as Radio Galaxy Zoo counts."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.classify.features.extractor import Columns, Extractor
from skysift.classify.features.options import FeaturesOptions
from skysift.classify.features.seen import Seen
from skysift.classify.features.view import View
from skysift.sky.features import Feature

__all__ = ["PeaksFeatures"]

Floats: TypeAlias = NDArray[np.float64]

_NEAR = 0.33  # of half of the extent: a peak so near to the middle is the core


class PeaksFeatures(Extractor):
    """Components, peaks and their order: in FR I the brightest peaks are near the middle, in FR II at the ends."""

    title = "components, peaks, their distances and order"

    def columns(self, view: View, options: FeaturesOptions) -> tuple[Feature, ...]:
        """What is measured."""
        size = view.length
        rows = (
            ("components", "", "islands of the source: the C of Radio Galaxy Zoo's classes"),
            ("peaks", "", "peaks of the source that stand out: the P of Radio Galaxy Zoo's classes"),
            ("peaks_half", "", "of them, those at least half as high as the highest"),
            ("peaks_tenth", "", "of them, those at least a tenth as high as the highest"),
            ("peak_ratio_2", "", "height of the second peak over the first"),
            ("peak_ratio_3", "", "height of the third peak over the first"),
            ("peak_share_1", "", "share of the flux that belongs to the highest peak"),
            ("peak_share_2", "", "share of the flux that belongs to the second peak"),
            ("peak_prominence_2", "", "prominence of the second peak over its height"),
            ("peak_distance", size, "between the two highest peaks"),
            ("peak_distance_share", "", "the same over the extent along the major axis"),
            ("peak_span", size, "between the two peaks that are farthest apart"),
            ("peak_first", "", "from the middle to the highest peak, in halves of the extent"),
            ("peak_second", "", "from the middle to the second peak, in halves of the extent"),
            ("peak_outermost", "", "from the middle to the outermost peak, in halves of the extent"),
            ("peak_innermost", "", "from the middle to the innermost peak, in halves of the extent"),
            ("peak_order", "", "share of the other peaks that are nearer to the middle than the highest is"),
            ("fr_ratio", "", "between the highest peaks on both sides of the middle, over the whole extent"),
            ("fr_balance", "", "height of the lower of these two over the higher"),
            ("fr_angle", "deg", "between these two as seen from the middle; 180 is straight"),
            ("core_share", "", "share of the flux that belongs to peaks near the middle"),
            ("core_height", "", "height of the highest peak near the middle over the highest of all"),
            (
                "peak_angle",
                "deg",
                "at the middle one of the three highest peaks along the axis; 180 is straight",
            ),
        )
        return tuple(Feature(*row) for row in rows)

    def measure(self, seen: Seen) -> Columns:
        """The numbers."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return _numbers(seen)


def _numbers(seen: Seen) -> Columns:
    peaks, counts = seen.peaks
    n, pixel = len(seen), seen.view.pixel
    y, x, height, prominence, flux = (peaks[..., k] for k in range(5))
    there = np.isfinite(height)
    source, axes = seen.source, seen.axes
    u, _ = axes.turned(source.y, source.x, source.row)
    extent = source.top(u) - source.low(u) + 1.0
    none = source.total(np.ones(len(source.row))) == 0
    total = source.total(seen.light)
    half = 0.5 * extent
    distance = np.hypot(y, x)
    scaled = distance / half[:, None]
    between = np.hypot(y[:, :, None] - y[:, None, :], x[:, :, None] - x[:, None, :])
    known = np.where(np.isfinite(between), between, -1.0).reshape(n, -1).max(axis=1, initial=-1.0)
    count = there.sum(axis=1)
    nearer = ((distance < distance[:, :1]) & there).sum(axis=1)
    filled = np.where(there, scaled, np.nan)
    near = there & (scaled < _NEAR)
    far = np.where(there, scaled, -1.0).max(axis=1)
    close = np.where(there, scaled, np.inf).min(axis=1)
    out = {
        "components": seen.islands[:, seen.view.reference],
        "peaks": counts,
        "peaks_half": (height >= 0.5 * height[:, :1]).sum(axis=1),
        "peaks_tenth": (height >= 0.1 * height[:, :1]).sum(axis=1),
        "peak_ratio_2": height[:, 1] / height[:, 0],
        "peak_ratio_3": height[:, 2] / height[:, 0],
        "peak_share_1": flux[:, 0] / total,
        "peak_share_2": flux[:, 1] / total,
        "peak_prominence_2": prominence[:, 1] / height[:, 1],
        "peak_distance": between[:, 0, 1] * pixel,
        "peak_distance_share": between[:, 0, 1] / extent,
        "peak_span": np.where(count > 1, known, np.nan) * pixel,
        "peak_first": filled[:, 0],
        "peak_second": filled[:, 1],
        "peak_outermost": far,
        "peak_innermost": close,
        "peak_order": nearer / np.where(count > 1, count - 1, np.nan),
        "core_share": np.where(none, np.nan, np.where(near, flux, 0.0).sum(axis=1) / total),
        "core_height": np.where(none, np.nan, np.where(near, height, 0.0).max(axis=1) / height[:, 0]),
    }
    out |= _sides(seen, y, x, height, ~near & there, extent) | _middle(seen, y, x)
    return {name: np.where(none, np.nan, values) for name, values in out.items()}


def _sides(
    seen: Seen, y: Floats, x: Floats, height: Floats, outer: NDArray[np.bool_], extent: Floats
) -> dict[str, Floats]:
    """The highest peaks on both sides of the middle, that are not near it."""
    pa = seen.axes.pa[:, None]
    along = np.sin(pa) * y + np.cos(pa) * x
    ends = []
    rows = np.arange(len(y))
    for side in (along > 0.0, along < 0.0):
        shown = np.where(side & outer, height, -np.inf)
        best = shown.argmax(axis=1)
        good = np.isfinite(shown[rows, best])
        ends.append([np.where(good, each[rows, best], np.nan) for each in (y, x, height)])
    (ay, ax, ah), (by, bx, bh) = ends
    cosine = (ay * by + ax * bx) / (np.hypot(ay, ax) * np.hypot(by, bx))
    return {
        "fr_ratio": np.hypot(ay - by, ax - bx) / extent,
        "fr_balance": np.minimum(ah, bh) / np.maximum(ah, bh),
        "fr_angle": np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))),
    }


def _middle(seen: Seen, y: Floats, x: Floats) -> dict[str, Floats]:
    """The angle at the middle one of the three highest peaks along the major axis."""
    pa = seen.axes.pa[:, None]
    along = (np.sin(pa) * y + np.cos(pa) * x)[:, :3]
    order = np.argsort(along, axis=1)
    y3, x3 = np.take_along_axis(y[:, :3], order, 1), np.take_along_axis(x[:, :3], order, 1)
    ay, ax = y3[:, 0] - y3[:, 1], x3[:, 0] - x3[:, 1]
    by, bx = y3[:, 2] - y3[:, 1], x3[:, 2] - x3[:, 1]
    cosine = (ay * by + ax * bx) / (np.hypot(ay, ax) * np.hypot(by, bx))
    return {"peak_angle": np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))}
