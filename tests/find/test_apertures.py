"""Sums in apertures and footprints against closed forms, their errors against the scatter of noise."""

import numpy as np
import pytest
from tests import images, skies

from skysift.base.parallel import Crew
from skysift.find.apertures import Footprints, aperture_fluxes, footprint_fluxes
from skysift.find.noise import measure_noise
from skysift.find.places import places_at
from skysift.measure.options import NoiseOptions
from skysift.sky.mask import Mask

BEAM = (6.0, 6.0, 0.0)
RMS = 1e-3


def made(peak, kind="convolved", shape=(300, 300), x=150.3, y=140.2, rms=RMS, scale=(2.0, 2.0)):
    """A point of this peak on noise; pixels of 2 arcsec."""
    data = rms * skies.correlated_noise(shape, BEAM, kind, skies.generator(4, "noise"))
    v, u = np.mgrid[: shape[0], : shape[1]]
    variance = (6.0 / skies.FWHM) ** 2
    data += peak * np.exp(-0.5 * ((u - x) ** 2 + (v - y) ** 2) / variance)
    return images.image(data, BEAM, scale=scale)


def test_a_point_in_an_aperture_has_the_share_of_the_closed_form():
    image = made(1.0, rms=1e-7)
    noise = measure_noise(image, NoiseOptions(background="zero"))
    places = places_at(image, np.array([150.3]), np.array([140.2]))
    radii = (6.0, 12.0, 24.0)  # beam of 12 arcsec
    found = aperture_fluxes(image, noise, places, radii)
    share = 1.0 - 2.0 ** -((2 * np.array(radii) / 12.0) ** 2)
    assert found.flux[0] == pytest.approx(share, rel=0.02)  # pixels of a sixth of the beam
    assert (found.flux * found.correction)[0] == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize("kind", ["convolved", "beam"])
def test_errors_of_apertures_are_the_scatter_of_noise(kind):
    image = made(0.0, kind, (900, 900))
    noise = measure_noise(image, NoiseOptions())
    x, y = (part.ravel() for part in np.mgrid[30:870:24.0, 30:870:24.0])
    found = aperture_fluxes(image, noise, places_at(image, x, y), (8.0, 16.0))
    pull = found.flux / found.flux_err
    assert (np.abs(pull.mean(axis=0)) < 0.15).all()
    assert ((pull.std(axis=0) > 0.85) & (pull.std(axis=0) < 1.15)).all()


def test_a_ring_takes_a_pedestal_off():
    image = made(0.5, rms=1e-6)
    image = images.image(image.read() + 0.01, BEAM)
    noise = measure_noise(image, NoiseOptions(background="zero"))
    places = places_at(image, np.array([150.3]), np.array([140.2]))
    bare = aperture_fluxes(image, noise, places, (16.0,))
    ringed = aperture_fluxes(image, noise, places, (16.0,), annulus=(40.0, 60.0))
    area = np.pi * 8.0**2 / (np.pi / 4 / np.log(2) * 36)
    assert bare.flux[0, 0] - ringed.flux[0, 0] == pytest.approx(0.01 * area, rel=0.01)
    assert ringed.flux[0, 0] * ringed.correction[0, 0] == pytest.approx(0.5, rel=2e-3)
    assert ringed.flux_err[0, 0] > bare.flux_err[0, 0]


def test_blank_apertures_are_nan():
    data = made(0.0).read()
    data[:, :100] = np.nan
    image = images.image(data, BEAM)
    noise = measure_noise(image, NoiseOptions())
    places = places_at(image, np.array([50.0, 200.0, 500.0]), np.array([150.0, 150.0, 150.0]))
    found = aperture_fluxes(image, noise, places, (10.0,))
    assert np.isnan(found.flux[:, 0]).tolist() == [True, False, True]


def test_footprints_are_the_sums_of_their_pixels():
    image = made(0.5, shape=(400, 300), y=128.0)  # across the border of two bands
    noise = measure_noise(image, NoiseOptions(background="zero"))
    labels = np.zeros(image.shape, np.int32)
    labels[110:150, 130:170] = 2
    labels[200:210, 20:30] = 5
    footprints = Footprints(Mask.from_labels(labels), image.frame)
    places = places_at(image, np.array([150.0, 25.0, 90.0]), np.array([128.0, 205.0, 90.0]))
    found = footprint_fluxes(image, noise, places, np.array([2, 5, 0]), footprints)
    other = footprint_fluxes(image, noise, places, np.array([2, 5, 0]), footprints, Crew(workers=2, tile=64))
    area = np.pi / 4 / np.log(2) * 36
    assert found.flux[0] == pytest.approx(image.read()[labels == 2].sum() / area, rel=1e-5)
    assert found.beams[1] == pytest.approx(100 / area)
    assert np.isnan(found.flux[2])
    assert np.array_equal(found.flux, other.flux, equal_nan=True)
    assert (found.flux_err[:2] > 0).all()


def test_footprint_errors_are_the_scatter_of_noise():
    image = made(0.0, "convolved", (800, 800))
    noise = measure_noise(image, NoiseOptions())
    x, y = (part.ravel() for part in np.mgrid[20:780:40, 20:780:40])
    labels = np.zeros(image.shape, np.int32)
    for number, (u, v) in enumerate(zip(x, y, strict=True), start=1):
        labels[v - 7 : v + 8, u - 5 : u + 6] = number
    places = places_at(image, x.astype(float), y.astype(float))
    footprints = Footprints(Mask.from_labels(labels), image.frame)
    found = footprint_fluxes(image, noise, places, np.arange(1, x.size + 1), footprints)
    pull = found.flux / found.flux_err
    assert abs(pull.mean()) < 0.2
    assert 0.85 < pull.std() < 1.15


def test_footprints_fall_on_other_pixels():
    place = {"centre": (150.0, 30.0)}
    fine = images.painted((200, 200), images.source(100, 100, 0.3), rms=1e-6, **place)
    coarse = images.painted((100, 100), images.source(49.75, 49.75, 0.3), beam_px=(2.0, 2.0, 0.0), rms=1e-6,
                            scale=(4.0, 4.0), **place)  # fmt: skip
    labels = np.zeros(fine.shape, np.int32)
    labels[80:121, 80:121] = 1
    footprints = Footprints(Mask.from_labels(labels), fine.frame)
    for image, x in ((fine, 100.0), (coarse, 49.75)):
        noise = measure_noise(image, NoiseOptions(background="zero"))
        places = places_at(image, np.array([x]), np.array([x]))
        found = footprint_fluxes(image, noise, places, np.array([1]), footprints)
        assert found.flux[0] == pytest.approx(0.3, rel=0.01)
