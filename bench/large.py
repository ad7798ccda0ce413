"""A map of 32768 x 32768 pixels: memory, CPU time against one of 4096 x 4096, and a run that is killed and continued.

``python -m bench.large [--folder DIR] [--size N] [--times N] [--only make|cost|resume]`` makes the maps in a
folder for passing things, measures, removes them unless ``--keep`` is given, and prints a page in Markdown
(kept as bench/large.md). Needs 4.1 GiB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tests import skies

from bench.peers.cost import measure
from bench.peers.fields import PIXEL, Field
from bench.peers.machine import machine
from bench.peers.run import environment
from skysift.flow.products import checksum
from skysift.io.fits import write_image
from skysift.io.open import open_image
from skysift.sky.box import Box

TABLES = ("islands.fits", "sources.fits", "components.fits")
LEAN = ("--maps", "none", "--workers", "2")


def make(small: Path, large: Path, size: int, times: int) -> None:
    """A made sky, and a map that shows it `times` x `times` times, written row by row."""
    if not small.exists():
        shape, field = (size, size), Field("round", "convolved", "mixed", 1, size)
        scale = (size / 4096) ** 2
        counts = {"n_points": 6000, "n_extended": 600, "n_doubles": 300, "n_discs": 100}
        sources = skies.population(
            shape, field.beam_px, seed=1, **{k: round(v * scale) for k, v in counts.items()}
        )
        image, _ = skies.paint(shape, field.beam_px, noise=field.noise, sources=sources, seed=1)
        skies.write(small, image, field.beam_px, pixel_arcsec=(PIXEL, PIXEL))
    if not large.exists():
        image = open_image(small)
        pixel, wide = PIXEL / 3600.0, size * times
        cards = [
            ("CTYPE1", "RA---SIN", ""), ("CRPIX1", wide / 2 + 0.5, ""), ("CRVAL1", 180.0, ""), ("CDELT1", -pixel, ""),
            ("CTYPE2", "DEC--SIN", ""), ("CRPIX2", wide / 2 + 0.5, ""), ("CRVAL2", -30.0, ""), ("CDELT2", pixel, ""),
        ]  # fmt: skip
        bands = (
            np.tile(image.read(Box(y, y + 1, 0, size)), (1, times)) for _ in range(times) for y in range(size)
        )
        write_image(large, (wide, wide), bands, beam=image.beam, unit="Jy/beam", cards=cards)


def command(path: Path, out: Path, *extra: str) -> list[str]:
    """The command line that is measured."""
    return [sys.executable, "-m", "skysift", "find", str(path), "--out", str(out), *LEAN, *extra]


def cost(path: Path, out: Path) -> dict:
    """What a run costs; its products stay in `out`."""
    shutil.rmtree(out, ignore_errors=True)
    got = measure(command(path, out), out.with_name(out.name + ".json"), env=environment())
    if got["returncode"]:
        raise SystemExit(out.with_name(out.name + ".log").read_text())
    manifest = json.loads((out / "manifest.json").read_text())
    return got | {"counts": manifest["counts"], "seconds": manifest["seconds"]}


def broken(path: Path, out: Path, after: float) -> dict:
    """A run without its page, killed after some seconds (SIGKILL), then the same command again: what that cost."""
    shutil.rmtree(out, ignore_errors=True)
    first = subprocess.Popen(
        ["nice", "-n", "10", *command(path, out, "--no-report")], env={**os.environ, **environment()}
    )
    time.sleep(after)
    first.send_signal(signal.SIGKILL)
    first.wait()
    kept = sum(each.stat().st_size for each in (out / ".partial").rglob("*") if each.is_file())
    again = command(path, out, "--no-report")
    got = measure(again, out.with_name(out.name + ".json"), env=environment())
    if got["returncode"]:
        raise SystemExit(out.with_name(out.name + ".log").read_text())
    return got | {
        "after": after,
        "kept_mib": kept / 2**20,
        "log": out.with_name(out.name + ".log").read_text(),
    }


def same(one: Path, other: Path) -> bool:
    """Whether the tables and regions of two runs are the same bytes."""
    return all(checksum(one / name) == checksum(other / name) for name in (*TABLES, "regions.reg"))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "skysift-large")
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--times", type=int, default=8)
    parser.add_argument("--only", choices=["make", "cost", "resume"])
    parser.add_argument("--keep", action="store_true", help="leave the maps and products where they are")
    arguments = parser.parse_args()
    folder, times, wide = arguments.folder, arguments.times, arguments.size * arguments.times
    folder.mkdir(parents=True, exist_ok=True)
    small, large = folder / "small.fits", folder / "large.fits"
    make(small, large, arguments.size, times)
    if arguments.only != "make":
        record = folder / "record.json"
        told = json.loads(record.read_text()) if record.exists() else {}
        if arguments.only != "resume":
            cost(small, folder / "small")  # compiles and warms the files
            told["small"] = cost(small, folder / "small")
            told["large"] = cost(large, folder / "whole")
        if arguments.only != "cost":
            after = random.uniform(0.1, 0.9) * told["large"]["wall_s"]
            told["resumed"] = broken(large, folder / "broken", after)
            told["resumed"]["same"] = same(folder / "whole", folder / "broken")
        record.write_text(json.dumps(told, indent=1))
        print(page(told, wide, arguments.size, times))
    if not arguments.keep:
        shutil.rmtree(folder)


def page(told: dict, wide: int, size: int, times: int) -> str:
    """The measurements as Markdown."""
    lines = [
        f"## A map of {wide} x {wide} pixels\n",
        f"{machine()}. A made sky of {size} x {size} pixels, shown {times} x {times} times in one file.\n",
        "`skysift find --maps none --workers 2`.\n",
        "| map | CPU s | wall s | peak PSS MiB | islands | components |",
        "|---|---|---|---|---|---|",
    ]
    for name, side in (("small", size), ("large", wide)):
        got = told[name]
        lines.append(
            f"| {side} x {side} | {got['cpu_s']:.1f} | {got['wall_s']:.1f} | {got['peak_mib']:.0f} "
            f"| {got['counts']['islands']:,} | {got['counts']['components']:,} |"
        )
    ratio = told["large"]["cpu_s"] / told["small"]["cpu_s"] / times**2
    lines.append(f"\nCPU time of the large map over {times**2} times that of the small one: {ratio:.2f}.")
    stages = ", ".join(f"{name} {spent:.0f}" for name, spent in told["large"]["seconds"].items())
    lines.append(f"Wall seconds by stage of the large map: {stages}.")
    if "resumed" in told:
        got = told["resumed"]
        lines.append(
            f"\nKilled (SIGKILL) after {got['after']:.0f} s with {got['kept_mib']:.0f} MiB kept; the same command then "
            f"took {got['wall_s']:.0f} s wall and {got['cpu_s']:.0f} s CPU; tables and regions "
            f"{'are the same bytes' if got['same'] else 'DIFFER'}."
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
