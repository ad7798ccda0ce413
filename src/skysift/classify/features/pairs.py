"""Two bands side by side: how far apart their peaks are, how well their sources overlap, how alike they look."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.classify.features.extractor import Columns, Extractor
from skysift.classify.features.options import FeaturesOptions
from skysift.classify.features.pixels import similarity
from skysift.classify.features.seen import Seen
from skysift.classify.features.view import View
from skysift.sky.features import Feature

__all__ = ["PairsFeatures", "pairs_of"]

Floats: TypeAlias = NDArray[np.float64]


def pairs_of(view: View, options: FeaturesOptions) -> list[tuple[int, int]]:
    """Numbers of the bands that are put side by side."""
    n = len(view.bands)
    if options.pairs == "all":
        return [(a, b) for a in range(n) for b in range(a + 1, n)]
    return [(view.reference, b) for b in range(n) if b != view.reference]


class PairsFeatures(Extractor):
    """Peak distance, overlap and structural similarity of pairs of bands; NaN where one of them has no data."""

    title = "peak distance, overlap and similarity of two bands"
    needs = "give pictures of two bands or more"

    def applies(self, view: View, options: FeaturesOptions) -> bool:
        """Whether there are two bands."""
        return len(view.bands) > 1

    def columns(self, view: View, options: FeaturesOptions) -> tuple[Feature, ...]:
        """What is measured."""
        rows = []
        for a, b in pairs_of(view, options):
            first, second = view.bands[a], view.bands[b]
            both = f"{first} and {second}"
            rows += [
                (
                    f"separation_{first}_{second}",
                    view.length,
                    f"between the brightest pixels of the source in {both}",
                ),
                (f"overlap_{first}_{second}", "", f"pixels of the source in {both} over those in either"),
                (f"ssim_{first}_{second}", "", f"median structural similarity of {both} over the source"),
            ]
        return tuple(Feature(*row) for row in rows)

    def measure(self, seen: Seen) -> Columns:
        """The numbers."""
        view, options = seen.view, seen.options
        own: NDArray[np.bool_] = np.asarray(seen.labels > 0, np.bool_)
        data: NDArray[np.bool_] = np.asarray(np.isfinite(seen.pixels).any(axis=(2, 3)), np.bool_)
        out = {}
        for a, b in pairs_of(view, options):
            names = f"{view.bands[a]}_{view.bands[b]}"
            both = data[:, a] & data[:, b]
            (ay, ax), (by, bx) = _brightest(seen, a), _brightest(seen, b)
            out[f"separation_{names}"] = np.hypot(ay - by, ax - bx) * view.pixel
            shared, either = own[:, a] & own[:, b], own[:, a] | own[:, b]
            count = either.sum(axis=(1, 2))
            known = both & (count > 0)
            out[f"overlap_{names}"] = np.where(known, shared.sum(axis=(1, 2)) / np.maximum(count, 1), np.nan)
            alike = np.full(len(seen), np.nan)
            similarity(_scaled(seen, a), _scaled(seen, b), either, options.window // 2, alike)
            out[f"ssim_{names}"] = np.where(known, alike, np.nan)
        return out


def _brightest(seen: Seen, band: int) -> tuple[Floats, Floats]:
    """Where the brightest pixel of the source is; NaN where the band shows none."""
    n, _, ny, nx = seen.pixels.shape
    shown = np.where(seen.labels[:, band] > 0, seen.pixels[:, band], -np.inf).reshape(n, ny * nx)
    at = shown.argmax(axis=1)
    good = np.isfinite(shown[np.arange(n), at])
    return np.where(good, at // nx, np.nan), np.where(good, at % nx, np.nan)


def _scaled(seen: Seen, band: int) -> Floats:
    """Pixels above the level in units of the brightest one of the source, or of the picture where there is none."""
    values = (seen.pixels[:, band] - seen.level[:, band, None, None]).astype(np.float64)
    inside = np.where(seen.labels[:, band] > 0, values, -np.inf).max(axis=(1, 2))
    whole = np.where(np.isfinite(values), values, -np.inf).max(axis=(1, 2))
    top = np.where(np.isfinite(inside), inside, whole)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(values / np.where(top > 0, top, np.nan)[:, None, None])
