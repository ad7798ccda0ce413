"""`explore_sample` and `explore_new`: a sample from features to map, groups and ranking; new sources on a reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import skysift
from skysift.base.errors import UnknownName, UsageError
from skysift.base.options import Options
from skysift.base.registry import Registry
from skysift.explore.cluster import Clusterer
from skysift.explore.layout import map_of, place
from skysift.explore.menus import Menus, menus_of
from skysift.explore.options import ExploreOptions
from skysift.explore.outliers import ranks
from skysift.explore.reference import Reference
from skysift.explore.similar import NearDuplicate, near_duplicates
from skysift.explore.space import make_space
from skysift.explore.stability import Grouping, best_of, grouped, matched
from skysift.explore.views import all_quantiles, judged, refuse_unasked, seen, strange_of
from skysift.sky.features import Features

__all__ = ["Explored", "by_name", "explore_new", "explore_sample"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Progress: TypeAlias = Callable[[str, int, int], None]

_PARTED = 0.1  # silhouette below which groups run into each other


@dataclass(frozen=True, eq=False)
class Explored:
    """
    A sample with what was found; rows are those of the table of features.

    Attributes
    ----------
    features
        The sample.
    coordinates, positions
        Where each source lies, in the space and on the map; NaN for one without any feature.
    labels
        Its group; -1 for what is in none.
    quantiles
        How strange each is, by method in each part of the features: the part of the sample that is less strange.
    strange
        The same by all of them together.
    rank
        1 for the strangest; equal ones share the mean of their ranks.
    groupings
        The models that were tried for groups.
    chosen
        Whose groups these are; empty for none.
    duplicates
        Pairs that are nearly one source.
    reference
        What new sources can be put on.
    notes
        What was odd.
    """

    features: Features
    coordinates: Floats
    positions: Floats
    labels: Ints
    quantiles: Mapping[str, Floats]
    strange: Floats
    rank: Floats
    groupings: tuple[Grouping, ...]
    chosen: str
    duplicates: tuple[NearDuplicate, ...]
    reference: Reference
    notes: tuple[str, ...] = field(default_factory=tuple)

    def __repr__(self) -> str:
        return f"Explored({self.features!r}, {int(self.labels.max(initial=-1)) + 1} groups)"


def explore_sample(
    features: Features,
    options: ExploreOptions,
    menus: Menus | None = None,
    *,
    parts: Mapping[str, Sequence[str]] | None = None,
    before: Reference | None = None,
    progress: Progress | None = None,
) -> Explored:
    """A sample with its map, groups, ranking and near-duplicates.

    Parameters
    ----------
    features
        The sample.
    options
        How.
    menus
        Options of the methods; defaults where None.
    parts
        Columns of each part of the features, such as its tables, by name: strange ones are sought in each by itself,
        unless options say otherwise. None where the whole is one.
    before
        An earlier run, whose ids groups get where they share sources.
    progress
        Called as progress(stage, done, total).

    Raises
    ------
    UnknownName
        No feature is of a group that is asked for.
    UsageError
        There are fewer than three sources with features, nothing tells them apart, or a method has options and is not
        asked.
    """
    menus = menus_of(options) if menus is None else menus
    tell = progress or _silent
    there = sorted({each.group for each in features.columns if each.group})
    for group in options.groups:
        if group not in there:
            raise UnknownName("the table has no features of this group", got=group, allowed=there)
    kept = features.group(*options.groups) if options.groups else features
    apart = _kept_parts(parts or {}, kept) if options.apart else {}
    refuse_unasked(kept, apart, options, _methods(menus))
    order = by_name(features.names)  # nothing may depend on the order of the rows
    space, notes = make_space(kept.select(order), options)
    all_coordinates = space.of(kept)
    good = order[np.isfinite(all_coordinates[order]).all(axis=1)]
    coordinates = all_coordinates[good]
    tell("map", 0, 1)
    positions, maker = map_of(coordinates, options)
    tell("map", 1, 1)
    groupings = []
    names = [name for kind, name in menus if kind == "clusterer"]
    for number, name in enumerate(names):
        tell("groups", number, len(names))
        model: Clusterer[Any] = Registry[Any]("clusterer").load(name)(menus["clusterer", name])
        groupings.append(grouped(name, model, coordinates, options.bootstraps, options.random_seed))
    tell("groups", len(names), len(names))
    best = best_of(groupings)
    if options.clusterer:
        best = next(each for each in groupings if each.name == options.clusterer)
    labels = np.full(good.size, -1) if best is None else best.labels
    if best is not None and best.silhouette < _PARTED:
        notes = (*notes, _hardly(best))
    mine = tuple(features.names[k] for k in good)
    if before is not None and best is not None:
        labels = _as_before(labels, mine, before)
    views = seen(
        kept.select(good), space, apart, options,
        _methods(menus), lambda done, total: tell("outliers", done, total),
    )  # fmt: skip
    used = {method for view in views for method in view.scores}
    told = {
        "version": skysift.__version__,
        "map": maker,
        "options": options.to_dict(),
        "methods": {
            f"{kind} {name}": menu.to_dict()
            for (kind, name), menu in menus.items()
            if kind != "outlier" or name in used
        },
        "clusterer": "" if best is None else best.name,
    }
    reference = Reference(space, mine, coordinates, positions, labels, views, told)
    each = all_quantiles(views)
    if good.size < len(features):
        notes = (*notes, _without(len(features) - good.size))
    if best is None and groupings:
        notes = (*notes, "no model finds two groups")
    spread = (positions, labels, each, strange_of(each) if each else np.full(good.size, np.nan))
    return _explored(features, options, reference, good, spread, tuple(groupings), notes)


def explore_new(features: Features, reference: Reference, *, progress: Progress | None = None) -> Explored:
    """Other sources on the map of a reference, in its groups, and how strange they are among its sources.

    Options are those of the reference. Nothing of it changes, and no source changes what another one gets. The group is
    the one that neighbours of the reference say, noise as one that may win.

    Raises
    ------
    UnknownName
        A feature that the reference is made of is not in the table.
    UsageError
        No source has any of them.
    """
    tell = progress or _silent
    options = ExploreOptions.parse(reference.told["options"])
    given = {name.partition(" ")[2]: values for name, values in reference.told["methods"].items()}
    menus = menus_of(options, given)
    there = set(features.titles)
    lost = [name for name in reference.space.titles if name not in there]
    if lost:
        raise UnknownName(
            "the reference is made of features that the table lacks",
            got=f"{lost[0]}" + (f" and {len(lost) - 1} others" if len(lost) > 1 else ""),
            todo="give tables with all features that it was made of",
        )
    all_coordinates = reference.space.of(features)
    good = np.flatnonzero(np.isfinite(all_coordinates).all(axis=1))
    if not good.size:
        raise UsageError("no source of the table has a feature of the reference", got=len(features))
    coordinates = all_coordinates[good]
    positions, weights, rows = place(
        coordinates, reference.coordinates, reference.positions, options.neighbours
    )
    same = weights[:, 0] == 1.0  # sources of the reference itself are as strange as they were
    ids = np.unique(reference.labels)
    votes = np.stack(
        [np.where(reference.labels[rows] == each, weights, 0.0).sum(axis=1) for each in ids], axis=1
    )
    labels = ids[votes.argmax(axis=1)]
    known = np.where(same, rows[:, 0], -1)
    each: dict[str, Floats] = {}
    for number, view in enumerate(reference.views):
        tell("outliers", number, len(reference.views))
        each |= judged(view, features.select(good), known, _methods(menus), options.random_seed)
    tell("outliers", len(reference.views), len(reference.views))
    notes: tuple[str, ...] = ()
    if good.size < len(features):
        notes = (_without(len(features) - good.size),)
    strange = strange_of(each, reference.views) if each else np.full(good.size, np.nan)
    return _explored(features, options, reference, good, (positions, labels, each, strange), None, notes)


def _explored(
    features: Features,
    options: ExploreOptions,
    reference: Reference,
    good: Ints,
    found: tuple[Floats, Ints, Mapping[str, Floats], Floats],
    groupings: tuple[Grouping, ...] | None,
    notes: tuple[str, ...],
) -> Explored:
    """What was found of the sources that have features, spread over the rows of the table; new sources have no models."""
    positions, labels, parts, all_of_them = found
    n = len(features)
    where, group = np.full((n, 2), np.nan), np.full(n, -1)
    where[good], group[good] = positions, labels
    coordinates = reference.space.of(features)
    each = {name: np.full(n, np.nan) for name in parts}
    for name, values in parts.items():
        each[name][good] = values
    strange = np.full(n, np.nan)
    strange[good] = all_of_them
    ra, dec = (_position(features, name) for name in ("ra", "dec"))
    at = by_name(features.names)
    places = (None, None) if ra is None or dec is None else (ra[at], dec[at])
    found_pairs = near_duplicates(coordinates[at], *places, radius=options.radius, alike=options.alike)
    pairs = tuple(replace(one, first=int(at[one.first]), second=int(at[one.second])) for one in found_pairs)
    return Explored(
        features, coordinates, where, group, each, strange, ranks(strange), groupings or (),
        str(reference.told.get("clusterer", "")), pairs, reference, notes,
    )  # fmt: skip


def _methods(menus: Menus) -> dict[str, Options]:
    """The methods that say how strange a source is, with their options."""
    return {name: menu for (kind, name), menu in menus.items() if kind == "outlier"}


def _kept_parts(parts: Mapping[str, Sequence[str]], kept: Features) -> dict[str, list[str]]:
    """Of each part the columns that are kept; parts of which none is are left out."""
    there = set(kept.titles)
    found = {name: [each for each in titles if each in there] for name, titles in parts.items()}
    return {name: titles for name, titles in found.items() if titles}


def _hardly(best: Grouping) -> str:
    return (
        f"the groups of {best.name} run into each other (silhouette {best.silhouette:.2f}): they part a cloud, and where "
        "one ends is a matter of choice"
    )


def _without(n: int) -> str:
    if n == 1:
        return "1 source has no feature: it is on no map and comes last"
    return f"{n} sources have no feature: they are on no map and come last"


def by_name(names: Sequence[str]) -> Ints:
    """Rows in the order of their names, in which everything is reckoned: no result depends on the order of a table."""
    return np.argsort(np.array(names, np.str_), kind="stable").astype(np.int64)


def _position(features: Features, name: str) -> Floats | None:
    values = features.facts.get(name)
    return None if values is None or values.dtype.kind not in "fiu" else np.asarray(values, np.float64)


def _as_before(labels: Ints, names: tuple[str, ...], before: Reference) -> Ints:
    """Groups under the ids of an earlier run, matched over the sources that both have."""
    known = dict(zip(before.names, before.labels, strict=True))
    shared = np.array([name in known for name in names])
    if not shared.any():
        raise UsageError("the earlier run has none of these sources", got=names[0], todo="leave out --like")
    old = np.array([known[name] for name, both in zip(names, shared, strict=True) if both], np.int64)
    same = matched(
        labels[shared], old, int(before.labels.max(initial=-1)) + 1
    )  # no id of a group that is not shared
    ids = {-1: -1, **dict(zip(labels[shared].tolist(), same.tolist(), strict=True))}
    following = max(int(before.labels.max(initial=-1)), int(same.max(initial=-1))) + 1
    for each in np.unique(labels).tolist():
        if each not in ids:
            ids[each] = following
            following += 1
    return np.array([ids[each] for each in labels.tolist()], np.int64)


def _silent(stage: str, done: int, total: int) -> None:
    del stage, done, total
