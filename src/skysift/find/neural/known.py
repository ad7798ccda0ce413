"""`detector_of`: what the answers of some weights mean, whichever learned finder looks through them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from skysift.base.errors import DataError, UsageError
from skysift.base.registry import Registry
from skysift.find.neural.detector import Detector
from skysift.find.neural.masks import MaskDetector
from skysift.find.neural.options import MaskOptions, NeuralOptions
from skysift.learn.checkpoint import Checkpoint, made_by_card

__all__ = ["detector_of", "point_detector_of"]


def detector_of(weights: Checkpoint) -> Detector:
    """The detector of a file of weights, by the model that its card names.

    Raises
    ------
    DataError
        No learned finder looks through this model, or it has options that are not known.
    """
    known: list[str] = []
    for models in _models(NeuralOptions):
        if weights.card.model in models:
            make: Callable[[Mapping[str, Any]], Detector] = models[weights.card.model]
            return made_by_card(make, weights)
        known += models
    raise DataError(
        f"{weights.path.name} is of a model that no finder looks through",
        got=weights.card.model,
        allowed=known,
        todo="`skysift models` lists weights with their models",
    )


def point_detector_of(weights: Checkpoint, what: str) -> Detector:
    """The detector of weights whose sources are known by place and shape, as `what` needs them.

    Raises
    ------
    DataError
        No learned finder looks through this model.
    UsageError
        Its objects are known by their pixels.
    """
    found = detector_of(weights)
    if isinstance(found, MaskDetector):
        raise UsageError(
            f"{what} does not take weights of networks that tell objects by their pixels",
            got=f"{weights.card.name}, model {weights.card.model}",
            allowed=[
                name
                for models in _models(NeuralOptions)
                for name in models
                if not any(name in others for others in _models(MaskOptions))
            ],
            todo="`skysift evaluate` tells completeness and reliability of each class",
        )
    return found


def _models(menu: type[NeuralOptions]) -> Iterator[Mapping[str, Any]]:
    """The models, with what makes their detectors, of each finder whose options are of this kind."""
    registry = Registry[Any]("finder")
    for name in registry.names():
        if registry.has_options(name) and issubclass(registry.options(name), menu):
            yield getattr(registry.load(name), "models", {})
