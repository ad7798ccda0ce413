"""The door to any database: SQLite in a file for a laptop, PostgreSQL for a data centre.

Tables are described by the rooms that own them (SQLAlchemy Core) and made by their migrations, one branch of
alembic scripts a room in ``io/migrations/versions``: what a migration has once made, the next one changes, and
nothing is lost when skysift is brought up to date.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from skysift.base.errors import BusyError, FatalError, SkysiftError, StorageError, TransientError, UsageError

__all__ = ["DIALECTS", "FILE", "connect", "database_error", "database_url", "for_queries", "migrate", "told"]

DIALECTS = ("sqlite", "postgresql")
FILE = "skysift.db"
PATIENCE = 30.0  # seconds that a writer waits for another one
CONNECTIONS = 45  # that one process has at most: a server answers in 40 threads, and a few look after jobs
QUERIES = 24  # connections for queries, beside
QUERY_PATIENCE = 5.0  # seconds that a query waits for one of them
KEPT = 10  # connections that stay open
MIGRATIONS = Path(__file__).parent / "migrations"


def database_url(folder: str | Path) -> str:
    """The URL of the SQLite database in a data folder."""
    return f"sqlite:///{Path(folder).resolve() / FILE}"


def connect(
    url: str | URL, *, echo: bool = False, most: int = CONNECTIONS, patience: float = PATIENCE
) -> Engine:
    """An engine on the database of a URL: ``sqlite:///FILE`` or ``postgresql+psycopg://USER@HOST/NAME``.

    It has `most` connections at once; who wants one more waits for `patience` seconds, and is then told (`told`).
    A SQLite file writes ahead (WAL: readers never wait for the writer), waits for another writer, and keeps
    foreign keys. Close it by ``engine.dispose()``.

    Raises
    ------
    UsageError
        The URL cannot be read, or names a database that is not known.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise UsageError(
            "the address of the database cannot be read", got=str(url), allowed=_ALLOWED
        ) from error
    if parsed.get_backend_name() not in DIALECTS:
        raise UsageError("no such kind of database", got=parsed.get_backend_name(), allowed=_ALLOWED)
    kept = min(KEPT, most)
    pool = {"pool_size": kept, "max_overflow": most - kept, "pool_timeout": patience}
    if parsed.get_backend_name() == "postgresql":
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        try:
            return sqlalchemy.create_engine(parsed, echo=echo, pool_pre_ping=True, **pool)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise UsageError(
                "the driver of PostgreSQL is missing", todo="pip install 'skysift[postgres]'"
            ) from error
    if _in_memory(parsed):
        pool = {}  # a thread has the one that it made
    engine = sqlalchemy.create_engine(parsed, echo=echo, connect_args={"timeout": PATIENCE}, **pool)
    event.listen(engine, "connect", _prepare)
    return engine


_ALLOWED = "sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"


def _prepare(connection: Any, _record: Any) -> None:
    """What every connection to SQLite is told."""
    cursor = connection.cursor()
    for line in (
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = NORMAL",
        "PRAGMA foreign_keys = ON",
        f"PRAGMA busy_timeout = {int(PATIENCE * 1000)}",
    ):
        cursor.execute(line)
    cursor.close()


def _in_memory(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


_BESIDE: WeakKeyDictionary[Engine, Engine] = WeakKeyDictionary()
_LOCK = threading.Lock()


def for_queries(engine: Engine) -> Engine:
    """The engine with connections of its own to the same database, for answers that may take long to be sent.

    However many there are, what else the service does finds a connection. It is closed with the engine.
    """
    if _in_memory(engine.url):
        return engine
    with _LOCK:
        beside = _BESIDE.get(engine)
        if beside is None:
            beside = connect(engine.url, most=QUERIES, patience=QUERY_PATIENCE)
            _BESIDE[engine] = beside
            event.listen(engine, "engine_disposed", _close_beside)
        return beside


def _close_beside(engine: Engine) -> None:
    with _LOCK:
        beside = _BESIDE.get(engine)
    if beside is not None:
        beside.dispose()


def migrate(engine: Engine, branch: str) -> None:
    """Bring the tables of one room to the newest form; nothing is done where they are.

    Parameters
    ----------
    engine
        The database.
    branch
        The room: the label of its branch of migrations.

    Raises
    ------
    UsageError
        The database was made by a newer skysift.
    TransientError
        The database does not answer, or is locked.
    """
    with told(), engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # of several servers that start at once, one makes the tables
            connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(7238610)"))
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, f"{branch}@head")
        except CommandError as error:
            raise UsageError(
                "the tables of the database do not fit this version of skysift",
                got=str(error),
                todo="use the version that made it, or a newer one",
            ) from error


@contextmanager
def told() -> Iterator[None]:
    """What a database cannot do, as one of our errors."""
    try:
        yield
    except SkysiftError:
        raise
    except PoolTimeout as error:
        raise BusyError("all connections to the database are taken", todo="try again") from error
    except DBAPIError as error:
        raise database_error(error) from error


def database_error(error: DBAPIError) -> SkysiftError:
    """The error of ours that an error of the database is: locked, full, silent, or our fault."""
    text = " ".join(str(error.orig).split())
    if "locked" in text or "busy" in text or "deadlock" in text:
        return BusyError("the database is held by somebody else", got=text, todo="try again")
    if "full" in text or "No space" in text or "disk I/O" in text:
        return StorageError("the disk of the database is full or gave up", got=text)
    if isinstance(error, OperationalError):
        return TransientError("the database does not answer", got=text, todo="try again")
    return FatalError("the database refused what was asked", got=text)
