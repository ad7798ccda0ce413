"""`Job`: work for somebody, with a phase; `Phase` and the moves between phases, those of UWS 1.1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from skysift.archive.policy import Access
from skysift.base.errors import Kind, UsageError
from skysift.jobs.options import ResourceOptions

__all__ = ["MOVES", "Artefact", "Event", "Input", "Job", "JobPage", "JobSpec", "Phase", "Usage", "check_move"]


class Phase(StrEnum):
    """Where a job stands.

    ``PENDING``: told of, not started. ``QUEUED``: waits for its turn. ``EXECUTING``: a worker has it. ``SUSPENDED``:
    was interrupted and goes on by itself. ``HELD``: waits until somebody mends what stands in its way and starts it.
    ``COMPLETED``, ``ERROR``, ``ABORTED``: ended. ``ARCHIVED``: its results are gone, its story stays. ``UNKNOWN``:
    the executor that has it does not answer.
    """

    PENDING = "PENDING"
    QUEUED = "QUEUED"
    EXECUTING = "EXECUTING"
    COMPLETED = "COMPLETED"
    ERROR = "ERROR"
    ABORTED = "ABORTED"
    HELD = "HELD"
    SUSPENDED = "SUSPENDED"
    ARCHIVED = "ARCHIVED"
    UNKNOWN = "UNKNOWN"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self in (Phase.COMPLETED, Phase.ERROR, Phase.ABORTED, Phase.ARCHIVED)

    @property
    def working(self) -> bool:
        """Whether a worker has it, as far as is known."""
        return self in (Phase.EXECUTING, Phase.UNKNOWN)


_ENDED = frozenset({Phase.ARCHIVED})

MOVES: Mapping[Phase, frozenset[Phase]] = MappingProxyType(
    {
        Phase.PENDING: frozenset({Phase.QUEUED, Phase.HELD, Phase.ABORTED, Phase.ERROR}),
        Phase.QUEUED: frozenset({Phase.EXECUTING, Phase.HELD, Phase.ABORTED, Phase.ERROR}),
        Phase.HELD: frozenset({Phase.QUEUED, Phase.ABORTED, Phase.ERROR}),
        Phase.EXECUTING: frozenset(
            {Phase.COMPLETED, Phase.ERROR, Phase.ABORTED, Phase.SUSPENDED, Phase.UNKNOWN}
        ),
        Phase.SUSPENDED: frozenset({Phase.EXECUTING, Phase.HELD, Phase.ABORTED, Phase.ERROR}),
        Phase.UNKNOWN: frozenset(
            {Phase.EXECUTING, Phase.COMPLETED, Phase.ERROR, Phase.ABORTED, Phase.SUSPENDED}
        ),
        Phase.COMPLETED: _ENDED,
        Phase.ERROR: _ENDED,
        Phase.ABORTED: _ENDED,
        Phase.ARCHIVED: frozenset(),
    }
)
"""From which phase a job may move to which."""


def check_move(old: Phase, new: Phase) -> None:
    """Refuse a move that is not legal.

    Raises
    ------
    UsageError
        A job in the old phase cannot come into the new one.
    """
    if new not in MOVES[old]:
        raise UsageError(
            f"a job that is {old} cannot become {new}",
            allowed=sorted(MOVES[old]) or "nothing: its story is told",
        )


@dataclass(frozen=True)
class Input:
    """One thing that a job reads.

    Parameters
    ----------
    path
        Where its bytes are: a file, a folder, or a URL. Told to the worker and to nobody else.
    name
        What it is called in this job; the file's name by default.
    role
        What it is for: ``map``, ``catalogue``, or that of a file which an option names (``file``).
    source
        Whence it came, as it may be told: ``upload:ID``, ``shelf:ID``, ``job:ID/NAME`` or a URL.
    """

    path: str
    name: str = ""
    role: str = "map"
    source: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", Path(self.path).name or self.path)

    def told(self) -> dict[str, str]:
        """What of it may be told: everything but where it is."""
        return {"name": self.name, "role": self.role, "source": self.source}


@dataclass(frozen=True)
class JobSpec:
    """What is to be done.

    Parameters
    ----------
    app
        A name of the kind "app", such as ``finder:classic``.
    inputs
        What it reads, in order.
    options
        Its options, as a person chose them; defaults need not be given. An option that names a file is given as
        ``input:NAME``, one of the inputs.
    resources
        What it may use, and where it runs.
    tags
        Words to find it again by.
    name
        What the person calls it.
    """

    app: str
    inputs: tuple[Input, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    resources: ResourceOptions = field(default_factory=ResourceOptions)
    tags: tuple[str, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tuple(self.inputs))
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))
        object.__setattr__(self, "tags", tuple(dict.fromkeys(self.tags)))


@dataclass(frozen=True)
class Job:
    """Work for somebody, as it stands now.

    Parameters
    ----------
    id
        Short and safe in a URL.
    spec
        What is to be done; options with all defaults.
    access
        Whose it is, and who may see it.
    phase, reason
        Where it stands, and why.
    error_kind
        ``usage``, ``data``, ``transient`` or ``fatal`` where it ended in ERROR; else empty.
    created, queued, started, ended
        When it came, was started by its owner, was first given to a worker, and ended.
    destruction
        When its results are removed.
    attempt
        How many times a worker was given it.
    stage, done, total
        What is being done, and how far it is: tiles, maps, rows.
    seconds
        How long workers had it, up to now or to its end.
    bytes
        Of its results.
    retry_of
        The job that it repeats; empty for none.
    version
        Grows with every change: an ETag.
    """

    id: str
    spec: JobSpec
    access: Access
    phase: Phase
    reason: str
    error_kind: Kind | None
    created: datetime
    queued: datetime | None
    started: datetime | None
    ended: datetime | None
    destruction: datetime | None
    attempt: int
    stage: str
    done: int
    total: int
    seconds: float
    bytes: int
    retry_of: str
    version: int

    @property
    def fraction(self) -> float | None:
        """Part of the present stage that is done; None where that is not known."""
        if self.phase is Phase.COMPLETED:
            return 1.0
        return min(1.0, self.done / self.total) if self.total > 0 else None


@dataclass(frozen=True)
class JobPage:
    """Some jobs of a list, the newest first, and where the next ones begin (empty after the last)."""

    jobs: tuple[Job, ...]
    next: str = ""


@dataclass(frozen=True)
class Event:
    """Something that happened to a job.

    Parameters
    ----------
    id
        Grows with time; ask for those after it.
    time
        When.
    kind
        ``phase``, ``progress``, ``item`` (one of its inputs is done) or ``note``.
    facts
        What happened: ``phase`` and ``reason``; ``stage``, ``done`` and ``total``; ``text`` ...
    """

    id: int
    time: datetime
    kind: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Artefact:
    """One file that a job made, whole.

    Parameters
    ----------
    name
        Its path below the results of the job, with ``/``.
    path
        Where it is.
    media_type
        Of its content.
    size
        Bytes.
    checksum
        "sha256:" and the hexadecimal digest.
    """

    name: str
    path: Path
    media_type: str
    size: int
    checksum: str


@dataclass(frozen=True)
class Usage:
    """What somebody, or all, made the service do.

    Parameters
    ----------
    jobs
        How many jobs by phase, of those that are kept.
    ended
        How many ended by how they ended, of all that ever were.
    seconds
        How long workers were busy, in all.
    bytes
        Of the results that are kept.
    users
        How many owners there were.
    """

    jobs: Mapping[str, int]
    ended: Mapping[str, int]
    seconds: float
    bytes: int
    users: int
