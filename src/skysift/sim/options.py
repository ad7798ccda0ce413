"""The menus of made skies: population, instrument, and the simulators that put them together."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import field_validator, model_validator

from skysift.base.errors import OptionError
from skysift.base.options import Options, option

__all__ = [
    "ContinuumOptions",
    "FieldOptions",
    "GalacticOptions",
    "InstrumentOptions",
    "LineCubeOptions",
    "PopulationOptions",
    "SkyOptions",
]


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
        "uniform", doc="Weights of the gridded samples, before the taper that makes the beam."
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
        0.005, at_least=0.0, at_most=1.0, doc="Relative rms error of an antenna's gain after calibration."
    )
    phase_error: float = option(
        0.5, unit="deg", at_least=0.0, at_most=60.0, doc="Rms error of an antenna's phase after calibration."
    )
    gain_interval: float = option(
        30.0, unit="min", above=0.0, doc="Time over which the gain error of an antenna goes to another."
    )
    glitches: float = option(
        0.02,
        at_least=0.0,
        at_most=1.0,
        doc="Part of the gain errors that are ten times as large, which makes spokes.",
    )
    bowl: float = option(
        1.0,
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

    @model_validator(mode="after")
    def _there_is_a_beam_to_correct_for(self) -> Self:
        if self.corrected and self.primary_beam == "none":
            raise ValueError("corrected needs a primary_beam: dish, mosaic or footprint")
        return self


class FieldOptions(Options):
    """The field: where it lies, its pixels, beam, noise, and the seed of everything that is drawn."""

    random_seed: int = option(1, at_least=0, doc="Every random choice follows from this number alone.")
    ra: float = option(
        0.0, unit="deg", at_least=0.0, below=360.0, doc="Right ascension of the field's middle, ICRS."
    )
    dec: float = option(
        -30.0, unit="deg", at_least=-90.0, at_most=90.0, doc="Declination of the middle, ICRS."
    )
    frequency: float | tuple[float, ...] = option(
        1.4e9, unit="Hz", doc="Frequency of the map; several give one map each, of the same sky and pixels."
    )
    n_pixels: int | tuple[int, int] = option(
        2048, unit="pixel", doc="Pixels along a side, or [rows, columns]; 32 to 65536."
    )
    pixel: float | None = option(
        None,
        unit="arcsec",
        above=0.0,
        doc="Size of a pixel; 0.4 of the minor axis of the sharpest beam if null.",
    )
    beam: float | tuple[float, float, float] | None = option(
        None,
        unit="arcsec",
        doc="FWHM of the beam, or [major, minor, pa in deg], at the first frequency, inversely proportional to "
        "frequency at others; 0.6 arcsec at 1.4 GHz if null.",
    )
    hours: float = option(
        100.0, unit="h", above=0.0, doc="Integration time, from which the noise follows where `rms` is null."
    )
    rms: float | None = option(
        None,
        unit="Jy/beam",
        above=0.0,
        doc="Noise at the first frequency, on the axis; from `hours` if null. At other frequencies it follows the "
        "sensitivity of the array.",
    )
    rms_spread: float = option(
        0.1, at_least=0.0, at_most=1.0, doc="How the noise varies over the field: spread of its logarithm."
    )
    rms_scale: float = option(150.0, unit="beam", at_least=10.0, doc="Distance over which the noise varies.")
    cutoff: float = option(
        0.1,
        at_least=0.0,
        below=1.0,
        doc="A map that is divided by the primary beam is blank where the response is below this.",
    )

    @field_validator("frequency")
    @classmethod
    def _frequencies(cls, value: float | tuple[float, ...]) -> float | tuple[float, ...]:
        given = value if isinstance(value, tuple) else (value,)
        if not given or len(set(given)) < len(given) or not all(1e7 <= each <= 1e12 for each in given):
            raise ValueError("one or several different frequencies, each 1e7 to 1e12 Hz")
        return value

    @field_validator("n_pixels")
    @classmethod
    def _pixels(cls, value: int | tuple[int, int]) -> int | tuple[int, int]:
        given = value if isinstance(value, tuple) else (value,)
        if not all(32 <= each <= 65536 for each in given):
            raise ValueError("a side has 32 to 65536 pixels")
        return value

    @field_validator("beam")
    @classmethod
    def _axes(
        cls, value: float | tuple[float, float, float] | None
    ) -> float | tuple[float, float, float] | None:
        given = value if isinstance(value, tuple) else (value,)
        if any(each is not None and each <= 0.0 for each in given[:2]):
            raise ValueError("axes above 0 arcsec")
        return value

    @property
    def frequencies(self) -> tuple[float, ...]:
        """The frequencies of the maps (Hz), in order."""
        return self.frequency if isinstance(self.frequency, tuple) else (self.frequency,)


class SkyOptions(InstrumentOptions, FieldOptions):
    """A field and what it is seen with: what every simulator is asked for."""


class ContinuumOptions(PopulationOptions, SkyOptions):
    """A field of radio galaxies and star-forming galaxies, as a survey of the continuum sees it."""

    flux_min: float = option(
        1e-8,
        unit="Jy",
        at_least=1e-8,
        doc="Faintest flux density at 1.4 GHz that is drawn, whatever `depth`.",
    )
    depth: float | None = option(
        1.0,
        unit="sigma",
        above=0.0,
        doc="Objects are drawn down to this many times the noise of the deepest map, at a spectral index of -0.7, "
        "where `flux_min` lies deeper; null: down to `flux_min` anyhow.",
    )


class FieldOfViewOptions(PopulationOptions, SkyOptions):
    """A field with pixels, beam and noise like those of ATCA maps of the Galactic plane, seen without an array."""

    n_pixels: int | tuple[int, int] = option(
        1024, unit="pixel", doc="Pixels along a side, or [rows, columns]; 32 to 65536."
    )
    beam: float | tuple[float, float, float] | None = option(
        6.5, unit="arcsec", doc="FWHM of the beam, or [major, minor, pa in deg], at the first frequency."
    )
    pixel: float | None = option(
        1.5,
        unit="arcsec",
        above=0.0,
        doc="Size of a pixel; 0.4 of the minor axis of the sharpest beam if null.",
    )
    rms: float | None = option(
        5e-5,
        unit="Jy/beam",
        above=0.0,
        doc="Noise at the first frequency, on the axis; from `hours` if null.",
    )
    array: Literal["none", "ska-mid", "meerkat", "askap", "vla-a", "vla-b", "vla-c", "vla-d"] = option(
        "none", doc="Antennas like those of this array; none: a map without sidelobes and lost scales."
    )


class GalacticOptions(FieldOfViewOptions):
    """A field of the Galactic plane: remnants, nebulae, filaments, stars, pulsars, galaxies and diffuse emission."""

    ra: float = option(
        255.5, unit="deg", at_least=0.0, below=360.0, doc="Right ascension of the field's middle, ICRS."
    )
    dec: float = option(
        -41.7, unit="deg", at_least=-90.0, at_most=90.0, doc="Declination of the middle, ICRS."
    )
    glon: float | None = option(
        None,
        unit="deg",
        at_least=0.0,
        below=360.0,
        doc="Galactic longitude of the middle; with `glat`, instead of `ra` and `dec`.",
    )
    glat: float | None = option(
        None, unit="deg", at_least=-90.0, at_most=90.0, doc="Galactic latitude of the middle."
    )
    flux_min: float = option(
        1e-4, unit="Jy", above=0.0, doc="Faintest background galaxy that is drawn, at 1.4 GHz."
    )
    crowding: float = option(1.0, at_least=0.0, doc="All Galactic densities are multiplied by this.")
    supernova_remnants: float = option(
        1.0, unit="deg-2", at_least=0.0, doc="Supernova remnants in a square degree."
    )
    hii_regions: float = option(18.0, unit="deg-2", at_least=0.0, doc="HII regions in a square degree.")
    bubbles: float = option(6.0, unit="deg-2", at_least=0.0, doc="Bubbles in a square degree.")
    planetary_nebulae: float = option(
        3.0, unit="deg-2", at_least=0.0, doc="Planetary nebulae in a square degree."
    )
    filaments: float = option(6.0, unit="deg-2", at_least=0.0, doc="Filaments in a square degree.")
    stars: float = option(5.0, unit="deg-2", at_least=0.0, doc="Radio stars in a square degree.")
    pulsars: float = option(3.0, unit="deg-2", at_least=0.0, doc="Pulsars in a square degree.")
    diffuse: float = option(
        1.5e-4,
        unit="Jy/beam",
        at_least=0.0,
        doc="Rms of the diffuse emission at the first frequency; 0 for none.",
    )
    diffuse_scale: float = option(
        600.0,
        unit="arcsec",
        above=0.0,
        doc="Outer scale of the diffuse emission; the map holds nothing wider.",
    )
    diffuse_slope: float = option(
        3.5, above=0.0, at_most=6.0, doc="Its power spectrum falls with this power of the wave number."
    )
    diffuse_skew: float = option(
        0.7,
        at_least=0.0,
        at_most=2.0,
        doc="How bright its ridges are: spread of the logarithm; 0 for a Gaussian field.",
    )
    diffuse_index: float = option(-0.3, doc="Its spectral index.")

    @model_validator(mode="after")
    def _both_coordinates(self) -> Self:
        if (self.glon is None) != (self.glat is None):
            raise OptionError("glon and glat are given together, or none of them")
        middle = {name: getattr(self, name) for name in ("ra", "dec")}
        fields = type(self).model_fields
        if self.glon is not None and any(value != fields[name].default for name, value in middle.items()):
            raise OptionError(
                "the middle of the field is given twice",
                got=f"glon={self.glon:g}, glat={self.glat:g} and ra={self.ra:g}, dec={self.dec:g}",
                allowed="glon and glat, or ra and dec",
            )
        return self


class LineCubeOptions(Options):
    """Rotating discs in noise: a cube of galaxies in the 21 cm line, the continuum taken off."""

    n_pixels: int = option(96, unit="pixel", at_least=16, at_most=2048, doc="Pixels along each side.")
    n_channels: int = option(96, unit="channel", at_least=16, at_most=8192, doc="Channels.")
    n_lines: int = option(30, at_least=0, doc="Galaxies, anywhere in the cube.")
    rms: float = option(1.0, unit="Jy/beam", above=0.0, doc="Noise of a channel.")
    beam_major: float = option(
        5.0, unit="pixel", at_least=1.5, at_most=20.0, doc="Major axis (FWHM) of the beam."
    )
    beam_minor: float = option(
        4.0, unit="pixel", at_least=1.5, at_most=20.0, doc="Minor axis (FWHM) of the beam."
    )
    beam_angle: float = option(
        30.0, unit="deg", at_least=-180.0, at_most=180.0, doc="Angle of its major axis, from x towards y."
    )
    resolution: float = option(
        2.0,
        unit="channel",
        at_least=0.5,
        at_most=20.0,
        doc="Width (FWHM) of what a channel sees, of lines and of noise alike.",
    )
    noise_width: float = option(
        0.7,
        unit="beam",
        at_least=0.2,
        at_most=1.5,
        doc="Width of the kernel of the noise on the sky; with 0.7 it is correlated as the beam is.",
    )
    snr_min: float = option(
        3.0,
        unit="sigma",
        above=0.0,
        doc="Least signal over noise, of the line's flux in its beams and channels.",
    )
    snr_max: float = option(
        40.0, unit="sigma", above=0.0, doc="Largest; between them all decades have as many lines."
    )
    size_min: float = option(
        0.3, unit="beam", above=0.0, doc="Least size of a disc (FWHM of its surface density)."
    )
    size_max: float = option(2.5, unit="beam", above=0.0, doc="Largest size of a disc.")
    speed_min: float = option(
        3.0, unit="channel", at_least=0.0, doc="Least speed of rotation where it is flat, seen edge-on."
    )
    speed_max: float = option(16.0, unit="channel", at_least=0.0, doc="Largest speed of rotation.")
    dispersion: float = option(
        1.5, unit="channel", at_least=0.0, doc="Dispersion (1 sigma) of the gas in each place."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("snr", "size", "speed"):
            if getattr(self, f"{name}_max") < getattr(self, f"{name}_min"):
                raise ValueError(f"{name}_max is not below {name}_min")
        if self.beam_minor > self.beam_major:
            raise ValueError("beam_minor is not above beam_major")
        return self
