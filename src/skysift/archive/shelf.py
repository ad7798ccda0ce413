"""`Shelf`: what a service holds; put things on it, find them, query them, share them, take them off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from skysift.archive.holdings import AUTHORITY, Entry, Holdings
from skysift.archive.ingest import ingest
from skysift.archive.policy import Access, User

__all__ = ["AUTHORITY", "Entry", "Shelf"]


class Shelf(Holdings):
    """What a service holds, in a database and a folder of its own.

    Parameters
    ----------
    engine
        The database; its tables are made or brought up to date.
    folder
        Where files lie that the shelf keeps itself.
    links
        What the ``access_url`` of an image begins with; its publisher DID follows.
    authority
        The IVOA authority of the identifiers.
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
