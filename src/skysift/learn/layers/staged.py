"""`Staged`: encoders that look at an image in stages, each coarser than the one before."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn

__all__ = ["Staged"]


class Staged(nn.Module):
    """What all such encoders tell from the maps of their stages."""

    @abstractmethod
    def levels(self, x: Tensor) -> list[Tensor]:
        """The maps after each stage, (image, channel, y, x), finest first."""

    def maps(self, x: Tensor) -> Tensor:
        """The last maps, (image, channel, y, x)."""
        return self.levels(x)[-1]

    def features(self, x: Tensor) -> Tensor:
        """A vector an image: the means of the last maps, (image, feature)."""
        return self.maps(x).mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """As `features`."""
        return self.features(x)
