"""`open`: a path in, a map or a catalogue out, told by content; pixels stay on disk until they are read."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from pathlib import Path

from skysift.base.errors import FormatError, HeaderError, OptionError, UsageError
from skysift.base.store import is_url, name_of, place_of
from skysift.io.beams import map_beam
from skysift.io.cards import Hdu, read_hdus
from skysift.io.fits import CompressedSource, FitsSource
from skysift.io.headers import Plane, choose_plane, map_frame, map_frequency, unread_notes
from skysift.sky.beam import Beam
from skysift.sky.catalogue import Catalogue
from skysift.sky.frame import BeamPlane, Frame
from skysift.sky.image import Origin, PixelSource, SkyImage, sampling_notes
from skysift.sky.units import frequency_text, jansky_per_beam, radio_frequency

__all__ = ["check_length", "chosen_hdu", "file_of", "open", "open_image", "plane_source"]

_OTHER_BEAM = 1.2  # times as wide or as narrow: fluxes change by its square
_OTHER_FREQUENCY = 0.003  # relative; what is closer is the same
_FITS_SUFFIXES = (".fits", ".fit", ".fts", ".fz")


def open_image(
    path: str | os.PathLike[str],
    *,
    hdu: int | str | None = None,
    plane: int | Sequence[int] | None = None,
    beam: Beam | float | tuple[float, float, float] | None = None,
    unit: str | None = None,
    frequency: float | None = None,
    beam_plane: BeamPlane | None = None,
    pixel_scale: float | tuple[float, float] | None = None,
) -> SkyImage:
    """The image of a FITS map; only headers are read.

    Parameters
    ----------
    path
        The file, or its URL (http, https, s3); ``map.fits[SCI]`` and ``map.fits[1]`` name an HDU.
    hdu
        Number or name of the HDU; the first image with data by default.
    plane
        Which plane of a map with more than two axes: one number for the only long axis, or one for each
        axis above the second in array order, 0-based; the first by default.
    beam
        The beam, instead of the header's: a `Beam`, (major, minor, pa) in arcsec and degrees, or one FWHM.
    unit
        The unit of the pixels, instead of the header's.
    frequency
        Of the observation (Hz), instead of the header's.
    beam_plane
        ``image``: the beam is one ellipse of pixels all over the map; ``sky``: one ellipse on the sky. By
        default ``image`` for SIN, TAN and NCP.
    pixel_scale
        Size of a pixel (arcsec), one number or (sy, sx), for a map whose header has none.

    Raises
    ------
    UsageError
        There is no such file, HDU or plane, or it may not be read.
    FormatError
        The file is not FITS, is truncated, or holds no image.
    HeaderError
        The header has no beam, no size of a pixel, or a unit that cannot be converted.
    TransientError
        The server of a URL does not answer.
    """
    name, inside = _split(os.fspath(path))
    if inside is not None and hdu is not None:
        raise UsageError("the HDU is named twice", got=f"{path} and hdu={hdu!r}", allowed="one of the two")
    hdus = read_hdus(name)
    chosen, notes = _choose_hdu(hdus, inside if hdu is None else hdu, name)
    where = choose_plane(chosen, plane)
    check_length(chosen, name)
    frame, frame_notes = map_frame(chosen.header, where, beam_plane=beam_plane, pixel_scale=pixel_scale)
    seen, beam_notes = _beam(beam, hdus, chosen, where, frame, name)
    seen_frequency, frequency_notes = _frequency(frequency, chosen, where)
    conversion = jansky_per_beam(
        unit or chosen.header.text("BUNIT"), beam=seen, pixel_area=frame.pixel_area, frequency=seen_frequency
    )
    said = () if unit is None else (f"the unit was given: {unit}",)
    if beam_plane is not None:
        said = (*said, f"where the beam keeps its shape was given: {beam_plane}")
    place = place_of(name)  # the pixels may be read while the program is in another folder
    more_notes = (*beam_notes, *frequency_notes, *said, *conversion.notes, *sampling_notes(frame, seen))
    return SkyImage(
        plane_source(chosen, where, place),
        frame,
        seen,
        "Jy/beam",
        seen_frequency,
        _stem(name),
        (*notes, *where.notes, *unread_notes(chosen.header), *frame_notes, *more_notes),
        Origin(place, chosen.index, where.index),
        conversion.factor,
        per_beam=conversion.per_beam,
    )


def open(
    path: str | os.PathLike[str],
    *,
    hdu: int | str | None = None,
    plane: int | Sequence[int] | None = None,
    beam: Beam | float | tuple[float, float, float] | None = None,
    unit: str | None = None,
    frequency: float | None = None,
    beam_plane: BeamPlane | None = None,
    pixel_scale: float | tuple[float, float] | None = None,
) -> SkyImage | Catalogue:
    """The image or the catalogue that a file holds, told by its content.

    A FITS file with an image is a map. A table of skysift (FITS, VOTable, Parquet, CSV) or an output
    folder of ``skysift find`` is a catalogue.

    Parameters
    ----------
    path
        The file or folder; ``map.fits[SCI]`` names an HDU.
    hdu, plane, beam, unit, frequency, beam_plane, pixel_scale
        What to say about a map; see `open_image`.

    Raises
    ------
    UsageError
        There is no such file, or it may not be read.
    FormatError
        It holds neither a map nor a table of skysift.
    HeaderError
        The header of the map does not tell what is needed.
    """
    as_it_is = all(said is None for said in (hdu, plane, beam, unit, frequency, beam_plane, pixel_scale))
    if as_it_is and not is_url(os.fspath(path)):
        catalogue = _catalogue(Path(path))
        if catalogue is not None:
            return catalogue
    return open_image(
        path,
        hdu=hdu,
        plane=plane,
        beam=beam,
        unit=unit,
        frequency=frequency,
        beam_plane=beam_plane,
        pixel_scale=pixel_scale,
    )


def _catalogue(path: Path) -> Catalogue | None:
    """The catalogue in a file or folder; None where it is to be read as a map, or to be refused as one."""
    is_fits = False
    if not path.is_dir():
        if not path.is_file() or path.stat().st_size == 0:
            return None
        with path.open("rb") as file:
            is_fits = file.read(9) == b"SIMPLE  ="
        if is_fits:
            hdus = read_hdus(str(path))
            if any(hdu.has_image for hdu in hdus) or not any(hdu.kind == "table" for hdu in hdus):
                return None
        elif path.suffix.lower() in _FITS_SUFFIXES:
            return None
    from skysift.io.tables import is_table, read_catalogue  # heavy: maps do without tables and their formats

    return read_catalogue(path) if path.is_dir() or is_fits or is_table(path) else None


def chosen_hdu(path: str | os.PathLike[str], hdu: int | str | None = None) -> Hdu:
    """The HDU that is opened for a path: `hdu`, the one that ``map.fits[SCI]`` names, or the first image with data.

    Raises
    ------
    UsageError
        There is no such file or HDU.
    FormatError
        The file is not FITS, or holds no image.
    """
    name, inside = _split(os.fspath(path))
    return _choose_hdu(read_hdus(name), inside if hdu is None else hdu, name)[0]


def file_of(path: str | os.PathLike[str]) -> str:
    """The file of ``map.fits[SCI]``, without the HDU."""
    return _split(os.fspath(path))[0]


def _split(path: str) -> tuple[str, int | str | None]:
    """The file and the HDU of ``map.fits[SCI]``; a file with brackets in its own name is taken as it is."""
    match = re.fullmatch(r"(.+)\[([^\[\]]+)\]", path, flags=re.DOTALL)
    if match is None or (not is_url(path) and Path(path).exists()):
        return path, None
    inside = match.group(2).strip()
    return match.group(1), int(inside) if re.fullmatch(r"\d+", inside) else inside


def _choose_hdu(hdus: Sequence[Hdu], asked: int | str | None, path: str) -> tuple[Hdu, tuple[str, ...]]:
    """The HDU to take; without a wish the first image with data."""
    listed = "; ".join(str(hdu) for hdu in hdus)
    images = [hdu for hdu in hdus if hdu.has_image]
    if asked is not None:
        found = _named(hdus, asked)
        if found is None:
            raise UsageError("the file has no such HDU", got=asked, allowed=listed)
        if not found.has_image:
            raise UsageError(
                "the HDU holds no image",
                got=str(found),
                allowed="; ".join(str(hdu) for hdu in images) or "none of this file does",
            )
        return found, ()
    if not images:
        if any(hdu.kind == "table" for hdu in hdus):
            raise FormatError(
                "the file holds tables and no map",
                got=f"{path}: {listed}",
                todo="give a FITS image; tables of skysift are read by skysift convert",
            )
        raise FormatError(
            "the file holds no image", got=f"{path}: {listed}", allowed="an HDU of two axes or more with data"
        )
    if len(images) == 1:
        return images[0], ()
    others = ", ".join(str(hdu) for hdu in images[1:6])
    note = (
        f"the file holds {len(images)} images: {images[0]} is taken; others: {others} (FILE[N] takes another)"
    )
    return images[0], (note,)


def _named(hdus: Sequence[Hdu], asked: int | str) -> Hdu | None:
    """The HDU of a number, a name, or a name and version (``SCI,2``)."""
    if isinstance(asked, int):
        return hdus[asked] if 0 <= asked < len(hdus) else None
    name, _, version = (part.strip() for part in asked.upper().partition(","))
    same = [hdu for hdu in hdus if hdu.name.upper() == name and version in ("", str(hdu.version))]
    return same[0] if same else None


def check_length(hdu: Hdu, path: str) -> None:
    """Refuse a file that ends before the pixels of the HDU do.

    Raises
    ------
    FormatError
        It is truncated.
    """
    if hdu.truncated:
        raise FormatError(
            "the file is truncated",
            got=f"{path} ({hdu.file_size} bytes)",
            allowed=f"{hdu.start + hdu.size} bytes or more, as its header says",
            todo="fetch it again",
        )


def _beam(
    given: Beam | float | tuple[float, float, float] | None,
    hdus: Sequence[Hdu],
    hdu: Hdu,
    where: Plane,
    frame: Frame,
    path: str,
) -> tuple[Beam, tuple[str, ...]]:
    """The beam that was given, or the header's."""
    if given is None:
        return map_beam(hdus, hdu, where, frame, path)
    beam = Beam.of(given)
    if beam.minor <= 0:
        raise OptionError(
            "a beam needs two axes above zero", got=given, allowed="MAJ,MIN,PA in arcsec, arcsec and degrees"
        )
    return beam, (f"the beam was given: {beam}", *_other_beam(beam, hdus, hdu, where, frame, path))


def _other_beam(
    given: Beam, hdus: Sequence[Hdu], hdu: Hdu, where: Plane, frame: Frame, path: str
) -> tuple[str, ...]:
    """A warning where the header has a beam of clearly another size than the given one."""
    try:
        own, _ = map_beam(hdus, hdu, where, frame, path)
    except HeaderError:  # it has none that could be used: that is why one was given
        return ()
    factor = math.sqrt(given.area / own.area)
    if max(factor, 1.0 / factor) < _OTHER_BEAM:
        return ()
    return (f"the header has a beam of {own}: the one that is used is {factor:.3g} times as wide",)


def _frequency(given: float | None, hdu: Hdu, where: Plane) -> tuple[float, tuple[str, ...]]:
    """The frequency that was given, or the header's; a warning where both are there and differ."""
    own, notes = map_frequency(hdu.header, where)
    if given is None:
        return own, notes
    frequency = radio_frequency(given)
    said: tuple[str, ...] = (f"the frequency was given: {frequency_text(given, 9)}",)
    if math.isfinite(own) and abs(frequency / own - 1.0) > _OTHER_FREQUENCY:
        used = frequency_text(frequency)
        said = (*said, f"the header has a frequency of {frequency_text(own)}: {used} is used in its place")
    return frequency, said


def plane_source(hdu: Hdu, where: Plane, path: str) -> PixelSource:
    """The stored pixels of one plane of an HDU, scaled as its header says, in its own unit.

    Raises
    ------
    HeaderError
        The scale of the pixels cannot be read or cannot be right.
    """
    header = hdu.header
    if hdu.kind == "compressed":
        return CompressedSource(path, hdu.index, where.shape, where.index, int(header.number("ZTILE2") or 1))
    bscale, bzero = header.number("BSCALE"), header.number("BZERO")
    blank = header.number("BLANK") if hdu.bitpix > 0 else None
    unread = [card.strip() for card in header.unread if card.startswith(("BSCALE", "BZERO", "BLANK"))]
    if unread:
        raise HeaderError(
            "the scale of the pixels cannot be read", got="; ".join(unread), todo="mend the card"
        )
    for key, value in (("BSCALE", bscale), ("BZERO", bzero)):
        if value is not None and (not math.isfinite(value) or (key == "BSCALE" and value == 0)):
            raise HeaderError(
                "the scale of the pixels cannot be right",
                got=f"{key} = {value}",
                allowed="finite, BSCALE not 0",
            )
    return FitsSource(
        path,
        where.shape,
        hdu.start + where.skipped * abs(hdu.bitpix) // 8,
        hdu.bitpix,
        1.0 if bscale is None else bscale,
        bzero or 0.0,
        None if blank is None or not math.isfinite(blank) else int(blank),
    )


def _stem(path: str) -> str:
    """The name of a file without what tells its format."""
    return re.sub(r"(?<=.)(\.(fits|fit|fts|fz))+$", "", name_of(path), flags=re.IGNORECASE)
