"""The columns of what measuring at known places makes, once: measurements and series."""

from __future__ import annotations

from skysift.sky.schema import Column

__all__ = ["APERTURE", "FITTED_PLACE", "FITTED_SHAPE", "FOOTPRINT", "MEASUREMENTS", "SERIES", "aperture"]

_FLUX = "phot.flux.density;em.radio"


def _number(name: str, ucd: str, meaning: str) -> Column:
    return Column(name, "int64", "", ucd, meaning, (), "d")


def _real(name: str, unit: str, ucd: str, meaning: str, display: str = ".4g") -> Column:
    return Column(name, "float64", unit, ucd, meaning, (), display)


def _text(name: str, ucd: str, meaning: str) -> Column:
    return Column(name, "str", "", ucd, meaning, ())


_PLACE: tuple[Column, ...] = (
    _number("place_id", "meta.id", "Number of the place: that of its row in the catalogue, from 1."),
    _number("id", "meta.id.cross", "Number that the source has in the catalogue."),
    _text("name", "meta.id", "Name of the source in the catalogue."),
    _real("ra", "deg", "pos.eq.ra;meta.main", "Right ascension (ICRS) that was measured at.", ".6f"),
    _real("dec", "deg", "pos.eq.dec;meta.main", "Declination (ICRS) that was measured at.", ".6f"),
)

MEASUREMENTS: tuple[Column, ...] = (
    *_PLACE,
    _number(
        "map_id", "meta.id;meta.dataset", "Number of the map, from 1, in the order that they were given."
    ),
    _text("map", "meta.id;meta.dataset", "Name of the map."),
    _real("frequency", "Hz", "em.freq", "Frequency of the map.", ".6g"),
    _real(
        "epoch",
        "d",
        "time.epoch",
        "Middle of the observation (MJD) as far as the header of the map tells it.",
        ".5f",
    ),
    _real("x", "pixel", "pos.cartesian.x", "Pixel of the map along x, 0-based.", ".3f"),
    _real("y", "pixel", "pos.cartesian.y", "Pixel of the map along y, 0-based.", ".3f"),
    _real("flux_peak", "Jy/beam", _FLUX, "Brightness at the middle of what was fitted, with its sign."),
    _real("flux_peak_err", "Jy/beam", f"stat.error;{_FLUX}", "Error of the brightness."),
    _real("flux_int", "Jy", _FLUX, "Flux density of the shape that was fitted, with its sign."),
    _real("flux_int_err", "Jy", f"stat.error;{_FLUX}", "Error of the flux density."),
    _real(
        "flux_limit",
        "Jy",
        f"stat.max;{_FLUX}",
        "Upper limit: the flux density, or zero if it is negative, and `limit` errors.",
    ),
    _real("snr", "", "stat.snr", "Flux density over its error; negative where the flux is.", ".2f"),
    _real("rms", "Jy/beam", "stat.rms;instr.det.noise", "Noise of the map at the place."),
    _real("background", "Jy/beam", "phot.flux.density;instr.background", "Background that was taken off."),
    _real(
        "residual_rms",
        "",
        "stat.fit.residual",
        "Rms of what the fit left around the place, over the noise.",
        ".2f",
    ),
    _number("flags", "meta.code.qual", "Sum of quality bits; 0 says that nothing odd was met."),
)

FITTED_PLACE: tuple[Column, ...] = (
    _real(
        "x_err", "pixel", "stat.error;pos.cartesian.x", "Error of x; 0 where the position was held.", ".3f"
    ),
    _real(
        "y_err", "pixel", "stat.error;pos.cartesian.y", "Error of y; 0 where the position was held.", ".3f"
    ),
    _real("ra_fit", "deg", "pos.eq.ra", "Right ascension (ICRS) as fitted.", ".6f"),
    _real("dec_fit", "deg", "pos.eq.dec", "Declination (ICRS) as fitted.", ".6f"),
    _real(
        "ra_err", "arcsec", "stat.error;pos.eq.ra", "Error on the sky; 0 where the position was held.", ".3f"
    ),
    _real(
        "dec_err",
        "arcsec",
        "stat.error;pos.eq.dec",
        "Error on the sky; 0 where the position was held.",
        ".3f",
    ),
)

FITTED_SHAPE: tuple[Column, ...] = (
    _real("major", "arcsec", "phys.angSize.smajAxis", "Major axis (FWHM) as fitted, beam included.", ".3f"),
    _real("minor", "arcsec", "phys.angSize.sminAxis", "Minor axis (FWHM) as fitted, beam included.", ".3f"),
    _real(
        "pa", "deg", "pos.posAng", "Position angle of the major axis, from ICRS north through east.", ".1f"
    ),
    _real(
        "major_err",
        "arcsec",
        "stat.error;phys.angSize.smajAxis",
        "Its error; NaN where the shape was held.",
        ".3f",
    ),
    _real(
        "minor_err",
        "arcsec",
        "stat.error;phys.angSize.sminAxis",
        "Its error; NaN where the shape was held.",
        ".3f",
    ),
    _real("pa_err", "deg", "stat.error;pos.posAng", "Its error; NaN where the shape was held.", ".1f"),
)

APERTURE: tuple[Column, ...] = (
    _real("flux_aperture", "Jy", _FLUX, "Sum of the pixels in a round aperture, with its sign"),
    _real(
        "flux_aperture_err", "Jy", f"stat.error;{_FLUX}", "Error of the sum, with the noise's autocorrelation"
    ),
    _real(
        "aperture_correction",
        "",
        "arith.factor",
        "What the sum is to be multiplied by to be the flux of a source of the shape that was fitted",
        ".4f",
    ),
)

FOOTPRINT: tuple[Column, ...] = (
    _real(
        "flux_footprint", "Jy", _FLUX, "Sum of the pixels of the label that holds the place, with its sign."
    ),
    _real(
        "flux_footprint_err",
        "Jy",
        f"stat.error;{_FLUX}",
        "Error of the sum, with the noise's autocorrelation.",
    ),
    _real(
        "footprint_beams",
        "",
        "meta.number;instr.beam",
        "Area of the label where the map has data, in beams.",
        ".2f",
    ),
)

SERIES: tuple[Column, ...] = (
    *_PLACE,
    _number("n_maps", "meta.number", "Number of maps that have a flux there."),
    _number("n_detected", "meta.number", "Number of maps where the flux exceeds five errors."),
    _real(
        "flux_mean",
        "Jy",
        f"stat.mean;{_FLUX}",
        "Weighted mean; of maps at several frequencies, the flux of the fitted power law at `frequency`.",
    ),
    _real("flux_mean_err", "Jy", f"stat.error;{_FLUX}", "Its error."),
    _real(
        "frequency",
        "Hz",
        "em.freq",
        "Frequency of the mean: that of the maps, or their geometric middle.",
        ".6g",
    ),
    _real("flux_min", "Jy", f"stat.min;{_FLUX}", "Lowest flux."),
    _real("flux_max", "Jy", f"stat.max;{_FLUX}", "Highest flux."),
    _real(
        "eta",
        "",
        "stat.fit.chi2;stat.variance",
        "Reduced chi-squared of a constant source, each frequency for itself (Swinbank et al. 2015).",
        ".3g",
    ),
    _real("v", "", "stat.stdev;arith.ratio", "Standard deviation over mean (Swinbank et al. 2015).", ".3f"),
    _real(
        "modulation",
        "",
        "stat.stdev;arith.ratio",
        "Modulation index with the noise taken out (Bell et al. 2014); negative where the noise explains more.",
        ".3f",
    ),
    _real("chi2", "", "stat.fit.chi2", "eta times its degrees of freedom.", ".4g"),
    _number("degrees", "stat.fit.dof", "Fluxes less the frequencies that they are at."),
    _real(
        "p_constant",
        "",
        "stat.probability",
        "Probability that a constant source shows so much scatter.",
        ".3g",
    ),
    _real("alpha", "", "spect.index;em.radio", "Spectral index of the fluxes, S ~ frequency^alpha.", ".3f"),
    _real("alpha_err", "", "stat.error;spect.index;em.radio", "Error of the spectral index.", ".3f"),
    _real(
        "alpha_chi2",
        "",
        "stat.fit.chi2;spect.index",
        "Weighted sum of squares that the power law leaves.",
        ".4g",
    ),
    _number("flags", "meta.code.qual", "Quality bits of all of its measurements, and of the spectral index."),
)


def aperture(radius: float, number: int) -> tuple[Column, ...]:
    """The columns of the aperture with this number, of a radius in arcsec."""
    return tuple(
        Column(
            f"{each.name}_{number}",
            each.dtype,
            each.unit,
            each.ucd,
            f"{each.meaning}, radius {radius:g} arcsec.",
            (),
            each.display,
        )
        for each in APERTURE
    )
