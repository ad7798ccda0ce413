"""Matching a million rows against a million: CPU seconds, peak memory, and how many pairs are the true ones.

``python -m bench.match_speed [ROWS] [--files]`` prints a table in Markdown. Each case runs in a process of its
own. ``--files`` goes through FITS tables and the command line, reading and writing included.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

FIELD = 20.0  # degrees along a side
SIGMA = 0.5  # arcsec per axis and catalogue
KINDS = ("nearest", "one-to-one", "ellipse", "likelihood")


def made(rows: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Two catalogues of one sky: 80 % of the rows of each are in both, with errors; the rest are its own."""
    rng = np.random.default_rng(1)
    common = int(0.8 * rows)
    ra, dec = rng.uniform(0, FIELD, common), rng.uniform(-FIELD / 2, FIELD / 2, common)
    flux = 1e-4 * rng.pareto(1.2, common) + 1e-4
    sides = []
    for factor in (1.0, 1.5):
        own = rows - common
        there = dec + rng.normal(0, SIGMA, common) / 3600
        here = ra + rng.normal(0, SIGMA, common) / 3600 / np.cos(np.radians(dec))
        order = rng.permutation(rows)
        columns = {
            "ra": np.concatenate([here, rng.uniform(0, FIELD, own)])[order],
            "dec": np.concatenate([there, rng.uniform(-FIELD / 2, FIELD / 2, own)])[order],
            "flux": np.concatenate([flux * factor, 1e-4 * rng.pareto(1.2, own) + 1e-4])[order],
            "truth": np.concatenate([np.arange(common), np.full(own, -1)])[order],
        }
        sides.append(columns)
    return sides[0], sides[1]


def entries(columns: dict[str, np.ndarray], name: str, frequency: float):
    from skysift.match.entries import Entries

    flux = columns["flux"]
    return Entries.from_columns(
        name, columns["ra"], columns["dec"], ra_err=SIGMA, dec_err=SIGMA, flux=flux, flux_err=0.05 * flux,
        rms=2e-5, frequency=frequency, major=8.0, minor=6.0, pa=30.0,
    )  # fmt: skip


def run(kind: str, rows: int) -> dict[str, float]:
    """The cost of one matching from arrays to the table of all rows, chance, offsets and indices included."""
    import skysift

    left, right = made(rows)
    one, other = entries(left, "A", 1.4e9), entries(right, "B", 8.4e8)
    small = np.arange(1000)
    skysift.match(one.take(small), other.take(small), kind=kind)  # kernels are loaded
    begin = time.process_time()
    match = skysift.match(one, other, kind=kind)
    spent = time.process_time() - begin
    both = (match["row_1"] >= 0) & (match["row_2"] >= 0)
    a, b = left["truth"][match["row_1"][both]], right["truth"][match["row_2"][both]]
    return told(spent, int(both.sum()), float(np.mean((a == b) & (a >= 0))), match.joins[0].chance.rate)


def run_files(rows: int) -> dict[str, float]:
    """The cost of ``skysift match a.fits b.fits --out ab.fits`` in a process of its own."""
    from skysift.sky import schema
    from skysift.sky.catalogue import Catalogue
    from skysift.sky.table import Table

    with tempfile.TemporaryDirectory() as folder:
        for name, columns in zip("ab", made(rows), strict=True):
            blank = {"float64": np.nan, "int64": 0, "bool": False, "str": ""}
            filled = {each.name: np.full(rows, blank[each.dtype]) for each in schema.columns("sources")}
            filled |= {key: columns[key] for key in ("ra", "dec", "flux")}
            filled |= {
                "source_id": np.arange(1, rows + 1),
                "major": np.full(rows, 8.0),
                "minor": np.full(rows, 6.0),
            }
            table = Table("sources", filled)
            catalogue = Catalogue(Table.empty("islands"), table, Table.empty("components"))
            catalogue.write(Path(folder) / f"{name}.fits")
            del filled, table, catalogue
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "skysift", "match", "a.fits", "b.fits", "--out", "ab.fits"]
        wrapped = f"import resource,subprocess; subprocess.run({command!r}, check=True, stdout=subprocess.DEVNULL); "
        wrapped += "u = resource.getrusage(resource.RUSAGE_CHILDREN); print(u.ru_maxrss)"
        done = subprocess.run(
            [sys.executable, "-c", wrapped], cwd=folder, check=True, capture_output=True, text=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {
            "cpu": spent,
            "mib": int(done.stdout) / 1024,
            "pairs": np.nan,
            "true": np.nan,
            "chance": np.nan,
        }


def told(spent: float, pairs: int, true: float, chance: float) -> dict[str, float]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu": spent, "mib": peak, "pairs": pairs, "true": true, "chance": chance}


def main() -> None:
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    if words and words[0] in (*KINDS, "files"):
        rows = int(words[1])
        print(json.dumps(run_files(rows) if words[0] == "files" else run(words[0], rows)))
        return
    rows = int(words[0]) if words else 1_000_000
    cases = [*KINDS, *(["files"] if "--files" in sys.argv else [])]
    print(
        "## Matching a million rows\n\n"
        f"Matching {rows:,} rows against {rows:,}; errors {SIGMA} arcsec per axis, {FIELD:g} x {FIELD:g} degrees.\n"
    )
    print("| kind | CPU s | peak MiB | pairs | true pairs | expected by chance |")
    print("|---|---|---|---|---|---|")
    for case in cases:
        command = [sys.executable, "-m", "bench.match_speed", case, str(rows)]
        got = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        name = "command line, one-to-one, FITS in and out" if case == "files" else case
        print(
            f"| {name} | {got['cpu']:.1f} | {got['mib']:.0f} | {got['pairs']:,.0f} | {got['true']:.4f} "
            f"| {got['chance']:.4f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
