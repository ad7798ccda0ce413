"""Single islands and extended sources as a person judges them: three panels side by side with one stretch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skysift.flow.figures import stretch
from skysift.flow.layers import casing, ellipses, telling_spines
from skysift.flow.overview import Reader, preview
from skysift.flow.rows import angle_unit, with_error
from skysift.flow.style import (
    EXTENDED,
    INK,
    PAPER,
    colours,
    plain_numbers,
    png,
    prefixed,
    sheet,
    zero_and_decades,
)
from skysift.io.regions import Drawn
from skysift.sky.beam import Beam
from skysift.sky.box import Box
from skysift.sky.catalogue import Catalogue
from skysift.sky.flags import describe
from skysift.sky.frame import Frame
from skysift.sky.image import SkyImage
from skysift.sky.lines import Lines
from skysift.sky.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Exhibit", "brightest", "exhibit", "extended_exhibit", "most_complex"]

LONGEST = 360  # pixels along a panel at most
WIDTH = 7.4  # inches of the three panels and their colour bar
TITLES = ("data - background", "model", "residual")
EXTENDED_TITLES = ("data - background", "compact sources", "without them")
NEAT = 40  # components up to which ellipses get full lines


@dataclass(frozen=True)
class Exhibit:
    """One island or source of the gallery: its picture and what to write under it."""

    number: str
    name: str
    image: str
    facts: str
    flags: tuple[str, ...]


def brightest(islands: Table, count: int, *, without: Collection[int] = ()) -> list[int]:
    """Rows of the islands with the highest peaks, the highest first; not those in `without`."""
    order = np.argsort(-np.nan_to_num(np.abs(islands["flux_peak"])), kind="stable")
    return [int(row) for row in order if int(row) not in without][:count]


def most_complex(islands: Table, count: int, *, without: Collection[int]) -> list[int]:
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
    islands = catalogue.islands
    number = int(islands["island_id"][row])
    x0, x1 = float(islands["x_min"][row]), float(islands["x_max"][row]) + 1.0
    y0, y1 = float(islands["y_min"][row]), float(islands["y_max"][row]) + 1.0
    box = _window(image.frame, image.beam, (x0, x1, y0, y1))
    near = _near(catalogue.components, box)
    scene = _scene(
        read,
        image,
        box,
        near,
        own=near["island_id"] == number,
        peak=float(islands["flux_peak"][row]),
        rms=float(islands["rms"][row]),
        label=number,
    )
    n_components, n_sources = int(islands["n_components"][row]), int(islands["n_sources"][row])
    facts = (
        f"{n_components} component{'s' * (n_components != 1)} in {n_sources} source{'s' * (n_sources != 1)}, "
        f"S/N {islands['snr'][row]:.1f}, {islands['n_beams'][row]:.1f} beams"
    )
    if np.isfinite(islands["residual_rms"][row]):
        facts += f", residual rms {islands['residual_rms'][row]:.2f}, peak {islands['residual_peak'][row]:+.1f} sigma"
    name = str(islands["name"][row]) or f"island {number}"
    flags = tuple(describe(int(islands["flags"][row])))
    return Exhibit(f"island {number}", name, _draw(scene), facts, flags)


def extended_exhibit(
    read: Mapping[str, Reader], image: SkyImage, catalogue: Catalogue, drawn: Drawn, row: int
) -> Exhibit:
    """The picture of one extended source and its facts: outline, spine, and the compact sources on top of it.

    Parameters
    ----------
    read, image, catalogue
        As for `exhibit`.
    drawn
        The outlines and spines of all extended sources.
    row
        Row of the source in ``catalogue.sources``.
    """
    sources = catalogue.sources
    source = sources.select(np.array([row]))
    number = int(source.ids[0])
    lines = drawn.outlines.select(drawn.outlines.owner == number)
    spines = telling_spines(drawn)
    parts = catalogue.components["source_id"] == number  # of a source that was joined
    x, y = (
        np.concatenate([points, catalogue.components[name][parts]]) + 0.5
        for name, points in (("x", lines.x), ("y", lines.y))
    )
    box = _window(
        image.frame,
        image.beam,
        (float(np.nanmin(x)), float(np.nanmax(x)), float(np.nanmin(y)), float(np.nanmax(y))),
    )
    near = _near(catalogue.components, box)
    mine = sources.ids == number
    if "parent_id" in sources:
        mine |= sources["parent_id"] == number
    scene = _scene(
        read,
        image,
        box,
        near,
        own=np.isin(near["source_id"], sources.ids[mine]),
        peak=float(source["flux_peak"][0]),
        rms=float(source["rms"][0]),
        lines=lines,
        spines=spines.select(spines.owner == number),
    )
    name = str(source["name"][0]) or f"source {number}"
    flags = tuple(describe(int(source["flags"][0])))
    return Exhibit(f"source {number}", name, _draw(scene), extended_facts(source), flags)


def extended_facts(source: Table) -> str:
    """What is told of an extended source in a line, from a table of this row alone."""
    value = {name: source[name][0] for name in source}
    factor, unit = prefixed("Jy", [value["flux"]])
    flux = with_error(value["flux"] * factor, value["flux_err"] * factor)
    facts = []
    if value.get("morphology"):
        facts.append(f"{value['morphology']} ({value['morphology_score']:.2f})")
    facts.append(f"{flux.value} \u00b1 {flux.error} {unit}" if flux.error else f"{flux.value} {unit}")
    if np.isfinite(value.get("largest_angular_size", np.nan)):
        size, name = angle_unit(np.array([value["largest_angular_size"]]))
        length, width = value["largest_angular_size"] * size, value["width_mean"] * size
        whole = f"{length:.3g} \u00d7 {width:.3g} {name} (length, width)"
        facts.append(whole if np.isfinite(width) else f"{length:.3g} {name} long")
    if np.isfinite(value.get("surface_snr", np.nan)):
        facts.append(f"{value['n_beams']:.1f} beams of {value['surface_snr']:.1f} sigma each")
    if value.get("n_parts", 1) > 1:
        facts.append(f"joined from {value['n_parts']} parts, probability {value['join_probability']:.2f}")
    if value.get("n_children", 0):
        facts.append(f"{value['n_children']} compact on top")
    return ", ".join(facts)


def _near(components: Table, box: Box) -> Table:
    return components.select(box.contains(components["x"], components["y"]))


def _scene(
    read: Mapping[str, Reader],
    image: SkyImage,
    box: Box,
    near: Table,
    *,
    own: NDArray[np.bool_],
    peak: float,
    rms: float,
    label: int | None = None,
    lines: Lines | None = None,
    spines: Lines | None = None,
) -> _Scene:
    """What is drawn of a part of the map; the border is that of a label, or lines."""
    shown = {name: preview(read[name], box, longest=LONGEST) for name in ("model", "residual")}
    data = preview(lambda part: read["data"](part) - read["background"](part), box, longest=LONGEST).pixels
    footprint = np.zeros(data.shape, np.float32)
    if label is not None:
        footprint = preview(
            lambda part: (read["labels"](part) == label).astype(np.float32), box, longest=LONGEST
        ).pixels
    titles = TITLES if lines is None else EXTENDED_TITLES
    panels = dict(zip(titles, (data, shown["model"].pixels, shown["residual"].pixels), strict=True))
    factor, unit = prefixed("Jy/beam", [peak])
    left, right, bottom, top = shown["model"].extent
    beam = image.beam_covariance(0.5 * (left + right), 0.5 * (bottom + top))[0]
    return _Scene(
        panels, footprint, shown["model"].extent, image.frame, beam, ellipses(image.frame, near), own, factor,
        unit, rms, lines, spines,
    )  # fmt: skip


def _window(frame: Frame, beam: Beam, edges: tuple[float, float, float, float]) -> Box:
    """A box about what has these edges, square on the sky, with some sky around it, cut at the border of the map."""
    scale_y, scale_x = frame.scale
    x0, x1, y0, y1 = edges
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
    """What is drawn of an island or an extended source: three panels of one part of the map, outline, components."""

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
    outline: Lines | None = None  # of an extended source
    spines: Lines | None = None

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
    norm = stretch(next(iter(scene.panels.values())) * np.float32(scene.factor), scene.rms * scene.factor)
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
        axes.set_title(title, color=INK, fontsize=10, pad=4)
        for spine in axes.spines.values():
            spine.set_color(INK)
        axes.set_xlim(scene.extent[:2])
        axes.set_ylim(scene.extent[2:])
        if number == 1:
            _beam_and_bar(axes, scene)
        else:
            _outlines(axes, scene, ellipses=number == 0)
    bar = figure.colorbar(image, cax=figure.add_axes(((WIDTH - 0.76) / WIDTH, 0.01, 0.1 / WIDTH, top - 0.01)))
    bar.set_label(scene.unit, color=INK, fontsize=9)
    bar.ax.tick_params(colors=INK, labelsize=8, which="both")
    bar.outline.set_edgecolor(INK)
    plain_numbers(bar.ax.yaxis)
    zero_and_decades(bar, norm.linear_width)
    return png(figure, dpi=140)


def _outlines(axes: Axes, scene: _Scene, *, ellipses: bool) -> None:
    """The border of what is shown, its spine and, where wanted, the ellipses of all components."""
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
    if scene.outline is not None and ellipses:
        casing(axes, scene.outline, EXTENDED, 1.0)
        if scene.spines is not None:
            casing(axes, scene.spines, "white", 0.7, closed=False)
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
