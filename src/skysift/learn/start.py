"""What a training begins with: the weights of its model, or an encoder's, for the way down of its network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from skysift.base.errors import OptionError
from skysift.learn.checkpoint import Checkpoint, load_into
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
        The encoder is of another kind or shape, or no encoder can start the model.
    DataError
        The weights are of another network.
    """
    torch.manual_seed(random_seed)
    net = learner.net()
    if not is_encoder(start):
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
