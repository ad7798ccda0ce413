"""All planes of a cube along its spectral axis, each an image of its own with its beam and its frequency."""

from __future__ import annotations

import os
from dataclasses import replace

from skysift.base.errors import HeaderError, SkysiftError
from skysift.io.cards import Hdu
from skysift.io.headers import Plane, choose_plane
from skysift.io.open import chosen_hdu, open_image
from skysift.sky.beam import Beam
from skysift.sky.box import Box
from skysift.sky.image import SkyImage

__all__ = ["has_data", "open_planes"]

_SPECTRAL = ("FREQ", "VRAD", "VELO", "VOPT", "FELO", "WAVE", "AWAV")
_ROWS = 256  # read at once where only a look at the pixels is wanted
_PIXELS = 4.0  # width of the beam that a plane without one is looked at with


def open_planes(path: str | os.PathLike[str]) -> tuple[tuple[SkyImage, ...], tuple[str, ...]]:
    """The planes of a FITS cube along its spectral axis that hold data, and notes on those that do not.

    A map without a spectral axis is one plane. Along a Stokes axis the first plane is taken. Planes that are
    blank or zero throughout are left out, whatever their beam.

    Parameters
    ----------
    path
        The file; ``cube.fits[SCI]`` names an HDU.

    Raises
    ------
    HeaderError
        The cube has a long axis that is not spectral, or there are data and no plane has a beam.
    UsageError, FormatError
        As for `skysift.io.open.open_image`.
    """
    hdu = chosen_hdu(path)
    plane = choose_plane(hdu, None)
    number = _spectral_axis(hdu, plane)
    if number is None:
        image = open_image(path)
        return ((image,), ()) if has_data(image) else ((), (f"{image.name} holds no data: it is left out",))
    found: list[SkyImage] = []
    empty: list[int] = []
    refused: dict[int, HeaderError] = {}
    for k in range(hdu.axes[plane.axes[number] - 1]):
        index = tuple(k if i == number else chosen for i, chosen in enumerate(plane.index))
        try:
            image = open_image(path, plane=index)
        except HeaderError as error:
            if _looked_at(path, index):
                refused[k] = error
            else:
                empty.append(k)
            continue
        if has_data(image):
            found.append(replace(image, name=f"{image.name}, plane {k}"))
        else:
            empty.append(k)
    if refused and not found:
        raise _of_plane(*next(iter(refused.items())))
    name = found[0].name.rsplit(", plane", 1)[0] if found else os.fspath(path)
    notes = [f"{name} has no data in {_listed(empty)}: left out"] * bool(empty)
    notes += [f"{name} has no beam in {_listed(list(refused))}: left out"] * bool(refused)
    return tuple(found), tuple(notes)


def has_data(image: SkyImage) -> bool:
    """Whether a map has a pixel that is neither blank nor zero."""
    for y in range(0, image.shape[0], _ROWS):
        band = image.pixels.read(Box(y, min(y + _ROWS, image.shape[0]), 0, image.shape[1]))
        if ((band == band) & (band != 0.0)).any():
            return True
    return False


def _spectral_axis(hdu: Hdu, plane: Plane) -> int | None:
    """Place of the spectral axis among those beyond the sky axes; None where there is no long axis."""
    axes = hdu.axes
    kinds = [hdu.header.text(f"CTYPE{axis}").upper() for axis in plane.axes]
    for i, kind in enumerate(kinds):
        if kind.startswith(_SPECTRAL):
            return i if axes[plane.axes[i] - 1] > 1 else None
    long = [
        i for i, axis in enumerate(plane.axes) if axes[axis - 1] > 1 and not kinds[i].startswith("STOKES")
    ]
    if long:
        raise HeaderError(
            "the cube has no spectral axis",
            got=f"CTYPE{plane.axes[long[0]]} = '{kinds[long[0]]}'",
            allowed=_SPECTRAL,
            todo="name the axis in the header, or give the channels as maps",
        )
    return None


def _looked_at(path: str | os.PathLike[str], index: tuple[int, ...]) -> bool:
    """Whether a plane that cannot be opened as it is holds data."""
    try:
        scale = open_image(path, plane=index, beam=Beam(1.0, 1.0), unit="Jy/beam").frame.scale
        width = _PIXELS * max(scale)
        return has_data(open_image(path, plane=index, beam=Beam(width, width), unit="Jy/beam"))
    except SkysiftError:
        return True  # something else is wrong too: the first complaint is told


def _of_plane(k: int, error: HeaderError) -> HeaderError:
    told = HeaderError(
        f"plane {k}: {error.wrong}",
        allowed=error.allowed,
        todo="write the beam of each plane into the header",
    )
    told.got = error.got
    return told


def _listed(numbers: list[int]) -> str:
    """Numbers as a person writes them: planes 3, 7-12."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    parts = [str(low) if low == high else f"{low}-{high}" for low, high in runs]
    return f"plane {parts[0]}" if len(numbers) == 1 else f"planes {', '.join(parts)}"
