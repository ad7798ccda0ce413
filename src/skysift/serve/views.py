"""`Views`: links below which a browser may look at the files of one job, or of one product, for a while.

A link that is clicked carries no header, and a token never stands in an address. So who may see a job asks for a
link of its own: it opens the files of that job alone, for an hour, and ends with the server.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from skysift.base.errors import UnknownName

__all__ = ["Views"]

_MOST = 10_000


class Views:
    """The links that hold now.

    Parameters
    ----------
    seconds
        How long a link holds.
    clock
        Seconds that pass.
    """

    def __init__(self, seconds: float = 3600.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._open: dict[str, tuple[float, str]] = {}

    def make(self, what: str) -> str:
        """The secret part of a new link to the files of what is named so: ``job:ID`` or ``shelf:ID``."""
        now = self._clock()
        if len(self._open) >= _MOST:
            self._open = {each: told for each, told in self._open.items() if told[0] > now}
        while len(self._open) >= _MOST:
            del self._open[next(iter(self._open))]
        secret = secrets.token_urlsafe(32)
        self._open[secret] = (now + self.seconds, what)
        return secret

    def opened(self, secret: str) -> str:
        """What a link opens.

        Raises
        ------
        UnknownName
            It opens none, or none any more.
        """
        until, what = self._open.get(secret, (0.0, ""))
        if until <= self._clock():
            raise UnknownName("the link does not hold any more", todo="open it from the page again")
        return what
