"""Which objects are measured together, and where giants are cut."""

import numpy as np
import pytest

from skysift.find.pieces import GIANT, LATTICE, cut_giants, share_reads
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


def test_every_object_is_read_once_with_its_margin():
    rng = np.random.default_rng(1)
    y, x = rng.integers(0, 2900, (2, 300))
    boxes = np.stack([y, y + rng.integers(1, 90, 300), x, x + rng.integers(1, 90, 300)], axis=1)
    shape = (3000, 3000)
    reads = share_reads(boxes, 7, shape)
    members = np.concatenate([each for _, each in reads])
    assert sorted(members.tolist()) == list(range(300))
    for box, each in reads:
        assert each.tolist() == sorted(each.tolist())
        assert Box.of(shape).holds(box)
        for k in each:
            assert box.holds(Box(*boxes[k].tolist()).expand(7).intersect(Box.of(shape)))
        assert max(box.shape) <= LATTICE + 90 + 14
