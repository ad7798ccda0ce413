"""The shelf of the service, in a worker: opened in the name of the user whose job it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skysift.archive.policy import User
from skysift.archive.shelf import Shelf
from skysift.base.errors import UsageError
from skysift.io.sql import connect
from skysift.jobs.apps.app import Errand

__all__ = ["shelf_of"]


@contextmanager
def shelf_of(errand: Errand) -> Iterator[tuple[Shelf, User]]:
    """The shelf that an errand is about, and whose errand it is.

    Raises
    ------
    UsageError
        The job was not made by a service that has a shelf.
    """
    private = errand.private
    if "database" not in private:
        raise UsageError(
            "this work needs the shelf of a service", todo="ask for it by the protocols of the service"
        )
    who = private["user"]
    engine = connect(private["database"])
    try:
        yield (
            Shelf(engine, Path(private["folder"])),
            User(who["name"], frozenset(who["groups"]), who["admin"]),
        )
    finally:
        engine.dispose()
