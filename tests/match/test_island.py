"""Islands that share sky: on one lattice of pixels, on another, moved, and what is missing."""

import numpy as np
import pytest

import skysift
from skysift.base.errors import UsageError
from skysift.match.entries import Entries, Islands
from skysift.match.island import shared_areas
from skysift.match.sky import offset_by
from skysift.sky.frame import Frame
from skysift.sky.mask import Mask


def frame(n: int, scale: float) -> Frame:
    """A plane about (30, -40) of n x n pixels of this size (arcsec)."""
    cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 30.0, "CRVAL2": -40.0}
    cards |= {"CRPIX1": (n + 1) / 2, "CRPIX2": (n + 1) / 2, "CDELT1": -scale / 3600, "CDELT2": scale / 3600}
    return Frame.from_cards(cards, (n, n))


def catalogue(name: str, boxes: list[tuple[int, int, int, int]], n: int = 60, scale: float = 2.0) -> Entries:
    """One row an island, each a box (y0, y1, x0, x1)."""
    labels = np.zeros((n, n), np.int64)
    for number, (y0, y1, x0, x1) in enumerate(boxes, start=1):
        labels[y0:y1, x0:x1] = number
    plane = frame(n, scale)
    y, x = (np.array([(b[k] + b[k + 1] - 1) / 2 for b in boxes]) for k in (0, 2))
    ra, dec = plane.to_sky(x, y)
    entries = Entries.from_columns(name, ra, dec)
    return entries.on_islands(Islands(Mask.from_labels(labels), plane), np.arange(1, len(boxes) + 1))


BOXES = [(5, 15, 5, 25), (30, 40, 10, 20), (45, 55, 40, 50)]


def test_boxes_share_what_they_share():
    left = catalogue("A", BOXES)
    right = catalogue("B", [(10, 20, 5, 25), (30, 40, 19, 40), (5, 15, 40, 50)])
    one, other, area = shared_areas(left, right)
    assert (one.tolist(), other.tolist()) == ([1, 2], [1, 2])
    assert area == pytest.approx([5 * 20 * 4, 10 * 1 * 4])
    match = skysift.match(left, right, kind="island", radius=10.0)
    assert match["row_2"].tolist() == [0, -1, -1, 1, 2]
    assert match.candidates["overlap"] == pytest.approx([0.5, 0.1])
    assert match.candidates["chosen"].tolist() == [True, False]


@pytest.mark.parametrize("finer", [0, 1])
def test_maps_of_other_pixels_are_looked_up_in_each_other(finer):
    maps = [catalogue("A", BOXES), catalogue("B", [tuple(4 * k for k in box) for box in BOXES], 240, 0.5)]
    left, right = maps[finer], maps[1 - finer]
    one, other, area = shared_areas(left, right)
    assert one.tolist() == other.tolist() == [1, 2, 3]
    assert area == pytest.approx([800.0, 400.0, 400.0], rel=0.02)
    assert skysift.match(left, right, kind="island")["row_2"].tolist() == [0, 1, 2]


def test_islands_move_with_their_rows():
    left, right = catalogue("A", BOXES), catalogue("B", BOXES)
    east = np.full(3, 10.0)
    moved = left.moved(*offset_by(left.ra, left.dec, east, 0 * east))
    assert shared_areas(moved, right)[2] == pytest.approx([15 * 10 * 4, 5 * 10 * 4, 5 * 10 * 4], rel=0.02)
    assert shared_areas(right, moved)[2] == pytest.approx([15 * 10 * 4, 5 * 10 * 4, 5 * 10 * 4], rel=0.02)
    assert shared_areas(moved.moved(left.ra, left.dec), right)[2] == pytest.approx([800, 400, 400])
    assert skysift.match(left, right, kind="island").joins[0].chance.fraction < 0.5


def test_components_of_one_pair_of_islands_are_one_by_distance():
    plane = frame(60, 2.0)
    mask = Mask.from_labels(np.pad(np.ones((10, 40), np.int64), ((10, 40), (10, 10))))
    ra, dec = plane.to_sky(np.array([15.0, 40.0]), np.array([15.0, 15.0]))
    one = Entries.from_columns("A", ra, dec).on_islands(Islands(mask, plane), np.array([1, 1]))
    other = Entries.from_columns("B", ra[::-1], dec[::-1]).on_islands(Islands(mask, plane), np.array([1, 1]))
    assert skysift.match(one, other, kind="island")["row_2"].tolist() == [1, 0]


def test_rows_of_no_island_match_nothing_and_none_is_lost():
    left = catalogue("A", BOXES)
    outside = left.on_islands(left.islands, np.array([1, 0, 3]))
    match = skysift.match(outside, left, kind="island")
    assert match["row_2"].tolist() == [0, -1, 2, 1]


def test_missing_maps_are_told():
    left = catalogue("A", BOXES)
    with pytest.raises(UsageError, match="B has no map of labels"):
        skysift.match(left, Entries.from_columns("B", [30.0], [-40.0]), kind="island")
