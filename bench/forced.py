"""python -m bench.forced: fluxes at known places: time, bias and pulls, beside Aegean's priorised fitting.

Writes bench/forced.md, which `python -m bench` puts into bench/RESULTS.md. Aegean runs in the environment that
bench/venvs.sh makes, or in that of --aegean, on a corner of the map, for it fits one place after the other.
"""

import argparse
import resource
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from tests import skies

from bench.peers.machine import machine
from bench.peers.run import VENVS
from bench.peers.tables import table
from skysift.find.forced import measure_at
from skysift.find.known import known_points
from skysift.find.noise import Noise, measure_noise
from skysift.io.open import open_image
from skysift.measure.gaussian import paint_gaussians
from skysift.measure.options import ForcedOptions, NoiseOptions
from skysift.sky.image import SkyImage

HERE = Path(__file__).resolve().parent
BEAM = (5.0, 5.0, 0.0)
RMS = 1e-5
LEVELS = (0.0, 3.0, 10.0)
SHARES = (0.8, 0.1, 0.1)
FIELDS = ("island", "source", "background", "local_rms", "ra_str", "dec_str", "ra", "err_ra", "dec", "err_dec",
          "peak_flux", "err_peak_flux", "int_flux", "err_int_flux", "a", "err_a", "b", "err_b", "pa", "err_pa",
          "flags", "residual_mean", "residual_std", "uuid", "psf_a", "psf_b", "psf_pa")  # fmt: skip


def sky(size: int, number: int, kind: str, folder: Path) -> tuple[Path, np.ndarray]:
    """A map with points of 0, 3 and 10 sigma at random places; x, y and peak over rms of each."""
    rng = skies.generator(1, f"forced {kind}")
    x, y = rng.uniform(15, size - 15, (2, number))
    snr = rng.choice(LEVELS, number, p=SHARES)
    data = RMS * skies.correlated_noise((size, size), BEAM, kind, rng)
    variance = (BEAM[0] / skies.FWHM) ** 2
    some = snr > 0
    shape = np.full(int(some.sum()), variance)
    paint_gaussians(np.column_stack([RMS * snr[some], x[some], y[some], shape, 0 * shape, shape]), 0, 0, data)
    path = folder / f"{kind}.fits"
    skies.write(path, data.astype(np.float32), BEAM)
    return path, np.stack([x, y, snr])


def ours(path: Path, truth: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """Flux and error of each place, and CPU seconds: of the noise, of the places."""
    image = open_image(path)
    known = known_points(*image.frame.to_sky(truth[0], truth[1]))
    begun = time.process_time()
    noise: Noise = measure_noise(image, NoiseOptions())
    middle = time.process_time()
    found = measure_at(image, noise, known.on(image), ForcedOptions())
    return np.stack([found.flux_peak, found.flux_peak_err]), [middle - begun, time.process_time() - middle]


def aegean(
    program: str, path: Path, truth: np.ndarray, size: int, folder: Path
) -> tuple[np.ndarray, float, int]:
    """The same of Aegean on the first `size` pixels, NaN where it has no row; CPU seconds; how many places."""
    image: SkyImage = open_image(path)
    inside = (truth[0] < size - 15) & (truth[1] < size - 15)
    cut, corner = truth[:, inside], folder / f"corner-{path.name}"
    with fits.open(path) as hdus:
        header = hdus[0].header
        fits.PrimaryHDU(hdus[0].data[:size, :size], header).writeto(corner, overwrite=True)
    ra, dec = image.frame.to_sky(cut[0], cut[1])
    n = len(ra)
    width = image.beam.major
    columns = {name: np.zeros(n) for name in FIELDS}
    columns |= {name: np.full(n, "a") for name in ("ra_str", "dec_str")}
    columns |= {"island": np.arange(n), "source": np.zeros(n, int), "flags": np.zeros(n, int)}
    columns |= {"uuid": np.array([f"{number}" for number in range(n)])}
    columns |= {"ra": ra, "dec": dec, "local_rms": np.full(n, RMS), "peak_flux": np.full(n, 5 * RMS)}
    columns |= {name: np.full(n, width) for name in ("a", "b", "psf_a", "psf_b")}
    columns["int_flux"] = columns["peak_flux"]
    listed, out = folder / "listed.fits", folder / "aegean.fits"
    Table(columns).write(listed, overwrite=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [program, str(corner), "--priorized", "1", "--input", str(listed), "--table", str(out), "--cores", "1",
               "--forcerms", str(RMS), "--forcebkg", "0"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    made = folder / "aegean_comp.fits"
    if not made.exists():
        raise SystemExit(f"Aegean made no table: {done.stderr[-2000:]}")
    rows = Table.read(made)
    result = np.full((2, n), np.nan)
    number = np.array([int(str(each).strip()) for each in rows["uuid"]])
    result[0, number], result[1, number] = rows["peak_flux"], rows["err_peak_flux"]
    result[1, result[1] <= 0] = np.nan
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return np.concatenate([result, cut[2:]]), spent, n


def lines(name: str, kind: str, found: np.ndarray, snr: np.ndarray, n: int, spent: str) -> list[list[str]]:
    """Rows of the table, one for each S/N."""
    rows = []
    for level in LEVELS:
        mine = snr == level
        bias = (found[0] - RMS * snr)[mine] / RMS
        pull = ((found[0] - RMS * snr) / found[1])[mine]
        good, known = np.isfinite(bias), np.isfinite(pull)
        width = f"{np.std(pull[known]):.3f}" if known.any() else "-"
        mean = f"{np.mean(pull[known]):+.3f} +- {1 / np.sqrt(known.sum()):.3f}" if known.any() else "-"
        rows.append(
            [name, kind, f"{n:,}", f"{level:g}", f"{good.mean():.3f}", f"{np.mean(bias[good]):+.3f}",
             f"{np.std(bias[good]):.2f}", mean, width, spent]
        )  # fmt: skip
    return rows


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--number", type=int, default=100_000)
    parser.add_argument(
        "--corner", type=int, default=1024, help="pixels on a side that Aegean gets; 0 for none"
    )
    parser.add_argument("--aegean", default=str(VENVS / "aegean" / "bin" / "aegean"))
    arguments = parser.parse_args()
    rows, told = [], []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        path, truth = sky(400, 200, "beam", folder)
        ours(path, truth)  # compiled
        for kind in ("convolved", "beam"):
            path, truth = sky(arguments.size, arguments.number, kind, folder)
            found, spent = ours(path, truth)
            rows += lines("skysift", kind, found, truth[2], truth.shape[1], f"{spent[1]:.1f}")
            told.append(
                f"{kind}: {spent[0]:.1f} s of CPU for the noise of the map, {spent[1]:.1f} s for the places"
            )
            if arguments.corner and Path(arguments.aegean).exists():
                theirs, cost, n = aegean(arguments.aegean, path, truth, arguments.corner, folder)
                each = f"{cost:.1f} ({cost / n * truth.shape[1]:.0f} for {truth.shape[1]:,})"
                rows += lines("Aegean --priorized 1", kind, theirs, theirs[2], n, each)
            path.unlink()
    head = ["finder", "noise", "places", "true S/N", "measured", "bias [rms]", "scatter [rms]", "mean pull",
            "width of pulls", "CPU s"]  # fmt: skip
    text = f"""
## Forced fluxes at known places

{arguments.number:,} places at random on {arguments.size} x {arguments.size} px, beam of 5 px; 80 % hold nothing, 10 % a
point of 3 rms, 10 % one of 10. Noise as above. Positions and shapes are held. Aegean gets a corner of
{arguments.corner} x {arguments.corner} px with the true rms and background, so that its time is that of the fits; its
start is 5 rms everywhere. {machine()}; one thread. {". ".join(told)}.

"""
    (HERE / "forced.md").write_text(text + table(head, rows) + "\n")
    print((HERE / "forced.md").read_text())


if __name__ == "__main__":
    main()
