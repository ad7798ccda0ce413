"""python -m bench.joining_ceiling: what could any joiner reach that knew these very skies? Prints lines of a table.

A network sees all that was measured of each pair of parts (distance, chance neighbours, fluxes, sizes, angles, bridge,
gap, every term of our model, and the odds of either part with others), and the kind of sky. It is trained on three
quarters of the development maps by their truth, and joins the rest by the same rule as ours. What it does not reach,
the measurements do not hold; what it does, a joiner that is fitted to one generator could, and one that is not, perhaps.
"""

import argparse
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from bench.joining import KINDS, LARGE, Field, Joined, judged, owners

HIDDEN, DECAY, STARTS, FOLDS = 12, 2.0, 3, 4
THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)


@dataclass(frozen=True)
class Sky:
    """One map: its parts and pairs, and the truth of each pair.

    Parameters
    ----------
    field, components, source, owner
        The map; its components, their sources as they were found and their true objects.
    rows, number
        Rows of the sources that are parts, and the number of each source.
    parts, pairs
        Parts in the order of the map, and the evidence of their pairs.
    features, one
        ``(pair, feature)`` and whether a pair is of one object.
    """

    field: Field
    components: dict[str, np.ndarray]
    source: np.ndarray
    rows: np.ndarray
    number: np.ndarray
    parts: Any
    pairs: Any
    features: np.ndarray
    one: np.ndarray

    @classmethod
    def of(cls, field: Field) -> "Sky":
        """Find what is on a map, and weigh its pairs."""
        import skysift
        from skysift.find.bridges import Strips
        from skysift.find.joining import _eligible, parts_of
        from skysift.find.run import make_finder, search
        from skysift.match.joining import join_parts

        field.make()
        finding = search(skysift.open(str(field.path)), make_finder("classic"))
        catalogue = finding.catalogue
        rows = _eligible(catalogue)
        parts = parts_of(catalogue, finding.image, rows)
        look = Strips(finding.image, finding.noise, finding.mask, catalogue, rows)
        pairs = join_parts(parts, look).pairs
        c = catalogue.components
        found = {name: np.asarray(c[name]) for name in ("x", "y", "flux")} | {"island": c["island_id"]}
        number = catalogue.sources.ids
        source = np.searchsorted(number, c["source_id"])
        owner = majority(source, owners(field, found["x"], found["y"]), found["flux"], len(number))[rows]
        one = (owner[pairs.first] == owner[pairs.second]) & (owner[pairs.first] >= 0)
        return cls(field, found, source, rows, number, parts, pairs, features(field, parts, pairs), one)

    def joined(self, odds: np.ndarray, threshold: float) -> Joined:
        """What becomes of the objects when pairs have these log odds."""
        from skysift.match import joining
        from skysift.match.options import JoinOptions

        order = np.lexsort((np.abs(self.parts.flux), self.parts.y, self.parts.x))
        place = np.argsort(order)
        terms = {name: odds if name == "prior" else np.zeros(len(odds)) for name in self.pairs.terms}
        told = replace(
            self.pairs, terms=terms, core=np.full(len(odds), -1),
            first=place[self.pairs.first], second=place[self.pairs.second],
        )  # fmt: skip
        with patch.object(joining, "weigh", lambda *_: told):
            joins = joining.join_parts(self.parts, None, JoinOptions(join_probability=threshold))
        object_ = np.full(len(self.number), -1)
        object_[self.rows] = joins.object
        alone = object_ < 0
        object_[alone] = len(joins) + np.arange(alone.sum())
        return judged(self.field, self.components, object_[self.source])


def majority(source: np.ndarray, owner: np.ndarray, flux: np.ndarray, n: int) -> np.ndarray:
    """The true object that most of the flux of each source is of."""
    pairs, inverse = np.unique(np.stack([source, owner], axis=1), axis=0, return_inverse=True)
    weight = np.bincount(inverse.ravel(), np.maximum(flux, 0.0))
    best = np.full(n, -1)
    for k in np.argsort(weight, kind="stable"):  # the heaviest last
        best[pairs[k, 0]] = pairs[k, 1]
    return best


def features(field: Field, parts: Any, pairs: Any) -> np.ndarray:
    """All that is known of each pair ``(pair, feature)``."""
    i, j, beam, odds = pairs.first, pairs.second, parts.beam, pairs.odds
    apart = np.maximum(pairs.separation, 0.5 * beam)
    snr, wide = parts.peak / parts.rms, np.maximum(np.abs(parts.flux / parts.peak), 0.3)
    major = np.sqrt(np.maximum(parts.shape[:, 0] + parts.shape[:, 2], (0.05 * beam) ** 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        bridge = np.nan_to_num(np.clip(pairs.bridges.mean / pairs.bridges.error, -5.0, 12.0))
    columns = [
        np.log(apart / beam), np.log(np.maximum(pairs.expected, 1e-6)), np.log(pairs.flux_ratio), bridge,
        np.isfinite(pairs.bridges.mean), np.nan_to_num(pairs.bridges.gap / apart, nan=0.5),
        *(np.log(values[rows]) for values in (snr, wide) for rows in (i, j)),
        *(np.where(parts.extended[rows], np.log(major[rows] / beam), 0.0) for rows in (i, j)),
        *(parts.extended[rows] for rows in (i, j)),
        *(np.nan_to_num(np.cos(2.0 * np.radians(turn))) for turn in (pairs.turn_first, pairs.turn_second)),
        *pairs.terms.values(), odds, *(others(len(parts), i, j, odds, rows) for rows in (i, j)),
        *(np.full(len(i), field.kind == kind) for kind in KINDS),
    ]  # fmt: skip
    return np.stack([np.asarray(each, float) for each in columns], axis=1)


def others(n: int, i: np.ndarray, j: np.ndarray, odds: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The best log odds of these ends of the pairs with another part than that of the pair."""
    best, second = np.full((2, n), -8.0)
    for ends in (i, j):
        np.maximum.at(best, ends, odds)
    for ends in (i, j):
        lower = odds < best[ends]
        np.maximum.at(second, ends[lower], odds[lower])
    return np.where(odds >= best[rows], second[rows], best[rows])


def trained(skies: list[Sky], start: int) -> Any:
    """A network of one hidden layer beside a linear one, fitted to the truth: features -> log odds."""
    x, y = np.concatenate([s.features for s in skies]), np.concatenate([s.one for s in skies]).astype(float)
    mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-6
    x = (x - mean) / spread
    shapes = [(x.shape[1], HIDDEN), (HIDDEN,), (x.shape[1],), (HIDDEN,), ()]
    cuts = np.cumsum([int(np.prod(shape)) for shape in shapes])

    def parts(w: np.ndarray) -> list[np.ndarray]:
        return [v.reshape(s) for v, s in zip(np.split(w, cuts[:-1]), shapes, strict=True)]

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        a, b, c, d, e = parts(w)
        h = np.tanh(x @ a + b)
        odds = h @ d + x @ c + e
        off = expit(odds) - y
        back = (off[:, None] * d) * (1.0 - h * h)
        total = np.sum(np.logaddexp(0.0, odds) - y * odds)
        total += 0.5 * DECAY * sum(float((v * v).sum()) for v in (a, c, d))
        slopes = [x.T @ back + DECAY * a, back.sum(axis=0), x.T @ off + DECAY * c, h.T @ off + DECAY * d]
        return total, np.concatenate([*(v.ravel() for v in slopes), [off.sum()]])

    first = np.random.default_rng(start).normal(0.0, 0.2, cuts[-1])
    weights = parts(minimize(loss, first, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x)

    def odds_of(features: np.ndarray) -> np.ndarray:
        a, b, c, d, e = weights
        z = (features - mean) / spread
        return np.tanh(z @ a + b) @ d + z @ c + e

    return odds_of


def told(label: str, found: list[Joined]) -> str:
    """A row: completeness and purity below 0.1 chance neighbours, and in 0.1 to 0.3."""
    cells = []
    for low, high in ((0.0, 0.1), (0.1, 0.3)):
        true = np.concatenate([f.whole[(f.expected >= low) & (f.expected < high)] for f in found])
        made = np.concatenate([f.pure[(f.expected_found >= low) & (f.expected_found < high)] for f in found])
        cells.append(f"{true.mean():.3f} ({true.size}), {made.mean():.3f} ({made.size})")
    return f"| {label} | {' | '.join(cells)} |"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1500, help="pixels on a side of each map")
    parser.add_argument("--maps", type=int, default=4, help="maps of each kind, from seed 1 on")
    arguments = parser.parse_args()
    skies = [
        Sky.of(Field(kind, 1 + k, arguments.size * LARGE.get(kind, 1)))
        for kind in KINDS
        for k in range(arguments.maps)
    ]
    odds: dict[int, np.ndarray] = {}
    for fold in range(FOLDS):
        rest = [sky for sky in skies if sky.field.seed % FOLDS != fold]
        nets = [trained(rest, start) for start in range(STARTS)]
        for k, sky in enumerate(skies):
            if sky.field.seed % FOLDS == fold:
                odds[k] = np.mean([net(sky.features) for net in nets], axis=0)
    for threshold in THRESHOLDS:
        found = [sky.joined(odds[k], threshold) for k, sky in enumerate(skies)]
        print(told(f"network, above {threshold:g}", found))
    print(told("the truth of each pair", [sky.joined(np.where(sky.one, 5.0, -5.0), 0.5) for sky in skies]))


if __name__ == "__main__":
    main()
