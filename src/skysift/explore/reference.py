"""`Reference`: a sample with its space, map, groups and scores, frozen in one file that new sources can be put on."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import FormatError, UsageError
from skysift.explore.space import Space

__all__ = ["Reference", "read_reference", "write_reference"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

_FORM = 1
_SPACE = ("middle", "scale", "weight", "marked", "mean", "axes", "spread")


@dataclass(frozen=True, eq=False)
class Reference:
    """
    What decides where a new source lies, which group it is in and how strange it is.

    Attributes
    ----------
    space
        The way from features to coordinates.
    names
        Of the sources.
    coordinates, positions
        Where they lie in the space (row, component) and on the map (row, 2).
    labels
        Their groups; -1 for noise; empty where groups were not sought.
    scores
        How strange each is, by method.
    told
        What made it: options, methods with their options, the maker of the map, version.
    """

    space: Space
    names: tuple[str, ...]
    coordinates: Floats
    positions: Floats
    labels: Ints
    scores: Mapping[str, Floats] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Reference({len(self.names)} sources, {self.space!r})"

    def __len__(self) -> int:
        return len(self.names)


def write_reference(reference: Reference, path: Path) -> None:
    """Write a reference as npz; the same reference gives the same bytes."""
    space = reference.space
    arrays: dict[str, NDArray[Any]] = {f"space_{name}": np.asarray(getattr(space, name)) for name in _SPACE}
    arrays |= {
        "titles": np.array(space.titles, np.str_),
        "names": np.array(reference.names, np.str_),
        "coordinates": reference.coordinates,
        "positions": reference.positions,
        "labels": reference.labels,
        **{f"score_{name}": values for name, values in reference.scores.items()},
    }
    told = {**reference.told, "form": _FORM, "clip": _plain(space.clip), "whiten": space.whiten}
    arrays["told"] = np.array(json.dumps(told, sort_keys=True))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in sorted(arrays.items()):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), buffer.getvalue())


def read_reference(path: Path) -> Reference:
    """The reference of a file.

    Raises
    ------
    UsageError
        There is no such file, or it was written by a version of another form.
    FormatError
        It is no reference.
    """
    if not path.is_file():
        raise UsageError(
            "there is no reference here", got=str(path), todo="`skysift explore FEATURES --out DIR` makes one"
        )
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
        told = json.loads(arrays.pop("told").item())
        form = told.pop("form")
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise FormatError("the file is no reference of `skysift explore`", got=path.name) from error
    if form != _FORM:
        raise UsageError(
            "the reference is of another version", got=form, allowed=str(_FORM), todo="make it anew"
        )
    clip = told.pop("clip")
    parts = {name: arrays[f"space_{name}"] for name in _SPACE}
    space = Space(
        titles=tuple(arrays["titles"].tolist()),
        clip=np.inf if clip is None else clip,
        whiten=bool(told.pop("whiten")),
        **parts,
    )
    scores = {
        name.removeprefix("score_"): values for name, values in arrays.items() if name.startswith("score_")
    }
    return Reference(
        space,
        tuple(arrays["names"].tolist()),
        arrays["coordinates"],
        arrays["positions"],
        arrays["labels"],
        scores,
        told,
    )


def _plain(value: float) -> float | None:
    return value if np.isfinite(value) else None
