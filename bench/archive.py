"""python -m bench.archive [ROWS]: how fast catalogues go onto the shelf, and how long cones in them take (SQLite).

Positions are even over the sky. A cone is asked as a user asks: the text is compiled, run, and its rows are read.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.peers.machine import machine
from bench.peers.tables import table
from skysift.archive.adql.compile import compile_query
from skysift.archive.fields import Field, HeldTable
from skysift.archive.policy import LOCAL
from skysift.archive.query import run_query
from skysift.archive.shelf import Shelf
from skysift.archive.sources import RowSource
from skysift.archive.store import store_rows
from skysift.io.sql import connect, database_url

HERE = Path(__file__).resolve().parent
CONES = 300
BLOCK = 100_000
FIELDS = (
    Field("id", "long", column="c1"),
    Field("ra", "double", unit="deg", ucd="pos.eq.ra;meta.main", column="c2"),
    Field("dec", "double", unit="deg", ucd="pos.eq.dec;meta.main", column="c3"),
    Field("flux", "double", unit="Jy", column="c4"),
)


@dataclass(frozen=True)
class _Places:
    """Tables are found by name: there is one."""

    held: HeldTable

    def find(self, schema: str, name: str) -> HeldTable | None:
        return self.held if (schema, name) == ("bench", "sky") else None

    def names(self) -> list[str]:
        return ["bench.sky"]


def made(rows: int) -> Iterator[list[Sequence[Any]]]:
    """Blocks of rows, even over the sky."""
    rng = np.random.default_rng(1)
    for start in range(0, rows, BLOCK):
        n = min(BLOCK, rows - start)
        dec = np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, n)))
        columns = (np.arange(start, start + n), rng.uniform(0.0, 360.0, n), dec, rng.pareto(1.8, n))
        yield [each.tolist() for each in columns]


def cones(engine: Any, held: HeldTable, radius: float, how: str) -> list[str]:
    """A row of the table: median, 99th percentile, rows a cone."""
    rng = np.random.default_rng(2)
    spent, counts = [], []
    for _ in range(CONES):
        ra, dec = rng.uniform(0.0, 360.0), np.degrees(np.arcsin(rng.uniform(-1.0, 1.0)))
        text = how.format(ra=ra, dec=dec, r=radius)
        begun = time.perf_counter()
        compiled = compile_query(text, _Places(held), LOCAL, "sqlite", 1_000_000)
        counts.append(sum(1 for _ in run_query(engine, compiled)))
        spent.append(1e3 * (time.perf_counter() - begun))
    return [
        f"{radius:g}",
        *(f"{np.percentile(spent, p):.1f}" for p in (50, 99)),
        f"{max(spent):.1f}",
        f"{np.mean(counts):.0f}",
    ]


def main() -> None:
    """Measure, and write the page."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    cone = "SELECT id, ra, dec, flux FROM bench.sky WHERE 1 = "
    cone += "CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', {ra}, {dec}, {r}))"
    with tempfile.TemporaryDirectory(prefix="skysift-bench-") as folder:
        engine = connect(database_url(folder))
        Shelf(engine, folder)
        begun = time.perf_counter()
        store_rows(engine, "cat_bench", RowSource(FIELDS, lambda: made(rows)))
        spent = time.perf_counter() - begun
        size = sum(each.stat().st_size for each in Path(folder).iterdir()) / 2**30
        held = HeldTable("bench", "sky", FIELDS, "cat_bench", position=("c2", "c3"), vectors=True)
        found = [cones(engine, held, radius, cone) for radius in (0.01, 0.1, 0.5, 1.0, 5.0)]
        engine.dispose()
    lines = table(["radius (deg)", "median (ms)", "p99 (ms)", "longest (ms)", "rows"], found)
    busy = os.getloadavg()[1] / (os.cpu_count() or 1)
    story = (
        f"{machine()}. SQLite, {rows:.0e} rows even over the sky,\nput there in {spent:.0f} s "
        f"({rows / spent:,.0f} rows/s, indexes included), {size:.2f} GiB. {CONES} cones a radius,\n"
        f"asked in ADQL: compiled, run and read, with {busy:.1f} other processes a core at work."
    )
    page = f"## The shelf\n\nMade by `python -m bench.archive`. {story}\n\n{lines}\n"
    (HERE / "archive.md").write_text(page)
    print(page)


if __name__ == "__main__":
    main()
