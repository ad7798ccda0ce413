"""`fingerprint`: a short name of a value that says the same in every process, for results that are kept."""

from __future__ import annotations

import hashlib
import json
import pickle
from dataclasses import fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from skysift.base.options import Options

__all__ = ["file_sha256", "fingerprint"]


class _Sink:
    """A file that keeps nothing but the checksum of what is written into it."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return memoryview(data).nbytes


class _Writer(pickle.Pickler):
    """Values as bytes, whoever else holds the same objects: nothing is referred to, everything is written out."""

    def __init__(self, sink: _Sink) -> None:
        super().__init__(sink, protocol=5)
        self.fast = True

    def reducer_override(self, value: Any) -> Any:
        """Options by their values (pydantic keeps sets, which have no order); what has a file by its content."""
        if isinstance(value, Options):
            return type(value), (json.dumps(value.to_dict(), sort_keys=True, default=repr),)
        path = getattr(value, "path", None)
        if (
            isinstance(path, str)
            and is_dataclass(value)
            and not isinstance(value, type)
            and Path(path).is_file()
        ):
            state = Path(path).stat()
            content = file_sha256(path, state.st_size, state.st_mtime_ns)
            others = tuple(
                (each.name, getattr(value, each.name)) for each in fields(value) if each.name != "path"
            )
            return type(value), (content, *others)
        return NotImplemented


def fingerprint(value: object) -> str:
    """The sha256 (hexadecimal) of a value as pickle writes it: equal for what is made in the same way.

    A value that names a file (`path`) counts by the content of the file, wherever it lies. Two values that differ
    have two fingerprints. Equal ones may have two as well (sets of texts do), which costs a result that could have
    been used and never gives a wrong one.

    Raises
    ------
    pickle.PicklingError, AttributeError, TypeError, ValueError
        The value cannot be pickled.
    """
    sink = _Sink()
    _Writer(sink).dump(value)
    return sink.digest.hexdigest()


@lru_cache(maxsize=64)
def file_sha256(path: str, size: int, changed: int) -> str:
    """The sha256 of a file, "sha256:...", read once; size and time of change are there to ask again after a change.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with Path(path).open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
