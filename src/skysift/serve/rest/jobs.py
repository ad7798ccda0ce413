"""Jobs: ``/api/v1/jobs``; thin over `skysift.jobs.manager.Manager`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from skysift.base.errors import OptionError, UnknownName
from skysift.jobs.checks import checked
from skysift.jobs.job import Artefact, Job, Phase
from skysift.serve.context import Asked, AskedByUser, Context
from skysift.serve.files import file_answer
from skysift.serve.inputs import NewJob, as_request, renewed, spec_of
from skysift.serve.rest import API
from skysift.serve.rest.shown import (
    JobPage,
    ShownEvent,
    ShownJob,
    ShownResult,
    ShownTask,
    shown_job,
    shown_result,
)
from skysift.serve.stream import event_stream
from skysift.serve.vo.asking import private_of
from skysift.serve.wire import PageOf, PageSize, Sharing, etag_of, not_changed, own

__all__ = ["router"]

router = APIRouter(prefix=f"{API}/jobs", tags=["jobs"])

_LONGEST_WAIT = 60
_ON_THE_SHELF = ("query", "cutout", "mcutout", "hips")  # apps that work on the shelf, in the name of who asks
_LONGEST_LOG = 1 << 20

Wait = Annotated[
    float,
    Query(ge=0, le=_LONGEST_WAIT, description="Seconds to wait until the job leaves its phase, or `phase`."),
]


@router.post("", status_code=201, summary="Submit a job", response_model=ShownJob)
def submit(wanted: NewJob, asked: AskedByUser) -> Response:
    """Submit a job; it starts as soon as there is room, unless `start` is false.

    Options are checked by the declarations that the command line has. Inputs are ``upload:ID``, ``shelf:ID``,
    ``job:ID/NAME``, or a URL that the service fetches first.
    """
    with as_request():
        spec = spec_of(wanted, asked)
        private = private_of(asked) if spec.app in _ON_THE_SHELF else None
        access = own(asked.user, wanted.access)
        job = asked.manager.submit(spec, asked.user, access, start=wanted.start, private=private)
    asked.note(job_id=job.id)
    return _answer(job, asked, status=201)


@router.post("/checks", summary="Check a job before its files are sent")
def check(wanted: NewJob, asked: AskedByUser) -> ShownTask:
    """Every check of a submission, and no job: ``file:NAME`` stands for an input that is still to be sent.

    What is told are the options and resources that the job would have, defaults included.
    """
    with as_request():
        task = checked(spec_of(wanted, asked, sent=False), asked.manager.executor, sent=False)
        own(asked.user, wanted.access)
    return ShownTask(app=task.app, options=dict(task.options), resources=task.resources.to_dict())


@router.get("", summary="The jobs that you may see", response_model=JobPage)
def jobs(
    request: Request,
    asked: Asked,
    phase: Annotated[list[Phase] | None, Query(description="Only those in these phases.")] = None,
    app: Annotated[list[str] | None, Query(description="Only those of these apps.", max_length=50)] = None,
    owner: Annotated[str | None, Query(max_length=64)] = None,
    tag: Annotated[str, Query(max_length=64)] = "",
    after: Annotated[datetime | None, Query(description="Only those that came later.")] = None,
    page: PageOf = "",
    size: PageSize = 50,
) -> Response:
    """The jobs that you may see, the newest first; archived ones only where that phase is asked for."""
    found = asked.manager.list(
        asked.user,
        phase=phase or (),
        app=app or (),
        owner=owner,
        tag=tag,
        after=None if after is None else _seconds(after),
        page=page,
        size=size,
    )
    etag = etag_of(asked.user.name, found.next, *((job.id, job.version) for job in found.jobs))
    if not_changed(request, etag):
        return Response(status_code=304, headers={"ETag": etag})
    body = {"items": [shown_job(job, asked) for job in found.jobs], "next": found.next}
    return JSONResponse(body, headers={"ETag": etag, "Cache-Control": "private, no-cache"})


@router.get("/{id}", summary="One job", response_model=ShownJob)
async def job(
    id: str,
    request: Request,
    asked: Asked,
    wait: Wait = 0,
    phase: Annotated[
        Phase | None, Query(description="The phase that you know; else the present one.")
    ] = None,
) -> Response:
    """One job: phase, reason, progress, links. With ``wait`` the answer comes when the phase changes."""
    found = await run_in_threadpool(asked.manager.job, id, asked.user)
    if wait and not found.phase.ended and phase in (None, found.phase):
        found = await asked.bell.wait_for(
            id,
            lambda: asked.manager.job(id, asked.user),
            lambda now: now.phase.ended or now.phase is not found.phase,
            wait,
        )
    return _answer(found, asked, request)


@router.patch("/{id}", summary="Share a job", response_model=ShownJob)
def share(id: str, sharing: Sharing, asked: AskedByUser) -> Response:
    """Say who may see it, and its results, from now on."""
    found = asked.manager.job(id, asked.user)
    return _answer(asked.manager.share(id, asked.user, sharing.of(found.access.owner)), asked)


@router.delete("/{id}", status_code=204, summary="Remove a job")
def remove(id: str, asked: AskedByUser) -> None:
    """Remove a job with its results; one that runs is ended first, with all its processes."""
    asked.manager.remove(id, asked.user)


@router.post("/{id}/cancel", summary="End a job", response_model=ShownJob)
def cancel(id: str, asked: AskedByUser) -> Response:
    """End a job, with all its processes; what it told stays. Nothing happens to one that has ended."""
    return _answer(asked.manager.abort(id, asked.user), asked)


@router.post("/{id}/start", summary="Start a job that waits for it", response_model=ShownJob)
def start(id: str, asked: AskedByUser) -> Response:
    """Queue a job that is PENDING or HELD."""
    return _answer(asked.manager.start(id, asked.user, lambda each: renewed(each, asked)), asked)


@router.post("/{id}/retry", status_code=201, summary="Do it again", response_model=ShownJob)
def retry(id: str, asked: AskedByUser) -> Response:
    """A new job with the task of one that has ended."""
    return _answer(asked.manager.retry(id, asked.user, lambda each: renewed(each, asked)), asked, status=201)


@router.get("/{id}/recipe", summary="What a job did, to be done again")
def recipe(id: str, asked: Asked) -> dict[str, Any]:
    """What a job does but for its inputs: to be given as `recipe` of another one."""
    spec = asked.manager.job(id, asked.user).spec
    return {
        "app": spec.app,
        "options": dict(spec.options),
        "resources": spec.resources.to_dict(),
        "tags": list(spec.tags),
    }


@router.get("/{id}/log", summary="The end of its log", response_class=PlainTextResponse)
def log(
    id: str,
    asked: Asked,
    tail: Annotated[int, Query(ge=1, le=_LONGEST_LOG, description="Bytes.")] = 65536,
) -> PlainTextResponse:
    """The last bytes of what its worker printed."""
    asked.manager.job(id, asked.user)
    return PlainTextResponse(asked.manager.log(id, tail), headers={"Cache-Control": "no-store"})


@router.get("/{id}/events", summary="What happened to it", response_model=list[ShownEvent])
async def events(
    id: str,
    request: Request,
    asked: Asked,
    after: Annotated[int, Query(ge=0, le=2**62, description="Only what happened after this event.")] = 0,
) -> Response:
    """What happened, in order: phases, progress, notes. As a stream of events where ``text/event-stream`` is accepted.

    A stream goes on after the header ``Last-Event-ID``, and ends when the job has ended.
    """
    await run_in_threadpool(asked.manager.job, id, asked.user)
    if "text/event-stream" not in request.headers.get("accept", ""):
        found = await run_in_threadpool(asked.manager.events, id, after)
        return JSONResponse(
            [
                {"id": each.id, "time": each.time.isoformat(), "kind": each.kind, "facts": dict(each.facts)}
                for each in found
            ]
        )
    last = request.headers.get("last-event-id", "")
    stream = event_stream(asked, id, int(last) if last.isdecimal() and len(last) < 19 else after)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


@router.get("/{id}/results", summary="What it made", response_model=list[ShownResult])
def results(id: str, asked: Asked) -> list[ShownResult]:
    """Every file that it made, with a link; none before all are whole."""
    asked.manager.job(id, asked.user)
    return [shown_result(id, each, asked) for each in asked.manager.results(id)]


@router.get("/{id}/results/{name:path}", summary="One file that it made", response_class=Response)
def result(
    id: str,
    name: str,
    asked: Asked,
    request: Request,
    show: Annotated[bool, Query(description="Let a browser show it, in a sandbox.")] = False,
) -> Response:
    """One file, in parts where a Range is asked for."""
    asked.manager.job(id, asked.user)
    return result_answer(asked.manager.results(id), name, request, show=show)


def result_answer(results: tuple[Artefact, ...], name: str, request: Request, *, show: bool) -> Response:
    """One of the results, by its name and nothing but its name.

    Raises
    ------
    UnknownName
        There is none.
    """
    for each in results:
        if each.name == name:
            last = name.rpartition("/")[2]
            return file_answer(request, each.path, last, each.media_type, each.checksum, show=show)
    raise UnknownName("the job made no such file", got=name[:100])


@router.post("/{id}/views", status_code=201, summary="A link to look at its pages")
def view(id: str, asked: Asked) -> dict[str, Any]:
    """A link below which a browser shows the results for an hour, without a header; of this job alone."""
    asked.manager.job(id, asked.user)
    return {
        "url": f"{asked.url}/views/{asked.views.make(f'job:{id}', asked.user)}/",
        "seconds": asked.views.seconds,
    }


def _answer(job: Job, asked: Context, request: Request | None = None, status: int = 200) -> Response:
    etag = f'"{job.id}-{job.version}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if request is not None and not_changed(request, etag):
        return Response(status_code=304, headers=headers)
    if status == 201:
        headers["Location"] = f"{asked.url}{API}/jobs/{job.id}"
    return JSONResponse(shown_job(job, asked), status, headers)


def _seconds(after: datetime) -> float:
    if after.tzinfo is None:
        raise OptionError(
            "a time needs its zone", got=after.isoformat(), allowed="such as 2026-01-31T12:00:00Z"
        )
    return after.timestamp()
