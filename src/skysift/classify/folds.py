"""Folds: which sources are left out together, by chance or fixed by name; and sources that two sets share."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from skysift import data as shipped
from skysift.base.errors import FormatError, UnknownName, UsageError
from skysift.base.random import generator
from skysift.classify.classifier import Labelled, Lost

__all__ = [
    "at_one_place",
    "deduplicated",
    "drawn",
    "fixed_folds",
    "groups_of",
    "random_folds",
    "refuse_few",
    "refuse_untold",
    "shared",
    "stratified",
]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

_FOLDER = Path(shipped.__file__).resolve().parent / "folds"


def stratified(targets: NDArray[Any], n: int, random_seed: int, *names: str) -> Ints:
    """The fold of each source, 0 to n - 1, drawn so that each class is spread evenly over them.

    Parameters
    ----------
    targets
        (row,) class; or (row, class) tags, of which the rarest of each source decides.
    n
        Folds.
    random_seed, names
        What decides the draw.
    """
    rng = generator(random_seed, "classify", "folds", *names)
    if targets.ndim == 2:
        rarity = np.where(targets, targets.sum(axis=0), len(targets) + 1)
        targets = np.where(targets.any(axis=1), rarity.argmin(axis=1), targets.shape[1])
    fold = np.empty(len(targets), np.int64)
    begin = 0
    for kind in np.unique(targets):
        rows = rng.permutation(np.flatnonzero(targets == kind))
        fold[rows] = (begin + np.arange(len(rows))) % n
        begin += len(rows)
    return fold


def refuse_few(counts: NDArray[np.int64], classes: tuple[str, ...], n: int, what: str) -> None:
    """Refuse classes that have fewer sources than there are folds.

    Raises
    ------
    UsageError
        One has.
    """
    for name, count in zip(classes, counts, strict=True):
        if 0 < count < n:
            raise UsageError(
                f"too few sources of a class for {n} folds",
                got=f"{count} of {name}",
                allowed=f"{n} or more of each class",
                todo=f"{what}, leave the class out, or give more of it",
            )


def refuse_untold(
    targets: NDArray[Any], classes: tuple[str, ...], fold: Ints, todo: str, which: str = "fold"
) -> None:
    """Refuse folds without which a class cannot be learnt, or without which all sources have a tag.

    Parameters
    ----------
    targets
        (row,) class, or (row, class) tags.
    classes
        What they stand for.
    fold
        Of each row; -1 for rows that are only learnt from.
    todo
        What can be done about it.
    which
        What the fold is called.

    Raises
    ------
    UsageError
        There is such a fold.
    """
    many = targets.ndim == 2
    has = targets.astype(bool) if many else targets[:, None] == np.arange(len(classes))
    for number in range(int(fold.max()) + 1):
        rest = has[fold != number]
        for name, some, all_of in zip(classes, rest.T, has.T, strict=True):
            if all_of.any() and not some.any():
                raise UsageError(
                    f"all sources of a {'tag' if many else 'class'} are in one {which}",
                    got=f"{name} ({int(all_of.sum())} sources) in {which} {number + 1}",
                    todo=todo,
                )
            if many and not all_of.all() and some.all():
                raise UsageError(
                    f"all sources without a tag are in one {which}",
                    got=f"{int((~all_of).sum())} without {name}, in {which} {number + 1}",
                    todo=todo,
                )


def drawn(targets: NDArray[Any], first: Ints, n: int, random_seed: int, *names: str) -> Ints:
    """Folds as `stratified` draws them, with sources of one place in one fold.

    Parameters
    ----------
    targets
        (row,) class, or (row, class) tags.
    first
        Of each source the first at its place, as `at_one_place` says.
    n, random_seed, names
        As for `stratified`.
    """
    alone = np.flatnonzero(first == np.arange(len(first)))
    fold = np.zeros(len(first), np.int64)
    fold[alone] = stratified(targets[alone], n, random_seed, *names)
    return fold[first]


def random_folds(data: Labelled, n: int, repeats: int, random_seed: int) -> Ints:
    """The fold of each source in each repeat, drawn so that each class is spread evenly: (repeat, row).

    Sources at one place share a fold, so that none is on both sides of a test.
    """
    first = at_one_place(data)
    return np.stack([drawn(data.targets, first, n, random_seed, "repeat", str(k)) for k in range(repeats)])


def at_one_place(data: Labelled, radius: float = 6.0) -> Ints:
    """For each source the first of those within `radius` (arcsec) of it; itself where no places are known."""
    given = data.pictures if data.pictures is not None else data.features
    facts = {} if given is None else given.facts
    try:
        ra, dec = (
            np.array([float(each) if str(each).strip() else np.nan for each in facts[name]])
            for name in ("ra", "dec")
        )
    except (KeyError, ValueError):  # no places, or such as are not in degrees
        return np.arange(len(data))
    return groups_of(ra, dec, radius)


def fixed_folds(data: Labelled, name: str, repeats: int) -> tuple[Labelled, Ints, tuple[str, ...]]:
    """The sources that a list of folds names, their folds in each repeat, and what one should know.

    Parameters
    ----------
    data
        Sources, found in the list by name.
    name
        Of a list that ships: mirabest, first; or the path of a CSV with columns name, fold_1, fold_2 ...
    repeats
        How many columns are taken.

    Raises
    ------
    UnknownName
        There is no such list.
    UsageError
        It names none of the sources, or has fewer repeats, or repeats of different numbers of folds.
    FormatError
        A fold is no whole number.
    """
    path = _FOLDER / f"{name}.csv"
    if not path.is_file():
        path = Path(name)
    if not path.is_file():
        known = sorted(each.stem for each in _FOLDER.glob("*.csv"))
        raise UnknownName("no such list of folds", got=name, allowed=[*known, "a CSV name,fold_1,fold_2"])
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(line for line in file if not line.startswith("#"))
        listed = list(reader)
        columns = [each for each in reader.fieldnames or () if each.startswith("fold_")]
    if repeats > len(columns):
        raise UsageError("the list of folds has fewer repeats", got=repeats, allowed=f"1 to {len(columns)}")
    held = {row["name"]: [_number(row[each], path.name) for each in columns[:repeats]] for row in listed}
    rows = [k for k, each in enumerate(data.names) if each in held]
    if not rows:
        raise UsageError(
            "the list of folds names none of the sources",
            got=data.names[0],
            allowed=f"names such as {listed[0]['name']}",
            todo="draw folds by chance: leave fixed out",
        )
    notes = []
    if len(rows) < len(data):
        notes.append(f"{len(data) - len(rows)} sources are not in the folds {path.stem} and are left out")
    there = {*data.names, *(each.name for each in data.lost)}
    away = sum(each not in there for each in held)
    if away:
        notes.append(f"{away} sources of the folds {path.stem} are not there")
    lost = [
        Lost(name, data.label(k), f"it is not in the folds {path.stem}")
        for k, name in enumerate(data.names)
        if name not in held
    ]
    chosen = replace(data.select(rows), lost=(*data.lost, *lost))
    folds = np.array([held[each] for each in chosen.names], np.int64).T
    for fold in folds:  # numbers without a gap, whatever they begin with
        some = fold >= 0
        fold[some] = np.unique(fold[some], return_inverse=True)[1]
    counts = [int(fold.max()) + 1 for fold in folds]
    if len(set(counts)) > 1:
        raise UsageError("the repeats have different numbers of folds", got=counts, allowed="one number")
    return chosen, folds, tuple(notes)


def _number(text: str | None, name: str) -> int:
    """The fold that a text names.

    Raises
    ------
    FormatError
        It is no whole number.
    """
    try:
        return int(text or "")
    except ValueError as error:
        raise FormatError(
            "the list of folds holds something else than a number",
            got=f"{name}: {text!r}",
            allowed="0, 1, 2 ...; -1 for a source that is only learnt from",
        ) from error


def deduplicated(ra: Floats, dec: Floats, radius: float = 6.0) -> NDArray[np.bool_]:
    """Which rows stay when of rows nearer than `radius` (arcsec) to each other only the first is kept.

    Parameters
    ----------
    ra, dec
        ICRS (deg); rows without a position stay.
    """
    first = groups_of(ra, dec, radius)
    return np.asarray(first == np.arange(len(first)))


def groups_of(ra: Floats, dec: Floats, radius: float = 6.0) -> Ints:
    """For each row the first of those that are joined with it by steps of at most `radius` (arcsec)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ra, dec = np.asarray(ra, np.float64), np.asarray(dec, np.float64)
    known = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec))
    first = np.arange(len(ra))
    if known.size < 2:
        return first
    tree = cKDTree(_vectors(ra[known], dec[known]))
    pairs = tree.query_pairs(_chord(radius), output_type="ndarray")
    ones = np.ones(len(pairs), np.int8)
    graph = coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(known.size, known.size))
    _, part = connected_components(graph, directed=False)
    lowest = np.full(part.max() + 1, len(ra))
    np.minimum.at(lowest, part, known)
    first[known] = lowest[part]
    return first


def shared(
    ra: Floats, dec: Floats, other_ra: Floats, other_dec: Floats, radius: float = 6.0
) -> NDArray[np.bool_]:
    """Which rows lie within `radius` (arcsec) of a row of another set: they must not be on both sides of a test."""
    tree = cKDTree(_vectors(np.asarray(other_ra, float), np.asarray(other_dec, float)))
    near, _ = tree.query(_vectors(np.asarray(ra, float), np.asarray(dec, float)))
    return np.asarray(near <= _chord(radius))


def _vectors(ra: Floats, dec: Floats) -> Floats:
    a, d = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=1)


def _chord(radius: float) -> float:
    return float(2.0 * np.sin(np.radians(radius / 3600.0) / 2.0))
