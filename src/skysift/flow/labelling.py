"""A person's labels and scores of a sample: stored beside it, and the sample ranked anew."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import skysift
from skysift.base.provenance import InputRecord, Manifest, Provenance, library_versions
from skysift.explore.active import reranked
from skysift.explore.exploring import by_name
from skysift.explore.options import ActiveOptions
from skysift.explore.outliers import ranks
from skysift.explore.reference import Reference
from skysift.explore.scores import merged, read_sayings, sayings_csv, score_column
from skysift.flow.explore_page import EXPLORED
from skysift.flow.explored import (
    DUPLICATES,
    LABELS,
    MODELS,
    RANKING,
    REFERENCE,
    REPORT,
    TABLE,
    THUMBS,
    open_explored,
    read_rows,
    write_explored,
)
from skysift.flow.products import MANIFEST, ProductFolder, writing
from skysift.flow.steps.explore import ExploreMade
from skysift.flow.thumbs import read_thumbs
from skysift.sky.features import Feature, Features

__all__ = ["label"]


def label(
    directory: Path,
    labels: Path,
    options: ActiveOptions,
    *,
    inputs: Sequence[InputRecord] = (),
) -> ExploreMade:
    """A person's labels and scores stored beside a sample, which is ranked anew by them; earlier ones stay.

    ``labels.csv`` (name, label, score) is what `skysift classify train --labels` takes. The table gets the columns
    ``score``, ``interest`` (what the person would score high) and ``next`` (what should be looked at next, empty for what
    has a score); the ranking is in the order of ``interest`` from then on. ``rank`` and ``strange`` stay as they were.

    Parameters
    ----------
    directory
        Folder of `skysift explore`.
    labels
        CSV with name, and label, score or both.
    options
        How scores change the ranking.
    inputs
        What was read.

    Raises
    ------
    UsageError
        The folder is none of `skysift explore`, a source is not in the sample, or a score is no number from 0 to 5.
    """
    begun, clock = datetime.now(UTC), time.perf_counter()
    table, reference, story = open_explored(directory)
    old = directory / LABELS
    before = read_sayings(old, table.names) if old.is_file() else {}
    sayings = merged(before, read_sayings(labels, table.names))
    scores = score_column(sayings, table.names)
    table = _scored(table, reference, scores, options)
    kept = [name for name in (MODELS, DUPLICATES, REFERENCE, THUMBS) if (directory / name).is_file()]
    names = (TABLE, RANKING, LABELS, REPORT, MANIFEST, *kept)
    earlier = Provenance.from_dict(
        {key: story[key] for key in ("version", "finder", "options", "inputs", "notes", "kind")}
    )
    told = replace(
        earlier,
        version=skysift.__version__,
        options={**earlier.options, "active": options.to_dict()},
        inputs=(*earlier.inputs, *(each for each in inputs if each not in earlier.inputs)),
    )
    manifest = Manifest(
        told,
        outputs=tuple(name for name in names if name != MANIFEST),
        started=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
        seconds={"all": time.perf_counter() - clock},
        counts={
            **story["counts"],
            "labels": sum(bool(each.label) for each in sayings.values()),
            "scores": int(np.isfinite(scores).sum()),
        },
        facts=story["facts"],
        versions=library_versions(),
        warnings=tuple(story["warnings"]),
    )
    with ProductFolder(directory, names=names, overwrite=True) as folder:
        with writing(directory):
            for name in kept:
                shutil.copyfile(directory / name, folder.path(name))
            folder.path(LABELS).write_text(sayings_csv(sayings), encoding="utf-8")
            models, duplicates = (read_rows(directory / name) for name in (MODELS, DUPLICATES))
            write_explored(
                folder,
                replace(table, provenance=told),
                read_thumbs(directory / THUMBS),
                sayings,
                manifest,
                models,
                duplicates,
            )
        folder.commit()
    return ExploreMade(table, manifest)


def _scored(
    table: Features, reference: Reference, scores: NDArray[np.float64], options: ActiveOptions
) -> Features:
    """The table with a person's scores and the ranking that follows from them; without a score it stays as it was."""
    old = ("interest", "acquisition")
    table = table.only([name for name in table.titles if name not in old])
    facts = {name: values for name, values in table.facts.items() if name not in ("next", "score")}
    if not np.isfinite(scores).any():
        return replace(table, facts=facts)
    order = by_name(table.names)
    good = order[np.isfinite(reference.space.of(table)[order]).all(axis=1)]
    some = table.select(good)
    interest, acquisition = np.full(len(table), np.nan), np.full(len(table), np.nan)
    views = [each.space.of(some) for each in reference.views] or [reference.space.of(some)]
    strange = np.nan_to_num(some["strange"])
    interest[good], acquisition[good] = reranked(views, strange, scores[good], options)
    columns = (
        *table.columns,
        Feature("interest", "", f"what a person would score high, by {options.method}", EXPLORED),
    )
    facts |= {"score": scores, "next": np.where(np.isfinite(acquisition), ranks(acquisition), np.nan)}
    return Features(
        table.names,
        columns,
        np.concatenate([table.values, interest[:, None]], axis=1),
        facts,
        table.provenance,
    )
