"""Who may see and change what: the one rule, for queries, cutouts, jobs and files alike.

Everything that is kept has an owner and is public, of a group, or private. All see what is public; the members
of its group see what is of a group; the owner and those who run the service see all. Only they change it.
What a person may not see does not exist for them: it is told as missing, not as forbidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import sqlalchemy
from sqlalchemy import ColumnElement, FromClause, and_, or_, true

from skysift.base.errors import OptionError

__all__ = [
    "ANONYMOUS",
    "LOCAL",
    "VISIBILITIES",
    "Access",
    "User",
    "Visibility",
    "access_columns",
    "may_change",
    "may_read",
    "readable",
]

Visibility: TypeAlias = Literal["public", "group", "private"]
VISIBILITIES: tuple[Visibility, ...] = get_args(Visibility)


@dataclass(frozen=True)
class User:
    """Somebody who asks.

    Parameters
    ----------
    name
        What they are called; empty for a person who did not say who they are.
    groups
        The groups that they are in.
    admin
        Whether they run the service.
    """

    name: str
    groups: frozenset[str] = frozenset()
    admin: bool = False

    @property
    def known(self) -> bool:
        """Whether they said who they are."""
        return bool(self.name)


ANONYMOUS = User("")
LOCAL = User("local", admin=True)
"""The one user of a service that nobody configured; it listens to this machine alone."""


@dataclass(frozen=True)
class Access:
    """Whose something is, and who may see it.

    Parameters
    ----------
    owner
        Name of the user.
    visibility
        ``public``, ``group`` or ``private``.
    group
        The group that may see it; empty unless `visibility` is ``group``.

    Raises
    ------
    OptionError
        There is no such visibility, or a group is missing or not wanted.
    """

    owner: str
    visibility: Visibility = "private"
    group: str = ""

    def __post_init__(self) -> None:
        if self.visibility not in VISIBILITIES:
            raise OptionError("no such visibility", got=self.visibility, allowed=VISIBILITIES)
        if bool(self.group) != (self.visibility == "group"):
            raise OptionError(
                "a group goes with the visibility 'group', and with no other",
                got=f"visibility {self.visibility!r}, group {self.group!r}",
            )


def may_read(user: User, access: Access) -> bool:
    """Whether a user may see what has this access."""
    if user.admin or access.visibility == "public":
        return True
    if user.known and access.owner == user.name:
        return True
    return access.visibility == "group" and access.group in user.groups


def may_change(user: User, access: Access) -> bool:
    """Whether a user may change, share or remove what has this access."""
    return user.admin or (user.known and access.owner == user.name)


def readable(user: User, table: FromClause) -> ColumnElement[bool]:
    """The condition of SQL that leaves the rows of a table which a user may see.

    Parameters
    ----------
    user
        Who asks.
    table
        A table with the columns of `access_columns`.
    """
    if user.admin:
        return true()
    owner, visibility, group = table.c.owner, table.c.visibility, table.c.group_name
    allowed = [visibility == "public"]
    if user.known:
        allowed.append(owner == user.name)
    if user.groups:
        allowed.append(and_(visibility == "group", group.in_(sorted(user.groups))))
    return or_(*allowed)


def access_columns() -> list[sqlalchemy.Column[str]]:
    """The columns of a table whose rows belong to somebody: ``owner``, ``visibility``, ``group_name``."""
    return [
        sqlalchemy.Column("owner", sqlalchemy.String(255), nullable=False, index=True),
        sqlalchemy.Column("visibility", sqlalchemy.String(8), nullable=False),
        sqlalchemy.Column("group_name", sqlalchemy.String(255), nullable=False, default=""),
    ]
