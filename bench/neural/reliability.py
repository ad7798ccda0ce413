"""How often what a network finds is real by its reliability: made skies of badly calibrated arrays, and clean ones."""

import numpy as np

import skysift
from bench.neural.networks import Network
from bench.peers.tables import table
from bench.reliability import SKIES, real_ones
from skysift.find.run import make_finder, search

FIRST = 1200  # seeds from here on are used in no training, and no width of the kernel was chosen on them
LEAST = 0.5  # reliability that the finder asks for by default
ASKED = (LEAST, 0.9)
RULE = """
The skies of `bench/reliability.md` with other seeds ({seeds}; in no training, and nothing was chosen on them); a source
is real by the same rule. Each network at the threshold of its card, with everything that it finds (`reliability=0`);
then at a reliability of {asked}: how much of what is left is real, and how many of the real ones are left.
"""


def skies() -> list[tuple[str, str, dict, int]]:
    """What is made: name, simulator, options, seed."""
    every = [(name, kind, options) for name, kind, options, seeds in SKIES for _ in seeds]
    return [(*each, FIRST + k) for k, each in enumerate(every)]


def reliability_section(networks: list[Network]) -> str:
    """The whole section."""
    rows: list[list[str]] = []
    for name, kind, options, seed in skies():
        ((image, truth),) = skysift.simulate(kind, random_seed=seed, **options)
        for one in networks:
            finding = search(image, make_finder(one.finder, **one.fast(reliability=0.0)))
            value = np.asarray(finding.catalogue.sources["reliability"])
            real = real_ones(image, truth, finding)
            row = [one.name, f"{name}, seed {seed}", str(len(value)), _share(real)]
            for least in ASKED:
                kept = value >= least
                row += [str(int(kept.sum())), _share(real[kept]), _share(kept[real])]
            rows.append(row)
            print(rows[-1], flush=True)
    parts = [(f"at {least:g}", f"real, at {least:g}", f"real ones left at {least:g}") for least in ASKED]
    head = ["network", "sky", "found", "real", *(each for some in parts for each in some)]
    seeds = f"{FIRST}-{skies()[-1][-1]}"
    told = RULE.format(seeds=seeds, asked=" and ".join(f"{least:g}" for least in ASKED))
    return "\n".join(["### Reliability\n", told, table(head, rows)])


def _share(true: np.ndarray) -> str:
    """The part that is true; a dash of none."""
    return f"{true.mean():.3f}" if len(true) else "-"
