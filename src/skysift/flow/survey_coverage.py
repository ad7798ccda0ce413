"""Where a survey looked and how deep: cells of sky with the lowest rms of the fields that hold them.

A cell is covered by a field where its centre lies on a pixel that was searched. Areas are therefore unbiased,
whatever the sizes of cells and pixels, and do not depend on how the map was cut.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from skysift.base.errors import FormatError
from skysift.base.parallel import Crew
from skysift.base.provenance import Provenance
from skysift.flow.overview import Reader
from skysift.io.output import whole_file
from skysift.sky.box import Box
from skysift.sky.frame import Frame
from skysift.sky.healpix import cell_area, cell_width, cells_at, centres_of
from skysift.sky.tiling import Tiling

__all__ = ["Coverage", "SurveyCoverage", "coverage_order", "field_coverage", "join_coverage"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_FINER = 4.0  # samples across a cell, so that one lies in every cell that has its centre in a box
_MOST_CELLS = 2e7  # of a survey, by which memory is bounded
_COARSEST, _FINEST = 6, 18
_SAMPLES = 1 << 20  # positions that are looked up at once


@dataclass(frozen=True, eq=False)
class Coverage:
    """The cells of one field, ascending, and the rms (Jy/beam) at the centre of each."""

    order: int
    cells: Ints
    rms: NDArray[np.float32]

    @property
    def area(self) -> float:
        """Square degrees."""
        return len(self.cells) * cell_area(self.order)

    def at(self, ra: Floats, dec: Floats) -> Floats:
        """The rms at positions (deg); NaN outside of the field."""
        place = _find(self.cells, cells_at(self.order, ra, dec))
        values = np.full(len(place), np.nan)
        values[place >= 0] = self.rms[place[place >= 0]]
        return values

    def write(self, path: Path) -> None:
        """Write the cells as a HEALPix map of FITS that lists its cells."""
        columns: dict[str, NDArray[Any]] = {"PIXEL": self.cells, "RMS": self.rms}
        _write_cells(path, self.order, columns, {"RMS": "Jy/beam"}, None)

    @classmethod
    def read(cls, path: Path) -> Coverage:
        """The coverage that `write` wrote.

        Raises
        ------
        FormatError
            The file holds something else.
        """
        try:
            with fits.open(path, memmap=False) as hdus:
                table = hdus[1]
                order = int(table.header["NSIDE"]).bit_length() - 1
                cells = np.asarray(table.data["PIXEL"]).astype(np.int64)
                rms = np.asarray(table.data["RMS"]).astype(np.float32)
        except (OSError, KeyError, IndexError, ValueError, TypeError) as error:
            raise FormatError(f"{path} is not the coverage of a field", todo="remove it") from error
        return cls(order, cells, rms)


@dataclass(frozen=True, eq=False)
class SurveyCoverage:
    """The cells that any field holds, ascending.

    Parameters
    ----------
    order
        Of the cells.
    cells
        Their numbers; (n,).
    rms
        The lowest of the fields' rms (Jy/beam); (n,).
    limit
        The lowest peak brightness at which a field begins an island (Jy/beam); (n,).
    field
        Number of the field with the lowest rms, among `names`; (n,).
    n_fields
        How many fields hold the cell; (n,).
    names
        Of the fields.
    """

    order: int
    cells: Ints
    rms: NDArray[np.float32]
    limit: NDArray[np.float32]
    field: NDArray[np.int32]
    n_fields: NDArray[np.int32]
    names: tuple[str, ...]

    @property
    def area(self) -> float:
        """Square degrees."""
        return len(self.cells) * cell_area(self.order)

    def find(self, cells: Ints) -> Ints:
        """The row of each of these cells; -1 where no field holds it."""
        return _find(self.cells, cells)

    def curve(self, steps: int = 200) -> tuple[Floats, Floats, Floats]:
        """Levels (Jy/beam), and the areas (square degrees) in which the rms and the limit are no higher."""
        if not len(self.cells):
            return np.empty(0), np.empty(0), np.empty(0)
        low, high = float(self.rms.min()), float(max(self.rms.max(), self.limit.max()))
        levels: Floats = np.geomspace(low, high * (1.0 + 1e-6), steps)
        deep, seen = (
            np.searchsorted(np.sort(each), levels, side="right").astype(np.float64) * cell_area(self.order)
            for each in (self.rms, self.limit)
        )
        return levels, deep, seen

    def write(self, path: Path, provenance: Provenance) -> None:
        """Write the cells as a HEALPix map of FITS that lists its cells, and the names that FIELD counts (from 0)."""
        columns: dict[str, NDArray[Any]] = {
            "PIXEL": self.cells,
            "RMS": self.rms,
            "LIMIT": self.limit,
            "N_FIELDS": self.n_fields,
            "FIELD": self.field,
        }
        names = fits.BinTableHDU.from_columns(
            [fits.Column("NAME", f"{max(map(len, self.names), default=1)}A", array=np.array(self.names))],
            name="FIELDS",
        )
        _write_cells(path, self.order, columns, {"RMS": "Jy/beam", "LIMIT": "Jy/beam"}, provenance, names)


def coverage_order(beams: Sequence[float], area: float) -> int:
    """The coarsest order whose cells are no wider than the smallest beam, as far as their number stays bounded.

    Parameters
    ----------
    beams
        FWHM (arcsec) of the fields' beams.
    area
        Sum of the fields' areas (square degrees).
    """
    finest = min(beams, default=60.0)
    order = math.ceil(math.log2(cell_width(0) / finest))
    most = math.floor(math.log2(_MOST_CELLS * cell_area(0) / max(area, 1e-6)) / 2.0)
    return int(np.clip(min(order, most), _COARSEST, _FINEST))


def field_coverage(rms: Reader, frame: Frame, area: Box, order: int, crew: Crew) -> Coverage:
    """The cells whose centres lie on searched pixels of a map, read box by box.

    Parameters
    ----------
    rms
        Reader of the noise: NaN where nothing was searched.
    frame
        Of the map.
    area
        The part of the map that was searched.
    order
        Of the cells.
    crew
        Who reads.
    """
    work = partial(_cells_of_box, rms, frame, order)
    parts = list(crew.map("coverage", work, list(Tiling(area, crew.tile))))
    cells = np.concatenate([part[0] for part in parts]) if parts else np.empty(0, np.int64)
    values = np.concatenate([part[1] for part in parts]) if parts else np.empty(0, np.float32)
    ascending = np.argsort(cells, kind="stable")
    return Coverage(order, cells[ascending], values[ascending].astype(np.float32))


def _cells_of_box(rms: Reader, frame: Frame, order: int, box: Box) -> tuple[Ints, NDArray[np.float32]]:
    """Cells whose centres lie on pixels of a box that have a rms, and this rms."""
    candidates = _candidates(frame, order, box)
    candidates = candidates[candidates >= 0]
    x, y = frame.to_pixel(*centres_of(order, candidates))
    inside = np.isfinite(x) & np.isfinite(y)
    inside[inside] = box.contains(x[inside], y[inside])
    cells = candidates[inside]
    column = np.floor(x[inside] + 0.5).astype(np.int64) - box.x0
    row = np.floor(y[inside] + 0.5).astype(np.int64) - box.y0
    values = np.asarray(rms(box), dtype=np.float32)[row, column]
    seen = np.isfinite(values)
    return cells[seen], values[seen]


def _candidates(frame: Frame, order: int, box: Box) -> Ints:
    """Cells of which one at least of many samples lies in a box: among them all that have their centre there."""
    pixel = np.hypot(*frame.jacobian)  # arcsec along x, y
    step_x, step_y = cell_width(order) / _FINER / pixel
    xs, ys = (
        np.linspace(first - 0.5, last - 0.5, math.ceil((last - first) / step) + 1)
        for first, last, step in ((box.x0, box.x1, step_x), (box.y0, box.y1, step_y))
    )
    rows = max(1, _SAMPLES // len(xs))
    found = [
        np.unique(cells_at(order, *frame.to_sky(xs[None, :], ys[start : start + rows, None])))
        for start in range(0, len(ys), rows)
    ]
    return np.unique(np.concatenate(found))


def join_coverage(fields: Mapping[str, tuple[Coverage, float]]) -> SurveyCoverage:
    """The cells of all fields together.

    Parameters
    ----------
    fields
        Name -> its coverage, all of one order, and the S/N at which it begins an island.
    """
    names = tuple(sorted(fields))
    if not names:
        nothing = np.empty(0, np.int64)
        level, number = np.empty(0, np.float32), np.empty(0, np.int32)
        return SurveyCoverage(_COARSEST, nothing, level, level, number, number, names)
    order = fields[names[0]][0].order
    cells = np.concatenate([fields[name][0].cells for name in names])
    rms = np.concatenate([fields[name][0].rms for name in names])
    limit = np.concatenate([fields[name][0].rms * np.float32(fields[name][1]) for name in names])
    field = np.repeat(np.arange(len(names), dtype=np.int32), [len(fields[name][0].cells) for name in names])
    by_rms = np.lexsort((field, rms, cells))
    cells, rms, limit, field = cells[by_rms], rms[by_rms], limit[by_rms], field[by_rms]
    unique, first, count = np.unique(cells, return_index=True, return_counts=True)
    lowest = np.minimum.reduceat(limit, first) if len(first) else limit
    return SurveyCoverage(order, unique, rms[first], lowest, field[first], count.astype(np.int32), names)


def _find(cells: Ints, wanted: Ints) -> Ints:
    """The row of each wanted cell among ascending ones; -1 where there is none."""
    if not len(cells):
        return np.full(len(wanted), -1, np.int64)
    place = np.minimum(np.searchsorted(cells, wanted), len(cells) - 1)
    return np.where(cells[place] == wanted, place, -1).astype(np.int64)


def _write_cells(
    path: Path,
    order: int,
    columns: Mapping[str, NDArray[Any]],
    units: Mapping[str, str],
    provenance: Provenance | None,
    *further: fits.BinTableHDU,
) -> None:
    """A HEALPix map of FITS in explicit numbering (nested, ICRS)."""
    kinds = {"int64": "K", "int32": "J", "float32": "E"}
    made = [
        fits.Column(name, kinds[values.dtype.name], units.get(name), array=values)
        for name, values in columns.items()
    ]
    table = fits.BinTableHDU.from_columns(made, name="HEALPIX")
    cards = {
        "PIXTYPE": ("HEALPIX", "pixels are cells of HEALPix"),
        "ORDERING": ("NESTED", "numbering of the cells"),
        "COORDSYS": ("C", "ICRS"),
        "NSIDE": (1 << order, "cells along the side of a base cell"),
        "ORDER": (order, "NSIDE = 2^ORDER"),
        "INDXSCHM": ("EXPLICIT", "the cells are listed"),
        "OBJECT": ("PARTIAL", "not all of the sky"),
    }
    for key, (value, comment) in cards.items():
        table.header[key] = (value, comment)
    if provenance is not None:
        for keyword, text, comment in provenance.cards():
            table.header.append((keyword, text, comment), end=True)
    with whole_file(path, overwrite=True) as part:
        fits.HDUList([fits.PrimaryHDU(), table, *further]).writeto(part, output_verify="exception")
