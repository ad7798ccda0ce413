"""python -m bench.joining: do parts of one object become one source, and only those? Writes bench/joining.md.

The objects in parts come from `skysift simulate extended`: free random pairs and triples, and the FR II and bent radio
galaxies of the continuum's sketches, at three densities of unrelated sources; and from `skysift simulate continuum`
with sizes and fluxes of the published population. None of these knows what a joiner takes for granted.
"""

import argparse
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from bench.extended.methods import Method
from bench.peers import run
from bench.peers.cost import measure
from bench.peers.machine import machine
from bench.peers.tables import table

HERE = Path(__file__).resolve().parent
DATA = HERE / "data"
PARTED: dict[str, Any] = {
    "shapes": "pair,triple,fr2,bent", "brightness_low": 4, "brightness_high": 40, "extended": 0.3,
    "separation_low": 3, "separation_high": 30, "size_scale": 0.25,
}  # fmt: skip
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "sparse": ("extended", {**PARTED, "density": 0.1, "extended": 0.12}),
    "middle": ("extended", {**PARTED, "density": 0.5}),
    "dense": ("extended", {**PARTED, "density": 2.0}),
    "continuum": ("continuum", {
        "beam": 6.5, "pixel": 1.5, "rms": 5e-5, "array": "none", "flux_min": 1e-4, "star_forming": 0.3,
        "lobe_limit": 1.0,
    }),
}  # fmt: skip
LARGE = {"sparse": 2, "continuum": 2}  # times the side: few objects in parts on a map
HELD, PURE = 0.8, 0.9  # parts of the flux that make an object whole, a source pure
EXPECTED = (0.0, 0.03, 0.1, 0.3, 1.0, np.inf)
SEPARATION = (0.0, 6.0, 10.0, 18.0, np.inf)

RULE = f"""
Each cell: completeness (of the true objects whose components lie in several found islands), purity (of the found
sources of several islands). An object is whole where one source holds {HELD:.0%} of its found flux and several of its
islands; a source is pure where {PURE:.0%} of its flux is of one true object. Chance neighbours: islands at least as
bright as the second of its own, times the circle whose radius is the largest distance of its components. Aim: 0.90,
0.90 below 0.1.
"""


@dataclass(frozen=True)
class Field:
    """A made map with objects in parts."""

    kind: str
    seed: int
    size: int

    @property
    def folder(self) -> Path:
        """Where all of it lies."""
        return DATA / f"joining-{self.kind}-{self.seed}-{self.size}"

    @property
    def path(self) -> Path:
        """The map."""
        return self.folder / "sky" / "map-1400MHz.fits"

    def make(self) -> Path:
        """Paint the map unless it is there."""
        if not self.path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            simulator, chosen = KINDS[self.kind]
            chosen = {**chosen, "n_pixels": self.size, "random_seed": self.seed}
            start = run.command_of_ours(self.folder, self.folder)
            command = [*start[: start.index("find")], "simulate", simulator, "--no-report"]
            command += ["--out", str(self.folder / "sky")]
            command += [word for key, value in chosen.items() for word in ("--set", f"{key}={value}")]
            if measure(command, self.folder / "simulate.json", env=run.environment())["returncode"]:
                raise SystemExit(f"the sky cannot be made: see {self.folder / 'simulate.log'}")
        return self.path

    @cached_property
    def truth(self) -> Any:
        """The truth of the map."""
        from skysift.io.truth import read_truth

        return read_truth(self.folder / "sky" / "truth-1400MHz")


@dataclass(frozen=True)
class Joined:
    """Objects that lie in several found islands, and found sources that hold several islands.

    Parameters
    ----------
    separation, expected, whole
        Of the true objects: largest distance of their components (beams), neighbours by chance within it, and
        whether one source holds them.
    separation_found, expected_found, pure
        Of the found sources: the same, and whether what they hold is one object.
    shape
        Of the true objects.
    """

    separation: np.ndarray
    expected: np.ndarray
    whole: np.ndarray
    separation_found: np.ndarray
    expected_found: np.ndarray
    pure: np.ndarray
    shape: np.ndarray


def owners(field: Field, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The true object at each position, the brightest where several are; a number of its own below zero for none."""
    truth = field.truth
    shape, prints = truth.frame.shape, truth.detections.footprints
    top = np.zeros(shape, np.int64)
    peak = truth.sources["flux_peak"]
    for k in np.argsort(peak[prints.index], kind="stable"):  # the brightest last, so that it stays
        top[prints.row[k], prints.start[k] : prints.stop[k]] = prints.index[k] + 1
    j, i = (np.clip(np.round(v).astype(int), 0, n - 1) for v, n in ((y, shape[0]), (x, shape[1])))
    at = top[j, i] - 1
    return np.where(at >= 0, at, -1 - np.arange(at.size))


def spread(group: np.ndarray, c: dict[str, np.ndarray], area: float) -> tuple[np.ndarray, np.ndarray]:
    """Largest distance of the members of each group (px), and neighbours by chance within it.

    Neighbours that are at least as bright as the second of its islands. What has the group -1 is left out.
    """
    islands, number = np.unique(c["island"], return_inverse=True)
    bright = np.sort(np.bincount(number, c["flux"], islands.size))
    apart, chance = [], []
    for each in np.unique(group[group >= 0]):
        own = np.flatnonzero(group == each)
        x, y = c["x"][own], c["y"][own]
        apart.append(np.hypot(x[:, None] - x, y[:, None] - y).max())
        second = np.sort(np.bincount(number[own], c["flux"][own]))[-2]
        chance.append(np.pi * apart[-1] ** 2 * (bright >= second).sum() / area)
    return np.array(apart), np.array(chance)


def several(group: np.ndarray, island: np.ndarray) -> np.ndarray:
    """The groups that lie in several islands."""
    pairs = np.unique(np.stack([group, island], axis=1), axis=0)
    values, counts = np.unique(pairs[:, 0], return_counts=True)
    return values[counts > 1]


def judged(field: Field, c: dict[str, np.ndarray], source: np.ndarray) -> Joined:
    """What became of objects in parts, and what joined sources are made of.

    Parameters
    ----------
    c
        Components: x, y, flux, island.
    source
        The source of each component.
    """
    truth = field.truth
    beam = float(np.sqrt(np.prod(truth.frame.beam_pixels(truth.beam))))
    owner = owners(field, c["x"], c["y"])
    wanted = several(owner, c["island"])
    wanted = wanted[(wanted >= 0) & (truth.sources["class"][np.maximum(wanted, 0)] != "flagged")]
    made = several(source, c["island"])
    area = truth.frame.shape[0] * truth.frame.shape[1]
    (apart, chance), (apart_found, chance_found) = (
        spread(np.where(np.isin(group, kept), group, -1), c, area)
        for group, kept in ((owner, wanted), (source, made))
    )
    flux = np.maximum(c["flux"], 0.0)
    whole, pure = [], []
    for one in wanted:
        own = owner == one
        held = np.bincount(source[own], flux[own])
        best = int(held.argmax())
        joined = np.unique(c["island"][own & (source == best)]).size > 1
        whole.append(joined and held[best] >= HELD * held.sum())
    for one in made:
        own = source == one
        _, inverse = np.unique(owner[own], return_inverse=True)
        parts = np.bincount(inverse, flux[own])
        pure.append(parts.max() >= PURE * parts.sum())
    return Joined(
        apart / beam, chance, np.array(whole, bool), apart_found / beam, chance_found, np.array(pure, bool),
        truth.sources["morphology"][wanted],
    )  # fmt: skip


def components(field: Field, method: Method) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The components that a method found, and the source of each; the islands of extended sources, which have none."""
    from astropy.table import Table

    folder = method.folder(field) / "products"
    t = Table.read(folder / "components.fits")
    names = {"x": "x", "y": "y", "flux": "flux", "island": "island_id"}
    found = {k: np.asarray(t[v], float if k != "island" else int) for k, v in names.items()}
    source = np.asarray(t["source_id"], int)
    sources, islands = (Table.read(folder / f"{name}.fits") for name in ("sources", "islands"))
    if "parent_id" not in sources.colnames:
        return found, source
    links = segments_of(sources, Table.read(folder / "joins.fits"))
    links = links[~np.isin(links[:, 1], found["island"])]
    at = np.searchsorted(np.asarray(islands["island_id"]), links[:, 1])
    more = {name: np.asarray(islands[name], float)[at] for name in ("x", "y")}
    more |= {"flux": np.asarray(islands["flux_int"], float)[at], "island": links[:, 1]}
    return {k: np.concatenate([found[k], more[k]]) for k in found}, np.concatenate([source, links[:, 0]])


def segments_of(sources: Any, joins: Any) -> np.ndarray:
    """Numbers of extended sources and of their islands ``(link, 2)``: their own, and those of parts that were joined."""
    large = np.char.strip(np.asarray(sources["structure"]).astype(str)) == "E"
    links = [np.stack([np.asarray(sources[name])[large] for name in ("source_id", "island_id")], axis=1)]
    joined = joins[np.asarray(joins["joined"], bool)]
    links += [
        np.stack([np.asarray(joined[f"{name}_{side}"]) for name in ("source_id", "island_id")], axis=1)
        for side in "12"
    ]
    every = np.unique(np.concatenate(links).astype(np.int64), axis=0)
    return every[np.isin(every[:, 0], np.asarray(sources["source_id"])[large])]


def by_radius(field: Field, c: dict[str, np.ndarray], source: np.ndarray, beams: float) -> np.ndarray:
    """Sources joined by one radius: whatever has components nearer than so many beams."""
    truth = field.truth
    radius = beams * float(np.sqrt(np.prod(truth.frame.beam_pixels(truth.beam))))
    pairs = cKDTree(np.stack([c["x"], c["y"]], axis=1)).query_pairs(radius, output_type="ndarray")
    n = int(source.max(initial=0)) + 1
    links = coo_array((np.ones(len(pairs)), (source[pairs[:, 0]], source[pairs[:, 1]])), shape=(n, n))
    return connected_components(links, directed=False)[1][source]


def rates(parts: list[Joined], edges: tuple[float, ...], by: str) -> list[str]:
    """Completeness and purity in bins, ``completeness (n), purity (n)`` each."""
    true = np.concatenate([getattr(p, by) for p in parts])
    found = np.concatenate([getattr(p, f"{by}_found") for p in parts])
    whole, pure = (np.concatenate([getattr(p, name) for p in parts]) for name in ("whole", "pure"))
    cells = []
    for low, high in pairwise(edges):
        a, b = ((v >= low) & (v < high) for v in (true, found))
        cells.append(f"{share(whole, a)}, {share(pure, b)}")
    return cells


def share(values: np.ndarray, rows: np.ndarray) -> str:
    """A share with its number."""
    return f"{values[rows].mean():.2f} ({rows.sum()})" if rows.any() else "- (0)"


def names_of(edges: tuple[float, ...]) -> list[str]:
    """Titles of bins."""
    return [f"{a:g}-{b:g}" if np.isfinite(b) else f"> {a:g}" for a, b in pairwise(edges)]


def report(fields: list[Field], methods: list[Method], final: bool) -> str:
    """The page."""
    judgements: dict[str, list[Joined]] = {}
    for method in methods:
        for field in fields:
            if method.run(field)["returncode"]:
                continue
            c, source = components(field, method)
            judgements.setdefault(method.label, []).append(judged(field, c, source))
            if method == methods[0]:
                for beams in (6.0, 12.0):
                    joined = judged(field, c, by_radius(field, c, source, beams))
                    judgements.setdefault(f"one radius, {beams:g} beams", []).append(joined)
    which = "seeds that were not used while developing" if final else "development seeds"
    seeds = sorted({field.seed for field in fields})
    told = ", ".join(dict.fromkeys(f"{field.kind} ({field.size} px)" for field in fields))
    head = f"Made by `python -m bench.joining`, {which} ({seeds[0]}-{seeds[-1]}); {machine()}; {told}."
    judged_ones = {(method.finder, method.settings) for method in methods if method.label in judgements}
    left = [one.label for one in chosen_methods(None) if (one.finder, one.settings) not in judged_ones]
    head += f" Left out of this run: {', '.join(left)}.\n{RULE}" if left else f"\n{RULE}"
    parts = ["## Several islands, one object\n", head]
    for title, edges, by in (
        ("Below 0.1 chance neighbours", (0.0, 0.1), "expected"),
        ("By chance neighbours expected", EXPECTED, "expected"),
        ("By separation in beams", SEPARATION, "separation"),
    ):
        lines = [[label, *rates(each, edges, by)] for label, each in judgements.items()]
        parts += [f"### {title}\n", table(["sources", *names_of(edges)], lines)]
    shapes = sorted({str(s) for each in judgements.values() for p in each for s in p.shape})
    lines = []
    for label, each in judgements.items():
        whole, shape, chance = (
            np.concatenate([getattr(p, k) for p in each]) for k in ("whole", "shape", "expected")
        )
        lines.append([label, *(share(whole, (shape == s) & (chance < 0.1)) for s in shapes)])
    parts += ["### Completeness below 0.1 chance neighbours, by shape\n", table(["sources", *shapes], lines)]
    return "\n".join(parts).rstrip() + "\n"


def chosen_methods(named: list[str] | None) -> list[Method]:
    """What is compared: the classic finder as it is and with joining where it can, and the full one, which joins."""
    from skysift.base.registry import Registry

    if named:
        return [
            Method(each, each.partition(":")[0], tuple(filter(None, each.partition(":")[2].split(","))))
            for each in named
        ]
    registry = Registry("finder")
    able = "join" in registry.options("classic").model_fields
    return [
        Method("classic", "classic"),
        *([Method("classic, join", "classic", ("join=true",)), Method("full", "full")] if able else []),
    ]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1500, help="pixels on a side of each map")
    parser.add_argument("--maps", type=int, default=4, help="maps of each kind")
    parser.add_argument("--final", action="store_true", help="seeds from 101, which nobody develops on")
    parser.add_argument("--kinds", default=",".join(KINDS), help="kinds of skies")
    parser.add_argument("--finder", action="append", metavar="NAME[:OPTION=VALUE,...]", help="instead of all")
    parser.add_argument("--out", type=Path, default=HERE / "joining.md")
    arguments = parser.parse_args()
    first = 101 if arguments.final else 1
    fields = [
        Field(kind, first + i, arguments.size * LARGE.get(kind, 1))
        for kind in arguments.kinds.split(",")
        for i in range(arguments.maps)
    ]
    for field in fields:
        field.make()
    arguments.out.write_text(report(fields, chosen_methods(arguments.finder), arguments.final))
    print(f"written: {arguments.out}")


if __name__ == "__main__":
    main()
