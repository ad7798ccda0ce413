"""COCO JSON: boxes, polygons and run-length masks of the images of a set, with categories.

Pixels are counted from the first row and column of the FITS image; coordinates are those of the borders of pixels, as
COCO has them: 0 is the left border of the first one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from skysift.base.errors import FormatError, UsageError
from skysift.io.marks.drawing import Floats, Ints, ellipse_prints, joined, pixel_prints, polygon_prints
from skysift.io.marks.marks import Marks, classes_of, entry_of
from skysift.sky.detections import Footprints
from skysift.sky.image import SkyImage

__all__ = ["is_coco", "read_coco", "run_lengths"]


def is_coco(told: object) -> bool:
    """Whether a JSON value is a set of COCO."""
    return isinstance(told, dict) and {"images", "annotations", "categories"} <= set(told)


def read_coco(told: dict[str, Any], path: Path, image: SkyImage, classes: Mapping[str, str]) -> Marks:
    """
    The objects of the image of a set that is the map: the only one, or the one whose file is named as the map is.

    Masks and polygons are taken as they are, a box without them as the ellipse in it.

    Raises
    ------
    UsageError
        None or several of the images are the map, or its size differs.
    FormatError
        A part of an annotation cannot be read, or a category is not known.
    """
    entry = _entry(told["images"], path, image)
    try:
        names = {each["id"]: str(each["name"]) for each in told["categories"]}
        mine = [each for each in told["annotations"] if each.get("image_id") == entry["id"]]
        kinds = classes_of([names[each["category_id"]] for each in mine], classes, path.name)
        called = tuple(dict.fromkeys(names.values()))
        boxes = np.array([each["bbox"] for each in mine], np.float64).reshape(-1, 4)
        parts = [_mask(k, each.get("segmentation"), image.shape) for k, each in enumerate(mine)]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise FormatError(f"{path.name}: an annotation of COCO cannot be read", got=repr(error)) from error
    bare = np.flatnonzero([each is None for each in parts])
    centre = np.full((len(mine), 2), np.nan)
    centre[bare] = boxes[bare, :2] + 0.5 * boxes[bare, 2:] - 0.5
    shape = np.stack([0.25 * boxes[bare, 2] ** 2, 0.0 * bare, 0.25 * boxes[bare, 3] ** 2], axis=1)
    drawn = ellipse_prints(centre[bare, 0], centre[bare, 1], shape, image.shape)
    drawn = Footprints(drawn.row, drawn.start, drawn.stop, bare[drawn.index])
    return Marks(kinds, joined([drawn, *(each for each in parts if each is not None)]), centre, called)


def _entry(images: list[dict[str, Any]], path: Path, image: SkyImage) -> dict[str, Any]:
    """What a set says of the map."""
    found = entry_of([(str(each.get("file_name", "")), each) for each in images], image, path.name)
    size = (found.get("height", image.shape[0]), found.get("width", image.shape[1]))
    if size != image.shape:
        raise UsageError(
            f"the image of {path.name} is not as large as the map",
            got=f"{size[0]} x {size[1]} (y, x)",
            allowed=f"{image.shape[0]} x {image.shape[1]}",
        )
    return found


def _mask(index: int, told: Any, within: tuple[int, int]) -> Footprints | None:
    """The pixels of one segmentation; None where there is none."""
    if not told:
        return None
    if isinstance(told, dict):
        ny, nx = (int(each) for each in told["size"])
        if (ny, nx) != within:
            raise ValueError(f"a mask of {ny} x {nx} pixels on a map of {within[0]} x {within[1]}")
        counts = told["counts"]
        runs = run_lengths(counts) if isinstance(counts, str) else np.asarray(counts, np.int64)
        edge = np.cumsum(runs)
        if (runs < 0).any() or (edge.size and edge[-1] > ny * nx):
            raise ValueError("runs of a mask that are longer than the map")
        start, stop = edge[0::2][: edge.size // 2], edge[1::2]
        length = stop - start
        flat = (
            np.arange(int(length.sum()))
            - np.repeat(np.cumsum(length) - length, length)
            + np.repeat(start, length)
        )
        column, row = np.divmod(flat, ny)  # a mask runs down its columns
        return pixel_prints(row, column, np.full(flat.size, index, np.int64))
    corners: list[Floats] = [np.asarray(each, np.float64).reshape(-1, 2) - 0.5 for each in told]
    return polygon_prints([(index, each) for each in corners if len(each) >= 3], within)


def run_lengths(text: str) -> Ints:
    """The lengths of runs in a compressed mask of COCO: differences to the run before the last, five bits a letter."""
    counts: list[int] = []
    at = 0
    while at < len(text):
        value, k, more = 0, 0, True
        while more:
            letter = ord(text[at]) - 48
            value |= (letter & 31) << (5 * k)
            more = bool(letter & 32)
            at, k = at + 1, k + 1
            if not more and letter & 16:
                value |= -1 << (5 * k)
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return np.array(counts, np.int64)
