"""What is to be known of one band of a stamp before its numbers are used: bits, each told once."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["QUALITY", "Quality", "names_of", "quality"]


class Quality(NamedTuple):
    """A bit: its value, its name and what it means."""

    value: int
    name: str
    doc: str


QUALITY = (
    Quality(1, "none", "no image of the survey covers the source: the band is blank"),
    Quality(2, "partial", "the stamp reaches beyond the image"),
    Quality(4, "blank", "pixels of the stamp are blank"),
    Quality(
        8, "no_beam", "the beam is not known: the band is not convolved, and not converted from or to Jy/beam"
    ),
    Quality(16, "unit", "the unit cannot be converted: the band keeps it"),
    Quality(32, "no_background", "too much is blank to measure the background: none was taken off"),
    Quality(
        64, "wide_beam", "the image's own beam does not fit into the wanted one: the band is not convolved"
    ),
    Quality(128, "failed", "the image could not be read: the band is blank"),
    Quality(256, "masked", "neighbours are masked"),
    Quality(512, "mosaic", "the band is the mean of several images"),
)
_BY_NAME = {each.name: each.value for each in QUALITY}


def quality(name: str) -> int:
    """The bit of a name."""
    return _BY_NAME[name]


def names_of(bits: int) -> str:
    """The names of the bits that are set, joined by ``+``."""
    return "+".join(each.name for each in QUALITY if bits & each.value)
