"""`SmoothSegmenter` and `WaveletSegmenter`: the map on scales from the beam up, each in units of its own noise."""

import numpy as np
import numpy.typing as npt

from skysift.find.extended.diffuse import diffuse_emission, diffuse_reach
from skysift.find.extended.scales import (
    ENOUGH,
    clip_found,
    detail_variance,
    levels_of,
    reach,
    significance,
    smooth_step,
    smoothed_variance,
    width,
)
from skysift.find.extended.segmenter import Segmenter, Setting
from skysift.sky.box import Box

Pixels = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

LEAST_NOISE = 0.5  # sigma; of a scale without diffuse emission, and
FOLLOWED = 1.15  # over what its negative pixels tell: what is taken off follows noise


class SmoothSegmenter(Segmenter):
    """
    The map smoothed ever more, from fine to coarse; what a scale has found is cut down before the next.

    So a bright source does not spread over the coarse scales, as smooth-and-clip does for cubes (Serra et al.
    2012, PASA 29, 296). Diffuse emission is taken off first.
    """

    takes_off = True

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.levels = levels_of(setting.beam, setting.options.widest_scale)
        self.sigma = {k: float(np.sqrt(smoothed_variance(setting.correlation, k))) for k in self.levels}

    @property
    def halo(self) -> int:
        """The reach of the coarsest smoothing, and of the diffuse emission."""
        own = reach(self.levels[-1])
        return own + diffuse_reach(self.setting) if self.setting.diffuse else own

    def noise_of(self, scatter: float) -> float:
        """As it scatters, and a little more, where diffuse emission is taken off: some noise goes with it."""
        return max(FOLLOWED * scatter, LEAST_NOISE) if self.setting.diffuse else super().noise_of(scatter)

    @property
    def scales(self) -> tuple[str, ...]:
        """The widths of the smoothings in beams."""
        return tuple(f"{width(k) / self.setting.beam:.1f}" for k in self.levels)

    def maps(self, z: Pixels, box: Box) -> list[Pixels]:
        """The smoothed maps over their noise, without the diffuse emission where there is any."""
        options = self.setting.options
        if self.setting.diffuse:
            z = np.asarray(z - diffuse_emission(z, self.setting), np.float32)
        good = np.isfinite(z)
        sums, weights = np.where(good, z, 0.0).astype(np.float64), good.astype(np.float64)
        whole, room, half = bool(good.all()), np.empty(z.shape), np.empty(z.shape)
        found = []
        for k in range(self.levels[-1]):
            smooth_step(sums, 2**k, room, half)
            sums, room = room, sums
            weights = smoothed_weights(weights, 2**k, box, self.setting.shape, whole, half)
            if k + 1 not in self.sigma:
                continue
            out = np.empty(z.shape, np.float32)
            significance(sums, weights, self.sigma[k + 1], ENOUGH, out)
            found.append(out)
            clip_found(sums, weights, out, options.segment_seed, options.scale_clip)
        return found


class WaveletSegmenter(Segmenter):
    """The wavelet coefficients of the a trous transform, each scale in units of the noise that it holds."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.levels = tuple(k + 1 for k in levels_of(setting.beam, setting.options.widest_scale))
        self.sigma = {k: float(np.sqrt(detail_variance(setting.correlation, k))) for k in self.levels}

    @property
    def halo(self) -> int:
        """The reach of the coarsest scale."""
        return reach(self.levels[-1])

    @property
    def scales(self) -> tuple[str, ...]:
        """The widths of the coarser of the two smoothings in beams."""
        return tuple(f"{width(k) / self.setting.beam:.1f}" for k in self.levels)

    def maps(self, z: Pixels, box: Box) -> list[Pixels]:
        """The coefficients over their noise; blanks count as what lies around them."""
        good = np.isfinite(z)
        sums, weights = np.where(good, z, 0.0).astype(np.float64), good.astype(np.float64)
        whole, half = bool(good.all()), np.empty(z.shape)
        before = sums
        found = []
        for k in range(self.levels[-1]):
            after = np.empty(z.shape)
            smooth_step(sums, 2**k, after, half)
            sums = after
            weights = smoothed_weights(weights, 2**k, box, self.setting.shape, whole, half)
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = np.where(weights > 0.0, sums / weights, np.nan)
            if k + 1 in self.sigma:
                value = (before - mean) / self.sigma[k + 1]
                found.append(np.where(weights >= ENOUGH, value, np.nan).astype(np.float32))
            before = mean
        return found


def smoothed_weights(
    weights: Floats, step: int, box: Box, shape: tuple[int, int], whole: bool, half: Floats
) -> Floats:
    """The weights after one more step; those of a map without blanks far from its border stay as they are."""
    inside = box.y0 > 0 and box.x0 > 0 and box.y1 < shape[0] and box.x1 < shape[1]
    if whole and inside:
        return weights
    out = np.empty(weights.shape)
    smooth_step(weights, step, out, half)
    return out
