"""``skysift convert``: a table in another format, of or for another program, or as regions for a viewer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from skysift import __version__
from skysift.base.errors import OptionError, OutputError, UnknownName, UsageError
from skysift.base.provenance import InputRecord, Provenance
from skysift.base.registry import Registry
from skysift.cli.flags import read_pairs
from skysift.cli.opening import opening
from skysift.flow.products import checksum
from skysift.io.layouts.reading import layout_of, read_any, reader
from skysift.io.regions import write_crtf, write_ds9
from skysift.io.tables import load_table, table_files
from skysift.sky import schema
from skysift.sky.catalogue import Catalogue, TableFormat, table_format
from skysift.sky.table import Table

__all__ = ["convert", "convert_table"]

_REGIONS = {".reg": write_ds9, ".crtf": write_crtf}


def convert(
    catalogue: Annotated[
        Path,
        typer.Argument(
            metavar="CATALOGUE",
            help="A table of skysift or of another program, or an output folder of `skysift find`.",
        ),
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
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="LAYOUT", help="Write it as another program would: pybdsf, casda, ..."),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="LAYOUT", help="What CATALOGUE is, where its content does not tell it."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Choose an option of a layout, such as --set flux_int=S1400; may be given again.",
        ),
    ] = None,
    frequency: Annotated[
        str | None,
        typer.Option(
            "--frequency", metavar="HZ", help="Frequency where CATALOGUE tells none, such as 1.4GHz."
        ),
    ] = None,
    primary_beam: Annotated[
        Path | None,
        typer.Option(
            "--primary-beam", metavar="MAP", help="With --to sdc1: divide the fluxes by this response."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT where it exists.")] = False,
) -> None:
    r"""Write a table in another format: FITS, VOTable, Parquet, CSV, or DS9 or CRTF regions.

    \b
    Examples:
      skysift convert field sources.vot
      skysift convert pybdsf.srl.fits sources.parquet
      skysift convert field components.xml --to casda
      skysift convert field list.txt --to sdc1 --primary-beam beam.fits
      skysift convert list.csv list.fits --from named --set ra=X --set dec=Y --set flux_unit=mJy

    The suffix of OUT tells the format: .fits .vot .parquet .csv .reg .crtf

    Catalogues of other programs are told by their content; their units and conventions become ours. With --to,
    ours become theirs.
    """
    pairs = read_pairs(settings or ())
    if primary_beam is not None:
        if to != "sdc1":
            raise OptionError(
                "--primary-beam is for lists of sdc1 only",
                got="--to none" if to is None else f"--to {to}",
                allowed="--to sdc1",
            )
        pairs["primary_beam"] = str(primary_beam)
    written = convert_table(
        catalogue,
        out,
        table=table,
        overwrite=overwrite,
        to=to,
        layout=layout,
        options=pairs,
        frequency=opening(frequency=frequency)["frequency"],
    )
    told = "" if to is None else f" in the layout {to}"
    print(f"{out}: {len(written)} {written.kind}{told}")


def convert_table(
    source: Path,
    out: Path,
    *,
    table: str | None = None,
    overwrite: bool = False,
    to: str | None = None,
    layout: str | None = None,
    options: Mapping[str, object] | None = None,
    frequency: float | None = None,
) -> Table:
    """The table that was written to `out`, from a table file or an output folder of ``skysift find``.

    Parameters
    ----------
    source, out
        What is read and what is written.
    table
        Which table of a folder.
    overwrite
        Replace `out` where it exists.
    to, layout
        The layouts of `out` and of `source`, where they are not ours and not told by the content.
    options
        Options of these layouts; one that both have is for the one that is written.
    frequency
        Frequency (Hz) of rows that have none.

    Raises
    ------
    UsageError
        There is no such file, or it holds another table than the one asked for.
    UnknownName
        There is no such table or layout, or no format has files that end as `out` does.
    OutputError
        The file exists and `overwrite` is false, or it cannot be written.
    FormatError
        The file or folder holds no table that is known.
    """
    if table is not None and table not in schema.TABLES:
        raise UnknownName("no such table", got=table, allowed=schema.TABLES)
    writing, given = _options_for(to, layout, options or {})
    foreign = None if to is None else reader(to, writing)
    writer = None if foreign is not None or out.suffix.lower() in _REGIONS else _writer(out)
    if out.exists() and not overwrite:
        raise OutputError("the file exists", got=str(out), todo="choose another name, or give --overwrite")
    usual = foreign.tables[0] if foreign is not None and foreign.tables else "sources"
    chosen, provenance = _read(source, table, layout, given, usual)
    if frequency is not None:
        known = np.isfinite(chosen["frequency"])
        chosen = chosen.with_columns({"frequency": np.where(known, chosen["frequency"], frequency)})
    if foreign is not None:
        foreign.write(chosen, out, overwrite=overwrite)
    elif writer is None:
        _REGIONS[out.suffix.lower()](out, chosen, overwrite=overwrite)
    else:
        alone = {kind: chosen if kind == chosen.kind else Table.empty(kind) for kind in schema.TABLES}
        catalogue = Catalogue(alone["islands"], alone["sources"], alone["components"], provenance)
        writer.write(catalogue, out, chosen.kind, overwrite=overwrite)
    return chosen


def _options_for(
    to: str | None, layout: str | None, options: Mapping[str, object]
) -> tuple[dict[str, object], dict[str, object]]:
    """The options of the layout that is written, and those of the one that is read."""
    if not options or to is None:
        return {}, dict(options)
    registry = Registry[object]("layout")
    try:
        known = registry.options(to).model_fields
    except UnknownName:
        raise
    except UsageError:  # it has none
        return {}, dict(options)
    writing = {key: value for key, value in options.items() if key in known or layout is None}
    return writing, {key: value for key, value in options.items() if key not in writing}


def _read(
    source: Path, table: str | None, layout: str | None, options: Mapping[str, object], usual: str
) -> tuple[Table, Provenance | None]:
    """The table to convert and how it was made.

    Raises
    ------
    UsageError
        There is no such file, or it holds another table than the one asked for.
    FormatError
        The file or folder holds no table that is known.
    """
    if not source.exists():
        raise UsageError("no such file or folder", got=str(source))
    name = "skysift" if source.is_dir() else layout or layout_of(source)
    if name == "skysift" and options:
        raise UsageError(
            f"{source} is of skysift, and is read without options",
            got=", ".join(options),
            todo="leave them out",
        )
    if source.is_dir():
        files = {str(kind): file for kind, file in table_files(source).items()}
        return load_table(files[table or usual])
    if name == "skysift":
        found, provenance = load_table(source)
    else:
        found = read_any(source, layout or name or None, options)
        record = InputRecord(source.name, checksum(source), size=source.stat().st_size)
        provenance = Provenance(
            __version__, name, inputs=(record,), notes=(f"read as a catalogue of {name}",)
        )
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
