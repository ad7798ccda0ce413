"""The drawn sky: numbers, places, moments, spectra, and that a cell does not know of the rectangle."""

import math
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from skysift.base.errors import OptionError, UsageError
from skysift.sim.counts import COUNTS
from skysift.sim.objects import Elements, Objects
from skysift.sim.options import PopulationOptions
from skysift.sim.population import REFERENCE, cells_of, draw

ARCSEC = math.pi / 648000
FWHM = math.sqrt(8 * math.log(2))
CENTRE = (359.9, -30.0)
SQUARE = (-900.0, 900.0, -900.0, 900.0)
MANY = PopulationOptions(density=4.0)


@pytest.fixture(scope="module")
def sky() -> tuple[Objects, Elements]:
    return draw(SQUARE, CENTRE, MANY, 1)


@pytest.fixture(scope="module")
def active() -> tuple[Objects, Elements]:
    """Bright enough that most are resolved."""
    options = PopulationOptions(flux_min=1e-4, flux_max=1.0, density=60.0, star_forming=0.0)
    return draw(SQUARE, CENTRE, options, 2)


def sums(elements: Elements, n: int, values: np.ndarray) -> np.ndarray:
    return np.bincount(elements.owner, weights=values, minlength=n)


def row_of(objects: Objects) -> list[tuple[object, ...]]:
    return list(zip(*(getattr(objects, each.name).tolist() for each in fields(objects)), strict=True))


def test_numbers_are_those_of_the_counts(sky):
    objects, _ = sky
    area = (1800 * ARCSEC) ** 2
    for name, counts in COUNTS.items():
        expected = 4.0 * area * counts.number(1e-6, 10.0)
        seen = np.sum(objects.object_type == name)
        assert abs(seen - expected) < 4 * math.sqrt(expected)
        bright = 4.0 * area * counts.number(1e-4, 10.0)
        seen = np.sum((objects.object_type == name) & (objects.flux > 1e-4))
        assert abs(seen - bright) < 4 * math.sqrt(bright) + 1


def test_numbers_scatter_as_poisson_says():
    options = PopulationOptions(flux_min=2e-5, steep_agn=0.0, flat_agn=0.0, cell=100.0)
    objects, _ = draw(SQUARE, CENTRE, options, 3)
    _, east, north = offsets(objects)
    count = np.histogram2d(east, north, bins=18, range=[SQUARE[:2], SQUARE[2:]])[0]
    assert count.var() / count.mean() == pytest.approx(1.0, abs=0.25)


def offsets(objects: Objects) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gnomonic offsets (arcsec) from the centre, and the cosine of the distance, in the textbook's form."""
    a, d = np.radians(objects.ra - CENTRE[0]), np.radians(objects.dec)
    d0 = math.radians(CENTRE[1])
    cosine = np.sin(d) * math.sin(d0) + np.cos(d) * math.cos(d0) * np.cos(a)
    east = np.cos(d) * np.sin(a) / cosine
    north = (np.sin(d) * math.cos(d0) - np.cos(d) * math.sin(d0) * np.cos(a)) / cosine
    return cosine, east / ARCSEC, north / ARCSEC


def test_objects_lie_in_the_rectangle_and_fill_it(sky):
    objects, _ = sky
    _, east, north = offsets(objects)
    for place in (east, north):
        assert place.min() >= -900.0 - 1e-6
        assert place.max() < 900.0 + 1e-6
        assert place.mean() == pytest.approx(0.0, abs=4 * 520 / math.sqrt(len(objects)))
    assert ((objects.ra >= 0) & (objects.ra < 360)).all()


def test_a_cell_is_the_same_whatever_the_rectangle():
    options = PopulationOptions(flux_min=1e-5, cell=150.0)
    large, large_elements = draw((-450.0, 450.0, -300.0, 300.0), CENTRE, options, 7)
    small, small_elements = draw((-150.0, 0.0, 0.0, 150.0), CENTRE, options, 7)
    rows = row_of(large)
    assert len(small) > 20
    wanted = [rows.index(each) for each in row_of(small)]  # bit for bit
    assert wanted == sorted(wanted)
    for mine, theirs in enumerate(wanted):
        a = small_elements.select(small_elements.owner == mine)
        b = large_elements.select(large_elements.owner == theirs)
        for each in fields(a)[1:]:
            np.testing.assert_array_equal(getattr(a, each.name), getattr(b, each.name))


def test_a_rectangle_that_cuts_cells_gives_part_of_them():
    options = PopulationOptions(flux_min=1e-5, cell=150.0)
    whole, _ = draw((-300.0, 300.0, -300.0, 300.0), CENTRE, options, 7)
    left, left_elements = draw((-300.0, 37.0, -300.0, 300.0), CENTRE, options, 7)
    right, right_elements = draw((37.0, 300.0, -300.0, 300.0), CENTRE, options, 7)
    assert sorted(row_of(left) + row_of(right)) == sorted(row_of(whole))
    for objects, elements in ((left, left_elements), (right, right_elements)):
        assert np.array_equal(np.unique(elements.owner), np.arange(len(objects)))


def test_the_seed_and_only_the_seed_draws_another_sky(sky):
    again, elements = draw(SQUARE, CENTRE, MANY, 1)
    np.testing.assert_array_equal(again.ra, sky[0].ra)
    np.testing.assert_array_equal(elements.east, sky[1].east)
    other, _ = draw(SQUARE, CENTRE, MANY, 2)
    assert not set(other.flux.tolist()) & set(again.flux.tolist())


def test_one_population_does_not_change_another():
    square = (0.0, 300.0, 0.0, 300.0)
    every, _ = draw(square, CENTRE, PopulationOptions(), 4)
    alone, _ = draw(square, CENTRE, PopulationOptions(star_forming=0.0, flat_agn=0.0), 4)
    assert set(alone.object_type) == {"SS-AGN"}
    assert row_of(every.select(every.object_type == "SS-AGN")) == row_of(alone)


@pytest.mark.parametrize("made", ["sky", "active"])
def test_fluxes_of_elements_sum_to_those_of_objects(made, request):
    objects, elements = request.getfixturevalue(made)
    np.testing.assert_allclose(sums(elements, len(objects), elements.flux), objects.flux, rtol=1e-12)


@pytest.mark.parametrize("made", ["sky", "active"])
def test_centroids_sizes_and_angles_are_the_moments_of_the_elements(made, request):
    objects, elements = request.getfixturevalue(made)
    n = len(objects)
    weight = elements.flux / objects.flux[elements.owner]
    for place in (elements.east, elements.north):
        assert np.abs(sums(elements, n, weight * place)).max() < 1e-9
    ee = sums(elements, n, weight * (elements.ee + elements.east**2))
    en = sums(elements, n, weight * (elements.en + elements.east * elements.north))
    nn = sums(elements, n, weight * (elements.nn + elements.north**2))
    s, c = np.sin(np.radians(objects.pa)), np.cos(np.radians(objects.pa))
    for axis, east, north in ((objects.major, s, c), (objects.minor, c, -s)):
        along = ee * east**2 + 2 * en * east * north + nn * north**2
        np.testing.assert_allclose(axis, FWHM * np.sqrt(np.maximum(along, 0)), rtol=1e-6, atol=1e-6)
    assert (objects.major >= objects.minor).all()
    assert ((objects.pa >= 0) & (objects.pa < 180)).all()


@pytest.mark.parametrize("made", ["sky", "active"])
def test_spectral_indices_are_the_slopes_of_the_totals(made, request):
    objects, elements = request.getfixturevalue(made)
    step = 1e-4
    up, down = (sums(elements, len(objects), elements.at(1 + sign * step)) for sign in (1, -1))
    slope = np.log(up / down) / np.log((1 + step) / (1 - step))
    np.testing.assert_allclose(objects.spectral_index, slope, atol=1e-6)


def test_spectra_are_those_of_their_populations(sky):
    objects, _ = sky
    for name, mean, width in (("SFG", -0.75, 0.2), ("SS-AGN", -0.79, 0.2), ("FS-AGN", -0.1, 0.24)):
        index = objects.spectral_index[objects.object_type == name]
        assert index.mean() == pytest.approx(mean, abs=0.03)
        assert index.std() == pytest.approx(width, abs=0.03)


def test_cores_are_elements_of_no_size_at_the_core_with_a_flatter_spectrum(active):
    objects, elements = active
    points = elements.select(elements.ee + elements.nn == 0)
    rows = points.owner
    assert np.array_equal(rows, np.flatnonzero(objects.core_fraction > 0))
    np.testing.assert_allclose(points.flux, (objects.core_fraction * objects.flux)[rows], rtol=1e-12)
    steep = objects.object_type[rows] == "SS-AGN"
    assert (points.spectral_index[steep] > objects.spectral_index[rows][steep]).mean() > 0.99
    # the core's place on the sky is that of its element
    east = (objects.ra_core - objects.ra + 180) % 360 - 180
    east = east[rows] * np.cos(np.radians(objects.dec_core[rows])) * 3600
    north = (objects.dec_core - objects.dec)[rows] * 3600
    np.testing.assert_allclose(points.east, east, atol=2e-3)
    np.testing.assert_allclose(points.north, north, atol=2e-3)


def test_most_of_the_cores_lie_off_the_centroid_and_none_beyond_the_object(active):
    objects, _ = active
    large = (objects.object_type == "SS-AGN") & (objects.angular_size > 1)
    apart = np.hypot(
        ((objects.ra_core - objects.ra + 180) % 360 - 180) * np.cos(np.radians(objects.dec)),
        objects.dec_core - objects.dec,
    )[large] * 3600  # fmt: skip
    assert np.median(apart / objects.angular_size[large]) > 0.02
    assert (apart < 0.7 * objects.angular_size[large]).all()


def test_the_largest_size_is_the_extent_between_half_maxima(active):
    objects, elements = active
    chosen = np.flatnonzero(objects.angular_size > 5)[:60]
    turns = np.arange(180) * np.pi / 180
    for row in chosen:
        e = elements.select(elements.owner == row)
        s, c = np.sin(turns)[:, None], np.cos(turns)[:, None]
        place = e.east * s + e.north * c
        reach = np.sqrt(2 * np.log(2) * np.maximum(e.ee * s * s + 2 * e.en * s * c + e.nn * c * c, 0))
        extent = ((place + reach).max(1) - (place - reach).min(1)).max()
        assert objects.angular_size[row] == pytest.approx(extent, rel=0.01)


def test_half_of_the_steep_ones_are_larger_than_windhorst_says(active):
    objects, _ = active
    steep = (objects.object_type == "SS-AGN") & (objects.flux < 1e-3)
    assert np.median(objects.angular_size[steep]) == pytest.approx(2.0, abs=0.3)  # its own error is 0.09


def test_kinds_of_radio_galaxies_come_in_the_parts_that_are_asked_for(active):
    objects, _ = active
    large = objects.select((objects.object_type == "SS-AGN") & (objects.angular_size >= 1.0))
    n = len(large)
    for kind, part in (("bent", 0.10), ("head-tail", 0.05), ("double-double", 0.03), ("remnant", 0.06)):
        seen = np.sum(large.morphology == kind)
        assert abs(seen - part * n) < 4 * math.sqrt(part * n)
    faint, bright = large.flux < 1e-3, large.flux > 0.1
    for chosen, part in ((faint, 0.25), (bright, 0.6)):
        two = np.sum(large.morphology[chosen] == "FRII")
        assert two / (two + np.sum(large.morphology[chosen] == "FRI")) == pytest.approx(part, abs=0.12)
    assert set(objects.morphology[objects.angular_size < 1.0]) == {"compact"}
    assert (large.core_fraction[large.morphology == "remnant"] == 0).all()
    assert np.median(large.spectral_index[large.morphology == "remnant"]) == pytest.approx(-1.2, abs=0.06)


def test_discs_are_seen_at_any_inclination(sky):
    objects, _ = sky
    discs = objects.select(objects.object_type == "SFG")
    ratio = discs.minor / discs.major
    assert ratio.min() >= 0.2 - 1e-6
    cosine = np.sqrt((ratio**2 - 0.2**2) / (1 - 0.2**2))
    np.testing.assert_allclose(np.quantile(cosine, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.02)
    np.testing.assert_allclose(np.quantile(discs.pa, [0.25, 0.5, 0.75]), [45, 90, 135], atol=3)
    assert (discs.core_fraction == 0).all()
    np.testing.assert_array_equal(discs.ra_core, discs.ra)


def test_small_discs_are_one_gaussian_of_the_same_moments():
    square = (0.0, 200.0, 0.0, 200.0)
    choice = {"steep_agn": 0.0, "flat_agn": 0.0}
    fine, many = draw(square, CENTRE, PopulationOptions(disc_limit=0.0, **choice), 5)
    rough, one = draw(square, CENTRE, PopulationOptions(disc_limit=1e4, **choice), 5)
    assert len(many) == 6 * len(fine)
    assert len(one) == len(rough)
    np.testing.assert_allclose(fine.major, rough.major, rtol=1e-9)
    np.testing.assert_allclose(fine.minor, rough.minor, rtol=1e-9)
    np.testing.assert_allclose(fine.angular_size / fine.major, 7.8 / (FWHM * math.sqrt(3)), rtol=2e-3)


def test_sizes_scale():
    square = (0.0, 150.0, 0.0, 150.0)
    one, _ = draw(square, CENTRE, PopulationOptions(lobe_limit=0.0, disc_limit=0.0), 6)
    two, _ = draw(square, CENTRE, PopulationOptions(lobe_limit=0.0, disc_limit=0.0, size_scale=2.0), 6)
    np.testing.assert_allclose(two.angular_size, 2 * one.angular_size)
    np.testing.assert_allclose(two.major, 2 * one.major, atol=1e-6)


def test_an_empty_sky_is_a_value():
    objects, elements = draw(SQUARE, CENTRE, PopulationOptions(density=0.0), 1)
    assert len(objects) == len(elements) == 0
    assert REFERENCE == 1.4e9


def test_the_pole_is_a_place_like_any_other():
    objects, _ = draw((-600.0, 600.0, -600.0, 600.0), (10.0, 90.0), PopulationOptions(flux_min=1e-5), 1)
    assert objects.dec.min() > 89.7
    assert np.ptp(objects.ra) > 350


def test_a_far_cell_holds_less_sky():
    options = PopulationOptions(flux_min=1e-5, density=3.0, steep_agn=0.0, flat_agn=0.0, cell=600.0)
    near, _ = draw((0.0, 1200.0, 0.0, 1200.0), CENTRE, options, 1)
    far, _ = draw((105000.0, 106200.0, 0.0, 1200.0), CENTRE, options, 1)
    slope = (1 + (105600 * ARCSEC) ** 2) ** -1.5
    assert len(far) / len(near) == pytest.approx(slope, abs=4 * math.sqrt(2 / len(near)))


@pytest.mark.parametrize(
    "rectangle", [(0, 0, 0, 1), (1, 0, 0, 1), (0, 1, 2, 1), (0, 2e5, 0, 1), (0, math.nan, 0, 1)]
)
def test_a_rectangle_that_is_none_is_refused(rectangle):
    with pytest.raises(UsageError, match="the rectangle of a made sky is not allowed"):
        draw(rectangle, CENTRE, PopulationOptions(), 1)


def test_cells_are_those_that_the_rectangle_touches():
    assert cells_of((-1.0, 10.0, 0.0, 20.0), 10.0) == [(-1, 0), (0, 0), (-1, 1), (0, 1)]


def test_menus_that_make_no_sense_are_refused():
    with pytest.raises(OptionError, match="flux_min must lie below flux_max"):
        PopulationOptions(flux_min=1.0, flux_max=0.1)
    with pytest.raises(OptionError, match="parts of one whole"):
        PopulationOptions(bent=0.7, remnant=0.4)


def test_faint_galaxies_have_the_sizes_of_those_in_the_challenge(data_folder: Path):
    """The challenge's truth: FWHM is sqrt(2) scale lengths there, 1.4 GHz fluxes by the spectral index of -0.75."""
    truth = np.loadtxt(data_folder / "challenge" / "SDC1_truth_B1_0.05tr.cat")
    galaxies = truth[truth[:, 11] == 3]
    flux = galaxies[:, 5] * (1.4 / 0.56) ** -0.75
    theirs = np.median(galaxies[flux > 1e-7, 7]) / math.sqrt(2)
    options = PopulationOptions(flux_min=1e-7, steep_agn=0.0, flat_agn=0.0)
    ours, _ = draw((0.0, 300.0, 0.0, 300.0), CENTRE, options, 1)
    assert np.median(ours.angular_size) / 7.8 == pytest.approx(theirs, rel=0.3)
