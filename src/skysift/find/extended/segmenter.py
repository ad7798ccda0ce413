"""`Segmenter`: a way to tell where a map is more than noise, on one or several scales."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from skysift.base.registry import Registry
from skysift.find.extended.options import ExtendedOptions
from skysift.sky.box import Box

Pixels = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Setting:
    """
    What a segmenter knows of a map before it sees a pixel.

    Attributes
    ----------
    options
        The choices of the finder.
    beam
        FWHM of the beam in pixels, the geometric mean of its axes.
    correlation
        Autocorrelation of the noise ``(dy, dx)``, 1 at its centre.
    shape
        Rows and columns of the map.
    diffuse
        Whether sources lie on diffuse emission that is taken off.
    """

    options: ExtendedOptions
    beam: float
    correlation: Floats
    shape: tuple[int, int]
    diffuse: bool = False


class Segmenter(ABC):
    """
    Says how significant emission is at each pixel, on each of its scales.

    Attributes
    ----------
    setting
        What is known of the map.
    takes_off
        Whether it takes diffuse emission off, where there is any.
    """

    takes_off: ClassVar[bool] = False

    def __init__(self, setting: Setting) -> None:
        self.setting = setting

    @property
    @abstractmethod
    def halo(self) -> int:
        """Pixels around a box that `maps` depends on."""

    def noise_of(self, scatter: float) -> float:
        """Noise (sigma) of a scale whose negative pixels scatter by so much: 1 at least."""
        return max(scatter, 1.0)

    @property
    @abstractmethod
    def scales(self) -> tuple[str, ...]:
        """Names of the scales, finest first."""

    @abstractmethod
    def maps(self, z: Pixels, box: Box) -> list[Pixels]:
        """
        For each scale, the significance (sigma) of emission, float32 ``(y, x)``; NaN where nothing can be said.

        Parameters
        ----------
        z
            Signal to noise of the map without compact sources, float32 ``(y, x)``; NaN where there are no data.
            It reaches `halo` pixels beyond what is asked for, or to the border of the map; values there need
            not be right.
        box
            Where ``z`` lies in the map.
        """


def segmenters_of(options: ExtendedOptions) -> list[type[Segmenter]]:
    """The segmenters that the option `method` names.

    Raises
    ------
    UnknownName
        There is no such segmenter.
    """
    registry = Registry[type[Segmenter]]("segmenter")
    return [registry.load(name.strip()) for name in options.method.split("+")]
