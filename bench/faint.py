"""python -m bench.faint [MODEL ...]: what classifiers tell of made points and doubles, from faint to bright.

Sources in Jy/beam as VLA FIRST shows them, under noise of its beam. Prints the first table of "Faint sources" in
bench/features.md, a column a MODEL (first-morphology by default).
"""

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from bench.peers.tables import table
from skysift.base.random import generator
from skysift.classify.classifier import open_model
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


def main() -> None:
    """Print the table."""
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
