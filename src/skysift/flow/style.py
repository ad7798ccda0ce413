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
    from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "FLAGGED",
    "INK",
    "MEANINGS",
    "ORANGE",
    "PAPER",
    "STRUCTURES",
    "blank",
    "plain_numbers",
    "png",
    "prefixed",
    "quiet",
    "sheet",
    "span",
]

INK = "#76808c"  # text and axes: enough contrast on white and on near-black
BLUE = "#3b8bd0"
ORANGE = "#dd7a1f"
PAPER = "#15171b"  # behind legends and where a map has no data

STRUCTURES = {"S": "#3fd0ec", "C": "#8ae66e", "M": "#f4f1e8"}  # over a dark map
MEANINGS = {
    "S": "one Gaussian, alone in its island",
    "C": "one Gaussian, shares its island",
    "M": "several Gaussians",
}
FLAGGED = "#ff4fa0"


def sheet(width: float, height: float) -> Figure:
    """An empty figure of `width` x `height` inches, laid out so that labels fit."""
    # matplotlib takes a third of a second to load and only reports need it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png(figure: Figure, *, dpi: int = 120) -> str:
    """The figure as the address of an image that carries its own bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="none")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


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


def span(values: NDArray[np.floating], low: float, high: float) -> tuple[float, float]:
    """Two percentiles of the finite values, apart from each other even where all values are equal."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    bottom, top = (float(value) for value in np.percentile(finite, [low, high]))
    if top > bottom:
        return bottom, top
    return bottom - max(abs(bottom), 1e-12) * 0.5, top + max(abs(top), 1e-12) * 0.5
