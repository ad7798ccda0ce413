"""`pretrain_products`: pictures without labels become the weights of an encoder, with a log, a page and a manifest."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

import skysift
from skysift.base.provenance import InputRecord, Manifest, Provenance, library_versions
from skysift.flow.learning.page import Section, curves, learning_page, views_of
from skysift.flow.learning.plan import Plan
from skysift.flow.learning.pool import Pool
from skysift.flow.products import MANIFEST, ProductFolder, write_manifest, writing
from skysift.learn.augment import torch_generator
from skysift.learn.checkpoint import Card, write_checkpoint
from skysift.learn.device import devices_named
from skysift.learn.embed import encoder_card
from skysift.learn.hub import SUFFIX
from skysift.learn.loop import LOG, Trained, train
from skysift.learn.pretrain.method import encoder_weights
from skysift.learn.scale import Preparation
from skysift.learn.together import refuse_unshared

__all__ = ["REPORT", "Pretrained", "learn", "pretrain_products", "refuse_unfit"]

Progress: TypeAlias = Callable[[str, int, int], None]

REPORT = "report.html"
_WORK = ".training"  # the state of a training that is not finished
_COLLAPSED = 0.01  # of the spread of features
_NUMBERS = {"spread": "spread of the features", "rank": "directions that they take"}


@dataclass(frozen=True, eq=False)
class Pretrained:
    """The folder, the card of the weights, what the loop says, and the manifest."""

    folder: Path
    card: Card
    trained: Trained
    manifest: Manifest


def refuse_unfit(plan: Plan, devices: str | None = None) -> None:
    """Refuse what a method cannot learn with, before any picture is prepared.

    Raises
    ------
    OptionError
        The method does not go with the network, the views or the size of a batch, or the devices cannot share the
        batches of a step.
    """
    learner, loop = plan.learner(1), plan.train.loop(plan.train.batch * plan.train.accumulate)
    learner.refuse(loop)
    learner.net()
    if devices is not None:
        refuse_unshared(loop, devices_named(devices))


def learn(
    plan: Plan,
    pool: Pool,
    work: Path,
    *,
    device: str = "auto",
    workers: int = 1,
    progress: Progress | None = None,
) -> Trained:
    """The outcome of a training on a pool; what a broken one has done in the folder `work` is taken up."""
    place, *others = devices_named(device)
    pictures = pool.pictures()
    loop = plan.train.loop(len(pool))
    refuse_unshared(loop, (place, *others))
    told = json.dumps([plan.to_dict(), pool.key, skysift.__version__], sort_keys=True)
    return train(
        plan.learner(pool.pixels.shape[1]),
        pictures,
        loop,
        work,
        device=place,
        others=others,
        key=hashlib.sha256(told.encode()).hexdigest(),
        workers=workers,
        progress=progress,
    )


def pretrain_products(
    plan: Plan,
    name: str,
    pool: Pool,
    out: Path,
    *,
    inputs: Sequence[InputRecord] = (),
    facts: Mapping[str, Any] | None = None,
    device: str = "auto",
    workers: int = 1,
    threads: int | None = None,
    overwrite: bool = False,
    fresh: bool = False,
    progress: Progress | None = None,
) -> Pretrained:
    """
    The products of a training without labels: ``NAME.safetensors``, ``log.csv``, a page and a manifest.

    Parameters
    ----------
    plan
        The method and what it is told.
    name
        Of the weights.
    pool
        The pictures.
    out
        The folder. What a broken-off run has done stays in ``DIR/.training``; the same call goes on from there.
    inputs, facts
        What was read, and what else the card tells of it.
    device, workers, threads
        Where and by how many it is done.
    overwrite, fresh
        Whether earlier products are replaced, and what a broken-off run has done is discarded.
    progress
        Called as progress(stage, done, total).

    Raises
    ------
    OptionError
        The method does not go with the network.
    DataError
        The loss is not a number.
    """
    begun, clock = datetime.now(UTC), time.perf_counter()
    names = (name + SUFFIX, LOG, REPORT, MANIFEST)
    with ProductFolder(out, names=names, overwrite=overwrite) as folder, writing(out):
        work = folder.directory / _WORK
        if fresh and work.exists():
            shutil.rmtree(work)
        if threads is not None:
            torch.set_num_threads(threads)
        trained = learn(plan, pool, work, device=device, workers=workers, progress=progress)
        numbers = {key: value for key, value in trained.numbers.items() if key != "step"}
        told = {**plan.to_dict(), **(facts or {}), "pictures": len(pool), "counts": dict(pool.counts)}
        card = encoder_card(
            name,
            f"features of pictures of radio sources, learnt by {plan.method} without labels",
            plan.encoder,
            len(pool.bands),
            Preparation.of(plan.prepare),
            {**told, "step": trained.step},
            numbers,
        )
        notes: tuple[str, ...] = ()
        if numbers["spread"] < _COLLAPSED:
            few = f"a collapse, or too few steps ({trained.steps})"
            notes += (f"the features hardly differ (spread {numbers['spread']:.3g}): {few}",)
        if pool.counts.get("unplaced"):
            notes += (
                f"{pool.counts['unplaced']} pictures tell no position: they may be of places that are excluded",
            )
        manifest = Manifest(
            Provenance(skysift.__version__, plan.method, told, tuple(inputs), kind="step"),
            outputs=names[:-1],
            workers=workers,
            started=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
            seconds={"train": time.perf_counter() - clock},
            counts=dict(pool.counts),
            facts={"numbers": numbers, "steps": trained.steps, "bands": list(pool.bands)},
            versions={**library_versions(), "torch": torch.__version__},
            warnings=notes,
        )
        write_checkpoint(folder.path(name + SUFFIX), encoder_weights(trained.weights), card)
        shutil.copyfile(work / LOG, folder.path(LOG))
        folder.path(REPORT).write_text(_page(plan, card, pool, work / LOG, manifest), encoding="utf-8")
        write_manifest(manifest, folder)
        folder.commit()
        shutil.rmtree(work, ignore_errors=True)
    return Pretrained(out, card, trained, manifest)


def _page(plan: Plan, card: Card, pool: Pool, log: Path, manifest: Manifest) -> str:
    learner = plan.learner(pool.pixels.shape[1])
    rows = np.linspace(0, len(pool) - 1, min(4, len(pool))).astype(np.int64)
    pixels = torch.from_numpy(pool.pixels[rows])
    rms = torch.from_numpy(pool.pictures().targets["rms"][rows])
    made = []
    for k in range(3):
        drawn = learner.views.draw(len(rows), torch_generator(plan.train.random_seed, "page", str(k)))
        made.append(learner.views.make(pixels, drawn, rms)[:, 0].numpy())
    looks = views_of(
        pool.pixels[rows, 0], made, "Pictures as the network reads them, and three views of each."
    )
    losses = curves(log, ["loss_"], "Terms of the loss, mean since the row before.")
    spread = curves(log, ["spread"], "Spread of the features: 0 is a collapse.")
    rank = curves(log, ["rank"], "Directions that the features take (their effective rank).")
    numbers = [
        (f"{len(pool)}", "pictures"),
        *((f"{card.numbers[key]:.3g}", told) for key, told in _NUMBERS.items()),
    ]
    return learning_page(
        f"Learnt without labels: {card.name}",
        card.task,
        numbers,
        [
            Section("curves", "Curves", pictures=(losses, spread, rank)),
            Section("views", "Views", pictures=(looks,)),
        ],
        {
            "Method": {"method": plan.method, **plan.options.to_dict()},
            "Training": plan.train.to_dict(),
            "Network": plan.encoder.to_dict(),
            "Views": plan.views.to_dict(),
            "Preparation": plan.prepare.to_dict(),
        },
        manifest,
    )
