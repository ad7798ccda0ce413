"""`whole_file`: a file comes under its name only when it is whole."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skysift.base.errors import OutputError, StorageError

__all__ = ["FULL", "whole_file"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what the system says where no more can be written


@contextmanager
def whole_file(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary path to write into, which takes the name `path` when the block ends well, else is removed.

    Raises
    ------
    OutputError
        The file exists and `overwrite` is false, or its folder cannot be written.
    StorageError
        The disk is full.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise OutputError("no such folder", got=str(target.parent), todo="make it first")
    if target.is_dir():
        raise OutputError("a file is wanted, this is a folder", got=str(target))
    if not overwrite and os.path.lexists(target):
        raise OutputError("the file exists", got=str(target), todo="choose another name, or overwrite it")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(target)
    except OSError as error:
        if error.errno in FULL:
            raise StorageError("the disk is full", got=str(target), todo="make room and try again") from error
        raise OutputError(f"cannot write the file ({error.strerror or error})", got=str(target)) from error
    finally:
        part.unlink(missing_ok=True)
