"""`VisionTransformer`: attention between square patches of an image (Dosovitskiy et al. 2021, ICLR), small."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["Block", "VisionTransformer", "places"]


class Block(nn.Module):
    """Attention between tokens, then a layer for each, both beside a way past them."""

    def __init__(self, n: int, heads: int, ratio: float = 4.0) -> None:
        super().__init__()
        self.heads = heads
        self.first_norm, self.second_norm = nn.LayerNorm(n), nn.LayerNorm(n)
        self.asked = nn.Linear(n, 3 * n)
        self.told = nn.Linear(n, n)
        hidden = round(ratio * n)
        self.each = nn.Sequential(nn.Linear(n, hidden), nn.GELU(), nn.Linear(hidden, n))

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (image, token, feature) that have seen each other."""
        rows, n, d = x.shape
        asked = self.asked(self.first_norm(x)).view(rows, n, 3, self.heads, d // self.heads)
        query, key, value = asked.permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(query, key, value)
        x = x + self.told(seen.transpose(1, 2).reshape(rows, n, d))
        out: Tensor = x + self.each(self.second_norm(x))
        return out


def places(n: int, ny: int, nx: int) -> Tensor:
    """What tells tokens where they are: sines and cosines of their place, (y x, n), n a multiple of 4."""
    rates = torch.exp(-math.log(100.0) * torch.arange(n // 4) / max(1, n // 4 - 1))
    y, x = (torch.arange(side)[:, None] * rates * (math.pi / 2.0) for side in (ny, nx))  # (side, n / 4)
    of_y = torch.cat([y.sin(), y.cos()], 1)[:, None].expand(ny, nx, n // 2)
    of_x = torch.cat([x.sin(), x.cos()], 1)[None].expand(ny, nx, n // 2)
    return torch.cat([of_y, of_x], 2).reshape(ny * nx, n)


class VisionTransformer(nn.Module):
    """
    Blocks of attention over the patches of an image; images of any size that is a multiple of the patch.

    Parameters
    ----------
    dim
        Length of a token, a multiple of 4 and of the heads; that of the features.
    depth, heads
        Number of blocks, and heads of each.
    patch
        Side of a patch (pixel).
    channels_in
        Of the images.

    Attributes
    ----------
    n_features
        Length of a vector of features.
    stride
        Pixels of the image that a pixel of the maps stands for.
    """

    def __init__(
        self, dim: int = 96, depth: int = 4, heads: int = 4, patch: int = 6, channels_in: int = 1
    ) -> None:
        super().__init__()
        self.patch, self.n_features, self.stride = patch, dim, patch
        self.stem = nn.Conv2d(channels_in, dim, patch, patch)
        self.blocks = nn.ModuleList([Block(dim, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)

    @property
    def widths(self) -> tuple[int, ...]:
        """Length of the tokens after the last block, the only maps that it has."""
        return (self.n_features,)

    @property
    def parts(self) -> list[nn.Module]:
        """Stem and blocks in their order: what is first sees the image first."""
        *blocks, last = self.blocks
        return [self.stem, *blocks, nn.ModuleList([last, self.norm])]

    def tokens(self, x: Tensor, kept: Tensor | None = None) -> Tensor:
        """The tokens of images after all blocks, (image, token, feature).

        Parameters
        ----------
        x
            (image, channel, y, x).
        kept
            (image, token): numbers of the patches that are looked at, row by row of the image; None for all.
        """
        seen = self.stem(x)
        n, ny, nx = seen.shape[1:]
        tokens = seen.flatten(2).transpose(1, 2) + places(n, ny, nx).to(seen)
        if kept is not None:
            tokens = tokens.gather(1, kept[:, :, None].expand(-1, -1, n))
        for block in self.blocks:
            tokens = block(tokens)
        return torch.as_tensor(self.norm(tokens))

    def maps(self, x: Tensor) -> Tensor:
        """The tokens at their places, (image, feature, y, x)."""
        ny, nx = (side // self.patch for side in x.shape[-2:])
        return self.tokens(x).transpose(1, 2).reshape(len(x), self.n_features, ny, nx)

    def features(self, x: Tensor) -> Tensor:
        """A vector an image: the mean of its tokens, (image, feature)."""
        return self.tokens(x).mean(dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """As `features`."""
        return self.features(x)
