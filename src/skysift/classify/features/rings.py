"""Brightness around the middle of a picture: what rings hold, and how it is spread over their angles."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.classify.features.extractor import Columns, Extractor
from skysift.classify.features.options import FeaturesOptions
from skysift.classify.features.seen import Seen
from skysift.classify.features.view import View
from skysift.sky.features import Feature

__all__ = ["RingsFeatures", "on_rings", "ring_radii"]

Floats: TypeAlias = NDArray[np.float64]

RADII = (
    0.0,
    1.0,
    2.0,
    3.0,
    4.5,
    6.0,
    8.0,
    11.0,
    15.0,
    20.0,
    27.0,
    36.0,
    48.0,
    64.0,
)  # thirds of the beam, or pixels
ANGLES = 32
ORDERS = 7
SOFT = 10.0  # brightness is shown as arcsinh of so many times its share of the peak
_NEAR = 40.0  # thirds of the beam, or pixels: the peak that brightness is compared with is not farther from the middle


def ring_radii(view: View) -> Floats:
    """Radii of the rings (pixel)."""
    return np.array(RADII) * _third(view)


def _third(view: View) -> float:
    """A third of the beam in pixels; a pixel where the beam is not known."""
    return view.beam_pixels / 3.0 if np.isfinite(view.beam_pixels) else 1.0


def on_rings(images: Floats, radii: Floats, angles: int) -> Floats:
    """
    Images on rings about their middle, (picture, radius, angle), linear between pixels.

    NaN where a place lies outside of the image, or between pixels of which one is NaN.

    Parameters
    ----------
    images
        (picture, y, x).
    radii
        In pixels.
    angles
        Places on each ring.
    """
    n, ny, nx = images.shape
    turn = 2.0 * np.pi * np.arange(angles) / angles
    y = np.outer(radii, np.sin(turn)).ravel() + 0.5 * (ny - 1)
    x = np.outer(radii, np.cos(turn)).ravel() + 0.5 * (nx - 1)
    inside = (y >= 0) & (y <= ny - 1) & (x >= 0) & (x <= nx - 1)
    j = np.clip(np.floor(y).astype(np.int64), 0, ny - 2)
    i = np.clip(np.floor(x).astype(np.int64), 0, nx - 2)
    v, u = y - j, x - i
    flat = images.reshape(n, ny * nx)
    at = j * nx + i
    values = np.where(inside, 0.0, np.nan)[None] + np.zeros((n, 1))
    for step, weight in (
        (0, (1.0 - v) * (1.0 - u)),
        (1, (1.0 - v) * u),
        (nx, v * (1.0 - u)),
        (nx + 1, v * u),
    ):
        held = np.flatnonzero(weight)  # a pixel that does not count may be NaN
        values[:, held] += flat[:, at[held] + step] * weight[held]
    return values.reshape(n, len(radii), angles)


class RingsFeatures(Extractor):
    """
    Brightness on rings about the middle, and its spread over the angles, whichever way the picture is turned.

    Order 0 of a ring is its mean. Higher orders are sizes of the terms of the Fourier series over the angle: a jet to
    one side makes all of them, two opposite lobes the even ones, a bent source odd ones too. A ring that leaves the
    picture or meets pixels without data has no numbers.
    """

    title = "brightness on rings about the middle and its spread over the angles"

    def columns(self, view: View, options: FeaturesOptions) -> tuple[Feature, ...]:
        """What is measured."""
        rows = []
        for k, radius in enumerate(ring_radii(view)):
            size = f"{radius * view.pixel:.3g} {view.length}"
            rows.append(
                (f"ring_{k}_0", "", f"mean brightness at {size} from the middle (arcsinh of {SOFT:g} peaks)")
            )
            if k:
                rows += [
                    (f"ring_{k}_{m}", "", f"order {m} of its spread over the angles")
                    for m in range(1, ORDERS)
                ]
        rows.append(
            (
                "rings_missing",
                "",
                f"of the {len(RADII)} rings, those that leave the picture or meet blank pixels",
            )
        )
        return tuple(Feature(*row) for row in rows)

    def measure(self, seen: Seen) -> Columns:
        """The numbers."""
        shown = on_rings(softened(seen), ring_radii(seen.view), ANGLES)
        lost: NDArray[np.bool_] = np.asarray(~np.isfinite(shown).all(axis=2))
        spread = np.abs(np.fft.rfft(np.where(lost[..., None], 0.0, shown), axis=2)) / ANGLES
        spread[lost] = np.nan
        none = seen.islands[:, seen.view.reference] == 0
        spread[none] = np.nan
        out = {f"ring_{k}_{m}": spread[:, k, m] for k in range(len(RADII)) for m in range(ORDERS if k else 1)}
        return {**out, "rings_missing": np.where(none, np.nan, lost.sum(axis=1))}


def softened(seen: Seen) -> Floats:
    """The source in the reference band (picture, y, x): arcsinh of its brightness over its peak, 1 at the peak.

    0 outside of its islands, NaN where there are no data.
    """
    band = seen.view.reference
    ny, nx = seen.pixels.shape[2:]
    values = np.nan_to_num(seen.pixels[:, band] - seen.level[:, band, None, None])
    source = np.where(seen.labels[:, band] > 0, np.clip(values, 0.0, None), 0.0).astype(np.float64)
    y, x = np.mgrid[:ny, :nx].astype(np.float64)
    near = np.hypot(y - 0.5 * (ny - 1), x - 0.5 * (nx - 1)) < _NEAR * _third(seen.view)
    peak = np.where(near, source, 0.0).max(axis=(1, 2))
    peak = np.where(peak > 0, peak, source.max(axis=(1, 2)))
    share = source / np.where(peak > 0, peak, 1.0)[:, None, None]
    soft = np.arcsinh(SOFT * np.minimum(share, 1.0)) / np.arcsinh(SOFT)
    return np.where(np.isfinite(seen.pixels[:, band]), soft, np.nan)
