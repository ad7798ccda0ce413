"""The noise goes together as the beam of each place says, where the beam varies over a map."""

from dataclasses import replace

import numpy as np
import pytest
from tests import images, skies
from tests.find import varying

from skysift.find.apertures import Footprints, aperture_fluxes, footprint_fluxes
from skysift.find.correlation import in_beams, lags_at, reference_beam, stretches, zone_width
from skysift.find.forced import measure_at
from skysift.find.noise import measure_noise
from skysift.find.places import places_at
from skysift.find.run import make_finder, search
from skysift.measure.options import NoiseOptions
from skysift.sky.beams import BeamTable
from skysift.sky.mask import Mask

SHAPE = (272, 680)
ENDS = np.array([30.0, 650.0])


@pytest.fixture(scope="module", params=["beam", "convolved"])
def noisy(request):
    """A map of noise alone, seen with a beam that grows by 40 %, and how its noise goes together: beams squared."""
    image = varying.mosaic(shape=SHAPE, snr=0.0, noise=request.param, seed=5).image
    return varying.with_beams(image), {"beam": 1.0, "convolved": 2.0}[request.param]


def gaussian(offsets, covariance):
    """What a Gaussian of this covariance is at offsets (dy, dx)."""
    xx, xy, yy = covariance
    y, x = offsets.T
    return np.exp(-0.5 * (yy * x * x - 2 * xy * x * y + xx * y * y) / (xx * yy - xy * xy))


def near(offsets, beam):
    """Offsets within one and a half beams: farther out the autocorrelation is faded."""
    return gaussian(offsets, beam) > np.exp(-0.5 * (1.4 * skies.FWHM) ** 2)


def test_the_autocorrelation_is_measured_in_units_of_the_local_beam(noisy):
    image, wide = noisy
    found = measure_noise(image, NoiseOptions()).mesh.correlation
    n_y, n_x = (n // 2 for n in found.shape)
    offsets = np.stack(np.mgrid[-n_y : n_y + 1, -n_x : n_x + 1], axis=-1).reshape(-1, 2)
    beam = reference_beam(image)
    mine = near(offsets, beam)
    np.testing.assert_allclose(found.reshape(-1)[mine], gaussian(offsets[mine], wide * beam), atol=0.06)


def test_at_each_place_it_is_stretched_as_the_beam_there():
    image = varying.with_beams(varying.mosaic(shape=SHAPE, snr=0.0).image)
    beam = reference_beam(image)
    n_y, n_x = (int(2 * skies.FWHM * np.sqrt(each)) + 1 for each in (beam[2], beam[0]))
    offsets = np.stack(np.mgrid[-n_y : n_y + 1, -n_x : n_x + 1], axis=-1)
    given = gaussian(offsets.reshape(-1, 2), beam).reshape(offsets.shape[:2])
    width = zone_width(image)
    assert width == round(8 * np.sqrt(image.beam.major * image.beam.minor) / varying.SCALE)
    lags = lags_at(given, image, np.array([*ENDS, 10.0]), np.array([10.0, 10.0, 12.0]))
    assert lags.zones.tolist() == [0, 1, 0]  # neighbours share a zone
    for zone in (0, 1):
        part = slice(lags.first[zone], lags.first[zone + 1])
        middle = (np.floor(ENDS[zone : zone + 1] / width) + 0.5) * width
        local = image.beam_covariance(middle, np.array([0.5 * width]))[0]
        mine = near(lags.offsets[part], local)
        expected = gaussian(lags.offsets[part][mine], local)
        np.testing.assert_allclose(lags.correlation[part][mine], expected, atol=0.02)
    assert np.diff(lags.first)[1] > 1.5 * np.diff(lags.first)[0]


def test_where_the_beam_does_not_vary_the_lags_are_those_of_the_mesh():
    image = varying.mosaic(shape=SHAPE, snr=0.0).image
    found = measure_noise(image, NoiseOptions()).mesh.correlation
    lags = lags_at(found, image, ENDS, ENDS)
    v, u = np.nonzero(np.abs(found) > 1e-3)
    assert np.array_equal(lags.correlation, found[v, u])
    assert np.array_equal(lags.offsets, np.stack([v - found.shape[0] // 2, u - found.shape[1] // 2], axis=1))
    assert lags.zones.tolist() == [0, 0]
    same = replace(image, beams=BeamTable((180.0,), (-30.0,), (image.beam,)))
    again = lags_at(found, same, ENDS[:1], ENDS[:1])
    assert np.array_equal(again.offsets, lags.offsets)
    np.testing.assert_allclose(again.correlation, lags.correlation, atol=1e-3)


def test_errors_over_the_rms_are_the_same_at_both_ends(noisy):
    """A point, and apertures and footprints as wide as the beam, hold the same part of a beam's noise everywhere."""
    image, _ = noisy
    noise = measure_noise(image, NoiseOptions())
    x, y = (each.ravel() for each in np.meshgrid(ENDS, np.arange(40.0, 240.0, 20.0)))
    places = places_at(image, x, y)
    found = measure_at(image, noise, places)
    left, right = (np.median((found.flux_int_err / found.rms)[x == end]) for end in ENDS)
    assert left == pytest.approx(right, rel=0.03)
    beams = 1.5 * np.array([varying.beam_px(end, SHAPE[1])[0] * varying.SCALE for end in ENDS])
    round_ = aperture_fluxes(image, noise, places, beams.tolist())
    left, right = (np.median((round_.flux_err[:, k] / found.rms)[x == ENDS[k]]) for k in (0, 1))
    assert left == pytest.approx(right, rel=0.04)


def test_errors_of_footprints_follow_the_beam(noisy):
    image, _ = noisy
    noise = measure_noise(image, NoiseOptions())
    labels = np.zeros(SHAPE, np.int32)
    v, u = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for k, end in enumerate(ENDS):
        inverse = np.linalg.inv(skies.covariance(*varying.beam_px(end, SHAPE[1])))
        d = np.stack([u - end, v - 130.0])
        labels[np.einsum("iyx,ij,jyx->yx", d, inverse, d) < 16.0] = k + 1
    footprints = Footprints(Mask.from_labels(labels), image.frame)
    places = places_at(image, ENDS, np.full(2, 130.0))
    found = footprint_fluxes(image, noise, places, np.array([1, 2]), footprints)
    rms = noise.tile(image, image.box).rms[130, ENDS.astype(int)]
    left, right = found.flux_err / rms
    assert left == pytest.approx(right, rel=0.05)


def test_pulls_are_one_in_each_third():
    pulls = [[], [], []]
    for seed in range(3):
        made = varying.mosaic(shape=SHAPE, seed=20 + seed)
        c = search(varying.with_beams(made.image), make_finder("classic")).catalogue.components
        apart = np.hypot(c.x[:, None] - made.truth["x"], c.y[:, None] - made.truth["y"])
        row = apart.argmin(axis=0)
        pull = (c.flux[row] - made.truth["total"]) / c.flux_err[row]
        for third, values in enumerate(pulls):
            values.extend(pull[(3 * made.truth["x"] / SHAPE[1]).astype(int) == third])
    for values in pulls:
        assert np.std(values) == pytest.approx(1.0, abs=3.0 / np.sqrt(2 * len(values)))


def test_sums_of_one_beam_stay_as_they_are():
    image = images.image(np.zeros((64, 64)), images.ROUND, centre=(180.0, -30.0))
    same = replace(image, beams=BeamTable((180.0,), (-30.0,), (image.beam,)))
    rng = np.random.default_rng(2)
    sums = rng.normal(size=(9, 17))
    sums[0, :8] = sums[0, :8:-1]  # a lag and its opposite are one
    stretch, _ = stretches(same, np.array([30.0]), np.array([30.0]))
    np.testing.assert_allclose(stretch[0], np.eye(2), atol=1e-4)
    found, pairs = in_beams([(sums, np.abs(sums))], np.eye(2)[np.newaxis], sums.shape)
    np.testing.assert_allclose(found, sums, atol=1e-9)
    np.testing.assert_allclose(pairs, np.abs(sums), atol=1e-9)
    assert np.array_equal(in_beams([(sums, sums)], None, sums.shape)[0], sums)
    assert not in_beams([], None, (3, 5))[0].any()
