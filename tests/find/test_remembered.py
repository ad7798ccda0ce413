"""What is solved with the same others as before is not solved again, and is the same as if it were."""

import dataclasses

import numpy as np
import pytest
from tests.find.test_forced import RMS, noisy

from skysift.find import forced
from skysift.find.forced import measure_at
from skysift.find.noise import measure_noise
from skysift.find.places import LARGEST, Places, group_places, places_at
from skysift.find.remembered import Remembered, marks_of
from skysift.measure.options import ForcedOptions, NoiseOptions

OPTIONS = ForcedOptions(fit="shape", free_snr=8.0)


@pytest.fixture(scope="module")
def crowd():
    """A map, its noise, and places on it: some alone, pairs, and a line of more than are solved together."""
    rng = np.random.default_rng(8)
    alone = rng.uniform(20, 380, (60, 2))
    line = np.stack([np.linspace(20, 380, 90), np.full(90, 200.0)], axis=1)
    at = np.concatenate([alone, alone[:20] + 4.0, line])
    peaks = RMS * rng.uniform(-3, 30, len(at))
    image = noisy((400, 400), "convolved", 2, [(x, y, peak) for (x, y), peak in zip(at, peaks, strict=True)])
    return image, measure_noise(image, NoiseOptions()), places_at(image, *at.T)


def rows(found):
    """All numbers of what was measured, side by side."""
    values = [getattr(found, each.name) for each in dataclasses.fields(found) if each.name != "pairs"]
    return np.column_stack([each.reshape(len(found.x), -1) for each in values])


def some(places, chosen):
    """These places alone."""
    return Places(places.x[chosen], places.y[chosen], places.shape[chosen], places.beam[chosen])


def count_solved(monkeypatch):
    """How many places each later call solves, neighbours too."""
    solved = []
    share = forced._share_reads

    def watched(places, groups, *rest):
        solved.append(len(groups.members))
        return share(places, groups, *rest)

    monkeypatch.setattr(forced, "_share_reads", watched)
    return solved


def test_without_some_places_only_what_was_solved_with_them_is_solved_again(crowd, monkeypatch):
    image, noise, places = crowd
    solved = count_solved(monkeypatch)
    remembered = Remembered()
    measure_at(image, noise, places, OPTIONS, remembered=remembered)
    left = np.setdiff1d(
        np.arange(len(places)), [3, 65, 100]
    )  # one alone or nearly, one of a pair, one of the line
    again = measure_at(image, noise, some(places, left), OPTIONS, remembered=remembered)
    fresh = measure_at(image, noise, some(places, left), OPTIONS)
    assert np.array_equal(rows(again), rows(fresh), equal_nan=True)
    whole, part, anew = solved
    assert whole > LARGEST
    assert 0 < part < 0.9 * anew


def test_the_same_places_are_not_solved_twice(crowd, monkeypatch):
    image, noise, places = crowd
    remembered = Remembered()
    found = measure_at(image, noise, places, OPTIONS, remembered=remembered)
    solved = count_solved(monkeypatch)
    again = measure_at(image, noise, places, OPTIONS, remembered=remembered)
    assert np.array_equal(rows(again), rows(found), equal_nan=True)
    assert solved == [0]


def test_a_place_off_the_map_and_none_at_all_are_nothing_to_remember(crowd):
    image, noise, places = crowd
    remembered = Remembered()
    off = dataclasses.replace(places, x=places.x + 1000.0)
    for _ in range(2):
        found = measure_at(image, noise, off, OPTIONS, remembered=remembered)
        assert np.isnan(found.flux_peak).all()
    kept = measure_at(image, noise, places, OPTIONS, remembered=remembered)
    assert np.array_equal(rows(kept), rows(measure_at(image, noise, places, OPTIONS)), equal_nan=True)


def test_marks_differ_with_whatever_is_solved_differently(crowd):
    _, _, places = crowd
    every = np.arange(len(places))
    groups = group_places(places, every, OPTIONS.group)
    free = np.full(len(places), 6)
    marks = marks_of(places, groups, free)
    assert len(np.unique(marks)) == len(places)
    other = free.copy()
    other[60] = 1  # the neighbour of place 0
    changed = marks_of(places, groups, other) != marks
    mates = groups.members[groups.first[:-1].repeat(np.diff(groups.first)) == _begin(groups, 60)]
    assert np.array_equal(np.flatnonzero(changed), np.sort(mates))
    for name in ("x", "y"):
        moved = dataclasses.replace(places, **{name: np.nextafter(getattr(places, name), np.inf)})
        assert (marks_of(moved, groups, free) != marks).all()
    for name in ("shape", "beam"):
        wider = dataclasses.replace(places, **{name: getattr(places, name) * (1.0 + 1e-15)})
        assert (marks_of(wider, groups, free) != marks).all()


def _begin(groups, place):
    """Where the group that tells the numbers of a place begins."""
    own = np.flatnonzero((groups.members == place) & groups.core)[0]
    return groups.first[:-1][np.searchsorted(groups.first, own, side="right") - 1]
