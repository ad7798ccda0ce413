"""Columns of polarisation of components and sources, from their fluxes in Stokes Q, U and V."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skysift.find.options import StokesOptions
from skysift.measure.forced import Forced
from skysift.measure.polarisation import Standing, as_rare, fraction, linear, standing
from skysift.sky.catalogue import Catalogue
from skysift.sky.flags import flag
from skysift.sky.schema import TableName
from skysift.sky.systems import System, vectors
from skysift.sky.table import Table

Floats = npt.NDArray[np.float64]
Columns = dict[str, npt.NDArray[Any]]

_STEP = 1e-3  # deg, along a meridian


@dataclass(frozen=True, eq=False)
class Fluxes:
    """Fluxes and their errors (Jy), ``(n,)``; NaN where there were no data."""

    flux: Floats
    error: Floats


def columns_of(
    catalogue: Catalogue, fluxes: Mapping[str, Forced], options: StokesOptions, system: System | None = None
) -> dict[TableName, Columns]:
    """
    Table -> name -> values of the columns of polarisation; fluxes of sources are the sums of their components'.

    Parameters
    ----------
    catalogue
        What was found in Stokes I.
    fluxes
        Stokes letter -> what was measured of the components, each a part of its source.
    options
        Leakage, and what counts as detected.
    system
        Celestial system of the maps; angles are counted from its north in them and become such from that of ICRS.
    """
    components, sources = catalogue.components, catalogue.sources
    row = np.searchsorted(sources.ids, components["source_id"])
    own = {letter: Fluxes(one.flux_int, one.flux_int_err) for letter, one in fluxes.items()}
    summed = {letter: Fluxes(*one.summed(row, len(sources))) for letter, one in fluxes.items()}
    return {
        "components": _columns(components, own, options, system),
        "sources": _columns(sources, summed, options, system),
    }


def _columns(
    table: Table, fluxes: Mapping[str, Fluxes], options: StokesOptions, system: System | None
) -> Columns:
    total, total_err = table["flux"], table["flux_err"]
    out: Columns = {}
    leaked = np.zeros(len(table), np.bool_)
    for letter, one in fluxes.items():
        out[f"flux_{letter.lower()}"], out[f"flux_{letter.lower()}_err"] = one.flux, one.error
    if "Q" in fluxes and "U" in fluxes:
        q, u = fluxes["Q"], fluxes["U"]
        seen = linear(q.flux, q.error, u.flux, u.error)
        stands = standing(
            seen.flux,
            seen.flux_err,
            total,
            options.leakage_p,
            options.polarised_sigma,
            as_rare(options.polarised_sigma),
            seen.snr,
        )
        leaked |= stands.leaked
        out["flux_p"], out["flux_p_err"], out["snr_p"] = seen.flux, seen.flux_err, seen.snr
        turned = seen.angle + turn_of_north(system, table["ra"], table["dec"])
        out["angle_p"], out["angle_p_err"] = turned % 180.0, seen.angle_err
        _shares(out, "p", total, total_err, stands, options.leakage_p)
    if "V" in fluxes:
        v = fluxes["V"]
        sigmas = options.polarised_sigma
        stands = standing(v.flux, v.error, total, options.leakage_v, sigmas, sigmas)
        leaked |= stands.leaked
        _shares(out, "v", total, total_err, stands, options.leakage_v)
    out["flags"] = table["flags"] | np.where(leaked, flag("leakage"), 0)
    shares = [out[name] for name in ("fraction_p", "fraction_v") if name in out]
    if shares:
        with np.errstate(invalid="ignore"):
            over = np.any([np.abs(share) > 1.0 for share in shares], axis=0)
        out["flags"] |= np.where(over, flag("over_polarised"), 0)
    return out


def _shares(
    out: Columns, what: str, total: Floats, total_err: Floats, stands: Standing, leakage: float
) -> None:
    """The fraction of one kind of polarisation with its error, its limit, and what may have leaked."""
    out[f"fraction_{what}"], out[f"fraction_{what}_err"] = fraction(
        out[f"flux_{what}"], out[f"flux_{what}_err"], total, total_err
    )
    out[f"fraction_{what}_limit"] = stands.limit
    out[f"flux_{what}_leakage_err"] = leakage * np.abs(total)


def turn_of_north(system: System | None, ra: Floats, dec: Floats) -> Floats:
    """
    Angle (deg) of the north of a system, from ICRS north through east, at ICRS positions (deg); 0 for no system.

    It is what an angle counted from that north lacks to be one from ICRS north.
    """
    turn = np.zeros(len(ra))
    good = np.isfinite(ra) & np.isfinite(dec)
    if system is None or system.name == "ICRS" or not good.any():
        return turn
    lon, lat = system.from_icrs(ra[good], dec[good])
    way = np.where(lat > 0.0, -1.0, 1.0)  # never across a pole
    ahead = way[:, None] * (vectors(*system.to_icrs(lon, lat + way * _STEP)) - vectors(ra[good], dec[good]))
    a, b = np.radians(ra[good]), np.radians(dec[good])
    east = ahead[:, 1] * np.cos(a) - ahead[:, 0] * np.sin(a)
    north = ahead[:, 2] * np.cos(b) - np.sin(b) * (ahead[:, 0] * np.cos(a) + ahead[:, 1] * np.sin(a))
    turn[good] = np.degrees(np.arctan2(east, north))
    return turn
