"""Cutouts and merged maps as answers: sent while they are read, and of what can be sent at once."""

from __future__ import annotations

from fastapi.responses import Response, StreamingResponse

from skysift.archive.holdings import Entry
from skysift.base.errors import SizeError
from skysift.jobs.cutting import Part, cut_part, file_name
from skysift.stamps.cutout import Cut

__all__ = ["check_size", "cut_answer", "part_answer"]

LARGEST = 4 * 2**30  # bytes that are sent at once


def part_answer(entry: Entry, part: Part) -> Response:
    """A part of a map; no content where the map holds nothing of it.

    Raises
    ------
    SkysiftError
        The map cannot be cut, or the part is too large.
    """
    return cut_answer(cut_part(entry, part), file_name(entry))


def cut_answer(made: Cut, name: str) -> Response:
    """What was cut or merged, as a FITS file of this name; no content where it is empty.

    Raises
    ------
    SizeError
        It is too large.
    """
    if made.empty:
        return Response(status_code=204)
    check_size(made)
    return StreamingResponse(
        made.blocks(),
        media_type="application/fits",
        headers={
            "Content-Length": str(made.size),
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Overlap": made.overlap,
        },
    )


def check_size(made: Cut) -> None:
    """Refuse what is too large to be sent at once.

    Raises
    ------
    SizeError
        It is.
    """
    if made.size > LARGEST:
        raise SizeError(
            "the cutout is too large to be sent at once",
            got=f"{made.size} bytes",
            allowed=f"{LARGEST} bytes",
            todo="ask for a smaller part, or by a job: /soda/async",
        )
