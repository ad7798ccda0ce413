"""`ClassicFinder`: islands above a threshold, then their peaks."""

import math
from typing import Self

import numpy as np
import numpy.typing as npt

from skysift.find.classic.deblend import island_peaks
from skysift.find.classic.islands import fdr_threshold, fragments
from skysift.find.classic.options import ClassicOptions
from skysift.find.finder import IslandFinder
from skysift.sky.detections import Detections
from skysift.sky.tiling import NoisyTile, Piece


class ClassicFinder(IslandFinder[ClassicOptions]):
    """
    Islands of pixels above `grow` that hold one above `seed`, split at their peaks.

    The false-discovery rate (Hopkins et al. 2002) may set the seed threshold from the map itself.
    """

    @property
    def reach(self) -> int:
        """1 for 8-connected islands, 0 for 4-connected."""
        return 1 if self.options.connectivity == 8 else 0

    @property
    def wants_histogram(self) -> bool:
        """Whether the seed threshold comes from the map's histogram."""
        return self.options.fdr is not None

    def calibrate(self, counts: npt.NDArray[np.int64]) -> Self:
        """The finder with `seed` at the false-discovery threshold, not below `grow`."""
        if self.options.fdr is None:
            return self
        seed = max(fdr_threshold(counts, self.options.fdr), self.options.grow)
        return type(self)(self.options.model_copy(update={"seed": seed}))

    def facts(self) -> dict[str, object]:
        """The seed threshold that was used; None where the false-discovery rate lets nothing pass."""
        return {"seed": self.options.seed if math.isfinite(self.options.seed) else None}

    def detect(self, tile: NoisyTile) -> Detections:
        """Fragments of islands in one tile; positive ones first."""
        options = self.options
        signs = (1, -1) if options.negative else (1,)
        return Detections.concat(
            [fragments(tile, options.seed, options.grow, self.reach, sign) for sign in signs]
        )

    def resolve(self, piece: Piece) -> Detections:
        """The peaks of each member, as start values."""
        tile = piece.tile
        found = []
        for sign in np.unique(piece.sign).tolist():
            chosen = np.flatnonzero(piece.sign == sign)
            boxes = piece.boxes[chosen]
            room = int(((boxes[:, 1] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 2])).sum())
            rows = np.empty((room, 6))
            first = np.empty(len(chosen) + 1, np.int64)
            n = island_peaks(
                tile.data, tile.level, tile.rms, piece.labels, tile.box.y0, tile.box.x0, piece.members[chosen], boxes,
                float(sign), piece.beams[chosen], self.options.prominence, rows, first,
            )  # fmt: skip
            found.append((np.repeat(chosen, np.diff(first)), rows[:n]))
        member = np.concatenate([each[0] for each in found])
        rows = np.concatenate([each[1] for each in found])
        order = np.argsort(member, kind="stable")
        member, rows = member[order], rows[order]
        names = ("amplitude", "x", "y", "xx", "xy", "yy")
        raw = {"member": member, **{name: rows[:, i] for i, name in enumerate(names)}}
        return Detections(piece.boxes[member], np.abs(rows[:, 0]), raw=raw)
