"""`embed`: pictures in, a vector of features each out, by an encoder that was trained before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import skysift
from skysift.base.errors import DataError, OptionError
from skysift.base.provenance import InputRecord, Provenance
from skysift.base.registry import Registry
from skysift.learn.checkpoint import Card, Checkpoint, load_into
from skysift.learn.layers.encoder import Encoder, make_encoder
from skysift.learn.options import EncoderOptions
from skysift.learn.pictures import PictureSource
from skysift.learn.scale import Preparation, prepare
from skysift.sky.features import EMBEDDING, Feature, Features

__all__ = [
    "ENCODER",
    "embed",
    "encoder_card",
    "encoder_of",
    "pooled",
    "preparation_of",
    "refuse_others",
    "stages_of",
    "vectors",
]

Pixels: TypeAlias = NDArray[np.float32]
Floats: TypeAlias = NDArray[np.float64]
Progress: TypeAlias = Callable[[str, int, int], None]

ENCODER = "encoder"  # the model that stands in the card of such weights
_TURNS = (1, 2, 4, 8)
_LEAST_READ = 8  # pixels along the side that a network reads of a picture, at least
_ALLOWED = "weights of `skysift pretrain`, or shipped ones for embeddings (`skysift models`)"


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
    refuse_others(weights)
    return Preparation.from_dict(weights.card.settings["preparation"])


def encoder_of(weights: Checkpoint) -> Encoder:
    """The network of the weights of an encoder, ready for use.

    Raises
    ------
    OptionError
        They are of another model.
    DataError
        They do not fit their card.
    """
    refuse_others(weights)
    told = dict(weights.card.options)
    bands = int(told.pop("bands"))
    net = make_encoder(EncoderOptions(**told), preparation_of(weights).channels(bands))
    load_into(net, weights)
    return net.eval()


def stages_of(weights: Checkpoint) -> int:
    """Of how many of its last stages the features of an encoder are, as its card says."""
    return int(weights.card.settings.get("stages", 1))


def embed(
    pictures: PictureSource,
    weights: Checkpoint,
    *,
    turns: int = 4,
    stages: int | None = None,
    bin: int | None = None,
    batch: int = 256,
    device: torch.device | None = None,
    inputs: Sequence[InputRecord] = (),
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
    stages
        Of how many of the last stages of the network; by default as the card of the weights says. With 1 features are
        the means of the last maps; with more the means and the largest values of the maps of each.
    bin
        Pixels along the side of a square whose mean the network reads as one; by default as its card says. Fewer show the
        middle of pictures in finer detail, which tells small sources.
    batch
        Pictures that the network sees at once.
    device
        Where the network runs; by default the CPU.
    inputs
        What was read.
    progress
        Called as progress(stage, done, total).

    Raises
    ------
    OptionError
        The weights are of another model, or for another number of bands, or the bin is below 1 or too large.
    """
    net, preparation = encoder_of(weights), preparation_of(weights)
    if bin is not None:
        preparation = replace(preparation, bin=bin)
    bands = int(weights.card.options["bands"])
    if len(pictures.bands) != bands:
        raise OptionError(
            "the weights are for another number of bands",
            got=f"{len(pictures.bands)} ({', '.join(pictures.bands)})",
            allowed=str(bands),
            todo="choose the bands that they were trained on, or train weights of your own",
        )
    place = device or torch.device("cpu")
    stages = stages_of(weights) if stages is None else stages
    n = n_pooled(net, stages)
    values = np.full((len(pictures), n), np.nan)
    good, start = pictures.good, 0
    for pixels in pictures.batches(batch):
        rows = slice(start, start + len(pixels))
        if bin is not None:
            _refuse_coarse(bin, min(pixels.shape[-2:]))
        seen = good[rows] & np.isfinite(pixels).any(axis=(1, 2, 3))
        if seen.any():
            read = prepare(pixels[seen], preparation)
            made = vectors(net, read, turns=turns, stages=stages, batch=batch, device=place)
            values[np.flatnonzero(seen) + start] = made
        start = rows.stop
        if progress is not None:
            progress("embed", min(start, len(pictures)), len(pictures))
    wide = len(str(n - 1))
    columns = tuple(
        Feature(f"e{k:0{max(3, wide)}d}", "", f"feature {k} of the encoder {weights.card.name}", EMBEDDING)
        for k in range(n)
    )
    told = Provenance(
        skysift.__version__,
        ENCODER,
        {
            "weights": weights.card.name,
            "checksum": weights.checksum,
            "turns": turns,
            "stages": stages,
            "bin": preparation.bin,
        },
        tuple(inputs),
        kind="step",
    )
    return Features(tuple(pictures.names), columns, values, dict(pictures.facts), told)


def _refuse_coarse(bin: int, side: int) -> None:
    """Refuse a bin with which the network reads hardly a pixel of pictures of so many along the side."""
    most = max(1, side // _LEAST_READ)
    if bin > most:
        raise OptionError(
            "the bin is too large: the network would read hardly a pixel of the pictures",
            got=f"bin={bin} for {side} pixels along the side",
            allowed=f"1 to {most}",
        )


def vectors(
    net: nn.Module,
    pixels: Pixels,
    *,
    turns: int = 4,
    stages: int = 1,
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
    turns, stages, batch, device
        As for `embed`.
    """
    n = n_pooled(net, stages)
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
                total = total.to(place) + pooled(net, look, stages).double()
            out.append((total / turns).cpu().numpy())
    net.train(was)
    return np.concatenate(out) if out else np.empty((0, n))


def pooled(net: nn.Module, x: Tensor, stages: int) -> Tensor:
    """Features (picture, feature) of the last stages of an encoder: means, and with more than one largest values too."""
    if stages == 1:
        made: Tensor = net.features(x)  # type: ignore[operator]
        return made
    maps = net.levels(x)[-stages:][::-1]  # type: ignore[operator]
    return torch.cat(
        [part for each in maps for part in (each.mean(dim=(2, 3)), each.amax(dim=(2, 3)))], dim=1
    )


def n_pooled(net: nn.Module, stages: int) -> int:
    """How many features that gives.

    Raises
    ------
    OptionError
        The network has fewer stages.
    """
    widths: tuple[int, ...] = net.widths  # type: ignore[assignment]
    if not 1 <= stages <= len(widths):
        raise OptionError(
            "the network has other stages", got=f"stages={stages}", allowed=f"1 to {len(widths)}"
        )
    return widths[-1] if stages == 1 else 2 * sum(widths[-stages:])


def refuse_others(weights: Checkpoint) -> None:
    """Refuse weights of anything but an encoder.

    Raises
    ------
    OptionError
        They are of another model.
    DataError
        Their card is not whole.
    """
    card, name = weights.card, weights.path.name
    if card.model in Registry[Any]("classifier").names():
        raise OptionError(
            "this is a classifier, not an encoder",
            got=f"{name}: model {card.model}",
            allowed=_ALLOWED,
            todo="`skysift classify predict` uses it, `skysift classify evaluate` judges its kind",
        )
    if card.model != ENCODER or "preparation" not in card.settings:
        raise OptionError(
            "these are not the weights of an encoder", got=f"{name}: model {card.model}", allowed=_ALLOWED
        )
    if "bands" not in card.options:
        raise DataError("the card of these weights is not whole: it lacks bands", got=name)
