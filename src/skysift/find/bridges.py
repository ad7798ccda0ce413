"""What a map shows between two sources: the brightness of the strip that joins them, and how much of it is on neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from skysift.base.parallel import ALONE, Crew
from skysift.find.joined import islands_of
from skysift.find.noise import Noise
from skysift.match.joining import Bridges
from skysift.sky.box import Box
from skysift.sky.catalogue import Catalogue
from skysift.sky.image import SkyImage
from skysift.sky.mask import Mask
from skysift.sky.tiling import Tiling

__all__ = ["Strips"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LINES = (-1.0, 0.0, 1.0)  # of samples along a strip, in thirds of the beam from its middle
STEP = 0.25  # of samples, in beams
MANY = 400  # samples along a line at most
AT_ONCE = 2_000_000  # samples
CLEAR = 0.5  # beams next to the islands of the two that are left out: their wings reach there


@dataclass(frozen=True, eq=False)
class Strips:
    """
    Looks at a map between pairs of sources: a `skysift.match.joining.Bridge`.

    Pixels are sampled along three lines, a beam wide together. Those on an island do not count, nor those within half
    a beam of the islands of the two.

    Parameters
    ----------
    image, noise, mask
        The map, its noise and its islands.
    catalogue
        Sources and the components that tell their islands.
    rows
        Of the sources table: the parts whose pairs are asked for.
    crew
        Who reads the map.
    """

    image: SkyImage
    noise: Noise
    mask: Mask
    catalogue: Catalogue
    rows: Ints
    crew: Crew = ALONE

    def __call__(self, first: Ints, second: Ints) -> Bridges:
        """What there is between sources ``rows[first]`` and ``rows[second]``."""
        sources = self.catalogue.sources
        x, y = sources["x"], sources["y"]
        a, b = self.rows[first], self.rows[second]
        ends = np.stack([x[a], y[a], x[b], y[b]], axis=1)
        width = self.image.frame.beam_width_pixels(self.image.beam)
        length = np.hypot(ends[:, 2] - ends[:, 0], ends[:, 3] - ends[:, 1])
        count = np.clip(np.ceil(length / (STEP * width)).astype(np.int64) + 1, 3, MANY)
        owned = _Owned(self.catalogue)
        parts: list[tuple[Floats, Floats, Floats]] = []
        block = np.cumsum(count * len(LINES)) // AT_ONCE
        for one in range(int(block[-1]) + 1 if len(block) else 0):
            here = block == one
            parts.append(self._look(ends[here], length[here], count[here], width, owned, a[here], b[here]))
        mean, error, gap = (
            (np.concatenate(each) for each in zip(*parts, strict=True)) if parts else (np.empty(0),) * 3
        )
        scale = np.sqrt(self.image.frame.pixel_area)
        return Bridges(mean, error, gap * scale)

    def _look(
        self, ends: Floats, length: Floats, count: Ints, width: float, owned: _Owned, a: Ints, b: Ints
    ) -> tuple[Floats, Floats, Floats]:
        """Mean, error and gap (pixels) of some pairs."""
        n, lines = len(ends), len(LINES)
        strip = np.repeat(np.arange(n * lines), np.repeat(count, lines))  # pair and line of each sample
        pair = strip // lines
        first = np.cumsum(np.repeat(count, lines)) - np.repeat(count, lines)
        t = (np.arange(len(strip)) - first[strip]) / (count[pair] - 1)  # 0 at the one, 1 at the other
        side = np.asarray(LINES)[strip % lines] * width / 3.0
        step = ends[:, 2:] - ends[:, :2]
        unit = step / np.maximum(length, 1e-9)[:, None]
        px = ends[pair, 0] + t * step[pair, 0] - side * unit[pair, 1]
        py = ends[pair, 1] + t * step[pair, 1] + side * unit[pair, 0]
        ny, nx = self.image.shape
        px, py = np.rint(px).astype(np.int64), np.rint(py).astype(np.int64)
        inside = (px >= 0) & (px < nx) & (py >= 0) & (py < ny)
        label = np.where(inside, _labels(self.mask, px, py), 0)
        on_a, on_b = owned(a[pair], label), owned(b[pair], label)
        middle = strip % lines == lines // 2
        free = middle & ~on_a & ~on_b
        gap = np.bincount(pair[free], minlength=n) * length / count
        edge = CLEAR * width / np.maximum(length, 1e-9)
        start, stop = np.zeros(n * lines), np.ones(n * lines)
        np.maximum.at(start, strip[on_a], t[on_a])
        np.minimum.at(stop, strip[on_b], t[on_b])
        used = inside & (label == 0) & (t > start[strip] + edge[pair]) & (t < stop[strip] - edge[pair])
        value, rms = self._read(px[used], py[used])
        seen = np.isfinite(value)
        of = pair[used][seen]
        number = np.bincount(of, minlength=n).astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.bincount(of, value[seen], n) / number
            noise = np.sqrt(np.bincount(of, rms[seen] ** 2, n) / number)
            spacing = length / (count - 1)
            alike = max(
                float(self.noise.mesh.correlation.sum()), self.image.frame.beam_area_pixels(self.image.beam)
            )
            independent = np.maximum(number * spacing * width / lines / alike, 1.0)
        enough = number >= lines
        return np.where(enough, mean, np.nan), np.where(enough, noise / np.sqrt(independent), np.nan), gap

    def _read(self, x: Ints, y: Ints) -> tuple[Floats, Floats]:
        """Brightness above the level and noise at pixels; NaN where there are no data."""
        value, rms = np.full(len(x), np.nan), np.full(len(x), np.nan)
        if not len(x):
            return value, rms
        tiles = Tiling(Box.of(self.image.shape), self.crew.tile)
        height, width = tiles.steps
        number = (y // height) * (-(-self.image.shape[1] // width)) + x // width
        order = np.argsort(number, kind="stable")
        cuts = np.flatnonzero(np.diff(number[order])) + 1
        groups: Sequence[Ints] = np.split(order, cuts)
        tasks = [(x[one], y[one]) for one in groups]
        for one, found in zip(
            groups, self.crew.map("bridges", partial(_pixels, self.image, self.noise), tasks), strict=True
        ):
            value[one], rms[one] = found
        return value, rms


def _pixels(image: SkyImage, noise: Noise, places: tuple[Ints, Ints]) -> tuple[Floats, Floats]:
    """Brightness above the level and noise at pixels of one neighbourhood."""
    x, y = places
    box = Box(int(y.min()), int(y.max()) + 1, int(x.min()), int(x.max()) + 1)
    tile = noise.tile(image, box)
    at = (y - box.y0, x - box.x0)
    return (tile.data[at] - tile.level[at]).astype(np.float64), tile.rms[at].astype(np.float64)


def _labels(mask: Mask, x: Ints, y: Ints) -> Ints:
    """The label at each pixel, 0 for none."""
    if not len(mask.row):
        return np.zeros(len(x), np.int64)
    nx = mask.shape[1]
    at = np.searchsorted(mask.row * nx + mask.start, y * nx + x, side="right") - 1
    kept = np.maximum(at, 0)
    on = (at >= 0) & (mask.row[kept] == y) & (mask.stop[kept] > x)
    return np.where(on, mask.label[kept], 0)


class _Owned:
    """Whether an island holds a part of a source."""

    def __init__(self, catalogue: Catalogue) -> None:
        row, island = islands_of(catalogue)
        self.most = int(island.max(initial=0)) + 1
        self.keys = np.unique(row * self.most + island)

    def __call__(self, source: Ints, label: Ints) -> npt.NDArray[np.bool_]:
        key = source * self.most + np.minimum(label, self.most - 1)
        at = np.minimum(np.searchsorted(self.keys, key), max(len(self.keys) - 1, 0))
        return (label > 0) & (label < self.most) & (self.keys[at] == key) if len(self.keys) else label < 0
