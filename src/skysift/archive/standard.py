"""The tables that every shelf has: TAP_SCHEMA and ``ivoa.obscore``, as one user may see them.

They are selections with the policy inside: a row about something that a user may not read does not exist for them.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, and_, func, literal, null, or_, select

from skysift.archive.fields import Field, HeldTable
from skysift.archive.obscore import OBSCORE
from skysift.archive.policy import User, readable
from skysift.archive.rows import (
    entries,
    held_columns,
    held_keys,
    held_schemas,
    held_tables,
    key_columns,
    obscore,
)

__all__ = ["DATALINK", "SCHEMAS", "STANDARD_KEYS", "standard_table", "standard_tables"]

DATALINK = "application/x-votable+xml;content=datalink"
SCHEMAS = {
    "ivoa": "Tables that IVOA standards define",
    "tap_schema": "What this service holds, as TAP 1.1 tells it",
}


def _text(name: str, description: str, **more: Any) -> Field:
    return Field(name, "char", "*", description=description, principal=True, std=True, column=name, **more)


def _number(name: str, description: str) -> Field:
    return Field(name, "int", description=description, principal=True, std=True, column=name)


_TAP: dict[str, tuple[str, tuple[Field, ...]]] = {
    "schemas": (
        "The schemas of this service",
        (
            _text("schema_name", "Its name", ucd="meta.id"),
            _text("utype", "Its utype"),
            _text("description", "What it holds"),
            _number("schema_index", "Its place in a list"),
        ),
    ),
    "tables": (
        "The tables of this service",
        (
            _text("schema_name", "The schema that it is in"),
            _text("table_name", "Its name, as a query writes it", ucd="meta.id"),
            _text("table_type", "table or view"),
            _text("utype", "Its utype"),
            _text("description", "What it holds"),
            _number("table_index", "Its place in a list"),
        ),
    ),
    "columns": (
        "The columns of the tables of this service",
        (
            _text("table_name", "The table that it is in"),
            _text("column_name", "Its name, as a query writes it", ucd="meta.id"),
            _text("datatype", "Type of its values, as VOTable writes it"),
            _text("arraysize", "How many values, as VOTable writes it"),
            _text("xtype", "What the values are besides"),
            _number("size", "Length of values, where that is fixed"),
            _text("description", "What it means"),
            _text("utype", "Its utype"),
            _text("unit", "Its unit (VOUnits)"),
            _text("ucd", "Its UCD"),
            _number("indexed", "1 where a search by it is fast"),
            _number("principal", "1 where it is one of the few that matter most"),
            _number("std", "1 where a standard defines it"),
            _number("column_index", "Its place in the table"),
        ),
    ),
    "keys": (
        "Which tables refer to which",
        (
            _text("key_id", "The key", ucd="meta.id"),
            _text("from_table", "The table that refers"),
            _text("target_table", "The table that is referred to"),
            _text("description", "What the key means"),
            _text("utype", "Its utype"),
        ),
    ),
    "key_columns": (
        "The columns of the keys",
        (
            _text("key_id", "The key"),
            _text("from_column", "The column of the table that refers"),
            _text("target_column", "The column of the table that is referred to"),
        ),
    ),
}
STANDARD_KEYS = (
    ("tables", "schema_name", "schemas"),
    ("columns", "table_name", "tables"),
    ("keys", "from_table", "tables", "table_name"),
    ("keys", "target_table", "tables", "table_name"),
    ("key_columns", "key_id", "keys"),
)
"""Table, its column, the table that it refers to, and the column there (of the same name if it is left out)."""


def standard_tables(user: User, links: str) -> list[HeldTable]:
    """All of them, for one user."""
    names = [("tap_schema", name) for name in _TAP] + [("ivoa", "obscore")]
    return [standard_table(schema, name, user, links) for schema, name in names]


def standard_table(schema: str, name: str, user: User, links: str) -> HeldTable:
    """One of them.

    Parameters
    ----------
    schema, name
        Which, in small letters.
    user
        Who asks.
    links
        What ``access_url`` begins with: the publisher DID follows. Empty: there is no address.
    """
    if schema == "ivoa":
        return HeldTable(
            "ivoa",
            "obscore",
            OBSCORE,
            _obscore(user, links),
            "Images and cubes of this service, as ObsCore 1.1 tells them",
            "ivo://ivoa.net/std/ObsCore#core-1.1",
            "view",
            ("s_ra", "s_dec"),
            vectors=True,
        )
    description, fields = _TAP[name]
    return HeldTable("tap_schema", name, fields, _SELECTIONS[name](user), description)


def _obscore(user: User, links: str) -> sqlalchemy.Select[Any]:
    known = {each.column for each in OBSCORE} - {"access_url", "access_format"}
    address: ColumnElement[Any] = (
        literal(links) + obscore.c.obs_publisher_did if links else obscore.c.access_url
    )
    form: ColumnElement[Any] = literal(DATALINK) if links else obscore.c.access_format
    columns = [obscore.c[name] for name in sorted(known)]
    vectors = [obscore.c[name] for name in ("hpx", "ux", "uy", "uz")]
    return (
        select(*columns, address.label("access_url"), form.label("access_format"), *vectors)
        .join(entries, entries.c.id == obscore.c.entry)
        .where(readable(user, entries))
    )


def _seen(user: User) -> ColumnElement[bool]:
    """The condition on a table that is joined to its entry."""
    return or_(held_tables.c.entry.is_(None), readable(user, entries))


def _entry_join() -> sqlalchemy.FromClause:
    return held_tables.outerjoin(entries, entries.c.id == held_tables.c.entry)


def _schemas(user: User) -> sqlalchemy.Select[Any]:
    used = select(held_tables.c.schema_name).select_from(_entry_join()).where(_seen(user))
    return select(
        held_schemas.c.name.label("schema_name"),
        _given(held_schemas.c.utype).label("utype"),
        held_schemas.c.description,
        _no_number().label("schema_index"),
    ).where(held_schemas.c.name.in_(used))


def _given(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A text, missing where it is empty."""
    return func.nullif(column, "")


def _no_number() -> ColumnElement[Any]:
    return sqlalchemy.cast(null(), sqlalchemy.BigInteger)


def _tables(user: User) -> sqlalchemy.Select[Any]:
    return (
        select(
            held_tables.c.schema_name,
            held_tables.c.full_name.label("table_name"),
            held_tables.c.kind.label("table_type"),
            _given(held_tables.c.utype).label("utype"),
            held_tables.c.description,
            held_tables.c.id.label("table_index"),
        )
        .select_from(_entry_join())
        .where(_seen(user))
    )


def _columns(user: User) -> sqlalchemy.Select[Any]:
    c = held_columns.c
    names = ("arraysize", "xtype", "utype", "unit", "ucd")
    return (
        select(
            held_tables.c.full_name.label("table_name"),
            c.full_name.label("column_name"),
            c.datatype,
            *(_given(c[name]).label(name) for name in names),
            _no_number().label("size"),
            c.description,
            c.indexed,
            c.principal,
            c.std,
            c.column_index,
        )
        .select_from(
            held_columns.join(held_tables, held_tables.c.id == c.table_id).outerjoin(
                entries, entries.c.id == held_tables.c.entry
            )
        )
        .where(_seen(user))
    )


def _keys(user: User) -> sqlalchemy.Select[Any]:
    to, owner = held_tables.alias("target"), entries.alias("owner")
    return (
        select(
            held_keys.c.key_id,
            held_tables.c.full_name.label("from_table"),
            to.c.full_name.label("target_table"),
            held_keys.c.description,
            _given(held_keys.c.utype).label("utype"),
        )
        .select_from(
            held_keys.join(held_tables, held_tables.c.id == held_keys.c.from_id)
            .join(to, to.c.id == held_keys.c.target_id)
            .outerjoin(entries, entries.c.id == held_tables.c.entry)
            .outerjoin(owner, owner.c.id == to.c.entry)
        )
        .where(and_(_seen(user), or_(to.c.entry.is_(None), readable(user, owner))))
    )


def _key_columns(user: User) -> sqlalchemy.Select[Any]:
    seen = _keys(user).subquery()
    return select(key_columns.c.key_id, key_columns.c.from_column, key_columns.c.target_column).where(
        key_columns.c.key_id.in_(select(seen.c.key_id))
    )


_SELECTIONS = {
    "schemas": _schemas,
    "tables": _tables,
    "columns": _columns,
    "keys": _keys,
    "key_columns": _key_columns,
}
