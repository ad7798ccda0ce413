"""The menus of made skies: population, instrument, and the simulators that put them together."""

from __future__ import annotations

from skysift.base.options import Options, option

__all__ = ["ContinuumOptions", "FieldOptions", "InstrumentOptions", "PopulationOptions"]


class PopulationOptions(Options):
    """What there is on a sky."""


class InstrumentOptions(Options):
    """What the sky is seen with."""


class FieldOptions(Options):
    """The field: where it lies, its pixels, and the seed of everything that is drawn."""

    random_seed: int = option(1, at_least=0, doc="Every random choice follows from this number.")


class ContinuumOptions(FieldOptions, PopulationOptions, InstrumentOptions):
    """A field of radio galaxies and star-forming galaxies, as a survey of the continuum sees it."""
