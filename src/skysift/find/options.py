"""What every finder's menu begins with; light: no loops, no kernels."""

from skysift.base.options import option
from skysift.measure.options import FitOptions, NoiseOptions, SpectraOptions


class FinderOptions(NoiseOptions, FitOptions, SpectraOptions):
    """Noise and fits are the same for every finder."""

    grow: float = option(3.0, unit="sigma", above=0.0, doc="Neighbours this bright join an island.")
