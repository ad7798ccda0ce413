"""Catalogue rows as a person reads them: handy units, errors with two digits, sexagesimal positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skysift.flow.style import prefixed
from skysift.sky.catalogue import Catalogue
from skysift.sky.flags import FLAGS, describe, has
from skysift.sky.table import Table

__all__ = [
    "Cell",
    "FlagRow",
    "Head",
    "Listing",
    "flag_rows",
    "sexagesimal",
    "source_listing",
    "with_error",
]


@dataclass(frozen=True)
class Head:
    """Heading of a column of a listing; `text` columns are set to the left."""

    title: str
    text: bool = False


@dataclass(frozen=True)
class Cell:
    """One value, with its error where it has one."""

    value: str
    error: str = ""


@dataclass(frozen=True)
class Marks:
    """The flags of one row, by name."""

    flags: tuple[str, ...]


@dataclass(frozen=True)
class Listing:
    """A table of a page: headings, rows of cells, and a sentence before it."""

    heads: tuple[Head, ...]
    rows: tuple[tuple[Cell | Marks, ...], ...]
    lead: str = ""


@dataclass(frozen=True)
class FlagRow:
    """One flag that occurs: how often, and what it means."""

    name: str
    meaning: str
    sources: int
    components: int


def flag_rows(catalogue: Catalogue) -> tuple[FlagRow, ...]:
    """The flags that occur in a catalogue, in the order of their bits."""
    rows = []
    for each in FLAGS:
        sources = int(has(catalogue.sources["flags"], each.name).sum())
        components = int(has(catalogue.components["flags"], each.name).sum())
        if sources or components:
            rows.append(FlagRow(each.name, each.meaning, sources, components))
    return tuple(rows)


def source_listing(sources: Table, rows: NDArray[np.int64], lead: str = "") -> Listing:
    """Some rows of the table of sources.

    Parameters
    ----------
    sources
        The table.
    rows
        Which rows, in the order to show.
    lead
        A sentence to put before it.
    """
    some = sources.select(rows)
    on_sky = bool(np.isfinite(some["ra"]).any())
    peak, peak_unit = prefixed("Jy/beam", some["flux_peak"])
    flux, flux_unit = prefixed("Jy", some["flux"])
    size, size_unit = _angle_unit(some["major_deconv"])
    places = (Head("RA"), Head("Dec")) if on_sky else (Head("x [px]"), Head("y [px]"))
    heads = (
        Head("name", text=True),
        *places,
        Head(f"peak [{peak_unit}]"),
        Head(f"flux [{flux_unit}]"),
        Head("S/N"),
        Head(f"deconvolved [{size_unit}]"),
        Head("PA [deg]"),
        Head("type", text=True),
        Head("parts"),
        Head("flags", text=True),
    )
    listed = []
    for row in range(len(some)):
        value = {name: some[name][row] for name in some}
        place = (
            (Cell(sexagesimal(value["ra"] / 15, 2)), Cell(sexagesimal(value["dec"], 1, signed=True)))
            if on_sky
            else (Cell(f"{value['x']:.2f}"), Cell(f"{value['y']:.2f}"))
        )
        resolved = bool(value["resolved"]) and value["major_deconv"] > 0
        listed.append(
            (
                Cell(str(value["name"]) or str(value["source_id"])),
                *place,
                with_error(value["flux_peak"] * peak, value["flux_peak_err"] * peak),
                with_error(value["flux"] * flux, value["flux_err"] * flux),
                Cell(f"{value['snr']:.1f}"),
                Cell(
                    f"{value['major_deconv'] * size:.3g} \u00d7 {value['minor_deconv'] * size:.3g}"
                    if resolved
                    else "\u2013"
                ),
                Cell(
                    f"{value['pa_deconv']:.0f}" if resolved and np.isfinite(value["pa_deconv"]) else "\u2013"
                ),
                Cell(str(value["structure"])),
                Cell(str(value["n_components"])),
                Marks(tuple(describe(int(value["flags"])))),
            )
        )
    return Listing(heads, tuple(listed), lead)


def with_error(value: float, error: float) -> Cell:
    """A value and its error, both to the second digit of the error; a value alone to four digits."""
    if not np.isfinite(value):
        return Cell("\u2013")
    if not (np.isfinite(error) and error > 0):
        return Cell(f"{value:.4g}")
    places = max(0, 1 - int(np.floor(np.log10(error))))
    if places > 8:
        return Cell(f"{value:.4g}", f"{error:.2g}")
    return Cell(f"{value:.{places}f}", f"{error:.{places}f}")


def sexagesimal(value: float, places: int, *, signed: bool = False) -> str:
    """Hours or degrees with minutes and seconds, `places` digits behind the point of the seconds, rounded."""
    if not np.isfinite(value):
        return "\u2013"
    steps = round(abs(value) * 3600 * 10**places)
    if not signed:
        steps %= 24 * 3600 * 10**places
    whole, part = divmod(steps, 10**places)
    minutes, seconds = divmod(whole, 60)
    first, minutes = divmod(minutes, 60)
    sign = ("\u2212" if value < 0 else "+") if signed else ""
    return f"{sign}{first:02d}:{minutes:02d}:{seconds:02d}" + (f".{part:0{places}d}" if places else "")


def _angle_unit(arcsec: NDArray[np.float64]) -> tuple[float, str]:
    """Factor and name of the unit that suits some angles."""
    finite = arcsec[np.isfinite(arcsec) & (arcsec > 0)]
    typical = float(np.median(finite)) if finite.size else 1.0
    if typical > 600:
        return 1 / 60, "arcmin"
    return (1.0, "arcsec") if typical > 0.05 else (1000.0, "mas")
