"""Catalogue rows as a person reads them: handy units, errors with two digits, sexagesimal positions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skysift.flow.style import prefixed
from skysift.sky.catalogue import Catalogue
from skysift.sky.flags import FLAGS, describe, has
from skysift.sky.table import Table

__all__ = [
    "DASH",
    "MINUS",
    "Cell",
    "FlagRow",
    "Head",
    "Listing",
    "angle_unit",
    "flag_rows",
    "listing_of",
    "sexagesimal",
    "source_listing",
    "to_three_digits",
    "with_error",
    "with_its_error",
]

MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"


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
    size, size_unit = angle_unit(some["major_deconv"])
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
        Head("components"),
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
                Cell(f"{value['structure']} {value.get('morphology', '')}".strip()),
                Cell(str(value["n_components"])),
                Marks(tuple(describe(int(value["flags"])))),
            )
        )
    return Listing(heads, tuple(listed), lead)


def listing_of(
    some: Table,
    columns: Mapping[str, Callable[[int], Cell]],
    lead: str = "",
    *,
    texts: tuple[str, ...] = (),
) -> Listing:
    """Name and place of each row, then the columns wanted, then its flags.

    Parameters
    ----------
    some
        Rows of a table, in the order to show.
    columns
        Heading -> the cell of a row.
    lead
        A sentence to put before it.
    texts
        Headings of columns that are set to the left.
    """
    on_sky = bool(np.isfinite(some["ra"]).any())
    places = ("RA", "Dec") if on_sky else ("x [px]", "y [px]")
    heads = (
        Head("name", text=True),
        *(Head(each) for each in places),
        *(Head(title, text=title in texts) for title in columns),
        Head("flags", text=True),
    )
    listed: list[tuple[Cell | Marks, ...]] = []
    for row in range(len(some)):
        place = (
            (sexagesimal(some["ra"][row] / 15, 2), sexagesimal(some["dec"][row], 1, signed=True))
            if on_sky
            else (f"{some['x'][row]:.2f}", f"{some['y'][row]:.2f}")
        )
        cells = [
            Cell(str(some["name"][row]) or str(some.ids[row])),
            *(Cell(each) for each in place),
            *(make(row) for make in columns.values()),
        ]
        listed.append((*cells, Marks(tuple(describe(int(some["flags"][row]))))))
    return Listing(heads, tuple(listed), lead)


def with_its_error(some: Table, name: str, factor: float = 1.0) -> Callable[[int], Cell]:
    """What makes the cell of a row: a value with its error."""

    def cell(row: int) -> Cell:
        told = with_error(some[name][row] * factor, some[f"{name}_err"][row] * factor)
        return Cell(told.value.replace("-", MINUS), told.error)

    return cell


def to_three_digits(some: Table, name: str, factor: float = 1.0) -> Callable[[int], Cell]:
    """What makes the cell of a row: a value to three digits, a dash where there is none."""

    def cell(row: int) -> Cell:
        value = float(some[name][row]) * factor
        return Cell(f"{value:.3g}" if np.isfinite(value) else DASH)

    return cell


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


def angle_unit(arcsec: NDArray[np.float64]) -> tuple[float, str]:
    """Factor and name of the unit that suits some angles."""
    finite = arcsec[np.isfinite(arcsec) & (arcsec > 0)]
    typical = float(np.median(finite)) if finite.size else 1.0
    if typical > 600:
        return 1 / 60, "arcmin"
    return (1.0, "arcsec") if typical > 0.05 else (1000.0, "mas")
