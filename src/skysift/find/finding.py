"""`Finding`: a catalogue with the noise, labels and model it came with; maps are painted box by box when asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from skysift.base.errors import UnknownName
from skysift.find.noise import Noise
from skysift.match.result import ResultTable
from skysift.measure.gaussian import model_in
from skysift.sky.box import Box
from skysift.sky.catalogue import Catalogue
from skysift.sky.image import SkyImage
from skysift.sky.lines import Lines
from skysift.sky.mask import Mask
from skysift.sky.table import Table

MapName = Literal["background", "rms", "model", "residual", "labels"]
MAPS: tuple[MapName, ...] = get_args(MapName)


@dataclass(frozen=True, eq=False)
class Finding:
    """
    What a search of a map gave.

    Attributes
    ----------
    image
        The map.
    catalogue
        Islands, sources, components.
    noise
        Background, rms, autocorrelation.
    mask
        Pixels of each island; the label is its `island_id`.
    gaussians
        ``(component, 6)``: amplitude (Jy/beam), x, y, covariance (xx, xy, yy; pixels squared), in the order of
        the components table.
    area
        The part of the map that was searched.
    facts
        Counts, decisions about the noise, seconds per stage.
    notes
        What was odd about the map.
    tables
        Tables beside those of the catalogue, by name.
    spines
        Ridges of extended sources, owned by their `source_id`: one a segment.
    segments
        The `island_id` of each segment, in the order of `spines`.
    """

    image: SkyImage
    catalogue: Catalogue
    noise: Noise = field(repr=False)
    mask: Mask
    gaussians: npt.NDArray[np.float64] = field(repr=False)
    area: Box
    facts: Mapping[str, object] = field(repr=False)
    notes: tuple[str, ...] = ()
    tables: Mapping[str, ResultTable | Table] = field(default_factory=dict, repr=False)
    spines: Lines = field(default_factory=Lines.empty, repr=False)
    segments: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64), repr=False)

    def read(self, name: MapName, box: Box) -> npt.NDArray[np.float32] | npt.NDArray[np.int32]:
        """
        One of the maps in a box: float32 ``(y, x)`` in Jy/beam, NaN where there are no data; labels are int32.

        All of them are in true units: those of a map that was corrected for its primary beam.

        Raises
        ------
        UnknownName
            Where there is no such map.
        """
        if name not in MAPS:
            raise UnknownName("no such map", got=name, allowed=MAPS)
        if name == "labels":
            return self.mask.paint(box)
        tile = self.noise.tile(self.image, box)
        blank = np.isnan(tile.data)
        if name == "background":
            values = tile.level
        elif name == "rms":
            values = tile.rms
        else:
            model = model_in(box, self.gaussians)
            values = (model if name == "model" else tile.data - tile.level - model).astype(np.float32)
        return np.where(blank, np.float32(np.nan), values)

    def data(self, box: Box) -> npt.NDArray[np.float32]:
        """The map in a box: float32 ``(y, x)`` in Jy/beam, corrected for the primary beam where that is known."""
        return self.noise.data(self.image, box)
