"""`RemoteJob`: a job of a service, as it stands now; watch it, end it, fetch what it made."""

from __future__ import annotations

import hashlib
import html
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from skysift.base.errors import DataError, TransientError, UnknownName
from skysift.client.wire import Progress, Wire

__all__ = ["RemoteFile", "RemoteJob"]

ENDED = ("COMPLETED", "ERROR", "ABORTED", "ARCHIVED")
_WAIT = 20.0  # seconds of one long poll


@dataclass(frozen=True)
class RemoteFile:
    """A file that a job made.

    Parameters
    ----------
    wire
        The service.
    name
        Its path among the results.
    media_type, size, checksum
        What it is.
    path
        Where the service has it.
    input
        How another job names it as an input.
    """

    wire: Wire
    name: str
    media_type: str
    size: int
    checksum: str
    path: str
    input: str

    def __repr__(self) -> str:
        return f"RemoteFile({self.name!r}, {self.size:,} bytes)"

    def save(self, target: str | Path, progress: Progress | None = None) -> Path:
        """The file on this machine; its checksum is looked at."""
        saved = self.wire.save(self.path, Path(target), checksum=self.checksum, progress=progress)
        assert saved is not None
        return saved

    def read(self) -> bytes:
        """Its bytes."""
        return self.wire.bytes_of("GET", self.path)


class RemoteJob:
    """A job of a service; it tells of itself what was last heard.

    Parameters
    ----------
    wire
        The service.
    told
        What the service says of it.
    """

    def __init__(self, wire: Wire, told: dict[str, Any]) -> None:
        self._wire = wire
        self.told = told

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.told["id"])

    @property
    def phase(self) -> str:
        """Where it stood when it was last asked: a phase of UWS."""
        return str(self.told["phase"])

    @property
    def reason(self) -> str:
        """Why it stands there."""
        return str(self.told["reason"])

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.phase in ENDED

    def __repr__(self) -> str:
        told, part = self.told, self.told["progress"]
        far = "" if self.ended or not part["total"] else f", {part['stage']} {part['done']}/{part['total']}"
        name = f"{told['name']!r}, " if told["name"] else ""
        return f"RemoteJob({self.id}, {name}{told['app']}, {self.phase}{far})"

    def _repr_html_(self) -> str:
        """The job as a notebook shows it."""
        told, part = self.told, self.told["progress"]
        rows = {
            "Phase": f"{self.phase}: {self.reason}",
            "App": told["app"],
            "Inputs": ", ".join(each["name"] for each in told["inputs"]),
            "Progress": f"{part['stage']} {part['done']} of {part['total']}" if part["total"] else "",
            "Took": f"{told['seconds']:.1f} s" if told["seconds"] else "",
            "Id": self.id,
        }
        lines = "".join(
            f"<tr><th style='text-align:left'>{name}</th><td style='text-align:left'>{html.escape(value)}</td></tr>"
            for name, value in rows.items()
            if value
        )
        return f"<table><caption>{html.escape(told['name'] or 'Job')}</caption>{lines}</table>"

    def refresh(self) -> RemoteJob:
        """The same job, asked again."""
        self.told = self._wire.ask("GET", self._path())
        return self

    def wait(
        self, seconds: float | None = None, tell: Callable[[RemoteJob], None] | None = None
    ) -> RemoteJob:
        """The same job, when it has ended.

        Parameters
        ----------
        seconds
            The longest wait; for ever if None.
        tell
            Called with the job whenever it was heard of.

        Raises
        ------
        TransientError
            It has not ended by then.
        """
        end = None if seconds is None else time.monotonic() + seconds
        while not self.refresh().ended:
            if tell is not None:
                tell(self)
            left = _WAIT if end is None else end - time.monotonic()
            if left <= 0:
                raise TransientError("the job has not ended", got=repr(self), todo="wait again")
            pause = min(_WAIT if tell is None else 1.0, left)
            self.told = self._wire.ask(
                "GET", self._path(), params={"wait": pause, "phase": self.phase}, timeout=pause + 60.0
            )
        if tell is not None:
            tell(self)
        return self

    def events(self, after: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
        """(kind, facts) of what happens, as it happens, until the job has ended."""
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        with self._wire.stream("GET", self._path("/events"), headers=headers, timeout=60.0) as answer:
            kind = ""
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    yield kind, json.loads(value)

    def log(self, tail: int = 65536) -> str:
        """The end of what its worker printed."""
        return self._wire.text(self._path("/log"), params={"tail": tail})

    def results(self) -> list[RemoteFile]:
        """The files that it made."""
        found = self._wire.ask("GET", self._path("/results"))
        return [
            RemoteFile(
                self._wire,
                each["name"],
                each["media_type"],
                each["size"],
                each["checksum"],
                self._path(f"/results/{each['name']}"),
                each["input"],
            )
            for each in found
        ]

    def result(self, name: str) -> RemoteFile:
        """One file that it made.

        Raises
        ------
        UnknownName
            It made none of this name.
        """
        found = self.results()
        for each in found:
            if each.name == name:
                return each
        raise UnknownName("the job made no such file", got=name, allowed=[each.name for each in found])

    def fetch(self, folder: str | Path, tell: Callable[[RemoteFile], None] | None = None) -> list[Path]:
        """All that it made, in a folder of this machine; a file that is there and whole is not fetched again.

        Raises
        ------
        DataError
            A name leads out of the folder.
        """
        base = Path(folder).resolve()
        saved = []
        for each in self.results():
            parts = PurePosixPath(each.name).parts
            if (
                not parts
                or each.name.startswith("/")
                or any(part in ("..", ".") or "\\" in part for part in parts)
            ):
                raise DataError("the service names a file that would lie elsewhere", got=each.name)
            target = base.joinpath(*parts)
            if not _whole(target, each):
                if tell is not None:
                    tell(each)
                each.save(target)
            saved.append(target)
        return saved

    def cancel(self) -> RemoteJob:
        """The same job, ended."""
        self.told = self._wire.ask("POST", self._path("/cancel"))
        return self

    def start(self) -> RemoteJob:
        """The same job, queued."""
        self.told = self._wire.ask("POST", self._path("/start"))
        return self

    def retry(self) -> RemoteJob:
        """A new job with the same task."""
        return RemoteJob(self._wire, self._wire.ask("POST", self._path("/retry")))

    def share(self, visibility: str, group: str = "") -> RemoteJob:
        """The same job, seen by others: ``public``, ``group`` or ``private``."""
        self.told = self._wire.ask("PATCH", self._path(), json={"visibility": visibility, "group": group})
        return self

    def remove(self) -> None:
        """Forget it, with its results."""
        self._wire.ask("DELETE", self._path())

    def _path(self, rest: str = "") -> str:
        return f"/api/v1/jobs/{self.id}{rest}"


def _whole(path: Path, told: RemoteFile) -> bool:
    """Whether a file is there as the service has it."""
    if not path.is_file() or path.stat().st_size != told.size:
        return False
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}" == told.checksum
