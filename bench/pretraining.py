"""How good features learnt without labels are on MiraBest, what an epoch of each method costs, what they give to finders.

    python -m bench.pretraining [--only judged|costs|start] [--weights NAME] [--natural FILE.pth]
    python -m bench.pretraining --only start --out DIR [--steps N] [--seeds N] [--crop PIXELS]

Needs SKYSIFT_DATA. Prints the tables that stand in bench/pretraining.md.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from bench.natural import natural_features
from bench.peers.tables import table
from bench.starting import started
from skysift.base.random import generator
from skysift.base.registry import Registry
from skysift.flow.learning.options import ProbeOptions
from skysift.flow.learning.plan import Plan
from skysift.flow.learning.probing import HEADS, asked_of, beside, by_probe, judge, labels_of, rows_of
from skysift.learn.hub import weights_of
from skysift.learn.loop import train
from skysift.learn.pictures import PictureSet
from skysift.stamps.opening import open_pictures

CODES = {"100": "FRI", "102": "FRI", "104": "FRI", "200": "FRII", "201": "FRII"}
FRACTIONS = (100.0, 50.9, 24.6, 13.6, 6.8)  # 590, 300, 145, 80 and 40 labels
N = 1000  # pictures of an epoch, of which ten are told


def judged(weights: str, natural: Path | None) -> str:
    """Accuracy on the confident FR I and FR II of MiraBest, over the committed folds."""
    pictures = open_pictures(Path(os.environ["SKYSIFT_DATA"]) / "labelled" / "MiraBest_FIRST_train.npz")
    options = ProbeOptions(turns=8, strength=1.0, fractions=FRACTIONS, fixed="mirabest")
    asked = asked_of(pictures, labels_of(pictures, "code", CODES), options)
    chosen = weights_of(weights)
    rows = [*rows_of(chosen, asked, options), *beside(asked, options, [chosen])]
    if natural is not None:
        predict = by_probe(natural_features(asked.pictures, natural), asked, "linear", options)
        rows += judge("natural images", "linear", asked, predict, options)
    return table(list(HEADS), [list(row.told()) for row in rows])


def costs() -> str:
    """CPU seconds of one epoch of 10 000 pictures of 48 pixels, by method."""
    pixels = generator(1, "costs").random((N, 1, 48, 48)).astype(np.float32)
    data = PictureSet(pixels, {"rms": np.full((N, 1), 0.01, np.float32)})
    rows = []
    for name in Registry("pretraining").names():
        for backbone in ("vit",) if name == "mae" else ("resnet", "vit"):
            plan = Plan.of(name, {"encoder.backbone": backbone, "train.epochs": 1, "train.batch": 125})
            with tempfile.TemporaryDirectory() as folder:
                begun = time.process_time()
                train(plan.learner(1), data, plan.train.loop(N), Path(folder), device=torch.device("cpu"))
                spent = time.process_time() - begun
            rows.append([name, backbone, f"{10_000 / N * spent:.0f}"])
            print(*rows[-1], flush=True)
    return table(["method", "network", "CPU s"], rows)


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("judged", "costs", "start"))
    parser.add_argument("--weights", default="first-simclr")
    parser.add_argument("--natural", type=Path, help="weights of EfficientNet-Lite0, as bench.natural tells")
    parser.add_argument(
        "--out", type=Path, default=Path("started"), help="start: where weights and logs stay"
    )
    parser.add_argument("--steps", type=int, default=600, help="start: of each training")
    parser.add_argument("--seeds", type=int, default=2, help="start: trainings of each kind")
    parser.add_argument("--crop", type=int, default=128, help="start: side of the crops (pixel)")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.only in (None, "judged"):
        print(judged(given.weights, given.natural))
    if given.only in (None, "costs"):
        print(costs())
    if given.only == "start":
        print(started(given.out, given.steps, range(1, given.seeds + 1), given.crop))


if __name__ == "__main__":
    main()
