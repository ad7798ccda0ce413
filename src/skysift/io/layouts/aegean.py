"""Aegean: tables of components, as FITS, VOTable, CSV or text."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from skysift.io.layouts.containers import Foreign
from skysift.io.layouts.conversion import sexagesimal
from skysift.io.layouts.declared import DeclaredLayout, Filled, Marks, Place, Places
from skysift.io.layouts.rank import rank_within
from skysift.sky.flags import flag, has
from skysift.sky.schema import TableName
from skysift.sky.table import Table

__all__ = ["AegeanLayout"]

_UNKNOWN = -1.0  # an error that was not measured
_FITTED_SMALL, _FIT_FAILED, _FIXED_TO_BEAM, _NOT_FITTED, _NO_WCS = 1, 2, 4, 16, 32  # bits of its flags


def _pair(theirs: str, ours: str, unit: str, *, needed: bool = False) -> tuple[Place, Place]:
    """A column and its error, ``err_`` before the name, -1 where unknown."""
    return (
        Place(theirs, ours, unit, needed=needed),
        Place(f"err_{theirs}", f"{ours}_err", unit, unknown=_UNKNOWN),
    )


class AegeanLayout(DeclaredLayout):
    """Components of Aegean: fluxes in Jy, positions and their errors in degrees, axes in arcsec.

    An error of -1 is one that was not measured: NaN here. `err_ra` is an error on the sky. The angle is in
    (-90, 90]. A component is known by its island and its number there, from 0: that is its `name` as
    ``island_number``, its `uuid` is `foreign_id`. Of its flags, fits that failed (1, 2, 16), shapes held at
    the beam (4) and coordinates that got lost with the errors (32: `no_errors`) have ours.
    """

    name = "aegean"
    title = "Aegean"
    places: ClassVar[Places] = {
        "components": (
            Place("island", "island_id", dtype="int64", needed=True),
            Place("source", dtype="int64", needed=True),
            Place("background", "background", "Jy/beam"),
            Place("local_rms", "rms", "Jy/beam"),
            Place("ra_str", dtype="str"),
            Place("dec_str", dtype="str"),
            *_pair("ra", "ra", "deg", needed=True),
            *_pair("dec", "dec", "deg", needed=True),
            *_pair("peak_flux", "flux_peak", "Jy/beam", needed=True),
            *_pair("int_flux", "flux_int", "Jy", needed=True),
            *_pair("a", "major", "arcsec"),
            *_pair("b", "minor", "arcsec"),
            *_pair("pa", "pa", "deg"),
            Place("flags", "flags", special=True),
            Place("residual_mean", unit="Jy/beam"),
            Place("residual_std", unit="Jy/beam"),
            Place("uuid", "foreign_id", dtype="str", further=True),
            Place("psf_a", unit="arcsec"),
            Place("psf_b", unit="arcsec"),
            Place("psf_pa", unit="deg"),
        ),
    }
    marks: ClassVar[Marks] = {
        "components": frozenset({"island", "source", "ra", "dec", "peak_flux", "a", "b"})
    }
    suffixes = (".fits", ".fit", ".fts", ".vot", ".votable", ".xml", ".csv", ".tab", ".txt")
    sky = ("ra", "dec")

    def complete(self, kind: TableName, filled: Filled, foreign: Foreign) -> None:
        """Add names and flags."""
        filled["name"] = np.strings.add(np.strings.add(foreign.texts("island"), "_"), foreign.texts("source"))
        theirs = np.nan_to_num(foreign.numbers("flags")).astype(np.int64)
        failed = theirs & (_FITTED_SMALL | _FIT_FAILED | _NOT_FITTED)
        filled["flags"] = (
            np.where(failed, flag("fit_failed"), 0)
            | np.where(theirs & _FIXED_TO_BEAM, flag("beam_shaped"), 0)
            | np.where(theirs & _NO_WCS, flag("no_errors"), 0)
        )

    def fill(self, kind: TableName, table: Table) -> Filled:
        """Positions as text, numbers within the island, angles in (-90, 90], and its flags."""
        flags = (
            np.where(has(table["flags"], "fit_failed"), _FIT_FAILED, 0)
            | np.where(has(table["flags"], "beam_shaped"), _FIXED_TO_BEAM, 0)
            | np.where(has(table["flags"], "moments"), _NOT_FITTED, 0)
        )
        return {
            "source": rank_within(table["island_id"]),
            "ra_str": sexagesimal(table["ra"], 2, hours=True),
            "dec_str": sexagesimal(table["dec"], 2, hours=False),
            "pa": np.where(table["pa"] > 90, table["pa"] - 180, table["pa"]),
            "flags": flags,
        }
