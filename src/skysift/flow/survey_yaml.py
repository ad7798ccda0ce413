"""The YAML of a survey: its values, the line of each key, keys that stand twice."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from skysift.base.errors import UsageError

__all__ = ["Key", "load_config"]

Key: TypeAlias = tuple[str | int, ...]
"""Where a value stands: names of keys and numbers of entries, from the outside in."""

_SEE_EXAMPLE = "`skysift survey --example` prints one to begin with"


def load_config(path: Path) -> tuple[dict[str, Any], dict[Key, int], list[Key]]:
    """The values of a YAML file, the line of each key, and the keys that stand twice.

    Raises
    ------
    UsageError
        The file is not there, or is not YAML with one KEY: VALUE per line.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except OSError as error:
        raise UsageError("the configuration cannot be read", got=str(path), todo=error.strerror) from error
    except UnicodeDecodeError as error:
        raise UsageError("the configuration is not text", got=str(path)) from error
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark is not None else ""
        raise UsageError(f"the configuration is not YAML{where}", got=str(path), todo=_SEE_EXAMPLE) from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UsageError("the configuration holds no KEY: VALUE lines", got=str(path), todo=_SEE_EXAMPLE)
    lines: dict[Key, int] = {}
    twice: list[Key] = []
    _walk(node, (), lines, twice)
    return _plain(values), lines, twice


def _walk(node: Any, key: Key, lines: dict[Key, int], twice: list[Key]) -> None:
    lines.setdefault(key, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            inner = (*key, str(name.value))
            if inner in lines:
                twice.append(inner)
            lines[inner] = name.start_mark.line + 1
            _walk(value, inner, lines, twice)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            _walk(value, (*key, number), lines, twice)


def _plain(value: Any) -> Any:
    """A value with its dates as texts."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value.isoformat() if isinstance(value, dt.date | dt.datetime) else value
