"""Where a network looks: Grad-CAM (Selvaraju et al. 2017, ICCV) and what hiding a part of the picture changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Seen", "grad_cam", "occlusion"]

Pixels = NDArray[np.float32]


class Seen(Protocol):
    """A network with maps before its numbers: what `grad_cam` needs."""

    def maps(self, x: Tensor) -> Tensor:
        """The last maps, (image, channel, y, x)."""

    def told(self, features: Tensor) -> Tensor:
        """Numbers of the classes from the means of the maps, (image, class)."""


def grad_cam(net: Seen, pixels: Pixels, classes: Sequence[int] | NDArray[np.int64]) -> Pixels:
    """
    How much each place of the last maps speaks for a class: (image, y, x), 0 to 1, as large as the images.

    Maps are added up with the mean gradient of the number of the class as weights, and what is negative, which speaks
    against it, is cut; the largest of each image becomes 1. An image of which nothing speaks for the class is 0.

    Parameters
    ----------
    net
        The network.
    pixels
        (image, channel, y, x), prepared.
    classes
        For which class, one an image.
    """
    assert isinstance(net, nn.Module)
    was = net.training
    net.eval()
    x = torch.from_numpy(np.ascontiguousarray(pixels))
    with torch.enable_grad():
        maps = net.maps(x).detach().requires_grad_()
        numbers = net.told(maps.mean(dim=(2, 3)))
        chosen = numbers.gather(1, torch.as_tensor(np.asarray(classes, np.int64))[:, None]).sum()
        (gradient,) = torch.autograd.grad(chosen, maps)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    speaks = torch.relu((weights * maps.detach()).sum(dim=1, keepdim=True))
    grown = functional.interpolate(speaks, size=x.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
    most = grown.amax(dim=(1, 2), keepdim=True)
    net.train(was)
    return np.asarray((grown / most.clamp_min(1e-12) * (most > 1e-12)).numpy(), np.float32)


def occlusion(
    told: Callable[[Pixels], NDArray[np.floating]],
    pixels: Pixels,
    classes: Sequence[int] | NDArray[np.int64],
    *,
    patch: int = 8,
    stride: int = 4,
) -> Pixels:
    """
    How much less probable a class is where a part of the image is hidden: (image, y, x), as large as the images.

    A square is set to 0 (the sky, as pictures are prepared) at all places of a grid; each pixel gets the mean fall of the
    probability over the squares that cover it. What is negative speaks against the class.

    Parameters
    ----------
    told
        Prepared images to probabilities of the classes, (image, class).
    pixels
        (image, channel, y, x), prepared.
    classes
        For which class, one an image.
    patch, stride
        Side of the square and the step of the grid (pixel).
    """
    ny, nx = pixels.shape[-2:]
    corners = [(y, x) for y in _starts(ny, patch, stride) for x in _starts(nx, patch, stride)]
    fall = np.zeros((len(pixels), ny, nx), np.float32)
    count = np.zeros((ny, nx), np.float32)
    for y, x in corners:
        count[y : y + patch, x : x + patch] += 1.0
    for k, image in enumerate(pixels):
        shown = np.repeat(image[None], len(corners) + 1, axis=0)
        for j, (y, x) in enumerate(corners):
            shown[j + 1, :, y : y + patch, x : x + patch] = 0.0
        value = np.asarray(told(shown))[:, int(classes[k])]
        for (y, x), hidden in zip(corners, value[1:], strict=True):
            fall[k, y : y + patch, x : x + patch] += value[0] - hidden
    return np.asarray(fall / np.maximum(count, 1.0), np.float32)


def _starts(n: int, patch: int, stride: int) -> list[int]:
    """First pixels of the squares along an axis; the last one ends with the image."""
    last = max(0, n - patch)
    return sorted({*range(0, last, stride), last})
