"""Shapes of segments: length along the ridge, width, hull, holes, peaks, ring-ness, and what they look like."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from skysift.measure import form as row
from skysift.measure.form import measure_forms
from skysift.measure.tags import tags

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]
Texts = npt.NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class SegmentShapes:
    """
    The shapes of segments as they lie on the map; arrays ``(n,)``, NaN where a segment holds no data.

    Attributes
    ----------
    length
        Along the spine (pixels), at least `extent`; of a closed ring its extent.
    extent, extent_angle
        Largest distance between two of its pixels and the width of one (pixels), and its angle from +x towards +y (rad).
    width
        Mean width across the spine (pixels): the area over the length of the spine.
    concentration
        ``5 log10(r80 / r20)`` of the ellipses that hold 80 and 20 % of the flux, with the shape of the moments: 1.5 for
        a flat disc, 2.1 for a Gaussian, more for a core in a halo, less for a ring.
    filling
        Share of the convex hull that the segment covers.
    ringness
        How hollow it is times the share of the directions that are closed: 0 for a disc, 1 for a ring, its share of
        the circle for an arc.
    elongation
        Ratio of the axes of the second moments, at least 1.
    bend
        Angle at the middle of the spine between its ends (deg): 180 for a straight one; NaN where the segment is
        less than two widths long, or a closed ring.
    n_holes
        Holes of at least half a beam area.
    n_peaks
        Peaks that stand out by 5 sigma and by a tenth of the brightest pixel.
    tag, tag_score
        What it looks like, of `skysift.measure.tags.TAGS`, and the probability of it.
    closed
        Whether the spine is a ring.
    spines
        Of each segment, ``(k, 2)`` x, y in pixels of the map; a closed one ends where it begins.
    """

    length: Floats
    extent: Floats
    extent_angle: Floats
    width: Floats
    concentration: Floats
    filling: Floats
    ringness: Floats
    elongation: Floats
    bend: Floats
    n_holes: Ints
    n_peaks: Ints
    tag: Texts
    tag_score: Floats
    closed: Bools
    spines: list[Floats]

    def __len__(self) -> int:
        return int(self.length.size)

    @classmethod
    def concat(cls, parts: "Sequence[SegmentShapes]") -> "SegmentShapes":
        """One after the other."""
        joined = {
            each.name: np.concatenate([getattr(part, each.name) for part in parts])
            for each in fields(cls)
            if each.name != "spines"
        }
        return cls(**joined, spines=[line for part in parts for line in part.spines])

    def select(self, rows: Ints) -> "SegmentShapes":
        """Some of them, in the order of `rows`."""
        chosen = {each.name: getattr(self, each.name)[rows] for each in fields(self) if each.name != "spines"}
        return SegmentShapes(**chosen, spines=[self.spines[k] for k in np.asarray(rows).tolist()])


def segment_shapes(
    data: Pixels,
    level: Pixels,
    rms: Pixels,
    labels: Labels,
    y0: int,
    x0: int,
    members: Ints,
    beam: Floats,
    background: Floats | None = None,
) -> SegmentShapes:
    """
    Shapes of segments, read on a map that is smoothed where the signal to noise is low.

    Brightness is smoothed with a round Gaussian of the beam's size (geometric mean of its axes) times 5 over the mean
    signal to noise of a pixel, the size of the beam at most, within the segment alone; not at all where this is
    below 0.3 pixels. Noise is taken to be correlated like the beam in what the smoothing leaves of it.

    Parameters
    ----------
    data, level, rms
        Pixels of a tile (y, x) whose first pixel is (y0, x0); NaN in ``data`` where the map is blank.
    labels
        Number of the segment that each pixel belongs to; 0 for none.
    members
        The labels to measure, each whole in the tile; in one piece or in several.
    beam
        Covariance xx, xy, yy of the beam (pixels squared), ``(3,)`` or one a member.
    background
        Local level of each member above that of the map (Jy/beam), as `measure_segments` finds it; 0 by default.
    """
    found = measure_forms(data, level, rms, labels, y0, x0, members, beam, background)
    rows = found.rows
    counts = np.nan_to_num(rows[:, [row.N_HOLES, row.N_PEAKS]]).astype(np.int64)
    tag, score = tags(rows)
    spines = [line[:k].copy() for line, k in zip(found.points, found.n_points.tolist(), strict=True)]
    return SegmentShapes(
        rows[:, row.LENGTH], rows[:, row.EXTENT], rows[:, row.ANGLE], rows[:, row.WIDTH], rows[:, row.CONCENTRATION],
        rows[:, row.FILLING], rows[:, row.RINGNESS], rows[:, row.ELONGATION], rows[:, row.BEND], counts[:, 0],
        counts[:, 1], tag, score, rows[:, row.CLOSED] == 1.0, spines,
    )  # fmt: skip
