"""What a training begins with: the weights of its model, or an encoder's, for the way down of its network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from skysift.base.errors import OptionError
from skysift.base.options import Options
from skysift.learn.checkpoint import Checkpoint, load_into, made_by_card
from skysift.learn.embed import ENCODER, encoder_of
from skysift.learn.layers.blocks import Down
from skysift.learn.layers.detector import DetectorEncoder
from skysift.learn.learner import Learner

__all__ = ["begun_with", "is_encoder"]


def is_encoder(start: Checkpoint) -> bool:
    """Whether weights are those of an encoder, which are a part of the network of a finder."""
    return start.card.model == ENCODER


def begun_with(
    learner: Learner[Any, Any], start: Checkpoint, random_seed: int
) -> tuple[Mapping[str, Tensor], str]:
    """
    Weights to begin with, and the part of the network that has them; "" where it is all of it.

    Parameters
    ----------
    learner
        The model.
    start
        Weights of this model, or of an encoder with the backbone detector: its way down becomes that of the network.
    random_seed
        Of the training: beside an encoder weights are fresh, the same as those of a training that begins with nothing.

    Raises
    ------
    OptionError
        The model has other options of its network than the weights, the encoder is of another kind or shape, or no
        encoder can start the model.
    DataError
        The weights are of another network, or their card has options that are not known.
    """
    torch.manual_seed(random_seed)
    net = learner.net()
    if not is_encoder(start):
        _refuse_unlike(learner, start)
        load_into(net, start)
        return net.state_dict(), ""
    name, down = _way_down(net, learner.name)
    encoder = encoder_of(start)
    if not isinstance(encoder, DetectorEncoder):
        raise OptionError(
            f"the encoder {start.card.name} cannot start a finder: no layer of it is one of theirs",
            got=f"backbone {start.card.options['backbone']}",
            allowed="backbone detector",
            todo="pretrain with --set encoder.backbone=detector --set prepare.preset=noise",
        )
    own, given = _shape(down), _shape(encoder.trunk)
    if own != given:
        raise OptionError(
            f"the encoder {start.card.name} has another shape than the model {learner.name}",
            got=given,
            allowed=own,
            todo="pretrain one with encoder.widths and encoder.depths of the model, or change its options",
        )
    for each in ("stem", "down", "blocks"):  # all of a way down, each whole; what leads up again stays fresh
        getattr(down, each).load_state_dict(getattr(encoder.trunk, each).state_dict())
    return net.state_dict(), name


def _refuse_unlike(learner: Learner[Any, Any], start: Checkpoint) -> None:
    """Say which options make the network of the model another than that of the weights."""
    own = learner.options
    theirs = made_by_card(type(own).parse, start)
    shapes = _shapes_of(learner)
    if _shapes_of(type(learner)(theirs)) == shapes:
        return
    unlike = [name for name in type(own).model_fields if getattr(own, name) != getattr(theirs, name)]
    shaping = [name for name in unlike if _decides(learner, name, getattr(theirs, name), shapes)] or unlike
    if not shaping:  # weights that are not what their card says
        return

    def told(options: Options) -> str:
        values = {name: getattr(options, name) for name in shaping}
        return ", ".join(f"{name}={list(v) if isinstance(v, tuple) else v}" for name, v in values.items())

    raise OptionError(
        f"the weights {start.card.name} do not fit the options of the model {learner.name}",
        got=told(own),
        allowed=told(theirs),
        todo=f"give {', '.join(f'options.{name}' for name in shaping)} as the weights have it, or begin without them",
    )


def _decides(learner: Learner[Any, Any], name: str, value: object, shapes: Mapping[str, object]) -> bool:
    """Whether another value of one option makes another network; also where it cannot be without others."""
    try:
        other = learner.options.replace(**{name: value})
    except OptionError:
        return True
    return _shapes_of(type(learner)(other)) != shapes


def _shapes_of(learner: Learner[Any, Any]) -> dict[str, torch.Size]:
    """The shapes of all parts of a network, by name; no weights are made."""
    with torch.device("meta"):
        return {name: value.shape for name, value in learner.net().state_dict().items()}


def _way_down(net: nn.Module, model: str) -> tuple[str, Down]:
    """The part of a network that an encoder can start, and its name."""
    for name, part in net.named_modules():
        if isinstance(part, Down) and isinstance(part.stem, nn.Conv2d):
            return name, part
    raise OptionError(
        f"no encoder can start the model {model}: its layers are others",
        allowed="the weights of this model, or a model such as rcnn, detr, unet (body=residual) or yolo-dense",
    )


def _shape(down: Down) -> str:
    return f"widths {list(down.widths)}, depths {list(down.depths)}"
