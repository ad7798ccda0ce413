"""Whether the service lives and is ready, and its numbers: ``/api/v1/health``, ``/api/v1/ready``, ``/metrics``."""

from __future__ import annotations

import shutil
from typing import Literal

import sqlalchemy
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

import skysift
from skysift.base.errors import SkysiftError
from skysift.io.sql import told
from skysift.serve.metrics import metrics_text
from skysift.serve.rest import API
from skysift.serve.settings import folder_of

__all__ = ["Health", "Ready", "metrics_router", "router"]

router = APIRouter(prefix=API, tags=["service"])
metrics_router = APIRouter(tags=["service"])

_ROOM = 100 * 2**20  # bytes of disk below which nothing more is taken


class Health(BaseModel):
    """It lives."""

    status: Literal["ok"]
    version: str


class Ready(BaseModel):
    """What it stands on, each by one word."""

    status: Literal["ready", "not ready"]
    checks: dict[str, str]


@router.get("/health", summary="Whether the service lives")
async def health() -> Health:
    """It lives; nothing is looked at."""
    return Health(status="ok", version=skysift.__version__)


@router.get("/ready", summary="Whether the service can work", responses={503: {"model": Ready}})
def ready(request: Request) -> JSONResponse:
    """Whether the database answers, the disk has room and jobs are watched; 503 where not."""
    state = request.app.state
    checks = {"database": "ok", "disk": "ok"}
    try:
        with told(), state.engine.connect() as connection:
            connection.execute(sqlalchemy.text("SELECT 1"))
    except SkysiftError as error:
        checks["database"] = error.wrong
    if shutil.disk_usage(folder_of(state.settings)).free < _ROOM:
        checks["disk"] = "full"
    checks["jobs"] = "ok" if state.manager.watching else "nobody watches them"
    fine = all(value == "ok" for value in checks.values())
    answer = Ready(status="ready" if fine else "not ready", checks=checks)
    return JSONResponse(answer.model_dump(), 200 if fine else 503)


@metrics_router.get("/metrics", summary="The numbers of the service", response_class=Response)
def metrics(request: Request) -> Response:
    """The numbers of the service in the form of Prometheus."""
    return Response(metrics_text(request.app.state), media_type="text/plain; version=0.0.4; charset=utf-8")
