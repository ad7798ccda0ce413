"""The menus of the layouts that have one."""

from __future__ import annotations

from typing import Literal

from skysift.base.options import Options, option

__all__ = ["NamedOptions", "Sdc1LayoutOptions"]


class NamedOptions(Options):
    """Which columns of a table are which; without a wish, columns with the usual names are taken."""

    ra: str = option(
        "",
        doc="Column of the right ascension (degrees, or hours as text); by default RAJ2000, RA, ra_deg and the like.",
    )
    dec: str = option("", doc="Column of the declination; by default DEJ2000, DEC, dec_deg and the like.")
    name: str = option("", doc="Column of the name; by default Name, Source_Name, ID and the like.")
    flux_int: str = option(
        "", doc="Column of the integrated flux density; by default Total_flux, int_flux, Fint and the like."
    )
    flux_int_err: str = option(
        "", doc="Column of its error; by default the name with `E_`, `e_`, `err_` or `_err`."
    )
    flux_peak: str = option(
        "", doc="Column of the peak brightness; by default Peak_flux, Fpeak and the like."
    )
    flux_peak_err: str = option(
        "", doc="Column of its error; by default the name with `E_`, `e_`, `err_` or `_err`."
    )
    major: str = option("", doc="Column of the major axis (FWHM); by default Maj, a, MajAxis and the like.")
    minor: str = option("", doc="Column of the minor axis (FWHM); by default Min, b, MinAxis and the like.")
    pa: str = option("", doc="Column of the position angle, north through east; by default PA and the like.")
    rms: str = option("", doc="Column of the local noise; by default Isl_rms, local_rms, rms and the like.")
    position_unit: str = option(
        "",
        doc="Unit of the positions where the file does not tell it; degrees by default, texts are hours and degrees.",
    )
    flux_unit: str = option(
        "", doc="Unit of fluxes, brightness and noise where the file does not tell it, such as mJy."
    )
    size_unit: str = option("", doc="Unit of the axes where the file does not tell it, such as arcsec.")
    frame: Literal["", "icrs", "fk5", "fk4", "galactic"] = option(
        "",
        doc="Frame of the positions; by default what the file tells, else ICRS (FK5 J2000 counts as ICRS).",
    )
    kind: Literal["sources", "components"] = option("sources", doc="What the rows are.")


class Sdc1LayoutOptions(Options):
    """What a list of SKA Science Data Challenge 1 asks for and a catalogue does not tell."""

    primary_beam: str | None = option(
        None,
        doc="FITS map of the primary beam's response, by which fluxes are divided; it has pixels of its own.",
    )
    class_id: int = option(
        3,
        at_least=1,
        at_most=3,
        doc="Class of rows that have none: 1 steep-spectrum AGN, 2 flat-spectrum AGN, 3 star-forming galaxy.",
    )
    core_fraction: float = option(
        0.0375,
        at_least=0.0,
        at_most=1.0,
        doc="Core fraction of rows that have none; the default earns full points up to 0.075.",
    )
