"""`create_app`: the whole service on one page: what it stands on, its routes, and what stands before them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

import skysift
from skysift.io.sql import connect
from skysift.serve.auth.people import People
from skysift.serve.errors import tell_errors
from skysift.serve.guard import Guard
from skysift.serve.metrics import Metrics
from skysift.serve.options import ServeOptions
from skysift.serve.rest import finders, health
from skysift.serve.settings import database_of, folder_of

__all__ = ["create_app"]


def create_app(settings: ServeOptions) -> FastAPI:
    """The service as an ASGI app; it opens its database here, and closes it when it ends.

    Parameters
    ----------
    settings
        What the service is told.
    """
    app = FastAPI(
        title="skysift",
        version=skysift.__version__,
        summary="Finders of radio sources, catalogues and cutouts as a service",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # those pages load scripts from elsewhere
        redoc_url=None,
        lifespan=_life,
    )
    state = app.state
    state.settings = settings
    state.metrics = Metrics()
    folder_of(settings).mkdir(parents=True, exist_ok=True, mode=0o700)
    state.engine = connect(database_of(settings))
    state.people = People(state.engine)

    for router in (health.router, health.metrics_router, finders.router):
        app.include_router(router)

    tell_errors(app)
    app.add_middleware(Guard, settings=settings, metrics=state.metrics)
    return app


@asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.engine.dispose()
