"""What is aimed at, what was measured, and whether that is enough: one table."""

import json
from collections.abc import Iterator

import numpy as np

from bench.peers.fields import NOISES
from bench.peers.run import OURS, Run
from bench.peers.score import Listing, deviations, pull, purity
from bench.peers.tables import (
    BIN_NAMES,
    Comparison,
    better,
    comparison_at,
    label,
    median_cost,
    noise_islands,
    poisson_band,
    pull_bins,
    table,
)

ENOUGH = 400  # isolated sources in a bin
Row = tuple[str, str, str, bool]  # what, aim, measured, met


def cost_aims(c: Comparison) -> Iterator[Row]:
    """CPU seconds against PyBDSF and Aegean, memory."""
    mine = c.ours[0]
    cpu = median_cost(c, mine, "cpu_s")
    for finder, share in (("bdsf", 8), ("aegean", 15)):
        run = Run(finder, 5)
        if run in c.runs:
            ratio = median_cost(c, run, "cpu_s") / cpu
            yield f"CPU s of {finder} over ours, warm", f">= {share}", f"{ratio:.1f}", ratio >= share
    records = [json.loads((mine.folder(f) / "cost.json").read_text()) for f in c.fields]
    peak = max(r["peak_mib"] for r in records)
    yield "peak PSS of the process tree, MiB", "<= 450", f"{peak:.0f}", peak <= 450


def completeness_aims(c: Comparison) -> Iterator[Row]:
    """Paired lower bounds against the better peer at the false count of seed 5."""
    n_false = c.count(c.ours[0], "false")
    kinds = ("points", "many extended" if c.more else "extended")
    bins = [f"{kind} {name}" for kind in kinds for name in BIN_NAMES]
    results = {k: better(v) for k, v in comparison_at(c, n_false).items()}
    worst = min(bins, key=lambda name: results[name][1].lower)
    run, d = results[worst]
    text = f"{d.lower * 100:+.2f} ({worst}, {label(run)})"
    yield "completeness, ours - better peer, worst bin, bound in points", "> -1", text, d.lower > -0.01
    run, d = results["all >5"]
    text = f"{d.lower * 100:+.2f} ({label(run)})"
    yield "the same over all", "> 0", text, d.lower > 0


def purity_aims(c: Comparison) -> Iterator[Row]:
    """Reliability and duplicates."""
    mine = c.ours[0]
    tables = [("components", c.lists[mine])]
    if all(c.has(mine, f, "sources") for f in c.fields):
        tables.append(("sources", [Listing(mine, f, "sources") for f in c.fields]))
    for name, lists in tables:
        p = purity(lists)
        yield f"reliability of {name}", ">= 0.998", f"{p.reliability:.4f}", p.reliability >= 0.998
        share = p.duplicate_share
        yield f"duplicates among {name}", "< 0.2 %", f"{share:.2%}", share < 0.002
    counted = noise_islands(c.size)
    total, (low, high) = sum(n for _, n, _ in counted), poisson_band(sum(e for *_, e in counted))
    text = f"{total} on {len(counted)} maps"
    yield "islands on pure noise, seed 5", f"{low:.0f}-{high:.0f}", text, low <= total <= high


def pull_aims(c: Comparison) -> Iterator[Row]:
    """Pulls and ratios of isolated sources, the worst bin of each quantity."""
    run = OURS[0]
    everything = [*c.lists[run], *c.extra[run]]
    for kind, name in (("point", "points"), ("gaussian", "extended")):
        for quantity in ("peak", "flux", "position", "maj", "min"):
            if kind == "point" and quantity in ("maj", "min"):
                continue
            found = []
            for noise in NOISES:
                lists = [a for a in everything if a.field.noise == noise]
                snr, values, _ = deviations(lists, quantity, kind)
                for _, lo, hi in pull_bins():
                    found.append(pull(values[(snr >= lo) & (snr < hi)]))
            widths = [p.width for p in found]
            median, beyond = max(abs(p.median) for p in found), max(p.beyond for p in found)
            n = min(p.n for p in found)
            text = f"{min(widths):.2f}-{max(widths):.2f}, {median:.2f}, {beyond:.1%} (n >= {n})"
            met = min(widths) >= 0.9 and max(widths) <= 1.1 and median <= 0.15 and beyond < 0.01
            yield f"pulls of {quantity}, {name}", "0.9-1.1, 0.15, 1 %", text, met and n >= ENOUGH
    for quantity, lo, hi, aim in (
        ("peak", 10, np.inf, 0.01),
        ("flux", 10, 20, 0.02),
        ("flux", 20, np.inf, 0.01),
    ):
        worst = 0.0
        for kind in ("point", "gaussian"):
            for noise in NOISES:
                snr, _, ratio = deviations([a for a in everything if a.field.noise == noise], quantity, kind)
                off = float(np.nanmedian(ratio[(snr >= lo) & (snr < hi)])) - 1
                worst = off if abs(off) > abs(worst) else worst
        above = f"above {lo}" if np.isinf(hi) else f"at {lo}-{hi}"
        yield (
            f"median ratio of {quantity} {above} sigma",
            f"within {aim:.0%}",
            f"{1 + worst:.4f}",
            abs(worst) <= aim,
        )


def aims(c: Comparison) -> str:
    """The table of aims."""
    rows = []
    for part in (cost_aims, completeness_aims, purity_aims, pull_aims):
        rows += [[what, aim, measured, "yes" if met else "**no**"] for what, aim, measured, met in part(c)]
    return table(["what", "aim", "measured", "met"], rows)
