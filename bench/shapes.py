"""python -m bench.shapes: fluxes and lengths of segments against what was made, from noise to noise, and what they cost.

Writes bench/shapes.md. Discs, rings and Gaussians of a known flux lie in noise that is correlated like the beam (FWHM
5 pixels), with the pixels of their segment given: all within 2 beams of the isophote of a hundredth of the peak, and a
rim of 1.25 beams. The level that is taken off comes from 2.5 to 5 beams around. Lengths are those of the shapes of
bench/morphology.py, their pixels found anew in each of eight noises, above 2.5 sigma of the map smoothed with the beam.
"""

import time
from pathlib import Path

import numpy as np
from scipy import ndimage

from bench.lengths import TRY, find_lengths, pulls
from bench.morphology import AREA, FWHM, SIGMA, TAGS, observe, own_model
from bench.noise import noise_like
from bench.peers.tables import table
from skysift.find.extended.fluxes import INNER, OUTER, RIM
from skysift.measure import form
from skysift.measure.form import measure_forms
from skysift.measure.morphology import segment_shapes
from skysift.measure.segment import measure_segments

HERE = Path(__file__).resolve().parent
BEAM = np.array([SIGMA**2, 0.0, SIGMA**2])
REACH = int(np.ceil(5 * SIGMA))
LAGS = np.stack(np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1], axis=-1).reshape(-1, 2)
CORRELATION = np.exp(-(LAGS**2).sum(axis=1) / (4 * SIGMA**2))
STEP, ROWS = 128, 6
SEGMENTS = """
Errors of lengths: the same kinds of shapes, others than those that the errors were fitted to (`python -m bench.lengths`),
found by the finder `extended` in ten noises each. Medians of length and error, in beams, and half the 16-84 % range of
the deviations from the median over the noises, over the errors:
"""
BINS = ((1.0, 4.0), (4.0, 7.0), (7.0, 12.0), (12.0, 100.0))


def light(kind: str, size: float) -> np.ndarray:
    """A shape seen with the beam, its peak 1."""
    y, x = np.mgrid[:STEP, :STEP] - STEP / 2
    r = np.hypot(x, y)
    flat = {
        "disc": (r < size) * 1.0,
        "ring": ((r < size) & (r > 0.7 * size)) * 1.0,
        "gaussian": np.exp(-(x**2 + 1.8 * y**2) / (2 * (0.45 * size) ** 2)),
    }[kind]
    seen = ndimage.gaussian_filter(flat, SIGMA)
    return seen / seen.max()


def fluxes(seed: int = 31, noises: int = 12) -> str:
    """A table: ratios to the true flux, pulls, and pulls of the level."""
    rng = np.random.default_rng(seed)
    rows = []
    for kind in ("disc", "ring", "gaussian"):
        for snr in (1.5, 5.0, 30.0):
            shapes = [light(kind, size) for size in np.linspace(10, 26, ROWS * ROWS)]
            model = np.block([shapes[k : k + ROWS] for k in range(0, len(shapes), ROWS)])
            mask = ndimage.distance_transform_edt(model < 0.01) <= 2 * FWHM
            labels = np.where(
                mask, np.arange(1, len(shapes) + 1).reshape(ROWS, ROWS).repeat(STEP, 0).repeat(STEP, 1), 0
            )
            true = snr * np.array([shape.sum() for shape in shapes]) / AREA
            ratio, pull, level = [], [], []
            for _ in range(noises):
                data = (snr * model + 0.4 + noise_like(model.shape, rng)).astype(np.float32)
                zero = np.zeros_like(data)
                found = measure_segments(
                    data, zero, zero + 1, labels.astype(np.int32), labels < 0, 0, 0, np.arange(1, len(shapes) + 1), AREA,
                    LAGS, CORRELATION, INNER * FWHM, OUTER * FWHM, RIM * FWHM,
                )  # fmt: skip
                ratio.append(found.flux_int.sum() / true.sum())
                pull.append((found.flux_int - true) / found.flux_int_err)
                level.append((found.background - 0.4) / found.background_err)
            error = np.std(ratio) / np.sqrt(noises)
            rows.append(
                [
                    kind,
                    f"{snr:g}",
                    f"{np.mean(ratio):.4f} ± {error:.4f}",
                    f"{np.mean(pull):.2f}",
                    f"{np.std(pull):.2f}",
                ]
                + [f"{np.mean(level):.2f}", f"{np.std(level):.2f}"]
            )
    return table(
        ["shape", "peak S/N", "flux / true", "pull", "its scatter", "level: pull", "its scatter"], rows
    )


def lengths(seed: int = 32, each: int = 16, noises: int = 8) -> str:
    """A table: by how much lengths scatter from noise to noise, in beams."""
    rng = np.random.default_rng(seed)
    found = []
    for tag in TAGS:
        for _ in range(each):
            model = own_model(tag, 3 * 33 ** rng.uniform(), rng)
            brightness = 1.5 * 20 ** rng.uniform()
            rows = []
            for _ in range(noises):
                data, mask = observe(model, brightness, rng, SIGMA, 2.5)
                if mask.sum() < AREA:
                    continue
                plane = data.astype(np.float32)
                zero = np.zeros_like(plane)
                rows.append(
                    measure_forms(
                        plane, zero, zero + 1, mask.astype(np.int32), 0, 0, np.array([1]), BEAM
                    ).rows[0]
                )
            if len(rows) > 5:
                wanted = np.array(rows)[:, [form.SNR, form.EXTENT, form.LENGTH, form.WIDTH]]
                found.append([wanted[:, 0].mean(), *wanted[:, 1:].std(axis=0, ddof=1) / FWHM])
    values = np.array(found)
    rows = []
    for low, high in BINS:
        mine = values[(values[:, 0] >= low) & (values[:, 0] < high)]
        if len(mine):
            rms = np.sqrt((mine[:, 1:] ** 2).mean(axis=0))
            rows.append([f"{low:g} to {high:g}", str(len(mine)), *(f"{value:.2f}" for value in rms)])
    return table(["mean S/N of a pixel", "shapes", "extent", "along the ridge", "width"], rows)


def cost() -> str:
    """A sentence: milliseconds a segment."""
    rng = np.random.default_rng(33)
    y, x = np.mgrid[: 10 * STEP, : 10 * STEP]
    r = np.hypot(y % STEP - STEP / 2, x % STEP - STEP / 2)
    labels = np.where(r < 18, y // STEP * 10 + x // STEP + 1, 0).astype(np.int32)
    data = (noise_like(labels.shape, rng) + 3 * (labels > 0)).astype(np.float32)
    members = np.arange(1, 101)
    giant = (np.hypot(*(np.mgrid[:2000, :2000] - 1000)) < 900).astype(np.int32)
    plane = noise_like(giant.shape, rng).astype(np.float32) + 3 * giant.astype(np.float32)

    def seconds(data: np.ndarray, labels: np.ndarray, members: np.ndarray) -> tuple[float, float]:
        zero, blocked = np.zeros_like(data), np.zeros(data.shape, bool)
        begun = time.perf_counter()
        measure_segments(
            data, zero, zero + 1, labels, blocked, 0, 0, members, AREA, LAGS, CORRELATION, INNER * FWHM, OUTER * FWHM,
            RIM * FWHM,
        )  # fmt: skip
        between = time.perf_counter()
        segment_shapes(data, zero, zero + 1, labels, 0, 0, members, BEAM)
        return between - begun, time.perf_counter() - between

    small = np.min([seconds(data, labels, members) for _ in range(3)], axis=0)
    large = np.min([seconds(plane, giant, np.array([1])) for _ in range(2)], axis=0)
    n, (flux, shape) = int((labels == 1).sum()), 10 * small
    return (
        f"A disc of {n} pixels ({n / AREA:.0f} beams) costs {flux:.2f} ms for its flux and {shape:.2f} ms "
        f"for its shape, one of {giant.sum() / 1e6:.1f} million pixels {large[0]:.2f} s and {large[1]:.2f} s.\n"
    )


if __name__ == "__main__":
    told = (__doc__ or "").split("bench/shapes.md. ", 1)[1].replace("\n", " ").strip()
    parts = ["## Fluxes and lengths of segments", told, fluxes(), "Scatter of lengths, rms, in beams (FWHM):"]
    parts.append(lengths())
    parts += [SEGMENTS, pulls(find_lengths(TRY)), cost()]
    (HERE / "shapes.md").write_text("\n\n".join(part.strip() for part in parts) + "\n")
