"""The comparison as Markdown tables."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.stats import poisson

from bench.peers.fields import NOISES, Field, compared_fields, extended_fields, noise_fields
from bench.peers.run import OURS, PEERS, Run
from bench.peers.score import (
    BINS,
    QUANTITIES,
    Difference,
    Listing,
    detected,
    deviations,
    paired,
    pull,
    purity,
    threshold_at,
)
from bench.peers.theory import expected_islands

BIN_NAMES = [f"{lo}-{hi}" if np.isfinite(hi) else f">{lo}" for lo, hi in pairwise(BINS)]
KIND_NAMES = {"point": "points", "gaussian": "extended", "double": "doubles", "disc": "discs"}
LEVELS = (1, 2, 5, 10, 20, 50)  # false detections per map
TITLES = {"gauss": "Gaussian flux", "flux": "flux", "maj": "major", "min": "minor", "pa": "angle"}


def table(head: list[str], rows: list[list[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(c) for c in line) + " |" for line in lines) + "\n"


class Comparison:
    """All listings of all runs, read once."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.fields = compared_fields(size)
        self.runs = [r for r in (*OURS, *PEERS) if all(self.has(r, f) for f in self.fields)]
        self.lists = {r: [Listing(r, f) for f in self.fields] for r in self.runs}
        more = extended_fields(size)
        self.more = more if all(self.has(r, f) for r in self.runs for f in more) else []
        self.extra = {r: [Listing(r, f) for f in self.more] for r in self.runs}
        truths = [f.truth() for f in [*self.fields, *self.more]]
        self.truth = np.concatenate(truths)
        in_main = [f in self.fields for f in [*self.fields, *self.more]]
        self.main = np.repeat(in_main, [len(t) for t in truths])

    @staticmethod
    def has(run: Run, field, name: str = "components") -> bool:
        """Whether the run has a list on that field."""
        return (run.folder(field) / f"{name}.npz").exists()

    @property
    def peers(self) -> list[Run]:
        """The other finders that were run."""
        return [r for r in self.runs if r.finder != "skysift"]

    @property
    def ours(self) -> list[Run]:
        """skysift at its thresholds, highest first."""
        return [r for r in self.runs if r.finder == "skysift"]

    def selections(self) -> list[tuple[str, np.ndarray]]:
        """Named selections of true sources: S/N bins of points, of extended sources, then wholes.

        "many extended" adds the maps of isolated extended sources.
        """
        t, out = self.truth, []
        points, extended = (t["kind"] == kind for kind in ("point", "gaussian"))
        groups = [("points", self.main & points), ("extended", self.main & extended)]
        if self.more:
            groups.append(("many extended", extended))
        for title, group in groups:
            for name, lo, hi in zip(BIN_NAMES, BINS[:-1], BINS[1:], strict=True):
                out.append((f"{title} {name}", group & (t["snr"] >= lo) & (t["snr"] < hi)))
        for kind, name in KIND_NAMES.items():
            out.append((f"{name} >5", self.main & (t["kind"] == kind) & (t["snr"] >= 5)))
        return [*out, ("all >5", self.main & (t["snr"] >= 5))]

    def found(self, run: Run, threshold: float | None) -> np.ndarray:
        """Which true sources the run found at a threshold."""
        return detected([*self.lists[run], *self.extra[run]], threshold)

    def found_at(self, n_false: int, what: str) -> dict[Run, np.ndarray]:
        """Which true sources each run found at that many false (or "spurious") entries in all.

        Of skysift only the list that found most.
        """
        found = {r: self.found(r, threshold_at(self.lists[r], n_false, what)) for r in self.runs}
        whole = self.main & (self.truth["snr"] >= 5)
        best = max(self.ours, key=lambda r: found[r][whole].sum())
        return {best: found[best]} | {r: found[r] for r in self.peers}

    def count(self, run: Run, what: str) -> int:
        """False (or "spurious") entries of a whole list, all fields together."""
        return sum(int(getattr(a, what).sum()) for a in self.lists[run])


def costs(c: Comparison) -> str:
    """CPU, wall and memory of every run, medians over the fields."""
    rows = []
    for run in c.runs:
        found = [json.loads((run.folder(f) / "cost.json").read_text()) for f in c.fields]
        values = {k: np.array([r[k] for r in found]) for k in ("cpu_s", "wall_s", "peak_mib")}
        entries = [int(a.keep().sum()) for a in c.lists[run]]
        cpu = values["cpu_s"]
        rows.append(
            [
                label(run),
                f"{np.median(cpu):.1f} ({cpu.min():.1f}-{cpu.max():.1f})",
                f"{np.median(values['wall_s']):.1f}",
                f"{values['peak_mib'].max():.0f}",
                f"{np.mean(entries):.0f}",
            ]
        )
    head = ["finder", "CPU s, median (range)", "wall s, median", "peak PSS MiB, largest", "entries per map"]
    return table(head, rows)


def label(run: Run) -> str:
    """How a run is called in the tables."""
    return f"{run.finder} {run.cut or run.threshold:g}"


def median_cost(c: Comparison, run: Run, key: str) -> float:
    """Median over the fields of one entry of the cost records."""
    records = [json.loads((run.folder(f) / "cost.json").read_text()) for f in c.fields]
    return float(np.median([r[key] for r in records]))


def extra_costs(c: Comparison) -> str:
    """skysift cold, with fewer and with more products, and where its time goes."""
    folder = c.fields[0].folder / "skysift-extras"
    titles = {
        "cold": "empty kernel cache (catalogue, background, rms)",
        "tables": "catalogue only",
        "maps": "catalogue and all maps",
        "everything": "all maps, all formats and the page",
    }
    rows = []
    for name, title in titles.items():
        if (folder / f"{name}.json").exists():
            r = json.loads((folder / f"{name}.json").read_text())
            state = f" (exit code {r['returncode']})" if r["returncode"] else ""
            rows.append([title + state, f"{r['cpu_s']:.1f}", f"{r['wall_s']:.1f}", f"{r['peak_mib']:.0f}"])
    text = table(["skysift", "CPU s", "wall s", "peak PSS MiB"], rows)
    manifest = c.ours[0].folder(c.fields[0]) / "products" / "manifest.json" if c.ours else Path("none")
    if manifest.exists():
        seconds = json.loads(manifest.read_text()).get("seconds", {})
        text += "\n" + table(["stage", "wall s"], [[k, f"{v:.2f}"] for k, v in seconds.items()])
    return text


def native(c: Comparison) -> str:
    """Completeness, reliability and duplicates of every run at its own threshold."""
    names = c.selections()
    rows, more = [], []
    for run in c.runs:
        found = c.found(run, run.cut)
        rows.append([label(run), *(f"{found[m].mean():.3f}" if m.any() else "-" for _, m in names)])
        p = purity(c.lists[run])
        row = [label(run), p.entries, p.false, f"{p.reliability:.4f}", p.spurious, p.duplicates]
        row.append(f"{p.duplicate_share:.2%}")
        if all(c.has(run, f, "sources") for f in c.fields):
            q = purity([Listing(run, f, "sources") for f in c.fields])
            row += [q.entries, f"{q.reliability:.4f}", f"{q.duplicate_share:.2%}"]
        more.append(row + ["-"] * (10 - len(row)))
    counts = ["true sources", *(int(m.sum()) for _, m in names)]
    first = table(["finder", *(n for n, _ in names)], [counts, *rows])
    head = ["finder", "entries", "false", "reliability", "spurious", "duplicates", "share", "source list"]
    return first + "\n" + table([*head, "reliability", "duplicates"], more)


def comparison_at(c: Comparison, n_false: int, what: str = "false") -> dict[str, dict[Run, Difference]]:
    """Paired differences to every peer at that many false detections in all, by selection."""
    found = c.found_at(n_false, what)
    ours = next(iter(found.values()))
    return {
        name: {r: paired(ours[chosen], found[r][chosen]) for r in c.peers} for name, chosen in c.selections()
    }


def better(differences: dict[Run, Difference]) -> tuple[Run, Difference]:
    """The peer with the highest completeness."""
    return max(differences.items(), key=lambda item: item[1].theirs)


def paired_tables(c: Comparison, what: str) -> str:
    """The comparison at the false count of skysift at seed 5 in full; at others against the better peer."""
    n_maps, n_ours = len(c.fields), c.count(c.ours[0], what)
    text = [f"At {n_ours / n_maps:.2f} {what} entries per map ({n_ours} in all, as skysift at seed 5):\n"]
    rows = []
    for name, differences in comparison_at(c, n_ours, what).items():
        first = next(iter(differences.values()))
        row = [name, first.n, f"{first.ours:.4f}"]
        row += [f"{d.value * 100:+.2f} ({d.lower * 100:+.2f})" for d in differences.values()]
        run, worst = better(differences)
        rows.append([*row, f"{label(run)}: {worst.lower * 100:+.2f} {verdict(name, worst)}"])
    head = ["true peak S/N", "n", "skysift", *(label(r) for r in c.peers), "better peer, bound"]
    text.append(table(head, rows))
    counts = [f"{what} entries", *(c.count(r, what) for r in c.runs)]
    text.append(table(["whole lists", *(label(r) for r in c.runs)], [counts]))
    text.append(f"Against the better peer at other numbers of {what} entries, 95 % lower bounds in points:\n")
    rows = []
    for level in LEVELS:
        bounds = [better(d)[1].lower * 100 for d in comparison_at(c, level * n_maps, what).values()]
        rows.append([level, *(f"{b:+.2f}" for b in bounds)])
    text.append(table([f"{what} per map", *(n for n, _ in c.selections())], rows))
    return "\n".join(text)


def verdict(name: str, d: Difference) -> str:
    """Whether the bound meets the aim: above -1 point in a bin, above 0 over all."""
    aim = 0.0 if name == "all >5" else -0.01
    return "ok" if d.lower > aim else "**below**"


def pull_bins() -> list[tuple[str, float, float]]:
    """Bins above 7 sigma."""
    return [(n, lo, hi) for n, lo, hi in zip(BIN_NAMES, BINS[:-1], BINS[1:], strict=True) if lo >= 7]


def pulls(c: Comparison, run: Run) -> str:
    """Pulls and ratios of isolated sources of one run, both noises apart."""
    rows, ratios = [], []
    for noise in NOISES:
        lists = [a for a in (*c.lists[run], *c.extra[run]) if a.field.noise == noise]
        for kind in ("point", "gaussian"):
            for quantity in QUANTITIES:
                if quantity in ("maj", "min", "pa") and kind == "point":
                    continue
                snr, values, ratio = deviations(lists, quantity, kind)
                if not len(snr):
                    continue
                row, row2 = ([noise, KIND_NAMES[kind], TITLES.get(quantity, quantity)] for _ in range(2))
                for _, lo, hi in pull_bins():
                    chosen = (snr >= lo) & (snr < hi)
                    p = pull(values[chosen])
                    mark = "" if 0.9 <= p.width <= 1.1 and abs(p.median) <= 0.15 and p.beyond < 0.01 else " *"
                    row.append(f"{p.width:.2f}, {p.median:+.2f}, {p.beyond:.1%} ({p.n}){mark}")
                    row2.append(f"{np.nanmedian(ratio[chosen]):.4f}" if chosen.any() else "-")
                rows.append(row)
                if quantity not in ("position", "pa"):
                    ratios.append(row2)
    head = ["noise", "sources", "pull of", *(n for n, *_ in pull_bins())]
    return table(head, rows) + "\n" + table([*head[:2], "median ratio of", *head[3:]], ratios)


def noise_islands(size: int) -> list[tuple[Field, int, float]]:
    """(field, islands of skysift at seed 5, expected islands) on pure noise."""
    from astropy.table import Table

    paths = {f: OURS[0].folder(f) / "products" / "islands.fits" for f in noise_fields(size)}
    return [(f, len(Table.read(p)), expected_islands(f)) for f, p in paths.items() if p.exists()]


def poisson_band(expected: float) -> tuple[float, float]:
    """The 95 % band of a count."""
    low, high = poisson.interval(0.95, max(expected, 1e-9))
    return float(low), float(high)


def noise_counts(c: Comparison) -> str:
    """Islands of skysift at seed 5 on pure noise against theory."""
    counted = noise_islands(c.size)
    rows = [[f.beam, f.noise, f.seed, n, f"{e:.2f}"] for f, n, e in counted]
    total, expected = sum(n for _, n, _ in counted), sum(e for *_, e in counted)
    low, high = poisson_band(expected)
    rows.append(["all", "", "", f"**{total}**", f"{expected:.1f} (95 % band {low:.0f}-{high:.0f})"])
    return table(["beam", "noise", "seed", "islands", "expected"], rows)


def tables(c: Comparison) -> str:
    """All tables of the comparison."""
    parts = ["### Cost\n", costs(c)]
    if c.ours:
        parts += [extra_costs(c)]
    parts += ["### Completeness, reliability and duplicates at each finder's own threshold\n", native(c)]
    if c.ours:
        parts += ["### Completeness at equal false detections, paired by source\n"]
        parts += ["Ours minus theirs in points, 95 % lower bound in brackets.\n", paired_tables(c, "false")]
        parts += ["### Completeness at equal spurious detections, paired by source\n"]
        parts += ["No true source within the whole FWHM.\n", paired_tables(c, "spurious")]
        parts += ["### Islands on pure noise\n", noise_counts(c)]
    parts += [
        "### Pulls of isolated sources\n",
        "Half of the 16-84 % width, median, share beyond 5, (n); `*`: outside 0.9-1.1, 0.15, 1 %.\n",
    ]
    for run in c.runs:
        if run in (OURS[0], *(r for r in PEERS if r.threshold == 5)):
            parts += [f"#### {label(run)}\n", pulls(c, run)]
    return "\n".join(parts)
