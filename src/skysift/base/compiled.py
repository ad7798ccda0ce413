"""`@kernel`: compiled loops that release the interpreter lock, cached on disk under a hash of the sources."""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

import numba

from skysift.base.log import get_logger
from skysift.base.settings import settings

P = ParamSpec("P")
R = TypeVar("R")

_SOURCE = Path(__file__).resolve().parent.parent
_FROZEN = ("base/compiled.py", "sky/flags.py")  # what kernels are made by, and the numbers that they hold
_KEPT = 5  # folders of kernels
_IDLE, _BUSY = 30 * 86400.0, 86400.0  # seconds unused after which one goes; within which it may be in use


def source_hash() -> str:
    """Sixteen hex digits of where the sources lie and of all files that decide what a kernel does."""
    digest = hashlib.sha256(f"{numba.__version__} {_SOURCE}".encode())  # numba finds kernels by path too
    for path in sorted(_SOURCE.rglob("*.py")):
        name, text = path.relative_to(_SOURCE).as_posix(), path.read_bytes()
        if b"@kernel" in text or name in _FROZEN:
            digest.update(name.encode())
            digest.update(text)
    return digest.hexdigest()[:16]


def _cache_folder() -> Path:
    folder = settings().cache / "kernels" / source_hash()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)  # the mark of its last use
        usable = os.access(folder, os.W_OK)
    except OSError as error:
        get_logger(__name__).warning("kernel cache %s cannot be made (%s)", folder, error)
        usable = False
    if usable:
        return folder
    folder = Path(tempfile.gettempdir()) / f"skysift-{os.getuid()}" / "kernels" / source_hash()
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


CACHE = _cache_folder()
_prune(CACHE)
FRESH = not any(CACHE.rglob("*.nbi"))
numba.config.CACHE_DIR = str(CACHE)  # type: ignore[attr-defined]


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """
    Compiled twin of a function of bare arrays and numbers.

    Compilation happens at the first call and is kept on disk. No fastmath and no parallel reductions:
    a kernel gives the same bits whatever called it and however many threads run.
    """
    compiled: Callable[P, R] = numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    return compiled


def announce_compilation() -> None:
    """Log once, when the cache is empty, that the first run compiles."""
    if FRESH:
        get_logger(__name__).warning("first run: compiling kernels (under half a minute, kept in %s)", CACHE)
