"""`bind_folder`: a database and the folder of its files belong together; a service with another folder does not start.

What the database tells of uploads, jobs and maps lies in that folder: with another one, all of it would be missing.
The folder may be moved; it is known by a mark in it.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from skysift.base.errors import StorageError, UsageError
from skysift.io.sql import migrate, told

__all__ = ["MARK", "bind_folder"]

BRANCH = "service"
MARK = ".database"
_SERVICE = sa.Table(
    "service",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("folder", sa.String(32)),
    sa.Column("path", sa.Text),
)


def bind_folder(engine: Engine, folder: Path) -> None:
    """Note in the database which folder goes with it, or see that it is this one; else the engine is closed.

    Raises
    ------
    UsageError
        The database belongs to another folder, or the folder to another database.
    StorageError
        The folder cannot be written.
    """
    try:
        migrate(engine, BRANCH)
        _bind(engine, folder, _mark(folder / MARK))
    except BaseException:
        engine.dispose()
        raise


def _bind(engine: Engine, folder: Path, mark: str) -> None:
    with told(), engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7238611)"))
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        row = connection.execute(sa.select(_SERVICE)).first()
        if row is None:
            connection.execute(sa.insert(_SERVICE).values(id=1, folder=mark, path=str(folder)))
        elif row.folder == mark:
            connection.execute(sa.update(_SERVICE).values(path=str(folder)))
        else:
            raise UsageError(
                "the database belongs to another folder of data",
                got=str(folder),
                allowed=row.path,
                todo="start with that --data (it may be moved, with its hidden files), or with another --database",
            )


def _mark(path: Path) -> str:
    """What a folder is known by; made where it has none."""
    try:
        if not path.exists():
            part = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
            part.write_text(secrets.token_hex(16))
            with suppress(FileExistsError):  # of two that start at once, one makes it
                path.hardlink_to(part)
            part.unlink()
        return path.read_text().strip()[:32]
    except OSError as error:
        raise StorageError("the folder of the data cannot be written", got=str(error)) from error
