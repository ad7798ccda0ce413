"""Stamps of one source: flux is conserved through units, beams and grids; blanks stay blank; the beam is what it says."""

import math

import numpy as np
import pytest
from tests.stamps.surveys import survey

from skysift.sky.beam import Beam
from skysift.stamps import prepare
from skysift.stamps.making import Place, grid_scale, make_stamp
from skysift.stamps.options import StampsOptions
from skysift.stamps.prepare import Neighbours
from skysift.stamps.quality import names_of, quality
from skysift.stamps.surveys import of_maps

RA, DEC = 180.0, -30.0
ONE = [(RA, DEC, 1.0)]
HERE = Place("one", RA, DEC)


def stamp(path, *, options=None, scale=1.8, place=HERE, around=None, bands=None, **menu):
    asked = StampsOptions(**({"radius": 200.0} | menu))
    bands = of_maps([str(path)] if not isinstance(path, list) else [str(each) for each in path], options)
    return make_stamp(place, bands, asked, scale or grid_scale(bands, asked), around)


def flux(layer):
    """Jy in a layer of Jy/beam or Jy/pixel."""
    total = float(np.nansum(layer.data, dtype=np.float64))
    return total if layer.unit == "Jy/pixel" else total * layer.frame.pixel_area / layer.beam.area


def shape_of(layer):
    """The beam that the moments of a layer tell (arcsec, deg)."""
    data = np.where(np.isfinite(layer.data), layer.data, 0.0).astype(np.float64)
    y, x = np.mgrid[: data.shape[0], : data.shape[1]]
    sy, sx = layer.frame.scale
    total = data.sum()
    mx, my = (data * x).sum() / total, (data * y).sum() / total
    east, north = -(x - mx) * sx, (y - my) * sy
    moments = [(data * a * b).sum() / total for a, b in ((east, east), (east, north), (north, north))]
    return Beam.from_covariance(np.array([[moments[0], moments[1]], [moments[1], moments[2]]]))


def test_one_jansky_from_a_narrow_to_a_wide_beam_stays_one_jansky(tmp_path):
    survey(tmp_path / "m.fits", ONE)
    made = stamp(tmp_path / "m.fits", beam=(15.0, 12.0, 30.0))
    (layer,) = made.layers
    assert flux(layer) == pytest.approx(1.0, abs=5e-5)
    assert np.nanmax(layer.data) == pytest.approx(1.0, abs=2e-3)  # the middle lies between four pixels
    seen = shape_of(layer)
    assert (seen.major, seen.minor, seen.pa) == pytest.approx((15.0, 12.0, 30.0), abs=0.02)
    assert (layer.beam, layer.unit, layer.flags) == (Beam(15.0, 12.0, 30.0), "Jy/beam", 0)
    assert f"{flux(layer):.4f}" == "1.0000"


@pytest.mark.parametrize(
    "where",
    [
        {"projection": "TAN", "rotation": 33.0},
        {"projection": "SIN", "scale": 1.1},
        {"projection": "TAN", "mirrored": True},
        {
            "projection": "CAR",
            "axes": ("GLON", "GLAT"),
            "centre": (289.84, 31.56),
            "scale": 2.0,
            "shape": (500, 500),
        },
    ],
)
@pytest.mark.parametrize("method", ["interpolate", "adaptive", "exact"])
def test_flux_and_beam_do_not_depend_on_the_grid_of_the_map(where, method, tmp_path):
    if method == "exact" and "axes" in where:
        pytest.skip("areas of 500 x 500 pixels take seconds; the other methods show the frame")
    survey(tmp_path / "m.fits", [(179.99, -30.01, 1.0)], **({"shape": (400, 400)} | where))
    exactly = method == "interpolate"  # averages over pixels widen a little
    asked = {"beam": (15.0, 12.0, 30.0), "radius": 90.0, "method": method}
    (layer,) = stamp(tmp_path / "m.fits", place=Place("x", 179.99, -30.01), scale=None, **asked).layers
    assert flux(layer) == pytest.approx(1.0, abs=2e-4 if exactly else 2e-3)
    seen = shape_of(layer)
    assert (seen.major, seen.minor) == pytest.approx((15.0, 12.0), abs=0.05 if exactly else 0.9)
    assert seen.pa == pytest.approx(30.0, abs=0.2 if exactly else 2.0)


WAVE = 1.4e9
UNITS = {
    "mJy/beam": lambda beam, pixel: beam.area * 1e3,
    "Jy/pixel": lambda beam, pixel: pixel,
    "MJy/sr": lambda beam, pixel: (180 / math.pi * 3600) ** 2 * 1e-6,
    "K": lambda beam, pixel: (
        (180 / math.pi * 3600) ** 2 * 1e-26 * 299792458.0**2 / (2 * 1.380649e-23 * WAVE**2)
    ),
}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("wanted", ["Jy/beam", "Jy/pixel", "keep"])
def test_units_keep_flux(unit, wanted, tmp_path):
    survey(tmp_path / "m.fits", ONE, unit=unit, value=UNITS[unit], RESTFRQ=WAVE)
    (layer,) = stamp(
        tmp_path / "m.fits", units=wanted, beam=(12.0, 10.0, 0.0), options={"frequency": WAVE}
    ).layers
    assert layer.unit == (unit if wanted == "keep" else wanted)
    if wanted == "keep":
        per = UNITS[unit](layer.beam, layer.frame.pixel_area)
        total = np.nansum(layer.data, dtype=float) * layer.frame.pixel_area / per
    else:
        total = flux(layer)
    assert total == pytest.approx(1.0, abs=2e-4)


def test_counts_of_known_surveys_are_calibrated(tmp_path):
    counts = {"unit": "DN", "value": lambda beam, pixel: pixel / 1.9350e-6}
    survey(tmp_path / "m.fits", ONE, tell_beam=False, beam=(6.1, 6.1, 0.0), **counts)
    (layer,) = stamp(tmp_path / "m.fits", options={"like": "wise_3_4"}).layers
    assert (layer.beam.major, layer.beam.minor) == pytest.approx((6.1, 6.1))
    assert layer.frequency == pytest.approx(8.817e13, rel=1e-3)
    assert flux(layer) == pytest.approx(1.0, abs=2e-4)


def test_blanks_stay_blank_and_spoil_nothing_else(tmp_path):
    from astropy.io import fits

    data = survey(tmp_path / "m.fits", ONE)
    data[:, 200:] = np.nan
    fits.update(tmp_path / "m.fits", data.astype(np.float32), fits.getheader(tmp_path / "m.fits"), 0)
    made = stamp(tmp_path / "m.fits", beam=(15.0, 12.0, 30.0), pixels=200)
    (layer,) = made.layers
    assert np.isnan(layer.data[:, 150:]).all()
    assert np.isfinite(layer.data[:, :149]).all()
    assert flux(layer) == pytest.approx(1.0, abs=1e-4)
    assert names_of(layer.flags) == "blank"
    assert layer.coverage == pytest.approx(0.75, abs=0.01)


def test_bands_share_the_smallest_common_beam(tmp_path):
    beams = [(5.4, 5.4, 0.0), (9.0, 6.0, 40.0), (7.0, 6.5, 120.0)]
    paths = [tmp_path / f"{k}.fits" for k in range(3)]
    for path, beam in zip(paths, beams, strict=True):
        survey(path, ONE, beam=beam)
    made = stamp(paths, scale=1.5, pixels=120)
    assert made.beam.area < 1.1 * Beam(9.0, 7.0).area
    for layer, own in zip(made.layers, beams, strict=True):
        assert layer.beam == made.beam
        assert np.linalg.eigvalsh(made.beam.to_covariance() - Beam(*own).to_covariance())[0] > -0.01
        assert flux(layer) == pytest.approx(1.0, abs=2e-4)
        assert shape_of(layer).major == pytest.approx(made.beam.major, abs=0.05)
    assert all(layer.data.shape == (120, 120) for layer in made.layers)
    native = stamp(paths, scale=1.5, pixels=120, beam="native")
    assert [layer.beam.minor for layer in native.layers] == pytest.approx([5.4, 6.0, 6.5], abs=1e-6)


def test_a_beam_that_does_not_fit_is_told(tmp_path):
    survey(tmp_path / "m.fits", ONE, beam=(20.0, 10.0, 0.0))
    (layer,) = stamp(tmp_path / "m.fits", beam=(15.0, 15.0, 0.0)).layers
    assert names_of(layer.flags) == "wide_beam"
    assert layer.beam.major == pytest.approx(20.0)
    assert flux(layer) == pytest.approx(1.0, abs=2e-4)


@pytest.mark.parametrize("level", [0.02, -0.02])
@pytest.mark.parametrize("where", ["annulus", "border"])
@pytest.mark.parametrize("estimator", ["median", "sigmaclip"])
def test_backgrounds_of_either_sign_are_taken_off(level, where, estimator, tmp_path):
    beside = [(180.0, -30.0 + 66.0 / 3600, 0.2)]  # in the annulus
    survey(tmp_path / "m.fits", ONE + beside, extra=level, noise=1e-3)
    asked = {"background": where, "estimator": estimator, "radius": 60.0, "beam": "native", "factor": 2.0}
    (layer,) = stamp(tmp_path / "m.fits", **asked).layers
    assert layer.background == pytest.approx(level, abs=4e-3 if estimator == "median" else 1e-3)
    assert layer.noise == pytest.approx(1e-3, rel=0.3)


def test_a_background_that_cannot_be_measured_is_told(tmp_path):
    from astropy.io import fits

    data = survey(tmp_path / "m.fits", ONE, extra=0.1)
    data[:140] = np.nan
    fits.update(tmp_path / "m.fits", data.astype(np.float32), fits.getheader(tmp_path / "m.fits"), 0)
    (layer,) = stamp(tmp_path / "m.fits", background="annulus", radius=60.0, beam="native").layers
    assert "no_background" in names_of(layer.flags)
    assert math.isnan(layer.background)
    assert np.nanmin(layer.data) == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("fill", ["blank", "zero"])
def test_neighbours_are_masked_and_the_source_is_not(fill, tmp_path):
    other = (RA + 40.0 / 3600 / math.cos(math.radians(DEC)), DEC, 3.0)
    survey(tmp_path / "m.fits", [*ONE, other])
    around = Neighbours(np.array([other[0]]), np.array([other[1]]), np.zeros(1))
    made = stamp(tmp_path / "m.fits", around=around, mask=True, mask_fill=fill, mask_beams=6.0, beam="native")
    (layer,) = made.layers
    assert "masked" in names_of(layer.flags)
    assert flux(layer) == pytest.approx(1.0, abs=2e-3)
    assert np.isnan(layer.data).any() == (fill == "blank")
    close = Neighbours(np.array([RA]), np.array([DEC + 4.0 / 3600]), np.zeros(1))
    (layer,) = stamp(tmp_path / "m.fits", around=close, mask=True, beam="native", mask_beams=1.0).layers
    assert np.isfinite(layer.data[layer.data.shape[0] // 2, layer.data.shape[1] // 2])


def test_no_image_and_a_broken_one_spoil_their_own_band(tmp_path):
    survey(tmp_path / "a.fits", ONE)
    survey(tmp_path / "b.fits", ONE, centre=(10.0, 0.0))
    survey(tmp_path / "c.fits", ONE)
    bands = of_maps([str(tmp_path / f"{name}.fits") for name in "abc"])
    (tmp_path / "c.fits").unlink()
    made = make_stamp(HERE, bands, StampsOptions(), 1.8)
    assert [names_of(layer.flags) for layer in made.layers] == ["", "none", "failed"]
    assert "c.fits" in made.errors[0]
    assert not made.empty
    assert np.isnan(made.layers[1].data).all()


def test_the_size_of_pixels_is_a_quarter_of_the_common_beam(tmp_path):
    survey(tmp_path / "a.fits", ONE, beam=(12.0, 8.0, 0.0))
    survey(tmp_path / "b.fits", ONE)
    bands = of_maps([str(tmp_path / "a.fits"), str(tmp_path / "b.fits")])
    assert grid_scale(bands, StampsOptions()) == pytest.approx(2.0)
    assert grid_scale(bands, StampsOptions(beam="native")) == pytest.approx(1.8)
    assert grid_scale(bands, StampsOptions(scale=3.0)) == 3.0
    assert make_stamp(Place("x", RA, DEC, 30.0), bands, StampsOptions(), 2.0).layers[0].data.shape == (30, 30)


def test_native_pixels_are_those_of_the_map(tmp_path):
    data = survey(tmp_path / "m.fits", ONE)
    (layer,) = stamp(tmp_path / "m.fits", grid="native", beam="native", radius=30.0).layers
    ny, nx = layer.data.shape
    x, y = layer.frame.to_pixel(RA, DEC)
    middle = round(149.5 - float(x)), round(149.5 - float(y))
    np.testing.assert_allclose(
        layer.data, data[middle[1] : middle[1] + ny, middle[0] : middle[0] + nx], rtol=1e-5, atol=1e-30
    )


def test_the_frame_at_a_pole_is_that_of_the_sky(tmp_path):
    at = (77.0, 89.97)
    survey(tmp_path / "m.fits", [(*at, 1.0)], centre=(0.0, 90.0), projection="TAN", shape=(400, 400))
    (layer,) = stamp(
        tmp_path / "m.fits", place=Place("pole", *at), beam=(15.0, 12.0, 30.0), radius=60.0
    ).layers
    assert flux(layer) == pytest.approx(1.0, abs=3e-4)
    x, y = layer.frame.to_pixel(*at)
    assert (float(x), float(y)) == pytest.approx(
        ((layer.data.shape[1] - 1) / 2, (layer.data.shape[0] - 1) / 2)
    )


def test_the_common_beam_of_a_field_is_looked_for_once(tmp_path):
    beams = [(9.8, 5.8, 20.0), (6.1, 6.1, 0.0), (9.0, 6.0, 110.0)]
    paths = [tmp_path / f"{k}.fits" for k in range(3)]
    for path, beam in zip(paths, beams, strict=True):
        survey(path, [], beam=beam, scale=20.0, shape=(100, 100))
    bands = of_maps([str(path) for path in paths])
    prepare._common.cache_clear()
    places = [Place("x", RA + dx, DEC + dy) for dx in (-0.2, 0.0, 0.2) for dy in (-0.2, 0.0, 0.2)]
    made = [make_stamp(place, bands, StampsOptions(radius=30.0), 3.0) for place in places]
    assert prepare._common.cache_info().misses <= 2
    areas = [stamp.beam.area for stamp in made]
    assert np.ptp(areas) < 3e-3 * areas[0]
    assert all(layer.flags & quality("wide_beam") == 0 for stamp in made for layer in stamp.layers)
