"""`stokes_planes`: which planes of a FITS file are Stokes Q, U and V, told by its header."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from skysift.base.errors import UsageError
from skysift.io.cards import Hdu, Header
from skysift.io.headers import STOKES, axis_value, choose_plane
from skysift.io.open import chosen_hdu

__all__ = ["LETTERS", "StokesPlane", "is_cosmo", "refuse_untold", "stokes_planes"]

LETTERS = ("Q", "U", "V")
_AXES = 9  # looked at, for axes of one pixel that the array does without


@dataclass(frozen=True)
class StokesPlane:
    """One plane of a file that holds a Stokes parameter.

    Parameters
    ----------
    letter
        ``I``, ``Q``, ``U`` or ``V``.
    path
        The file, with its HDU where that was named.
    plane
        0-based index along the axes above the second, in array order.
    """

    letter: str
    path: str
    plane: tuple[int, ...]


def stokes_planes(path: str | os.PathLike[str], *, beside: Sequence[int] = ()) -> tuple[StokesPlane, ...]:
    """The planes of a file that are Stokes I, Q, U or V; none where its header tells of none.

    Parameters
    ----------
    path
        A FITS map, or a cube with a Stokes axis; ``map.fits[SCI]`` names an HDU.
    beside
        Plane of the searched map: along axes other than that of Stokes the same is taken where there is one.

    Raises
    ------
    UsageError
        There is no such file.
    FormatError
        It is no FITS image.
    """
    place = os.fspath(path)
    chosen = chosen_hdu(place)
    first = choose_plane(chosen, None)
    lengths = [chosen.axes[axis - 1] for axis in first.axes]
    same = len(beside) == len(lengths)
    index = [beside[i] if same and beside[i] < size else 0 for i, size in enumerate(lengths)]
    axis = _stokes_axis(chosen)
    if axis is None:
        letter = chosen.header.text("STOKES").upper()
        return (StokesPlane(letter, place, tuple(index)),) if letter in ("I", *LETTERS) else ()
    at = first.axes.index(axis) if axis in first.axes else None
    found = []
    for number in range(lengths[at] if at is not None else 1):
        value = axis_value(chosen.header, axis, number)
        letter = "" if value is None else STOKES.get(int(value) if value == int(value) else 0, "")
        if letter in ("I", *LETTERS):
            here = list(index)
            if at is not None:
                here[at] = number
            found.append(StokesPlane(letter, place, tuple(here)))
    return tuple(found)


def is_cosmo(path: str | os.PathLike[str]) -> bool:
    """Whether a file says that its U has the sign of cosmologists (HEALPix), whose angles run from north to west.

    Raises
    ------
    UsageError
        There is no such file.
    """
    header = chosen_hdu(path).header
    return any(header.text(card).upper() == "COSMO" for card in ("POLCCONV", "POLCONV"))


def refuse_untold(
    path: str | os.PathLike[str], found: Sequence[StokesPlane] = (), *, same: bool = False
) -> UsageError:
    """The error for a file whose header tells of no Stokes Q, U or V, with what it tells of.

    Parameters
    ----------
    path
        The file.
    found
        What its header tells of.
    same
        Whether it is the searched map's own, whose other planes were asked for.
    """
    place = os.fspath(path)
    if same:
        told = ", ".join(f"Stokes {each.letter}" for each in found)
        return UsageError(
            "the searched map's own file holds no planes of Stokes Q, U or V",
            got=f"{place}, {f'{told} alone' if told else 'without a STOKES axis'}",
            allowed="`same` for a cube along a STOKES axis",
            todo="name the files that hold Q, U and V instead, or mend the header of the cube",
        )
    if found:
        return UsageError(
            f"{place} holds no Stokes Q, U or V",
            got=", ".join(f"Stokes {each.letter}" for each in found),
            allowed="maps of Stokes Q, U, V, or a cube of them",
        )
    return UsageError(
        f"the header of {place} does not tell which Stokes parameter it holds",
        got="no STOKES axis of Q, U or V",
        allowed="maps of Stokes Q, U, V",
        todo="name it: Q=PATH, U=PATH or V=PATH",
    )


def _stokes_axis(hdu: Hdu) -> int | None:
    """FITS number of the Stokes axis, which may be one that the array does without."""
    header: Header = hdu.header
    for axis in range(1, max(len(hdu.axes), _AXES) + 1):
        if header.text(f"CTYPE{axis}").upper().startswith("STOKES"):
            return axis
    return None
