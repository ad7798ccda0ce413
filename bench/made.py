"""python -m bench.made: made fields like those of the first data challenge, scored as the challenge does.

Writes bench/made.md, which `python -m bench` puts into bench/RESULTS.md. Every finder is run at several
thresholds and stands in the table at that which earns it most; class and core fraction are the same constants
for all. Catalogues stay in bench/data.
"""

import argparse
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.peers import run
from bench.peers.cost import measure
from bench.peers.machine import machine
from bench.peers.tables import table

HERE = Path(__file__).resolve().parent
DATA = HERE / "data"
CLASS_ID, CORE_FRACTION = 3, 0.0375
FWHM = np.sqrt(8 * np.log(2))
THRESHOLDS = {
    "skysift": (5.0, 4.0, 3.5, 3.0),
    "bdsf": (5.0, 4.0, 3.5, 3.0),
    "aegean": (5.0, 4.0, 3.5, 3.0),
    "sep": (5.0, 4.0, 3.5, 3.0, 2.5, 2.0),
}


@dataclass(frozen=True)
class Made:
    """A made field: what `skysift simulate continuum` is asked for."""

    name: str
    frequency: float  # MHz
    hours: float
    noise_width: float
    artefacts: bool
    seed: int

    def settings(self, size: int) -> list[str]:
        """The --set flags; beam and pixel are those of the challenge at this frequency."""
        beam = 0.6 * 1400.0 / self.frequency
        chosen = {
            "frequency": self.frequency * 1e6,
            "hours": self.hours,
            "n_pixels": size,
            "beam": beam,
            "pixel": 0.4 * beam,
            "noise_width": self.noise_width,
            "artefacts": self.artefacts,
            "random_seed": self.seed,
            "flux_min": 1e-7,
        }
        return [word for key, value in chosen.items() for word in ("--set", f"{key}={value}")]


FIELDS = (
    Made("1400 MHz 1000 h, noise 0.7 beams", 1400.0, 1000.0, 0.7, False, 1),
    Made("560 MHz 100 h, noise 0.7 beams", 560.0, 100.0, 0.7, False, 2),
    Made("560 MHz 100 h, noise 1.0 beams, artefacts", 560.0, 100.0, 1.0, True, 3),
)


def folder_of(field: Made, size: int) -> Path:
    """Where a field and all of its catalogues lie."""
    return DATA / f"made-{field.frequency:g}-{field.hours:g}h-{field.noise_width:g}-{field.seed}-{size}"


def make(field: Made, size: int) -> Path:
    """Paint a field unless it is there; the path of its map."""
    folder = folder_of(field, size)
    if not (folder / "sky").exists():
        folder.mkdir(parents=True, exist_ok=True)
        script = run.command_of_ours(folder, folder)[0]
        command = [script, "simulate", "continuum", "--out", str(folder / "sky"), *field.settings(size)]
        cost = measure(command, folder / "simulate.json", env=run.environment())
        if cost["returncode"]:
            raise SystemExit(f"the field cannot be made: see {folder / 'simulate.log'}")
        print(f"{field.name}: {cost['cpu_s']} CPU s", flush=True)
    return next((folder / "sky").glob("*.fits"))


def find(finder: str, threshold: float, path: Path, folder: Path) -> None:
    """Run a finder unless its catalogue is there."""
    out = folder / f"{finder}-{threshold:g}"
    if (out / "cost.json").exists() and not json.loads((out / "cost.json").read_text())["returncode"]:
        return
    out.mkdir(parents=True, exist_ok=True)
    if finder == "skysift":
        extra = [*run.lean(threshold), "--set", f"grow={min(3.0, threshold - 0.5):g}", "--overwrite"]
        command = run.command_of_ours(path, out / "products", *extra)
    else:
        python = run.VENVS / finder / "bin" / "python"
        command = [str(python), str(run.HERE / "finders.py"), finder, str(path), str(out), f"{threshold:g}"]
    cost = measure(command, out / "cost.json", env=run.environment())
    print(f"{folder.name} {finder} {threshold:g}: {cost['cpu_s']} CPU s", flush=True)
    if cost["returncode"]:
        raise SystemExit(f"{finder} failed: see {out / 'cost.log'}")


def rows_of(finder: str, threshold: float, path: Path, folder: Path) -> dict[str, np.ndarray]:
    """The rows of SDC1 that a finder's catalogue is."""
    from skysift.io.sdc_rows import sdc1_rows
    from skysift.io.tables import read_catalogue

    out = folder / f"{finder}-{threshold:g}"
    if finder == "skysift":
        columns, _ = sdc1_rows(read_catalogue(out / "products").sources)
        return columns
    from astropy.io import fits
    from astropy.wcs import WCS

    header = fits.getheader(path)
    t = np.load(out / "components.npz")
    keep = t["peak"] >= threshold * t["rms"] if finder == "sep" else np.ones(t["x"].size, bool)
    t = {key: t[key][keep] for key in t.files}
    ra, dec = WCS(header).celestial.all_pix2world(t["x"], t["y"], 0)
    pixel = abs(header["CDELT2"]) * 3600.0
    major, minor, pa = deconvolved(t, header, pixel)
    n = ra.size
    return {
        "id": np.arange(n),
        "ra_core": ra,
        "dec_core": dec,
        "ra_cent": ra,
        "dec_cent": dec,
        "flux": t["total"],
        "core_frac": np.full(n, CORE_FRACTION),
        "b_maj": major,
        "b_min": minor,
        "pa": (90.0 - pa) % 180.0,
        "size": np.full(n, 2),
        "class": np.full(n, CLASS_ID),
    }


def deconvolved(
    t: dict[str, np.ndarray], header: object, pixel: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """FWHM axes (arcsec) and angle (deg) without the beam; 0 where nothing is left."""
    from skysift.sky.beam import Beam

    beam = Beam(header["BMAJ"] * 3600.0, header["BMIN"] * 3600.0, header["BPA"])
    names = ("maj", "min", "pa") if "maj" in t else ("a", "b", "angle")
    axes = np.stack([t[names[0]] * pixel, t[names[1]] * pixel, t[names[2]]], axis=1)
    good = np.isfinite(axes).all(axis=1) & (axes[:, 1] > 0)
    out = np.zeros_like(axes)
    for i in np.flatnonzero(good):
        major, minor, pa = axes[i]
        left = Beam(max(major, minor), min(major, minor), pa).deconvolve_or_point(beam)
        out[i] = left.major, left.minor, left.pa
    return out[:, 0], out[:, 1], out[:, 2]


def scored(field: Made, size: int, rows: dict[str, np.ndarray]) -> dict[str, float]:
    """What the rows earn on a field, and how many there are."""
    from skysift.io.sdc_rows import sdc1_truth_rows
    from skysift.io.truth import read_truth
    from skysift.score.sdc1 import score_sdc1

    truth = read_truth(next((folder_of(field, size) / "sky").glob("*truth*")))
    true = sdc1_truth_rows(truth.select(truth.real))
    score = score_sdc1(rows, true[0] if isinstance(true, tuple) else true, field.frequency, whole=True)
    mean = float(np.mean([np.mean(score.terms[k]) for k in ("position", "flux", "b_maj", "b_min")]))
    return {
        "M_s": score.value,
        "N_det": score.n_det,
        "N_match": score.n_match,
        "purity": score.n_match / max(score.n_det, 1),
        "mean": score.points.mean() if score.n_match else np.nan,
        "measured": mean,
    }


def report(size: int) -> str:
    """The page: one table a field."""
    parts = ["## Made fields, scored as data challenge 1\n"]
    parts.append(
        f"Made by `python -m bench.made`; {machine()}; {size} x {size} px, 0.24 arcsec at 1400 MHz. Every finder is run "
        "at seeds of 5, 4, 3.5 and 3 sigma (sep down to 2) and stands here with the best of them, in brackets what it "
        f"earns at 5. Class {CLASS_ID} and core fraction {CORE_FRACTION} for all; sizes are deconvolved, 0 where nothing "
        "is left. `measured` is the mean of position, flux and axes alone. The fields carry the same sky model as "
        "`skysift simulate continuum`; no network was trained on it.\n"
    )
    for field in FIELDS:
        path, folder = make(field, size), folder_of(field, size)
        lines = []
        for finder, thresholds in THRESHOLDS.items():
            earned = {t: scored(field, size, rows_of(finder, t, path, folder)) for t in thresholds}
            best = max(earned, key=lambda t: earned[t]["M_s"])
            s = earned[best]
            cost = json.loads((folder / f"{finder}-{best:g}" / "cost.json").read_text())
            lines.append(
                [
                    finder,
                    f"{best:g}",
                    f"{s['M_s']:.0f} ({earned[5.0]['M_s']:.0f})",
                    f"{s['N_det']}",
                    f"{s['N_match']}",
                    f"{s['purity']:.3f}",
                    f"{s['mean']:.3f}",
                    f"{s['measured']:.3f}",
                    f"{cost['cpu_s']:.1f}",
                ]
            )
        head = ["finder", "threshold", "M_s", "N_det", "N_match", "purity", "mean", "measured", "CPU s"]
        parts += [f"### {field.name}\n", table(head, lines)]
    return "\n".join(parts).rstrip() + "\n"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2048, help="pixels on a side of each field")
    parser.add_argument("--only-write", action="store_true", help="score what has been run before")
    arguments = parser.parse_args()
    if not arguments.only_write:
        subprocess.run([str(HERE / "venvs.sh"), "bdsf", "aegean", "sep"], check=True)
        for field in FIELDS:
            path = make(field, arguments.size)
            for finder, thresholds in THRESHOLDS.items():
                for threshold in thresholds:
                    find(finder, threshold, path, folder_of(field, arguments.size))
    (HERE / "made.md").write_text(report(arguments.size))
    print(f"written: {HERE / 'made.md'}")


if __name__ == "__main__":
    main()
