"""What an encoder that learnt without labels gives to a finder that begins with it, at equal steps."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bench.peers.tables import table
from skysift.base.registry import Registry
from skysift.flow.learning.plan import Plan
from skysift.flow.learning.reading import pool_from
from skysift.flow.steps.pretrain import pretrain_products
from skysift.flow.steps.simulate import simulate_products
from skysift.flow.steps.train import train_products
from skysift.flow.training.recipe import read_recipe
from skysift.learn.checkpoint import Checkpoint, read_checkpoint

RECIPES = Path(__file__).parents[1] / "recipes"
REAL = (
    "SUMSS_J0318M36", "SUMSS_J0320M40", "SUMSS_J0336M36", "ATCA_ScorpioS17Field", "ATCA_ScorpioExtendedSourceField",
    "LOFAR_LSMTool_test_image_144MHz", "VLA_FornaxA_1510MHz",
)  # fmt: skip
MADE = ("meerkat", "askap", "ska-mid")  # arrays that made fields are seen with
SIDE = 512
TOLD = ("loss", "score", "ap50", "completeness_compact", "completeness_extended")


def started(folder: Path, steps: int, seeds: Sequence[int], crop: int) -> str:
    """The losses and scores of trainings that begin with an encoder and of those that do not, as a table.

    Parameters
    ----------
    folder
        Where weights and logs stay; what is there already is not trained anew.
    steps, crop
        Of each training; it is judged at four steps.
    seeds
        Of the trainings: with each one begins with the encoder, and one does not.
    """
    encoder = _encoder(folder)
    recipe = _recipe(folder / "rcnn.yaml")
    logs: dict[str, list[list[dict[str, float]]]] = {"fresh": [], "encoder": []}
    for seed in seeds:
        for how, start in (("fresh", None), ("encoder", encoder)):
            out = folder / f"{how}-{seed}"
            if not (out / "log.csv").exists():
                changes = {
                    "train.steps": str(steps),
                    "train.crop": str(crop),
                    "train.validate_every": str(steps // 4),
                    "train.random_seed": str(seed),
                }
                train_products(read_recipe(recipe, changes), out, device="cpu", threads=1, start=start)
            logs[how].append(_read(out / "log.csv"))
            print(out.name, *(f"{row['loss']:.3f} {row['score']:.3f}" for row in logs[how][-1]), flush=True)
    rows = []
    for k in range(len(logs["fresh"][0])):
        for how, made in logs.items():
            values = {name: [log[k][name] for log in made] for name in TOLD}
            rows.append([f"{made[0][k]['step']:.0f}", how, *(_spread(values[name]) for name in TOLD)])
    return table(["step", "begun with", "loss since the row before", *TOLD[1:]], rows)


def _encoder(folder: Path) -> Checkpoint:
    """An encoder of the shape of rcnn that learnt from cut-outs of real maps and of made fields that no finder sees."""
    out = folder / "maps"
    weights = out / "maps.safetensors"
    if not weights.exists():
        maps = [Path(os.environ["SKYSIFT_DATA"]) / "continuum" / f"{name}.fits" for name in REAL]
        maps += [_made(folder / array, array, 1000 + k) for k, array in enumerate(MADE)]
        plan = Plan.of("simclr", yaml.safe_load((RECIPES / "detector-simclr.yaml").read_text()))
        nowhere = (np.empty(0), np.empty(0))
        pool, inputs, facts = pool_from([], maps, "sources", plan, nowhere)
        pretrain_products(plan, "maps", pool, out, inputs=inputs, facts=facts, device="cpu", threads=1)
    return read_checkpoint(weights)


def _made(folder: Path, array: str, random_seed: int) -> Path:
    """A made field with extended sources, seen with an array."""
    if not folder.exists():
        registry = Registry[Any]("simulator")
        options = registry.options("extended").parse(
            {"n_pixels": SIDE, "array": array, "artefacts": True, "random_seed": random_seed}
        )
        simulate_products(registry.load("extended")(options), folder, report=False)
    return next(folder.glob("map-*.fits"))


def _recipe(path: Path) -> Path:
    """The recipe of rcnn with a few small fields."""
    told = yaml.safe_load((RECIPES / "rcnn.yaml").read_text())
    for entry, number, held in zip(told["fields"], (6, 1), (2, 0), strict=True):
        entry.update(number=number, **({"validation": held} if held else {}))
        entry["options"]["n_pixels"] = SIDE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(told))
    return path


def _read(path: Path) -> list[dict[str, float]]:
    """The rows of a log, with the sum of the terms of the loss."""
    with path.open(newline="") as lines:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(lines)]
    return [
        {**row, "loss": sum(value for name, value in row.items() if name.startswith("loss_"))} for row in rows
    ]


def _spread(values: Sequence[float]) -> str:
    """The mean, and every value where there are more than one."""
    each = ", ".join(f"{value:.3f}" for value in values)
    return f"{np.mean(values):.3f} ({each})" if len(values) > 1 else each
