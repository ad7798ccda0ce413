"""`JobFolder`: what a job's worker reads and writes; results show there only when all of them are whole.

::

    spec.json      what is to be done, for the worker alone
    inputs/        files that came with the job and belong to it
    worker.json    which process has it
    heartbeat      touched while it lives
    events.jsonl   what it tells, a line each
    log.txt        what it and its programs print
    work/          what it makes; stays when it is interrupted, so that the next worker goes on from there
    result/        the same, by one rename
    outcome.json   how it ended, with checksums of the results; the last thing that it writes
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from skysift.base.errors import BusyError, OutputError, StorageError
from skysift.base.places import without_places
from skysift.io.output import FULL
from skysift.jobs.job import Artefact

__all__ = ["JobFolder", "Outcome", "media_type", "read_json", "write_json"]

_LONGEST_LINE = 65536  # bytes of one event
_LONGEST_TELLING = 1 << 20  # bytes of events that are read at once

_MEDIA = {
    ".fits": "application/fits",
    ".vot": "application/x-votable+xml",
    ".xml": "application/x-votable+xml",
    ".parquet": "application/vnd.apache.parquet",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".json": "application/json",
    ".html": "text/html",
    ".reg": "text/plain",
    ".crtf": "text/plain",
    ".txt": "text/plain",
    ".log": "text/plain",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".gz": "application/gzip",
    ".tar": "application/x-tar",
    ".zip": "application/zip",
}


def media_type(name: str) -> str:
    """The media type of a file, by its name."""
    return _MEDIA.get(Path(name).suffix.lower(), "application/octet-stream")


@dataclass(frozen=True)
class Outcome:
    """How a worker's attempt ended.

    Parameters
    ----------
    attempt
        Which attempt.
    phase
        ``COMPLETED`` or ``ERROR``.
    reason
        One line.
    error_kind
        The kind of the error; empty where there was none.
    artefacts
        The results that are whole: name, media_type, size, checksum.
    """

    attempt: int
    phase: str
    reason: str = ""
    error_kind: str = ""
    artefacts: tuple[Mapping[str, Any], ...] = ()


class JobFolder:
    """The folder of one job.

    Parameters
    ----------
    path
        Where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec = path / "spec.json"
        self.worker = path / "worker.json"
        self.heartbeat = path / "heartbeat"
        self.events = path / "events.jsonl"
        self.log = path / "log.txt"
        self.work = path / "work"
        self.result = path / "result"
        self.outcome = path / "outcome.json"
        self.lock = path / "worker.lock"
        self.inputs = path / "inputs"
        self.stop, self.kill = path / "stop", path / "kill"  # what tells a worker of another machine to end

    def __repr__(self) -> str:
        return f"JobFolder({str(self.path)!r})"

    def prepare(self, spec: Mapping[str, Any]) -> None:
        """Make the folder ready for an attempt: its spec is written, what an earlier attempt said is removed.

        Raises
        ------
        BusyError
            A worker has the job.
        StorageError
            The disk is full.
        OutputError
            The folder cannot be written.
        """
        lock = FileLock(self.lock)
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock.acquire(timeout=0)
            for told in (self.outcome, self.stop, self.kill):
                told.unlink(missing_ok=True)
            self.worker.unlink(missing_ok=True)
            self.heartbeat.unlink(missing_ok=True)
            if self.result.exists() and not self.work.exists():  # an earlier attempt's: go on from there
                self.result.rename(self.work)
            write_json(self.spec, spec, mode=0o600)
        except Timeout as error:
            raise BusyError("an earlier worker still has the job") from error
        except OSError as error:
            raise _refused(self.path, error) from error
        finally:
            lock.release()

    def read_outcome(self, attempt: int) -> Outcome | None:
        """How an attempt ended; None where it did not tell, or where what it told of is not there."""
        told = read_json(self.outcome)
        if told is None or told.get("attempt") != attempt:
            return None
        outcome = Outcome(**{**told, "artefacts": tuple(told["artefacts"])})
        for each in outcome.artefacts:
            try:
                whole = (self.result / each["name"]).stat().st_size == each["size"]
            except OSError:
                whole = False
            if not whole:
                return None
        return outcome

    def artefacts(self, rows: Any) -> tuple[Artefact, ...]:
        """The results that these rows (name, media_type, size, checksum) tell of."""
        return tuple(
            Artefact(row["name"], self.result / row["name"], row["media_type"], row["size"], row["checksum"])
            for row in rows
        )

    def beat(self) -> float | None:
        """When the worker last gave a sign of life, in seconds since 1970; None for never."""
        try:
            return self.heartbeat.stat().st_mtime
        except OSError:
            return None

    def read_events(self, after: int) -> tuple[list[dict[str, Any]], int]:
        """What the worker told beyond this byte, and the byte behind the last whole line.

        A line that is broken (the disk was full) is left out.
        """
        try:
            with self.events.open("rb") as file:
                file.seek(after)
                piece = file.read(_LONGEST_TELLING)
        except OSError:
            return [], after
        end = piece.rfind(b"\n") + 1
        if not end and len(piece) > _LONGEST_LINE:
            end = len(piece)  # no event is so long
        told = []
        for line in piece[:end].splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and isinstance(event.get("kind"), str):
                told.append(event)
        return told, after + end

    def tail(self, size: int) -> str:
        """The last bytes of the log, from the beginning of a line on; files by their names, not by their paths."""
        try:
            with self.log.open("rb") as file:
                length = file.seek(0, os.SEEK_END)
                file.seek(max(0, length - size))
                piece = file.read(size)
        except OSError:
            return ""
        if length > size and b"\n" in piece:
            piece = piece.partition(b"\n")[2]
        text = piece.decode("utf-8", errors="replace")
        return without_places(text, [(f"{self.path.parent.parent}/", "")])

    def commit(self) -> tuple[dict[str, Any], ...]:
        """The files of ``work`` as results, by one rename after all of them are on the disk; what they are.

        Hidden files are left out, for they are what an app goes on from; and links, for they might point outside.

        Raises
        ------
        StorageError
            The disk is full.
        OutputError
            The folder cannot be written.
        """
        try:
            self.work.mkdir(exist_ok=True)
            told = tuple(_described(path, self.work) for path in _offered(self.work))
            self.work.rename(self.result)
            _flush(self.path)
        except OSError as error:
            raise _refused(self.path, error) from error
        return told

    def tell(self, outcome: Outcome) -> None:
        """Write how the attempt ended.

        Raises
        ------
        StorageError
            The disk is full.
        OutputError
            The folder cannot be written.
        """
        try:
            write_json(self.outcome, {**outcome.__dict__, "artefacts": list(outcome.artefacts)})
        except OSError as error:
            raise _refused(self.path, error) from error

    def hide(self) -> None:
        """Give the folder a name under which nobody looks for it, before it is removed."""
        if self.path.is_dir():
            self.path.rename(self._hidden)

    def remove(self) -> None:
        """Remove the hidden folder with all that it holds."""
        shutil.rmtree(self._hidden, ignore_errors=True)

    @property
    def _hidden(self) -> Path:
        return self.path.with_name(f".gone-{self.path.name}")

    def remove_results(self) -> None:
        """Remove what the job made and read; its log and its story stay."""
        for folder in (self.result, self.work, self.inputs):
            shutil.rmtree(folder, ignore_errors=True)
        self.spec.unlink(missing_ok=True)


def write_json(path: Path, value: Mapping[str, Any], *, mode: int = 0o644) -> None:
    """Write a value so that a reader sees all of it or what was there before."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
            json.dump(value, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any] | None:
    """The value in a file; None where there is none, or only a part of it."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _offered(work: Path) -> list[Path]:
    """The files of a folder in order, without hidden ones and links."""
    found = []
    for folder, inside, names in os.walk(work):  # does not follow links
        inside[:] = [name for name in inside if not name.startswith(".")]
        paths = (Path(folder, name) for name in names if not name.startswith("."))
        found += [path for path in paths if path.is_file() and not path.is_symlink()]
    return sorted(found)


def _described(path: Path, work: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    name = path.relative_to(work).as_posix()
    return {"name": name, "media_type": media_type(name), "size": size, "checksum": f"sha256:{digest}"}


def _flush(folder: Path) -> None:
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


def _refused(path: Path, error: OSError) -> StorageError | OutputError:
    if error.errno in FULL:
        return StorageError("the disk is full", got=str(path), todo="make room and try again")
    return OutputError(f"cannot write the folder of the job ({error.strerror or error})", got=str(path))
