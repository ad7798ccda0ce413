"""The network that turns images into features, by its options."""

from __future__ import annotations

from typing import TypeAlias

from skysift.base.errors import OptionError
from skysift.learn.layers.detector import DetectorEncoder
from skysift.learn.layers.resnet import ResNet
from skysift.learn.layers.vit import VisionTransformer
from skysift.learn.options import EncoderOptions

__all__ = ["Encoder", "make_encoder"]

Encoder: TypeAlias = ResNet | VisionTransformer | DetectorEncoder
"""All have `features`, `maps`, the stages' `widths`, their `parts`, `n_features` and `stride`."""


def make_encoder(options: EncoderOptions, channels: int = 1) -> Encoder:
    """A network with fresh weights, drawn from torch's generator.

    Parameters
    ----------
    options
        What it is.
    channels
        Of the images.

    Raises
    ------
    OptionError
        The network does not read so many channels.
    """
    if options.backbone == "detector":
        if channels != 1:
            raise OptionError(
                "the backbone detector reads one band, in units of its noise",
                got=f"{channels} channels",
                allowed="1",
                todo="give pictures of one band and prepare.preset=noise",
            )
        return DetectorEncoder(options.widths, options.depths)
    if options.backbone == "vit":
        return VisionTransformer(options.dim, options.depth, options.heads, options.patch, channels)
    return ResNet(options.width, options.blocks, channels, options.stem)
