"""Single islands as a person judges a fit: data, model and residual side by side with one stretch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skysift.flow.figures import stretch
from skysift.flow.layers import ellipses
from skysift.flow.overview import Reader, preview
from skysift.flow.style import INK, PAPER, colours, plain_numbers, png, prefixed, sheet, zero_and_decades
from skysift.sky.beam import Beam
from skysift.sky.box import Box
from skysift.sky.catalogue import Catalogue
from skysift.sky.flags import describe
from skysift.sky.frame import Frame
from skysift.sky.image import SkyImage
from skysift.sky.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Exhibit", "brightest", "exhibit", "most_complex"]

LONGEST = 360  # pixels along a panel at most
WIDTH = 7.4  # inches of the three panels and their colour bar
NEAT = 40  # components up to which ellipses get full lines


@dataclass(frozen=True)
class Exhibit:
    """One island of the gallery: its picture and what to write under it."""

    island_id: int
    name: str
    image: str
    facts: str
    flags: tuple[str, ...]


def brightest(islands: Table, count: int) -> list[int]:
    """Rows of the islands with the highest peaks, the highest first."""
    order = np.argsort(-np.nan_to_num(np.abs(islands["flux_peak"])), kind="stable")
    return [int(row) for row in order[:count]]


def most_complex(islands: Table, count: int, *, without: list[int]) -> list[int]:
    """Rows of the islands with the most components, then beams; not those in `without`, nor plain ones."""
    order = np.lexsort((-np.nan_to_num(islands["n_beams"]), -islands["n_components"]))
    rows = [int(row) for row in order if int(row) not in without and islands["n_components"][row] > 1]
    return rows[:count]


def exhibit(read: Mapping[str, Reader], image: SkyImage, catalogue: Catalogue, row: int) -> Exhibit:
    """The picture of one island and its facts.

    Parameters
    ----------
    read
        Readers of the maps ``data background model residual labels``.
    image
        The map: its geometry and its beam.
    catalogue
        What was found.
    row
        Row of the island in ``catalogue.islands``.
    """
    islands, frame = catalogue.islands, image.frame
    number = int(islands["island_id"][row])
    box = _window(frame, image.beam, islands, row)
    shown = {name: preview(read[name], box, longest=LONGEST) for name in ("model", "residual")}
    data = preview(lambda part: read["data"](part) - read["background"](part), box, longest=LONGEST).pixels
    labels = preview(
        lambda part: (read["labels"](part) == number).astype(np.float32), box, longest=LONGEST
    ).pixels
    rms = float(islands["rms"][row])
    factor, unit = prefixed("Jy/beam", [islands["flux_peak"][row]])
    near = box.contains(catalogue.components["x"], catalogue.components["y"])
    components = catalogue.components.select(near)
    panels = {"data": data, "model": shown["model"].pixels, "residual": shown["residual"].pixels}
    own = components["island_id"] == number
    lines = ellipses(frame, components)
    left, right, bottom, top = shown["model"].extent
    beam = image.beam_covariance(0.5 * (left + right), 0.5 * (bottom + top))[0]
    drawn = _draw(_Scene(panels, labels, shown["model"].extent, frame, beam, lines, own, factor, unit, rms))
    n_components, n_sources = int(islands["n_components"][row]), int(islands["n_sources"][row])
    facts = (
        f"{n_components} component{'s' * (n_components != 1)} in {n_sources} source{'s' * (n_sources != 1)}, "
        f"S/N {islands['snr'][row]:.1f}, {islands['n_beams'][row]:.1f} beams, "
        f"residual rms {islands['residual_rms'][row]:.2f}, peak {islands['residual_peak'][row]:+.1f} sigma"
    )
    name = str(islands["name"][row]) or f"island {number}"
    return Exhibit(number, name, drawn, facts, tuple(describe(int(islands["flags"][row]))))


def _window(frame: Frame, beam: Beam, islands: Table, row: int) -> Box:
    """A box around an island, square on the sky, with some sky about it, cut at the border of the map."""
    scale_y, scale_x = frame.scale
    x0, x1 = int(islands["x_min"][row]), int(islands["x_max"][row]) + 1
    y0, y1 = int(islands["y_min"][row]), int(islands["y_max"][row]) + 1
    side = max((x1 - x0) * scale_x, (y1 - y0) * scale_y) * 1.15 + 2 * beam.major
    side = max(side, 6 * beam.major)
    half_x, half_y = max(2.0, side / scale_x / 2), max(2.0, side / scale_y / 2)
    middle_x, middle_y = (x0 + x1) / 2, (y0 + y1) / 2
    wanted = Box(
        int(np.floor(middle_y - half_y)),
        int(np.ceil(middle_y + half_y)),
        int(np.floor(middle_x - half_x)),
        int(np.ceil(middle_x + half_x)),
    )
    n_y, n_x = frame.shape
    return wanted.intersect(Box(0, n_y, 0, n_x))


@dataclass(frozen=True, eq=False)
class _Scene:
    """What is drawn of one island: three panels of one part of the map, its outline and its components."""

    panels: Mapping[str, NDArray[np.float32]]
    footprint: NDArray[np.float32]
    extent: tuple[float, float, float, float]
    frame: Frame
    beam: NDArray[np.float64]  # covariance xx, xy, yy at the middle, pixels squared
    lines: NDArray[np.float64]
    own: NDArray[np.bool_]
    factor: float
    unit: str
    rms: float

    @property
    def aspect(self) -> float:
        """Height of a pixel over its width."""
        scale_y, scale_x = self.frame.scale
        return scale_y / scale_x

    @property
    def ratio(self) -> float:
        """Height of a panel over its width."""
        left, right, bottom, top = self.extent
        return (top - bottom) / (right - left) * self.aspect


def _draw(scene: _Scene) -> str:
    """Three panels with one stretch and one colour bar."""
    panel = (WIDTH - 0.95) / 3  # inches; the rest is for the colour bar
    height = float(np.clip(panel * scene.ratio, 1.0, 5.5)) + 0.27
    figure = sheet(WIDTH, height)
    figure.set_layout_engine("none")
    norm = stretch(scene.panels["data"] * np.float32(scene.factor), scene.rms * scene.factor)
    top = (height - 0.25) / height
    for number, (title, pixels) in enumerate(scene.panels.items()):
        axes = figure.add_axes(((number * (panel + 0.05) + 0.02) / WIDTH, 0.01, panel / WIDTH, top - 0.01))
        image = axes.imshow(
            pixels * np.float32(scene.factor),
            norm=norm,
            cmap=colours("inferno"),
            origin="lower",
            extent=scene.extent,
            aspect=scene.aspect if 1 / 8 < scene.ratio < 8 else "auto",
            interpolation="nearest",
        )
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_facecolor(PAPER)
        axes.set_title(title if title != "data" else "data - background", color=INK, fontsize=10, pad=4)
        for spine in axes.spines.values():
            spine.set_color(INK)
        if title == "model":
            _beam_and_bar(axes, scene)
        else:
            _outlines(axes, scene, ellipses=title == "data")
    bar = figure.colorbar(image, cax=figure.add_axes(((WIDTH - 0.76) / WIDTH, 0.01, 0.1 / WIDTH, top - 0.01)))
    bar.set_label(scene.unit, color=INK, fontsize=9)
    bar.ax.tick_params(colors=INK, labelsize=8, which="both")
    bar.outline.set_edgecolor(INK)
    plain_numbers(bar.ax.yaxis)
    zero_and_decades(bar, norm.linear_width)
    return png(figure, dpi=140)


def _outlines(axes: Axes, scene: _Scene, *, ellipses: bool) -> None:
    """The border of the island and, where wanted, the ellipses of all components."""
    from matplotlib.collections import LineCollection  # loaded late: only reports need matplotlib

    if min(scene.footprint.shape) > 1 and 0 < float(np.nanmean(scene.footprint)) < 1:
        axes.contour(
            scene.footprint,
            [0.5],
            colors="white",
            linewidths=0.7,
            alpha=0.65,
            extent=scene.extent,
            origin="lower",
        )
    if not ellipses:
        return
    whole = np.isfinite(scene.lines).all(axis=(1, 2))
    width = 1.2 if int(scene.own.sum()) <= NEAT else 0.7
    for rows, colour, line in ((scene.own, "#5fe0ff", width), (~scene.own, "#9aa3ad", 0.7)):
        axes.add_collection(
            LineCollection(list(scene.lines[whole & rows]), colors=colour, linewidths=line), autolim=False
        )


def _beam_and_bar(axes: Axes, scene: _Scene) -> None:
    """The beam in the lower left corner and the length of an angle in the lower right one."""
    from matplotlib.patches import Polygon  # loaded late: only reports need matplotlib

    left, right, bottom, top = scene.extent
    scale = scene.frame.scale[1]
    length, text = _round_angle((right - left) * scale / 3.2)
    length /= scale
    x, y = right - (right - left) * 0.06, bottom + (top - bottom) * 0.06
    axes.plot([x - length, x], [y, y], color="white", linewidth=1.6, solid_capstyle="butt")
    above = y + (top - bottom) * 0.02
    axes.text(x - length / 2, above, text, color="white", fontsize=8, ha="center", va="bottom")
    xx, xy, yy = scene.beam
    if not np.isfinite([xx, xy, yy]).all():
        return  # the middle of the panel lies outside of the projection
    turn = np.linspace(0, 2 * np.pi, 60)
    circle = np.stack([np.cos(turn), np.sin(turn)]) * np.sqrt(2 * np.log(2))  # half the FWHM in sigma
    outline = np.linalg.cholesky(np.array([[xx, xy], [xy, yy]])) @ circle
    outline[0] += left + (right - left) * 0.06 - outline[0].min()
    outline[1] += bottom + (top - bottom) * 0.06 - outline[1].min()
    axes.add_patch(
        Polygon(outline.T, closed=True, facecolor="none", edgecolor="white", linewidth=1.2, hatch="////")
    )


def _round_angle(most: float) -> tuple[float, str]:
    """The longest round angle that is no longer than `most` (arcsec), and its text."""
    small = np.outer(10.0 ** np.arange(-4, 2), [1, 2, 5]).ravel()
    steps = [*small[small < 30], 30, 60, 120, 300, 600, 1200, 1800]
    steps += [3600 * degrees for degrees in (1, 2, 5, 10, 20, 50)]
    length = float(max((step for step in steps if step <= most), default=steps[0]))
    if length < 60:
        return length, f"{length:g}\u2033"
    return length, f"{length / 60:g}\u2032" if length < 3600 else f"{length / 3600:g}\u00b0"
