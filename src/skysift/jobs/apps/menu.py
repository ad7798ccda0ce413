"""`AppMenu`: which apps there are, what each can be told, and what a person chose, checked; no app is loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast

from skysift.base.errors import OptionError, UnknownName
from skysift.base.options import Options, file_options
from skysift.base.registry import Registry
from skysift.base.settings import settings
from skysift.jobs.apps.app import App
from skysift.jobs.job import Input
from skysift.jobs.options import MatchedOptions, ProductsOptions

__all__ = [
    "app_names",
    "app_options",
    "beside_of",
    "chosen",
    "family_part",
    "finder_of",
    "load_app",
    "needs_of",
    "part_of",
    "program_of",
    "with_paths",
]

FAMILIES: dict[str, type[Options]] = {"finder": ProductsOptions, "matcher": MatchedOptions}
"""Kinds of plug-ins each of which is an app, and what they are told beside their own options."""

INPUT = "input:"


def app_names() -> tuple[str, ...]:
    """Every app that can run here: one for each finder and matcher, and those of the index."""
    families = (f"{kind}:{name}" for kind in FAMILIES for name in Registry[Any](kind).names())
    others = (name for name in Registry[Any]("app").names() if name not in FAMILIES)
    return (*families, *(name for name in others if _is_here(name)))


def part_of(app: str, kind: str) -> str | None:
    """The plug-in of a kind that an app runs; None where it runs none."""
    family, _, name = app.partition(":")
    return name if family == kind and name else None


def finder_of(app: str) -> str | None:
    """The finder that an app runs; None where it runs none."""
    return part_of(app, "finder")


def program_of(app: str) -> str | None:
    """The program of another environment that an app runs, by its name among the settings; None for none.

    Raises
    ------
    UnknownName
        There is no such app.
    """
    program: str | None = getattr(app_options(app), "program", None)
    return program


def needs_of(app: str) -> Mapping[str, tuple[int, int | None]]:
    """How many inputs of each role an app needs, at least and at most, as its menu says in `needs`.

    Raises
    ------
    UnknownName
        There is no such app.
    """
    needs: Mapping[str, tuple[int, int | None]] = getattr(app_options(app), "needs", {})
    return needs


def beside_of(app: str) -> Mapping[str, tuple[int, int | None]]:
    """How many inputs an app takes beside a single map, by their roles, as its menu says in `beside`.

    Raises
    ------
    UnknownName
        There is no such app.
    """
    roles: Mapping[str, tuple[int, int | None]] = getattr(app_options(app), "beside", {})
    return roles


def _is_here(app: str) -> bool:
    program = program_of(app)
    return program is None or program in settings().programs


@cache
def app_options(app: str) -> type[Options]:
    """The options of an app; those of a finder are what is written and then the finder's own.

    Raises
    ------
    UnknownName
        There is no such app.
    """
    for kind, written in FAMILIES.items():
        name = part_of(app, kind)
        if name is not None:
            menu = Registry[Any](kind).options(name)
            told = {"__doc__": menu.__doc__ or name, "__module__": __name__}
            made = type(f"{menu.__name__.removesuffix('Options')}AppOptions", (menu, written), told)
            return cast("type[Options]", made)
    if app in FAMILIES or app not in Registry[Any]("app").names():
        raise UnknownName("no such app", got=app, allowed=app_names())
    return Registry[Any]("app").options(app)


def load_app(app: str, options: Options) -> App[Any]:
    """The app, born with its options; what it needs is imported now.

    Raises
    ------
    UnknownName
        There is no such app.
    UsageError
        The extra that it needs is not installed.
    """
    name = next((kind for kind in FAMILIES if part_of(app, kind) is not None), app)
    made: App[Any] = Registry[Any]("app").load(name)(options)
    return made


def family_part(app: str, kind: str, options: Options) -> tuple[str, Any, dict[str, Any]]:
    """The name of the plug-in that an app of a family runs, the plug-in, and what the app is told beside its options.

    Raises
    ------
    OptionError
        The app names none.
    """
    name = part_of(app, kind)
    if name is None:
        raise OptionError(f"no {kind} is named", got=app)
    values = options.to_dict()
    own = Registry[Any](kind).options(name)
    plugin = Registry[Any](kind).load(name)(own(**{each: values[each] for each in own.model_fields}))
    return name, plugin, {each: values[each] for each in FAMILIES[kind].model_fields}


def chosen(app: str, values: Mapping[str, Any], inputs: Sequence[Input]) -> dict[str, Any]:
    """The options of an app, defaults included, for what a person chose; checked.

    Raises
    ------
    UnknownName
        There is no such app.
    OptionError
        An option does not exist or is not allowed, names a file that is none of the inputs, or does nothing with them.
    """
    menu = app_options(app)
    given = menu.parse(values)
    goes_with = getattr(given, "goes_with", None)
    if goes_with is not None:
        goes_with(Counter(each.role for each in inputs))
    options = given.to_dict()
    _resolved(menu, options, inputs)
    return options


def with_paths(app: str, values: Mapping[str, Any], inputs: Sequence[Input]) -> Options:
    """The options with the paths of the inputs in place of their names, for the worker.

    Raises
    ------
    OptionError
        An option names none of the inputs.
    """
    menu = app_options(app)
    return menu(**_resolved(menu, values, inputs))


def _resolved(menu: type[Options], values: Mapping[str, Any], inputs: Sequence[Input]) -> dict[str, Any]:
    """The values with paths in place of the names of inputs, those of the members of an ensemble too."""
    told = dict(values)
    for name in file_options(menu):
        value = told.get(name)
        if value is None or (name in menu.model_fields and value == menu.model_fields[name].default):
            continue
        told[name] = _path(name, value, inputs)
    for name, value in told.items():
        if isinstance(value, list | tuple) and any(isinstance(each, Mapping) for each in value):
            told[name] = [_member(each, inputs) for each in value]
    return told


def _member(value: object, inputs: Sequence[Input]) -> object:
    """The same of a finder within another one's options."""
    if not isinstance(value, Mapping) or not isinstance(value.get("finder"), str):
        return value
    menu = Registry[Any]("finder").options(value["finder"])
    own = {name: each for name, each in value.items() if name != "finder"}
    return {"finder": value["finder"], **_resolved(menu, own, inputs)}


def _path(option: str, value: object, inputs: Sequence[Input]) -> str:
    """The path that an option names by an input; a plain word names what is shipped, never a path."""
    text = str(value)
    if text.startswith(INPUT):
        for each in inputs:
            if each.name == text.removeprefix(INPUT):
                return each.path
    elif text.replace("-", "_").isidentifier():
        return text
    raise OptionError(
        f"option {option!r} of a job names a file by the inputs of the job",
        got=value,
        allowed=[f"{INPUT}{each.name}" for each in inputs] or "input:NAME",
        todo="give the file as an input with the role file",
    )
