"""`@kernel`: compiled loops that release the interpreter lock, cached on disk under a hash of the sources it reaches."""

import hashlib
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import ParamSpec, TypeVar

import numba
from numba.core import event

from skysift.base.log import get_logger
from skysift.base.settings import settings

P = ParamSpec("P")
R = TypeVar("R")

_SOURCE = Path(__file__).resolve().parent.parent
_FROZEN = ("base/compiled.py", "sky/flags.py")  # what kernels are made by, and the numbers that they hold
_IMPORT = re.compile(r"^\s*from (skysift\.[\w.]+) import", re.MULTILINE)
_KEPT = 100  # folders of kernels: one a source file and state of it
_IDLE, _BUSY = 30 * 86400.0, 86400.0  # seconds unused after which one goes; within which it may be in use


def source_hash(path: Path | None = None) -> str:
    """Sixteen hex digits of where the sources lie and of all files that decide what the kernels of a file do.

    These are the file itself and those that it imports, directly or not, as far as they hold kernels. Without a
    path, or for a file outside the package, all files that hold kernels count.
    """
    digest = hashlib.sha256(f"{numba.__version__} {_SOURCE}".encode())  # numba finds kernels by path too
    inside = path is not None and path.is_relative_to(_SOURCE)
    files = _reached(path) if path is not None and inside else set(_SOURCE.rglob("*.py"))
    for each in sorted(files | {_SOURCE / name for name in _FROZEN}):
        name, text = each.relative_to(_SOURCE).as_posix(), each.read_bytes()
        if b"@kernel" in text or name in _FROZEN:
            digest.update(name.encode())
            digest.update(text)
    return digest.hexdigest()[:16]


def _reached(path: Path) -> set[Path]:
    """The file, and the files of the package that it imports, directly or not."""
    reached: set[Path] = set()
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file not in reached and file.is_file():
            reached.add(file)
            names = _IMPORT.findall(file.read_text(encoding="utf-8"))
            waiting += [_SOURCE.joinpath(*name.split(".")[1:]).with_suffix(".py") for name in names]
    return reached


def _cache_folder(name: str) -> Path:
    folder = settings().cache / "kernels" / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)  # the mark of its last use
        usable = os.access(folder, os.W_OK)
    except OSError as error:
        get_logger(__name__).warning("kernel cache %s cannot be made (%s)", folder, error)
        usable = False
    if usable:
        return folder
    folder = Path(tempfile.gettempdir()) / f"skysift-{os.getuid()}" / "kernels" / name
    folder.mkdir(parents=True, exist_ok=True)
    get_logger(__name__).warning("kernels are cached in %s instead", folder)
    return folder


def _prune(folder: Path) -> None:
    """Remove the kernels of sources that are not run any more from beside a folder of kernels."""
    unused = {}
    for other in folder.parent.iterdir():
        with suppress(FileNotFoundError):  # another process that begins now has removed it
            unused[other] = time.time() - other.stat().st_mtime
    for rank, other in enumerate(sorted(unused, key=lambda other: unused[other])):
        idle = unused[other]
        if other != folder and (idle > _IDLE or (rank >= _KEPT and idle > _BUSY)):
            shutil.rmtree(other, ignore_errors=True)


@cache
def cache_of(path: Path) -> Path:
    """The folder that keeps the kernels of a source file; old ones beside it are removed."""
    folder = _cache_folder(source_hash(path))
    _prune(folder)
    return folder


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """
    Compiled twin of a function of bare arrays and numbers.

    Compilation happens at the first call and is kept on disk. No fastmath and no parallel reductions:
    a kernel gives the same bits whatever called it and however many threads run.
    """
    numba.config.CACHE_DIR = str(cache_of(Path(function.__code__.co_filename)))  # type: ignore[attr-defined]
    compiled: Callable[P, R] = numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    return compiled


class _Announcer(event.Listener):
    """Logs once a process that kernels are compiled, when the first one is that the cache does not hold."""

    def __init__(self) -> None:
        self._first = threading.Lock()  # taken by the first and never given back

    def on_start(self, event: event.Event) -> None:
        """A function is about to be compiled; those of other packages are their own affair."""
        function = event.data["dispatcher"].py_func
        if str(function.__module__).startswith("skysift.") and self._first.acquire(blocking=False):
            get_logger(__name__).warning(
                "first run: compiling kernels (about half a minute, kept in %s)", settings().cache / "kernels"
            )

    def on_end(self, event: event.Event) -> None:
        """Nothing is told of the end."""


event.register("numba:compile", _Announcer())  # type: ignore[no-untyped-call]
