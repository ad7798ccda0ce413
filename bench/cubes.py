"""What the learned finder for cubes finds, beside smoothing with a bank of kernels and thresholding.

``python -m bench.cubes`` trains a small network on made cubes and prints `bench/cubes.md`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from skysift.find.neural.shapes import beam_width
from skysift.find.neural.yolo.cubelearner import CubeLearner
from skysift.find.neural.yolo.options import CubeOptions
from skysift.learn.checkpoint import Card, write_checkpoint
from skysift.learn.loop import train
from skysift.learn.options import TrainOptions
from skysift.sim.cubes import LineCube, make_lines
from skysift.sim.options import LineCubeOptions
from skysift.sky.box import Box
from skysift.sky.detections import Detections

Floats = NDArray[np.float64]

WIDE = (0.0, 1.0, 2.0)  # beams: kernels on the sky (FWHM)
DEEP = (1, 3, 7, 13, 25)  # channels: kernels along the spectrum (boxes)
BINS = (3.0, 4.0, 5.0, 6.0, 8.0, 12.0, 40.0)


def made(seed: int, n_pixels: int, density: float = 40.0) -> tuple[LineCube, LineCubeOptions]:
    """A cube whose beam, channels and colour of noise follow from the seed; lines in a million voxels."""
    rng = np.random.default_rng(seed)
    major = rng.uniform(3.0, 7.0)
    options = LineCubeOptions(
        n_pixels=n_pixels,
        n_channels=n_pixels,
        n_lines=round(1e-6 * density * n_pixels**3),
        beam_major=major,
        beam_minor=max(2.5, major * rng.uniform(0.6, 1.0)),
        beam_angle=rng.uniform(-90.0, 90.0),
        resolution=rng.uniform(1.0, 3.0),
        noise_width=rng.uniform(0.5, 1.0),
    )
    return make_lines(options, seed), options


def smoothed_and_cut(cube: LineCube, least: float) -> Detections:
    """Peaks of the cube smoothed by each kernel of a bank, over its own noise; the best of those that are one line."""
    z = (cube.data / cube.noise[:, None, None]).astype(np.float64)
    width = beam_width(cube.beam)
    rows = []
    for wide in WIDE:
        on_sky = (
            ndimage.gaussian_filter(z, (0.0, *(wide * width / 2.3548,) * 2), mode="constant") if wide else z
        )
        for deep in DEEP:
            both = ndimage.uniform_filter1d(on_sky, deep, axis=0, mode="constant") if deep > 1 else on_sky
            sigma = 1.4826 * np.median(np.abs(both - np.median(both)))
            snr = both / sigma
            top = ndimage.maximum_filter(snr, (max(deep, 3), 3, 3), mode="constant", cval=-np.inf)
            at = np.argwhere((snr == top) & (snr >= least))
            rows.append(
                np.column_stack(
                    [
                        snr[tuple(at.T)],
                        at,
                        np.full(len(at), width * np.hypot(1.0, wide)),
                        np.full(len(at), deep),
                    ]
                )
            )
    every = np.concatenate(rows)
    every = every[np.argsort(-every[:, 0], kind="stable")]
    kept: list[Floats] = []
    for row in every:
        same = any(
            np.hypot(row[2] - other[2], row[3] - other[3]) <= max(row[4], other[4])
            and abs(row[1] - other[1]) <= 0.5 * (max(row[5], 3.0) + max(other[5], 3.0))
            for other in kept
        )
        if not same:
            kept.append(row)
    table = np.array(kept).reshape(-1, 6)
    corner = table[:, 2:4].astype(np.int64)
    boxes = np.stack([corner[:, 0], corner[:, 0] + 1, corner[:, 1], corner[:, 1] + 1], axis=1)
    raw = {"channel": table[:, 1], "y": table[:, 2], "x": table[:, 3]}
    return Detections(boxes, table[:, 0], raw=raw)


def trained(folder: Path, steps: int, n_cubes: int, seed: int) -> tuple[Path, dict[str, float]]:
    """Weights that were trained on cubes of the seeds from 1 on, and what the validation gave."""
    fields = [made(each, 96, 80.0)[0].field(f"made-{each}") for each in range(1, n_cubes + 1)]
    for each in (501, 502):
        cube, _ = made(each, 96)
        fields.append(cube.field(f"made-{each}", held=Box(0, 96, 0, 96)))
    learner = CubeLearner(CubeOptions())
    how = TrainOptions(
        steps=steps, batch=8, crop=32, learning_rate=2e-3, validate_every=max(steps // 4, 1), average=0.995,
        random_seed=seed,
    )  # fmt: skip
    done = train(learner, fields, how, folder, device=torch.device("cpu"))
    path = folder / "cubes.safetensors"
    card = Card(
        learner.name, "cubes", "lines in cubes", learner.options.to_dict(), numbers=done.numbers,
        settings={"threshold": done.numbers["threshold"]},
    )  # fmt: skip
    write_checkpoint(path, done.weights, card)
    return path, dict(done.numbers)
