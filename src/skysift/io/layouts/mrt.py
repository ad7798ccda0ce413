"""Machine-readable tables, as CDS and the journals of the AAS take them: fixed columns, described byte by byte."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from skysift import __version__
from skysift.io.layouts.declared import DeclaredLayout, Marks, Place, Places, Written
from skysift.io.layouts.writing import Columns
from skysift.sky import schema
from skysift.sky.schema import Column, TableName
from skysift.sky.table import Table, Values

__all__ = ["MrtLayout"]

_WIDTH = 80  # characters of a line of the description
_FIGURES = 6  # of the smallest number of a column
_DIGITS = 15  # of a number before it is written with an exponent
_FIXED = {"RAdeg": 7, "DEdeg": 7, "Freq": 6}  # decimals
_FLUX = "mJy"  # of a brightness too: the units of CDS have no beam

_LABELS: dict[str, tuple[str, str]] = {
    "component_id": ("Comp", ""), "source_id": ("Source", ""), "island_id": ("Island", ""), "name": ("Name", ""),
    "ra": ("RAdeg", "deg"), "dec": ("DEdeg", "deg"), "ra_err": ("e_RAdeg", "arcsec"), "dec_err": ("e_DEdeg", "arcsec"),
    "x": ("Xpos", "pix"), "y": ("Ypos", "pix"), "x_err": ("e_Xpos", "pix"), "y_err": ("e_Ypos", "pix"),
    "x_min": ("Xmin", "pix"), "x_max": ("Xmax", "pix"), "y_min": ("Ymin", "pix"), "y_max": ("Ymax", "pix"),
    "n_pixels": ("Npix", ""), "n_beams": ("Nbeam", ""),
    "flux_peak": ("Fpeak", _FLUX), "flux_peak_err": ("e_Fpeak", _FLUX),
    "flux_int": ("Fint", _FLUX), "flux_int_err": ("e_Fint", _FLUX),
    "flux_beam": ("Fbeam", _FLUX), "flux_beam_err": ("e_Fbeam", _FLUX),
    "flux": ("Flux", _FLUX), "flux_err": ("e_Flux", _FLUX),
    "major": ("Maj", "arcsec"), "major_err": ("e_Maj", "arcsec"),
    "minor": ("Min", "arcsec"), "minor_err": ("e_Min", "arcsec"),
    "pa": ("PA", "deg"), "pa_err": ("e_PA", "deg"),
    "major_deconv": ("MajDec", "arcsec"), "major_deconv_err": ("e_MajDec", "arcsec"),
    "minor_deconv": ("MinDec", "arcsec"), "minor_deconv_err": ("e_MinDec", "arcsec"),
    "pa_deconv": ("PADec", "deg"),
    "resolved": ("Res", ""), "rms": ("rms", _FLUX), "background": ("Bkg", _FLUX), "snr": ("SNR", ""),
    "n_components": ("Ncomp", ""), "n_islands": ("Nisl", ""), "n_sources": ("Nsrc", ""),
    "structure": ("Str", ""), "frequency": ("Freq", "MHz"), "flags": ("Flags", ""),
}  # fmt: skip


def _places(kind: TableName) -> tuple[Place, ...]:
    own = schema.names(kind)
    return tuple(
        Place(label, ours, unit, needed=ours in ("ra", "dec"))
        for ours, (label, unit) in _LABELS.items()
        if ours in own
    )


class MrtLayout(DeclaredLayout):
    """Fixed-width text with a byte-by-byte description, as CDS and the AAS publish tables; names follow CDS.

    Fluxes are in mJy, and brightness too, per beam, since the units of CDS have no beam. Numbers have six
    figures at least, positions seven decimals; what is not known is blank. Tables of other authors are read by
    the layout ``named``.
    """

    name = "cds-mrt"
    title = "CDS and AAS machine-readable tables"
    places: ClassVar[Places] = {kind: _places(kind) for kind in ("sources", "components", "islands")}
    marks: ClassVar[Marks] = {
        "components": frozenset({"Comp", "RAdeg", "DEdeg", "Fpeak"}),
        "sources": frozenset({"Source", "RAdeg", "DEdeg", "Fpeak", "Nisl"}),
        "islands": frozenset({"Island", "RAdeg", "DEdeg", "Fpeak", "Npix"}),
    }
    suffixes = (".mrt", ".dat", ".txt")
    sky = ("RAdeg", "DEdeg")

    def save(self, columns: Columns, table: Table, container: Written, path: Path) -> None:
        """Write the description and the rows."""
        kind = table.kind
        cells = [_cells(each, values) for each, values in columns]
        with path.open("w", encoding="ascii", newline="\n") as file:
            file.write(
                f"Title: The {kind} of a catalogue\nAuthors: written by skysift {__version__}\nTable: {kind}\n"
            )
            file.write(
                "=" * _WIDTH + f"\nByte-by-byte Description of file: {path.name.strip('.').split('.')[0]}\n"
            )
            file.write(
                "-" * _WIDTH + "\n   Bytes Format Units   Label     Explanations\n" + "-" * _WIDTH + "\n"
            )
            start = 1
            for (each, _), (text, form) in zip(columns, cells, strict=True):
                end = start + _width(text, form) - 1
                file.writelines(f"{line}\n" for line in _description(each, text, form, start, end))
                start = end + 2
            file.write("-" * _WIDTH + "\n")
            file.writelines(
                f"{row}\n" for row in _rows([text for text, _ in cells], [form for _, form in cells])
            )


def _cells(each: Column, values: Values) -> tuple[Values, str]:
    """The texts of a column and their format: A12, I4, F9.3 or E13.5; blank where nothing is known."""
    if values.dtype.kind == "U":
        return values, f"A{max(1, int(np.max(np.strings.str_len(values), initial=1)))}"
    if values.dtype.kind in "iub":
        text = np.char.mod("%d", values.astype(np.int64))
        return text, f"I{_longest(text)}"
    known = np.isfinite(values)
    numbers = np.where(known, values, 0.0)
    decimals = _FIXED.get(each.name, _decimals(numbers))
    form, letter = f"%.{decimals}f", "F"
    if decimals + len(f"{np.max(np.abs(numbers), initial=0.0):.0f}") > _DIGITS:
        form, letter, decimals = f"%.{_FIGURES - 1}e", "E", _FIGURES - 1
    text = np.where(known, np.char.mod(form, numbers), "")
    return text, f"{letter}{_longest(text, decimals + 2)}.{decimals}"


def _decimals(numbers: NDArray[np.float64]) -> int:
    """Decimals that leave the smallest of the numbers its figures."""
    sizes = np.abs(numbers[numbers != 0])
    return int(max(1, _FIGURES - 1 - np.floor(np.log10(sizes.min())))) if sizes.size else 1


def _longest(text: Values, least: int = 1) -> int:
    return max(least, int(np.max(np.strings.str_len(text), initial=1)))


def _width(text: Values, form: str) -> int:
    return max(int(form[1:].partition(".")[0]), _longest(text))


def _description(each: Column, text: Values, form: str, start: int, end: int) -> Iterator[str]:
    """The lines that describe a column; a question mark where some of its values may be blank."""
    where = f"{end:8d}" if start == end else f"{start:4d}-{end:3d}"
    blank = "? " if not len(text) or np.any(text == "") else ""
    head = f"{where} {form:<6} {each.unit or '---':<7} {each.name:<9} "
    lines = textwrap.wrap(f"{blank}{each.meaning}", _WIDTH - len(head)) or [""]
    yield f"{head}{lines[0]}".rstrip()
    yield from (f"{'':{len(head)}}{line}" for line in lines[1:])


def _rows(columns: list[Values], forms: list[str]) -> Iterator[str]:
    """The rows, texts at the left of their bytes, numbers at the right."""
    import pyarrow as pa  # late: it is slow to import
    import pyarrow.compute as pc

    cells = []
    for text, form in zip(columns, forms, strict=True):
        pad = pc.utf8_rpad if form[0] == "A" else pc.utf8_lpad
        cells.append(pad(pa.array(text, type=pa.string()), _width(text, form)))
    yield from pc.binary_join_element_wise(*cells, " ").to_pylist()
