"""Cut-outs: pixels and coordinates are those of the whole map, wherever on the sky, with two to four axes."""

import warnings

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from skysift.base.errors import HeaderError, OptionError, RegionError
from skysift.sky.box import Box
from skysift.stamps.cutout import cut
from skysift.stamps.region import Circle, Polygon, Range


def header(shape, centre, *, projection="SIN", axes=("RA", "DEC"), scale=0.01, **cards):
    """A header of a map of this shape (..., y, x)."""
    head = fits.Header()
    ny, nx = shape[-2:]
    for i, (axis, value, n) in enumerate(zip(axes, centre, (nx, ny), strict=True), start=1):
        head[f"CTYPE{i}"] = f"{axis:-<5}{projection}"
        head[f"CRVAL{i}"] = value
        head[f"CRPIX{i}"] = n / 2 + 0.5
        head[f"CDELT{i}"] = (-scale, scale)[i - 1]
        head[f"CUNIT{i}"] = "deg"
    head["BMAJ"], head["BMIN"], head["BPA"], head["BUNIT"] = 0.03, 0.02, 30.0, "Jy/beam"
    head.update(cards)
    return head


def made(path, shape, centre=(50.0, -30.0), **cards):
    """A map of numbers that all differ, in a file; the numbers."""
    data = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    fits.writeto(path, data, header(shape, centre, **cards))
    return data


def opened(part, tmp_path):
    """Pixels and header of a cut-out as astropy reads its file."""
    path = part.write(tmp_path / "cut.fits")
    assert path.stat().st_size == part.size
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return fits.getdata(path), fits.getheader(path)


PLACES = {
    "wrap": {"centre": (0.0, 10.0)},
    "pole": {"centre": (77.0, 90.0), "projection": "ZEA"},
    "south": {"centre": (10.0, -89.7), "projection": "TAN"},
    "galactic": {"centre": (0.2, -0.1), "axes": ("GLON", "GLAT"), "projection": "CAR"},
    "stereographic": {"centre": (180.0, 45.0), "projection": "STG"},
}


@pytest.mark.parametrize("place", PLACES)
def test_pixels_and_places_are_those_of_a_direct_slice(place, tmp_path):
    path = tmp_path / "map.fits"
    data = made(path, (80, 100), **PLACES[place])
    whole = WCS(fits.getheader(path))
    at = whole.pixel_to_world(40.0, 30.0).icrs
    radius = 0.1
    part = cut(path, Circle(float(at.ra.deg), float(at.dec.deg), radius))
    assert part.overlap == "full"
    pixels, head = opened(part, tmp_path)
    box = part.box
    np.testing.assert_array_equal(pixels, data[box.y0 : box.y1, box.x0 : box.x1])
    assert pixels.sum(dtype=float) == data[box.y0 : box.y1, box.x0 : box.x1].sum(dtype=float)
    x, y = np.meshgrid(np.arange(box.shape[1]), np.arange(box.shape[0]))
    mine, whole_sky = WCS(head).pixel_to_world(x, y), whole.pixel_to_world(x + box.x0, y + box.y0)
    assert mine.separation(whole_sky).arcsec.max() < 1e-9
    # the box holds all pixels of the circle, and no row or column that it does not touch
    ys, xs = np.mgrid[:80, :100]
    inside = whole.pixel_to_world(xs, ys).icrs.separation(at).deg <= radius
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    assert (box.y0, box.x0) <= (rows[0], columns[0])
    assert box.y0 >= rows[0] - 1
    assert box.x0 >= columns[0] - 1
    assert rows[-1] + 1 <= box.y1 <= rows[-1] + 2
    assert columns[-1] + 1 <= box.x1 <= columns[-1] + 2
    assert (head["BMAJ"], head["BMIN"], head["BPA"], head["BUNIT"]) == (0.03, 0.02, 30.0, "Jy/beam")


def test_the_region_may_be_galactic(tmp_path):
    path = tmp_path / "map.fits"
    made(path, (80, 100), centre=(266.4, -29.0))
    at = SkyCoord(266.42, -28.95, unit="deg").galactic
    mine = cut(path, Circle(float(at.l.deg), float(at.b.deg), 0.1), system="GALACTIC")
    assert mine.box == cut(path, Circle(266.42, -28.95, 0.1)).box
    assert "GALACTIC" in "".join(mine.header["HISTORY"])


def test_a_circle_over_the_pole_of_a_plate_carree_holds_the_pole(tmp_path):
    path = tmp_path / "map.fits"
    data = made(path, (180, 360), centre=(180.0, 0.0), projection="CAR", scale=1.0)
    part = cut(path, Circle(30.0, 88.0, 5.0))
    assert part.overlap == "full"
    assert part.box.shape == (7, 360)  # declination 83 to the pole, all around
    np.testing.assert_array_equal(part.data, data[173:])


@pytest.mark.parametrize("ra", [0.0, 0.4, 359.0])
def test_a_map_all_around_the_sky_is_cut_over_its_seam(ra, tmp_path):
    path = tmp_path / "map.fits"
    data = made(path, (180, 360), centre=(180.5, 0.0), projection="CAR", scale=1.0)
    part = cut(path, Circle(ra, 20.0, 3.0))
    assert part.overlap == "full"
    assert part.box.shape[1] <= 9
    pixels, head = opened(part, tmp_path)
    whole, mine = WCS(fits.getheader(path)), WCS(head)
    x, y = np.meshgrid(np.arange(pixels.shape[1]), np.arange(pixels.shape[0]))
    place = mine.pixel_to_world(x, y)
    at_x, at_y = (x + part.box.x0) % 360, y + part.box.y0
    np.testing.assert_array_equal(pixels, data[at_y, at_x])
    assert place.separation(whole.pixel_to_world(at_x, at_y)).arcsec.max() < 1e-6
    assert place.separation(SkyCoord(ra, 20.0, unit="deg")).deg.min() < 0.8


def test_what_lies_outside_is_cut_off_or_padded_by_blanks(tmp_path):
    path = tmp_path / "map.fits"
    data = made(path, (40, 50))
    data[:, :3] = np.nan
    fits.update(path, data, fits.getheader(path), 0)
    corner = WCS(fits.getheader(path)).pixel_to_world(0.0, 0.0)
    circle = Circle(float(corner.ra.deg), float(corner.dec.deg), 0.1)
    part, padded = cut(path, circle), cut(path, circle, pad=True)
    assert part.overlap == padded.overlap == "partial"
    assert (part.box.y0, part.box.x0) == (0, 0)
    assert np.isnan(part.data[:, :3]).all()
    assert part.blanks == 3 * part.box.shape[0]
    assert padded.box.shape == (21, 21) == padded.data.shape
    np.testing.assert_array_equal(padded.data[10:, 10:], part.data)
    assert np.isnan(padded.data[:10]).all()
    sky = WCS(opened(padded, tmp_path)[1]).pixel_to_world(10.0, 10.0)
    assert sky.separation(corner).arcsec < 1e-6


@pytest.mark.parametrize(
    "region",
    [
        Circle(50.0, 40.0, 1.0),
        Circle(230.0, 30.0, 1.0),
        Range(51.0, 52.0, -30.0, -29.0),
        "CIRCLE 50 -29.5 0.1",
    ],
)
def test_an_empty_overlap_is_an_empty_value(region, tmp_path):
    path = tmp_path / "map.fits"
    made(path, (40, 50))
    part = cut(path, region)
    assert part.overlap == "none"
    assert part.empty
    assert part.data.size == part.size == 0
    with pytest.raises(RegionError, match="does not meet the map"):
        part.write(tmp_path / "cut.fits")
    assert not (tmp_path / "cut.fits").exists()


def test_a_box_may_touch_where_the_region_does_not(tmp_path):
    path = tmp_path / "map.fits"
    made(path, (40, 50))
    wcs = WCS(fits.getheader(path))
    beside = wcs.pixel_to_world(
        [-11.0, 8.0, -11.0], [-1.0, -20.0, -20.0]
    )  # a triangle whose long side passes by
    triangle = Polygon(tuple(zip(beside.ra.deg.tolist(), beside.dec.deg.tolist(), strict=True)))
    assert cut(path, triangle).overlap == "none"


def test_a_region_smaller_than_a_pixel_is_that_pixel(tmp_path):
    path = tmp_path / "map.fits"
    data = made(path, (40, 50))
    at = WCS(fits.getheader(path)).pixel_to_world(20.2, 10.1)
    part = cut(path, Circle(float(at.ra.deg), float(at.dec.deg), 1e-4))
    assert (part.overlap, part.data.tolist()) == ("full", [[data[10, 20]]])


def test_a_region_beyond_the_horizon_of_the_map_is_what_the_map_has_of_it(tmp_path):
    path = tmp_path / "map.fits"
    data = made(path, (40, 50), projection="TAN", scale=1.0)
    part = cut(path, Range(0.0, 360.0, -90.0, 90.0))
    assert part.overlap == "partial"
    np.testing.assert_array_equal(part.data, data)


CUBE = {"CTYPE3": "FREQ", "CRVAL3": 1.4e9, "CRPIX3": 1.0, "CDELT3": 1e6, "CUNIT3": "Hz"}
CUBE |= {"CTYPE4": "STOKES", "CRVAL4": 1.0, "CRPIX4": 1.0, "CDELT4": 1.0}
LIGHT = 299792458.0


def test_all_four_axes_are_kept(tmp_path):
    path = tmp_path / "cube.fits"
    data = made(path, (4, 10, 20, 30), **CUBE)
    band = (LIGHT / 1.4061e9, LIGHT / 1.4034e9)
    part = cut(path, Box(5, 12, 3, 9), band=band, pol=["I", "U"])
    pixels, head = opened(part, tmp_path)
    np.testing.assert_array_equal(pixels, data[::2, 3:7, 5:12, 3:9])
    assert pixels.shape == part.shape == (2, 4, 7, 6)
    wcs = WCS(head)
    assert wcs.pixel_to_world_values(0, 0, 0, 1)[2:] == pytest.approx((1.403e9, 3.0))
    assert (head["NAXIS4"], head["CDELT4"]) == (2, 2.0)


def test_three_axes_and_velocities(tmp_path):
    path = tmp_path / "cube.fits"
    line = {
        "CTYPE3": "VRAD",
        "CRVAL3": 1e6,
        "CRPIX3": 1.0,
        "CDELT3": -5e3,
        "CUNIT3": "m/s",
        "RESTFRQ": 1.420405752e9,
    }
    data = made(path, (10, 20, 30), **line)
    part = cut(path, velocity=(969e3, 986e3))
    np.testing.assert_array_equal(part.data, data[3:7])
    assert part.header["CRPIX3"] == -2.0
    rest = LIGHT / 1.420405752e9
    edges = [rest / (1.0 - v / LIGHT) for v in (969e3, 986e3)]
    assert cut(path, band=(edges[0], edges[1])).shape == part.shape
    np.testing.assert_array_equal(cut(path, channels=(8, 99)).data, data[8:])
    assert cut(path, channels=(10, 12)).empty
    assert cut(path, band=(0.5, np.inf)).empty


def test_a_map_of_one_frequency_is_inside_its_band_alone(tmp_path):
    path = tmp_path / "map.fits"
    made(path, (20, 30), RESTFRQ=1.4e9)
    assert not cut(path, band=(0.2, 0.25)).empty
    assert cut(path, band=(0.1, 0.2)).empty
    assert not cut(path, pol=["I", "Q"]).empty
    assert cut(path, pol=["V"]).empty


def test_the_beams_of_the_planes_go_with_them(tmp_path):
    path = tmp_path / "cube.fits"
    head = header((6, 20, 30), (50.0, -30.0), **{key: CUBE[key] for key in CUBE if key.endswith("3")})
    del head["BMAJ"], head["BMIN"], head["BPA"]
    head["CASAMBM"] = True
    beams = fits.BinTableHDU.from_columns(
        [
            fits.Column("BMAJ", "1E", "arcsec", array=np.arange(10.0, 16.0)),
            fits.Column("BMIN", "1E", "arcsec", array=np.full(6, 8.0)),
            fits.Column("BPA", "1E", "deg", array=np.zeros(6)),
            fits.Column("CHAN", "1J", array=np.arange(6)),
            fits.Column("POL", "1J", array=np.zeros(6, int)),
        ],
        name="BEAMS",
    )
    beams.header["NCHAN"] = 6
    data = np.zeros((6, 20, 30), np.float32)
    fits.HDUList([fits.PrimaryHDU(data, head), beams]).writeto(path)
    part = cut(path, channels=(2, 4))
    assert part.write(tmp_path / "cut.fits").stat().st_size == part.size
    with fits.open(tmp_path / "cut.fits") as hdus:
        hdus.verify("exception")
        assert hdus[0].data.shape == (3, 20, 30)
        assert hdus["BEAMS"].data["BMAJ"].tolist() == [12.0, 13.0, 14.0]
        assert hdus["BEAMS"].data["CHAN"].tolist() == [0, 1, 2]
        assert hdus["BEAMS"].header["NCHAN"] == 3


def test_scaled_and_packed_maps_are_cut_as_they_are_read(tmp_path):
    data = np.arange(40 * 50, dtype=np.int16).reshape(40, 50)
    plain = fits.PrimaryHDU(data, header((40, 50), (50.0, -30.0)))
    plain.header["BSCALE"], plain.header["BZERO"], plain.header["BLANK"] = 0.5, 3.0, 7
    plain.writeto(tmp_path / "scaled.fits")
    with fits.open(tmp_path / "scaled.fits", mode="update", do_not_scale_image_data=True) as hdus:
        hdus[0].header["BLANK"] = 7
    part = cut(tmp_path / "scaled.fits", Box(0, 4, 0, 9))
    pixels, head = opened(part, tmp_path)
    assert np.isnan(pixels[0, 7])
    assert pixels[1, 0] == 28.0
    assert "BSCALE" not in head
    assert "BLANK" not in head
    image = fits.CompImageHDU(
        np.arange(2000, dtype=np.float32).reshape(40, 50), header((40, 50), (50.0, -30.0))
    )
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(tmp_path / "packed.fits")
    pixels, head = opened(cut(tmp_path / "packed.fits", Box(10, 14, 5, 9)), tmp_path)
    assert head["CRPIX1"] == 20.5
    assert not [key for key in head if key.startswith(("Z", "TFORM", "PCOUNT"))]
    np.testing.assert_allclose(pixels, (np.arange(10, 14)[:, None] * 50 + np.arange(5, 9)), atol=2.0)


def test_long_cards_comments_and_history_are_kept(tmp_path):
    path = tmp_path / "map.fits"
    long = "a text that is far longer than the sixty-eight characters that a card of FITS holds, told twice"
    made(path, (20, 30), OBSERVER=long, DATAMAX=1.0, CRPIX1A=3.0, LTV1=0.0)
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["HISTORY"] = "made by hand"
        hdus[0].header.comments["CRPIX1"] = "where it is"
        hdus[0].header["HIERARCH ESO OBS NAME"] = "a name"
    _, head = opened(cut(path, Box(2, 8, 4, 9)), tmp_path)
    assert head["OBSERVER"] == long
    assert head["ESO OBS NAME"] == "a name"
    assert head.comments["CRPIX1"] == "where it is"
    assert (head["CRPIX1"], head["CRPIX1A"], head["LTV1"], head["CRPIX2"]) == (11.5, -1.0, -4.0, 8.5)
    assert "DATAMAX" not in head
    assert "made by hand" in list(head["HISTORY"])
    assert "cut from map.fits, a box of pixels" in "".join(head["HISTORY"])


def test_bad_requests_are_told_in_one_line(tmp_path):
    path = tmp_path / "map.fits"
    made(path, (4, 20, 30), CTYPE3="VELO-LSR", CRVAL3=0.0, CDELT3=1e3, CRPIX3=1.0)
    with pytest.raises(OptionError, match="no such polarisation: got 'K'"):
        cut(path, pol=["K"])
    with pytest.raises(OptionError, match="not in order"):
        cut(path, channels=(3, 1))
    with pytest.raises(OptionError, match="cannot be told by wavelength"):
        cut(path, band=(0.1, 0.2))
    with pytest.raises(RegionError, match="most of it would be blank"):
        cut(path, Circle(50.0, -30.0, 60.0), pad=True)
    fits.writeto(tmp_path / "bare.fits", np.zeros((5, 5), np.float32))
    with pytest.raises(HeaderError, match="no place on the sky"):
        cut(tmp_path / "bare.fits", Circle(50.0, -30.0, 1.0))
    assert cut(tmp_path / "bare.fits", Box(1, 3, 1, 4)).shape == (2, 3)


def test_real_maps_are_cut_in_both_frames(data_folder, tmp_path):
    part = cut(data_folder / "multiwave" / "gc_msx_e.fits", Circle(0.1, -0.05, 0.1), system="GALACTIC")
    pixels, head = opened(part, tmp_path)
    place = WCS(head).celestial.pixel_to_world(pixels.shape[1] / 2 - 0.5, pixels.shape[0] / 2 - 0.5)
    assert place.separation(SkyCoord(0.1, -0.05, unit="deg", frame="galactic")).arcsec < 10
    sumss = cut(data_folder / "continuum" / "SUMSS_J0318M36.fits", Circle(50.67, -37.2, 0.3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the map has a BLANK that its numbers cannot be
        with fits.open(data_folder / "continuum" / "SUMSS_J0318M36.fits", memmap=False) as hdus:
            whole = hdus[0].data
    np.testing.assert_array_equal(sumss.data, whole[sumss.box.slices()])
