"""`find_lines`: the lines that a network finds in a cube, given as an array with its noise and its beam."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skysift.base.errors import UsageError
from skysift.find.neural.yolo.gridlook import CubeDetector
from skysift.find.neural.yolo.options import CubeOptions
from skysift.learn.checkpoint import load_into
from skysift.learn.engine import runner
from skysift.learn.hub import weights_of
from skysift.sky.detections import Detections

__all__ = ["MODEL", "find_lines", "lines_in"]

Floats: TypeAlias = NDArray[np.float64]
Pixels: TypeAlias = NDArray[np.float32]
Run: TypeAlias = Callable[[dict[str, Pixels]], Pixels]

MODEL = "yolo-cube"
_STEP = 96  # voxels along each axis that a window answers for at most; a multiple of all cells


def find_lines(
    cube: ArrayLike,
    noise: ArrayLike,
    beam: Sequence[float],
    weights: str,
    *,
    threshold: float | None = None,
    device: str = "cpu",
    precision: str = "float32",
) -> Detections:
    """
    Lines in a cube, the best first, with the raw parameters `skysift.find.neural.yolo.lines.LINES`.

    Parameters
    ----------
    cube
        ``(channel, y, x)``, the continuum taken off; NaN where there are no data.
    noise
        Its rms: a number, one a channel, or one a voxel.
    beam
        Covariance of the beam (xx, xy, yy; pixels squared).
    weights
        A file of weights of the model ``yolo-cube``.
    threshold
        Score below which nothing is told; None for that of the weights.
    device
        Where the network runs: cpu, cuda, cuda:N or auto.
    precision
        float32, bfloat16 or auto.

    Raises
    ------
    UsageError
        The weights are of another model, or cube, noise and beam do not go together.
    DataError
        The weights are broken.
    """
    stored = weights_of(weights)
    if stored.card.model != MODEL:
        raise UsageError(
            f"{stored.path.name} does not look through cubes",
            got=f"model {stored.card.model}",
            allowed=f"weights of the model {MODEL}",
            todo="train some with skysift.learn.loop.train and CubeLearner",
        )
    detector = CubeDetector(CubeOptions.parse(stored.card.options))
    net = detector.net()
    load_into(net, stored)
    run = runner(net.eval(), "torch", example={}, key="", device=device, precision=precision)
    z, told = _significance(cube, noise), _beam(beam)
    least = stored.card.threshold if threshold is None else threshold
    return lines_in(z, told, detector, run, least)


def lines_in(z: Pixels, beam: Floats, detector: CubeDetector, run: Run, least: float) -> Detections:
    """
    Lines in a cube in units of its noise, the best first, without doubles.

    Parameters
    ----------
    z
        ``(channel, y, x)``; NaN where there are no data.
    beam
        ``(3,)`` covariance (pixels squared).
    detector, run
        What answers mean, and how they are got: inputs by name -> answer ``(1, part, z, y, x)``.
    least
        Score below which nothing is told.
    """
    parts = [detector.nothing()]
    shape = np.array(z.shape)
    for core in _cores(shape, detector.multiple):
        low, high = core[0] - detector.margin, core[1] + detector.margin
        inside = np.stack([np.maximum(low, 0), np.minimum(high, shape)])
        window = np.full(high - low, np.nan, np.float32)
        there = tuple(slice(a, b) for a, b in (inside - low).T)
        window[there] = z[tuple(slice(a, b) for a, b in inside.T)]
        if not np.isfinite(window).any():
            continue
        found = detector.found(run(detector.inputs(window, beam))[0], window, beam, least)
        at = np.stack([found["channel"], found["y"], found["x"]], axis=1) + low
        mine = ((at >= core[0] - 0.5) & (at < np.minimum(core[1], shape) - 0.5)).all(axis=1)
        raw = {**found.raw, "channel": at[:, 0], "y": at[:, 1], "x": at[:, 2]}
        moved = found.shift(int(low[1]), int(low[2]))
        parts.append(Detections(moved.boxes, moved.scores, moved.footprints, raw).select(mine))
    return detector.single(Detections.concat(parts), beam)


def _cores(shape: NDArray[np.int64], multiple: int) -> Iterator[NDArray[np.int64]]:
    """First and last voxels ``(2, axis)`` of what covers a cube once, anchored to its first voxel."""
    step = np.minimum(_STEP, -(-shape // multiple) * multiple)
    for first in product(*(range(0, side, each) for side, each in zip(shape, step, strict=True))):
        yield np.stack([np.array(first), np.array(first) + step])


def _significance(cube: ArrayLike, noise: ArrayLike) -> Pixels:
    """A cube in units of its noise; NaN where either is not known."""
    values, rms = np.asarray(cube, np.float32), np.asarray(noise, np.float64)
    if values.ndim != 3 or not values.size:
        raise UsageError("a cube has three axes", got=f"shape {values.shape}", allowed="(channel, y, x)")
    if rms.ndim == 1:
        rms = rms[:, None, None]
    if rms.ndim not in (0, 3) or any(
        a not in (1, b) for a, b in zip(rms.shape, values.shape, strict=rms.ndim == 3)
    ):
        raise UsageError(
            "the noise does not go with the cube",
            got=f"shape {np.shape(noise)}",
            allowed=f"a number, {len(values)} of them (one a channel), or {values.shape}",
        )
    if np.any(rms < 0.0):
        raise UsageError("noise is not below 0", got=float(np.nanmin(rms)), allowed="an rms, above 0")
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.asarray(values / rms, np.float32)
    return np.where(np.isfinite(z), z, np.float32(np.nan))


def _beam(beam: Sequence[float]) -> Floats:
    """The covariance of a beam."""
    told = np.asarray(beam, np.float64)
    if told.shape != (3,) or not (told[0] > 0.0 and told[0] * told[2] - told[1] ** 2 > 0.0):
        raise UsageError(
            "the beam is not one",
            got=list(np.ravel(told)),
            allowed="xx, xy, yy of its covariance (pixels squared)",
        )
    return told
