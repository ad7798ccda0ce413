"""The sky of a survey as pictures: which fields cover what, and how deep."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from skysift.flow.figures import Picture
from skysift.flow.style import (
    BLUE,
    INK,
    ORANGE,
    colours,
    png,
    prefixed,
    quiet,
    sheet,
    span,
)
from skysift.flow.survey_coverage import SurveyCoverage
from skysift.flow.survey_fields import FieldDone
from skysift.io.moc import moc_cells
from skysift.match.sky import unit_vectors
from skysift.sky.healpix import cell_width, cells_at, centres_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from skysift.flow.survey_result import Survey

__all__ = ["depth_picture", "footprint_picture"]

Floats = NDArray[np.float64]

_ACROSS = 700  # points along the longer side of a picture
_NAMED = 40  # fields of which the names are written
_MEDIAN_OF = 20_000  # cells of which the middle of the survey is taken


@dataclass(frozen=True, eq=False)
class Plane:
    """Lambert's equal-area projection about the middle of a survey, in degrees, east to the left.

    Parameters
    ----------
    ra, dec
        The middle (deg).
    x, y
        Where the points of a picture lie, (x,) and (y,).
    """

    ra: float
    dec: float
    x: Floats
    y: Floats

    @classmethod
    def around(cls, coverage: SurveyCoverage) -> Plane:
        """The plane that holds all cells."""
        every = max(1, len(coverage.cells) // _MEDIAN_OF)
        some = np.unique(np.concatenate([coverage.cells[::every], coverage.cells[-1:]]))
        ra, dec = centres_of(coverage.order, some)
        middle = unit_vectors(ra, dec).mean(axis=0)
        bare = cls(
            math.degrees(math.atan2(middle[1], middle[0])),
            math.degrees(math.atan2(middle[2], math.hypot(middle[0], middle[1]))),
            np.empty(0),
            np.empty(0),
        )
        x, y = bare.project(ra, dec)
        rim = 3.0 * cell_width(coverage.order) / 3600.0
        width, height = np.ptp(x), np.ptp(y)
        edge = 0.03 * max(width, height) + rim
        step = (max(width, height) + 2 * edge) / _ACROSS
        return cls(
            bare.ra,
            bare.dec,
            np.arange(x.min() - edge, x.max() + edge, step),
            np.arange(y.min() - edge, y.max() + edge, step),
        )

    def project(self, ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
        """Positions in the plane (deg)."""
        turn, lat, here = np.radians(ra - self.ra), np.radians(dec), math.radians(self.dec)
        cosine = math.sin(here) * np.sin(lat) + math.cos(here) * np.cos(lat) * np.cos(turn)
        scale = np.degrees(np.sqrt(2.0 / np.maximum(1.0 + cosine, 1e-9)))
        x = scale * np.cos(lat) * np.sin(turn)
        y = scale * (math.cos(here) * np.sin(lat) - math.sin(here) * np.cos(lat) * np.cos(turn))
        return x, y

    def points(self) -> tuple[Floats, Floats]:
        """Right ascension and declination (y, x) of the points of a picture; NaN off the sky."""
        x, y = np.meshgrid(np.radians(self.x), np.radians(self.y))
        rho = np.hypot(x, y)
        with np.errstate(invalid="ignore", divide="ignore"):
            angle = 2.0 * np.arcsin(np.where(rho <= 2.0, rho / 2.0, np.nan))
            part = np.where(rho > 0, np.sin(angle) / rho, 1.0)
        here = math.radians(self.dec)
        dec = np.arcsin(np.clip(np.cos(angle) * math.sin(here) + y * part * math.cos(here), -1.0, 1.0))
        turn = np.arctan2(x * part, math.cos(here) * np.cos(angle) - y * part * math.sin(here))
        return np.mod(self.ra + np.degrees(turn), 360.0), np.degrees(dec)


def footprint_picture(survey: Survey, plane: Plane) -> Picture:
    """How many fields cover each place, the outline and the name of each field, and the holes."""
    coverage = survey.coverage
    figure, axes = _sky(plane)
    rows = _rows(coverage, plane)
    number = np.where(rows >= 0, coverage.n_fields[rows].astype(np.float64), np.nan)
    most = int(coverage.n_fields.max(initial=1))
    shown = axes.imshow(
        number, origin="lower", extent=_extent(plane), cmap=colours("Blues"), vmin=0, vmax=max(most, 3) * 1.25,
        interpolation="nearest",
    )  # fmt: skip
    del shown
    cells = moc_cells(survey.holes)
    if len(cells):
        ra, dec = plane.points()
        hole = np.isin(cells_at(survey.holes.max_order, ra, dec), cells)
        axes.contourf(plane.x, plane.y, hole.astype(float), levels=[0.5, 1.5], colors=[ORANGE])
    for field in survey.fields:
        _outline(axes, field, plane, named=len(survey.fields) <= _NAMED)
    _graticule(axes, plane)
    told = f"Fields: {len(survey.fields)}, of which up to {most} cover a place (darker)."
    if len(cells):
        told += " Holes are orange."
    return Picture(png(figure), told)


def depth_picture(coverage: SurveyCoverage, plane: Plane) -> Picture:
    """The lowest rms of the fields at each place."""
    figure, axes = _sky(plane)
    rows = _rows(coverage, plane)
    factor, unit = prefixed("Jy/beam", coverage.rms)
    depth = np.where(rows >= 0, coverage.rms[rows].astype(np.float64) * factor, np.nan)
    low, high = span(depth, 1.0, 99.0)
    shown = axes.imshow(
        depth, origin="lower", extent=_extent(plane), cmap=colours("viridis"), vmin=low, vmax=high,
        interpolation="nearest",
    )  # fmt: skip
    bar = figure.colorbar(shown, ax=axes, shrink=0.85, pad=0.02)
    bar.set_label(f"rms [{unit}]", color=INK)
    bar.ax.tick_params(colors=INK, labelsize=9)
    bar.outline.set_visible(False)
    _graticule(axes, plane)
    return Picture(png(figure), "The lowest rms of the fields at each place.")


def _sky(plane: Plane) -> tuple[Any, Axes]:
    width, height = np.ptp(plane.x), np.ptp(plane.y)
    wide = 8.2
    figure = sheet(wide, float(np.clip(wide * height / width, 3.0, 9.0)))
    axes = figure.add_subplot()
    quiet(axes)
    axes.set_aspect("equal")
    axes.set_xlim(plane.x[-1], plane.x[0])  # east to the left
    axes.set_ylim(plane.y[0], plane.y[-1])
    return figure, axes


def _extent(plane: Plane) -> tuple[float, float, float, float]:
    half = 0.5 * (plane.x[1] - plane.x[0])
    return plane.x[0] - half, plane.x[-1] + half, plane.y[0] - half, plane.y[-1] + half


def _rows(coverage: SurveyCoverage, plane: Plane) -> NDArray[np.int64]:
    """The row of the coverage at each point of a picture (y, x); -1 where there is none."""
    ra, dec = plane.points()
    return coverage.find(cells_at(coverage.order, ra, dec).ravel()).reshape(ra.shape)


def _outline(axes: Axes, field: FieldDone, plane: Plane, *, named: bool) -> None:
    """The outline of a field, and its name."""
    ra, dec = plane.points()
    inside = np.isfinite(field.coverage.at(ra.ravel(), dec.ravel())).reshape(ra.shape)
    if not inside.any():
        return
    axes.contour(plane.x, plane.y, inside.astype(float), levels=[0.5], colors=[BLUE], linewidths=1.2)
    if named:
        y, x = np.nonzero(inside)
        axes.text(
            plane.x[int(x.mean())], plane.y[int(y.mean())], field.name, ha="center", va="center", fontsize=9,
            color="#0d2c4a", bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip


def _graticule(axes: Axes, plane: Plane) -> None:
    """Lines of right ascension and declination with their degrees."""
    ra, dec = plane.points()
    known = np.isfinite(dec)
    lowest, highest = float(dec[known].min()), float(dec[known].max())
    turn = np.mod(ra[known] - plane.ra + 180.0, 360.0) - 180.0
    for value in _steps(lowest, highest):
        line = np.linspace(max(float(turn.min()), -179.9), min(float(turn.max()), 179.9), 200)
        _line(axes, plane, plane.ra + line, np.full(200, value), f"{value:+g}\N{DEGREE SIGN}", at_left=True)
    for value in _steps(plane.ra + float(turn.min()), plane.ra + float(turn.max())):
        line = np.linspace(max(lowest, -89.9), min(highest, 89.9), 200)
        _line(axes, plane, np.full(200, value), line, f"{value % 360.0:g}\N{DEGREE SIGN}", at_left=False)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _line(axes: Axes, plane: Plane, ra: Floats, dec: Floats, text: str, *, at_left: bool) -> None:
    x, y = plane.project(ra, dec)
    inside = (x >= plane.x[0]) & (x <= plane.x[-1]) & (y >= plane.y[0]) & (y <= plane.y[-1])
    if inside.sum() < 2:
        return
    axes.plot(np.where(inside, x, np.nan), np.where(inside, y, np.nan), color=INK, linewidth=0.5, alpha=0.45)
    place = int(np.argmax(np.where(inside, x if at_left else -y, -np.inf)))
    shift = (-4, 0) if at_left else (0, -4)
    axes.annotate(
        text, (float(x[place]), float(y[place])), shift, textcoords="offset points", fontsize=9, color=INK,
        ha="right" if at_left else "center", va="center" if at_left else "top", annotation_clip=False,
    )  # fmt: skip


def _steps(low: float, high: float) -> list[float]:
    """Round numbers between two, four to eight of them."""
    wide = max(high - low, 1e-6)
    choices = [n * 10.0**power for power in range(-4, 3) for n in (1, 2, 5)]
    step = next((each for each in choices if wide / each <= 7), 50.0)
    return [round(n * step, 6) for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
