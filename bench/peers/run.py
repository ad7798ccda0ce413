"""Run every finder on every made sky, one process at a time; catalogues and costs stay in bench/data."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.peers.cost import measure
from bench.peers.fields import PIXEL, Field

HERE = Path(__file__).resolve().parent
VENVS = HERE.parent / ".venvs"
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Run:
    """A finder at a threshold (peak over rms); `cut` is the threshold that its list stands for by default."""

    finder: str
    threshold: float
    cut: float | None = None

    @property
    def name(self) -> str:
        """The folder's name inside a field's folder."""
        return f"{self.finder}-{self.threshold:g}"

    def folder(self, field: Field) -> Path:
        """Where the catalogue of this run on this field lies."""
        return field.folder / self.name


# sep and photutils are filtered after detection: one run at 4 holds the list at 5.
PEERS = (
    Run("sep", 4, cut=5),
    Run("photutils", 4, cut=5),
    Run("bdsf", 5),
    Run("bdsf", 4.5),
    Run("aegean", 5),
    Run("aegean", 4.5),
)
OURS = (Run("skysift", 5), Run("skysift", 4.5))
CATALOGUE = {"x": "x", "y": "y", "peak": "flux_peak", "total": "flux", "rms": "rms"}


def command_of_ours(path: Path, out: Path, *extra: str) -> list[str]:
    """The command line of skysift in this checkout's environment."""
    script = Path(sys.executable).with_name("skysift")
    start = [str(script)] if script.exists() else [sys.executable, "-m", "skysift"]
    return [*start, "find", str(path), "--out", str(out), "--workers", "1", *extra]


def lean(threshold: float) -> list[str]:
    """Catalogue, background and rms only."""
    maps = ["--no-report", "--maps", "background,rms", "--format", "fits"]
    return [*maps, "--set", f"seed={threshold:g}"]


def environment() -> dict[str, str]:
    """Finds the package in the checkout where it is not installed."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))}


def run_peer(run: Run, field: Field) -> None:
    """Run one peer unless its catalogue is there."""
    folder = run.folder(field)
    if (folder / "components.npz").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    python = VENVS / run.finder / "bin" / "python"
    arguments = [str(field.folder / "map.fits"), str(folder), str(run.threshold)]
    cost = measure([str(python), str(HERE / "finders.py"), run.finder, *arguments], folder / "cost.json")
    report(field, run.name, cost)
    if cost["returncode"]:
        raise SystemExit(f"{run.name} failed on {field.name}: see {folder / 'cost.log'}")


def run_ours(run: Run, field: Field) -> None:
    """Run skysift warm; its catalogue in the common columns."""
    folder = run.folder(field)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = command_of_ours(field.folder / "map.fits", folder / "products", *lean(run.threshold))
    cost = measure(command, folder / "cost.json", env=environment())
    report(field, run.name, cost)
    if cost["returncode"]:
        raise SystemExit(f"skysift failed on {field.name}: see {folder / 'cost.log'}")
    for table in ("components", "sources"):
        columns = read_ours(folder / "products" / f"{table}.fits", field.folder / "map.fits")
        np.savez(folder / f"{table}.npz", **columns)
    for name in ("background.fits", "rms.fits"):
        (folder / "products" / name).unlink(missing_ok=True)


def read_ours(path: Path, image: Path) -> dict[str, np.ndarray]:
    """A table of skysift in the common columns (px, Jy/beam, Jy); sizes in px, angle on the image."""
    from astropy.io import fits
    from astropy.table import Table
    from astropy.wcs import WCS

    t, wcs = Table.read(path), WCS(fits.getheader(image))
    out = {k: np.asarray(t[v], float) for k, v in CATALOGUE.items()}
    out |= {f"e_{k}": np.asarray(t[f"{v}_err"], float) for k, v in CATALOGUE.items() if k != "rms"}
    out["gauss"], out["e_gauss"] = (np.asarray(t[c], float) for c in ("flux_int", "flux_int_err"))
    for k, v in (("maj", "major"), ("min", "minor")):
        out[k], out[f"e_{k}"] = np.asarray(t[v]) / PIXEL, np.asarray(t[f"{v}_err"]) / PIXEL
    (ra, dec), (ra_up, dec_up) = (wcs.all_pix2world(out["x"], out["y"] + d, 0) for d in (0, 0.5))
    up = np.rad2deg(np.arctan2((ra_up - ra) * np.cos(np.deg2rad(dec)), dec_up - dec))  # of +y, east of north
    out["pa"], out["e_pa"] = np.asarray(t["pa"], float) - up, np.asarray(t["pa_err"], float)
    out["flags"], out["resolved"] = np.asarray(t["flags"], float), np.asarray(t["resolved"], float)
    return out


@contextlib.contextmanager
def empty_cache():
    """Settings with an empty cache folder, so that kernels are compiled anew."""
    with tempfile.TemporaryDirectory() as folder:
        yield {**environment(), "SKYSIFT_CACHE": folder}


def run_extras(field: Field) -> None:
    """Costs of skysift with an empty cache, with all maps, and with maps and page, on one field."""
    folder = field.folder / "skysift-extras"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    path = field.folder / "map.fits"
    with empty_cache() as env:
        cost = measure(command_of_ours(path, folder / "cold", *lean(5)), folder / "cold.json", env=env)
        report(field, "skysift cold", cost)
    variants = {
        "tables": ["--no-report", "--maps", "none", "--format", "fits"],
        "maps": ["--no-report", "--maps", "all", "--format", "fits"],
        "everything": ["--report", "--maps", "all", "--format", "fits,votable,parquet,csv"],
    }
    for name, extra in variants.items():
        command = command_of_ours(path, folder / name, *extra)
        cost = measure(command, folder / f"{name}.json", env=environment())
        report(field, f"skysift {name}", cost)
        shutil.rmtree(folder / name, ignore_errors=True)
    shutil.rmtree(folder / "cold", ignore_errors=True)


def warm_up(field: Field) -> None:
    """Fill the kernel cache, so that the measured runs do not compile."""
    with tempfile.TemporaryDirectory() as out:
        command = command_of_ours(field.folder / "map.fits", Path(out) / "out", *lean(5))
        subprocess.run(command, env={**os.environ, **environment()}, check=True, capture_output=True)


def report(field: Field, name: str, cost: dict) -> None:
    """One line for the person who waits."""
    state = "failed, " if cost["returncode"] else ""
    numbers = f"{cost['cpu_s']} CPU s, {cost['wall_s']} s, {cost['peak_mib']:.0f} MiB"
    print(f"{field.name} {name}: {state}{numbers}", flush=True)
