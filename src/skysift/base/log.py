"""The log: one line per event, to stderr; this is the only place that configures logging.

An imported library says nothing by itself; the command line calls `configure`. Facts go beside the message::

    get_logger(__name__).info("island fitted", extra={"facts": {"island": 12, "components": 3}})
    # skysift.measure.fit info: island fitted island=12 components=3
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

from skysift.base.errors import UsageError
from skysift.base.settings import LOG_LEVELS

__all__ = ["configure", "get_logger"]

_ROOT = "skysift"

logging.getLogger(_ROOT).addHandler(logging.NullHandler())


class _Line(logging.Formatter):
    """One record as one line, its facts as key=value behind the message."""

    def format(self, record: logging.LogRecord) -> str:
        facts: dict[str, object] = getattr(record, "facts", {})
        told = "".join(f" {name}={value}" for name, value in facts.items())
        line = f"{record.name} {record.levelname.lower()}: {record.getMessage()}{told}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def get_logger(name: str) -> logging.Logger:
    """The logger of a module; call it with ``__name__``."""
    return logging.getLogger(name if name == _ROOT or name.startswith(f"{_ROOT}.") else f"{_ROOT}.{name}")


def configure(level: str, stream: TextIO | None = None) -> None:
    """Records of `level` and above go to `stream` (stderr) from now on; an earlier call is replaced.

    Raises
    ------
    UsageError
        There is no such level.
    """
    if level not in LOG_LEVELS:
        raise UsageError("the log level is not allowed", got=level, allowed=LOG_LEVELS)
    root = logging.getLogger(_ROOT)
    for handler in root.handlers[:]:
        if isinstance(handler.formatter, _Line):
            root.removeHandler(handler)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Line())
    root.addHandler(handler)
    root.setLevel(level.upper())
    root.propagate = False
