"""``skysift options``: the menus of finders, simulators, scorers ..., from the declaration of their options."""

from __future__ import annotations

import difflib
import inspect
import json
import shutil
import textwrap
from typing import Annotated

import typer

from skysift.base.errors import UnknownName
from skysift.base.options import OptionRow, Options
from skysift.base.registry import Registry
from skysift.flow.learning.options import GROUPS, ProbeOptions
from skysift.plugins import PLUGINS

__all__ = ["menu_text", "options"]

_COMMANDS: dict[str, type[Options]] = {"probe": ProbeOptions}  # commands whose options are of no plug-in


def options(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A finder, simulator, scorer ...: its menu; left out: the list of all."
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option("--kind", metavar="KIND", help="Only this kind: finder, simulator, scorer ..."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON schemas instead of text.")] = False,
) -> None:
    """List what can be chosen for a finder, a simulator, a scorer or another plug-in.

    Choose with --set KEY=VALUE of the command that runs it, or write KEY: VALUE lines into a file for --options.
    """
    known = _menus()
    if kind is not None and kind not in known:
        raise UnknownName("no such kind has options", got=kind, allowed=known)
    if kind is not None:
        known = {kind: known[kind]}
    if name is not None and kind is None and name in _COMMANDS:
        menu = _COMMANDS[name]
        print(json.dumps(menu.schema(), indent=2) if as_json else menu_text(name, menu, _width()))
    elif name is not None:
        menu = _menu(name, known)
        print(json.dumps(menu.schema(), indent=2) if as_json else menu_text(name, menu, _width()))
        others = [each for each, names in known.items() if name in names][1:]
        if not as_json and name in known.get("pretraining", ()):
            print(
                "".join(f"\n{menu_text(each, group, _width(), each)}\n" for each, group in GROUPS.items()),
                end="",
            )
        for each in () if as_json else others:
            article = "an" if each[0] in "aeiou" else "a"
            print(f"\nThere is {article} {each} of this name, too: skysift options {name} --kind {each}")
    elif as_json:
        schemas = {
            each: {one: Registry[object](each).options(one).schema() for one in names}
            for each, names in known.items()
        }
        print(json.dumps(schemas, indent=2))
    else:
        for each, names in known.items():
            print(f"{each}s")
            for one in names:
                print(f"  {one:12} {_summary(Registry[object](each).options(one))}")
        if kind is None:
            print("commands")
            for one, menu in _COMMANDS.items():
                print(f"  {one:12} {_summary(menu)}")
        print("\n`skysift options NAME` lists what can be chosen for it.")


def _menus() -> dict[str, tuple[str, ...]]:
    """Kind -> names of the plug-ins that have options."""
    every = {
        kind: tuple(
            name for name in Registry[object](kind).names() if Registry[object](kind).has_options(name)
        )
        for kind in PLUGINS
    }
    return {kind: names for kind, names in every.items() if names}


def _menu(name: str, known: dict[str, tuple[str, ...]]) -> type[Options]:
    """The options of what has this name, of the first kind that has it.

    Raises
    ------
    UnknownName
        Nothing has this name.
    """
    for kind, names in known.items():
        if name in names:
            return Registry[object](kind).options(name)
    every = list(dict.fromkeys(each for names in known.values() for each in names))
    kinds = " or ".join(known)
    near = difflib.get_close_matches(name, every, n=1)
    raise UnknownName(
        f"no {kinds} has this name",
        got=name,
        allowed=every,
        todo=f"did you mean {near[0]!r}?" if near else None,
    )


def menu_text(name: str, menu: type[Options], width: int = 100, group: str = "") -> str:
    """A menu as text, one paragraph per option, no line longer than `width` characters; keys begin with the group."""
    head = textwrap.fill(f"{name}: {_summary(menu)}", width)
    start = f"{group}." if group else ""
    return "\n\n".join([head, *(start + _paragraph(row, width) for row in menu.rows())])


def _paragraph(row: OptionRow, width: int) -> str:
    default = json.dumps(row.default, default=str).strip('"')
    value = f"{default} {row.unit}".rstrip()
    doc = textwrap.fill(row.doc, width, initial_indent="    ", subsequent_indent="    ")
    return f"{row.name} = {value}    [{row.allowed}]\n{doc}"


def _summary(menu: type[Options]) -> str:
    return (inspect.getdoc(menu) or "").partition("\n")[0]


def _width() -> int:
    return max(40, min(shutil.get_terminal_size((100, 24)).columns, 110))
