"""Rows of the SKA Science Data Challenges: of a table of skysift, of a made truth, and a table of such rows.

Rows are columns by the challenges' own names, in their units. SDC1 (data description SKA-TEL-SKO-00001001):
positions in degrees, FK5; flux density in Jy, corrected for the primary beam; axes in arcsec, of which `size`
says what they are; the angle of the major axis in degrees from west clockwise, which is 90 degrees minus the
angle from north through east. SDC2: positions in degrees, HI diameter in arcsec, line flux in Jy Hz, central
frequency in Hz, position angle and inclination in degrees, line width in km/s.

A table that was read from a list keeps what the list had in columns of `skysift.sky.schema.FURTHER`, digit by
digit, and gives the same rows again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.sky import schema
from skysift.sky.schema import Column
from skysift.sky.systems import System
from skysift.sky.table import Table, Values
from skysift.sky.truth import SPURIOUS, Truth

__all__ = [
    "SDC1",
    "SDC2",
    "Columns",
    "is_listed",
    "sdc1_rows",
    "sdc1_table",
    "sdc1_truth_rows",
    "sdc2_rows",
    "sdc2_table",
    "to_fwhm",
]

Columns: TypeAlias = dict[str, Values]
Floats: TypeAlias = NDArray[np.float64]

SDC1 = (
    "id",
    "ra_core",
    "dec_core",
    "ra_cent",
    "dec_cent",
    "flux",
    "core_frac",
    "b_maj",
    "b_min",
    "pa",
    "size",
    "class",
)
SDC2 = ("id", "ra", "dec", "hi_size", "line_flux_integral", "central_freq", "pa", "i", "w20")

LARGEST, FWHM, SCALE_LENGTH = 1, 2, 3
_TO_FWHM = np.array([np.nan, 2.355 / 5.0, 1.0, np.sqrt(2.0)])  # the challenge's nominal factors, by size id
_CLASSES = np.array(["", "SS-AGN", "FS-AGN", "SFG"])  # by class id
CLASS_ID, CORE_FRACTION = 3, 0.0375  # constants that earn most where neither is measured

_SDC1_IN_TABLE = {
    "id": "list_id",
    "ra_core": "ra_core",
    "dec_core": "dec_core",
    "ra_cent": "ra_list",
    "dec_cent": "dec_list",
    "flux": "flux_true",
    "core_frac": "core_fraction",
    "b_maj": "b_maj",
    "b_min": "b_min",
    "pa": "pa_west",
    "size": "size_id",
    "class": "class_id",
}
_SDC2_IN_TABLE = {
    "id": "list_id",
    "ra": "ra_list",
    "dec": "dec_list",
    "hi_size": "hi_size",
    "line_flux_integral": "line_flux",
    "central_freq": "line_frequency",
    "pa": "pa_kinematic",
    "i": "inclination",
    "w20": "w20",
}
_FK5 = System("FK5", 2000.0)


def to_fwhm(size_id: Values) -> Floats:
    """What turns an axis of the challenge into the FWHM of a Gaussian; NaN for a size id that does not exist.

    The largest angular size is 5 sigma of the Gaussian, its FWHM 2.355 sigma; the scale length of an
    exponential disc times the square root of 2.
    """
    known = np.isin(size_id, (LARGEST, FWHM, SCALE_LENGTH))
    return np.asarray(_TO_FWHM[np.where(known, size_id, 0).astype(np.int64)])


def is_listed(table: Table, challenge: int = 1) -> bool:
    """True where the table holds the rows of a list of the challenge, digit by digit."""
    return all(name in table for name in (_SDC1_IN_TABLE if challenge == 1 else _SDC2_IN_TABLE).values())


# -- rows of tables


def sdc1_rows(
    table: Table,
    *,
    response: Floats | None = None,
    class_id: int = CLASS_ID,
    core_fraction: float = CORE_FRACTION,
) -> tuple[Columns, dict[str, int]]:
    """The rows of SDC1 that a table is, and how many of its rows were left out, by reason.

    Sizes are the deconvolved FWHM; where nothing is left of them, those that a network gives, or 0. The centroid is
    the core as well.

    Parameters
    ----------
    table
        Sources or components. A table that was read from a list gives its rows as they were.
    response
        Of the primary beam at the rows, by which apparent fluxes are divided, NaN outside its map; without it the
        column `primary_beam` of the table, and without that fluxes stay as they are. Fluxes that were corrected
        when they were measured (the table has `flux_apparent`) stay as they are without it.
    class_id, core_fraction
        For rows of tables that have no such column.

    Raises
    ------
    UsageError
        The table is one of islands, which have no axes.
    """
    if is_listed(table):
        return {name: table[there] for name, there in _SDC1_IN_TABLE.items()}, {}
    if table.kind == "islands":
        raise UsageError("islands have no axes, which the list needs", todo="take the sources or components")
    measured = "flux_apparent" in table
    told = response is None and "primary_beam" in table
    if told:
        response = table["primary_beam"]
    if measured and told:
        flux = table["flux"]
    else:
        apparent = table["flux_apparent" if measured else "flux"]
        flux = apparent if response is None else _over(apparent, response)
    placed = np.isfinite(table["ra"]) & np.isfinite(table["dec"])
    outside = placed & (np.zeros(len(table), dtype=np.bool_) if response is None else ~(response > 0.0))
    none = outside & np.isnan(response) if told and response is not None else np.zeros_like(outside)
    artefact = none & (table["class"] == SPURIOUS) if "class" in table else np.zeros_like(none)
    bright = placed & ~outside & np.isfinite(flux) & (flux > 0.0)
    left_out = {
        "without a position": int(np.sum(~placed)),
        "outside the primary beam": int(np.sum(outside & ~none)),
        "artefacts, which have no primary beam": int(np.sum(artefact)),
        "without a response of the primary beam": int(np.sum(none & ~artefact)),
        "without a flux above 0": int(np.sum(placed & ~outside & ~bright)),
    }
    kept = table.select(bright)
    major, minor, pa = _shapes(kept)
    ra, dec = _to_fk5(kept["ra"], kept["dec"])
    n = len(kept)
    rows = {
        "id": kept.ids,
        "ra_core": ra,
        "dec_core": dec,
        "ra_cent": ra,
        "dec_cent": dec,
        "flux": flux[bright],
        "core_frac": np.nan_to_num(kept["core_fraction"], nan=core_fraction)
        if "core_fraction" in kept
        else np.full(n, core_fraction),
        "b_maj": major,
        "b_min": minor,
        "pa": _from_west(pa),
        "size": np.full(n, FWHM),
        "class": kept["class_id"] if "class_id" in kept else np.full(n, class_id),
    }
    return rows, {reason: count for reason, count in left_out.items() if count}


def sdc1_truth_rows(truth: Truth, *, apparent: bool = False) -> Columns:
    """The rows of SDC1 of a truth, without artefacts.

    Steep-spectrum AGN have their largest angular size where it is known; all others the FWHM of their second
    moments.

    Parameters
    ----------
    truth
        Of a made sky, or read from a list.
    apparent
        Take the fluxes that the map holds in place of the intrinsic ones.
    """
    table, real = truth.sources, truth.real
    if is_listed(table):
        rows = {name: table[there][real] for name, there in _SDC1_IN_TABLE.items()}
        return {**rows, "flux": table["flux"][real]} if apparent else rows
    table = table.select(real & np.isfinite(table["ra"]) & np.isfinite(table["dec"]))
    ra, dec = _to_fk5(table["ra"], table["dec"])
    kind = _class_ids(table)
    las = table["angular_size"] if "angular_size" in table else np.full(len(table), np.nan)
    steep = (kind == 1) & (las > 0.0)
    major, minor = np.nan_to_num(table["major_deconv"]), np.nan_to_num(table["minor_deconv"])
    narrow = np.divide(minor, major, out=np.ones_like(minor), where=major > 0.0)
    return {
        "id": table.ids,
        "ra_core": ra,
        "dec_core": dec,
        "ra_cent": ra,
        "dec_cent": dec,
        "flux": table["flux_true"] if "flux_true" in table and not apparent else table["flux"],
        "core_frac": np.nan_to_num(table["core_fraction"])
        if "core_fraction" in table
        else np.zeros(len(table)),
        "b_maj": np.where(steep, las, major),
        "b_min": np.where(steep, np.nan_to_num(las) * narrow, minor),
        "pa": _from_west(table["pa_deconv"]),
        "size": np.where(steep, LARGEST, FWHM),
        "class": kind,
    }


def sdc2_rows(table: Table) -> Columns:
    """The rows of SDC2 of a table that has the columns of HI sources.

    Raises
    ------
    UsageError
        It has not.
    """
    if not is_listed(table, 2):
        lacking = [name for name in _SDC2_IN_TABLE.values() if name not in table]
        raise UsageError(
            f"the table of {table.kind} lacks columns of HI sources",
            got=", ".join(lacking),
            todo="give a catalogue of a line finder, or a list of SDC2",
        )
    return {name: table[there] for name, there in _SDC2_IN_TABLE.items()}


# -- tables of rows


def sdc1_table(rows: Mapping[str, Values]) -> Table:
    """The sources that rows of SDC1 are: their own columns digit by digit, and what they mean in the schema."""
    n = len(rows["id"])
    size, kind = rows["size"], rows["class"]
    ra, dec = _FK5.to_icrs(rows["ra_cent"], rows["dec_cent"])
    own = schema.further("sources", "object_type", "angular_size", *_SDC1_IN_TABLE.values())
    factor = to_fwhm(size)
    columns = {
        **_blank(n, own),
        **{there: rows[name] for name, there in _SDC1_IN_TABLE.items()},
        **_places(rows["id"], ra, dec),
        "flux": rows["flux"],
        "flux_int": rows["flux"],
        "major_deconv": rows["b_maj"] * factor,
        "minor_deconv": rows["b_min"] * factor,
        "pa_deconv": (90.0 - rows["pa"]) % 180.0,
        "angular_size": np.where(size == LARGEST, rows["b_maj"], np.nan),
        "object_type": _CLASSES[np.where(np.isin(kind, (1, 2, 3)), kind, 0).astype(np.int64)],
    }
    return Table("sources", columns, own)


def sdc2_table(rows: Mapping[str, Values]) -> Table:
    """The sources that rows of SDC2 are."""
    own = schema.further("sources", *_SDC2_IN_TABLE.values())
    ra, dec = _FK5.to_icrs(rows["ra"], rows["dec"])
    columns = {
        **_blank(len(rows["id"]), own),
        **{there: rows[name] for name, there in _SDC2_IN_TABLE.items()},
        **_places(rows["id"], ra, dec),
        "frequency": rows["central_freq"],
        "pa_deconv": rows["pa"] % 180.0,
    }
    return Table("sources", columns, own)


def _places(ids: Values, ra: Floats, dec: Floats) -> Columns:
    """The columns that say which row is which, and where."""
    return {
        "source_id": np.arange(1, len(ids) + 1),
        "name": np.asarray(ids).astype(np.str_),
        "ra": ra,
        "dec": dec,
        "n_components": np.ones(len(ids), dtype=np.int64),
    }


def _blank(n: int, more: tuple[Column, ...]) -> Columns:
    """Columns of sources that say nothing: NaN, 0, false and empty."""
    empty: dict[str, object] = {"float64": np.nan, "int64": 0, "bool": False, "str": ""}
    return {each.name: np.full(n, empty[each.dtype]) for each in (*schema.columns("sources"), *more)}


# -- conventions


def _shapes(table: Table) -> tuple[Floats, Floats, Floats]:
    """Axes without the beam (arcsec) and the angle of the major one (deg, from north): measured, or a network's."""
    major, minor = np.nan_to_num(table["major_deconv"]), np.nan_to_num(table["minor_deconv"])
    pa = table["pa_deconv"]
    if "major_net" not in table:
        return major, minor, pa
    told = ~(major > 0.0) & (table["major_net"] > 0.0)
    return (
        np.where(told, table["major_net"], major),
        np.where(told | ~(minor > 0.0), np.nan_to_num(table["minor_net"]), minor),
        np.where(told, table["pa_net"], pa),
    )


def _to_fk5(ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
    """FK5 positions of ICRS ones, with right ascensions in (-180, 180] as the lists have them."""
    lon, lat = _FK5.from_icrs(ra, dec)
    return np.where(lon > 180.0, lon - 360.0, lon), lat


def _from_west(pa: Floats) -> Floats:
    """The angle from west clockwise of one from north through east; 0 where there is none."""
    angle = np.nan_to_num(90.0 - pa, nan=0.0) % 180.0
    return np.where(angle == 180.0, 0.0, angle)


def _over(flux: Floats, response: Floats) -> Floats:
    """Flux over response; NaN where there is no response."""
    return np.asarray(np.divide(flux, response, out=np.full(flux.shape, np.nan), where=response > 0.0))


def _class_ids(table: Table) -> NDArray[np.int64]:
    """The challenge's class of each object, star-forming galaxy for what it does not know."""
    if "class_id" in table:
        return np.asarray(table["class_id"])
    if "object_type" not in table:
        return np.full(len(table), CLASS_ID)
    kinds = table["object_type"]
    return np.asarray(np.select([kinds == "SS-AGN", kinds == "FS-AGN"], [1, 2], CLASS_ID), dtype=np.int64)
