"""YOLO text: a line an object, ``class cx cy w h`` or ``class x1 y1 x2 y2 x3 y3 ...``, in parts of the image.

The names of the classes stand in classes.txt, obj.names or data.yaml beside the file; rows are counted from the first
of the FITS image.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import yaml

from skysift.base.errors import FormatError
from skysift.io.marks.drawing import ellipse_prints, joined, polygon_prints
from skysift.io.marks.marks import Marks, classes_of
from skysift.sky.detections import Footprints
from skysift.sky.image import SkyImage

__all__ = ["is_yolo", "read_yolo"]

_NAMES = ("classes.txt", "obj.names", "data.yaml")


def is_yolo(lines: list[str]) -> bool:
    """Whether lines of text are of this form; no lines at all are not."""
    rows = [line.split() for line in lines[:50] if line.strip()]
    return bool(rows) and all(_is_row(row) for row in rows)


def _is_row(words: list[str]) -> bool:
    if len(words) < 5 or not words[0].isdigit() or len(words) % 2 == 0:
        return False
    try:
        values = [float(word) for word in words[1:]]
    except ValueError:
        return False
    return all(-1.0 <= value <= 2.0 for value in values)


def read_yolo(lines: list[str], path: Path, image: SkyImage, classes: Mapping[str, str]) -> Marks:
    """
    The objects of a file: polygons as they are, boxes as the ellipses in them.

    Raises
    ------
    FormatError
        A line is of another form, or a class is not known.
    """
    rows = [line.split() for line in lines if line.strip()]
    for number, row in enumerate(rows, start=1):
        if not _is_row(row):
            raise FormatError(
                f"{path.name}: row {number} is none of YOLO",
                got=" ".join(row)[:60],
                allowed="class cx cy w h, in parts of the image",
            )
    names = _names(path)
    told = [
        row[0] if row[0] in classes else names[int(row[0])] if int(row[0]) < len(names) else row[0]
        for row in rows
    ]
    kinds = classes_of(told, classes, path.name if names else f"{path.name} (without {' or '.join(_NAMES)})")
    ny, nx = image.shape
    scale = np.array([nx, ny], np.float64)
    values = [np.array(row[1:], np.float64).reshape(-1, 2) * scale for row in rows]
    boxes = np.array([k for k, each in enumerate(values) if len(each) == 2], np.int64)
    centre = np.full((len(rows), 2), np.nan)
    size = np.array([values[k][1] for k in boxes]).reshape(-1, 2)
    centre[boxes] = np.array([values[k][0] for k in boxes]).reshape(-1, 2) - 0.5
    shape = np.stack([0.25 * size[:, 0] ** 2, 0.0 * size[:, 0], 0.25 * size[:, 1] ** 2], axis=1)
    drawn = ellipse_prints(centre[boxes, 0], centre[boxes, 1], shape, image.shape)
    drawn = Footprints(drawn.row, drawn.start, drawn.stop, boxes[drawn.index])
    outlines = [(k, each - 0.5) for k, each in enumerate(values) if len(each) > 2]
    return Marks(kinds, joined([drawn, polygon_prints(outlines, image.shape)]), centre, _called(told, names))


def _called(told: list[str], names: list[str]) -> tuple[str, ...]:
    """What classes are called: those of the list of names, and what labels have that is in none."""
    return tuple(dict.fromkeys([*names, *told]))


def _names(path: Path) -> list[str]:
    """Names of classes by number, as a file beside the labels or in the folder above tells them."""
    for folder in (path.parent, path.parent.parent):
        for name in _NAMES:
            place = folder / name
            if place == path or not place.is_file():
                continue
            if place.suffix != ".yaml":
                return [
                    line.strip() for line in place.read_text(encoding="utf-8").splitlines() if line.strip()
                ]
            try:
                told = yaml.safe_load(place.read_text(encoding="utf-8"))["names"]
                return [str(told[k]) for k in range(len(told))]
            except (yaml.YAMLError, KeyError, TypeError) as error:
                raise FormatError(
                    f"{place.name} tells no names of classes", allowed="names: [...]"
                ) from error
    return []
