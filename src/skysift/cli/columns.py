"""``skysift columns``: the columns of the tables, from the declaration of the schema."""

from __future__ import annotations

import json
import shutil
import textwrap
from dataclasses import asdict
from typing import Annotated

import typer

from skysift.sky import schema
from skysift.sky.flags import FLAGS
from skysift.sky.schema import Column

__all__ = ["columns", "columns_text"]


def columns(
    table: Annotated[
        str | None, typer.Argument(metavar="[TABLE]", help="islands, sources or components; left out: all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """List the columns of the tables: unit, UCD, meaning.

    Those at the end, from `class` on, are in a table only where what made it knows them, such as a made sky.
    The bits of the column `flags` are listed below them.
    """
    every = (*schema.COLUMNS, *schema.FURTHER)
    declared = every if table is None else (*schema.columns(table), *schema.further(table))
    if as_json:
        bits = [{"name": each.name, "value": each.value, "meaning": each.meaning} for each in FLAGS]
        print(json.dumps({"columns": [_record(each) for each in declared], "flags": bits}, indent=2))
    else:
        print(columns_text(declared, width=max(60, min(shutil.get_terminal_size((100, 24)).columns, 110))))


def columns_text(declared: tuple[Column, ...], width: int = 100) -> str:
    """The columns as text, two lines or more each, and the flags below; no line is longer than `width`."""
    blocks = [_paragraph(each, width) for each in declared]
    bits = [_filled(f"{each.value:>8}  {each.name}: {each.meaning}", width, 10) for each in FLAGS]
    return "\n".join([*blocks, "", "Bits of the column flags", *bits])


def _paragraph(each: Column, width: int) -> str:
    unit = f" [{each.unit}]" if each.unit else ""
    head = f"{each.name}{unit}  {each.dtype}  {each.ucd}  ({', '.join(each.tables)})"
    return f"{_filled(head, width, 4)}\n{_filled('    ' + each.meaning, width, 4)}"


def _filled(text: str, width: int, indent: int) -> str:
    return textwrap.fill(text, width, subsequent_indent=" " * indent, break_on_hyphens=False)


def _record(each: Column) -> dict[str, object]:
    return {**asdict(each), "tables": list(each.tables)}
