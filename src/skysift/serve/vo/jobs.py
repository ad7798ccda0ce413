"""`JobDoor`: jobs of one kind as the resources of UWS 1.1, for every protocol that has them.

A job is made by POST to the list; ``PHASE=RUN`` among its parameters starts it at once. What it was told wrongly
shows when it has run: as a job in ERROR, not as a refusal. Jobs of people who did not say who they are belong to
those who know their ids; no list tells them.
"""

from __future__ import annotations

import math
import secrets
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, PlainTextResponse, RedirectResponse
from starlette.datastructures import UploadFile

from skysift.archive.policy import User
from skysift.base.errors import OptionError, StorageError, UnknownName, UsageError
from skysift.jobs.job import Input, Job, JobSpec, Phase
from skysift.jobs.manager import Manager
from skysift.jobs.querying import whole_number
from skysift.jobs.store import full_spec
from skysift.serve.context import Asked, Context
from skysift.serve.inputs import renewed
from skysift.serve.vo.params import Asking, Params
from skysift.serve.vo.telling import VotableRoute, votable_error
from skysift.serve.vo.uws import (
    Result,
    Sheet,
    instant,
    job_document,
    list_document,
    parameters_element,
    results_element,
)

__all__ = ["Draft", "JobDoor"]

LONGEST_LIST = 1000
USUAL_LIST = 100
LONGEST_WAIT = 60.0  # seconds
XML = "text/xml"
_OWN = ("PHASE", "RUNID", "WAIT", "ACTION", "DESTRUCTION", "EXECUTIONDURATION", "LAST", "AFTER")
_WAITING = (Phase.PENDING, Phase.HELD)
_LONGEST_RUN = 10**9  # seconds
_SERVICE = User("", admin=True)


@dataclass(frozen=True)
class Draft:
    """A job that a request asks for.

    Parameters
    ----------
    spec
        What is to be done.
    private
        What the worker is told beside.
    files
        Files that came with the request, kept beside the job as inputs: name -> file.
    """

    spec: JobSpec
    private: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, UploadFile] = field(default_factory=dict)


class JobDoor:
    """Jobs of one kind as resources of UWS.

    Parameters
    ----------
    prefix
        The path of the list.
    app
        The app of the jobs.
    draft
        Makes a job of parameters, for who asks.
    told
        The parameters that the options of a job are.
    name_result
        What a result is called in the list, by the name of its file.
    """

    def __init__(
        self,
        prefix: str,
        app: str,
        draft: Callable[[Context, Params], Draft],
        told: Callable[[Job], list[tuple[str, str]]],
        name_result: Callable[[str], str] = lambda name: name,
    ) -> None:
        self.prefix, self.app = prefix, app
        self._draft, self._told, self._name = draft, told, name_result

    # -- what is asked

    def jobs(self, asked: Context, params: Params) -> Response:
        """The list of the jobs of who asks, the newest first."""
        phases = [_phase(text) for text in params.all("PHASE")]
        after = params.one("AFTER")
        last = whole_number("LAST", params.one("LAST"), low=1) if "LAST" in params else USUAL_LIST
        if not asked.user.known:
            return Response(list_document([], self._url(asked)), media_type=XML)
        page = asked.manager.list(
            asked.user,
            phase=phases,
            app=[self.app],
            owner=asked.user.name,
            after=_time("AFTER", after) if after else None,
            last=min(last, LONGEST_LIST),
        )
        return Response(
            list_document([self._brief(job) for job in page.jobs], self._url(asked)), media_type=XML
        )

    def make(self, asked: Context, params: Params) -> Response:
        """A new job; the answer leads to it."""
        phase = params.one("PHASE").upper()
        if phase not in ("", "RUN"):
            raise OptionError("a new job cannot be in this phase", got=phase, allowed="RUN, or no PHASE")
        until, seconds = _until(params), _told_seconds(params)
        draft = self._draft(asked, params)
        spec = _lasting(replace(draft.spec, name=params.one("RUNID")[:255]), seconds)
        manager = asked.manager
        job = manager.submit(spec, asked.user, start=False, private=draft.private)
        try:
            if draft.files:
                spec = replace(spec, inputs=(*spec.inputs, *self._kept(manager, job.id, draft.files)))
                manager.change(job.id, _SERVICE, spec=spec)
            if until is not None:
                manager.change(job.id, _SERVICE, destruction=until)
            if phase == "RUN":
                manager.start(job.id, _SERVICE)
        except BaseException:
            manager.remove(job.id, _SERVICE)
            raise
        return self._see(asked, job.id)

    def _kept(self, manager: Manager, id: str, files: Mapping[str, UploadFile]) -> tuple[Input, ...]:
        """The files of a request, kept beside its job under names of their own, as inputs of the role ``upload``."""
        folder = manager.folder / id / "inputs"
        inputs: list[Input] = []
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name, file in files.items():
                path = folder / f"{secrets.token_hex(8)}.vot"
                inputs.append(Input(str(path), name, "upload", "upload with the request"))
                with path.open("xb") as kept:
                    shutil.copyfileobj(file.file, kept)
        except OSError as error:
            _forget(inputs)
            raise StorageError("an uploaded table cannot be kept", got=str(error)) from error
        return tuple(inputs)

    def job(self, asked: Context, id: str) -> tuple[Job, User]:
        """A job of this kind that who asks may see, and in whose name its door acts.

        Raises
        ------
        UnknownName
            There is none.
        """
        user = asked.user
        if not user.known:
            job = asked.manager.job(id, _SERVICE)
            if job.access.owner:
                job = asked.manager.job(id, user)
            else:
                user = _SERVICE
        else:
            job = asked.manager.job(id, user)
        if job.spec.app != self.app:
            raise UnknownName("no such job", got=id)
        return job, user

    async def wait(self, asked: Context, id: str, params: Params) -> Job:
        """The job, as soon as it leaves its phase where the request waits for that."""
        job, _ = await run_in_threadpool(self.job, asked, id)
        text = params.one("WAIT")
        if not text:
            return job
        try:
            seconds = float(text)
            if math.isnan(seconds):
                raise ValueError
        except ValueError:
            raise OptionError("WAIT is not allowed", got=text, allowed="a number of seconds, or -1") from None
        left = LONGEST_WAIT if seconds < 0 else min(seconds, LONGEST_WAIT)
        phase = params.one("PHASE").upper() or job.phase.value
        return await asked.bell.wait_for(
            job.id,
            lambda: self.job(asked, id)[0],
            lambda now: now.phase.value != phase or now.phase.ended or now.phase is Phase.HELD,
            left,
        )

    def act(self, asked: Context, id: str, params: Params) -> Response:
        """Do to a job what the parameters say: all of it, or nothing where a part is not allowed."""
        job, user = self.job(asked, id)
        if params.one("ACTION"):
            if params.one("ACTION").upper() != "DELETE":
                raise OptionError("no such ACTION", got=params.one("ACTION"), allowed="DELETE")
            return self.remove(asked, id)
        if "PHASE" in params:
            _move(params)
        until, seconds = _until(params), _told_seconds(params)
        more = bool(params.files) or any(name not in _OWN for name, _ in params.flat())
        asked.manager.store.job(id, user, change=True)  # before anything is written
        if (more or seconds is not None) and job.phase not in _WAITING:
            raise UsageError("a job that was started keeps its task", todo="make another job")
        if more:
            self.tell(asked, job, user, params, seconds)
        elif seconds is not None:
            asked.manager.change(id, user, spec=_lasting(job.spec, seconds))
        if until is not None:
            asked.manager.change(id, user, destruction=until)
        return self.move(asked, id, params) if "PHASE" in params else self._see(asked, id)

    def tell(self, asked: Context, job: Job, user: User, params: Params, seconds: int | None) -> None:
        """Give a job that has not begun more parameters and files, or others: a file replaces one of its name."""
        new = {name for name, _ in params.flat()}
        kept = [pair for pair in self._told(job) if pair[0].upper() not in new]
        draft = self._draft(asked, Params.of([*kept, *params.flat()], params.files))
        manager = asked.manager
        held = full_spec(manager.store.row(job.id)).inputs
        files = self._kept(manager, job.id, draft.files) if draft.files else ()
        replaced = [each for each in held if each.name in draft.files]
        inputs = (*(each for each in held or draft.spec.inputs if each not in replaced), *files)
        spec = replace(draft.spec, inputs=inputs, name=job.spec.name, resources=job.spec.resources)
        try:
            manager.change(job.id, user, spec=_lasting(spec, seconds), private=draft.private)
        except BaseException:
            _forget(files)
            raise
        _forget(replaced)

    def move(self, asked: Context, id: str, params: Params) -> Response:
        """Start a job, or end it."""
        job, user = self.job(asked, id)
        if _move(params) == "ABORT":
            asked.manager.abort(id, user)
        elif job.phase in _WAITING:
            asked.manager.start(id, user, lambda each: renewed(each, asked))
        return self._see(asked, id)

    def remove(self, asked: Context, id: str) -> Response:
        """Forget a job; the answer leads to the list."""
        _, user = self.job(asked, id)
        asked.manager.remove(id, user)
        return RedirectResponse(self._url(asked), 303)

    def result(self, asked: Context, id: str, name: str) -> Response:
        """The bytes of a result."""
        job, _ = self.job(asked, id)
        for each in asked.manager.results(job.id):
            if name in (self._name(each.name), each.name):
                return FileResponse(
                    each.path,
                    media_type=each.media_type,
                    filename=Path(each.name).name,
                    content_disposition_type="inline",
                )
        raise UnknownName("the job has no such result", got=name, todo=f"it is {job.phase}")

    def error(self, asked: Context, id: str) -> Response:
        """Why a job failed, as a VOTable."""
        job, _ = self.job(asked, id)
        if job.phase is not Phase.ERROR:
            raise UnknownName("the job has no error", got=id, todo=f"it is {job.phase}")
        return votable_error(UsageError(_reason(job)), 200)

    # -- what is told

    def sheet(self, asked: Context, job: Job) -> Sheet:
        """What is told of a job."""
        results = (
            [
                Result(
                    self._name(each.name),
                    f"{self._url(asked)}/{job.id}/results/{self._name(each.name)}",
                    each.media_type,
                    each.size,
                )
                for each in asked.manager.results(job.id)
            ]
            if job.phase.ended
            else []
        )
        return replace(
            self._brief(job),
            started=job.started,
            ended=job.ended,
            seconds=_seconds(asked.manager, job),
            destruction=job.destruction,
            parameters=self._told(job),
            results=results,
            error=_reason(job) if job.phase is Phase.ERROR else "",
            fatal=job.error_kind != "transient",
        )

    def _brief(self, job: Job) -> Sheet:
        return Sheet(
            job.id, job.phase.value, run_id=job.spec.name, owner=job.access.owner, created=job.created
        )

    def _url(self, asked: Context) -> str:
        return f"{asked.url}{self.prefix}"

    def _see(self, asked: Context, id: str) -> Response:
        return RedirectResponse(f"{self._url(asked)}/{id}", 303)

    # -- routes

    def router(self) -> APIRouter:
        """The resources."""
        router = APIRouter(route_class=VotableRoute, prefix=self.prefix, include_in_schema=False)
        add = router.add_api_route
        add("", _plain(self.jobs), methods=["GET"])
        add("", _plain(self.make), methods=["POST"])
        add("/{id}", self._document, methods=["GET"], response_model=None)
        add("/{id}", _of_id(self.act), methods=["POST"])
        add("/{id}", _removal(self.remove), methods=["DELETE"])
        add("/{id}/phase", self._phase_text, methods=["GET"], response_model=None)
        add("/{id}/phase", _of_id(self.move), methods=["POST"])
        add("/{id}/parameters", _of_id(self.act), methods=["POST"])
        add("/{id}/destruction", _of_id(self.act), methods=["POST"])
        add("/{id}/executionduration", _of_id(self.act), methods=["POST"])
        add("/{id}/error", _removal(self.error), methods=["GET"])
        add("/{id}/results/{name:path}", _named(self.result), methods=["GET"])
        add("/{id}/{part}", self._part, methods=["GET"], response_model=None)
        return router

    async def _document(self, asked: Asked, params: Asking, id: str) -> Response:
        job = await self.wait(asked, id, params)
        sheet = await run_in_threadpool(self.sheet, asked, job)
        return Response(job_document(sheet), media_type=XML)

    async def _phase_text(self, asked: Asked, params: Asking, id: str) -> Response:
        job = await self.wait(asked, id, params)
        return PlainTextResponse(job.phase.value)

    def _part(self, asked: Asked, id: str, part: str) -> Response:
        job, _ = self.job(asked, id)
        sheet = self.sheet(asked, job)
        if part == "parameters":
            return Response(parameters_element(sheet.parameters, alone=True), media_type=XML)
        if part == "results":
            return Response(results_element(sheet.results, alone=True), media_type=XML)
        texts = {
            "owner": sheet.owner,
            "quote": instant(sheet.quote),
            "destruction": instant(sheet.destruction),
            "executionduration": str(sheet.seconds),
        }
        if part not in texts:
            raise UnknownName("a job has no such part", got=part, allowed=["parameters", "results", *texts])
        return PlainTextResponse(texts[part])


def _plain(do: Callable[[Context, Params], Response]) -> Callable[..., Response]:
    def handler(asked: Asked, params: Asking) -> Response:
        return do(asked, params)

    return handler


def _of_id(do: Callable[[Context, str, Params], Response]) -> Callable[..., Response]:
    def handler(asked: Asked, params: Asking, id: str) -> Response:
        return do(asked, id, params)

    return handler


def _removal(do: Callable[[Context, str], Response]) -> Callable[..., Response]:
    def handler(asked: Asked, id: str) -> Response:
        return do(asked, id)

    return handler


def _named(do: Callable[[Context, str, str], Response]) -> Callable[..., Response]:
    def handler(asked: Asked, id: str, name: str) -> Response:
        return do(asked, id, name)

    return handler


def _reason(job: Job) -> str:
    return "the service failed; see its log" if job.error_kind == "fatal" else job.reason


def _seconds(manager: Manager, job: Job) -> int:
    return job.spec.resources.seconds or manager.limits.seconds


def _move(params: Params) -> str:
    """Where a job is to be moved.

    Raises
    ------
    OptionError
        It cannot be moved so.
    """
    phase = params.one("PHASE").upper()
    if phase not in ("RUN", "ABORT"):
        raise OptionError("a job cannot be moved so", got=phase, allowed="RUN, ABORT")
    return phase


def _until(params: Params) -> float | None:
    """When a job is to be destroyed; None where nothing is said."""
    text = params.one("DESTRUCTION")
    return _time("DESTRUCTION", text) if text else None


def _told_seconds(params: Params) -> int | None:
    """How long a job may run, 0 for no limit of its own; None where nothing is said."""
    text = params.one("EXECUTIONDURATION")
    return whole_number("EXECUTIONDURATION", text, most=_LONGEST_RUN) if text else None


def _lasting(spec: JobSpec, seconds: int | None) -> JobSpec:
    """The task with another time that it may take; the same where nothing is said."""
    return (
        spec if seconds is None else replace(spec, resources=spec.resources.replace(seconds=seconds or None))
    )


def _forget(inputs: Iterable[Input]) -> None:
    """Remove files that were kept beside a job."""
    for each in inputs:
        if each.role == "upload":
            Path(each.path).unlink(missing_ok=True)


def _phase(text: str) -> Phase:
    try:
        return Phase(text.upper())
    except ValueError:
        raise OptionError("no such phase", got=text, allowed=[each.value for each in Phase]) from None


def _time(name: str, text: str) -> float:
    """The seconds since 1970 of a time as DALI writes it, in UTC where it does not say.

    Raises
    ------
    OptionError
        It is none.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise OptionError(f"{name} is not a time", got=text, allowed="such as 2026-11-27T12:00:00Z") from None
    return max(0.0, (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
