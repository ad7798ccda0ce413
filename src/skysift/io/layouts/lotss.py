"""LoTSS: the source and component catalogues of the LOFAR Two-metre Sky Survey, as in its second release."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from skysift.io.layouts.containers import Foreign
from skysift.io.layouts.declared import DeclaredLayout, Filled, Marks, Place, Places
from skysift.sky.schema import TableName
from skysift.sky.table import Table

__all__ = ["LotssLayout"]


def _pair(theirs: str, ours: str, unit: str, error: str = "", *, needed: bool = False) -> tuple[Place, Place]:
    """A column and its error, ``E_`` before the name."""
    return Place(theirs, ours, unit, needed=needed), Place(f"E_{theirs}", error, unit)


def _places(errors: bool) -> tuple[Place, ...]:
    """The columns; errors of deconvolved sizes where the schema has a place for them."""
    return (
        Place("Source_Name", "name", needed=True),
        Place("RA", "ra", "deg", needed=True),
        Place("E_RA", "ra_err", "arcsec"),
        Place("DEC", "dec", "deg", needed=True),
        Place("E_DEC", "dec_err", "arcsec"),
        *_pair("Peak_flux", "flux_peak", "mJy/beam", "flux_peak_err", needed=True),
        *_pair("Total_flux", "flux_int", "mJy", "flux_int_err", needed=True),
        *_pair("Maj", "major", "arcsec", "major_err"),
        *_pair("Min", "minor", "arcsec", "minor_err"),
        *_pair("DC_Maj", "major_deconv", "arcsec", "major_deconv_err" if errors else ""),
        *_pair("DC_Min", "minor_deconv", "arcsec", "minor_deconv_err" if errors else ""),
        *_pair("PA", "pa", "deg", "pa_err"),
        *_pair("DC_PA", "pa_deconv", "deg"),
        Place("Isl_rms", "rms", "mJy/beam"),
        Place("S_Code", "structure"),
        Place("Mosaic_ID", dtype="str"),
        Place("Number_Pointings", dtype="int64"),
        Place("Masked_Fraction"),
    )


class LotssLayout(DeclaredLayout):
    """Sources, or Gaussians, of LoTSS: fluxes in mJy, positions in degrees, their errors and axes in arcsec.

    Rows are numbered; their names are kept. Code `Z`, a source put together by eye, is `M` here. The tables do
    not tell their frequency (LoTSS: 144 MHz); ``--frequency`` does.
    """

    name = "lotss"
    title = "LoTSS"
    places: ClassVar[Places] = {
        "sources": _places(errors=False),
        "components": (
            *_places(errors=True),
            Place("Gaus_id", dtype="int64"),
        ),
    }
    marks: ClassVar[Marks] = {
        "components": frozenset({"Source_Name", "Gaus_id", "RA", "DEC"}),
        "sources": frozenset({"Source_Name", "RA", "DEC", "Total_flux"}),
    }
    suffixes = (".fits", ".fit", ".fts", ".csv", ".vot", ".votable", ".xml")
    sky = ("RA", "DEC")

    def complete(self, kind: TableName, filled: Filled, foreign: Foreign) -> None:
        """Add what the code of the structure tells."""
        if "structure" in filled:
            code = filled["structure"]
            filled["structure"] = np.where(code == "Z", "M", code)
            if kind == "sources":
                filled["n_components"] = np.where(np.isin(code, ["S", "C"]), 1, 0)

    def fill(self, kind: TableName, table: Table) -> Filled:
        """The numbers of Gaussians."""
        return {"Gaus_id": table.ids} if kind == "components" else {}

    def _kind_of(self, names: tuple[str, ...]) -> TableName | None:
        return None if "Isl_id" in names else super()._kind_of(names)  # with it, a list of PyBDSF itself
