"""A truth on disk: a folder with the three tables of its catalogue and the runs of its footprints.

The tables are FITS files like those of ``skysift find``; ``footprints.fits`` holds one row a run
(``row start stop index``) and, in its header, the geometry of the map, its beam and its frequency.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from astropy.io import fits

from skysift.base.errors import FormatError, OutputError, UsageError
from skysift.io.format import reading
from skysift.io.output import whole_file
from skysift.io.tables import FitsFormat, read_catalogue
from skysift.sky.beam import Beam
from skysift.sky.detections import Detections, Footprints
from skysift.sky.frame import Frame
from skysift.sky.truth import Truth

__all__ = ["FOOTPRINTS", "is_truth", "read_truth", "write_truth"]

FOOTPRINTS = "footprints.fits"
_PARTS = ("row", "start", "stop", "index")


def write_truth(truth: Truth, folder: str | Path, *, overwrite: bool = False) -> tuple[Path, ...]:
    """The files written into `folder`, which is made where it is not there.

    Raises
    ------
    OutputError
        A file exists and `overwrite` is false, or the folder cannot be written.
    StorageError
        The disk is full.
    """
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError("the folder cannot be made", got=str(place), todo=error.strerror) from error
    tables = FitsFormat().write(truth.catalogue, place, overwrite=overwrite)
    runs = truth.detections.footprints
    columns = [fits.Column(name, "J", array=getattr(runs, name).astype(np.int32)) for name in _PARTS]
    hdu = fits.BinTableHDU.from_columns(columns, name="FOOTPRINTS")
    boxes = fits.BinTableHDU.from_columns(
        [fits.Column("box", "4J", array=truth.detections.boxes.astype(np.int32))], name="BOXES"
    )
    _tell_geometry(hdu.header, truth)
    with whole_file(place / FOOTPRINTS, overwrite=overwrite) as part:
        fits.HDUList([fits.PrimaryHDU(), hdu, boxes]).writeto(part)
    return (*tables, place / FOOTPRINTS)


def is_truth(path: str | Path) -> bool:
    """True for a folder that `write_truth` wrote."""
    return (Path(path) / FOOTPRINTS).is_file()


def read_truth(path: str | Path) -> Truth:
    """The truth in a folder of `write_truth`; of another catalogue that skysift wrote, a truth without masks.

    Raises
    ------
    UsageError
        There is no such file or folder.
    FormatError
        It holds no table of skysift, or its footprints are broken.
    """
    place = Path(path)
    catalogue = read_catalogue(place)
    if not is_truth(place):
        return Truth(catalogue)
    file = place / FOOTPRINTS
    with reading(file, "footprints", OSError, KeyError, ValueError, TypeError), fits.open(file) as hdus:
        runs, boxes, header = hdus["FOOTPRINTS"].data, hdus["BOXES"].data, hdus["FOOTPRINTS"].header
        prints = Footprints(*(np.asarray(runs[name], dtype=np.int64) for name in _PARTS))
        corners = np.asarray(boxes["box"], dtype=np.int64).reshape(-1, 4)
        detections = Detections(corners, np.ones(len(corners)), prints)
        frame, beam = _frame(header), _beam(header)
        frequency = float(header.get("RESTFRQ", math.nan))
    try:
        return Truth(catalogue, detections, frame, beam, frequency)
    except UsageError as error:
        raise FormatError(f"{place}: {error}") from error


def _tell_geometry(header: fits.Header, truth: Truth) -> None:
    """The cards of the map's geometry, beam and frequency."""
    if truth.frame is not None:
        header["MAPNX"] = (truth.frame.shape[1], "columns of the map")
        header["MAPNY"] = (truth.frame.shape[0], "rows of the map")
        header["BEAMPLAN"] = (truth.frame.beam_plane, "where the beam is one ellipse")
        for key, value in truth.frame.cards:
            _tell(header, key, value)
        if not truth.frame.celestial:
            for key, scale in zip(("PIXY", "PIXX"), truth.frame.scale, strict=True):
                _tell(header, key, float(scale))
    if truth.beam is not None:
        _tell(header, "BMAJ", truth.beam.major / 3600.0, "[deg] beam, major axis FWHM")
        _tell(header, "BMIN", truth.beam.minor / 3600.0, "[deg] beam, minor axis FWHM")
        _tell(header, "BPA", truth.beam.pa, "[deg] beam, position angle")
        _tell(header, "BMAJSEC", truth.beam.major, "[arcsec] the same, to the last digit")
        _tell(header, "BMINSEC", truth.beam.minor, "[arcsec] likewise")
    if math.isfinite(truth.frequency):
        _tell(header, "RESTFRQ", float(truth.frequency), "[Hz] frequency of the map")


def _tell(header: fits.Header, key: str, value: str | float | int, comment: str = "") -> None:
    """Add a card; a float keeps its last digit, which astropy's own writing of it may lose."""
    card = fits.Card(key, value, comment)
    if isinstance(value, float):
        line = f"{key:<8}= {repr(value).upper():>20}{f' / {comment}' if comment else ''}"
        card = fits.Card.fromstring(line[:80].ljust(80))
    header.append(card, end=True)


def _frame(header: fits.Header) -> Frame | None:
    if "MAPNX" not in header:
        return None
    shape = (int(header["MAPNY"]), int(header["MAPNX"]))
    if "PIXY" in header:
        return Frame.pixels_only(shape, (float(header["PIXY"]), float(header["PIXX"])))
    words = (
        "CTYPE",
        "CRVAL",
        "CRPIX",
        "CDELT",
        "CUNIT",
        "PC",
        "CD",
        "PV",
        "LONPOLE",
        "LATPOLE",
        "RADESYS",
        "EQUINOX",
    )
    cards = {key: value for key, value in header.items() if key.startswith(words)}
    return Frame.from_cards(cards, shape, beam_plane=header["BEAMPLAN"])


def _beam(header: fits.Header) -> Beam | None:
    if "BMAJ" not in header:
        return None
    major, minor = (float(header.get(f"{key}SEC", 3600.0 * header[key])) for key in ("BMAJ", "BMIN"))
    return Beam(major, minor, float(header["BPA"]))
