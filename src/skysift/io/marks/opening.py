"""`open_marks`: labels that were drawn on a map, told by their content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from skysift.base.errors import FormatError
from skysift.io.marks.caesar import is_caesar, read_caesar
from skysift.io.marks.coco import is_coco, read_coco
from skysift.io.marks.ds9 import is_ds9, read_ds9
from skysift.io.marks.marks import Marks
from skysift.io.marks.yolo import is_yolo, read_yolo
from skysift.sky.image import SkyImage

__all__ = ["FORMATS", "open_marks"]

FORMATS = ("coco", "caesar-mrcnn", "ds9", "yolo")


def open_marks(
    path: Path, image: SkyImage, classes: Mapping[str, str] | None = None
) -> tuple[str, Marks] | None:
    """
    The name of the format and what was drawn; None for a file that is none of `FORMATS`, such as a catalogue.

    Parameters
    ----------
    path
        A file.
    image
        The map that it is of.
    classes
        Names of the file -> names of `skysift.sky.truth.CLASSES`.

    Raises
    ------
    UsageError
        The file is of another map.
    FormatError
        It is broken, or has classes that are not known.
    """
    if not path.is_file():
        return None
    with path.open("rb") as file:
        head = file.read(4096)
    if b"\0" in head or head.startswith((b"SIMPLE", b"PAR1", b"<")):
        return None
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return None
    given = classes or {}
    if text.lstrip()[:1] in ("{", "["):
        try:
            told = json.loads(text)
        except ValueError as error:
            raise FormatError("the labels are no JSON that is whole", got=path.name) from error
        if is_coco(told):
            return "coco", read_coco(told, path, image, given)
        if is_caesar(told):
            return "caesar-mrcnn", read_caesar(told, path, image, given)
        raise FormatError(
            f"{path.name} is JSON of no kind that is known",
            allowed="COCO (images, annotations, categories) or caesar-mrcnn (img, objs)",
        )
    lines = text.splitlines()
    if is_ds9(lines):
        return "ds9", read_ds9(lines, path, image, given)
    if is_yolo(lines):
        return "yolo", read_yolo(lines, path, image, given)
    return None
