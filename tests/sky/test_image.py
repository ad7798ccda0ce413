"""Images: what is read, what a window keeps, what travels."""

from __future__ import annotations

import hashlib
import math
import pickle

import numpy as np
import pytest
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from skysift.base.errors import FormatError, RegionError, UsageError
from skysift.base.store import checksum
from skysift.sky.beam import Beam
from skysift.sky.box import Box
from skysift.sky.frame import Frame
from skysift.sky.image import ArraySource, Origin, PixelSource, SkyImage

DATA = np.arange(30 * 40, dtype=np.float32).reshape(30, 40)


def image(data=DATA, **changes) -> SkyImage:
    return SkyImage.from_array(data, **({"beam": (6.0, 5.0, 20.0), "pixel_scale": 2.0} | changes))


def test_the_whole_image_is_the_array():
    made = image()
    read = made.read()
    assert read.dtype == np.float32
    assert read.flags.c_contiguous
    assert np.array_equal(read, DATA)
    read[:] = 0
    assert np.array_equal(made.read(), DATA)  # what was read is a copy
    assert isinstance(made.pixels, PixelSource)


@given(st.builds(Box, *[st.integers(-5, 45)] * 4))
def test_any_box_is_cut_off_at_the_edge(box):
    inside = box.intersect(Box(0, 30, 0, 40))
    assert np.array_equal(image().read(box), DATA[inside.slices()])


def test_infinities_are_blank_and_large_values_survive():
    data = DATA.astype(np.float64)
    data[0, :4] = [np.inf, -np.inf, np.nan, 1e300]
    data[1, 0] = 1e30
    with np.errstate(over="ignore"):
        read = image(data).read()
    assert np.isnan(read[0, :4]).all()
    assert read[1, 0] == np.float32(1e30)


def test_a_unit_is_converted_when_pixels_are_read():
    made = image(unit="mJy/beam")
    assert made.unit == "Jy/beam"
    assert made.read() == pytest.approx(DATA * 1e-3, rel=1e-6)
    assert any("mJy/beam" in note for note in made.notes)
    huge = image(np.full((3, 3), 1e38, np.float32), unit="kJy/beam").read()
    assert np.isnan(huge).all()


@given(st.integers(0, 25), st.integers(0, 35), st.integers(1, 30), st.integers(1, 40))
def test_a_cut_keeps_positions_and_pixels(y0, x0, ny, nx):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cdelt = ["RA---SIN", "DEC--SIN"], [10, 20], [-0.001, 0.001]
    made = image(wcs=wcs, pixel_scale=None)
    part = made.cut(Box(y0, y0 + ny, x0, x0 + nx))
    assert np.array_equal(part.read(), DATA[y0 : y0 + ny, x0 : x0 + nx])
    assert np.allclose(part.frame.to_sky(0, 0), made.frame.to_sky(x0, y0))
    assert (part.beam, part.unit, part.notes) == (made.beam, made.unit, made.notes)
    again = part.cut(Box(0, 2, 0, 2))
    assert np.array_equal(again.read(), DATA[y0 : y0 + 2, x0 : x0 + 2][: min(ny, 2), : min(nx, 2)])
    assert part.cut(part.box) == part


def test_a_cut_outside_is_refused():
    with pytest.raises(RegionError, match="does not meet"):
        image().cut(Box(40, 50, 0, 10))


def test_an_image_is_a_value():
    made = image()
    again = pickle.loads(pickle.dumps(made))
    assert again == made  # though its frequency is NaN
    assert hash(again) == hash(made)
    assert made != image(DATA + 1)
    assert made != image(frequency=1e9)
    assert made != 3
    assert "30 x 40" in repr(made)
    assert math.isnan(again.frequency)


def test_undersampled_beams_are_noted():
    (note,) = image(beam=Beam(9.0, 3.0)).notes
    assert "1.50 px" in note
    assert image(beam=Beam(4.0, 4.0)).notes == ()


def test_the_record_of_an_array_is_that_of_its_bytes():
    made = image(name="sky")
    record = made.input_record()
    assert record.checksum == "sha256:" + hashlib.sha256(DATA.astype("<f4").tobytes()).hexdigest()
    assert (record.name, record.size) == ("sky", DATA.nbytes)


def test_the_record_of_a_file_is_that_of_its_bytes(tmp_path):
    path = tmp_path / "map.fits"
    path.write_bytes(b"one")
    made = SkyImage(
        ArraySource(DATA), Frame.pixels_only((30, 40), (1, 1)), Beam(3, 3), origin=Origin(str(path), 1, (0,))
    )
    record = made.input_record()
    assert record.checksum == "sha256:" + hashlib.sha256(b"one").hexdigest()
    assert (record.name, record.hdu, record.plane, record.size) == ("map.fits", 1, (0,), 3)
    path.write_bytes(b"three")
    assert checksum(str(path))[0] == "sha256:" + hashlib.sha256(b"three").hexdigest()
    path.unlink()
    with pytest.raises(FormatError, match="any more"):
        made.input_record()


def test_requests_that_make_no_image():
    with pytest.raises(UsageError, match="geometry"):
        SkyImage.from_array(DATA, beam=(3, 3, 0))
    with pytest.raises(UsageError, match="plane"):
        image(np.zeros((2, 3, 4)))
    with pytest.raises(UsageError, match="plane"):
        image(np.zeros((0, 4)))
    with pytest.raises(UsageError, match="shape"):
        SkyImage(ArraySource(DATA), Frame.pixels_only((3, 4), (1, 1)), Beam(3, 3))
    with pytest.raises(UsageError, match="beam"):
        image(beam=(3.0, 0.0, 0.0))
    assert image(beam=3.0).beam == image(beam=(3.0, 3.0, 0.0)).beam == Beam(3.0, 3.0)
    frame = Frame.pixels_only((30, 40), (3.0, 2.0))
    assert image(frame=frame, pixel_scale=None).frame == frame
    assert image(pixel_scale=(3.0, 2.0), beam_plane="sky").frame.scale == (3.0, 2.0)
