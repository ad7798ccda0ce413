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
from skysift.explore.views import View

__all__ = ["Reference", "read_reference", "write_reference"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

_FORM = 2
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
    views
        How strange each is, by method, in each part of the features.
    told
        What made it: options, methods with their options, the maker of the map, version.
    """

    space: Space
    names: tuple[str, ...]
    coordinates: Floats
    positions: Floats
    labels: Ints
    views: tuple[View, ...] = ()
    told: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Reference({len(self.names)} sources, {self.space!r})"

    def __len__(self) -> int:
        return len(self.names)


def write_reference(reference: Reference, path: Path) -> None:
    """Write a reference as npz; the same reference gives the same bytes."""
    arrays: dict[str, NDArray[Any]] = {
        **_space_arrays(reference.space, ""),
        "names": np.array(reference.names, np.str_),
        "coordinates": reference.coordinates,
        "positions": reference.positions,
        "labels": reference.labels,
    }
    for k, view in enumerate(reference.views):
        arrays |= {f"score_{k}_{name}": values for name, values in view.scores.items()}
        if view.space is not reference.space:
            arrays |= {**_space_arrays(view.space, f"view_{k}_"), f"view_{k}_coordinates": view.coordinates}
    views = [each.name for each in reference.views]
    clip, whiten = _plain(reference.space.clip), reference.space.whiten
    told = {**reference.told, "form": _FORM, "clip": clip, "whiten": whiten, "views": views}
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
    clip, whiten = told.pop("clip"), bool(told.pop("whiten"))
    space = _space_of(arrays, "", clip, whiten)
    views = []
    for k, name in enumerate(told.pop("views")):
        own = f"view_{k}_titles" in arrays
        start = f"score_{k}_"
        views.append(
            View(
                name,
                _space_of(arrays, f"view_{k}_", clip, whiten) if own else space,
                arrays[f"view_{k}_coordinates" if own else "coordinates"],
                {key.removeprefix(start): values for key, values in arrays.items() if key.startswith(start)},
            )
        )
    return Reference(
        space,
        tuple(arrays["names"].tolist()),
        arrays["coordinates"],
        arrays["positions"],
        arrays["labels"],
        tuple(views),
        told,
    )


def _space_arrays(space: Space, start: str) -> dict[str, NDArray[Any]]:
    parts = {f"{start}space_{name}": np.asarray(getattr(space, name)) for name in _SPACE}
    return {**parts, f"{start}titles": np.array(space.titles, np.str_)}


def _space_of(arrays: Mapping[str, NDArray[Any]], start: str, clip: float | None, whiten: bool) -> Space:
    return Space(
        titles=tuple(arrays[f"{start}titles"].tolist()),
        clip=np.inf if clip is None else clip,
        whiten=whiten,
        **{name: arrays[f"{start}space_{name}"] for name in _SPACE},
    )


def _plain(value: float) -> float | None:
    return value if np.isfinite(value) else None
