"""How the pictures of a report look: colours for light and dark pages, handy units, PNG as text."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.colorbar import Colorbar
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "DOUBTFUL",
    "EXTENDED",
    "INK",
    "MEANINGS",
    "ON_TOP",
    "ORANGE",
    "PAPER",
    "STRUCTURES",
    "blank",
    "colours",
    "digits",
    "plain_numbers",
    "png",
    "prefixed",
    "quiet",
    "sheet",
    "span",
    "zero_and_decades",
]

INK = "#76808c"  # text and axes: enough contrast on white and on near-black
BLUE = "#3b8bd0"
ORANGE = "#dd7a1f"
PAPER = "#15171b"  # behind legends and where a map has no data

STRUCTURES = {"S": "#3fd0ec", "C": "#8ae66e", "M": "#f4f1e8"}  # over a dark map
EXTENDED = "#ffe14a"
ON_TOP = "#7aa2ff"  # compact sources that lie on an extended one
MEANINGS = {
    "S": "one Gaussian, alone in its island",
    "C": "one Gaussian, shares its island",
    "M": "several Gaussians",
    "E": "extended, measured pixel by pixel",
}
DOUBTFUL = "#ff4fa0"


def sheet(width: float, height: float) -> Figure:
    """An empty figure of `width` x `height` inches, laid out so that labels fit."""
    # matplotlib takes a third of a second to load and only reports need it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png(figure: Figure, *, dpi: int = 120) -> str:
    """The figure on a clear ground, as the address of an image that carries its own bytes.

    The picture has a palette of 256 colours, which halves the size of a noisy map.
    """
    from PIL import Image  # comes with matplotlib, loaded as late

    figure.set_dpi(dpi)
    figure.set_facecolor("none")
    figure.draw_without_rendering()  # sky axes draw themselves when they are measured: here on nothing
    figure.set_layout_engine("none")
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())  # type: ignore[attr-defined]  # the canvas of `sheet`
    index, palette = _palette(pixels)
    image = Image.fromarray(index)
    image.putpalette(palette[:, :3].tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format="png", transparency=palette[:, 3].tobytes(), compress_level=9)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _palette(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Colour numbers (y, x) of a picture (y, x, RGBA) and the colours (number, RGBA) that they stand for.

    The 256 most frequent colours are kept; what has another gets the nearest of them.
    """
    codes = np.where(pixels[..., 3:] > 0, pixels, 0).astype(np.uint8).view(np.uint32)[..., 0]
    found, place, count = np.unique(codes, return_inverse=True, return_counts=True)
    colours = found.view(np.uint8).reshape(-1, 4)
    kept = np.argsort(-count, kind="stable")[:256]
    number = np.empty(len(found), np.uint8)
    for start in range(0, len(found), 4096):
        some = colours[start : start + 4096, None].astype(np.int32)
        number[start : start + 4096] = (
            ((some - colours[kept].astype(np.int32)) ** 2).sum(axis=2).argmin(axis=1)
        )
    return number[place].reshape(codes.shape), colours[kept]


def quiet(axes: Axes) -> None:
    """Give plain axes the ink of the report and take the upper and right edges away."""
    axes.tick_params(colors=INK, which="both", labelsize=9)
    for side, spine in axes.spines.items():
        spine.set_color(INK)
        spine.set_linewidth(0.8)
        spine.set_visible(side in {"left", "bottom"})
    for label in (axes.xaxis.label, axes.yaxis.label, axes.title):
        label.set_color(INK)
        label.set_fontsize(10)
    axes.set_facecolor("none")


def plain_numbers(axis: Axis) -> None:
    """Label the ticks of an axis as 0.1, 1, 10, 2000 rather than by powers."""
    from matplotlib.ticker import FuncFormatter  # loaded late: only reports need matplotlib

    def minor(value: float, _: int | None) -> str:
        low, high = axis.get_view_interval()
        crowded = value <= 0 or high > 12 * low
        first = f"{value:.0e}"[0]
        return "" if crowded or (high > 4 * low and first not in "25") else f"{value:g}"

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if axis.get_scale() == "log":
        axis.set_minor_formatter(FuncFormatter(minor))


def colours(name: str) -> Colormap:
    """A colour map of matplotlib in 112 steps: a palette has room for them under a grid, and for labels."""
    import matplotlib as mpl  # loaded late: only reports need it

    return mpl.colormaps[name].resampled(112)


def zero_and_decades(bar: Colorbar, linear: float) -> None:
    """Label an asinh colour bar at zero and at powers of ten beyond its linear part."""
    low, high = bar.norm.vmin or 0.0, bar.norm.vmax or 1.0
    powers = 10.0 ** np.arange(-12, 12)
    between = 3 * powers if high < 60 * linear else np.empty(0)
    steps = np.concatenate([-powers, [0.0], powers, between])
    shown = (steps >= low) & (steps <= high) & ((steps == 0) | (np.abs(steps) > linear))
    bar.set_ticks(np.sort(steps[shown]).tolist())


def blank(axes: Axes, text: str) -> None:
    """Say in the middle of empty axes why nothing is drawn."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=INK, fontsize=11)


def prefixed(unit: str, values: ArrayLike) -> tuple[float, str]:
    """The factor and the unit that make typical values of Jy or Jy/beam handy: Jy, mJy, or microjansky."""
    finite = np.abs(np.asarray(values, np.float64))
    finite = finite[np.isfinite(finite) & (finite > 0)]
    typical = float(np.median(finite)) if finite.size else 1.0
    for factor, prefix in ((1.0, ""), (1e3, "m"), (1e6, "\N{MICRO SIGN}")):
        if typical * factor >= 1:
            return factor, prefix + unit
    return (1e9, "n" + unit) if typical * 1e6 < 1e-2 else (1e6, "\N{MICRO SIGN}" + unit)


def digits(value: float) -> str:
    """A number to three digits without an exponent: 2,520 or 0.0123; a dash for what is not finite."""
    if not np.isfinite(value):
        return "\u2013"
    shown = float(f"{value:.3g}")
    places = 0 if shown == 0 else max(0, 2 - int(np.floor(np.log10(abs(shown)))))
    return f"{shown:,.{places}f}"


def span(values: NDArray[np.floating], low: float, high: float) -> tuple[float, float]:
    """Two percentiles of the finite values, apart from each other even where all values are equal."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    bottom, top = (float(value) for value in np.percentile(finite, [low, high]))
    if top > bottom:
        return bottom, top
    return bottom - max(abs(bottom), 1e-12) * 0.5, top + max(abs(top), 1e-12) * 0.5
