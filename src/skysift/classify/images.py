"""Classifiers of pictures: networks trained from fresh weights, and encoders trained before, frozen or trained on."""

from __future__ import annotations

import tempfile
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.base.registry import Registry
from skysift.classify import calibration, strange
from skysift.classify.calibration import Calibration
from skysift.classify.classifier import Classifier, Given, Labelled, Progress, State
from skysift.classify.folds import at_one_place, drawn, refuse_few, refuse_untold
from skysift.classify.networks import PictureLearner, PictureNet, given_back, kept, looked, tensors_of
from skysift.classify.options import CnnOptions, EmbeddingOptions, PictureOptions
from skysift.classify.strange import Strangeness
from skysift.learn.checkpoint import Card, Checkpoint
from skysift.learn.device import device_named
from skysift.learn.embed import embed, encoder_of, preparation_of, stages_of, vectors
from skysift.learn.hub import weights_of
from skysift.learn.layers.encoder import Encoder, make_encoder
from skysift.learn.loop import train
from skysift.learn.options import EncoderOptions, LoopOptions
from skysift.learn.pictures import PictureSet
from skysift.learn.scale import Preparation, prepare
from skysift.sky.features import Feature, Features
from skysift.stamps.pictures import Pictures

__all__ = ["CnnClassifier", "EmbeddingClassifier", "PictureClassifier", "chosen_bands", "prepared"]

Floats = NDArray[np.float64]
P = TypeVar("P", bound=PictureOptions)

_HEADS = {"linear": "logistic", "knn": "neighbours", "lightgbm": "lightgbm"}
_BATCH = 256


def chosen_bands(pictures: Pictures, bands: tuple[str, ...]) -> list[int]:
    """Which planes of pictures are the bands that were learnt: by name, or in their order where no name is known.

    Raises
    ------
    UsageError
        There are others, or another number of them.
    """
    if all(band in pictures.bands for band in bands):
        return [pictures.bands.index(band) for band in bands]
    if len(pictures.bands) == len(bands) and not set(pictures.bands) & set(bands):
        return list(range(len(bands)))
    raise UsageError(
        "the pictures do not have the bands that were learnt",
        got=f"{len(pictures.bands)} ({', '.join(pictures.bands)})",
        allowed=f"{len(bands)} ({', '.join(bands)})",
        todo="make stamps of these bands",
    )


def prepared(
    pictures: Pictures, preparation: Preparation, bands: tuple[str, ...]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """What a network reads of pictures (row, channel, y, x), and which rows can be read; the others are 0."""
    planes = chosen_bands(pictures, bands)
    size = preparation.size
    out = np.zeros((len(pictures), preparation.channels(len(bands)), size, size), np.float32)
    known = pictures.good.copy()
    for start in range(0, len(pictures), _BATCH):
        pixels = pictures.read(slice(start, start + _BATCH))[:, planes]
        rows = np.arange(start, start + len(pixels))
        known[rows] &= np.isfinite(pixels).any(axis=(1, 2, 3))
        some = known[rows]
        if some.any():
            out[rows[some]] = prepare(pixels[some], preparation)
    return out, known


class PictureClassifier(Classifier[P]):
    """
    Learns from pictures by training networks.

    Attributes
    ----------
    bands
        That were learnt.
    preparation
        How pixels become what the networks read.
    nets
        Whose probabilities are averaged.
    calibration
        That makes their probabilities hold.
    """

    reads: ClassVar[Any] = "pictures"

    def __init__(self, options: P) -> None:
        super().__init__(options)
        self.bands: tuple[str, ...] = ()
        self.preparation = Preparation.of(options)
        self.nets: list[PictureNet] = []
        self.calibration = Calibration()
        self.strangeness: Strangeness | None = None

    @abstractmethod
    def encoder(self) -> tuple[Encoder, int | None]:
        """The encoder that training begins with, and how many of its stages learn; None for all."""

    def fit(self, data: Labelled, progress: Progress | None = None) -> None:
        """Learn, with a part of the pictures held for the choice of the epoch and the calibration.

        Raises
        ------
        UsageError
            There are no pictures, one class alone, or too few of a class to hold some.
        """
        data.refuse_one_class()
        pictures, options = data.given("pictures"), self.options
        assert isinstance(pictures, Pictures)
        self.classes, self.many, self.bands = data.classes, data.many, pictures.bands
        pixels, known = prepared(pictures, self.preparation, self.bands)
        pixels, targets = pixels[known], data.targets[known]
        counts = targets.sum(axis=0) if data.many else np.bincount(targets, minlength=len(data.classes))
        parts = max(options.members, round(1.0 / options.held))
        refuse_few(counts, data.classes, parts, "give a larger held")
        first = at_one_place(data.select(known))
        fold = drawn(targets, first, parts, options.random_seed, "held")
        refuse_untold(targets, data.classes, fold, "leave it out, or give more of it", "part that is held")
        self.nets, told = [], np.full((len(targets), len(self.classes)), np.nan)
        for member in range(options.members):
            held = fold == member
            net = self._learnt(pixels, targets, held, member, progress)
            numbers, features = looked(net, pixels, options.turns, torch.device("cpu"))
            told[held] = self._raw(numbers[held])
            if member == 0:
                measure = strange.fitted(options.ood, features[~held], options.random_seed)
                found = measure.usual_among(features[held])
                self.strangeness = Strangeness.of(options.ood, found.arrays())
            self.nets.append(net)
        self.calibration = calibration.fitted(options.calibration, told, targets)
        self.left_out = np.full((len(data), len(self.classes)), np.nan)
        self.left_out[known] = self.calibration(told, self.many)

    def _learnt(
        self,
        pixels: NDArray[np.float32],
        targets: NDArray[Any],
        held: NDArray[np.bool_],
        member: int,
        progress: Progress | None,
    ) -> PictureNet:
        """One network, its weights rounded as they are kept."""
        options = self.options
        rare = (
            np.where(targets, targets.sum(axis=0), len(targets) + 1).argmin(axis=1) if self.many else targets
        )
        sample = PictureSet(pixels, {"class": targets, "drawn": rare}, held)
        counts = (
            targets[~held].sum(axis=0)
            if self.many
            else np.bincount(targets[~held], minlength=len(self.classes))
        )
        n = int((~held).sum())
        batch = min(options.batch, n)
        each = max(1, n // batch)
        how = LoopOptions(
            steps=options.epochs * each,
            batch=batch,
            learning_rate=options.learning_rate,
            weight_decay=options.weight_decay,
            average=0.99,
            precision="float32",
            validate_every=max(1, options.epochs // 10) * each,
            random_seed=options.random_seed + 1000 * member,
        )
        learner = PictureLearner(options, self._net, np.asarray(counts, np.int64), n, many=self.many)
        with tempfile.TemporaryDirectory() as folder:
            done = train(
                learner, sample, how, Path(folder), device=device_named(options.device), progress=progress
            )
        net = self._net()
        net.load_state_dict(dict(done.weights))
        given_back(net, kept(net))
        return net.eval()

    def _net(self) -> PictureNet:
        encoder, thaw = self.encoder()
        return PictureNet(encoder, len(self.classes), self.options.dropout, thaw)

    def _raw(self, numbers: Floats) -> Floats:
        """Probabilities from numbers of the classes."""
        if self.many:
            return np.asarray(1.0 / (1.0 + np.exp(-np.clip(numbers, -60.0, 60.0))))
        grown = np.exp(numbers - numbers.max(axis=1, keepdims=True))
        return np.asarray(grown / grown.sum(axis=1, keepdims=True))

    def judged(self, given: Given) -> tuple[Floats, Floats]:
        """Probabilities and strangeness of pictures; NaN where one cannot be read.

        Raises
        ------
        UsageError
            No pictures are given, or those of other bands.
        """
        pictures = _pictures(given)
        told = np.full((len(pictures), len(self.classes)), np.nan)
        ood = np.full(len(pictures), np.nan)
        for start in range(0, len(pictures), _BATCH):
            rows = np.arange(start, min(start + _BATCH, len(pictures)))
            pixels, known = prepared(pictures.select(rows), self.preparation, self.bands)
            if not known.any():
                continue
            told[rows[known]], ood[rows[known]] = self._seen(pixels[known])
        return told, ood

    def _seen(self, pixels: NDArray[np.float32]) -> tuple[Floats, Floats]:
        """Probabilities and strangeness of prepared pictures."""
        assert self.strangeness is not None
        mean, ood = np.zeros((len(pixels), len(self.classes))), np.zeros(len(pixels))
        for k, net in enumerate(self.nets):
            numbers, features = looked(net, pixels, self.options.turns, torch.device("cpu"))
            mean += self.calibration(self._raw(numbers), self.many) / len(self.nets)
            if k == 0:
                ood = self.strangeness(features)
        return mean, ood

    def of_prepared(self, pixels: NDArray[np.float32]) -> Floats:
        """Probabilities of pictures that are prepared: (row, class)."""
        return self._seen(pixels)[0]

    def state(self) -> State:
        """All that is needed to judge again."""
        assert self.strangeness is not None
        arrays = {f"{k}.{name}": each for k, net in enumerate(self.nets) for name, each in kept(net).items()}
        settings = {
            "bands": list(self.bands),
            "preparation": self.preparation.to_dict(),
            "nets": len(self.nets),
            "calibration": self.calibration.to_dict(),
        }
        return State({**arrays, **self.strangeness.arrays()}, settings)

    def restore(self, state: State) -> None:
        """Become what `state` told of."""
        told = state.settings
        self.bands = tuple(told["bands"])
        self.preparation = Preparation.from_dict(told["preparation"])
        self.nets = []
        for k in range(int(told["nets"])):
            net = self._net()
            given_back(net, _under(f"{k}.", state.arrays))
            self.nets.append(net.eval())
        self.calibration = Calibration.from_dict(told["calibration"])
        self.strangeness = Strangeness.of(self.options.ood, state.arrays)


class CnnClassifier(PictureClassifier[CnnOptions]):
    """A residual network trained from fresh weights, on pictures of any number of bands."""

    name = "cnn"

    def encoder(self) -> tuple[Encoder, int | None]:
        """A fresh residual network."""
        told = EncoderOptions(width=self.options.width, blocks=self.options.blocks)
        return make_encoder(told, self.preparation.channels(len(self.bands))), None


class EmbeddingClassifier(PictureClassifier[EmbeddingOptions]):
    """
    An encoder that was trained before: frozen, with a classifier of its features, or some of its stages trained on.

    Attributes
    ----------
    table
        What learns from features of the frozen encoder; None where it is trained on.
    """

    name = "embedding"

    def __init__(self, options: EmbeddingOptions) -> None:
        super().__init__(options)
        self.table: Classifier[Any] | None = None
        self._read: Checkpoint | None = None

    @property
    def weights(self) -> Checkpoint:
        """The encoder as it was trained before."""
        if self._read is None:
            self._read = weights_of(self.options.weights)
        return self._read

    def encoder(self) -> tuple[Encoder, int | None]:
        """The encoder as it was trained before."""
        return encoder_of(self.weights), self.options.thaw

    def fit(self, data: Labelled, progress: Progress | None = None) -> None:
        """Learn from the features of the frozen encoder, or train it on.

        Raises
        ------
        UsageError
            There are no pictures, one class alone, or too few of a class.
        OptionError
            The encoder is for other bands.
        """
        pictures = data.given("pictures")
        assert isinstance(pictures, Pictures)
        self.preparation = preparation_of(self.weights)
        if self.options.thaw:
            self.table = None
            super().fit(data, progress)
            return
        data.refuse_one_class()
        self.classes, self.many, self.bands = data.classes, data.many, pictures.bands
        self.table = self._fresh()
        known = data.select(pictures.good)
        vectors = self._vectors(pictures, progress).select(pictures.good)
        self.table.fit(Labelled(known.names, data.classes, known.targets, features=vectors), progress)
        self.left_out = None
        if self.table.left_out is not None:
            self.left_out = np.full((len(data), len(self.classes)), np.nan)
            self.left_out[pictures.good] = self.table.left_out

    def _fresh(self) -> Classifier[Any]:
        registry, name = Registry[type[Classifier[Any]]]("classifier"), _HEADS[self.options.head]
        told = self.options
        menu = registry.options(name)(
            balance="none" if told.balance == "none" else "weights",
            calibration=told.calibration,
            calibration_folds=told.calibration_folds,
            ood=told.ood,
            random_seed=told.random_seed,
        )
        return registry.load(name)(menu)

    def _vectors(self, pictures: Pictures, progress: Progress | None = None) -> Features:
        return embed(
            pictures,
            self.weights,
            turns=self.options.turns,
            device=device_named(self.options.device),
            progress=progress,
        )

    def judged(self, given: Given) -> tuple[Floats, Floats]:
        """Probabilities and strangeness of pictures; NaN where one cannot be read.

        Raises
        ------
        UsageError
            No pictures are given, or those of other bands.
        """
        if self.table is None:
            return super().judged(given)
        return self.table.judged(self._vectors(_pictures(given)))

    def of_prepared(self, pixels: NDArray[np.float32]) -> Floats:
        """Probabilities of pictures that are prepared: (row, class)."""
        if self.table is None:
            return super().of_prepared(pixels)
        stages = stages_of(self.weights)
        values = vectors(encoder_of(self.weights), pixels, turns=self.options.turns, stages=stages)
        names = tuple(str(k) for k in range(len(values)))
        wide = max(3, len(str(values.shape[1] - 1)))
        columns = tuple(Feature(f"e{k:0{wide}d}") for k in range(values.shape[1]))
        return self.table.judged(Features(names, columns, values))[0]

    def state(self) -> State:
        """All that is needed to judge again, the encoder too."""
        told = {"encoder": self.weights.card.to_dict()}
        if self.table is None:
            whole = super().state()
            return State(whole.arrays, {**whole.settings, **told})
        inner = self.table.state()
        arrays = {f"encoder.{name}": each.cpu().numpy() for name, each in self.weights.tensors.items()}
        arrays |= {f"table.{name}": each for name, each in inner.arrays.items()}
        settings = {
            "bands": list(self.bands),
            "preparation": self.preparation.to_dict(),
            "table": dict(inner.settings),
        }
        return State(arrays, {**settings, **told})

    def restore(self, state: State) -> None:
        """Become what `state` told of; the file of the encoder is not needed any more."""
        card = Card.from_dict(state.settings["encoder"], "the classifier")
        frozen = "table" in state.settings
        tensors = tensors_of(_under("encoder." if frozen else "0.encoder.", state.arrays))
        self._read = Checkpoint(card, tensors, "", Path(f"{card.name}.safetensors"))
        if not frozen:
            self.table = None
            super().restore(state)
            return
        self.bands = tuple(state.settings["bands"])
        self.preparation = Preparation.from_dict(state.settings["preparation"])
        self.table = self._fresh()
        self.table.classes, self.table.many = self.classes, self.many
        self.table.restore(State(_under("table.", state.arrays), state.settings["table"]))


def _pictures(given: Given) -> Pictures:
    if not isinstance(given, Pictures):
        raise UsageError(
            "the classifier looks at pictures", got="a table of features", todo="give the pictures"
        )
    return given


def _under(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays whose names begin so, by the rest of their names."""
    return {name.removeprefix(prefix): each for name, each in arrays.items() if name.startswith(prefix)}
