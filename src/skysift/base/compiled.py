"""`@kernel`: compiled loops that release the interpreter lock, cached on disk under a hash of the sources."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import numba

from skysift.base.log import get_logger
from skysift.base.settings import settings

P = ParamSpec("P")
R = TypeVar("R")

_SOURCE = Path(__file__).resolve().parent.parent


def source_hash() -> str:
    """Sixteen hex digits that change whenever any source file that may hold a kernel changes."""
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(_SOURCE.rglob("*.py")):
        text = path.read_bytes()
        if b"@kernel" in text:
            digest.update(str(path.relative_to(_SOURCE)).encode())
            digest.update(text)
    return digest.hexdigest()[:16]


def _cache_folder() -> Path:
    folder = settings().cache / "kernels" / source_hash()
    try:
        folder.mkdir(parents=True, exist_ok=True)
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


CACHE = _cache_folder()
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
