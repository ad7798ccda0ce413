"""Windows of a lattice: which places reach into which."""

import numpy as np
import pytest

from skysift.find.neural.windows import windows_near, windows_of
from skysift.sky.box import Box


def naive(area, step, x, y, reach):
    """All windows, each with all places looked at."""
    result = []
    for core in windows_of(area, step):
        box = core.intersect(area)
        near = (
            (x > box.x0 - 1 - reach) & (x < box.x1 + reach) & (y > box.y0 - 1 - reach) & (y < box.y1 + reach)
        )
        if near.any():
            result.append((box, np.flatnonzero(near).tolist()))
    return result


@pytest.mark.parametrize("area", [Box(0, 300, 0, 500), Box(70, 333, 40, 260), Box(10, 20, 10, 20)])
@pytest.mark.parametrize("wide", [0.0, 3.0, 130.0])
def test_places_are_in_the_windows_that_they_reach_into(area, wide):
    rng = np.random.default_rng(5)
    x, y = rng.uniform(-60, 560, 400), rng.uniform(-60, 400, 400)
    x[:50], y[:50] = np.round(x[:50] / 64) * 64 - 1, np.round(y[:50] / 64) * 64  # on borders
    reach = wide * rng.uniform(0.0, 1.0, 400)
    found = windows_near(area, 64, x, y, reach)
    assert [(box, rows.tolist()) for box, rows in found] == naive(area, 64, x, y, reach)


def test_no_places_are_in_no_window():
    none = np.empty(0)
    assert windows_near(Box(0, 300, 0, 500), 64, none, none, none) == []
    far = np.array([-1000.0])
    assert windows_near(Box(0, 300, 0, 500), 64, far, far, np.zeros(1)) == []
