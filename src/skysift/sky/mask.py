"""`Mask`: integer labels over a map, kept as runs of pixels along rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skysift.base.errors import UnknownName, UsageError
from skysift.sky.box import Box

__all__ = ["IntArray", "LabelArray", "Mask", "join_runs"]

IntArray: TypeAlias = NDArray[np.int64]
LabelArray: TypeAlias = NDArray[np.int32]


@dataclass(frozen=True, eq=False, repr=False)
class Mask:
    """Labels from 1 over a map of shape (ny, nx); pixels that no run covers have the label 0.

    Runs are brought into one order, by (row, start), and runs of one label that meet are joined, so that two
    masks that paint the same labels are equal however they were cut.

    Parameters
    ----------
    row, start, stop
        A run covers the pixels ``start <= x < stop`` of a row.
    label
        The label of each run, 1 or more.
    shape
        Rows and columns of the map.

    Raises
    ------
    UsageError
        A run is empty or leaves the map, two runs share a pixel, or a label is less than 1.
    """

    row: IntArray
    start: IntArray
    stop: IntArray
    label: IntArray
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        shape = (int(self.shape[0]), int(self.shape[1]))
        row, start, stop, label = (
            _whole_numbers(each) for each in (self.row, self.start, self.stop, self.label)
        )
        if not row.size == start.size == stop.size == label.size:
            raise UsageError(
                "the arrays of a mask differ in length", got=(row.size, start.size, stop.size, label.size)
            )
        if np.any((row < 0) | (row >= shape[0]) | (start < 0) | (stop > shape[1]) | (start >= stop)):
            raise UsageError(
                "a run of a mask is empty or leaves the map", allowed=f"rows and columns within {shape}"
            )
        if np.any((label < 1) | (label > np.iinfo(np.int32).max)):
            raise UsageError(
                "a label of a mask is out of range", got=int(label.min()), allowed="1 to 2147483647"
            )
        order = np.lexsort((start, row))
        row, start, stop, label = row[order], start[order], stop[order], label[order]
        same_row = row[1:] == row[:-1]
        if np.any(same_row & (start[1:] < stop[:-1])):
            raise UsageError(
                "two runs of a mask share a pixel",
                got=f"row {int(row[1:][same_row & (start[1:] < stop[:-1])][0])}",
            )
        opens = np.ones(row.size, dtype=np.bool_)
        opens[1:] = ~(same_row & (start[1:] == stop[:-1]) & (label[1:] == label[:-1]))
        closes = np.append(opens[1:], True)[: row.size]
        values = {"row": row[opens], "start": start[opens], "stop": stop[closes], "label": label[opens]}
        for name, value in values.items():
            value.setflags(write=False)
            object.__setattr__(self, name, value)
        object.__setattr__(self, "shape", shape)

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> Mask:
        """A mask of nothing over a map of this shape."""
        none = np.empty(0, dtype=np.int64)
        return cls(none, none, none, none, shape)

    @classmethod
    def from_labels(
        cls, labels: ArrayLike, box: Box | None = None, shape: tuple[int, int] | None = None
    ) -> Mask:
        """The mask of a painted array of labels; what is 0 or less belongs to nothing.

        Parameters
        ----------
        labels
            (y, x) whole numbers.
        box
            Where the array lies in the map; the whole map where not given.
        shape
            The shape of the map; that of the array where not given.

        Raises
        ------
        UsageError
            The array is not a plane of whole numbers, or not as large as its box.
        """
        painted = np.asarray(labels)
        if painted.ndim != 2 or painted.dtype.kind not in "biu":
            raise UsageError(
                "labels must be a plane of whole numbers", got=f"{painted.dtype} of shape {painted.shape}"
            )
        place = Box.of((painted.shape[0], painted.shape[1])) if box is None else box
        if place.shape != painted.shape:
            raise UsageError(
                "the labels are not as large as their box", got=painted.shape, allowed=str(place.shape)
            )
        ny, nx = painted.shape
        changes = np.ones((ny, nx), dtype=np.bool_)  # (y, x): true where a run begins
        changes[:, 1:] = painted[:, 1:] != painted[:, :-1]
        begin = np.flatnonzero(changes)
        end = np.append(begin[1:], ny * nx)[: begin.size]
        label = painted.reshape(-1)[begin].astype(np.int64)
        kept = label > 0
        begin, end, label = begin[kept], end[kept], label[kept]
        row = begin // max(nx, 1)
        first = begin - row * nx + place.x0
        return cls(
            row + place.y0, first, first + end - begin, label, painted.shape if shape is None else shape
        )

    def paint(self, box: Box | None = None) -> LabelArray:
        """The labels in a box of the map, (y, x) int32; 0 where there is none.

        The box is the whole map where not given. It may reach outside the map; there the labels are 0.
        """
        place = Box.of(self.shape) if box is None else box
        ny, nx = place.shape
        steps = np.zeros(ny * nx + 1, dtype=np.int32)  # the difference of each pixel to the one before it
        first, last = np.searchsorted(self.row, (place.y0, place.y1))
        start = np.maximum(self.start[first:last], place.x0) - place.x0
        stop = np.minimum(self.stop[first:last], place.x1) - place.x0
        inside = start < stop
        base = (self.row[first:last][inside] - place.y0) * nx
        label = self.label[first:last][inside].astype(np.int32)
        steps[base + start[inside]] += (
            label  # no two runs begin, and no two end, at one pixel: plain indexing adds all
        )
        steps[base + stop[inside]] -= label
        return np.cumsum(steps[:-1], dtype=np.int32).reshape(ny, nx)

    @cached_property
    def labels(self) -> IntArray:
        """The labels that there are, in order."""
        return _frozen(np.unique(self.label))

    @property
    def n_labels(self) -> int:
        """How many labels there are."""
        return int(self.labels.size)

    @cached_property
    def area(self) -> IntArray:
        """Number of pixels of each label, in the order of `labels`."""
        total = np.zeros(self.n_labels, dtype=np.int64)
        np.add.at(total, np.searchsorted(self.labels, self.label), self.stop - self.start)
        return _frozen(total)

    @cached_property
    def boxes(self) -> IntArray:
        """The smallest half-open box (y0, y1, x0, x1) of each label, in the order of `labels`; (label, 4)."""
        result = np.empty((self.n_labels, 4), dtype=np.int64)
        if self.n_labels:
            order = np.argsort(self.label, kind="stable")
            first = np.searchsorted(self.label[order], self.labels)
            result[:, 0] = np.minimum.reduceat(self.row[order], first)
            result[:, 1] = np.maximum.reduceat(self.row[order], first) + 1
            result[:, 2] = np.minimum.reduceat(self.start[order], first)
            result[:, 3] = np.maximum.reduceat(self.stop[order], first)
        return _frozen(result)

    def box(self, label: int) -> Box:
        """The smallest box around a label.

        Raises
        ------
        UnknownName
            The mask has no such label.
        """
        place = int(np.searchsorted(self.labels, label))
        if place >= self.n_labels or self.labels[place] != label:
            raise UnknownName("the mask has no such label", got=label, allowed=_span(self.labels))
        y0, y1, x0, x1 = (int(each) for each in self.boxes[place])
        return Box(y0, y1, x0, x1)

    def select(self, labels: ArrayLike) -> Mask:
        """The mask with these labels alone."""
        kept = np.isin(self.label, np.asarray(labels))
        return Mask(self.row[kept], self.start[kept], self.stop[kept], self.label[kept], self.shape)

    def near(self, box: Box) -> Mask:
        """The mask of the runs that meet a box, whole and with their labels: all that `paint` needs there."""
        first, last = np.searchsorted(self.row, (box.y0, box.y1))
        rows = slice(first, max(first, last))
        kept = (self.start[rows] < box.x1) & (self.stop[rows] > box.x0)
        row, start, stop, label = (each[rows][kept] for each in (self.row, self.start, self.stop, self.label))
        return Mask(row, start, stop, label, self.shape)

    def relabel(self, old: ArrayLike, new: ArrayLike) -> Mask:
        """The mask with the labels `old` renamed to `new`; labels that are not named are dropped.

        Raises
        ------
        UsageError
            The two lists differ in length, or a label is renamed twice.
        """
        names, values = _whole_numbers(old), _whole_numbers(new)
        if names.size != values.size or np.unique(names).size != names.size:
            raise UsageError(
                "labels are renamed one by one", got=f"{names.size} old and {values.size} new labels"
            )
        kept = self.select(names)
        order = np.argsort(names, kind="stable")
        label = values[order][np.searchsorted(names[order], kept.label)]
        return Mask(kept.row, kept.start, kept.stop, label, self.shape)

    def __len__(self) -> int:
        return self.n_labels

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        fields = ("row", "start", "stop", "label")
        return self.shape == other.shape and all(
            np.array_equal(getattr(self, f), getattr(other, f)) for f in fields
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        pixels = int(self.area.sum())
        return f"Mask({self.n_labels} labels, {pixels} pixels in {self.row.size} runs, shape={self.shape})"

    def __reduce__(self) -> tuple[object, ...]:
        return Mask, (self.row, self.start, self.stop, self.label, self.shape)


def join_runs(
    row: IntArray, start: IntArray, stop: IntArray, index: IntArray
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """The runs in the order (index, row, start); those of one index that overlap or meet become one."""
    order = np.lexsort((start, row, index))
    row, start, stop, index = row[order], start[order], stop[order], index[order]
    if not row.size:
        return row, start, stop, index
    new_line = np.ones(row.size, dtype=np.bool_)
    new_line[1:] = (row[1:] != row[:-1]) | (index[1:] != index[:-1])
    low = int(start.min())
    shift = np.cumsum(new_line) * (
        int(stop.max()) - low + 2
    )  # sets the lines apart, so that one running maximum serves all
    reach = np.maximum.accumulate(stop + shift)
    opens = new_line.copy()
    opens[1:] |= (start + shift)[1:] > reach[:-1]
    closes = np.append(opens[1:], True)
    return row[opens], start[opens], (reach - shift)[closes], index[opens]


def _whole_numbers(values: ArrayLike) -> IntArray:
    """A copy of the values as int64.

    Raises
    ------
    UsageError
        They are not a list of whole numbers.
    """
    given = np.asarray(values)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise UsageError("a list of whole numbers is wanted", got=f"{given.dtype} of shape {given.shape}")
    return given.astype(np.int64)


def _frozen(values: IntArray) -> IntArray:
    values.setflags(write=False)
    return values


def _span(labels: IntArray) -> str:
    return (
        f"{labels.size} labels from {labels[0]} to {labels[-1]}" if labels.size else "none, the mask is empty"
    )
