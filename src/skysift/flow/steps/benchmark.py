"""`benchmark_products`: a comparison of methods that learn without labels, cell by cell, into one table and a page."""

from __future__ import annotations

import csv
import json
import multiprocessing
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

import skysift
from skysift.base.errors import SkysiftError
from skysift.base.provenance import Manifest, Provenance, library_versions
from skysift.flow.learning.cells import (
    ENCODERS,
    Due,
    asked_in,
    dues_of,
    inputs_of,
    taken_up,
    tried_cell,
)
from skysift.flow.learning.comparing import Cell, Comparison
from skysift.flow.learning.page import Section, counted, learning_page
from skysift.flow.learning.probing import Asked, Row, beside
from skysift.flow.products import MANIFEST, ProductFolder, refuse_earlier, write_manifest, writing
from skysift.flow.steps.pretrain import refuse_unfit
from skysift.learn.device import device_named
from skysift.learn.hub import SUFFIX

__all__ = ["REPORT", "TABLE", "Compared", "Line", "benchmark_products"]

Progress: TypeAlias = Callable[[str, int, int], None]

TABLE, REPORT = "benchmark.csv", "report.html"
_WORK = ".cells"  # what is done of a comparison that is not finished


@dataclass(frozen=True)
class Line:
    """
    A row of the table.

    Attributes
    ----------
    task, method, network, preparation, set
        What was judged on what; where nothing was learnt method tells what stands there instead.
    kind, share, labels
        The classifier, the part of the labels, and how many they are.
    accuracy, accuracy_sd, f1, f1_sd
        Mean and scatter over folds and repeats.
    spread, seconds
        Of the features; and of the processor, for the trainings.
    """

    task: str
    method: str
    network: str
    preparation: str
    set: str
    kind: str
    share: float
    labels: int
    accuracy: float
    accuracy_sd: float
    f1: float
    f1_sd: float
    spread: float
    seconds: float


@dataclass(frozen=True)
class Compared:
    """The table, and the manifest."""

    lines: tuple[Line, ...]
    manifest: Manifest


def benchmark_products(
    comparison: Comparison,
    out: Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    overwrite: bool = False,
    fresh: bool = False,
    progress: Progress | None = None,
) -> Compared:
    """
    A comparison as ``benchmark.csv``, the encoders, a page and a manifest.

    A cell that breaks, such as one whose loss is not a number, is told and has no row; the others have theirs.

    Parameters
    ----------
    comparison
        What is compared.
    out
        The folder. Cells that are done stay in ``DIR/.cells``: the same call goes on from there. Encoders of a
        comparison that is done are taken from ``DIR/encoders`` where all that decides them is the same.
    device
        Where networks run; several, such as ``cuda:0,cuda:1``, share the cells, each in a process of its own. The same
        may be named more than once: a GPU runs a few small networks in the time of one.
    threads
        Threads of torch in each process.
    overwrite, fresh
        Whether earlier products are replaced, and cells that are done are discarded.
    progress
        Called as progress(stage, done, total).

    Raises
    ------
    OptionError
        A method does not go with a network, or with the size of a batch.
    UsageError
        A task has too few pictures or no positions, or no cell could be run.
    OutputError
        The folder holds earlier products and `overwrite` is off.
    """
    begun, clock = datetime.now(UTC), time.perf_counter()
    places = [each.strip() for each in device.split(",")]
    for each in places:
        device_named(each)
    names = (TABLE, REPORT, ENCODERS, MANIFEST)
    refuse_earlier(out, overwrite=overwrite)
    for plan in {
        json.dumps(each.plan.to_dict(), sort_keys=True): each.plan for each in comparison.cells()
    }.values():
        refuse_unfit(plan)
    asked = asked_in(comparison)
    inputs = inputs_of(comparison, asked)
    dues = dues_of(comparison, asked, inputs)
    with ProductFolder(out, names=names, overwrite=overwrite) as folder, writing(out):
        work = folder.directory / _WORK
        if fresh and work.exists():
            shutil.rmtree(work)
        work.mkdir(parents=True, exist_ok=True)
        if not fresh:
            taken_up(folder.directory, dues, work)
        waiting = [each for each in dues if not each.result(work).exists()]
        told = progress or _silent
        told("cells", len(dues) - len(waiting), len(dues))
        broken = _tried(comparison, waiting, work, places, threads, told, len(dues))
        whole = [each for each in dues if each.result(work).exists()]
        if not whole:
            raise next(iter(broken.values()))
        found = {each.cell: json.loads(each.result(work).read_text()) for each in whole}
        told("plain features", 0, 1)
        lines = [*_lines(comparison, _all_parts(dues, found)), *_plain(comparison, asked)]
        lines.sort(key=lambda line: (line.task, -line.share, line.kind, -line.accuracy))
        notes = (
            *(f"{name} is broken, and has no row in the table: {error}" for name, error in broken.items()),
            *(f"{name}: {note}" for name, each in asked.items() for note in each.notes),
        )
        manifest = Manifest(
            Provenance(skysift.__version__, "benchmark", comparison.to_dict(), inputs.all, notes, "step"),
            outputs=names[:-1],
            workers=len(places),
            started=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
            seconds={"all": time.perf_counter() - clock},
            counts={"cells": len(dues), "broken": len(broken), "rows": len(lines)},
            versions={**library_versions(), "torch": torch.__version__},
            warnings=notes,
        )
        folder.path(ENCODERS).mkdir()
        for due in whole:
            shutil.copyfile(due.weights(work), folder.path(ENCODERS) / f"{due.cell.name}{SUFFIX}")
        with folder.path(TABLE).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [*Line.__dataclass_fields__])
            writer.writeheader()
            writer.writerows(_plainly(asdict(line)) for line in lines)
        folder.path(REPORT).write_text(_page(comparison, asked, lines, manifest), encoding="utf-8")
        write_manifest(manifest, folder)
        folder.commit()
        shutil.rmtree(work, ignore_errors=True)
    return Compared(tuple(lines), manifest)


def _silent(stage: str, done: int, total: int) -> None:
    """No progress is told."""


def _plainly(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: f"{each:.5g}" if isinstance(each, float) else each for name, each in values.items()}


def _tried(
    comparison: Comparison,
    waiting: Sequence[Due],
    work: Path,
    places: Sequence[str],
    threads: int | None,
    told: Progress,
    total: int,
) -> dict[str, SkysiftError]:
    """
    Run cells, on several devices in a process of each, which is given the next when it is free; what broke, by name.

    Whatever else comes out of a cell, and an interrupt, ends all processes at once; what they kept is gone on from.
    """
    first = total - len(waiting)
    broken: dict[str, SkysiftError] = {}
    if len(places) == 1:
        asked = asked_in(comparison)
        for k, due in enumerate(waiting):
            error = tried_cell(comparison, due, asked, work, places[0], threads)
            broken |= {} if error is None else {due.cell.name: error}
            told("cells", first + k + 1, total)
        return broken
    context = multiprocessing.get_context("spawn")
    free = context.SimpleQueue()
    for each in places:
        free.put(each)
    others, queue = multiprocessing.active_children(), iter(waiting)
    with ProcessPoolExecutor(len(places), context, _begin, (comparison, work, free, threads)) as pool:
        try:
            doing = {pool.submit(_one, due): due for due in islice(queue, len(places))}
            while doing:
                for done in wait(doing, return_when=FIRST_COMPLETED).done:
                    error, due = done.result(), doing.pop(done)
                    broken |= {} if error is None else {due.cell.name: error}
                    first += 1
                    told("cells", first, total)
                    doing |= {pool.submit(_one, due): due for due in islice(queue, 1)}
        except BaseException:
            for process in multiprocessing.active_children():
                if process not in others:
                    process.kill()
            raise
    return broken


_process: dict[str, Any] = {}  # of a process: what all its cells have in common


def _begin(comparison: Comparison, work: Path, free: SimpleQueue[str], threads: int | None) -> None:
    """Take one of the devices for this process, which the first one ends where it is interrupted."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _process["told"] = comparison, asked_in(comparison), work, free.get(), threads


def _one(due: Due) -> SkysiftError | None:
    """Run a cell in this process; what broke it."""
    comparison, asked, work, place, threads = _process["told"]
    return tried_cell(comparison, due, asked, work, place, threads)


def _all_parts(dues: Sequence[Due], found: Mapping[Cell, Mapping[str, Any]]) -> dict[Cell, Mapping[str, Any]]:
    """What was found of combinations all of whose parts are there: a mean over fewer parts is not the same number."""
    lost = {_combination(each.cell) for each in dues if each.cell not in found}
    return {cell: result for cell, result in found.items() if _combination(cell) not in lost}


def _combination(cell: Cell) -> tuple[str, str, str, str]:
    return cell.method, cell.network, cell.preparation, cell.set


def _lines(comparison: Comparison, found: Mapping[Cell, Mapping[str, Any]]) -> list[Line]:
    """Rows of the table from the cells; those of folds are joined."""
    groups: dict[tuple[str, str, str, str], dict[str, Mapping[str, Any]]] = {}
    for cell, result in found.items():
        groups.setdefault(_combination(cell), {})[cell.name] = result
    made: dict[tuple[Any, ...], Line] = {}
    for names, by_cell in groups.items():
        results = [*by_cell.values()]
        spread = float(np.mean([each["spread"] for each in results]))
        seconds = sum(float(each["seconds"]) for each in results)
        for task in comparison.tasks:
            for rows in zip(*(each["rows"][task] for each in results), strict=True):
                row = _joined([Row(**each) for each in rows])
                own = row.features in by_cell
                method, network, preparation, of = names
                if not own:
                    method, of = row.features, ""
                if row.kind == "majority":
                    network = preparation = ""
                line = Line(
                    task, method, network, preparation, of, row.kind, row.share, row.labels, row.accuracy,
                    row.accuracy_sd, row.f1, row.f1_sd, spread if own else float("nan"), seconds if own else 0.0,
                )  # fmt: skip
                made.setdefault((task, method, network, preparation, of, row.kind, row.share), line)
    return list(made.values())


def _joined(rows: Sequence[Row]) -> Row:
    """The mean of the same row of some folds, with their scatter."""
    if len(rows) == 1:
        return rows[0]
    accuracy, f1 = ([getattr(row, name) for row in rows] for name in ("accuracy", "f1"))
    return replace(
        rows[0],
        labels=round(float(np.mean([row.labels for row in rows]))),
        accuracy=float(np.mean(accuracy)),
        accuracy_sd=float(np.std(accuracy)),
        f1=float(np.mean(f1)),
        f1_sd=float(np.std(f1)),
    )


def _plain(comparison: Comparison, asked: Mapping[str, Asked]) -> list[Line]:
    """Plain features with LightGBM on each task."""
    return [
        Line(name, row.features, "", "", "", row.kind, row.share, row.labels, row.accuracy,
             row.accuracy_sd, row.f1, row.f1_sd, float("nan"), 0.0)
        for name in comparison.tasks
        for row in beside(asked[name], comparison.probing(name))
        if row.kind != "majority"
    ]  # fmt: skip


def _page(
    comparison: Comparison, asked: Mapping[str, Asked], lines: Sequence[Line], manifest: Manifest
) -> str:
    heads = ("Learnt by", "Network", "Preparation", "From", "Classifier", "Labels", "Accuracy", "F1", "CPU s")
    sections = []
    for task in comparison.tasks:
        rows = tuple(
            (
                line.method,
                line.network,
                line.preparation,
                line.set,
                line.kind,
                f"{line.labels} ({line.share:g} %)",
                f"{line.accuracy:.3f} ± {line.accuracy_sd:.3f}",
                f"{line.f1:.3f} ± {line.f1_sd:.3f}",
                f"{line.seconds:.0f}" if line.seconds else "",
            )
            for line in lines
            if line.task == task
        )
        sections.append(Section(task, f"Task {task}", _lead(comparison, task, asked[task]), heads, rows))
    lead = (
        f"{counted(manifest.counts['cells'], 'training')}, protocol {comparison.told.protocol}; "
        f"{comparison.probe.folds} folds, {counted(comparison.probe.repeats, 'time')}"
    )
    best = {
        task: max((each for each in lines if each.task == task), key=lambda each: each.accuracy)
        for task in comparison.tasks
    }
    numbers = [(f"{each.accuracy:.3f}", f"{task}: {each.method}, {each.kind}") for task, each in best.items()]
    shown = {"Training": comparison.train, "Views": comparison.views, "Probe": comparison.probe.to_dict()}
    return learning_page(f"Comparison: {comparison.told.name}", lead, numbers, sections, shown, manifest)


def _lead(comparison: Comparison, task: str, asked: Asked) -> str:
    """What is told apart, and in which folds."""
    counts = np.bincount(asked.targets, minlength=len(asked.classes))
    classes = ", ".join(f"{name} {n}" for name, n in zip(asked.classes, counts, strict=True))
    fixed = comparison.probing(task).fixed
    folds = "folds drawn by chance" if fixed is None else f"committed folds {Path(fixed).stem}"
    return f"{counted(len(asked), 'picture')} ({classes}), {folds}. Mean and scatter over what is left out in turn."
