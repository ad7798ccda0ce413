"""The log: one line per event, to stderr; this is the only place that configures logging.

An imported library says nothing by itself; the command line calls `configure`. Facts go beside the message::

    get_logger(__name__).info("island fitted", extra={"facts": {"island": 12, "components": 3}})
    # skysift.measure.fit info: island fitted island=12 components=3

A service writes the same records as JSON, one object a line. What is bound around a piece of work (a request, a
job) goes with every record that is written within::

    with bound(request_id="5f2a"):
        ...
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal, TextIO

from skysift.base.errors import UsageError
from skysift.base.settings import LOG_LEVELS

__all__ = ["bound", "configure", "get_logger"]

_ROOT = "skysift"
_BOUND: ContextVar[Mapping[str, object]] = ContextVar("bound", default=MappingProxyType({}))

logging.getLogger(_ROOT).addHandler(logging.NullHandler())


class _Line(logging.Formatter):
    """One record as one line, its facts as key=value behind the message."""

    def format(self, record: logging.LogRecord) -> str:
        facts = {**_BOUND.get(), **getattr(record, "facts", {})}
        told = "".join(f" {name}={value}" for name, value in facts.items())
        line = f"{record.name} {record.levelname.lower()}: {record.getMessage()}{told}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _Json(logging.Formatter):
    """One record as one JSON object on one line, its facts beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_BOUND.get(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


@contextmanager
def bound(**facts: object) -> Iterator[None]:
    """Facts that go with every record of the log written within, in this thread or task."""
    token = _BOUND.set({**_BOUND.get(), **facts})
    try:
        yield
    finally:
        _BOUND.reset(token)


def get_logger(name: str) -> logging.Logger:
    """The logger of a module; call it with ``__name__``."""
    return logging.getLogger(name if name == _ROOT or name.startswith(f"{_ROOT}.") else f"{_ROOT}.{name}")


def configure(level: str, stream: TextIO | None = None, form: Literal["text", "json"] = "text") -> None:
    """Records of `level` and above go to `stream` (stderr) from now on; an earlier call is replaced.

    Parameters
    ----------
    level
        debug, info, warning or error.
    stream
        Where they go.
    form
        Lines of text, or a JSON object a line.

    Raises
    ------
    UsageError
        There is no such level.
    """
    if level not in LOG_LEVELS:
        raise UsageError("the log level is not allowed", got=level, allowed=LOG_LEVELS)
    root = logging.getLogger(_ROOT)
    for handler in root.handlers[:]:
        if isinstance(handler.formatter, _Line | _Json):
            root.removeHandler(handler)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Line())
    root.addHandler(handler)
    root.setLevel(level.upper())
    root.propagate = False
