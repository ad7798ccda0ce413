"""Classes of radio galaxies from features alone: five folds, two repeats, LightGBM and logistic regression.

    python -m bench.features [--out bench/features.md] [--repeats 2]

Needs SKYSIFT_DATA. All that is chosen (which pixels are the source, which groups of features, how large the trees
are) is chosen anew inside each training fold, by two inner folds of it; no test picture takes part. A part of each
set, drawn once, is where the features were developed; accuracy on the other part is told beside that on all.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skysift.base.random import generator
from skysift.classify.classifier import Labelled
from skysift.classify.evaluation import RANDOM, random_probe
from skysift.classify.features.options import FeaturesOptions
from skysift.classify.features.table import features_of
from skysift.classify.folds import stratified
from skysift.sky.features import Features
from skysift.stamps.opening import open_pictures
from skysift.stamps.pictures import Pictures

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("SKYSIFT_DATA", HERE.parents[1] / "shared" / "data")) / "labelled"
FOLDS, INNER, SEED = 5, 2, 1
NEAR = 19.0  # pixels from the middle, within which islands of the source begin
TREES = {
    "num_leaves": 15, "n_estimators": 200, "learning_rate": 0.05, "subsample": 0.8, "subsample_freq": 1,
    "colsample_bytree": 0.3, "reg_lambda": 5.0, "min_child_samples": 10, "max_bin": 63, "n_jobs": 1, "verbose": -1,
    "deterministic": True, "force_row_wise": True,
}  # fmt: skip
PLAIN = ("shape", "peaks")
CHOICES = {  # which islands are the source, and which groups of features; one is chosen inside each training fold
    "plain, wide": ("wide", PLAIN),
    "plain, near": ("near", PLAIN),
    "rings, near": ("near", (*PLAIN, "rings")),
    "rings, near and wide": ("both", (*PLAIN, "rings")),
}


@dataclass(frozen=True, eq=False)
class Task:
    """A set with its classes, and features of the source by how its neighbours are treated."""

    key: str
    title: str
    floor: str
    tables: dict[str, Features]
    classes: tuple[str, ...]
    targets: Any
    developed: Any
    cost: float
    pictures: Pictures

    def values(self, choice: str) -> Any:
        """Features (row, column) of a choice."""
        way, groups = CHOICES[choice]
        ways = ("near", "wide") if way == "both" else (way,)
        return np.concatenate([self.tables[each].group(*groups).values for each in ways], axis=1)


def data(name: str) -> Pictures:
    return open_pictures(DATA / name)


def made_task(
    key: str, title: str, floor: str, pictures: Pictures, classes: tuple[str, ...], targets: Any
) -> Task:
    half = 0.5 * min(pictures.shape[2:])
    common = FeaturesOptions(scale=1.8, beam=5.4, groups=(*PLAIN, "rings"), radius=1.0)
    ways = {"near": common.replace(radius=NEAR / half), "wide": common}
    features_of(pictures.select(np.arange(4)), common)  # kernels are compiled
    begun = time.process_time()
    tables = {name: features_of(pictures, options) for name, options in ways.items()}
    cost = 1e3 * (time.process_time() - begun) / len(ways) / len(pictures)
    developed = generator(5, "development", key).random(len(targets)) < 0.5
    return Task(key, title, floor, tables, classes, targets, developed, cost, pictures)


def mirabest(key: str, title: str, floor: str, *, confident: bool) -> Task:
    pictures = data("MiraBest_FIRST_train.npz")
    codes = pictures.labels("code")
    kept = np.array([c[0] in "12" and (c[1] == "0" or not confident) for c in codes])
    targets = np.array([int(c[0]) - 1 for c, k in zip(codes, kept, strict=True) if k])
    return made_task(key, title, floor, pictures.select(kept), ("FR I", "FR II"), targets)


def first() -> Task:
    pictures = data("FIRST_radio_galaxies_train_valid.npz")
    classes, targets = np.unique(np.array(pictures.labels()), return_inverse=True)
    return made_task("first", "FIRST, four classes", "0.774", pictures, tuple(map(str, classes)), targets)


HEAD = """## Classes of radio galaxies from features

Made by `python -m bench.features`. Five folds, two repeats, mean and spread over the ten; LightGBM of 200 trees with the
same settings everywhere, logistic regression on ranks. Random network: logistic regression on features of a ResNet-10
that learnt nothing. Plain: the groups shape and peaks; rings: these and the group
rings. Wide: all islands of the picture are the source; near: those that begin within 19 pixels (34 arcsec) of the
middle. "Chosen inside": which of these is used is decided in each training fold by two inner folds of it, so that no test
picture takes part in a choice. The features were developed on a part of each set (half, drawn once); the last two columns
are the accuracies on that half and on the other one.
"""

TASKS: dict[str, Callable[[], Task]] = {
    "mira": lambda: mirabest("mira", "MiraBest confident, FR I / FR II", "0.883", confident=True),
    "mira-all": lambda: mirabest("mira-all", "MiraBest all, FR I / FR II", "0.803", confident=False),
    "first": first,
}


def boosted(seed: int, **more: Any) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(**{**TREES, "random_state": seed, **more})


def logistic() -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import QuantileTransformer

    ranked = QuantileTransformer(output_distribution="normal", n_quantiles=100)
    return make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        ranked,
        LogisticRegression(C=0.05, max_iter=500),
    )


def chosen(task: Task, train: Any) -> str:
    """The choice that inner folds of the training rows like best."""
    inner = stratified(task.targets[train], INNER, SEED, "bench", task.key, "inner")
    right = {}
    for name in CHOICES:
        x, y = task.values(name)[train], task.targets[train]
        hits = 0
        for k in range(INNER):
            model = boosted(0, n_estimators=120, learning_rate=0.1).fit(x[inner != k], y[inner != k])
            hits += int((model.predict(x[inner == k]) == y[inner == k]).sum())
        right[name] = hits
    return max(right, key=lambda name: right[name])


def scores(targets: Any, told: Any, classes: int) -> tuple[float, float, list[float]]:
    """Accuracy, macro-F1 and F1 of each class."""
    f1 = []
    for k in range(classes):
        hit = int(((told == k) & (targets == k)).sum())
        f1.append(2.0 * hit / max(int((told == k).sum() + (targets == k).sum()), 1))
    return float((told == targets).mean()), float(np.mean(f1)), f1


def evaluated(task: Task, repeats: int) -> tuple[list[list[str]], Counter[str], Any]:
    """Rows of the table, what was chosen, and the confusion of the chosen features."""
    n = len(task.classes)
    ways: dict[str, list[tuple[float, float, list[float]]]] = defaultdict(list)
    halves: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    picked: Counter[str] = Counter()
    confusion = np.zeros((n, n), np.int64)
    data = Labelled(task.pictures.names, task.classes, task.targets, task.pictures)
    random = random_probe(data)
    for repeat in range(repeats):
        fold = stratified(task.targets, FOLDS, SEED + repeat, "bench", task.key)
        for k in range(FOLDS):
            train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
            y = task.targets
            choice = chosen(task, train)
            picked[choice] += 1
            told = {
                "majority class": np.full(len(test), np.bincount(y[train]).argmax()),
                RANDOM: random(data.select(train), data.select(test)).argmax(axis=1),
            }
            for name in ("plain, wide", "rings, near and wide"):
                x = task.values(name)
                told[f"logistic regression, {name}"] = logistic().fit(x[train], y[train]).predict(x[test])
            for name in CHOICES:
                x = task.values(name)
                model = boosted(repeat).fit(x[train], y[train])
                told[f"LightGBM, {name}"] = model.predict(x[test])
                if name == choice:
                    told["LightGBM, chosen inside"] = told[f"LightGBM, {name}"]
            for name, each in told.items():
                ways[name].append(scores(y[test], each, n))
                halves[name] += list(zip(task.developed[test], each == y[test], strict=True))
            np.add.at(confusion, (y[test], told["LightGBM, chosen inside"]), 1)
            print(task.key, repeat, k, choice, {m: round(v[-1][0], 3) for m, v in ways.items()}, flush=True)
    rows = []
    for name, each in ways.items():
        accuracy, macro = np.array([s[0] for s in each]), np.array([s[1] for s in each])
        f1 = np.mean([s[2] for s in each], axis=0)
        seen = [np.mean([hit for dev, hit in halves[name] if dev == flag]) for flag in (True, False)]
        rows.append(
            [
                name,
                f"{accuracy.mean():.3f} +- {accuracy.std():.3f}",
                f"{macro.mean():.3f} +- {macro.std():.3f}",
            ]
            + [f"{each:.3f}" for each in (*f1, *seen)]
        )
    return rows, picked, confusion


def page(key: str, repeats: int) -> str:
    """What a task gave, as text."""
    task = TASKS[key]()
    rows, picked, confusion = evaluated(task, repeats)
    counts = np.bincount(task.targets)
    heads = [
        "method",
        "accuracy",
        "macro-F1",
        *(f"F1 {name}" for name in task.classes),
        "developed",
        "other half",
    ]
    told = ", ".join(f"{name} {count}" for name, count in zip(task.classes, counts, strict=True))
    lines = [f"### {task.title}\n", f"{len(task.targets)} sources: {told}. Floor {task.floor}.\n"]
    lines.append(table(heads, rows))
    lines.append(
        "Chosen inside the training folds: "
        + ", ".join(f"{name} ({n})" for name, n in picked.most_common())
        + "."
    )
    lines.append("\nConfusion (row: label, column: told; sums over repeats):\n")
    lines.append(
        table(
            ["", *task.classes],
            [[name, *map(str, row)] for name, row in zip(task.classes, confusion, strict=True)],
        )
    )
    lines.append(
        f"\n{task.cost:.1f} CPU ms a picture for {sum(len(t.columns) for t in task.tables.values()) // 2} features.\n"
    )
    return "\n".join(lines)


def table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(each) + " |" for each in lines) + "\n"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument(
        "--only", choices=sorted(TASKS), help="one of the sets; its part of the page is printed"
    )
    parser.add_argument("--out", type=Path, default=HERE / "features.md")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    if arguments.only:
        print(page(arguments.only, arguments.repeats))
        return
    parts = [page(key, arguments.repeats) for key in TASKS]
    arguments.out.write_text("\n".join([HEAD, *parts]))


if __name__ == "__main__":
    main()
