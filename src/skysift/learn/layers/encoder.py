"""The network that turns images into features, by its options."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from skysift.learn.layers.resnet import ResNet
from skysift.learn.layers.vit import VisionTransformer
from skysift.learn.options import EncoderOptions

__all__ = ["Encoder", "make_encoder"]


class Encoder(Protocol):
    """What every such network has."""

    n_features: int
    stride: int

    def features(self, x: Tensor) -> Tensor:
        """A vector an image, (image, feature)."""

    def maps(self, x: Tensor) -> Tensor:
        """The last maps, (image, channel, y, x)."""


def make_encoder(options: EncoderOptions, channels: int = 1) -> ResNet | VisionTransformer:
    """A network with fresh weights, drawn from torch's generator.

    Parameters
    ----------
    options
        What it is.
    channels
        Of the images.
    """
    if options.backbone == "vit":
        return VisionTransformer(options.dim, options.depth, options.heads, options.patch, channels)
    return ResNet(options.width, options.blocks, channels, options.stem)
