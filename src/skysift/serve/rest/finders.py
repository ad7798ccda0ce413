"""Finders and their menus: ``/api/v1/finders``; all that is told comes from the declarations of the options."""

from __future__ import annotations

import inspect
import re
from functools import cache
from importlib.util import find_spec
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from skysift.base.options import Options
from skysift.base.registry import Registry
from skysift.serve.rest import API

__all__ = ["Choice", "Finder", "Group", "Menu", "groups_of", "menu_of", "router"]

router = APIRouter(prefix=f"{API}/finders", tags=["finders"])


class Choice(BaseModel):
    """One option, as a person or a form needs it."""

    name: str
    type: str
    default: Any
    unit: str
    allowed: str
    doc: str
    form: dict[str, Any]
    """JSON schema of the value."""


class Group(BaseModel):
    """Options that were declared together."""

    name: str
    doc: str
    options: list[Choice]


class Finder(BaseModel):
    """A finder by its name."""

    name: str
    doc: str
    available: bool
    """Whether what it needs is installed."""


class Menu(Finder):
    """A finder with all that it can be told."""

    groups: list[Group]
    schema_: dict[str, Any]


@router.get("", summary="Every finder")
def finders() -> list[Finder]:
    """Every finder: its name, what it does, and whether what it needs is installed."""
    return [_finder(name) for name in Registry[object]("finder").names()]


@router.get("/{name}", summary="A finder with its options")
def finder(name: str) -> Menu:
    """A finder with its options in groups, with units, bounds, defaults, and as one JSON schema."""
    return menu_of("finder", name)


@cache
def menu_of(kind: str, name: str) -> Menu:
    """The menu of a plug-in.

    Raises
    ------
    UnknownName
        There is none of this kind and name.
    """
    registry = Registry[object](kind)
    registry.path(name)
    menu = registry.options(name)
    one = _finder(name, kind)
    return Menu(
        name=one.name, doc=one.doc, available=one.available, groups=groups_of(menu), schema_=menu.schema()
    )


def groups_of(menu: type[Options]) -> list[Group]:
    """The options of a menu by the class that declared them: its own first, then what others share."""
    rows = {row.name: row for row in menu.rows()}
    forms = menu.schema()["properties"]
    found = []
    for cls in menu.__mro__:
        own = [name for name in vars(cls).get("__annotations__", {}) if name in rows]
        if not own:
            continue
        options = []
        for name in own:
            row = rows.pop(name)
            options.append(
                Choice(
                    name=name,
                    type=row.type,
                    default=forms[name].get("default"),
                    unit=row.unit,
                    allowed=row.allowed,
                    doc=row.doc,
                    form=forms[name],
                )
            )
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cls.__name__.removesuffix("Options")).lower()
        found.append(Group(name=words, doc=_first_line(cls), options=options))
    return found


def _finder(name: str, kind: str = "finder") -> Finder:
    registry = Registry[object](kind)
    doc = _first_line(registry.options(name)) if registry.has_options(name) else ""
    learnt = ".neural." in registry.path(name)
    return Finder(name=name, doc=doc, available=not learnt or find_spec("torch") is not None)


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]
