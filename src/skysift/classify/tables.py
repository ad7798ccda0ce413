"""Classifiers of tables of features: one way to learn, search, choose, calibrate and keep, whatever the model is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.base.parallel import ALONE, Crew
from skysift.base.random import generator
from skysift.classify import calibration, strange
from skysift.classify.calibration import Calibration
from skysift.classify.classifier import Classifier, Given, Labelled, Progress, State
from skysift.classify.clipped import shown_in
from skysift.classify.fainter import FAINT, TABLE, faint_note, fainter, peaks_of
from skysift.classify.folds import at_one_place, drawn, refuse_few, refuse_untold
from skysift.classify.likeness import Looks, in_beams
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
from skysift.classify.search import Fitted, learnt, most_telling, searched, told_by
from skysift.classify.strange import UNLIKE_ALL, Strangeness
from skysift.classify.trees import BoostingModel, ForestModel, LightGBMModel
from skysift.sky.features import Features
from skysift.stamps.pictures import Pictures

if TYPE_CHECKING:
    from skysift.classify.features.options import FeaturesOptions

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
    fitted
        One model, or of tags one for each.
    used
        Options after the search.
    measured
        How the features were measured on pictures, where skysift did it.
    calibration
        That makes its probabilities hold.
    """

    reads = "features"
    kind: ClassVar[type[Model[Any]]]

    def __init__(self, options: T) -> None:
        super().__init__(options)
        self.columns: tuple[str, ...] = ()
        self.fitted: Fitted = ([], [])
        self.used = options
        self.measured: Mapping[str, Any] | None = None
        self.faintest = self.options.faintest  # peak of what was learnt, in units of the noise
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
        self.classes, self.many, self.left_out = data.classes, data.many, None
        known = np.asarray(np.isfinite(features.values).any(axis=1), np.bool_)
        if not known.any():
            raise UsageError("the features to learn from hold no number", got=repr(features))
        rows = _kept(data, known, options)
        values, targets = features.values[rows], data.targets[rows]
        good = np.asarray(np.isfinite(values).any(axis=0))
        counts = targets.sum(axis=0) if data.many else np.bincount(targets, minlength=len(data.classes))
        _refuse_unknown(counts, data)
        if options.calibration != "none":
            refuse_few(counts, data.classes, options.calibration_folds, "set calibration=none")
        if options.search:
            refuse_few(counts, data.classes, options.search_folds, "set search=0")
        if options.keep is not None and options.keep < good.sum():
            place = np.flatnonzero(good)
            kept = most_telling(values[:, place], targets, options.keep, options.random_seed)
            good = np.isin(np.arange(len(good)), place[kept])
        self.columns = tuple(name for name, some in zip(features.titles, good, strict=True) if some)
        self.measured = _measured_by(features.only(self.columns))
        values, source = self._with_copies(data, features, rows)
        values, targets = values[:, good], targets[source]
        first = at_one_place(data.select(rows))[source]  # a copy is left out with what it is a copy of
        self.used = options
        if options.search:
            self.used = searched(self.kind, values, targets, options, first, progress)
        self.calibration = Calibration()
        if options.calibration != "none":
            raw = self._left_out(values, targets, first, progress)
            self.calibration = calibration.fitted(options.calibration, raw, targets)
            self.left_out = np.full((len(data), len(self.classes)), np.nan)
            self.left_out[rows] = self.calibration(raw[: len(rows)], self.many)
        self.fitted = learnt(self.kind, values, targets, self.used)
        found = strange.fitted(options.ood, values, options.random_seed, first)
        self.strangeness = Strangeness.of(options.ood, found.arrays())

    def _with_copies(self, data: Labelled, features: Features, rows: Ints) -> tuple[Floats, Ints]:
        """What is learnt: the rows, then those of their copies that show something; and the place in `rows` of each.

        Raises
        ------
        UsageError
            Copies are wanted, and there are no pictures to make them of.
        """
        copies = data.copies[: self.options.fainter]
        if self.options.fainter and not copies:
            if data.pictures is None:
                raise UsageError(
                    "fainter copies are made of pictures",
                    got="a table of features",
                    todo="give the pictures, or set fainter=0",
                )
            from skysift.classify.features.options import FeaturesOptions

            copies = self.copied(data.pictures, FeaturesOptions(**(self.measured or {})))
        values, source = [features.values[rows]], [np.arange(len(rows))]
        for each in copies:
            measured = each.only(features.titles).values[rows]
            some = np.flatnonzero(np.isfinite(measured).any(axis=1))
            values.append(measured[some])
            source.append(some)
        self.copies = sum(map(len, source[1:]))
        if self.options.fainter and not self.copies:
            raise UsageError(
                "no source is bright enough for a fainter copy",
                got=f"{len(rows)} sources, faintest={self.options.faintest:g}, shown={self.options.shown:g}",
                todo="set fainter=0, or give brighter sources",
            )
        self.faintest = self.options.faintest
        if self.options.fainter and data.pictures is not None:
            own = peaks_of(data.pictures, self.options)[rows]
            self.faintest = float(np.nanmin([self.faintest, *own]))
        return np.concatenate(values), np.concatenate(source)

    def copied(
        self, pictures: Pictures, options: FeaturesOptions | None = None, crew: Crew = ALONE
    ) -> tuple[Features, ...]:
        """Features of the fainter copies of pictures, as many as the options say."""
        from skysift.classify.features.options import FeaturesOptions
        from skysift.classify.features.table import features_of, view_of

        options = options or FeaturesOptions()
        beam = view_of(pictures, options).beam_pixels if self.options.fainter else 0.0
        return tuple(
            features_of(self.shown(fainter(pictures, self.options, beam, copy)), options, crew)
            for copy in range(self.options.fainter)
        )

    def _table(self, given: Given) -> Features:
        """The features of what is given, measured where it is pictures; those of the groups that are used."""
        if isinstance(given, Pictures):
            given = self._measured(given)
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

    def seen(self, given: Given, crew: Crew = ALONE) -> Given:
        """The features of pictures: the beams of the whole set decide how wide rings are."""
        return self._measured(given, crew) if isinstance(given, Pictures) else given

    def warned(self, given: Given) -> str:
        """Which sources are fainter than what was learnt, in one line."""
        if not self.options.fainter:
            return ""
        if FAINT not in given.facts:
            return TABLE
        assert isinstance(given, Features)
        known = np.isfinite(given.values).any(axis=1)  # others cannot be told at all
        return faint_note(np.asarray(given.facts[FAINT], np.bool_)[known], self.faintest)

    def _measured(self, pictures: Pictures, crew: Crew = ALONE) -> Features:
        """The features of pictures, measured as those were that it learnt from."""
        from skysift.classify.features.options import FeaturesOptions
        from skysift.classify.features.table import features_of

        if self.columns and self.measured is None:
            raise UsageError(
                "the classifier learnt from a table that skysift did not measure on pictures",
                got="pictures",
                todo="give a table with the same features",
            )
        options = FeaturesOptions(**(self.measured or {}))
        if self.columns and self.looks is not None:
            pictures = in_beams(self.looks, pictures)
        if np.isfinite(pictures.scale):
            options = options.replace(scale=None)  # the pictures know it
        if "beam_major" in pictures.facts:
            options = options.replace(beam=None)
        measured = features_of(self.shown(self._called(pictures)), options, crew)
        if not self.options.fainter:
            return measured
        faint = peaks_of(pictures, self.options) < self.faintest
        return replace(measured, facts={**measured.facts, FAINT: faint})

    def _called(self, pictures: Pictures) -> Pictures:
        """Pictures with the names of the bands that were learnt, where they have as many and none of these names.

        Raises
        ------
        UsageError
            There are others, or another number of them.
        """
        learnt = tuple(
            dict.fromkeys(name[len(_OF_A_BAND) :] for name in self.columns if name.startswith(_OF_A_BAND))
        )
        if not learnt or set(learnt) <= set(pictures.bands):
            return pictures
        if len(learnt) != len(pictures.bands) or set(learnt) & set(pictures.bands):
            raise UsageError(
                "the pictures do not have the bands that were learnt",
                got=f"{len(pictures.bands)} ({', '.join(pictures.bands)})",
                allowed=f"{len(learnt)} ({', '.join(learnt)})",
                todo="make stamps of these bands",
            )
        return replace(pictures, bands=learnt)

    def shown(self, pictures: Pictures) -> Pictures:
        """Pictures as they are measured: cut and clipped as the options say."""
        return shown_in(pictures, self.options.side, self.options.clip)

    def _left_out(self, values: Floats, targets: Any, first: Ints, progress: Progress | None) -> Floats:
        """What is told of each source by models that did not learn from it, nor from one at its place."""
        n = self.options.calibration_folds
        fold = drawn(targets, first, n, self.options.random_seed, "calibration")
        refuse_untold(targets, self.classes, fold, "set calibration=none", "fold of the calibration")
        told = np.full((len(values), len(self.classes)), np.nan)
        for k in range(n):
            fitted = learnt(self.kind, values[fold != k], targets[fold != k], self.used)
            told[fold == k] = told_by(fitted, values[fold == k], self.many)
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
        values = self.values_of(table)
        told = np.full((len(values), len(self.classes)), np.nan)
        some = np.isfinite(values).any(axis=1)
        if some.any():
            told[some] = self.calibration(told_by(self.fitted, values[some], self.many), self.many)
        assert self.strangeness is not None
        strangeness = self.strangeness(values)
        if FAINT in table.facts:
            strangeness = np.where(some & table.facts[FAINT], UNLIKE_ALL, strangeness)
        return told, strangeness

    def values_of(self, given: Given) -> Floats:
        """The features that it looks at: (row, column).

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
        return table.only(self.columns).values

    def state(self) -> State:
        """All that is needed to judge again."""
        arrays: dict[str, Any] = {}
        for k, (model, columns) in enumerate(zip(*self.fitted, strict=True)):
            kept = {**model.arrays(), **({} if columns is None else columns.arrays())}
            arrays |= {f"{k}.{name}": values for name, values in kept.items()}
        assert self.strangeness is not None
        settings = {
            "features": list(self.columns),
            "models": len(self.fitted[0]),
            "measured": None if self.measured is None else dict(self.measured),
            "used": self.used.to_dict(),
            "calibration": self.calibration.to_dict(),
            "copies": self.copies,
            "faintest": self.faintest,
        }
        return State({**arrays, **self.strangeness.arrays()}, settings)

    def restore(self, state: State) -> None:
        """Become what `state` told of."""
        told = state.settings
        self.columns = tuple(told["features"])
        self.measured = told["measured"]
        if self.measured is not None:
            self.looks = Looks.from_dict(self.measured)  # of files that do not keep all of it
        self.used = type(self.options)(**told["used"])
        self.fitted = ([], [])
        for k in range(int(told["models"])):
            mine = {
                name.removeprefix(f"{k}."): each
                for name, each in state.arrays.items()
                if name.startswith(f"{k}.")
            }
            model = self.kind()
            model.restore(mine)
            self.fitted[0].append(model)
            self.fitted[1].append(None if model.blanks else Columns.restored(mine))
        self.calibration = Calibration.from_dict(told["calibration"])
        self.copies, self.faintest = told.get("copies", 0), told.get("faintest", self.options.faintest)
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


_OF_A_BAND = "detected_"  # how a feature that every band has is called, before the name of the band


def _kept(data: Labelled, known: NDArray[np.bool_], options: TableOptions) -> Ints:
    """Rows that are learnt from: of those that are known, as many of each class as its balance wants."""
    if options.balance != "downsample" or data.many:
        return np.flatnonzero(known)
    rng = generator(options.random_seed, "classify", "downsample")
    held = [np.flatnonzero(known & (data.targets == k)) for k in range(len(data.classes))]
    least = min(len(each) for each in held if len(each))
    return np.sort(np.concatenate([rng.permutation(each)[:least] for each in held]))


def _refuse_unknown(counts: NDArray[np.int64], data: Labelled) -> None:
    """Refuse a class of which no source has a feature; it would be told by what is missing."""
    for name, count in zip(data.classes, counts, strict=True):
        if not count:
            raise UsageError(
                "no source of a class has a feature that is known",
                got=name,
                todo="leave the class out, or see why nothing is measured on its sources",
            )


def _measured_by(features: Features) -> dict[str, Any] | None:
    """How these features are measured on pictures, and no others; None where skysift did not measure them."""
    told = features.provenance
    if told is None or told.finder != "features":
        return None
    return {**told.options, "groups": list(dict.fromkeys(each.group for each in features.columns))}
