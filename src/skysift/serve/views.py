"""`Views`: links below which a browser may look at the files of one job, or of one thing on the shelf, for a while.

A link that is clicked carries no header, and a token never stands in an address. So who may see a job asks for a
link of its own: it opens the files of that job alone, to the eyes of who asked, for an hour, and ends with the server.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from skysift.archive.policy import User
from skysift.base.errors import UnknownName

__all__ = ["View", "Views"]

_MOST = 1000


@dataclass(frozen=True)
class View:
    """What a link opens: ``job:ID`` or ``shelf:ID``, for whom, and until when."""

    what: str
    user: User
    until: float


class Views:
    """The links that hold now.

    Parameters
    ----------
    seconds
        How long a link holds.
    most
        How many links one asker has; the oldest end first, and nobody ends those of others. All who did not say
        who they are count as one, and share the link to a thing.
    clock
        Seconds that pass.
    """

    def __init__(
        self, seconds: float = 3600.0, most: int = _MOST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.seconds = seconds
        self.most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, View] = {}
        self._of: dict[str, dict[str, str]] = {}  # asker -> secret -> what, the oldest first

    def make(self, what: str, user: User) -> str:
        """The secret part of a link to the files of what is named so: ``job:ID`` or ``shelf:ID``."""
        with self._lock:
            mine = self._of.setdefault(user.name, {})
            secret = next((each for each, told in mine.items() if not user.known and told == what), "")
            mine.pop(secret, None)
            secret = secret or secrets.token_urlsafe(32)
            while len(mine) >= self.most:
                oldest = next(iter(mine))
                del mine[oldest], self._open[oldest]
            mine[secret] = what
            self._open[secret] = View(what, user, self._clock() + self.seconds)
        return secret

    def opened(self, secret: str) -> View:
        """What a link opens.

        Raises
        ------
        UnknownName
            It opens none, or none any more.
        """
        view = self._open.get(secret)
        if view is None or view.until <= self._clock():
            raise UnknownName("the link does not hold any more", todo="open it from the page again")
        return view
