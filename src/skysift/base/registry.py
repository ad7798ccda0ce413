"""`Registry`: name -> object, loaded when asked: the house's from `skysift.plugins`, guests' by entry point.

A guest package adds a finder with two lines of its own ``pyproject.toml``::

    [project.entry-points."skysift.finder"]
    mine = "mypackage.finder:MyFinder"

    [project.entry-points."skysift.finder.options"]
    mine = "mypackage.options:MyOptions"

The second is left out by what has no options.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from skysift.base.errors import FatalError, UnknownName, UsageError
from skysift.base.extras import missing
from skysift.plugins import PLUGINS

if TYPE_CHECKING:
    from skysift.base.options import Options

__all__ = ["Registry", "load_path"]

T = TypeVar("T")


class Registry(Generic[T]):
    """The plug-ins of one kind, by name.

    Parameters
    ----------
    kind
        "finder", "command", "format", "executor", ...

    Raises
    ------
    UnknownName
        There is no such kind.
    """

    def __init__(self, kind: str) -> None:
        if kind not in PLUGINS:
            raise UnknownName("no such kind of plug-in", got=kind, allowed=sorted(PLUGINS))
        self.kind = kind

    def __repr__(self) -> str:
        return f"Registry({self.kind!r})"

    def names(self) -> tuple[str, ...]:
        """Every name of this kind: the house's in the order of the index, then the guests'."""
        return tuple(self._paths)

    def path(self, name: str) -> str:
        """Where the object called `name` lies, as "module:object".

        Raises
        ------
        UnknownName
            There is no such plug-in; the known ones are listed.
        """
        return self._entry(name)[0]

    def load(self, name: str) -> T:
        """The object called `name`; its module is imported now.

        Raises
        ------
        UnknownName
            There is no such plug-in.
        UsageError
            The extra that it needs is not installed, or a guest's plug-in cannot be imported.
        """
        return cast(T, self._import(name, self._entry(name)[0]))

    def has_options(self, name: str) -> bool:
        """Whether the plug-in called `name` takes options.

        Raises
        ------
        UnknownName
            There is no such plug-in.
        """
        return bool(self._entry(name)[1])

    def options(self, name: str) -> type[Options]:
        """The options of the plug-in called `name`, without loading the plug-in itself.

        Raises
        ------
        UnknownName
            There is no such plug-in.
        UsageError
            It takes no options, or a guest's options cannot be imported.
        """
        path = self._entry(name)[1]
        if not path:
            raise UsageError(f"the {self.kind} {name!r} has no options")
        return cast("type[Options]", self._import(name, path))

    def make(self, name: str, **options: Any) -> Any:
        """A new object of the class called `name`, born with its options.

        Raises
        ------
        UnknownName
            There is no such plug-in.
        OptionError
            An option does not exist or is not allowed.
        """
        if not self._entry(name)[1] and not options:
            return cast(Any, self.load(name))()
        chosen = self.options(name)(**options)  # first: a wrong option is told before the class loads
        return cast(Any, self.load(name))(chosen)

    @cached_property
    def _paths(self) -> Mapping[str, tuple[str, str]]:
        house = PLUGINS[self.kind]
        guests = _guests(self.kind)
        clash = sorted(house.keys() & guests.keys())
        if clash:
            raise UsageError(
                f"an installed package brings a {self.kind} under a name that skysift has itself",
                got=clash[0],
                todo=f"rename its entry point skysift.{self.kind}, or uninstall that package",
            )
        return {**house, **guests}

    def _entry(self, name: str) -> tuple[str, str]:
        found = PLUGINS[self.kind].get(name) or self._paths.get(name)
        if found is None:
            near = difflib.get_close_matches(name, self._paths, n=1)
            raise UnknownName(
                f"no such {self.kind}",
                got=name,
                allowed=self.names(),
                todo=f"did you mean {near[0]!r}?" if near else None,
            )
        return found

    def _import(self, name: str, path: str) -> object:
        try:
            return load_path(path)
        except (ImportError, AttributeError) as error:
            lacking = missing(f"the {self.kind} {name!r}", error)
            if lacking is not None:
                raise lacking from error
            if name in PLUGINS[self.kind]:
                raise FatalError(f"the {self.kind} {name!r} cannot be loaded from {path}: {error}") from error
            raise UsageError(
                f"the {self.kind} {name!r} of an installed package cannot be loaded from {path}: {error}",
                todo="mend or uninstall that package",
            ) from error


def load_path(path: str) -> object:
    """The object at "module:object"."""
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _guests(kind: str) -> dict[str, tuple[str, str]]:
    """What installed packages add to this kind."""
    from importlib.metadata import entry_points  # late: reading the installed packages takes time

    menus = {entry.name: entry.value for entry in entry_points(group=f"skysift.{kind}.options")}
    guests: dict[str, tuple[str, str]] = {}
    for entry in entry_points(group=f"skysift.{kind}"):
        if entry.name in guests and guests[entry.name][0] != entry.value:
            raise UsageError(
                f"two installed packages bring a {kind} of the same name",
                got=entry.name,
                todo=f"uninstall the one with {guests[entry.name][0]} or the one with {entry.value}",
            )
        guests[entry.name] = (entry.value, menus.get(entry.name, ""))
    return guests
