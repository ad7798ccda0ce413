"""`View`: a part of the features in a space of its own, in which strange ones are sought; what views say is combined."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.base.options import Options
from skysift.base.registry import Registry
from skysift.explore.options import ExploreOptions
from skysift.explore.outliers import Outlier, combined, quantiles
from skysift.explore.space import Space, make_space
from skysift.sky.features import EMBEDDING, Features

__all__ = ["View", "all_quantiles", "judged", "refuse_unasked", "rows_with", "seen", "strange_of"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Methods: TypeAlias = Mapping[str, Options]
Tell: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class View:
    """
    A part of the features of a sample, such as one of its tables.

    Attributes
    ----------
    name
        Of the part; empty where the whole is one.
    space
        The way from features to coordinates.
    coordinates
        Where the sources lie (row, component); NaN for one without any of these features.
    scores
        How strange each is, by method; NaN as well.
    """

    name: str
    space: Space
    coordinates: Floats
    scores: Mapping[str, Floats]

    def title(self, method: str) -> str:
        """What a method in this view is called."""
        return f"{self.name}_{method}" if self.name else method


def rows_with(coordinates: Floats) -> Ints:
    """Rows that lie anywhere."""
    return np.flatnonzero(np.isfinite(coordinates).all(axis=1))


def seen(
    features: Features,
    space: Space,
    parts: Mapping[str, Sequence[str]],
    options: ExploreOptions,
    methods: Methods,
    tell: Tell,
) -> tuple[View, ...]:
    """The views of a sample, with what each method says.

    Parameters
    ----------
    features
        The sample, each of whose sources has a feature.
    space
        That of all features; the one of the only view where there are not two parts.
    parts
        Columns of each part, by its name; with fewer than two all columns are one view.
    options, methods
        How; the methods with their options. Where the options name none, the forest is left out in an embedding: it cuts
        one coordinate at a time, and no one of those says much by itself.
    tell
        Called as tell(done, total).

    Raises
    ------
    UsageError
        A part tells no sources apart, or fewer than three sources have any of it.
    """
    if len(parts) < 2:
        spaces = {"": space}
    else:
        spaces = {name: make_space(features.only(titles), options)[0] for name, titles in parts.items()}
    views: list[View] = []
    for name, own in spaces.items():
        coordinates = own.of(features)
        rows = rows_with(coordinates)
        scores: dict[str, Floats] = {}
        own_features = features.only(own.titles)
        for k, (method, menu) in enumerate(methods.items()):
            tell(len(views) * len(methods) + k, len(spaces) * len(methods))
            if not _asks(method, own_features, options):
                continue
            scores[method] = np.full(len(features), np.nan)
            scores[method][rows] = _outlier(method, menu).scores(coordinates[rows], None, options.random_seed)
        views.append(View(name, own, coordinates, scores))
    tell(len(spaces) * len(methods), len(spaces) * len(methods))
    return tuple(views)


def refuse_unasked(
    features: Features, parts: Mapping[str, Sequence[str]], options: ExploreOptions, methods: Methods
) -> None:
    """Refuse options of the forest where all parts are embeddings, in which it is asked only when it is named.

    Parameters
    ----------
    features, parts, options, methods
        As for `seen`.

    Raises
    ------
    UsageError
        The options of a method differ from their defaults, and it is left out of all parts.
    """
    asked = [features.only(titles) for titles in parts.values()] if len(parts) > 1 else [features]
    for method, menu in methods.items():
        if menu != type(menu)() and not any(_asks(method, each, options) for each in asked):
            raise UsageError(
                "options are given for a method that is not used in embeddings unless it is named",
                got=method,
                todo=f"name it: outliers={','.join(methods)}",
            )


def _asks(method: str, features: Features, options: ExploreOptions) -> bool:
    """Whether a method is asked of these features: a forest finds little in an embedding."""
    embedded = all(each.group == EMBEDDING for each in features.columns)
    return method != "forest" or not embedded or bool(options.outliers)


def judged(
    view: View, features: Features, known: Ints, methods: Methods, random_seed: int
) -> dict[str, Floats]:
    """The quantiles of new sources among those of a view, by method; each by itself.

    Parameters
    ----------
    view
        Of a reference.
    features
        The new sources.
    known
        For each the row of the reference that it is, or -1: those are as strange as they were.
    methods, random_seed
        As for the reference.
    """
    coordinates = view.space.of(features)
    rows, usual = rows_with(coordinates), rows_with(view.coordinates)
    out = {}
    for method in view.scores:
        found = np.full(len(features), np.nan)
        if rows.size:
            found[rows] = _outlier(method, methods[method]).scores(
                view.coordinates[usual], coordinates[rows], random_seed
            )
        found[known >= 0] = view.scores[method][known[known >= 0]]
        out[view.title(method)] = _among(found, view.scores[method])
    return out


def all_quantiles(views: Sequence[View]) -> dict[str, Floats]:
    """The quantiles of the sources of a sample among themselves, by view and method."""
    return {view.title(name): _among(values, None) for view in views for name, values in view.scores.items()}


def strange_of(parts: Mapping[str, Floats], views: Sequence[View] | None = None) -> Floats:
    """How strange sources are by all views and methods: a quantile among themselves, or among those of a reference."""
    return _among(combined(parts), None if views is None else combined(all_quantiles(views)))


def _among(values: Floats, reference: Floats | None) -> Floats:
    """Quantiles of the numbers that are there."""
    out, there = np.full(values.size, np.nan), np.isfinite(values)
    known = None if reference is None else reference[np.isfinite(reference)]
    if there.any():
        out[there] = quantiles(values[there], known)
    return out


def _outlier(name: str, menu: Options) -> Outlier[Any]:
    made: Outlier[Any] = Registry[Any]("outlier").load(name)(menu)
    return made
