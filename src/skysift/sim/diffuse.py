"""`DiffuseLayer`: emission without edges, a random field with a power-law spectrum between two scales.

Power spectra of the Galactic plane in radio continuum fall as ``k^-2.5`` to ``k^-3.5`` (Haverkorn, Katgert and
de Bruyn 2003, A&A 403, 1045; Baccigalupi et al. 2001, A&A 372, 8). An interferometer sees none of what is larger
than its shortest spacing, so that the field has no mean and nothing beyond its outer scale.

Numbers are drawn on nodes of a lattice that is anchored at pixel (0, 0), brought to the spectrum by a kernel of
finite width, and interpolated to the pixels by cubic B-splines: the same for whatever is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from skysift.sim.noise import drawn, unit_power
from skysift.sim.splines import over_box
from skysift.sky.box import Box

__all__ = ["DiffuseLayer", "power_law_kernel"]

Floats = NDArray[np.float64]

_BLOCK = 64  # nodes along the side of a block that has a generator of its own
_REACH = 1.5  # outer scales to which the kernel reaches


def power_law_kernel(index: float, outer: float) -> Floats:
    """A kernel (y, x) that gives white noise the power ``k^-index`` within the outer scale; sum of squares 1.

    Parameters
    ----------
    index
        Of the power spectrum, above 0.
    outer
        Outer scale in nodes: power falls away at wavelengths beyond it.
    """
    half = int(np.ceil(_REACH * outer))
    n = fft.next_fast_len(4 * half + 1)
    k = np.hypot(fft.fftfreq(n)[:, np.newaxis], fft.fftfreq(n)[np.newaxis, :])
    low = 1.0 / outer
    amplitude = (k * k + low * low) ** (-index / 4.0) * (1.0 - np.exp(-((k / low) ** 2)))
    amplitude *= np.exp(
        -((k / 0.4) ** 4)
    )  # nothing near the finest wave of the nodes, which splines would smear
    kernel = fft.fftshift(fft.ifft2(amplitude).real)
    middle = n // 2
    kernel = kernel[middle - half : middle + half + 1, middle - half : middle + half + 1]
    window = np.hanning(2 * half + 3)[1:-1]
    kernel = kernel * np.sqrt(window[:, np.newaxis] * window[np.newaxis, :])
    return unit_power(kernel)


def interpolated_rms(kernel: Floats) -> float:
    """What cubic B-splines leave of the unit rms of a field on nodes, on average over the pixels.

    The mean product of the weights of two nodes is the B-spline of order 7 at their distance.
    """
    weight = np.array([1.0, 120.0, 1191.0, 2416.0, 1191.0, 120.0, 1.0]) / 5040.0
    n = fft.next_fast_len(kernel.shape[0] + 4, True)
    spectrum = np.abs(fft.rfft2(kernel, s=(n, n))) ** 2
    lags = fft.irfft2(spectrum, s=(n, n))[np.ix_(np.arange(-3, 4), np.arange(-3, 4))]
    return float(np.sqrt(weight @ lags @ weight))


@dataclass(frozen=True, eq=False)
class DiffuseLayer:
    """Diffuse emission that is painted cell by cell.

    Parameters
    ----------
    kernel
        Of `power_law_kernel`.
    step
        Distance of the nodes (pixel).
    rms
        Of the emission (Jy/beam).
    skew
        Spread of the logarithm: 0 gives a Gaussian field, more makes bright ridges and dark voids.
    random_seed
        Of the nodes.
    names
        Of their generators.
    """

    kernel: Floats
    step: float
    rms: float
    skew: float
    random_seed: int
    names: tuple[str, ...] = ("diffuse",)
    _left: float = field(init=False, repr=False)
    _turned: dict[tuple[int, int], NDArray[np.complex128]] = field(
        init=False, repr=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "_left", interpolated_rms(self.kernel))

    def paint(self, box: Box) -> Floats:
        """The emission (y, x) over one cell of the lattice (Jy/beam)."""
        return over_box(box, self.step, self._nodes)

    def _nodes(self, window: Box) -> Floats:
        """The emission on the nodes of a window (Jy/beam)."""
        half = self.kernel.shape[0] // 2
        white = drawn(window.expand(half), _BLOCK, self.random_seed, *self.names)
        size = (fft.next_fast_len(white.shape[0], True), fft.next_fast_len(white.shape[1], True))
        if size not in self._turned:
            self._turned[size] = fft.rfft2(self.kernel, s=size)
        mixed = fft.irfft2(fft.rfft2(white, s=size) * self._turned[size], s=size)
        ny, nx = window.shape
        field_ = mixed[2 * half : 2 * half + ny, 2 * half : 2 * half + nx]
        if self.skew > 0.0:  # log-normal, with its mean taken away and the same variance
            s2 = self.skew**2
            field_ = (np.exp(self.skew * field_ - 0.5 * s2) - 1.0) / np.sqrt(np.expm1(s2))
        return np.asarray(self.rms / self._left * field_)
