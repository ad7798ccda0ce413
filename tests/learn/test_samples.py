"""Crops carry their labels: mirrored, transposed, cut; which ones they are follows from seed and number alone."""

import numpy as np
import pytest
from tests.fields import made_field

from skysift.base.errors import DataError, UsageError
from skysift.learn.fields import Field, read_field, write_field
from skysift.learn.samples import Samples, cut, label_table, turned
from skysift.sky.box import Box
from skysift.sky.detections import Detections, Footprints


def painted_from(labels, beam, shape):
    """A map painted from the labels of a crop: what its pixels must look like if labels and pixels agree."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    result = np.zeros(shape)
    for row in labels:
        xx, xy, yy = row[2] + beam[0], row[3] + beam[1], row[4] + beam[2]
        dx, dy = x - row[0], y - row[1]
        q = (yy * dx * dx - 2 * xy * dx * dy + xx * dy * dy) / (xx * yy - xy * xy)
        result += row[5] * np.exp(-0.5 * q)
    return result


@pytest.mark.parametrize("kind", range(8))
def test_labels_and_beam_turn_with_the_pixels(kind):
    field = made_field(1, 96)  # an elongated beam
    table = label_table(field)
    clean = Field(
        "clean", painted_from(table, field.beam, field.shape).astype(np.float32), field.labels, field.beam
    )
    crop = turned(cut(clean, Box(10, 74, 20, 84), table, margin=40.0), kind)
    again = painted_from(crop.labels, crop.beam, crop.pixels.shape)
    assert np.abs(crop.pixels - again).max() < 1e-3 * max(1.0, float(crop.pixels.max()))


def test_a_crop_has_the_objects_of_its_box_and_margin():
    field = made_field(2, 96)
    crop = cut(field, Box(0, 32, 32, 64), label_table(field), margin=5.0)
    x, y = field.labels["x"], field.labels["y"]
    near = (x > 27) & (x < 69) & (y > -5) & (y < 37)
    assert crop.rows.tolist() == np.flatnonzero(near).tolist()
    assert crop.labels[:, 0] == pytest.approx(x[near] - 32)


def test_masks_show_the_fainter_object_on_top():
    pixels = np.zeros((40, 40), np.float32)
    row = np.r_[np.arange(5, 25), np.arange(10, 14)]
    start = np.r_[np.full(20, 5), np.full(4, 10)]
    stop = np.r_[np.full(20, 25), np.full(4, 14)]
    prints = Footprints(row, start, stop, np.r_[np.zeros(20, np.int64), np.ones(4, np.int64)])
    one = np.ones(2)
    raw = dict.fromkeys(("xx", "xy", "yy", "core", "use", "class"), one) | {
        "x": np.array([15.0, 12.0]), "y": np.array([15.0, 12.0]), "snr_peak": one, "snr_int": np.array([900.0, 20.0]),
    }  # fmt: skip
    field = Field(
        "two",
        pixels,
        Detections(np.array([[5, 25, 5, 25], [10, 14, 10, 14]]), one, prints, raw),
        (1.0, 0.0, 1.0),
    )
    crop = cut(field, Box(8, 40, 8, 40), label_table(field), masks=True)
    assert crop.mask is not None
    assert crop.mask[4, 4] == 2
    assert crop.mask[0, 0] == 1
    assert (crop.mask == 2).sum() == 16
    assert (crop.mask > 0).sum() == 17 * 17


def test_batches_follow_from_seed_and_number():
    fields = [made_field(seed, 96) for seed in (3, 4)]
    first, again, other = (Samples(fields, 64, 3, seed) for seed in (7, 7, 8))
    for a, b, c in zip(first.at(5), again.at(5), other.at(5), strict=True):
        assert np.array_equal(a.pixels, b.pixels)
        assert not np.array_equal(a.pixels, c.pixels)
    assert not np.array_equal(first.at(6)[0].pixels, first.at(5)[0].pixels)


def test_no_crop_touches_what_is_kept_for_validation():
    field = made_field(5, 128)
    marked = np.zeros((128, 128), np.float32)
    marked[100:] = 1.0
    kept = Field("kept", marked, field.labels, field.beam, Box(100, 128, 0, 128))
    samples = Samples([kept], 64, 4, 1)
    assert all((crop.pixels == 0.0).all() for k in range(10) for crop in samples.at(k))


def rare_field(size=192):
    """Hundred objects of one class, one of another that stands at the border, a faint one of a third."""
    rng = np.random.default_rng(1)
    n = 102
    x, y = rng.uniform(0, size, (2, n))
    kind, peak = np.ones(n), np.full(n, 20.0)
    x[100], y[100], kind[100] = size + 2.0, 90.0, 4.0
    kind[101], peak[101] = 2.0, 3.0
    raw = dict.fromkeys(("xx", "xy", "yy"), np.zeros(n)) | {
        "x": x, "y": y, "class": kind, "snr_peak": peak, "snr_int": peak, "core": np.zeros(n), "use": np.ones(n),
    }  # fmt: skip
    boxes = np.tile([0, 1, 0, 1], (n, 1))
    labels = Detections(boxes, np.ones(n), raw=raw)
    return Field("rare", np.ones((size, size), np.float32), labels, (1.0, 0.0, 1.0))


def test_balanced_crops_lie_around_each_class_alike_and_reach_beyond_the_map():
    field = rare_field()
    crops = [crop for k in range(40) for crop in Samples([field], 64, 4, 3, balanced=1.0).at(k)]
    at = [crop.labels[crop.labels[:, 8] == 4.0][:, :2] for crop in crops]
    rare = [bool(len(each)) and bool((np.abs(each - 31.5) <= 16.5).all()) for each in at]
    assert np.mean(rare) == pytest.approx(0.5, abs=0.1)
    for crop in (crop for crop, around in zip(crops, rare, strict=True) if around):
        row = crop.labels[crop.labels[:, 8] == 4.0][0]
        outside = np.isnan(crop.pixels)
        assert outside[int(row[1]), int(row[0])]
        assert (crop.pixels[~outside] == 1.0).all()
    again = Samples([field], 64, 4, 3, balanced=1.0).at(7)
    for a, b in zip(again, crops[28:32], strict=True):
        assert np.array_equal(a.pixels, b.pixels, equal_nan=True)
    anywhere = [crop for k in range(40) for crop in Samples([field], 64, 4, 3).at(k)]
    assert all(np.isfinite(crop.pixels).all() for crop in anywhere)


def test_balanced_crops_touch_nothing_that_is_kept_for_validation():
    field = rare_field()
    marked = np.zeros(field.shape, np.float32)
    marked[130:] = 1.0
    kept = Field("kept", marked, field.labels, field.beam, Box(130, 192, 0, 192))
    samples = Samples([kept], 64, 4, 1, balanced=1.0)
    assert all((np.nan_to_num(crop.pixels) == 0.0).all() for k in range(10) for crop in samples.at(k))


def test_fields_that_are_kept_as_a_whole_take_no_part():
    kept = [made_field(seed, 96, held=True) for seed in range(20)]
    samples = Samples([*kept, made_field(50, 96)], 64, 4, 1)
    assert len(samples.fields) == 1
    assert all(len(samples.at(number)) == 4 for number in range(5))


def test_fields_too_small_or_all_blank_are_told():
    with pytest.raises(
        UsageError, match=r"no field is large enough.*got .1 fields, the largest 96.*allowed: 128"
    ):
        Samples([made_field(0, 96)], 128, 1, 1)
    field = made_field(0, 96)
    blank = Field("blank", np.full((96, 96), np.nan, np.float32), field.labels, field.beam)
    with pytest.raises(UsageError, match="no crop was found that is not blank"):
        Samples([blank], 64, 1, 1).at(0)


def test_a_field_comes_back_from_its_folder(tmp_path):
    field = made_field(6, 64, held=True)
    write_field(tmp_path / "field", field)
    again = read_field(tmp_path / "field")
    assert np.array_equal(again.pixels, field.pixels)
    assert again.labels == field.labels
    assert (again.name, again.beam, again.held) == (field.name, field.beam, field.held)
    (tmp_path / "field" / "labels.npz").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"a prepared field cannot be read.*remove the folder"):
        read_field(tmp_path / "field")
