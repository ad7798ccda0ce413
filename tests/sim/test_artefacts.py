"""Residual sidelobes around bright sources: their symmetry, their place, their labels."""

import pickle

import numpy as np
import pytest
from scipy import fft
from tests.naive.floods import flood

from skysift.sim.artefacts import Artefacts
from skysift.sim.field import frame_of
from skysift.sim.instrument import Instrument
from skysift.sim.options import ContinuumOptions, InstrumentOptions
from skysift.sim.telescope import dirty_beam, uv_coverage, uv_filter
from skysift.sky.beam import FWHM_PER_SIGMA, Beam
from skysift.sky.box import Box

BEAM, SCALE = Beam(6.0, 6.0), 1.5
POINT = (4.0 / FWHM_PER_SIGMA) ** 2  # variance of a point in the map, pixels squared
QUICK = {"array": "vla-b", "time_step": 20.0, "sidelobe_radius": 30.0}


@pytest.fixture(scope="module")
def coverage():
    return uv_coverage(InstrumentOptions(**QUICK), BEAM, SCALE, 20.0, 1.4e9)


def artefacts(coverage, x, y, peak, *, size=0.0, rms=1.0, seed=1, name="", tracks=1.0, **options):
    """Artefacts of sources of one intrinsic FWHM (pixels)."""
    x, y, peak = np.broadcast_arrays(*(np.atleast_1d(np.asarray(each, float)) for each in (x, y, peak)))
    variance = POINT + (size / FWHM_PER_SIGMA) ** 2
    shape = np.tile([variance, 0.0, variance], (len(x), 1))
    return Artefacts(
        InstrumentOptions(**QUICK, **options), coverage, BEAM,
        x=x, y=y, flux_peak=peak, flux_int=peak * variance / POINT, shape=shape, rms=rms,
        random_seed=seed, name=name, tracks=tracks,
    )  # fmt: skip


def test_a_pixel_is_the_same_bytes_in_any_window(coverage):
    rng = np.random.default_rng(3)
    made = artefacts(coverage, rng.uniform(-50, 750, 12), rng.uniform(-50, 650, 12), 3000.0)
    big = made.paint(Box(-20, 620, -10, 710))
    for _ in range(12):
        y0, x0 = int(rng.integers(-20, 560)), int(rng.integers(-10, 650))
        box = Box(y0, y0 + int(rng.integers(1, 60)), x0, x0 + int(rng.integers(1, 60)))
        assert np.array_equal(made.paint(box), big[box.slices(Box(-20, 620, -10, 710))])


def test_errors_of_phase_are_antisymmetric_and_those_of_amplitude_symmetric(coverage):
    box = Box(0, 201, 0, 201)
    phase = artefacts(
        coverage, 100, 100, 1000.0, clean_residual=0.0, amplitude_error=0.0, phase_error=2.0
    ).paint(box)
    amplitude = artefacts(
        coverage, 100, 100, 1000.0, clean_residual=0.0, phase_error=0.0, amplitude_error=0.02
    ).paint(box)
    assert np.abs(phase).max() > 1
    assert np.abs(phase + phase[::-1, ::-1]).max() < 1e-4
    assert np.abs(amplitude).max() > 1
    assert np.abs(amplitude - amplitude[::-1, ::-1]).max() < 1e-4


def test_the_source_keeps_its_peak(coverage):
    made = artefacts(coverage, 100, 100, 1000.0, amplitude_error=0.1)
    assert abs(made.paint(Box(100, 101, 100, 101))[0, 0]) < 1e-3


def test_what_deconvolution_leaves_is_the_dirty_less_the_clean_beam(coverage):
    made = artefacts(coverage, 100, 80, 1000.0, clean_residual=0.1, amplitude_error=0.0, phase_error=0.0)
    image, n = dirty_beam(coverage), coverage.size
    y, x = np.mgrid[-60:61, -60:61]
    clean = np.exp(-0.5 * (x * x + y * y) / POINT)
    wanted = 100 * (image[n // 2 - 60 : n // 2 + 61, n // 2 - 60 : n // 2 + 61] - clean)
    inside = np.hypot(x, y) < 60  # half of the way to where they end
    assert made.paint(Box(20, 141, 40, 161))[inside] == pytest.approx(wanted[inside], abs=1e-3)


def test_between_pixels_the_pattern_is_moved_as_its_waves_say(coverage):
    made = artefacts(
        coverage, 100.37, 80.61, 1000.0, clean_residual=1.0, amplitude_error=0.0, phase_error=0.0
    )
    k = fft.fftfreq(coverage.size)
    shift = np.exp(-2j * np.pi * (k[:, None] * 80.61 + k * 100.37))
    dirty = fft.ifft2(coverage.weights * shift).real * coverage.weights.size
    y, x = np.mgrid[:161, :201]
    wanted = 1000 * (dirty[:161, :201] - np.exp(-0.5 * ((x - 100.37) ** 2 + (y - 80.61) ** 2) / POINT))
    near = np.hypot(x - 100.37, y - 80.61) < 60
    miss = (made.paint(Box(0, 161, 0, 201)) - wanted)[near]
    assert np.abs(miss).max() < 0.03 * np.abs(wanted[near]).max()


def test_the_pattern_of_gain_errors_is_that_of_visibilities_with_them(coverage):
    """One antenna with a wrong amplitude: the image of its baselines alone."""
    s = coverage.samples
    a = np.zeros((coverage.antennas, 2))
    a[3] = 0.2
    found = coverage.errors(a, np.zeros_like(a), coverage.moments(1e9))
    total, each = np.zeros((coverage.size, coverage.size)), coverage.weights / np.maximum(coverage.counts, 1)
    for t, hour in enumerate(s.hours):
        for j in range(coverage.antennas):
            if j == 3 or not (s.used[j, s.interval[t]] and s.used[3, s.interval[t]]):
                continue
            b = s.places[j] - s.places[3]
            u = np.sin(hour) * b[0] + np.cos(hour) * b[1]
            v = s.sin_dec * (np.sin(hour) * b[1] - np.cos(hour) * b[0]) + s.cos_dec * b[2]
            for cell in s.cells:
                kx, ky = int(np.floor(0.5 - u * cell)), int(np.floor(0.5 + v * cell))
                if max(abs(kx), abs(ky)) <= (coverage.size - 1) // 2:
                    for sign in (1, -1):
                        total[sign * ky, sign * kx] += 0.2 * each[sign * ky, sign * kx]
    # a baseline rounds to the same cell from either end, halves aside
    assert found == pytest.approx(fft.ifft2(total).real * total.size, abs=1e-4)


def test_faint_sources_leave_nothing(coverage):
    made = artefacts(coverage, [20, 50], [30, 60], [5.0, 2.0])
    assert made.empty
    assert not made.paint(Box(0, 100, 0, 100)).any()
    assert len(made.labels(1.0, (100, 100))) == 0
    assert len(artefacts(coverage, [], [], [])) == 0


def test_sidelobes_end_where_they_are_told(coverage):
    made = artefacts(coverage, 300, 300, 1e5)
    y, x = np.mgrid[:601, :601]
    painted = made.paint(Box(0, 601, 0, 601)) != 0
    assert np.hypot(x - 300, y - 300)[painted].max() < 120  # 30 beams of 4 pixels
    fainter = artefacts(coverage, 300, 300, 250.0).paint(Box(0, 601, 0, 601)) != 0
    assert 0 < fainter.sum() < painted.sum()


def test_errors_follow_from_the_seed_and_the_name(coverage):
    box = Box(0, 150, 0, 150)

    def seen(**other):
        return artefacts(coverage, 70, 80, 2000.0, **other).paint(box)

    assert np.array_equal(seen(), seen())
    assert not np.allclose(seen(), seen(seed=2))
    assert not np.allclose(seen(), seen(name="another frequency"))


def test_errors_of_many_observations_average(coverage):
    box = Box(60, 101, 60, 101)
    one, many = (
        artefacts(coverage, 80, 80, 5000.0, clean_residual=0.0, tracks=n).paint(box) for n in (1.0, 25.0)
    )
    assert many == pytest.approx(one / 5, abs=1e-3)


def test_two_sources_have_different_errors(coverage):
    made = artefacts(coverage, [100, 400], [100, 100], 2000.0)
    left, right = (made.paint(Box(20, 181, x - 80, x + 81)) for x in (100, 400))
    assert np.abs(left).max() > 3
    assert np.abs(np.corrcoef(left.ravel(), right.ravel())[0, 1]) < 0.95


@pytest.mark.parametrize("size", [30.0, 80.0])
def test_a_large_source_stands_in_a_bowl_that_takes_what_is_lost(coverage, size):
    made = artefacts(coverage, 400, 400, 500.0, size=size, clean_residual=0, amplitude_error=0, phase_error=0)
    value = made.paint(Box(400, 401, 400, 401))[0, 0]
    variance = np.array([(size * SCALE / FWHM_PER_SIGMA) ** 2])
    kept = uv_filter(coverage, BEAM, variance, 0 * variance, variance)[0]
    assert 500.0 + value == pytest.approx(500.0 * kept, rel=1e-6)
    around = made.paint(Box(400, 401, 400, 800))[0]
    source = 500.0 * np.exp(-0.5 * np.arange(400) ** 2 / (POINT + (size / FWHM_PER_SIGMA) ** 2))
    assert (source + around).min() < -1
    assert not artefacts(coverage, 400, 400, 500.0, size=size, bowl=0.0, clean_residual=0, amplitude_error=0,
                         phase_error=0).paint(Box(390, 410, 390, 410)).any()  # fmt: skip


def test_labels_are_the_regions_that_a_flood_fill_finds(coverage):
    x, y = np.array([90.3, 505.0, 640.2, 514.0]), np.array([60.7, 250.0, 508.4, 530.0])
    made = artefacts(coverage, x, y, [4000.0, 8000.0, 3000.0, 900.0])
    shape, rms = (600, 700), np.random.default_rng(1).uniform(0.8, 1.3, (600, 700))
    found = made.labels(rms, shape, level=2.5)
    image = made.paint(Box.of(shape))
    v, u = np.mgrid[: shape[0], : shape[1]]
    for sx, sy in zip(x, y, strict=True):
        image[(u - sx) ** 2 + (v - sy) ** 2 < (1.25 * 4.0) ** 2] = 0
    regions = []
    for sign in (1, -1):
        labels = flood(sign * image >= 2.5 * rms.astype(np.float32), corners=True)
        regions += [
            (sign, frozenset(zip(*np.nonzero(labels == k), strict=True))) for k in range(1, labels.max() + 1)
        ]
    assert len(found) == len(regions) > 20
    mask, mine = found.to_mask(shape).paint(), set()
    for k in range(len(found)):
        mine.add((int(found["sign"][k]), frozenset(zip(*np.nonzero(mask == k + 1), strict=True))))
    assert mine == set(regions)
    area = 2 * np.pi * POINT
    for k in range(len(found)):
        inside = mask == k + 1
        held = image[inside]
        assert found["flux_int"][k] == pytest.approx(held.sum() / area)
        assert found["flux_peak"][k] == pytest.approx(held[np.argmax(np.abs(held))])
        assert found["x"][k] == pytest.approx(np.sum(held * u[inside]) / held.sum())
        assert found["y"][k] == pytest.approx(np.sum(held * v[inside]) / held.sum())
        assert found.scores[k] == pytest.approx(np.max(np.abs(held) / rms[inside]), rel=1e-5)


def test_a_bowl_is_a_hole_around_its_source(coverage):
    made = artefacts(coverage, 300, 300, 500.0, size=60.0, clean_residual=0, amplitude_error=0, phase_error=0)
    found = made.labels(1.0, (600, 600))
    assert found["sign"].tolist() == [-1]
    assert (found["x"][0], found["y"][0]) == pytest.approx((300, 300), abs=0.5)
    mask = found.to_mask((600, 600)).paint()
    assert not mask[300, 300 - 70 : 300 + 70].any()  # the source itself
    assert mask[300, 300 + 80] == 1


@pytest.mark.parametrize(("bowls", "kept"), [(True, 0.0), (False, 1.0)])
def test_a_map_without_artefacts_has_no_bowls_and_loses_nothing(bowls, kept):
    options = ContinuumOptions(
        array="vla-b", frequency=1.4e9, beam=6.0, n_pixels=200, dec=20.0, artefacts=bowls
    )
    seen = Instrument(options, frame_of(options), BEAM, 1.4e9)
    huge = np.array([[1e8, 0.0, 1e8]])
    assert seen.kept(huge) == pytest.approx(kept, abs=1e-2)


def test_layers_pickle(coverage):
    made = artefacts(coverage, [100, 150], [100, 90], 2000.0)
    again = pickle.loads(pickle.dumps(made))
    assert np.array_equal(again.paint(Box(0, 200, 0, 200)), made.paint(Box(0, 200, 0, 200)))
    assert repr(again) == "Artefacts(2 sources with sidelobes, 0 bowls)"


def test_noise_for_labels_is_a_number_a_map_or_what_gives_it(coverage):
    made = artefacts(coverage, 100.0, 90.0, 20000.0)
    by_number = made.labels(1.5, (200, 220))
    assert len(by_number) > 5
    assert by_number == made.labels(np.full((200, 220), 1.5), (200, 220))
    assert by_number == made.labels(lambda box: np.full(box.shape, 1.5), (200, 220))
