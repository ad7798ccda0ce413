"""CAESAR: text tables of islands and of fitted components."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from skysift.io.layouts.containers import Foreign
from skysift.io.layouts.declared import DeclaredLayout, Filled, Marks, Place, Places, Written
from skysift.io.layouts.rank import numbers_in, rank_within
from skysift.io.layouts.writing import Columns, save_text
from skysift.sky.schema import TableName
from skysift.sky.table import Table

__all__ = ["CaesarLayout"]


def _ellipse(prefix: str, ours: str, unit: str, *, errors: bool) -> Iterator[Place]:
    """Axes and angle, and their errors behind them; with empty `ours` columns without a place in the schema."""
    names = ("major", "minor", "pa")
    for end in ("", "_err") if errors else ("",):
        for theirs, name in zip(("bmaj", "bmin", "pa"), names, strict=True):
            place = "" if ours == "-" else f"{name}{ours}{end}"
            yield Place(f"{theirs}{prefix}{end}", place, "deg" if theirs == "pa" else unit)


class CaesarLayout(DeclaredLayout):
    """Islands or components of CAESAR: brightness in Jy/beam, GHz, pixels from 0, axes in arcsec, tabs between.

    An island has a name that ends in its number; components are numbered within it. Sums over an island's
    pixels come with the background: here they are above it, `flux_int` is the sum by the beam's area (its
    error is that of the fitted flux), noise and background are the means. ``S(Jy/beam)``, as an option of
    CAESAR writes it, is divided by that area too.
    """

    name = "caesar"
    title = "CAESAR"
    places: ClassVar[Places] = {
        "components": (
            Place("name", "island_id", dtype="str", needed=True, special=True),
            Place("npix", dtype="int64"),
            Place("componentId", dtype="int64", needed=True),
            Place("iauName", "name"),
            Place("x", "x", "pixel"),
            Place("y", "y", "pixel"),
            Place("x_err", "x_err", "pixel"),
            Place("y_err", "y_err", "pixel"),
            Place("x_wcs", "ra", "deg", needed=True),
            Place("y_wcs", "dec", "deg", needed=True),
            Place("x_wcs_err", "ra_err", "deg"),
            Place("y_wcs_err", "dec_err", "deg"),
            Place("nu", "frequency", "GHz"),
            Place("Speak", "flux_peak", "Jy/beam", needed=True),
            Place("Speak_err", "flux_peak_err", "Jy/beam"),
            Place("S", "flux_int", "Jy", needed=True, special=True),
            Place("S_err", "flux_int_err", "Jy", special=True),
            Place("S_island", unit="Jy"),
            Place("S_island_err", unit="Jy"),
            Place("beamArea"),
            *_ellipse("", "-", "pixel", errors=True),
            *_ellipse("_wcs", "", "arcsec", errors=True),
            *_ellipse("_beam", "-", "arcsec", errors=False),
            *_ellipse("_deconv_wcs", "_deconv", "arcsec", errors=False),
            Place("fitBeamEllipseEccentricityRatio"),
            Place("fitBeamEllipseAreaRatio"),
            Place("fitBeamEllipseRotAngle", unit="deg"),
            Place("bkgSum", "background", "Jy/beam", special=True),
            Place("rmsSum", "rms", "Jy/beam", special=True),
            Place("chi2"),
            Place("ndf"),
            Place("fitQuality", dtype="int64", constant=2),
            Place("sourcenessId", dtype="int64", constant=1),
            Place("morphId", dtype="int64"),
        ),
        "islands": (
            Place("name", "island_id", dtype="str", needed=True, special=True),
            Place("iauName", "name"),
            Place("npix", "n_pixels", needed=True),
            Place("nComponents", "n_components"),
            Place("nNestedSources", dtype="int64"),
            Place("x", unit="pixel"),
            Place("y", unit="pixel"),
            Place("x_w", "x", "pixel"),
            Place("y_w", "y", "pixel"),
            Place("x_wcs", unit="deg"),
            Place("y_wcs", unit="deg"),
            Place("x_w_wcs", "ra", "deg", needed=True),
            Place("y_w_wcs", "dec", "deg", needed=True),
            Place("xmin", "x_min"),
            Place("xmax", "x_max"),
            Place("ymin", "y_min"),
            Place("ymax", "y_max"),
            *(Place(f"{side}_wcs", unit="deg") for side in ("xmin", "xmax", "ymin", "ymax")),
            Place("nu", "frequency", "GHz"),
            Place("Stot", "flux_int", "Jy/beam", needed=True, special=True),
            Place("Smax", "flux_peak", "Jy/beam", needed=True, special=True),
            Place("S", unit="Jy"),
            Place("Serr", "flux_int_err", "Jy", special=True),
            Place("beamArea", "n_beams", needed=True, special=True),
            Place("bkgSum", "background", "Jy/beam", special=True),
            Place("rmsSum", "rms", "Jy/beam", special=True),
            Place("morphId", dtype="int64"),
            Place("sourcenessId", dtype="int64", constant=1),
            Place("isGoodSource", dtype="int64", constant=1),
            Place("sourceNestedLevel", dtype="int64"),
        ),
    }
    marks: ClassVar[Marks] = {
        "components": frozenset({"name", "componentId", "x_wcs", "y_wcs", "Speak"}),
        "islands": frozenset({"name", "npix", "nNestedSources", "Stot", "Smax"}),
    }
    suffixes = (".dat", ".txt")
    sky = ("x_wcs", "y_wcs")

    def complete(self, kind: TableName, filled: Filled, foreign: Foreign) -> None:
        """Numbers out of the names; sums as means, and above the background."""
        text = foreign.texts("name")
        filled["island_id"] = numbers_in(text)
        area, pixels = _positive(foreign.numbers("beamArea")), _positive(foreign.numbers("npix"))
        level = foreign.numbers("bkgSum") / pixels
        filled["background"], filled["rms"] = level, foreign.numbers("rmsSum") / pixels
        if kind == "islands":
            filled["foreign_id"] = text
            filled["n_beams"] = pixels / area
            known = np.where(np.isnan(level), 0.0, level)
            summed = (foreign.numbers("Stot") - known * pixels) / area
            fitted, error = foreign.numbers("S"), foreign.numbers("Serr")
            filled["flux_int"] = np.where(np.isnan(summed), fitted, summed)
            filled["flux_int_err"] = np.where(error > 0, error, np.nan)
            filled["flux_peak"] = foreign.numbers("Smax") - known
            return
        filled["foreign_id"] = np.strings.add(np.strings.add(text, "_"), foreign.texts("componentId"))
        for theirs, ours in (("S", "flux_int"), ("S_err", "flux_int_err")):
            each = foreign.columns.get(theirs)
            per_beam = each is not None and (each.unit or "").lower().endswith("beam")
            filled[ours] = foreign.numbers(theirs) / (area if per_beam else 1.0)

    def fill(self, kind: TableName, table: Table) -> Filled:
        """Names of islands, numbers within them; means as sums."""
        islands = table["island_id"]
        made: Filled = {"name": np.strings.add("S", np.char.mod("%d", islands))}
        if kind == "components":
            return made | {
                "componentId": rank_within(islands) + 1,
                "S": table["flux_int"],
                "S_err": table["flux_int_err"],
                "npix": np.ones(len(table), dtype=np.int64),
                "bkgSum": table["background"],
                "rmsSum": table["rms"],
            }
        pixels = table["n_pixels"].astype(np.float64)
        area = pixels / np.where(table["n_beams"] > 0, table["n_beams"], np.nan)
        level = np.where(np.isnan(table["background"]), 0.0, table["background"])
        return made | {
            "beamArea": area,
            "S": table["flux_int"],
            "Serr": table["flux_int_err"],
            "Stot": table["flux_int"] * area + level * pixels,
            "Smax": table["flux_peak"] + level,
            "bkgSum": table["background"] * pixels,
            "rmsSum": table["rms"] * pixels,
        }

    def save(self, columns: Columns, table: Table, container: Written, path: Path) -> None:
        """Write the text, units in brackets behind the names."""
        comments = ["---- CAESAR ----", f"{table.kind}, as CAESAR lays them out", "---- HEADER ----"]
        heads = [
            f"{each.name}({each.unit})" if each.unit not in ("", "pixel") else each.name
            for each, _ in columns
        ]
        save_text(columns, path, comments, tabs=True, names=heads)


def _positive(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers that something may be divided by; NaN for the others."""
    return np.where(numbers > 0, numbers, np.nan)
