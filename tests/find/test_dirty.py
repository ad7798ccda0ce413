"""Real maps are dirty: each finds what it can and says what was odd."""

import numpy as np
import pytest
from tests import images, skies
from tests.images import RMS, source, well_formed

import skysift
from skysift.base.errors import SkysiftError
from skysift.find.finding import Finding
from skysift.find.run import find
from skysift.sky.flags import has

SHAPE = (150, 180)
SOURCES = (source(50.2, 60.4, 0.05), source(120.7, 90.1, 0.1), source(90.0, 30.0, 0.2, 9.0, 5.0, 40.0))


def sky(*, beam_px=images.ROUND, noise="convolved", shape=SHAPE) -> np.ndarray:
    """Three sources on noise."""
    return images.painted(shape, *SOURCES, beam_px=beam_px, noise=noise).read()


def the_three(finding: Finding, tolerance: float = 0.3) -> None:
    """All three sources are there, with the right flux."""
    c = finding.catalogue.sources
    for one in SOURCES:
        near = np.hypot(c.x - one["x"], c.y - one["y"]) < 1.5
        assert near.sum() == 1
        assert c.flux[near][0] == pytest.approx(one["total"][0], rel=0.1, abs=5 * RMS * tolerance)


# -- pixels


def test_blank_borders_and_holes():
    data = sky()
    data[:12], data[:, -9:], data[100:130, 20:60], data[5::40, 3::40] = np.nan, np.nan, np.nan, np.nan
    the_three(well_formed(images.finding(images.image(data))))


def test_infinities():
    data = sky()
    data[20, 20], data[21, 25], data[110:115, 150:155] = np.inf, -np.inf, np.inf
    the_three(well_formed(images.finding(images.image(data))))


def test_a_border_of_zeros():
    data = sky()
    data[:20] = data[-20:] = 0
    data[:, :30] = data[:, -30:] = 0
    finding = well_formed(images.finding(images.image(data)))
    the_three(finding)
    assert len(finding.catalogue.sources) == 3


def test_only_a_disc_of_the_map_has_data():
    data = sky()
    y, x = np.indices(SHAPE)
    data[np.hypot(y - 70, x - 90) > 62] = np.nan
    the_three(well_formed(images.finding(images.image(data))))


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e12, 1e30])
def test_any_scale(scale):
    plain = images.finding(images.image(sky())).catalogue.components
    finding = well_formed(images.finding(images.image(sky().astype(float) * scale)))
    c = finding.catalogue.components
    assert len(c) == len(plain)
    for name in ("flux", "flux_err", "flux_int_err", "flux_peak", "rms"):
        np.testing.assert_allclose(c[name] / scale, plain[name], rtol=1e-3)
    for name in ("x", "y", "major", "snr", "x_err"):
        np.testing.assert_allclose(c[name], plain[name], rtol=1e-3)


@pytest.mark.parametrize("value", [1e30, 3e38, -1e30])
def test_one_absurd_pixel(value):
    data = sky()
    data[130, 20] = value
    finding = well_formed(images.finding(images.image(data)))
    the_three(finding)
    odd = finding.catalogue.components.snr > 1e10
    assert odd.sum() == (1 if value > 0 else 0)


def test_few_different_values():
    """Coarsely quantised pixels, as of short integers scaled badly."""
    data = np.round(sky() / (0.5 * RMS)) * (0.5 * RMS)
    the_three(well_formed(images.finding(images.image(data))), 1.0)


def test_noise_of_zero_almost_everywhere():
    """A model map: points on an empty sky has no noise to be measured against."""
    data = np.zeros(SHAPE, np.float32)
    data[50, 60] = data[90, 100] = 1.0
    finding = images.finding(images.image(data))
    assert len(finding.catalogue) == 0
    assert any("no noise" in note for note in finding.notes)


def test_a_map_of_gaussians_without_noise_is_searched_all_the_same():
    """The rms is then that of faint wings: nothing to trust, and no reason to stop."""
    catalogue = images.finding(images.painted(SHAPE, *SOURCES, noise=None)).catalogue
    for one in SOURCES:
        apart = np.hypot(catalogue.islands.x - one["x"], catalogue.islands.y - one["y"])
        assert apart.min(initial=np.inf) < 5


# -- shapes and beams


@pytest.mark.parametrize("shape", [(1, 300), (300, 1), (2, 200), (3, 3), (1, 1), (7, 500)])
@pytest.mark.parametrize("beam_px", [images.ROUND, images.BEAM, (8.0, 7.0, 60.0)])
def test_thin_and_tiny_maps(shape, beam_px):
    rng = np.random.default_rng(3)
    data = RMS * skies.correlated_noise((310, 510), beam_px, "convolved", rng)[: shape[0], : shape[1]]
    middle = np.s_[shape[0] // 2, shape[1] // 2]
    data[middle] += 0.1
    finding = well_formed(images.finding(images.image(data, beam_px), negative=True))
    if max(shape) > 100:
        c = finding.catalogue.islands
        assert len(c) >= 1
        assert has(c.flags, "edge").all() or min(shape) > 3


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("height", "beam_px"), [(2, images.BEAM), (5, (8.0, 7.0, 60.0))])
def test_crowded_strips(height, beam_px, seed):
    shape = (height, 330)
    kinds = {"n_points": 25, "n_extended": 3, "n_doubles": 3}
    sources = skies.population(shape, beam_px, **kinds, snr=(4, 300), rms=RMS, margin=0, seed=seed)
    data, _ = skies.paint(shape, beam_px, rms=RMS, sources=sources, seed=seed)
    image = images.image(data, beam_px, centre=(40.0, 50.0))
    finding = well_formed(images.finding(image, negative=True, connectivity=4))
    c = finding.catalogue.components
    known = ~has(c.flags, "no_errors")
    for name in ("flux_err", "flux_int_err", "x_err", "y_err", "ra_err", "dec_err"):
        assert (c[name][known] > 0).all(), name


@pytest.mark.parametrize("width", [1.0, 1.5, 1.9])
def test_a_beam_under_two_pixels(width):
    beam_px = (width, width, 0.0)
    finding = well_formed(images.finding(images.image(sky(beam_px=beam_px), beam_px)))
    assert any("undersampled" in note for note in finding.notes)
    c = finding.catalogue.components
    assert has(c.flags, "undersampled").all()
    for one in SOURCES[:2]:  # the third is too faint per beam
        assert (np.hypot(c.x - one["x"], c.y - one["y"]) < 1.0).any()


@pytest.mark.parametrize("beam_px", [(14.0, 11.0, 120.0), (25.0, 25.0, 0.0)])
def test_a_beam_of_many_pixels(beam_px):
    shape = (500, 520)
    places = [(100, 120), (300, 200), (200, 400)]
    image = images.painted(shape, *(source(x, y, 0.05) for y, x in places), beam_px=beam_px)
    c = well_formed(images.finding(image)).catalogue.components
    assert len(c) == 3
    order = np.argsort(c.y)
    np.testing.assert_allclose(np.stack([c.y, c.x], axis=1)[order], sorted(places), atol=1.0)
    assert c.flux == pytest.approx(np.full(3, 0.05), rel=0.1)


def test_a_beam_wider_than_the_map():
    data = RMS * skies.correlated_noise((40, 50), images.ROUND, "convolved", np.random.default_rng(1))
    well_formed(images.finding(images.image(data, (200.0, 150.0, 0.0))))


def test_non_square_pixels():
    finding = images.finding(images.image(sky(), scale=(19.0, 11.0), centre=(50.0, -36.0)))
    the_three(well_formed(finding))


# -- the sky


@pytest.mark.parametrize(
    "place",
    [
        {"projection": "SIN", "centre": (0.001, 0.0)},
        {"projection": "TAN", "centre": (359.99, -89.99)},
        {"projection": "NCP", "centre": (120.0, 60.0)},
        {"projection": "ZEA", "centre": (0.0, 90.0)},
        {"projection": "CAR", "centre": (0.0, 0.0)},
        {"projection": "CAR", "centre": (30.0, 0.0), "axes": ("GLON", "GLAT")},
        {"projection": "AIT", "centre": (0.0, 0.0)},
        {"projection": "SIN", "centre": (50.0, 20.0), "axes": ("GLON", "GLAT")},
        {"projection": "SIN", "centre": (50.0, 20.0), "mirrored": True},
        {"projection": "SIN", "centre": (50.0, 20.0), "RADESYS": "FK5", "EQUINOX": 2000.0},
        {"projection": "SIN", "centre": (50.0, 20.0), "RADESYS": "FK4", "EQUINOX": 1950.0},
    ],
)  # fmt: skip
def test_any_projection_and_frame(place):
    finding = images.finding(images.image(sky(), **place))
    the_three(well_formed(finding))
    c = finding.catalogue.components
    x, y = finding.image.frame.to_pixel(c.ra, c.dec)
    np.testing.assert_allclose(x, c.x, atol=1e-3)
    np.testing.assert_allclose(y, c.y, atol=1e-3)
    assert ((c.ra >= 0) & (c.ra < 360)).all()
    assert np.isfinite(c.ra_err).all()
    assert (c.ra_err < 1.0).all()


def test_right_ascension_wraps_within_a_source():
    """Two components on either side of RA 0 make one source at RA 0, not at 180."""
    a, b = source(88.0, 75.0, 0.2), source(92.0, 75.0, 0.2)
    image = images.painted(SHAPE, a, b, centre=(0.0, 40.0))
    sources = images.finding(image).catalogue.sources
    apart = np.abs((sources.ra + 180) % 360 - 180)
    assert (apart < 0.01).all()


def test_a_map_without_sky_has_a_pixel_catalogue():
    finding = images.finding(images.image(sky()))
    the_three(well_formed(finding))
    assert has(finding.catalogue.sources.flags, "no_wcs").all()


# -- files


@pytest.mark.parametrize("kind", ["f4", "f8", "i2", "i4"])
def test_pixel_types(tmp_path, kind):
    from astropy.io import fits

    data = sky()
    skies.write(tmp_path / "map.fits", data, images.ROUND)
    header = fits.getheader(tmp_path / "map.fits")
    if kind[0] == "i":
        header["BSCALE"], header["BZERO"] = 0.01 * RMS, 1e-4
        hdu = fits.PrimaryHDU(np.round((data - 1e-4) / (0.01 * RMS)).astype(kind), fits.Header())
        for card in header.cards[5:]:
            hdu.header[card.keyword] = card.value
    else:
        hdu = fits.PrimaryHDU(data.astype(kind), header)
    hdu.writeto(tmp_path / "typed.fits")
    the_three(well_formed(images.finding(skysift.open(tmp_path / "typed.fits"))))


def test_a_file_that_vanishes_while_it_is_read_is_told(tmp_path):
    skies.write(tmp_path / "map.fits", sky(), images.ROUND)
    image = skysift.open(tmp_path / "map.fits")
    (tmp_path / "map.fits").write_bytes(b"")
    with pytest.raises(SkysiftError) as error:
        find(image)
    assert "\n" not in str(error.value)
    assert "map.fits" in str(error.value)


def test_millijansky_and_kelvin_end_as_jansky(tmp_path):
    skies.write(tmp_path / "jy.fits", sky(), images.ROUND)
    skies.write(tmp_path / "mjy.fits", 1e3 * sky(), images.ROUND, BUNIT="mJy/beam")
    jansky = find(skysift.open(tmp_path / "jy.fits")).sources.flux
    np.testing.assert_allclose(find(skysift.open(tmp_path / "mjy.fits")).sources.flux, jansky, rtol=1e-4)
    per_pixel = skies.beam_area(images.ROUND)
    skies.write(tmp_path / "pixel.fits", sky() / per_pixel, images.ROUND, BUNIT="Jy/pixel")
    np.testing.assert_allclose(find(skysift.open(tmp_path / "pixel.fits")).sources.flux, jansky, rtol=1e-4)
