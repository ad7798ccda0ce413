"""Columns that a table has only where what made it knows them; read through `skysift.sky.schema`."""

from __future__ import annotations

from skysift.sky.column import (
    FLUX,
    MAJOR,
    MINOR,
    OF_C,
    OF_CS,
    OF_CSI,
    OF_S,
    PEAK,
    Column,
    angle,
    arcsec,
    brightness,
    degrees,
    flux,
    integer,
)
from skysift.sky.network_columns import OF_NETWORKS
from skysift.sky.segment_columns import OF_SEGMENTS

__all__ = ["FURTHER"]


def _share(name: str, ucd: str, meaning: str) -> Column:
    """A part of the flux density."""
    return Column(name, "float64", "", ucd, meaning, OF_CS, ".4f")


# Columns that a table has where what made it knows them; the order is that in which they follow the others.
FURTHER: tuple[Column, ...] = (
    Column(
        "foreign_id",
        "str",
        "",
        "meta.id",
        "Identifier of the row in the catalogue of another program that it was read from.",
        OF_CSI,
    ),
    # of a survey of many fields
    Column("field", "str", "", "meta.id;obs.field", "Name of the field that the row was found in.", OF_CSI),
    integer("id_in_field", "meta.id", "Number of the row in the catalogue of its field.", OF_CSI),
    Column(
        "epoch", "float64", "d", "time.epoch;obs", "When the field was observed: MJD (UTC).", OF_CSI, ".5f"
    ),
    Column(
        "date_obs", "str", "", "time.epoch;obs", "When the field was observed, as its header says it.", OF_CSI
    ),
    Column(
        "primary",
        "bool",
        "",
        "meta.code",
        "True where the row counts: of a source in several fields, that of the field with the lowest rms there.",
        OF_CSI,
    ),
    integer(
        "duplicate_of",
        "meta.id.cross",
        "The source_id of the row that counts instead of this one; 0 where this one counts.",
        OF_S,
    ),
    integer("n_fields_covering", "meta.number;obs.field", "Number of fields that searched the place.", OF_S),
    integer(
        "n_fields_detected", "meta.number;obs.field", "Number of fields that have rows of the source.", OF_S
    ),
    Column(
        "class",
        "str",
        "",
        "meta.code.class;src.class",
        "Class for detectors: spurious, compact, extended, extended-multisland or flagged.",
        OF_CSI,
    ),
    *OF_NETWORKS,
    Column(
        "morphology",
        "str",
        "",
        "src.morph.type",
        "Finer class of the shape: as made, such as FRI, head-tail or shell; as measured, such as arc, disc or ring.",
        OF_S,
    ),
    *OF_SEGMENTS,
    Column(
        "object_type",
        "str",
        "",
        "src.class",
        "Astronomical class, such as SFG, SS-AGN, FS-AGN, SNR, HII, PN, star, pulsar.",
        OF_S,
    ),
    flux(
        "flux_true",
        f"{FLUX};meta.modelled",
        "Intrinsic flux density at the frequency of the map: before the primary beam and the losses of the uv coverage.",
        OF_S,
    ),
    Column(
        "primary_beam",
        "float64",
        "",
        "instr.sensitivity;arith.ratio",
        "Response of the primary beam at the position, 1 on the axis.",
        OF_CSI,
        ".4f",
    ),
    brightness(
        "flux_peak_apparent",
        PEAK,
        "Peak brightness before the correction for the primary beam: flux_peak times primary_beam.",
    ),
    flux(
        "flux_int_apparent",
        FLUX,
        "Integrated flux density before the correction for the primary beam: flux_int times primary_beam.",
        OF_CSI,
    ),
    flux(
        "flux_apparent",
        FLUX,
        "Flux density to use before the correction for the primary beam: flux times primary_beam.",
    ),
    flux(
        "flux_pb_cal_err",
        f"stat.error.sys;{FLUX}",
        "Error of the flux density from the width of the primary beam, by the option `primary_beam_error`; "
        "part of no other error.",
        OF_CSI,
    ),
    Column(
        "spectral_index",
        "float64",
        "",
        "spect.index;em.radio",
        "Spectral index alpha, with S ~ frequency^alpha.",
        OF_CS,
        ".2f",
    ),
    Column(
        "spectral_index_err",
        "float64",
        "",
        "stat.error;spect.index",
        "Error of the spectral index.",
        OF_CS,
        ".2f",
    ),
    Column(
        "spectral_index_trunc_err",
        "float64",
        "",
        "stat.error.sys;spect.index",
        "By how much the index of a power law comes out wrong since the Taylor terms end, by the option `taylor_band`; "
        "part of no other error.",
        OF_CS,
        ".3f",
    ),
    Column(
        "spectral_curvature",
        "float64",
        "",
        "spect.index;em.radio;arith",
        "Curvature beta, with ln S ~ alpha ln frequency + beta (ln frequency)^2 about the reference frequency.",
        OF_CS,
        ".2f",
    ),
    Column(
        "spectral_curvature_err",
        "float64",
        "",
        "stat.error;spect.index;em.radio;arith",
        "Error of the spectral curvature.",
        OF_CS,
        ".2f",
    ),
    Column(
        "spectral_curvature_trunc_err",
        "float64",
        "",
        "stat.error.sys;spect.index;em.radio;arith",
        "By how much the curvature of a power law comes out wrong since the Taylor terms end, by the option "
        "`taylor_band`; part of no other error.",
        OF_CS,
        ".3f",
    ),
    Column(
        "spectral_chi2",
        "float64",
        "",
        "stat.fit.chi2;spect.index",
        "Chi squared of the spectrum that was fitted to the channels.",
        OF_CS,
        ".1f",
    ),
    integer(
        "n_channels", "meta.number;em.freq", "Number of channels that the spectrum was fitted to.", OF_CS
    ),
    Column(
        "core_fraction",
        "float64",
        "",
        f"{FLUX};arith.ratio",
        "Part of the flux density that is in the core.",
        OF_S,
        ".3f",
    ),
    # of sources whose parts were joined
    integer(
        "n_parts",
        "meta.number",
        "Number of sources that were joined to this one; 1 where it stands alone.",
        OF_S,
    ),
    Column(
        "join_probability",
        "float64",
        "",
        "stat.probability",
        "Probability that all parts are one object; NaN for a source of one part.",
        OF_S,
        ".3f",
    ),
    Column(
        "join_reason",
        "str",
        "",
        "meta.note",
        "What spoke loudest for the join: near, flux, size, alignment, ring, contact, bridge, core or brightness.",
        OF_S,
    ),
    arcsec(
        "join_separation",
        "pos.angDistance;stat.max",
        "Largest distance of two joined parts that were compared.",
        OF_S,
    ),
    Column(
        "join_chance",
        "float64",
        "",
        "stat.value;stat.max",
        "Chance neighbours expected within the distance of two joined parts: the most of all pairs.",
        OF_S,
        ".4g",
    ),
    Column(
        "join_bridge",
        "float64",
        "",
        "stat.snr",
        "Mean brightness between two joined parts over its error: the most of all pairs; NaN where nothing is between.",
        OF_S,
        ".1f",
    ),
    angle(
        "join_bend",
        "pos.posAng",
        "By how much the two arms of the source are bent at its core; NaN without a core.",
        OF_S,
    ),
    arcsec("angular_size", "phys.angSize", "Largest angular size without the beam.", OF_S),
    brightness(
        "mask_level", f"{FLUX};stat.min", "Brightness of the isophote that bounds the true mask.", OF_S
    ),
    # of the lists of the SKA Science Data Challenges, digit by digit
    integer(
        "list_id", "meta.id", "Number of the row in the list that it was read from; may come twice.", OF_S
    ),
    degrees("ra_list", "pos.eq.ra", "Right ascension of the centroid as the list has it, FK5.", OF_S),
    degrees("dec_list", "pos.eq.dec", "Declination of the centroid as the list has it, FK5.", OF_S),
    degrees("ra_core", "pos.eq.ra", "Right ascension of the core as the list has it, FK5.", OF_S),
    degrees("dec_core", "pos.eq.dec", "Declination of the core as the list has it, FK5.", OF_S),
    arcsec("b_maj", MAJOR, "Major axis as the list has it: what it is of the source tells size_id.", OF_S),
    arcsec("b_min", MINOR, "Minor axis as the list has it: what it is of the source tells size_id.", OF_S),
    angle("pa_west", "pos.posAng", "Angle of the major axis as the list has it: from west clockwise.", OF_S),
    integer(
        "size_id",
        "meta.code;phys.angSize",
        "What the axes of the list are: 1 largest angular size, 2 FWHM of a Gaussian, 3 exponential scale length.",
        OF_S,
    ),
    integer(
        "class_id",
        "meta.code.class;src.class",
        "Class in the list: 1 AGN of steep spectrum, 2 AGN of flat spectrum, 3 star-forming galaxy.",
        OF_S,
    ),
    arcsec("hi_size", MAJOR, "Diameter of the HI disc at 1 solar mass a square parsec.", OF_S),
    Column("line_flux", "float64", "Jy.Hz", "phot.flux;spect.line", "Flux of the line.", OF_S, ".4g"),
    Column("line_frequency", "float64", "Hz", "em.freq;spect.line", "Centre of the line.", OF_S, ".9g"),
    angle(
        "pa_kinematic",
        "pos.posAng;spect.dopplerVeloc",
        "Position angle of the receding side of the disc, in [0, 360).",
        OF_S,
    ),
    angle(
        "inclination", "src.orbital.inclination", "Angle between line of sight and axis of the disc.", OF_S
    ),
    Column(
        "w20",
        "float64",
        "km.s-1",
        "spect.line.width",
        "Width of the line at a fifth of its peak.",
        OF_S,
        ".1f",
    ),
    # of linear and circular polarisation, measured at the places of Stokes I
    flux(
        "flux_q",
        f"{FLUX};phys.polarization.stokes.Q",
        "Flux density in Stokes Q, of the shape seen in Stokes I.",
    ),
    flux(
        "flux_q_err",
        f"stat.error;{FLUX};phys.polarization.stokes.Q",
        "Error of the flux density in Stokes Q.",
    ),
    flux(
        "flux_u",
        f"{FLUX};phys.polarization.stokes.U",
        "Flux density in Stokes U, of the shape seen in Stokes I.",
    ),
    flux(
        "flux_u_err",
        f"stat.error;{FLUX};phys.polarization.stokes.U",
        "Error of the flux density in Stokes U.",
    ),
    flux(
        "flux_v",
        f"{FLUX};phys.polarization.stokes.V",
        "Flux density in Stokes V, of the shape seen in Stokes I.",
    ),
    flux(
        "flux_v_err",
        f"stat.error;{FLUX};phys.polarization.stokes.V",
        "Error of the flux density in Stokes V.",
    ),
    flux(
        "flux_p",
        f"{FLUX};phys.polarization.linear",
        "Linearly polarised flux density, freed of the bias by noise.",
    ),
    flux(
        "flux_p_err",
        f"stat.error;{FLUX};phys.polarization.linear",
        "Error of the linearly polarised flux density.",
    ),
    flux(
        "flux_p_leakage_err",
        f"stat.error.sys;{FLUX};phys.polarization.linear",
        "What may have leaked from Stokes I into linear polarisation, by the option `leakage_p`; part of no other error.",
    ),
    Column(
        "snr_p",
        "float64",
        "",
        "stat.snr;phys.polarization.linear",
        "Signal to noise of linear polarisation, bias included: noise exceeds s with the chance exp(-s^2 / 2).",
        OF_CS,
        ".1f",
    ),
    _share("fraction_p", "phys.polarization.linear", "Degree of linear polarisation: flux_p / flux."),
    _share(
        "fraction_p_err", "stat.error;phys.polarization.linear", "Error of the degree of linear polarisation."
    ),
    _share(
        "fraction_p_limit",
        "phys.polarization.linear;stat.max",
        "Upper limit of the degree of linear polarisation, leakage included; NaN where it is detected.",
    ),
    angle(
        "angle_p",
        "phys.polarization.linear;pos.posAng",
        "Angle of the electric vector, from ICRS north through east, in [0, 180).",
    ),
    angle(
        "angle_p_err",
        "stat.error;phys.polarization.linear;pos.posAng",
        "Error of the angle of the electric vector.",
    ),
    flux(
        "flux_v_leakage_err",
        f"stat.error.sys;{FLUX};phys.polarization.stokes.V",
        "What may have leaked from Stokes I into V, by the option `leakage_v`; part of no other error.",
    ),
    _share(
        "fraction_v",
        "phys.polarization.circular",
        "Degree of circular polarisation with the sign of V: V / I; NaN where I is not above zero.",
    ),
    _share(
        "fraction_v_err",
        "stat.error;phys.polarization.circular",
        "Error of the degree of circular polarisation.",
    ),
    _share(
        "fraction_v_limit",
        "phys.polarization.circular;stat.max",
        "Upper limit of the size of V / I, leakage included; NaN where V is detected.",
    ),
    # of the table of what was found in Stokes V
    integer(
        "stokes_i_id",
        "meta.id.cross",
        "Number of the component of Stokes I on which the one of Stokes V lies; 0 where there is none.",
        OF_C,
    ),
    arcsec("stokes_i_separation", "pos.angDistance", "Distance from that component.", OF_C),
    flux("flux_i", f"{FLUX};phys.polarization.stokes.I", "Flux density in Stokes I at the place.", OF_C),
    flux(
        "flux_i_err",
        f"stat.error;{FLUX};phys.polarization.stokes.I",
        "Error of the flux density in Stokes I.",
        OF_C,
    ),
    Column(
        "fraction_v_lower",
        "float64",
        "",
        "phys.polarization.circular;stat.min",
        "Lower limit of the size of V / I where I is not detected; above 1 it tells of an artefact.",
        OF_C,
        ".3f",
    ),
    # of maps whose beam varies, that are smeared, or that are corrected for what imaging did
    arcsec("beam_major", f"{MAJOR};instr.beam", "Major axis (FWHM) of the beam at the position.", OF_CS),
    arcsec("beam_minor", f"{MINOR};instr.beam", "Minor axis (FWHM) of the beam at the position.", OF_CS),
    angle(
        "beam_pa",
        "pos.posAng;instr.beam",
        "Position angle of the beam at the position, from ICRS north through east.",
        OF_CS,
    ),
    Column(
        "smearing",
        "float64",
        "",
        f"{PEAK};arith.ratio",
        "Share of a point's peak that bandwidth and time smearing leave at the position; fluxes are freed of it.",
        OF_CS,
        ".4f",
    ),
    brightness("clean_bias", f"{PEAK};arith.diff", "What was added to the peak for the CLEAN bias.", OF_CSI),
    flux(
        "clean_bias_err",
        f"stat.error.sys;{FLUX}",
        "Error of the flux density by that of the CLEAN bias, by the option `clean_bias_error`; part of no other error.",
        OF_CSI,
    ),
    # of extended sources, and of the compact ones on top of them
    integer(
        "parent_id",
        "meta.id.parent",
        "The source_id of the extended source that this one lies on top of; 0 where there is none.",
        OF_S,
    ),
    Column(
        "segment_snr",
        "float64",
        "",
        "stat.snr;src.morph",
        "Largest significance of an extended source on any of its scales.",
        OF_S,
        ".1f",
    ),
    integer("n_children", "meta.number", "Number of compact sources on top of an extended one.", OF_S),
    brightness(
        "background_local",
        "instr.background",
        "Level around an extended source, above that of the map; it was taken off.",
        OF_S,
    ),
    brightness(
        "background_local_err",
        "stat.error;instr.background",
        "Error of the level around an extended source.",
        OF_S,
    ),
    # of what was found in the inverted map too
    Column(
        "reliability",
        "float64",
        "",
        "stat.probability",
        "Probability that the source is no artefact and no noise, by what the inverted map shows; NaN for negative ones "
        "and those of class spurious.",
        OF_S,
        ".3f",
    ),
)
