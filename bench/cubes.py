"""What the learned finder for cubes finds, beside smoothing with a bank of kernels and thresholding.

``python -m bench.cubes`` trains a small network on made cubes and prints `bench/cubes.md`.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from skysift.find.neural.shapes import beam_width
from skysift.find.neural.yolo.cubelearner import CubeLearner, matched_lines
from skysift.find.neural.yolo.cubes import find_lines
from skysift.find.neural.yolo.options import CubeOptions
from skysift.learn.checkpoint import Card, write_checkpoint
from skysift.learn.hub import weights_of
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
        steps=steps, batch=2, crop=64, learning_rate=2e-3, validate_every=max(steps // 4, 1), average=0.995,
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


TOLD = """## Lines in cubes

Made by `python -m bench.cubes{how}` (CPU, one thread). Cubes of
`skysift.sim.cubes.make_lines`: rotating discs in noise of 1, beams of 3 to 7 pixels; beam, channels and colour of noise
follow from the seed of each cube. Trained on seeds 1 to {n_cubes}, 96 x 96 x 96 voxels each with {dense} lines,
{steps} steps of 2 crops of 64 x 64 x 64 ({cpu}); judged on seeds {first} to {last}
with {n_true} lines that were never seen. Signal over noise is that of a line's flux in its beams and channels. A match
lies within a beam (half of its size where that is more) and half of its width along the channels; each line counts once.

The peer smooths with Gaussians of {wide} beams on the sky and boxes of {deep} channels, in units of
the noise of each smoothed cube, and takes peaks, the best of those that are one line. Thresholds of both are the lowest
with the purity that is stated, on the judged cubes themselves; "own" is the threshold of the card.

"""


def numbers(lists: list[tuple[Detections, NDArray[np.int64], LineCube]], threshold: float) -> list[str]:
    """Purity, number of detections, and completeness in each bin of signal over noise, as cells of a table."""
    snr = np.concatenate([cube.lines["snr"] for *_, cube in lists])
    seen = np.concatenate(
        [
            np.isin(np.arange(len(cube.lines["x"])), row[found.scores >= threshold])
            for found, row, cube in lists
        ]
    )
    told = np.concatenate([row[found.scores >= threshold] for found, row, _ in lists])
    bins = [(snr >= low) & (snr < high) for low, high in pairwise(BINS)]
    return [
        f"{threshold:.2f}",
        str(len(told)),
        f"{(told >= 0).mean():.3f}" if len(told) else "-",
        *(f"{seen[each].mean():.2f}" for each in (*bins, snr >= 5.0)),
    ]


def threshold_of(lists: list[tuple[Detections, NDArray[np.int64], LineCube]], purity: float) -> float:
    """The lowest score from which on the detections have this purity."""
    score = np.concatenate([found.scores for found, *_ in lists])
    good = np.concatenate([row >= 0 for _, row, _ in lists])
    order = np.argsort(-score, kind="stable")
    pure = np.cumsum(good[order]) / np.arange(1, len(order) + 1) >= purity
    return float(score[order][np.flatnonzero(pure).max()]) if pure.any() else float("inf")


def parameters(lists: list[tuple[Detections, NDArray[np.int64], LineCube]], least: float) -> list[str]:
    """Median errors of what the network tells of lines above a signal over noise, as rows of a table."""
    errors: dict[str, list[Floats]] = {}
    for found, row, cube in lists:
        mine = (row >= 0) & (cube.lines["snr"][row] >= least) if len(cube.lines["snr"]) else row >= 0
        one, true = found.select(mine), {name: each[row[mine]] for name, each in cube.lines.items()}
        turn = np.angle((one["cos"] + 1j * one["sin"]) * np.exp(-1j * true["angle"]))
        inclined = true["inclination"] > np.radians(30.0)
        for name, value in (
            ("flux, ratio to the truth", one["snr"] * cube.noise[0] / true["flux"]),
            ("w20, ratio", one["w20"] / true["w20"]),
            ("size, ratio", one["major"] / true["size"]),
            ("channel, difference", one["channel"] - true["channel"]),
            ("position along an axis, difference (pixel)", one["x"] - true["x"]),
            ("angle of lines inclined by more than 30 deg, difference (deg)", np.degrees(turn[inclined])),
            ("inclination, difference (deg)", np.degrees(one["inclination"] - true["inclination"])),
        ):
            errors.setdefault(name, []).append(value)
    rows = []
    for name, values in errors.items():
        every = np.concatenate(values)
        middle = float(np.median(every))
        rows.append(f"| {name} | {middle:.2f} | {1.4826 * float(np.median(np.abs(every - middle))):.2f} |")
    return rows


def main() -> None:
    """Train, judge, and print the tables."""
    asked = argparse.ArgumentParser(prog="bench.cubes", description=__doc__)
    asked.add_argument("--steps", type=int, default=1000)
    asked.add_argument("--cubes", type=int, default=40)
    asked.add_argument("--judged", type=int, default=10)
    asked.add_argument("--weights", default="", help="a file of weights; without it, a network is trained")
    told = asked.parse_args()
    torch.set_num_threads(1)
    began = time.process_time()
    with TemporaryDirectory() as folder:
        path = Path(told.weights) if told.weights else trained(Path(folder), told.steps, told.cubes, 1)[0]
        cpu = "weights given" if told.weights else f"{(time.process_time() - began) / 60.0:.1f} CPU minutes"
        ours, theirs, spent = [], [], [0.0, 0.0]
        for seed in range(901, 901 + told.judged):
            cube, _ = made(seed, 96)
            raw, width = cube.field("judged").labels.raw, beam_width(cube.beam)
            for k, lists in enumerate((ours, theirs)):
                start = time.process_time()
                found = (
                    smoothed_and_cut(cube, 3.5)
                    if k
                    else find_lines(cube.data, cube.noise, cube.beam, str(path), threshold=0.1)
                )
                spent[k] += time.process_time() - start
                lists.append((found, matched_lines(found, raw, width), cube))
        own = weights_of(str(path)).card.threshold
    n_true = sum(len(cube.lines["x"]) for *_, cube in ours)
    print(TOLD.format(
        how=f" --steps {told.steps} --cubes {told.cubes} --judged {told.judged}", n_cubes=told.cubes,
        dense=round(80e-6 * 96**3), steps=told.steps, cpu=cpu, first=901, last=900 + told.judged, n_true=n_true,
        wide=", ".join(f"{each:g}" for each in WIDE), deep=", ".join(str(each) for each in DEEP),
    ))  # fmt: skip
    names = [f"{low:g}-{high:g}" for low, high in pairwise(BINS)]
    print(f"| finder | purity asked | threshold | found | purity | {' | '.join(names)} | all above 5 |")
    print("| --- " * (6 + len(names)) + "|")
    for purity in (0.9, 0.95, 0.99):
        for name, lists in (("network", ours), ("smoothed", theirs)):
            print(f"| {name} | {purity:g} | {' | '.join(numbers(lists, threshold_of(lists, purity)))} |")
    print(f"| network | own | {' | '.join(numbers(ours, own))} |")
    print(f"| smoothed | 5 sigma | {' | '.join(numbers(theirs, 5.0))} |")
    voxels = told.judged * 96**3 / 1e6
    print(
        f"\nCPU seconds a million voxels: network {spent[0] / voxels:.1f}, smoothed {spent[1] / voxels:.1f}.\n"
    )
    print("Of lines above 8 sigma that the network found (score above 0.1), median and scatter (1.48 MAD):\n")
    print("| what | median | scatter |\n| --- | --- | --- |")
    print("\n".join(parameters(ours, 8.0)))


if __name__ == "__main__":
    main()
