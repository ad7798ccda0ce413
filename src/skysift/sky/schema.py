"""Every catalogue column, once: its name, kind of value, unit, UCD, meaning and display.

Writers, readers, the command ``skysift columns``, the reference pages and the tests all read this page. The
names stay for ever.

Conventions
-----------
- Pixel positions are 0-based, the centre of a pixel is a whole number; sky positions are ICRS degrees.
- `ra_err` and `dec_err` are in **arcsec** on the sky: `ra_err` is the error of RA times cos(dec).
- Axes are full widths at half maximum in arcsec on the sky; position angles run from ICRS north through
  east, in [0, 180) degrees, measured at the source.
- Errors are statistical 1-sigma errors; calibration terms are never mixed in.
- What could not be measured is NaN.
- `structure` follows PyBDSF: ``S`` one Gaussian alone in its island, ``C`` one Gaussian that shares its
  island with others, ``M`` several Gaussians; ``E`` is extended, with no Gaussians of its own.
- Numbers of islands, sources and components begin at 1; an island has its number as its label in the label
  map.
- `COLUMNS` are in every table of their kind; `FURTHER` are in a table only where what made it knows them, such
  as the classes and the intrinsic flux of a made sky.
"""

from __future__ import annotations

from dataclasses import replace

from skysift.base.errors import UnknownName
from skysift.sky.column import (
    FLUX,
    MAJOR,
    MINOR,
    OF_C,
    OF_CI,
    OF_CS,
    OF_CSI,
    OF_I,
    OF_S,
    OF_SI,
    PEAK,
    Column,
    Kind,
    TableName,
    angle,
    arcsec,
    brightness,
    degrees,
    flux,
    integer,
    pixel,
)
from skysift.sky.further import FURTHER

__all__ = [
    "COLUMNS",
    "FURTHER",
    "TABLES",
    "Column",
    "Kind",
    "TableName",
    "column",
    "columns",
    "further",
    "names",
]

TABLES: tuple[TableName, ...] = ("islands", "sources", "components")

# The order here is the order of the columns in every table.
COLUMNS: tuple[Column, ...] = (
    integer("component_id", "meta.id", "Number of the component in this catalogue, from 1.", OF_C),
    integer("source_id", "meta.id", "Number of the source in this catalogue, from 1.", OF_CS),
    integer(
        "island_id",
        "meta.id",
        "Number of the island in this catalogue and its label in the label map, from 1.",
        OF_CI,
    ),
    Column(
        "name",
        "str",
        "",
        "meta.id;meta.main",
        "Name by the position, truncated to the digits that its error bears.",
        OF_CSI,
    ),
    pixel(
        "x", "pos.cartesian.x", "Position along the first FITS axis, 0-based, pixel centres at whole numbers."
    ),
    pixel(
        "y",
        "pos.cartesian.y",
        "Position along the second FITS axis, 0-based, pixel centres at whole numbers.",
    ),
    pixel("x_err", "stat.error;pos.cartesian.x", "Error of x.", OF_CS),
    pixel("y_err", "stat.error;pos.cartesian.y", "Error of y.", OF_CS),
    degrees("ra", "pos.eq.ra;meta.main", "Right ascension, ICRS."),
    degrees("dec", "pos.eq.dec;meta.main", "Declination, ICRS."),
    arcsec(
        "ra_err", "stat.error;pos.eq.ra", "Error of the right ascension times cos(dec), in arcsec on the sky."
    ),
    arcsec("dec_err", "stat.error;pos.eq.dec", "Error of the declination, in arcsec."),
    arcsec(
        "position_cal_err",
        "stat.error.sys;pos.eq",
        "Calibration error of the position per axis, by the option `position_error`; part of no other error.",
    ),
    integer("x_min", "pos.cartesian.x;stat.min", "First pixel column of the island, 0-based.", OF_I, "pixel"),
    integer(
        "x_max",
        "pos.cartesian.x;stat.max",
        "Last pixel column of the island, 0-based, inclusive.",
        OF_I,
        "pixel",
    ),
    integer("y_min", "pos.cartesian.y;stat.min", "First pixel row of the island, 0-based.", OF_I, "pixel"),
    integer(
        "y_max",
        "pos.cartesian.y;stat.max",
        "Last pixel row of the island, 0-based, inclusive.",
        OF_I,
        "pixel",
    ),
    integer("n_pixels", "meta.number;instr.pixel", "Number of pixels in the island.", OF_I),
    Column(
        "n_beams",
        "float64",
        "",
        "meta.number;instr.beam",
        "Area of the island, or of an extended source, in beam areas.",
        OF_I,
        ".2f",
    ),
    brightness(
        "flux_peak",
        PEAK,
        "Peak brightness above the background: of the Gaussian fitted, with the beam's shape where unresolved; "
        "of a source's components together; of an island's brightest pixel.",
    ),
    brightness("flux_peak_err", f"stat.error;{PEAK}", "Error of the peak brightness.", OF_CS),
    flux(
        "flux_int",
        FLUX,
        "Integrated flux density: of the Gaussian fitted, of a source's components together, "
        "of an island's pixels summed.",
        OF_CSI,
    ),
    flux("flux_int_err", f"stat.error;{FLUX}", "Error of the integrated flux density.", OF_CSI),
    flux(
        "flux_beam",
        f"{FLUX};instr.beam",
        "Flux density of a fit with the shape held at that of the beam.",
        OF_C,
    ),
    flux("flux_beam_err", f"stat.error;{FLUX};instr.beam", "Error of the beam-shaped flux density.", OF_C),
    flux(
        "flux",
        f"{FLUX};meta.main",
        "Flux density to use: the beam-shaped one where the source is unresolved, else the integrated one.",
    ),
    flux("flux_err", f"stat.error;{FLUX};meta.main", "Error of the flux density to use."),
    flux(
        "flux_cal_err",
        f"stat.error.sys;{FLUX}",
        "Calibration error of the flux density, by the option `flux_scale_error`; part of no other error.",
    ),
    arcsec(
        "major",
        MAJOR,
        "Major axis (FWHM) as fitted, beam included; of several Gaussians, from their second moments.",
    ),
    arcsec(
        "minor",
        MINOR,
        "Minor axis (FWHM) as fitted, beam included; of several Gaussians, from their second moments.",
    ),
    angle(
        "pa", "pos.posAng", "Position angle of the major axis, from ICRS north through east at the source."
    ),
    arcsec("major_err", f"stat.error;{MAJOR}", "Error of the major axis."),
    arcsec("minor_err", f"stat.error;{MINOR}", "Error of the minor axis."),
    angle("pa_err", "stat.error;pos.posAng", "Error of the position angle."),
    arcsec(
        "major_deconv",
        f"{MAJOR};meta.modelled",
        "Major axis (FWHM) with the beam deconvolved; 0 where nothing is left.",
    ),
    arcsec(
        "minor_deconv",
        f"{MINOR};meta.modelled",
        "Minor axis (FWHM) with the beam deconvolved; 0 where nothing is left.",
    ),
    angle(
        "pa_deconv",
        "pos.posAng;meta.modelled",
        "Position angle of the deconvolved major axis, from ICRS north through east.",
    ),
    arcsec(
        "major_deconv_err", f"stat.error;{MAJOR};meta.modelled", "Error of the deconvolved major axis.", OF_C
    ),
    arcsec(
        "minor_deconv_err", f"stat.error;{MINOR};meta.modelled", "Error of the deconvolved minor axis.", OF_C
    ),
    Column(
        "resolved",
        "bool",
        "",
        "meta.code;phys.angSize",
        "True where the source is larger than the beam beyond what noise explains.",
        OF_CS,
    ),
    brightness("rms", f"stat.stdev;{FLUX}", "Noise of the map at the position."),
    brightness("background", "instr.background", "Background level of the map at the position."),
    Column("snr", "float64", "", "stat.snr", "Signal to noise: flux_peak / rms.", OF_CSI, ".1f"),
    Column(
        "residual_rms",
        "float64",
        "",
        "stat.fit.residual;stat.stdev",
        "Root mean square of the island's residual, in units of the map's rms.",
        OF_CSI,
        ".2f",
    ),
    Column(
        "residual_peak",
        "float64",
        "",
        "stat.fit.residual;stat.max",
        "Residual of the island that is furthest from zero, with its sign, in units of the map's rms.",
        OF_CSI,
        ".2f",
    ),
    integer("n_components", "meta.number", "Number of Gaussian components.", OF_SI),
    integer("n_islands", "meta.number", "Number of islands over which the source extends.", OF_S),
    integer("n_sources", "meta.number", "Number of sources in the island.", OF_I),
    Column(
        "structure",
        "str",
        "",
        "meta.code.class;src.morph",
        "S: one Gaussian alone in its island; C: one Gaussian that shares its island; M: several Gaussians; "
        "E: extended, measured pixel by pixel.",
        OF_CS,
    ),
    Column("frequency", "float64", "Hz", "em.freq", "Frequency of the map.", OF_CSI, ".6g"),
    integer(
        "flags",
        "meta.code.qual",
        "Sum of the quality bits that are set; 0 where nothing odd was met.",
        OF_CSI,
    ),
)

_BY_NAME = {each.name: each for each in (*COLUMNS, *FURTHER)}
# usual columns of other tables that a table has where they were asked for
_AT_TIMES: dict[TableName, tuple[str, ...]] = {
    "islands": ("position_cal_err", "flux_cal_err"),
    "sources": ("island_id", "n_beams"),
}
_BY_TABLE: dict[str, tuple[Column, ...]] = {
    table: tuple(each for each in COLUMNS if table in each.tables) for table in TABLES
}


def columns(table: str) -> tuple[Column, ...]:
    """The columns of a table, in their order.

    Raises
    ------
    UnknownName
        There is no such table.
    """
    if table not in _BY_TABLE:
        raise UnknownName("no such table", got=table, allowed=TABLES)
    return _BY_TABLE[table]


def further(table: str, *names: str) -> tuple[Column, ...]:
    """The declarations of these columns of `FURTHER`, in the order of declaration; all of a table without names.

    Raises
    ------
    UnknownName
        A table of this kind cannot have such a column.
    """
    possible = tuple(each for each in FURTHER if table in each.tables)
    possible += tuple(
        replace(_BY_NAME[name], tables=(kind,))
        for kind, theirs in _AT_TIMES.items()
        if kind == table
        for name in theirs
    )
    known = {each.name for each in possible}
    for name in names:
        if name not in known:
            raise UnknownName(f"the table {table} cannot have such a column", got=name, allowed=known)
    return possible if not names else tuple(each for each in possible if each.name in names)


def names(table: str) -> tuple[str, ...]:
    """The names of the columns of a table, in their order.

    Raises
    ------
    UnknownName
        There is no such table.
    """
    return tuple(each.name for each in columns(table))


def column(name: str) -> Column:
    """The declaration of the column with this name.

    Raises
    ------
    UnknownName
        No table has a column with this name.
    """
    if name not in _BY_NAME:
        raise UnknownName("no such column", got=name, allowed=_BY_NAME)
    return _BY_NAME[name]
