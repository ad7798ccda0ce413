"""Bowls around extended sources: flagged where short spacings are missing, and only there."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from tests import images
from tests.find.extended.extended_skies import AREA, disc, seen, sky

from skysift.find.run import find
from skysift.sky.flags import doubtful, has

SIZE = (256, 256)


def resolved_out(part, scale):
    """What an array sees that recovers nothing wider than a Gaussian of this FWHM (pixels): a map of sum zero."""
    wide = np.pad(part, 128)
    return (wide - gaussian_filter(wide, scale / 2.35482, mode="wrap"))[128:-128, 128:-128]


def brightest(*parts, seed=1):
    sources = find(sky(SIZE, *parts, seed=seed), "extended").sources
    return sources.select(np.array([np.argmax(sources["flux"])]))


@pytest.mark.parametrize(("radius", "mean"), [(20, 20), (30, 10), (30, 40)])
def test_a_source_that_is_resolved_out_is_flagged_and_its_flux_is_a_lower_limit(radius, mean):
    part = seen(disc(SIZE, 128, 128, radius), mean)
    true = part.sum() / AREA
    whole, less = brightest(part), brightest(resolved_out(part, 2.0 * radius))
    assert whole["flux"][0] == pytest.approx(true, rel=0.08)
    assert not has(whole["flags"], "negative_bowl")[0]
    assert less["flux"][0] < 0.85 * true
    assert has(less["flags"], "negative_bowl")[0]
    assert doubtful(less["flags"])[0]


def test_a_source_that_the_array_recovers_is_not_flagged():
    part = seen(disc(SIZE, 128, 128, 20), 20)
    found = brightest(resolved_out(part, 240.0))
    assert found["flux"][0] == pytest.approx(part.sum() / AREA, rel=0.05)
    assert not has(found["flags"], "negative_bowl")[0]


@pytest.mark.parametrize("seed", range(3))
def test_a_background_that_took_some_of_the_source_is_no_bowl(seed):
    found = brightest(seen(disc(SIZE, 128, 128, 50), 3), seed=seed)
    assert found["background_local"][0] < 0.0
    assert not has(found["flags"], "negative_bowl")[0]


def test_a_point_on_top_of_a_source_in_a_bowl_is_not_flagged():
    data = resolved_out(seen(disc(SIZE, 128, 128, 30), 10), 80.0)
    sources = find(sky(SIZE, data, points=images.source(139.3, 135.2, 60 * images.RMS)), "full").sources
    assert (sources["parent_id"] > 0).sum() == 1
    assert has(sources["flags"], "negative_bowl").tolist() == (sources["structure"] == "E").tolist()
