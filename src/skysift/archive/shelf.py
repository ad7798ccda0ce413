"""`Shelf`: what a service holds; put things on it, find them, query them, share them, take them off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert

from skysift.archive.holdings import AUTHORITY, Entry, Holdings
from skysift.archive.ingest import ingest
from skysift.archive.policy import Access, User
from skysift.archive.rows import surveys
from skysift.archive.search import Found, Survey, search, surveys_of
from skysift.base.errors import UsageError
from skysift.io.sql import told

__all__ = ["AUTHORITY", "Entry", "Found", "Shelf", "Survey"]


class Shelf(Holdings):
    """What a service holds, in a database and a folder of its own.

    Parameters
    ----------
    engine, folder, links, authority
        As for `Holdings`.
    """

    def ingest(
        self,
        path: str | Path,
        user: User,
        *,
        access: Access | None = None,
        collection: str = "local",
        **said: Any,
    ) -> Entry:
        """Put a file or a folder of products onto the shelf; see `skysift.archive.ingest.ingest`."""
        return ingest(self, path, user, access=access, collection=collection, **said)

    def search(self, user: User, **asked: Any) -> Iterator[Found]:
        """The images and cubes that a user may see and that fit; see `skysift.archive.search.search`."""
        return search(self.engine, user, **asked)

    def surveys(self, user: User) -> list[Survey]:
        """The surveys of which a user may see something, with their footprints."""
        return surveys_of(self.engine, user)

    def describe_survey(
        self,
        name: str,
        user: User,
        description: str,
        *,
        access: Access | None = None,
        species: str = "",
        transition: str = "",
    ) -> None:
        """Say what a survey is; what was said of it before is replaced.

        Raises
        ------
        UsageError
            The user does not run the service.
        """
        if not user.admin:
            raise UsageError("only those who run the service describe surveys", got=user.name or "nobody")
        whose = access or Access(user.name, "public")
        table = surveys.c
        with told(), self.engine.begin() as connection:
            connection.execute(
                delete(surveys).where(
                    table.name == name, table.species == species, table.transition == transition
                )
            )
            connection.execute(
                insert(surveys).values(
                    name=name,
                    species=species,
                    transition=transition,
                    description=description,
                    owner=whose.owner,
                    visibility=whose.visibility,
                    group_name=whose.group,
                )
            )
