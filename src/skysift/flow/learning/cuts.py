"""Cut-outs of maps as pictures: places drawn by chance, about the sources of a map, or about those of a catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.base.parallel import ALONE, Crew
from skysift.base.random import generator
from skysift.find.run import find
from skysift.flow.learning.options import PoolOptions
from skysift.flow.stamp_places import read_places
from skysift.io.open import open_image
from skysift.sky.box import Box
from skysift.sky.image import SkyImage

__all__ = ["CUTS", "Cuts", "cuts_of"]

Floats: TypeAlias = NDArray[np.float64]
Pixels: TypeAlias = NDArray[np.float32]

CUTS = ("random", "sources")
_TRIES = 20  # places that are drawn for each that is wanted


@dataclass(frozen=True, eq=False)
class Cuts:
    """Squares of a map, read when they are asked for.

    Attributes
    ----------
    image
        The map.
    x, y
        The middle pixel of each.
    side
        Pixels along a side.
    """

    image: SkyImage
    x: NDArray[np.int64]
    y: NDArray[np.int64]
    side: int
    bands: tuple[str, ...] = ("map",)

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"Cuts({len(self)} of {self.side} x {self.side} pixels of {self.name})"

    @property
    def name(self) -> str:
        """Of the map."""
        return "map" if self.image.origin is None else Path(self.image.origin.path).name.partition(".")[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Map and middle pixel of each."""
        return tuple(f"{self.name}_{x}_{y}" for x, y in zip(self.x, self.y, strict=True))

    @property
    def good(self) -> NDArray[np.bool_]:
        """All of them."""
        return np.ones(len(self), np.bool_)

    @property
    def facts(self) -> Mapping[str, NDArray[Any]]:
        """Where they are; nothing where the map does not tell."""
        if not self.image.frame.celestial:
            return {}
        ra, dec = self.image.frame.to_sky(self.x.astype(np.float64), self.y.astype(np.float64))
        return {"ra": ra, "dec": dec}

    def batches(self, size: int = 256) -> Iterator[Pixels]:
        """The pixels of all, so many at once: (row, 1, y, x), NaN beyond the map."""
        for start in range(0, len(self), size):
            rows = slice(start, start + size)
            yield np.stack(
                [self._cut(int(x), int(y)) for x, y in zip(self.x[rows], self.y[rows], strict=True)]
            )[:, None]

    def _cut(self, x: int, y: int) -> Pixels:
        out = np.full((self.side, self.side), np.nan, np.float32)
        ny, nx = self.image.shape
        y0, x0 = y - self.side // 2, x - self.side // 2
        ya, yb, xa, xb = max(y0, 0), min(y0 + self.side, ny), max(x0, 0), min(x0 + self.side, nx)
        if yb > ya and xb > xa:
            out[ya - y0 : yb - y0, xa - x0 : xb - x0] = self.image.read(Box(ya, yb, xa, xb))
        return out


def cuts_of(
    maps: Sequence[str | Path],
    how: str,
    side: int,
    options: PoolOptions,
    *,
    random_seed: int = 1,
    crew: Crew = ALONE,
) -> list[Cuts]:
    """
    Cut-outs of maps.

    Parameters
    ----------
    maps
        The files.
    how
        ``random``: places by chance, no two nearer than half a side; ``sources``: those that the classic finder finds,
        the brightest first; else a catalogue, whose sources are cut out of every map that covers them.
    side
        Pixels along a side.
    options
        How many, and which.
    random_seed
        What places are drawn from.
    crew
        Who looks for sources.

    Raises
    ------
    UsageError
        There is neither such a way nor such a catalogue, or no map gives a cut-out.
    """
    if how not in CUTS and not Path(how).exists():
        raise UsageError(
            "there is no such way to cut, nor such a catalogue",
            got=how,
            allowed="random, sources, or a catalogue",
        )
    made = []
    for number, path in enumerate(maps):
        image = open_image(path)
        if how == "random":
            x, y = _by_chance(image, side, options, generator(random_seed, "cuts", str(number)))
        else:
            x, y = _of_sources(image, options, crew) if how == "sources" else _of_catalogue(image, Path(how))
        cuts = Cuts(image, x, y, side)
        made.append(_kept(cuts, options))
    if not any(map(len, made)):
        raise UsageError(
            "no map gives a cut-out",
            got=f"{len(maps)} maps, {how}",
            todo="give maps that the catalogue lies on, a lower pool.seed, or a larger pool.blank",
        )
    return [each for each in made if len(each)]


def _kept(cuts: Cuts, options: PoolOptions) -> Cuts:
    """Those that are not blank to a larger part than is allowed, so many at most."""
    parts = [(~np.isfinite(part[:, 0])).mean(axis=(1, 2)) for part in cuts.batches()]
    share = np.concatenate(parts) if parts else np.empty(0)
    rows = np.flatnonzero(share <= options.blank)[: options.cuts]
    return Cuts(cuts.image, cuts.x[rows], cuts.y[rows], cuts.side)


def _by_chance(
    image: SkyImage, side: int, options: PoolOptions, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places no two of which are nearer than half a side: at most one in each cell of a lattice of that step."""
    ny, nx = image.shape
    n = _TRIES * options.cuts
    x, y = rng.integers(0, nx, n), rng.integers(0, ny, n)
    step = max(1, side // 2)
    cell = (y // (2 * step)) * (nx // (2 * step) + 1) + x // (2 * step)
    inner = (x % (2 * step) < step) & (
        y % (2 * step) < step
    )  # so that neighbours of a lattice are apart as well
    rows = np.flatnonzero(inner)
    _, first = np.unique(cell[rows], return_index=True)
    chosen = rng.permutation(rows[first])
    return x[chosen], y[chosen]


def _of_sources(
    image: SkyImage, options: PoolOptions, crew: Crew
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    table = find(image, "classic", seed=options.seed, workers=crew.workers).sources
    order = np.argsort(-np.nan_to_num(np.asarray(table["flux"], np.float64)), kind="stable")
    return _pixels(np.asarray(table["x"], np.float64)[order], np.asarray(table["y"], np.float64)[order])


def _of_catalogue(image: SkyImage, path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    places = read_places(path, table="sources", radius_column="", columns=())
    x, y = image.frame.to_pixel(places.ra, places.dec)
    ny, nx = image.shape
    inside = (x > -0.5) & (x < nx - 0.5) & (y > -0.5) & (y < ny - 0.5)
    return _pixels(x[inside], y[inside])


def _pixels(x: Floats, y: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    good = np.isfinite(x) & np.isfinite(y)
    return np.round(x[good]).astype(np.int64), np.round(y[good]).astype(np.int64)
