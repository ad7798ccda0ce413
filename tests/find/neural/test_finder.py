"""The finder as a whole: what it finds is measured, whatever the tiles, workers and engine; what cannot be is told."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tests import images, skies
from tests.images import RMS, painted, source

from skysift.base.errors import DataError, UsageError
from skysift.find.neural.eye import eye_of
from skysift.find.neural.finder import Found
from skysift.find.neural.found import RAW, as_detections
from skysift.find.neural.options import EyeOptions, YoloOptions
from skysift.find.neural.yolo.finder import YoloFinder
from skysift.find.run import find, make_finder, search
from skysift.learn.checkpoint import Card, read_checkpoint, write_checkpoint
from skysift.learn.hub import weights_of
from skysift.sky.box import Box
from skysift.sky.schema import TABLES
from skysift.sky.truth import CLASSES

BEAM = (4.0, 4.0, 0.0)


@pytest.fixture(scope="module")
def sky():
    """A map of isolated points, with their truth."""
    sources = skies.population(
        (500, 420), BEAM, n_points=40, rms=RMS, snr=(12, 300), lattice=60, margin=20, seed=5
    )
    data, truth = skies.paint((500, 420), BEAM, rms=RMS, sources=sources, seed=5)
    return images.image(data, BEAM, centre=(80.0, 30.0)), truth


@pytest.fixture(scope="module")
def finding(sky, weights):
    return search(sky[0], make_finder("yolo", weights=str(weights)), name="yolo")


def matched(found, truth):
    away = np.hypot(found["x"][:, None] - truth["x"], found["y"][:, None] - truth["y"])
    return away.argmin(axis=0), away.min(axis=0) < 2.0


def test_points_are_found_and_measured_with_true_errors(sky, finding):
    _, truth = sky
    sources = finding.catalogue.sources
    at, near = matched(sources, truth)
    assert near.mean() > 0.95
    assert len(sources) <= len(truth) + 8
    pulls = (sources["flux"][at] - truth["total"])[near] / sources["flux_err"][at][near]
    assert abs(np.median(pulls)) < 0.6
    assert 0.6 < np.std(pulls) < 1.6
    offset = (sources["x"][at] - truth["x"])[near] / sources["x_err"][at][near]
    assert 0.6 < np.std(offset) < 1.8
    assert (~sources["resolved"][at][near]).mean() > 0.8
    assert (np.abs(sources["residual_peak"]) < 8.0).all()
    assert (np.abs(sources["residual_peak"]) >= sources["residual_rms"]).all()


def test_what_the_network_says_stands_beside_what_was_measured(finding, weights):
    least = weights_of(str(weights)).card.threshold
    sources = finding.catalogue.sources
    assert set(np.unique(sources["class"])) <= {"compact", "extended", "extended-multisland", "flagged"}
    assert ((sources["score"] >= least) & (sources["score"] <= 1.0)).all()
    ratio = sources["flux_net"] / sources["flux"]
    assert 0.5 < np.median(ratio) < 2.0
    for name in ("flux_net_err", "major_net_err", "minor_net_err", "class_score"):
        assert (sources[name] > 0).all()
    assert (sources["major_net"] >= sources["minor_net"]).all()
    assert finding.facts["weights"] == "small"
    record = finding.catalogue.provenance.inputs[-1]
    assert record.name == "small.safetensors"
    assert record.checksum.startswith("sha256:")


def test_the_catalogue_does_not_depend_on_tiles_or_workers(sky, finding, weights):
    other = search(sky[0], make_finder("yolo", weights=str(weights)), name="yolo", tile=100, workers=2)
    for kind in TABLES:
        assert finding.catalogue.table(kind) == other.catalogue.table(kind)
    assert finding.mask == other.mask


def test_each_source_has_pixels_of_its_own(sky, finding):
    labels = finding.read("labels", Box.of(sky[0].shape))
    sources = finding.catalogue.sources
    middle = labels[np.floor(sources["y"] + 0.5).astype(int), np.floor(sources["x"] + 0.5).astype(int)]
    assert (middle > 0).mean() > 0.95
    count = np.bincount(labels.ravel(), minlength=len(sources) + 1)[1:]
    assert count.tolist() == finding.catalogue.islands["n_pixels"].tolist()


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_all_engines_find_the_same(sky, finding, weights, engine):
    other = search(sky[0], make_finder("yolo", weights=str(weights), engine=engine), name="yolo", workers=2)
    a, b = finding.catalogue.sources, other.catalogue.sources
    assert len(a) == len(b)
    for name in ("x", "flux", "score", "flux_net"):
        assert a[name] == pytest.approx(b[name], rel=1e-3, abs=1e-4)


def test_bfloat16_finds_nearly_the_same(sky, finding, weights):
    other = find(sky[0], "yolo", weights=str(weights), precision="bfloat16")
    assert abs(len(other.sources) - len(finding.catalogue.sources)) <= 2


def test_blank_parts_and_borders_do_no_harm(weights):
    image = painted((150, 160), source(75.0, 60.0, 0.1), source(2.0, 100.0, 0.1), centre=(80.0, 30.0))
    data = np.array(image.read(Box.of(image.shape)))
    data[:, 80:100] = np.nan
    cut = images.image(data, centre=(80.0, 30.0))
    catalogue = find(cut, "yolo", weights=str(weights))
    at = np.hypot(catalogue.sources["x"] - 75.0, catalogue.sources["y"] - 60.0)
    assert at.min() < 0.5
    for name in ("x", "flux", "flux_err", "snr"):
        assert np.isfinite(catalogue.sources[name]).all()


def test_a_region_gives_the_rows_of_the_whole_run(sky, finding, weights):
    from skysift.sky.box import parse_region

    part = search(sky[0], make_finder("yolo", weights=str(weights)), region=parse_region("0,210,0,500"))
    whole = finding.catalogue.sources
    inside = whole["x"] < 200
    assert set(part.catalogue.sources["flux"][part.catalogue.sources["x"] < 200]) == set(
        whole["flux"][inside]
    )


class Told(YoloFinder):
    """A finder whose network is sure of round sources at these places, so wide (pixel)."""

    def __init__(self, x, y, least, major=0.0, kind="compact"):
        super().__init__(YoloOptions(reliability=None, least_snr=least, classes=CLASSES))
        known = {
            "x": x,
            "y": y,
            "snr": 10.0,
            "cos": 1.0,
            "class": CLASSES.index(kind),
            "major": major,
            "minor": major,
            "class_score": 1.0,
            "reach": 4.0,
        }
        columns = {
            name: np.zeros(len(x)) + known.get(name, 0.1 if name.endswith("_err") else 0.0) for name in RAW
        }
        self.told = as_detections(columns, np.ones(len(x)))

    def found(self, image, noise, crew, *, turned=False):
        return Found(self.told, (), {})


def test_what_has_no_flux_of_its_own_is_left_out_and_its_neighbours_are_measured_without_it():
    points = [source(40.0, 50.0, 40 * RMS), source(100.0, 90.0, 20 * RMS), source(120.0, 30.0, 3.5 * RMS)]
    hole = source(70.0, 120.0, -12 * RMS)
    image = painted((150, 160), *points, hole, centre=(80.0, 30.0))
    true_x, true_y = np.array([40.0, 100.0, 120.0]), np.array([50.0, 90.0, 30.0])
    x, y = (
        np.append(true_x, [43.5, 70.0, 20.0]),
        np.append(true_y, [50.0, 120.0, 130.0]),
    )  # a wing, the hole, noise
    alone = search(image, Told(true_x, true_y, 0.0)).catalogue
    held = search(image, Told(x, y, 2.5))
    assert held.facts["dropped_when_measured"] == 3
    for kind in TABLES:
        assert held.catalogue.table(kind) == alone.table(kind)
    positive = search(image, Told(x, y, 0.0)).catalogue.sources
    assert (positive["flux_peak"] > 0.0).all()
    assert len(positive) > len(alone.sources)
    none = search(image, Told(x, y, 1000.0))
    assert len(none.catalogue.sources) == 0
    assert none.facts["dropped_when_measured"] == 6


def test_wide_sources_are_faint_a_beam_and_artefacts_are_no_sources():
    image = painted(
        (260, 260),
        source(130.0, 130.0, 2.4 * RMS * 37.0, 24),
        source(40.0, 60.0, -9 * RMS),
        centre=(80.0, 30.0),
    )
    x, y, width = np.array([130.0, 215.0]), np.array([130.0, 50.0]), np.sqrt(24.0**2 - 4.0**2)
    wide = search(image, Told(x, y, 2.5, major=width)).catalogue.sources
    assert wide["x"] == pytest.approx([130.0])  # not where nothing is
    assert wide["flux_peak"][0] < 2.5 * wide["rms"][0]
    assert wide["flux_int"][0] > 5.0 * wide["flux_int_err"][0]
    hole = np.array([40.0]), np.array([60.0])
    assert len(search(image, Told(*hole, 2.5)).catalogue.sources) == 0
    assert len(search(image, Told(*hole, 2.5, kind="spurious")).catalogue.sources) == 1


def no_noise(*given, **options):
    raise AssertionError("the map was read")


def test_what_cannot_be_is_told_in_a_line_before_the_map_is_read(sky, weights, tmp_path, monkeypatch):
    image = sky[0]
    monkeypatch.setattr("skysift.find.run.measure_noise", no_noise)
    with pytest.raises(UsageError, match="no weights of this name: got 'nothing'"):
        find(image, "yolo", weights="nothing")
    with pytest.raises(UsageError, match="no such device"):
        find(image, "yolo", weights=str(weights), device="gpu")
    with pytest.raises(UsageError, match="the engine onnx runs on the CPU"):
        find(image, "yolo", weights=str(weights), engine="onnx", device="cuda")
    with pytest.raises(UsageError, match="ONNX Runtime runs float32 alone"):
        find(image, "yolo", weights=str(weights), engine="onnx", precision="bfloat16")
    read = read_checkpoint(weights)
    other = tmp_path / "other.safetensors"
    write_checkpoint(other, read.tensors, Card("none", "other"))
    with pytest.raises(DataError, match=r"a model that no finder looks through: got 'none'"):
        find(image, "yolo", weights=str(other))
    card = Card("yolo-dense", "other", options={"widths": (8, 16), "depths": (1, 1)})
    write_checkpoint(other.with_name("shape.safetensors"), read.tensors, card)
    with pytest.raises(DataError, match="checkpoint of another network"):
        find(image, "yolo", weights=str(other.with_name("shape.safetensors")))
    with pytest.raises(UsageError, match="setting"):
        find(image, "yolo", weights=str(weights), setting="purity=0.99")
    with pytest.raises(UsageError, match="no weights of this name: got 'nothing'"):
        find(image, "ensemble", members=[{"finder": "classic"}, {"finder": "yolo", "weights": "nothing"}])


@pytest.mark.parametrize(
    ("chosen", "match"),
    [
        ({"reliability": 1.5}, "reliability"),
        ({"reseed": 6.0}, "reseed does nothing here"),
        ({"classes": ("compct",)}, "no such class: compct; there are spurious, compact"),
        ({"threshold": 0.05}, "threshold"),
    ],
)
def test_options_that_would_do_nothing_are_refused(chosen, match):
    with pytest.raises(UsageError, match=match):
        YoloOptions(**chosen)


def test_the_menu_knows_no_torch():
    rows = {row.name: row for row in YoloOptions.rows()}
    assert rows["engine"].allowed == "torch | onnx | openvino"
    assert json.dumps(YoloOptions().to_dict())


@pytest.mark.parametrize("engine", ["torch", "onnx", "openvino"])
def test_threads_share_an_eye(weights, engine):
    eye = eye_of(EyeOptions(weights=str(weights), engine=engine))
    rng = np.random.default_rng(2)
    inputs = [
        eye.detector.inputs(rng.normal(size=(64, 64)).astype(np.float32), np.array([3.0, 0.0, 3.0]))
        for _ in range(80)
    ]
    wanted = [eye.run(each) for each in inputs]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(eye.run, inputs))
    assert all(np.array_equal(a, b) for a, b in zip(answers, wanted, strict=True))
    assert not np.array_equal(wanted[0], wanted[1])
