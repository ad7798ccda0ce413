"""Lists of caesar-mrcnn: JSON with an image and, for each object, a class and the FITS mask of its pixels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from skysift.base.errors import FormatError, UsageError
from skysift.io.labels import read_labels
from skysift.io.marks.drawing import joined, polygon_prints
from skysift.io.marks.marks import Marks, classes_of, entry_of
from skysift.sky.detections import Footprints
from skysift.sky.image import SkyImage

__all__ = ["is_caesar", "read_caesar"]

_CORNERS = ("vertexes", "vertices")


def is_caesar(told: object) -> bool:
    """Whether a JSON value is such a list: one image, or several."""
    return any("objs" in each or "objects" in each for each in _entries(told))


def read_caesar(told: object, path: Path, image: SkyImage, classes: Mapping[str, str]) -> Marks:
    """
    The objects of the image of a list that is the map: the only one, or the one whose file is named as the map is.

    Raises
    ------
    UsageError
        None or several of the images are the map, or there is no such mask, or it is of another size.
    FormatError
        An object cannot be read, or a class is not known.
    """
    entries = [each for each in _entries(told) if "objs" in each or "objects" in each]
    mine = entry_of([(_image(each), each) for each in entries], image, path.name)
    try:
        objects = list(mine["objs" if "objs" in mine else "objects"])
        names = [str(each["class"] if "class" in each else each["label"]) for each in objects]
        kinds = classes_of(names, classes, path.name)
        parts = [_pixels(k, each, path, image) for k, each in enumerate(objects)]
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(
            f"{path.name}: an object cannot be read", got=repr(error), allowed="objects with class and mask"
        ) from error
    return Marks(kinds, joined(parts), np.full((len(objects), 2), np.nan), tuple(dict.fromkeys(names)))


def _entries(told: object) -> list[dict[str, Any]]:
    """The images of a list."""
    if isinstance(told, dict) and isinstance(told.get("data"), list):
        told = told["data"]
    every = told if isinstance(told, list) else [told]
    return [each for each in every if isinstance(each, dict)]


def _image(entry: Mapping[str, Any]) -> str:
    return str(entry.get("img", entry.get("image", "")))


def _pixels(index: int, told: Mapping[str, Any], path: Path, image: SkyImage) -> Footprints:
    """The pixels of one object: its mask, or its outline."""
    for name in _CORNERS:
        if "mask" not in told and name in told:
            return polygon_prints([(index, np.asarray(told[name], np.float64).reshape(-1, 2))], image.shape)
    place = path.parent / str(told["mask"])
    mask = read_labels(place)
    if mask.shape != image.shape:
        raise UsageError(
            f"the mask {place.name} is not as large as the map",
            got=f"{mask.shape[0]} x {mask.shape[1]} (y, x)",
            allowed=f"{image.shape[0]} x {image.shape[1]}",
        )
    return Footprints(mask.row, mask.start, mask.stop, np.full(mask.row.size, index, np.int64))
