"""The classic finder behind the interface of all finders."""

import numpy as np
import pytest
from tests import images
from tests.images import source

from skysift.base.errors import OptionError
from skysift.find.classic.finder import ClassicFinder
from skysift.find.classic.options import ClassicOptions
from skysift.find.finder import HISTOGRAM_STEP
from skysift.sky.box import Box
from skysift.sky.tiling import NoisyTile, Piece


def finder(**options) -> ClassicFinder:
    return ClassicFinder(ClassicOptions(**options))


def test_neighbours_reach_as_the_connectivity_says():
    assert finder().reach == 1
    assert finder(connectivity=4).reach == 0


def test_grow_must_not_exceed_seed():
    assert finder(seed=3.0, grow=3.0).options.seed == 3.0
    with pytest.raises(OptionError, match="grow must not exceed seed"):
        finder(seed=2.5)


def test_the_histogram_sets_the_seed_only_where_it_is_asked_for():
    counts = np.zeros(4000, np.int64)
    counts[:300] = 1000
    counts[600:700] = 5
    assert finder().calibrate(counts).options == finder().options
    assert not finder().wants_histogram
    asked = finder(fdr=0.01)
    assert asked.wants_histogram
    seed = asked.calibrate(counts).options.seed
    assert 3.0 < seed < 700 * HISTOGRAM_STEP
    assert asked.options.seed == 5.0  # the finder itself stays as it is
    nothing = np.zeros(4000, np.int64)
    assert asked.calibrate(nothing).options.seed == np.inf


def test_a_seed_by_false_discovery_is_never_below_grow():
    counts = np.zeros(4000, np.int64)
    counts[100:200] = 10**6
    assert finder(fdr=0.9, grow=3.0).calibrate(counts).options.seed >= 3.0


def test_positive_and_negative_fragments_come_together():
    data = np.zeros((30, 40), np.float32)
    data[10, 10], data[20, 20] = 9.0, -9.0
    tile = NoisyTile(Box(0, 30, 0, 40), data, np.zeros_like(data), np.ones_like(data), (30, 40))
    assert finder().detect(tile)["sign"].tolist() == [1]
    assert finder(negative=True).detect(tile)["sign"].tolist() == [1, -1]


def test_objects_of_a_piece_are_resolved_into_peaks():
    image = images.painted((60, 80), source(20, 30, 0.1), source(28, 30, 0.05), source(60, 30, -0.08))
    data = image.read()
    level, rms = np.zeros_like(data), np.full_like(data, images.RMS)
    labels = np.where(data > 3 * images.RMS, 1, 0).astype(np.int32)
    labels[:, 45:] = np.where(data[:, 45:] < -3 * images.RMS, 2, 0)
    labels[:, :10] = 0
    boxes = np.array([[0, 60, 10, 45], [0, 60, 45, 80]])
    beams = np.tile(image.frame.beam_covariance(image.beam, 0.0, 0.0), (2, 1))
    tile = NoisyTile(Box(0, 60, 0, 80), data, level, rms, (60, 80))
    found = finder().resolve(Piece(tile, labels, np.array([1, 2]), boxes, np.array([1, -1]), beams))
    assert found["member"].tolist() == [0, 0, 1]
    assert found["amplitude"][0] > found["amplitude"][1]
    assert found["x"] == pytest.approx([20, 28, 60], abs=1)
    assert found["y"] == pytest.approx([30, 30, 30], abs=1)
    assert found["amplitude"] == pytest.approx(
        [0.1, 0.05, 0.08], rel=0.2
    )  # of a negative one in the inverted map


def test_it_shows_its_options():
    assert repr(finder(seed=6.5)).startswith("ClassicFinder(ClassicOptions(")
    assert "seed=6.5" in repr(finder(seed=6.5))
