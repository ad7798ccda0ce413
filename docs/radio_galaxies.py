"""Draws the kinds of made radio galaxies, for the page of the sky model.

python docs/radio_galaxies.py docs/_static/radio_galaxies.png
"""

import sys

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from picture import INK, PAPER, cmap
from PIL import Image

from skysift.base.random import generator
from skysift.sim.morphology import sketch

KINDS = {"FRI": 0.04, "FRII": 0.008, "bent": 0.03, "head-tail": 0.05, "double-double": 0.01, "remnant": 0.0}
EACH, PIXELS, BEAM = 4, 240, 0.010  # galaxies of a kind; of a panel; sigma in half the largest size


def panel(drawing, row, core):
    """Brightness of one galaxy, two units of half its largest size across and some more."""
    xx, xy, yy = (np.append(each[row], 0.0) for each in drawing.covariance())
    x, y, flux = (np.append(each[row], 0.0) for each in (drawing.x, drawing.y, (1 - core) * drawing.flux))
    flux[-1] = core
    unit = 2.0 / drawing.extent()[row]
    x, y, a, b, c = x * unit, y * unit, xx * unit**2 + BEAM**2, xy * unit**2, yy * unit**2 + BEAM**2
    side = np.linspace(-1.16, 1.16, PIXELS)
    to_x, to_y = np.meshgrid(side + 0.5 * (x.min() + x.max()), side + 0.5 * (y.min() + y.max()))
    image = np.zeros_like(to_x)
    for k in range(x.size):
        dx, dy, det = to_x - x[k], to_y - y[k], a[k] * c[k] - b[k] ** 2
        square = (c[k] * dx * dx - 2 * b[k] * dx * dy + a[k] * dy * dy) / det
        image += flux[k] / np.sqrt(det) * np.exp(-0.5 * square)
    return np.arcsinh(15 * image / np.percentile(image, 99.5))


def main(path):
    figure = Figure(figsize=(6 * 1.5, EACH * 1.5 + 0.3), facecolor=PAPER)
    FigureCanvasAgg(figure)
    for column, (kind, core) in enumerate(KINDS.items()):
        drawing = sketch(kind, EACH, generator(11, kind))
        for row in range(EACH):
            axes = figure.add_axes(
                ((column + 0.02) / 6, 1 - (row + 0.98) * 1.5 / 6.3 - 0.05, 0.96 / 6, 0.96 * 1.5 / 6.3)
            )
            axes.imshow(panel(drawing, row, core), origin="lower", cmap=cmap())
            axes.set_axis_off()
        figure.text((column + 0.5) / 6, 0.975, kind, color=INK, ha="center", va="center", fontsize=9)
    figure.savefig(path, dpi=110, facecolor=PAPER)
    with Image.open(path) as image:
        image.convert("P", palette=Image.Palette.ADAPTIVE, colors=200).save(path, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])
