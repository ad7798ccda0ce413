"""`Preparation`: how pixels become what a network reads, in a declared order that is stored with every model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import DataError, OptionError
from skysift.learn.options import PreparationOptions
from skysift.learn.scale_options import PRESETS, parse_steps

__all__ = ["Preparation", "noise_of", "prepare", "rms_of"]

Pixels: TypeAlias = NDArray[np.float32]
Floats: TypeAlias = NDArray[np.float64]

_SAMPLES = 600  # of a picture that zscale looks at


@dataclass(frozen=True)
class Preparation:
    """
    How pixels become what a network reads.

    Pictures are binned about their middle pixel, level and noise of the sky are measured on all of each, it is cut to
    the size of the network's input, and the steps follow in their order. What is blank becomes 0.

    Attributes
    ----------
    preset
        Name of a list of steps; "own" where `steps` are given.
    size
        Side of what the network reads (pixel).
    bin
        Pixels along the side of a square whose mean becomes one.
    steps
        As `skysift.learn.scale_options` declares them; by default those of the preset.
    """

    preset: str = "asinh"
    size: int = 48
    bin: int = 2
    steps: str = ""

    def __post_init__(self) -> None:
        if not self.steps:
            if self.preset not in PRESETS:
                raise OptionError("no such preset of a preparation", got=self.preset, allowed=sorted(PRESETS))
            object.__setattr__(self, "steps", PRESETS[self.preset])
        for name, value in (("size", self.size), ("bin", self.bin)):
            if value < 1:
                raise OptionError(f"{name} of a preparation is too small", got=value, allowed="1 or more")
        parse_steps(self.steps)

    @classmethod
    def of(cls, options: PreparationOptions) -> Preparation:
        """What a menu chooses."""
        return cls("own" if options.steps else options.preset, options.size, options.bin, options.steps)

    @property
    def recipes(self) -> int:
        """Channels that are made of each band."""
        return len(parse_steps(self.steps))

    def channels(self, bands: int | Sequence[str]) -> int:
        """Channels that pictures of so many bands have for the network."""
        return self.recipes * (bands if isinstance(bands, int) else len(bands))

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-safe values; the steps themselves too, should a preset ever change."""
        return {"preset": self.preset, "size": self.size, "bin": self.bin, "steps": self.steps}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preparation:
        """The preparation that `to_dict` told of.

        Raises
        ------
        DataError
            Something is not known.
        """
        try:
            return cls(**values)
        except (TypeError, OptionError) as error:
            raise DataError(
                "the preparation of these weights is not known",
                got=str(dict(values)),
                allowed="preset, size, bin, steps",
                todo="update skysift, or take weights made for this version",
            ) from error


_Sky: TypeAlias = tuple[Floats, Floats]
"""Level and noise of each band of each picture."""


def prepare(pixels: Pixels | Floats, preparation: Preparation) -> Pixels:
    """
    What a network reads of pictures: (row, channel, y, x), float32, finite.

    Parameters
    ----------
    pixels
        (row, band, y, x), NaN where there are no data.
    preparation
        How; channels of the first list of steps come first, each of all bands.
    """
    values = _binned(pixels, preparation.bin)
    made = _stepped(_centred(values, preparation.size), noise_of(values), preparation)
    return np.nan_to_num(made, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32)


def _stepped(values: Floats, sky: _Sky, preparation: Preparation) -> Floats:
    """What the steps make of pictures whose level and noise are known: (row, channel, y, x)."""
    out = []
    for steps in parse_steps(preparation.steps):
        made = values
        for name, numbers in steps:
            made = _STEPS[name](made, sky, *numbers)
        out.append(made)
    return np.concatenate(out, axis=1)


def rms_of(pixels: Pixels, preparation: Preparation, chance: np.random.Generator) -> Pixels:
    """What noise of one sigma of each picture becomes in what a network reads: (row, channel); 0 where it has no noise.

    Parameters
    ----------
    pixels
        (row, band, y, x), NaN where there are no data.
    preparation
        How they become that.
    chance
        What noise is drawn from: a thousandth of a sigma of it is added, and what that changes is measured.
    """
    values = _binned(pixels, preparation.bin)
    sky = noise_of(values)
    cut = _centred(values, preparation.size)
    little = 1e-3 * sky[1] * chance.standard_normal(cut.shape)
    above, below = (_stepped(each, sky, preparation) for each in (cut + little, cut - little))
    changed = np.nan_to_num(500.0 * (above - below), nan=0.0, posinf=0.0, neginf=0.0)
    spread: Pixels = changed.std(axis=(2, 3)).astype(np.float32)
    return spread


def noise_of(values: Floats) -> tuple[Floats, Floats]:
    """Level and noise of the sky in each band: (row, band, 1, 1); what is 3 sigma away is left out, five times over.

    The noise is half the distance of the 16th from the 84th percentile of what is left.
    """
    rows, bands = values.shape[:2]
    flat = np.sort(values.reshape(rows * bands, -1), axis=1)  # NaN last
    count = np.isfinite(flat).sum(axis=1)
    low, high = np.zeros_like(count), count.copy()
    for _ in range(5):
        level, sigma = _spread(flat, low, high)
        bounds = 3.0 * sigma[:, None]
        low = np.maximum(low, (flat < level[:, None] - bounds).sum(axis=1))
        high = np.minimum(high, (flat <= level[:, None] + bounds).sum(axis=1))
    level, sigma = _spread(flat, low, high)
    return level.reshape(rows, bands, 1, 1), sigma.reshape(rows, bands, 1, 1)


def _spread(flat: Floats, low: NDArray[np.int64], high: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Median and half distance of the 16th from the 84th percentile of a part of sorted rows."""
    at = low[:, None] + np.array([0.15866, 0.5, 0.84134]) * np.maximum(high - low - 1, 0)[:, None]
    left = np.floor(at).astype(np.int64).clip(0, flat.shape[1] - 1)
    right = np.minimum(left + 1, np.maximum(high - 1, 0)[:, None])
    values = np.take_along_axis(flat, left, 1)
    values = values + (at - left) * (np.take_along_axis(flat, right, 1) - values)
    return values[:, 1], 0.5 * (values[:, 2] - values[:, 0])


def _binned(pixels: Pixels | Floats, n: int) -> Floats:
    """Means of n x n pixels, NaN where none holds a number; the middle pixel lies in the middle one."""
    if n == 1:
        return np.where(np.isfinite(pixels), pixels, np.nan).astype(np.float64)
    ny, nx = (max(1, side // n) for side in pixels.shape[-2:])
    cut = _centred(pixels, (ny * n, nx * n))
    total, count = np.zeros((*cut.shape[:2], ny, nx)), np.zeros((*cut.shape[:2], ny, nx), np.int64)
    for y in range(n):
        for x in range(n):
            part = cut[..., y::n, x::n]
            good = np.isfinite(part)
            total += np.where(good, part, 0.0)
            count += good
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _centred(values: Any, size: int | tuple[int, int]) -> Any:
    """Cut, or widened with NaN, about the middle pixel."""
    sides = (size, size) if isinstance(size, int) else size
    if values.shape[-2:] == sides:
        return values
    out = np.full(
        (*values.shape[:2], *sides), np.nan, values.dtype if values.dtype.kind == "f" else np.float64
    )
    (ty, fy, ly), (tx, fx, lx) = (_overlap(n, side) for n, side in zip(values.shape[-2:], sides, strict=True))
    out[..., ty : ty + ly, tx : tx + lx] = values[..., fy : fy + ly, fx : fx + lx]
    return out


def _overlap(n: int, size: int) -> tuple[int, int, int]:
    """First pixel in the new image and in the old one, and how many both have; the middle pixel stays the middle."""
    shift = size // 2 - n // 2
    to, begin = max(shift, 0), max(-shift, 0)
    return to, begin, min(n - begin, size - to)


# -- the steps: (row, band, y, x) and (level, noise) to (row, band, y, x)


def _level(values: Floats, sky: _Sky) -> Floats:
    return values - sky[0]


def _sigma(values: Floats, sky: _Sky) -> Floats:
    return _over(values - sky[0], sky[1])


def _soft_clip(values: Floats, sky: _Sky, n: float) -> Floats:
    return np.maximum(values - sky[0] - n * sky[1], 0.0)


def _floor(values: Floats, sky: _Sky, n: float) -> Floats:
    above = values - sky[0]
    return np.where(above < n * sky[1], 0.0, above)


def _clip(values: Floats, sky: _Sky, low: float, high: float) -> Floats:
    # Where a picture has no noise, as one that was clipped before, it is kept as it is above the level.
    upper = np.where(sky[1] > 0.0, high * sky[1], np.inf)
    return np.clip(values - sky[0], low * sky[1], upper)


def _over(values: Floats, divisor: Floats) -> Floats:
    return values / np.where(np.isfinite(divisor) & (divisor > 0.0), divisor, 1.0)


def _extreme(values: Floats, which: str, axes: tuple[int, ...]) -> Floats:
    fill = -math.inf if which == "max" else math.inf
    return np.asarray(
        getattr(np.where(np.isfinite(values), values, fill), which)(axis=axes, keepdims=True), np.float64
    )


def _max(values: Floats, sky: _Sky) -> Floats:
    del sky
    return _over(values, _extreme(values, "max", (2, 3)))


def _max_of_bands(values: Floats, sky: _Sky) -> Floats:
    del sky
    return _over(values, _extreme(values, "max", (1, 2, 3)))


def _minmax(values: Floats, sky: _Sky) -> Floats:
    del sky
    low, high = (_extreme(values, which, (2, 3)) for which in ("min", "max"))
    return _over(values - np.where(np.isfinite(low), low, 0.0), high - low)


def _standard(values: Floats, sky: _Sky) -> Floats:
    del sky
    good = np.isfinite(values)
    n = np.maximum(good.sum(axis=(2, 3), keepdims=True), 1)
    mean = np.where(good, values, 0.0).sum(axis=(2, 3), keepdims=True) / n
    square = np.where(good, values - mean, 0.0) ** 2
    return _over(values - mean, np.sqrt(square.sum(axis=(2, 3), keepdims=True) / n))


def _zscale(values: Floats, sky: _Sky, contrast: float) -> Floats:
    """IRAF's zscale: a line through the sorted pixels about their median, without what is 2.5 sigma off it."""
    del sky
    rows, bands = values.shape[:2]
    flat = np.sort(values.reshape(rows * bands, -1), axis=1)
    count = np.isfinite(flat).sum(axis=1)
    n = min(_SAMPLES, flat.shape[1])
    at = np.round(np.linspace(0.0, 1.0, n) * np.maximum(count - 1, 0)[:, None]).astype(np.int64)
    sample = np.nan_to_num(np.take_along_axis(flat, at, 1))
    x = np.linspace(-1.0, 1.0, n)[None]
    kept = np.ones(sample.shape, np.bool_)
    slope = np.zeros(len(sample))
    for _ in range(5):
        m = np.maximum(kept.sum(axis=1), 1)
        mean_x, mean_y = (np.where(kept, each, 0.0).sum(axis=1) / m for each in (x, sample))
        dx = np.where(kept, x - mean_x[:, None], 0.0)
        slope = (dx * sample).sum(axis=1) / np.maximum((dx * dx).sum(axis=1), 1e-12)
        off = sample - mean_y[:, None] - slope[:, None] * (x - mean_x[:, None])
        sigma = np.sqrt(np.where(kept, off * off, 0.0).sum(axis=1) / m)
        kept = np.abs(off) <= 2.5 * sigma[:, None]
    enough = kept.sum(axis=1) >= n // 2
    middle = sample[:, n // 2]
    reach = slope / contrast
    low = np.where(enough, np.maximum(sample[:, 0], middle - reach), sample[:, 0])
    high = np.where(enough, np.minimum(sample[:, -1], middle + reach), sample[:, -1])
    flat_image = high <= low  # more than half of the pixels are equal
    low, high = np.where(flat_image, sample[:, 0], low), np.where(flat_image, sample[:, -1], high)
    low, high = (each.reshape(rows, bands, 1, 1) for each in (low, high))
    return np.clip(_over(values - low, high - low), 0.0, 1.0)


def _equalise(values: Floats, sky: _Sky) -> Floats:
    from scipy.stats import rankdata  # late: heavy

    del sky
    flat = values.reshape(*values.shape[:2], -1)
    good = np.isfinite(flat)
    ranks = rankdata(np.where(good, flat, np.inf), method="min", axis=-1) - 1.0
    n = np.maximum(good.sum(axis=-1, keepdims=True) - 1, 1)
    return np.where(good, ranks / n, np.nan).reshape(values.shape)


def _asinh(values: Floats, sky: _Sky, a: float) -> Floats:
    del sky
    return np.arcsinh(a * values) / math.asinh(a)


def _log(values: Floats, sky: _Sky, a: float) -> Floats:
    del sky
    return np.log1p(a * np.maximum(values, 0.0)) / math.log1p(a)


def _sinh(values: Floats, sky: _Sky, a: float) -> Floats:
    del sky
    return np.sinh(a * np.clip(values, -10.0, 10.0)) / math.sinh(a)


def _power(values: Floats, sky: _Sky, gamma: float) -> Floats:
    del sky
    return np.maximum(values, 0.0) ** gamma


_STEPS: Mapping[str, Callable[..., Floats]] = {
    "level": _level,
    "sigma": _sigma,
    "soft_clip": _soft_clip,
    "floor": _floor,
    "clip": _clip,
    "max": _max,
    "max_of_bands": _max_of_bands,
    "minmax": _minmax,
    "standard": _standard,
    "zscale": _zscale,
    "equalise": _equalise,
    "asinh": _asinh,
    "log": _log,
    "sinh": _sinh,
    "power": _power,
}
