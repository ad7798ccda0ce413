"""`read_any`: the table in a file of skysift or of another program, told by its content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skysift.base.errors import FormatError, UsageError
from skysift.base.registry import Registry
from skysift.io.cards import read_hdus
from skysift.io.layouts.containers import sight
from skysift.io.layouts.declared import recast
from skysift.io.layouts.layout import Layout
from skysift.io.tables import read_catalogue, read_table, table_files
from skysift.sky import schema
from skysift.sky.catalogue import Catalogue
from skysift.sky.table import ID_OF, Table

__all__ = ["layout_of", "layouts", "read_any", "read_any_catalogue", "reader"]


def layouts() -> tuple[str, ...]:
    """The names of the layouts, in the order in which they are tried: the one that takes any names last."""
    return tuple(sorted(Registry[Any]("layout").names(), key=lambda name: name == "named"))


def layout_of(path: str | Path) -> str:
    """The name of the layout that a file is in; ``skysift`` for a table of ours, empty for none that is known.

    Raises
    ------
    UsageError
        There is no such file.
    """
    place = Path(path)
    names = set(sight(place).names)
    if any(names.issuperset(schema.names(kind)) for kind in schema.TABLES):
        return "skysift"
    registry = Registry[Any]("layout")
    return next((name for name in layouts() if registry.make(name).matches(place)), "")


def read_any(
    path: str | Path,
    layout: str | None = None,
    options: Mapping[str, object] | None = None,
    table: str = "sources",
) -> Table:
    """The table in a file: of skysift, or of a program whose layout is known; of an output folder one table.

    Parameters
    ----------
    path
        A file, or an output folder of ``skysift find``.
    layout
        The name of the layout; told by the content where it is not given.
    options
        Those of the layout, as texts or values.
    table
        Which table of a folder.

    Raises
    ------
    UsageError
        There is no such file, or the layout has no options.
    UnknownName
        There is no such layout.
    FormatError
        The file is of no layout that is known, or is broken.
    """
    place = Path(path)
    if place.is_dir():
        return read_table(table_files(place)[_kind(table)])
    if not place.is_file():
        raise UsageError("no such file or folder", got=str(path))
    if place.stat().st_size == 0:
        raise FormatError(f"{path} is empty")
    name = layout or layout_of(place)
    if name == "skysift":
        if options:
            raise UsageError(
                f"{path} is of skysift, and is read without options",
                got=", ".join(options),
                todo="leave them out",
            )
        return read_table(place)
    if name:
        return reader(name, options).read(place)
    if set(sight(place).names) & set(ID_OF.values()):
        return read_table(place)  # nearly ours: it says what is missing
    names = sight(place).names
    with place.open("rb") as file:
        is_fits = file.read(9) == b"SIMPLE  ="
    if is_fits and any(hdu.has_image for hdu in read_hdus(str(place))):
        raise FormatError(
            f"{path} is an image, and no catalogue", todo="`skysift find` makes a catalogue of a map"
        )
    raise FormatError(
        f"{path} is no catalogue that is known",
        got=f"the columns {', '.join(names[:6])}" if names else "no named columns",
        allowed=f"a table of skysift, {', '.join(layouts())}",
        todo="`skysift convert FILE NEW --from named --set ra=COLUMN --set dec=COLUMN` names the columns"
        if names
        else None,
    )


def read_any_catalogue(path: str | Path) -> Catalogue:
    """The catalogue in a file or folder of skysift, or in a file of another program.

    Foreign components stand for the sources as well, one each, since their file does not hold these.

    Raises
    ------
    UsageError
        There is no such file or folder.
    FormatError
        It is no catalogue that is known, or is broken.
    """
    place = Path(path)
    if place.is_dir() or (place.is_file() and layout_of(place) == "skysift"):
        return read_catalogue(place)
    table = read_any(place)
    if table.kind == "sources":
        return Catalogue(Table.empty("islands"), table, Table.empty("components"))
    if table.kind == "islands":
        return Catalogue(table, Table.empty("sources"), Table.empty("components"))
    alone = table.with_columns({"source_id": table.ids})
    return Catalogue(Table.empty("islands"), recast(alone, "sources"), alone)


def reader(name: str, options: Mapping[str, object] | None = None) -> Layout:
    """The layout with this name, born with options where it has some.

    Raises
    ------
    UnknownName
        There is no such layout.
    UsageError
        Options are given and it has none.
    OptionError
        An option does not exist or is not allowed.
    """
    registry = Registry[Any]("layout")
    if not options:
        made: Layout = registry.make(name)
        return made
    menu = registry.options(name)
    chosen = menu.parse(dict(options))
    born: Layout = registry.load(name)(chosen)
    return born


def _kind(table: str) -> schema.TableName:
    schema.columns(table)  # raises for a name that no table has
    return next(kind for kind in schema.TABLES if kind == table)
