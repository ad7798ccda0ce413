"""The menu of measuring: background, noise and fits; light, so that help and checks load no kernels."""

import math
from typing import Literal, Self

from pydantic import field_validator, model_validator

from skysift.base.options import Options, option


class ResponseOptions(Options):
    """What part of a source's flux the map shows, by where it lies; without any of these the map is taken as it is."""

    primary_beam: str | None = option(
        None,
        file=True,
        doc="FITS map of the response of the primary beam, 1 at most, on the pixels of the map.",
    )
    weight: str | None = option(
        None,
        file=True,
        doc="FITS map of weights (inverse variance, any scale) of a mosaic, whose fluxes are true already.",
    )
    dish: float | None = option(
        None,
        unit="m",
        above=0.0,
        doc="Diameter of the dishes, whose pattern is the response; beside a map of a mosaic: only how wide a beam is.",
    )
    pattern: Literal["cosine", "airy", "gaussian"] = option(
        "cosine", doc="Power pattern of a dish: of a tapered or an evenly lit aperture, or a Gaussian."
    )
    pointing: tuple[float, float] | None = option(
        None,
        unit="deg",
        doc="Right ascension and declination (ICRS) where the dishes point; left out, those of the header.",
    )
    corrected: bool = option(
        False, doc="The map was divided by `primary_beam`, or by the beam of the `dish`, before."
    )
    primary_beam_cutoff: float = option(
        0.1, at_least=0.001, below=1.0, doc="Where the response is lower, the map counts as blank."
    )

    @model_validator(mode="after")
    def _there_is_one_beam(self) -> Self:
        if self.primary_beam is not None and self.weight is not None:
            raise ValueError("primary_beam and weight are two ways to say one thing: give one of them")
        if self.primary_beam is None and self.dish is None and self.corrected and self.weight is None:
            raise ValueError("corrected needs the beam: give primary_beam or dish")
        if self.pointing is not None and self.dish is None:
            raise ValueError("pointing is of a dish: give dish")
        return self


class CorrectionOptions(ResponseOptions):
    """How the map is corrected for what it shows of a source's flux."""

    primary_beam_error: float = option(
        0.0,
        at_least=0.0,
        below=1.0,
        doc="Relative error of the width of the primary beam; its own column, never mixed in.",
    )

    @model_validator(mode="after")
    def _an_error_of_something(self) -> Self:
        if (
            self.primary_beam_error
            and self.primary_beam is None
            and self.weight is None
            and self.dish is None
        ):
            raise ValueError("primary_beam_error needs the beam: give primary_beam, weight or dish")
        return self


class NoiseOptions(CorrectionOptions):
    """Background level and rms noise of a map."""

    background: Literal["mesh", "zero", "file"] = option(
        "mesh",
        doc="Level to subtract: the mesh where it is significant, nothing, or the map `background_file`.",
    )
    background_file: str | None = option(
        None, file=True, doc="FITS map of the background, on the pixels of the map."
    )
    rms_file: str | None = option(
        None, file=True, doc="FITS map of the rms noise, on the pixels of the map, instead of the mesh."
    )
    mesh: float = option(
        16.0, unit="beam", at_least=4.0, doc="Width of a mesh cell in beams (geometric mean FWHM)."
    )
    clip: float = option(
        3.0,
        unit="sigma",
        at_least=2.0,
        doc="Clipping level of the statistics in a cell, corrected for truncation.",
    )
    mask_level: float = option(
        4.0,
        unit="sigma",
        at_least=3.0,
        doc="Pixels brighter than this, and one beam around, are left out of the second pass.",
    )
    bright: float = option(
        100.0,
        unit="sigma",
        above=0.0,
        doc="Around sources brighter than this the mesh may become three times finer.",
    )
    level_sigma: float = option(
        3.0,
        unit="sigma",
        at_least=0.0,
        doc="The mesh level is subtracted where it exceeds its own error by this factor.",
    )

    @model_validator(mode="after")
    def _background_fits_its_file(self) -> Self:
        if self.background_file is not None and self.background != "file":
            raise ValueError(f"background_file is used by background=file only, not by {self.background}")
        return self


class BeamOptions(Options):
    """What a point looks like where it is not the same all over a map."""

    psf_file: str | None = option(
        None,
        file=True,
        doc="The beam over the map: FITS cube of major and minor axis and angle (deg), or a table of "
        "ra, dec, bmaj, bmin, bpa.",
    )
    channel_width: float | None = option(
        None, unit="Hz", above=0.0, doc="Width of a channel of the data that the map was made from."
    )
    integration_time: float | None = option(
        None, unit="s", above=0.0, doc="Length of an integration of the data that the map was made from."
    )
    phase_centre: str | None = option(
        None,
        doc="RA,DEC (ICRS, deg) that smearing counts from; by default the reference point of the map.",
    )

    @field_validator("phase_centre")
    @classmethod
    def _two_angles(cls, text: str | None) -> str | None:
        if text is not None:
            phase_centre_of(text)
        return text

    @model_validator(mode="after")
    def _centre_of_something(self) -> Self:
        if self.phase_centre is not None and self.channel_width is None and self.integration_time is None:
            raise ValueError("phase_centre is used with channel_width or integration_time only")
        return self


def phase_centre_of(text: str) -> tuple[float, float]:
    """Right ascension in [0, 360) and declination (deg) of a text such as ``150.1,-30``.

    Raises
    ------
    ValueError
        It is something else.
    """
    parts = text.split(",")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != 2 or not all(math.isfinite(each) for each in numbers) or abs(numbers[1]) > 90.0:
        raise ValueError("two angles in degrees, RA,DEC, such as 150.1,-30")
    return numbers[0] % 360.0, numbers[1]


class FitOptions(Options):
    """Components: how islands are split and fitted."""

    prominence: float = option(
        2.0, unit="sigma", above=0.0, doc="A peak that rises this much above its saddle starts a component."
    )
    reseed: float = option(
        5.0,
        unit="sigma",
        above=0.0,
        doc="A residual this bright inside the island starts one more component.",
    )
    window: float = option(
        0.75, unit="beam", above=0.0, at_most=3.0, doc="How far a fit looks beyond the island."
    )
    max_components: int = option(
        300, at_least=1, doc="Components at most in one piece of an island; more is flagged."
    )
    resolved_sigma: float = option(
        3.0,
        unit="sigma",
        above=0.0,
        doc="A component is resolved where ln(flux_int / flux_peak) exceeds its error by this factor.",
    )
    errors: Literal["sandwich", "condon"] = option(
        "sandwich",
        doc="Errors of the estimator used, with the measured noise autocorrelation, or Condon (1997).",
    )
    flux_scale_error: float = option(
        0.0,
        at_least=0.0,
        below=1.0,
        doc="Relative calibration error of the flux scale; its own column, never mixed in.",
    )
    position_error: float = option(
        0.0,
        unit="arcsec",
        at_least=0.0,
        doc="Calibration error of positions per axis; its own column, never mixed in.",
    )
    group_tolerance: float = option(
        3.0,
        unit="sigma",
        at_least=0.0,
        doc="Overlapping components join one source where the dip between them is within this.",
    )
    acronym: str = option("SKYSIFT", doc="First word of the source names.")
    clean_bias: float = option(
        0.0,
        unit="sigma",
        at_least=0.0,
        doc="How much too faint CLEAN left the peaks, in units of the local rms; added to the fluxes.",
    )
    clean_bias_error: float = option(
        0.0,
        unit="sigma",
        at_least=0.0,
        doc="Error of the CLEAN bias, in units of the local rms; its own column, never mixed in.",
    )
    largest_scale: float | None = option(
        None,
        unit="arcsec",
        above=0.0,
        doc="Largest scale that the array recovers; what is larger gets the flag beyond_scale.",
    )
    shortest_baseline: float | None = option(
        None,
        unit="m",
        above=0.0,
        doc="Shortest baseline, instead of largest_scale: 0.6 wavelengths over it are the largest scale.",
    )
    flux_scale: str = option(
        "unknown",
        doc="Flux-density scale of the map, such as Perley-Butler 2017; named in headers and on the page.",
    )

    @model_validator(mode="after")
    def _one_largest_scale(self) -> Self:
        if self.largest_scale is not None and self.shortest_baseline is not None:
            raise ValueError("largest_scale and shortest_baseline say the same thing: give one of the two")
        return self

    @field_validator("flux_scale")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        name = name.strip()
        if not name or len(name) > 60 or not (name.isascii() and name.isprintable()):
            raise ValueError("the name of a flux-density scale is 1 to 60 characters of printable ASCII")
        return name


class ForcedOptions(Options):
    """Measuring at known places: what is held, what is fitted, which pixels count."""

    fit: Literal["flux", "position", "shape"] = option(
        "flux",
        doc="What is fitted at each place: its flux, its position too, or its shape too.",
    )
    window: float = option(
        0.75,
        unit="beam",
        at_least=0.25,
        at_most=5.0,
        doc="Pixels within this radius of a place are used, in FWHM of what is fitted there.",
    )
    group: float = option(
        3.0,
        unit="beam",
        at_least=0.0,
        at_most=10.0,
        doc="Places nearer to each other than this are solved together, in FWHM of what is fitted there.",
    )
    min_good: float = option(
        0.5, above=0.0, at_most=1.0, doc="Share of the pixels of a window that must hold data."
    )
    reach: float = option(
        0.5,
        unit="beam",
        above=0.0,
        at_most=2.0,
        doc="How far a fitted position may move from where it was given.",
    )
    free_snr: float = option(
        5.0,
        unit="sigma",
        at_least=0.0,
        doc="Positions and shapes are fitted where the flux exceeds its error by this factor, held elsewhere.",
    )
    limit: float = option(
        3.0,
        unit="sigma",
        at_least=0.0,
        doc="Upper limits: the flux, or zero if it is negative, and so many errors.",
    )


class AlikeOptions(Options):
    """When maps of several frequencies see the same of a source."""

    spectral_beams: float = option(
        1.5,
        at_least=1.0,
        doc="Maps whose beams differ by more than this factor, in width, see an extended source differently.",
    )


class SpectraOptions(AlikeOptions):
    """Spectra from Taylor terms or channels beside the searched map."""

    spectral_curvature: bool = option(
        False, doc="Fit a curved spectrum to three channels or more; Taylor terms to tt2 always give it."
    )
    taylor_band: tuple[float, float] | None = option(
        None,
        unit="Hz",
        doc="Lowest and highest frequency of the data that Taylor terms were made of: tells how far an index may err "
        "since the terms end.",
    )
    taylor_terms: int | None = option(
        None,
        at_least=2,
        at_most=10,
        doc="How many Taylor terms were solved for when the maps were made; as many as there are maps, if not given.",
    )

    @model_validator(mode="after")
    def _band_is_a_band(self) -> Self:
        if self.taylor_band is not None and not 0.0 < self.taylor_band[0] < self.taylor_band[1]:
            raise ValueError("taylor_band is a frequency above 0 Hz and a higher one")
        if self.taylor_terms is not None and self.taylor_band is None:
            raise ValueError("taylor_terms is used with taylor_band only")
        return self


class MeasureOptions(NoiseOptions, BeamOptions, ForcedOptions, AlikeOptions):
    """Fluxes at the places of a catalogue on one map or on many, with limits, spectra and light curves."""

    shape: Literal["catalogue", "point"] = option(
        "catalogue",
        doc="What is fitted: the catalogue's shapes with their beam taken out and that of the map put on, or points.",
    )
    catalogue_beam: tuple[float, float, float] | None = option(
        None,
        doc="Beam to take out of the catalogue's fitted sizes, instead of its deconvolved ones: MAJ,MIN,PA in arcsec "
        "and degrees.",
    )
    apertures: tuple[float, ...] = option(
        (), unit="arcsec", doc="Radii of round apertures whose pixels are summed around each place."
    )
    annulus: tuple[float, float] | None = option(
        None,
        unit="arcsec",
        doc="Inner and outer radius of a ring around each place whose median is taken off the apertures.",
    )
    series_flux: Literal["flux_int", "flux_peak"] = option(
        "flux_int", doc="The flux that light curves and spectra are made of."
    )

    @model_validator(mode="after")
    def _sizes_are_sizes(self) -> Self:
        if any(not 0.0 < radius < 1e6 for radius in self.apertures):
            raise ValueError("apertures are radii above 0 arcsec")
        if self.annulus is not None and not 0.0 <= self.annulus[0] < self.annulus[1] < 1e6:
            raise ValueError("annulus is an inner and a larger outer radius in arcsec")
        if self.annulus is not None and not self.apertures:
            raise ValueError("annulus is used by apertures only")
        if self.catalogue_beam is not None and not (
            self.catalogue_beam[1] > 0.0
            and self.catalogue_beam[0] > 0.0
            and abs(self.catalogue_beam[2]) <= 360.0
        ):
            raise ValueError("catalogue_beam is two axes above 0 arcsec and an angle in degrees")
        return self
