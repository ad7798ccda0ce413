"""The page of the comparison: aims, methods side by side, and each by shape and surface brightness."""

import numpy as np

from bench.extended.aims import AIMS, LEVELS, chosen, completeness, median, reliability, width
from bench.extended.methods import Method
from bench.extended.rule import Scored, score
from bench.extended.skies import Sky
from bench.peers.machine import machine
from bench.peers.tables import table

SHAPES = ("disc", "ring", "arc", "ellipse", "sersic", "jet")
RULE = """
Skies of `skysift simulate extended`: {maps} of {size} x {size} pixels, seeds {seeds}; {kinds}; sources of 3 to 100
beam areas (their own solid angle) of six shapes with mean brightnesses of 1.2 to 10 sigma in a beam, on maps of even
seeds 15 to 100 beam areas and 1.1 to 3.5 sigma; compact sources of the published counts among them; the Galactic ones
with diffuse emission of 1 sigma rms and 1.5 times the compact sources.

Bright: mean brightness over the true mask above 3 sigma in a beam; faint: 1 to 3, and a flux above 10 times the noise
of the mask. Found: a found source, one to one by IoU, has an IoU with the true mask of at least 0.5 (faint: 0.3) and
at least half the flux. Reliability: share of the found extended sources whose IoU with the true mask of any extended
source is at least 0.1; what is not, but lies on diffuse emission brighter than 1 sigma on average, is counted as
neither. Sources that the border cuts do not count. Width: half of the 16-84 % range of (found - true flux) over the
quoted error. CPU: median of a map. Thresholding: islands of seed 5, grow 3 with more than 3 beam areas, their pixel
sums as fluxes; "resolved": less those that are one unresolved component. PyBDSF: `atrous_do`, thresholds 5 and 3, its
own map of the noise, no map of the mean; its islands' Gaussians painted and cut at 1 sigma, above 3 beam areas, less
single Gaussians whose own width is below half a beam. Ours: sources of structure E; the flux of a compact source on
top is the extended one's, too, unless a true compact source lies within half a beam.
"""


class Results:
    """All methods on all skies, scored."""

    def __init__(self, skies: list[Sky], methods: list[Method]) -> None:
        self.skies, self.methods = skies, []
        self.scores: dict[tuple[Method, str], Scored] = {}
        self.cpu: dict[Method, float] = {}
        for method in methods:
            costs = [method.run(sky) for sky in skies]
            if any(each["returncode"] for each in costs):
                print(f"{method.label}: left out, it failed on a map", flush=True)
                continue
            self.methods.append(method)
            self.cpu[method] = float(np.median([each["cpu_s"] for each in costs]))
            parts = [(sky.kind, score(sky, method.found(sky))) for sky in skies]
            for kind in {kind for kind, _ in parts}:
                self.scores[method, kind] = Scored.concat([s for k, s in parts if k == kind])
            self.scores[method, "all"] = Scored.concat([s for _, s in parts])

    @property
    def kinds(self) -> list[str]:
        """The kinds of skies, and all of them together."""
        return [*dict.fromkeys(sky.kind for sky in self.skies), "all"]


def summary(results: Results, kind: str) -> str:
    """The methods side by side."""
    head = [
        "finder",
        "bright",
        "rings, arcs",
        "faint discs, ellipses",
        "faint rings, arcs, jets",
        "reliability",
    ]
    head += ["found (on diffuse)", "IoU bright", "flux bright, faint", "width bright, faint", "CPU s"]
    lines = []
    for method in results.methods:
        s = results.scores[method, kind]
        rates = [
            chosen(s, "bright"), chosen(s, "bright", "ring", "arc"), chosen(s, "faint", "disc", "ellipse"),
            chosen(s, "faint", "ring", "arc", "jet"),
        ]  # fmt: skip
        found = [chosen(s, level) & s.found for level in LEVELS]
        lines.append(
            [
                method.label,
                *(f"{completeness(s, rows):.3f} ({rows.sum()})" for rows in rates),
                f"{reliability(s):.3f}",
                f"{s.real.size} ({s.diffuse.sum()})",
                f"{median(s.iou[found[0]]):.3f}",
                ", ".join(f"{median(s.ratio[rows]):.3f}" for rows in found),
                ", ".join(f"{width(s, rows):.2f}" for rows in found),
                f"{results.cpu[method]:.1f}",
            ]
        )
    return table(head, lines)


def by_shape(s: Scored) -> str:
    """One method by shape and brightness."""
    head = [
        "shape",
        *(f"{level} {what}" for level in LEVELS for what in ("found (n)", "IoU", "flux", "width")),
    ]
    lines = []
    for shape in (*SHAPES, "all"):
        line = [shape]
        for level in LEVELS:
            rows = chosen(s, level, *(SHAPES if shape == "all" else (shape,)))
            met = rows & s.found
            line += [f"{completeness(s, rows):.2f} ({rows.sum()})", f"{median(s.iou[met]):.2f}"]
            line += [f"{median(s.ratio[met]):.3f}", f"{width(s, rows):.2f}"]
        lines.append(line)
    return table(head, lines)


def by_brightness(results: Results) -> str:
    """Completeness by shape and by number of beam areas, bright and faint, of every method."""
    edges = ((0.0, 10.0), (10.0, 30.0), (30.0, np.inf))
    head = ["finder"]
    head += [f"{lv} {a:g}-{b:g}" if np.isfinite(b) else f"{lv} > {a:g}" for lv in LEVELS for a, b in edges]
    lines = []
    for method in results.methods:
        s, line = results.scores[method, "all"], [method.label]
        for level in LEVELS:
            for low, high in edges:
                rows = chosen(s, level) & (s.beams >= low) & (s.beams < high)
                line.append(f"{completeness(s, rows):.2f} ({rows.sum()})")
        lines.append(line)
    return table(head, lines)


def aims(results: Results) -> str:
    """What the issue aims at, and what the first of our methods reaches."""
    ours = results.methods[0]
    rows = [aim.row([results.scores[ours, kind] for kind in results.kinds]) for aim in AIMS]
    return table(["what", "aim", *results.kinds, "met"], rows)


def ahead(results: Results) -> str:
    """The first of our methods against each of the others: completeness, cost."""
    ours, lines = results.methods[0], []
    s = results.scores[ours, "all"]
    for other in results.methods[1:]:
        t = results.scores[other, "all"]
        line = [other.label]
        for level in LEVELS:
            mine, theirs = (completeness(each, chosen(each, level)) for each in (s, t))
            line.append(f"{mine:.3f}, {theirs:.3f}: {'yes' if mine > theirs else '**no**'}")
        mine, theirs = reliability(s), reliability(t)
        line.append(f"{mine:.3f}, {theirs:.3f}: {'yes' if mine >= theirs else '**no**'}")
        lines.append([*line, f"{results.cpu[ours] / results.cpu[other]:.1f}"])
    return table(["than", "bright", "faint", "reliability", "CPU s, ours over theirs"], lines)


def page(results: Results, final: bool) -> str:
    """The page."""
    sky = results.skies[0]
    seeds = sorted({each.seed for each in results.skies})
    told = RULE.format(
        maps=len(results.skies),
        size=sky.size,
        seeds=f"{seeds[0]}-{seeds[-1]}",
        kinds=", ".join(results.kinds[:-1]),
    )
    which = "seeds that were not used while developing" if final else "development seeds"
    parts = ["## Extended sources\n", f"Made by `python -m bench.extended`, {which}; {machine()}.\n{told}"]
    if results.methods:
        parts += [f"### Aims: {results.methods[0].label}\n", aims(results)]
        parts += [
            "Cost: at most 3 times the CPU of `classic` (the islands). Ahead of the others:\n",
            ahead(results),
        ]
    for kind in results.kinds:
        parts += [f"### Finders, {kind} skies\n", summary(results, kind)]
    parts += ["### Completeness by beam areas of the true mask\n", by_brightness(results)]
    for method in results.methods:
        parts += [f"### {method.label}, by shape\n", by_shape(results.scores[method, "all"])]
    return "\n".join(parts).rstrip() + "\n"
