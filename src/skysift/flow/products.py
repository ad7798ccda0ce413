"""Where a run writes its products: nothing of them shows until all of them are there.

A run writes into the hidden folder ``DIR/.partial`` and, when everything is written, moves the files into
``DIR`` by renames. A crash, an interrupt or a full disk therefore leaves the products in ``DIR`` as they were.
A process that is killed in the middle of those renames leaves a journal; the next run undoes them first.

A run that can be continued keeps the results of its tasks in ``DIR/.partial`` too (`skysift.flow.kept`). They
stay when it is broken off, and go with its success or with an error that a repetition would meet again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from filelock import FileLock, Timeout

from skysift.base.errors import BusyError, OutputError, SkysiftError, StorageError
from skysift.base.parallel import Crew
from skysift.base.provenance import Manifest
from skysift.base.settings import settings
from skysift.base.store import name_of
from skysift.flow.kept import RUN, KeptResults, Key, refuse_kept
from skysift.io.output import FULL

__all__ = [
    "MANIFEST",
    "ProductFolder",
    "checksum",
    "folder_names",
    "locked",
    "refuse_earlier",
    "size",
    "write_manifest",
    "writing",
]

MANIFEST = "manifest.json"
LOCK = ".skysift.lock"
PART = ".partial"
HALF, JOURNAL = "journal.part", "journal.json"

_MAP_SUFFIXES = (".fits", ".fit", ".fts", ".fz", ".gz", ".bz2", ".image")


class ProductFolder:
    """A folder that gets all the products of one run, or none of them.

    Use it as a context: entering makes the folder, locks it, mends what a killed run left and refuses
    earlier products; leaving removes every trace of what was not committed.

    Parameters
    ----------
    directory
        The folder of the products; made, with its parents, where it is missing.
    names
        Names of all products that the run is going to write, files or folders, the manifest included.
    overwrite
        Whether the products of an earlier run are replaced, on success.
    key
        What decides the results of this run, where it can be continued.
    fresh
        Whether what a broken-off run has kept is discarded.
    amend
        Whether earlier products of other names stay; the new manifest then lists them too.

    Attributes
    ----------
    kept
        Where the run keeps its results; None where it has no key.

    Raises
    ------
    BusyError
        When another run is writing into the folder.
    OutputError
        When the folder cannot be written, holds earlier products and `overwrite` is off, holds a file that no
        run made under a name that this run needs, or keeps the results of another command.
    StorageError
        When the disk is full.
    """

    def __init__(
        self,
        directory: Path,
        *,
        names: Sequence[str],
        overwrite: bool = False,
        key: Key | None = None,
        fresh: bool = False,
        amend: bool = False,
    ) -> None:
        self.directory = directory
        self.names = tuple(names)
        self.overwrite = overwrite
        self.kept: KeptResults | None = None
        self._key, self._fresh, self._amend = key, fresh, amend
        self._made: list[Path] = []
        self._lock: FileLock | None = None
        self._old: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return (
            f"ProductFolder({str(self.directory)!r}, {len(self.names)} products, overwrite={self.overwrite})"
        )

    def __enter__(self) -> ProductFolder:
        try:
            with writing(self.directory):
                self._made = _make(self.directory)
                self._lock = _lock(self.directory)
                _undo(self.directory)
                self._old = _earlier(self.directory)
                if self._amend:
                    self._old &= set(self.names)
                self._refuse()
                self._keep()
                (self.directory / PART / "new").mkdir(parents=True)
        except BaseException:
            self._leave(keep=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        told = self.kept.close() if self.kept is not None and error is not None and _passes(error) else ""
        self._leave(keep=bool(told))
        if told and error is not None:
            error.add_note(told)

    def path(self, name: str) -> Path:
        """Path under which product `name` is written until it is committed.

        Raises
        ------
        ValueError
            The product was not announced.
        """
        if name not in self.names:
            raise ValueError(f"{name} was not announced as a product")
        return self.directory / PART / "new" / name

    def keeping(self, crew: Crew) -> Crew:
        """The crew, which now keeps the results of its tasks in this folder, where the run can be continued."""
        if self.kept is None:
            return crew
        return replace(crew, kept=self.kept, progress=self.kept.watch(crew.progress))

    def commit(self) -> None:
        """Show the new products and remove the earlier ones; on any failure the earlier ones stay.

        An interrupt that arrives meanwhile takes effect afterwards.
        """
        part = self.directory / PART
        new = sorted(entry.name for entry in (part / "new").iterdir())
        new.sort(key=lambda name: name == MANIFEST)  # the manifest last: where it is, everything is
        with writing(self.directory), _uninterrupted():
            for name in new:
                _flush(part / "new" / name)
            (part / "old").mkdir()
            (part / HALF).write_text(json.dumps({"new": new}), encoding="utf-8")
            _flush(part / HALF)
            (part / HALF).rename(part / JOURNAL)
            try:
                for name in sorted(self._old):
                    with suppress(FileNotFoundError):  # somebody removed an earlier product: nothing to keep
                        (self.directory / name).rename(part / "old" / name)
                for name in new:
                    (part / "new" / name).rename(self.directory / name)
            except BaseException:
                _undo(self.directory)
                raise
            (part / JOURNAL).unlink()
            if self.kept is not None:
                self.kept.discard()
        self._made = []

    def _refuse(self) -> None:
        foreign = [name for name in self.names if name not in self._old and _exists(self.directory / name)]
        if foreign:
            raise OutputError(
                f"{self.directory} holds a file that no run of skysift made under a name that this run needs",
                got=foreign[0],
                todo="move it away or choose another output folder",
            )
        refuse_earlier(self.directory, self._old, overwrite=self.overwrite)

    def _keep(self) -> None:
        part = self.directory / PART
        if self._key is None:
            refuse_kept(self.directory, part)
            return
        every = settings().keep
        self.kept = KeptResults(part, self.directory, self._key, every=every, fresh=self._fresh)

    def _leave(self, *, keep: bool) -> None:
        """Unlock the folder and remove what the run has written, but what is kept for the next if so wanted."""
        if self._lock is not None:
            part = self.directory / PART
            for name in ("new", "old", JOURNAL):
                with suppress(OSError):
                    _remove(part / name)
            if not keep or not (part / RUN).exists():
                shutil.rmtree(part, ignore_errors=True)
            _unlock(self._lock)
            self._lock = None
        for folder in reversed(self._made):
            with suppress(OSError):  # something else lives in it by now: then it stays
                folder.rmdir()
        self._made = []


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock of a folder that takes the products of several maps, each in a folder of its own.

    Raises
    ------
    BusyError
        When another run is writing into the folder.
    """
    made: list[Path] = []
    lock: FileLock | None = None
    try:
        with writing(directory):
            made = _make(directory)
            lock = _lock(directory)
        yield
    finally:
        if lock is not None:
            _unlock(lock)
        for folder in reversed(made):
            with suppress(OSError):  # it holds products: it stays
                folder.rmdir()


def folder_names(maps: Sequence[str]) -> list[str]:
    """One folder name per map, from the stem of its file; names that clash get -2, -3, ... in order."""
    stems = [_stem(name) for name in maps]
    taken: set[str] = set()
    names: list[str] = []
    for index, stem in enumerate(stems):
        later = {other.casefold() for other in stems[index + 1 :]}
        name, number = stem, 1
        while name.casefold() in taken or (number > 1 and name.casefold() in later):
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        names.append(name)
    return names


def checksum(path: Path) -> str:
    """SHA-256 of a file, as ``sha256:...``; of a folder, that of its files' names and checksums."""
    if path.is_dir():
        listed = "".join(f"{each.name} {checksum(each)}\n" for each in sorted(path.iterdir()))
        return "sha256:" + hashlib.sha256(listed.encode()).hexdigest()
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def size(path: Path) -> int:
    """Bytes of a file, or of the files of a folder."""
    return sum(size(each) for each in path.iterdir()) if path.is_dir() else path.stat().st_size


@contextmanager
def writing(directory: Path) -> Iterator[None]:
    """Turn what the system says about a failed write into one line that tells what to do.

    Raises
    ------
    StorageError
        When the disk or the quota is full.
    OutputError
        When the place cannot be written.
    """
    try:
        yield
    except SkysiftError:
        raise
    except OSError as error:
        number = _errno(error)
        reason = os.strerror(number) if number is not None else str(error)
        if number in FULL:
            raise StorageError(
                f"no room for the products in {directory}",
                got=reason,
                todo="free some space or choose another output folder; earlier products were left untouched",
            ) from error
        raise OutputError(
            f"cannot write the products to {directory}",
            got=reason,
            todo="choose an output folder that can be written",
        ) from error


def _errno(error: BaseException | None) -> int | None:
    """The system's error number, from the error itself or from what it was raised from."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        error = error.__cause__ or error.__context__
    return None


def _make(directory: Path) -> list[Path]:
    """Make a folder and its parents; the folders that were missing, outermost first."""
    for place in (directory, *directory.parents):
        if _exists(place) and not place.is_dir():
            raise OutputError(
                f"cannot write the products to {directory}: a file is in the way of the folder",
                got=str(place),
                todo="choose another output folder",
            )
    missing: list[Path] = []
    folder = directory
    while not _exists(folder):
        missing.append(folder)
        folder = folder.parent
    missing.reverse()
    directory.mkdir(parents=True, exist_ok=True)
    return missing


def _exists(path: Path) -> bool:
    return os.path.lexists(path)


def _lock(directory: Path) -> FileLock:
    lock = FileLock(directory / LOCK, timeout=0.1)
    try:
        lock.acquire()
    except Timeout:
        raise BusyError(
            f"another run of skysift is writing into {directory}",
            todo="wait until it ends or choose another output folder",
        ) from None
    return lock


def _unlock(lock: FileLock) -> None:
    # Removed while still held: who opened it meanwhile notices that it has no name any more and asks anew.
    with suppress(OSError):
        Path(lock.lock_file).unlink()
    lock.release()


def refuse_earlier(
    directory: Path, earlier: frozenset[str] | None = None, *, overwrite: bool = False
) -> None:
    """Refuse a folder that holds the products of an earlier run, before anything is computed for it.

    Parameters
    ----------
    directory
        The folder; it need not be there.
    earlier
        Names of its earlier products, where they are known.
    overwrite
        Whether they may be replaced.

    Raises
    ------
    OutputError
        It holds earlier products and `overwrite` is off, or its manifest cannot be read.
    """
    if (_earlier(directory) if earlier is None else earlier) and not overwrite:
        raise OutputError(
            f"{directory} holds the products of an earlier run",
            todo="choose another output folder, or replace them with --overwrite",
        )


def _earlier(directory: Path) -> frozenset[str]:
    """Names of the products of an earlier run, told by its manifest; none where there is no manifest."""
    path = directory / MANIFEST
    if not path.is_file():
        return frozenset()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        names = {str(entry["name"]) for entry in content["outputs"]}
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"{path} is not the manifest of a run of skysift",
            todo="move it away or choose another output folder",
        ) from error
    return frozenset(name for name in names if _plain(name)) | {MANIFEST}


def _plain(name: str) -> bool:
    return name not in {"", ".", ".."} and name == Path(name).name and not name.startswith(".")


def _undo(directory: Path) -> None:
    """Take back renames that were not completed and remove the hidden folder of a run that is gone."""
    part = directory / PART
    journal = part / JOURNAL
    if journal.is_file() and (part / "old").is_dir():
        for name in json.loads(journal.read_text(encoding="utf-8"))["new"]:
            if _plain(name) and not _exists(part / "new" / name):
                (directory / name).replace(part / "new" / name)
        for entry in (part / "old").iterdir():
            entry.replace(directory / entry.name)
    for name in ("new", "old", JOURNAL, HALF):
        _remove(part / name)
    if part.is_dir() and not (part / RUN).exists():
        shutil.rmtree(part)


def _remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _passes(error: BaseException) -> bool:
    """Whether a repetition can get further: not where the request or the data cannot be used."""
    return not (isinstance(error, SkysiftError) and error.kind in ("usage", "data"))


def _flush(path: Path) -> None:
    if path.is_dir():
        for each in path.iterdir():
            _flush(each)
        return
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put off an interrupt until the block is done."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is ever interrupted
        return
    caught: list[tuple[int, FrameType | None]] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda number, frame: caught.append((number, frame)))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for got, frame in caught[:1]:
            handler = before[signal.Signals(got)]
            if callable(handler):
                handler(got, frame)
            elif handler == signal.SIG_DFL:
                signal.raise_signal(got)


def _stem(name: str) -> str:
    match = re.fullmatch(r"(.*?)\[([^\[\]]*)\]", name)
    base, extension = (match.group(1), match.group(2)) if match else (name, "")
    stem = name_of(base)
    while stem.casefold().endswith(_MAP_SUFFIXES):
        stem = stem[: stem.rindex(".")]
    stem = stem if not extension else f"{stem}-{re.sub(r'[^A-Za-z0-9_.+]', '-', extension)}"
    return re.sub(r"[/\\\0]", "", stem).lstrip(".") or "map"


def write_manifest(manifest: Manifest, folder: ProductFolder, more: Mapping[str, Any] | None = None) -> None:
    """Write the manifest of a run whose other products are written, with the size and checksum of each, and `more`."""
    content = {**manifest.to_dict(), **(more or {})}
    content["outputs"] = [
        {"name": name, "size": size(folder.path(name)), "checksum": checksum(folder.path(name))}
        for name in manifest.outputs
    ]
    folder.path(MANIFEST).write_text(
        json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
