"""PyBDSF: lists of sources (srl) and of Gaussians (gaul), as FITS, text or CSV."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from skysift.io.layouts.containers import Foreign
from skysift.io.layouts.declared import DeclaredLayout, Filled, Marks, Place, Places, Written
from skysift.io.layouts.writing import Columns, save_fits, save_text
from skysift.sky.schema import TableName
from skysift.sky.table import Table
from skysift.sky.units import RADIO

__all__ = ["PyBDSFLayout"]


def _pair(theirs: str, ours: str, unit: str, error: str = "", *, needed: bool = False) -> tuple[Place, Place]:
    """A column and its error, ``E_`` before the name."""
    return Place(theirs, ours, unit, needed=needed), Place(f"E_{theirs}", error, unit)


def _ellipse(prefix: str, suffix: str, ours: str, errors: bool) -> Iterator[Place]:
    """Axes (deg) and angle, with errors where the schema has a place for them."""
    for theirs, name in (("Maj", "major"), ("Min", "minor"), ("PA", "pa")):
        place = f"{name}{ours}" if not suffix else ""
        error = f"{place}_err" if place and errors and not (name == "pa" and ours) else ""
        yield from _pair(f"{prefix}{theirs}{suffix}", place, "deg", error)


_FLUXES = (
    *_pair("RA", "ra", "deg", "ra_err", needed=True),
    *_pair("DEC", "dec", "deg", "dec_err", needed=True),
    *_pair("Total_flux", "flux_int", "Jy", "flux_int_err", needed=True),
    *_pair("Peak_flux", "flux_peak", "Jy/beam", "flux_peak_err", needed=True),
)
_ISLAND = (
    *_pair("Isl_Total_flux", "", "Jy"),
    Place("Isl_rms", "rms", "Jy/beam"),
    Place("Isl_mean", "background", "Jy/beam"),
    Place("Resid_Isl_rms", unit="Jy/beam"),
    Place("Resid_Isl_mean", unit="Jy/beam"),
)
_END = (
    Place("S_Code", "structure"),
    Place("Spec_Indx", "spectral_index", further=True),
    Place("E_Spec_Indx", "spectral_index_err", further=True),
)


def _ellipses(errors: bool) -> tuple[Place, ...]:
    return (
        *_ellipse("", "", "", True),
        *_ellipse("", "_img_plane", "", False),
        *_ellipse("DC_", "", "_deconv", errors),
        *_ellipse("DC_", "_img_plane", "", False),
    )


class PyBDSFLayout(DeclaredLayout):
    """Lists of sources or of Gaussians of PyBDSF: fluxes in Jy, everything else in degrees.

    `E_RA` is an error on the sky (it holds the cos(dec)). Numbers begin at 0 and are kept. `Xposn` and `Yposn`
    are 0-based pixels. Gaussians of several wavelet scales may share a number: then they are numbered anew and
    `foreign_id` has scale and number. The frequency is that of the header, ``FREQ0`` or the line "Reference frequency".
    """

    name = "pybdsf"
    title = "PyBDSF"
    places: ClassVar[Places] = {
        "sources": (
            Place("Source_id", "source_id", dtype="int64"),
            Place("Isl_id", dtype="int64", constant=-1),
            *_FLUXES,
            *_pair("RA_max", "", "deg"),
            *_pair("DEC_max", "", "deg"),
            *_ellipses(errors=False),
            *_ISLAND,
            *_END,
        ),
        "components": (
            Place("Gaus_id", "component_id", dtype="int64"),
            Place("Isl_id", "island_id", dtype="int64"),
            Place("Source_id", "source_id", dtype="int64"),
            Place("Wave_id", dtype="int64"),
            *_FLUXES,
            *_pair("Xposn", "x", "pixel", "x_err"),
            *_pair("Yposn", "y", "pixel", "y_err"),
            *_ellipses(errors=True),
            *_ISLAND,
            *_END,
        ),
    }
    marks: ClassVar[Marks] = {
        "components": frozenset({"Gaus_id", "Isl_id", "RA", "DEC"}),
        "sources": frozenset({"Source_id", "Isl_id", "RA", "DEC"}),
    }
    suffixes = (".fits", ".fit", ".fts", ".csv", ".srl", ".gaul", ".txt")
    sky = ("RA", "DEC")

    def complete(self, kind: TableName, filled: Filled, foreign: Foreign) -> None:
        """Add the frequency of the header, and what the code of the structure tells of a source."""
        frequency = _frequency(foreign)
        filled["frequency"] = np.full(len(foreign), frequency)
        if kind == "sources" and "structure" in filled:
            single = np.isin(filled["structure"], ["S", "C"])
            filled["n_components"] = np.where(single, 1, 0)
            filled["n_islands"] = np.ones(len(foreign), dtype=np.int64)
        if kind == "components" and "Wave_id" in foreign.columns:
            _number_anew(filled, foreign)

    def save(self, columns: Columns, table: Table, container: Written, path: Path) -> None:
        """Write FITS, CSV or text with the header of the program."""
        title = f"{_WORDS[table.kind]} list"
        known = np.unique(table["frequency"][np.isfinite(table["frequency"])])
        frequency = float(known[0]) if len(known) == 1 else None
        if container == "fits":
            cards: list[tuple[str, object, str]] = [("EQUINOX", 2000.0, "Equinox")]
            if frequency is not None:
                cards.append(("FREQ0", frequency, "Reference frequency"))
            save_fits(columns, path, title, cards)
        elif container == "text":
            told = [] if frequency is None else [f"{_REFERENCE} of the detection image: {frequency:.5e} Hz"]
            save_text(columns, path, [title, *told, "Equinox : 2000.0", ""], tabs=False)
        else:
            super().save(columns, table, container, path)

    def fill(self, kind: TableName, table: Table) -> Filled:
        """The structure, `S` where it is not known to be otherwise: the program has no word for that."""
        return {"S_Code": np.where(table["structure"] == "", "S", table["structure"])}


def _number_anew(filled: Filled, foreign: Foreign) -> None:
    """Number the Gaussians from 0 where some of two wavelet scales share a number; both stay as `foreign_id`."""
    numbers = filled.get("component_id")
    if numbers is None or len(np.unique(numbers)) == len(numbers):
        return
    scale = foreign.numbers("Wave_id").astype(np.int64)
    if len(np.unique(np.stack([scale, numbers]), axis=1).T) == len(numbers):
        texts = [np.char.mod("%d", each) for each in (scale, numbers)]
        filled["foreign_id"] = np.strings.add(np.strings.add(texts[0], "_"), texts[1])
        filled["component_id"] = np.arange(len(numbers))


_REFERENCE = "Reference frequency"
_WORDS: dict[TableName, str] = {"sources": "Source", "components": "Gaussian"}


def _frequency(foreign: Foreign) -> float:
    """The frequency (Hz) of the header; NaN where there is none, or none of a radio map."""
    told = foreign.told.get("FREQ0", "")
    match = re.search(rf"{_REFERENCE}.*?:\s*([\d.eE+-]+)\s*Hz", foreign.told.get("comments", ""))
    text = told or (match.group(1) if match else "")
    try:
        value = float(text)
    except ValueError:
        return float("nan")
    return value if RADIO[0] <= value <= RADIO[1] else float("nan")
