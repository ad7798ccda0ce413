"""Reliability of what networks find: densities against a naive twin, and maps where half of the sources have a hole."""

import numpy as np
import pytest
from tests import images, skies
from tests.images import RMS

from skysift.base.parallel import ALONE, Crew
from skysift.find.neural.eye import eye_of
from skysift.find.neural.finder import seen_on
from skysift.find.neural.found import RAW, as_detections
from skysift.find.neural.options import YoloOptions
from skysift.find.neural.upside_down import REACH, density_near, reliabilities_of
from skysift.find.noise import measure_noise
from skysift.find.run import make_finder, search
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.truth import CLASSES

BEAM = (4.0, 4.0, 0.0)


def detections(x, y, *, score=0.7, snr=6.0, seed=1, kind="compact"):
    n = len(x)
    rng = np.random.default_rng(seed)
    columns = {name: np.zeros(n) for name in RAW}
    columns |= {
        "x": np.asarray(x, float),
        "y": np.asarray(y, float),
        "snr": np.full(n, snr),
        "reach": np.full(n, 3.8),
        "class": np.full(n, float(CLASSES.index(kind))),
    }
    columns |= {"major": np.full(n, 1.0), "minor": np.full(n, 1.0)}
    return as_detections(columns, np.clip(score + rng.normal(0.0, 0.01, n), 0.1, 0.99))


def test_densities_equal_their_naive_twin_in_any_order():
    rng = np.random.default_rng(4)
    places, others = rng.normal(0.0, 3.0, (60, 5)), rng.normal(0.5, 3.0, (90, 5))
    naive = np.zeros(60)
    for i, a in enumerate(places):
        for b in others:
            square = sum((p - q) ** 2 for p, q in zip(a, b, strict=True))
            naive[i] += np.exp(-0.5 * square) if square < REACH**2 else 0.0
    told = density_near(places, others)
    np.testing.assert_allclose(told, naive, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(told, density_near(places, others[rng.permutation(90)]))
    assert not density_near(places, others[:0]).any()


def test_what_is_upside_down_near_by_and_alike_makes_a_source_doubtful():
    rng = np.random.default_rng(2)
    left = rng.uniform(0, 200, (30, 2))
    right = rng.uniform(0, 200, (30, 2)) + (1000.0, 0.0)
    holes = rng.uniform(0, 200, (30, 2)) + (1000.0, 0.0)
    found = detections(*np.concatenate([left, right]).T)
    value = reliabilities_of(found, detections(*holes.T), 4.0)
    there = found["x"] < 500.0
    assert value[there].min() > 0.99
    assert value[~there].max() < 0.6
    sure = reliabilities_of(detections(*right.T, score=0.97, snr=100.0), detections(*holes.T), 4.0)
    assert sure.min() > 0.95
    assert len(reliabilities_of(found.select(found["x"] < 0.0), found, 4.0)) == 0


def test_artefacts_have_no_reliability_and_speak_against_nothing():
    at = np.random.default_rng(3).uniform(0, 200, (20, 2)).T
    real, spurious = detections(*at), detections(*at, kind="spurious")
    assert np.isnan(reliabilities_of(spurious, real, 4.0)).all()
    assert reliabilities_of(real, spurious, 4.0).min() > 0.99
    both = Detections.concat([real, spurious])
    np.testing.assert_array_equal(reliabilities_of(both, real, 4.0)[:20], reliabilities_of(real, real, 4.0))


@pytest.fixture(scope="module")
def striped():
    """A map with points on the left, and as many points and holes on the right."""
    shape = (400, 1200)
    points = skies.population(shape, BEAM, n_points=150, rms=RMS, snr=(6, 12), lattice=50, margin=20, seed=6)
    data, _ = skies.paint(shape, BEAM, rms=RMS, sources=points[points["x"] < 560], seed=6)
    pairs = points[points["x"] > 640]
    bright, _ = skies.paint(shape, BEAM, rms=RMS, sources=pairs[::2], seed=6)
    dark, _ = skies.paint(shape, BEAM, rms=RMS, sources=pairs[1::2], seed=6)
    return images.image(data + bright - dark, BEAM, centre=(80.0, 30.0))


def found_on(image, weights, **options):
    return search(image, make_finder("yolo", weights=str(weights), **options), name="yolo")


def test_points_among_holes_are_dropped_and_others_stay(striped, weights):
    once = found_on(striped, weights, reliability=None)
    assert "reliability" not in once.catalogue.sources
    everything, kept = found_on(striped, weights, reliability=0.0), found_on(striped, weights)
    value, x = everything.catalogue.sources["reliability"], everything.catalogue.sources["x"]
    np.testing.assert_array_equal(x, once.catalogue.sources["x"])
    assert np.median(value[x < 500]) > 0.95
    assert np.median(value[x > 700]) < 0.5
    told = kept.facts["reliability"]
    assert told["negative_sources"] > 10
    assert told["sources_dropped"] == (value < 0.5).sum() > 0
    assert len(kept.catalogue.sources) == (value >= 0.5).sum()
    assert kept.catalogue.provenance.options["reliability"] == 0.5


def test_a_map_twice_upside_down_is_the_map(striped, weights):
    again = striped.upside_down().upside_down()
    box = Box(10, 90, 20, 70)
    np.testing.assert_array_equal(again.read(box), striped.read(box))
    np.testing.assert_array_equal(striped.upside_down().read(box), -striped.read(box))
    a, b = (found_on(each, weights).catalogue.sources for each in (striped, again))
    np.testing.assert_array_equal(a["flux"], b["flux"])


def test_reliabilities_do_not_depend_on_tiles_or_workers(striped, weights):
    finder = make_finder("yolo", weights=str(weights), reliability=0.0)
    a = search(striped, finder, name="yolo", tile=512)
    b = search(striped, finder, name="yolo", tile=300, workers=2)
    np.testing.assert_array_equal(a.catalogue.sources["reliability"], b.catalogue.sources["reliability"])


def test_both_looks_of_one_pass_are_those_of_two(striped, weights):
    options = YoloOptions(weights=str(weights))
    noise, eye, stages = measure_noise(striped, options, ALONE), eye_of(options), []
    watched = Crew(progress=lambda stage, done, total: stages.append(stage))
    both = seen_on(striped, noise, options, eye, 0.3, 1, watched, turned=True)
    assert set(stages) == {"sources, upside down too"}
    turned = striped.upside_down(), noise.upside_down()
    for one, (image, its_noise) in zip(both, ((striped, noise), turned), strict=True):
        (alone,) = seen_on(image, its_noise, options, eye, 0.3, 1, ALONE)
        assert len(alone) > 10
        np.testing.assert_array_equal(one.scores, alone.scores)
        for name in RAW:
            np.testing.assert_array_equal(one[name], alone[name])


def test_what_islands_of_an_ensemble_are_upside_down_is_a_stage_of_its_own(striped, weights):
    stages = []
    members = ({"finder": "yolo", "weights": str(weights)}, {"finder": "classic"})
    finder = make_finder("ensemble", members=members)
    found = search(striped, finder, progress=lambda stage, done, total: stages.append(stage))
    order = list(dict.fromkeys(stages))
    assert order.index("islands") < order.index("upside down: islands")
    assert "sources, upside down too" in order
    assert found.facts["reliability"]["negative_sources"] > 10
