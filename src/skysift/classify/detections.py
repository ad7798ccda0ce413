"""`made_detections`: stamps of what a finder finds in made maps with artefacts, and which of it is real."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import OptionError
from skysift.base.parallel import ALONE, Crew
from skysift.base.random import generator
from skysift.classify.options import DetectionsOptions
from skysift.find.run import make_finder, search
from skysift.sim.simulating import simulate
from skysift.sky.image import SkyImage
from skysift.sky.truth import Truth

__all__ = ["MadeDetections", "brightest_true", "cut", "made_detections", "refuse_ranges"]

Pixels = NDArray[np.float32]

_KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "snapshot": ("continuum", {"array": "vla-b", "frequency": 1.4e9, "hours": 0.2}),
    "deep": ("continuum", {"hours": 100.0}),
    "galactic": ("galactic", {"diffuse": 0.0}),
}
_BEAM = {"snapshot": 8.0}  # arcsec


@dataclass(frozen=True, eq=False)
class MadeDetections:
    """
    What was found.

    Attributes
    ----------
    pixels
        (row, y, x) Jy/beam, NaN beyond the map.
    real
        Whether each is.
    field
        Number of its map.
    snr
        Of its peak.
    inverted
        Whether it was found upside down.
    beam
        FWHM of the beam of its map (pixel).
    """

    pixels: Pixels
    real: NDArray[np.bool_]
    field: NDArray[np.int64]
    snr: NDArray[np.float64]
    inverted: NDArray[np.bool_]
    beam: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.real)


def refuse_ranges(options: DetectionsOptions) -> None:
    """Refuse ranges that do not rise.

    Raises
    ------
    OptionError
        One does not.
    """
    for name in ("amplitude_error", "phase_error", "clean_residual"):
        low, high = getattr(options, name)
        if not 0.0 < low <= high:
            raise OptionError(f"{name} is two numbers above 0, the smaller first", got=f"{low}, {high}")
    if not options.kinds:
        raise OptionError("there is no kind of map", allowed=sorted(_KINDS))


def made_detections(options: DetectionsOptions, crew: Crew = ALONE) -> MadeDetections:
    """Detections of all maps, map after map.

    Raises
    ------
    OptionError
        A range does not rise.
    """
    refuse_ranges(options)
    parts = list(crew.map("fields", partial(_field, options), list(range(options.fields))))
    names = MadeDetections.__dataclass_fields__
    return MadeDetections(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _field(options: DetectionsOptions, number: int) -> MadeDetections:
    """The detections of one map."""
    rng = generator(options.random_seed, "detections", str(number))
    kind = options.kinds[number % len(options.kinds)]
    simulator, chosen = _KINDS[kind]

    def drawn(name: str) -> float:
        low, high = getattr(options, name)
        return float(math.exp(rng.uniform(math.log(low), math.log(high))))

    errors = {name: drawn(name) for name in ("amplitude_error", "phase_error", "clean_residual")}
    geometry: dict[str, Any] = {}
    samples = float(rng.uniform(3.0, 5.0))
    if kind in _BEAM:
        geometry = {"beam": _BEAM[kind], "pixel": _BEAM[kind] / samples}
    ((image, truth),) = simulate(
        simulator,
        workers=1,
        n_pixels=options.n_pixels,
        random_seed=int(rng.integers(2**31)),
        glitches=float(rng.choice((0.0, 0.05))),
        artefacts=True,
        **{**chosen, **geometry, **errors},
    )
    data = np.asarray(image.read(), np.float32)
    rms = float(np.nanmedian(truth.sources["rms"])) if len(truth.sources) else float(np.nanstd(data))
    if rng.random() < options.stripes:
        assert image.beam is not None
        wide = image.beam.major / min(image.frame.scale)
        data = np.asarray(data + _stripes(image.shape, rms, wide, rng), np.float32)
    true = brightest_true(truth, data.shape)
    parts = [_found(data, image, true, options, number)]
    if options.inverted:
        parts.append(_found(-data, image, np.zeros_like(true), options, number, inverted=True))
    names = MadeDetections.__dataclass_fields__
    return MadeDetections(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _stripes(shape: tuple[int, int], rms: float, beam: float, rng: np.random.Generator) -> Pixels:
    """Waves across a part of the map, as bad baselines leave them."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    total = np.zeros(shape)
    for _ in range(int(rng.integers(1, 4))):
        angle, length = rng.uniform(0.0, math.pi), beam * rng.uniform(2.0, 8.0)
        along = x * math.cos(angle) + y * math.sin(angle)
        middle = rng.uniform(0.2, 0.8, 2) * shape
        far = np.hypot(y - middle[0], x - middle[1]) / (rng.uniform(0.15, 0.5) * max(shape))
        wave = np.sin(2.0 * math.pi * along / length + rng.uniform(0.0, 2.0 * math.pi))
        total += rng.uniform(2.0, 6.0) * rms * wave * np.exp(-0.5 * far**2)
    return total.astype(np.float32)


def brightest_true(truth: Truth, shape: tuple[int, int]) -> Pixels:
    """At each pixel the peak of the brightest true object whose mask lies there or beside it; 0 where there is none."""
    from scipy.ndimage import maximum_filter  # late: only here

    rows, prints = truth.sources, truth.detections.footprints
    good = np.asarray(rows["class"] != "spurious")[prints.index]
    peak = np.nan_to_num(np.asarray(rows["flux_peak"], np.float64))
    top = np.zeros(shape, np.float32)
    row, start, stop, index = (getattr(prints, name)[good] for name in ("row", "start", "stop", "index"))
    length = (stop - start).astype(np.int64)
    first = np.repeat(np.cumsum(length) - length, length)
    x = np.repeat(start, length) + np.arange(length.sum()) - first
    np.maximum.at(top, (np.repeat(row, length), x), np.repeat(peak[index], length).astype(np.float32))
    return np.asarray(maximum_filter(top, 3), np.float32)


def _found(
    data: Pixels,
    image: SkyImage,
    true: Pixels,
    options: DetectionsOptions,
    number: int,
    *,
    inverted: bool = False,
) -> MadeDetections:
    assert image.beam is not None
    map_of = SkyImage.from_array(
        data, beam=image.beam, frame=image.frame, frequency=image.frequency, name=f"field {number}"
    )
    finding = search(map_of, make_finder(options.finder, seed=options.seed))
    rows = finding.catalogue.sources
    y, x = (
        np.clip(np.round(np.asarray(rows[name], np.float64)).astype(np.int64), 0, n - 1)
        for name, n in zip("yx", data.shape, strict=True)
    )
    peak = np.asarray(rows["flux_peak"], np.float64)
    return MadeDetections(
        cut(data, y, x, options.size),
        np.asarray(true[y, x] > options.real * peak),
        np.full(len(y), number, np.int64),
        np.asarray(rows["snr"], np.float64),
        np.full(len(y), inverted),
        np.full(len(y), image.frame.beam_width_pixels(image.beam)),
    )


def cut(data: Pixels, y: NDArray[np.int64], x: NDArray[np.int64], size: int) -> Pixels:
    """Stamps (row, y, x) about pixels of a map; NaN beyond it."""
    half = size // 2
    wide = np.pad(np.asarray(data, np.float32), size, constant_values=np.nan)
    at = np.arange(size) - half + size
    return np.asarray(wide[(y[:, None] + at)[:, :, None], (x[:, None] + at)[:, None, :]])
