"""Jobs as they are sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel

from skysift.jobs.job import Artefact, Job, Phase
from skysift.serve.context import Context
from skysift.serve.rest import API
from skysift.serve.wire import Shown

__all__ = ["JobPage", "ShownEvent", "ShownJob", "ShownResult", "ShownTask", "shown_job", "shown_result"]


class Progress(BaseModel):
    """How far a job is."""

    stage: str
    done: int
    total: int
    fraction: float | None


class ShownJob(BaseModel):
    """A job as it stands now."""

    id: str
    name: str
    app: str
    finder: str | None
    phase: Phase
    reason: str
    error_kind: str | None
    progress: Progress
    inputs: list[dict[str, str]]
    options: dict[str, Any]
    resources: dict[str, Any]
    tags: list[str]
    access: Shown
    created: datetime
    queued: datetime | None
    started: datetime | None
    ended: datetime | None
    destruction: datetime | None
    attempt: int
    seconds: float
    bytes: int
    retry_of: str
    version: int
    links: dict[str, str]


class ShownTask(BaseModel):
    """What a job would do."""

    app: str
    options: dict[str, Any]
    resources: dict[str, Any]


class JobPage(BaseModel):
    """Some jobs, the newest first."""

    items: list[ShownJob]
    next: str


class ShownEvent(BaseModel):
    """Something that happened to a job."""

    id: int
    time: datetime
    kind: str
    facts: dict[str, Any]


class ShownResult(BaseModel):
    """A file that a job made."""

    name: str
    media_type: str
    size: int
    checksum: str
    url: str
    input: str


def shown_job(job: Job, asked: Context) -> dict[str, Any]:
    """A job as it is sent (a `ShownJob`; not made one, for the sake of those who poll)."""
    kind, _, finder = job.spec.app.partition(":")
    url = f"{asked.url}{API}/jobs/{job.id}"
    return {
        "id": job.id,
        "name": job.spec.name,
        "app": job.spec.app,
        "finder": finder if kind == "finder" and finder else None,
        "phase": job.phase.value,
        "reason": job.reason,
        "error_kind": job.error_kind,
        "progress": {"stage": job.stage, "done": job.done, "total": job.total, "fraction": job.fraction},
        "inputs": [each.told() for each in job.spec.inputs],
        "options": dict(job.spec.options),
        "resources": job.spec.resources.to_dict(),
        "tags": list(job.spec.tags),
        "access": {
            "owner": job.access.owner,
            "visibility": job.access.visibility,
            "group": job.access.group,
        },
        "created": _time(job.created),
        "queued": _time(job.queued),
        "started": _time(job.started),
        "ended": _time(job.ended),
        "destruction": _time(job.destruction),
        "attempt": job.attempt,
        "seconds": round(job.seconds, 3),
        "bytes": job.bytes,
        "retry_of": job.retry_of,
        "version": job.version,
        "links": {
            "self": url,
            "log": f"{url}/log",
            "events": f"{url}/events",
            "results": f"{url}/results",
            "recipe": f"{url}/recipe",
        },
    }


def shown_result(id: str, each: Artefact, asked: Context) -> ShownResult:
    """A result as it is sent."""
    return ShownResult(
        name=each.name,
        media_type=each.media_type,
        size=each.size,
        checksum=each.checksum,
        url=f"{asked.url}{API}/jobs/{id}/results/{quote(each.name)}",
        input=f"job:{id}/{each.name}",
    )


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
