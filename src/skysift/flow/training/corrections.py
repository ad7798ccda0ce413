"""Candidates as a table that a person fills in, and labels as they are with the verdicts taken in.

``found`` is what a network found and the labels lack: yes makes it a label. ``lost`` is a label that the network does
not find: no removes it. Other rows, and those without a verdict, change nothing.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from skysift.base.errors import FormatError, UsageError
from skysift.find.neural.shapes import beam_of, beam_width
from skysift.find.places import places_at
from skysift.io.marks.drawing import ellipse_prints
from skysift.learn.fields import LABELS
from skysift.sky.detections import Detections
from skysift.sky.image import SkyImage
from skysift.sky.shapes import covariances, determinants
from skysift.sky.truth import CLASSES

__all__ = [
    "COLUMNS",
    "FOUND",
    "LOST",
    "NUMBERS",
    "Candidates",
    "candidates_of",
    "corrected",
    "read_candidates",
    "write_candidates",
]

Floats: TypeAlias = NDArray[np.float64]

FOUND, LOST = "found", "lost"
NUMBERS = ("score", "snr", "snr_peak", "x", "y", "ra", "dec", "flux", "major", "minor", "pa", "core")
COLUMNS = ("number", "kind", "class", *NUMBERS, "verdict")
"""Of the table: score of the network (of a lost label: the best near it); flux and peak over the noise; 0-based pixels
and degrees; flux (Jy); intrinsic FWHM (arcsec) and position angle (deg); part of the flux in a core."""

_VERDICTS = {"yes": True, "y": True, "no": False, "n": False, "": None}
_FWHM2 = 8.0 * math.log(2.0)
_WIDEST = 1.0  # beams that the position of a label may have moved


@dataclass(frozen=True, eq=False)
class Candidates:
    """
    Rows of a table of candidates.

    Attributes
    ----------
    kind, label_class
        `FOUND` or `LOST`, and the class, of each.
    numbers
        Columns `NUMBERS`, each ``(row,)``.
    verdict
        True for yes, False for no, None for none yet.
    """

    kind: tuple[str, ...]
    label_class: tuple[str, ...]
    numbers: Mapping[str, Floats]
    verdict: tuple[bool | None, ...]

    def __len__(self) -> int:
        return len(self.kind)

    def __repr__(self) -> str:
        return f"Candidates({self.kind.count(FOUND)} found, {self.kind.count(LOST)} lost)"

    def texts(self) -> list[list[str]]:
        """The table as texts, a list a row, names first."""
        rows = [list(COLUMNS)]
        for k in range(len(self)):
            values = [_text(name, float(self.numbers[name][k])) for name in NUMBERS]
            said = {True: "yes", False: "no", None: ""}[self.verdict[k]]
            rows.append([str(k + 1), self.kind[k], self.label_class[k], *values, said])
        return rows

    def select(self, kind: str, verdict: bool) -> NDArray[np.int64]:
        """Numbers of the rows of a kind with a verdict."""
        return np.array(
            [k for k in range(len(self)) if self.kind[k] == kind and self.verdict[k] is verdict], np.int64
        )


def _text(name: str, value: float) -> str:
    if not math.isfinite(value):
        return ""
    return f"{value:.8f}" if name in ("ra", "dec") else f"{value:.6g}" if name not in "xy" else f"{value:.3f}"


def write_candidates(path: Path, candidates: Candidates) -> None:
    """Write the table as CSV with a line of names and an empty column ``verdict`` where none was given."""
    with path.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out, lineterminator="\n").writerows(candidates.texts())


def read_candidates(path: Path) -> Candidates:
    """The candidates of a table that `write_candidates` wrote and a person filled in.

    Raises
    ------
    FormatError
        It is no such table, or has a value that is not known.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            text = lines.read()
    except UnicodeDecodeError as error:
        raise FormatError("the corrections are no text", got=path.name) from error
    semicolons = ";" in text.partition("\n")[0]  # as spreadsheets of some countries write
    rows = list(csv.DictReader(text.splitlines(), delimiter=";" if semicolons else ","))
    names = list(rows[0]) if rows else text.partition("\n")[0].split(",")
    missing = [name for name in COLUMNS if name not in names and name != "number"]
    if missing:
        raise FormatError(
            f"{path.name} is no table of candidates: it lacks the column {missing[0]}",
            got=names[:12],
            allowed="the candidates.csv of `skysift candidates`, with the column verdict filled in",
        )
    kinds, classes, verdicts = list[str](), list[str](), list[bool | None]()
    numbers: dict[str, list[float]] = {name: [] for name in NUMBERS}
    for line, row in enumerate(rows, start=2):
        told = {name: (row.get(name) or "").strip() for name in COLUMNS}
        where = f"{path.name}, line {line}"
        if told["kind"] not in (FOUND, LOST):
            raise FormatError(f"{where}: no such kind of candidate", got=told["kind"], allowed=(FOUND, LOST))
        if told["class"] not in CLASSES:
            raise FormatError(f"{where}: no such class", got=told["class"], allowed=CLASSES)
        if told["verdict"].lower() not in _VERDICTS:
            raise FormatError(f"{where}: a verdict is yes, no, or empty", got=told["verdict"])
        kinds.append(told["kind"])
        classes.append(told["class"])
        verdicts.append(_VERDICTS[told["verdict"].lower()])
        for name in NUMBERS:
            value = told[name].replace(",", ".") if semicolons else told[name]
            try:
                numbers[name].append(float(value or "nan"))
            except ValueError as error:
                raise FormatError(f"{where}: {name} is no number", got=told[name]) from error
    return Candidates(
        tuple(kinds),
        tuple(classes),
        {name: np.array(each) for name, each in numbers.items()},
        tuple(verdicts),
    )


def corrected(
    labels: Detections, candidates: Candidates, image: SkyImage
) -> tuple[Detections, tuple[str, ...]]:
    """
    The labels of a map with the verdicts taken in, and notes.

    Parameters
    ----------
    labels
        With the raw parameters of `skysift.learn.fields.LABELS`.
    candidates
        With verdicts.
    image
        The map.

    Raises
    ------
    UsageError
        No verdict was given; or a label that is to be removed is not there.
    """
    if all(each is None for each in candidates.verdict):
        raise UsageError(
            "no verdict of the corrections is filled in",
            got=f"{len(candidates)} candidates",
            todo="write yes or no into the column verdict, or leave the corrections out",
        )
    added, removed = candidates.select(FOUND, True), candidates.select(LOST, False)
    at = _at(candidates, image)
    kept = np.ones(len(labels), np.bool_)
    if removed.size:
        kept[_rows_of(labels, at[removed], image)] = False
    inside = image.box.contains(at[added, 0], at[added, 1])
    new = _labels(candidates, added[inside], at, image)
    if not len(labels.footprints):  # labels that have no masks: no new one either
        new = Detections(new.boxes, new.scores, raw=new.raw)
    notes = [
        f"corrections: {int(inside.sum())} finds were added to the labels, {int((~kept).sum())} labels removed"
    ]
    if not inside.all():
        notes.append(f"corrections: {int((~inside).sum())} finds are off the map and left out")
    return Detections.concat([labels.select(kept), new]), tuple(notes)


def _at(candidates: Candidates, image: SkyImage) -> Floats:
    """Pixels ``(row, 2)`` of candidates: by the sky where both know it."""
    numbers = candidates.numbers
    x, y = numbers["x"].copy(), numbers["y"].copy()
    known = np.isfinite(numbers["ra"]) & np.isfinite(numbers["dec"])
    if image.frame.celestial and known.any():
        x[known], y[known] = image.frame.to_pixel(numbers["ra"][known], numbers["dec"][known])
    return np.stack([x, y], axis=1)


def _rows_of(labels: Detections, at: Floats, image: SkyImage) -> NDArray[np.int64]:
    """The rows of the labels at some places."""
    reach = _WIDEST * beam_width(beam_of(image))
    away, rows = np.full(len(at), np.inf), np.zeros(len(at), np.int64)
    good = np.isfinite(at).all(axis=1)
    if len(labels) and good.any():
        tree = cKDTree(np.stack([labels["x"], labels["y"]], axis=1))
        away[good], rows[good] = tree.query(at[good])
    if (away > reach).any():
        x, y = at[int(np.argmax(away > reach))]
        raise UsageError(
            "a label that the corrections remove is not there",
            got=f"none within a beam of x {x:.1f}, y {y:.1f}",
            todo="give the map and the labels that the candidates were made from",
        )
    return rows


def _labels(candidates: Candidates, rows: NDArray[np.int64], at: Floats, image: SkyImage) -> Detections:
    """Finds as labels: the parameters of the network, masks the ellipses as the map shows them."""
    x, y = at[rows, 0], at[rows, 1]
    told = {name: candidates.numbers[name][rows] for name in NUMBERS}
    own = covariances(*(np.nan_to_num(told[name]) for name in ("major", "minor", "pa")))
    places = places_at(image, x, y, own)
    shape = places.shape
    peak = told["snr"] * np.sqrt(determinants(places.beam) / determinants(shape))
    kinds = [CLASSES.index(candidates.label_class[k]) for k in rows.tolist()]
    prints = ellipse_prints(x, y, shape * _FWHM2, image.shape)
    raw = {
        "x": x,
        "y": y,
        **dict(zip(("xx", "xy", "yy"), (shape - places.beam).T, strict=True)),
        "snr_peak": np.where(np.isfinite(told["snr_peak"]), told["snr_peak"], peak),
        "snr_int": told["snr"],
        "core": told["core"],
        "class": np.array(kinds, np.float64),
        "use": np.ones(rows.size),
    }
    assert tuple(raw) == LABELS
    low = np.stack([np.floor(y + 0.5), np.floor(x + 0.5)], axis=1).astype(np.int64)
    boxes = np.stack([low[:, 0], low[:, 0] + 1, low[:, 1], low[:, 1] + 1], axis=1)
    for side, values, best in ((0, prints.row, np.minimum), (1, prints.row + 1, np.maximum),
                               (2, prints.start, np.minimum), (3, prints.stop, np.maximum)):  # fmt: skip
        best.at(boxes[:, side], prints.index, values)
    return Detections(boxes, np.ones(rows.size), prints, raw)


def candidates_of(
    kinds: Iterable[str], classes: Iterable[str], numbers: Mapping[str, Sequence[float] | Floats]
) -> Candidates:
    """Candidates without verdicts from their columns."""
    told = tuple(kinds)
    return Candidates(
        told,
        tuple(classes),
        {name: np.asarray(numbers[name], np.float64) for name in NUMBERS},
        (None,) * len(told),
    )
