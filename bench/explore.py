"""How well planted anomalies are found, by features, an embedding and both, without and with a person's scores.

    python -m bench.explore [--seeds 10 11 12 13 14] [--tried 0 1 2 3 4] [--whole] [--weights first-simclr]

In every seed one in a hundred of the resolved sources of the labelled FIRST cut-outs (SKYSIFT_DATA) gets an anomaly
(`skysift.sim.planted`); with --whole of all of them, points too. What `skysift explore` does is measured on --seeds;
other ways, and what it was chosen by, on --tried.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from lightgbm import LGBMClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from skysift.base.random import generator
from skysift.base.registry import Registry
from skysift.classify.features.table import features_of
from skysift.explore.active import reranked
from skysift.explore.options import USUAL, ActiveOptions, ExploreOptions
from skysift.explore.outliers import combined, quantiles
from skysift.explore.space import make_space
from skysift.learn.embed import encoder_of, preparation_of, vectors
from skysift.learn.hub import weights_of
from skysift.learn.layers.encoder import make_encoder
from skysift.learn.options import EncoderOptions
from skysift.learn.scale import Preparation, prepare
from skysift.sim.planted import flux_and_size, plant, source_of
from skysift.sky.features import Feature, Features
from skysift.stamps.opening import open_pictures

DATA = Path(os.environ.get("SKYSIFT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
SHARE, FIRST, LABELS = 0.01, 0.05, 50
RANDOM, LEARNED, APART = "random network", "embedding", "features and embedding apart"
RESOLVED = 3.45  # pixels that a resolved source has within the radius of nine tenths of its flux
FOUR = ("forest", "density", "distance", "reconstruction")
OWN = USUAL
OF_TABLE = {"features": OWN, LEARNED: ("density",)}  # what `skysift explore` asks in each by default


def measured(images, folder):
    """Features of images (row, y, x)."""
    np.savez(folder / "t.npz", images=images)
    return features_of(open_pictures(folder / "t.npz"))


def embedded(images, net, preparation, stages):
    """Vectors of images (row, y, x), the mean of four turns, as `skysift embed` gives them."""
    out = []
    for start in range(0, len(images), 128):
        pixels = np.asarray(images[start : start + 128, None], np.float32)
        out.append(vectors(net, prepare(pixels, preparation), stages=stages))
    return np.concatenate(out)


def table(values, group, names):
    """A table of such columns."""
    columns = tuple(Feature(f"{group}{k}", group=group) for k in range(values.shape[1]))
    return Features(names, columns, values)


def lying(features, **options):
    """Where sources lie; those without features in the middle."""
    space, _ = make_space(features, ExploreOptions(**options))
    return np.nan_to_num(space.of(features))


def strangeness(coordinates, methods=OWN):
    """Quantiles by each method."""
    return {name: quantiles(Registry("outlier").make(name).scores(coordinates, None, 1)) for name in methods}


def residual(coordinates, n):
    """Quantiles of what n robust principal components leave: made of the nine tenths that they leave least of."""
    centred = coordinates - np.median(coordinates, axis=0)
    weight = np.ones(len(centred))
    for _ in range(4):
        axes = np.linalg.svd(centred * np.sqrt(weight)[:, None], full_matrices=False)[2][:n]
        left = ((centred - centred @ axes.T @ axes) ** 2).sum(axis=1)
        weight = (left < np.quantile(left, 0.9)) + 1e-3
    return quantiles(left)


def share(ranking, truth, n):
    """Part of the true ones among the first n."""
    return float(truth[np.argsort(-ranking, kind="stable")[:n]].sum() / truth.sum())


def judged(ranking, truth):
    """AUC, and the part found in the first twentieth."""
    return roc_auc_score(truth, ranking), share(ranking, truth, round(FIRST * len(truth)))


def loop(views, strange, truth, **options):
    """Part found in the first twentieth, 50 of which were scored ten by ten (5 true, 0 not); and among the 50."""
    scores = np.full(truth.size, np.nan)
    first = np.argsort(-strange, kind="stable")[:10]
    scores[first] = 5.0 * truth[first]
    how = ActiveOptions(**options)
    for _ in range(LABELS // 10 - 1):
        asked = np.argsort(-reranked(views, strange, scores, how)[1], kind="stable")[:10]
        scores[asked] = 5.0 * truth[asked]
    interest = reranked(views, strange, scores, how)[0]
    done = np.isfinite(scores)
    rest = np.argsort(-np.where(done, -np.inf, interest), kind="stable")[: round(FIRST * truth.size) - LABELS]
    return (truth[done].sum() + truth[rest].sum()) / truth.sum(), truth[done].sum() / truth.sum()


def flux_alone(images, truth):
    """AUC of a classifier of flux and size alone, of the whole sample and of its resolved sources."""
    seen = np.array([flux_and_size(each, source_of(each)) for each in np.asarray(images, np.float64)])
    resolved = seen[:, 1] >= RESOLVED
    found = []
    for rows in (np.ones(truth.size, bool), resolved | truth):
        model = LGBMClassifier(
            n_estimators=30, num_leaves=7, min_child_samples=5, class_weight="balanced", verbose=-1
        )
        folds = StratifiedKFold(5, shuffle=True, random_state=1)
        guess = cross_val_predict(
            model, np.log(seen[rows] + 1e-3), truth[rows], cv=folds, method="predict_proba"
        )
        found.append(roc_auc_score(truth[rows], guess[:, 1]))
    return found


class Rows(dict):
    """What each way gave, seed by seed."""

    def add(self, space, method, got):
        self.setdefault((space, method), []).append(got)


def of_seed(seed, images, base, nets, vectors_of, folder, rows, *, trying):
    """Add what one seed gives to the rows; with `trying` also ways that `skysift explore` does not go by default."""
    planted = plant(images, generator(seed, "planted"), round(SHARE * len(images)))
    truth = np.zeros(len(images), bool)
    truth[planted.rows] = True
    values = base.values.copy()
    values[planted.rows] = measured(planted.images, folder).values
    tables = {"features": Features(base.names, base.columns, values)}
    for name, net in nets.items():
        own = vectors_of[name].copy()
        own[planted.rows] = embedded(planted.images, *net)
        tables[name] = table(own, "embedding", base.names)
    spaces = {name: lying(each) for name, each in tables.items()}
    q = {}
    for name, coordinates in spaces.items():
        q[name] = strangeness(coordinates, FOUR if trying and name != RANDOM else OWN)
        for method, each in q[name].items():
            rows.add(name, method, judged(each, truth))
        rows.add(name, "forest, density", judged(combined({m: q[name][m] for m in OWN}), truth))
    if LEARNED in tables:
        both = tables["features"].beside(tables[LEARNED])
        spaces["one"] = lying(both)
        q["one"] = strangeness(spaces["one"])
        rows.add("features and embedding in one space", "forest, density", judged(combined(q["one"]), truth))
        both = {f"{name} {m}": q[name][m] for name in OF_TABLE for m in OWN}
        rows.add(APART, "forest, density of each", judged(combined(both), truth))
        strange = combined({f"{name} {m}": q[name][m] for name, ways in OF_TABLE.items() for m in ways})
        rows.add(APART, "**forest, density; density** (the default)", judged(strange, truth))
        views = [spaces["features"], spaces[LEARNED]]
    else:
        strange, views = combined({m: q["features"][m] for m in OWN}), [spaces["features"]]
    if trying:
        other_ways(tables, spaces, q, truth, rows)
    quantile = quantiles(strange)
    rows.add("loop", "no scores", (judged(strange, truth)[1], np.nan))
    rows.add("loop", "**gaussian** (the default)", loop(views, quantile, truth))
    rows.add("loop", "gaussian, strangeness=0", loop(views, quantile, truth, strangeness=0.0))
    rows.add("loop", "neighbour", loop(views, quantile, truth, method="neighbour"))
    if trying:
        for name, space in (("features", "features"), ("one space of both", "one")):
            if space in spaces:
                rows.add("loop", f"gaussian, in {name}", loop([spaces[space]], quantile, truth))
        for k in (0.5, 2.0):
            rows.add("loop", f"gaussian, strangeness={k}", loop(views, quantile, truth, strangeness=k))
    rows.add(
        "alone",
        "flux and size",
        flux_alone(np.where(truth[:, None, None], _spread(planted, images), images), truth),
    )
    top = set(np.argsort(-strange, kind="stable")[: round(FIRST * truth.size)].tolist())
    hit = Counter(kind for row, kind in zip(planted.rows, planted.kinds, strict=True) if row in top)
    for kind, n in Counter(planted.kinds).items():
        rows.add("kind", kind, (hit[kind], n))


def other_ways(tables, spaces, q, truth, rows):
    """What else was tried: fewer groups of features, unit variance, robust components, several densities."""
    features = tables["features"]
    plain = strangeness(lying(features.group("shape", "peaks")))
    rows.add("features without rings and flux", "forest, density", judged(combined(plain), truth))
    for name in ("features", LEARNED):
        if name not in tables:
            continue
        white = lying(tables[name], whiten=True)
        found = strangeness(white)
        rows.add(f"{name}, unit variance", "forest, density", judged(combined(found), truth))
        rows.add(f"{name}, unit variance", "Mahalanobis", judged((white**2).sum(axis=1), truth))
        for n in (15, 40):
            rows.add(name, f"residual of {n} robust components", judged(residual(spaces[name], n), truth))
        dense = [
            Registry("outlier").make("density", neighbours=k).scores(spaces[name], None, 1)
            for k in (10, 20, 50)
        ]
        q[name]["densities"] = np.mean([quantiles(each) for each in dense], axis=0)
        rows.add(name, "density of 10, 20 and 50 neighbours", judged(q[name]["densities"], truth))
    if LEARNED not in tables:
        return

    def together(*methods):
        return {f"{name} {m}": q[name][m] for name in ("features", LEARNED) for m in methods}

    for told, methods in (
        ("density", ("density",)),
        ("forest, density of 10, 20 and 50 neighbours", ("forest", "densities")),
        ("forest, density, distance", ("forest", "density", "distance")),
        ("forest, density, distance, reconstruction", FOUR),
    ):
        rows.add(APART, told, judged(combined(together(*methods)), truth))
    rows.add(
        APART, "forest, density, mean quantile", judged(np.mean(list(together(*OWN).values()), axis=0), truth)
    )


def _spread(planted, images):
    out = np.zeros(images.shape, np.float32)
    out[planted.rows] = planted.images
    return out


def hybrids(data, nets, folder):
    """AUC of hybrid sources of MiraBest as outliers, by features and by each embedding."""
    path = data / "labelled" / "MiraBest_FIRST_train.npz"
    pictures = open_pictures(path)
    truth = np.array([str(code)[0] == "3" for code in pictures.facts["code"]])
    tables = {"features": features_of(pictures)}
    pixels = pictures.read(slice(None))[:, 0]
    for name, net in nets.items():
        tables[name] = table(embedded(pixels, *net), "embedding", pictures.names)
    found = {name: roc_auc_score(truth, combined(strangeness(lying(each)))) for name, each in tables.items()}
    return int(truth.sum()), found


def main():
    """Run all of it and print the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12, 13, 14])
    parser.add_argument(
        "--tried", type=int, nargs="*", default=[], help="seeds on which other ways are tried too"
    )
    parser.add_argument(
        "--weights",
        default="first-simclr",
        help="an encoder: a name of `skysift models`, or a file; none: empty",
    )
    parser.add_argument("--whole", action="store_true", help="all cut-outs, points too")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    data = DATA
    images = np.load(data / "labelled" / "FIRST_radio_galaxies_train_valid.npz")["images"]
    if not asked.whole:
        sizes = np.array([flux_and_size(each, source_of(each))[1] for each in images.astype(np.float64)])
        images = images[sizes >= RESOLVED]
    torch.manual_seed(0)
    nets = {RANDOM: (make_encoder(EncoderOptions(), 1).eval(), Preparation(), 1)}
    if asked.weights:
        held = weights_of(asked.weights)
        nets[LEARNED] = (encoder_of(held), preparation_of(held), int(held.card.settings.get("stages", 1)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = measured(images, folder)
        vectors_of = {name: embedded(images, *net) for name, net in nets.items()}
        for seeds, trying in ((asked.tried, True), (asked.seeds, False)):
            rows = Rows()
            for seed in seeds:
                of_seed(seed, images, base, nets, vectors_of, folder, rows, trying=trying)
            if seeds:
                print(page(rows, len(images), seeds), end="\n\n", flush=True)
        n, odd = hybrids(data, nets, folder)
    print(
        f"The {n} hybrids of MiraBest as outliers, AUC: "
        + ", ".join(f"{k} {v:.2f}" for k, v in odd.items())
        + "."
    )


def page(rows, size, seeds):
    """The tables as Markdown."""

    def told(values):
        values = np.asarray(values, float)
        pairs = zip(values.mean(axis=0), values.std(axis=0), strict=True)
        return ["" if np.isnan(m) else f"{m:.3f} ± {s:.3f}" for m, s in pairs]

    lines = [
        f"{size} sources. Seeds {', '.join(map(str, seeds))}; mean and standard deviation over them.",
        "",
    ]
    lines += ["| table | method | AUC | found in the first 5 % |", "|---|---|---|---|"]
    for (space, method), values in rows.items():
        if space in ("alone", "kind", "loop"):
            continue
        lines.append("| " + " | ".join([space, method, *told(values)]) + " |")
    lines += ["", "| 50 scores | found in the first 5 %, the 50 among them | among the 50 |", "|---|---|---|"]
    for (space, method), values in rows.items():
        if space == "loop":
            lines.append("| " + " | ".join([method, *told(values)]) + " |")
    whole, resolved = told(rows["alone", "flux and size"])
    lines += [
        "",
        f"Flux and size alone (LightGBM, five folds): AUC {whole} in the sample, {resolved} among resolved sources.",
    ]
    kinds = {kind: np.sum(values, axis=0) for (space, kind), values in rows.items() if space == "kind"}
    lines += [
        "",
        "Found in the first 5 %, of those planted: "
        + ", ".join(f"{k} {int(h)}/{int(m)}" for k, (h, m) in sorted(kinds.items()))
        + ".",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
