"""What every finder's menu begins with; light: no loops, no kernels."""

from skysift.measure.options import FitOptions, NoiseOptions


class FinderOptions(NoiseOptions, FitOptions):
    """Noise and fits are the same for every finder."""
