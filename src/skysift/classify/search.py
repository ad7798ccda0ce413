"""Which settings and which features of a model are best, found out inside the sources that it learns from."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from skysift.classify.classifier import Progress
from skysift.classify.folds import drawn
from skysift.classify.model import Columns, Draw, Floats, Ints, Model
from skysift.classify.options import LightGBMOptions, TableOptions

__all__ = ["Fitted", "learnt", "most_telling", "searched", "told_by"]

Fitted: TypeAlias = tuple[list[Model[Any]], list[Columns | None]]

T = TypeVar("T", bound=TableOptions)

_LEAST = 1e-6  # probability that a trial is charged for at most


def learnt(kind: type[Model[Any]], values: Floats, targets: NDArray[Any], options: TableOptions) -> Fitted:
    """Models of these rows; one, or of tags one for each."""
    models: list[Model[Any]] = []
    seen: list[Columns | None] = []
    for kinds in targets.T.astype(np.int64) if targets.ndim == 2 else [targets]:
        model = kind()
        columns = None if model.blanks else Columns.of(values)
        shown = values if columns is None else columns(values)
        model.fit(shown, kinds, _weights(kinds, options.balance), options)
        models.append(model)
        seen.append(columns)
    return models, seen


def told_by(fitted: Fitted, values: Floats, many: bool) -> Floats:
    """What models tell before it is calibrated: (row, class)."""
    told = [
        model.told(values if columns is None else columns(values))
        for model, columns in zip(*fitted, strict=True)
    ]
    return np.stack([each[:, 1] for each in told], axis=1) if many else told[0]


def searched(
    kind: type[Model[Any]],
    values: Floats,
    targets: NDArray[Any],
    options: T,
    first: Ints,
    progress: Progress | None = None,
) -> T:
    """The options with those settings that surprise least on sources left out (Akiba et al. 2019, KDD, 2623).

    Trials are drawn by tree-structured Parzen estimators, the first with the settings as they were given; the best of
    all counts.

    Parameters
    ----------
    kind
        Of model.
    values, targets
        Of the sources to learn from; no other is looked at.
    options
        What is not searched for, the number of trials and the seed.
    first
        Of each source the first at its place: sources of one place share a fold.
    progress
        Called as progress(stage, done, total).
    """
    import optuna  # late: it is slow to import

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    fold = drawn(targets, first, options.search_folds, options.random_seed, "search")
    done = 0

    def surprise(how: T) -> float:
        nonlocal done
        told = np.empty((len(values), targets.shape[1] if targets.ndim == 2 else int(targets.max()) + 1))
        for k in range(options.search_folds):
            fitted = learnt(kind, values[fold != k], targets[fold != k], how)
            told[fold == k] = told_by(fitted, values[fold == k], targets.ndim == 2)
        done += 1
        if progress is not None:
            progress("search", done, options.search + 1)
        return _surprise(told, targets, options.balance)

    def trial_of(trial: optuna.Trial) -> float:
        return surprise(options.replace(**kind.drawn(_suggested(trial))))

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=options.random_seed))
    begin = surprise(options)
    study.optimize(trial_of, n_trials=options.search)
    if study.best_value >= begin:
        return options
    best = study.best_params
    return options.replace(**kind.drawn(lambda name, low, high, logarithmic: best[name]))


def _suggested(trial: Any) -> Draw:
    def draw(name: str, low: float, high: float, logarithmic: bool) -> float:
        return float(trial.suggest_float(name, low, high, log=logarithmic))

    return draw


def most_telling(values: Floats, targets: NDArray[Any], keep: int, random_seed: int) -> Ints:
    """The columns by which boosted trees gain most, as many as are kept, in their order in the table."""
    from skysift.classify.trees import LightGBMModel

    options = LightGBMOptions(trees=120, random_seed=random_seed)
    models, _ = learnt(LightGBMModel, values, targets, options)
    gain = np.zeros(values.shape[1])
    for model in models:
        assert isinstance(model, LightGBMModel)
        gain += model.gains()
    return np.sort(np.argsort(-gain, kind="stable")[:keep])


def _surprise(told: Floats, targets: NDArray[Any], balance: str) -> float:
    """Minus the mean logarithm of the probability of what is true; each class alike where classes count alike."""
    kept = np.clip(told, _LEAST, 1.0 - _LEAST)
    if targets.ndim == 2:
        return float(-np.where(targets, np.log(kept), np.log(1.0 - kept)).mean())
    right = -np.log(kept[np.arange(len(targets)), targets])
    if balance == "none":
        return float(right.mean())
    return float(np.mean([right[targets == each].mean() for each in np.unique(targets)]))


def _weights(targets: Ints, balance: str) -> Floats:
    """What each row counts; in the mean 1."""
    if balance != "weights":
        return np.ones(len(targets))
    counts = np.bincount(targets)
    return np.asarray(len(targets) / (np.sum(counts > 0) * np.maximum(counts, 1)[targets]))
