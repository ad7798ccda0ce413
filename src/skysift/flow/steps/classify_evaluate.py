"""`ClassifyEvaluateStep`: how good a classifier is on sources left out, beside what is simpler; a page and tables."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import skysift
from skysift.base.parallel import ALONE, Crew
from skysift.base.provenance import InputRecord, Manifest, Provenance, library_versions
from skysift.base.registry import Registry
from skysift.classify.classifier import Classifier, Given
from skysift.classify.evaluation import Evaluation, Teller, contenders_of, evaluate
from skysift.classify.features.options import FeaturesOptions
from skysift.classify.folds import at_one_place, fixed_folds, random_folds
from skysift.classify.options import JudgeOptions
from skysift.flow.classified_page import (
    Section,
    chart_of_contenders,
    classified_page,
    figures_of,
    listing_of,
    spread_listing,
)
from skysift.flow.products import MANIFEST, ProductFolder, write_manifest, writing
from skysift.flow.report_page import Figure
from skysift.flow.steps.classify import (
    DOUBTFUL,
    LOST,
    PAGE,
    known_sources,
    lost_notes,
    with_features,
    with_unmeasured,
    write_figures,
    write_lost,
    write_table,
)
from skysift.score.scorer import ReportTable, reports_to_json
from skysift.stamps.pictures import Pictures

__all__ = ["ClassifyEvaluateStep", "Judged"]

_TABLES = ("contenders", "folds", "classes", "confusion", "calibration", "doubtful", "predictions")
_FIGURES = ("contenders", "confusion", "reliability", "f1")


@dataclass(frozen=True, eq=False)
class Judged:
    """The evaluation, and the manifest of what was written."""

    evaluation: Evaluation
    manifest: Manifest


class ClassifyEvaluateStep:
    """
    A classifier judged on sources that it did not learn from.

    Parameters
    ----------
    options
        What is learnt, and how the sources are divided.
    make
        Makes a new classifier; by default that of the options, with its own defaults.
    """

    def __init__(self, options: JudgeOptions, make: Callable[[], Classifier[Any]] | None = None) -> None:
        self.options = options
        self._make = make or (lambda: Registry[Any]("classifier").make(options.model))

    def run(
        self,
        given: Given,
        out: str | Path,
        *,
        features: FeaturesOptions | None = None,
        beside: Mapping[str, Teller] | None = None,
        inputs: Sequence[InputRecord] = (),
        overwrite: bool = False,
        crew: Crew = ALONE,
    ) -> Judged:
        """The evaluation, after ``evaluation.json``, tables, figures, ``report.html`` and a manifest were written.

        Parameters
        ----------
        given
            Pictures or features, with their labels.
        out
            The folder.
        features
            How features are measured on pictures.
        beside
            Further ways that are shown beside the classifier.
        inputs
            What was read.
        overwrite
            Whether the products of an earlier run are replaced, on success.
        crew
            Who does it.

        Raises
        ------
        UsageError
            There is one class, a class has too few sources for the folds, or the folds are of other sources.
        UnknownName
            There is no such classifier, task, column or list of folds.
        OutputError
            The folder cannot be written, or holds earlier products and `overwrite` is off.
        """
        begun, clock = datetime.now(UTC), time.perf_counter()
        options, make = self.options, self._make
        reads = make().reads
        data, notes = known_sources(given, options)
        names = (
            "evaluation.json",
            *(f"{name}.csv" for name in _TABLES),
            *(f"{name}.png" for name in _FIGURES),
            LOST,
            PAGE,
            MANIFEST,
        )
        with ProductFolder(Path(out), names=names, overwrite=overwrite) as folder, writing(folder.directory):
            data.refuse_one_class()
            if options.fixed is not None:
                data, folds, more = fixed_folds(data, options.fixed, options.repeats)
                notes = (*notes, *more)
            else:
                folds = random_folds(data, options.folds, options.repeats, options.random_seed)
                again = int((at_one_place(data) != np.arange(len(data))).sum())
                if again:
                    notes = (*notes, f"{again} sources within 6 arcsec of another one share its fold")
            if reads == "features" or options.beside:
                data = with_features(data, features, crew, make())
            if reads == "features":
                data = with_unmeasured(data)
            others = dict(beside or {})
            if options.beside:
                others |= contenders_of(data, make, options.random_seed)
            found = evaluate(make, data, folds, beside=others, notes=notes, crew=crew)
            told = Provenance(
                skysift.__version__,
                "classify-evaluate",
                {**options.to_dict(), "classifier": make().options.to_dict()},
                tuple(inputs) or _origin(given),
                notes,
                "step",
            )
            found = replace(found, title=repr(data), told_of=told.options)
            written = _write(found, folder)
            manifest = Manifest(
                told,
                tuple(written),
                workers=crew.workers,
                started=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
                seconds={"all": time.perf_counter() - clock},
                counts={"sources": len(data), **dict(zip(data.classes, map(int, data.counts), strict=True))},
                versions=library_versions(),
                warnings=notes,
            )
            folder.path(PAGE).write_text(_page(found, manifest), encoding="utf-8")
            write_manifest(manifest, folder)
            folder.commit()
        return Judged(found, manifest)


def _write(found: Evaluation, folder: ProductFolder) -> list[str]:
    """Names of what was written but the manifest, the page not yet."""
    report = found.report()
    tables: dict[str, ReportTable] = {
        "contenders": found.side_by_side(),
        "folds": _folds_table(found),
        **report.tables,
        "predictions": _predictions(found),
    }
    doubtful = found.doubtful()
    if doubtful:
        tables["doubtful"] = doubtful
    for name, table in tables.items():
        write_table(table, folder.path(f"{name}.csv"))
    others = [found.report(each) for each in found.contenders[1:]]
    content = {
        "contenders": {
            each.name: {
                name: {"mean": _plain(each.mean(name)[0]), "sd": _plain(each.mean(name)[1])}
                for name in each.parts
            }
            for each in found.contenders
        },
        "reports": {
            each.catalogue: json.loads(reports_to_json([each]))["classes"] for each in (report, *others)
        },
    }
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False)
    folder.path("evaluation.json").write_text(text + "\n", encoding="utf-8")
    return [
        "evaluation.json",
        *(f"{name}.csv" for name in tables),
        *write_figures(_figures(found), folder),
        *write_lost(found.data, folder),
        PAGE,
    ]


def _figures(found: Evaluation) -> tuple[Figure, ...]:
    parts = {each.name: each.parts["accuracy"].tolist() for each in found.contenders}
    first = Figure("contenders", chart_of_contenders(parts, "share of right classes"))
    others = {
        each.name: found.report(each)
        for each in found.contenders[1:]
        if each.name.startswith("features")  # of others probabilities are not meant
    }
    return (first, *figures_of(found.report(), others))


def _page(found: Evaluation, manifest: Manifest) -> str:
    report, data = found.report(), found.data
    accuracy, f1, ece = (found.judged.mean(name) for name in ("accuracy", "macro_f1", "ece"))
    numbers = [
        (f"{accuracy[0]:.3f} \u00b1 {accuracy[1]:.3f}", "right class, mean and deviation of folds"),
        (f"{f1[0]:.3f} \u00b1 {f1[1]:.3f}", "macro F1"),
        (f"{ece[0]:.3f} \u00b1 {ece[1]:.3f}", "calibration error"),
        (f"{len(data):,}", "sources"),
    ]
    drawn = {each.name: each for each in _figures(found)}
    over = "mean and standard deviation (sd) over all folds"
    tables = [spread_listing(report), listing_of(f"Classes: {over}", report.tables["classes"])]
    if "confusion" in report.tables:
        tables.append(listing_of("Confusion: counts of all repeats", report.tables["confusion"]))
    sections = [
        Section(
            "Side by side",
            (drawn["contenders"],),
            (listing_of(f"{over[0].upper()}{over[1:]}", _rounded(found.side_by_side())),),
            report.rule,
        ),
        Section(
            found.judged.name,
            tuple(each for name, each in drawn.items() if name != "contenders"),
            tuple(tables),
        ),
    ]
    doubtful = found.doubtful()
    if doubtful and doubtful["name"]:
        sections.append(Section("Doubtful labels", (), (listing_of("Labels", doubtful),), DOUBTFUL))
    options = dict(manifest.provenance.options)
    own = options.pop("classifier")
    facts = options | {f"classifier.{name}": value for name, value in own.items()}
    facts |= {record.name: record.checksum for record in manifest.provenance.inputs}
    lead = ", ".join(f"{n} {name}" for name, n in zip(data.classes, data.counts, strict=True))
    footer = f"Made by skysift {skysift.__version__}, {manifest.started}."
    title = f"{found.judged.name} on sources left out"
    notes = (*manifest.warnings, *lost_notes(data))
    return classified_page(title, lead, numbers, sections, facts, footer, notes)


def _folds_table(found: Evaluation) -> dict[str, list[Any]]:
    """One row a contender, repeat and fold."""
    n = int(found.folds.max()) + 1
    rows: dict[str, list[Any]] = {"model": [], "repeat": [], "fold": []}
    names = list(found.judged.parts)
    rows |= {name: [] for name in names}
    for each in found.contenders:
        for k in range(len(found.folds) * n):
            rows["model"].append(each.name)
            rows["repeat"].append(k // n + 1)
            rows["fold"].append(k % n + 1)
            for name in names:
                value = float(each.parts[name][k]) if name in each.parts else float("nan")
                rows[name].append(int(value) if name == "n" else round(value, 6))
    return rows


def _predictions(found: Evaluation) -> dict[str, list[Any]]:
    """What was told of each source while it was left out, one row a source and repeat."""
    data, times = found.data, len(found.folds)
    told = found.judged.told.reshape(-1, len(data.classes))
    labels = [data.label(k) for k in range(len(data))]
    columns: dict[str, list[Any]] = {
        "name": list(data.names) * times,
        "label": labels * times,
        "repeat": np.repeat(np.arange(times) + 1, len(data)).tolist(),
        "fold": (found.folds.ravel() + 1).tolist(),
    }
    return columns | {f"p_{name}": np.round(told[:, k], 5).tolist() for k, name in enumerate(data.classes)}


def _rounded(table: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    return {
        name: [float(f"{each:.3g}") if isinstance(each, float) and name == "cpu_seconds" else (
            round(each, 4) if isinstance(each, float) else each) for each in values]
        for name, values in table.items()
    }  # fmt: skip


def _plain(value: float) -> float | None:
    return None if not np.isfinite(value) else round(float(value), 6)


def _origin(given: Given) -> tuple[InputRecord, ...]:
    if isinstance(given, Pictures):
        return () if given.origin is None else (given.origin,)
    return () if given.provenance is None else given.provenance.inputs
