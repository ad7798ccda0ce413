"""Segments claim the rings around them that add to their flux."""

import numpy as np

from skysift.measure.growth import claimed_rings

SHAPE = (80, 90)


def claims(data, labels, *, blocked=None, most=6, share=0.05, rms=0.01):
    members = np.unique(labels[labels > 0]).astype(np.int64)
    boxes = []
    for member in members:
        y, x = np.nonzero(labels == member)
        boxes.append((y.min(), y.max() + 1, x.min(), x.max() + 1))
    free = np.zeros(SHAPE, bool) if blocked is None else blocked
    return claimed_rings(
        data.astype("f4"), np.zeros(SHAPE, "f4"), np.full(SHAPE, rms, "f4"), labels.astype("i4"), free, 0, 0, members,
        np.array(boxes, np.int64), most, share, 1.0,
    )  # fmt: skip


def hill(sigma=8.0, x=45.0, y=40.0):
    v, u = np.indices(SHAPE)
    return np.exp(-0.5 * ((u - x) ** 2 + (v - y) ** 2) / sigma**2)


def test_rings_are_claimed_until_the_flux_has_converged():
    data = hill()
    inside = data > 0.7
    found = claims(data, inside.astype(int), most=20)
    whole = inside.copy()
    whole[found[:, 0], found[:, 1]] = True
    assert not inside[found[:, 0], found[:, 1]].any()
    distance = np.sqrt(found[:, 2])
    last = int(np.ceil(distance.max()))
    ring = data[found[distance > last - 1, 0], found[distance > last - 1, 1]].sum()
    assert ring > 0.05 * data[whole].sum() * 0.9
    assert data[whole].sum() > 0.8 * data.sum()


def test_flat_surroundings_are_not_claimed():
    labels = np.zeros(SHAPE, int)
    labels[30:40, 30:40] = 1
    data = np.where(labels > 0, 1.0, 0.0)
    assert len(claims(data, labels)) == 0
    noise = np.random.default_rng(1).normal(0, 0.01, SHAPE)
    assert len(claims(data + noise, labels)) == 0


def test_what_is_blocked_blank_or_of_another_is_never_claimed():
    data = hill()
    labels = (data > 0.7).astype(int)
    labels[40:44, 60:70] = 2
    blocked = np.zeros(SHAPE, bool)
    blocked[20:36, :] = True
    data[50:, 40:44] = np.nan
    found = claims(data, labels, blocked=blocked, most=12)
    mine = found[found[:, 3] == 0]
    assert len(mine)
    y, x = mine[:, 0], mine[:, 1]
    assert not blocked[y, x].any()
    assert np.isfinite(data[y, x]).all()
    assert (labels[y, x] == 0).all()


def test_no_ring_lies_beyond_the_farthest():
    found = claims(hill(15.0), (hill(15.0) > 0.95).astype(int), most=3)
    assert found[:, 2].max() <= 9
