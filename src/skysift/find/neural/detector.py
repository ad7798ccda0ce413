"""`Detector`: what the answers of a network mean; the same for a window of training and one of a survey."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray
from torch import nn

from skysift.find.neural.found import nothing_found
from skysift.sky.detections import Detections

__all__ = ["Detector"]

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]


class Detector(ABC):
    """
    A network that finds sources in a window of a map.

    Attributes
    ----------
    stride
        Pixels across a cell of its answer.
    multiple
        A window is a multiple of this wide.
    margin
        Pixels at the border of a window whose answers are not used: as far as the network looks, nearly.
    wide
        Whether wide sources are looked for on the binned map; see `skysift.find.neural.wide`.
    exact
        Whether the network reckons with places in pixels, which numbers of 16 bits cannot hold.
    """

    stride: int = 2
    multiple: int = 8
    margin: int = 32
    wide: bool = False
    exact: bool = False

    @abstractmethod
    def net(self) -> nn.Module:
        """The network, for weights to be put in."""

    @abstractmethod
    def inputs(self, z: Pixels, beam: Floats) -> dict[str, Pixels]:
        """The inputs of the network, by name, for one window ``(y, x)`` in units of the noise and its beam ``(3,)``."""

    @abstractmethod
    def found(self, answer: Pixels, z: Pixels, beam: Floats, least: float) -> Detections:
        """Detections with a score above `least` from the answer ``(channel, y, x)``, in pixels of the window."""

    def nothing(self) -> Detections:
        """No detection, with the names of the parameters."""
        return nothing_found()

    def single(self, found: Detections, beam: Floats) -> Detections:
        """Detections of a window without those that the detector knows to be doubles; those that are near stay."""
        return found
