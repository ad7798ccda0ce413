"""The weights that come with skysift, by name; a path serves as well as a name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from skysift import data
from skysift.base.errors import UnknownName
from skysift.learn.checkpoint import Checkpoint, read_checkpoint

__all__ = ["SUFFIX", "Shipped", "shipped", "weights_of"]

SUFFIX = ".safetensors"
_FOLDER = Path(data.__file__).resolve().parent / "weights"


@dataclass(frozen=True)
class Shipped:
    """
    A file of weights in the package.

    Attributes
    ----------
    name
        By which it is asked for.
    path
        Of the file.
    checksum
        "sha256:" and the digest that it must have.
    """

    name: str
    path: Path
    checksum: str


@cache
def shipped() -> Mapping[str, Shipped]:
    """The weights of the package, by name, as its index lists them."""
    index = _FOLDER / "index.json"
    if not index.exists():
        return {}
    listed: dict[str, str] = json.loads(index.read_text())
    return {name: Shipped(name, _FOLDER / f"{name}{SUFFIX}", checksum) for name, checksum in listed.items()}


def weights_of(text: str) -> Checkpoint:
    """The weights of a name that `skysift models` lists, or of a file.

    Raises
    ------
    UnknownName
        There is neither such a name nor such a file.
    DataError
        The file is broken, or not what the index says.
    """
    known = shipped()
    if text in known:
        return read_checkpoint(known[text].path, known[text].checksum)
    path = Path(text).expanduser()
    if path.suffix != SUFFIX and not path.exists():
        raise UnknownName(
            "no weights of this name",
            got=text,
            allowed=[*known, f"a path of a file *{SUFFIX}"],
            todo="`skysift models` lists what there is; `skysift train` makes new ones",
        )
    return read_checkpoint(path)
