"""`open_catalogue` and `open_truth`: the two sides of a score, from whatever names them."""

from __future__ import annotations

import os
from pathlib import Path

from skysift.base.errors import UsageError
from skysift.io.layouts.reading import read_any_catalogue
from skysift.io.sdc import is_sdc1, is_sdc2, read_sdc1_table, read_sdc2_table
from skysift.io.truth import read_truth
from skysift.sky.catalogue import Catalogue
from skysift.sky.table import Table
from skysift.sky.truth import Truth

__all__ = ["open_catalogue", "open_truth"]


def open_catalogue(given: Catalogue | str | os.PathLike[str]) -> Catalogue:
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


def open_truth(given: Truth | Catalogue | str | os.PathLike[str]) -> Truth:
    """The truth, or the one in a folder of ``skysift simulate``, or a catalogue of ours or of another program.

    Raises
    ------
    UsageError
        It is none of these, or is not there.
    FormatError
        The file or folder holds neither truth nor table.
    """
    if isinstance(given, Truth):
        return given
    if isinstance(given, Catalogue):
        return Truth(given)
    path = _path(given, "the truth")
    listed = _listed(path)
    if listed is not None:
        return Truth(listed)
    return read_truth(path) if path.is_dir() else Truth(read_any_catalogue(path))


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
