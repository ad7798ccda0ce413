"""MAE (He et al. 2022, CVPR): most patches are left out, and drawn from the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from skysift.base.errors import OptionError
from skysift.learn.layers.encoder import Encoder
from skysift.learn.layers.vit import Block, VisionTransformer, places
from skysift.learn.pretrain.method import Nets, Pretraining, wide
from skysift.learn.pretrain.options import MaeOptions

__all__ = ["Mae", "drawn_again", "patches"]


def patches(images: Tensor, side: int) -> Tensor:
    """The pixels of the patches of images (image, channel, y, x): (image, patch, channel y x), row by row."""
    ny, nx = (each // side for each in images.shape[-2:])
    return functional.unfold(images[..., : ny * side, : nx * side], side, stride=side).transpose(1, 2)


def drawn_again(drawn: Tensor, true: Tensor, left_out: Tensor) -> Tensor:
    """
    Mean squared distance of drawn patches from true ones, over those that were left out.

    Parameters
    ----------
    drawn, true
        (image, patch, pixel).
    left_out
        (image, patch): 1 where a patch was not seen.
    """
    apart = (wide(drawn) - wide(true)).square().mean(dim=2)
    return (apart * left_out).sum() / left_out.sum().clamp_min(1.0)


class _Decoder(nn.Module):
    """Blocks that draw the patches that were left out."""

    def __init__(self, n_in: int, dim: int, depth: int, n_out: int) -> None:
        super().__init__()
        self.first = nn.Linear(n_in, dim)
        self.unseen = nn.Parameter(torch.zeros(1, 1, dim))
        self.blocks = nn.ModuleList([Block(dim, 4) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)
        self.last = nn.Linear(dim, n_out)
        nn.init.normal_(self.unseen, std=0.02)

    def forward(self, tokens: Tensor, kept: Tensor, ny: int, nx: int) -> Tensor:
        """The pixels of all patches, from the tokens of those at the places `kept` (image, token)."""
        seen = self.first(tokens)
        n, d = len(seen), seen.shape[2]
        every = self.unseen.to(seen).expand(n, ny * nx, d)
        every = every.scatter(1, kept[:, :, None].expand(-1, -1, d), seen) + places(d, ny, nx).to(seen)
        for block in self.blocks:
            every = block(every)
        pixels: Tensor = self.last(self.norm(every))
        return pixels


class Mae(Pretraining[MaeOptions]):
    """One view is enough; the network is a transformer, which need not look at what is left out."""

    name: ClassVar[str] = "mae"
    n_views: ClassVar[int] = 1
    parted: ClassVar[bool] = False

    def parts(self, encoder: Encoder) -> Mapping[str, nn.Module]:
        """The decoder.

        Raises
        ------
        OptionError
            The network does not look at patches.
        """
        if not isinstance(encoder, VisionTransformer):
            raise OptionError(
                "mae leaves patches out, which the backbone must be able to do",
                got=f"backbone={self.encoder.backbone}",
                allowed="vit",
                todo="give --set encoder.backbone=vit",
            )
        told = self.options
        pixels = self.channels * self.encoder.patch**2
        return {
            "decoder": _Decoder(encoder.n_features, told.decoder_dim, told.decoder_depth, pixels),
        }

    def terms(self, net: Nets, views: Sequence[Tensor], chance: torch.Generator) -> dict[str, Tensor]:
        """The distance of what was drawn from what was left out."""
        view = views[0]
        side = self.encoder.patch
        ny, nx = (each // side for each in view.shape[-2:])
        if ny * nx < 2:
            raise OptionError(
                "pictures hold too few patches to leave some out",
                got=f"{ny * nx} of {side} x {side} pixels",
                allowed="two or more",
                todo="give a smaller encoder.patch, or a larger prepare.size",
            )
        n_kept = min(max(1, round((1.0 - self.options.left_out) * ny * nx)), ny * nx - 1)
        lot = torch.rand((len(view), ny * nx), generator=chance, device=view.device)
        kept = lot.argsort(dim=1)[:, :n_kept]
        left_out = torch.ones_like(lot).scatter(1, kept, 0.0)
        encoder = net.encoder
        assert isinstance(encoder, VisionTransformer)
        drawn = net["decoder"](encoder.tokens(view, kept), kept, ny, nx)
        return {"distance": drawn_again(drawn, patches(view, side), left_out)}
