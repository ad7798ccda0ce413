"""`FeaturesStep`: pictures in, a table of numbers about them out, with a page that shows what was measured."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import skysift
from skysift.base.errors import UsageError
from skysift.base.fingerprint import fingerprint
from skysift.base.parallel import ALONE, Crew
from skysift.base.provenance import Manifest, library_versions
from skysift.classify.features.options import FeaturesOptions
from skysift.classify.features.seen import see
from skysift.classify.features.table import features_of, left_aside, view_of
from skysift.flow.products import MANIFEST, ProductFolder, write_manifest, writing
from skysift.flow.reasons import reasons
from skysift.flow.stamp_sheets import Sheet, sheet_png, stamps_page
from skysift.io.features import write_features
from skysift.io.output import whole_file
from skysift.sky.features import Features
from skysift.stamps.pictures import Pictures, centred
from skysift.stamps.sampling import sampling_note

__all__ = ["REPORT", "TABLE", "FeaturesMade", "FeaturesStep"]

TABLE, REPORT = "features.parquet", "report.html"
_SHOWN = 24  # pictures on the page


@dataclass(frozen=True, eq=False)
class FeaturesMade:
    """The features, the manifest where a folder was written, what is worth telling, and why pictures have no features."""

    features: Features
    manifest: Manifest | None
    notes: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


class FeaturesStep:
    """
    Numbers measured on pictures as Parquet, with a page and a manifest.

    Parameters
    ----------
    options
        What is measured, and how.
    """

    def __init__(self, options: FeaturesOptions) -> None:
        self.options = options

    def __repr__(self) -> str:
        return f"FeaturesStep({self.options!r})"

    def run(
        self,
        pictures: Pictures,
        out: str | Path,
        *,
        overwrite: bool = False,
        fresh: bool = False,
        crew: Crew = ALONE,
    ) -> FeaturesMade:
        """What was measured, after it was written.

        A path that ends with ``.parquet`` gets the table alone; a folder gets ``features.parquet``, ``report.html`` and
        ``manifest.json``, and a run that is broken off goes on where it was when it is repeated.

        Parameters
        ----------
        pictures
            What is measured.
        out
            The file or the folder.
        overwrite
            Whether the products of an earlier run are replaced, on success.
        fresh
            Whether what a broken-off run has left is discarded.
        crew
            Who does it.

        Raises
        ------
        UsageError
            There is no picture, none shows a source, or a group does not fit the pictures.
        OutputError
            The place cannot be written, or holds earlier products and `overwrite` is off.
        """
        place = Path(out)
        if place.suffix.lower() in (".parquet", ".pq"):
            with whole_file(place, overwrite=overwrite) as part:
                features = self._measured(pictures, crew)
                write_features(features, part)
            return FeaturesMade(features, None, self._notes(pictures, features), _errors(features))
        begun, clock = datetime.now(UTC), time.perf_counter()
        names = (TABLE, REPORT, MANIFEST)
        key = {
            "version": skysift.__version__,
            "step": "features",
            "options": self.options.to_dict(),
            "pictures": fingerprint((pictures.names, pictures.bands, pictures.origin)),
        }
        with ProductFolder(place, names=names, overwrite=overwrite, key=key, fresh=fresh) as folder:
            crew = folder.keeping(crew)
            with writing(folder.directory):
                features = self._measured(pictures, crew)
                write_features(features, folder.path(TABLE))
                assert features.provenance is not None
                notes = self._notes(pictures, features)
                told = (*notes, *_errors(features))
                manifest = Manifest(
                    features.provenance,
                    outputs=names[:-1],
                    workers=crew.workers,
                    started=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    seconds={"all": time.perf_counter() - clock},
                    counts=_counts(features),
                    facts={"bands": list(pictures.bands)},
                    versions=library_versions(),
                    warnings=told,
                )
                page = self._page(pictures, features, manifest)
                folder.path(REPORT).write_text(page, encoding="utf-8")
                write_manifest(manifest, folder)
            folder.commit()
        return FeaturesMade(features, manifest, notes, _errors(features))

    def _measured(self, pictures: Pictures, crew: Crew) -> Features:
        features = features_of(pictures, self.options, crew)
        if np.isnan(features.values).all():
            raise UsageError(
                "no picture shows a source",
                got=next((str(each) for each in features.facts["error"] if each), "only blanks"),
                todo="lower --set seed=, or look at the pictures",
            )
        return features

    def _notes(self, pictures: Pictures, features: Features) -> tuple[str, ...]:
        """What is worth telling: of the set, of options that it does not need, of pictures that hold too little."""
        sampling = sampling_note(features.facts["sampling"])
        return (*pictures.notes, *left_aside(pictures, self.options), *([sampling] if sampling else []))

    def _page(self, pictures: Pictures, features: Features, manifest: Manifest) -> str:
        counts = manifest.counts
        return stamps_page(
            "Features",
            f"{counts['features']} numbers about each of {counts['pictures']} picture{'s' * (counts['pictures'] > 1)} "
            f"in {len(pictures.bands)} band{'s' * (len(pictures.bands) > 1)}",
            self._sheets(pictures, features),
            heading="Features",
            numbers=(
                (f"{counts['pictures']}", "pictures"),
                (f"{counts['measured']}", "with a source"),
                (f"{counts['features']}", "features"),
            ),
            heads=("feature", "group", "unit", "lowest", "median", "highest", "missing", "meaning"),
            table=_summary(features),
            words=("group", "unit", "meaning"),
            options=manifest.provenance.options,
            notes=manifest.warnings,
            footer=f"skysift {skysift.__version__}, {manifest.started}",
        )

    def _sheets(self, pictures: Pictures, features: Features) -> tuple[Sheet, ...]:
        """Pictures beside what of them was taken for the source, over the sample."""
        good = np.flatnonzero(features.facts["error"] == "")
        if not len(good):
            return ()
        rows = good[np.unique(np.linspace(0, len(good) - 1, _SHOWN).astype(np.int64))]
        view = view_of(pictures, self.options)
        seen = see(pictures.read(rows), view, self.options)
        pixels, labels = seen.pixels[:, view.reference], seen.labels[:, view.reference]
        sides = np.asarray(features.facts.get("pixels", np.full(len(features), pixels.shape[-1])))[rows]
        thumbs = [
            centred(np.stack([image, np.where(label > 0, image, np.nan)]), min(int(side), image.shape[-1]))
            for image, label, side in zip(pixels, labels, sides, strict=True)
        ]
        names = [pictures.names[row] for row in rows]
        png = sheet_png(names, ("picture", "its source"), thumbs, "asinh")
        return (Sheet("sheet-0001.png", png, "pictures, and the pixels that were taken for the source"),)


def _counts(features: Features) -> dict[str, int]:
    return {
        "pictures": len(features),
        "measured": int((features.facts["error"] == "").sum()),
        "features": len(features.columns),
    }


def _errors(features: Features) -> tuple[str, ...]:
    """A line for each reason why pictures have no features."""
    pairs = zip(features.names, map(str, features.facts["error"]), strict=True)
    return reasons(pairs, "picture", "error", " without features")


def _summary(features: Features) -> Sequence[tuple[str, ...]]:
    """A row for each feature: what it is, and its values over the sample."""
    rows = []
    for k, each in enumerate(features.columns):
        values = features.values[:, k]
        good = values[np.isfinite(values)]
        numbers = [f"{q:.4g}" for q in np.quantile(good, [0.0, 0.5, 1.0])] if len(good) else ["", "", ""]
        missing = f"{100.0 * (1.0 - len(good) / max(len(values), 1)):.0f} %"
        rows.append((each.name, each.group, each.unit, *numbers, missing, each.doc))
    return rows
