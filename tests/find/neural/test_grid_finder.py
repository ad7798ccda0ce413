"""The finder behind the grid head: the same door, the same catalogue for any tiles and workers."""

from pathlib import Path

import numpy as np
import pytest
from tests import images, skies
from tests.fields import grid_weights

from skysift.find.run import find, make_finder, search
from skysift.sky.schema import TABLES

BEAM = (4.0, 4.0, 0.0)
SIZE = (240, 520)


@pytest.fixture(scope="module")
def finder(tmp_path_factory):
    return make_finder("yolo", weights=str(grid_weights(tmp_path_factory.mktemp("grid"))))


def sky(*, blank=False):
    sources = skies.population(
        SIZE, BEAM, n_points=16, rms=images.RMS, snr=(30, 300), lattice=75, margin=20, seed=5
    )
    data, truth = skies.paint(SIZE, BEAM, rms=images.RMS, sources=sources, seed=5)
    if blank:
        data[100:180, 200:330] = np.nan
        data[:, :9] = np.nan
    return images.image(data, BEAM, centre=(80.0, 30.0)), truth


def test_tiles_and_workers_change_nothing(finder):
    image, _ = sky()
    whole = find(image, finder)
    assert len(whole.sources) > 5
    cut = find(image, finder, tile=150, workers=2)
    for kind in TABLES:
        assert whole.table(kind) == cut.table(kind)


def test_the_network_gives_the_same_numbers_as_onnx(finder):
    from skysift.learn.checkpoint import load_into, read_checkpoint
    from skysift.learn.engine import runner

    weights = read_checkpoint(Path(finder.options.weights))
    detector = finder.models["yolo-grid"](weights.card.options)
    net = detector.net()
    load_into(net, weights)
    z = np.random.default_rng(1).normal(size=(64, 96)).astype(np.float32)
    given = detector.inputs(z, np.array([3.0, 0.5, 2.5]))
    key = f"grid-{weights.checksum.removeprefix('sha256:')[:16]}-64x96"
    answers = [
        runner(net.eval(), engine, example=given, key=key, device="cpu")(given)
        for engine in ("torch", "onnx")
    ]
    assert answers[1] == pytest.approx(answers[0], abs=1e-4)
    assert answers[0].shape[2:] == (8, 12)


def test_bright_points_are_found_and_nothing_where_there_are_no_data(finder):
    """The net has learnt for a few seconds; what is bright it knows."""
    image, truth = sky(blank=True)
    finding = search(image, finder)
    table = finding.catalogue.sources
    x, y = np.asarray(table["x"]), np.asarray(table["y"])
    assert not ((x > 200) & (x < 329) & (y > 100) & (y < 179)).any()
    assert not (x < 9).any()
    seen = (truth["x"] > 15) & ~(
        (truth["x"] > 195) & (truth["x"] < 335) & (truth["y"] > 95) & (truth["y"] < 185)
    )
    away = np.hypot(x[:, None] - truth["x"][seen], y[:, None] - truth["y"][seen]).min(axis=0)
    assert (away < 2.0).mean() > 0.5
    assert set(table["class"].tolist()) <= {"compact", "extended", "extended-multisland", "flagged"}
