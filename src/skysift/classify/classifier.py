"""`Classifier`: learns classes of sources and tells their probabilities; one file keeps it, without pickle."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import DataError, OptionError, UsageError
from skysift.base.options import Options
from skysift.base.parallel import ALONE, Crew
from skysift.base.registry import Registry
from skysift.classify.likeness import Looks
from skysift.sky.features import Features
from skysift.stamps.pictures import Pictures

if TYPE_CHECKING:
    from skysift.classify.features.options import FeaturesOptions

__all__ = [
    "FILE",
    "LAYOUT",
    "UNTOLD",
    "Classifier",
    "Given",
    "Labelled",
    "Lost",
    "Prediction",
    "Progress",
    "State",
    "open_model",
]

Floats: TypeAlias = NDArray[np.float64]
Given: TypeAlias = Pictures | Features
Progress: TypeAlias = Callable[[str, int, int], None]

O = TypeVar("O", bound=Options)  # noqa: E741

FILE = "model.safetensors"  # in the folder of a training
LAYOUT = 1  # of what a file of a classifier holds; another one cannot be read
TAGGED = 0.5  # a tag that is as probable as this is given
SEPARATOR = "|"  # between tags
UNTOLD = "not one number that the classifier goes by is known"  # why a source has no class, where no other reason is told


@dataclass(frozen=True)
class Lost:
    """
    A row that is not learnt from.

    Attributes
    ----------
    name, label
        Of the row, as they stand there.
    why
        It is left out.
    """

    name: str
    label: str
    why: str


@dataclass(frozen=True, eq=False)
class Labelled:
    """
    Sources whose classes are known.

    Attributes
    ----------
    names
        One each.
    classes
        What the numbers in `targets` stand for.
    targets
        (row,) the number of the class; or (row, class) true where a source has this tag, of several.
    pictures, features
        What is known of the rows; at least one of the two, in the same order.
    lost
        Rows of what was given that are not among them.
    copies
        Features of copies of all rows, in the same order: what is learnt beside a row, and left out with it.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    targets: NDArray[Any]
    pictures: Pictures | None = None
    features: Features | None = None
    lost: tuple[Lost, ...] = ()
    copies: tuple[Features, ...] = ()

    def __post_init__(self) -> None:
        for each in (self.targets, self.pictures, self.features, *self.copies):
            if each is not None and len(each) != len(self.names):
                raise UsageError(
                    "labels do not fit their sources", got=len(each), allowed=str(len(self.names))
                )

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"Labelled({len(self)} sources, {len(self.classes)} classes: {', '.join(self.classes)})"

    @property
    def many(self) -> bool:
        """Whether a source may have several tags."""
        return self.targets.ndim == 2

    @property
    def counts(self) -> NDArray[np.int64]:
        """Sources of each class."""
        if self.many:
            return np.asarray(self.targets.sum(axis=0), np.int64)
        return np.bincount(self.targets, minlength=len(self.classes)).astype(np.int64)

    def label(self, row: int) -> str:
        """The class of a row; all its tags, with | between."""
        if self.many:
            return SEPARATOR.join(
                name for name, has in zip(self.classes, self.targets[row], strict=True) if has
            )
        return self.classes[int(self.targets[row])]

    def select(self, chosen: Sequence[int] | NDArray[Any]) -> Labelled:
        """Some of them, by number or by a mask."""
        at = np.arange(len(self))[np.asarray(chosen)] if len(chosen) else np.empty(0, np.int64)
        return Labelled(
            tuple(self.names[k] for k in at),
            self.classes,
            self.targets[at],
            None if self.pictures is None else self.pictures.select(at),
            None if self.features is None else self.features.select(at),
            self.lost,
            tuple(each.select(at) for each in self.copies),
        )

    def given(self, reads: Literal["features", "pictures"]) -> Given:
        """What a classifier looks at: the features where it reads these and they are known, else the pictures.

        Raises
        ------
        UsageError
            It looks at pictures, and there are none.
        """
        if reads == "features" and self.features is not None:
            return self.features
        if self.pictures is None:
            raise UsageError(
                "the classifier looks at pictures", got="a table of features", todo="give the pictures"
            )
        return self.pictures

    def refuse_one_class(self) -> None:
        """Refuse sources that are all of one class, or of which one class is empty.

        Raises
        ------
        UsageError
            There is nothing to tell apart.
        """
        counts = self.counts
        if self.many:
            empty = [name for name, n in zip(self.classes, counts, strict=True) if n in (0, len(self))]
            if empty:
                raise UsageError(
                    "a tag that every source has, or none, cannot be learnt",
                    got=empty[0],
                    todo="leave it out",
                )
            return
        present = [name for name, n in zip(self.classes, counts, strict=True) if n]
        if len(present) < 2:
            raise UsageError(
                "the sources to learn from are all of one class",
                got=f"{len(self)} of {present[0] if present else 'none'}",
                allowed="two classes or more",
                todo="give sources of the other classes too",
            )


@dataclass(frozen=True, eq=False)
class State:
    """What a fitted classifier keeps: arrays by name, and JSON-safe settings."""

    arrays: Mapping[str, NDArray[Any]]
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Prediction:
    """
    Classes of sources.

    Attributes
    ----------
    names
        Of the sources.
    classes
        Which there are.
    probabilities
        (row, class); NaN in rows that cannot be told.
    ood
        How strange each is: the part of the sources learnt from that are less strange, from 0 to 1.
    many
        Whether a source may have several tags.
    errors
        Why a row cannot be told; empty where it can.
    notes
        What one should know of all.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    probabilities: Floats
    ood: Floats
    many: bool = False
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Rows that can be told."""
        return np.asarray(np.isfinite(self.probabilities).all(axis=1), np.bool_)

    @property
    def labels(self) -> tuple[str, ...]:
        """The most probable class of each; all tags of 0.5 or more, with | between; empty where it cannot be told."""
        told = []
        for row, known in zip(self.probabilities, self.known, strict=True):
            if not known:
                told.append("")
            elif self.many:
                tags = [name for name, p in zip(self.classes, row, strict=True) if p >= TAGGED]
                told.append(SEPARATOR.join(tags))
            else:
                told.append(self.classes[int(np.argmax(row))])
        return tuple(told)

    @property
    def probability(self) -> Floats:
        """That of the label; of several tags that of the least certain decision."""
        best = np.maximum(self.probabilities, 1.0 - self.probabilities) if self.many else self.probabilities
        return np.asarray(best.min(axis=1) if self.many else best.max(axis=1))


class Classifier(ABC, Generic[O]):
    """
    Learns from sources whose classes are known; then tells the probabilities of classes for others.

    Parameters
    ----------
    options
        Its menu.

    Attributes
    ----------
    name
        In the index, under the kind ``classifier``.
    reads
        Whether it looks at features (which it makes of pictures where it is given these) or at pictures.
    classes, many
        What it learnt to tell apart, and whether a source may have several of them.
    left_out
        What it told of each source that it learnt from while this was left out, where it did so to calibrate itself.
    looks
        How the pictures look that it learnt from; None where it learnt from a table, or that is not known.
    copies
        How many copies of sources it learnt from beside these.
    """

    name: ClassVar[str] = ""
    reads: ClassVar[Literal["features", "pictures"]] = "features"

    def __init__(self, options: O) -> None:
        self.options = options
        self.classes: tuple[str, ...] = ()
        self.many = False
        self.left_out: Floats | None = None
        self.looks: Looks | None = None
        self.copies = 0

    @abstractmethod
    def fit(self, data: Labelled, progress: Progress | None = None) -> None:
        """Learn; what was learnt before is forgotten. It sets `classes` and `many`.

        Raises
        ------
        UsageError
            There is nothing to tell apart, or too little to learn from.
        """

    @abstractmethod
    def judged(self, given: Given) -> tuple[Floats, Floats]:
        """Probabilities (row, class) and how strange each row is (row,); NaN where a row cannot be told.

        Of one label a row sums to 1. Strangeness is the part of the sources learnt from that are less strange.

        Raises
        ------
        UsageError
            What is given is not what it learnt from: a feature or a band is missing.
        """

    @abstractmethod
    def state(self) -> State:
        """All that is needed to judge again."""

    @abstractmethod
    def restore(self, state: State) -> None:
        """Become what `state` told of."""

    def shown(self, pictures: Pictures) -> Pictures:
        """Pictures as it looks at them, or measures them; unchanged by default."""
        return pictures

    def copied(
        self, pictures: Pictures, options: FeaturesOptions | None = None, crew: Crew = ALONE
    ) -> tuple[Features, ...]:
        """Features of copies of pictures that it learns from beside them, measured so; none by default."""
        return ()

    def warned(self, given: Given) -> str:
        """One line about what is to be judged, after `seen`; empty where there is nothing to say, as by default."""
        return ""

    def seen(self, given: Given, crew: Crew = ALONE) -> Given:
        """All that is to be judged, as it is judged: what depends on the whole set is done here. Unchanged by default."""
        return given

    def probabilities(self, given: Given) -> Floats:
        """Probabilities of the classes: (row, class); NaN where a row cannot be told."""
        return self.judged(given)[0]

    def ood(self, given: Given) -> Floats:
        """How strange each row is: the part of the sources learnt from that are less strange, 0 to 1."""
        return self.judged(given)[1]

    def predict(self, given: Given) -> Prediction:
        """The classes of sources.

        Raises
        ------
        UsageError
            What is given is not what it learnt from.
        """
        values, ood = self.judged(given)
        known = np.asarray(np.isfinite(values).all(axis=1))
        errors = tuple(
            "" if good else (why or UNTOLD) for good, why in zip(known, _errors_of(given), strict=True)
        )
        return Prediction(given.names, self.classes, values, ood, self.many, errors)

    def save(
        self,
        path: Path,
        *,
        name: str = "",
        task: str = "",
        training: Mapping[str, Any] | None = None,
        numbers: Mapping[str, float] | None = None,
    ) -> str:
        """Write it to one file NAME.safetensors, whole or not at all; the checksum.

        Parameters
        ----------
        path
            Of the file.
        name, task
            What it is called (that of the file by default) and for, one sentence.
        training
            What it was trained on and how, JSON-safe.
        numbers
            What was measured.
        """
        import torch  # late: tables are told apart without it

        import skysift
        from skysift.learn.checkpoint import Card, write_checkpoint

        kept = self.state()
        settings = {"classes": list(self.classes), "many": self.many, "layout": LAYOUT, **kept.settings}
        if self.looks is not None:
            settings["looks"] = self.looks.to_dict()
        card = Card(
            self.name,
            name or path.stem,
            task,
            self.options.to_dict(),
            training or {},
            numbers or {},
            settings,
            skysift.__version__,
        )
        tensors = {key: torch.from_numpy(np.ascontiguousarray(each)) for key, each in kept.arrays.items()}
        return write_checkpoint(path, tensors, card)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.options!r})"


def _errors_of(given: Given) -> Sequence[str]:
    """What was wrong with each picture; of a table, with the picture that the row was measured on."""
    if isinstance(given, Pictures):
        return given.errors
    return [str(each) for each in given.facts["error"]] if "error" in given.facts else [""] * len(given)


def open_model(model: str | Path) -> Classifier[Any]:
    """A classifier that was saved: by the path of its file, of the folder of its training, or by a name that ships.

    Raises
    ------
    UnknownName
        There is neither such a name nor such a file.
    UsageError
        What is there is no classifier.
    DataError
        The file is broken, or of another version of skysift.
    """
    from skysift.learn.hub import weights_of  # late: it brings torch

    place = Path(model) / FILE
    found = weights_of(str(place if place.is_file() else model))
    card, registry = found.card, Registry[type[Classifier[Any]]]("classifier")
    if card.model not in registry.names():
        raise UsageError(
            "these weights are no classifier",
            got=f"{found.path.name}, of the model {card.model}",
            allowed=registry.names(),
            todo="`skysift models` lists names; `skysift classify train` makes a classifier",
        )
    if card.settings.get("layout") != LAYOUT:
        raise DataError(
            "the classifier is of another version of skysift",
            got=f"{found.path.name}: layout {card.settings.get('layout')}, skysift {card.version}",
            allowed=f"layout {LAYOUT}",
            todo="train it anew, or take the version of skysift that made it",
        )
    try:
        made: Classifier[Any] = registry.load(card.model)(registry.options(card.model)(**card.options))
        made.classes = tuple(card.settings["classes"])
        made.many = bool(card.settings["many"])
        made.restore(State({name: each.numpy() for name, each in found.tensors.items()}, card.settings))
        if "looks" in card.settings:
            made.looks = Looks.from_dict(card.settings["looks"])
    except (OptionError, KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"the classifier was made by another version of skysift, {card.version}",
            got=f"{found.path.name}: {error}",
            todo="train it anew, or take the version of skysift that made it",
        ) from error
    return made
