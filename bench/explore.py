"""How well planted anomalies are found, by features, embeddings and both, without and with a person's scores.

    python -m bench.explore [--seeds 10 11 12 13 14 15] [--whole] [--weights ENCODER.safetensors]

In every seed one in a hundred of the resolved sources of the labelled FIRST cut-outs (SKYSIFT_DATA) gets an anomaly
(`skysift.sim.planted`); with --whole of all of them, points too.
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
from skysift.explore.options import ActiveOptions, ExploreOptions
from skysift.explore.outliers import combined, quantiles
from skysift.explore.space import make_space
from skysift.learn.checkpoint import read_checkpoint
from skysift.learn.embed import encoder_of, preparation_of, vectors
from skysift.learn.layers.encoder import make_encoder
from skysift.learn.options import EncoderOptions
from skysift.learn.scale import Preparation, prepare
from skysift.sim.planted import flux_and_size, plant, source_of
from skysift.sky.features import Feature, Features
from skysift.stamps.opening import open_pictures

DATA = Path(os.environ.get("SKYSIFT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
SHARE, FIRST, LABELS = 0.01, 0.05, 50
RESOLVED = 3.45  # pixels that a resolved source has within the radius of nine tenths of its flux
METHODS = ("forest", "density", "distance", "reconstruction")


def measured(images, folder):
    """Features of images (row, y, x)."""
    np.savez(folder / "t.npz", images=images)
    return features_of(open_pictures(folder / "t.npz"))


def embedded(images, net, preparation):
    """Vectors of images (row, y, x), the mean of four turns."""
    out = []
    for start in range(0, len(images), 128):
        pixels = np.asarray(images[start : start + 128, None], np.float32)
        out.append(vectors(net, prepare(pixels, preparation)))
    return np.concatenate(out)


def table(values, group):
    """A table of such columns."""
    columns = tuple(Feature(f"{group}{k}", group=group) for k in range(values.shape[1]))
    return Features(tuple(map(str, range(len(values)))), columns, values)


def lying(values, group, **options):
    """Where sources lie; those without features in the middle."""
    features = values if isinstance(values, Features) else table(values, group)
    space, _ = make_space(features, ExploreOptions(**options))
    return np.nan_to_num(space.of(features))


def strangeness(coordinates, methods=METHODS):
    """Quantiles by each method."""
    return {name: quantiles(Registry("outlier").make(name).scores(coordinates, None, 1)) for name in methods}


def share(ranking, truth, n):
    """Part of the true ones among the first n."""
    return float(truth[np.argsort(-ranking, kind="stable")[:n]].sum() / truth.sum())


def judged(ranking, truth):
    """AUC, and the part found in the first twentieth."""
    return roc_auc_score(truth, ranking), share(ranking, truth, round(FIRST * len(truth)))


def loop(coordinates, strange, truth, method):
    """Part found in the first twentieth, 50 of which were scored ten by ten (5 true, 0 not); and among the 50."""
    scores = np.full(truth.size, np.nan)
    first = np.argsort(-strange, kind="stable")[:10]
    scores[first] = 5.0 * truth[first]
    options = ActiveOptions(method=method)
    for _ in range(LABELS // 10 - 1):
        asked = np.argsort(-reranked(coordinates, strange, scores, options)[1], kind="stable")[:10]
        scores[asked] = 5.0 * truth[asked]
    interest = reranked(coordinates, strange, scores, options)[0]
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


def of_seed(seed, images, base, nets, vectors_of, folder, rows):
    """Add what one seed gives to the rows."""
    planted = plant(images, generator(seed, "planted"), round(SHARE * len(images)))
    truth = np.zeros(len(images), bool)
    truth[planted.rows] = True
    features = measured(planted.images, folder)
    values = base.values.copy()
    values[planted.rows] = features.values
    measures = Features(base.names, base.columns, values)
    spaces = {"features": lying(measures, "shape", whiten=True)}
    spaces["features, 24 components"] = lying(measures, "shape", components=24)
    for name, (net, preparation) in nets.items():
        own = vectors_of[name].copy()
        own[planted.rows] = embedded(planted.images, net, preparation)
        spaces[name] = lying(own, "embedding")
        both = Features(base.names, base.columns, values).beside(
            Features(base.names, table(own, "embedding").columns, own)
        )
        if name != "random network":
            spaces[f"features and {name}, one space"] = lying(both, "")
    q = {}
    for name, coordinates in spaces.items():
        q[name] = strangeness(coordinates)
        for method, each in q[name].items():
            rows.setdefault((name, method), []).append(judged(each, truth))
        rows.setdefault((name, "all four"), []).append(judged(combined(q[name]), truth))
    for name in nets:
        each = {f"f {m}": x for m, x in q["features"].items()} | {f"e {m}": x for m, x in q[name].items()}
        rows.setdefault((f"features and {name}, apart", "all four of each"), []).append(
            judged(combined(each), truth)
        )
        few = {k: each[k] for k in ("f forest", "f distance", "e forest", "e density")}
        rows.setdefault((f"features and {name}, apart", "two of each"), []).append(
            judged(combined(few), truth)
        )
        for method in ("neighbour", "gaussian"):
            for label, strange in (
                ("features", combined(q["features"])),
                (f"features and {name}, apart", combined(few)),
            ):
                got = loop(spaces["features"], quantiles(strange), truth, method)
                rows.setdefault((f"loop: {label}", method), []).append(got)
    rows.setdefault(("alone", "flux and size"), []).append(
        tuple(flux_alone(np.where(truth[:, None, None], _spread(planted, images), images), truth))
    )
    kinds = Counter(planted.kinds)
    strange = combined(q["features"])
    top = np.argsort(-strange)[: round(FIRST * truth.size)]
    hit = Counter(
        kind for row, kind in zip(planted.rows, planted.kinds, strict=True) if row in set(top.tolist())
    )
    for kind, n in kinds.items():
        rows.setdefault(("kind", kind), []).append((hit[kind], n))


def _spread(planted, images):
    out = np.zeros(images.shape, np.float32)
    out[planted.rows] = planted.images
    return out


def hybrids(data, nets, folder):
    """AUC of hybrid sources of MiraBest as outliers, by features and by each embedding."""
    path = data / "labelled" / "MiraBest_FIRST_train.npz"
    pictures = open_pictures(path)
    truth = np.array([str(code)[0] == "3" for code in pictures.facts["code"]])
    found = {}
    spaces = {"features": lying(features_of(pictures), "shape", whiten=True)}
    pixels = pictures.read(slice(None))[:, 0]
    for name, (net, preparation) in nets.items():
        spaces[name] = lying(embedded(pixels, net, preparation), "embedding")
    for name, coordinates in spaces.items():
        found[name] = roc_auc_score(truth, combined(strangeness(coordinates)))
    return int(truth.sum()), found


def main():
    """Run all of it and print the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12, 13, 14, 15])
    parser.add_argument("--weights", type=Path, default=None, help="an encoder of `skysift pretrain`")
    parser.add_argument("--whole", action="store_true", help="all cut-outs, points too")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    data = DATA
    images = np.load(data / "labelled" / "FIRST_radio_galaxies_train_valid.npz")["images"]
    if not asked.whole:
        sizes = np.array([flux_and_size(each, source_of(each))[1] for each in images.astype(np.float64)])
        images = images[sizes >= RESOLVED]
    torch.manual_seed(0)
    nets = {"random network": (make_encoder(EncoderOptions(), 1).eval(), Preparation())}
    if asked.weights is not None:
        held = read_checkpoint(asked.weights)
        nets["learned embedding"] = (encoder_of(held), preparation_of(held))
    with tempfile.TemporaryDirectory() as name:
        folder, rows = Path(name), {}
        base = measured(images, folder)
        vectors_of = {name: embedded(images, *net) for name, net in nets.items()}
        for seed in asked.seeds:
            of_seed(seed, images, base, nets, vectors_of, folder, rows)
        n, odd = hybrids(data, nets, folder)
    print(page(rows, len(images), asked.seeds, n, odd))


def page(rows, size, seeds, n, odd):
    """The tables as Markdown."""

    def told(values):
        values = np.asarray(values, float)
        return [f"{m:.3f} +- {s:.3f}" for m, s in zip(values.mean(axis=0), values.std(axis=0), strict=True)]

    lines = [
        f"{size} sources. Seeds {', '.join(map(str, seeds))}; mean and standard deviation over them.",
        "",
    ]
    lines += ["| space | method | AUC | found in the first 5 % |", "|---|---|---|---|"]
    for (space, method), values in rows.items():
        if space in ("alone", "kind") or space.startswith("loop"):
            continue
        lines.append("| " + " | ".join([space, method, *told(values)]) + " |")
    lines += [
        "",
        "| ranking | rule | found in the first 5 %, 50 of them scored | among the 50 |",
        "|---|---|---|---|",
    ]
    for (space, method), values in rows.items():
        if space.startswith("loop"):
            lines.append("| " + " | ".join([space.removeprefix("loop: "), method, *told(values)]) + " |")
    whole, resolved = told(rows["alone", "flux and size"])
    lines += [
        "",
        f"Flux and size alone (LightGBM, five folds): AUC {whole} in the sample, {resolved} among resolved sources.",
    ]
    kinds = {kind: np.sum(values, axis=0) for (space, kind), values in rows.items() if space == "kind"}
    lines += [
        "",
        "Found in the first 5 % by features, of those planted: "
        + ", ".join(f"{k} {int(h)}/{int(m)}" for k, (h, m) in sorted(kinds.items()))
        + ".",
    ]
    lines += [
        "",
        f"The {n} hybrids of MiraBest as outliers, AUC: "
        + ", ".join(f"{k} {v:.2f}" for k, v in odd.items())
        + ".",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
