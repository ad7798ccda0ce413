"""`Rows`: rows that are counted as they go, up to a limit; whether there were more is known at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from skysift.base.errors import SkysiftError

__all__ = ["Rows"]


class Rows:
    """Rows on their way out.

    Parameters
    ----------
    rows
        The rows; one more than the limit is enough to know that there are more.
    limit
        How many go out; None for all.
    more
        Tells after the last row whether there were more, where the rows themselves end at their limit.
    """

    def __init__(
        self,
        rows: Iterable[Sequence[object]],
        limit: int | None = None,
        more: Callable[[], bool] = lambda: False,
    ) -> None:
        self._rows = iter(rows)
        self._more = more
        self._first: list[Sequence[object]] = []
        self.limit = limit
        self.count = 0
        self.overflow = False
        self.failure: SkysiftError | None = None
        """What went wrong after the first rows were out."""

    def begin(self) -> Rows:
        """These rows, with the first one read: what is wrong with the query shows before anything goes out."""
        self._first = list(islice(self._rows, 1))
        return self

    def __iter__(self) -> Iterator[Sequence[object]]:
        try:
            for row in self._all():
                if self.limit is not None and self.count >= self.limit:
                    self.overflow = True
                    return
                self.count += 1
                yield row
            self.overflow = self._more()
        except SkysiftError as error:
            self.failure = error

    def _all(self) -> Iterator[Sequence[object]]:
        first, self._first = self._first, []
        yield from first
        yield from self._rows
