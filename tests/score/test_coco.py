"""Average precision of boxes and masks whose overlaps are known."""

import numpy as np
import pytest
from astropy.io import fits
from tests.score import worlds

from skysift.base.errors import UsageError
from skysift.score.coco import CocoScorer
from skysift.score.options import CocoOptions
from skysift.score.precision import evaluate
from skysift.score.shapes import batches, box_pairs, ellipse_shapes, united
from skysift.score.sides import found_rows
from skysift.sky.detections import Detections
from skysift.sky.truth import Truth

PLACE = worlds.frame()


def score(catalogue, truth, detections=None, **options):
    return CocoScorer(CocoOptions(**options)).score(catalogue, truth, detections)


def rows(x, y, snr, **more):
    return worlds.sources(PLACE, x, y, snr, **more)


def boxes(*corners):
    return Detections(np.array(corners), np.ones(len(corners)))


def judged(found, true, scores=None, snr=20.0):
    score = np.ones(len(found)) if scores is None else np.asarray(scores, float)
    return evaluate(found, score, np.full(len(found), snr), true, np.full(len(true), snr))


def test_a_truth_against_itself_is_perfect():
    _, truth = worlds.sky(200, classes=("compact", "extended"), size=5.0)
    for given in (truth, Truth(truth.catalogue, frame=truth.frame, beam=truth.beam)):
        report = score(given.catalogue, given, given.detections if len(given.detections) else None)
        for name in ("ap_box", "ap_mask", "ar_box", "ar_mask"):
            assert report.numbers[name] == pytest.approx(1.0)
        assert report.tables["classes"]["ap_mask"] == pytest.approx([1.0, 1.0])


def test_a_box_counts_up_to_its_overlap():
    result = judged(boxes((0, 10, 0, 10)), boxes((0, 10, 0, 12)))  # IoU 100 / 120
    assert [result.ap(iou) for iou in (0.5, 0.75, 0.8, 0.85)] == [1.0, 1.0, 1.0, 0.0]
    assert result.ap() == pytest.approx(0.7)


def test_precision_falls_with_what_is_false_and_surer():
    true = boxes((0, 10, 0, 10), (100, 110, 0, 10))
    found = boxes((0, 10, 0, 10), (50, 60, 0, 10), (100, 110, 0, 10))
    assert judged(found, true, [0.9, 0.1, 0.8]).ap() == pytest.approx(1.0)
    late = judged(found, true, [0.9, 0.8, 0.7])
    assert late.ap() == pytest.approx((51 * 1.0 + 50 * 2 / 3) / 101)
    assert late.ar() == pytest.approx(1.0)


def test_bins_of_signal_to_noise_ignore_what_is_outside():
    true, found = boxes((0, 10, 0, 10), (100, 110, 0, 10)), boxes((0, 10, 0, 10))
    snr = np.array([50.0, 6.0])
    bins = [(0.0, 1e10), (5.0, 10.0), (10.0, 1e10), (1e3, 1e4)]
    result = evaluate(found, np.ones(1), np.array([50.0]), true, snr, bins=bins)
    assert result.ar(bin=0) == pytest.approx(0.5)
    assert result.ar(bin=1) == 0.0
    assert result.ar(bin=2) == 1.0
    assert np.isnan(result.ar(bin=3))


def test_nothing_found_has_no_precision_and_no_truth_no_number():
    true = boxes((0, 10, 0, 10))
    assert judged(Detections.empty(), true).ap() == 0.0
    assert np.isnan(judged(true, Detections.empty()).ap())


def test_batches_hold_every_row_once_and_no_overlap_is_lost():
    rng = np.random.default_rng(7)
    y, x = rng.integers(0, 400, (2, 500))
    h, w = rng.integers(1, 40, (2, 500))
    corners = np.stack([y, y + h, x, x + w], axis=1)
    found, true = corners[:240], corners[240:]
    a, b = box_pairs(found, true)
    near = (
        np.maximum(found[:, None, 0], true[None, :, 0]) < np.minimum(found[:, None, 1], true[None, :, 1])
    ) & (np.maximum(found[:, None, 2], true[None, :, 2]) < np.minimum(found[:, None, 3], true[None, :, 3]))
    assert {*zip(a.tolist(), b.tolist(), strict=True)} == {*zip(*np.nonzero(near), strict=True)}
    of_found, of_true = np.full(240, -1), np.full(260, -1)
    for number, (rows_found, rows_true) in enumerate(batches(found, true, most=10)):
        assert (of_found[rows_found] == -1).all()
        of_found[rows_found], of_true[rows_true] = number, number
    assert (of_found >= 0).all()
    assert (of_true >= 0).all()
    assert np.array_equal(of_found[a], of_true[b])


def test_batches_change_no_number(monkeypatch):
    rng = np.random.default_rng(8)
    y, x = rng.integers(0, 300, (2, 200))
    true = Detections(np.stack([y, y + 12, x, x + 12], axis=1), np.ones(200))
    moved = true.boxes + rng.integers(-3, 4, (200, 2)).repeat(2, axis=1)
    found = Detections(moved, np.ones(200))
    sure = rng.random(200)
    many = judged(found, true, sure)
    monkeypatch.setattr("skysift.score.precision.batches", lambda a, b: [(np.arange(200), np.arange(200))])
    one = judged(found, true, sure)
    assert np.array_equal(many.precision, one.precision)
    assert np.array_equal(many.recall, one.recall)


def test_an_ellipse_is_the_isophote_of_a_sigma_or_of_a_tenth_of_the_peak():
    for snr in (6.0, 40.0):
        table = rows([500.3], [499.8], [snr], size=20.0)
        found = found_rows(table, worlds.truth_of(table, PLACE))[0]
        shape = ellipse_shapes(found, PLACE)
        fwhm = np.hypot(20.0, 6.0) / worlds.SCALE
        level = min(1.0 / snr, 0.1)
        area = np.pi * fwhm**2 / (4 * np.log(2)) * np.log(1 / level)
        assert shape.area[0] == pytest.approx(area, rel=0.02)
        y0, y1, x0, x1 = shape.boxes[0]
        assert (y0 + y1 - 1) / 2 == pytest.approx(499.8, abs=0.6)
        assert (x0 + x1 - 1) / 2 == pytest.approx(500.3, abs=0.6)


def test_an_ellipse_is_turned_as_its_angle_says():
    table = rows([500.0], [500.0], [20.0], size=30.0)
    east = table.with_columns({"major": [60.0], "minor": [6.0], "pa": [90.0]})
    y0, y1, x0, x1 = ellipse_shapes(found_rows(east, worlds.truth_of(table, PLACE))[0], PLACE).boxes[0]
    assert x1 - x0 > 5 * (y1 - y0)


def test_shapes_that_are_one_are_united():
    shapes = worlds.squares(rows([100, 103, 300], [100, 100, 300], [9, 9, 9]), 2)
    one = united(shapes, np.array([0, 0, -1]), 1)
    assert one.boxes.tolist() == [[98, 103, 98, 106]]
    assert one.area.tolist() == [40]


def test_islands_of_a_map_of_labels_are_shapes(tmp_path):
    true = rows([100, 300], [100, 300], [20, 30], classes=["compact", "extended"])
    truth = worlds.truth_of(true, PLACE)
    labels = truth.detections.to_mask(PLACE.shape).paint()
    fits.writeto(tmp_path / "labels.fits", labels)
    islands = worlds.table(
        "islands", snr=[20.0, 30.0], x_min=[98, 298], x_max=[102, 302], y_min=[98, 298], y_max=[102, 302]
    )
    catalogue = worlds.catalogue(islands=islands, sources=true)
    report = score(catalogue, truth, labels=str(tmp_path / "labels.fits"))
    assert report.numbers["ap_mask"] == report.numbers["ap_box"] == pytest.approx(1.0)
    assert "islands of" in report.rule
    only_boxes = score(catalogue, truth, shapes="islands")
    assert only_boxes.numbers["ap_box"] == pytest.approx(1.0)
    assert "ap_mask" not in only_boxes.numbers
    with pytest.raises(UsageError, match="has islands that the catalogue lacks"):
        score(
            worlds.catalogue(islands=islands[:1], sources=true), truth, labels=str(tmp_path / "labels.fits")
        )
    fits.writeto(tmp_path / "part.fits", labels[:300])
    with pytest.raises(UsageError, match="has not the pixels of the truth"):
        score(catalogue, truth, labels=str(tmp_path / "part.fits"))


def test_what_cannot_be_compared_is_told():
    _, truth = worlds.sky(3)
    with pytest.raises(UsageError, match="has no map"):
        score(truth.catalogue, Truth(truth.catalogue, beam=worlds.BEAM))
    with pytest.raises(UsageError, match="no column of numbers 'sure'"):
        score(truth.catalogue, truth, score="sure")
    with pytest.raises(UsageError, match="the catalogue has no islands"):
        score(truth.catalogue, truth, shapes="islands")


def test_shifted_boxes_meet_little():
    place, truth = worlds.sky(300, low=20)
    report = score(worlds.found_in(truth, place), truth)
    assert report.numbers["ap50_box_chance"] < 0.02


@pytest.mark.parametrize("shapes", ["ellipses", "islands", "labels"])
def test_nothing_found_is_a_precision_of_nothing(tmp_path, shapes):
    _, truth = worlds.sky(3)
    fits.writeto(tmp_path / "labels.fits", np.zeros(PLACE.shape, dtype=np.int32))
    report = score(worlds.catalogue(), truth, shapes=shapes, labels=str(tmp_path / "labels.fits"))
    assert report.numbers["ap_box"] == 0.0
