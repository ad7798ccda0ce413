"""`Tuning`: an encoder and one layer behind it learn classes together; what a probe is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from skysift.base.options import Options
from skysift.learn.augment import Views, torch_generator
from skysift.learn.layers.encoder import make_encoder
from skysift.learn.learner import Batch, Learner, Rows
from skysift.learn.loop import train
from skysift.learn.options import EncoderOptions, LoopOptions, SelectionOptions, ViewOptions
from skysift.learn.pictures import Picture, PictureFeed, PictureSet

__all__ = ["Tuning", "tuned"]

Pixels: TypeAlias = NDArray[np.float32]
Floats: TypeAlias = NDArray[np.float64]


class _Net(nn.Module):
    """An encoder and a layer."""

    steps: Tensor

    def __init__(self, encoder: nn.Module, n_features: int, classes: int) -> None:
        super().__init__()
        self.encoder, self.last = encoder, nn.Linear(n_features, classes)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        """The score of each class."""
        scores: Tensor = self.last(self.encoder(x))
        return scores


class Tuning(Learner[Options, PictureSet]):
    """
    Classes of pictures by an encoder whose weights are learnt on.

    Parameters
    ----------
    encoder
        The network.
    start
        Its weights; None for fresh ones.
    channels, classes
        Of the pictures, and how many are told apart.
    views
        How pictures vary while they are learnt.
    """

    name: ClassVar[str] = "tuning"
    better: ClassVar[str] = "step"

    def __init__(
        self,
        encoder: EncoderOptions,
        start: Mapping[str, Tensor] | None,
        channels: int,
        classes: int,
        views: ViewOptions | None = None,
    ) -> None:
        super().__init__(Options())
        self.encoder, self.start, self.channels, self.classes = encoder, start, channels, classes
        self.views = Views(views or ViewOptions())

    def net(self) -> nn.Module:
        """The encoder with its weights, and a fresh layer."""
        encoder = make_encoder(self.encoder, self.channels)
        if self.start is not None:
            encoder.load_state_dict(dict(self.start))
        return _Net(encoder, encoder.n_features, self.classes)

    def feed(
        self, data: PictureSet, how: LoopOptions, limits: SelectionOptions, back: Rows = None
    ) -> PictureFeed:
        """Pictures, each class as often."""
        del limits, back
        classes = np.asarray(data.targets["class"], np.int64)
        return PictureFeed(data, how.batch * how.accumulate, how.random_seed, classes)

    def numbered(self, samples: Sequence[Picture], number: int, random_seed: int) -> dict[str, Tensor]:
        """Pixels, classes, and what is drawn for the view of each."""
        drawn = self.views.draw(len(samples), torch_generator(random_seed, "views", str(number)))
        return {
            "pixels": torch.from_numpy(np.stack([each.pixels for each in samples])),
            "class": torch.tensor([int(each.targets["class"]) for each in samples]),
            **drawn,
        }

    def loss(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The cross-entropy."""
        drawn = {name: each for name, each in batch.items() if name not in ("pixels", "class")}
        scores = net(self.views.make(batch["pixels"], drawn))
        return {"class": functional.cross_entropy(scores.float(), batch["class"])}

    def stepped(self, net: nn.Module, step: int, steps: int) -> None:
        """Count the steps."""
        del steps
        assert isinstance(net, _Net)
        net.steps.fill_(step + 1)

    def validate(self, net: nn.Module, data: PictureSet, device: torch.device) -> dict[str, float]:
        """The number of steps: the last weights are kept, nothing is chosen by what is left out."""
        del data, device
        assert isinstance(net, _Net)
        return {"step": float(net.steps)}


def tuned(
    learner: Tuning,
    pixels: Pixels,
    classes: NDArray[np.int64],
    asked: Pixels,
    epochs: int,
    folder: Path,
    *,
    random_seed: int = 1,
    device: torch.device | None = None,
    key: Any = "",
) -> Floats:
    """The probabilities (row, class) of pictures that were not learnt from, as the mean over quarters of a turn.

    Parameters
    ----------
    learner
        What learns.
    pixels, classes
        Prepared pictures and the number of the class of each.
    asked
        Prepared pictures that are asked for.
    epochs
        How often each picture is seen.
    folder
        Where the state of the training is kept.
    random_seed, device, key
        As for `skysift.learn.loop.train`.
    """
    place = device or torch.device("cpu")
    batch = min(32, len(pixels))
    steps = max(20, epochs * len(pixels) // batch)
    how = LoopOptions(
        steps=steps,
        batch=batch,
        learning_rate=5e-4,
        weight_decay=1e-2,
        average=0.98,
        validate_every=steps,
        random_seed=random_seed,
    )
    done = train(learner, PictureSet(pixels, {"class": classes}), how, folder, device=place, key=str(key))
    net = learner.net()
    net.load_state_dict(dict(done.weights))
    net = net.to(place).eval()
    out = []
    with torch.inference_mode():
        for start in range(0, len(asked), 256):
            part = torch.from_numpy(np.ascontiguousarray(asked[start : start + 256])).to(place)
            looks = [net(torch.rot90(part, k, (2, 3))).softmax(dim=1).double() for k in range(4)]
            out.append((sum(looks[1:], looks[0]) / 4.0).cpu().numpy())
    return np.concatenate(out) if out else np.empty((0, learner.classes))
