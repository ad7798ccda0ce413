"""HEALPix cells against closed forms, and against the MOCs of mocpy."""

import astropy.units as u
import numpy as np
import pytest
from mocpy import MOC

from skysift.sky.healpix import cell_area, cell_width, cells_at, centres_of


@pytest.mark.parametrize("order", [0, 1, 5, 12, 20])
def test_the_centre_of_a_cell_lies_in_it(order):
    rng = np.random.default_rng(order)
    cells = np.unique(rng.integers(0, 12 * 4**order, 5000))
    ra, dec = centres_of(order, cells)
    assert np.array_equal(cells_at(order, ra, dec), cells)


def test_cells_are_those_of_mocpy():
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, 3000), np.degrees(np.arcsin(rng.uniform(-1, 1, 3000)))
    for order in (3, 11):
        theirs = MOC.from_lonlat(ra * u.deg, dec * u.deg, max_norder=order)
        mine = MOC.from_healpix_cells(cells_at(order, ra, dec).astype(np.uint64), order, order)
        assert theirs == mine


def test_the_cells_of_the_whole_sky_are_spread_evenly():
    ra, dec = centres_of(4, np.arange(12 * 4**4))
    vectors = [np.cos(np.radians(dec)) * np.cos(np.radians(ra)), np.sin(np.radians(dec))]
    assert np.abs(np.mean(vectors, axis=1)).max() < 1e-12
    assert np.mean(np.sin(np.radians(dec)) ** 2) == pytest.approx(1 / 3, abs=1e-3)
    assert cell_area(4) * 12 * 4**4 == pytest.approx(41252.96, rel=1e-6)
    assert cell_width(12) == pytest.approx(51.53, abs=0.01)


def test_poles_the_turn_and_what_is_no_position():
    assert cells_at(6, [np.nan, 10.0], [0.0, np.nan]).tolist() == [-1, -1]
    same = cells_at(6, [0.0, 360.0, 720.0], [10.0] * 3)
    assert len(set(same.tolist())) == 1
    assert (cells_at(6, [0, 90, 180, 270], [90.0] * 4) >= 0).all()
    assert (cells_at(6, [0, 90, 180, 270], [-90.0] * 4) < 12 * 4**6).all()
