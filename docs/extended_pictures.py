"""Draws real maps with the outlines of what the finder `full` found.

python docs/extended_pictures.py VLA_FornaxA_1510MHz.fits docs/_static/extended_fornax_a.png
python docs/extended_pictures.py ATCA_ScorpioExtendedSourceField.fits docs/_static/extended_galactic.png
"""

import sys

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import AsinhNorm
from matplotlib.figure import Figure
from PIL import Image

import skysift
from skysift.find.run import make_finder, search
from skysift.flow.extended import drawn_sources
from skysift.flow.layers import casing, ellipses, telling_spines
from skysift.flow.style import EXTENDED, PAPER, STRUCTURES

SIDE, DPI = 5.4, 125
ON_TOP, ALONE = "#7dff9e", STRUCTURES["S"]
SMALLEST = 9.0  # pixels: narrower ellipses are drawn larger


def draw(finding):
    image, sources = finding.image, finding.catalogue.sources
    data = finding.data(image.box) * 1e3
    rms = float(np.nanmedian(finding.read("rms", image.box))) * 1e3
    ny, nx = image.shape
    figure = Figure(figsize=(SIDE, SIDE * ny / nx))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    top = float(np.nanpercentile(data, 99.9))
    norm = AsinhNorm(linear_width=4 * rms, vmin=-4 * rms, vmax=top)
    axes.imshow(np.nan_to_num(data), norm=norm, cmap="inferno", origin="lower", interpolation="lanczos")
    drawn = drawn_sources(finding)
    casing(axes, drawn.outlines, EXTENDED, 1.0)
    casing(axes, telling_spines(drawn), "white", 0.5, closed=False)
    compact = sources.select(~np.isin(sources.ids, drawn.outlines.owner))
    lines = ellipses(image.frame, compact)
    middle = np.stack([compact["x"], compact["y"]], axis=1)[:, None]
    narrow = np.ptp(lines, axis=1).min(axis=1)
    lines = middle + (lines - middle) * np.maximum(1.0, SMALLEST / narrow)[:, None, None]
    shaped = np.isfinite(lines).all(axis=(1, 2))
    for rows, colour in ((compact["parent_id"] > 0, ON_TOP), (compact["parent_id"] == 0, ALONE)):
        axes.add_collection(LineCollection(list(lines[rows & shaped]), colors=colour, linewidths=1.0))
    axes.set_xlim(-0.5, nx - 0.5)
    axes.set_ylim(-0.5, ny - 0.5)
    return figure


def main(name, path):
    mpl.use("Agg")
    figure = draw(search(skysift.open(name), make_finder("full")))
    figure.set_dpi(DPI)
    figure.canvas.draw()
    picture = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
    inks = [PAPER, "white", EXTENDED, ON_TOP, ALONE]
    colours = [
        *mpl.colormaps["inferno"](np.linspace(0, 1, 48))[:, :3],
        *(mpl.colors.to_rgb(ink) for ink in inks),
    ]
    palette = Image.new("P", (1, 1))
    palette.putpalette((np.array(colours) * 255).round().astype(np.uint8).tobytes())
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
