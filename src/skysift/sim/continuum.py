"""`ContinuumSimulator`: an extragalactic field as a survey of the radio continuum sees it."""

from __future__ import annotations

from skysift.sim.objects import Elements, Objects
from skysift.sim.options import ContinuumOptions
from skysift.sim.population import REFERENCE, draw
from skysift.sim.simulator import Simulator

__all__ = ["ContinuumSimulator"]


class ContinuumSimulator(Simulator[ContinuumOptions]):
    """Star-forming galaxies and active galaxies with published counts, sizes and spectra."""

    name = "continuum"
    reference = REFERENCE

    def sky(self, area: tuple[float, float, float, float]) -> tuple[Objects, Elements]:
        """What there is in a rectangle of the plane that touches the middle of the field."""
        options = self.options
        return draw(area, (options.ra, options.dec), options, options.random_seed)
