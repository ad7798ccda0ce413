"""Who asks, what they used, and their tokens: ``/api/v1/me``, ``/api/v1/usage``, ``/api/v1/tokens``."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from skysift.base.errors import AccessError, UsageError
from skysift.jobs.job import Usage
from skysift.serve.auth.people import Token
from skysift.serve.context import Asked, AskedByUser
from skysift.serve.rest import API
from skysift.serve.settings import by_tokens
from skysift.serve.wire import Plain, moment

__all__ = ["router"]

router = APIRouter(prefix=API, tags=["account"])


class Me(BaseModel):
    """Who asks."""

    name: str
    groups: list[str]
    admin: bool
    sign_in: Literal["local", "tokens"]


class ShownUsage(BaseModel):
    """What somebody, or all, made the service do."""

    jobs: dict[str, int]
    ended: dict[str, int]
    seconds: float
    bytes_results: int
    bytes_uploads: int
    users: int


class ShownToken(BaseModel):
    """A token, its secret aside."""

    id: str
    user: str
    label: str
    created: str
    expires: str | None
    used: str | None


class MadeToken(ShownToken):
    """A new token with its text, which is told this once."""

    token: str


class NewToken(BaseModel):
    """A token that is wanted."""

    model_config = ConfigDict(extra="forbid")

    label: Plain = Field(default="", max_length=255, description="What it is for.")
    days: float | None = Field(
        default=None, gt=0, le=36500, description="How long it holds; for ever by default."
    )


@router.get("/me", summary="Who you are")
def me(asked: Asked) -> Me:
    """Who you are to the service; an empty name is nobody."""
    user = asked.user
    how: Literal["local", "tokens"] = "tokens" if by_tokens(asked.settings) else "local"
    return Me(name=user.name, groups=sorted(user.groups), admin=user.admin, sign_in=how)


@router.get("/usage", summary="What you used")
def usage(
    asked: AskedByUser,
    of: Annotated[Literal["me", "service"], Query(description="Of all: for those who run it.")] = "me",
) -> ShownUsage:
    """Jobs by phase, jobs that ended, seconds that workers were busy, and bytes that are kept.

    Raises
    ------
    AccessError
        Only those who run the service see what all used.
    """
    if of == "service":
        if not asked.user.admin:
            raise AccessError("only those who run the service see what all used")
        return _usage(asked.manager.service_usage(), asked.uploads.bytes_of(None))
    return _usage(asked.manager.usage(asked.user), asked.uploads.bytes_of(asked.user))


@router.get("/tokens", summary="Your tokens")
def tokens(asked: AskedByUser) -> list[ShownToken]:
    """Your tokens, the newest first, without their secrets."""
    return [_token(each) for each in asked.people.tokens(asked.user.name)]


@router.post("/tokens", status_code=201, summary="Make a token")
def make_token(wanted: NewToken, asked: AskedByUser) -> MadeToken:
    """A new token of yours; its text is told this once.

    Raises
    ------
    UsageError
        The service knows nobody by tokens.
    """
    if not by_tokens(asked.settings):
        raise UsageError("this service knows nobody by tokens", got="sign_in local")
    token, text = asked.people.make_token(asked.user.name, wanted.label, days=wanted.days)
    return MadeToken(**_token(token).model_dump(), token=text)


@router.delete("/tokens/{id}", status_code=204, summary="Take a token back")
def drop_token(id: str, asked: AskedByUser) -> None:
    """Take a token of yours back; it opens nothing any more."""
    asked.people.drop_token(id, asked.user.name)


def _token(token: Token) -> ShownToken:
    return ShownToken(
        id=token.id,
        user=token.user,
        label=token.label,
        created=moment(token.created),
        expires=None if token.expires is None else moment(token.expires),
        used=None if token.used is None else moment(token.used),
    )


def _usage(usage: Usage, uploads: int) -> ShownUsage:
    return ShownUsage(
        jobs=dict(usage.jobs),
        ended=dict(usage.ended),
        seconds=round(usage.seconds, 3),
        bytes_results=usage.bytes,
        bytes_uploads=uploads,
        users=usage.users,
    )
