"""What holds for every simulator of the index."""

import pickle

import numpy as np
import pytest

from skysift.base.registry import Registry
from skysift.sim.objects import Elements, Objects
from skysift.sky.box import Box
from skysift.sky.truth import CLASSES

NAMES = Registry("simulator").names()
SMALL = {"n_pixels": (300, 260), "artefacts": False, "random_seed": 3}


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def made(name):
    """One map of each simulator with its truth."""
    return Registry("simulator").make(name, **SMALL).simulate()[0]


def test_the_map_is_finite_and_in_jansky_per_beam(made):
    image, _ = made
    assert image.shape == (300, 260)
    assert image.unit == "Jy/beam"
    assert np.isfinite(image.read()).all()
    assert np.isfinite(image.frequency)


def test_there_is_a_row_a_footprint_and_a_class_for_every_object(made):
    image, truth = made
    assert len(truth) > 0
    assert len(truth.detections) == len(truth)
    assert set(truth.sources["class"]) <= set(CLASSES)
    assert (truth.detections.area > 0).all()
    boxes = truth.detections.boxes
    assert (boxes[:, ::2] >= 0).all()
    assert (boxes[:, 1] <= image.shape[0]).all()
    assert (boxes[:, 3] <= image.shape[1]).all()


def test_the_truth_is_whole(made):
    image, truth = made
    sources = truth.sources.select(truth.real)
    for column in ("ra", "dec", "x", "y", "flux_true", "flux_int", "flux_peak", "rms", "snr", "mask_level"):
        assert np.isfinite(sources[column]).all(), column
    for column in ("flux_true", "flux_int", "flux_peak", "rms", "mask_level", "major", "minor"):
        assert (sources[column] > 0).all(), column
    assert (sources["mask_level"] <= sources["rms"] * (1 + 1e-12)).all()
    assert (sources["mask_level"] <= sources["flux_peak"] * (1 + 1e-12)).all()
    x, y = image.frame.to_pixel(sources["ra"], sources["dec"])
    assert np.allclose([x, y], [sources["x"], sources["y"]], atol=1e-6)
    assert np.array_equal(truth.catalogue.components["source_id"], truth.sources["source_id"])
    assert np.isin(truth.catalogue.components["island_id"], truth.catalogue.islands["island_id"]).all()


def test_the_same_seed_gives_the_same_bytes_with_any_workers_and_windows(name, made):
    image, truth = made
    again, same = Registry("simulator").make(name, **SMALL).simulate(workers=2)[0]
    box = Box(37, 260, 11, 258)
    assert again.read(box).tobytes() == image.read()[box.slices()].tobytes()
    assert same == truth


def test_another_seed_gives_another_sky(name, made):
    image, truth = made
    other, sky = Registry("simulator").make(name, **{**SMALL, "random_seed": 4}).simulate()[0]
    assert not np.array_equal(other.read(), image.read())
    assert sky != truth


def test_a_map_travels_by_pickle(made):
    image, _ = made
    assert np.array_equal(pickle.loads(pickle.dumps(image)).read(), image.read())


def test_a_sky_is_told_by_objects_and_their_elements(name):
    area = (-120.0, 120.0, -120.0, 120.0)
    objects, elements = Registry("simulator").make(name, **SMALL).sky(area)
    assert isinstance(objects, Objects)
    assert isinstance(elements, Elements)
    total = np.bincount(elements.owner, elements.flux, len(objects))
    assert np.allclose(total, objects.flux, rtol=1e-6)


def test_options_travel_through_their_text(name):
    menu = Registry("simulator").options(name)
    options = menu(**SMALL)
    assert menu.parse(options.to_dict()) == options
