"""`ClassifyTrainStep`: sources with labels in; a classifier in one file, with what it is worth, out."""

from __future__ import annotations

import csv
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import skysift
from skysift.base.parallel import ALONE, Crew
from skysift.base.provenance import InputRecord, Manifest, Provenance, library_versions
from skysift.base.registry import Registry
from skysift.classify.classifier import FILE, Classifier, Given, Labelled, Lost
from skysift.classify.evaluation import majority
from skysift.classify.features.options import FeaturesOptions
from skysift.classify.likeness import Looks
from skysift.classify.options import TrainOptions
from skysift.classify.scores import calibration_of, class_table, confusion_table, doubtful_labels, numbers_of
from skysift.classify.tasks import Task, labelled_by, task_named
from skysift.flow.classified_page import Section, classified_page, figures_of, listing_of, numbers_listing
from skysift.flow.products import MANIFEST, ProductFolder, write_manifest, writing
from skysift.flow.report_page import Figure
from skysift.flow.steps.score import png_bytes
from skysift.score.scorer import Report, ReportTable
from skysift.stamps.pictures import Pictures

__all__ = [
    "DOUBTFUL",
    "LOST",
    "PAGE",
    "ClassifyTrainStep",
    "Trained",
    "known_sources",
    "lost_notes",
    "lost_text",
    "with_features",
    "with_unmeasured",
    "write_figures",
    "write_lost",
    "write_table",
]

PAGE = "report.html"
LOST = "left_out.csv"
UNMEASURED = "nothing can be measured on it"
DOUBTFUL = (
    "Sources whose label may be wrong, by confident learning: the class that they seem to be has at least the "
    "probability that its own sources have in the mean."
)


@dataclass(frozen=True, eq=False)
class Trained:
    """The classifier, what it told of sources that were left out (None where it did not look), and the manifest."""

    classifier: Classifier[Any]
    data: Labelled
    report: Report | None
    manifest: Manifest


class ClassifyTrainStep:
    """
    A classifier that learns from sources with labels.

    Parameters
    ----------
    options
        What is learnt.
    classifier
        What learns; by default that of the options, with its own defaults.
    """

    def __init__(self, options: TrainOptions, classifier: Classifier[Any] | None = None) -> None:
        self.options = options
        self._classifier = classifier

    def run(
        self,
        given: Given,
        out: str | Path,
        *,
        features: FeaturesOptions | None = None,
        inputs: Sequence[InputRecord] = (),
        overwrite: bool = False,
        crew: Crew = ALONE,
    ) -> Trained:
        """What was learnt, after ``model.safetensors``, tables, ``report.html`` and ``manifest.json`` were written.

        Parameters
        ----------
        given
            Pictures or features, with their labels.
        out
            The folder.
        features
            How features are measured on pictures, for a classifier that reads these.
        inputs
            What was read.
        overwrite
            Whether the products of an earlier run are replaced, on success.
        crew
            Who measures, and to whom progress is told.

        Raises
        ------
        UsageError
            There is one class, a class has too few sources, or no label is known.
        UnknownName
            There is no such classifier, task or column.
        OutputError
            The folder cannot be written, or holds earlier products and `overwrite` is off.
        """
        begun, clock = datetime.now(UTC), time.perf_counter()
        options = self.options
        classifier = self._classifier or Registry[Any]("classifier").make(options.model)
        data, notes = known_sources(given, options)
        data.refuse_one_class()
        tables = ("classes.csv", "confusion.csv", "doubtful.csv", LOST)
        names: tuple[str, ...] = (FILE, *tables, PAGE, MANIFEST)
        with ProductFolder(Path(out), names=names, overwrite=overwrite) as folder, writing(folder.directory):
            if classifier.reads == "features":
                data = with_unmeasured(with_features(data, features, crew, classifier))
            classifier.fit(data, crew.progress)
            if data.pictures is not None:
                told = FeaturesOptions() if features is None else features
                classifier.looks = Looks.of(data.pictures, told.scale, told.beam)
            report = _left_out(classifier, data, notes)
            copies = {"fainter copies": classifier.copies} if classifier.copies else {}
            task = None if options.task is None else task_named(options.task)
            origin = [*inputs, *_origin(given)]
            story = Provenance(
                skysift.__version__,
                "classify-train",
                {**options.to_dict(), "classifier": classifier.options.to_dict()},
                tuple(dict.fromkeys(origin)),
                notes,
                "step",
            )
            classifier.save(
                folder.path(FILE),
                name=Path(out).resolve().name,
                task=_task_text(task, classifier),
                training={
                    "provenance": story.to_dict(),
                    "sources": len(data),
                    "counts": dict(zip(data.classes, map(int, data.counts), strict=True)),
                    **copies,
                },
                numbers={} if report is None else _card_numbers(report),
            )
            manifest = Manifest(
                story,
                tuple(_tables(report, data, folder)),
                workers=crew.workers,
                started=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
                seconds={"all": time.perf_counter() - clock},
                counts={
                    "sources": len(data),
                    **copies,
                    **dict(zip(data.classes, map(int, data.counts), strict=True)),
                },
                versions=library_versions(),
                warnings=notes,
            )
            page = self._page(classifier, data, report, manifest)
            folder.path(PAGE).write_text(page, encoding="utf-8")
            write_manifest(manifest, folder)
            folder.commit()
        return Trained(classifier, data, report, manifest)

    def _page(
        self, classifier: Classifier[Any], data: Labelled, report: Report | None, manifest: Manifest
    ) -> str:
        counts = ", ".join(f"{n} {name}" for name, n in zip(data.classes, data.counts, strict=True))
        numbers = [(f"{len(data):,}", "sources"), (str(len(data.classes)), "classes")]
        if classifier.copies:
            numbers.insert(1, (f"{classifier.copies:,}", "fainter copies"))
        sections = []
        if report is not None:
            shown = (
                ("accuracy", "right class"),
                ("majority", "majority class"),
                ("macro_f1", "macro F1"),
                ("ece", "calibration error"),
            )
            numbers += [(f"{report.numbers[key]:.3f}", label) for key, label in shown]
            tables = [numbers_listing(report), listing_of("Classes", report.tables["classes"])]
            sections.append(Section("Left out", figures_of(report), tuple(tables), report.rule))
            if "doubtful" in report.tables and report.tables["doubtful"]["name"]:
                table = listing_of("Labels", report.tables["doubtful"])
                sections.append(Section("Doubtful labels", (), (table,), DOUBTFUL))
        facts = {name: value for name, value in manifest.provenance.options.items() if name != "classifier"}
        facts |= {f"classifier.{name}": value for name, value in classifier.options.to_dict().items()}
        facts |= {record.name: record.checksum for record in manifest.provenance.inputs}
        return classified_page(
            f"Classifier: {classifier.name}",
            counts,
            numbers,
            sections,
            facts,
            f"Made by skysift {skysift.__version__}, {manifest.started}.",
            (*manifest.warnings, *lost_notes(data)),
        )


def known_sources(given: Given, options: TrainOptions) -> tuple[Labelled, tuple[str, ...]]:
    """The sources whose class is known by the task, and what one should know of the others."""
    task = None if options.task is None else task_named(options.task)
    return labelled_by(given, task, column=options.column, classes=options.classes)


def with_features(
    data: Labelled, options: FeaturesOptions | None, crew: Crew, classifier: Classifier[Any]
) -> Labelled:
    """The same with features measured on the pictures as a classifier looks at them, where only these are known.

    Those of the copies that it learns from beside them, too.
    """
    if data.features is not None or data.pictures is None:
        return data
    from skysift.classify.features.table import features_of

    features = features_of(classifier.shown(data.pictures), options, crew)
    return replace(data, features=features, copies=classifier.copied(data.pictures, options, crew))


def with_unmeasured(data: Labelled) -> Labelled:
    """The same, with rows of which no feature is known among those that are told to be left out."""
    assert data.features is not None
    blank = np.flatnonzero(~np.isfinite(data.features.values).any(axis=1)).tolist()
    lost = [Lost(data.names[k], data.label(k), UNMEASURED) for k in blank]
    return replace(data, lost=(*data.lost, *lost))


def write_table(table: ReportTable, path: Path) -> None:
    """Columns as CSV; what is not known is empty."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table)
        for row in zip(*table.values(), strict=True):
            writer.writerow(["" if isinstance(each, float) and math.isnan(each) else each for each in row])


def write_figures(figures: Sequence[Figure], folder: ProductFolder) -> list[str]:
    """Names of the figures that were written as PNG."""
    for figure in figures:
        folder.path(f"{figure.name}.png").write_bytes(png_bytes(figure))
    return [f"{figure.name}.png" for figure in figures]


def _origin(given: Given) -> list[InputRecord]:
    if isinstance(given, Pictures):
        return [] if given.origin is None else [given.origin]
    return [] if given.provenance is None else list(given.provenance.inputs)


def lost_notes(data: Labelled) -> tuple[str, ...]:
    """`lost_text` as a page says it; none where all rows are learnt from."""
    told = lost_text(data)
    return (f"Left out are {told} ({LOST} lists them).",) if told else ()


def _left_out(classifier: Classifier[Any], data: Labelled, notes: tuple[str, ...]) -> Report | None:
    """The report about what was told of sources while they were left out; None where the classifier did not look."""
    told = classifier.left_out
    if told is None:
        return None
    tables: dict[str, ReportTable] = {"classes": class_table(data.classes, told, data.targets)}
    tables["calibration"], _ = calibration_of(told, data.targets)
    numbers = numbers_of(told, data.targets)
    good = data.select(np.flatnonzero(np.isfinite(told).all(axis=1)))
    numbers["majority"] = numbers_of(majority(good, good), good.targets)["accuracy"]
    if not data.many:
        tables["confusion"] = confusion_table(data.classes, told, data.targets)
        tables["doubtful"] = doubtful_labels(data.names, data.classes, told, data.targets)
    rule = (
        "Each source is told by a model that did not learn from it, as the calibration asks for; settings that were "
        "searched for, the epoch of a network, and the calibration itself, have seen it. `skysift classify evaluate` "
        "leaves sources out of all."
    )
    return Report("classes", numbers, tables, rule, {}, classifier.name, repr(data), notes)


def _tables(report: Report | None, data: Labelled, folder: ProductFolder) -> list[str]:
    """Names of what the manifest lists, the tables of the report and of the rows that are left out written."""
    written = [FILE]
    for name in ("classes", "confusion", "doubtful"):
        if report is not None and name in report.tables:
            write_table(report.tables[name], folder.path(f"{name}.csv"))
            written.append(f"{name}.csv")
    return [*written, *write_lost(data, folder), PAGE]


def write_lost(data: Labelled, folder: ProductFolder) -> list[str]:
    """The name of the table of rows that are not learnt from, after it was written; none where all are."""
    if not data.lost:
        return []
    columns: dict[str, list[Any]] = {
        name: [getattr(each, name) for each in data.lost] for name in ("name", "label", "why")
    }
    write_table(columns, folder.path(LOST))
    return [LOST]


def lost_text(data: Labelled) -> str:
    """How many rows are not learnt from and why, such as ``3 of 935 rows: it has no label (3)``; empty where all are."""
    if not data.lost:
        return ""
    told = Counter(each.why for each in data.lost)
    gone = sum(each.why != UNMEASURED for each in data.lost)  # others are among the rows still
    text = ", ".join(f"{why} ({n})" for why, n in told.most_common())
    return f"{len(data.lost)} of {len(data) + gone} rows: {text}"


def _card_numbers(report: Report) -> dict[str, float]:
    names = ("accuracy", "majority", "macro_f1", "top2", "ece")
    return {name: float(report.numbers[name]) for name in names if name in report.numbers}


def _task_text(task: Task | None, classifier: Classifier[Any]) -> str:
    return task.doc if task is not None else f"tells {', '.join(classifier.classes)} apart"
