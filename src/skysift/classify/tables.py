"""Classifiers of tables of features: one way to learn, search, choose, calibrate and keep, whatever the model is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from skysift.base.errors import UsageError
from skysift.base.random import generator
from skysift.classify import calibration, strange
from skysift.classify.calibration import Calibration
from skysift.classify.classifier import Classifier, Given, Labelled, Progress, State
from skysift.classify.folds import refuse_few, stratified
from skysift.classify.model import Columns, Floats, Ints, Model
from skysift.classify.options import (
    BoostingOptions,
    ForestOptions,
    LightGBMOptions,
    LogisticOptions,
    MLPOptions,
    NeighboursOptions,
    QDAOptions,
    SVCOptions,
    TableOptions,
)
from skysift.classify.planes import LogisticModel, MLPModel, NeighboursModel, QDAModel, SVCModel
from skysift.classify.strange import Strangeness
from skysift.classify.trees import BoostingModel, ForestModel, LightGBMModel
from skysift.sky.features import Features
from skysift.stamps.pictures import Pictures

__all__ = [
    "BoostingClassifier",
    "ForestClassifier",
    "LightGBMClassifier",
    "LogisticClassifier",
    "MLPClassifier",
    "NeighboursClassifier",
    "QDAClassifier",
    "SVCClassifier",
    "TableClassifier",
]

T = TypeVar("T", bound=TableOptions)


class TableClassifier(Classifier[T], Generic[T]):
    """
    Learns from features.

    Attributes
    ----------
    columns
        Names of the features that it looks at.
    models
        One; of tags one for each.
    calibration
        That makes its probabilities hold.
    """

    reads = "features"
    kind: ClassVar[type[Model[Any]]]

    def __init__(self, options: T) -> None:
        super().__init__(options)
        self.columns: tuple[str, ...] = ()
        self.models: list[Model[Any]] = []
        self.seen: list[Columns | None] = []
        self.calibration = Calibration()
        self.strangeness: Strangeness | None = None

    def fit(self, data: Labelled, progress: Progress | None = None) -> None:
        """Learn, with what is left out in turn for the calibration.

        Raises
        ------
        UsageError
            There is one class, a class has too few sources for the calibration, or no feature holds a number.
        """
        data.refuse_one_class()
        options = self.options
        features = self._table(data.given("features"))
        self.classes, self.many = data.classes, data.many
        rows = _kept(data, options)
        features, targets = features.select(rows), data.targets[rows]
        values = features.values
        good = np.asarray(np.isfinite(values).any(axis=0))
        if not good.any():
            raise UsageError("the features to learn from hold no number", got=repr(features))
        self.columns = tuple(name for name, some in zip(features.titles, good, strict=True) if some)
        values = values[:, good]
        if options.calibration != "none":
            counts = targets.sum(axis=0) if data.many else np.bincount(targets, minlength=len(data.classes))
            refuse_few(counts, data.classes, options.calibration_folds, "set calibration=none")
            told = self._left_out(values, targets, progress)
            self.calibration = calibration.fitted(options.calibration, told, targets)
        else:
            self.calibration = Calibration()
        self.models, self.seen = self._learnt(values, targets)
        found = strange.fitted(options.ood, values, options.random_seed)
        self.strangeness = Strangeness.of(options.ood, found.arrays())

    def _table(self, given: Given) -> Features:
        """The features of what is given, those of the groups that are used."""
        if isinstance(given, Pictures):
            raise UsageError(
                "the classifier looks at features", got="pictures", todo="give a table of features"
            )
        if not self.options.groups:
            return given
        chosen = given.group(*self.options.groups)
        if not chosen.columns:
            raise UsageError(
                "no feature is of the groups that are used",
                got=", ".join(self.options.groups),
                allowed=sorted({each.group for each in given.columns}),
            )
        return chosen

    def _learnt(self, values: Floats, targets: Any) -> tuple[list[Model[Any]], list[Columns | None]]:
        """Models of these rows; of tags one for each."""
        models, seen = [], []
        for kinds in targets.T.astype(np.int64) if targets.ndim == 2 else [targets]:
            model = self.kind()
            columns = None if model.blanks else Columns.of(values)
            shown = values if columns is None else columns(values)
            model.fit(shown, kinds, _weights(kinds, self.options.balance), self.options)
            models.append(model)
            seen.append(columns)
        return models, seen

    def _told(self, values: Floats, models: Sequence[Model[Any]], seen: Sequence[Columns | None]) -> Floats:
        """What models tell before it is calibrated."""
        told = [
            model.told(values if columns is None else columns(values))
            for model, columns in zip(models, seen, strict=True)
        ]
        return np.stack([each[:, 1] for each in told], axis=1) if self.many else told[0]

    def _left_out(self, values: Floats, targets: Any, progress: Progress | None) -> Floats:
        """What is told of each source by models that did not learn from it."""
        n = self.options.calibration_folds
        fold = stratified(targets, n, self.options.random_seed, "calibration")
        told = np.full((len(values), len(self.classes)), np.nan)
        for k in range(n):
            models, seen = self._learnt(values[fold != k], targets[fold != k])
            told[fold == k] = self._told(values[fold == k], models, seen)
            if progress is not None:
                progress("calibration", k + 1, n)
        return told

    def judged(self, given: Given) -> tuple[Floats, Floats]:
        """Probabilities and strangeness of sources; NaN where no feature is known.

        Raises
        ------
        UsageError
            A feature that it learnt from is missing.
        """
        table = self._table(given)
        lost = [name for name in self.columns if name not in table.titles]
        if lost:
            raise UsageError(
                f"the table lacks {len(lost)} of the {len(self.columns)} features that the classifier learnt from",
                got=", ".join(lost[:5]) + (" ..." if len(lost) > 5 else ""),
                todo="make the features as those that it learnt from were made",
            )
        values = table.only(self.columns).values
        told = np.full((len(values), len(self.classes)), np.nan)
        some = np.isfinite(values).any(axis=1)
        if some.any():
            told[some] = self.calibration(self._told(values[some], self.models, self.seen), self.many)
        assert self.strangeness is not None
        return told, self.strangeness(values)

    def state(self) -> State:
        """All that is needed to judge again."""
        arrays: dict[str, Any] = {}
        for k, (model, columns) in enumerate(zip(self.models, self.seen, strict=True)):
            kept = {**model.arrays(), **({} if columns is None else columns.arrays())}
            arrays |= {f"{k}.{name}": values for name, values in kept.items()}
        assert self.strangeness is not None
        settings = {
            "features": list(self.columns),
            "models": len(self.models),
            "calibration": self.calibration.to_dict(),
        }
        return State({**arrays, **self.strangeness.arrays()}, settings)

    def restore(self, state: State) -> None:
        """Become what `state` told of."""
        told = state.settings
        self.columns = tuple(told["features"])
        self.models, self.seen = [], []
        for k in range(int(told["models"])):
            mine = {
                name.removeprefix(f"{k}."): each
                for name, each in state.arrays.items()
                if name.startswith(f"{k}.")
            }
            model = self.kind()
            model.restore(mine)
            self.models.append(model)
            self.seen.append(None if model.blanks else Columns.restored(mine))
        self.calibration = Calibration.from_dict(told["calibration"])
        self.strangeness = Strangeness.of(self.options.ood, state.arrays)


class LightGBMClassifier(TableClassifier[LightGBMOptions]):
    """Gradient boosted trees of LightGBM on features; what is missing may stay missing."""

    name = "lightgbm"
    kind = LightGBMModel


class ForestClassifier(TableClassifier[ForestOptions]):
    """A random forest on features; what is missing may stay missing."""

    name = "forest"
    kind = ForestModel


class BoostingClassifier(TableClassifier[BoostingOptions]):
    """Gradient boosted trees on histograms, those of scikit-learn; what is missing may stay missing."""

    name = "boosting"
    kind = BoostingModel


class LogisticClassifier(TableClassifier[LogisticOptions]):
    """Multinomial logistic regression on features; medians and flags stand for what is missing."""

    name = "logistic"
    kind = LogisticModel


class SVCClassifier(TableClassifier[SVCOptions]):
    """Support vectors with a Gaussian kernel; medians and flags stand for what is missing."""

    name = "svc"
    kind = SVCModel


class MLPClassifier(TableClassifier[MLPOptions]):
    """A small network of rectified units; medians and flags stand for what is missing."""

    name = "mlp"
    kind = MLPModel


class QDAClassifier(TableClassifier[QDAOptions]):
    """One Gaussian a class; medians and flags stand for what is missing."""

    name = "qda"
    kind = QDAModel


class NeighboursClassifier(TableClassifier[NeighboursOptions]):
    """The classes of the nearest sources; medians and flags stand for what is missing."""

    name = "neighbours"
    kind = NeighboursModel


def _kept(data: Labelled, options: TableOptions) -> Ints:
    """Rows that are learnt from."""
    if options.balance != "downsample" or data.many:
        return np.arange(len(data))
    rng = generator(options.random_seed, "classify", "downsample")
    least = int(data.counts[data.counts > 0].min())
    parts = [rng.permutation(np.flatnonzero(data.targets == k))[:least] for k in range(len(data.classes))]
    return np.sort(np.concatenate(parts))


def _weights(targets: Ints, balance: str) -> Floats:
    """What each row counts; in the mean 1."""
    if balance != "weights":
        return np.ones(len(targets))
    counts = np.bincount(targets)
    return np.asarray(len(targets) / (np.sum(counts > 0) * np.maximum(counts, 1)[targets]))
