"""The maps of a run: background, rms, model, residual and labels, written band by band."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from skysift.flow.overview import Reader, bands
from skysift.io.fits import FitsSource, write_image
from skysift.sky.box import Box

if TYPE_CHECKING:
    from skysift.find.finding import Finding, MapName

__all__ = ["MAPS", "file_of", "write_maps"]

MAPS: dict[MapName, tuple[str, str]] = {
    "background": ("Jy/beam", "background"),
    "rms": ("Jy/beam", "rms"),
    "model": ("Jy/beam", "model"),
    "residual": ("Jy/beam", "residual"),
    "labels": ("", "island labels"),
}
"""Name of a map -> its unit and what the header says that it shows."""


def file_of(name: str) -> str:
    """The file name of a map."""
    return f"{name}.fits"


def write_maps(
    finding: Finding,
    place: Callable[[str], Path],
    wanted: Sequence[str],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Reader]:
    """Readers of the data and of all maps, once those that are wanted were written; files cover what was searched.

    Parameters
    ----------
    finding
        What was found.
    place
        Where a file of this name goes.
    wanted
        Names of maps.
    progress
        Called as progress(done, total).

    Raises
    ------
    StorageError
        The disk is full.
    """
    image, area = finding.image, finding.area
    frame = image.frame.crop(area)
    read: dict[str, Reader] = {"data": finding.data}
    for name in MAPS:
        read[name] = partial(finding.read, name)
    names = [name for name in MAPS if name in wanted]
    boxes = list(bands(area))
    done = 0

    def rows(name: MapName) -> Iterator[NDArray[np.float32] | NDArray[np.int32]]:
        nonlocal done
        for box in boxes:
            yield finding.read(name, box)
            done += 1
            if progress is not None:
                progress(done, len(names) * len(boxes))

    for name in names:
        unit, title = MAPS[name]
        dtype: Literal["float32", "int32"] = "int32" if name == "labels" else "float32"
        path = place(file_of(name))
        write_image(
            path,
            area.shape,
            rows(name),
            dtype=dtype,
            frame=frame,
            beam=image.beam,
            unit=unit,
            frequency=image.frequency,
            title=title,
            provenance=finding.catalogue.provenance,
        )
        read[name] = partial(_read, finding, name, _source(path, area.shape, name))
    return read


def _read(
    finding: Finding, name: MapName, source: FitsSource, box: Box
) -> NDArray[np.float32] | NDArray[np.int32]:
    """A box of a map, from its file where that holds it: this costs less than painting the model once more."""
    area = finding.area
    return source.read(box.shift(-area.y0, -area.x0)) if area.holds(box) else finding.read(name, box)


def _source(path: Path, shape: tuple[int, int], name: MapName) -> FitsSource:
    """The pixels of an image that `write_image` wrote: they end the file, filled up to whole blocks."""
    pixels = -(-shape[0] * shape[1] * 4 // 2880) * 2880
    return FitsSource(str(path), shape, path.stat().st_size - pixels, 32 if name == "labels" else -32)
