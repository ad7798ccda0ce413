"""`Section`: a part of the page of a run that is there where the run measured more than the map itself."""

from __future__ import annotations

from dataclasses import dataclass

from skysift.flow.figures import Picture
from skysift.flow.gallery import Exhibit
from skysift.flow.rows import Listing

__all__ = ["Section"]


@dataclass(frozen=True)
class Section:
    """A heading with numbers, pictures and tables.

    Parameters
    ----------
    anchor, title, lead
        The address in the page, the heading, and a sentence below it.
    numbers
        Value and what it is.
    charts
        Pictures, two in a row.
    listings
        Heading of a table, and the table.
    exhibits
        Single sources, below all else.
    """

    anchor: str
    title: str
    lead: str
    numbers: tuple[tuple[str, str], ...] = ()
    charts: tuple[Picture, ...] = ()
    listings: tuple[tuple[str, Listing], ...] = ()
    exhibits: tuple[Exhibit, ...] = ()
