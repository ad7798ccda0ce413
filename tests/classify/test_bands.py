"""Fluxes, limits, colours, overlaps and spectra of made multi-band sources are what was put in."""

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, gaussian_filter
from skimage.metrics import structural_similarity
from tests.classify.pictures import Held, blob, pictures_of

from skysift.base.errors import UsageError
from skysift.classify.features.options import FeaturesOptions
from skysift.classify.features.pixels import correlated_squares, correlation_widths, similarity
from skysift.classify.features.spectrum import fit_power_laws, orthogonal_slopes
from skysift.classify.features.table import features_of
from skysift.stamps.pictures import Pictures

FREQUENCIES = (0.9e9, 1.4e9, 3.0e9)


def smooth_noise(shape, width, seed):
    """Noise of 1 sigma whose autocorrelation is a Gaussian of this rms width."""
    rng = np.random.default_rng(seed)
    noise = gaussian_filter(
        rng.normal(size=shape), (0,) * (len(shape) - 2) + (width / np.sqrt(2),) * 2, mode="wrap"
    )
    return noise / noise.std()


def made(n, alpha, height, seed=1, size=64, rms=3.0, width=1.5, levels=(0.0, 0.0, 0.0)):
    """Sources of one spectral index in three bands, noise of 1 in each."""
    source = blob(size, rms=rms) + 0.5 * blob(size, y=4.0, x=6.0, rms=rms)
    ratio = (np.array(FREQUENCIES) / FREQUENCIES[1]) ** alpha
    pixels = height * ratio[:, None, None] * source + smooth_noise((n, 3, size, size), width, seed)
    pixels += np.array(levels)[:, None, None]
    return pictures_of(pixels, bands=("low", "mid", "high"))


def test_the_correlation_of_the_noise_is_measured():
    for width in (0.0, 1.0, 1.7, 3.0):
        noise = (
            smooth_noise((3, 128, 128), width, 2)
            if width
            else np.random.default_rng(2).normal(size=(3, 128, 128))
        )
        out = np.zeros(3)
        correlation_widths(
            noise.astype(np.float32), np.zeros(noise.shape, bool), np.zeros(3), np.ones(3), out
        )
        assert out.mean() == pytest.approx(width, abs=0.1 if width else 0.2)


def test_errors_of_sums_are_those_of_many_draws():
    weights = blob(40, rms=4.0) * (blob(40, rms=4.0) > 0.1)
    for width in (0.0, 1.2, 2.5):
        noise = (
            smooth_noise((4000, 40, 40), width, 3)
            if width
            else np.random.default_rng(3).normal(size=(4000, 40, 40))
        )
        out = np.zeros(1)
        correlated_squares(weights[None], np.array([width]), out)
        assert np.sqrt(out[0]) == pytest.approx((noise * weights).sum(axis=(1, 2)).std(), rel=0.05)


def test_similarity_is_that_of_scikit_image():
    rng = np.random.default_rng(4)
    first, second = blob(40, rms=5.0), blob(40, x=2.0, rms=5.0) + 0.02 * rng.normal(size=(40, 40))
    inside = blob(40, rms=5.0) > 0.3
    out = np.zeros(1)
    similarity(first[None], second[None], inside[None], 3, out)
    _, full = structural_similarity(first, second, win_size=7, data_range=1.0, full=True)
    assert out[0] == pytest.approx(np.median(full[inside]), abs=1e-6)


def test_fluxes_have_their_unit_and_errors():
    beam = 6.0 / 2.3548  # a point source of 2.5 Jy in Jy/beam, beam of 6", pixels of 1"
    pixels = 2.5 * np.repeat(blob(64, rms=beam)[None, None], 200, axis=0) + 0.01 * smooth_noise(
        (200, 1, 64, 64), beam, 5
    )
    pictures = pictures_of(pixels, scale=1.0, unit="Jy/beam", bands=("b",))
    table = features_of(pictures, FeaturesOptions(groups=("flux",), beam=6.0))
    assert table.columns[table.titles.index("flux_b")].unit == "Jy"
    assert table["flux_b"].mean() == pytest.approx(2.5, rel=0.02)  # what lies below 3 sigma is not in it
    fixed = binary_dilation(
        blob(64, rms=beam) > 0.012, np.ones((3, 3)), iterations=2
    )  # one aperture for all, so that the scatter is of the noise alone
    spread = pixels[:, 0][:, fixed].sum(axis=1).std() / (2 * np.pi * beam**2)
    assert table["flux_err_b"].mean() == pytest.approx(spread, rel=0.15)
    assert (table["detected_b"] == 1).all()
    assert np.isnan(table["limit_b"]).all()


def test_a_band_that_is_missing_or_faint_is_nan_with_a_flag():
    pixels = 50.0 * np.repeat(blob(64)[None, None], 4, axis=0).repeat(3, axis=1) + smooth_noise(
        (4, 3, 64, 64), 1.5, 6
    )
    pixels[1, 1] = np.nan
    pixels[2, 2] -= 50.0 * blob(64)
    pixels[3, 2, :, :31] = np.nan
    table = features_of(pictures_of(pixels, bands=("a", "b", "c")), FeaturesOptions(frequencies=FREQUENCIES))
    assert table["missing_b"].tolist() == [0, 1, 0, 0]
    for name in (
        "flux_b",
        "log_flux_b",
        "ratio_b",
        "colour_a_b",
        "colour_b_c",
        "overlap_a_b",
        "ssim_a_b",
        "detected_b",
    ):
        assert np.isnan(table[name]).tolist() == [False, True, False, False] or name == "colour_b_c"
    assert table["detected_c"].tolist()[:3] == [1, 1, 0]
    assert table["limit_c"][2] == pytest.approx(3.0 * table["flux_err_c"][2])
    assert np.isfinite(table["ratio_limit_c"]).tolist()[:3] == [False, False, True]
    assert np.isnan(table["colour_b_c"][[1, 2]]).all()
    assert not np.isin(table.values, [-999.0]).any()
    assert table["alpha_bands"].tolist()[:3] == [3, 2, 2]


def test_fluxes_are_summed_over_the_beam_of_each_picture():
    beams = np.array([6.0, 6.0, 12.0, np.nan])
    pixels = 100.0 * np.stack([[blob(64)]] * 4) + smooth_noise((4, 1, 64, 64), 1.5, 1)
    pictures = pictures_of(pixels, scale=2.0, unit="Jy/beam")
    told = features_of(
        pictures.with_facts(beam_major=beams, beam_minor=beams), FeaturesOptions(groups=("flux",))
    )
    name = f"flux_{pictures.bands[0]}"
    pixel = pictures_of(pixels, scale=2.0, unit="Jy/pixel")
    sums = features_of(pixel, FeaturesOptions(groups=("flux",)))[name]
    area = np.pi * np.array([6.0, 6.0, 12.0, 6.0]) ** 2 / (4.0 * np.log(2.0)) / 2.0**2
    assert told[name] == pytest.approx(sums / area)
    alone = features_of(
        pictures.with_facts(beam_major=beams, beam_minor=beams).select([2]), FeaturesOptions()
    )
    assert alone[name] == pytest.approx(told[name][2:3])  # whatever stands beside it


def test_peaks_apart_and_overlap_of_two_bands():
    pixels = np.stack([[blob(64), blob(64)], [blob(64), blob(64, x=5.0)], [blob(64), blob(64, x=25.0)]])
    table = features_of(pictures_of(pixels, 0.001, bands=("a", "b"), scale=2.0), FeaturesOptions(radius=1.0))
    assert table["separation_a_b"] == pytest.approx([0.0, 10.0, 50.0], abs=3.0)  # pixels of 2 arcsec
    assert table["overlap_a_b"][0] > 0.9 > table["overlap_a_b"][1] > table["overlap_a_b"][2] == 0.0
    assert table["ssim_a_b"][0] > 0.9 > table["ssim_a_b"][1]


@pytest.mark.parametrize("height", [12.0, 60.0])
@pytest.mark.parametrize("alpha", [-0.8, 0.6])
def test_spectral_indices_have_no_bias_and_true_errors(alpha, height):
    table = features_of(
        made(300, alpha, height), FeaturesOptions(frequencies=FREQUENCIES, groups=("spectral",))
    )
    for name in ("alpha", "tt_alpha_low_high"):
        error = table["alpha_err" if name == "alpha" else "tt_alpha_err_low_high"]
        pulls = (table[name] - alpha) / error
        assert np.isfinite(pulls).all()
        assert abs(pulls.mean()) < 0.2, name
        assert 0.88 < pulls.std() < 1.12, name
    half = 0.5 * (table["alpha_high"] - table["alpha_low"])
    assert np.median(half / table["alpha_err"]) == pytest.approx(1.0, abs=0.15)
    assert abs((table["curvature"] / table["curvature_err"]).mean()) < 0.2
    assert table["tt_scatter_low_high"].mean() == pytest.approx(1.0, abs=0.05)


def test_curvature_is_found():
    frequency = np.array(FREQUENCIES)
    t = np.log(frequency / np.exp(np.log(frequency).mean()))
    flux = np.exp(1.0 - 0.7 * t - 0.4 * t**2)[None]
    values, errors = fit_power_laws(flux, 1e-3 * flux, t, np.ones((1, 3), bool), 3)
    assert values[0] == pytest.approx([1.0, -0.7, -0.4], abs=1e-6)
    assert (errors > 0).all()


def test_the_slope_does_not_shrink_with_noise_and_is_the_same_both_ways():
    rng = np.random.default_rng(7)
    x = rng.normal(size=200_000)
    y = 0.5 * x + 0.4 * rng.normal(size=x.size)
    x = x + 0.8 * rng.normal(size=x.size)
    sxx, syy, sxy = (np.array([np.mean(p * q)]) for p, q in ((x, x), (y, y), (x, y)))
    one = orthogonal_slopes(sxx, syy, sxy, np.array([0.8]), np.array([0.4]))[0]
    other = orthogonal_slopes(syy, sxx, sxy, np.array([0.4]), np.array([0.8]))[0]
    assert one[0] == pytest.approx(0.5, abs=0.01)
    assert one[0] * other[0] == pytest.approx(1.0)
    assert (sxy / sxx)[0] < 0.35  # what plain regression gives


def test_levels_do_not_move_the_index_of_pixels():
    options = FeaturesOptions(frequencies=FREQUENCIES, groups=("spectral",))
    even, uneven = (
        features_of(made(4, -0.7, 50.0, levels=at), options) for at in ((0, 0, 0), (5.0, -3.0, 40.0))
    )
    np.testing.assert_allclose(even["tt_alpha_low_high"], uneven["tt_alpha_low_high"], atol=1e-3)


def test_a_band_that_no_picture_has_is_missing_and_refuses_no_spectral_index():
    pictures = made(3, -0.8, 40.0)
    store = np.array(pictures.read(slice(0, 3)))
    store[:, 2] = np.nan
    units = np.array([["Jy/beam", "Jy/beam", ""]] * 3)
    beams = np.array([[6.0, 6.0, np.nan]] * 3)
    bare = pictures_of(store, bands=("low", "mid", "high"), unit="Jy/beam", scale=1.0)
    told = dataclasses.replace(bare, band_units=units, band_beams=beams)
    options = FeaturesOptions(groups=("flux", "spectral"), frequencies=FREQUENCIES)
    table = features_of(told, options)
    assert (table["missing_high"] == 1).all()
    assert np.isnan(table["flux_high"]).all()
    assert np.isfinite(table["flux_low"]).all()
    assert table["alpha"] == pytest.approx([-0.8] * 3, abs=0.25)
    mixed = dataclasses.replace(told, band_units=np.array([["Jy/beam", "Jy/beam", "K"]] * 3))
    with pytest.raises(UsageError, match="no spectral index between bands of different units"):
        features_of(mixed, options)


def test_what_needs_more_bands_says_so():
    with pytest.raises(UsageError, match="two bands or more"):
        features_of(pictures_of(blob(48)[None], 0.01), FeaturesOptions(groups=("pairs",)))
    with pytest.raises(UsageError, match="frequencies"):
        features_of(pictures_of(blob(48)[None], 0.01), FeaturesOptions(groups=("spectral",)))


def test_bands_of_a_made_set_need_no_scale():
    pixels = np.repeat((blob(48) + 0.01 * smooth_noise((48, 48), 1.0, 8))[None, None], 2, axis=1)
    table = features_of(Pictures(("a",), ("x", "y"), Held(pixels), np.arange(1)))
    assert table["separation_x_y"][0] == 0.0
    assert table["ratio_y"][0] == pytest.approx(0.0)
