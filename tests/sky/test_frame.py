"""Frames against astropy: projections, systems, angles at the source, beams in pixels."""

from __future__ import annotations

import math
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from skysift.base.errors import HeaderError, UsageError
from skysift.sky.beam import Beam
from skysift.sky.box import Box
from skysift.sky.frame import Frame

PROJECTIONS = ("SIN", "TAN", "NCP", "ZEA", "CAR", "AIT")
SYSTEMS = {
    "ICRS": {"RADESYS": "ICRS"},
    "FK5": {"EQUINOX": 2000.0},
    "FK4": {"EQUINOX": 1950.0},
    "Galactic": {},
}


def cards(
    projection: str = "SIN",
    system: str = "ICRS",
    lon: float = 150.0,
    lat: float = -30.0,
    step: tuple[float, float] = (-2.0, 2.0),
    turn: float = 0.0,
    shape: tuple[int, int] = (90, 120),
    **more: float,
) -> dict[str, str | float]:
    """A header of pixels of `step` arcsec about its middle."""
    kinds = ("GLON", "GLAT") if system == "Galactic" else ("RA", "DEC")
    made: dict[str, str | float] = {
        f"CTYPE{i + 1}": f"{kind}{'-' * (5 - len(kind))}{projection}" for i, kind in enumerate(kinds)
    }
    made |= {"CRVAL1": lon, "CRVAL2": lat, "CDELT1": step[0] / 3600, "CDELT2": step[1] / 3600}
    made |= {"CRPIX1": shape[1] / 2, "CRPIX2": shape[0] / 2, **SYSTEMS[system]}
    if turn:
        c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        made |= {"PC1_1": c, "PC1_2": -s, "PC2_1": s, "PC2_2": c}
    return {**made, **more}


def frame(*args, shape=(90, 120), **kwargs) -> Frame:
    return Frame.from_cards(cards(*args, shape=shape, **kwargs), shape)


@st.composite
def frames(draw) -> Frame:
    projection = draw(st.sampled_from(PROJECTIONS))
    system = draw(st.sampled_from(sorted(SYSTEMS)))
    lat = draw(st.one_of(st.floats(-89.9, 89.9), st.sampled_from([-90.0, 90.0, 0.0])))
    assume(projection != "NCP" or abs(lat) > 20)
    lon = draw(st.one_of(st.floats(0.0, 360.0), st.sampled_from([0.0, 359.9999, -101.0])))
    size = draw(st.sampled_from([0.05, 2.0, 60.0]))
    step = (-size if draw(st.booleans()) else size, size * draw(st.sampled_from([1.0, 1.7])))
    return frame(projection, system, lon, lat, step, draw(st.sampled_from([0.0, 25.0, 180.0])))


POSITIONS = st.lists(st.tuples(st.floats(-0.5, 119.5), st.floats(-0.5, 89.5)), min_size=1, max_size=5)


@settings(deadline=None, max_examples=150)
@given(frames(), POSITIONS)
def test_pixel_to_sky_and_back(made, positions):
    x, y = np.array(positions).T
    ra, dec = made.to_sky(x, y)
    assert np.isfinite(ra).all()
    assert ((ra >= 0) & (ra < 360) & (np.abs(dec) <= 90)).all()
    back = made.to_pixel(ra, dec)
    # a position in degrees is good to 1e-13 of a turn or so, which is more of a pixel where pixels are small
    tolerance = 1e-7 + 3e-9 / min(made.scale)
    if made.projection == "NCP":
        tolerance += 1e-5 / min(made.scale)  # wcslib's inverse of a tilted plane is good to microarcseconds
    if made.name == "FK4":
        tolerance += 1e-4 / min(made.scale)  # the e-terms are undone to a fraction of a milliarcsecond
    assert np.allclose(back, (x, y), rtol=0, atol=tolerance)


@settings(deadline=None, max_examples=60)
@given(frames(), POSITIONS)
def test_positions_are_those_of_astropy(made, positions):
    x, y = np.array(positions).T
    ra, dec = made.to_sky(x, y)
    theirs = made.wcs.pixel_to_world(x, y).icrs
    assert theirs.separation(SkyCoord(ra, dec, unit="deg")).arcsec.max() < 1e-5


@settings(deadline=None, max_examples=100)
@given(frames(), POSITIONS)
def test_tangent_is_the_offset_of_astropy(made, positions):
    x, y = np.array(positions).T
    matrices = made.tangent(x, y)
    assert matrices.shape == (x.size, 2, 2)
    h = 1.0 / max(made.scale)  # steps of an arcsecond
    for axis, (dx, dy) in enumerate(((h, 0.0), (0.0, h))):
        there = SkyCoord(*made.to_sky(x + dx, y + dy), unit="deg")
        back = SkyCoord(*made.to_sky(x - dx, y - dy), unit="deg")
        ra, dec = made.to_sky(x, y)
        here = SkyCoord(ra, dec, unit="deg")
        for i in range(x.size):
            if 90 - abs(dec[i]) < 0.01:
                continue  # the offset's own frame turns within the step there; see the test at the pole
            ahead, behind = (here[i].spherical_offsets_to(other[i]) for other in (there, back))
            expected = [(ahead[k].arcsec - behind[k].arcsec) / (2 * h) for k in (0, 1)]
            assert matrices[i, :, axis] == pytest.approx(expected, abs=1e-4 * max(made.scale))


@pytest.mark.parametrize("projection", ["SIN", "TAN", "ZEA", "NCP", "AIT"])
@pytest.mark.parametrize("pole", [-90.0, 90.0])
def test_north_near_and_at_the_pole(projection, pole):
    if projection == "NCP":
        made = frame("NCP", lat=pole * 0.9999)
    else:
        made = frame(projection, lat=pole)
    x, y = made.to_pixel([150.0, 150.0, 240.0, 33.0], [pole, pole * 0.99999, pole * 0.99998, pole * 0.9999])
    x[0] += 1e-3  # at the pole itself every direction is south (or north)
    for matrix, px, py in zip(made.tangent(x, y), x, y, strict=True):
        # a step of a pixel to the north, by the inverse, really goes north
        step = np.linalg.solve(matrix, [0.0, 1e-3])
        ra0, dec0 = made.to_sky(px, py)
        ra1, dec1 = made.to_sky(px + step[0], py + step[1])
        assert (dec1 - dec0) * 3600 == pytest.approx(1e-3, rel=1e-3)
        around = (ra1 - ra0 + 180) % 360 - 180
        assert abs(around * math.cos(math.radians(float(dec0)))) * 3600 < 1e-5


def test_angle_at_the_source_of_a_galactic_map():
    made = frame("CAR", "Galactic", lon=0.0, lat=0.0)
    x, y = 59.0, 44.0
    matrix = made.tangent([x], [y])[0]
    up = math.degrees(math.atan2(matrix[0, 1], matrix[1, 1]))  # image +y, from ICRS north through east
    here = SkyCoord(0.0, 0.0, unit="deg", frame="galactic")
    expected = here.icrs.position_angle(SkyCoord(0.0, 1e-4, unit="deg", frame="galactic").icrs).deg
    assert up % 360 == pytest.approx(expected, abs=1e-3)
    assert expected == pytest.approx(301.4, abs=0.1)  # galactic north at the Galactic centre


def test_right_ascension_wraps():
    made = frame(lon=359.9999, lat=20.0)
    ra, _ = made.to_sky([0.0, 119.0], [45.0, 45.0])
    assert ra[0] < 1.0
    assert ra[1] > 359.0
    assert made.to_pixel(ra - 360.0, [20.0, 20.0])[0] == pytest.approx([0.0, 119.0], abs=0.01)


def test_a_crop_of_a_plate_carree_far_from_its_reference_point():
    whole = frame("CAR", "Galactic", lon=0.0, lat=0.0, step=(-360.0, 360.0), shape=(1800, 3600))
    for x0 in (0, 1700, 3500):
        part = whole.crop(Box(700, 800, x0, x0 + 100))
        ra, dec = part.to_sky([3.0, 97.0], [5.0, 50.0])
        assert np.allclose((ra, dec), whole.to_sky([x0 + 3.0, x0 + 97.0], [705.0, 750.0]))
        x, y = part.to_pixel(ra, dec)
        assert x == pytest.approx([3.0, 97.0])
        assert y == pytest.approx([5.0, 50.0])
    beyond = Frame.from_cards(
        cards("CAR", "Galactic", lon=0.0, lat=0.0, step=(-360, 360), CRPIX1=3000.0), (90, 120)
    )
    assert beyond.to_pixel(*beyond.to_sky(7.0, 8.0)) == pytest.approx((7.0, 8.0))
    assert np.isnan(whole.to_sky(5.0, 5000.0)).all()  # beyond the pole


def test_outside_the_projection_is_nan():
    made = frame("SIN", lat=40.0, step=(-3600.0, 3600.0))
    ra, dec = made.to_sky([60.0, 1000.0, np.nan], [45.0, 45.0, 3.0])
    assert np.isfinite(ra[0])
    assert np.isnan(ra[1:]).all()
    assert np.isnan(dec[1:]).all()
    assert np.isnan(made.to_pixel(made.to_sky(60, 45)[0] + 180, -40.0)).all()  # behind the sky
    assert np.isnan(made.tangent([1000.0], [45.0])).all()
    assert np.isnan(made.to_sky(np.nan, np.nan)).all()


def test_shapes_of_positions_are_kept():
    made = frame()
    assert made.to_sky(1.0, 2.0)[0].shape == ()
    assert made.to_sky(np.zeros((2, 3)), 1.0)[1].shape == (2, 3)
    assert made.to_sky([], [])[0].shape == (0,)
    assert made.tangent([], []).shape == (0, 2, 2)
    assert made.beam_covariance(Beam(9, 6), [], []).shape == (0, 3)


def test_non_square_pixels():
    made = frame(step=(-11.0, 19.0))
    assert made.scale == pytest.approx((19.0, 11.0))
    assert made.tangent([59.0], [44.0])[0] == pytest.approx(np.diag([-11.0, 19.0]), abs=1e-6)


def test_a_mirrored_map_and_exchanged_axes():
    assert frame(step=(-2.0, 2.0)).parity == 1
    assert frame(step=(2.0, 2.0)).parity == -1
    swapped = dict(cards(), CTYPE1="DEC--SIN", CTYPE2="RA---SIN", CRVAL1=-30.0, CRVAL2=150.0)
    made = Frame.from_cards({**swapped, "CDELT1": 2 / 3600, "CDELT2": 3 / 3600}, (90, 120))
    assert made.to_sky(59.0, 44.0) == pytest.approx((150.0, -30.0))
    assert made.tangent([59.0], [44.0])[0] == pytest.approx(np.array([[0.0, 3.0], [2.0, 0.0]]), abs=1e-6)
    assert made.scale == pytest.approx((3.0, 2.0))
    assert made.to_pixel(150.001, -30.0)[1] > 44.0


@pytest.mark.parametrize("step", [(-2.0, 2.0), (2.0, 2.0), (-2.0, 3.4)])
@pytest.mark.parametrize("turn", [0.0, 30.0])
def test_beam_in_the_image_plane_counts_from_plus_y_to_east(step, turn):
    made = frame(step=step, turn=turn)
    beam = Beam(12.0, 6.0, 30.0)
    x, y = np.array([59.0, 0.0, 119.0]), np.array([44.0, 0.0, 89.0])
    found = made.beam_covariance(beam, x, y)
    assert (found == found[0]).all()
    plane = 3600 * made.wcs.pixel_scale_matrix  # pixel -> (east, north)
    up = math.atan2(plane[0, 1], plane[1, 1])  # the image's +y, north through east
    along = up + math.radians(30.0)
    axis = np.linalg.solve(plane, [math.sin(along), math.cos(along)])
    matrix = np.array([[found[0, 0], found[0, 1]], [found[0, 1], found[0, 2]]])
    # a Gaussian falls to a half at its FWHM / 2 along the major axis
    distance = axis * 6.0
    assert distance @ np.linalg.inv(matrix) @ distance == pytest.approx(2 * math.log(2.0))


@settings(deadline=None, max_examples=40)
@given(frames(), st.floats(0.0, 180.0))
def test_beam_on_the_sky_is_the_same_ellipse_on_the_sky(made, pa):
    assume(made.name != "Galactic" and made.name != "FK4")
    beam = Beam(7 * max(made.scale), 4 * max(made.scale), pa)
    sky = made.with_beam_plane("sky")
    x, y = np.array([0.0, 60.0]), np.array([3.0, 45.0])
    assume(np.abs(made.to_sky(x, y)[1]).max() < 89.0)  # FK5's pole is not that of ICRS
    for matrix, (xx, xy, yy) in zip(made.tangent(x, y), sky.beam_covariance(beam, x, y), strict=True):
        there = matrix @ np.array([[xx, xy], [xy, yy]]) @ matrix.T
        assert there == pytest.approx(beam.to_covariance(), rel=1e-3, abs=1e-4 * beam.major**2)


def test_beam_plane_follows_the_projection():
    for projection in ("SIN", "TAN", "NCP"):
        assert frame(projection).beam_plane == "image"
    for projection in ("ZEA", "CAR", "AIT"):
        assert frame(projection).beam_plane == "sky"
    assert Frame.from_cards(cards("CAR"), (90, 120), beam_plane="image").beam_plane == "image"
    centre = frame("SIN").beam_covariance(Beam(10, 5, 20), [59.0], [44.0])
    on_sky = frame("SIN").with_beam_plane("sky").beam_covariance(Beam(10, 5, 20), [59.0], [44.0])
    assert centre == pytest.approx(on_sky, rel=1e-6)  # at the reference point both are one


def test_beam_sizes_in_pixels():
    made = frame(step=(-2.0, 4.0))
    assert made.beam_pixels(Beam(12.0, 8.0, 0.0)) == pytest.approx((4.0, 3.0))
    assert made.beam_area_pixels(Beam(12.0, 8.0, 0.0)) == pytest.approx(Beam(12.0, 8.0).area / 8.0)
    assert made.beam_width_pixels(Beam(12.0, 8.0, 0.0)) == pytest.approx(np.sqrt(12.0 * 8.0 / 8.0))


@settings(deadline=None, max_examples=50)
@given(frames(), st.integers(-50, 100), st.integers(-50, 100))
def test_crop_moves_the_pixels_only(made, y0, x0):
    box = Box(y0, y0 + 20, x0, x0 + 30)
    part = made.crop(box)
    assert part.shape == (20, 30)
    ra, dec = made.to_sky([float(x0), x0 + 29.0], [float(y0), y0 + 19.0])
    found = part.to_sky([0.0, 29.0], [0.0, 19.0])
    assert np.allclose(found[1], dec, rtol=0, atol=1e-9, equal_nan=True)
    assert np.allclose((found[0] - ra + 180) % 360, 180, rtol=0, atol=1e-6, equal_nan=True)
    assert part.scale == made.scale


@settings(deadline=None, max_examples=50)
@given(frames())
def test_a_frame_is_a_value(made):
    again = pickle.loads(pickle.dumps(made))
    assert again == made
    assert hash(again) == hash(made)
    assert Frame.from_cards(dict(made.cards), made.shape, beam_plane=made.beam_plane) == made
    assert made.crop(Box(0, 10, 0, 10)) != made
    assert made.projection in repr(made)


def test_a_frame_of_an_astropy_wcs():
    wcs = WCS(naxis=3)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN", "FREQ"]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = [10, 20, 1e9], [1, 1, 1], [-0.001, 0.001, 1e6]
    made = Frame.from_wcs(wcs, (30, 40))
    assert made.to_sky(0, 0) == pytest.approx((10.0, 20.0))
    assert made.scale == pytest.approx((3.6, 3.6))
    with pytest.raises(HeaderError, match="celestial"):
        Frame.from_wcs(WCS(naxis=2), (30, 40))


def test_ncp_is_told_from_a_plain_sin():
    made = frame("NCP", lat=60.0)
    assert made.projection == "NCP"
    assert dict(made.cards)["CTYPE1"] == "RA---SIN"
    assert dict(made.cards)["PV2_2"] == pytest.approx(1 / math.tan(math.radians(60.0)))


@pytest.mark.parametrize(
    "change",
    [
        {"CRVAL2": 91.0},
        {"CDELT1": 0.0},
        {"CTYPE1": "RA---XYZ", "CTYPE2": "DEC--XYZ"},
        {"CTYPE1": "LINEAR"},
        {"RADESYS": "FK6"},
    ]
    + [{"CTYPE1": "RA---NCP", "CTYPE2": "DEC--NCP", "CRVAL2": 0.0}],
)
def test_cards_that_make_no_projection_are_refused(change):
    with pytest.raises(HeaderError):
        Frame.from_cards(cards() | change, (90, 120))


def test_a_map_without_place_on_the_sky():
    made = Frame.pixels_only((30, 40), (3.0, 2.0))
    assert not made.celestial
    assert made.name == made.projection == "pixel"
    assert np.isnan(made.to_sky([1.0], [2.0])).all()
    assert np.isnan(made.to_pixel(1.0, 2.0)).all()
    assert made.tangent([1.0], [1.0])[0].tolist() == [[-2.0, 0.0], [0.0, 3.0]]
    assert made.beam_pixels(Beam(12.0, 8.0, 90.0)) == pytest.approx((6.0, 8 / 3))
    assert made.crop(Box(0, 5, 0, 6)).shape == (5, 6)
    with pytest.raises(UsageError, match="celestial"):
        _ = made.wcs
    with pytest.raises(UsageError, match="size"):
        Frame.pixels_only((30, 40), (0.0, 2.0))


def test_threads_get_the_same_positions():
    made = [frame(p, s) for p in PROJECTIONS for s in ("ICRS", "Galactic")]
    x, y = np.random.default_rng(1).uniform(0, 90, (2, 500))
    alone = [each.to_sky(x, y) for each in made]

    def again(_: int) -> bool:
        return all(np.array_equal(each.to_sky(x, y), one) for each, one in zip(made, alone, strict=True))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(again, range(40)))


@settings(deadline=None, max_examples=30)
@given(frames())
def test_a_position_does_not_depend_on_its_company(made):
    x, y = np.random.default_rng(2).uniform(0, 90, (2, 37))
    together = [*made.to_sky(x, y), made.tangent(x, y), made.beam_covariance(Beam(9, 7, 5), x, y)]
    for i in (0, 17, 36):
        alone = [*made.to_sky(x[i : i + 1], y[i : i + 1]), made.tangent(x[i], y[i])]
        alone.append(made.beam_covariance(Beam(9, 7, 5), x[i], y[i]))
        assert all(np.array_equal(one[0], many[i]) for one, many in zip(alone, together, strict=True))
