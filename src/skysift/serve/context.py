"""`Context`: what a handler is handed: who asks, and what there is to ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from skysift.archive.policy import User
from skysift.serve.auth.asking import known, who
from skysift.serve.auth.people import People
from skysift.serve.errors import request_id_of
from skysift.serve.options import ServeOptions
from skysift.serve.settings import by_tokens

__all__ = ["Asked", "AskedByUser", "Context", "base_url", "context", "context_of_user"]


@dataclass(frozen=True)
class Context:
    """What a handler is handed.

    Parameters
    ----------
    user
        Who asks.
    people
        The users.
    settings
        What the service is told.
    request_id
        The id of the request; it stands in the log.
    url
        The address that the asker knows the service by, without a slash at its end.
    """

    user: User
    people: People
    settings: ServeOptions
    request_id: str
    url: str


def context(request: Request) -> Context:
    """What a handler is handed; dependency of the routes that anybody may ask."""
    state = request.app.state
    user = who(request, state.people, tokens=by_tokens(state.settings))
    request.scope["skysift.user"] = user.name
    return Context(
        user=user,
        people=state.people,
        settings=state.settings,
        request_id=request_id_of(request),
        url=base_url(request),
    )


def context_of_user(asked: Annotated[Context, Depends(context)]) -> Context:
    """What a handler is handed; dependency of the routes that need to know who asks.

    Raises
    ------
    SignInError
        Nobody knows.
    """
    known(asked.user)
    return asked


def base_url(request: Request) -> str:
    """The address that the asker knows the service by, without a slash at its end."""
    settings: ServeOptions = request.app.state.settings
    return settings.public_url.rstrip("/") or str(request.base_url).rstrip("/")


Asked: TypeAlias = Annotated[Context, Depends(context)]
AskedByUser: TypeAlias = Annotated[Context, Depends(context_of_user)]
