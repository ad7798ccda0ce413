"""`ContinuumSimulator`: an extragalactic field as a survey of the radio continuum sees it."""

from __future__ import annotations

import math

from skysift.sim.instrument import rms_of
from skysift.sim.objects import Elements, Objects
from skysift.sim.options import ContinuumOptions
from skysift.sim.population import REFERENCE, draw
from skysift.sim.simulator import Simulator

__all__ = ["ContinuumSimulator"]

_USUAL_INDEX = -0.7  # of synchrotron emission (Condon 1992, ARA&A 30, 575)


class ContinuumSimulator(Simulator[ContinuumOptions]):
    """Star-forming galaxies and active galaxies with published counts, sizes and spectra."""

    name = "continuum"
    reference = REFERENCE

    def sky(self, area: tuple[float, float, float, float]) -> tuple[Objects, Elements]:
        """What there is in a rectangle of the plane that touches the middle of the field."""
        faintest = self.faintest()
        if faintest >= self.options.flux_max:
            return Objects.empty(), Elements.empty()
        options = self.options.replace(flux_min=faintest)
        return draw(area, (options.ra, options.dec), options, options.random_seed)

    def faintest(self) -> float:
        """Flux density at the reference frequency (Jy) down to which objects are drawn."""
        options = self.options
        if options.depth is None:
            return options.flux_min
        noise = min(
            rms_of(options, each) * math.pow(each / REFERENCE, -_USUAL_INDEX) for each in options.frequencies
        )
        return max(options.depth * noise, options.flux_min)
