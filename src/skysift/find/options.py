"""What every finder's menu begins with; light: no loops, no kernels."""

from skysift.base.options import Options, option
from skysift.match.options import JoinOptions
from skysift.measure.options import BeamOptions, FitOptions, NoiseOptions, SpectraOptions


class StokesOptions(Options):
    """Polarisation of what was found; used where maps of Stokes Q, U or V are given."""

    leakage_v: float = option(
        0.0,
        at_least=0.0,
        below=1.0,
        doc="Part of Stokes I that may leak into V: V is a limit below it; a column of its own, never mixed in.",
    )
    leakage_p: float = option(
        0.0,
        at_least=0.0,
        below=1.0,
        doc="Part of Stokes I that may leak into linear polarisation; a column of its own, never mixed in.",
    )
    polarised_sigma: float = option(
        3.0,
        unit="sigma",
        above=0.0,
        doc="Polarised flux is detected above this, or as rare a S/N of polarised intensity; else it is a limit.",
    )


class FinderOptions(StokesOptions, NoiseOptions, FitOptions, BeamOptions, SpectraOptions, JoinOptions):
    """Noise, beams and fits are the same for every finder."""

    grow: float = option(3.0, unit="sigma", above=0.0, doc="Neighbours this bright join an island.")
    reliability: float | None = option(
        None,
        at_least=0.0,
        at_most=1.0,
        doc="Sources less reliable than this are dropped; 0 keeps all, with their reliability as a column.",
    )
