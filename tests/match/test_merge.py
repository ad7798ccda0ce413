"""What tiles cut is joined; see tests/naive/test_labels.py for the flood fill."""

import numpy as np

from skysift.match.merge import merge_fragments
from skysift.sky.detections import Detections, Footprints


def part(*objects: tuple[list[tuple[int, int, int]], float, bool, int]) -> Detections:
    """The fragments of one tile: runs (row, start, stop), score, whether there is a seed, sign."""
    boxes, rows = [], []
    for number, (runs, *_) in enumerate(objects):
        r = np.array(runs)
        boxes.append([r[:, 0].min(), r[:, 0].max() + 1, r[:, 1].min(), r[:, 2].max()])
        rows += [(*run, number) for run in runs]
    columns = np.array(rows, np.int64).T if rows else np.empty((4, 0), np.int64)
    raw = {
        "seeded": np.array([o[2] for o in objects], np.int64),
        "sign": np.array([o[3] for o in objects], np.int64),
    }
    return Detections(np.array(boxes), np.array([o[1] for o in objects], float), Footprints(*columns), raw)


def painted(objects: Detections, shape: tuple[int, int] = (20, 20)) -> np.ndarray:
    return objects.to_mask(shape).paint()


def test_halves_of_an_island_are_one_with_the_score_of_the_brighter():
    left, right = part(([(3, 5, 10), (4, 6, 10)], 4.0, False, 1)), part(([(4, 10, 12)], 7.0, True, 1))
    whole = merge_fragments([left, right], 1)
    assert whole.boxes.tolist() == [[3, 5, 5, 12]]
    assert whole.scores.tolist() == [7.0]
    assert whole["sign"].tolist() == [1]
    assert painted(whole).sum() == 5 + 4 + 2


def test_an_object_without_a_seed_in_any_tile_is_dropped():
    parts = [part(([(3, 5, 10)], 4.0, False, 1)), part(([(3, 10, 12)], 4.5, False, 1))]
    assert len(merge_fragments(parts, 1)) == 0


def test_corners_join_for_eight_neighbours_only():
    parts = [part(([(3, 5, 10)], 6.0, True, 1)), part(([(4, 10, 12)], 6.0, True, 1))]
    assert len(merge_fragments(parts, 1)) == 1
    assert len(merge_fragments(parts, 0)) == 2


def test_signs_never_join():
    parts = [part(([(3, 5, 10)], 6.0, True, 1)), part(([(3, 10, 12)], 6.0, True, -1))]
    objects = merge_fragments(parts, 1)
    assert objects["sign"].tolist() == [1, -1]


def test_objects_come_in_the_order_of_their_first_pixels_whatever_the_order_of_the_tiles():
    a = part(([(9, 2, 3)], 6.0, True, 1), ([(2, 15, 16)], 6.0, True, -1))
    b = part(([(2, 3, 4)], 9.0, True, 1))
    c = part(([(5, 0, 9)], 8.0, True, 1))
    one, other = merge_fragments([a, b, c], 1), merge_fragments([c, a, b], 1)
    assert one.boxes[:, [0, 2]].tolist() == [[2, 3], [2, 15], [5, 0], [9, 2]]
    assert one == other


def test_a_bridge_in_a_third_tile_joins_two_objects():
    parts = [
        part(([(1, 0, 4)], 6.0, True, 1), ([(3, 0, 4)], 7.0, True, 1)),
        part(([(1, 4, 5), (2, 4, 5), (3, 4, 5)], 3.0, False, 1)),
    ]
    assert merge_fragments(parts, 0).scores.tolist() == [7.0]


def test_nothing_gives_nothing():
    assert len(merge_fragments([], 1)) == 0
    assert len(merge_fragments([part(), part()], 1)) == 0
    assert merge_fragments([], 1)["sign"].shape == (0,)
