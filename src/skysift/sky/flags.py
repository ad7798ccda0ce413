"""Every quality bit, once: its name, its value and what it means.

The column `flags` of each table is the sum of the bits that are set; 0 says that nothing odd was met. A bit
keeps its value and its name for ever; a bit that is no longer set by anything keeps its place.

>>> describe(flag("edge") | flag("moments"))
['edge', 'moments']
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UnknownName

__all__ = ["FLAGS", "REMARKS", "Flag", "FlagArray", "describe", "doubtful", "flag", "has"]

FlagArray: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Flag:
    """One quality bit: its name, its place (bit 0 has the value 1) and its meaning."""

    name: str
    bit: int
    meaning: str

    @property
    def value(self) -> int:
        """The number that the bit adds to the column `flags`."""
        return 1 << self.bit


FLAGS: tuple[Flag, ...] = (
    Flag("edge", 0, "The island touches the border of the map: part of the source may lie outside."),
    Flag("blank", 1, "The island touches blank pixels: part of the source may be hidden."),
    Flag(
        "region_cut", 2, "The island reaches the border of the region that was asked for and was cut there."
    ),
    Flag("fit_failed", 3, "A fit with free shape did not converge; the values come from a simpler estimate."),
    Flag("beam_shaped", 4, "The Gaussian was fitted with its shape held at that of the beam."),
    Flag("moments", 5, "No fit converged; the values come from moments and sums over the island's pixels."),
    Flag(
        "spike",
        6,
        "The island is much smaller than a point source of its brightness: a hot pixel or an artefact.",
    ),
    Flag(
        "budget",
        7,
        "The island has more structure than its budget of Gaussians; some is left in the residual.",
    ),
    Flag(
        "giant",
        8,
        "The island is too large to be fitted whole; it was measured at reduced resolution and by segments.",
    ),
    Flag("no_wcs", 9, "The map has no usable sky coordinates; positions are in pixels only."),
    Flag(
        "undersampled",
        10,
        "The beam is narrower than two pixels; sizes and fluxes depend on how the beam falls on the pixels.",
    ),
    Flag(
        "negative",
        11,
        "The island is negative; it was found in the inverted map and its fluxes are below zero.",
    ),
    Flag("unreliable_deconv", 12, "The deconvolved size is smaller than what the errors allow to measure."),
    Flag("reseeded", 13, "The component was found in the residual of its island, not as a peak of the map."),
    Flag("poor_fit", 14, "The residual of the island is well above the noise."),
    Flag("off_island", 15, "The centre of the component lies outside of its island."),
    Flag("no_errors", 16, "The errors could not be computed and are NaN."),
    Flag("off_sky", 17, "The position lies outside of the map's projection and has no sky coordinates."),
    Flag("outside_map", 18, "The place lies outside of the map; nothing was measured."),
    Flag("no_data", 19, "Too few pixels around the place hold data; nothing was measured."),
    Flag(
        "coincident",
        20,
        "Another place lies so near that the two were measured as one; each has all its flux.",
    ),
    Flag(
        "blended", 21, "Neighbours at least double the error of the flux, which is hard to tell from theirs."
    ),
    Flag("held", 22, "Too faint for a free position or shape: both were held as they were given."),
    Flag(
        "uv_mismatch",
        23,
        "The maps behind the spectral index see structures of this size differently; the index is not to be trusted.",
    ),
    Flag(
        "leakage",
        24,
        "Stokes V or linear polarisation is above the noise, but not above what may have leaked from Stokes I.",
    ),
    Flag(
        "nominal_beam",
        25,
        "The map of beams tells nothing of this place; the nominal beam of the map was taken.",
    ),
    Flag(
        "beyond_scale",
        26,
        "The source is larger than the array can recover; its flux is a lower limit.",
    ),
    Flag(
        "over_polarised",
        27,
        "More polarised flux than flux in all: Stokes I is too faint for a fraction, or lacks what it should hold.",
    ),
    Flag(
        "negative_bowl",
        28,
        "The surroundings are far below zero, as where short spacings are missing; the flux is a lower limit.",
    ),
)

REMARKS = ("reseeded", "no_wcs", "undersampled", "held", "uv_mismatch", "leakage", "over_polarised")
"""Flags that say how a row came about, or tell of the whole map or of the spectrum, not that the row is wrong."""

_BY_NAME = {each.name: each for each in FLAGS}


def flag(name: str) -> int:
    """The value of the bit with this name.

    Raises
    ------
    UnknownName
        No bit has this name.
    """
    if name not in _BY_NAME:
        raise UnknownName("no such flag", got=name, allowed=_BY_NAME)
    return _BY_NAME[name].value


def describe(value: int) -> list[str]:
    """The names of the bits that are set in a value of the column `flags`, lowest bit first.

    Bits without a name are given as ``bit N``, so that nothing is hidden in tables of a later version.
    """
    value = int(value)
    if value < 0:
        return ["every bit"]
    known = {each.bit: each.name for each in FLAGS}
    return [known.get(bit, f"bit {bit}") for bit in range(value.bit_length()) if value >> bit & 1]


def has(flags: FlagArray, name: str) -> NDArray[np.bool_]:
    """Where the bit with this name is set in an array of flags.

    Raises
    ------
    UnknownName
        No bit has this name.
    """
    return np.not_equal(np.bitwise_and(flags, flag(name)), 0)


def doubtful(flags: FlagArray) -> NDArray[np.bool_]:
    """Where a flag is set that says more than a remark."""
    return np.not_equal(np.bitwise_and(flags, ~sum(flag(name) for name in REMARKS)), 0)
