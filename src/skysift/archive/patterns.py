"""Whether a text is like a pattern of SQL: the pieces between ``%`` are sought from the left, nothing is tried twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

__all__ = ["LONGEST_PATTERN", "LONGEST_TEXT", "like"]

LONGEST_PATTERN, LONGEST_TEXT = 1000, 200_000
"""Letters that a pattern, and a text, may have."""

_Place = tuple[int, Callable[[str, int], int]]


def like(value: str, pattern: str, *, case_blind: bool = False) -> bool:
    """Whether a text is like a pattern: ``%`` stands for any letters, ``_`` for one, and nothing else for another.

    Its time is at most that of the length of the text times that of the longest piece.

    Parameters
    ----------
    value, pattern
        The text and the pattern.
    case_blind
        Whether small and capital letters are the same.

    Raises
    ------
    OverflowError
        The pattern or the text is too long; SQLite makes it an error of the query.
    """
    if len(pattern) > LONGEST_PATTERN or len(value) > LONGEST_TEXT:
        raise OverflowError("the text or the pattern is too long")
    if case_blind:
        value, pattern = _folded(value), _folded(pattern)
    pieces = _pieces(pattern)
    first, *others = pieces
    if not others:
        return len(value) == first[0] and first[1](value, 0) == 0
    last = others.pop()
    at, end = first[0], len(value) - last[0]
    if end < at or first[1](value[:at], 0) != 0 or last[1](value[end:], 0) != 0:
        return False
    for width, found in others:  # the leftmost place of each leaves the most room for those after it
        at = found(value, at) + width
        if at < width or at > end:
            return False
    return True


@lru_cache(maxsize=256)
def _pieces(pattern: str) -> tuple[_Place, ...]:
    """The pieces between the ``%``: how long each is, and what finds it in a text from a place on (-1: nowhere)."""
    first, *others = pattern.split("%")
    kept = [first, *(each for each in others[:-1] if each), *others[-1:]]
    return tuple((len(piece), _finder(piece)) for piece in kept)


def _finder(piece: str) -> Callable[[str, int], int]:
    if "_" not in piece:
        return lambda text, start: text.find(piece, start)
    letters = re.compile("".join("." if each == "_" else re.escape(each) for each in piece), re.DOTALL)

    def found(text: str, start: int) -> int:
        place = letters.search(text, start)  # of one length: there is nothing to go back to
        return -1 if place is None else place.start()

    return found


def _folded(text: str) -> str:
    """A text with small letters for capital ones, each for one."""
    if text.isascii():
        return text.lower()
    return "".join(_small(letter) for letter in text)


def _small(letter: str) -> str:
    return next((each for each in (letter.casefold(), letter.lower()) if len(each) == 1), letter)
