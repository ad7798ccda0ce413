"""`DrawnSource`: pixels that are painted when they are read, the same however and by whom."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from skysift.sim.painting import CELL
from skysift.sky.box import Box

__all__ = ["DrawnSource", "Layer"]


class Layer(Protocol):
    """What is added to a map: sources, noise, artefacts, diffuse emission."""

    def paint(self, box: Box) -> NDArray[np.float64]:
        """The values (y, x) over one whole cell of the lattice (Jy/beam), which may reach beyond the map."""


@dataclass(frozen=True, eq=False)
class DrawnSource:
    """A plane whose pixels are the sum of layers, painted in whole cells of a lattice anchored at pixel (0, 0).

    A cell is always painted as a whole, by float64 sums in the order of the layers, so that the pixels do not
    depend on the boxes that are read nor on who reads. The last cells, about one row of them, are kept.

    Parameters
    ----------
    shape
        Rows and columns, (ny, nx).
    layers
        What is added up; a layer that is NaN somewhere blanks the map there.
    """

    shape: tuple[int, int]
    layers: tuple[Layer, ...]

    def read(self, box: Box) -> NDArray[np.float32]:
        """The pixels of a box inside the plane: float32, contiguous, blanks as NaN."""
        out = np.empty(box.shape, dtype=np.float32)
        for j in range(box.y0 // CELL, -(-box.y1 // CELL)):
            for i in range(box.x0 // CELL, -(-box.x1 // CELL)):
                cell = Box(j * CELL, (j + 1) * CELL, i * CELL, (i + 1) * CELL)
                part = cell.intersect(box)
                out[part.slices(box)] = self._cell(cell)[part.slices(cell)]
        return out

    def _cell(self, cell: Box) -> NDArray[np.float32]:
        """The pixels of a whole cell, painted or kept."""
        kept = self._kept()
        painted = kept.get(cell)
        if painted is None:
            painted = kept.put(cell, self._paint(cell))
        return painted

    def _paint(self, cell: Box) -> NDArray[np.float32]:
        total = np.zeros(cell.shape)
        for layer in self.layers:
            total += layer.paint(cell)
        return total.astype(np.float32)

    def _kept(self) -> _Cells:
        with _making:
            cells: _Cells | None = self.__dict__.get("_cells")
            if cells is None:
                cells = _Cells(-(-self.shape[1] // CELL) + 8)
                self.__dict__["_cells"] = cells  # beside the fields: never compared, never pickled
        return cells

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_cells"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


_making = threading.Lock()


class _Cells:
    """The cells that were painted last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._cells: OrderedDict[Box, NDArray[np.float32]] = OrderedDict()

    def get(self, cell: Box) -> NDArray[np.float32] | None:
        with self._lock:
            painted = self._cells.get(cell)
            if painted is not None:
                self._cells.move_to_end(cell)
        return painted

    def put(self, cell: Box, painted: NDArray[np.float32]) -> NDArray[np.float32]:
        with self._lock:
            self._cells[cell] = painted
            while len(self._cells) > self._most:
                self._cells.popitem(last=False)
        return painted
