"""One rule decides who sees what, in Python and in SQL alike."""

from itertools import product

import pytest
import sqlalchemy

from skysift.archive.policy import (
    ANONYMOUS,
    LOCAL,
    Access,
    User,
    access_columns,
    may_change,
    may_read,
    readable,
)
from skysift.base.errors import OptionError

ANNA = User("anna", frozenset({"emu"}))
BERT = User("bert")
THINGS = [
    Access(owner, visibility, group)
    for owner in ("anna", "bert")
    for visibility, group in (("public", ""), ("private", ""), ("group", "emu"), ("group", "lofar"))
]


@pytest.mark.parametrize(
    ("user", "seen"),
    [(ANONYMOUS, 2), (ANNA, 2 + 3 + 1), (BERT, 2 + 3), (LOCAL, 8)],
    ids=["nobody", "anna", "bert", "local"],
)
def test_sql_and_python_agree(user, seen):
    engine = sqlalchemy.create_engine("sqlite://")
    table = sqlalchemy.Table(
        "things", sqlalchemy.MetaData(), sqlalchemy.Column("id", sqlalchemy.Integer), *access_columns()
    )
    with engine.begin() as connection:
        table.create(connection)
        rows = [
            {"id": n, "owner": one.owner, "visibility": one.visibility, "group_name": one.group}
            for n, one in enumerate(THINGS)
        ]
        connection.execute(table.insert(), rows)
        found = set(connection.scalars(sqlalchemy.select(table.c.id).where(readable(user, table))))
    engine.dispose()
    assert found == {n for n, one in enumerate(THINGS) if may_read(user, one)}
    assert len(found) == seen


def test_only_the_owner_and_who_runs_the_service_change():
    for user, thing in product((ANONYMOUS, ANNA, BERT, LOCAL), THINGS):
        assert may_change(user, thing) == (user is LOCAL or user.name == thing.owner)


def test_an_owner_without_a_name_is_nobodys_own():
    assert not may_read(ANONYMOUS, Access("", "private"))
    assert not may_change(ANONYMOUS, Access("", "public"))


def test_a_group_goes_with_group_alone():
    with pytest.raises(OptionError, match="a group goes with"):
        Access("anna", "group")
    with pytest.raises(OptionError, match="a group goes with"):
        Access("anna", "private", "emu")
