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
  island with others, ``M`` several Gaussians.
- Numbers of islands, sources and components begin at 1; an island has its number as its label in the label
  map.
- `COLUMNS` are in every table of their kind; `FURTHER` are in a table only where what made it knows them, such
  as the classes and the intrinsic flux of a made sky.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from skysift.base.errors import UnknownName

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

TableName: TypeAlias = Literal["components", "sources", "islands"]
Kind: TypeAlias = Literal["int64", "float64", "bool", "str"]

TABLES: tuple[TableName, ...] = ("islands", "sources", "components")

_C: tuple[TableName, ...] = ("components",)
_S: tuple[TableName, ...] = ("sources",)
_I: tuple[TableName, ...] = ("islands",)
_CS: tuple[TableName, ...] = ("components", "sources")
_CI: tuple[TableName, ...] = ("components", "islands")
_SI: tuple[TableName, ...] = ("sources", "islands")
_CSI: tuple[TableName, ...] = ("components", "sources", "islands")


@dataclass(frozen=True)
class Column:
    """The declaration of one column.

    Parameters
    ----------
    name
        Its name, the same in every table and every format.
    dtype
        ``int64``, ``float64``, ``bool`` or ``str``.
    unit
        A VOUnit string; empty for a number without unit.
    ucd
        What kind of quantity it is, as UCD1+.
    meaning
        One sentence.
    tables
        The tables that have it.
    display
        How a person sees one value: a format specification of Python.
    """

    name: str
    dtype: Kind
    unit: str
    ucd: str
    meaning: str
    tables: tuple[TableName, ...]
    display: str = ""

    def show(self, value: object) -> str:
        """One value as a person reads it; what is not a number shows as a dash."""
        if self.dtype == "float64":
            return "-" if value != value else format(value, self.display)  # NaN is not itself
        return str(value)


def _integer(name: str, ucd: str, meaning: str, tables: tuple[TableName, ...], unit: str = "") -> Column:
    return Column(name, "int64", unit, ucd, meaning, tables, "d")


def _pixel(name: str, ucd: str, meaning: str, tables: tuple[TableName, ...] = _CSI) -> Column:
    return Column(name, "float64", "pixel", ucd, meaning, tables, ".3f")


def _degrees(name: str, ucd: str, meaning: str, tables: tuple[TableName, ...] = _CSI) -> Column:
    return Column(name, "float64", "deg", ucd, meaning, tables, ".6f")


def _angle(name: str, ucd: str, meaning: str, tables: tuple[TableName, ...] = _CS) -> Column:
    return Column(name, "float64", "deg", ucd, meaning, tables, ".1f")


def _arcsec(name: str, ucd: str, meaning: str, tables: tuple[TableName, ...] = _CS) -> Column:
    return Column(name, "float64", "arcsec", ucd, meaning, tables, ".3f")


def _brightness(name: str, ucd: str, meaning: str, tables: tuple[TableName, ...] = _CSI) -> Column:
    return Column(name, "float64", "Jy/beam", ucd, meaning, tables, ".4g")


def _flux(name: str, ucd: str, meaning: str, tables: tuple[TableName, ...] = _CS) -> Column:
    return Column(name, "float64", "Jy", ucd, meaning, tables, ".4g")


_PEAK = "phot.flux.density;stat.max;em.radio"
_FLUX = "phot.flux.density;em.radio"
_MAJOR = "phys.angSize.smajAxis"
_MINOR = "phys.angSize.sminAxis"

# The order here is the order of the columns in every table.
COLUMNS: tuple[Column, ...] = (
    _integer("component_id", "meta.id", "Number of the component in this catalogue, from 1.", _C),
    _integer("source_id", "meta.id", "Number of the source in this catalogue, from 1.", _CS),
    _integer(
        "island_id",
        "meta.id",
        "Number of the island in this catalogue and its label in the label map, from 1.",
        _CI,
    ),
    Column(
        "name",
        "str",
        "",
        "meta.id;meta.main",
        "Name by the position, truncated to the digits that its error bears.",
        _CSI,
    ),
    _pixel(
        "x", "pos.cartesian.x", "Position along the first FITS axis, 0-based, pixel centres at whole numbers."
    ),
    _pixel(
        "y",
        "pos.cartesian.y",
        "Position along the second FITS axis, 0-based, pixel centres at whole numbers.",
    ),
    _pixel("x_err", "stat.error;pos.cartesian.x", "Error of x.", _CS),
    _pixel("y_err", "stat.error;pos.cartesian.y", "Error of y.", _CS),
    _degrees("ra", "pos.eq.ra;meta.main", "Right ascension, ICRS."),
    _degrees("dec", "pos.eq.dec;meta.main", "Declination, ICRS."),
    _arcsec(
        "ra_err", "stat.error;pos.eq.ra", "Error of the right ascension times cos(dec), in arcsec on the sky."
    ),
    _arcsec("dec_err", "stat.error;pos.eq.dec", "Error of the declination, in arcsec."),
    _arcsec(
        "position_cal_err",
        "stat.error.sys;pos.eq",
        "Calibration error of the position per axis, by the option `position_error`; part of no other error.",
    ),
    _integer("x_min", "pos.cartesian.x;stat.min", "First pixel column of the island, 0-based.", _I, "pixel"),
    _integer(
        "x_max",
        "pos.cartesian.x;stat.max",
        "Last pixel column of the island, 0-based, inclusive.",
        _I,
        "pixel",
    ),
    _integer("y_min", "pos.cartesian.y;stat.min", "First pixel row of the island, 0-based.", _I, "pixel"),
    _integer(
        "y_max", "pos.cartesian.y;stat.max", "Last pixel row of the island, 0-based, inclusive.", _I, "pixel"
    ),
    _integer("n_pixels", "meta.number;instr.pixel", "Number of pixels in the island.", _I),
    Column(
        "n_beams", "float64", "", "meta.number;instr.beam", "Area of the island in beam areas.", _I, ".2f"
    ),
    _brightness(
        "flux_peak",
        _PEAK,
        "Peak brightness above the background: of the Gaussian fitted, with the beam's shape where unresolved; "
        "of a source's components together; of an island's brightest pixel.",
    ),
    _brightness("flux_peak_err", f"stat.error;{_PEAK}", "Error of the peak brightness.", _CS),
    _flux(
        "flux_int",
        _FLUX,
        "Integrated flux density: of the Gaussian fitted, of a source's components together, "
        "of an island's pixels summed.",
        _CSI,
    ),
    _flux("flux_int_err", f"stat.error;{_FLUX}", "Error of the integrated flux density.", _CSI),
    _flux(
        "flux_beam",
        f"{_FLUX};instr.beam",
        "Flux density of a fit with the shape held at that of the beam.",
        _C,
    ),
    _flux("flux_beam_err", f"stat.error;{_FLUX};instr.beam", "Error of the beam-shaped flux density.", _C),
    _flux(
        "flux",
        f"{_FLUX};meta.main",
        "Flux density to use: the beam-shaped one where the source is unresolved, else the integrated one.",
    ),
    _flux("flux_err", f"stat.error;{_FLUX};meta.main", "Error of the flux density to use."),
    _flux(
        "flux_cal_err",
        f"stat.error.sys;{_FLUX}",
        "Calibration error of the flux density, by the option `flux_scale_error`; part of no other error.",
    ),
    _arcsec(
        "major",
        _MAJOR,
        "Major axis (FWHM) as fitted, beam included; of several Gaussians, from their second moments.",
    ),
    _arcsec(
        "minor",
        _MINOR,
        "Minor axis (FWHM) as fitted, beam included; of several Gaussians, from their second moments.",
    ),
    _angle(
        "pa", "pos.posAng", "Position angle of the major axis, from ICRS north through east at the source."
    ),
    _arcsec("major_err", f"stat.error;{_MAJOR}", "Error of the major axis."),
    _arcsec("minor_err", f"stat.error;{_MINOR}", "Error of the minor axis."),
    _angle("pa_err", "stat.error;pos.posAng", "Error of the position angle."),
    _arcsec(
        "major_deconv",
        f"{_MAJOR};meta.modelled",
        "Major axis (FWHM) with the beam deconvolved; 0 where nothing is left.",
    ),
    _arcsec(
        "minor_deconv",
        f"{_MINOR};meta.modelled",
        "Minor axis (FWHM) with the beam deconvolved; 0 where nothing is left.",
    ),
    _angle(
        "pa_deconv",
        "pos.posAng;meta.modelled",
        "Position angle of the deconvolved major axis, from ICRS north through east.",
    ),
    _arcsec(
        "major_deconv_err", f"stat.error;{_MAJOR};meta.modelled", "Error of the deconvolved major axis.", _C
    ),
    _arcsec(
        "minor_deconv_err", f"stat.error;{_MINOR};meta.modelled", "Error of the deconvolved minor axis.", _C
    ),
    Column(
        "resolved",
        "bool",
        "",
        "meta.code;phys.angSize",
        "True where the source is larger than the beam beyond what noise explains.",
        _CS,
    ),
    _brightness("rms", f"stat.stdev;{_FLUX}", "Noise of the map at the position."),
    _brightness("background", "instr.background", "Background level of the map at the position."),
    Column("snr", "float64", "", "stat.snr", "Signal to noise: flux_peak / rms.", _CSI, ".1f"),
    Column(
        "residual_rms",
        "float64",
        "",
        "stat.fit.residual;stat.stdev",
        "Root mean square of the island's residual, in units of the map's rms.",
        _CSI,
        ".2f",
    ),
    Column(
        "residual_peak",
        "float64",
        "",
        "stat.fit.residual;stat.max",
        "Residual of the island that is furthest from zero, with its sign, in units of the map's rms.",
        _CSI,
        ".2f",
    ),
    _integer("n_components", "meta.number", "Number of Gaussian components.", _SI),
    _integer("n_islands", "meta.number", "Number of islands over which the source extends.", _S),
    _integer("n_sources", "meta.number", "Number of sources in the island.", _I),
    Column(
        "structure",
        "str",
        "",
        "meta.code.class;src.morph",
        "S: one Gaussian alone in its island; C: one Gaussian that shares its island; M: several Gaussians.",
        _CS,
    ),
    Column("frequency", "float64", "Hz", "em.freq", "Frequency of the map.", _CSI, ".6g"),
    _integer(
        "flags", "meta.code.qual", "Sum of the quality bits that are set; 0 where nothing odd was met.", _CSI
    ),
)

# Columns that a table has where what made it knows them; the order is that in which they follow the others.
FURTHER: tuple[Column, ...] = (
    Column(
        "foreign_id",
        "str",
        "",
        "meta.id",
        "Identifier of the row in the catalogue of another program that it was read from.",
        _CSI,
    ),
    Column(
        "class",
        "str",
        "",
        "meta.code.class;src.class",
        "Class for detectors: spurious, compact, extended, extended-multisland or flagged.",
        _S,
    ),
    Column(
        "morphology",
        "str",
        "",
        "src.morph.type",
        "Finer class of the shape, such as point, disc, FRI, FRII, head-tail, shell, filament.",
        _S,
    ),
    Column(
        "object_type",
        "str",
        "",
        "src.class",
        "Astronomical class, such as SFG, SS-AGN, FS-AGN, SNR, HII, PN, star, pulsar.",
        _S,
    ),
    _flux(
        "flux_true",
        f"{_FLUX};meta.modelled",
        "Intrinsic flux density at the frequency of the map: before the primary beam and the losses of the uv coverage.",
        _S,
    ),
    Column(
        "primary_beam",
        "float64",
        "",
        "instr.sensitivity;arith.ratio",
        "Response of the primary beam at the position, 1 on the axis.",
        _S,
        ".4f",
    ),
    Column(
        "spectral_index",
        "float64",
        "",
        "spect.index;em.radio",
        "Spectral index alpha, with S ~ frequency^alpha.",
        _CS,
        ".2f",
    ),
    Column(
        "spectral_index_err",
        "float64",
        "",
        "stat.error;spect.index",
        "Error of the spectral index.",
        _CS,
        ".2f",
    ),
    Column(
        "core_fraction",
        "float64",
        "",
        f"{_FLUX};arith.ratio",
        "Part of the flux density that is in the core.",
        _S,
        ".3f",
    ),
    _arcsec("angular_size", "phys.angSize", "Largest angular size without the beam.", _S),
    _brightness(
        "mask_level", f"{_FLUX};stat.min", "Brightness of the isophote that bounds the true mask.", _S
    ),
    # of the lists of the SKA Science Data Challenges, digit by digit
    _integer(
        "list_id", "meta.id", "Number of the row in the list that it was read from; may come twice.", _S
    ),
    _degrees("ra_list", "pos.eq.ra", "Right ascension of the centroid as the list has it, FK5.", _S),
    _degrees("dec_list", "pos.eq.dec", "Declination of the centroid as the list has it, FK5.", _S),
    _degrees("ra_core", "pos.eq.ra", "Right ascension of the core as the list has it, FK5.", _S),
    _degrees("dec_core", "pos.eq.dec", "Declination of the core as the list has it, FK5.", _S),
    _arcsec("b_maj", _MAJOR, "Major axis as the list has it: what it is of the source tells size_id.", _S),
    _arcsec("b_min", _MINOR, "Minor axis as the list has it: what it is of the source tells size_id.", _S),
    _angle("pa_west", "pos.posAng", "Angle of the major axis as the list has it: from west clockwise.", _S),
    _integer(
        "size_id",
        "meta.code;phys.angSize",
        "What the axes of the list are: 1 largest angular size, 2 FWHM of a Gaussian, 3 exponential scale length.",
        _S,
    ),
    _integer(
        "class_id",
        "meta.code.class;src.class",
        "Class in the list: 1 AGN of steep spectrum, 2 AGN of flat spectrum, 3 star-forming galaxy.",
        _S,
    ),
    _arcsec("hi_size", _MAJOR, "Diameter of the HI disc at 1 solar mass a square parsec.", _S),
    Column("line_flux", "float64", "Jy.Hz", "phot.flux;spect.line", "Flux of the line.", _S, ".4g"),
    Column("line_frequency", "float64", "Hz", "em.freq;spect.line", "Centre of the line.", _S, ".9g"),
    _angle(
        "pa_kinematic",
        "pos.posAng;spect.dopplerVeloc",
        "Position angle of the receding side of the disc, in [0, 360).",
        _S,
    ),
    _angle("inclination", "src.orbital.inclination", "Angle between line of sight and axis of the disc.", _S),
    Column(
        "w20", "float64", "km.s-1", "spect.line.width", "Width of the line at a fifth of its peak.", _S, ".1f"
    ),
)

_BY_NAME = {each.name: each for each in (*COLUMNS, *FURTHER)}
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
