"""`People`: the users of a service, their groups and their personal access tokens, in its database.

A token is ``skysift_<id>_<secret>``. The secret is told once, when the token is made; kept is its SHA-256, which
suffices for 256 random bits.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from skysift.archive.policy import User
from skysift.base.errors import OptionError, SignInError, UnknownName
from skysift.io.sql import migrate, told

__all__ = ["BRANCH", "People", "Token"]

BRANCH = "auth"
TABLES = sa.MetaData()
USERS = sa.Table(
    "auth_users",
    TABLES,
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("admin", sa.Boolean),
    sa.Column("created", sa.Float),
)
MEMBERS = sa.Table(
    "auth_members",
    TABLES,
    sa.Column("user_name", sa.String(255), primary_key=True),
    sa.Column("group_name", sa.String(255), primary_key=True),
)
TOKENS = sa.Table(
    "auth_tokens",
    TABLES,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("user_name", sa.String(255)),
    sa.Column("label", sa.String(255)),
    sa.Column("digest", sa.String(64)),
    sa.Column("created", sa.Float),
    sa.Column("expires", sa.Float),
    sa.Column("used", sa.Float),
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_TOKEN = re.compile(r"skysift_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_FRESH = 5.0  # seconds that what was found of a token is taken for true; a token taken back ends by then
_USED = 3600.0  # seconds between two notes of a token's last use


@dataclass(frozen=True)
class Token:
    """What is known of a token, its secret aside."""

    id: str
    user: str
    label: str
    created: float
    expires: float | None
    used: float | None


class People:
    """The users of a service.

    Parameters
    ----------
    engine
        The database; the tables are made where they are missing.
    clock
        Seconds since 1970.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self.engine = engine
        self.clock = clock
        self._known: dict[str, tuple[float, User]] = {}
        migrate(engine, BRANCH)

    def add(self, name: str, *, admin: bool = False, groups: Iterable[str] = ()) -> User:
        """A user, made or with more groups; one that is there keeps what it had.

        Raises
        ------
        OptionError
            A name has letters that names do not have.
        """
        names = (name, *groups)
        for each in names:
            if not _NAME.fullmatch(each):
                raise OptionError(
                    "not a name of a user or group",
                    got=each,
                    allowed="up to 64 letters, digits and . _ @ -, the first a letter or digit",
                )
        with told(), self.engine.begin() as connection:
            there = connection.execute(sa.select(USERS.c.admin).where(USERS.c.name == name)).first()
            if there is None:
                connection.execute(sa.insert(USERS).values(name=name, admin=admin, created=self.clock()))
            elif admin and not there.admin:
                connection.execute(sa.update(USERS).where(USERS.c.name == name).values(admin=True))
            has = set(connection.scalars(sa.select(MEMBERS.c.group_name).where(MEMBERS.c.user_name == name)))
            for group in sorted(set(names[1:]) - has):
                connection.execute(sa.insert(MEMBERS).values(user_name=name, group_name=group))
        self._known.clear()
        return self.user(name)

    def user(self, name: str) -> User:
        """The user of a name.

        Raises
        ------
        UnknownName
            There is none.
        """
        with told(), self.engine.connect() as connection:
            row = connection.execute(sa.select(USERS.c.admin).where(USERS.c.name == name)).first()
            if row is None:
                raise UnknownName("no such user", got=name)
            groups = connection.scalars(sa.select(MEMBERS.c.group_name).where(MEMBERS.c.user_name == name))
            return User(name, frozenset(groups), bool(row.admin))

    def users(self) -> list[User]:
        """Every user, by name."""
        with told(), self.engine.connect() as connection:
            names = list(connection.scalars(sa.select(USERS.c.name).order_by(USERS.c.name)))
        return [self.user(name) for name in names]

    def make_token(self, user: str, label: str = "", *, days: float | None = None) -> tuple[Token, str]:
        """A new token of a user, and its text, which is told this once.

        Parameters
        ----------
        user
            Whose it is.
        label
            What it is for.
        days
            How long it holds; for ever if None.

        Raises
        ------
        UnknownName
            There is no such user.
        OptionError
            It would hold for no time.
        """
        self.user(user)
        if days is not None and not days > 0:
            raise OptionError("a token holds for some time", got=days, allowed="days above 0")
        now = self.clock()
        token = Token(
            secrets.token_hex(6), user, label[:255], now, None if days is None else now + days * 86400, None
        )
        secret = secrets.token_urlsafe(32)
        with told(), self.engine.begin() as connection:
            connection.execute(
                sa.insert(TOKENS).values(
                    id=token.id,
                    user_name=user,
                    label=token.label,
                    digest=_digest(secret),
                    created=now,
                    expires=token.expires,
                )
            )
        return token, f"skysift_{token.id}_{secret}"

    def tokens(self, user: str | None = None) -> list[Token]:
        """The tokens of a user, or of all, the newest first."""
        wanted = sa.select(TOKENS).order_by(TOKENS.c.created.desc(), TOKENS.c.id)
        if user is not None:
            wanted = wanted.where(TOKENS.c.user_name == user)
        with told(), self.engine.connect() as connection:
            rows = connection.execute(wanted).all()
        return [
            Token(each.id, each.user_name, each.label, each.created, each.expires, each.used) for each in rows
        ]

    def drop_token(self, id: str, user: str | None = None) -> None:
        """Take a token back; it opens nothing any more.

        Raises
        ------
        UnknownName
            There is no such token, or it is not this user's.
        """
        gone = sa.delete(TOKENS).where(TOKENS.c.id == id)
        if user is not None:
            gone = gone.where(TOKENS.c.user_name == user)
        with told(), self.engine.begin() as connection:
            n_gone = connection.execute(gone).rowcount
        self._known.clear()
        if not n_gone:
            raise UnknownName("no such token", got=id)

    def remembers(self, text: str) -> bool:
        """Whether a token was looked up so lately that it counts as known."""
        match = _TOKEN.fullmatch(text)
        known = None if match is None else self._known.get(_digest(match[2]))
        return known is not None and known[0] > self.clock()

    def of_token(self, text: str) -> User:
        """The user whom a token speaks for.

        Raises
        ------
        SignInError
            It is no token, none of ours, or its time is over.
        """
        match = _TOKEN.fullmatch(text)
        if match is None:
            raise SignInError("this is no personal access token", todo="make one by `skysift token add USER`")
        token, digest, now = match[1], _digest(match[2]), self.clock()
        known = self._known.get(digest)
        if known is not None and known[0] > now:
            return known[1]
        with told(), self.engine.connect() as connection:
            row = connection.execute(sa.select(TOKENS).where(TOKENS.c.id == token)).first()
        if row is None or not hmac.compare_digest(row.digest, digest):
            raise SignInError("the token does not hold", todo="ask for a new one")
        if row.expires is not None and row.expires <= now:
            raise SignInError("the time of the token is over", todo="ask for a new one")
        if row.used is None or row.used + _USED < now:
            with told(), self.engine.begin() as connection:
                connection.execute(sa.update(TOKENS).where(TOKENS.c.id == token).values(used=now))
        user = self.user(row.user_name)
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[digest] = (now + _FRESH, user)
        return user


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
