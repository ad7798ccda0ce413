"""Arrays, their coverage of the uv plane, and what follows: beams, noise, lost scales."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import fft

from skysift.base.errors import UnknownName, UsageError
from skysift.sim.arrays import ARRAYS, array
from skysift.sim.gridding import count_samples
from skysift.sim.options import InstrumentOptions
from skysift.sim.telescope import (
    LIGHT,
    dirty_beam,
    hole,
    largest_scale,
    lost,
    noise_kernel,
    reach,
    uv_coverage,
    uv_filter,
)
from skysift.sky.beam import FWHM_PER_SIGMA, Beam

QUICK = {"time_step": 20.0, "sidelobe_radius": 20.0}
BEAMS = {
    "ska-mid": (0.6, -30, 1.4e9), "meerkat": (8.0, -30, 1.284e9), "askap": (13.0, -30, 943.5e6),
    "vla-a": (1.8, 20, 1.4e9), "vla-b": (6.0, 20, 1.4e9), "vla-c": (20.0, 20, 1.4e9), "vla-d": (60.0, 20, 1.4e9),
}  # fmt: skip


def coverage_of(name, shape=1.0, **options):
    width, dec, frequency = BEAMS[name]
    beam = Beam(width * shape, width, 30.0)
    return uv_coverage(InstrumentOptions(array=name, **{**QUICK, **options}), beam, width / 4, dec, frequency)


@pytest.mark.parametrize(
    ("name", "dishes", "diameter", "shortest", "longest"),
    [
        ("ska-mid", 197, 15.0, (29, 29), (140e3, 155e3)),
        ("meerkat", 64, 13.5, (29, 29), (7.5e3, 8.0e3)),
        ("askap", 36, 12.0, (22, 22), (5.9e3, 6.1e3)),
        ("vla-a", 27, 25.0, (600, 900), (35e3, 37e3)),
        ("vla-b", 27, 25.0, (200, 270), (10.5e3, 11.5e3)),
        ("vla-d", 27, 25.0, (25, 40), (1.0e3, 1.1e3)),
    ],
)
def test_arrays_have_the_numbers_of_those_they_are_like(name, dishes, diameter, shortest, longest):
    made = array(name)
    assert (len(made), made.diameter) == (dishes, diameter)
    assert shortest[0] - 1e-6 <= made.spacings.min() <= shortest[1] + 1e-6
    assert longest[0] <= made.spacings.max() <= longest[1]
    assert np.array_equal(made.east, array(name).east)  # drawn once and for ever


def test_an_unknown_array_tells_the_known():
    with pytest.raises(UnknownName, match="vla-a"):
        array("alma")


def test_a_baseline_to_the_east_draws_a_circle_about_the_pole():
    places = array("vla-b").equatorial()[:2] * 0.0
    places[1, 1] = 1000.0  # metres to the east
    hours = np.linspace(-np.pi, np.pi, 181)
    counts = np.zeros((256, 256))
    used, interval = np.ones((2, 1), bool), np.zeros(181, np.int64)
    count_samples(places, hours, 1.0, 0.0, np.array([0.05]), used, interval, counts)
    ky, kx = np.nonzero(counts)
    radius = np.hypot(*(np.where(k > 128, k - 256, k) for k in (ky, kx)))
    assert counts.sum() == 2 * 181
    assert np.all(np.abs(radius - 50) < 1)


def test_both_signs_of_each_sample_are_there():
    made = coverage_of("vla-b")
    assert np.array_equal(made.counts[1:, 1:], made.counts[:0:-1, :0:-1])
    assert made.weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("name", ARRAYS)
def test_the_main_lobe_is_the_wanted_beam(name):
    made = coverage_of(name, shape=1.2)
    image, n = dirty_beam(made), made.size
    assert image[n // 2, n // 2] == pytest.approx(image.max())
    assert image.max() == pytest.approx(1)
    assert made.beam.major / BEAMS[name][0] == pytest.approx(1.2, rel=0.05)
    assert made.beam.minor / BEAMS[name][0] == pytest.approx(1.0, rel=0.05)
    assert made.beam.pa == pytest.approx(30, abs=5)
    # the line to the northeast at pa 30 crosses half of the peak at half the major axis, which is 4.8 pixels
    t = np.linspace(0, 4, 200)
    line = along(made.weights, -t * np.sin(np.radians(30)), t * np.cos(np.radians(30)))
    assert 2 * np.interp(0.5, line[::-1], t[::-1]) == pytest.approx(4.8, rel=0.07)


def along(weights, x, y):
    """The dirty beam at pixels (x, y) from its middle, wave by wave."""
    k = fft.fftfreq(len(weights))
    return np.array(
        [np.sum(weights * np.cos(2 * np.pi * (k[:, None] * v + k * u))) for u, v in zip(x, y, strict=True)]
    )


def test_the_beam_does_not_depend_on_the_size_of_the_grid():
    _, dec, frequency = BEAMS["vla-b"]
    options = InstrumentOptions(array="vla-b", **QUICK)
    small, large = (
        dirty_beam(uv_coverage(options, Beam(6, 6), 1.5, dec, frequency, size=n))[
            n // 2 - 50 : n // 2 + 51, n // 2 - 50 : n // 2 + 51
        ]
        for n in (512, 1024)
    )
    assert np.abs(small - large).max() < 0.01


def test_a_snapshot_of_a_y_has_six_spokes():
    made = coverage_of(
        "vla-b", hour_angle_start=0.0, hour_angle_end=0.0, flagged=0.0, weighting="natural", robust=0
    )
    image = dirty_beam(made)
    y, x = np.mgrid[: made.size, : made.size] - made.size // 2
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    ring = (r > 20) & (r < 80)
    orders = np.arange(1, 13)
    strength = np.abs([np.mean(np.abs(image[ring]) * np.exp(1j * m * angle[ring])) for m in orders])
    assert orders[np.argmax(strength)] == 6
    assert strength[5] > 2 * np.delete(strength, [5, 11]).max()  # its overtone aside


def test_uniform_weights_make_lower_sidelobes_and_more_noise_than_natural_ones():
    far, noise = {}, {}
    for weighting in ("natural", "uniform"):
        made = coverage_of("vla-b", weighting=weighting)
        image = dirty_beam(made)
        y, x = np.mgrid[: made.size, : made.size] - made.size // 2
        far[weighting] = image[(np.hypot(x, y) > 6) & (np.hypot(x, y) < 40)].std()
        seen = made.counts > 0
        noise[weighting] = np.sqrt(np.sum(made.weights[seen] ** 2 / made.counts[seen]))
    assert far["uniform"] < far["natural"]
    assert noise["uniform"] > noise["natural"]


def test_briggs_weights_go_from_uniform_to_natural():
    def weights(**options):
        return coverage_of("vla-b", flagged=0.0, **options).weights

    assert np.abs(weights(weighting="briggs", robust=-2.0) - weights(weighting="uniform")).sum() < 0.05
    assert np.abs(weights(weighting="briggs", robust=2.0) - weights(weighting="natural")).sum() < 0.05


@pytest.mark.parametrize("natural", [True, False])
def test_the_noise_of_the_array_is_correlated_like_its_weights(natural):
    made = coverage_of("vla-b")
    if natural:
        made = replace(made, weights=made.counts / made.counts.sum())
    options = InstrumentOptions(array="vla-b", noise_kernel="array", **QUICK)
    kernel = noise_kernel(options, Beam(6, 6), 1.5, made, radius=96)
    assert kernel.shape == (193, 193)
    assert np.sum(kernel**2) == pytest.approx(1)
    assert np.abs(kernel[0]).max() < 1e-3 * kernel.max()  # it ends smoothly
    n = made.size
    power = np.abs(fft.fft2(kernel, (n, n))) ** 2
    correlation = fft.fftshift(fft.ifft2(power).real)
    per_cell = np.divide(made.weights**2, made.counts, out=np.zeros((n, n)), where=made.counts > 0)
    wanted = dirty_beam(made) if natural else dirty_beam(replace(made, weights=per_cell / per_cell.sum()))
    y, x = np.mgrid[:n, :n] - n // 2
    window = np.exp(-0.5 * (x * x + y * y) / (0.4 * 96) ** 2)
    near = np.hypot(x, y) < 40
    assert np.abs(correlation - wanted * window)[near].max() < 0.01
    if natural:
        middle = np.hypot(x, y) < 5
        assert np.abs(correlation - dirty_beam(made))[middle].max() < 0.02


def test_a_gaussian_kernel_is_as_wide_as_it_says():
    kernel = noise_kernel(InstrumentOptions(noise_width=0.5), Beam(12, 6, 90), 1.0)
    assert np.sum(kernel**2) == pytest.approx(1)
    y, x = np.mgrid[: kernel.shape[0], : kernel.shape[1]]
    y, x = y - kernel.shape[0] // 2, x - kernel.shape[1] // 2
    assert np.sqrt(np.sum(kernel * x * x) / kernel.sum()) * FWHM_PER_SIGMA == pytest.approx(6, rel=1e-3)
    assert np.sqrt(np.sum(kernel * y * y) / kernel.sum()) * FWHM_PER_SIGMA == pytest.approx(3, rel=1e-3)
    with pytest.raises(UsageError, match="needs an array"):
        noise_kernel(InstrumentOptions(noise_kernel="array", array="none"), Beam(6, 6), 1.5)


def test_what_is_lost_follows_the_shortest_spacing():
    made = coverage_of("vla-b", flagged=0.0)
    q = array("vla-b").spacings.min() * BEAMS["vla-b"][2] / LIGHT  # wavelengths
    arcsec = np.radians(1 / 3600)
    assert largest_scale(made) == pytest.approx(0.6 / q / arcsec)
    assert np.exp(-2 * np.pi**2 * hole(made) * (q * arcsec) ** 2) == pytest.approx(0.5)


@pytest.mark.parametrize("size", [0.0, 20.0, 60.0, 200.0])
@pytest.mark.parametrize("bowl", [0.4, 1.0])
def test_the_brightness_that_is_left_is_that_of_a_filtered_map(size, bowl):
    made, beam = coverage_of("vla-b"), Beam(6.0, 6.0)
    ee, en, nn = np.array([(size / FWHM_PER_SIGMA) ** 2]), np.array([0.3 * (size / FWHM_PER_SIGMA) ** 2]), np.array(
        [(0.7 * size / FWHM_PER_SIGMA) ** 2]
    )  # fmt: skip
    kept = uv_filter(made, beam, ee, en, nn, bowl)[0]
    n, scale = 1024, 2.0
    y, x = (np.mgrid[:n, :n] - n // 2) * scale
    shape = np.array([[ee[0], en[0]], [en[0], nn[0]]]) + beam.to_covariance()
    p = np.linalg.inv(shape)
    painted = np.exp(-0.5 * (p[0, 0] * x * x + 2 * p[0, 1] * x * y + p[1, 1] * y * y))
    k = fft.fftfreq(n, scale)
    inner = np.exp(-2 * np.pi**2 * hole(made) * (k[:, None] ** 2 + k**2))
    missing = bowl * lost(made, ee, en, nn)[0]
    seen = fft.ifft2(fft.fft2(fft.ifftshift(painted)) * (1 - missing * inner)).real
    assert kept == pytest.approx(seen[0, 0], abs=2e-4)
    assert kept == pytest.approx(1) if size == 0 else kept < 1


def test_what_is_large_is_lost_and_what_is_small_is_not():
    made, beam = coverage_of("vla-b"), Beam(6.0, 6.0)
    size = np.array([0.1, 1.0, 10.0]) * largest_scale(made) / FWHM_PER_SIGMA
    kept = uv_filter(made, beam, size**2, 0 * size, size**2)
    assert kept[0] > 0.99
    assert 0.3 < kept[1] < 0.9
    assert kept[2] < 0.05


def test_a_stretched_array_makes_any_beam():
    options = InstrumentOptions(array="vla-a", stretch=True, **QUICK)
    made = uv_coverage(options, Beam(45, 45), 11.0, 20.0, 843e6)
    assert made.beam.major == pytest.approx(45, rel=0.05)


@pytest.mark.parametrize("width", [0.3, 60.0])
def test_a_beam_that_the_array_cannot_make_is_refused(width):
    with pytest.raises(UsageError, match="cannot make this beam") as caught:
        uv_coverage(InstrumentOptions(array="vla-a", **QUICK), Beam(width, width), width / 4, 20.0, 1.4e9)
    assert "stretch=true" in str(caught.value)


def test_nothing_is_advised_that_was_given():
    """Low in the sky an array that is stretched as a whole has too long a beam."""
    options = InstrumentOptions(array="vla-b", stretch=True, **QUICK)
    with pytest.raises(UsageError, match="cannot make this beam") as caught:
        uv_coverage(options, Beam(6, 6), 1.5, -30.0, 1.4e9, size=512)
    assert "stretch" not in str(caught.value)


def test_a_field_that_does_not_rise_is_refused():
    with pytest.raises(UsageError, match="never high enough"):
        uv_coverage(InstrumentOptions(array="vla-b"), Beam(6, 6), 1.5, -60.0, 1.4e9)
    with pytest.raises(UsageError, match="ends before it begins"):
        uv_coverage(
            InstrumentOptions(array="vla-b", hour_angle_start=2, hour_angle_end=1),
            Beam(6, 6),
            1.5,
            20.0,
            1.4e9,
        )
    with pytest.raises(UsageError, match="no array"):
        uv_coverage(InstrumentOptions(array="none"), Beam(6, 6), 1.5, 20.0, 1.4e9)


def test_hours_below_the_limit_of_elevation_are_left_out():
    all_day = {"hour_angle_start": -12.0, "hour_angle_end": 12.0}
    hours = coverage_of("vla-b", **all_day).samples.hours
    assert -np.pi < hours.min() < hours.max() < np.pi
    assert coverage_of("vla-b", **all_day, elevation_limit=60.0).samples.hours.max() < hours.max()


def test_the_reach_of_sidelobes_is_bounded():
    assert reach(InstrumentOptions(sidelobe_radius=10.0), Beam(4, 4), 1.0) == 40
    assert reach(InstrumentOptions(sidelobe_radius=400.0), Beam(40, 40), 1.0) == 800
