"""What a run keeps while it goes on, so that the same command can continue it: results by task, and whose they are.

In ``DIR/.partial``, under the lock of ``DIR``: ``run.json`` says which command they belong to, the files in
``results`` hold what its tasks gave, some seconds of work a file, each with a checksum. A file that is half-written
or damaged counts as not there, and its tasks are done again. A run that ends within the first seconds keeps nothing.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from skysift.base.errors import OtherRunError, OutputError
from skysift.base.fingerprint import fingerprint
from skysift.base.log import get_logger
from skysift.base.parallel import StageProgress

__all__ = ["RUN", "FinishedMaps", "KeptResults", "Key", "refuse_kept"]

RUN = "run.json"
RESULTS = "results"
MAPS = "maps.json"
FORMAT = "skysift-kept-1"

_MAGIC = b"skysift kept results 1\n"
_NAME, _CONTENT = "map name", "map content"  # of a key
_PLAIN = frozenset(
    ("set", "frozenset", "complex", "slice", "range", "bytearray")
)  # builtins that hold values only
_log = get_logger(__name__)

Key = Mapping[str, Any]
"""What decides the results of a run, JSON-safe: version, finder, options, inputs, ..."""


class KeptResults:
    """Results of tasks in a folder: those that are there, and those that are added, written every few seconds.

    The files are read by pickle. They lie in the user's own folder; one is looked at only if its first line and
    its checksum are right, and no other classes are made from it than those of skysift and numpy.

    Parameters
    ----------
    folder
        Where they lie; made with the first results.
    directory
        The folder of the products, for what is told.
    key
        What decides them; written beside them.
    every
        Seconds of work that go into one file; nothing is written before so many have passed.
    fresh
        Whether what a broken-off run has left is discarded.

    Raises
    ------
    OtherRunError
        They are those of another command.
    """

    def __init__(
        self, folder: Path, directory: Path, key: Key, *, every: float = 10.0, fresh: bool = False
    ) -> None:
        self._folder = folder
        self._key = json.loads(json.dumps(key))
        self._every = every
        self._written = time.monotonic()
        self._waiting: dict[str, bytes] = {}
        self._places: dict[str, tuple[Path, int, int]] = {}  # file, first byte, bytes
        self._stage = ("", 0, 1)
        self._usable = True
        before = None if fresh else _run(folder)
        if before is None:
            self.discard()
        for path in sorted((folder / RESULTS).glob("*.part")):
            self._open(path)
        if before is not None and (difference := _difference(before, self._key)):
            progress = f" ({self.progress})" if self.progress else ""
            raise OtherRunError(
                f"{directory} keeps what another command has done before it was broken off{progress}",
                got=difference,
                todo="run that command again to go on, choose another output folder, or discard its work with --fresh",
            )
        self.found = self.progress

    def __repr__(self) -> str:
        return f"KeptResults({str(self._folder)!r}, {len(self)} results)"

    def __len__(self) -> int:
        return len(self._places) + len(self._waiting)

    @property
    def progress(self) -> str:
        """How far the run was at the last file, such as "63 % of fits"; empty where there are no results."""
        stage, done, total = self._stage
        return f"{100 * done // max(total, 1)} % of {stage}" if stage else ""

    def watch(self, progress: StageProgress | None) -> StageProgress:
        """The progress that a run is to call: it is noted here and handed on."""

        def watched(stage: str, done: int, total: int) -> None:
            self._stage = (stage, done, total)
            if progress is not None:
                progress(stage, done, total)

        return watched

    def has(self, stage: str, key: str) -> bool:
        """Whether the result of a task is there."""
        return _name(stage, key) in self._waiting or _name(stage, key) in self._places

    def read(self, stage: str, key: str) -> Any:
        """The result of a task.

        Raises
        ------
        KeyError
            It is not there, or was damaged since.
        """
        name = _name(stage, key)
        if name in self._waiting:
            return _load(self._waiting[name])
        path, first, size = self._places[name]
        try:
            with path.open("rb") as file:
                file.seek(first)
                return _load(file.read(size))
        except Exception as error:
            del self._places[name]
            _log.warning("a kept result cannot be read (%s: %s): its task is done again", path, error)
            raise KeyError(name) from error

    def write(self, stage: str, key: str, result: Any) -> None:
        """Keep the result of a task; it goes to the disk with others, some seconds later."""
        if self._usable:
            self._waiting[_name(stage, key)] = pickle.dumps(result, protocol=5)
            if time.monotonic() - self._written >= self._every:
                self.flush()

    def discard(self) -> None:
        """Remove all that is kept."""
        shutil.rmtree(self._folder / RESULTS, ignore_errors=True)
        (self._folder / RUN).unlink(missing_ok=True)
        self._waiting, self._places, self._stage = {}, {}, ("", 0, 1)

    def close(self) -> str:
        """What to tell of the results when a run breaks off; empty where it ended too early to keep any."""
        if self._places:
            self.flush()
        if not self._places:
            return ""
        return f"what is done is kept ({self.progress}): run the same command again to go on"

    def flush(self) -> None:
        """Write what waits. Where the disk has no room for it the run goes on, and keeps nothing more."""
        if self._waiting:
            try:
                self._save()
            except OSError as error:
                _log.warning("results cannot be kept (%s): if this run breaks off, it begins anew", error)
                self._usable = False
            self._waiting = {}
        self._written = time.monotonic()

    def _save(self) -> None:
        results = self._folder / RESULTS
        results.mkdir(parents=True, exist_ok=True)
        if not (self._folder / RUN).exists():
            told = json.dumps({"format": FORMAT, "key": self._key}, indent=1)
            _put(self._folder / RUN, [told.encode()])
        index, first = [], 0
        for name, data in self._waiting.items():
            index.append((name, first, len(data)))
            first += len(data)
        head = json.dumps({"stage": self._stage, "index": index}).encode()
        parts = [len(head).to_bytes(8, "big"), head, *self._waiting.values()]
        digest = hashlib.sha256()
        for part in parts:
            digest.update(part)
        number = max((int(each.stem) for each in results.glob("*.part")), default=0) + 1
        path = results / f"{number:06d}.part"
        _put(path, [_MAGIC, digest.digest(), *parts])
        start = len(_MAGIC) + digest.digest_size + 8 + len(head)
        self._places |= {name: (path, start + offset, size) for name, offset, size in index}

    def _open(self, path: Path) -> None:
        """Take in the results of a file; one that is not as it was written is removed."""
        try:
            with path.open("rb") as file:
                magic, digest = file.read(len(_MAGIC)), file.read(hashlib.sha256().digest_size)
                begin = file.tell()
                if magic != _MAGIC or hashlib.file_digest(file, "sha256").digest() != digest:
                    raise ValueError("it is not whole")
                file.seek(begin)
                size = int.from_bytes(file.read(8), "big")
                told = json.loads(file.read(size))
                start = file.tell()
            self._places |= {name: (path, start + offset, size) for name, offset, size in told["index"]}
            self._stage = (str(told["stage"][0]), int(told["stage"][1]), int(told["stage"][2]))
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            _log.warning("kept results cannot be read (%s: %s): their tasks are done again", path, error)
            with suppress(OSError):
                path.unlink()


class FinishedMaps:
    """Which maps of a call over several are finished, so that the call is not repeated in vain when it breaks off.

    Use it as a context, under the lock of the folder. It is forgotten when the call ends, with or without errors,
    and stays when that is broken off.

    Parameters
    ----------
    folder
        Where it is written.
    fresh
        Whether what a broken-off call has left is discarded.
    """

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        self._path = folder / MAPS
        self._done: dict[str, str] = {}
        if not fresh:
            with suppress(OSError, ValueError, KeyError, TypeError):
                self._done = dict(json.loads(self._path.read_text(encoding="utf-8"))["finished"])

    def __enter__(self) -> FinishedMaps:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, Exception):
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
                self._path.parent.rmdir()

    def has(self, name: str, key: object) -> bool:
        """Whether a map was finished by the call that broke off, with the same key."""
        return self._done.get(name) == fingerprint(key)

    def add(self, name: str, key: object) -> None:
        """A map is finished."""
        self._done[name] = fingerprint(key)
        self._path.parent.mkdir(exist_ok=True)
        _put(self._path, [json.dumps({"format": FORMAT, "finished": self._done}).encode()])


class _Loader(pickle.Unpickler):
    """Values of skysift and numpy, and of nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        room = module.partition(".")[0]
        if room in ("skysift", "numpy") or (module == "builtins" and name in _PLAIN):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a result")


def refuse_kept(directory: Path, folder: Path) -> None:
    """Refuse a folder that keeps what a broken-off run has done, to a command that cannot continue it.

    Raises
    ------
    OutputError
        It does.
    """
    if (folder / RUN).exists():
        raise OutputError(
            f"{directory} keeps what a broken-off run of `skysift find` has done",
            todo=f"run that command again to go on, choose another output folder, or remove {folder}",
        )


def _run(folder: Path) -> Key | None:
    """What decides the results in a folder; None where there are none, or nothing tells."""
    try:
        told = json.loads((folder / RUN).read_text(encoding="utf-8"))
        return dict(told["key"]) if told["format"] == FORMAT else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _difference(there: Key, here: Key) -> str:
    """What another command has otherwise, as one line; empty where it is the same command."""
    before, now = dict(_flat(there)), dict(_flat(here))
    names = [each.pop(_NAME, None) for each in (before, now)]  # a map that was moved is still the same
    for name in dict.fromkeys((*before, *now)):
        if before.get(name) != now.get(name):
            if name == _CONTENT and None not in names:
                same = names[0] == names[1]
                return f"another content of {names[0]}" if same else f"map: {names[0]} there, {names[1]} here"
            told = ["nothing" if each.get(name) is None else str(each[name]) for each in (before, now)]
            return f"{name}: {told[0]} there, {told[1]} here"
    return ""


def _load(data: bytes) -> Any:
    return _Loader(io.BytesIO(data)).load()


def _name(stage: str, key: str) -> str:
    return f"{stage}\n{key}"


def _put(path: Path, parts: list[bytes]) -> None:
    """Write a file that shows only when it is whole and on the disk."""
    half = path.with_name(f".{path.name}.half")
    try:
        with half.open("wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name} ")
        else:
            yield f"{before}{name}", value
