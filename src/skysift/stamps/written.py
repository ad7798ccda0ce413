"""A stamp as a FITS file: one cube of aligned bands, or an image a band where each keeps its own pixels; and back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import FormatError, UsageError
from skysift.measure.convolve import same_beam
from skysift.sky.beam import Beam
from skysift.sky.frame import Frame
from skysift.stamps.array import StoredArray, array_in
from skysift.stamps.header import card, history, padded
from skysift.stamps.making import Stamp
from skysift.stamps.prepare import Layer

__all__ = ["StoredStamps", "open_stamps", "stamp_bytes"]

ARCHIVE, COVERAGE = "stamps.tar", "coverage.fits"


def stamp_bytes(stamp: Stamp, told: Sequence[tuple[str, str | float, str]], *, aligned: bool) -> bytes:
    """The FITS file of a stamp.

    Parameters
    ----------
    stamp
        The stamp.
    told
        Cards that all stamps of a run have: program, version.
    aligned
        Whether all bands are on the grid of the stamp: one cube then, else one HDU a band.
    """
    if aligned:
        data = np.stack([layer.data for layer in stamp.layers])
        cards = [card("SIMPLE", True), *_sizes(data.shape), *_common(stamp, told), *_frame(stamp.frame)]
        cards += [card("CTYPE3", "BAND"), card("CRPIX3", 1.0), card("CRVAL3", 1.0), card("CDELT3", 1.0)]
        units = {layer.unit for layer in stamp.layers if layer.unit}
        beams = [layer.beam for layer in stamp.layers if layer.image]
        cards += [card("BUNIT", units.pop())] if len(units) == 1 else []
        cards += _beam(beams[0], "") if beams and all(_same(each, beams[0]) for each in beams) else []
        for k, (name, layer) in enumerate(zip(stamp.bands, stamp.layers, strict=True), start=1):
            cards += _band(name, layer, str(k))
            cards += history(f"skysift: {name}: {', '.join(layer.steps)}") if layer.steps else []
        return _hdu(cards, data)
    parts = [
        _hdu(
            [
                card("SIMPLE", True),
                card("BITPIX", 8),
                card("NAXIS", 0),
                card("EXTEND", True),
                *_common(stamp, told),
            ]
        )
    ]
    for name, layer in zip(stamp.bands, stamp.layers, strict=True):
        cards = [card("XTENSION", "IMAGE"), *_sizes(layer.data.shape), card("PCOUNT", 0), card("GCOUNT", 1)]
        cards += [card("EXTNAME", name.upper()), *_frame(layer.frame), *_band(name, layer, "")]
        cards += history(f"skysift: {', '.join(layer.steps)}") if layer.steps else []
        parts.append(_hdu(cards, layer.data))
    return b"".join(parts)


def _sizes(shape: tuple[int, ...]) -> list[str]:
    axes = [card(f"NAXIS{i + 1}", n) for i, n in enumerate(reversed(shape))]
    return [card("BITPIX", -32), card("NAXIS", len(shape)), *axes]


def _common(stamp: Stamp, told: Sequence[tuple[str, str | float, str]]) -> list[str]:
    place = stamp.place
    cards = [card(*each) for each in told]
    cards += [
        card("OBJECT", place.name),
        card("RA_OBJ", place.ra, "[deg] ICRS"),
        card("DEC_OBJ", place.dec, "[deg] ICRS"),
    ]
    return cards + (
        [card("RADIUS", place.radius, "[arcsec] of the source")] if math.isfinite(place.radius) else []
    )


def _frame(frame: Frame) -> list[str]:
    return [card(key, value) for key, value in frame.cards if key != "WCSAXES"]


def _same(beam: Beam | None, other: Beam | None) -> bool:
    """Whether two beams are one; the angle of a round one says nothing."""
    return beam is not None and other is not None and same_beam(beam, other)


def _beam(beam: object, number: str) -> list[str]:
    if beam is None:
        return []
    major, minor, pa = (getattr(beam, name) for name in ("major", "minor", "pa"))
    cards = ((f"BMAJ{number}", major / 3600.0), (f"BMIN{number}", minor / 3600.0), (f"BPA{number}", pa))
    return [card(key, value, "[deg] beam") for key, value in cards]


def _band(name: str, layer: Layer, number: str) -> list[str]:
    """The cards of one band, numbered where there are several in a header."""
    cards = [card(f"BAND{number}", name), card(f"IMAGE{number}", layer.image, "what it was made from")]
    cards += [card(f"BUNIT{number}", layer.unit)] if layer.unit else []
    cards += _beam(layer.beam, number)
    numbers = (
        ("FREQ", layer.frequency, "[Hz] frequency"),
        ("BKG", layer.background, "level that was taken off"),
        ("NOISE", layer.noise, "scatter where that was measured"),
    )
    cards += [card(f"{key}{number}", value, told) for key, value, told in numbers if math.isfinite(value)]
    cards.append(card(f"COVER{number}", round(layer.coverage, 6), "part of the pixels that are not blank"))
    return [*cards, card(f"FLAGS{number}", layer.flags, "bits, see skysift.stamps.quality")]


def _hdu(cards: list[str], data: NDArray[np.float32] | None = None) -> bytes:
    text = "".join((*cards, "END".ljust(80))).encode("ascii", "replace")
    pixels = b"" if data is None else data.astype(">f4").tobytes()
    return b"".join((text.ljust(padded(len(text))), pixels, bytes(padded(len(pixels)) - len(pixels))))


@dataclass(frozen=True)
class StoredStamps:
    """The stamps of a run, read when asked for.

    Parameters
    ----------
    folder
        That of the run.
    names
        Of the sources, one for each row of the table of coverage.
    files
        Names in the archive; empty for a source without a stamp.
    bands
        Names of the bands.
    array
        The array (source, band, y, x) on disk that holds all of them; None where there is an archive.
    """

    folder: Path
    names: tuple[str, ...]
    files: tuple[str, ...]
    bands: tuple[str, ...]
    array: StoredArray | None = None

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """The stamps (band, y, x) in the order of the rows; an empty array for a source without one."""
        if self.array is not None:
            yield from self.array.each()
            return
        import tarfile

        from astropy.io import fits  # late: heavy

        nothing = np.empty((len(self.bands), 0, 0), np.float32)
        with tarfile.open(self.folder / ARCHIVE) as archive:
            members = iter(archive)
            for name in self.files:
                if not name:
                    yield nothing
                    continue
                member = next(members)
                file = archive.extractfile(member)
                if file is None or member.name != name:
                    raise FormatError(
                        "the archive of stamps does not fit its table", got=member.name, allowed=name
                    )
                with fits.open(BytesIO(file.read())) as hdus:
                    yield np.asarray(hdus[0].data, np.float32)


def open_stamps(folder: str | Path) -> StoredStamps:
    """The stamps in the folder of a run of ``skysift stamps``.

    Raises
    ------
    UsageError
        It holds none, or stamps whose bands have pixels of their own.
    """
    place = Path(folder)
    array = array_in(place)
    if not (place / COVERAGE).is_file() or (array is None and not (place / ARCHIVE).is_file()):
        raise UsageError("the folder holds no stamps", got=str(folder), todo="`skysift stamps` makes them")
    from astropy.io import fits  # late: heavy

    with fits.open(place / COVERAGE, memmap=False) as hdus:
        rows, header = hdus[1].data, hdus[1].header
        if header.get("GRID") == "native":
            raise UsageError("the bands of these stamps are not on one grid", got=str(folder))
        bands = tuple(str(header[f"BAND{k + 1}"]) for k in range(int(header["NBANDS"])))
        return StoredStamps(place, tuple(map(str, rows["name"])), tuple(map(str, rows["file"])), bands, array)
