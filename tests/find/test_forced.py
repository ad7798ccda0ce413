"""Fluxes at known places: unbiased, with honest errors, neighbours told apart, the same however it is cut."""

import numpy as np
import pytest
from tests import images, skies

from skysift.base.parallel import Crew
from skysift.find.forced import measure_at
from skysift.find.noise import measure_noise
from skysift.find.places import LARGEST, Places, group_places, places_at, places_on
from skysift.measure.options import ForcedOptions, NoiseOptions
from skysift.sky.flags import flag, has

BEAM = (5.0, 4.0, 30.0)
RMS = 1e-3


def noisy(shape, kind="convolved", seed=0, sources=(), beam=BEAM):
    """An image (pixels of 1 arcsec, no place on the sky) with these sources (x, y, peak) of the beam's shape."""
    data = RMS * skies.correlated_noise(shape, beam, kind, skies.generator(seed, "noise"))
    y, x = np.mgrid[: shape[0], : shape[1]]
    inverse = np.linalg.inv(skies.covariance(*beam))
    for sx, sy, peak in sources:
        near = np.s_[max(int(sy) - 25, 0) : int(sy) + 26, max(int(sx) - 25, 0) : int(sx) + 26]
        dx, dy = x[near] - sx, y[near] - sy
        q = inverse[0, 0] * dx**2 + 2 * inverse[0, 1] * dx * dy + inverse[1, 1] * dy**2
        data[near] += peak * np.exp(-0.5 * q)
    return images.image(data, beam)


def measured(image, x, y, **options):
    """What is measured at these pixels of an image, as points."""
    noise = measure_noise(image, NoiseOptions())
    places = places_at(image, np.asarray(x, float), np.asarray(y, float))
    return measure_at(image, noise, places, ForcedOptions(**options))


@pytest.mark.parametrize("kind", ["convolved", "beam"])
def test_fluxes_are_unbiased_and_their_errors_honest(kind):
    rng = np.random.default_rng(5)
    x, y = (part.ravel() + rng.uniform(-0.5, 0.5, part.size) for part in np.mgrid[30:1170:30, 30:1170:30])
    peak = np.where(np.arange(x.size) % 8 == 0, 10.0, np.where(np.arange(x.size) % 8 == 4, 3.0, 0.0)) * RMS
    image = noisy((1200, 1200), kind, 3, [each for each in zip(x, y, peak, strict=True) if each[2]])
    found = measured(image, x, y)
    pull = (found.flux_peak - peak) / found.flux_peak_err
    for level in (0.0, 3.0, 10.0):
        mine = pull[np.isclose(peak, level * RMS)]
        assert abs(mine.mean()) < 3.5 / np.sqrt(mine.size) + 0.03
        assert 0.88 < mine.std() < 1.12
    assert (found.flux_peak[peak == 0] < 0).mean() > 0.4  # fluxes keep their sign
    assert np.allclose(found.flux_int, found.flux_peak)
    assert np.array_equal(found.x, x)
    assert not found.flags.any()


def test_neighbours_one_beam_apart_are_told_apart():
    sources = []
    for k in range(12):
        for m in range(12):
            sources += [(40 + 50 * k, 40 + 50 * m, 30 * RMS), (44.5 + 50 * k, 40 + 50 * m, -15 * RMS)]
    image = noisy((650, 650), "convolved", 1, sources)
    x, y, peak = np.array(sources).T
    found = measured(image, x, y)
    pull = (found.flux_peak - peak) / found.flux_peak_err
    assert abs(pull.mean()) < 0.2
    assert 0.85 < pull.std() < 1.15
    alone = measured(image, x, y, group=0.0)
    assert abs((alone.flux_peak - peak)[::2].mean()) > RMS


def test_a_huge_group_is_cut_and_still_solved():
    x, y = (part.ravel() for part in np.mgrid[20:140:8.0, 20:140:8.0])
    rng = np.random.default_rng(2)
    peak = rng.uniform(5, 50, x.size) * RMS
    image = noisy((160, 160), "convolved", 4, list(zip(x, y, peak, strict=True)))
    places = places_at(image, x, y)
    groups = group_places(places, np.arange(x.size), 3.0)
    size = np.diff(groups.first)
    assert size.max() > LARGEST  # neighbours come on top
    assert np.bincount(groups.members[groups.core], minlength=x.size).tolist() == [1] * x.size
    noise = measure_noise(noisy((160, 160), "convolved", 4), NoiseOptions())
    found = measure_at(image, noise, places)
    pull = (found.flux_peak - peak) / found.flux_peak_err
    assert abs(pull.mean()) < 0.35
    assert 0.8 < pull.std() < 1.2


def test_nothing_depends_on_tiles_workers_and_order():
    rng = np.random.default_rng(8)
    x, y = rng.uniform(-20, 420, (2, 300))
    image = noisy(
        (400, 400), "beam", 6, [(each, other, 20 * RMS) for each, other in zip(x, y, strict=True)][::3]
    )
    noise = measure_noise(image, NoiseOptions())
    places = places_at(image, x, y)
    one = measure_at(image, noise, places)
    other = measure_at(image, noise, places, crew=Crew(workers=3, tile=64))
    assert np.array_equal(one.flux_peak, other.flux_peak, equal_nan=True)
    turned = places_at(image, x[::-1], y[::-1])
    again = measure_at(image, noise, turned)
    assert np.allclose(one.flux_peak, again.flux_peak[::-1], rtol=1e-6, atol=1e-9, equal_nan=True)
    assert np.array_equal(one.flags, again.flags[::-1])


def test_places_without_data_get_a_flag_and_no_number():
    image = noisy((120, 120))
    data = image.read()
    data[40:80, 40:80] = np.nan
    image = images.image(data, BEAM)
    x = np.array([60.0, 20.0, -30.0, np.nan, 1.0, 40.5, 20.1])
    y = np.array([60.0, 20.0, 20.0, 20.0, 60.0, 40.0, 20.0])
    found = measured(image, x, y)
    assert has(found.flags, "outside_map").tolist() == [False, False, True, True, False, False, False]
    assert has(found.flags, "no_data").tolist() == [True, False, False, False, False, False, False]
    assert np.isnan(found.flux_peak).tolist() == [True, False, True, True, False, False, False]
    assert has(found.flags, "edge").tolist() == [False, False, False, False, True, False, False]
    assert has(found.flags, "blank").tolist() == [False, False, False, False, False, True, False]
    assert has(found.flags, "coincident").tolist() == [False, True, False, False, False, False, True]
    assert found.flux_peak[1] == found.flux_peak[6]
    assert found.x[2] == -30.0
    blank = measured(images.image(np.full((50, 50), np.nan), BEAM), [20.0], [20.0])
    assert blank.flags[0] == flag("no_data")


def test_no_places():
    image = noisy((60, 60))
    found = measured(image, [], [])
    assert len(found) == 0


def test_a_shape_is_convolved_with_the_beam_of_the_map():
    # 12 x 6 arcsec at 40 degrees, seen with two beams: the flux is the same
    for beam in ((10.0, 10.0, 0.0), (15.0, 12.0, 100.0)):
        image = images.image(np.zeros((200, 200)), (beam[0] / 2, beam[1] / 2, beam[2]), centre=(150.0, 30.0))
        ra, dec = image.frame.to_sky(np.array([80.3, 120.0]), np.array([90.0, 110.2]))
        places = places_on(
            image, ra, dec, np.array([12.0, np.nan]), np.array([6.0, np.nan]), np.array([40.0, 0.0])
        )
        area = np.sqrt(np.linalg.det(skies.covariance(beam[0] / 2, beam[1] / 2, beam[2])))
        wide = skies.covariance(beam[0] / 2, beam[1] / 2, beam[2]) + skies.covariance(6.0, 3.0, 40.0)
        assert np.allclose(places.shape[0], wide[[0, 0, 1], [0, 1, 1]], rtol=1e-3)
        assert np.allclose(places.shape[1], places.beam[1])
        y, x = np.mgrid[:200, :200]
        inverse = np.linalg.inv(wide)
        dx, dy = x - 80.3, y - 90.0
        q = inverse[0, 0] * dx**2 + 2 * inverse[0, 1] * dx * dy + inverse[1, 1] * dy**2
        data = 0.5 * area / np.sqrt(np.linalg.det(wide)) * np.exp(-0.5 * q)
        noise = RMS * skies.correlated_noise((200, 200), BEAM, "beam", skies.generator(1, "noise"))
        image = images.image(data + 1e-3 * noise, tuple(np.array(beam) / (2, 2, 1)), centre=(150.0, 30.0))
        found = measure_at(image, measure_noise(image, NoiseOptions()), places)
        assert found.flux_int[0] == pytest.approx(0.5, rel=1e-3)
        assert found.flux_int[0] > found.flux_peak[0]


def test_positions_and_shapes_are_fitted_where_it_is_bright():
    rng = np.random.default_rng(3)
    x, y = (part.ravel() for part in np.mgrid[30:570:30.0, 30:570:30.0])
    peak = np.where(np.arange(x.size) % 2 == 0, 30.0, 0.0) * RMS
    true_x, true_y = x + rng.uniform(-1, 1, x.size), y + rng.uniform(-1, 1, x.size)
    bright = peak > 0
    image = noisy(
        (600, 600), "convolved", 7, list(zip(true_x[bright], true_y[bright], peak[bright], strict=True))
    )
    for fit in ("position", "shape"):
        found = measured(image, x, y, fit=fit)
        assert not has(found.flags[bright], "held").any()
        assert has(found.flags[~bright], "held").mean() > 0.95
        good = bright & ~has(found.flags, "fit_failed")
        assert good.sum() > 0.95 * bright.sum()
        for name, truth in (("x", true_x), ("y", true_y), ("flux_peak", peak), ("flux_int", peak)):
            pull = (getattr(found, name) - truth)[good] / getattr(found, f"{name}_err")[good]
            assert abs(np.median(pull)) < 0.3, (fit, name)
            assert 0.8 < pull.std() < 1.2, (fit, name)
        held = has(found.flags, "held")
        assert np.array_equal(found.x[held], x[held])
        assert (found.x_err[held] == 0).all()
    beam = skies.covariance(*BEAM)[[0, 0, 1], [0, 1, 1]]
    pull = (found.shape - beam)[good] / found.shape_err[good]
    assert (np.abs(np.median(pull, axis=0)) < 0.35).all()
    assert ((pull.std(axis=0) > 0.8) & (pull.std(axis=0) < 1.25)).all()


def test_a_position_beyond_reach_falls_back_to_the_flux():
    image = noisy((200, 200), "convolved", 2, [(100.0, 100.0, 100 * RMS)])
    found = measured(image, [103.5], [100.0], fit="position", reach=0.3)
    assert has(found.flags, "fit_failed").all()
    assert found.x[0] == 103.5


def test_limits_lie_above_fluxes_of_either_sign():
    image = noisy((300, 300), "convolved", 9)
    x, y = (part.ravel() for part in np.mgrid[20:280:20.0, 20:280:20.0])
    found = measured(image, x, y)
    limits = found.limits(3.0)
    assert (limits >= 3.0 * found.flux_int_err).all()
    assert np.allclose(limits - np.maximum(found.flux_int, 0.0), 3.0 * found.flux_int_err)


def test_wide_and_narrow_places_are_linked():
    shape = np.array([[400.0, 0.0, 400.0], [4.0, 0.0, 4.0], [4.0, 0.0, 4.0], [4.0, 0.0, 4.0]])
    places = Places(np.array([100.0, 130.0, 400.0, 413.0]), np.full(4, 100.0), shape, shape)
    groups = group_places(places, np.arange(4), 3.0)
    parts = [groups.members[a:b].tolist() for a, b in zip(groups.first[:-1], groups.first[1:], strict=True)]
    assert parts == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ("kind", "apart", "fit", "low", "high"),
    [
        ("white", 3.5, "flux", 0.4, 0.85),  # over the sum in quadrature
        ("white", 3.5, "position", 0.4, 0.85),
        ("convolved", 3.5, "flux", 0.95, 1.02),
        ("convolved", 6.0, "flux", 1.03, 1.3),
    ],
)
def test_errors_of_a_sum_know_what_blended_parts_have_in_common(kind, apart, fit, low, high):
    """What one part has too much the other lacks; noise as wide as the beam raises or lowers both."""
    u, v = (each.ravel() for each in np.meshgrid(*(np.arange(30.0, 870.0, 32.0),) * 2))
    sources = [(a + d, b, 40 * RMS) for a, b in zip(u, v, strict=True) for d in (0.0, apart)]
    image = noisy((900, 900), kind, 8, sources)
    noise = measure_noise(image, NoiseOptions())
    x, y, peak = np.array(sources).T
    owner, n = np.repeat(np.arange(u.size), 2), u.size
    found = measure_at(image, noise, places_at(image, x, y), ForcedOptions(fit=fit), owner=owner)
    flux, error = found.summed(owner, n)
    pull = (flux - 2 * peak[0]) / error
    assert abs(pull.mean()) < 0.15
    assert pull.std() == pytest.approx(1.0, abs=0.08)
    apart_err = np.hypot(found.flux_int_err[::2], found.flux_int_err[1::2])
    assert low < np.median(error / apart_err) < high
    assert len(found.pairs) == n


def test_a_sum_is_the_same_however_it_is_cut_and_far_parts_add_in_quadrature():
    rng = np.random.default_rng(4)
    x, y = rng.uniform(10, 190, (2, 300))  # one crowd of more than can be solved at once
    image = noisy((200, 200), "beam", 2)
    noise, places = measure_noise(image, NoiseOptions()), places_at(image, x, y)
    owner = np.arange(300) % 40
    whole = measure_at(image, noise, places, owner=owner)
    again = measure_at(image, noise, places, crew=Crew(workers=2), owner=owner)
    assert np.array_equal(whole.pairs, again.pairs)
    keys = whole.pairs[:, 0] * 300 + whole.pairs[:, 1]
    assert len(np.unique(keys)) == len(keys)
    assert (whole.pairs[:, 0] < whole.pairs[:, 1]).all()
    alone = measure_at(image, noise, places)
    assert not len(alone.pairs)
    assert np.array_equal(alone.flux_int, whole.flux_int, equal_nan=True)
    far = measure_at(image, noise, places_at(image, [30.0, 150.0], [30.0, 150.0]), owner=np.zeros(2, int))
    flux, error = far.summed(np.zeros(2, int), 1)
    assert flux[0] == pytest.approx(far.flux_int.sum())
    assert error[0] == pytest.approx(np.hypot(*far.flux_int_err))


def test_one_place_twice_counts_twice_with_one_error():
    image = noisy((80, 80), "beam", 2, [(40.0, 40.0, 20 * RMS)])
    noise = measure_noise(image, NoiseOptions())
    found = measure_at(image, noise, places_at(image, [40.0, 40.0], [40.0, 40.0]), owner=np.zeros(2, int))
    _, error = found.summed(np.zeros(2, int), 1)
    assert error[0] == pytest.approx(2.0 * found.flux_int_err[0])
