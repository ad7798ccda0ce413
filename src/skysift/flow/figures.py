"""Pictures of a whole map: the sky with its sources, the residual, the noise and the background."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skysift.flow.layers import Layer, drawn_layer, outline_groups, source_layer
from skysift.flow.overview import Overview, Preview
from skysift.flow.style import (
    INK,
    PAPER,
    blank,
    colours,
    digits,
    plain_numbers,
    png,
    prefixed,
    quiet,
    sheet,
    span,
    zero_and_decades,
)
from skysift.io.regions import Drawn
from skysift.sky.frame import Frame
from skysift.sky.table import Table

if TYPE_CHECKING:
    from astropy.visualization.wcsaxes import WCSAxes
    from matplotlib.axes import Axes
    from matplotlib.colors import AsinhNorm, Normalize
    from matplotlib.figure import Figure

__all__ = [
    "Picture",
    "background_picture",
    "outlined_picture",
    "residual_picture",
    "rms_picture",
    "sky_picture",
    "stretch",
]


@dataclass(frozen=True)
class Picture:
    """One image of a report: its bytes as an address, what it shows, what lies over it."""

    image: str
    caption: str
    layers: tuple[Layer, ...] = ()


def sky_picture(seen: Overview, frame: Frame, sources: Table, drawn: Drawn | None = None) -> Picture:
    """The map with an asinh stretch, and the outlines of the sources to lay over it.

    Parameters
    ----------
    seen
        Previews of the maps of a run.
    frame
        Their geometry.
    sources
        The sources.
    drawn
        Outlines and spines of those that are extended; None where none was looked for or found.
    """
    told = (
        "Ellipses are fitted FWHM; a circle is a source too small to draw, a cross one without a shape; "
        "doubtful ones are counted as such alone."
    )
    if drawn is not None:
        told += (
            " Lines are the outlines of extended sources, thin ones the spines of those that are long or rings; compact "
            "sources on top of them are counted as such alone."
        )
    shown = seen.previews["data"]
    groups = outline_groups(sources, drawn)
    return outlined_picture(shown, frame, seen.rms_median, sources, groups, told, drawn=drawn)


def outlined_picture(
    shown: Preview,
    frame: Frame,
    rms: float,
    sources: Table,
    groups: Mapping[str, tuple[str, NDArray[np.bool_]]],
    told: str,
    *,
    what: str = "sources",
    drawn: Drawn | None = None,
) -> Picture:
    """A map with an asinh stretch, and the outlines of sources to lay over it.

    Parameters
    ----------
    shown
        The map (Jy/beam).
    frame
        Its geometry.
    rms
        Its typical noise (Jy/beam); NaN where not known.
    sources
        Rows with x, y, major, minor and pa.
    groups
        What is told apart: label -> colour and rows.
    told
        What the outlines are, for the caption.
    what
        What the switch of the outlines calls them.
    drawn
        Sources that are drawn by lines, with a switch of their own.
    """
    factor, unit = prefixed("Jy/beam", shown.pixels if not rms > 0 else [rms * 20])
    figure, axes = _sheet(frame, shown, wide=12.6)
    norm = stretch(shown.pixels * np.float32(factor), rms * factor)
    _draw(figure, axes, shown, factor, norm, "inferno", f"brightness [{unit}], asinh stretch", extend="max")
    image = _render(figure, 124)
    layers = []
    if len(sources) and (drawn is None or any(rows.any() for _, rows in groups.values())):
        layers.append(source_layer(figure, axes, frame, sources, groups, what))
    if drawn is not None:
        layers.insert(0, drawn_layer(figure, axes, drawn))
    caption = "The map"
    if shown.factor > 1:
        caption += f", each block of {shown.factor} x {shown.factor} pixels as its brightest pixel"
    return Picture(image, f"{caption}. {told}", tuple(layers))


def residual_picture(seen: Overview, frame: Frame) -> Picture:
    """The residual in units of the local rms, from -5 to 5."""
    from matplotlib.colors import Normalize  # loaded late: only reports need matplotlib

    shown = seen.previews["residual"]
    figure, axes = _sheet(frame, shown, wide=7.4)
    _draw(figure, axes, shown, 1.0, Normalize(-5, 5), "RdBu_r", "residual / rms [sigma]", extend="both")
    how = (
        ""
        if shown.factor == 1
        else f", each block of {shown.factor} x {shown.factor} pixels as its value farthest from 0"
    )
    return Picture(
        _render(figure, 118), f"Residual (map - background - model) in units of the local rms{how}."
    )


def rms_picture(seen: Overview, frame: Frame) -> Picture:
    """The noise map."""
    from matplotlib.colors import LogNorm, Normalize  # loaded late: only reports need matplotlib

    shown = seen.previews["rms"]
    factor, unit = prefixed("Jy/beam", [seen.rms_median])
    figure, axes = _sheet(frame, shown, wide=7.4)
    low, high = span(shown.pixels * np.float32(factor), 0.2, 99.8)
    steep = low > 0 and high > 8 * low
    norm = LogNorm(low, high) if steep else Normalize(low, high)
    _draw(
        figure,
        axes,
        shown,
        factor,
        norm,
        "cividis",
        f"rms [{unit}]" + (", logarithmic" if steep else ""),
        extend="both",
    )
    median = f"; median {digits(seen.rms_median * factor)} {unit}" if np.isfinite(seen.rms_median) else ""
    return Picture(_render(figure, 118), f"Noise (rms){_mean_of(shown)}{median}.")


def background_picture(seen: Overview, frame: Frame) -> Picture:
    """The background level that was subtracted."""
    from matplotlib.colors import Normalize  # loaded late: only reports need matplotlib

    shown = seen.previews["background"]
    low, high = seen.background_span
    figure, axes = _sheet(frame, shown, wide=7.4)
    if low == high == 0.0:
        factor, unit = prefixed("Jy/beam", [seen.rms_median])
        middle, limit = 0.0, 1.0
        caption = "Background: zero everywhere."
    elif not np.isfinite(low):
        factor, unit, middle, limit, caption = 1.0, "Jy/beam", 0.0, 1.0, "Background: nowhere known."
    else:
        factor, unit = prefixed("Jy/beam", max(abs(low), abs(high)))
        limit = float(np.nanmax(np.abs([low, high]))) * factor
        low, high = low * factor, high * factor
        same = f"{low:.4g}" == f"{high:.4g}"
        middle = low if same else 0.0  # a constant level has no sign to show: the neutral colour
        span_text = f": {low:.4g} {unit} everywhere" if same else f"; from {low:.3g} to {high:.3g} {unit}"
        caption = f"Background{_mean_of(shown)}{span_text}."
    _draw(
        figure,
        axes,
        shown,
        factor,
        Normalize(middle - limit, middle + limit),
        "PuOr_r",
        f"background [{unit}]",
    )
    return Picture(_render(figure, 118), caption)


def stretch(pixels: NDArray[np.floating], rms: float) -> AsinhNorm:
    """An asinh stretch that is linear near the noise and holds the bright end.

    Parameters
    ----------
    pixels
        What is shown (any unit).
    rms
        Noise in the same unit; not positive where it is unknown.
    """
    from matplotlib.colors import AsinhNorm  # loaded late: only reports need matplotlib

    low, high = span(pixels, 1.0, 99.9)
    if not rms > 0:
        rms = (high - low) / 20
    return AsinhNorm(
        linear_width=3 * rms, vmin=max(low, -4 * rms), vmax=max(high, max(low, -4 * rms) + 16 * rms)
    )


def _mean_of(shown: Preview) -> str:
    return "" if shown.factor == 1 else f", mean of blocks of {shown.factor} x {shown.factor} pixels"


def _sheet(frame: Frame, shown: Preview, *, wide: float) -> tuple[Figure, Axes]:
    """A figure `wide` inches across with axes that suit the shape of what is shown."""
    n_y, n_x = shown.box.shape
    scale_y, scale_x = frame.scale
    ratio = n_y * scale_y / (n_x * scale_x)
    figure = sheet(wide, float(np.clip((wide - 1.7) * ratio, wide / 5, wide * 1.15) + 0.6))
    sky = frame.celestial and min(n_y, n_x) > 3
    # WCSAxes brings astropy.visualization, which only reports need.
    if sky:
        from astropy.visualization.wcsaxes import WCSAxes

        axes: Axes = figure.add_subplot(axes_class=WCSAxes, wcs=frame.wcs)
        _label_sky(axes, frame)
    else:
        axes = figure.add_subplot()
        quiet(axes)
        axes.set_xlabel("x [pixel]")
        axes.set_ylabel("y [pixel]")
    axes.set_facecolor(PAPER)
    left, right, bottom, top = shown.extent
    axes.set_xlim(left, min(right, shown.box.x1 - 0.5))
    axes.set_ylim(bottom, min(top, shown.box.y1 - 0.5))
    axes.set_aspect(scale_y / scale_x if 1 / 8 < ratio < 8 else "auto")
    return figure, axes


def _label_sky(axes: WCSAxes, frame: Frame) -> None:
    """Name the axes and lay a thin grid of sky coordinates over the map."""
    names = ("l", "b") if frame.name == "Galactic" else ("RA", "Dec")
    for coordinate, name in zip(axes.coords, names, strict=False):
        coordinate.set_axislabel(f"{name} ({frame.name})", color=INK, fontsize=10, minpad=0.6)
        coordinate.set_ticklabel(color=INK, fontsize=9, exclude_overlapping=True)
        coordinate.set_ticks(color=INK)
        coordinate.grid(color="white", alpha=0.16, linewidth=0.6)
        coordinate.frame.set_color(INK)


def _draw(
    figure: Figure,
    axes: Axes,
    shown: Preview,
    factor: float,
    norm: Normalize,
    scheme: str,
    label: str,
    *,
    extend: str = "neither",
) -> None:
    from matplotlib.colors import AsinhNorm  # loaded late: only reports need matplotlib

    if not np.isfinite(shown.pixels).any():
        blank(axes, "no pixel holds data")
        return
    image = axes.imshow(
        shown.pixels * np.float32(factor),
        norm=norm,
        cmap=colours(scheme),
        origin="lower",
        extent=shown.extent,
        aspect=axes.get_aspect(),
        interpolation="nearest" if max(shown.pixels.shape) < 400 else "auto",
        interpolation_stage="data",
    )
    bar = figure.colorbar(image, ax=axes, pad=0.012, fraction=0.05, aspect=36, extend=extend)
    bar.set_label(label, color=INK, fontsize=10)
    bar.ax.tick_params(colors=INK, labelsize=9, which="both")
    bar.outline.set_edgecolor(INK)
    plain_numbers(bar.ax.yaxis)
    if isinstance(norm, AsinhNorm):
        zero_and_decades(bar, norm.linear_width)


def _render(figure: Figure, dpi: int) -> str:
    with warnings.catch_warnings():
        # The corners of an all-sky map have no coordinates; the axes warn of each line that leaves the sky.
        warnings.simplefilter("ignore", RuntimeWarning)
        return png(figure, dpi=dpi)
