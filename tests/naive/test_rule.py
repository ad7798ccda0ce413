"""The matching rule with loops over all pairs, as its sentences say."""

import math

import numpy as np
import pytest
from tests.score import worlds

from skysift.score.options import RuleOptions
from skysift.score.rule import match
from skysift.sky.truth import Truth


def apart(a, b):
    """Arcsec between two (ra, dec) by the haversine."""
    (ra1, dec1), (ra2, dec2) = ([math.radians(part) for part in each] for each in (a, b))
    h = math.sin((dec2 - dec1) / 2) ** 2 + math.cos(dec1) * math.cos(dec2) * math.sin((ra2 - ra1) / 2) ** 2
    return math.degrees(2 * math.asin(math.sqrt(h))) * 3600


def groups(places, reach):
    """Chains of near neighbours."""
    left, chains = set(range(len(places))), []
    while left:
        chain, edge = set(), {min(left)}
        while edge:
            chain |= edge
            edge = {j for j in left - chain if any(apart(places[i], places[j]) <= reach for i in edge)}
        left -= chain
        chains.append(sorted(chain))
    return chains


def naive(true, found, beam):
    """(number of merged truths, detected, real) by loops."""
    place = list(zip(true["ra"], true["dec"], strict=True))
    there = list(zip(found["ra"], found["dec"], strict=True))
    objects, members = [], []
    for number, chain in enumerate(groups(place, 0.5 * beam)):
        flux = true["flux"][chain]
        weight = flux / flux.sum()
        ra, dec = float(weight @ true["ra"][chain]), float(weight @ true["dec"][chain])
        near = [apart((ra, dec), place[i]) for i in chain]
        peak = sum(
            true["flux_peak"][i] * 2 ** (-4 * (d / true["major"][i]) ** 2)
            for i, d in zip(chain, near, strict=True)
        )
        east = [(true["ra"][i] - ra) * math.cos(math.radians(dec)) * 3600 for i in chain]
        north = [(true["dec"][i] - dec) * 3600 for i in chain]
        spread = np.array([[weight @ np.multiply(p, q) for p in (east, north)] for q in (east, north)])
        round_ = float(weight @ true["major"][chain] ** 2) / (8 * math.log(2))
        size = math.sqrt(8 * math.log(2)) * np.linalg.det(spread + round_ * np.eye(2)) ** 0.25
        if len(chain) == 1:
            size = true["major"][chain[0]]
        objects.append((ra, dec, float(flux.sum()), peak, max(0.5 * size, 0.5 * beam), number))
        if len(chain) > 1:
            members += [
                (
                    *place[i],
                    true["flux"][i],
                    true["flux_peak"][i],
                    max(0.5 * true["major"][i], 0.5 * beam),
                    number,
                )
                for i in chain
            ]
    detected, real = set(), set()
    for side in (objects, members):
        costs = []
        for i, (ra, dec, flux, peak, reach, _) in enumerate(side):
            if peak / worlds.RMS < 2:
                continue
            for j, at in enumerate(there):
                d = apart((ra, dec), at)
                if j in real or d > reach:
                    continue
                ratio = found["flux"][j] / flux
                if 0.5 <= ratio <= 2 or abs(found["flux"][j] - flux) <= 5 * found["flux_err"][j]:
                    costs.append((math.hypot(d / reach, math.log2(ratio)), i, j))
        used = set()
        for _, i, j in sorted(costs):
            if i not in used and j not in real:
                used.add(i)
                real.add(j)
                detected.add(side[i][-1])
    return len(objects), detected, real


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_rule_of_its_sentences(seed):
    place, truth = worlds.sky(260, seed=seed, side=160, low=1.2, high=60, apart=False)
    found = worlds.found_in(truth, place, seed + 50, threshold=2.5, n_false=40)
    known = Truth(truth.catalogue, frame=place, beam=worlds.BEAM)
    result = match(found, known, RuleOptions())
    n, detected, real = naive(truth.sources, found.sources, worlds.BEAM.major)
    assert len(result.true) == n < 250
    assert set(np.flatnonzero(result.real).tolist()) == real
    of_members = {frozenset({int(row)}) for row in result.true.row[result.detected]}
    assert len(of_members) == len(detected)
    assert int(np.sum(result.fate == 1)) > 0  # members of merged truths come into it
