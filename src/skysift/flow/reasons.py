"""`reasons`: why rows of a table failed, each reason told once with a count and some names."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["reasons"]

_TOLD = 20  # reasons that are told
_NAMED = 3  # rows that a reason is told with


def reasons(
    pairs: Iterable[tuple[str, str]], what: str, column: str = "", lacking: str = ""
) -> tuple[str, ...]:
    """A line a reason, those of most rows first.

    Parameters
    ----------
    pairs
        Name of a row, and why it failed; empty where it did not.
    what
        A row is called.
    column
        Of the table that holds the reasons of all rows, where there is one.
    lacking
        What such rows have not, as in ``2 pictures without features: ...``.
    """
    of: dict[str, list[str]] = {}
    for name, why in pairs:
        if why:
            of.setdefault(why, []).append(name)
    order = sorted(of, key=lambda why: -len(of[why]))
    told = []
    for why in order[:_TOLD]:
        names = of[why]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        rows = f"{len(names)} {what}{'s' * (len(names) > 1)}{lacking}"
        told.append(f"{rows}: {why} ({', '.join(names[:_NAMED])}{more})")
    rest = len(order) - len(told)
    see = f": see the column {column}" if column else ""
    return (*told, *([f"and {rest} more reasons{see}"] if rest > 0 else []))
