"""`create_app`: the whole service on one page: what it stands on, its routes, and what stands before them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

import skysift
from skysift.archive.shelf import Shelf
from skysift.io.sql import connect
from skysift.jobs.manager import Manager
from skysift.serve.auth.people import People
from skysift.serve.bell import Bell
from skysift.serve.belonging import bind_folder
from skysift.serve.errors import tell_errors
from skysift.serve.guard import Guard
from skysift.serve.metrics import Metrics
from skysift.serve.options import ServeOptions
from skysift.serve.page import routes as page
from skysift.serve.rest import account, data, finders, health, jobs, uploads, views
from skysift.serve.settings import database_of, folder_of, limits_of
from skysift.serve.tiles import Tiles
from skysift.serve.uploads import Uploads
from skysift.serve.views import Views
from skysift.serve.vo.routes import protocols

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
    state.clock = time.monotonic
    folder = folder_of(settings)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    state.engine = connect(database_of(settings))
    bind_folder(state.engine, folder)
    state.people = People(state.engine)
    state.uploads = Uploads(state.engine, folder / "uploads")
    state.manager = Manager(state.engine, folder / "jobs", limits=limits_of(settings))
    state.shelf = Shelf(state.engine, folder / "shelf")
    state.tiles = Tiles(folder / "hips")
    state.tiles.sweep(state.shelf)
    state.bell = Bell(state.manager)
    state.views = Views()

    for room in (health, finders, uploads, jobs, data, account, views):
        app.include_router(room.router)
    app.include_router(health.metrics_router)
    app.include_router(page.router)
    for protocol in protocols:
        app.include_router(protocol)

    tell_errors(app)
    app.add_middleware(Guard, settings=settings, metrics=state.metrics)
    return app


@asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    state = app.state
    state.manager.run()
    state.bell.start()
    try:
        yield
    finally:
        await state.bell.stop()
        await run_in_threadpool(state.manager.stop)  # ends the workers, too
        state.engine.dispose()
