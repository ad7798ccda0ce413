"""Any table with named columns: positions, and what else has a usual name or is named by an option."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from skysift.base.errors import FormatError, OptionError, UsageError
from skysift.io.layouts.containers import Foreign, load, sight
from skysift.io.layouts.conversion import factor
from skysift.io.layouts.declared import table_of, values_of
from skysift.io.layouts.options import NamedOptions
from skysift.sky.schema import TableName
from skysift.sky.table import Table, Values

__all__ = ["USUAL", "NamedLayout"]

# The usual names of a column, compared without case and without what is neither letter nor digit.
USUAL: dict[str, tuple[str, ...]] = {
    "ra": ("raj2000", "ra", "radeg", "alphaj2000", "raicrs", "radegcont", "rightascension", "alpha", "rajd", "xwcs"),
    "dec": ("dej2000", "decj2000", "dec", "de", "decdeg", "dedeg", "deltaj2000", "deicrs", "decicrs", "decdegcont",
            "declination", "delta", "decjd", "ywcs"),
    "glon": ("glon", "glong", "gallon", "galacticlongitude"),
    "glat": ("glat", "gallat", "galacticlatitude"),
    "name": ("name", "sourcename", "componentname", "iauname", "objname", "designation", "source", "id", "gname"),
    "flux_int": ("totalflux", "intflux", "fluxint", "fint", "sint", "stotal", "stot", "integratedflux", "fluxintegrated",
                 "totalfluxdensity", "s14", "s1400", "s843", "st", "flux", "fluxdensity"),
    "flux_peak": ("peakflux", "fluxpeak", "fpeak", "speak", "sp", "peak", "peakbrightness"),
    "major": ("maj", "majaxis", "majoraxis", "major", "bmaj", "a", "fwhmmaj", "majfit", "smaj"),
    "minor": ("min", "minaxis", "minoraxis", "minor", "bmin", "b", "fwhmmin", "minfit", "smin"),
    "pa": ("pa", "posang", "positionangle", "bpa", "pafit"),
    "rms": ("islrms", "localrms", "rms", "rmsimage", "noise", "sigma"),
}  # fmt: skip
_ERRORS = ("ra", "dec", "flux_int", "flux_peak", "major", "minor", "pa")
_FLUXES = ("flux_int", "flux_peak", "rms")
_UNITS = {  # option -> what it has to be made of, and examples
    "flux_unit": ("Jy/beam", "Jy, mJy, uJy, mJy/beam"),
    "size_unit": ("arcsec", "arcsec, arcmin, deg"),
    "position_unit": ("deg", "deg, hourangle, rad"),
}
_FORMS = ("e_{}", "err_{}", "{}_err", "{}_error", "e{}", "d{}")


class NamedLayout:
    """Any table with positions in named columns: FITS, VOTable, Parquet, CSV, text or a table of CDS; read only.

    Columns are found by their usual names, or are named by the options. Units are those that the file tells;
    where it tells none for a flux or a size, an option has to. Positions in galactic coordinates, in FK4 or as
    text in hours and degrees become ICRS degrees. Errors of positions without a unit have that of the position.
    """

    name = "named"
    title = "a table with named columns"
    tables: tuple[TableName, ...] = ("sources", "components")
    suffixes: tuple[str, ...] = ()

    def __init__(self, options: NamedOptions | None = None) -> None:
        self.options = options or NamedOptions()

    def matches(self, path: Path) -> bool:
        """True where two columns are told to be a position, or have names of one."""
        found = self._columns(sight(path).names)
        return {"ra", "dec"} <= found.keys() or {"glon", "glat"} <= found.keys()

    def read(self, path: Path) -> Table:
        """The table as one of the schema.

        Raises
        ------
        UsageError
            There is no such file, or no such column.
        OptionError
            A unit that was chosen is none, or is of another kind.
        FormatError
            The file is broken, holds no positions, or has units that are not told or cannot be converted.
        """
        names = sight(path).names
        self._check_units()
        for ours in self.options.to_dict():
            wish = getattr(self.options, ours)
            if wish and ours in (*USUAL, "flux_int_err", "flux_peak_err") and wish not in names:
                raise UsageError(f"{path} has no such column for {ours}", got=wish, allowed=names)
        found = self._columns(names)
        galactic = {"glon", "glat"} <= found.keys() and not {"ra", "dec"} <= found.keys()
        if not galactic and not {"ra", "dec"} <= found.keys():
            raise FormatError(
                f"{path} has no columns that look like a position",
                got=", ".join(names[:8]) or "no columns",
                todo="name them by --set ra=COLUMN --set dec=COLUMN",
            )
        if galactic:
            found |= {"ra": found["glon"], "dec": found["glat"]}
        foreign = load(path)
        filled = {
            ours: self._values(foreign, theirs, ours)
            for ours, theirs in found.items()
            if ours not in ("glon", "glat")
        }
        frame = "galactic" if galactic else self.options.frame or _frame(foreign)
        if frame in ("fk4", "galactic"):
            filled["ra"], filled["dec"] = _to_icrs(filled["ra"], filled["dec"], frame)
        kind: TableName = self.options.kind
        return table_of(kind, filled, path, len(foreign))

    def write(self, table: Table, path: Path, *, overwrite: bool = False) -> Path:
        """Nothing: such a table is only read.

        Raises
        ------
        UsageError
            Always.
        """
        raise UsageError(
            "tables with any names are only read", got=str(path), todo="leave --to out for our own names"
        )

    def _check_units(self) -> None:
        """Refuse a unit that is none, whether or not a column needs it.

        Raises
        ------
        OptionError
            It cannot be converted.
        """
        for name, (wanted, examples) in _UNITS.items():
            given = getattr(self.options, name)
            if given and factor(given, wanted) is None:
                raise OptionError(f"{name} is not such a unit", got=given, allowed=f"{examples} and the like")

    def _columns(self, names: tuple[str, ...]) -> dict[str, str]:
        """Our column -> the name of the column of the file."""
        plain: dict[str, str] = {}
        for name in reversed(names):
            plain[_bare(name)] = name
        found: dict[str, str] = {}
        for ours, usual in USUAL.items():
            wish = getattr(self.options, ours, "")
            theirs = wish or next((plain[each] for each in usual if each in plain), "")
            if theirs in names and (wish or theirs not in found.values()):
                found[ours] = theirs
        lower = {name.lower(): name for name in reversed(names)}
        for ours in _ERRORS:
            wish = getattr(self.options, f"{ours}_err", "")
            if ours in found:
                tried = (form.format(found[ours].lower()) for form in _FORMS)
                theirs = wish or next((lower[each] for each in tried if each in lower), "")
                if theirs in names and theirs not in found.values():
                    found[f"{ours}_err"] = theirs
        return found

    def _values(self, foreign: Foreign, theirs: str, ours: str) -> Values:
        column = foreign.columns.get(theirs)
        if column is None:
            raise FormatError(f"{foreign.path}: the column {theirs} holds no single numbers or texts")
        base = ours.removesuffix("_err")
        if base in ("ra", "dec"):
            unit, untold = self.options.position_unit or "deg", ""
            if column.values.dtype.kind == "U" and foreign.container == "votable":
                column = type(column)(column.values)
        elif base in _FLUXES:
            unit, untold = self.options.flux_unit or _told(theirs), "say it by --set flux_unit=mJy"
        elif base in ("major", "minor"):
            unit, untold = self.options.size_unit, "say it by --set size_unit=arcsec"
        else:
            unit, untold = "deg" if base == "pa" else "", ""
        return values_of(column, ours, foreign.path, unit=unit, untold=untold)


def _bare(name: str) -> str:
    """A name without case, unit in brackets or at its end, and marks: ``S1.4(mJy)`` and ``s_1_4`` are s14."""
    name = re.sub(r"[(\[].*?[)\]]", "", name.strip().lower())
    return re.sub(r"[^a-z0-9]", "", re.sub(r"_?(mjy|ujy|jy|deg|arcsec)$", "", name) or name)


def _told(name: str) -> str:
    """The unit at the end of a name, such as ``flux_mJy``; empty where there is none."""
    match = re.search(r"(?:^|[_(\[ .])([mu]?jy)[)\]]?$", name.lower())
    return match.group(1).replace("jy", "Jy") if match else ""


def _frame(foreign: Foreign) -> str:
    """``fk4`` where the file says so, else nothing."""
    told = " ".join(foreign.told.get(key, "") for key in ("COOSYS", "RADESYS", "RADECSYS", "EQUINOX")).lower()
    return "fk4" if "fk4" in told or "b1950" in told or "1950" in told.split() else ""


def _to_icrs(lon: Values, lat: Values, frame: str) -> tuple[Values, Values]:
    """ICRS degrees of galactic or FK4 (B1950) positions; NaN stay NaN."""
    from astropy.coordinates import SkyCoord  # late: most tables do without

    good = np.isfinite(lon) & np.isfinite(lat)
    ra, dec = np.full(len(lon), np.nan), np.full(len(lat), np.nan)
    if np.any(good):
        equinox = {"equinox": "B1950"} if frame == "fk4" else {}
        icrs = SkyCoord(lon[good], lat[good], unit="deg", frame=frame, **equinox).icrs
        ra[good], dec[good] = icrs.ra.deg, icrs.dec.deg
    return ra, dec
