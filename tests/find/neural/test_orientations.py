"""A window in eight orientations: turned back, joined; and a flipped map gives the flipped catalogue."""

import numpy as np
import pytest
from tests import images, skies

from skysift.base.errors import OptionError
from skysift.base.random import generator
from skysift.find.neural.found import RAW, as_detections
from skysift.find.neural.orientations import (
    ORIENTATIONS,
    joined_found,
    turned,
    turned_back,
    turned_beam,
)
from skysift.find.run import make_finder, search
from skysift.sky.schema import TABLES

BEAM = (5.0, 3.5, 30.0)


def columns(**values):
    n = len(np.atleast_1d(values["x"]))
    usual = {
        "snr": 10.0,
        "major": 4.0,
        "minor": 2.0,
        "cos": 1.0,
        "reach": 4.0,
        "class": 1.0,
        "class_score": 1.0,
    }
    return {
        name: np.broadcast_to(np.asarray(values.get(name, usual.get(name, 0.1)), float), n).copy()
        for name in RAW
    }


@pytest.mark.parametrize("how", ORIENTATIONS)
def test_what_is_found_in_a_turned_window_is_turned_back(how):
    angle = 0.35
    y, x = np.mgrid[:40, :60]
    dy, dx = y - 22.0, x - 31.0
    along, across = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
    z = np.exp(-0.5 * ((along / 5.0) ** 2 + (across / 2.0) ** 2)).astype(np.float32)
    seen = turned(z, how)
    rows, cols = np.indices(seen.shape)
    total = seen.sum()
    mx, my = (seen * cols).sum() / total, (seen * rows).sum() / total
    xx, yy = ((seen * (each - mid) ** 2).sum() / total for each, mid in ((cols, mx), (rows, my)))
    xy = (seen * (cols - mx) * (rows - my)).sum() / total
    half = np.hypot(0.5 * (xx - yy), xy)
    found = as_detections(columns(x=[mx], y=[my], cos=0.5 * (xx - yy) / half, sin=xy / half), np.ones(1))
    back = turned_back(found, how, z.shape)
    assert back["x"] == pytest.approx([31.0], abs=0.01)
    assert back["y"] == pytest.approx([22.0], abs=0.01)
    assert back["cos"] == pytest.approx([np.cos(2 * angle)], abs=0.01)
    assert back["sin"] == pytest.approx([np.sin(2 * angle)], abs=0.01)
    again = turned_beam(np.array([xx, xy, yy]), how)
    if not (how[0] and how[1] != how[2]):  # quarter turns undo each other
        assert turned_beam(again, how) == pytest.approx([xx, xy, yy])
        assert np.array_equal(turned(seen, how), z)
    first = turned_beam(np.array([5.0, 1.5, 2.0]), how)
    assert first[0] * first[2] - first[1] ** 2 == pytest.approx(7.75)


@pytest.mark.parametrize("n", [1, 2, 4, 8])
def test_orientations_are_groups(n):
    z = np.arange(12, dtype=np.float32).reshape(3, 4)
    seen = {turned(z, how).tobytes() + str(turned(z, how).shape).encode() for how in ORIENTATIONS[:n]}
    assert len(seen) == n
    for how in ORIENTATIONS[:n]:
        other = turned(z, how)
        again = {
            turned(other, each).tobytes() + str(turned(other, each).shape).encode()
            for each in ORIENTATIONS[:n]
        }
        assert again == seen


def test_the_score_is_the_mean_over_all_who_looked():
    raw = columns(
        x=[10.0, 10.4, 9.9, 30.0, 13.0], y=[5.0, 5.0, 5.2, 8.0, 5.0], snr=[8.0, 2.0, 4.0, 20.0, 5.0]
    )
    scores, ways = np.array([0.9, 0.6, 0.6, 0.8, 0.3]), np.array([0, 1, 2, 1, 0])
    found, told = joined_found(raw, scores, ways, 4)
    order = np.argsort(found["x"])
    assert np.array_equal(told[order][0], [0.9, 0.6, 0.6, np.nan], equal_nan=True)
    assert np.array_equal(told[order][2], [np.nan, 0.8, np.nan, np.nan], equal_nan=True)
    assert found.scores[order] == pytest.approx([2.1 / 4, 0.3 / 4, 0.8 / 4])
    assert found["x"][order][0] == pytest.approx((0.9 * 10 + 0.6 * 10.4 + 0.6 * 9.9) / 2.1)
    wanted = np.exp((0.9 * np.log(8) + 0.6 * np.log(2) + 0.6 * np.log(4)) / 2.1)
    assert found["snr"][order][0] == pytest.approx(wanted)
    surest, _ = joined_found(raw, scores, ways, 4, lambda each: np.nanmax(each, axis=1))
    assert surest.scores == pytest.approx([0.9, 0.8, 0.3])


def test_a_wide_source_keeps_its_score_where_its_centres_differ_and_what_lies_on_it_stays():
    n = 4
    wide = {"x": 200.0 + 3.0 * np.arange(n), "y": np.full(n, 150.0), "major": 90.0, "minor": 80.0}
    scores, ways = np.array([0.9, 0.8, 0.85, 0.95]), np.arange(n)
    found, told = joined_found(columns(**wide), scores, ways, n)
    assert len(found) == 1
    assert found.scores == pytest.approx([scores.mean()])
    assert told[0].tolist() == scores.tolist()
    # a narrow one on it, 8 pixels from all centres, stays one of its own
    x, y = np.append(wide["x"], 204.5), np.append(wide["y"], 160.0)
    narrow = np.append(np.zeros(n, bool), True)
    raw = columns(x=x, y=y, major=np.where(narrow, 1.0, 90.0), minor=np.where(narrow, 0.5, 80.0))
    found, told = joined_found(raw, np.append(scores, 0.99), np.append(ways, 0), n)
    assert len(found) == 2
    assert np.isfinite(told).sum(axis=1).tolist() == [4, 1]
    # wide ones that are farther from each other than half of the smaller minor axis are two
    apart = columns(x=[200.0, 245.0], y=[150.0, 150.0], major=90.0, minor=[120.0, 80.0])
    assert len(joined_found(apart, np.array([0.9, 0.8]), np.arange(2), 2)[0]) == 2


def test_each_who_looked_gives_one_detection_to_a_source_as_a_slow_twin_does():
    rng = generator(1, "join")
    n = 400
    raw = columns(x=rng.uniform(0, 60, n), y=rng.uniform(0, 60, n), snr=rng.uniform(3, 30, n))
    scores, ways = rng.uniform(0.1, 1.0, n), rng.integers(0, 4, n)
    order = np.argsort(-scores)
    free, wanted = np.ones(n, bool), []
    for k in order:
        if not free[k]:
            continue
        members = [k]
        free[k] = False
        for way in set(range(4)) - {ways[k]}:
            d = np.hypot(raw["x"] - raw["x"][k], raw["y"] - raw["y"][k])
            d = np.where(free & (ways == way), d, np.inf)
            if d.min() < 0.6 * 4.0:
                members.append(int(d.argmin()))
                free[members[-1]] = False
        wanted.append(scores[members].sum() / 4)
    found, _ = joined_found(raw, scores, ways, 4)
    assert np.sort(found.scores) == pytest.approx(np.sort(wanted))


@pytest.fixture(scope="module")
def sky():
    sources = skies.population((200, 200), BEAM, n_points=14, n_extended=4, snr=(8, 60), margin=12, seed=5)
    return skies.paint((200, 200), BEAM, sources=sources, seed=5)[0]


def found_on(data, beam, weights, **how):
    image = images.image(data, beam, centre=(80.0, 30.0))
    return search(image, make_finder("yolo", weights=str(weights), **how)).catalogue


def test_a_flipped_map_gives_the_flipped_catalogue(sky, weights):
    one = found_on(sky, BEAM, weights, flips=8).sources
    other = found_on(sky[::-1], (BEAM[0], BEAM[1], 180.0 - BEAM[2]), weights, flips=8).sources
    assert len(one) == len(other) > 10
    a, b = np.lexsort((one["x"], one["y"])), np.lexsort((other["x"], 199.0 - other["y"]))
    assert one["score"][a] == pytest.approx(other["score"][b], abs=1e-3)
    assert (np.abs(one["y"][a] - (199.0 - other["y"][b])) < one["y_err"][a]).all()  # fitted to the map
    assert (np.abs(one["flux"][a] - other["flux"][b]) < one["flux_err"][a]).all()
    assert one["major_net"][a] == pytest.approx(other["major_net"][b], rel=3e-2)
    assert one["flux_net"][a] == pytest.approx(other["flux_net"][b], rel=3e-2)  # over noise on a mesh


def test_orientations_do_not_depend_on_tiles_and_stand_in_the_facts(sky, weights):
    image = images.image(sky, BEAM, centre=(80.0, 30.0))
    finder = make_finder("yolo", weights=str(weights), flips=4)
    one, two = search(image, finder), search(image, finder, tile=64, workers=2)
    assert one.facts["flips"] == 4
    for kind in TABLES:
        assert one.catalogue.table(kind) == two.catalogue.table(kind)


def test_a_blank_map_in_all_orientations_is_empty(weights):
    assert not len(found_on(np.full((70, 64), np.nan), BEAM, weights, flips=8).sources)


def test_other_numbers_are_refused():
    with pytest.raises(OptionError, match="flips"):
        make_finder("yolo", flips=3)
