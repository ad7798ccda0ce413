"""Draws what is measured on a picture, for the page about features.

python docs/features_picture.py docs/_static/features.png
"""

import sys

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from picture import INK, PAPER, cmap
from scipy.ndimage import gaussian_filter

from skysift.base.random import generator
from skysift.classify.features.options import FeaturesOptions
from skysift.classify.features.rings import ring_radii
from skysift.classify.features.seen import see
from skysift.classify.features.view import View

SIDE, BEAM, NOISE = 121, 3.0, 0.012  # pixels; peaks
SPOTS = (  # y, x from the middle, rms, brightness: core, hot spots, a jet, the bent tail of one lobe, a neighbour
    (0, 0, 0.5, 0.5),
    (-9, -27, 1.6, 1.0),
    (-7, -21, 4.0, 0.5),
    (9, 22, 2.2, 0.8),
    (5, 14, 3.5, 0.25),
    (17, 25, 4.0, 0.45),
    (26, 22, 5.0, 0.25),
    (-42, 38, 0.5, 0.7),
)


def painted():
    """The picture: spots and noise, as a beam sees them."""
    y, x = np.mgrid[:SIDE, :SIDE] - 0.5 * (SIDE - 1)
    image = np.zeros((SIDE, SIDE))
    for y0, x0, rms, height in SPOTS:
        square = rms**2 + (BEAM / 2.355) ** 2
        image += height * np.exp(-0.5 * ((y - y0) ** 2 + (x - x0) ** 2) / square)
    noise = gaussian_filter(generator(3, "docs", "features").normal(size=image.shape), BEAM / 2.355)
    return image + NOISE * noise / noise.std()


def main(path):
    image = painted()
    view = View(("image",), scale=1.0, beam=BEAM)
    seen = see(image[None, None].astype(np.float32), view, FeaturesOptions(radius=0.25))
    every = see(image[None, None].astype(np.float32), view, FeaturesOptions(neighbours="all"))
    figure = Figure(figsize=(5.6, 5.6), facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.01, 0.01, 0.98, 0.98))
    half = 0.5 * SIDE
    box = (-half, half, -half, half)
    axes.imshow(np.arcsinh(image / 0.05), origin="lower", extent=box, cmap=cmap())
    for which, colour in ((every, "#8a8f98"), (seen, "white")):
        axes.contour(which.labels[0, 0] > 0, [0.5], colors=colour, linewidths=1.2, extent=box)
    at, source = seen.axes, seen.source
    u, v = at.turned(source.y, source.x, source.row)
    for along, angle in ((u, at.pa[0]), (v, at.pa[0] + np.pi / 2)):
        ends = np.array([along.min(), along.max()])
        axes.plot(at.x[0] + ends * np.cos(angle), at.y[0] + ends * np.sin(angle), color=INK, lw=1.0)
    peaks = seen.peaks[0][0]
    axes.plot(peaks[:, 1], peaks[:, 0], "x", color="#5ad1ff", ms=9, mew=2)
    turn = np.linspace(0, 2 * np.pi, 200)
    for radius in ring_radii(view)[[6, 8, 10]]:
        axes.plot(radius * np.cos(turn), radius * np.sin(turn), ":", color="#9fe3b0", lw=1.0)
    axes.set(xlim=box[:2], ylim=box[2:])
    axes.axis("off")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main(sys.argv[1])
