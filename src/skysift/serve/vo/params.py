"""`Params`: what a request of the Virtual Observatory asks, by GET and by POST alike; names have no case.

Values are read by the rules of DALI: intervals are two numbers, open ends are ``-Inf`` and ``+Inf``.
"""

from __future__ import annotations

import io
import math
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, TypeAlias

from fastapi import Depends, Request
from starlette.datastructures import UploadFile

from skysift.base.errors import OptionError, RegionError, UsageError
from skysift.jobs.cutting import interval
from skysift.jobs.querying import whole_number
from skysift.stamps.region import Shape, parse_shape, system_of

__all__ = ["BODY", "MAXREC", "Asking", "Params", "params_of"]

MAXREC = 10_000_000
"""Rows that go out at most."""
BODY = "body"
"""The name of a body that is no form but JSON."""
_MOST_FILES = 16
_MOST_FIELDS = 1000
_LONGEST_FIELD = 4 << 20  # bytes of one parameter that comes in a form of parts


@dataclass(frozen=True)
class Params:
    """The parameters of a request.

    Parameters
    ----------
    values
        By the name in capital letters: what was given, in order.
    files
        Files that came with the request, by the name of their part.
    bare
        Names that were given without a value.
    """

    values: Mapping[str, tuple[str, ...]]
    files: Mapping[str, UploadFile] = field(default_factory=dict)
    bare: frozenset[str] = frozenset()

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]], files: Mapping[str, UploadFile] | None = None) -> Params:
        """The parameters that names and values are; empty values count as not given."""
        held: dict[str, list[str]] = {}
        bare = set()
        for name, value in pairs:
            if value.strip():
                held.setdefault(name.upper(), []).append(value.strip())
            else:
                bare.add(name.upper())
        return cls({name: tuple(values) for name, values in held.items()}, files or {}, frozenset(bare))

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def all(self, name: str) -> tuple[str, ...]:
        """All values of a parameter."""
        return self.values.get(name, ())

    def one(self, name: str, default: str = "") -> str:
        """The one value of a parameter.

        Raises
        ------
        UsageError
            There are several.
        """
        found = dict.fromkeys(self.all(name))
        if len(found) > 1:
            raise UsageError(f"{name} is given more than once", got=", ".join(found), allowed="one value")
        return next(iter(found), default)

    def needed(self, name: str) -> str:
        """The one value of a parameter that has to be there.

        Raises
        ------
        UsageError
            It is not there, or several times.
        """
        value = self.one(name)
        if not value:
            raise UsageError(f"the parameter {name} is missing")
        return value

    def number(self, name: str, *, low: float = -math.inf, high: float = math.inf) -> float:
        """The number that a parameter is, which has to be there.

        Raises
        ------
        OptionError
            It is none, or not within its bounds.
        """
        return _number(name, self.needed(name), low, high)

    def maxrec(self, usual: int = MAXREC) -> int:
        """How many rows may go out: MAXREC, as far as the service lets it.

        Raises
        ------
        OptionError
            It is not a whole number from 0.
        """
        text = self.one("MAXREC")
        return whole_number("MAXREC", text, most=MAXREC) if text else usual

    def intervals(self, name: str) -> list[tuple[float, float]]:
        """The intervals that the values of a parameter are."""
        return [interval(name, text) for text in self.all(name)]

    def system(self) -> str:
        """The system of regions: POSSYS, ICRS where nothing is said.

        Raises
        ------
        RegionError
            There is no such system.
        """
        name = self.one("POSSYS", "ICRS").upper()
        system_of(name)
        return name

    def shapes(self, *, several: bool = True) -> list[Shape]:
        """The regions that POS, CIRCLE, POLYGON and RANGE are.

        Raises
        ------
        RegionError
            One of them is not a region, or there is more than one where only one is taken.
        """
        found = [parse_shape(text) for text in self.regions()]
        if len(found) > 1 and not several:
            raise RegionError("only one region is taken at a time", got=f"{len(found)} regions")
        return found

    def regions(self) -> list[str]:
        """The regions that POS, CIRCLE, POLYGON and RANGE are, as texts with their kind before them."""
        named = [f"{kind} {text}" for kind in ("CIRCLE", "POLYGON", "RANGE") for text in self.all(kind)]
        return [*self.all("POS"), *named]

    def flat(self) -> list[tuple[str, str]]:
        """Names and values, one after the other."""
        return [(name, value) for name, values in self.values.items() for value in values]


def _number(name: str, text: str, low: float, high: float) -> float:
    try:
        value = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        bounds = f" from {low:g} to {high:g}" if math.isfinite(low) or math.isfinite(high) else ""
        raise OptionError(f"{name} is not allowed", got=text, allowed=f"a number{bounds}")
    return value


async def params_of(request: Request) -> AsyncIterator[Params]:
    """The parameters of a request, from its address and its form; files are closed when it is answered.

    Raises
    ------
    UsageError
        The form cannot be read.
    """
    pairs = list(request.query_params.multi_items())
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST" and kind == "application/json":
        yield Params.of(pairs, {BODY: UploadFile(io.BytesIO(await request.body()))})
        return
    if request.method not in ("POST", "PUT") or kind not in (
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ):
        yield Params.of(pairs)
        return
    async with request.form(
        max_files=_MOST_FILES, max_fields=_MOST_FIELDS, max_part_size=_LONGEST_FIELD
    ) as form:
        files: dict[str, UploadFile] = {}
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                files[name] = value
            else:
                pairs.append((name, value))
        yield Params.of(pairs, files)


Asking: TypeAlias = Annotated[Params, Depends(params_of)]
