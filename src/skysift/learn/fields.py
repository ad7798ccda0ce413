"""`Field`: the pixels of a map in units of its noise, with labels; what a training set is made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import DataError, UsageError
from skysift.sky.box import Box
from skysift.sky.detections import Detections, Footprints

__all__ = ["LABELS", "LINE_LABELS", "Field", "read_field", "write_field"]

Floats: TypeAlias = NDArray[np.float64]
Pixels: TypeAlias = NDArray[np.float32]

LABELS = ("x", "y", "xx", "xy", "yy", "snr_peak", "snr_int", "core", "class", "use")
"""Raw parameters of labels: centre (pixel), intrinsic covariance (pixels squared, the beam taken out; 0 for a point),
peak and flux over the noise (the flux of a point is its peak), part of the flux in a core (NaN unknown), number in
`skysift.sky.truth.CLASSES`, and whether the object is to be learnt (1), left out of both sides (0)."""

LINE_LABELS = ("channel", "w20", "cos", "sin", "inclination")
"""Further raw parameters of labels in cubes: centre and width at a fifth of the peak (channels), cosine and sine of the
angle of the receding half from x towards y, inclination (rad). The covariance is that of the disc on the sky, the peak
over noise that of the cube smoothed to the line, and the flux that of the line over the noise of a channel (channels)."""

_PIXELS, _LABELS, _FACTS = "pixels.npy", "labels.npz", "field.json"


@dataclass(frozen=True, eq=False)
class Field:
    """
    A map as networks see it, with what there is on it; or a cube.

    Attributes
    ----------
    name
        Of the field.
    pixels
        ``(y, x)`` float32: (map - level) / rms; NaN where there are no data. May lie on disk. Of a cube
        ``(channel, y, x)``.
    labels
        One row an object: box and footprint of its mask, with the raw parameters `LABELS`, of a cube `LINE_LABELS` too.
    beam
        Covariance (xx, xy, yy; pixels squared) of the beam.
    held
        The part of the map that is kept for validation; no crop of training touches it. None: all is trained on.
    facts
        Where it came from, JSON-safe.
    """

    name: str
    pixels: Pixels
    labels: Detections
    beam: tuple[float, float, float]
    held: Box | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        missing = [name for name in self.names if name not in self.labels.raw]
        if missing:
            raise UsageError("the labels of a field lack a parameter", got=missing[0], allowed=self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """The raw parameters of its labels that a network learns from, in their order."""
        return LABELS if self.pixels.ndim == 2 else (*LABELS, *LINE_LABELS)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.pixels.shape[-2], self.pixels.shape[-1]

    def __reduce__(self) -> tuple[object, ...]:
        """Pixels that lie on disk stay there: another process opens them anew."""
        pixels: object = self.pixels
        if isinstance(self.pixels, np.memmap) and str(self.pixels.filename).endswith(_PIXELS):
            pixels = str(self.pixels.filename)
        return _reopened, (self.name, pixels, self.labels, self.beam, self.held, dict(self.facts))

    def __repr__(self) -> str:
        deep = "" if self.pixels.ndim == 2 else f"{len(self.pixels)} channels of "
        return f"Field({self.name!r}, {deep}{self.shape[0]} x {self.shape[1]} (y, x) px, {len(self.labels)} labels)"


def _reopened(
    name: str,
    pixels: Any,
    labels: Detections,
    beam: tuple[float, float, float],
    held: Box | None,
    facts: dict[str, Any],
) -> Field:
    """A field that was sent to another process."""
    read = np.load(pixels, mmap_mode="r") if isinstance(pixels, str) else pixels
    return Field(name, read, labels, beam, held, facts)


def write_field(folder: Path, one: Field) -> None:
    """Write a field as a folder; pixels can be read from it without being loaded."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / _PIXELS, np.asarray(one.pixels, np.float32))
    prints = one.labels.footprints
    arrays: dict[str, Any] = {f"raw_{name}": values for name, values in one.labels.raw.items()}
    arrays |= {"boxes": one.labels.boxes, "scores": one.labels.scores}
    runs = np.stack([prints.row, prints.start, prints.stop, prints.index])
    np.savez_compressed(folder / _LABELS, runs=runs, **arrays)
    held = None if one.held is None else [one.held.y0, one.held.y1, one.held.x0, one.held.x1]
    facts = {"name": one.name, "beam": list(one.beam), "held": held, "facts": dict(one.facts)}
    (folder / _FACTS).write_text(json.dumps(facts, indent=1) + "\n")  # last: a folder with it is whole


def read_field(folder: Path) -> Field:
    """A field from its folder; its pixels stay on disk.

    Raises
    ------
    DataError
        The folder holds no whole field.
    """
    try:
        facts = json.loads((folder / _FACTS).read_text())
        pixels = np.load(folder / _PIXELS, mmap_mode="r")
        with np.load(folder / _LABELS) as stored:
            row, start, stop, index = stored["runs"]
            raw = {
                name.removeprefix("raw_"): stored[name] for name in stored.files if name.startswith("raw_")
            }
            labels = Detections(stored["boxes"], stored["scores"], Footprints(row, start, stop, index), raw)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            "a prepared field cannot be read", got=folder.name, todo="remove the folder; it is made again"
        ) from error
    held = None if facts["held"] is None else Box(*facts["held"])
    return Field(facts["name"], pixels, labels, tuple(facts["beam"]), held, facts["facts"])
