"""Dirty maps: each opens with a note, or is refused by one line that says what was wrong and what to do.

`CASES` is the table of what is told; the command prints the same lines.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from tests.io.fits_maps import CARDS, NONE, header_of, image_hdu, noise, write_map

from skysift.base.errors import FormatError, HeaderError, OptionError, SkysiftError, UsageError, exit_code
from skysift.cli.main import main
from skysift.io.open import open_image
from skysift.sky.box import Box


@dataclass(frozen=True)
class Case:
    """One dirty map: how it is made; the error or note it earns; what to say so that it opens."""

    make: Callable[[Path], object]
    error: type[SkysiftError] | None = None
    words: str = ""
    mend: dict[str, object] | None = None
    n_notes: int = 1


def cards(
    lines: tuple[str, ...] = (), data: np.ndarray | None = None, **changes: object
) -> Callable[[Path], object]:
    return lambda path: write_map(path, data, lines, **changes)


def content(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def truncated(path: Path) -> None:
    path.write_bytes(write_map(path).read_bytes()[:5000])


def packed_and_cut(path: Path) -> None:
    data = np.random.default_rng(0).normal(size=(300, 300)).astype("f4")
    hdu = fits.CompImageHDU(data, fits.Header(CARDS), compression_type="GZIP_1", quantize_level=0)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    path.write_bytes(path.read_bytes()[:100000])


def table_only(path: Path) -> None:
    columns = [fits.Column("a", "D", array=np.arange(3.0))]
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns, name="CAT")]).writeto(path)


def no_data(path: Path) -> None:
    path.write_bytes(image_hdu(None, {"EXTEND": True}) + image_hdu(None, {"EXTNAME": "SCI"}, first=False))


def line_only(path: Path) -> None:
    path.write_bytes(image_hdu(np.zeros(100, np.float32), {}))


def uv_data(path: Path) -> None:
    groups = {
        "SIMPLE": True,
        "BITPIX": -32,
        "NAXIS": 2,
        "NAXIS1": 0,
        "NAXIS2": 3,
        "GROUPS": True,
        "GCOUNT": 1,
    }
    path.write_bytes(header_of({**groups, "PCOUNT": 0}) + b"\0" * 2880)


NO_BEAM = {"BMAJ": NONE, "BMIN": NONE, "BPA": NONE}
NO_SKY = {"CTYPE1": NONE, "CTYPE2": NONE, "RADESYS": NONE}
BEAM = {"beam": (25.0, 20.0, 10.0)}

CASES = {
    # the file
    "a path where nothing is": Case(lambda path: None, UsageError, "there is no such file"),
    "a directory": Case(lambda path: path.mkdir(), UsageError, "not a directory"),
    "an empty file": Case(content(b""), FormatError, "the file is empty"),
    "a text called .fits": Case(content(b"RA, Dec, flux\n1, 2, 3\n"), FormatError, "not FITS.*text 'RA, Dec"),
    "random bytes": Case(content(bytes(range(256)) * 20), FormatError, "not FITS.*bytes"),
    "a page of HTML": Case(content(b"<!DOCTYPE html><title>404</title>"), FormatError, "not FITS.*DOCTYPE"),
    "a gzip": Case(content(b"\x1f\x8b\x08" + b"\0" * 100), FormatError, "gzip.*gunzip.*fpack"),
    "a zip": Case(content(b"PK\x03\x04" + b"\0" * 100), FormatError, "packed as a whole"),
    "cut within the data": Case(
        truncated, FormatError, r"truncated.*5000 bytes.*7680 bytes or more.*fetch it again"
    ),
    "cut within the header": Case(
        content(image_hdu(None, CARDS)[:500]), FormatError, "header has no end.*truncated"
    ),
    "cut within packed data": Case(packed_and_cut, FormatError, "truncated"),
    "tables only": Case(table_only, FormatError, r"tables and no map.*\[1\] CAT table 3 x 8"),
    "HDUs without data": Case(no_data, FormatError, "no image.*two axes or more"),
    "one axis": Case(line_only, FormatError, "no image"),
    "visibilities": Case(uv_data, FormatError, "no image"),
    "a broken NAXIS1": Case(
        content(header_of({"SIMPLE": True, "BITPIX": -32, "NAXIS": 1, "NAXIS1": "x"})),
        FormatError,
        "structural card.*NAXIS1",
    ),
    "an impossible BITPIX": Case(
        content(
            header_of({"SIMPLE": True, "BITPIX": -16, "NAXIS": 2, "NAXIS1": 9, "NAXIS2": 9} | CARDS)
            + b"\0" * 2880
        ),
        FormatError,
        "BITPIX.*-16.*allowed",
    ),
    # the beam
    "no beam": Case(cards(**NO_BEAM), HeaderError, r"no beam \(BMAJ, BMIN, BPA\).*--beam MAJ,MIN,PA", BEAM),
    "BMAJ = 0": Case(
        cards(BMAJ=0.0, BMIN=0.0), HeaderError, r"cannot be right.*BMAJ = 0\.0.*above 0.*--beam", BEAM
    ),
    "BMAJ < 0": Case(cards(BMAJ=-1.0), HeaderError, r"BMAJ = -1\.0.*--beam", BEAM),
    "BMIN = 0": Case(cards(BMIN=0.0), HeaderError, r"BMIN = 0\.0.*--beam", BEAM),
    "BMAJ = NaN": Case(cards(BMAJ=b"NaN"), HeaderError, "BMAJ = nan.*--beam", BEAM),
    "BMAJ that cannot be read": Case(cards(BMAJ=b"0,007"), HeaderError, "0,007.*--beam", BEAM),
    "BMAJ in arcsec": Case(
        cards(BMAJ=25.0, BMIN=20.0), HeaderError, r"wider than the map.*--beam 25,20,10", BEAM
    ),
    "BMAJ far below a pixel": Case(
        cards(BMAJ=1e-6, BMIN=1e-6), HeaderError, "narrower than a pixel.*--beam", BEAM
    ),
    "a beam in HISTORY only": Case(
        cards(("HISTORY AIPS   CLEAN BMAJ=  6.9E-03 BMIN=  5.5E-03 BPA=  10.0",), **NO_BEAM),
        None,
        "AIPS history",
    ),
    "no BPA": Case(cards(BPA=NONE), None, "no BPA in the header"),
    "a beam under 2 px": Case(cards(BMAJ=9 / 3600, BMIN=9 / 3600), None, r"undersampled.*1\.80 px"),
    # the unit
    "no BUNIT": Case(cards(BUNIT=NONE), None, r"no unit \(BUNIT\).*Jy/beam is assumed"),
    "mJy/beam": Case(cards(BUNIT="mJy/beam"), None, r"in mJy/beam.*multiplied by 0\.001"),
    "K": Case(cards(BUNIT="K"), None, "in K.*multiplied by"),
    "K without frequency": Case(
        cards(BUNIT="K", RESTFRQ=NONE),
        HeaderError,
        "kelvin needs its frequency.*--frequency",
        {"frequency": 1.4e9},
    ),
    "Jy/pixel": Case(cards(BUNIT="Jy/pixel"), None, "in Jy/pixel.*multiplied by"),
    "another unit": Case(
        cards(BUNIT="counts"), HeaderError, "counts.*allowed: Jy/beam.*--unit", {"unit": "Jy/beam"}
    ),
    # the frequency
    "no frequency": Case(cards(RESTFRQ=NONE), None, "no frequency in the header"),
    "a frequency of 23.5 Hz": Case(cards(RESTFRQ=23.5), None, "RESTFRQ 23.5 Hz.*unknown"),
    # the geometry
    "no celestial WCS": Case(
        cards(**NO_SKY), None, r'no celestial coordinates.*pixel positions only.*5" x 5"'
    ),
    "no WCS and no CDELT": Case(
        cards(**NO_SKY, CDELT1=NONE, CDELT2=NONE),
        HeaderError,
        "no size of a pixel.*--pixel-scale",
        {"pixel_scale": 5.0},
    ),
    "no WCS and CDELT = 1": Case(
        cards(**NO_SKY, CDELT1=1.0, CDELT2=1.0), HeaderError, "--pixel-scale", {"pixel_scale": 5.0}
    ),
    "no CDELT": Case(
        cards(CDELT1=NONE, CDELT2=NONE),
        HeaderError,
        "no CDELT and no CD.*--pixel-scale",
        {"pixel_scale": 5.0},
    ),
    "CDELT = 0": Case(cards(CDELT1=0.0), HeaderError, "--pixel-scale", {"pixel_scale": 5.0}),
    "a declination of 123 deg": Case(
        cards(CRVAL2=123.0), None, "cannot be used.*CRVAL2 = 123.* beyond the pole.*pixel positions only"
    ),
    "a projection nobody knows": Case(
        cards(CTYPE1="RA---XYZ", CTYPE2="DEC--XYZ"), None, "cannot be used.*pixel"
    ),
    "NCP at the equator": Case(
        cards(CTYPE1="RA---NCP", CTYPE2="DEC--NCP", CRVAL2=0.0), None, "equator.*pixel positions"
    ),
    "a system nobody knows": Case(cards(RADESYS="MOON"), None, "system 'MOON' is not known"),
    "the CRPIX of the parent": Case(
        cards(CRPIX1=900.0, CRPIX2=900.0, OBSRA=50.0, OBSDEC=-36.0),
        None,
        r"may not be right.*29\.0 map widths.*OBSRA.*check positions",
    ),
    "far from the reference point": Case(
        cards(CRPIX1=-50.0, CDELT1=-0.75, CDELT2=0.75, BMAJ=2.0, BMIN=2.0),
        None,
        "may not be right.*deg from its reference point",
    ),
    "outside of the projection": Case(cards(CRPIX1=90000.0), None, "cannot be right.*reaches none"),
    "a cut-out far from its reference point": Case(cards(CRPIX1=1400.0), None, ""),
    "SIP distortion": Case(cards(CTYPE1="RA---SIN-SIP", CTYPE2="DEC--SIN-SIP"), None, "distortion.*not used"),
    # the pixels
    "no CRVAL": Case(cards(CRVAL1=NONE), None, "cannot be used.*no CRVAL1.*pixel positions only"),
    "CRPIX = NaN": Case(cards(CRPIX2=b"NaN"), None, "cannot be used.*CRPIX2 = nan.*pixel positions only"),
    "CRVAL that cannot be read": Case(cards(CRVAL1=b"3:20:00"), None, "cannot be used.*CRVAL1.*3:20:00"),
    "a mirrored map": Case(cards(CDELT1=5 / 3600), None, "mirrored.*check CDELT"),
    "BSCALE that cannot be read": Case(cards(BSCALE=b"0,5"), HeaderError, "scale of the pixels.*BSCALE.*0,5"),
    "BSCALE = 0": Case(cards(BSCALE=0.0), HeaderError, "BSCALE = 0"),
    "BZERO = NaN": Case(cards(BZERO=b"NaN"), HeaderError, "BZERO = nan"),
    "a broken card of meaning": Case(cards(BUNIT=b"'Jy/beam"), None, "cannot be read.*BUNIT", n_notes=2),
    "a cube": Case(
        cards(data=np.stack([noise(), noise()]), CTYPE3="FREQ"), None, "2 planes along FREQ: plane 0.*--plane"
    ),
    "sky axes last": Case(
        cards(data=noise(30, 80).reshape(30, 40, 2), CTYPE1="FREQ", CTYPE2="RA---SIN", CTYPE3="DEC--SIN"),
        HeaderError,
        "not stored first.*reorder",
    ),
    "Stokes V": Case(cards(data=noise()[None], CTYPE3="STOKES", CRVAL3=4.0, CDELT3=1.0), None, "Stokes V"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_dirty_map_is_told_in_one_line(tmp_path, name):
    case = CASES[name]
    path = tmp_path / "map.fits"
    case.make(path)
    if case.error is None:
        image = open_image(path)
        assert not case.words or any(re.search(case.words, note) for note in image.notes), image.notes
        assert len(image.notes) == (case.n_notes if case.words else 0)
        assert all("\n" not in note for note in image.notes)
        assert np.isfinite(image.read()).all()
        return
    with pytest.raises(case.error) as caught:
        open_image(path)
    assert type(caught.value) is case.error
    assert "\n" not in str(caught.value)
    assert re.search(case.words, str(caught.value)), caught.value
    assert exit_code(caught.value.kind) == 2
    if case.mend is not None:
        assert np.isfinite(open_image(path, **case.mend).read()).all()


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.error is not None])
def test_the_command_prints_that_line_and_ends_with_2(tmp_path, name, capsys):
    path = tmp_path / "map.fits"
    CASES[name].make(path)
    assert main(["find", str(path), "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert re.search(CASES[name].words, told[0])
    assert "Traceback" not in told[0]


@pytest.mark.parametrize("beam", [(0.0, 0.0, 0.0), (5.0, 0.0, 0.0), (math.nan, 1.0, 0.0), (-3.0, 2.0, 0.0)])
def test_a_beam_that_is_none_is_refused(tmp_path, beam):
    with pytest.raises((OptionError, UsageError), match="beam needs two axes"):
        open_image(write_map(tmp_path / "map.fits"), beam=beam)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    path = write_map(tmp_path / "map.fits")
    path.chmod(0)
    with pytest.raises(UsageError, match="cannot be read"):
        open_image(path)


@pytest.mark.parametrize("shape", [(1, 50), (50, 1), (1, 1), (2, 2)])
def test_thin_maps(tmp_path, shape):
    data = noise(*shape)
    image = open_image(write_map(tmp_path / "map.fits", data))
    assert image.shape == shape
    assert np.array_equal(image.read(), data)
    assert np.isfinite(image.frame.to_sky(0.0, 0.0)).all()


def test_blank_zero_and_extreme_pixels(tmp_path):
    data = noise()
    data[:5], data[10:12, 10:12], data[20, 20], data[21, 21] = np.nan, np.inf, -np.inf, 1e30
    read = open_image(write_map(tmp_path / "map.fits", data)).read()
    assert np.array_equal(np.isnan(read), ~np.isfinite(data))
    assert read[21, 21] == np.float32(1e30)
    for value in (np.nan, 0.0):
        image = open_image(write_map(tmp_path / "map.fits", np.full((9, 9), value, np.float32)))
        assert np.array_equal(image.read(), np.full((9, 9), value), equal_nan=True)
    double = np.full((4, 4), 1e300)
    assert np.isnan(open_image(write_map(tmp_path / "map.fits", double)).read()).all()
    assert np.isnan(open_image(write_map(tmp_path / "map.fits", double)).read(Box(0, 1, 0, 1))).all()


@pytest.mark.parametrize("data", [noise(), (noise() * 1e5).astype("i2")])
def test_non_square_pixels(tmp_path, data):
    image = open_image(
        write_map(tmp_path / "map.fits", data, CDELT1=-11 / 3600, CDELT2=19 / 3600, BMIN=60 / 3600)
    )
    assert image.frame.scale == pytest.approx((19.0, 11.0))
    assert image.frame.beam_pixels(image.beam)[1] < 3
