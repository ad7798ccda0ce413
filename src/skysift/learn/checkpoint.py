"""Weights and their card in one file: what was learnt, from what, how good it is, and for which network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from skysift.base.errors import DataError, OptionError, UsageError

__all__ = [
    "FORMAT",
    "Card",
    "Checkpoint",
    "halved",
    "load_into",
    "made_by_card",
    "read_card",
    "read_checkpoint",
    "write_checkpoint",
]

T = TypeVar("T")

FORMAT = 1  # of the card; a file with a higher number is of a newer skysift


@dataclass(frozen=True)
class Card:
    """
    What a file of weights tells of itself.

    Attributes
    ----------
    model
        Name of the model in the index.
    name
        Of these weights.
    task
        What they are for, one sentence.
    options
        Of the model.
    training
        What they were trained on and how: recipe, fields, seeds, steps, JSON-safe.
    numbers
        What was measured, by name.
    settings
        What was chosen after training, such as thresholds and the calibration of scores.
    version
        Of skysift that wrote them.
    """

    model: str
    name: str
    task: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    format: int = FORMAT

    @property
    def threshold(self) -> float:
        """The score below which detections are left out, as it was calibrated; 0.5 where it was not."""
        return float(self.settings.get("threshold", 0.5))

    def to_dict(self) -> dict[str, Any]:
        """The card as JSON-safe values."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str) -> Card:
        """The card that `to_dict` told of; a field that is not known is refused, for it may change what is meant.

        Raises
        ------
        DataError
            A field is not known, one is missing, or the threshold is no number.
        """
        known = {each.name for each in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown or values.get("format", 0) > FORMAT:
            raise DataError(
                f"the card of {where} has something that this version does not know",
                got=unknown[0] if unknown else f"format {values['format']}",
                allowed=sorted(known) if unknown else f"format {FORMAT}",
                todo="update skysift, or take weights made for this version",
            )
        if "model" not in values or "name" not in values:
            raise DataError(f"the card of {where} does not tell its model and name", got=sorted(values))
        settings = values.get("settings", {})
        told = settings.get("threshold", 0.5) if isinstance(settings, Mapping) else settings
        if isinstance(told, bool) or not isinstance(told, int | float) or not told >= 0.0:
            raise DataError(
                f"the card of {where} has settings that cannot be read",
                got=told,
                allowed="a mapping, with a threshold of 0 or more",
            )
        return cls(**values)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """
    Weights as they were read.

    Attributes
    ----------
    card
        What they are.
    tensors
        By the names of the network's parameters.
    checksum
        "sha256:" and the digest of the file.
    path
        Of the file.
    """

    card: Card
    tensors: Mapping[str, Tensor]
    checksum: str
    path: Path


def write_checkpoint(path: Path, tensors: Mapping[str, Tensor], card: Card) -> str:
    """Write weights with their card, whole or not at all; the checksum of the file.

    Parameters
    ----------
    path
        Of the file: NAME.safetensors.
    tensors
        The weights.
    card
        What they are.
    """
    kept = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    content = save(kept, metadata={"card": json.dumps(card.to_dict(), sort_keys=True)})
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)
    return "sha256:" + hashlib.sha256(content).hexdigest()


def halved(weights: Checkpoint) -> Checkpoint:
    """Weights as they are when they are kept in numbers of 16 bits (IEEE half precision): half the size on disk.

    Raises
    ------
    DataError
        One of them is beyond the largest such number, 65504.
    """
    tensors = {
        name: value.half() if value.is_floating_point() else value for name, value in weights.tensors.items()
    }
    beyond = [name for name, value in tensors.items() if not torch.isfinite(value).all()]
    if beyond:
        raise DataError(
            f"weights of {weights.path.name} do not fit numbers of 16 bits",
            got=beyond[0],
            allowed="numbers up to 65504",
            todo="keep them in 32 bits",
        )
    return replace(weights, tensors=tensors)


def read_card(path: Path) -> Card:
    """The card of a file of weights, without reading the weights.

    Raises
    ------
    UsageError
        There is no such file.
    DataError
        It is not one of weights with a card.
    """
    if not path.is_file():
        raise UsageError("there is no such file of weights", got=path, todo="`skysift models` lists names")
    try:
        with safe_open(path, "pt") as opened:
            told = (opened.metadata() or {}).get("card")
    except (SafetensorError, OSError) as error:
        todo = (
            None
            if path.suffix != ".onnx"
            else (
                "an exported network is for other programs: give the weights that it was made of, with engine=onnx"
            )
        )
        raise DataError(
            "not a file of weights (safetensors)",
            got=path.name,
            allowed="what skysift wrote as .safetensors",
            todo=todo,
        ) from error
    if told is None:
        raise DataError("the file of weights has no card", got=path.name, allowed="one that skysift wrote")
    try:
        values = json.loads(told)
    except ValueError as error:
        raise DataError("the card of the weights cannot be read", got=path.name) from error
    return Card.from_dict(values, path.name)


def read_checkpoint(path: Path, checksum: str | None = None) -> Checkpoint:
    """Weights with their card.

    Parameters
    ----------
    path
        Of the file.
    checksum
        That the file must have; None takes any.

    Raises
    ------
    UsageError
        There is no such file.
    DataError
        It is not one of weights with a card, or not that of the checksum.
    """
    card = read_card(path)
    content = path.read_bytes()
    found = "sha256:" + hashlib.sha256(content).hexdigest()
    if checksum is not None and found != checksum:
        raise DataError(
            f"the file of weights {path.name} is not what it should be: its checksum differs",
            got=found[:23],
            allowed=checksum[:23],
            todo="install skysift again",
        )
    with safe_open(path, "pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    return Checkpoint(card, tensors, found, path)


def made_by_card(make: Callable[[Mapping[str, Any]], T], checkpoint: Checkpoint) -> T:
    """What `make` makes of the options of a checkpoint's card.

    Raises
    ------
    DataError
        There are options that are not known, or have values that are not allowed.
    """
    try:
        return make(checkpoint.card.options)
    except OptionError as error:
        told = DataError(
            f"the card of {checkpoint.path.name} has options that this version does not know: {error.wrong}",
            allowed=error.allowed,
            todo="update skysift, or take weights made for this version",
        )
        told.got = error.got
        raise told from None


def load_into(net: nn.Module, checkpoint: Checkpoint) -> None:
    """Give a network the weights of a checkpoint, all of them.

    Raises
    ------
    DataError
        They are of another network, or not numbers.
    """
    own = net.state_dict()
    missing = sorted(set(own) - set(checkpoint.tensors))
    extra = sorted(set(checkpoint.tensors) - set(own))
    unlike = sorted(
        name
        for name in own
        if name in checkpoint.tensors and own[name].shape != checkpoint.tensors[name].shape
    )
    for what, names in (
        ("lacks", missing),
        ("has more than it takes:", extra),
        ("has another shape of", unlike),
    ):
        if names:
            raise DataError(
                f"{checkpoint.path.name} is a checkpoint of another network: it {what} {names[0]}",
                got=f"model {checkpoint.card.model}",
                todo="give weights of this model (`skysift models`)",
            )
    broken = [name for name, value in checkpoint.tensors.items() if not torch.isfinite(value).all()]
    if broken:
        raise DataError(
            f"weights of {checkpoint.path.name} are not numbers",
            got=f"{len(broken)} of {len(own)} parts with NaN or infinity, such as {broken[0]}",
            todo="take a copy that is whole, or train them again",
        )
    net.load_state_dict({name: value.to(own[name].dtype) for name, value in checkpoint.tensors.items()})


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value
