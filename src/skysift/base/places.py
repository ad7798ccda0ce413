"""`without_places`: a text that people of a service read, without the folders of the machine that it runs on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

__all__ = ["without_places"]

_PATH = re.compile(r"(?<![\w:/.@%~-])/(?:[\w.+@=~-]+/)+[\w.+@=~-]*")


def without_places(text: str, names: Iterable[tuple[str, str]] = ()) -> str:
    """The text with the name of a file or folder in place of its path.

    Parameters
    ----------
    text
        What is told.
    names
        Paths, and what is told instead of each.

    Examples
    --------
    >>> without_places("no such file: got '/tmp/jobs/7/inputs/map.fits'; see https://a.b/tmp/x")
    "no such file: got 'map.fits'; see https://a.b/tmp/x"
    """
    for path, name in sorted(names, key=lambda pair: -len(pair[0])):
        if path.startswith("/"):
            text = text.replace(path, name)
    return _PATH.sub(_name_of, text)


def _name_of(found: re.Match[str]) -> str:
    """The last part of a path of this machine; what else looks like one stays."""
    parts = found[0].rstrip("/").split("/")
    return parts[-1] if _is_here(parts[1]) else found[0]


@cache
def _is_here(folder: str) -> bool:
    return Path("/", folder).is_dir()
