"""Networks that tell classes of pictures: an encoder with one linear layer, trained by the one loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from skysift.classify.options import PictureOptions
from skysift.learn.augment import Views, torch_generator
from skysift.learn.layers.encoder import Encoder
from skysift.learn.learner import Batch, Learner, Rows
from skysift.learn.options import LoopOptions, SelectionOptions, ViewOptions
from skysift.learn.pictures import Picture, PictureFeed, PictureSet

__all__ = ["PictureLearner", "PictureNet", "given_back", "kept", "looked", "tensors_of"]

Floats = NDArray[np.float64]

_COUNTED = "num_batches_tracked"  # of a normalisation


class PictureNet(nn.Module):
    """
    An encoder and a linear layer.

    Parameters
    ----------
    encoder
        Images to maps and features.
    n_classes
        Numbers that it gives.
    dropout
        Part of the features dropped in training.
    thaw
        Stages of the encoder, from its end, that learn; None for all.
    """

    def __init__(
        self,
        encoder: Encoder,
        n_classes: int,
        dropout: float = 0.0,
        thaw: int | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(encoder.n_features, n_classes)
        nn.init.zeros_(self.head.bias)
        self.frozen = [] if thaw is None else encoder.parts[: max(0, len(encoder.parts) - thaw)]
        for stage in self.frozen:
            for weights in stage.parameters():
                weights.requires_grad = False

    def train(self, mode: bool = True) -> PictureNet:
        """Whether it learns; what is frozen keeps its running means too."""
        super().train(mode)
        for stage in self.frozen:
            stage.eval()
        return self

    def maps(self, x: Tensor) -> Tensor:
        """The last maps of the encoder, (image, channel, y, x)."""
        return self.encoder.maps(x)

    def told(self, features: Tensor) -> Tensor:
        """Numbers of the classes from features, (image, class)."""
        return torch.as_tensor(self.head(self.dropout(features)))

    def forward(self, x: Tensor) -> Tensor:
        """Numbers of the classes before they are made probabilities, (image, class)."""
        return self.told(self.encoder.features(x))


class PictureLearner(Learner[PictureOptions, PictureSet]):
    """
    Learns to tell classes of pictures.

    Parameters
    ----------
    options
        How views differ, the loss, the balance.
    make
        Makes the network with fresh weights.
    counts
        Pictures of each class, of all `n`.
    many
        Whether a picture may have several tags.
    """

    name = "pictures"
    better = "score"

    def __init__(
        self, options: PictureOptions, make: Any, counts: NDArray[np.int64], n: int, *, many: bool
    ) -> None:
        super().__init__(options)
        self.make, self.many = make, many
        self.views = Views(
            ViewOptions(
                turn=options.turn,
                zoom=options.zoom,
                shift=options.shift,
                gamma=options.gamma,
                blur=options.blur,
                noise=options.noise,
            )
        )
        counted = np.maximum(counts, 1)
        weights = (n - counts) / counted if many else n / (np.sum(counts > 0) * counted)
        balanced = options.balance == "weights"
        self.weights = torch.tensor(weights if balanced else np.ones(len(counts)), dtype=torch.float32)

    def net(self) -> nn.Module:
        """The network with fresh weights."""
        made: PictureNet = self.make()
        return made.train()

    def feed(
        self, data: PictureSet, how: LoopOptions, limits: SelectionOptions, back: Rows = None
    ) -> PictureFeed:
        """Pictures in an order that is drawn anew in each round."""
        del limits, back
        classes = None
        if self.options.balance == "draw":
            classes = np.asarray(data.targets["drawn"], np.int64)
        return PictureFeed(data, how.batch * how.accumulate, how.random_seed, classes)

    def numbered(self, samples: Sequence[Picture], number: int, random_seed: int) -> dict[str, Tensor]:
        """Pixels, targets, and what is drawn for the views."""
        chance = torch_generator(random_seed, "classify", "views", str(number))
        pixels = torch.from_numpy(np.stack([each.pixels for each in samples]))
        targets = np.stack([each.targets["class"] for each in samples])
        made = {
            "pixels": pixels,
            "target": torch.from_numpy(targets.astype(np.float32 if self.many else np.int64)),
            "kept": (torch.rand(pixels.shape[:2], generator=chance) >= self.options.lose).float(),
        }
        drawn = self.views.draw(len(samples), chance)
        return made | {f"view:{name}": values for name, values in drawn.items()}

    def loss(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """How surprising the classes are."""
        pixels = batch["pixels"] * batch["kept"][:, :, None, None]
        drawn = {name.partition(":")[2]: each for name, each in batch.items() if name.startswith("view:")}
        told = net(self.views.make(pixels, drawn, torch.ones_like(batch["kept"])))
        return {"class": self.surprise(told.float(), batch["target"])}

    def surprise(self, told: Tensor, target: Tensor) -> Tensor:
        """The loss of numbers (picture, class) before they are made probabilities."""
        weights, smooth = self.weights.to(told), self.options.smoothing
        power = self.options.focal if self.options.loss == "focal" else 0.0
        if self.many:
            goal = target * (1.0 - smooth) + 0.5 * smooth
            each = functional.binary_cross_entropy_with_logits(
                told, goal, reduction="none", pos_weight=weights
            )
            if power:
                p = told.sigmoid()
                each = each * (target * (1.0 - p) + (1.0 - target) * p) ** power
            return each.mean()
        logs = told.log_softmax(dim=1)
        goal = functional.one_hot(target, told.shape[1]).to(told) * (1.0 - smooth) + smooth / told.shape[1]
        each = -(goal * logs * (1.0 - logs.exp()) ** power if power else goal * logs).sum(dim=1)
        count = weights[target]
        return (each * count).sum() / count.sum()

    def validate(self, net: nn.Module, data: PictureSet, device: torch.device) -> dict[str, float]:
        """How well the pictures are told that are kept for this: minus their surprise, and the part that is right."""
        rows = data.judged
        told, _ = looked(net, np.asarray(data.pixels[rows], np.float32), 1, device)
        target = torch.from_numpy(np.asarray(data.targets["class"][rows]))
        numbers = torch.from_numpy(told)
        if self.many:
            surprise = functional.binary_cross_entropy_with_logits(numbers, target.to(numbers))
            right = ((numbers > 0) == target).float().mean()
        else:
            surprise = functional.cross_entropy(numbers, target)
            right = (numbers.argmax(dim=1) == target).float().mean()
        return {"score": -float(surprise), "right": float(right)}


def looked(
    net: nn.Module, pixels: NDArray[np.float32], turns: int, device: torch.device, batch: int = 256
) -> tuple[Floats, Floats]:
    """Numbers (picture, class) and features (picture, feature), each the mean over turned and mirrored looks."""
    assert isinstance(net, PictureNet)
    was, told, features = net.training, [], []
    net.to(device).eval()
    with torch.inference_mode():
        for start in range(0, len(pixels), batch):
            seen = torch.from_numpy(np.ascontiguousarray(pixels[start : start + batch])).to(device)
            sums = [torch.zeros((), dtype=torch.float64)] * 2
            for k in range(turns):
                look = torch.rot90(seen, k % 4 if turns >= 4 else 2 * k, (2, 3))
                made = net.encoder.features(look.flip(3) if k >= 4 else look)
                sums = [
                    total.to(device) + each.double()
                    for total, each in zip(sums, (net.told(made), made), strict=True)
                ]
            told.append((sums[0] / turns).cpu().numpy())
            features.append((sums[1] / turns).cpu().numpy())
    net.train(was)
    if not told:
        return np.empty((0, net.head.out_features)), np.empty((0, net.head.in_features))
    return np.concatenate(told), np.concatenate(features)


def kept(net: nn.Module) -> dict[str, NDArray[Any]]:
    """The weights of a network in numbers of 16 bits, where they fit these."""
    out = {}
    for name, value in net.state_dict().items():
        values = value.detach().cpu()
        half = values.half() if values.is_floating_point() else values
        fits = not values.is_floating_point() or bool(torch.isfinite(half).all())
        out[name] = (half if fits else values).numpy()
    return out


def given_back(net: nn.Module, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Give a network weights that `kept` told of."""
    own = net.state_dict()
    net.load_state_dict({name: value.to(own[name].dtype) for name, value in tensors_of(arrays).items()})


def tensors_of(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """Arrays as weights: counts of batches are single numbers, which a file keeps as lists of one."""
    return {
        name: torch.from_numpy(np.array(each).reshape(() if name.endswith(_COUNTED) else each.shape))
        for name, each in arrays.items()
    }
