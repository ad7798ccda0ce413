"""Which objects are measured together, and where giants are cut."""

import pickle

import numpy as np
import pytest
from tests import images

from skysift.find.pieces import (
    GIANT,
    LATTICE,
    NARROWEST,
    SEAM,
    Reads,
    cut_giants,
    fit_windows,
    sampled_beams,
    share_reads,
)
from skysift.sky.box import Box
from skysift.sky.mask import Mask


def mask(*boxes: tuple[int, int, int, int], shape: tuple[int, int] = (3000, 4000)) -> Mask:
    """Full boxes (y0, y1, x0, x1), labelled in their order."""
    rows = [(y, box[2], box[3], k) for k, box in enumerate(boxes, 1) for y in range(box[0], box[1])]
    return Mask(*np.array(rows).T, shape)


def test_ordinary_objects_stay_whole():
    whole = mask((10, 20, 10, 30), (50, 60, 100, 100 + GIANT))
    segments = cut_giants(whole)
    assert segments.mask == whole
    assert segments.owner.tolist() == [0, 1]
    np.testing.assert_array_equal(segments.boxes, whole.boxes)


@pytest.mark.parametrize(
    "box", [(100, 110, 300, 300 + GIANT + 1), (100, 101 + GIANT, 300, 320), (0, 2000, 700, 2900)]
)
def test_giants_are_cut_along_the_lattice(box):
    small = (5, 9, 3, 9) if box[0] > 9 else (2500, 2504, 3, 9)
    given = sorted([box, small])
    segments = cut_giants(mask(*given))
    number = given.index(box)
    parts = segments.owner == number
    assert segments.owner.tolist() == sorted(segments.owner.tolist())
    assert parts.sum() == (-(-box[1] // LATTICE) - box[0] // LATTICE) * (
        -(-box[3] // LATTICE) - box[2] // LATTICE
    )
    assert (~parts).sum() == 1
    for y0, y1, x0, x1 in segments.boxes[parts]:
        assert y0 // LATTICE == (y1 - 1) // LATTICE
        assert x0 // LATTICE == (x1 - 1) // LATTICE
    painted = segments.mask.paint()
    owner = np.concatenate([[0], segments.owner + 1])
    np.testing.assert_array_equal(owner[painted], mask(*given).paint())


def scattered(n: int, shape: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """Boxes that do not overlap, one to a cell of 100 pixels, in map order."""
    rng = np.random.default_rng(1)
    cells = sorted(rng.permutation((shape[0] // 100) * (shape[1] // 100))[:n].tolist())
    boxes = []
    for cell in cells:
        y, x = (100 * each for each in divmod(cell, shape[1] // 100))
        height, width = rng.integers(1, 90, 2).tolist()
        boxes.append((y + 3, y + 3 + height, x + 3, x + 3 + width))
    return boxes


def test_every_object_is_read_once_with_its_margin():
    shape = (3000, 3000)
    segments = cut_giants(mask(*scattered(300, shape), shape=shape))
    margins = np.random.default_rng(2).integers(3, 40, 300)
    reads = share_reads(segments, 300, margins, shape)
    members = np.concatenate([each for _, each in reads])
    assert sorted(members.tolist()) == list(range(300))
    for box, each in reads:
        assert each.tolist() == sorted(each.tolist())
        assert Box.of(shape).holds(box)
        for k in each:
            own = Box(*segments.boxes[k].tolist()).expand(int(margins[k]))
            assert box.holds(own.intersect(Box.of(shape)))
    assert 1 < len(reads) < 300


def test_only_the_first_are_read():
    shape = (3000, 3000)
    segments = cut_giants(mask(*scattered(50, shape), shape=shape))
    reads = share_reads(segments, 20, np.full(50, 5), shape)
    assert sorted(np.concatenate([each for _, each in reads]).tolist()) == list(range(20))


def test_the_segments_of_a_giant_are_read_together_and_alone():
    shape = (3000, 4000)
    segments = cut_giants(mask((10, 20, 10, 30), (10, 30, 300, 2000), (25, 40, 100, 120), shape=shape))
    n = len(segments.owner)
    reads = share_reads(segments, n, np.full(n, 5), shape)
    owners = [set(segments.owner[each].tolist()) for _, each in reads]
    giant = int(np.bincount(segments.owner).argmax())
    assert {giant} in owners
    assert sum(giant in each for each in owners) == 1


def test_fits_of_large_objects_look_further():
    image = images.image(np.zeros((100, 100)), images.ROUND)
    boxes = np.array([[10, 14, 10, 14], [0, 100, 0, 20], [0, 2000, 0, 9]])
    assert fit_windows(image, boxes, 0.75) == pytest.approx([0.75, 10 / 4, 32 / 4])


# -- beams as they can be fitted


def test_ordinary_beams_are_fitted_as_they_are():
    beams = np.array([[2.9, 0.1, 2.5], [0.6, 0.0, 0.3]])
    np.testing.assert_array_equal(sampled_beams(beams), beams)


@pytest.mark.parametrize("beam", [(0.01, 0.0, 0.02), (0.04, 0.05, 3.0), (0.0, 0.0, 0.0), (1.2, -1.1, 1.1)])
def test_a_beam_narrower_than_a_pixel_is_widened_along_its_narrow_axis(beam):
    xx, xy, yy = sampled_beams(np.array([beam]))[0]
    before, axes = np.linalg.eigh([[beam[0], beam[1]], [beam[1], beam[2]]])
    after = axes.T @ np.array([[xx, xy], [xy, yy]]) @ axes
    np.testing.assert_allclose(after, np.diag(np.maximum(before, NARROWEST**2)), atol=1e-9)


def reads_of(given: Mask) -> Reads:
    segments = cut_giants(given)
    n = len(segments.boxes)
    places = share_reads(segments, n, np.full(n, 5), given.shape)
    rng = np.random.default_rng(2)
    return Reads(places, segments, rng.choice([-1, 1], n), rng.normal(size=(n, 3)), rng.normal(size=n))


def test_a_read_carries_all_that_is_known_of_its_members():
    reads = reads_of(mask(*scattered(200, (3000, 4000))))
    assert len(reads) > 5
    for read, (box, members) in zip(reads, reads.places, strict=True):
        assert not read.giant
        assert read.box == box
        np.testing.assert_array_equal(read.members, members)
        np.testing.assert_array_equal(read.mask.paint(box), reads.segments.mask.paint(box))
        np.testing.assert_array_equal(read.boxes, reads.segments.boxes[members])
        np.testing.assert_array_equal(read.pixels, reads.segments.mask.area[members])
        for name in ("sign", "beams", "windows"):
            np.testing.assert_array_equal(getattr(read, name), getattr(reads, name)[members])


def test_the_segments_of_a_giant_see_all_labels_around_them():
    reads = reads_of(mask((100, 140, 300, 320), (200, 1800, 700, 2900), (1900, 1910, 800, 830)))
    giants = [read for read in reads if read.giant]
    assert len(giants) == 1
    for y0, y1, x0, x1 in giants[0].boxes.tolist():
        box = Box(y0, y1, x0, x1).expand(2 * SEAM).intersect(Box.of((3000, 4000)))
        np.testing.assert_array_equal(giants[0].mask.paint(box), reads.segments.mask.paint(box))


def test_a_read_is_small_however_many_objects_the_map_has():
    reads = reads_of(mask(*scattered(1000, (3000, 4000))))
    whole = len(pickle.dumps(reads.segments))
    assert max(len(pickle.dumps(read)) for read in reads) < whole / 8
    assert len(reads[1:3]) == 2
