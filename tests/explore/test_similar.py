"""Look-alikes and near-duplicates."""

import numpy as np
import pytest
from tests.explore.samples import blobs

from skysift.base.errors import SizeError
from skysift.explore import similar
from skysift.explore.similar import look_alikes, near_duplicates


def test_look_alikes_are_the_nearest_and_never_the_source_itself():
    coordinates = blobs(n=30).values
    coordinates[5] = coordinates[4]
    far, near = look_alikes(coordinates, [4, 20], 3)
    assert near[0, 0] == 5
    assert far[0, 0] == 0.0
    assert 4 not in near[0]
    distance = np.linalg.norm(coordinates - coordinates[20], axis=1)
    assert near[1].tolist() == np.argsort(distance)[1:4].tolist()
    np.testing.assert_allclose(far[1], np.sort(distance)[1:4])
    assert look_alikes(coordinates[:1], [0], 3)[0].shape == (1, 0)


def test_many_copies_do_not_hide_others():
    coordinates = np.zeros((6, 2))
    far, near = look_alikes(coordinates, [0, 5], 3)
    assert far.tolist() == [[0.0] * 3] * 2
    assert all(row not in rows for row, rows in zip((0, 5), near.tolist(), strict=True))


def test_too_many_are_refused(monkeypatch):
    monkeypatch.setattr(similar, "MOST", 10)
    with pytest.raises(SizeError, match="too many"):
        look_alikes(blobs(n=30).values, [0], 3)


def test_pairs_on_the_sky_and_in_the_space():
    coordinates = blobs(n=40, groups=1).values
    ra, dec = np.linspace(359.0, 361.0, 40) % 360.0, np.full(40, 60.0)
    coordinates[3] = coordinates[30] + 1e-4  # alike
    ra[11], dec[11] = ra[10] + 2.0 / 3600.0 / np.cos(np.deg2rad(60.0)), dec[10]  # 2 arcsec
    ra[21], dec[21], coordinates[21] = ra[20], dec[20], coordinates[20]  # both
    coordinates[35] = np.nan
    ra[36], dec[36] = ra[35], dec[35]
    found = near_duplicates(coordinates, ra, dec, radius=5.0, alike=0.1)
    told = {(each.first, each.second): each for each in found}
    assert set(told) == {(3, 30), (10, 11), (20, 21), (35, 36)}
    assert (found[0].first, found[0].second, found[0].why) == (20, 21, "features and sky")
    assert told[10, 11].separation == pytest.approx(2.0, abs=1e-3)
    assert told[10, 11].why == "sky"
    assert told[3, 30].why == "features"
    assert np.isnan(told[35, 36].distance)
    assert [each.why for each in near_duplicates(coordinates, None, None, radius=5.0, alike=0.1)] == [
        "features"
    ] * 2


def test_a_thousand_copies_are_told_by_few_pairs():
    found = near_duplicates(
        np.zeros((1000, 3)) + np.arange(1000)[:, None] // 999, None, None, radius=1.0, alike=0.5
    )
    assert len(found) <= 9000
    assert near_duplicates(np.zeros((1, 3)), None, None, radius=1.0, alike=0.5) == ()
