"""python -m bench.faint [MODEL ...] | --copies: what classifiers tell of faint sources.

Made points and doubles in Jy/beam as VLA FIRST shows them, under noise of its beam: the first table of "Faint sources" in
bench/features.md, a column a MODEL (first-morphology by default). With --copies the classifier of the recipe learns four
fixed folds of FIRST, and is asked about fainter copies of the sources of the fifth: the second table. Needs SKYSIFT_DATA.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from bench.peers.tables import table
from skysift.base.parallel import ALONE
from skysift.base.random import generator
from skysift.classify.classifier import open_model
from skysift.classify.fainter import fainter
from skysift.classify.features.options import FeaturesOptions
from skysift.classify.folds import fixed_folds
from skysift.classify.options import LightGBMOptions, TrainOptions
from skysift.classify.tables import LightGBMClassifier
from skysift.flow.steps.classify import known_sources, with_features
from skysift.stamps.opening import open_pictures
from skysift.stamps.pictures import Pictures

NUMBER, SIDE = 40, 150  # sources of a row, pixels
SIGMA = 5.4 / 1.8 / 2.3548  # of the beam (pixel)
NOISE = 1.5e-4  # Jy/beam
PEAKS = (5, 7, 10, 15, 20, 30, 40, 60, 100, 300)
RIGHT = {"point": "Compact", "double": "FRII"}


@dataclass(frozen=True, eq=False)
class Held:
    """Pixels in memory: (row, band, y, x)."""

    pixels: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        n, bands, ny, nx = self.pixels.shape
        return n, bands, ny, nx

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.pixels[rows]


def made(kind: str, peak: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A point near the middle, or two spots 14 to 30 pixels apart, the fainter at least half as bright; (y, x)."""
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2.0
    noise = gaussian_filter(rng.normal(size=(SIDE, SIDE)), SIGMA, mode="wrap")
    spots = [(*rng.uniform(-0.5, 0.5, 2), 1.0)]
    if kind == "double":
        angle, reach = rng.uniform(0.0, np.pi), rng.uniform(7.0, 15.0)
        dy, dx = reach * np.sin(angle), reach * np.cos(angle)
        spots = [(dy, dx, 1.0), (-dy, -dx, rng.uniform(0.5, 1.0))]
    signal = sum(height * np.exp(-((y - v) ** 2 + (x - u) ** 2) / (2 * SIGMA**2)) for v, u, height in spots)
    return np.asarray(NOISE * (noise / noise.std() + peak * signal))


def pictures_of(kind: str, peak: float) -> Pictures:
    """Made sources of one kind and one S/N."""
    images = [
        made(kind, peak, generator(1, "faint", kind, str(peak), str(row)))[None] for row in range(NUMBER)
    ]
    names = tuple(f"{kind}-{peak:g}-{row}" for row in range(NUMBER))
    return Pictures(names, ("FIRST",), Held(np.array(images, np.float32)), np.arange(NUMBER))


def copies() -> str:
    """What is told of fainter copies of real sources that were left out, by their class and peak."""
    given = open_pictures(
        Path(os.environ["SKYSIFT_DATA"]) / "labelled" / "FIRST_radio_galaxies_train_valid.npz"
    )
    options = LightGBMOptions(side=SIDE, clip=True, fainter=2)
    data, _ = known_sources(given, TrainOptions(task="first4"))
    model = LightGBMClassifier(options)
    data = with_features(data, FeaturesOptions(scale=1.8, beam=5.4), ALONE, model)
    data, folds, _ = fixed_folds(data, "first", 1)
    model.fit(data.select(np.flatnonzero(folds[0] != 0)))
    out = data.select(np.flatnonzero(folds[0] == 0))
    assert out.pictures is not None
    rows: list[list[object]] = []
    for low, high in ((7, 10), (10, 15), (15, 25), (25, 60)):
        asked = options.replace(faintest=low, brightest=high, shown=0.02)
        told = model.predict(fainter(out.pictures, asked, 5.4 / 1.8, 0))
        for k, name in enumerate(out.classes):
            mine = (out.targets == k) & told.known
            labels = np.array(told.labels)[mine]
            parts = [f"{np.mean(labels == each):.2f}" for each in out.classes]
            rows.append(
                [f"{low} to {high}", name, int(mine.sum()), *parts, f"{np.mean(told.ood[mine] > 0.95):.2f}"]
            )
    return table(["S/N", "class", "copies", *(f"told {name}" for name in out.classes), "ood > 0.95"], rows)


def main() -> None:
    """Print a table."""
    if sys.argv[1:] == ["--copies"]:
        print(copies())
        return
    models = sys.argv[1:] or ["first-morphology"]
    opened = [open_model(each) for each in models]
    rows: list[list[object]] = []
    for kind, right in RIGHT.items():
        for peak in PEAKS:
            row: list[object] = [kind, f"{peak:g}"]
            for model in opened:
                told = model.predict(pictures_of(kind, peak))
                good = np.array(told.labels) == right
                strange = int((told.ood[told.known] > 0.99).sum())
                row.append(f"{int(good.sum())} {right} of {int(told.known.sum())}, {strange} strange")
            rows.append(row)
    print(table(["source", "S/N", *models], rows))


if __name__ == "__main__":
    main()
