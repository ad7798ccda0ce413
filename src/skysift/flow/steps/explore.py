"""`ExploreStep`: tables of features to a map, groups, a ranking and a page; a person's scores on top of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import skysift
from skysift.base.errors import UsageError
from skysift.base.parallel import StageProgress
from skysift.base.provenance import InputRecord, Manifest, Provenance, library_versions
from skysift.explore.exploring import Explored, explore_new, explore_sample
from skysift.explore.menus import Menus, menus_of
from skysift.explore.options import SHOWN, ExploreOptions
from skysift.explore.reference import Reference, read_reference, write_reference
from skysift.explore.stability import table_of
from skysift.flow.explore_page import CLUSTER, EXPLORED, RANK
from skysift.flow.explored import (
    DUPLICATES,
    MODELS,
    RANKING,
    REFERENCE,
    REPORT,
    TABLE,
    THUMBS,
    Rows,
    csv_of,
    without_explored,
    write_explored,
)
from skysift.flow.products import MANIFEST, ProductFolder, writing
from skysift.flow.thumbs import Thumbs, chosen_rows, thumbs_of, write_thumbs
from skysift.sky.features import Feature, Features
from skysift.stamps.pictures import Pictures

__all__ = ["ExploreMade", "ExploreStep"]


@dataclass(frozen=True, eq=False)
class ExploreMade:
    """What was made: the table of the sample, and the manifest; what was found, where the sample was explored now."""

    table: Features
    manifest: Manifest
    found: Explored | None = None


class ExploreStep:
    """A sample explored.

    Parameters
    ----------
    options
        How.
    menus
        Options of the clusterers and outliers; defaults where None.
    """

    def __init__(self, options: ExploreOptions, menus: Menus | None = None) -> None:
        self.options = options
        self.menus = menus_of(options) if menus is None else menus

    def __repr__(self) -> str:
        return f"ExploreStep({self.options!r})"

    def run(
        self,
        features: Features,
        out: str | Path,
        *,
        parts: Mapping[str, Sequence[str]] | None = None,
        pictures: Pictures | None = None,
        like: Path | None = None,
        reference: Path | None = None,
        inputs: Sequence[InputRecord] = (),
        overwrite: bool = False,
        progress: StageProgress | None = None,
    ) -> ExploreMade:
        """What was made, after it was written into a folder.

        The folder gets ``explored.parquet`` (the sample with map, quantiles, groups and ranks), ``ranking.csv``,
        ``models.csv``, ``duplicates.csv``, ``reference.npz`` (what new sources are put on), ``thumbs.npz`` where there
        are pictures, ``report.html`` and ``manifest.json``.

        Parameters
        ----------
        features
            The sample.
        out
            The folder.
        parts
            Columns of each part of the features, such as its tables, by name; as in `explore_sample`.
        pictures
            Its pictures, found by name; what is known of them becomes facts of the sample.
        like
            Folder of an earlier run, whose ids groups get.
        reference
            Folder of a run that the sample is put on instead of a map of its own; its options count, but for those of the
            page (`SHOWN`).
        inputs
            What was read.
        overwrite
            Whether earlier products are replaced.
        progress
            Called as progress(stage, done, total).

        Raises
        ------
        UsageError
            There are too few sources, nothing tells them apart, or no picture is of the sample.
        OutputError
            The folder cannot be written, or holds earlier products and `overwrite` is off.
        """
        begun, clock = datetime.now(UTC), time.perf_counter()
        features = without_explored(features)
        places, features = _pictured(features, pictures)
        names: tuple[str, ...] = (TABLE, RANKING, MODELS, DUPLICATES, REFERENCE, REPORT, MANIFEST)
        names += () if pictures is None else (THUMBS,)
        with ProductFolder(Path(out), names=names, overwrite=overwrite) as folder:
            if reference is not None:
                frozen = read_reference(reference / REFERENCE)
                found = explore_new(features, frozen, progress=progress)
                shown = {name: getattr(self.options, name) for name in SHOWN}
                made_by = {**frozen.told["options"], **shown, "methods": _methods_of(frozen)}
            else:
                before = None if like is None else read_reference(like / REFERENCE)
                found = explore_sample(
                    features, self.options, self.menus, parts=parts, before=before, progress=progress
                )
                made_by = {**self.options.to_dict(), **_methods(self.menus)}
            table = _table(found)
            thumbs: Thumbs | None = None
            lacking: tuple[str, ...] = ()
            if pictures is not None:
                able = (places >= 0) & pictures.good[places]
                lacking = _few_pictures(places, able, self.options.thumbs)
                rows = chosen_rows(found.rank, able, self.options.thumbs, self.options.random_seed)
                thumbs = thumbs_of(pictures, places, rows, self.options.thumb, self.options.cut)
            notes = (*found.notes, *lacking)
            told = Provenance(
                skysift.__version__,
                "explore",
                made_by,
                tuple(inputs),
                notes,
                "step",
            )
            manifest = Manifest(
                told,
                outputs=tuple(name for name in names if name != MANIFEST),
                started=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
                seconds={"all": time.perf_counter() - clock},
                counts=_counts(found),
                facts={
                    "map": found.reference.told.get("map", ""),
                    "clusterer": found.chosen,
                    "components": found.reference.coordinates.shape[1],
                    "features": len(found.reference.space.titles),
                    "parts": [each.name for each in found.reference.views if each.name],
                    "on_reference": reference is not None,
                },
                versions=library_versions(),
                warnings=notes,
            )
            models = _models(found)
            with writing(folder.directory):
                write_reference(found.reference, folder.path(REFERENCE))
                if thumbs is not None:
                    write_thumbs(thumbs, folder.path(THUMBS))
                folder.path(MODELS).write_text(csv_of(models), encoding="utf-8")
                folder.path(DUPLICATES).write_text(csv_of(_duplicates(found), _PAIR), encoding="utf-8")
                write_explored(
                    folder, replace(table, provenance=told), thumbs, {}, manifest, models, _duplicates(found)
                )
            folder.commit()
        return ExploreMade(table, manifest, found)


def _pictured(features: Features, pictures: Pictures | None) -> tuple[NDArray[np.int64], Features]:
    """Which picture each source has, -1 for none, and the table with what is known of the pictures."""
    if pictures is None:
        return np.full(len(features), -1, np.int64), features
    known = {name: k for k, name in enumerate(pictures.names)}
    places = np.array([known.get(name, -1) for name in features.names], np.int64)
    if (places < 0).all():
        raise UsageError(
            "none of the pictures is of a source of the table",
            got=pictures.names[0],
            allowed=f"names such as {features.names[0]}",
        )
    if (places < 0).any():
        return places, features
    facts = {name: values[places] for name, values in pictures.facts.items() if name not in features.titles}
    return places, replace(features, facts={**facts, **features.facts})


def _table(found: Explored) -> Features:
    """The sample with what was found."""
    columns = [
        (Feature("map_x", "", "place on the map", EXPLORED), found.positions[:, 0]),
        (Feature("map_y", "", "place on the map", EXPLORED), found.positions[:, 1]),
        (
            Feature("strange", "", "part of the sample that is less strange, by all methods", EXPLORED),
            found.strange,
        ),
        *(
            (
                Feature(f"q_{name}", "", f"part of the sample that is less strange, by {name}", EXPLORED),
                values,
            )
            for name, values in found.quantiles.items()
        ),
    ]
    features = found.features
    taken = {each.name for each, _ in columns} & set(features.titles)
    if taken:
        raise UsageError("a feature has a name that exploring needs", got=sorted(taken)[0], todo="rename it")
    values = np.concatenate([features.values, np.stack([values for _, values in columns], axis=1)], axis=1)
    facts = {**features.facts, CLUSTER: found.labels, RANK: found.rank}
    return Features(features.names, (*features.columns, *(each for each, _ in columns)), values, facts)


def _models(found: Explored) -> Rows:
    rows = []
    for row, each in zip(table_of(found.groupings), found.groupings, strict=True):
        rows.append(
            {
                **row,
                "kept": "yes" if each.name == found.chosen else "",
                "jaccard": " ".join(f"{k:.2f}" for k in each.kept),
            }
        )
    return rows


_PAIR = ("first", "second", "separation_arcsec", "distance", "why")


def _duplicates(found: Explored) -> Rows:
    names = found.features.names
    return [
        dict(
            zip(
                _PAIR,
                (names[each.first], names[each.second], each.separation, each.distance, each.why),
                strict=True,
            )
        )
        for each in found.duplicates
    ]


def _methods(menus: Menus) -> dict[str, Any]:
    return {"methods": {name: menu.to_dict() for (_, name), menu in menus.items()}}


def _methods_of(reference: Reference) -> dict[str, Any]:
    return {name.partition(" ")[2]: menu for name, menu in reference.told["methods"].items()}


def _counts(found: Explored) -> dict[str, int]:
    return {
        "sources": len(found.features),
        "without": int(np.isnan(found.positions[:, 0]).sum()),
        "groups": len(np.unique(found.labels[found.labels >= 0])),
        "noise": int((found.labels < 0).sum()),
        "duplicates": len(found.duplicates),
    }


def _few_pictures(places: NDArray[np.int64], able: NDArray[np.bool_], most: int) -> tuple[str, ...]:
    """What the page lacks: sources without a picture, pictures that cannot be read, and those that are too many."""
    n, without, bad = len(places), int((places < 0).sum()), int(((places >= 0) & ~able).sum())
    notes = (
        [f"{without} of {n} sources have no picture; labels of the pictures are left out"] if without else []
    )
    notes += [f"{bad} of {n - without} pictures cannot be read, and are not on the page"] if bad else []
    if able.sum() > most:
        notes.append(
            f"the page holds {most} pictures of {able.sum()}, those of the strangest among them; thumbs says how many"
        )
    return tuple(notes)
