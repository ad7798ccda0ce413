"""Headers as they are on disk."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy.io import fits
from tests.io.fits_maps import header_of, image_hdu, noise, write_map

from skysift.base.errors import FormatError, UsageError
from skysift.io.cards import read_hdus


def test_values_are_those_of_astropy(tmp_path):
    header = fits.Header()
    header["OBJECT"] = "it's a 'name' / with a slash"
    header["TEXT"] = "x" * 150  # goes on in CONTINUE cards
    header["NUMBER"] = (-1.25e-30, "a comment / with a slash")
    header["WHOLE"] = 7
    header["TRUTH"] = True
    header["EMPTY"] = ""
    header["NOTHING"] = None
    header["HIERARCH ESO long name"] = 3.5
    header["HISTORY"] = "AIPS   CLEAN BMAJ=  1.0"
    path = tmp_path / "map.fits"
    fits.PrimaryHDU(noise(), header).writeto(path)
    (hdu,) = read_hdus(str(path))
    for key in ("OBJECT", "TEXT", "NUMBER", "WHOLE", "TRUTH", "EMPTY"):
        assert hdu.header.values[key] == header[key], key
    assert hdu.header.values["NOTHING"] is None
    assert hdu.header.number("ESO LONG NAME") == 3.5
    assert hdu.header.history == ("AIPS   CLEAN BMAJ=  1.0",)
    assert hdu.header.unread == ()


def test_broken_cards_are_kept_apart(tmp_path):
    lines = (
        "BMIN=0.3",
        "LOST    = 1,5",
        "TEXT    = 'no end",
        "OLD     = 1.0D-3",
        "lower   = 4",
        "NOPLACE  1.0",
    )
    path = write_map(tmp_path / "map.fits", lines=lines, BMAJ=b"NaN", BPA=b"-inf", BMIN=b"0.4")
    header = read_hdus(str(path))[0].header
    assert header.number("BMIN") == 0.4  # the first of a name counts
    assert math.isnan(header.number("BMAJ"))
    assert header.number("BPA") == -math.inf
    assert header.number("OLD") == 1e-3
    assert header.number("LOWER") == 4
    assert [card.split("=")[0].strip() for card in header.unread] == ["LOST", "TEXT"]
    assert "NOPLACE" not in header.values
    assert header.number("CTYPE1") is None
    assert header.number("ABSENT") is None
    assert header.text("ABSENT") == ""


def test_hdus_are_where_astropy_finds_them(tmp_path):
    path = tmp_path / "many.fits"
    table = fits.BinTableHDU.from_columns([fits.Column("a", "D", array=np.arange(1000.0))], name="TAB")
    variable = fits.BinTableHDU.from_columns(
        [fits.Column("v", "PJ()", array=np.array([[1, 2], [3]], dtype=object))], name="VAR"
    )
    fits.HDUList(
        [
            fits.PrimaryHDU(),
            fits.ImageHDU(noise(), name="SCI"),
            table,
            variable,
            fits.CompImageHDU(noise(), name="PACKED"),
            fits.ImageHDU(noise(), name="SCI", ver=2),
        ]
    ).writeto(path)
    found = read_hdus(str(path))
    with fits.open(path) as theirs:
        assert [hdu.start for hdu in found] == [each.fileinfo()["datLoc"] for each in theirs]
        assert [hdu.name for hdu in found] == [each.name for each in theirs]
    assert [hdu.kind for hdu in found] == ["image", "image", "table", "table", "compressed", "image"]
    assert [hdu.has_image for hdu in found] == [False, True, False, False, True, True]
    assert found[5].version == 2
    assert found[4].axes == (40, 30)
    assert str(found[0]) == "[0] PRIMARY empty"
    assert str(found[1]) == "[1] SCI image 30 x 40"
    assert not any(hdu.truncated for hdu in found)


def test_junk_after_the_last_hdu_is_left_alone(tmp_path):
    path = write_map(tmp_path / "map.fits")
    with path.open("ab") as file:
        file.write(b"\0" * 5000)
    assert len(read_hdus(str(path))) == 1


def test_a_second_header_that_is_cut_ends_the_list(tmp_path):
    path = write_map(tmp_path / "map.fits")
    with path.open("ab") as file:
        file.write(image_hdu(noise(), {}, first=False)[:400])
    assert len(read_hdus(str(path))) == 1


def test_random_groups_are_no_image(tmp_path):
    path = tmp_path / "uv.fits"
    cards = {"SIMPLE": True, "BITPIX": -32, "NAXIS": 3, "NAXIS1": 0, "NAXIS2": 3, "NAXIS3": 4}
    path.write_bytes(header_of({**cards, "GROUPS": True, "PCOUNT": 2, "GCOUNT": 10}) + b"\0" * 2880)
    (hdu,) = read_hdus(str(path))
    assert hdu.kind == "other"
    assert hdu.size == 4 * 10 * (2 + 12)
    assert not hdu.has_image


@pytest.mark.parametrize("card", [{"NAXIS1": -4}, {"NAXIS1": "wide"}, {"NAXIS": 2.5}])
def test_a_structural_card_that_is_broken(tmp_path, card):
    path = tmp_path / "map.fits"
    path.write_bytes(header_of({"SIMPLE": True, "BITPIX": -32, "NAXIS": 2, "NAXIS1": 4, "NAXIS2": 4} | card))
    with pytest.raises(FormatError, match="structural"):
        read_hdus(str(path))


def test_what_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        read_hdus(str(tmp_path / "none.fits"))
    with pytest.raises(UsageError, match="directory"):
        read_hdus(str(tmp_path))
