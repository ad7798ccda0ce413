"""Made samples of classes: colours as declared, limits and missing bands as surveys have them, images with their flux."""

import math
from itertools import pairwise

import numpy as np
import pytest

from skysift.base.errors import OptionError
from skysift.sim.colours.options import SamplesOptions
from skysift.sim.colours.published import BANDS, KINDS
from skysift.sim.colours.sample import drawn, table_of
from skysift.sim.colours.stamps import painted


def made(**choices):
    options = SamplesOptions(**choices)
    sources = drawn(options)
    return options, sources, table_of(sources, options)


def test_colours_are_those_declared_with_the_scatter_asked_for():
    for scatter in (0.5, 2.0):
        _, sources, _ = made(classes=("hii",), number=3000, confusion=0, scatter=scatter)
        ratios = np.log10(sources.true / sources.intrinsic[:, None])
        kind = KINDS["hii"]
        wide = [
            scatter * math.sqrt(kind.spread[0] ** 2 + (kind.spread[1] * tilt) ** 2 + kind.spread[2] ** 2)
            for tilt in (math.log10(band.wavelength / 24) / math.log10(500 / 3.4) for band in BANDS)
        ]
        assert np.allclose(np.median(ratios, axis=0), kind.ratios, atol=4 * max(wide) / math.sqrt(3000))
        assert np.allclose(ratios.std(axis=0), wide, rtol=0.06)


def test_no_scatter_gives_one_spectrum():
    _, sources, _ = made(classes=("pn",), number=20, confusion=0, scatter=0, alpha_scatter=0)
    ratios = np.log10(sources.true / sources.intrinsic[:, None])
    assert np.allclose(ratios, KINDS["pn"].ratios)


def test_a_class_does_not_depend_on_the_others():
    _, alone, _ = made(classes=("yso",), number=30)
    _, both, _ = made(classes=("star", "yso"), number=30)
    assert np.array_equal(alone.flux, both.flux[30:], equal_nan=True)


def test_bands_without_the_far_infrared_are_the_same():
    _, whole, _ = made(classes=("hii",), number=30, confusion=0)
    _, near, table = made(classes=("hii",), number=30, confusion=0, far_infrared=False)
    assert np.array_equal(whole.true[:, :6], near.true)
    assert "flux_higal_70" not in table.titles


def test_a_band_is_a_flux_or_an_upper_limit_or_missing():
    options, sources, table = made(number=200)
    for band in BANDS:
        flux, limit = table[f"flux_{band.name}"], table[f"limit_{band.name}"]
        assert not (np.isfinite(flux) & np.isfinite(limit)).any()
        k = [each.name for each in BANDS].index(band.name)
        missing = np.isnan(sources.flux[:, k])
        assert np.array_equal(np.isnan(flux) & np.isnan(limit), missing)
        ratio = np.log10(flux / table["flux_radio"])
        assert np.allclose(table[f"ratio_{band.name}"], ratio, equal_nan=True)
    for a, b in pairwise(BANDS):  # as `skysift features` has them: the first over the second
        colour = np.log10(table[f"flux_{a.name}"] / table[f"flux_{b.name}"])
        assert np.allclose(table[f"colour_{a.name}_{b.name}"], colour, equal_nan=True)
    assert (table["flux_radio"] > 0).all()
    assert (sources.intrinsic >= 5 * options.rms * 0.999).all()


def test_surveys_of_the_plane_do_not_reach_galaxies_where_catalogues_have_them():
    _, _, plane = made(number=300)
    _, _, away = made(number=300, sky="catalogues")
    for table, low, high in ((plane, 0.95, 1.0), (away, 0.0, 0.06)):
        mine = table.facts["label"] == "galaxy"
        there = np.isfinite(table["flux_higal_160"]) | np.isfinite(table["limit_higal_160"])
        assert low <= there[mine].mean() <= high
        assert (np.isfinite(table["flux_wise_12"]) | np.isfinite(table["limit_wise_12"])).all()


def test_pulsars_are_seen_in_the_infrared_by_chance_alone():
    _, _, table = made(classes=("pulsar",), number=800)
    seen = np.isfinite(table["flux_wise_3_4"]).mean()
    assert 0.4 < seen < 0.6
    _, _, clean = made(classes=("pulsar",), number=800, confusion=0)
    assert np.isfinite(clean["flux_wise_3_4"]).mean() < 0.01


def test_spectral_indices_have_the_errors_that_are_told():
    _, _, table = made(classes=("hii",), number=2000, alpha_scatter=0)
    pull = (table["alpha"] - KINDS["hii"].alpha[0]) / table["alpha_err"]
    assert abs(np.nanmean(pull)) < 0.1
    assert np.nanstd(pull) == pytest.approx(1.0, abs=0.06)


def test_images_hold_the_true_flux_and_the_noise_of_the_survey():
    options, sources, _ = made(classes=("hii",), number=6, stamps=96, confusion=0, rms=1e-4)
    bands, images = painted(sources, options)
    assert bands[0] == "radio"
    assert images.shape == (6, 12, 96, 96)
    beam = math.pi / (4 * math.log(2)) * (10.0 / options.pixel) ** 2
    compact = sources.size < 30
    total = images[:, 0].sum(axis=(1, 2)) / beam
    assert np.allclose(total[compact], sources.intrinsic[compact], rtol=0.02)
    _, faint, _ = made(classes=("pulsar",), number=40, stamps=64, confusion=0)
    _, images = painted(faint, SamplesOptions(classes=("pulsar",), number=40, stamps=64, confusion=0))
    assert images[:, 4].std() == pytest.approx(BANDS[3].plane, rel=0.1)
    outside = np.isnan(faint.flux[:, 2])
    assert np.isnan(images[outside, 3]).all()
    assert np.isfinite(images[~outside, 3]).all()


@pytest.mark.parametrize("classes", [(), ("blazar",), ("star", "star")])
def test_classes_that_are_not_known_are_refused(classes):
    with pytest.raises(OptionError, match="class"):
        drawn(SamplesOptions(classes=classes))
