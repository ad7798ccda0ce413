"""``skysift ingest``: maps, cubes, catalogues and products onto the shelf of a service."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from skysift.archive.policy import VISIBILITIES, Access, User
from skysift.base.errors import OptionError, SkysiftError, exit_code
from skysift.base.extras import require
from skysift.cli.flags import DatabaseFlag, DataFlag

if TYPE_CHECKING:
    from skysift.archive.shelf import Shelf

__all__ = ["ingest"]


def ingest(
    products: Annotated[
        list[str],
        typer.Argument(metavar="PRODUCT...", help="Maps, cubes, catalogues, or folders of `skysift find`."),
    ],
    data: DataFlag = None,
    database: DatabaseFlag = None,
    collection: Annotated[
        str,
        typer.Option("--collection", metavar="NAME", help="What they are part of: letters, digits, . _ -"),
    ] = "local",
    survey: Annotated[
        str | None, typer.Option("--survey", metavar="NAME", help="The survey that they are of.")
    ] = None,
    owner: Annotated[str, typer.Option("--owner", metavar="USER", help="Whose they are.")] = "local",
    visibility: Annotated[
        str, typer.Option("--visibility", metavar="WHO", help="public, private, or a group: group:NAME.")
    ] = "public",
    keep: Annotated[
        bool,
        typer.Option(
            "--keep", help="Keep copies in the folder of the service; else files stay where they are."
        ),
    ] = False,
) -> None:
    r"""Put maps, cubes, catalogues and products onto the shelf of a service.

    \b
    Examples:
      skysift ingest map.fits field --data survey
      skysift ingest tiles/*.fits --data survey --collection tiles --survey SUMSS
      skysift ingest deep.fits --data survey --owner ana --visibility group:radio --keep

    A folder that `skysift find` wrote is one product with its tables and maps. What is there already stays as it
    is, so the same call may be given again. The service may run meanwhile.
    """
    require("skysift ingest", "sqlalchemy", "alembic")
    from skysift.archive.shelf import Shelf
    from skysift.io.sql import FILE, connect
    from skysift.serve.belonging import bind_folder
    from skysift.serve.settings import database_of, folder_of, serve_settings

    access = _access(owner, visibility)
    told = serve_settings({"data": data, "database": database})
    folder = folder_of(told)
    there = bool(told.database) or (folder / FILE).exists()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = connect(database_of(told))
    bind_folder(engine, folder)
    failed: list[SkysiftError] = []
    try:
        shelf = Shelf(engine, folder / "shelf")
        if not there:
            print(f"skysift: there was no shelf in {folder}; a new one was made", file=sys.stderr)
        for each in products:
            try:
                _put(shelf, each, access, collection=collection, survey=survey or "", keep=keep)
            except SkysiftError as error:
                print(f"skysift: error: {each}: {error}", file=sys.stderr)
                failed.append(error)
    finally:
        engine.dispose()
    if failed:
        print(f"skysift: {len(failed)} of {len(products)} could not be put there", file=sys.stderr)
        raise typer.Exit(min(exit_code(error.kind) for error in failed))


def _put(shelf: Shelf, path: str, access: Access, *, collection: str, survey: str, keep: bool) -> None:
    admin = User(access.owner, admin=True)
    made = shelf.ingest(path, admin, access=access, collection=collection, survey=survey, keep=keep)
    print(f"{made.id}  {made.kind:9}  {path}")
    for child in shelf.children(made, admin):
        print(f"{child.id}  {child.kind:9}  {path}/{child.name}")


def _access(owner: str, visibility: str) -> Access:
    kind, _, group = visibility.partition(":")
    for known in VISIBILITIES:
        if kind == known:
            return Access(owner, known, group)
    raise OptionError("no such visibility", got=visibility, allowed="public, private, group:NAME")
