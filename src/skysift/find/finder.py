"""`Finder`: what every finder is; it says where, `measure` says how much."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt

from skysift.base.parallel import Crew
from skysift.base.provenance import InputRecord
from skysift.find.extended.fluxes import Extended
from skysift.find.noise import Noise
from skysift.find.options import FinderOptions
from skysift.measure.measured import Measured
from skysift.sky.detections import Detections
from skysift.sky.image import SkyImage
from skysift.sky.schema import TableName
from skysift.sky.tiling import NoisyTile, Piece

HISTOGRAM_STEP = 0.01  # sigma


O = TypeVar("O", bound=FinderOptions)  # noqa: E741


class Finder(ABC, Generic[O]):
    """
    A way to find objects in a map: tile by tile (`IslandFinder`), or by itself (`MapFinder`).

    Attributes
    ----------
    segments
        Whether the map is searched for extended sources too, whose pixels count and not their Gaussians.
    compact
        Whether compact sources are in the catalogue; on top of extended ones they are in any case.
    """

    segments: ClassVar[bool] = False
    compact: ClassVar[bool] = True

    def __init__(self, options: O) -> None:
        self.options = options

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables beside the catalogue that its findings have."""
        return ("joins",) if self.options.join else ()

    @property
    def rated(self) -> bool:
        """Whether each source gets a reliability."""
        return self.segments or self.options.reliability is not None

    def facts(self) -> dict[str, object]:
        """What the finder decided for this map, JSON-safe."""
        return {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.options!r})"


class IslandFinder(Finder[O]):
    """
    A way to find objects that looks at tiles, and then once more at each object.

    Attributes
    ----------
    halo
        Pixels around a tile that `detect` looks at.
    reach
        1 where objects that touch at corners are one, 0 where they must share an edge.
    wants_histogram
        Whether `calibrate` is to be called with the histogram of the map's signal-to-noise.
    """

    halo: ClassVar[int] = 0

    @property
    def reach(self) -> int:
        """1 where objects that touch at corners are one."""
        return 1

    @property
    def wants_histogram(self) -> bool:
        """Whether the map's histogram is needed before detection."""
        return False

    def calibrate(self, counts: npt.NDArray[np.int64]) -> Self:
        """The finder with what it takes from the map-wide histogram of S/N, in bins of 0.01 sigma from 0 on."""
        return self

    @abstractmethod
    def detect(self, tile: NoisyTile) -> Detections:
        """
        Fragments of objects in one tile, in pixels of the map.

        Local: depends on pixels within the halo only. A fragment without a seed is kept where it touches the
        tile's border, for its other half may hold one. Raw parameters: ``seeded`` and ``sign``.
        """

    @abstractmethod
    def resolve(self, piece: Piece) -> Detections:
        """
        Start values of the components of each member of a piece.

        Raw parameters: ``member`` (position in ``piece.members``), ``amplitude``, ``x``, ``y``, ``xx``, ``xy``,
        ``yy`` (covariance, pixels squared); sorted by member, the brightest first.
        """


@dataclass(frozen=True, eq=False)
class Searched:
    """
    What a finder that looks at the map by itself found.

    Attributes
    ----------
    objects
        In map order, no two with a pixel in common; raw parameter ``sign``.
    measured
        One island an object.
    columns
        For each table, further columns of its rows.
    inputs
        What was read beside the map, such as weights.
    facts
        What was decided, JSON-safe.
    extended
        Which of the objects are extended sources, measured as segments; None where the finder has none ever. Each other
        object is one source.
    """

    objects: Detections
    measured: Measured
    columns: Mapping[TableName, Mapping[str, npt.NDArray[Any]]]
    inputs: tuple[InputRecord, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    extended: Extended | None = None


class MapFinder(Finder[O]):
    """
    A way to find objects that looks at the map by itself, through windows that tiles do not decide.

    Attributes
    ----------
    segmented
        Whether some of its sources are segments: the catalogue has columns for these.
    """

    segmented: ClassVar[bool] = False

    def prepare(self) -> None:
        """Refuse what cannot be searched with, before the map is read; nothing by default."""

    @abstractmethod
    def search(self, image: SkyImage, noise: Noise, crew: Crew) -> Searched:
        """All objects of a map whose noise is known, measured."""

    @abstractmethod
    def columns(self) -> Mapping[TableName, Mapping[str, npt.NDArray[Any]]]:
        """The further columns of a catalogue without rows."""
