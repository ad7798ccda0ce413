"""Draws the picture of the README: the bundled map, searched with the defaults.

python docs/picture.py docs/_static/fornax_a.png
"""

import sys
from functools import partial

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import AsinhNorm, LinearSegmentedColormap
from matplotlib.figure import Figure
from PIL import Image

import skysift
from skysift.data import demo_map
from skysift.find.run import make_finder, search
from skysift.flow.layers import ellipses
from skysift.sky.box import Box

PAPER, INK, FAINT = "#0d0f14", "#d8dce3", "#8d96a3"
STRUCTURES = {"S": "#4fd1f2", "C": "#96e67a", "M": "#ffffff"}
WIDTH, HEIGHT, DPI = 8.84, 7.0, 150
LOBES = Box(123, 256, 195, 535)  # Fornax A with both lobes


def cmap():
    """Black over violet and orange to cream."""
    stops = ["#06070b", "#1d1440", "#5b1a66", "#a52c60", "#e0522f", "#fb9b06", "#f8e07a", "#fffdea"]
    return LinearSegmentedColormap.from_list("ember", stops, N=64)


def show(axes, pixels, frame, box, norm):
    scale_y, scale_x = frame.scale
    image = axes.imshow(
        pixels, norm=norm, cmap=cmap(), origin="lower", aspect=scale_y / scale_x, interpolation="lanczos",
        extent=(box.x0 - 0.5, box.x1 - 0.5, box.y0 - 0.5, box.y1 - 0.5),
    )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#39404c")
        spine.set_linewidth(0.8)
    return image


def outlines(axes, frame, table, width, smallest=0.0):
    """The fitted ellipses, coloured by structure; narrow ones are drawn larger, for their source to show."""
    lines = ellipses(frame, table)
    middle = np.stack([table["x"], table["y"]], axis=1)[:, None]
    lines = middle + (lines - middle) * np.maximum(1.0, smallest / table["minor"])[:, None, None]
    for letter, colour in STRUCTURES.items():
        chosen = np.flatnonzero((table["structure"] == letter) & np.isfinite(lines).all(axis=(1, 2)))
        axes.add_collection(
            LineCollection(list(lines[chosen]), colors=colour, linewidths=width), autolim=False
        )


def draw(finding):
    image, catalogue = finding.image, finding.catalogue
    frame, whole = image.frame, Box.of(image.shape)
    rms = float(np.median(catalogue.components["rms"])) * 1e3
    norm = AsinhNorm(linear_width=4 * rms, vmin=-4 * rms, vmax=300)
    figure = Figure(figsize=(WIDTH, HEIGHT), facecolor=PAPER)
    FigureCanvasAgg(figure)
    place = partial(figure.add_axes, facecolor=PAPER)

    tall = HEIGHT - 0.44
    wide = tall * whole.shape[1] * frame.scale[1] / (whole.shape[0] * frame.scale[0])
    axes = place((0.1 / WIDTH, 0.34 / HEIGHT, wide / WIDTH, tall / HEIGHT))
    show(axes, image.read() * 1e3, frame, whole, norm)
    outlines(axes, frame, catalogue.sources, 0.7, smallest=130.0)
    counts = finding.facts["counts"]
    found = "{sources} sources of {components} Gaussians in {islands} islands".format(**counts)
    low = 0.17 / HEIGHT
    figure.text(0.1 / WIDTH, low, f"SUMSS, 843 MHz: {found}", color=INK, fontsize=8.5, va="center")

    x = 1 - 0.1 / WIDTH
    for letter, words in (
        ("M", "several Gaussians"),
        ("C", "one that shares its island"),
        ("S", "one alone"),
    ):
        text = figure.text(
            x, 0.17 / HEIGHT, words, color=STRUCTURES[letter], fontsize=8, va="center", ha="right"
        )
        x -= text.get_window_extent().width / figure.bbox.width + 0.012

    left = 0.1 + wide + 0.1
    room = WIDTH - left - 0.1
    high = (tall - 0.1 * 2) / 3
    maps = {
        "data": (finding.read("model", LOBES) + finding.read("residual", LOBES)) * 1e3,
        "model": finding.read("model", LOBES) * 1e3,
        "residual": finding.read("residual", LOBES) * 1e3,
    }
    for row, (name, pixels) in enumerate(maps.items()):
        axes = place((left / WIDTH, (0.34 + (2 - row) * (high + 0.1)) / HEIGHT, room / WIDTH, high / HEIGHT))
        drawn = show(axes, pixels, frame, LOBES, norm)
        axes.set_aspect("auto")
        if name == "data":
            outlines(axes, frame, catalogue.components, 0.7)
        axes.text(0.02, 0.96, name, color=INK, fontsize=9.5, transform=axes.transAxes, va="top")
        if name == "residual":
            bar = figure.colorbar(
                drawn, cax=axes.inset_axes((0.42, 0.1, 0.34, 0.028)), orientation="horizontal"
            )
            bar.set_ticks([0, 10, 100], labels=["0", "10", "100"])
            bar.ax.tick_params(colors=FAINT, labelsize=6.5, length=2, pad=1.5)
            bar.ax.minorticks_off()
            bar.ax.text(
                1.04, 0.5, "mJy/beam", color=FAINT, fontsize=6.5, transform=bar.ax.transAxes, va="center"
            )
            bar.outline.set_visible(False)
    return figure


def main(path):
    mpl.rcParams["font.family"] = "DejaVu Sans"
    finding = search(skysift.open(demo_map()), make_finder("classic"))
    figure = draw(finding)
    figure.set_dpi(DPI)
    figure.canvas.draw()
    picture = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
    inks = [PAPER, INK, FAINT, *STRUCTURES.values()]
    colours = [*cmap()(np.arange(64))[:, :3], *(mpl.colors.to_rgb(ink) for ink in inks)]
    palette = Image.new("P", (1, 1))
    palette.putpalette((np.array(colours) * 255).round().astype(np.uint8).tobytes())
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])
