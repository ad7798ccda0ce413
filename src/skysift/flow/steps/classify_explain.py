"""`ClassifyExplainStep`: which features a classifier goes by, in all and for each source; tables and a page."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import skysift
from skysift.base.parallel import ALONE, Crew
from skysift.base.provenance import InputRecord, Manifest, Provenance, library_versions
from skysift.classify.classifier import Classifier, Given
from skysift.classify.explain_tables import Reasons, reasons_of
from skysift.classify.options import ExplainOptions
from skysift.flow.classified_page import Section, classified_page, counted, listing_of
from skysift.flow.figures import Picture
from skysift.flow.products import MANIFEST, ProductFolder, write_manifest, writing
from skysift.flow.report_page import Figure
from skysift.flow.score_charts import chart_of_bars, start
from skysift.flow.steps.classify import PAGE, write_figures, write_table
from skysift.flow.style import INK, colours, png

__all__ = ["ClassifyExplainStep", "Explained"]

_PER_SOURCE = 5


@dataclass(frozen=True, eq=False)
class Explained:
    """The reasons, and the manifest of what was written."""

    reasons: Reasons
    manifest: Manifest


class ClassifyExplainStep:
    """
    The reasons of a classifier of features.

    Parameters
    ----------
    options
        How much is told.
    """

    def __init__(self, options: ExplainOptions) -> None:
        self.options = options

    def run(
        self,
        classifier: Classifier[Any],
        given: Given,
        out: str | Path,
        *,
        model: str = "",
        inputs: Sequence[InputRecord] = (),
        overwrite: bool = False,
        crew: Crew = ALONE,
    ) -> Explained:
        """The reasons, after ``features.csv``, ``reasons.csv``, figures, ``report.html`` and a manifest were written.

        Parameters
        ----------
        classifier
            That tells.
        given
            Sources to tell of.
        out
            The folder.
        model
            What the classifier is called.
        inputs
            What was read.
        overwrite
            Whether the products of an earlier run are replaced, on success.
        crew
            To whom progress is told.

        Raises
        ------
        UsageError
            The classifier looks at pictures, or not one source is known.
        OutputError
            The folder cannot be written, or holds earlier products and `overwrite` is off.
        """
        begun, clock = datetime.now(UTC), time.perf_counter()
        options = self.options
        names = ("features.csv", "reasons.csv", "features.png", "beeswarm.png", PAGE, MANIFEST)
        with ProductFolder(Path(out), names=names, overwrite=overwrite) as folder, writing(folder.directory):
            if crew.progress is not None:
                crew.progress("reasons", 0, 1)
            found = reasons_of(classifier, given, options.sources, options.random_seed)
            summary = found.summary(options.top)
            write_table(found.summary(len(found.columns)), folder.path("features.csv"))
            write_table(found.of_sources(_PER_SOURCE), folder.path("reasons.csv"))
            caption = f"Mean size of what a feature adds to the score of a class ({found.unit})."
            figures = (
                Figure(
                    "features", chart_of_bars(summary["feature"], summary["mean"], found.unit, caption, ".3g")
                ),
                Figure("beeswarm", _swarm(found, options.top)),
            )
            write_figures(figures, folder)
            told = Provenance(
                skysift.__version__,
                "classify-explain",
                {**options.to_dict(), "model": model, "classifier": classifier.name},
                tuple(inputs),
                (),
                "step",
            )
            manifest = Manifest(
                told,
                names[:-1],
                started=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
                seconds={"all": time.perf_counter() - clock},
                counts={"sources": len(found.names), "features": len(found.columns)},
                versions=library_versions(),
            )
            page = classified_page(
                f"Reasons: {classifier.name}",
                f"{counted(len(found.names), 'source')}, {counted(len(found.columns), 'feature')}",
                (),
                [
                    Section(
                        "Features",
                        figures,
                        (listing_of("Features that count most", summary, options.top),),
                        "What a feature adds is its Shapley value (SHAP). rises is 1 where a large value speaks for "
                        "the class, -1 where it speaks against it.",
                    ),
                    Section("Sources", (), (listing_of("Reasons of sources", found.of_sources(3), 60),)),
                ],
                dict(told.options),
                f"Made by skysift {skysift.__version__}, {manifest.started}.",
            )
            folder.path(PAGE).write_text(page, encoding="utf-8")
            write_manifest(manifest, folder)
            folder.commit()
        return Explained(found, manifest)


def _swarm(found: Reasons, top: int) -> Picture:
    """What the features that count most add to the last class, one point a source, coloured by the value."""
    figure, axes = start(f"adds to the score of {found.classes[-1]} ({found.unit})", "")
    order = np.argsort(-np.abs(found.shares[:, -1]).mean(axis=0), kind="stable")[:top]
    axes.axvline(0.0, color=INK, linewidth=0.7, linestyle=":")
    for row, k in enumerate(order):
        x, value = found.shares[:, -1, k], found.values[:, k]
        rank = np.argsort(np.argsort(np.nan_to_num(value, nan=-np.inf), kind="stable"), kind="stable")
        shift = 0.32 * np.sin(np.arange(len(x)) * 2.399963)
        colour = colours("coolwarm")(rank / max(len(x) - 1, 1))
        axes.scatter(x, row + shift, s=5, c=colour, alpha=0.7, linewidths=0)
    axes.set_yticks(range(len(order)), [found.columns[k] for k in order])
    axes.set_ylim(len(order) - 0.4, -0.6)
    return Picture(
        png(figure),
        f"What each feature adds to the score of {found.classes[-1]}, a point a source: red where its value is large.",
    )
