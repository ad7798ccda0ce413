"""Who is who: pieces that tiles cut are joined, components become sources, catalogues are matched.

The folder is itself the verb: ``skysift.match(...)`` calls `match` below.
"""

from __future__ import annotations

import inspect
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from skysift.base.errors import UsageError
from skysift.base.registry import Registry

if TYPE_CHECKING:
    from skysift.match.entries import Entries
    from skysift.match.result import Match
    from skysift.sky.catalogue import Catalogue
    from skysift.sky.table import Table

__all__ = ["match"]


def match(
    *catalogues: Catalogue | Table | Entries,
    kind: str = "one-to-one",
    names: tuple[str, ...] = (),
    table: str = "sources",
    correct: bool = False,
    **options: Any,
) -> Match:
    """Which rows of several catalogues are one source; every row of each comes out, matched or not.

    The first catalogue is the reference. Each further one is matched to the rows that there are so far, which
    stand where the first catalogue that has them puts them; what finds no partner is a row of its own.

    >>> pairs = skysift.match(first, second, kind="one-to-one", radius=5)            # doctest: +SKIP
    >>> pairs["separation_2"], pairs.joins[0].chance.rate                            # doctest: +SKIP

    Parameters
    ----------
    catalogues
        Two or more: what `skysift.find` makes, what `skysift.open` reads of a table, one table of these, or
        `skysift.match.entries.Entries` of bare columns.
    kind
        ``nearest``, ``one-to-one``, ``ellipse``, ``likelihood``, or the name of a plug-in.
    names
        What to call the catalogues.
    table
        The table of catalogues of three: ``sources``, ``components`` or ``islands``.
    correct
        Take measured offsets and ratios of flux scales away before the final matching.
    options
        Options of the matcher, such as ``radius=5``.

    Raises
    ------
    UsageError
        There are less than two catalogues, or one has no positions on the sky.
    UnknownName, OptionError
        The kind or one of its options does not exist, or a value is not allowed.
    """
    from skysift.match.catalogues import match_catalogues  # late: the compiled code
    from skysift.match.entries import Entries

    if names and len(names) != len(catalogues):
        raise UsageError("each catalogue needs a name", got=names, allowed=f"{len(catalogues)} names")
    matcher = Registry[Any]("matcher").make(kind, **options)
    called = names or tuple(f"catalogue {number}" for number in range(1, len(catalogues) + 1))
    entries = [
        Entries.of(each, name, table=table, flux=matcher.options.flux)
        for each, name in zip(catalogues, called, strict=True)
    ]
    return match_catalogues(entries, matcher, correct=correct)


class _MatchFolder(ModuleType):
    """A folder that can be called, since `skysift.match` is both this folder and the verb of the package."""

    __signature__ = inspect.signature(match)

    def __call__(self, *args: Any, **kwargs: Any) -> Match:
        """Which rows of several catalogues are one source; see `match`."""
        return match(*args, **kwargs)


sys.modules[__name__].__class__ = _MatchFolder
