"""What is sent and what comes: the forms of requests and answers that several routes share."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeAlias

from fastapi import Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from skysift.archive.policy import Access, User

__all__ = [
    "PageOf",
    "PageSize",
    "Plain",
    "Problem",
    "Sharing",
    "Shown",
    "Told",
    "etag_of",
    "moment",
    "not_changed",
    "own",
    "shown_access",
]

PageSize: TypeAlias = Annotated[int, Query(ge=1, le=500, description="How many at once.")]
PageOf: TypeAlias = Annotated[str, Query(max_length=100, description="What the page before named as `next`.")]


def _one_line(text: str) -> str:
    if re.search(r"[\x00-\x1f\x7f-\x9f]", text):
        raise ValueError("control characters are not allowed")
    return text


def _lines(text: str) -> str:
    _one_line(re.sub(r"[\t\r\n]", " ", text))
    return text


Plain: TypeAlias = Annotated[str, AfterValidator(_one_line)]
"""A name or a word: one line, without control characters, which neither logs nor databases nor headers bear."""
Told: TypeAlias = Annotated[str, AfterValidator(_lines)]
"""A text of lines, without other control characters."""


class Problem(BaseModel):
    """What was wrong with a request (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    kind: Literal["usage", "data", "transient", "fatal"] | None = None
    got: str | None = None
    allowed: str | None = None
    todo: str | None = None
    request_id: str = ""


class Shown(BaseModel):
    """Whose something is, and who may see it."""

    owner: str
    visibility: Literal["public", "group", "private"]
    group: str = ""


class Sharing(BaseModel):
    """Who may see something from now on."""

    model_config = ConfigDict(extra="forbid")

    visibility: Literal["public", "group", "private"] = Field(description="All, a group, or the owner alone.")
    group: Plain = Field(default="", max_length=64, description="The group; with `group` alone.")

    def of(self, owner: str) -> Access:
        """The access of what belongs to `owner`.

        Raises
        ------
        OptionError
            A group is missing, or not wanted.
        """
        return Access(owner, self.visibility, self.group)


def shown_access(access: Access) -> Shown:
    """Whose something is, as it is sent."""
    return Shown(owner=access.owner, visibility=access.visibility, group=access.group)


def own(user: User, sharing: Sharing | None = None) -> Access:
    """The access of something new of a user: private, or as they say."""
    return Access(user.name) if sharing is None else sharing.of(user.name)


def moment(seconds: float) -> str:
    """A time as it is sent."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def etag_of(*parts: object) -> str:
    """The ETag of an answer that is made of these."""
    return f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:24]}"'


def not_changed(request: Request, etag: str) -> bool:
    """Whether the asker has it already."""
    known = request.headers.get("if-none-match", "")
    return etag in [each.strip().removeprefix("W/") for each in known.split(",")]
