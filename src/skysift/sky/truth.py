"""`Truth`: what a sky was made from: catalogue, footprints, and the geometry that they stand on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.sky.beam import Beam
from skysift.sky.catalogue import Catalogue
from skysift.sky.detections import Detections
from skysift.sky.frame import Frame
from skysift.sky.mask import Mask
from skysift.sky.table import Rows, Table

__all__ = ["CLASSES", "CLASS_COLOURS", "FLAGGED", "SPURIOUS", "Truth"]

SPURIOUS, FLAGGED = "spurious", "flagged"
CLASSES: tuple[str, ...] = (SPURIOUS, "compact", "extended", "extended-multisland", FLAGGED)
CLASS_COLOURS = {
    "compact": "#56b4e9",
    "extended": "#f0e442",
    "extended-multisland": "#009e73",
    SPURIOUS: "#d55e00",
    FLAGGED: "#cc79a7",
}
"""Over a map, in regions and pictures; told apart by those who see few colours too (Okabe & Ito 2008)."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What a sky was made from; the form of training labels and of what a catalogue is scored against.

    The rows of `catalogue.sources` are the objects: `flux` and `flux_int` are what the map holds of them (after
    the primary beam and the losses of the uv coverage), `flux_true` is their own, `flux_peak` the noise-free
    peak of their image in the map, `rms` the map's true noise there; `major_deconv`, `minor_deconv` and
    `pa_deconv` are intrinsic. Rows of class ``spurious`` are artefacts, which a finder should not report.

    Parameters
    ----------
    catalogue
        Three linked tables of the one schema, with columns of `skysift.sky.schema.FURTHER` where known.
    detections
        Row i is the true mask of row i of the sources; without rows where no masks are known.
    frame
        Geometry of the map; None for a truth that is a list of sky positions.
    beam
        Of the map; None where not known.
    frequency
        Of the map (Hz); NaN where not known.

    Raises
    ------
    UsageError
        There are footprints, but not one a source; or a class is not one of `CLASSES`.
    """

    catalogue: Catalogue
    detections: Detections = field(default_factory=Detections.empty)
    frame: Frame | None = None
    beam: Beam | None = None
    frequency: float = math.nan

    def __post_init__(self) -> None:
        if len(self.detections) not in (0, len(self.catalogue.sources)):
            raise UsageError(
                "a truth has one footprint a source, or none at all",
                got=f"{len(self.detections)} footprints of {len(self.catalogue.sources)} sources",
            )
        if "class" in self.sources:
            unknown = sorted(set(np.unique(self.sources["class"]).tolist()) - set(CLASSES))
            if unknown:
                raise UsageError("a truth has a class that does not exist", got=unknown[0], allowed=CLASSES)

    @property
    def sources(self) -> Table:
        """The objects, artefacts among them."""
        return self.catalogue.sources

    @property
    def real(self) -> NDArray[np.bool_]:
        """True for the rows of the sources that are objects of the sky, false for artefacts."""
        if "class" not in self.sources:
            return np.ones(len(self.sources), dtype=np.bool_)
        return np.asarray(self.sources["class"] != SPURIOUS)

    def select(self, rows: Rows) -> Truth:
        """The truth of these sources: a mask over them, or their row numbers.

        Raises
        ------
        UsageError
            The mask is not as long as the table of sources, or a number is not that of a row.
        """
        chosen = self.detections.select(rows) if len(self.detections) else self.detections
        return Truth(self.catalogue.select(rows), chosen, self.frame, self.beam, self.frequency)

    def mask(self) -> Mask:
        """The footprints as labels over the map: row i of the sources has the label i + 1.

        Raises
        ------
        UsageError
            The truth has no map, or two footprints share a pixel (`detections` keeps those that overlap).
        """
        if self.frame is None:
            raise UsageError("the truth is a list of positions and has no map")
        return self.detections.to_mask(self.frame.shape)

    def __len__(self) -> int:
        return len(self.sources)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Truth):
            return NotImplemented
        same = self.frequency == other.frequency or (self.frequency != self.frequency != other.frequency)
        return same and all(
            getattr(self, name) == getattr(other, name)
            for name in ("catalogue", "detections", "frame", "beam")
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shape = "" if self.frame is None else f", {self.frame.shape[0]} x {self.frame.shape[1]} (y, x) px"
        artefacts = int(np.sum(~self.real))
        return f"Truth({len(self) - artefacts} objects, {artefacts} artefacts{shape})"
