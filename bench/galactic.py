"""python -m bench.galactic: made fields of the Galactic plane beside the real ATCA fields.

Writes bench/galactic.md (numbers) and docs/_static/made_galactic.png (maps, histograms of pixels, power
spectra, counts, sizes). Needs the real maps: the folder SKYSIFT_DATA, or ../shared/data.
"""

import os
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.colors import AsinhNorm
from matplotlib.figure import Figure

import skysift
from bench.peers.tables import table

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("SKYSIFT_DATA", HERE.parents[1] / "shared" / "data")) / "continuum"
REAL = ("ATCA_ScorpioS17Field", "ATCA_ScorpioExtendedSourceField")
SEEDS = (2, 3)
COLOURS = {"real": "#c2452d", "made": "#2d6cc2"}


def images() -> list[tuple[str, str, object]]:
    """(kind, name, image) of real and made maps, with the same pixels, beam, frequency and size."""
    maps = [("real", name, skysift.open(str(DATA / f"{name}.fits"))) for name in REAL]
    rms = np.median([robust(image.read()) for _, _, image in maps])
    for seed in SEEDS:
        ((image, _),) = skysift.simulate(
            "galactic", random_seed=seed, n_pixels=1000, frequency=1.44746e9, rms=float(rms), crowding=2.0
        )
        maps.append(("made", f"galactic, seed {seed}", image))
    return maps


def robust(data: np.ndarray) -> float:
    """Noise (Jy/beam): from differences of pixels some beams apart, which emission hardly changes."""
    apart = data[:, 12:] - data[:, :-12]
    low, high = np.nanpercentile(apart, (25, 75))
    return float((high - low) / 1.349 / np.sqrt(2))


def spectrum(data: np.ndarray, pixel: float) -> tuple[np.ndarray, np.ndarray]:
    """Wavenumber (1/arcmin) and mean power of the map in rings, after a Hann window."""
    n = min(data.shape)
    window = np.hanning(n)[:, None] * np.hanning(n)[None, :]
    part = data[:n, :n] - np.median(data)
    power = np.abs(np.fft.rfft2(part * window)) ** 2 / np.sum(window**2)
    k = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)[None, :]) / (pixel / 60.0)
    edges = np.geomspace(60.0 / (n * pixel), 0.5 * 60.0 / pixel, 31)
    ring = np.digitize(k.ravel(), edges) - 1
    good = (ring >= 0) & (ring < 30)
    total = np.bincount(ring[good], power.ravel()[good], 30)
    count = np.bincount(ring[good], minlength=30)
    return np.sqrt(edges[1:] * edges[:-1])[count > 0], (total / np.maximum(count, 1))[count > 0]


def main() -> None:
    """Measure, draw, write."""
    mpl.use("Agg")
    figure = Figure(figsize=(14, 8), layout="constrained")
    tops = figure.subplots(2, 4, gridspec_kw={"height_ratios": [1, 1]})
    lines = []
    for axes, (kind, name, image) in zip(tops[0], images(), strict=True):
        data = np.nan_to_num(np.asarray(image.read(), float))
        rms = robust(data)
        catalogue = skysift.find(image)
        axes.imshow(data / rms, norm=AsinhNorm(3, vmin=-5, vmax=300), cmap="inferno", origin="lower")
        axes.set_title(f"{name} ({kind})", fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])
        style = {
            "color": COLOURS[kind],
            "label": name,
            "ls": "-" if name in (REAL[0],) or name.endswith("2") else "--",
        }
        values = np.sort(data.ravel() / rms)
        tops[1, 0].hist(
            values, np.linspace(-8, 40, 97), histtype="step", density=True, **without_label(style)
        )
        k, power = spectrum(data / rms, image.frame.scale[1])
        tops[1, 1].loglog(k, power, **style)
        s = np.sort(catalogue.components["flux"])[::-1] * 1e3
        tops[1, 2].loglog(s, np.arange(1, s.size + 1), **style)
        sizes = catalogue.islands["n_beams"]
        tops[1, 3].loglog(np.sort(sizes)[::-1], np.arange(1, sizes.size + 1), **style)
        slope = np.polyfit(np.log(k[(k > 0.1) & (k < 2)]), np.log(power[(k > 0.1) & (k < 2)]), 1)[0]
        lines.append(
            [
                name,
                f"{rms * 1e3:.3f}",
                *(f"{v:.1f}" for v in np.percentile(values, (1, 50, 90, 99, 99.9))),
                f"{slope:.2f}",
                f"{len(catalogue.components)}",
                f"{int(np.sum(catalogue.components['snr'] > 20))}",
                f"{np.median(s):.2f}",
                f"{np.median(sizes):.1f}",
                f"{np.percentile(sizes, 95):.0f}",
                f"{sizes.max():.0f}",
            ]
        )
        print(lines[-1], flush=True)
    tops[1, 0].set(yscale="log", xlabel="pixel / rms", ylabel="density")
    tops[1, 1].set(xlabel="1 / arcmin", ylabel="power / rms$^2$")
    tops[1, 1].legend(fontsize=7)
    tops[1, 2].set(xlabel="flux of component (mJy)", ylabel="components above")
    tops[1, 3].set(xlabel="area of island (beams)", ylabel="islands above")
    figure.savefig(HERE.parent / "docs" / "_static" / "made_galactic.png", dpi=90)
    head = ["map", "rms, mJy/beam", "1 %", "50 %", "90 %", "99 %", "99.9 % of pixel / rms", "slope of power"]
    head += ["components", "above 20 sigma", "median flux, mJy", "island, beams: median", "95 %", "largest"]
    text = (
        "## Made Galactic fields beside real ones\n\nMade by `python -m bench.galactic`; the picture is "
        "docs/_static/made_galactic.png. Same pixels, beam, frequency and noise; searched with the defaults. The slope "
        f"is that of the power spectrum from 0.1 to 2 per arcmin.\n\n{table(head, lines)}"
    )
    (HERE / "galactic.md").write_text(text.rstrip() + "\n")


def without_label(style: dict) -> dict:
    """The style of a curve that is not told again."""
    return {key: value for key, value in style.items() if key != "label"}


if __name__ == "__main__":
    main()
