"""`Holdings`: the entries of the shelf, their tables and who may see them.

Everything on it is an `Entry` with an owner; `skysift.archive.policy` decides who sees it. Catalogues become tables
of the database, maps and cubes rows of ObsCore; files stay where they are unless the shelf is asked to keep them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.engine import Connection, Engine

from skysift.archive.fields import HeldTable, delimited
from skysift.archive.policy import Access, User, may_change, may_read, readable
from skysift.archive.rows import (
    BRANCH,
    entries,
    held_columns,
    held_keys,
    held_schemas,
    held_tables,
    key_columns,
    obscore,
)
from skysift.archive.standard import SCHEMAS, STANDARD_KEYS, standard_tables
from skysift.archive.store import drop
from skysift.archive.tables import ShelfTables
from skysift.base.errors import AccessError, OptionError, UnknownName
from skysift.io.sql import migrate, told

__all__ = ["AUTHORITY", "Entry", "Holdings", "entry_of", "inputs_of", "now"]

AUTHORITY = "skysift.local"


@dataclass(frozen=True)
class Entry:
    """One thing on the shelf.

    Parameters
    ----------
    id
        Short, for addresses.
    did
        The publisher DID, ``ivo://AUTHORITY/COLLECTION?ID``.
    collection
        What it is part of.
    kind
        ``image``, ``cube``, ``catalogue``, ``product`` or ``file``.
    name
        Of the file or folder.
    role
        What it is to its parent: ``this``, ``derivation``, ``auxiliary``, ``noise``, ``background``, ...
    parent
        The entry it belongs to; empty for none.
    path
        Where it lies.
    hdu
        Number of the HDU; -1 for what has none.
    checksum, size
        ``sha256:...`` and bytes.
    media_type
        Of the file.
    created
        When it was put here, ISO 8601 in UTC.
    access
        Whose it is, and who may see it.
    survey, species, transition
        As the VLKB names surveys.
    footprint
        What it covers, as a MOC in text; empty where that is not known.
    provenance
        How it came to be, as JSON; empty where that is not known.
    """

    id: str
    did: str
    collection: str
    kind: str
    name: str
    role: str
    parent: str
    path: Path
    hdu: int
    checksum: str
    size: int
    media_type: str
    created: str
    access: Access
    survey: str = ""
    species: str = ""
    transition: str = ""
    footprint: str = ""
    provenance: str = ""


class Holdings:
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

    def __init__(
        self, engine: Engine, folder: str | Path, *, links: str = "", authority: str = AUTHORITY
    ) -> None:
        self.engine, self.folder = engine, Path(folder)
        self.links, self.authority = links, authority
        migrate(engine, BRANCH)
        with told(), engine.begin() as connection:
            _declare_standard(connection)

    def tables(self, user: User) -> ShelfTables:
        """The tables that a user may query."""
        return ShelfTables(self.engine, user, self.links)

    def entry(self, name: str, user: User) -> Entry:
        """The entry of an id or a publisher DID.

        Raises
        ------
        UnknownName
            There is none, or the user may not see it.
        """
        with told(), self.engine.connect() as connection:
            row = connection.execute(
                select(entries).where((entries.c.id == name) | (entries.c.did == name))
            ).first()
        found = None if row is None else entry_of(row)
        if found is None or not may_read(user, found.access):
            raise UnknownName("there is nothing of this name on the shelf", got=name)
        return found

    def entries(
        self,
        user: User,
        *,
        kind: str | None = None,
        collection: str | None = None,
        parent: str | None = None,
        after: str = "",
        count: int = 100,
    ) -> list[Entry]:
        """What a user may see, newest first; pages follow each other by the ``created id`` of the last entry.

        Parameters
        ----------
        user
            Who asks.
        kind, collection, parent
            Only such; a `parent` of an empty text is for what belongs to nothing.
        after
            ``"CREATED ID"`` of the last entry of the page before.
        count
            How many at most.
        """
        statement = select(entries).where(readable(user, entries))
        if kind is not None:
            statement = statement.where(entries.c.kind == kind)
        if collection is not None:
            statement = statement.where(entries.c.collection == collection)
        if parent is not None:
            statement = statement.where(
                entries.c.parent.is_(None) if not parent else entries.c.parent == parent
            )
        if after:
            created, _, last = after.partition(" ")
            earlier = (entries.c.created < created) | ((entries.c.created == created) & (entries.c.id > last))
            statement = statement.where(earlier)
        statement = statement.order_by(entries.c.created.desc(), entries.c.id).limit(count)
        with told(), self.engine.connect() as connection:
            return [entry_of(row) for row in connection.execute(statement)]

    def children(self, entry: Entry, user: User) -> list[Entry]:
        """What belongs to an entry and may be seen by a user."""
        return self.entries(user, parent=entry.id, count=10_000)

    def of_content(self, checksum: str, user: User) -> list[Entry]:
        """What has this content and may be seen by a user: the same map may be there more than once."""
        return self._where(entries.c.checksum == checksum, user)

    def made_from(self, entry: Entry, user: User) -> list[Entry]:
        """The folders of products whose story names the content of an entry as input, the newest first."""
        named = entries.c.provenance.contains(f'"{entry.checksum}"', autoescape=True)
        return [
            each
            for each in self._where((entries.c.kind == "product") & named, user)
            if entry.checksum in inputs_of(each)
        ]

    def _where(self, condition: ColumnElement[bool], user: User, count: int = 100) -> list[Entry]:
        statement = select(entries).where(condition & readable(user, entries))
        statement = statement.order_by(entries.c.created.desc(), entries.c.id).limit(count)
        with told(), self.engine.connect() as connection:
            return [entry_of(row) for row in connection.execute(statement)]

    def observation(self, entry: Entry) -> dict[str, Any] | None:
        """The row of ObsCore of an entry; None for what has none."""
        with told(), self.engine.connect() as connection:
            row = connection.execute(select(obscore).where(obscore.c.entry == entry.id)).mappings().first()
        return None if row is None else dict(row)

    def share(self, name: str, user: User, access: Access) -> Entry:
        """The entry with another access; what belongs to it goes along.

        Raises
        ------
        UnknownName
            There is no such entry for this user.
        AccessError
            The user may not change it.
        """
        found = self._changeable(name, user)
        if access.owner != found.access.owner and not user.admin:
            raise AccessError("only those who run the service give things to others", got=access.owner)
        changed = {"owner": access.owner, "visibility": access.visibility, "group_name": access.group}
        with told(), self.engine.begin() as connection:
            ids = _family(connection, found.id)
            connection.execute(update(entries).where(entries.c.id.in_(ids)).values(**changed))
        return self.entry(found.id, user)

    def remove(self, name: str, user: User) -> None:
        """Take an entry off the shelf, and what belongs to it; files outside of the shelf's own folder stay.

        Raises
        ------
        UnknownName
            There is no such entry for this user.
        AccessError
            The user may not change it.
        """
        found = self._changeable(name, user)
        with told(), self.engine.begin() as connection:
            ids = _family(connection, found.id)
            gone = connection.execute(
                select(held_tables.c.id, held_tables.c.physical).where(held_tables.c.entry.in_(ids))
            ).all()
            numbers = [row.id for row in gone]
            keys = select(held_keys.c.key_id).where(
                held_keys.c.from_id.in_(numbers) | held_keys.c.target_id.in_(numbers)
            )
            connection.execute(delete(key_columns).where(key_columns.c.key_id.in_(keys)))
            connection.execute(
                delete(held_keys).where(held_keys.c.from_id.in_(numbers) | held_keys.c.target_id.in_(numbers))
            )
            connection.execute(delete(held_columns).where(held_columns.c.table_id.in_(numbers)))
            connection.execute(delete(held_tables).where(held_tables.c.id.in_(numbers)))
            connection.execute(delete(obscore).where(obscore.c.entry.in_(ids)))
            for each in reversed(ids):
                connection.execute(delete(entries).where(entries.c.id == each))
            for row in gone:
                drop(connection, row.physical)
        for each in ids:
            shutil.rmtree(self.folder / each, ignore_errors=True)

    def holds(self, digits: str) -> bool:
        """Whether there is an entry, whosever it is, with an id or a checksum that begins so."""
        known = entries.c.checksum.like(f"%:{digits}%") | (entries.c.id == digits)
        with told(), self.engine.connect() as connection:
            return connection.execute(select(entries.c.id).where(known).limit(1)).first() is not None

    def add_entry(self, connection: Connection, new: Entry) -> None:
        """Write an entry; one of this id is replaced but for whose it is."""
        values = _row(new)
        known = connection.execute(select(entries.c.id).where(entries.c.id == new.id)).first()
        if known is None:
            connection.execute(insert(entries).values(**values))

    def place(self, connection: Connection, moved: Entry) -> None:
        """Write where the file of an entry is now."""
        connection.execute(update(entries).where(entries.c.id == moved.id).values(path=str(moved.path)))

    def add_observation(self, connection: Connection, values: dict[str, Any]) -> None:
        """Write a row of ObsCore."""
        connection.execute(delete(obscore).where(obscore.c.entry == values["entry"]))
        connection.execute(insert(obscore).values(**values))

    def add_table(self, connection: Connection, table: HeldTable) -> int:
        """The number of a table that was declared: from now on it can be queried.

        Raises
        ------
        OptionError
            There is a table of this name.
        """
        return _add_table(connection, table)

    def add_key(
        self,
        connection: Connection,
        key: str,
        source: int,
        target: int,
        pairs: Sequence[tuple[str, str]],
        text: str = "",
    ) -> None:
        """Declare that columns of one table refer to those of another; a key of this name is replaced."""
        connection.execute(delete(key_columns).where(key_columns.c.key_id == key))
        connection.execute(delete(held_keys).where(held_keys.c.key_id == key))
        connection.execute(
            insert(held_keys).values(key_id=key, from_id=source, target_id=target, description=text, utype="")
        )
        for a, b in pairs:
            connection.execute(insert(key_columns).values(key_id=key, from_column=a, target_column=b))

    def _changeable(self, name: str, user: User) -> Entry:
        found = self.entry(name, user)
        if not may_change(user, found.access):
            raise AccessError("only its owner may change it", got=found.id)
        return found


def now() -> str:
    """The time, ISO 8601 in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def inputs_of(entry: Entry) -> list[str]:
    """The checksums of what an entry was made from, as its story tells."""
    try:
        inputs = json.loads(entry.provenance)["inputs"] if entry.provenance else []
        return [str(each["checksum"]) for each in inputs]
    except (ValueError, KeyError, TypeError):
        return []  # a story of another kind


def entry_of(row: Any) -> Entry:
    """The entry of a row of the database."""
    return Entry(
        row.id,
        row.did,
        row.collection,
        row.kind,
        row.name,
        row.role,
        row.parent or "",
        Path(row.path),
        row.hdu,
        row.checksum,
        row.size,
        row.media_type,
        row.created,
        Access(row.owner, row.visibility, row.group_name),
        row.survey,
        row.species,
        row.transition,
        row.footprint,
        row.provenance,
    )


def _row(new: Entry) -> dict[str, Any]:
    names = (
        "id", "did", "collection", "kind", "name", "role", "hdu", "checksum", "size", "media_type", "created",
        "survey", "species", "transition", "footprint", "provenance",
    )  # fmt: skip
    return {
        **{name: getattr(new, name) for name in names},
        "parent": new.parent or None,
        "path": str(new.path),
        "owner": new.access.owner,
        "visibility": new.access.visibility,
        "group_name": new.access.group,
    }


def _family(connection: Connection, name: str) -> list[str]:
    """An entry and what belongs to it, parents first."""
    found, waiting = [name], [name]
    while waiting:
        rows = connection.execute(select(entries.c.id).where(entries.c.parent.in_(waiting)))
        waiting = [row.id for row in rows]
        found += waiting
    return found


def _add_table(connection: Connection, table: HeldTable) -> int:
    taken = connection.execute(
        select(held_tables.c.id).where(
            held_tables.c.schema_name == table.schema, held_tables.c.name == table.name
        )
    ).first()
    if taken is not None:
        raise OptionError("there is a table of this name", got=table.full_name, todo="give it another name")
    if (
        connection.execute(select(held_schemas.c.name).where(held_schemas.c.name == table.schema)).first()
        is None
    ):
        connection.execute(
            insert(held_schemas).values(
                name=table.schema, description=SCHEMAS.get(table.schema, ""), utype=""
            )
        )
    position = table.position if table.vectors else None
    result = connection.execute(
        insert(held_tables).values(
            entry=table.entry or None,
            schema_name=table.schema,
            name=table.name,
            full_name=table.full_name,
            kind=table.kind,
            description=table.description,
            utype=table.utype,
            physical=table.source if isinstance(table.source, str) else "",
            position_ra=position[0] if position else "",
            position_dec=position[1] if position else "",
            position_system=table.system if position else "",
            row_count=table.rows,
        )
    )
    assert result.inserted_primary_key is not None
    number = int(result.inserted_primary_key[0])
    rows = list(_columns(table, number))
    connection.execute(insert(held_columns), rows)
    return number


def _columns(table: HeldTable, number: int) -> Iterator[dict[str, Any]]:
    for index, each in enumerate(table.fields, start=1):
        yield {
            "table_id": number,
            "column_index": index,
            "name": each.name,
            "full_name": delimited(each.name),
            "physical": each.column,
            "datatype": each.datatype,
            "arraysize": each.arraysize,
            "xtype": each.xtype,
            "unit": each.unit,
            "ucd": each.ucd,
            "utype": each.utype,
            "description": each.description,
            "indexed": int(each.indexed),
            "principal": int(each.principal),
            "std": int(each.std),
        }


def _declare_standard(connection: Connection) -> None:
    """Declare the tables of standards, where they are not yet."""
    known = connection.execute(
        select(held_tables.c.id).where(
            held_tables.c.schema_name == "tap_schema", held_tables.c.entry.is_(None)
        )
    ).first()
    if known is not None:
        return
    numbers = {}
    for table in standard_tables(User("", admin=True), ""):
        numbers[table.name] = _add_table(connection, table)
    for source, column, target, *other in STANDARD_KEYS:
        key = f"tap_schema_{source}_{column}"
        connection.execute(
            insert(held_keys).values(
                key_id=key, from_id=numbers[source], target_id=numbers[target], description="", utype=""
            )
        )
        there = other[0] if other else column
        connection.execute(insert(key_columns).values(key_id=key, from_column=column, target_column=there))
