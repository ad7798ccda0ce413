"""Skies of extended sources: shapes, sizes, brightnesses, room, objects in parts, diffuse emission."""

import numpy as np
import pytest

from skysift.base.errors import OptionError
from skysift.base.random import generator
from skysift.sim.extended.drawings import DRAWINGS, REACH, drawing
from skysift.sim.extended.options import IN_PARTS, SHAPES, ExtendedSkyOptions
from skysift.sim.extended.simulator import ExtendedSimulator, seen_area
from skysift.sky.beam import Beam

BEAM = Beam(6.5, 6.5)
POINT = Beam(1.0, 1.0)


def simulator(**options):
    return ExtendedSimulator(ExtendedSkyOptions(**{"density": 0.0, **options}))


def drawn(name, seed, size=30.0, separation=20.0):
    """A source of some beam areas, or of some beams from end to end."""
    return drawing(name, size * BEAM.area, separation * BEAM.major, BEAM.minor, generator(seed, "drawing"))


def radii(one):
    """Distance of the Gaussians from the centroid."""
    return np.hypot(one.shape.east, one.shape.north)


@pytest.fixture(scope="module")
def field():
    """A map of the six shapes, and its truth."""
    return simulator(n_pixels=640, random_seed=2).simulate()[0]


def extended(truth):
    return truth.sources["object_type"] == "extended"


def test_every_shape_that_is_told_of_can_be_drawn():
    assert set(DRAWINGS) == {*SHAPES, *IN_PARTS}


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_shape_has_a_flux_of_one_around_its_centroid(name):
    for seed in range(3):
        shape = drawn(name, seed).shape
        assert shape.share.sum() == pytest.approx(1.0)
        assert (shape.share * shape.east).sum() == pytest.approx(0.0, abs=1e-6)
        assert (shape.share * shape.north).sum() == pytest.approx(0.0, abs=1e-6)
        assert (shape.ee * shape.nn >= shape.en**2 * (1 - 1e-9)).all()


@pytest.mark.parametrize(("name", "wanted"), [("disc", 27.0), ("sersic", 30.0)])
def test_the_solid_angle_is_what_was_asked_for(name, wanted):
    """What is uniform has 90 % of its flux on 90 % of its area."""
    areas = [seen_area(drawn(name, seed).shape, POINT) / BEAM.area for seed in range(4)]
    assert np.mean(areas) == pytest.approx(wanted, rel=0.05)


@pytest.mark.parametrize("name", SHAPES)
def test_no_shape_leaves_its_circle(name):
    for seed in range(20):
        one = drawn(name, seed)
        assert one.radius <= REACH * np.sqrt(30.0 * BEAM.area) + BEAM.major
        assert one.shape.share[radii(one) <= one.radius].sum() > 0.99


def test_a_ring_is_hollow_an_arc_is_open_and_a_disc_is_full():
    def hole(name):
        return np.mean([(radii(one) < 0.25 * one.radius).any() for one in (drawn(name, s) for s in range(8))])

    assert hole("ring") == 0.0
    assert hole("disc") == 1.0
    turns = [np.sort(np.arctan2(s.north, s.east)) for s in (drawn("ring", seed).shape for seed in range(4))]
    assert max(np.diff(turn).max() for turn in turns) < np.radians(20)


def test_a_lattice_cannot_be_seen_through_the_beam():
    """Within a uniform disc the brightness is even to a part of a million."""
    shape = drawn("disc", 1, size=200.0).shape
    east, north = np.meshgrid(np.linspace(-10, 10, 41), np.linspace(-10, 10, 41))
    var = shape.ee + (BEAM.major**2 / (8 * np.log(2)))
    away = (east[..., None] - shape.east) ** 2 + (north[..., None] - shape.north) ** 2
    light = (shape.share / var * np.exp(-0.5 * away / var)).sum(axis=-1)
    assert light.std() < 1e-6 * light.mean()


@pytest.mark.parametrize("index", range(4))
def test_the_ends_of_an_object_in_parts_are_as_far_apart_as_asked_for(index):
    name = IN_PARTS[index]
    spans = []
    for seed in range(8):
        shape = drawn(name, seed).shape
        turn = np.linspace(0, np.pi, 24)[:, None]
        along = shape.east * np.cos(turn) + shape.north * np.sin(turn)
        spans.append((along.max(axis=1) - along.min(axis=1)).max() / BEAM.major)
    assert np.median(spans) == pytest.approx(20.0, rel=0.12)


def test_a_faint_source_is_as_bright_as_it_was_drawn():
    """Mean brightness over the true mask where that is the isophote of 90 %: within the noise of the pixel count."""
    options = {"brightness_low": 1.5, "brightness_high": 1.5, "rms_spread": 0.0, "size_low": 20.0}
    image, truth = simulator(n_pixels=500, **options).simulate()[0]
    whole = extended(truth) & (truth.sources["class"] == "extended")
    rms = truth.sources["rms"]
    faint = whole & (truth.sources["mask_level"] < 0.999 * rms)
    beams = truth.detections.area / image.frame.beam_area_pixels(image.beam)
    mean = 0.9 * truth.sources["flux_int"] / rms / beams
    assert faint.sum() > 5
    assert np.allclose(mean[faint], 1.5, rtol=0.06)


def test_shapes_are_in_the_truth_and_do_not_touch(field):
    image, truth = field
    own = extended(truth)
    assert set(truth.sources["morphology"][own]) == set(SHAPES)
    covered = np.zeros(image.shape, dtype=int)
    prints = truth.detections.select(own).footprints
    for row, start, stop in zip(prints.row, prints.start, prints.stop, strict=True):
        covered[row, start:stop] += 1
    assert covered.max() == 1


def test_without_room_they_lie_on_each_other():
    options = {"extended": 6.0, "n_pixels": 300, "size_low": 20.0}
    free, spaced = (simulator(spacing=room, **options).simulate()[0][1] for room in (None, 2.0))
    assert extended(free).sum() > 1.5 * extended(spaced).sum()


def test_the_map_holds_the_fluxes_of_the_truth():
    options = {"rms": 1e-9, "brightness_low": 1e3, "brightness_high": 1e3, "n_pixels": 500, "random_seed": 2}
    image, truth = simulator(**options).simulate()[0]
    whole = truth.sources["class"] != "flagged"
    total = image.read().sum(dtype=np.float64) / image.frame.beam_area_pixels(image.beam)
    cut = truth.sources["flux_int"][~whole].sum()
    assert truth.sources["flux_int"][whole].sum() <= total * (1 + 1e-3)
    assert total <= (truth.sources["flux_int"][whole].sum() + cut) * (1 + 1e-3)


def test_an_object_in_parts_is_one_row_with_several_islands():
    _, truth = simulator(shapes=IN_PARTS, brightness_low=5.0, n_pixels=600, random_seed=4).simulate()[0]
    parted = extended(truth) & (truth.sources["class"] == "extended-multisland")
    assert parted.sum() > 2
    assert (truth.sources["n_islands"][parted] > 1).all()


def test_objects_do_not_depend_on_the_rectangle():
    maker = simulator(extended=3.0)
    whole, _ = maker.sky((-600.0, 600.0, -600.0, 600.0))
    part, _ = maker.sky((-100.0, 250.0, -50.0, 200.0))
    assert 0 < len(part) < len(whole)
    assert set(zip(part.ra, part.dec, part.flux, strict=True)) <= set(
        zip(whole.ra, whole.dec, whole.flux, strict=True)
    )


def test_diffuse_emission_has_the_rms_that_was_asked_for():
    maker = simulator(extended=0.0, diffuse=4.0, diffuse_scale=20.0, n_pixels=512, rms_spread=0.0)
    ((image, truth),) = maker.simulate()
    assert len(truth) == 0
    assert image.read().std() / 5e-5 == pytest.approx(np.sqrt(17.0), rel=0.25)


def test_a_lower_frequency_shows_the_same_sources():
    first, second = simulator(frequency=(1.4e9, 0.9e9), n_pixels=300, random_seed=6).simulate()
    assert len(first[1]) > 0
    flux = [t.sources["flux_true"][extended(t)].sum() for _, t in (first, second)]
    assert flux[1] > 1.05 * flux[0]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"shapes": ("disc", "blob")}, "shapes of disc"),
        ({"shapes": ()}, "one or several"),
        ({"size_low": 50.0, "size_high": 5.0}, "size_low must not exceed size_high"),
        ({"brightness_low": 50.0}, "brightness_low must not exceed"),
    ],
)
def test_bad_options_are_refused_in_one_line(bad, said):
    with pytest.raises(OptionError, match=said) as caught:
        ExtendedSkyOptions(**bad)
    assert "\n" not in str(caught.value)
