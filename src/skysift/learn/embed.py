"""`embed`: pictures in, a vector of features each out, by an encoder that was trained before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import skysift
from skysift.base.errors import OptionError
from skysift.base.provenance import Provenance
from skysift.learn.checkpoint import Card, Checkpoint, load_into
from skysift.learn.layers.encoder import make_encoder
from skysift.learn.layers.resnet import ResNet
from skysift.learn.layers.vit import VisionTransformer
from skysift.learn.options import EncoderOptions
from skysift.learn.pictures import PictureSource
from skysift.learn.scale import Preparation, prepare
from skysift.sky.features import Feature, Features

__all__ = ["ENCODER", "GROUP", "embed", "encoder_card", "encoder_of", "preparation_of", "vectors"]

Pixels: TypeAlias = NDArray[np.float32]
Floats: TypeAlias = NDArray[np.float64]
Progress: TypeAlias = Callable[[str, int, int], None]

ENCODER = "encoder"  # the model that stands in the card of such weights
GROUP = "embedding"
_TURNS = (1, 2, 4, 8)


def encoder_card(
    name: str,
    task: str,
    options: EncoderOptions,
    bands: int,
    preparation: Preparation,
    training: dict[str, Any],
    numbers: dict[str, float],
) -> Card:
    """The card of the weights of an encoder; `training` holds the method and what was learnt from."""
    return Card(
        ENCODER,
        name,
        task,
        {**options.to_dict(), "bands": bands},
        training,
        numbers,
        {"preparation": preparation.to_dict()},
        skysift.__version__,
    )


def preparation_of(weights: Checkpoint) -> Preparation:
    """How pictures are prepared for an encoder."""
    _refuse_others(weights)
    return Preparation.from_dict(weights.card.settings["preparation"])


def encoder_of(weights: Checkpoint) -> ResNet | VisionTransformer:
    """The network of the weights of an encoder, ready for use.

    Raises
    ------
    OptionError
        They are of another model.
    DataError
        They do not fit their card.
    """
    _refuse_others(weights)
    told = dict(weights.card.options)
    bands = int(told.pop("bands"))
    net = make_encoder(EncoderOptions(**told), preparation_of(weights).channels(bands))
    load_into(net, weights)
    return net.eval()


def embed(
    pictures: PictureSource,
    weights: Checkpoint,
    *,
    turns: int = 4,
    batch: int = 256,
    device: torch.device | None = None,
    progress: Progress | None = None,
) -> Features:
    """
    A vector of features of each picture: columns e000, e001 ...; NaN where a picture cannot be read.

    Parameters
    ----------
    pictures
        Small images with as many bands as the encoder was trained on.
    weights
        Of the encoder.
    turns
        Over how many looks features are averaged: 1, 2 (and by 180 deg), 4 (quarters of a turn), or 8 (mirrored too).
    batch
        Pictures that the network sees at once.
    device
        Where the network runs; by default the CPU.
    progress
        Called as progress(stage, done, total).

    Raises
    ------
    OptionError
        The weights are of another model, or for another number of bands.
    """
    net, preparation = encoder_of(weights), preparation_of(weights)
    bands = int(weights.card.options["bands"])
    if len(pictures.bands) != bands:
        raise OptionError(
            "the weights are for another number of bands",
            got=f"{len(pictures.bands)} ({', '.join(pictures.bands)})",
            allowed=str(bands),
            todo="choose the bands that they were trained on, or train weights of your own",
        )
    place = device or torch.device("cpu")
    values = np.full((len(pictures), net.n_features), np.nan)
    good, start = pictures.good, 0
    for pixels in pictures.batches(batch):
        rows = slice(start, start + len(pixels))
        seen = good[rows] & np.isfinite(pixels).any(axis=(1, 2, 3))
        if seen.any():
            made = vectors(net, prepare(pixels[seen], preparation), turns=turns, batch=batch, device=place)
            values[np.flatnonzero(seen) + start] = made
        start = rows.stop
        if progress is not None:
            progress("embed", min(start, len(pictures)), len(pictures))
    wide = len(str(net.n_features - 1))
    columns = tuple(
        Feature(f"e{k:0{max(3, wide)}d}", "", f"feature {k} of the encoder {weights.card.name}", GROUP)
        for k in range(net.n_features)
    )
    told = Provenance(
        skysift.__version__,
        ENCODER,
        {"weights": weights.card.name, "checksum": weights.checksum, "turns": turns},
        kind="step",
    )
    return Features(tuple(pictures.names), columns, values, dict(pictures.facts), told)


def vectors(
    net: nn.Module,
    pixels: Pixels,
    *,
    turns: int = 4,
    batch: int = 256,
    device: torch.device | None = None,
) -> Floats:
    """Features of prepared pictures, the mean over turned and mirrored looks at each: (picture, feature).

    Parameters
    ----------
    net
        An encoder.
    pixels
        (picture, channel, y, x), prepared.
    turns, batch, device
        As for `embed`.
    """
    if turns not in _TURNS:
        raise OptionError("so many turns are not possible", got=turns, allowed=", ".join(map(str, _TURNS)))
    place = device or torch.device("cpu")
    was, out = net.training, []
    net = net.to(place).eval()
    with torch.inference_mode():
        for start in range(0, len(pixels), batch):
            seen = torch.from_numpy(np.ascontiguousarray(pixels[start : start + batch])).to(place)
            total = torch.zeros(())
            for k in range(turns):
                quarter = k % 4 if turns >= 4 else 2 * k
                look = torch.rot90(seen, quarter, (2, 3))
                look = look.flip(3) if k >= 4 else look
                total = total.to(place) + net.features(look).double()  # type: ignore[operator]
            out.append((total / turns).cpu().numpy())
    net.train(was)
    return np.concatenate(out) if out else np.empty((0, int(net.n_features)))  # type: ignore[arg-type]


def _refuse_others(weights: Checkpoint) -> None:
    if weights.card.model != ENCODER or "preparation" not in weights.card.settings:
        raise OptionError(
            "these are not the weights of an encoder",
            got=f"{weights.path.name}: model {weights.card.model}",
            allowed="weights of `skysift pretrain`, or shipped ones for embeddings (`skysift models`)",
        )
