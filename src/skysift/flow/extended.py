"""What a run writes of extended sources: outlines and spines for viewers, a table of spines, the area as MOC."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skysift.find.extended.nested import label_at
from skysift.find.finding import Finding
from skysift.io.moc import moc_of, write_moc
from skysift.io.regions import Drawn
from skysift.match.result import ResultTable
from skysift.measure.outline import outlines
from skysift.sky.column import OF_S, Column, integer
from skysift.sky.frame import Frame
from skysift.sky.healpix import MAX_ORDER, cell_width, cells_at, centres_of
from skysift.sky.lines import Lines
from skysift.sky.mask import Mask
from skysift.sky.schema import column

__all__ = [
    "EXTENDED_MOC",
    "SPINES",
    "drawn_sources",
    "segment_cells",
    "segments_of",
    "spine_table",
    "write_area",
]

Ints = NDArray[np.int64]

SPINES, EXTENDED_MOC = "spines", "extended.moc.fits"
_NARROWEST = 2.0  # pixels: the cells of the MOC are this wide to twice as wide
_AT_ONCE = 1_000_000  # pixels

_LINE = integer(
    "line", "meta.number", "Which of the spines of its source, from 0; joined sources have several.", OF_S
)
_POINT = Column(
    "point",
    "int64",
    "",
    "meta.number",
    "Number of the point along the spine, from 0.",
    OF_S,
    "d",
)


def segments_of(finding: Finding) -> tuple[Mask, Ints]:
    """The pixels of the extended sources of a finding, and the source_id of each label in the mask's order."""
    mask = finding.mask.select(finding.segments)
    order = np.argsort(finding.segments, kind="stable")
    place = order[np.searchsorted(finding.segments, mask.labels, sorter=order)]
    return mask, finding.spines.owner[place]


def drawn_sources(finding: Finding) -> Drawn | None:
    """The extended sources of a finding as lines for region files; None where there are none."""
    mask, owner = segments_of(finding)
    if not len(owner):
        return None
    lines = outlines(mask)
    return Drawn(
        finding.catalogue.sources,
        lines.given_to(owner[np.searchsorted(mask.labels, lines.owner)]),
        finding.spines,
    )


def spine_table(spines: Lines, frame: Frame) -> ResultTable:
    """One row a point of a spine, in order along it: its source, which of its spines, and its place."""
    ra, dec = frame.to_sky(spines.x, spines.y)
    columns = {
        "source_id": np.repeat(spines.owner, spines.n_points),
        "line": np.repeat(_nth_of_owner(spines.owner), spines.n_points),
        "point": np.arange(len(spines.x)) - np.repeat(spines.first[:-1], spines.n_points),
        "x": spines.x,
        "y": spines.y,
        "ra": ra,
        "dec": dec,
    }
    own = {"line": _LINE, "point": _POINT}
    declared = tuple(own.get(name) or column(name) for name in columns)
    return ResultTable(SPINES, columns, declared)


def _nth_of_owner(owner: Ints) -> Ints:
    """For each line, which of those of its owner it is, from 0."""
    order = np.argsort(owner, kind="stable")
    first = np.searchsorted(owner[order], owner[order])
    nth = np.empty(len(owner), np.int64)
    nth[order] = np.arange(len(owner)) - first
    return nth


def segment_cells(mask: Mask, frame: Frame) -> tuple[int, Ints]:
    """Order and numbers of the HEALPix cells whose centres lie on pixels of a mask; cells are 2 to 4 pixels wide."""
    width = math.sqrt(frame.pixel_area)
    order = int(np.clip(math.floor(math.log2(cell_width(0) / (_NARROWEST * width))), 0, MAX_ORDER))
    size = mask.stop - mask.start
    found = [np.empty(0, np.int64)]
    ends = [*np.searchsorted(np.cumsum(size), np.arange(0, int(size.sum()), _AT_ONCE)), len(size)]
    for first, last in pairwise(ends):  # the run that a part ends in is in the next one too
        part = slice(int(first), int(last) + 1)
        n = size[part]
        y = np.repeat(mask.row[part], n)
        x = np.arange(int(n.sum())) + np.repeat(mask.start[part] - np.cumsum(n) + n, n)
        cells = np.unique(cells_at(order, *frame.to_sky(x, y)))
        cells = cells[cells >= 0]
        u, v = frame.to_pixel(*centres_of(order, cells))
        known = np.isfinite(u) & np.isfinite(v)
        found.append(cells[known][label_at(mask, np.stack([v[known], u[known]], axis=1)) > 0])
    return order, np.unique(np.concatenate(found))


def write_area(finding: Finding, path: Path) -> None:
    """Write the MOC of the pixels of all extended sources; an empty one for a map without place on the sky."""
    mask, _ = segments_of(finding)
    frame = finding.image.frame
    order, cells = segment_cells(mask, frame) if frame.celestial else (0, np.empty(0, np.int64))
    write_moc(moc_of(order, cells), path)
