"""``skysift convert``: a table in another format, or as regions for a viewer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skysift.base.errors import OutputError, UnknownName, UsageError
from skysift.base.provenance import Provenance
from skysift.io.regions import write_crtf, write_ds9
from skysift.io.tables import load_table, table_files
from skysift.sky import schema
from skysift.sky.catalogue import Catalogue, TableFormat, table_format
from skysift.sky.table import Table

__all__ = ["convert", "convert_table"]

_REGIONS = {".reg": write_ds9, ".crtf": write_crtf}


def convert(
    catalogue: Annotated[
        Path, typer.Argument(metavar="CATALOGUE", help="A table file, or an output folder of `skysift find`.")
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The file to write; its suffix tells the format.")
    ],
    table: Annotated[
        str | None,
        typer.Option(
            "--table", metavar="TABLE", help="sources (default), components or islands of a folder."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT where it exists.")] = False,
) -> None:
    """Write a table in another format: FITS, VOTable, Parquet, CSV, or DS9 or CRTF regions.

    The suffix of OUT tells the format: .fits .vot .parquet .csv .reg .crtf
    """
    written = convert_table(catalogue, out, table=table, overwrite=overwrite)
    print(f"{out}: {len(written)} {written.kind}")


def convert_table(source: Path, out: Path, *, table: str | None = None, overwrite: bool = False) -> Table:
    """The table that was written to `out`, from a table file or an output folder of ``skysift find``.

    Raises
    ------
    UsageError
        There is no such file, or it holds another table than the one asked for.
    UnknownName
        There is no such table, or no format has files that end as `out` does.
    OutputError
        The file exists and `overwrite` is false, or it cannot be written.
    FormatError
        The file or folder holds no table of skysift.
    """
    if table is not None and table not in schema.TABLES:
        raise UnknownName("no such table", got=table, allowed=schema.TABLES)
    writer = None if out.suffix.lower() in _REGIONS else _writer(out)
    if out.exists() and not overwrite:
        raise OutputError("the file exists", got=str(out), todo="choose another name, or give --overwrite")
    chosen, provenance = _read(source, table)
    if writer is None:
        _REGIONS[out.suffix.lower()](out, chosen, overwrite=overwrite)
    else:
        alone = {kind: chosen if kind == chosen.kind else Table.empty(kind) for kind in schema.TABLES}
        catalogue = Catalogue(alone["islands"], alone["sources"], alone["components"], provenance)
        writer.write(catalogue, out, chosen.kind, overwrite=overwrite)
    return chosen


def _read(source: Path, table: str | None) -> tuple[Table, Provenance | None]:
    """The table to convert and how it was made.

    Raises
    ------
    UsageError
        There is no such file, or it holds another table than the one asked for.
    FormatError
        The file or folder holds no table of skysift.
    """
    if not source.exists():
        raise UsageError("no such file or folder", got=str(source))
    if source.is_dir():
        files = {str(kind): file for kind, file in table_files(source).items()}
        return load_table(files[table or "sources"])
    found, provenance = load_table(source)
    if table not in (None, found.kind):
        raise UsageError(f"{source} holds the {found.kind}", got=f"--table {table}", todo="leave --table out")
    return found, provenance


def _writer(out: Path) -> TableFormat:
    """The format that the suffix of a file tells.

    Raises
    ------
    UnknownName
        No format has files that end so.
    """
    try:
        return table_format(out)
    except UnknownName as error:
        allowed = f"{error.allowed}, {', '.join(_REGIONS)}"
        raise UnknownName("the suffix of OUT tells no format", got=out.name, allowed=allowed) from error
