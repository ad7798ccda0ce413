"""`open_catalogue` and `open_truth`: the two sides of a score, from whatever names them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from skysift.base.errors import UsageError
from skysift.io.layouts.reading import read_any_catalogue
from skysift.io.sdc import is_sdc1, is_sdc2, read_sdc1_table, read_sdc2_table
from skysift.io.truth import is_truth, read_truth
from skysift.sky.catalogue import Catalogue
from skysift.sky.table import Table
from skysift.sky.truth import Truth

__all__ = ["open_catalogue", "open_sides", "open_truth", "truth_place"]

CatalogueLike: TypeAlias = Catalogue | str | os.PathLike[str]
TruthLike: TypeAlias = Truth | Catalogue | str | os.PathLike[str]


def open_sides(catalogue: CatalogueLike, truth: TruthLike) -> tuple[Catalogue, Truth]:
    """Catalogue and truth, each a value or the path of one.

    Raises
    ------
    UsageError
        One of them is neither, or is not there; or each stands in the place of the other.
    FormatError
        A file or folder holds no table.
    """
    paths = [Path(each) for each in (catalogue, truth) if isinstance(each, str | os.PathLike)]
    if len(paths) == 2 and is_truth(paths[0]) and paths[1].exists() and not _may_be_true(paths[1]):
        raise UsageError(
            "the arguments are the other way round: the first is a truth, the second is none",
            got=f"{paths[0]} and {paths[1]}",
            todo="name the catalogue first, then the truth",
        )
    return open_catalogue(catalogue), open_truth(truth)


def open_catalogue(given: CatalogueLike) -> Catalogue:
    """The catalogue, or the one in an output folder of ``skysift find`` or in a file of ours or of another program.

    Raises
    ------
    UsageError
        It is none of these, or is not there.
    FormatError
        The file or folder holds no table.
    """
    if isinstance(given, Catalogue):
        return given
    path = _path(given, "the catalogue")
    listed = _listed(path)
    return read_any_catalogue(path) if listed is None else listed


def open_truth(given: TruthLike) -> Truth:
    """The truth, or the one in a folder of ``skysift simulate``, or a catalogue of ours or of another program.

    Raises
    ------
    UsageError
        It is none of these, or is not there; or the folder holds several truths.
    FormatError
        The file or folder holds neither truth nor table.
    """
    if isinstance(given, Truth):
        return given
    if isinstance(given, Catalogue):
        return Truth(given)
    path = truth_place(_path(given, "the truth"))
    listed = _listed(path)
    if listed is not None:
        return Truth(listed)
    return read_truth(path) if path.is_dir() else Truth(read_any_catalogue(path))


def truth_place(path: Path) -> Path:
    """The folder of the one truth in an output folder of ``skysift simulate``; any other path as it is.

    Raises
    ------
    UsageError
        There are several truths in it.
    """
    places = _truths_at(path)
    if len(places) > 1:
        raise UsageError(
            "the folder holds several truths", got=str(path), allowed=[str(each) for each in places]
        )
    return places[0] if places else path


def _may_be_true(path: Path) -> bool:
    """Whether a path is a truth, holds one, or is a list of a data challenge, of which there are true ones."""
    return bool(_truths_at(path)) or (path.is_file() and (is_sdc1(path) or is_sdc2(path)))


def _truths_at(path: Path) -> list[Path]:
    """The folder itself where it is a truth, else the truths in it."""
    if is_truth(path):
        return [path]
    if not path.is_dir():
        return []
    return sorted(each for each in path.iterdir() if is_truth(each))


def _listed(path: Path) -> Catalogue | None:
    """The catalogue in a list of a data challenge; None where the file is none."""
    for tells, read in ((is_sdc1, read_sdc1_table), (is_sdc2, read_sdc2_table)):
        if tells(path):
            return Catalogue(Table.empty("islands"), read(path), Table.empty("components"))
    return None


def _path(given: object, what: str) -> Path:
    if not isinstance(given, str | os.PathLike):
        raise UsageError(
            f"{what} is none", got=type(given), allowed="a Catalogue, a Truth, or the path of one"
        )
    path = Path(given)
    if not path.exists():
        raise UsageError(f"{what} is not there", got=str(path))
    return path
