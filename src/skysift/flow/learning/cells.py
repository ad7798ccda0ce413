"""Cells of a comparison: what decides each, its training, and how its encoder is judged; both are kept apart."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

import skysift
from skysift.base.errors import (
    CancelledError,
    DataError,
    SizeError,
    SkysiftError,
    TimeLimitError,
    UsageError,
)
from skysift.base.fingerprint import by_content, fingerprint
from skysift.base.provenance import InputRecord
from skysift.base.random import generator
from skysift.flow.learning.comparing import Cell, Comparison
from skysift.flow.learning.cuts import CUTS
from skysift.flow.learning.pool import Pool, positions
from skysift.flow.learning.probing import Asked, asked_of, beside, labels_of, rows_of
from skysift.flow.learning.reading import pool_from
from skysift.flow.steps.match import records
from skysift.flow.steps.pretrain import learn
from skysift.learn.checkpoint import read_card, read_checkpoint, write_checkpoint
from skysift.learn.device import out_of_memory
from skysift.learn.embed import encoder_card
from skysift.learn.hub import SUFFIX
from skysift.learn.pretrain.method import encoder_weights
from skysift.learn.scale import Preparation
from skysift.stamps.opening import open_pictures

__all__ = [
    "ENCODERS",
    "Due",
    "Inputs",
    "asked_in",
    "dues_of",
    "inputs_of",
    "run_cell",
    "taken_up",
    "tried_cell",
]

Floats: TypeAlias = NDArray[np.float64]

ENCODERS = "encoders"  # the folder of the products that holds the weights of all cells


@dataclass(frozen=True)
class Inputs:
    """
    What a comparison reads.

    Attributes
    ----------
    sets, tasks
        Files and folders with their checksums, by the name of the set or the task.
    """

    sets: Mapping[str, tuple[InputRecord, ...]]
    tasks: Mapping[str, tuple[InputRecord, ...]]

    @property
    def all(self) -> tuple[InputRecord, ...]:
        """Each of them once."""
        listed = (each for group in (self.sets, self.tasks) for some in group.values() for each in some)
        return tuple(dict.fromkeys(listed))


@dataclass(frozen=True)
class Due:
    """
    A cell with what decides it.

    Attributes
    ----------
    cell
        The training, and what it is judged on.
    learnt
        All that decides the weights: version, method with its options, pictures without labels, places left out.
    judged
        All that decides the numbers: the weights, pictures with classes, folds, what a probe is told.
    """

    cell: Cell
    learnt: str
    judged: str

    def weights(self, work: Path) -> Path:
        """Where its weights are kept."""
        return work / f"{self.learnt}{SUFFIX}"

    def result(self, work: Path) -> Path:
        """Where its numbers are kept."""
        return work / f"{self.judged}.json"


def inputs_of(comparison: Comparison, asked: Mapping[str, Asked]) -> Inputs:
    """The files and folders that sets and tasks are read from."""
    sets = {}
    for name, chosen in comparison.sets.items():
        opened = (open_pictures(comparison.path(each)).origin for each in chosen.pictures)
        listed = [chosen.cut] if chosen.maps and chosen.cut not in CUTS else []
        files = records([comparison.path(each) for each in (*chosen.maps, *listed)])
        sets[name] = (*(each for each in opened if each is not None), *files)
    tasks = {}
    for name, task in comparison.tasks.items():
        origin, labels = asked[name].pictures.origin, task.labels
        files = records([] if labels is None else [comparison.path(labels)])
        tasks[name] = (*(() if origin is None else (origin,)), *files)
    return Inputs(sets, tasks)


def asked_in(comparison: Comparison) -> dict[str, Asked]:
    """The pictures with classes of all tasks, with their folds."""
    made = {}
    for name, task in comparison.tasks.items():
        labels = None if task.labels is None else comparison.path(task.labels)
        pictures = open_pictures(comparison.path(task.pictures), labels=labels)
        made[name] = asked_of(
            pictures, labels_of(pictures, task.column, task.classes), comparison.probing(name)
        )
    return made


def dues_of(comparison: Comparison, asked: Mapping[str, Asked], inputs: Inputs) -> list[Due]:
    """All cells, each with what decides its weights and its numbers.

    Raises
    ------
    UsageError
        Something is to be left out that tells no positions.
    """
    content = [
        (name, each.pictures.names, each.classes, each.targets.tolist(), [fold.tolist() for fold in each.folds],
         comparison.probing(name).replace(fixed=None).to_dict(), [one.checksum for one in inputs.tasks[name]])
        for name, each in asked.items()
    ]  # fmt: skip
    made = []
    for cell in comparison.cells():
        chosen = comparison.sets[cell.set]
        told = {"cut": chosen.cut if chosen.cut in CUTS else "", "most": chosen.most}
        read = [each.checksum for each in inputs.sets[cell.set]]
        places = [np.stack(each).tolist() for each in _left_out(comparison, cell, asked)]
        learnt = fingerprint(
            (skysift.__version__, cell.name, by_content(cell.plan.to_dict()), told, read, places)
        )
        judged = fingerprint((skysift.__version__, learnt, cell.repeat, cell.fold, content))
        made.append(Due(cell, learnt[:24], judged[:24]))
    return made


def tried_cell(
    comparison: Comparison,
    due: Due,
    asked: Mapping[str, Asked],
    work: Path,
    device: str,
    threads: int | None,
) -> SkysiftError | None:
    """Run a cell; what broke it, which does not end the others."""
    try:
        run_cell(comparison, due, asked, work, device, threads)
    except (CancelledError, TimeLimitError):
        raise
    except (UsageError, DataError) as error:  # not a full disk, which would break all
        return error
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        return SizeError(
            "the memory of the device does not suffice", got=device, todo="give a smaller train.batch"
        )
    return None


def run_cell(
    comparison: Comparison,
    due: Due,
    asked: Mapping[str, Asked],
    work: Path,
    device: str,
    threads: int | None,
) -> None:
    """Learn, unless the weights are there, and judge on all tasks; a broken training is taken up."""
    if threads is not None:
        torch.set_num_threads(threads)
    cell, path = due.cell, due.weights(work)
    if not path.exists():
        pool = _pool(comparison, cell, asked, work)
        clock = time.process_time()
        trained = learn(cell.plan, pool, work / due.learnt, device=device)
        numbers = {"seconds": time.process_time() - clock}
        numbers |= {key: value for key, value in trained.numbers.items() if key != "step"}
        card = encoder_card(
            cell.name,
            f"features of pictures of radio sources, learnt by {cell.plan.method} without labels",
            cell.plan.encoder,
            len(pool.bands),
            Preparation.of(cell.plan.prepare),
            {**cell.plan.to_dict(), "pictures": len(pool), "set": cell.set, "key": due.learnt},
            numbers,
        )
        write_checkpoint(path, encoder_weights(trained.weights), card)
        shutil.rmtree(work / due.learnt, ignore_errors=True)
    weights = read_checkpoint(path)
    result: dict[str, Any] = {key: weights.card.numbers[key] for key in ("seconds", "spread")}
    result["rows"] = {}
    for name, one in asked.items():
        options, only = comparison.probing(name), (cell.repeat, cell.fold)
        rows = [*rows_of(weights, one, options, only=only)]
        rows += beside(one, options, [weights], plain=False, only=only)
        result["rows"][name] = [asdict(row) for row in rows]
    part = due.result(work).with_suffix(".part")
    part.write_text(json.dumps(result))
    part.replace(due.result(work))


def taken_up(folder: Path, dues: Sequence[Due], work: Path) -> None:
    """Copy the weights that an earlier comparison in this folder made, where they are those of a cell."""
    wanted = {each.learnt: each for each in dues if not each.weights(work).exists()}
    for path in sorted((folder / ENCODERS).glob(f"*{SUFFIX}")):
        key = read_card(path).training.get("key")
        if key in wanted:
            shutil.copyfile(path, wanted[key].weights(work))


def _prepared(comparison: Comparison, cell: Cell, work: Path) -> Pool:
    """The pictures of the set of a cell, prepared; they are kept for other cells with the same."""
    chosen, plan = comparison.sets[cell.set], cell.plan
    told = (chosen.to_dict(), plan.prepare.to_dict(), plan.pool.to_dict(), plan.train.random_seed)
    paths = [
        [comparison.path(each) for each in group]
        for group in (chosen.pictures, chosen.maps, () if chosen.cut in CUTS else (chosen.cut,))
    ]
    times = [each.stat().st_mtime_ns for group in paths for each in group]
    kept = work / f"pool-{fingerprint((str(comparison.folder), told, times))[:16]}.npz"
    if kept.exists():
        return Pool.load(kept)
    nowhere = (np.empty(0), np.empty(0))
    cut = chosen.cut if chosen.cut in CUTS else str(paths[2][0])
    pool, _, _ = pool_from(paths[0], paths[1], cut, plan, nowhere)
    pool.save(kept)
    return pool


def _left_out(comparison: Comparison, cell: Cell, asked: Mapping[str, Asked]) -> list[tuple[Floats, Floats]]:
    """Places (ra, dec) near which nothing is learnt from, of each task; none where the test is learnt from as well."""
    made: list[tuple[Floats, Floats]] = []
    for name, one in asked.items() if comparison.told.protocol != "transductive" else ():
        ra, dec = positions(one.pictures.facts, len(one))
        lost = int((~(np.isfinite(ra) & np.isfinite(dec))).sum())
        if lost:
            raise UsageError(
                "pictures of a task tell no positions, so that nothing near them can be left out",
                got=f"{lost} of {len(one)} in {name}",
                allowed="columns ra and dec in degrees",
                todo="give positions, or protocol: transductive, under which the test is learnt from as well",
            )
        if cell.fold >= 0:
            left_out = one.folds[cell.repeat] == cell.fold
            ra, dec = ra[left_out], dec[left_out]
        made.append((ra, dec))
    return made


def _pool(comparison: Comparison, cell: Cell, asked: Mapping[str, Asked], work: Path) -> Pool:
    """Pictures without labels, less those that lie near what is judged on."""
    chosen = comparison.sets[cell.set]
    pool = _prepared(comparison, cell, work)
    for ra, dec in _left_out(comparison, cell, asked):
        pool = pool.without(ra, dec, cell.plan.pool.apart)
    if chosen.most and len(pool) > chosen.most:
        rows = generator(cell.plan.train.random_seed, "most").permutation(len(pool))[: chosen.most]
        kept = np.zeros(len(pool), np.bool_)
        kept[rows] = True
        pool = pool.select(kept)
    return pool
