"""python -m bench.lengths: fits by how much lengths of segments scatter from noise to noise.

Shapes of bench/morphology.py lie apart on a map, which the finder `extended` searches in ten noises. What is printed is
`SCATTER` of src/skysift/measure/segment_columns.py; bench/shapes.md shows pulls on other shapes.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import optimize

import skysift
from bench.morphology import FWHM, TAGS, own_model
from bench.noise import noise_like
from bench.peers.tables import table
from skysift.measure.segment_columns import FAINTEST, USUAL
from skysift.sky.image import SkyImage

CELL, ROWS = 176, 6  # pixels between shapes; shapes along a side of a map
FEWEST = 6  # noises that a shape must be found in
NAMES = ("extent", "largest_angular_size", "width_mean")
SNR, AREA = (0.0, 2.0, 4.0, 8.0, 100.0), (3.0, 10.0, 30.0, 70.0, 1000.0)
FIT, TRY = 4, 5  # seeds


@dataclass(frozen=True)
class Lengths:
    """What was found of shapes, one row a shape and noise.

    Parameters
    ----------
    tag
        What each was made as.
    value, error
        ``(row, length)`` by `NAMES`, beams.
    away
        ``(row, length)``: from the median over the noises, freed of what that takes out.
    snr, area, concentration
        Columns of each.
    """

    tag: np.ndarray
    value: np.ndarray
    error: np.ndarray
    away: np.ndarray
    snr: np.ndarray
    area: np.ndarray
    concentration: np.ndarray


def find_lengths(seed: int, maps: int = 4, noises: int = 10) -> Lengths:
    """Lengths of the brightest segment of each shape in each noise."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(maps):
        sky = np.zeros((CELL * ROWS, CELL * ROWS))
        tags = [TAGS[rng.integers(len(TAGS))] for _ in range(ROWS * ROWS)]
        for k, tag in enumerate(tags):
            model = own_model(tag, 3 * 33 ** rng.uniform(), rng)
            light = np.sort(model.ravel())[::-1]
            rim = light[np.searchsorted(np.cumsum(light), 0.9 * light.sum())]
            model *= 1.5 * 12 ** rng.uniform() / model[model >= rim].mean()
            y, x = (k // ROWS * CELL, k % ROWS * CELL)
            h, w = (min(CELL, each) for each in model.shape)
            v, u = ((model.shape[0] - h) // 2, (model.shape[1] - w) // 2)
            y, x = y + (CELL - h) // 2, x + (CELL - w) // 2
            sky[y : y + h, x : x + w] += model[v : v + h, u : u + w]
        per: list[list[list[float]]] = [[] for _ in tags]
        for _ in range(noises):
            data = (sky + noise_like(sky.shape, rng)).astype(np.float32)
            image = SkyImage.from_array(data, beam=FWHM, pixel_scale=1.0)
            s = skysift.find(image, "extended", join=False).sources
            s = s.select(np.flatnonzero(s["structure"] == "E"))
            cell = (s["y"] // CELL).astype(int) * ROWS + (s["x"] // CELL).astype(int)
            for k in range(len(tags)):
                rows = np.flatnonzero(cell == k)
                if rows.size:
                    best = rows[np.argmax(s["flux"][rows])]
                    lengths = [s[f"{name}{end}"][best] / FWHM for end in ("", "_err") for name in NAMES]
                    per[k].append(
                        [*lengths, *(s[n][best] for n in ("surface_snr", "n_beams", "concentration"))]
                    )
        for tag, rows in zip(tags, per, strict=True):
            n = len(rows)
            if n >= FEWEST:
                v = np.array(rows)
                away = (v[:, :3] - np.median(v[:, :3], axis=0)) * np.sqrt(n / (n - 1))
                parts.append((np.full(n, tag), v[:, :3], v[:, 3:6], away, v[:, 6], v[:, 7], v[:, 8]))
    return Lengths(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def half(values: np.ndarray) -> float:
    """Half of the 16-84 % range."""
    return float(np.diff(np.percentile(values, (15.87, 84.13)))[0] / 2.0) if values.size > 9 else np.nan


def fit(found: Lengths) -> str:
    """The numbers for `SCATTER`: likeliest for deviations that are exponential, then scaled to 1 sigma."""
    profile = np.where(np.isfinite(found.concentration), found.concentration, USUAL) - USUAL
    a = np.stack(
        [np.ones(profile.size), np.log(np.maximum(found.snr, FAINTEST)), np.log(found.area), profile], 1
    )
    lines = []
    for k, name in enumerate(NAMES):
        d = np.abs(found.away[:, k])

        def cost(x: np.ndarray, d: np.ndarray = d) -> float:
            return float((d * np.exp(-a @ x) + a @ x).sum())

        best = optimize.minimize(
            cost, [0.0, -0.5, 0.3, 0.0], method="Nelder-Mead", options={"maxfev": 9000}
        ).x
        size = np.exp(best[0]) * half(found.away[:, k] / np.exp(a @ best))
        lines.append(f'"{name}": ({size:.2f}, {best[1]:.2f}, {best[2]:.2f}, {best[3]:.2f}),')
    return "\n".join(lines)


def pulls(found: Lengths) -> str:
    """A table: half the 16-84 % range of deviations over errors, by S/N, by area, by shape."""
    parts = [("all", np.ones(found.snr.size, bool))]
    for what, values, edges in (("mean S/N", found.snr, SNR), ("beam areas", found.area, AREA)):
        for low, high in pairwise(edges):
            told = f"{what} {low:g} to {high:g}" if high < edges[-1] else f"{what} above {low:g}"
            parts.append((told, (values >= low) & (values < high)))
    parts += [(str(tag), found.tag == tag) for tag in sorted(set(found.tag))]
    head = ["segments", "rows"]
    for name in NAMES:
        head += [name, "its error", "pull"]
    lines = []
    for told, rows in parts:
        line = [told, str(int(rows.sum()))]
        for k in range(len(NAMES)):
            line += [f"{np.median(each[rows, k]):.2f}" for each in (found.value, found.error)]
            line.append(f"{half(found.away[rows, k] / found.error[rows, k]):.2f}")
        lines.append(line)
    return table(head, lines)


if __name__ == "__main__":
    print(fit(find_lengths(FIT)))
