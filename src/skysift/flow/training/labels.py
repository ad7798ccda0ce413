"""`open_labels`: what is on a map, from marks that were drawn on it, a catalogue or a truth: a truth on its pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import DataError
from skysift.find.beside import extended
from skysift.find.noise import Noise
from skysift.find.places import places_at
from skysift.io.layouts.containers import load, sight
from skysift.io.layouts.declared import table_of
from skysift.io.layouts.reading import layout_of
from skysift.io.marks.drawing import ellipse_prints
from skysift.io.marks.marks import Marks, checked, classes_of, idle_meanings
from skysift.io.marks.opening import open_marks
from skysift.io.truth import is_truth
from skysift.measure.ellipse import shape_transform
from skysift.score.opening import open_catalogue, open_truth, truth_place
from skysift.sky.box import Box
from skysift.sky.catalogue import Catalogue
from skysift.sky.detections import Detections, Footprints
from skysift.sky.image import SkyImage
from skysift.sky.shapes import axes_of, covariances, deconvolved
from skysift.sky.table import Table
from skysift.sky.truth import Truth

__all__ = ["open_labels", "truth_of_catalogue", "truth_of_marks"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

_BAND = 512  # rows that are read at once
_PART = 0.2  # of its peak: pixels of an object that are brighter tell its shape
_KEPT = 1.0 + _PART * math.log(_PART) / (1.0 - _PART)  # of the second moments of a Gaussian that is cut there
_FWHM2 = 8.0 * math.log(2.0)


def open_labels(
    path: Path, image: SkyImage, noise: Noise, classes: Mapping[str, str] | None = None
) -> tuple[Truth, tuple[str, ...]]:
    """
    What is on a map, and what was odd about the labels, one line each.

    Parameters
    ----------
    path
        COCO JSON, YOLO text, DS9 regions, a list of caesar-mrcnn; a catalogue in any layout that is known, a list of a
        data challenge; or a truth folder.
    image
        The map. What lies off it is left out and counted.
    noise
        Of the map: its level is taken off what is measured on the map.
    classes
        Names of classes in the file -> names of `skysift.sky.truth.CLASSES`.

    Raises
    ------
    DataError
        There is no label on the map.
    UsageError, FormatError
        The file is of another map, broken, or has classes that are not known.
    OptionError
        What a name was said to mean is no class.
    """
    given = classes or {}
    found = open_marks(path, image, given)
    if found is not None:
        if not len(found[1]):
            raise _empty(path, "no object")
        truth, notes = truth_of_marks(found[1], image, noise, path)
        notes = (*notes, *idle_meanings(found[1].names, given))
    else:
        truth, notes = _listed(path, given)
        if not len(truth):
            raise _empty(path, "no object")
        if not len(truth.detections) or truth.frame is None:  # else of a made sky: it is what it is
            truth, more = truth_of_catalogue(truth, image, noise)
            notes = (*more, *notes)
    if not len(truth):
        raise _empty(path, notes[0] if notes else "no object")
    return truth, tuple(f"{path.name}: {note}" for note in notes)


def _listed(path: Path, given: Mapping[str, str]) -> tuple[Truth, tuple[str, ...]]:
    """The truth of a made sky, or that of a catalogue with the classes that the names in it mean; and notes."""
    place = truth_place(path)
    if is_truth(place):
        checked(given)
        truth = open_truth(place)
        return truth, idle_meanings(_called(truth.sources), given)
    catalogue = open_catalogue(path)
    table = catalogue.sources
    called = _called(table) or _called_elsewhere(path, len(table))
    notes = idle_meanings(filter(None, called), given)
    if called:
        untold = sum(not each for each in called)
        kinds = classes_of([each or "compact" for each in called], given, path.name)
        catalogue = extended(catalogue, {"sources": {"class": np.array(kinds, np.str_)}})
        notes = (
            *((f"{untold} of {len(called)} rows name no class: they are compact",) if untold else ()),
            *notes,
        )
    else:
        checked(given)
    return Truth(catalogue), notes


def _called(table: Table) -> list[str]:
    """The name of the class of each row; nothing where the table has none."""
    return [str(each) for each in table["class"].tolist()] if "class" in table else []


def _called_elsewhere(path: Path, n: int) -> list[str]:
    """The same of a table with named columns of any program, by its column of texts ``class``."""
    if path.is_dir() or layout_of(path) != "named":
        return []
    column = load(path).columns.get(next((each for each in sight(path).names if each.lower() == "class"), ""))
    if column is None or column.values.dtype.kind != "U" or len(column.values) != n:
        return []
    return [str(each).strip() for each in column.values.tolist()]


def _empty(path: Path, got: str) -> DataError:
    return DataError(
        f"the labels {path.name} have no object on the map",
        got=got,
        allowed="one object or more",
        todo="give the labels of this map",
    )


def truth_of_marks(marks: Marks, image: SkyImage, noise: Noise, path: Path) -> tuple[Truth, tuple[str, ...]]:
    """
    Objects that were drawn, with what the map shows of them, and notes.

    The level of the noise is taken off the map. The flux is the sum of the pixels of a mark over the area of the beam;
    position (where the mark tells none) and shape are moments of its pixels that are brighter than a fifth of its
    peak, as a Gaussian has them, and the beam is taken out.
    """
    n = len(marks)
    row, column, owner, values = _gather(image, noise, marks.footprints)
    drawn, known = (np.bincount(each, minlength=n) for each in (owner, owner[np.isfinite(values)]))
    notes = list(marks.notes)
    if (drawn == 0).any():
        notes.append(f"{int((drawn == 0).sum())} of {n} labels are off the map and left out")
    if ((drawn > 0) & (known == 0)).any():
        notes.append(
            f"{int(((drawn > 0) & (known == 0)).sum())} of {n} labels are where the map has no data and left out"
        )
    kept = np.flatnonzero(known > 0)
    number = np.full(n, -1)
    number[kept] = np.arange(kept.size)
    good = np.isfinite(values) & (number[owner] >= 0)
    row, column, owner, values = row[good], column[good], number[owner[good]], values[good]
    m = kept.size
    peak = np.full(m, -np.inf)
    np.maximum.at(peak, owner, values)
    total = np.bincount(owner, values, m)
    weight = np.where(values >= _PART * peak[owner], np.maximum(values, 0.0), 0.0)
    weight = np.where((peak > 0.0)[owner], weight, 1.0)
    mass = np.bincount(owner, weight, m)
    cx, cy = (np.bincount(owner, weight * each, m) / mass for each in (column, row))
    dx, dy = column - cx[owner], row - cy[owner]
    seen = np.stack(
        [np.bincount(owner, weight * a * b, m) / mass for a, b in ((dx, dx), (dx, dy), (dy, dy))], axis=1
    )
    told = marks.centre[kept]
    x, y = (np.where(np.isfinite(told[:, k]), told[:, k], each) for k, each in ((0, cx), (1, cy)))
    columns = {
        "flux_peak": peak,
        "flux": total / image.frame.beam_area_pixels(image.beam),
        **_on_sky(image, x, y, deconvolved(seen / _KEPT, places_at(image, x, y).beam)),
        "class": np.array([marks.kind[k] for k in kept.tolist()], np.str_),
    }
    table = table_of("sources", {**columns, "flux_int": columns["flux"]}, path, m)
    return _truth(table, marks.footprints.select(kept), image), tuple(notes)


def truth_of_catalogue(truth: Truth, image: SkyImage, noise: Noise) -> tuple[Truth, tuple[str, ...]]:
    """
    The rows of a catalogue that are on a map, with masks, and notes.

    A mask is the ellipse of the row as the map shows it, its semi-axes as long as its FWHM. Of flux and peak, one that
    is not told follows from the other and the shape; shapes that are told with the beam are freed of it.
    """
    table = truth.sources
    x, y = np.asarray(table["x"], np.float64), np.asarray(table["y"], np.float64)
    if image.frame.celestial and np.isfinite(table["ra"]).any():
        x, y = image.frame.to_pixel(table["ra"], table["dec"])
    inside = image.box.contains(x, y)
    notes = (
        []
        if inside.all()
        else [f"{int((~inside).sum())} of {len(table)} labels are off the map and left out"]
    )
    table, x, y = table.select(inside), x[inside], y[inside]
    if not len(table):
        return Truth(Catalogue.empty()), tuple(notes)
    own = covariances(*(table[f"{name}_deconv"] for name in ("major", "minor", "pa")))
    untold = ~np.isfinite(table["major_deconv"]) & np.isfinite(table["major"])
    places = places_at(image, x, y, own)
    shape, beam = places.shape.copy(), places.beam
    if untold.any():
        sky = covariances(*(np.asarray(table[name])[untold] for name in ("major", "minor", "pa")))
        tangent = image.frame.tangent(x[untold], y[untold])
        with_beam = np.einsum("nij,nj->ni", np.linalg.inv(shape_transform(tangent)), sky)
        shape[untold] = beam[untold] + deconvolved(with_beam, beam[untold])
    ratio = np.sqrt(_area(shape) / _area(beam))
    peak, flux = np.asarray(table["flux_peak"]), np.asarray(table["flux"])
    if "flux_int" in table:
        flux = np.where(np.isfinite(flux), flux, table["flux_int"])
    peak = np.where(np.isfinite(peak), peak, flux / ratio)
    flux = np.where(np.isfinite(flux), flux, peak * ratio)
    prints = ellipse_prints(x, y, shape * _FWHM2, image.shape)
    unknown = ~np.isfinite(peak)
    if unknown.any():  # neither is told: what the map shows
        *_, owner, values = _gather(image, noise, prints)
        good = np.isfinite(values)
        top = np.full(len(table), -np.inf)
        np.maximum.at(top, owner[good], values[good])
        total = np.bincount(owner[good], values[good], len(table))
        peak = np.where(unknown, top, peak)
        flux = np.where(unknown, total / image.frame.beam_area_pixels(image.beam), flux)
        notes.append(f"{int(unknown.sum())} labels have neither flux nor peak: they are taken from the map")
    changed = table.with_columns({"flux_peak": peak, "flux": flux, **_on_sky(image, x, y, shape - beam)})
    return _truth(changed, prints, image, truth), tuple(notes)


def _truth(table: Table, prints: Footprints, image: SkyImage, told: Truth | None = None) -> Truth:
    """Rows and their pixels as a truth on the pixels of a map."""
    detections = Detections(_boxes(prints, len(table)), np.ones(len(table)), prints)
    catalogue = Catalogue(Table.empty("islands"), table, Table.empty("components"))
    frequency = image.frequency if told is None else told.frequency
    return Truth(catalogue, detections, image.frame, image.beam, frequency)


def _on_sky(image: SkyImage, x: Floats, y: Floats, own: Floats) -> dict[str, Floats]:
    """Columns of positions and intrinsic shapes, from pixels."""
    major, minor, pa = axes_of(np.einsum("nij,nj->ni", shape_transform(image.frame.tangent(x, y)), own))
    columns = {"x": x, "y": y, "major_deconv": major, "minor_deconv": minor, "pa_deconv": pa}
    if image.frame.celestial:
        columns["ra"], columns["dec"] = image.frame.to_sky(x, y)
    return columns


def _gather(image: SkyImage, noise: Noise, prints: Footprints) -> tuple[Ints, Ints, Ints, Floats]:
    """
    Row, column, object and value above the level of every pixel of footprints on the map, read in bands of rows.

    NaN where there are no data or the noise is not known, as in a field that networks learn from.
    """
    length = prints.stop - prints.start
    first = np.repeat(np.cumsum(length) - length, length)
    column = np.arange(int(length.sum())) - first + np.repeat(prints.start, length)
    row, owner = np.repeat(prints.row, length), np.repeat(prints.index, length)
    inside = image.box.contains(column.astype(np.float64), row.astype(np.float64))
    row, column, owner = row[inside], column[inside], owner[inside]
    values = np.empty(row.size)
    for band in np.unique(row // _BAND).tolist():
        here = row // _BAND == band
        low, high = int(column[here].min()), int(column[here].max()) + 1
        box = Box(band * _BAND, min((band + 1) * _BAND, image.shape[0]), low, high)
        tile = noise.tile(image, box)
        at = row[here] - box.y0, column[here] - low
        values[here] = tile.data[at] - tile.level[at]
    return row, column, owner, values


def _boxes(prints: Footprints, n: int) -> Ints:
    """The box of each footprint."""
    large = np.iinfo(np.int64).max
    boxes = np.stack(
        [np.full(n, large), np.zeros(n, np.int64), np.full(n, large), np.zeros(n, np.int64)], axis=1
    )
    np.minimum.at(boxes[:, 0], prints.index, prints.row)
    np.maximum.at(boxes[:, 1], prints.index, prints.row + 1)
    np.minimum.at(boxes[:, 2], prints.index, prints.start)
    np.maximum.at(boxes[:, 3], prints.index, prints.stop)
    return boxes


def _area(covariance: Floats) -> Floats:
    """The determinants of covariances ``(n, 3)``."""
    return np.asarray(covariance[:, 0] * covariance[:, 2] - covariance[:, 1] ** 2)
