"""`evaluate`: how good a classifier is on sources that it did not learn from, beside what is simpler."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.base.parallel import ALONE, Crew
from skysift.base.random import generator
from skysift.classify.classifier import Classifier, Labelled
from skysift.classify.folds import refuse_few, refuse_untold
from skysift.classify.scores import calibration_of, class_table, confusion_table, doubtful_labels, numbers_of
from skysift.score.scorer import Number, Report, ReportTable

__all__ = [
    "MAJORITY",
    "RANDOM",
    "Contender",
    "Evaluation",
    "Make",
    "contenders_of",
    "evaluate",
    "majority",
    "random_probe",
]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Make: TypeAlias = Callable[[], Classifier[Any]]
Teller: TypeAlias = Callable[[Labelled, Labelled], Floats]
"""teller(learnt from, to tell) -> probabilities (row, class)."""

MAJORITY = "majority class"
RANDOM = "random network"


@dataclass(frozen=True, eq=False)
class Contender:
    """
    How one way to tell classes did.

    Attributes
    ----------
    name
        Of the way.
    told
        What was told of each row while it was left out: (repeat, row, class); NaN where a fold never holds it.
    parts
        Name of a number -> its value in each fold of each repeat.
    by_class
        Name of a number -> its value for each class in each fold of each repeat: (fold of a repeat, class).
    seconds
        Of processor time for a fold, in the mean.
    """

    name: str
    told: Floats
    parts: Mapping[str, Floats]
    by_class: Mapping[str, Floats]
    seconds: float

    def mean(self, name: str) -> tuple[float, float]:
        """Mean and standard deviation of a number over all folds of all repeats."""
        return _mean(self.parts[name])

    @property
    def known(self) -> NDArray[np.bool_]:
        """Rows of which something was told, in one repeat or more."""
        return np.asarray(np.isfinite(self.told).all(axis=2).any(axis=0))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """
    Ways to tell classes side by side, the one that is judged first.

    Attributes
    ----------
    data
        The sources.
    folds
        (repeat, row) which fold holds each; -1 for rows that are only learnt from.
    contenders
        The ways.
    notes
        What one should know.
    """

    data: Labelled
    folds: Ints
    contenders: tuple[Contender, ...]
    notes: tuple[str, ...] = ()
    title: str = ""
    told_of: Mapping[str, Any] = field(default_factory=dict)

    @property
    def judged(self) -> Contender:
        """The one that is judged."""
        return self.contenders[0]

    def side_by_side(self) -> dict[str, list[Any]]:
        """One row a contender: means and deviations over all folds, how many sources it tells, what a fold costs."""
        names = ("accuracy", "macro_f1", "top2", "exact", "ece", "log_loss")
        shown = [name for name in names if name in self.judged.parts]
        columns: dict[str, list[Any]] = {"model": [each.name for each in self.contenders]}
        for name in shown:
            pairs = [each.mean(name) for each in self.contenders]
            columns[name] = [mean for mean, _ in pairs]
            columns[f"{name}_sd"] = [sd for _, sd in pairs]
        columns["sources"] = [int(each.known.sum()) for each in self.contenders]
        columns["cpu_seconds"] = [each.seconds for each in self.contenders]
        return columns

    def report(self, contender: Contender | None = None) -> Report:
        """Numbers and classes of one contender, means and deviations over all folds of all repeats.

        Confusion and reliability count what was told in every repeat.
        """
        one = contender or self.judged
        data, told = self.data, one.told.reshape(-1, one.told.shape[-1])
        some = np.flatnonzero(one.known)
        numbers: dict[str, Number] = {"n": len(some)}
        for name in one.parts:
            if name != "n":
                numbers[name], numbers[f"{name}_sd"] = one.mean(name)
        classes: dict[str, list[Any]] = {
            "class": list(data.classes),
            "n_true": data.select(some).counts.tolist(),
        }
        for name, values in one.by_class.items():
            pairs = [_mean(column) for column in values.T]
            classes[name] = [mean for mean, _ in pairs]
            classes[f"{name}_sd"] = [sd for _, sd in pairs]
        targets = np.concatenate([data.targets] * len(self.folds))
        tables: dict[str, ReportTable] = {"classes": classes}
        tables["calibration"], _ = calibration_of(told, targets)
        if not data.many:
            tables["confusion"] = confusion_table(data.classes, told, targets)
        folds, times = int(self.folds.max()) + 1, len(self.folds)
        rule = (
            f"Each source is told by a model that did not learn from it: {folds} folds, drawn {times} "
            f"{'times' if times > 1 else 'time'}. Numbers are means over these {folds * times} folds with their "
            "standard deviation (sd); confusion and reliability count each source once a time."
        )
        return Report("classes", numbers, tables, rule, dict(self.told_of), one.name, self.title, self.notes)

    def doubtful(self) -> dict[str, list[Any]]:
        """Labels that may be wrong, by the mean of what was told of each source over the repeats; none of tags."""
        if self.data.many:
            return {}
        some = np.asarray(np.isfinite(self.judged.told).all(axis=2))
        total = np.where(some[..., None], self.judged.told, 0.0).sum(axis=0)
        with np.errstate(invalid="ignore"):
            mean = total / some.sum(axis=0)[:, None]
        return doubtful_labels(self.data.names, self.data.classes, mean, self.data.targets)


def evaluate(
    make: Make,
    data: Labelled,
    folds: Ints,
    *,
    beside: Mapping[str, Teller] | None = None,
    name: str = "",
    notes: Sequence[str] = (),
    crew: Crew = ALONE,
) -> Evaluation:
    """
    How good a classifier is on sources that it did not learn from.

    Parameters
    ----------
    make
        Makes a new classifier; one a fold.
    data
        All sources.
    folds
        (repeat, row) the fold of each; -1 for rows that are only learnt from.
    beside
        Other ways that are shown beside it, by name.
    name
        Of the classifier; that of the index by default.
    notes
        What one should know of the sources.
    crew
        Who does it; no number depends on it.

    Raises
    ------
    UsageError
        A class has too few sources for the folds, or the folds are of other sources.
    """
    folds = np.atleast_2d(np.asarray(folds, np.int64))
    if folds.shape[1] != len(data) or folds.max() < 1:
        raise UsageError("the folds are of other sources", got=folds.shape, allowed=f"(repeat, {len(data)})")
    data.refuse_one_class()
    refuse_few(data.counts, data.classes, int(folds.max()) + 1, "give fewer folds")
    for repeat, fold in enumerate(folds):
        which = "fold" if len(folds) == 1 else f"fold of repeat {repeat + 1}:"
        refuse_untold(data.targets, data.classes, fold, "spread it over the folds, or leave it out", which)
    tellers: dict[str, Teller] = {name or make().name: partial(_by_classifier, make), **(beside or {})}
    tasks = [
        (teller, repeat, fold)
        for teller in tellers.values()
        for repeat in range(len(folds))
        for fold in range(int(folds.max()) + 1)
    ]
    made = list(crew.map("folds", partial(_fold, data, folds), tasks))
    each = len(tasks) // len(tellers)
    contenders = []
    for k, title in enumerate(tellers):
        mine = list(zip(tasks, made, strict=True))[k * each : (k + 1) * each]
        told = np.full((*folds.shape, len(data.classes)), np.nan)
        for (_, repeat, fold), (part, _) in mine:
            told[repeat, folds[repeat] == fold] = part
        found, of_class = [], []
        for (_, repeat, fold), _ in mine:
            rows = folds[repeat] == fold
            found.append(numbers_of(told[repeat, rows], data.targets[rows]))
            of_class.append(class_table(data.classes, told[repeat, rows], data.targets[rows]))
        numbers = dict.fromkeys(
            number for one in found for number in one if not number.endswith(("_low", "_high"))
        )
        parts = {number: np.array([float(one.get(number, np.nan)) for one in found]) for number in numbers}
        by_class = {
            number: np.array([each[number] for each in of_class], np.float64)
            for number in ("precision", "recall", "f1")
        }
        spent = float(np.mean([seconds for _, (_, seconds) in mine]))
        contenders.append(Contender(title, told, parts, by_class, spent))
    return Evaluation(data, folds, tuple(contenders), tuple(notes))


def _mean(values: Floats) -> tuple[float, float]:
    """Mean and standard deviation of what is finite."""
    values = values[np.isfinite(values)]
    if not values.size:
        return float("nan"), float("nan")
    return float(values.mean()), float(values.std(ddof=1)) if values.size > 1 else float("nan")


def _fold(data: Labelled, folds: Ints, task: tuple[Teller, int, int]) -> tuple[Floats, float]:
    teller, repeat, fold = task
    held = folds[repeat] == fold
    begin = time.thread_time()
    told = teller(data.select(~held), data.select(held))
    return told, time.thread_time() - begin


def _by_classifier(make: Make, learnt: Labelled, others: Labelled) -> Floats:
    one = make()
    one.fit(learnt)
    return one.probabilities(others.given(one.reads))


def majority(learnt: Labelled, others: Labelled) -> Floats:
    """The share of each class among the sources learnt from, for every row."""
    share = learnt.counts / (len(learnt) if learnt.many else max(learnt.counts.sum(), 1))
    return np.tile(share, (len(others), 1))


def random_probe(data: Labelled, random_seed: int = 1) -> Teller:
    """Logistic regression on the features of a network that learnt nothing: what any learnt one must beat.

    A ResNet-10 of width 16 with fresh weights, on pictures of 96 pixels binned to 48 (the preset ``asinh``); features
    are the mean over four quarters of a turn. Its norms are set on pictures that are learnt from, anew in each fold.

    Parameters
    ----------
    data
        All sources, with pictures.
    random_seed
        Of the weights.
    """
    import torch  # late: it is slow to import

    from skysift.learn.embed import vectors
    from skysift.learn.layers.resnet import ResNet
    from skysift.learn.probe import Probe
    from skysift.learn.scale import Preparation, prepare

    assert data.pictures is not None
    bands = len(data.pictures.bands)
    preparation = Preparation("asinh", size=min(48, data.pictures.shape[2] // 2), bin=2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(random_seed, "classify", "random network").integers(2**31)))
        fresh = ResNet(16, (1, 1, 1, 1), preparation.channels(bands))
        for name, weights in fresh.named_parameters():
            if name.endswith("second_norm.weight"):
                torch.nn.init.ones_(weights)  # else its blocks would add nothing

    def tell(learnt: Labelled, others: Labelled) -> Floats:
        assert learnt.pictures is not None
        assert others.pictures is not None
        net = deepcopy(fresh)
        seen = torch.from_numpy(prepare(learnt.pictures.read(slice(0, 128)), preparation))
        with torch.no_grad():  # its norms take the means of some pictures, as those of a learnt network have
            for _ in range(20):
                net.train()(seen)
        a, b = (
            np.concatenate([vectors(net, prepare(pixels, preparation)) for pixels in each.batches(256)])
            for each in (learnt.pictures, others.pictures)
        )
        told = np.zeros((len(others), len(data.classes)))
        if learnt.many:
            for k in range(len(data.classes)):
                told[:, k] = Probe("linear").fit(a, learnt.targets[:, k].astype(int)).probabilities(b)[:, -1]
            return told
        probe = Probe("linear").fit(a, learnt.targets)
        told[:, probe.classes.astype(int)] = probe.probabilities(b)
        return told

    return tell


def contenders_of(data: Labelled, make: Make, random_seed: int = 1) -> dict[str, Teller]:
    """What is shown beside a classifier: the majority class, a random network, and plain features where it has others."""
    beside: dict[str, Teller] = {MAJORITY: majority}
    if data.pictures is not None:
        beside[RANDOM] = random_probe(data, random_seed)
    one = make()
    if data.features is not None and one.name != "lightgbm":
        from skysift.classify.options import LightGBMOptions
        from skysift.classify.tables import LightGBMClassifier

        def plain() -> Classifier[Any]:
            return LightGBMClassifier(LightGBMOptions(random_seed=random_seed))

        beside["features, lightgbm"] = partial(_by_classifier, plain)
    return beside
