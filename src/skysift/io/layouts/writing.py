"""Columns of any names into files: FITS, VOTable, CSV and text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from skysift import __version__
from skysift.io.votable import votable_parts
from skysift.sky.schema import Column
from skysift.sky.table import Values

__all__ = ["Columns", "save_csv", "save_fits", "save_text", "save_votable"]

Columns: TypeAlias = Sequence[tuple[Column, Values]]

_FORMATS = {"i": "K", "f": "D", "b": "L"}


def save_fits(
    columns: Columns, path: Path, title: str, cards: Sequence[tuple[str, object, str]] = ()
) -> None:
    """Write a FITS binary table."""
    from astropy.io import fits  # late: options and menus do without

    made = [
        fits.Column(
            each.name,
            f"{max(1, values.dtype.itemsize // 4)}A"
            if values.dtype.kind == "U"
            else _FORMATS[values.dtype.kind],
            each.unit or None,
            array=values,
        )
        for each, values in columns
    ]
    hdu = fits.BinTableHDU.from_columns(made, nrows=len(columns[0][1]))
    for number, (each, _) in enumerate(columns, start=1):
        if each.ucd:
            hdu.header[f"TUCD{number}"] = each.ucd
    for key, value, comment in cards:
        hdu.header[key] = (value, comment)
    hdu.header["HISTORY"] = f"{title}; written by skysift {__version__}"
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path, output_verify="exception")


def save_votable(
    columns: Columns,
    path: Path,
    title: str,
    name: str,
    sky: tuple[str, str],
    infos: Sequence[tuple[str, str]] = (),
) -> None:
    """Write a VOTable whose position columns are `sky`."""
    told = [("creator_program", f"skysift {__version__}"), *infos]
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(votable_parts(columns, name, title, told, sky))


def save_csv(columns: Columns, path: Path) -> None:
    """Write a CSV: a line of names, then a line a row, all digits, NaN as an empty cell."""
    import pyarrow as pa  # late: it is slow to import
    import pyarrow.csv as pc

    arrays = []
    for _, values in columns:
        blank = np.isnan(values) if values.dtype.kind == "f" else None
        arrays.append(pa.array(values, mask=blank))
    pc.write_csv(
        pa.table(arrays, names=[each.name for each, _ in columns]),
        path,
        pc.WriteOptions(quoting_style="needed"),
    )


def save_text(
    columns: Columns,
    path: Path,
    comments: Sequence[str],
    *,
    tabs: bool,
    names: Sequence[str] = (),
    bare: bool = False,
) -> None:
    """Write a text: comments, a line of names, then a line a row, all digits, NaN as ``nan``.

    Parameters
    ----------
    columns
        Declarations and values.
    path
        The file.
    comments
        Lines before the names, without their ``#``.
    tabs
        Tabs between the words; else blanks that make columns.
    names
        Other names for the columns, such as those with a unit behind them.
    bare
        The line of names without ``#``.
    """
    import pyarrow as pa  # late: it is slow to import
    import pyarrow.compute as pc

    heads = list(names) or [each.name for each, _ in columns]
    mark = "" if bare else "# "
    cells = []
    for head, (_, values) in zip(heads, columns, strict=True):
        text = pc.cast(pa.array(values), pa.string())
        if values.dtype.kind == "f":
            text = pc.if_else(pa.array(np.isnan(values)), "nan", text)
        if not tabs:
            text = pc.if_else(pc.equal(text, ""), "--", text)
            widest = pc.max(pc.utf8_length(text)).as_py() or 0
            text = pc.utf8_lpad(text, max(widest, len(head)))
        cells.append(text)
    rows = pc.binary_join_element_wise(*cells, "\t" if tabs else " ").to_pylist()
    if not tabs:
        widths = [len(cell[0].as_py()) if len(cell) else 0 for cell in cells]
        heads = [head.rjust(width) for head, width in zip(heads, widths, strict=True)]
    first = ("\t" if tabs else " ").join(heads)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"# {line}\n" if line else "#\n" for line in comments)
        file.write(f"{mark}{first}\n")
        file.writelines(f"{row if bare or tabs else f'  {row}'}\n" for row in rows)
