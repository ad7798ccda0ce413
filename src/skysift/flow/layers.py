"""What lies over the picture of a map: ellipses of sources, outlines and spines of extended ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skysift.flow.style import DOUBTFUL, EXTENDED, INK, MEANINGS, ON_TOP, PAPER, STRUCTURES, png, sheet
from skysift.io.regions import Drawn
from skysift.sky.flags import doubtful
from skysift.sky.frame import Frame
from skysift.sky.lines import Lines
from skysift.sky.table import Table
from skysift.sky.truth import CLASS_COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Layer",
    "casing",
    "drawn_layer",
    "ellipses",
    "outline_groups",
    "source_layer",
    "telling_spines",
]

OUTLINE = 48  # corners of a drawn ellipse
SMALLEST = 8.0  # points across; what would be smaller is marked by a circle
CROWDED = 1500  # more outlines than this are drawn thinner and smaller
LONG, HOLLOW = 2.5, 0.5  # length over width, and ring-ness, from which on spines are drawn


@dataclass(frozen=True)
class Layer:
    """What lies over an image of a report: what its switch says, its bytes, and its colours with what they mean."""

    switch: str
    image: str
    legend: tuple[tuple[str, str], ...] = ()


def outline_groups(sources: Table, drawn: Drawn | None = None) -> dict[str, tuple[str, NDArray[np.bool_]]]:
    """What is told apart by colour: label -> colour and rows; doubtful rows form a group of their own.

    So do compact sources on top of extended ones. Sources that a network gave a class are told apart by that. What is
    drawn by lines is in no group.
    """
    own = np.zeros(len(sources), np.bool_) if drawn is None else np.isin(sources.ids, drawn.outlines.owner)
    doubt = doubtful(sources["flags"]) & ~own
    on_top = np.zeros(len(sources), np.bool_)
    if "parent_id" in sources:
        on_top = (sources["parent_id"] > 0) & ~doubt & ~own
    if "class" in sources and (sources["class"] != "").any():
        groups = {
            name or "no class": (colour, (sources["class"] == name) & ~(doubt | own | on_top))
            for name, colour in (*CLASS_COLOURS.items(), ("", INK))
        }
    else:
        groups = {
            f"{name}: {MEANINGS[name]}": (colour, (sources["structure"] == name) & ~(doubt | own | on_top))
            for name, colour in STRUCTURES.items()
        }
    groups["on top of an extended source"] = (ON_TOP, on_top)
    groups["doubtful: see its flags"] = (DOUBTFUL, doubt)
    return groups


def _sheet_over(figure: Figure, axes: Axes) -> tuple[Figure, Axes]:
    """An empty picture that fits on that of `figure`, with axes where those of the map are."""
    over = sheet(*figure.get_size_inches())
    over.set_layout_engine("none")
    plane = over.add_axes(axes.get_position().bounds)
    plane.set_axis_off()
    plane.set_xlim(axes.get_xlim())
    plane.set_ylim(axes.get_ylim())
    return over, plane


def source_layer(
    figure: Figure,
    axes: Axes,
    frame: Frame,
    sources: Table,
    groups: Mapping[str, tuple[str, NDArray[np.bool_]]],
    what: str,
) -> Layer:
    """The ellipses of the sources, as a picture that fits on that of `figure`."""
    from matplotlib.collections import LineCollection  # loaded late: only reports need matplotlib

    over, plane = _sheet_over(figure, axes)
    crowded = len(sources) >= CROWDED
    width, smallest = (0.7, SMALLEST / 2) if crowded else (1.5, SMALLEST)
    lines = ellipses(frame, sources)
    shaped = np.isfinite(lines).all(axis=(1, 2))
    across = (
        plane.get_position().width * over.get_figwidth() * 72 / np.ptp(axes.get_xlim())
    )  # points per pixel
    tiny = shaped & (np.ptp(lines, axis=1).max(axis=1, initial=0) * across < smallest)
    for colour, rows in groups.values():
        drawn = list(lines[rows & shaped & ~tiny])
        plane.add_collection(LineCollection(drawn, colors=colour, linewidths=width), autolim=False)
        for some, mark in ((rows & ~shaped, "x"), (rows & tiny, "o")):
            x, y = sources["x"][some], sources["y"][some]
            plane.plot(
                x,
                y,
                mark,
                linestyle="none",
                color=colour,
                markersize=smallest,
                markeredgewidth=width,
                fillstyle="none",
            )
    return Layer(f"show {what}", png(over, dpi=124), _legend_of(groups))


def casing(axes: Axes, lines: Lines, colour: str, width: float, *, closed: bool = True) -> None:
    """Draw lines with a dark rim, so that they show on bright and on dark parts of a map."""
    from matplotlib.collections import LineCollection  # loaded late: only reports need matplotlib

    drawn = []
    for number in range(len(lines)):
        points = lines.points(number)
        drawn.append(np.concatenate([points, points[:1]]) if closed else points)
    for ink, wide in ((PAPER, width + 1.2), (colour, width)):
        axes.add_collection(
            LineCollection(drawn, colors=ink, linewidths=wide, capstyle="round"), autolim=False
        )


def telling_spines(drawn: Drawn) -> Lines:
    """The spines that tell something: of sources `LONG` times as long as wide, or longer, and of rings."""
    table, spines = drawn.table, drawn.spines
    if "width_mean" not in table or not len(spines):
        return Lines.empty()
    with np.errstate(invalid="ignore"):
        long = table["largest_angular_size"] > LONG * table["width_mean"]
        ring = table["ringness"] > HOLLOW
    chosen = table.ids[long | ring]
    return spines.select(np.isin(spines.owner, chosen) & (spines.n_points > 1))


def drawn_layer(figure: Figure, axes: Axes, drawn: Drawn) -> Layer:
    """The outlines of extended sources, the spines of those that are long."""
    over, plane = _sheet_over(figure, axes)
    owner, spines = drawn.outlines.owner, telling_spines(drawn)
    doubt = drawn.table.ids[doubtful(drawn.table["flags"])]
    number = np.unique(owner)
    width = 1.5 if len(number) < CROWDED else 0.8
    groups = {}
    for label, colour, some in (
        (f"E: {MEANINGS['E']}", EXTENDED, number[~np.isin(number, doubt)]),
        ("E, doubtful", DOUBTFUL, number[np.isin(number, doubt)]),
    ):
        casing(plane, drawn.outlines.select(np.isin(owner, some)), colour, width)
        casing(plane, spines.select(np.isin(spines.owner, some)), colour, 0.5 * width, closed=False)
        groups[label] = (colour, np.ones(len(some), np.bool_))
    return Layer("show extended sources", png(over, dpi=124), _legend_of(groups))


def _legend_of(groups: Mapping[str, tuple[str, NDArray[np.bool_]]]) -> tuple[tuple[str, str], ...]:
    """Colours and what they mean with how many there are, of the groups that have a row."""
    return tuple(
        (colour, f"{label} ({int(rows.sum())})") for label, (colour, rows) in groups.items() if rows.any()
    )


def ellipses(frame: Frame, table: Table) -> NDArray[np.float64]:
    """Outlines (row, corner, x and y) of the fitted ellipses in pixels; NaN where a row has no shape.

    Parameters
    ----------
    frame
        Geometry of the map.
    table
        Components or sources: `major`, `minor` (arcsec, FWHM) and `pa` (deg) at `x`, `y`.
    """
    turn = np.linspace(0, 2 * np.pi, OUTLINE + 1)
    angle = np.radians(table["pa"])[:, None]
    along = table["major"][:, None] / 2 * np.cos(turn)
    across = table["minor"][:, None] / 2 * np.sin(turn)
    east = along * np.sin(angle) + across * np.cos(angle)
    north = along * np.cos(angle) - across * np.sin(angle)
    a, b, c, d = np.moveaxis(frame.tangent(table["x"], table["y"]).reshape(-1, 4), 1, 0)[:, :, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        x = (d * east - b * north) / (a * d - b * c)
        y = (a * north - c * east) / (a * d - b * c)
    return np.stack([table["x"][:, None] + x, table["y"][:, None] + y], axis=-1)
