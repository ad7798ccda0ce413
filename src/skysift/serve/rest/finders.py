"""Finders, other apps and their menus: ``/api/v1/finders``, ``/api/v1/apps``; told by the declarations alone."""

from __future__ import annotations

import inspect
import re
from functools import cache
from importlib.util import find_spec
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from skysift.base.options import Options, file_options
from skysift.base.registry import Registry
from skysift.jobs.apps.menu import app_names, app_options, finder_of
from skysift.jobs.options import ResourceOptions
from skysift.serve.rest import API

__all__ = ["App", "AppMenu", "Choice", "Group", "Menu", "groups_of", "router"]

router = APIRouter(prefix=API, tags=["finders"])


class Choice(BaseModel):
    """One option, as a person or a form needs it."""

    name: str
    type: str
    default: Any
    unit: str
    allowed: str
    doc: str
    file: bool
    """Whether it names a file: an upload, something on the shelf, a result."""
    form: dict[str, Any]
    """JSON schema of the value."""


class Group(BaseModel):
    """Options that were declared together."""

    name: str
    doc: str
    options: list[Choice]


class App(BaseModel):
    """A finder or another app by its name."""

    name: str
    doc: str
    available: bool
    """Whether what it needs is installed."""


class Menu(App):
    """A finder with all that it can be told."""

    groups: list[Group]
    options: dict[str, Any]
    """JSON schema of all options."""


class AppMenu(Menu):
    """An app with all that a job of it can be told."""

    resources: list[Choice]


@router.get("/finders", summary="Every finder")
def finders() -> list[App]:
    """Every finder: its name, what it does, and whether what it needs is installed."""
    registry = Registry[object]("finder")
    return [_app(name, registry.options(name), name) for name in registry.names()]


@router.get("/finders/{name}", summary="A finder with its options")
def finder(name: str) -> Menu:
    """A finder with its options in groups, with units, bounds, defaults, and as one JSON schema."""
    return _finder_menu(name)


@router.get("/apps", summary="Everything that a job can do")
def apps() -> list[App]:
    """Everything that a job can do: each finder as ``finder:NAME``, and other apps."""
    return [_app(name, app_options(name), finder_of(name)) for name in app_names()]


@router.get("/apps/{name}", summary="What a job can be told")
def app(name: str) -> AppMenu:
    """What a job of this app can be told: its options in groups, and the resources."""
    return _app_menu(name)


@cache
def _finder_menu(name: str) -> Menu:
    menu = Registry[object]("finder").options(name)
    return Menu(**_app(name, menu, name).model_dump(), groups=groups_of(menu), options=menu.schema())


@cache
def _app_menu(name: str) -> AppMenu:
    menu = app_options(name)
    resources = [choice for group in groups_of(ResourceOptions) for choice in group.options]
    return AppMenu(
        **_app(name, menu, finder_of(name)).model_dump(),
        groups=groups_of(menu),
        options=menu.schema(),
        resources=resources,
    )


def groups_of(menu: type[Options]) -> list[Group]:
    """The options of a menu by the class that declared them: its own first, then what others share."""
    rows = {row.name: row for row in menu.rows()}
    forms = menu.schema()["properties"]
    files = file_options(menu)
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
                    file=name in files,
                    form=forms[name],
                )
            )
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cls.__name__.removesuffix("Options")).lower()
        found.append(Group(name=words, doc=_first_line(cls), options=options))
    return found


def _app(name: str, menu: type[Options], finder: str | None) -> App:
    learnt = finder is not None and ".neural." in Registry[object]("finder").path(finder)
    return App(name=name, doc=_first_line(menu), available=not learnt or find_spec("torch") is not None)


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]
