"""``skysift token``: the people of a service and their personal access tokens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from skysift.base.errors import OptionError
from skysift.base.extras import require
from skysift.cli.flags import DatabaseFlag, DataFlag

if TYPE_CHECKING:
    from skysift.serve.auth.people import People

__all__ = ["token"]

_ACTIONS = ("add", "list", "drop")


def token(
    action: Annotated[str, typer.Argument(metavar="add|list|drop", help="What is done.")],
    name: Annotated[
        str | None,
        typer.Argument(metavar="[USER|ID]", help="A user (add, list), or the id of a token (drop)."),
    ] = None,
    data: DataFlag = None,
    database: DatabaseFlag = None,
    group: Annotated[
        list[str] | None,
        typer.Option("--group", metavar="NAME", help="A group of the user; may be given again."),
    ] = None,
    admin: Annotated[bool, typer.Option("--admin", help="The user runs the service, and sees all.")] = False,
    label: Annotated[
        str | None, typer.Option("--label", metavar="TEXT", help="What the token is for.")
    ] = None,
    days: Annotated[
        float | None,
        typer.Option("--days", metavar="N", help="How long the token holds; for ever by default."),
    ] = None,
) -> None:
    r"""Make, list and take back personal access tokens of a service.

    \b
    Examples:
      skysift token add ana --data survey --group radio --days 365
      skysift token list --data survey
      skysift token drop 5f2a8c01d3e4 --data survey

    A new token is printed once; the service keeps its hash alone. It is sent in the header
    `Authorization: Bearer TOKEN`. The service may run meanwhile; what is taken back ends within seconds.
    """
    require("skysift token", "sqlalchemy", "alembic")
    from skysift.io.sql import connect
    from skysift.serve.auth.people import People
    from skysift.serve.settings import database_of, folder_of, serve_settings

    if action not in _ACTIONS:
        raise OptionError("no such action", got=action, allowed=_ACTIONS)
    if name is None and action != "list":
        raise OptionError(f"token {action} needs {'a user' if action == 'add' else 'the id of a token'}")
    told = serve_settings({"data": data, "database": database})
    folder_of(told).mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = connect(database_of(told))
    try:
        people = People(engine)
        if action == "list":
            _list(people, name)
        elif action == "drop":
            people.drop_token(str(name))
        else:
            people.add(str(name), admin=admin, groups=group or ())
            print(people.make_token(str(name), label or "", days=days)[1])
    finally:
        engine.dispose()


def _list(people: People, user: str | None) -> None:
    for each in people.tokens(user):
        until = "for ever" if each.expires is None else f"until {_day(each.expires)}"
        used = "never used" if each.used is None else f"used {_day(each.used)}"
        print(f"{each.id}  {each.user:16} {until:18} {used:16} {each.label}".rstrip())


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
