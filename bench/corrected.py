"""python -m bench.corrected: fluxes that were corrected for the primary beam of a phased-array mosaic.

Writes bench/corrected.md. Every mosaic is the footprint of 36 Gaussian beams, 1500 x 1500 pixels, with isolated
points all over it; a number of them has beams as wide as supposed (bias), the others have beams whose true width
differs from the supposed one (pulls).
"""

from itertools import pairwise
from pathlib import Path
from statistics import NormalDist
from tempfile import TemporaryDirectory

import numpy as np
from scipy.ndimage import gaussian_filter

from bench.peers.tables import table
from skysift.find.run import make_finder, search
from skysift.io.fits import write_image
from skysift.sim.made import painted
from skysift.sim.options import InstrumentOptions
from skysift.sim.primary_beam import primary_beam
from skysift.sky.beam import Beam
from skysift.sky.frame import Frame
from skysift.sky.image import SkyImage

HERE = Path(__file__).resolve().parent
SIZE, PIXEL, FREQUENCY, DISH = 1500, 18.0, 1.3e9, 12.0  # pixels, arcsec, Hz, m
FWHM, RMS, STEP = 4.0, 1e-3, 34  # of the synthesised beam (pixels), Jy/beam, distance of the points (pixels)
WIDTH_ERROR = 0.03
AS_SUPPOSED, OTHERWISE = 6, 16  # mosaics
BINS = (0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 1.01)
KINDS = ("primary beam", "weights")


def frame(size: int) -> Frame:
    """A SIN frame."""
    cards = {"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CRVAL1": 60.0, "CRVAL2": -40.0, "RADESYS": "ICRS"}
    cards |= {
        "CRPIX1": size / 2 + 0.5,
        "CRPIX2": size / 2 + 0.5,
        "CDELT1": -PIXEL / 3600,
        "CDELT2": PIXEL / 3600,
    }
    return Frame.from_cards(cards, (size, size))


def footprint(size: int, x: np.ndarray, y: np.ndarray, wider: float = 0.0) -> np.ndarray:
    """The response of the mosaic at pixels, its beams wider by a part of their width."""
    options = InstrumentOptions(primary_beam="footprint", array="none", diameter=DISH / (1.0 + wider))
    middle = (size - 1) / 2
    return primary_beam(options, FREQUENCY, -(x - middle) * PIXEL, (y - middle) * PIXEL)


def points(size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places of points, and their fluxes: spread in their logarithm from 20 to 400 sigma of the supposed mosaic."""
    y, x = (each.ravel() for each in np.mgrid[STEP / 2 : size : STEP, STEP / 2 : size : STEP])
    x, y = (each + rng.uniform(-4, 4, x.size) for each in (x, y))
    seen = footprint(size, x, y)
    x, y, seen = (each[seen > BINS[0]] for each in (x, y, seen))
    return x, y, RMS * 20.0 * 20.0 ** rng.uniform(0.0, 1.0, x.size) / seen


def apparent(
    size: int, x: np.ndarray, y: np.ndarray, flux: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The map with even noise that shows these fluxes: (y, x) Jy/beam."""
    sigma = FWHM / 2.3548
    noise = gaussian_filter(rng.standard_normal((size, size)), sigma, mode="wrap")
    shape = np.full(x.size, sigma**2)
    gaussians = np.stack([flux, x, y, shape, 0 * shape, shape], axis=1)
    made = SkyImage.from_array(np.zeros((size, size)), beam=Beam(1, 1), pixel_scale=PIXEL)
    return painted(gaussians, made.box) + RMS * noise / noise.std()


def mosaic(folder: Path, seed: int, wider: float, kind: str, size: int = SIZE) -> dict[str, np.ndarray]:
    """What was found of the points of one mosaic, by point; NaN where none was found."""
    rng = np.random.default_rng([seed, 17])
    x, y, flux = points(size, rng)
    data = apparent(size, x, y, flux * footprint(size, x, y, wider), rng)
    place = frame(size)
    row, column = np.mgrid[:size, :size].astype(float)
    response = footprint(size, column, row)
    beam = Beam(FWHM * PIXEL, FWHM * PIXEL)
    given = 3e4 * response**2 if kind == "weights" else response
    path = folder / "given.fits"
    write_image(
        path, place.shape, [given.astype(np.float32)], frame=place, beam=beam, unit="", frequency=FREQUENCY
    )
    if kind == "weights":
        data = data / response
    image = SkyImage.from_array(data, beam=beam, frame=place, frequency=FREQUENCY)
    option = {"weight" if kind == "weights" else "primary_beam": str(path)}
    rows = search(
        image, make_finder("classic", **option, dish=DISH, primary_beam_error=WIDTH_ERROR)
    ).catalogue.components
    apart = np.hypot(rows["x"][:, None] - x, rows["y"][:, None] - y)
    nearest = apart.argmin(axis=0)
    near = apart[nearest, np.arange(x.size)] < 2.0
    out = {"response": footprint(size, x, y), "true": flux, "x_true": x, "y_true": y}
    for name in ("flux", "flux_err", "flux_pb_cal_err", "primary_beam", "x", "y", "x_err", "y_err"):
        out[name] = np.where(near, rows[name][nearest], np.nan)
    return out


def joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The points of several mosaics."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def in_bins(found: dict[str, np.ndarray]) -> list[tuple[str, np.ndarray]]:
    """Name and rows of each bin of the response, and of all."""
    bins = [
        (f"{low:g} to {min(high, 1.0):g}", (found["response"] >= low) & (found["response"] < high))
        for low, high in pairwise(BINS)
    ]
    return [*bins, ("all", found["response"] > 0)]


def bias(found: dict[str, np.ndarray]) -> list[list[str]]:
    """Rows of the table of biases: by bin, the weighted mean of found over true."""
    lines = []
    for name, rows in in_bins(found):
        good = rows & np.isfinite(found["flux"])
        true = found["true"][good]
        ratio, weight = found["flux"][good] / true, (true / found["flux_err"][good]) ** 2
        mean, error = np.average(ratio, weights=weight), weight.sum() ** -0.5
        pull = (found["flux"][good] - true) / found["flux_err"][good]
        moved = np.concatenate(
            [(found[a][good] - found[f"{a}_true"][good]) / found[f"{a}_err"][good] for a in "xy"]
        )
        lines.append(
            [
                name,
                f"{good.sum()} of {rows.sum()}",
                f"{100 * (mean - 1):+.2f} +- {100 * error:.2f}",
                f"{100 * (np.median(ratio) - 1):+.2f}",
                f"{pull.std():.2f}",
                f"{moved.std():.2f}",
            ]
        )
    return lines


def pulls(found: dict[str, np.ndarray]) -> list[list[str]]:
    """Rows of the table of pulls: without the beam's term, with it as for one Gaussian beam, and with it."""
    lines = []
    for name, rows in in_bins(found):
        good = rows & np.isfinite(found["flux"])
        off = found["flux"][good] - found["true"][good]
        alone = (
            -2.0 * np.log(np.minimum(found["primary_beam"][good], 1.0)) * WIDTH_ERROR * found["flux"][good]
        )
        errors = (0.0, alone, found["flux_pb_cal_err"][good])
        width = [np.sqrt(np.mean((off / np.hypot(found["flux_err"][good], each)) ** 2)) for each in errors]
        share = 100 * np.median(found["flux_pb_cal_err"][good] / found["flux"][good])
        lines.append([name, str(good.sum()), f"{share:.1f}", *(f"{each:.2f}" for each in width)])
    return lines


def widths() -> np.ndarray:
    """By how much the true beams are wider: at the quantiles of a normal distribution, scattered as the error says."""
    z = np.array([NormalDist().inv_cdf((k + 0.5) / OTHERWISE) for k in range(OTHERWISE)])
    return WIDTH_ERROR * z / z.std()


def main() -> None:
    """Measure and write."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        exact = {
            kind: joined([mosaic(folder, seed, 0.0, kind) for seed in range(AS_SUPPOSED // 2)])
            for kind in KINDS
        }
        other = joined(
            [mosaic(folder, 100 + k, wider, KINDS[k % 2]) for k, wider in enumerate(widths().tolist())]
        )
    one, several = AS_SUPPOSED // 2, OTHERWISE
    intro = f"""## Fluxes corrected for the primary beam

Made by `python -m bench.corrected`. Mosaics of 36 Gaussian beams (hexagonal, 0.9 deg apart, {DISH:g} m at
{FREQUENCY / 1e9:g} GHz), {SIZE} x {SIZE} px of {PIXEL:g} arcsec, synthesised beam {FWHM:g} px, with isolated points of 20
to 400 sigma (apparent) wherever the response is above {BINS[0]:g}.

Beams as wide as supposed, {one} mosaics of each kind: found over true. Aim: within 1 % in every bin.
"""
    outro = f"""
Beams wider than supposed by a normal error of {100 * WIDTH_ERROR:g} %, one a mosaic, {several} mosaics, half of them
of each kind; the errors are the quantiles of the normal distribution, so that their scatter is the one supposed.
Root mean square of the pulls without the term of the beam, with 2 |ln A| as for one Gaussian beam, and with
`flux_pb_cal_err` where `dish` tells how wide one beam is. Aim of the last: 0.9 to 1.1.
"""
    heads = ["response", "found", "mean - 1, %", "median - 1, %", "pull of flux", "pull of position"]
    parts = [intro]
    for kind, said in zip(KINDS, ("apparent map, `--primary-beam`", "true map, `--weight`"), strict=True):
        parts += [f"{said}:\n", table(heads, bias(exact[kind]))]
    heads = ["response", "n", "flux_pb_cal_err, % (median)", "without", "2 ln A", "flux_pb_cal_err"]
    parts += [outro, table(heads, pulls(other))]
    (HERE / "corrected.md").write_text("\n".join(parts).rstrip() + "\n")
    print((HERE / "corrected.md").read_text())


if __name__ == "__main__":
    main()
