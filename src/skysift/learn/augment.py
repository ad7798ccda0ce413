"""`Views`: the same picture turned, mirrored, scaled, shifted, blurred, noisier, with other contrast, or partly blank."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from skysift.base.random import generator
from skysift.learn.options import ViewOptions

__all__ = ["Views", "torch_generator"]

_CELL = 6  # pixels along the side of a blanked square


def torch_generator(seed: int, *names: str, device: torch.device | None = None) -> torch.Generator:
    """A generator of torch that depends on the seed and the names alone."""
    drawn = int(generator(seed, *names).integers(0, 2**62))
    return torch.Generator(device or torch.device("cpu")).manual_seed(drawn)


class Views:
    """
    What draws views of pictures and makes them.

    Drawing is apart from making: it needs no pixels, and what is drawn depends on a generator alone; so the views of a
    batch are the same wherever they are made.

    Parameters
    ----------
    options
        How views differ.
    """

    def __init__(self, options: ViewOptions) -> None:
        self.options = options

    def __repr__(self) -> str:
        return f"Views({self.options!r})"

    def draw(self, n: int, chance: torch.Generator, *, local: bool = False) -> dict[str, Tensor]:
        """What is done to each of so many pictures: a value a picture by name.

        Parameters
        ----------
        n
            How many.
        chance
            What is drawn from.
        local
            Whether the views are of a part.
        """
        told = self.options

        def uniform(low: float, high: float) -> Tensor:
            return low + (high - low) * torch.rand(n, generator=chance)

        angle = uniform(0.0, 2.0 * math.pi) if told.turn else torch.zeros(n)
        mirror = 1.0 - 2.0 * (uniform(0.0, 1.0) < 0.5) if told.turn else torch.ones(n)
        low, high = told.local_zoom if local else told.zoom
        reach = 0.5 if local else told.shift  # the middle of a part lies anywhere in the middle half
        return {
            "angle": angle,
            "mirror": mirror,
            "zoom": torch.exp(uniform(math.log(low), math.log(high))),
            "stretch": 1.0 + uniform(-told.stretch, told.stretch),
            "shift_x": uniform(-reach, reach) * (1.0 if not local else 0.5),
            "shift_y": uniform(-reach, reach) * (1.0 if not local else 0.5),
            "blur": uniform(0.0, told.blur),
            "gamma": torch.exp(uniform(math.log(told.gamma[0]), math.log(told.gamma[1]))),
            "gain": 1.0 + uniform(-told.gain, told.gain),
            "noise": uniform(0.0, told.noise),
            "mask": uniform(0.0, told.mask),
            "seed": torch.randint(0, 2**31, (n,), generator=chance),
        }

    @torch.no_grad()
    def make(
        self,
        pixels: Tensor,
        drawn: Mapping[str, Tensor],
        rms: Tensor | None = None,
        size: int | None = None,
        *,
        blank: bool = False,
    ) -> Tensor:
        """
        The views, (picture, channel, y, x).

        Parameters
        ----------
        pixels
            (picture, channel, y, x), 0 where there is nothing.
        drawn
            What `draw` gave.
        rms
            (picture, channel): what noise of one sigma is in these units; without it there is none.
        size
            Side of the views; by default that of the pictures.
        blank
            Whether pixels without data stay exactly 0 whatever is laid over a view, for networks that tell them apart.
        """
        told = self.options
        side = size or pixels.shape[-1]
        share = side / pixels.shape[-1]  # a smaller view keeps the scale of pixels, unless it is zoomed
        cos, sin = torch.cos(drawn["angle"]), torch.sin(drawn["angle"])
        scale_x = share / (drawn["zoom"] * drawn["stretch"])
        scale_y = share / drawn["zoom"] * drawn["stretch"]
        turn = torch.stack(
            [
                torch.stack([cos * scale_x * drawn["mirror"], -sin * scale_y, 2.0 * drawn["shift_x"]], 1),
                torch.stack([sin * scale_x * drawn["mirror"], cos * scale_y, 2.0 * drawn["shift_y"]], 1),
            ],
            1,
        ).to(pixels)
        shape = (len(pixels), pixels.shape[1], side, side)
        grid = functional.affine_grid(turn, list(shape), align_corners=False)
        views = functional.grid_sample(pixels, grid, mode="bilinear", align_corners=False)
        seen = (views != 0.0) if blank else None
        if told.blur > 0.0:
            views = blurred(views, drawn["blur"])
        if told.noise > 0.0 and rms is not None:
            chance = torch.Generator(pixels.device).manual_seed(int(drawn["seed"][0]))
            drift = torch.randn(views.shape, generator=chance, device=pixels.device, dtype=pixels.dtype)
            views = views + drift * (drawn["noise"][:, None] * rms)[:, :, None, None]
        if told.gamma != (1.0, 1.0) or told.gain > 0.0:
            gain = drawn["gain"][:, None, None, None]
            power = drawn["gamma"][:, None, None, None]
            views = views.sign() * (gain * views.abs().clamp_min(1e-6) ** power)
        if seen is not None:
            views = views * seen
        if told.mask > 0.0:
            views = views * self._seen(drawn, side, pixels.device)
        return views

    def _seen(self, drawn: Mapping[str, Tensor], side: int, device: torch.device) -> Tensor:
        """(picture, 1, y, x): 0 in squares that are blanked."""
        cells = -(-side // _CELL)
        chance = torch.Generator(device).manual_seed(int(drawn["seed"][-1]))
        lot = torch.rand((len(drawn["mask"]), 1, cells, cells), generator=chance, device=device)
        seen = (lot >= drawn["mask"][:, None, None, None]).float()
        return seen.repeat_interleave(_CELL, 2).repeat_interleave(_CELL, 3)[:, :, :side, :side]


def blurred(pixels: Tensor, sigma: Tensor) -> Tensor:
    """Images under a round Gaussian beam of a sigma each (pixel); the sum of pixels stays, but for what leaves them."""
    ny, nx = pixels.shape[-2:]
    pad = max(1, math.ceil(3.0 * float(sigma.max())))
    wide = functional.pad(pixels, (0, pad, 0, pad))
    ky = torch.fft.fftfreq(ny + pad, device=pixels.device)
    kx = torch.fft.rfftfreq(nx + pad, device=pixels.device)
    square = (ky[:, None] ** 2 + kx[None] ** 2)[None, None]
    passed = torch.exp(-2.0 * (np.pi * sigma[:, None, None, None]) ** 2 * square)
    out = torch.fft.irfft2(torch.fft.rfft2(wide.float()) * passed, s=(ny + pad, nx + pad))
    kept: Tensor = out[..., :ny, :nx].to(pixels.dtype)
    return kept
