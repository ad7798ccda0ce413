"""`Pictures`: many small images of one size with what is known of each; what classifiers and embeddings read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UnknownName
from skysift.base.provenance import InputRecord

__all__ = ["Pictures", "Pixels", "Store", "centred", "thumbnail"]

Pixels: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int64]


class Store(Protocol):
    """Where pixels are; they are read when they are asked for."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Number of pictures, bands, rows and columns."""

    def read(self, rows: Ints) -> Pixels:
        """Some of them: (row, band, y, x); NaN where there are no data, all NaN where one cannot be read."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """
    Small images of one size.

    Attributes
    ----------
    names
        One each.
    bands
        What each plane of a picture is.
    store
        The pixels.
    rows
        Which pictures of the store these are.
    facts
        What is known of each, by column: ``label``, ``ra`` and ``dec`` (ICRS, deg), ``split`` ...
    errors
        What is wrong with each; empty where nothing is.
    scale
        Size of a pixel (arcsec); NaN where it is not known.
    unit
        Of the pixels; empty where it is not known.
    band_units
        (picture, band) where each says its own: a band keeps one that cannot be converted. Empty where it has none.
    band_beams
        (picture, band) FWHM (arcsec) where each says its own; NaN where it is not known.
    origin
        What they were read from.
    notes
        What is worth telling of the set, one line each.
    """

    names: tuple[str, ...]
    bands: tuple[str, ...]
    store: Store
    rows: Ints
    facts: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    scale: float = float("nan")
    unit: str = ""
    band_units: NDArray[np.str_] | None = None
    band_beams: NDArray[np.float64] | None = None
    origin: InputRecord | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.errors:
            object.__setattr__(self, "errors", ("",) * len(self.names))

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        n, bands, ny, nx = len(self), *self.store.shape[1:]
        return f"Pictures({n} of {ny} x {nx} pixels, {bands} bands: {', '.join(self.bands)})"

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Number of pictures, bands, rows and columns."""
        return (len(self), *self.store.shape[1:])

    @property
    def good(self) -> NDArray[np.bool_]:
        """Which of them can be read."""
        return np.array([not each for each in self.errors], np.bool_)

    def read(self, rows: Sequence[int] | Ints | slice = slice(None)) -> Pixels:
        """Pixels of some: (row, band, y, x), float32; NaN where there are no data."""
        return self.store.read(self.rows[rows])

    def batches(self, size: int = 256) -> Iterator[Pixels]:
        """The pixels of all, so many at once."""
        for start in range(0, len(self), size):
            yield self.read(slice(start, start + size))

    def select(self, chosen: Sequence[int] | Ints | NDArray[np.bool_]) -> Pictures:
        """Some of them, by number or by a mask."""
        at = np.arange(len(self))[np.asarray(chosen)] if len(chosen) else np.empty(0, np.int64)
        return replace(
            self,
            names=tuple(self.names[k] for k in at),
            rows=self.rows[at],
            facts={name: values[at] for name, values in self.facts.items()},
            errors=tuple(self.errors[k] for k in at),
            band_units=None if self.band_units is None else self.band_units[at],
            band_beams=None if self.band_beams is None else self.band_beams[at],
        )

    def with_facts(self, **facts: NDArray[Any]) -> Pictures:
        """The same with further columns, or others in their place."""
        return replace(self, facts={**self.facts, **facts})

    def beams(self, usual: float | None = None, band: int = 0) -> NDArray[np.float64]:
        """FWHM of the beam of each (arcsec), the mean of both axes by area; NaN where it is not known.

        Parameters
        ----------
        usual
            That of pictures which do not say it.
        band
            Whose beam it is where the bands of a picture have no common one.
        """
        beams = np.full(len(self), np.nan)
        if "beam_major" in self.facts:
            major, minor = (np.asarray(self.facts[f"beam_{axis}"], np.float64) for axis in ("major", "minor"))
            with np.errstate(invalid="ignore"):
                beams = np.sqrt(major * minor)
        if self.band_beams is not None:
            beams = np.where(beams > 0, beams, self.band_beams[:, band])
        return beams if usual is None else np.where(beams > 0, beams, usual)

    def beams_of_bands(self, usual: float | None = None) -> NDArray[np.float64]:
        """FWHM of the beam of each band of each (picture, band), arcsec; NaN where it is not known; `usual` as above."""
        if self.band_beams is None:
            return np.repeat(self.beams(usual)[:, None], len(self.bands), axis=1)
        return self.band_beams if usual is None else np.where(self.band_beams > 0, self.band_beams, usual)

    def unit_of_band(self, band: int) -> str:
        """The unit that most of the pictures have in a band; empty where it is not known."""
        if self.band_units is None:
            return self.unit
        told = Counter(str(each) for each in self.band_units[:, band] if each)
        return max(sorted(told), key=lambda unit: told[unit], default=self.unit)

    def labels(self, column: str = "label") -> tuple[str, ...]:
        """A column as texts, one a picture; empty where nothing is said.

        Raises
        ------
        UnknownName
            There is no such column.
        """
        if column not in self.facts:
            raise UnknownName(
                "the pictures have no such column",
                got=column,
                allowed=sorted(self.facts),
                todo="name the column, or give a table of labels (name,label)",
            )
        return tuple(str(each).strip() for each in self.facts[column])


def thumbnail(image: Pixels, side: int) -> Pixels:
    """A picture of a fixed size: nearest pixels where it is smaller, means of blocks where it is larger.

    Parameters
    ----------
    image
        (..., y, x).
    side
        Of the new picture.
    """
    if not image.size:
        return np.full((*image.shape[:-2], side, side), np.nan, np.float32)
    block = max(1, min(image.shape[-2:]) // side)
    if block > 1:
        ny, nx = (n // block * block for n in image.shape[-2:])
        cut = image[..., :ny, :nx].reshape(*image.shape[:-2], ny // block, block, nx // block, block)
        count = np.isfinite(cut).sum(axis=(-3, -1))
        total = np.where(np.isfinite(cut), cut, 0.0).sum(axis=(-3, -1))
        image = np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
    rows, columns = (np.arange(side) * n // side for n in image.shape[-2:])
    return np.asarray(image[..., rows, :][..., columns], np.float32)


def centred(pixels: Pixels, size: int) -> Pixels:
    """Images about the same middle with so many pixels along the side: cut, or with NaN around.

    Parameters
    ----------
    pixels
        (..., y, x).
    size
        Of the new side.
    """
    ny, nx = pixels.shape[-2:]
    if (ny, nx) == (size, size):
        return pixels
    out = np.full((*pixels.shape[:-2], size, size), np.nan, np.float32)
    (ty, fy, ly), (tx, fx, lx) = (_overlap(n, size) for n in (ny, nx))
    out[..., ty : ty + ly, tx : tx + lx] = pixels[..., fy : fy + ly, fx : fx + lx]
    return out


def _overlap(n: int, size: int) -> tuple[int, int, int]:
    """First pixel in the new image and in the old one, and how many both have; the middle pixel stays the middle."""
    shift = size // 2 - n // 2
    to, begin = max(shift, 0), max(-shift, 0)
    return to, begin, min(n - begin, size - to)
