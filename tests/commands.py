"""Commands of skysift run in the process of the tests, which has loaded everything already."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from unittest import mock

from skysift.base.settings import settings
from skysift.cli.main import main


@dataclass(frozen=True)
class Said:
    """What a command ended with and printed, named as `subprocess` names it."""

    returncode: int
    stdout: str
    stderr: str


def called(*words: object, together: bool = False, **variables: str) -> Said:
    """The command with these words; all that it sets in its process is put back.

    Parameters
    ----------
    words
        What stands behind ``skysift``.
    together
        Both streams as one, as on a terminal.
    variables
        Variables of the environment.
    """
    out = io.StringIO()
    err = out if together else io.StringIO()
    with _fresh(variables), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(word) for word in words])
    return Said(code, out.getvalue(), "" if together else err.getvalue())


@contextlib.contextmanager
def _fresh(variables: dict[str, str]) -> Iterator[None]:
    """Logging, warnings, signals and environment as a process begins with them."""
    root = logging.getLogger("skysift")
    before = root.handlers[:], root.level, root.propagate
    ends = signal.getsignal(signal.SIGTERM)
    with mock.patch.dict(os.environ, variables), warnings.catch_warnings():
        warnings.simplefilter("default")
        settings.cache_clear()  # they are read from the environment once
        try:
            yield
        finally:
            settings.cache_clear()
            root.handlers[:], root.level, root.propagate = before
            signal.signal(signal.SIGTERM, ends)
