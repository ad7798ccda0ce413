"""How good features are: probes over folds, for parts of the labels, beside the majority and other features."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.base.fingerprint import fingerprint
from skysift.base.random import generator
from skysift.classify.classifier import Labelled
from skysift.classify.features.table import features_of
from skysift.classify.folds import at_one_place, fixed_folds, random_folds, refuse_few
from skysift.classify.options import LightGBMOptions
from skysift.classify.tasks import texts_of
from skysift.classify.trees import LightGBMModel
from skysift.flow.learning.options import ProbeOptions
from skysift.learn.checkpoint import Checkpoint
from skysift.learn.embed import embed, encoder_of, preparation_of, stages_of, vectors
from skysift.learn.layers.encoder import make_encoder
from skysift.learn.options import EncoderOptions
from skysift.learn.probe import Probe, ProbeKind
from skysift.learn.scale import prepare
from skysift.learn.tuning import Tuning, tuned
from skysift.stamps.pictures import Pictures

__all__ = [
    "HEADS",
    "Asked",
    "Row",
    "asked_of",
    "beside",
    "judge",
    "labels_of",
    "random_of",
    "rows_of",
]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Predict: TypeAlias = Callable[[Ints, Ints], Floats]
"""Rows that are learnt and rows that are asked for, to probabilities of these (row, class)."""
Progress: TypeAlias = Callable[[str, int, int], None]

ALL = (-1, -1)  # repeats and folds


@dataclass(frozen=True, eq=False)
class Asked:
    """
    Pictures with classes.

    Attributes
    ----------
    pictures
        Those that are told apart.
    classes, targets
        What is told apart, and the number of each picture's.
    folds
        The part that each picture is in, of each repeat; -1 where it is only learnt from.
    notes
        What one should know of them.
    """

    pictures: Pictures
    classes: tuple[str, ...]
    targets: Ints
    folds: tuple[Ints, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.targets)

    @cached_property
    def plain(self) -> Floats:
        """Numbers measured on the pictures: shape and peaks of the sources (row, feature)."""
        return features_of(self.pictures).values


@dataclass(frozen=True)
class Row:
    """
    What one way gave with a part of the labels.

    Attributes
    ----------
    features, kind
        What was looked at, and by which classifier.
    share, labels
        Part of the labels (%), and how many that is, on the mean.
    accuracy, accuracy_sd, f1, f1_sd
        Mean over folds and repeats with the scatter between them; F1 is the mean over classes.
    """

    features: str
    kind: str
    share: float
    labels: int
    accuracy: float
    accuracy_sd: float
    f1: float
    f1_sd: float

    def told(self) -> tuple[str, ...]:
        """As cells of a table."""
        return (
            self.features,
            self.kind,
            f"{self.share:g} %",
            f"{self.labels}",
            f"{self.accuracy:.3f} ± {self.accuracy_sd:.3f}",
            f"{self.f1:.3f} ± {self.f1_sd:.3f}",
        )


HEADS = ("Features", "Classifier", "Labels", "Number", "Accuracy", "F1 (mean of classes)")


def labels_of(pictures: Pictures, column: str | None, meaning: Mapping[str, str]) -> tuple[str, ...]:
    """The class of each picture: its label, or what that means; empty for those that are not told apart.

    Raises
    ------
    UnknownName
        There is no such column, or none that is known to hold labels.
    """
    given = texts_of(pictures, column)
    return tuple(meaning.get(each, "") for each in given) if meaning else given


def asked_of(pictures: Pictures, labels: Sequence[str], options: ProbeOptions) -> Asked:
    """Pictures that can be read and have a class, with folds: by name where these are fixed, else drawn in each repeat.

    Pictures of one place share a fold that is drawn.

    Raises
    ------
    UnknownName
        There are no folds of this name.
    UsageError
        There are not two classes, one has fewer pictures than there are folds, or the fixed folds are of other pictures
        or are other than so many.
    """
    given = np.array(labels)
    kept = pictures.good & (given != "")
    classes = tuple(sorted(set(given[kept])))
    if len(classes) < 2:
        raise UsageError(
            "there is nothing to tell apart",
            got=f"one class: {classes[0]}" if classes else "no labels",
            allowed="two classes or more",
            todo="give --column, --labels or --class THEIRS=OURS",
        )
    rows = np.flatnonzero(kept)
    targets = np.searchsorted(classes, given[rows]).astype(np.int64)
    chosen = pictures.select(rows)
    data = Labelled(chosen.names, classes, targets, chosen)
    if options.fixed is None:
        refuse_few(data.counts, classes, options.folds, "give fewer with --set folds=N")
        drawn = random_folds(data, options.folds, options.repeats, options.random_seed)
        again = int((at_one_place(data) != np.arange(len(data))).sum())
        told = (f"{again} pictures within 6 arcsec of another one share its fold",) if again else ()
        return Asked(chosen, classes, targets, tuple(drawn), told)
    data, drawn, notes = fixed_folds(data, options.fixed, options.repeats)
    if drawn.max() + 1 != options.folds:
        raise UsageError(
            "the fixed folds are not as many",
            got=f"folds={options.folds}, {options.fixed} has {drawn.max() + 1}",
            todo=f"give --set folds={drawn.max() + 1}; in a recipe probe.folds",
        )
    assert data.pictures is not None
    return Asked(data.pictures, classes, data.targets, tuple(drawn), notes)


def judge(
    name: str,
    kind: str,
    asked: Asked,
    predict: Predict,
    options: ProbeOptions,
    progress: Progress | None = None,
    only: tuple[int, int] = ALL,
) -> list[Row]:
    """Accuracy and F1 over folds and repeats, for each part of the labels.

    Parameters
    ----------
    name, kind
        Of the features and of the classifier.
    asked
        The pictures.
    predict
        What learns from some rows, and tells the probabilities of others.
    options
        Parts of the labels, and the seed that they are drawn with: each class keeps its share, and one at least.
    progress
        Called as progress(stage, done, total).
    only
        One repeat and fold of all; `ALL` for each in turn.
    """
    made, done = [], 0
    total = len(options.fractions) * options.repeats * options.folds
    for share in options.fractions:
        accuracy, scores, used = [], [], []
        for repeat, fold in enumerate(asked.folds):
            for k in range(options.folds):
                if only not in (ALL, (repeat, k)):
                    continue
                test, learnt = np.flatnonzero(fold == k), np.flatnonzero(fold != k)
                chance = generator(options.random_seed, "labels", str(share), str(repeat), str(k))
                learnt = _part(learnt, asked.targets, share / 100.0, chance)
                told = predict(learnt, test).argmax(axis=1)
                accuracy.append(float((told == asked.targets[test]).mean()))
                scores.append(_f1(told, asked.targets[test], len(asked.classes)))
                used.append(len(learnt))
                done += 1
                if progress is not None:
                    progress(f"{name}, {kind}", done, total)
        made.append(
            Row(
                name,
                kind,
                share,
                round(float(np.mean(used))),
                float(np.mean(accuracy)),
                float(np.std(accuracy)),
                float(np.mean(scores)),
                float(np.std(scores)),
            )
        )
    return made


def _part(rows: Ints, targets: Ints, share: float, chance: np.random.Generator) -> Ints:
    """A part of the rows of each class, one at least."""
    if share >= 1.0:
        return rows
    kept = []
    for each in np.unique(targets[rows]):
        mine = rows[targets[rows] == each]
        kept.append(chance.permutation(mine)[: max(1, round(share * len(mine)))])
    return np.sort(np.concatenate(kept))


def _f1(told: Ints, true: Ints, n: int) -> float:
    """Mean over classes of the harmonic mean of precision and recall."""
    each = []
    for k in range(n):
        hit = int(((told == k) & (true == k)).sum())
        wrong = int(((told == k) != (true == k)).sum())
        if hit + wrong:
            each.append(2.0 * hit / (2.0 * hit + wrong))
    return float(np.mean(each)) if each else 0.0


def by_probe(values: Floats, asked: Asked, kind: ProbeKind, options: ProbeOptions) -> Predict:
    """A probe of vectors of features."""

    def predict(learnt: Ints, test: Ints) -> Floats:
        probe = Probe(
            kind,
            strength=options.strength,
            neighbours=min(options.neighbours, len(learnt)),
            balanced=options.balanced,
        ).fit(values[learnt], asked.targets[learnt])
        out = np.zeros((len(test), len(asked.classes)))
        out[:, probe.classes.astype(np.int64)] = np.nan_to_num(probe.probabilities(values[test]))
        return out

    return predict


def by_plain(asked: Asked, options: ProbeOptions) -> Predict:
    """The discriminant of plain features: gaps get the median, and what is far out is drawn in."""

    def predict(learnt: Ints, test: Ints) -> Floats:
        return by_probe(_drawn_in(asked.plain, learnt), asked, "discriminant", options)(learnt, test)

    return predict


def _drawn_in(values: Floats, learnt: Ints) -> Floats:
    """Without gaps, and at most five sigma from the median, both by the quartiles of the rows that are learnt."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column of gaps alone
        low, middle, high = np.nan_to_num(np.nanpercentile(values[learnt], [25.0, 50.0, 75.0], axis=0))
    sigma = (high - low) / 1.349
    reach = np.where(sigma > 0.0, 5.0 * sigma, np.inf)  # a column that seldom differs keeps what it holds
    return np.clip(np.where(np.isfinite(values), values, middle), middle - reach, middle + reach)


def joined(one: Predict, other: Predict) -> Predict:
    """The mean of what two say."""

    def predict(learnt: Ints, test: Ints) -> Floats:
        return (one(learnt, test) + other(learnt, test)) / 2.0

    return predict


def by_tuning(weights: Checkpoint, asked: Asked, options: ProbeOptions, *, fresh: bool = False) -> Predict:
    """Fine-tuning of an encoder; from fresh weights where `fresh`."""
    preparation = preparation_of(weights)
    pixels = np.concatenate([prepare(part, preparation) for part in asked.pictures.batches()])
    told = {key: value for key, value in weights.card.options.items() if key != "bands"}
    start = None if fresh else dict(encoder_of(weights).state_dict())
    learner = Tuning(EncoderOptions(**told), start, pixels.shape[1], len(asked.classes))

    def predict(learnt: Ints, test: Ints) -> Floats:
        with tempfile.TemporaryDirectory() as folder:
            return tuned(
                learner,
                pixels[learnt],
                asked.targets[learnt],
                pixels[test],
                options.epochs,
                Path(folder),
                random_seed=options.random_seed,
            )

    return predict


def beside(
    asked: Asked,
    options: ProbeOptions,
    weights: Sequence[Checkpoint] = (),
    progress: Progress | None = None,
    *,
    plain: bool = True,
    only: tuple[int, int] = ALL,
) -> list[Row]:
    """What stands beside every number: the majority, features of random networks, and plain features with LightGBM.

    Parameters
    ----------
    asked, options
        The pictures, and what is tried.
    weights
        Of encoders whose networks are given random weights, each kind of network once.
    progress
        Called as progress(stage, done, total).
    plain
        Whether plain features are measured.
    only
        As for `judge`.
    """
    shares = np.bincount(asked.targets, minlength=len(asked.classes)) / len(asked)

    def majority(learnt: Ints, test: Ints) -> Floats:
        del learnt
        return np.tile(shares, (len(test), 1))

    whole = options.replace(fractions=(100.0,))
    rows = judge("none", "majority", asked, majority, whole, only=only)
    kinds: dict[str, Checkpoint] = {}
    for each in weights:
        kinds.setdefault(fingerprint((each.card.options, preparation_of(each), _stages(each, options))), each)
    for each in kinds.values():
        name = "random network" if len(kinds) == 1 else f"random network of {each.card.name}"
        values = random_of(each, asked.pictures, options)
        rows += [
            row
            for kind in _linear_kinds(options)
            for row in judge(
                name, kind, asked, by_probe(values, asked, kind, options), options, progress, only
            )
        ]
    if plain:
        name = "plain features"
        rows += judge(name, "lightgbm", asked, _by_trees(asked.plain, asked), options, progress, only)
        if "discriminant" in _linear_kinds(options):
            rows += judge(name, "discriminant", asked, by_plain(asked, options), options, progress, only)
    return rows


def _linear_kinds(options: ProbeOptions) -> tuple[ProbeKind, ...]:
    """Which linear probes other features are judged by: those that the encoder is, logistic regression always."""
    discriminant = {"discriminant", "joined"} & set(options.kinds)
    return ("linear", "discriminant") if discriminant else ("linear",)


def _by_trees(values: Floats, asked: Asked) -> Predict:
    def predict(learnt: Ints, test: Ints) -> Floats:
        kinds, numbers = np.unique(asked.targets[learnt], return_inverse=True)
        model = LightGBMModel()
        model.fit(values[learnt], numbers, np.ones(len(learnt)), LightGBMOptions())
        out = np.zeros((len(test), len(asked.classes)))
        out[:, kinds] = model.told(values[test])
        return out

    return predict


def random_of(weights: Checkpoint, pictures: Pictures, options: ProbeOptions) -> Floats:
    """What the network of an encoder gives with fresh weights."""
    told = {key: value for key, value in weights.card.options.items() if key != "bands"}
    preparation = preparation_of(weights)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.random_seed)
        net = make_encoder(EncoderOptions(**told), preparation.channels(len(pictures.bands)))
    pixels = np.concatenate([prepare(part, preparation) for part in pictures.batches()])
    return vectors(net, pixels, turns=options.turns, stages=_stages(weights, options))


def _stages(weights: Checkpoint, options: ProbeOptions) -> int:
    return options.stages or stages_of(weights)


def rows_of(
    weights: Checkpoint,
    asked: Asked,
    options: ProbeOptions,
    progress: Progress | None = None,
    *,
    only: tuple[int, int] = ALL,
) -> list[Row]:
    """What the encoder gives, by each kind of classifier; parameters as for `beside`."""
    rows: list[Row] = []
    values = embed(asked.pictures, weights, turns=options.turns, stages=options.stages or None).values
    name = weights.card.name
    for kind in options.kinds:
        if kind == "finetune":
            tuning = by_tuning(weights, asked, options)
            rows += judge(name, kind, asked, tuning, options, progress, only)
            tuning = by_tuning(weights, asked, options, fresh=True)
            rows += judge("fresh network", kind, asked, tuning, options, progress, only)
        elif kind == "joined":
            both = joined(by_probe(values, asked, "discriminant", options), by_plain(asked, options))
            rows += judge(name, kind, asked, both, options, progress, only)
        else:
            rows += judge(name, kind, asked, by_probe(values, asked, kind, options), options, progress, only)
    return rows
