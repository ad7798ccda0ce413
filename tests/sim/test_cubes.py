"""Made cubes of lines: flux, beam, widths and noise against closed forms."""

import numpy as np
import pytest

from skysift.base.errors import OptionError
from skysift.sim.cubes import make_lines
from skysift.sim.options import LineCubeOptions

FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))
ONE = LineCubeOptions(n_pixels=32, n_channels=32, n_lines=1, snr_min=1e7, snr_max=1e7, speed_max=5.0)


def moments(cube):
    """Sum, centre and covariance (channel, y, x) of what is in a cube."""
    light = cube.data.astype(np.float64)
    places = [each.astype(np.float64) for each in np.indices(light.shape)]
    total = light.sum()
    centre = [(light * each).sum() / total for each in places]
    spread = [
        [(light * (a - u) * (b - v)).sum() / total for b, v in zip(places, centre, strict=True)]
        for a, u in zip(places, centre, strict=True)
    ]
    return total, np.array(centre), np.array(spread)


def in_the_middle(options, spare=10.0):
    """The first cube whose line is that far from all borders."""
    for seed in range(200):
        cube = make_lines(options, seed)
        at = [cube.lines[name][0] for name in ("channel", "y", "x")]
        if all(spare <= each <= 31.0 - spare for each in at):
            return cube
    raise AssertionError("no such cube")


def test_flux_place_and_shape_are_those_of_the_truth():
    options = ONE.replace(size_min=0.8, size_max=0.8, beam_major=4.0, beam_minor=3.0, resolution=1.5)
    cube = in_the_middle(options)
    total, centre, spread = moments(cube)
    truth = {name: float(each[0]) for name, each in cube.lines.items()}
    area = 2.0 * np.pi * np.sqrt(cube.beam[0] * cube.beam[2] - cube.beam[1] ** 2)
    assert area == pytest.approx(2.0 * np.pi * 4.0 * 3.0 / FWHM**2, rel=1e-9)
    assert total / area == pytest.approx(truth["flux"], rel=1e-3)
    assert centre == pytest.approx([truth["channel"], truth["y"], truth["x"]], abs=0.1)
    label = cube.field("one").labels.raw
    assert spread[2, 2] == pytest.approx(label["xx"][0] + cube.beam[0], rel=0.08)
    assert spread[1, 1] == pytest.approx(label["yy"][0] + cube.beam[2], rel=0.08)
    assert spread[1, 2] == pytest.approx(label["xy"][0] + cube.beam[1], abs=0.25)
    assert label["snr_int"][0] == pytest.approx(truth["flux"] / options.rms)


def test_what_recedes_lies_where_the_angle_says():
    options = ONE.replace(size_min=1.0, size_max=1.0, speed_min=5.0)
    for seed in range(60):
        cube = make_lines(options, seed)
        if cube.lines["inclination"][0] > 0.6 and all(
            9 < cube.lines[name][0] < 22 for name in ("channel", "x", "y")
        ):
            break
    _, _, spread = moments(cube)
    away = np.angle(complex(spread[0, 2], spread[0, 1]) / np.exp(1j * cube.lines["angle"][0]))
    assert abs(away) < 0.15


def test_a_line_without_rotation_is_as_wide_as_a_gaussian():
    options = ONE.replace(speed_min=0.0, speed_max=0.0, dispersion=2.0, resolution=3.0, n_lines=40)
    sigma = np.hypot(2.0, 3.0 / FWHM)
    width = 2.0 * sigma * np.sqrt(2.0 * np.log(5.0))
    assert make_lines(options, 1).lines["w20"] == pytest.approx(width, abs=0.6)


def test_noise_has_its_rms_and_its_correlation():
    options = LineCubeOptions(n_pixels=64, n_channels=64, n_lines=0, rms=2e-4, beam_major=5.0, beam_minor=5.0)
    cube = make_lines(options, 3)
    noise = cube.data.astype(np.float64)
    assert noise.std() == pytest.approx(2e-4, rel=1e-5)
    assert noise.mean() == pytest.approx(0.0, abs=3e-6)
    for lag in (2, 4):
        sky = (noise[:, :, lag:] * noise[:, :, :-lag]).mean() / noise.var()
        kernel = 0.7 * 5.0 / FWHM
        assert sky == pytest.approx(np.exp(-(lag**2) / (4.0 * kernel**2)), abs=0.03)
        deep = (noise[lag:] * noise[:-lag]).mean() / noise.var()
        assert deep == pytest.approx(np.exp(-(lag**2) / (4.0 * (2.0 / FWHM) ** 2)), abs=0.03)
    assert len(cube.lines["x"]) == len(cube.field("none").labels) == 0


def test_signal_over_noise_is_that_of_the_line_in_its_beams_and_channels():
    """The scatter of sums over as many beams and channels as a line has, in a cube of noise alone."""
    options = LineCubeOptions(n_pixels=96, n_channels=96, n_lines=0, beam_major=4.0, beam_minor=4.0)
    noise = make_lines(options, 5).data.astype(np.float64)
    area = 2.0 * np.pi * (4.0 / FWHM) ** 2
    blocks = noise.reshape(6, 16, 8, 12, 8, 12).sum(axis=(1, 3, 5)) / area
    beams, correlated = 144.0 / (2.0 * area), 2.0 * np.sqrt(np.pi) * 2.0 / FWHM
    assert blocks.std() == pytest.approx(np.sqrt(beams * 16.0 * correlated), rel=0.3)


def test_cubes_follow_from_the_seed():
    options = LineCubeOptions(n_pixels=16, n_channels=16, n_lines=3)
    assert np.array_equal(make_lines(options, 1).data, make_lines(options, 1).data)
    assert not np.array_equal(make_lines(options, 1).data, make_lines(options, 2).data)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"snr_min": 50.0}, "snr_max is not below snr_min"),
        ({"beam_minor": 6.0}, "beam_minor is not above beam_major"),
        ({"n_pixels": 8}, "n_pixels"),
    ],
)
def test_options_that_cannot_be_are_refused(wrong, told):
    with pytest.raises(OptionError, match=told):
        LineCubeOptions(**wrong)
