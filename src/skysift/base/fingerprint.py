"""`fingerprint`: a short name of a value that says the same in every process, for results that are kept."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from skysift.base.options import Options, service_options
from skysift.base.store import checksum, is_url, name_of

__all__ = ["by_content", "code_hash", "fingerprint"]

_PACKAGE = Path(__file__).parents[1]
_HDU = re.compile(r"(.+)\[([^\[\]]+)\]", re.DOTALL)


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
            return type(value), (json.dumps(by_content(value), sort_keys=True, default=repr),)
        path = getattr(value, "path", None)
        content = (
            _content(path)
            if isinstance(path, str) and is_dataclass(value) and not isinstance(value, type)
            else None
        )
        if content is not None:
            others = tuple(
                (each.name, getattr(value, each.name)) for each in fields(value) if each.name != "path"
            )
            return type(value), (*content[1:], *others)
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


def _content(text: str) -> list[str] | None:
    """Name and checksum of the file that a text names, by path or URL, and the HDU if it names one; else None."""
    plain, named = text, _HDU.fullmatch(text)
    if named is not None and not _is_file(text):
        plain = named[1]
    if not (is_url(plain) or _is_file(plain)):
        return None
    return [name_of(plain), checksum(plain)[0], *([named[2]] if named is not None and plain != text else [])]


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a path, or a zero byte in it
        return False


def by_content(value: object) -> Any:
    """A value, JSON-safe, in which every file counts by its name and the checksum of its content.

    Whatever decides a result and may name files goes through here: options, and the maps beside the searched one.

    Parameters
    ----------
    value
        Texts that name files, at paths or behind URLs, become ``[name, "sha256:...", HDU]``. Options, dataclasses,
        mappings and sequences are gone through; numbers, addresses of services and other texts stay; the rest becomes
        its fingerprint.

    Raises
    ------
    FormatError, UsageError, TransientError
        A file cannot be read.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str | os.PathLike):
        text = os.fspath(value)
        return _content(text) or text
    if isinstance(value, Options):
        asked = service_options(type(value))
        told = value.to_dict().items()
        return {name: each if name in asked else by_content(each) for name, each in told}
    if isinstance(value, Mapping):
        return {str(name): by_content(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [by_content(each) for each in value]
    if (
        is_dataclass(value)
        and not isinstance(value, type)
        and not isinstance(getattr(value, "path", None), str)
    ):
        return {
            "": type(value).__qualname__,
            **{each.name: by_content(getattr(value, each.name)) for each in fields(value)},
        }
    return fingerprint(value)


@cache
def code_hash() -> str:
    """Sixteen hex digits of all source files of this package by their content, wherever it is installed."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py"), key=lambda path: path.relative_to(_PACKAGE).as_posix()):
        text = path.read_bytes()
        digest.update(f"{path.relative_to(_PACKAGE).as_posix()} {len(text)}\n".encode())
        digest.update(text)
    return digest.hexdigest()[:16]
