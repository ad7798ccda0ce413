"""The menus of made skies: population, instrument, and the simulators that put them together."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from skysift.base.options import Options, option

__all__ = ["ContinuumOptions", "FieldOptions", "InstrumentOptions", "PopulationOptions"]


class PopulationOptions(Options):
    """What there is on a sky: star-forming galaxies, steep-spectrum and flat-spectrum active galaxies."""

    flux_min: float = option(
        1e-6, unit="Jy", at_least=1e-8, doc="Faintest flux density at 1.4 GHz that is drawn."
    )
    flux_max: float = option(
        10.0, unit="Jy", above=0.0, at_most=25.0, doc="Brightest flux density at 1.4 GHz that is drawn."
    )
    density: float = option(
        1.0, at_least=0.0, doc="Numbers of all objects, in units of the published counts."
    )
    star_forming: float = option(
        1.0,
        at_least=0.0,
        doc="Numbers of star-forming galaxies, in units of the published; 0 leaves them out.",
    )
    steep_agn: float = option(1.0, at_least=0.0, doc="Numbers of steep-spectrum active galaxies, likewise.")
    flat_agn: float = option(1.0, at_least=0.0, doc="Numbers of flat-spectrum active galaxies, likewise.")
    bent: float = option(
        0.10, at_least=0.0, at_most=1.0, doc="Part of the resolved steep-spectrum ones with wide-angle tails."
    )
    head_tail: float = option(
        0.05, at_least=0.0, at_most=1.0, doc="Part of them with narrow-angle tails behind a head."
    )
    double_double: float = option(
        0.03, at_least=0.0, at_most=1.0, doc="Part of them with a young pair of lobes inside an old one."
    )
    remnant: float = option(
        0.06, at_least=0.0, at_most=1.0, doc="Part of them with dead lobes, without core, jets and hot spots."
    )
    size_scale: float = option(1.0, above=0.0, doc="All angular sizes, in units of the published ones.")
    disc_limit: float = option(
        0.3,
        unit="arcsec",
        at_least=0.0,
        doc="A disc with a smaller scale length is drawn as one Gaussian of its second moments.",
    )
    lobe_limit: float = option(
        1.0,
        unit="arcsec",
        at_least=0.0,
        doc="An active galaxy of a smaller angular size is drawn as core and two lobes or one halo.",
    )
    cell: float = option(
        600.0, unit="arcsec", at_least=10.0, doc="Width of the cells in which objects are drawn."
    )

    @model_validator(mode="after")
    def _there_is_a_range_of_fluxes(self) -> Self:
        if not self.flux_min < self.flux_max:
            raise ValueError(f"flux_min must lie below flux_max, {self.flux_max:g} Jy")
        return self

    @model_validator(mode="after")
    def _kinds_of_tails_leave_room(self) -> Self:
        total = self.bent + self.head_tail + self.double_double + self.remnant
        if total > 1.0 + 1e-12:
            raise ValueError(
                f"bent, head_tail, double_double and remnant are parts of one whole, not {total:g}"
            )
        return self


class InstrumentOptions(Options):
    """What the sky is seen with: antennas, coverage, weights, noise, primary beam, and what calibration leaves."""

    array: Literal["none", "ska-mid", "meerkat", "askap", "vla-a", "vla-b", "vla-c", "vla-d"] = option(
        "ska-mid", doc="Antennas like those of this array; none: a map without sidelobes and lost scales."
    )
    stretch: bool = option(
        False, doc="Scale the array so that it just resolves the beam, instead of tapering it."
    )
    hour_angle_start: float = option(
        -4.0, unit="h", at_least=-12.0, at_most=12.0, doc="Hour angle where the observation begins."
    )
    hour_angle_end: float = option(
        4.0,
        unit="h",
        at_least=-12.0,
        at_most=12.0,
        doc="Hour angle where it ends; the start itself: a snapshot.",
    )
    time_step: float = option(5.0, unit="min", above=0.0, doc="Time between samples of the uv coverage.")
    elevation_limit: float = option(
        15.0, unit="deg", at_least=0.0, below=90.0, doc="Nothing is observed below this elevation."
    )
    bandwidth: float = option(
        0.3,
        at_least=0.0,
        at_most=1.0,
        doc="Bandwidth as a part of the frequency: it smears tracks along the radius.",
    )
    flagged: float = option(
        0.05, at_least=0.0, below=1.0, doc="Part of the antennas' half hours that is lost."
    )
    weighting: Literal["natural", "uniform", "briggs"] = option(
        "briggs", doc="Weights of the gridded samples, before the taper that makes the beam."
    )
    robust: float = option(
        0.0, at_least=-2.0, at_most=2.0, doc="Robustness of Briggs weights: -2 is uniform, 2 natural."
    )
    noise_kernel: Literal["gaussian", "array"] = option(
        "gaussian", doc="Correlation of the noise: a Gaussian `noise_width` wide, or that of the uv coverage."
    )
    noise_width: float = option(
        0.7,
        unit="beam",
        at_least=0.3,
        at_most=1.2,
        doc="FWHM of the Gaussian that white noise is smoothed with; 0.71 gives noise correlated like the beam.",
    )
    primary_beam: Literal["none", "dish", "mosaic", "footprint"] = option(
        "none",
        doc="Response of one pointing, of a mosaic of pointings, or of the beams of a phased-array feed.",
    )
    pattern: Literal["cosine", "airy"] = option(
        "cosine", doc="Power pattern of a dish: of a tapered or of an evenly lit aperture."
    )
    diameter: float | None = option(
        None, unit="m", above=0.0, doc="Diameter of a dish; left out, that of the array (15 m without one)."
    )
    pointings: int = option(
        3,
        at_least=1,
        at_most=99,
        doc="Pointings of a mosaic along east and along north, in a hexagonal pattern.",
    )
    pointing_step: float = option(
        0.6,
        unit="beam",
        above=0.0,
        doc="Distance of pointings, in FWHM of the primary beam at `reference_frequency`.",
    )
    reference_frequency: float = option(
        1.4e9, unit="Hz", above=0.0, doc="Frequency that pointings of a mosaic are laid out for."
    )
    footprint: Literal["square", "hexagonal"] = option(
        "hexagonal", doc="Pattern of the 36 beams of a phased-array feed."
    )
    pitch: float = option(0.9, unit="deg", above=0.0, doc="Distance of the beams of a phased-array feed.")
    corrected: bool = option(
        False, doc="Divide the map by the primary beam: fluxes are true and the noise grows outwards."
    )
    artefacts: bool = option(
        True, doc="Leave sidelobes, spokes and bowls around bright sources; needs an array."
    )
    clean_residual: float = option(
        0.002,
        at_least=0.0,
        at_most=1.0,
        doc="Part of a bright source that deconvolution leaves in the dirty map.",
    )
    amplitude_error: float = option(
        0.02, at_least=0.0, at_most=1.0, doc="Relative rms error of an antenna's gain after calibration."
    )
    phase_error: float = option(
        2.0, unit="deg", at_least=0.0, at_most=60.0, doc="Rms error of an antenna's phase after calibration."
    )
    gain_interval: float = option(
        30.0, unit="min", above=0.0, doc="Time after which an antenna has another gain error."
    )
    glitches: float = option(
        0.02,
        at_least=0.0,
        at_most=1.0,
        doc="Part of the antennas' intervals whose gain errors are ten times as large, which makes spokes.",
    )
    bowl: float = option(
        0.5,
        at_least=0.0,
        at_most=1.0,
        doc="Part of what is larger than the array sees that no deconvolution brings back.",
    )
    sidelobe_radius: float = option(
        100.0, unit="beam", at_least=5.0, at_most=400.0, doc="Sidelobes are painted out to this distance."
    )
    artefact_level: float = option(
        3.0, unit="sigma", above=0.0, doc="Artefacts brighter than this are labelled as such."
    )


class FieldOptions(Options):
    """The field: where it lies, its pixels, and the seed of everything that is drawn."""

    random_seed: int = option(1, at_least=0, doc="Every random choice follows from this number.")


class ContinuumOptions(FieldOptions, PopulationOptions, InstrumentOptions):
    """A field of radio galaxies and star-forming galaxies, as a survey of the continuum sees it."""
