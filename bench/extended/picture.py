"""python -m bench.extended.picture: docs/_static/extended_made.png: made skies with true outlines, and what was found."""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.colors import AsinhNorm
from matplotlib.figure import Figure

import skysift
from bench.extended.methods import Found, Method, methods
from bench.extended.rule import true_masks
from bench.extended.skies import FIELDS, Sky

HERE = Path(__file__).resolve().parents[2]
TRUE, SEEN = "#d1495b", "#00798c"
SIZE = 700
SEEDS = {"extragalactic": 21, "galactic": 23}


def outlines(axes: object, masks: object, shape: tuple[int, int], **style: object) -> None:
    """The borders of masks, (source, pixel)."""
    for row in range(masks.shape[0]):
        pixel = masks[row].indices
        if not pixel.size:
            continue
        y, x = pixel // shape[1], pixel % shape[1]
        y0, x0 = max(int(y.min()) - 1, 0), max(int(x.min()) - 1, 0)
        image = np.zeros((y.max() - y0 + 2, x.max() - x0 + 2))
        image[y - y0, x - x0] = 1.0
        at = (np.arange(x0, x0 + image.shape[1]), np.arange(y0, y0 + image.shape[0]))
        axes.contour(*at, image, [0.5], **style)


def found_in(sky: Sky, method: Method | None) -> Found | None:
    """What a method found in a map; None where there is no method or it failed."""
    if method is None or method.run(sky)["returncode"]:
        return None
    return method.found(sky)


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--finder", default=None, help="the first of `bench.extended.methods` by default")
    chosen = methods([parser.parse_args().finder] if parser.parse_args().finder else None)
    method = next((each for each in chosen if each.finder != "bdsf"), None)
    mpl.use("Agg")
    figure = Figure(figsize=(14, 7.4), layout="constrained")
    for axes, kind in zip(figure.subplots(1, 2), FIELDS, strict=True):
        sky = Sky(kind, SEEDS[kind], SIZE)
        image, truth = skysift.open(str(sky.make())), sky.truth
        rms = float(np.median(truth.sources["rms"]))
        axes.imshow(
            image.read() / rms,
            origin="lower",
            cmap="gray_r",
            norm=AsinhNorm(4.0, -3.0, 60.0),
            interpolation="nearest",
        )
        own = truth.sources["object_type"] == "extended"
        found = found_in(sky, method)
        if found is not None:
            outlines(axes, found.masks, truth.frame.shape, colors=SEEN, linewidths=1.1)
        outlines(axes, true_masks(sky)[own], truth.frame.shape, colors=TRUE, linewidths=0.9, linestyles="--")
        told = "" if found is None else f", found by {method.label} (solid)"
        axes.set_title(f"{kind}: true masks (dashed){told}", fontsize=11)
        axes.set_axis_off()
    out = HERE / "docs" / "_static" / "extended_made.png"
    figure.savefig(out, dpi=85)
    print(f"written: {out}")


if __name__ == "__main__":
    main()
