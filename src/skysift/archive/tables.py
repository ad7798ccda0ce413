"""`ShelfTables`: the tables that one user may query, looked up when a query names them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.engine import Connection, Engine

from skysift.archive.fields import Field, HeldTable
from skysift.archive.policy import User, readable
from skysift.archive.rows import entries, held_columns, held_schemas, held_tables
from skysift.archive.standard import SCHEMAS, standard_table
from skysift.io.sql import told

__all__ = ["ShelfTables"]


class ShelfTables:
    """The tables of the shelf for one user; those that they may not read are not among them.

    Parameters
    ----------
    engine
        The database.
    user
        Who asks.
    links
        What the ``access_url`` of ObsCore begins with; the publisher DID follows.
    """

    def __init__(self, engine: Engine, user: User, links: str = "") -> None:
        self._engine, self.user, self.links = engine, user, links

    def find(self, schema: str, name: str) -> HeldTable | None:
        """The table of a name, whatever its case; an empty schema is any. None where there is none, or several."""
        condition = func.lower(held_tables.c.name) == name.lower()
        if schema:
            condition &= func.lower(held_tables.c.schema_name) == schema.lower()
        with told(), self._engine.connect() as connection:
            rows = connection.execute(self._selection().where(condition).limit(2)).all()
            return self._table(connection, rows[0]) if len(rows) == 1 else None

    def names(self) -> list[str]:
        """The full names of all, as queries write them."""
        with told(), self._engine.connect() as connection:
            return [row.full_name for row in connection.execute(self._selection())]

    def of_entry(self, entry: str) -> list[str]:
        """The full names of the tables that an entry of the shelf became."""
        with told(), self._engine.connect() as connection:
            chosen = self._selection().where(held_tables.c.entry == entry)
            return [row.full_name for row in connection.execute(chosen)]

    def schemas(self) -> dict[str, str]:
        """The schemas that hold these tables, with what they hold."""
        with told(), self._engine.connect() as connection:
            known = {row.name: row.description for row in connection.execute(select(held_schemas))}
            seen = {row.schema_name for row in connection.execute(self._selection())}
        return {name: text for name, text in sorted(known.items()) if name in seen}

    def __iter__(self) -> Iterator[HeldTable]:
        """All tables, schema by schema."""
        with told(), self._engine.connect() as connection:
            rows = connection.execute(self._selection()).all()
            for row in rows:
                yield self._table(connection, row)

    def _selection(self) -> Any:
        return (
            select(held_tables)
            .outerjoin(entries, entries.c.id == held_tables.c.entry)
            .where(or_(held_tables.c.entry.is_(None), readable(self.user, entries)))
            .order_by(held_tables.c.schema_name, held_tables.c.id)
        )

    def _table(self, connection: Connection, row: Any) -> HeldTable:
        if row.entry is None and row.schema_name in SCHEMAS:
            return standard_table(row.schema_name, row.name, self.user, self.links)
        columns = connection.execute(
            select(held_columns)
            .where(held_columns.c.table_id == row.id)
            .order_by(held_columns.c.column_index)
        )
        fields = tuple(
            Field(
                each.name,
                each.datatype,
                each.arraysize,
                each.xtype,
                each.unit,
                each.ucd,
                each.utype,
                each.description,
                bool(each.indexed),
                bool(each.principal),
                bool(each.std),
                each.physical,
            )
            for each in columns
        )
        return HeldTable(
            row.schema_name,
            row.name,
            fields,
            row.physical,
            row.description,
            row.utype,
            row.kind,
            (row.position_ra, row.position_dec) if row.position_ra else None,
            row.position_system or "ICRS",
            bool(row.position_ra),
            row.row_count,
            row.entry or "",
        )
