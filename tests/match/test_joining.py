"""Parts become objects: doubles, triples, bent tails, rings; neighbours by chance stay apart."""

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.stats import exponnorm, norm

from skysift.base.errors import UsageError
from skysift.match.agglomerate import agglomerate
from skysift.match.evidence import Sizes, abundance, aligned, bridged, like_flux, linked, octaves, sized
from skysift.match.joining import TERMS, Bridges, Parts, join_parts
from skysift.match.nearby import nearby, slope_of_counts
from skysift.match.options import JoinOptions

FWHM = np.sqrt(8 * np.log(2))
BEAM, RMS, SIDE = 6.0, 2e-5, 3600.0


def parts(rows, side=SIDE):
    """Parts of (x, y, flux, major, minor, angle of the major axis from x towards y in deg); 0 for a point."""
    x, y, flux, major, minor, angle = np.array(rows, float).T
    a, b, t = (major / FWHM) ** 2, (minor / FWHM) ** 2, np.radians(angle)
    shape = np.stack(
        [
            a * np.cos(t) ** 2 + b * np.sin(t) ** 2,
            (a - b) * np.sin(t) * np.cos(t),
            a * np.sin(t) ** 2 + b * np.cos(t) ** 2,
        ],
        axis=1,
    )
    spread = np.sqrt((1 + (major / BEAM) ** 2) * (1 + (minor / BEAM) ** 2))
    return Parts(x, y, flux, flux / spread, np.full(len(x), RMS), shape, major > 0, BEAM, side * side, 1.4e9)


def field(n, seed, side=SIDE):
    """Points at random places, counts of slope one."""
    rng = np.random.default_rng(seed)
    flux = 1e-4 / rng.uniform(1e-3, 1.0, n)
    return [(*rng.uniform(0, side, 2), one, 0, 0, 0) for one in flux]


def one(joins, *rows):
    """Whether these parts are one object, and nothing else with them."""
    inside = joins.object == joins.object[rows[0]]
    return set(np.flatnonzero(inside)) == set(rows)


def test_two_lobes_that_face_each_other_are_one_object():
    joins = join_parts(parts([*field(300, 1), (1800, 1800, 8e-3, 14, 6, 0), (1840, 1802, 6e-3, 12, 6, 0)]))
    assert one(joins, 300, 301)
    assert joins.probability[joins.object[300]] > 0.9
    mine = (joins.pairs.first == 300) & (joins.pairs.second == 301)
    assert joins.pairs.joined[mine].all()
    assert joins.pairs.expected[mine] < 0.1
    assert joins.pairs.terms["alignment"][mine] > 1.0


def test_a_core_belongs_to_the_lobes_on_its_sides():
    rows = [(1770, 1800, 8e-3, 14, 6, 0), (1830, 1804, 6e-3, 12, 6, 5), (1799, 1803, 1e-3, 0, 0, 0)]
    joins = join_parts(parts([*field(300, 2), *rows]))
    assert one(joins, 300, 301, 302)
    pairs = joins.pairs
    lobes = (pairs.first == 300) & (pairs.second == 301)
    assert pairs.core[lobes] == 302
    assert pairs.terms["core"][lobes] > 1.0
    assert 0 < pairs.bend[lobes] < 20


def test_the_bend_is_that_of_the_arms_at_the_core():
    rows = [(1770, 1800, 8e-3, 14, 6, 0), (1830, 1800, 6e-3, 12, 6, 0), (1800, 1807, 3e-3, 0, 0, 0)]
    pairs = join_parts(parts([*field(300, 3), *rows])).pairs
    lobes = (pairs.first == 300) & (pairs.second == 301)
    assert pairs.bend[lobes] == pytest.approx(2 * np.degrees(np.arctan2(7, 30)))


def test_pieces_of_a_shell_are_one_object_on_a_ring():
    angle = np.array([20.0, 90.0, 165.0, 260.0])
    rows = [
        (1800 + 40 * np.cos(t), 1800 + 40 * np.sin(t), 6e-3, 36, 8, np.degrees(t) + 90)
        for t in np.radians(angle)
    ]
    joins = join_parts(parts([*field(100, 4), *rows]))
    assert one(joins, 100, 101, 102, 103)
    assert joins.pairs.ring[joins.pairs.joined].mean() > 0.5


def test_the_knots_of_a_tail_are_one_object():
    rows = [(1800 + 28 * k, 1800 + 2.5 * k * k, 5e-3 / (1 + k), 16, 8, 8 * k) for k in range(5)]
    joins = join_parts(parts([*field(100, 5), *rows]))
    assert one(joins, *range(100, 105))


def test_points_at_random_stay_apart():
    rows = np.array(field(4000, 6))
    nearer = cKDTree(rows[:, :2]).query_pairs(
        1.5 * BEAM, output_type="ndarray"
    )  # no finder tells these apart
    joins = join_parts(parts(np.delete(rows, nearer[:, 0], axis=0)))
    assert np.isfinite(joins.probability).sum() < 25
    assert joins.pairs.probability.sum() < 100


def test_one_pair_is_joined_in_an_empty_field_and_not_in_a_crowd():
    pair = [(1800, 1800, 1e-3, 0, 0, 0), (1824, 1800, 8e-4, 0, 0, 0)]
    sparse = join_parts(parts([*field(200, 7), *pair]))
    crowd = join_parts(parts([*[(x, y, 40 * f, 0, 0, 0) for x, y, f, *_ in field(4000, 7)], *pair]))
    where = [
        p.terms["prior"][(p.first == n) & (p.second == n + 1)]
        for p, n in ((sparse.pairs, 200), (crowd.pairs, 4000))
    ]
    assert where[0] > where[1] + 2.0
    assert crowd.object[4000] != crowd.object[4001]


def test_two_doubles_stay_two():
    lobes = [(1800, 1800, 8e-3, 14, 6, 0), (1840, 1800, 6e-3, 12, 6, 0)]
    other = [(1900, 2100, 8e-3, 14, 6, 90), (1900, 2140, 6e-3, 12, 6, 90)]
    joins = join_parts(parts([*field(300, 8), *lobes, *other]))
    assert one(joins, 300, 301)
    assert one(joins, 302, 303)


def groups_of(n, pairs, least=0.0):
    """What the compiled loop makes of n parts and {(i, j): log odds}."""
    left, right = (np.array(each) for each in zip(*pairs, strict=True))
    group, lowest = np.arange(n), np.full(n, np.inf)
    odds = np.array(list(pairs.values()), float)
    agglomerate(
        np.arange(n), np.array([0, n]), left, right, odds, np.array([0, len(odds)]), least, group, lowest
    )
    return group.tolist(), lowest


def test_a_chain_of_single_links_is_not_an_object():
    group, lowest = groups_of(3, {(0, 1): 5.0, (1, 2): 0.5, (0, 2): -3.0})
    assert group == [0, 0, 2]
    assert lowest[0] == 5.0
    group, lowest = groups_of(3, {(0, 1): 5.0, (1, 2): 2.0, (0, 2): 1.0})
    assert group == [0, 0, 0]
    assert lowest[0] == 0.5 * 2.0 + 0.5 * 1.5
    assert groups_of(4, {(0, 1): 3.0, (2, 3): 3.0, (1, 2): 1.0})[0] == [0, 0, 2, 2]


def test_the_order_of_the_parts_plays_no_role():
    rows = [
        *field(500, 9),
        (1770, 1800, 8e-3, 14, 6, 0),
        (1830, 1804, 6e-3, 12, 6, 5),
        (1799, 1803, 1e-3, 0, 0, 0),
    ]
    given = parts(rows)
    shuffled = np.random.default_rng(0).permutation(len(rows))
    here, there = join_parts(given), join_parts(given.select(shuffled))
    links = np.unique(np.stack([here.object[shuffled], there.object]), axis=1)
    assert links.shape[1] == len(here) == len(there)
    assert np.array_equal(np.sort(here.pairs.odds), np.sort(there.pairs.odds))
    assert np.array_equal(
        here.probability[here.object[shuffled]], there.probability[there.object], equal_nan=True
    )


def test_a_bridge_speaks_for_a_pair_and_its_absence_against():
    rows = [*field(300, 10), (1800, 1800, 8e-3, 14, 6, 0), (1860, 1802, 6e-3, 12, 6, 0)]

    def look(sigma):
        def seen(first, second):
            none = np.full(len(first), np.nan)
            mine = np.isin(first, (300, 301)) & np.isin(second, (300, 301))
            return Bridges(np.where(mine, sigma * RMS, none), np.where(mine, RMS, none), none)

        pairs = join_parts(parts(rows), seen).pairs
        return pairs.terms["bridge"][(pairs.first == 300) & (pairs.second == 301)][0]

    assert look(10.0) > 1.0 > 0.0 > look(0.0)


def test_nothing_and_a_single_part():
    none = parts(np.empty((0, 6)))
    assert len(join_parts(none)) == 0
    single = join_parts(parts([(1, 2, 1e-3, 0, 0, 0)]))
    assert single.object.tolist() == [0]
    assert np.isnan(single.probability).all()
    assert len(single.pairs) == 0


def test_parts_in_one_place_do_not_stop_it():
    joins = join_parts(parts([(5.0, 5.0, 1e-3, 0, 0, 0)] * 60))
    assert len(joins.object) == 60


def test_a_higher_least_probability_joins_less():
    rows = [*field(2000, 11), (1800, 1800, 2e-3, 0, 0, 0), (1816, 1802, 1.5e-3, 0, 0, 0)]
    counts = [
        np.isfinite(join_parts(parts(rows), None, JoinOptions(join_probability=p)).probability).sum()
        for p in (0.05, 0.5, 0.99)
    ]
    assert counts[0] > counts[1] >= counts[2]


def test_bad_parts_are_refused_in_one_line():
    good = parts([(1, 2, 1e-3, 0, 0, 0)])
    with pytest.raises(UsageError, match="differ in length"):
        Parts(good.x, good.y[:0], good.flux, good.peak, good.rms, good.shape, good.extended, BEAM, 1.0)
    with pytest.raises(UsageError, match="no position or no flux"):
        Parts(good.x * np.nan, good.y, good.flux, good.peak, good.rms, good.shape, good.extended, BEAM, 1.0)
    with pytest.raises(UsageError, match="a beam and an area"):
        Parts(good.x, good.y, good.flux, good.peak, good.rms, good.shape, good.extended, 0.0, 1.0)


def test_the_density_is_that_of_brighter_neighbours():
    rng = np.random.default_rng(12)
    n, side = 6000, 1000.0
    x, y = rng.uniform(0, side, (2, n))
    flux = 1.0 / rng.uniform(1e-3, 1.0, n)
    near = nearby(x, y, flux, side * side, 2.0, side)
    faint = flux < 3.0
    brighter = np.array([(flux > one).sum() for one in flux]) / side**2
    assert np.median(near.density[faint] / brighter[faint]) == pytest.approx(1.0, abs=0.1)
    inside = near.expected < 0.5
    # of a Poisson field, as many pairs as are expected: each part has 0.5 brighter ones within that distance
    assert inside.sum() == pytest.approx(0.5 * n, rel=0.1)
    assert (flux[near.first] >= flux[near.second]).all()


def test_pairs_are_those_of_a_search_of_all():
    rng = np.random.default_rng(13)
    x, y = rng.uniform(0, 100, (2, 200))
    flux = rng.uniform(1, 2, 200)
    near = nearby(x, y, flux, 1e4, 1.0, 1e9)
    apart = np.hypot(x[:, None] - x, y[:, None] - y)
    wanted = {
        (i, j)
        for j in range(200)
        for i in range(200)
        if flux[i] > flux[j] and near.density[j] * np.pi * apart[i, j] ** 2 <= 1.0
    }
    assert set(zip(near.first.tolist(), near.second.tolist(), strict=True)) == wanted


def test_the_slope_of_counts():
    rng = np.random.default_rng(14)
    for slope in (0.7, 1.5):
        found = slope_of_counts(rng.uniform(0, 1, 20000) ** (-1 / slope))
        assert np.median(found) == pytest.approx(slope, rel=0.1)
    limited = 1.0 / rng.uniform(1e-3, 1.0, 20000)
    seen = limited[rng.uniform(0, 1, limited.size) < np.minimum(limited / 4.0, 1.0)]  # incomplete below 4
    found = slope_of_counts(seen)
    assert found[seen < 1.5].mean() < 0.7
    assert found[(seen > 6.0) & (seen < 60.0)].mean() == pytest.approx(1.0, abs=0.1)
    assert np.allclose(slope_of_counts(np.ones(1)), 1.0, atol=0.5)
    assert len(slope_of_counts(np.empty(0))) == 0


def test_touching_beyond_their_reach_speaks_for_one_object():
    separation, reach = np.full(3, 30.0), np.full(3, 12.0)
    far = linked(np.array([0.0, 9.0, np.nan]), separation, reach, BEAM)
    assert far[0] > 2.0
    assert -0.5 < far[1] < 0.0
    assert far[2] == 0.0
    near = linked(np.array([0.0]), np.array([8.0]), np.array([12.0]), BEAM)
    assert abs(near[0]) < 0.1


def test_the_number_of_companions_is_found():
    rng = np.random.default_rng(17)
    places = np.linspace(0.1, 5.6, 56)
    expected = np.full(56, 2.0)
    for factor in (0.3, 3.0):
        true = np.exp(np.log(factor)) * expected.sum()
        n, chance = int(true), 3000
        apart = rng.uniform(0.1, 5.6, n + chance)
        odds = np.where(
            np.arange(n + chance) < n, rng.normal(3.0, 1.5, n + chance), rng.normal(-6.0, 1.5, n + chance)
        )
        found = abundance(odds, apart, places, expected)
        assert found[2:7].mean() == pytest.approx(np.log(factor), abs=0.35)
    assert np.abs(abundance(np.empty(0), np.empty(0), places, expected)).max() < 5.0
    weights = octaves(np.log(np.array([1.0, 3.0, 1000.0])))
    assert np.allclose(weights.sum(axis=0), 1.0)


def test_sizes_are_compared_with_those_of_parts_as_bright():
    # in a map whose bright parts are all extended, being so tells little
    size, share = np.array([8.0, 8.0, 0.0]), np.array([0.9, 0.05, 0.05])
    sizes = Sizes(size, size > 0, np.full(3, 3.0), share, np.full(3, np.log(8.0)), 0.6)
    rows, nothing = np.arange(3), np.zeros(3)
    common, rare, none = sized(
        sizes, sizes, (rows, rows), (nothing, nothing), np.full(3, 27.0), np.full(3, 9.0)
    )
    assert rare > common + 1.0
    assert none < 0.0


def test_what_a_part_is_like_is_told_once():
    # where only parts of objects are extended, being so speaks for a partner, and not for another where one is known
    size = np.array([8.0, 8.0])
    alone, member = (
        Sizes(size, size > 0, np.full(2, 3.0), np.full(2, share), np.full(2, np.log(8.0)), 0.6)
        for share in (0.05, 0.9)
    )
    pair, far, free = (np.zeros(1, np.int64), np.ones(1, np.int64)), np.full(1, 400.0), np.full(1, 9.0)
    lonely = sized(alone, member, pair, (np.zeros(1), np.zeros(1)), far, free)
    taken = sized(alone, member, pair, (np.full(1, 0.99), np.full(1, 0.99)), far, free)
    assert lonely > 1.0
    assert -1.0 < taken < 0.1


def test_extended_sources_among_points_are_one_object_though_nothing_else_tells():
    points = field(600, 21)
    doubles = [
        (x + s * d, y, 3e-3, 5, 4, 40 + 50 * s)
        for x, y, d in ((600, 600, 24), (1500, 2400, 30), (2600, 1100, 27), (3000, 3000, 33), (900, 2900, 21))
        for s in (0, 1)
    ]
    with_points = [(x, y, 3e-3, 0, 0, 0) if k >= 600 else (x, y, *rest)
                   for k, (x, y, *rest) in enumerate([*points, *doubles])]  # fmt: skip
    wide = join_parts(parts([*points, *doubles]))
    bare = join_parts(parts(with_points))
    of = [pairs.odds[(pairs.first == 600) & (pairs.second == 601)][0] for pairs in (wide.pairs, bare.pairs)]
    assert of[0] > of[1] + 1.0
    assert all(one(wide, 600 + 2 * k, 601 + 2 * k) for k in range(5))


def test_directions_are_densities():
    rng = np.random.default_rng(15)
    a, b = rng.uniform(-np.pi, np.pi, (2, 200000))
    for thin in (0.0, 0.5, 0.9):
        value, _ = aligned(a, b, np.full(a.size, thin), np.full(a.size, thin))
        assert np.exp(value).mean() == pytest.approx(
            1.0, abs=0.02
        )  # a ratio of densities, under the one below
    arcs, ring = aligned(np.array([1.2]), np.array([-1.2]), np.array([0.8]), np.array([0.8]))
    assert arcs[0] > 0.0
    assert ring[0]


def test_bridges_are_densities():
    z = np.linspace(-8, 3000, 600001)
    for peak, glow in (
        (2.0, 5.0),
        (100.0, 6.0),
        (2000.0, 120.0),
    ):  # of chance emission: 0.06, 5 errors at least
        chance = 0.97 * norm.pdf(z) + 0.03 * exponnorm.pdf(z, glow)
        factor = np.exp(bridged(z, np.ones_like(z), np.full_like(z, peak), np.zeros_like(z)))
        assert np.sum(factor * chance) * (z[1] - z[0]) == pytest.approx(1.0, abs=1e-3)
        assert np.isfinite(factor).all()
        assert factor.max() < 0.4 / 0.03 + 1
    assert bridged(np.array([np.nan]), np.array([1.0]), np.array([9.0]), np.ones(1))[0] == 0.0


def test_a_bridge_tells_nothing_where_emission_is_everywhere():
    rng = np.random.default_rng(22)
    empty, full = rng.normal(0.0, 1.0, 200), rng.normal(3.0, 1.5, 200)
    of = []
    for others in (empty, full):
        z = np.append(others, 4.0)
        of.append(bridged(z, np.ones(201), np.full(201, 100.0), np.append(np.ones(200), 0.0))[-1])
    assert of[0] > 1.5
    assert of[1] < 0.3


def test_flux_ratios_are_densities():
    q = np.exp(-np.linspace(0, 40, 400001))
    slope = 1.3
    # as often as the one, times the counts that chance follows
    assert np.sum(np.exp(like_flux(q, np.full(q.size, slope))) * slope) * 1e-4 == pytest.approx(1.0, abs=1e-3)


def test_terms_add_up_to_the_odds():
    pairs = join_parts(
        parts([*field(300, 16), (1800, 1800, 8e-3, 14, 6, 0), (1840, 1802, 6e-3, 12, 6, 0)])
    ).pairs
    assert tuple(pairs.terms) == TERMS
    assert np.allclose(sum(pairs.terms.values()), pairs.odds)
    assert set(pairs.reason) <= {*TERMS, "near", "chance", "ring"}
