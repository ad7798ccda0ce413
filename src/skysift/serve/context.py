"""`Context`: what a handler is handed: who asks, and what there is to ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from skysift.archive.policy import User
from skysift.archive.shelf import Shelf
from skysift.jobs.manager import Manager
from skysift.serve.auth.asking import known, quickly_known, who
from skysift.serve.auth.people import People
from skysift.serve.bell import Bell
from skysift.serve.errors import request_id_of
from skysift.serve.options import ServeOptions
from skysift.serve.settings import by_tokens
from skysift.serve.tiles import Tiles
from skysift.serve.uploads import Uploads
from skysift.serve.views import Views

__all__ = ["Asked", "AskedByUser", "Context", "base_url", "context", "context_of_user"]


@dataclass(frozen=True)
class Context:
    """What a handler is handed.

    Parameters
    ----------
    user
        Who asks.
    shelf
        What is held: images, cubes, catalogues.
    manager
        The jobs.
    uploads
        The files that users sent.
    people
        The users.
    bell
        Wakes those who wait for jobs.
    views
        The links that show results.
    tiles
        The kept tiles of HiPS.
    settings
        What the service is told.
    request_id
        The id of the request; it stands in the log.
    url
        The address that the asker knows the service by, without a slash at its end.
    facts
        What is told of the request in the log.
    clock
        Seconds that pass.
    """

    user: User
    shelf: Shelf
    manager: Manager
    uploads: Uploads
    people: People
    bell: Bell
    views: Views
    tiles: Tiles
    settings: ServeOptions
    request_id: str
    url: str
    facts: dict[str, Any] = field(default_factory=dict, compare=False)
    clock: Callable[[], float] = field(default=lambda: 0.0, compare=False)

    def note(self, **facts: object) -> None:
        """Have the log tell these facts of the request."""
        self.facts.update(facts)


async def context(request: Request) -> Context:
    """What a handler is handed; dependency of the routes that anybody may ask.

    A token that was looked up not long ago costs no thread: those who poll are many.
    """
    state, scope = request.app.state, request.scope
    tokens = by_tokens(state.settings)
    if not tokens or quickly_known(request, state.people):
        user = who(request, state.people, tokens=tokens)
    else:
        user = await run_in_threadpool(who, request, state.people, tokens=tokens)
    scope["skysift.user"] = user.name
    return Context(
        user=user,
        shelf=state.shelf,
        manager=state.manager,
        uploads=state.uploads,
        people=state.people,
        bell=state.bell,
        views=state.views,
        tiles=state.tiles,
        settings=state.settings,
        request_id=request_id_of(request),
        url=base_url(request),
        facts=scope.setdefault("skysift.facts", {}),
        clock=state.clock,
    )


async def context_of_user(asked: Annotated[Context, Depends(context)]) -> Context:
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
