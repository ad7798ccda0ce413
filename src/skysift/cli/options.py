"""``skysift options``: the menu of a finder, from the declaration of its options."""

from __future__ import annotations

import inspect
import json
import shutil
import textwrap
from typing import Annotated

import typer

from skysift.base.options import OptionRow, Options
from skysift.base.registry import Registry

__all__ = ["menu_text", "options"]


def options(
    finder: Annotated[
        str | None, typer.Argument(metavar="FINDER", help="Its menu; left out: the list of finders.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON schemas instead of text.")] = False,
) -> None:
    """List what can be chosen for a finder: defaults, units, bounds.

    Choose with `skysift find MAP --set KEY=VALUE`, or write KEY: VALUE lines into a file for --options.
    """
    registry = Registry[object]("finder")
    if as_json:
        names = registry.names() if finder is None else (finder,)
        schemas = {name: registry.options(name).schema() for name in names}
        print(json.dumps(schemas if finder is None else schemas[finder], indent=2))
    elif finder is not None:
        print(menu_text(finder, registry.options(finder), _width()))
    else:
        for name in registry.names():
            print(f"{name:12} {_summary(registry.options(name))}")
        print("\n`skysift options FINDER` lists what can be chosen for it.")


def menu_text(finder: str, menu: type[Options], width: int = 100) -> str:
    """The menu of a finder as text, one paragraph per option, no line longer than `width` characters."""
    head = textwrap.fill(f"{finder}: {_summary(menu)}", width)
    return "\n\n".join([head, *(_paragraph(row, width) for row in menu.rows())])


def _paragraph(row: OptionRow, width: int) -> str:
    default = json.dumps(row.default, default=str).strip('"')
    value = f"{default} {row.unit}".rstrip()
    doc = textwrap.fill(row.doc, width, initial_indent="    ", subsequent_indent="    ")
    return f"{row.name} = {value}    [{row.allowed}]\n{doc}"


def _summary(menu: type[Options]) -> str:
    return (inspect.getdoc(menu) or "").partition("\n")[0]


def _width() -> int:
    return max(40, min(shutil.get_terminal_size((100, 24)).columns, 110))
