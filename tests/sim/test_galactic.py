"""Fields of the Galactic plane: shapes, densities, diffuse emission, frames and masks."""

from itertools import pairwise

import numpy as np
import pytest

from skysift.base.errors import OptionError
from skysift.base.random import generator
from skysift.sim.diffuse import DiffuseLayer, power_law_kernel
from skysift.sim.galactic import KINDS, GalacticSimulator
from skysift.sim.options import GalacticOptions
from skysift.sim.scenes import SCENES, scene_shape
from skysift.sky.box import Box

QUIET = {"density": 0.0, "diffuse": 0.0}


def simulator(**options):
    return GalacticSimulator(GalacticOptions(**options))


@pytest.fixture(scope="module")
def crowded():
    """A small field of many nebulae, and its truth."""
    return simulator(
        n_pixels=400, crowding=12.0, density=0.0, supernova_remnants=6.0, size_scale=0.3, random_seed=5
    ).simulate()[0]


@pytest.mark.parametrize("name", SCENES)
def test_a_shape_has_a_flux_of_one_around_its_centroid(name):
    for seed in range(3):
        shape = scene_shape(name, generator(seed, "shape"))
        assert shape.share.sum() == pytest.approx(1.0)
        assert (shape.share > 0).all()
        assert (shape.share * shape.east).sum() == pytest.approx(0.0, abs=1e-9)
        assert (shape.share * shape.north).sum() == pytest.approx(0.0, abs=1e-9)
        assert (shape.ee * shape.nn >= shape.en**2 * (1 - 1e-9)).all()


@pytest.mark.parametrize("name", [name for name in SCENES if name not in ("point", "filament")])
def test_most_of_a_shape_lies_within_its_radius(name):
    inside = []
    for seed in range(6):
        shape = scene_shape(name, generator(seed, "radius"))
        inside.append(shape.share[np.hypot(shape.east, shape.north) < 1.25].sum())
    assert np.mean(inside) > 0.9


def test_a_shell_is_bright_at_its_limb_and_a_cloud_in_its_middle():
    def profile(name):
        shapes = [scene_shape(name, generator(seed, "limb")) for seed in range(8)]
        far = np.concatenate([np.hypot(each.east, each.north) for each in shapes])
        share = np.concatenate([each.share for each in shapes])
        inner, outer = (share[(far >= low) & (far < high)].sum() for low, high in ((0.0, 0.5), (0.75, 1.05)))
        return outer / (1.05**2 - 0.75**2) / (inner / 0.25)

    assert profile("shell") > 1.5
    assert profile("bubble") > 2.0 * profile("clumpy")
    assert profile("clumpy") < 0.5


def test_the_middle_of_the_field_is_where_it_was_asked_for():
    field = simulator(glon=12.5, glat=-0.75, n_pixels=64)
    frame = field.frame()
    assert frame.name == "Galactic"
    ra, dec = frame.to_sky(32, 32)
    assert (float(ra), float(dec)) == pytest.approx((field.options.ra, field.options.dec), abs=1e-9)
    lon, _ = field.frame().wcs.wcs.crval
    assert lon == pytest.approx(12.5)
    left, _ = simulator(glon=12.5, glat=-0.75, n_pixels=64).frame().wcs.pixel_to_world_values(0, 32)
    assert left > 12.5  # longitude grows to the left


def alone(name, density):
    """A simulator of one kind of objects only."""
    return simulator(**{**{kind.density: 0.0 for kind in KINDS}, **QUIET, name: density})


def test_numbers_follow_the_densities():
    objects, _ = alone("stars", 40.0).sky((-7200.0, 7200.0, -7200.0, 7200.0))
    assert len(objects) == pytest.approx(16 * 40, abs=4 * np.sqrt(640))
    assert set(objects.object_type) == {"star"}


def test_an_object_does_not_depend_on_the_rectangle():
    field = simulator(**QUIET, random_seed=3)
    small, _ = field.sky((-600.0, 600.0, -600.0, 600.0))
    large, elements = field.sky((-1800.0, 1800.0, -1800.0, 1800.0))
    place = {(r, d): k for k, (r, d) in enumerate(zip(large.ra.tolist(), large.dec.tolist(), strict=True))}
    rows = [place[each] for each in zip(small.ra.tolist(), small.dec.tolist(), strict=True)]
    assert len(rows) > 3
    assert np.array_equal(large.flux[rows], small.flux)
    assert np.array_equal(large.morphology[rows], small.morphology)
    assert np.allclose(np.bincount(elements.owner, elements.flux), large.flux)


def test_spectra_are_those_of_their_kinds():
    objects, _ = simulator(**QUIET, crowding=4.0).sky((-3600.0, 3600.0, -3600.0, 3600.0))
    for kind, low, high in (("SNR", -0.7, -0.3), ("HII", -0.12, -0.08), ("pulsar", -2.0, -1.2)):
        assert low < np.median(objects.spectral_index[objects.object_type == kind]) < high


def test_radii_are_spread_about_the_published_median():
    objects, _ = alone("hii_regions", 120.0).sky((-3600.0, 3600.0, -3600.0, 3600.0))
    # larger ones reach in from farther away, which shifts the median up a little
    assert 60.0 < np.median(objects.angular_size) / 2.0 < 95.0
    assert 0.3 < np.log10(objects.angular_size).std() < 0.55


def test_masks_overlap_where_nebulae_do(crowded):
    _, truth = crowded
    runs = truth.detections.footprints
    covered = np.zeros((400, 400), dtype=int)
    for row, start, stop in zip(runs.row, runs.start, runs.stop, strict=True):
        covered[row, start:stop] += 1
    assert covered.max() > 1
    assert len(truth) > 10
    assert {"HII", "SNR"} <= set(truth.sources["object_type"])


def test_no_window_changes_a_pixel(crowded):
    image, _ = crowded
    whole = image.read()
    for box in (Box(0, 100, 300, 400), Box(399, 400, 0, 400), Box(13, 377, 101, 103)):
        assert image.read(box).tobytes() == whole[box.slices()].tobytes()


def layer(slope=3.0, outer=40.0, skew=0.0, seed=1, step=2.0):
    return DiffuseLayer(power_law_kernel(slope, outer), step, 2.0, skew, seed)


def test_diffuse_emission_is_the_same_however_it_is_painted():
    made = layer(skew=0.7)
    whole = made.paint(Box(0, 300, 0, 260))
    part = layer(skew=0.7).paint(Box(37, 155, 80, 260))
    assert np.allclose(whole[37:155, 80:260], part, rtol=0, atol=1e-9)


@pytest.mark.parametrize("skew", [0.0, 0.7])
def test_diffuse_emission_has_its_rms_and_no_mean(skew):
    values = layer(outer=12.0, skew=skew).paint(Box(0, 700, 0, 700))
    assert values.mean() == pytest.approx(0.0, abs=0.2)
    assert values.std() == pytest.approx(2.0, rel=0.15)
    third = ((values - values.mean()) ** 3).mean() / values.std() ** 3
    assert third > 1.0 if skew else abs(third) < 0.3


@pytest.mark.parametrize("slope", [2.5, 3.5])
def test_diffuse_emission_falls_with_its_power(slope):
    power = 0.0
    for seed in range(6):
        values = layer(slope, outer=60.0, seed=seed).paint(Box(0, 512, 0, 512))
        window = np.hanning(512)[:, None] * np.hanning(512)
        power = power + np.abs(np.fft.fft2(values * window)) ** 2
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(512), np.fft.fftfreq(512)))
    edges = np.geomspace(0.016, 0.07, 8)  # between the outer scale of 120 px and the spacing of the nodes
    means = [power[(k >= low) & (k < high)].mean() for low, high in pairwise(edges)]
    fitted = np.polyfit(np.log(np.sqrt(edges[1:] * edges[:-1])), np.log(means), 1)[0]
    assert -fitted == pytest.approx(slope, abs=0.35)


def test_what_contradicts_is_told():
    with pytest.raises(OptionError, match="given together"):
        GalacticOptions(glon=10.0)
    with pytest.raises(OptionError, match=r"middle of the field is given twice.*glon=344.5"):
        GalacticOptions(glon=344.5, glat=0.5, ra=20.0)


def test_the_options_that_are_told_of_a_field_make_it_again():
    made = simulator(glon=12.5, glat=-0.75, n_pixels=64).options
    assert simulator(**made.to_dict()).options == made
