"""`read_psf`: the beam over a map, from a cube of its axes and angle or from a table of places and beams."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import FormatError, UsageError
from skysift.base.provenance import InputRecord
from skysift.base.store import checksum, is_url, local_copy, name_of
from skysift.io.cards import Hdu, read_hdus
from skysift.io.headers import DEGREES
from skysift.io.layouts.containers import Foreign, load
from skysift.io.open import open_image
from skysift.sky.beam import Beam
from skysift.sky.beams import BeamGrid, BeamMap, BeamTable

__all__ = ["read_psf"]

Floats: TypeAlias = NDArray[np.float64]

_NAMES = {
    "ra": ("ra", "ra_deg", "raj2000", "ra_j2000", "_raj2000", "field_ra"),
    "dec": ("dec", "dec_deg", "dej2000", "decj2000", "dec_j2000", "_dej2000", "field_dec"),
    "bmaj": ("bmaj", "beam_major", "beam_maj", "psf_major", "psf_maj", "psf_a", "major", "maj"),
    "bmin": ("bmin", "beam_minor", "beam_min", "psf_minor", "psf_min", "psf_b", "minor", "min"),
    "bpa": ("bpa", "beam_pa", "psf_pa", "pa"),
}
_WANTED = "columns ra, dec, bmaj, bmin, bpa (degrees where they have no unit)"


def read_psf(path: str | os.PathLike[str]) -> tuple[BeamMap, InputRecord]:
    """The beam at each place, and what it was read from; told by content.

    A FITS image has three planes along its third axis: major and minor axis (FWHM) and position angle, in degrees,
    as Aegean's maps of the point-spread function; further planes are left alone, blank pixels are places where the
    beam is not known. A table (FITS, VOTable, Parquet, CSV, text) has a row for each place: ``ra, dec, bmaj, bmin,
    bpa``.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    UsageError
        There is no such file.
    FormatError
        It holds neither such planes nor such a table, or no beam.
    """
    name = os.fspath(path)
    if not is_url(name) and not Path(name).is_file():
        raise UsageError("no such file of beams", got=name, allowed="a FITS cube, or a table")
    image = _image_of(name)
    beams = _grid(name, image) if image is not None else _table(name)
    digest, size = checksum(name)
    return beams, InputRecord(name_of(name), digest, None if image is None else image.index, (), size)


def _image_of(name: str) -> Hdu | None:
    """The first image of a FITS file; None for everything else."""
    with Path(local_copy(name)).open("rb") as file:
        if file.read(9) != b"SIMPLE  =":
            return None
    return next((hdu for hdu in read_hdus(name) if hdu.has_image), None)


def _grid(name: str, hdu: Hdu) -> BeamGrid:
    """The beams of a cube.

    Raises
    ------
    FormatError
        It is no cube of three planes on the sky, or holds no beam.
    """
    axes = hdu.axes
    if len(axes) < 3 or axes[2] < 3 or any(n > 1 for n in axes[3:]):
        raise FormatError(
            f"{name} is no map of beams",
            got=f"an image of {' x '.join(map(str, axes))}",
            allowed="three planes along the third axis: major and minor axis and angle, in degrees",
        )
    zeros = (0,) * (len(axes) - 3)
    # such a map has neither beam nor unit, which others must have; what is given here is not used
    planes = [
        open_image(
            name, hdu=hdu.index, plane=(*zeros, k), beam=Beam(1.0, 1.0), unit="Jy/beam", pixel_scale=1.0
        )
        for k in range(3)
    ]
    if not planes[0].frame.celestial:
        raise FormatError(f"{name} has no place on the sky", todo="a map of beams needs its WCS")
    factor = DEGREES.get(hdu.header.text("BUNIT").strip().upper(), 1.0)
    major, minor, pa = (each.pixels for each in planes)
    return BeamGrid(planes[0].frame, major, minor, pa, 3600.0 * factor)


def _table(name: str) -> BeamTable:
    """The beams of a table.

    Raises
    ------
    FormatError
        It lacks a column, one holds texts, or no row has a beam.
    """
    found = load(Path(local_copy(name)))
    ra, dec, major, minor, pa = (_numbers(found, name, wanted) for wanted in _NAMES)
    if not len(found):
        raise FormatError(f"{name} holds no beam", got="a table without rows", allowed="one row or more")
    whole = np.isfinite(ra) & np.isfinite(dec) & np.isfinite(major) & np.isfinite(minor) & np.isfinite(pa)
    bad = np.flatnonzero(whole & ~((major > 0.0) & (minor > 0.0) & (np.abs(dec) <= 90.0)))
    if bad.size:
        row = int(bad[0])
        raise FormatError(
            f"{name} holds what is no beam",
            got=f"row {row + 1}: dec {dec[row]:g}, bmaj {major[row]:g}, bmin {minor[row]:g}",
            allowed="axes above 0, declinations from -90 to 90",
        )
    if not whole.any():
        raise FormatError(f"{name} holds no beam", got="blank rows only", allowed=_WANTED)
    rows = np.flatnonzero(whole).tolist()
    beams = tuple(Beam(float(major[row]), float(minor[row]), float(pa[row])) for row in rows)
    return BeamTable(tuple(ra[whole].tolist()), tuple(dec[whole].tolist()), beams)


def _numbers(found: Foreign, name: str, wanted: str) -> Floats:
    """A column by one of its usual names: angles of places in degrees, axes of beams in arcsec."""
    known = {each.lower(): each for each in found.columns}
    column = next((known[each] for each in _NAMES[wanted] if each in known), None)
    if column is None:
        raise FormatError(
            f"{name} has no column {wanted}", got=", ".join(list(found.columns)[:8]) or "no columns",
            allowed=_WANTED,
        )  # fmt: skip
    values = found.numbers(column)
    unit = (found.columns[column].unit or "").strip()
    degrees = DEGREES.get(unit.upper())
    if degrees is None:
        raise FormatError(
            f"{name}: the column {column} is no angle", got=unit, allowed=("deg", "arcmin", "arcsec", "rad")
        )
    return values * degrees * (3600.0 if wanted in ("bmaj", "bmin") else 1.0)
