"""What the protocols ask the shelf: queries in the name of who asks, entries by their identifiers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from skysift.archive.tables import ShelfTables
from skysift.io.answers.forms import VOTABLE
from skysift.io.fetch import Fetcher
from skysift.io.votable_door import Bounds
from skysift.jobs.querying import USUAL_ROWS, Question, Reply, answered
from skysift.serve.context import Context
from skysift.serve.settings import database_of, folder_of

__all__ = ["SECONDS", "SINCE", "allowed_of", "ask", "fetcher_of", "links_of", "private_of", "tables_of"]

SECONDS = 60.0
"""How long a query may take that is answered at once."""
SINCE = datetime.now(UTC)
"""When the service began."""


def links_of(asked: Context) -> str:
    """What the addresses of links begin with; the identifier follows."""
    return f"{asked.url}/datalink/links?ID="


def tables_of(asked: Context) -> ShelfTables:
    """The tables that who asks may query."""
    return ShelfTables(asked.shelf.engine, asked.user, links_of(asked))


def ask(asked: Context, text: str, *, maxrec: int = USUAL_ROWS, seconds: float | None = SECONDS) -> Reply:
    """The rows of a query that a protocol makes, as who asks may see them."""
    question = Question(text, maxrec, VOTABLE, {})
    return answered(asked.shelf.engine, tables_of(asked), question, seconds=seconds)


def fetcher_of(asked: Context) -> Fetcher:
    """What fetches tables by their URLs, with the places that the settings allow."""
    return Fetcher(Bounds().size, allowed_of(asked), seconds=SECONDS)


def allowed_of(asked: Context) -> tuple[str, ...]:
    """Places that may be fetched from although they are private."""
    return tuple(each.strip() for each in asked.settings.fetch_from.split(",") if each.strip())


def private_of(asked: Context) -> dict[str, Any]:
    """What a worker has to know to work on the shelf as who asks."""
    return {
        "database": database_of(asked.settings),
        "folder": str(folder_of(asked.settings) / "shelf"),
        "tiles": str(asked.tiles.folder),
        "user": {"name": asked.user.name, "groups": sorted(asked.user.groups), "admin": asked.user.admin},
        "allowed": list(allowed_of(asked)),
        "links": links_of(asked),
    }
