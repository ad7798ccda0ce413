"""Every exception of skysift, as one tree.

::

    SkysiftError
    ├── UsageError             kind "usage": the asker can mend it
    │   ├── OptionError        an option that does not exist or has a value that is not allowed
    │   ├── UnknownName        a name that no plug-in, table, map or column has
    │   ├── OutputError        a place that cannot be written, or that is taken
    │   │   └── OtherRunError  a folder that keeps what another command, or version, has begun
    │   ├── RegionError        a region that cannot be read or lies outside the map
    │   ├── SizeError          more than what is taken at once
    │   ├── TimeLimitError     what was asked takes longer than it may
    │   ├── CancelledError     it was stopped before its end
    │   ├── SignInError        the asker did not say who they are, or not in a way that holds
    │   └── AccessError        this asker may not do it
    ├── DataError              kind "data": the file is broken or is not what it should be
    │   ├── FormatError        the bytes are not the format they claim to be
    │   └── HeaderError        the format is right, the description of the data is missing or impossible
    ├── TransientError         kind "transient": try again
    │   ├── BusyError          somebody else holds it
    │   └── StorageError       the disk is full or gave up
    └── FatalError             kind "fatal": our fault

Raise the leaf that fits; raise a branch where no leaf does. Only bad *requests* and bad *files* raise: a
finder that finds nothing returns an empty value, a fit that fails sets a flag. No other file derives from
`Exception`.

A message is one line of up to four parts: what was wrong, what was got, what is allowed, what to do.

>>> print(UsageError("tile is not allowed", got=3, allowed="64 or more", todo="leave it out for 1024"))
tile is not allowed: got 3; allowed: 64 or more; leave it out for 1024
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal, Self, TypeAlias

__all__ = [
    "AccessError",
    "BusyError",
    "CancelledError",
    "DataError",
    "FatalError",
    "FormatError",
    "HeaderError",
    "Kind",
    "OptionError",
    "OtherRunError",
    "OutputError",
    "RegionError",
    "SignInError",
    "SizeError",
    "SkysiftError",
    "SkysiftWarning",
    "StorageError",
    "TimeLimitError",
    "TransientError",
    "UnknownName",
    "UsageError",
    "exit_code",
]

Kind: TypeAlias = Literal["usage", "data", "transient", "fatal"]

_LONGEST_VALUE = 160  # characters of a value that are still shown in a message


class _Unset:
    """The mark of a value that was not given; None is a value."""

    def __repr__(self) -> str:
        return "<unset>"


_UNSET = _Unset()


class SkysiftError(Exception):
    """What skysift raises: one line that says what was wrong, what was got, what is allowed and what to do.

    Parameters
    ----------
    wrong
        What was wrong.
    got
        The value that was met; left out where there is none.
    allowed
        What would have been right: a text, or the values themselves.
    todo
        What to do about it.
    """

    kind: ClassVar[Kind] = "fatal"

    def __init__(
        self,
        wrong: str,
        *,
        got: object = _UNSET,
        allowed: str | Iterable[object] | None = None,
        todo: str | None = None,
    ) -> None:
        self.wrong = _one_line(wrong)
        self.got = (
            None if got is _UNSET else _shorten(_one_line(repr(got) if isinstance(got, str) else str(got)))
        )
        self.allowed = allowed_text(allowed)
        self.todo = None if todo is None else _one_line(todo)
        super().__init__(str(self))

    def __str__(self) -> str:
        parts = []
        if self.got is not None:
            parts.append(f"got {self.got}")
        if self.allowed is not None:
            parts.append(f"allowed: {self.allowed}")
        if self.todo is not None:
            parts.append(self.todo)
        return f"{self.wrong}: {'; '.join(parts)}" if parts else self.wrong

    def advising(self, todo: str) -> Self:
        """The same error with other advice, where the asker has other means than those who raised it know."""
        told = type(self)(self.wrong, allowed=self.allowed, todo=todo)
        told.got = self.got
        return told

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.__dict__.copy())


class UsageError(SkysiftError):
    """The asker can mend it."""

    kind = "usage"


class OptionError(UsageError):
    """An option does not exist, or has a value that is not allowed."""


class UnknownName(UsageError):
    """No plug-in, table, map or column has this name."""


class OutputError(UsageError):
    """A place cannot be written, or holds something already."""


class OtherRunError(OutputError):
    """A folder that keeps what another command, or another version of skysift, has begun."""


class RegionError(UsageError):
    """A region cannot be read, or lies outside the map."""


class SizeError(UsageError):
    """It is more than what is taken at once."""


class TimeLimitError(UsageError):
    """What was asked takes longer than it may."""


class CancelledError(UsageError):
    """It was stopped before its end, as somebody wished."""


class SignInError(UsageError):
    """Who asks did not say who they are, or what they said does not hold."""


class AccessError(UsageError):
    """Who asks may not do it."""


class DataError(SkysiftError):
    """The file is broken, or is not what it should be."""

    kind = "data"


class FormatError(DataError):
    """The bytes are not the format that they claim to be."""


class HeaderError(DataError):
    """The description of the data is missing or impossible."""


class TransientError(SkysiftError):
    """The same request may work later."""

    kind = "transient"


class BusyError(TransientError):
    """Somebody else holds it now."""


class StorageError(TransientError):
    """The disk is full, or gave up."""


class FatalError(SkysiftError):
    """Our fault: something that cannot be has happened."""

    kind = "fatal"


class SkysiftWarning(UserWarning):
    """Something odd was met that did not stop the work."""


_EXIT_CODES: dict[Kind, int] = {"usage": 2, "data": 2, "transient": 2, "fatal": 1}


def exit_code(kind: Kind) -> int:
    """The exit code of a command that ended by this kind of error: 2, it cannot be done; 1, our fault."""
    return _EXIT_CODES[kind]


def allowed_text(allowed: str | Iterable[object] | None) -> str | None:
    """What is allowed, as a text of a message: a text as it is, values joined by commas; None stays None."""
    if allowed is None:
        return None
    if isinstance(allowed, str):
        return _one_line(allowed)
    return _one_line(", ".join(str(value) for value in allowed)) or "nothing"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."


def _rebuild(cls: type[SkysiftError], state: dict[str, object]) -> SkysiftError:
    """The error again, after a journey through pickle; subclasses may have had another constructor."""
    error = cls.__new__(cls)
    error.__dict__.update(state)
    error.args = (str(error),)
    return error
