"""`benchmark_products`: a comparison of methods that learn without labels, cell by cell, into one table and a page."""

from __future__ import annotations

import csv
import json
import multiprocessing
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

import skysift
from skysift.base.errors import UsageError
from skysift.base.fingerprint import fingerprint
from skysift.base.provenance import Manifest, Provenance, library_versions
from skysift.base.random import generator
from skysift.flow.learning.comparing import Cell, Comparison
from skysift.flow.learning.page import Section, learning_page
from skysift.flow.learning.pool import Pool, positions
from skysift.flow.learning.probing import Asked, Row, asked_of, beside, labels_of, rows_of
from skysift.flow.learning.reading import pool_from
from skysift.flow.products import MANIFEST, ProductFolder, write_manifest, writing
from skysift.flow.steps.pretrain import learn
from skysift.learn.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from skysift.learn.device import devices_named
from skysift.learn.embed import encoder_card
from skysift.learn.pretrain.method import encoder_weights
from skysift.learn.scale import Preparation
from skysift.stamps.opening import open_pictures

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
    A comparison as ``benchmark.csv``, a page and a manifest.

    Parameters
    ----------
    comparison
        What is compared.
    out
        The folder. Cells that are done stay in ``DIR/.cells``: the same call goes on from there.
    device
        Where networks run; several, such as ``cuda:0,cuda:1``, share the cells, each in a process of its own.
    threads
        Threads of torch in each process.
    overwrite, fresh
        Whether earlier products are replaced, and cells that are done are discarded.
    progress
        Called as progress(stage, done, total).
    """
    begun, clock = datetime.now(UTC), time.perf_counter()
    devices_named(device)
    places = device.split(",")
    names = (TABLE, REPORT, MANIFEST)
    cells = comparison.cells()
    with ProductFolder(out, names=names, overwrite=overwrite) as folder, writing(out):
        work = folder.directory / _WORK
        if fresh and work.exists():
            shutil.rmtree(work)
        work.mkdir(parents=True, exist_ok=True)
        waiting = [each for each in cells if not (work / f"{comparison.key(each)}.json").exists()]
        told = progress or _silent
        told("cells", len(cells) - len(waiting), len(cells))
        if len(places) == 1:
            for number, cell in enumerate(waiting):
                run_cell(comparison, cell, work, places[0], threads)
                told("cells", len(cells) - len(waiting) + number + 1, len(cells))
        else:
            _shared_out(comparison, waiting, work, places, threads, told, len(cells))
        found = {each: json.loads((work / f"{comparison.key(each)}.json").read_text()) for each in cells}
        told("plain features", 0, 1)
        lines = [*_lines(comparison, found), *_plain(comparison)]
        lines.sort(key=lambda line: (line.task, line.share, line.kind, -line.accuracy))
        manifest = Manifest(
            Provenance(skysift.__version__, "benchmark", comparison.to_dict(), kind="step"),
            outputs=names[:-1],
            workers=len(places),
            started=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
            seconds={"all": time.perf_counter() - clock},
            counts={"cells": len(cells), "rows": len(lines)},
            versions={**library_versions(), "torch": torch.__version__},
        )
        with folder.path(TABLE).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [*Line.__dataclass_fields__])
            writer.writeheader()
            writer.writerows(_plainly(asdict(line)) for line in lines)
        folder.path(REPORT).write_text(_page(comparison, lines, manifest), encoding="utf-8")
        write_manifest(manifest, folder)
        folder.commit()
        shutil.rmtree(work, ignore_errors=True)
    return Compared(tuple(lines), manifest)


def _silent(stage: str, done: int, total: int) -> None:
    """No progress is told."""


def _plainly(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: f"{each:.5g}" if isinstance(each, float) else each for name, each in values.items()}


def _shared_out(
    comparison: Comparison,
    waiting: Sequence[Cell],
    work: Path,
    places: Sequence[str],
    threads: int | None,
    told: Progress,
    total: int,
) -> None:
    """Run cells on several devices, each of which has a process that takes its own in turn."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(places), mp_context=context) as pool:
        doing = [
            pool.submit(run_cells, comparison, list(waiting[k :: len(places)]), work, place, threads)
            for k, place in enumerate(places)
        ]
        for each in as_completed(doing):
            each.result()
            done = sum((work / f"{comparison.key(cell)}.json").exists() for cell in waiting)
            told("cells", total - len(waiting) + done, total)


def run_cells(
    comparison: Comparison, cells: Sequence[Cell], work: Path, device: str, threads: int | None
) -> None:
    """Run some cells on one device."""
    for cell in cells:
        run_cell(comparison, cell, work, device, threads)


def run_cell(comparison: Comparison, cell: Cell, work: Path, device: str, threads: int | None) -> None:
    """Learn, judge on all tasks, and keep what that gave; the state of a broken training is taken up."""
    if threads is not None:
        torch.set_num_threads(threads)
    key = comparison.key(cell)
    asked = {name: _asked(comparison, name) for name in comparison.tasks}
    pool = _pool(comparison, cell, asked, work)
    clock = time.process_time()
    trained = learn(cell.plan, pool, work / key, device=device)
    seconds = time.process_time() - clock
    weights = _weights(cell, pool, trained, work / f"{key}.safetensors")
    result: dict[str, Any] = {"seconds": seconds, "spread": trained.numbers["spread"], "rows": {}}
    for name, one in asked.items():
        rows = [*rows_of(weights, one, comparison.probe, only=(cell.repeat, cell.fold))]
        rows += beside(one, comparison.probe, weights, plain=False, only=(cell.repeat, cell.fold))
        result["rows"][name] = [asdict(row) for row in rows]
    part = work / f"{key}.part"
    part.write_text(json.dumps(result))
    part.replace(work / f"{key}.json")
    shutil.rmtree(work / key, ignore_errors=True)
    (work / f"{key}.safetensors").unlink()


def _asked(comparison: Comparison, name: str) -> Asked:
    task = comparison.tasks[name]
    labels = None if task.labels is None else comparison.path(task.labels)
    pictures = open_pictures(comparison.path(task.pictures), labels=labels)
    return asked_of(pictures, labels_of(pictures, task.column, task.classes), comparison.probe)


def _prepared(comparison: Comparison, cell: Cell, work: Path) -> Pool:
    """The pictures of the set of a cell, prepared; they are kept for other cells with the same."""
    chosen, plan = comparison.sets[cell.set], cell.plan
    told = (chosen.to_dict(), plan.prepare.to_dict(), plan.pool.to_dict(), plan.train.random_seed)
    kept = work / f"pool-{fingerprint((str(comparison.folder), told))[:16]}.npz"
    if kept.exists():
        return Pool.load(kept)
    nowhere = (np.empty(0), np.empty(0))
    cut = chosen.cut if chosen.cut in ("random", "sources") else str(comparison.path(chosen.cut))
    pool, _, _ = pool_from(
        [comparison.path(each) for each in chosen.pictures],
        [comparison.path(each) for each in chosen.maps],
        cut,
        plan,
        nowhere,
    )
    pool.save(kept)
    return pool


def _pool(comparison: Comparison, cell: Cell, asked: Mapping[str, Asked], work: Path) -> Pool:
    """Pictures without labels, less those that lie near what is judged on."""
    chosen = comparison.sets[cell.set]
    pool = _prepared(comparison, cell, work)
    if comparison.told.protocol != "transductive":
        for name, one in asked.items():
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
            pool = pool.without(ra, dec, cell.plan.pool.apart)
    if chosen.most and len(pool) > chosen.most:
        rows = generator(cell.plan.train.random_seed, "most").permutation(len(pool))[: chosen.most]
        kept = np.zeros(len(pool), np.bool_)
        kept[rows] = True
        pool = pool.select(kept)
    return pool


def _weights(cell: Cell, pool: Pool, trained: Any, path: Path) -> Checkpoint:
    preparation = Preparation.of(cell.plan.prepare)
    told = {"method": cell.plan.method}
    card = encoder_card(cell.method, "", cell.plan.encoder, len(pool.bands), preparation, told, {})
    write_checkpoint(path, encoder_weights(trained.weights), card)
    return read_checkpoint(path)


def _lines(comparison: Comparison, found: Mapping[Cell, Mapping[str, Any]]) -> list[Line]:
    """Rows of the table from the cells; those of folds are joined."""
    groups: dict[tuple[str, str, str, str], list[Mapping[str, Any]]] = {}
    for cell, result in found.items():
        groups.setdefault((cell.method, cell.network, cell.preparation, cell.set), []).append(result)
    made: dict[tuple[Any, ...], Line] = {}
    for names, results in groups.items():
        spread = float(np.mean([each["spread"] for each in results]))
        seconds = sum(float(each["seconds"]) for each in results)
        for task in comparison.tasks:
            for rows in zip(*(each["rows"][task] for each in results), strict=True):
                row = _joined([Row(**each) for each in rows])
                own = row.features == names[0]
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


def _plain(comparison: Comparison) -> list[Line]:
    """Plain features with LightGBM on each task."""
    return [
        Line(name, row.features, "", "", "", row.kind, row.share, row.labels, row.accuracy,
             row.accuracy_sd, row.f1, row.f1_sd, float("nan"), 0.0)
        for name in comparison.tasks
        for row in beside(_asked(comparison, name), comparison.probe)
        if row.kind != "majority"
    ]  # fmt: skip


def _page(comparison: Comparison, lines: Sequence[Line], manifest: Manifest) -> str:
    heads = ("learnt by", "network", "preparation", "from", "classifier", "labels", "accuracy", "F1", "CPU s")
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
        sections.append(Section(task, task, heads=heads, rows=rows))
    lead = (
        f"{manifest.counts['cells']} trainings, protocol {comparison.told.protocol}; {comparison.probe.folds} folds, "
        f"{comparison.probe.repeats} times"
    )
    best = {
        task: max((each for each in lines if each.task == task), key=lambda each: each.accuracy)
        for task in comparison.tasks
    }
    numbers = [(f"{each.accuracy:.3f}", f"{task}: {each.method}, {each.kind}") for task, each in best.items()]
    shown = {"Training": comparison.train, "Views": comparison.views, "Probe": comparison.probe.to_dict()}
    return learning_page(comparison.told.name, lead, numbers, sections, shown, manifest)
