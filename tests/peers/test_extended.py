"""The rule of the comparison of extended finders, on a small made sky and hand-made masks."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import Table
from bench.extended.methods import Found, groups, islands_of, rows_of_pixels
from bench.extended.rule import one_to_one, overlaps, score, true_masks
from scipy import sparse

import skysift


@pytest.fixture(scope="module")
def sky():
    """A small made sky as the comparison sees one."""
    ((image, truth),) = skysift.simulate(
        "extended", n_pixels=500, density=0.0, random_seed=2, brightness_low=3.0, extended=1.6
    )
    return SimpleNamespace(truth=truth, diffuse=np.zeros(image.shape))


def perfect(sky):
    """The true masks as what was found, with their true fluxes and an error of a tenth of those."""
    flux = sky.truth.sources["flux_int"]
    return Found(true_masks(sky), flux.copy(), 0.1 * flux)


def test_the_truth_itself_is_found_whole(sky):
    s = score(sky, perfect(sky))
    assert s.found[s.level == "bright"].all()
    assert (s.level == "bright").sum() > 5
    assert np.allclose(s.iou, 1.0)
    assert np.allclose(s.ratio, 1.0)
    assert np.allclose(s.pull, 0.0)
    assert s.real.all()


def test_what_has_less_than_half_the_flux_is_not_found_but_real(sky):
    whole = perfect(sky)
    s = score(sky, Found(whole.masks, 0.4 * whole.flux, whole.error))
    assert not s.found.any()
    assert s.real.all()
    assert np.allclose(s.pull, -6.0)


def test_what_is_found_twice_counts_once(sky):
    whole = perfect(sky)
    twice = Found(sparse.vstack([whole.masks] * 2).tocsr(), np.tile(whole.flux, 2), np.tile(whole.error, 2))
    assert score(sky, twice).found.sum() == score(sky, whole).found.sum()


def test_what_lies_elsewhere_is_false_unless_it_is_diffuse_emission(sky):
    truth = sky.truth
    empty = np.flatnonzero(~np.asarray(true_masks(sky).sum(axis=0), dtype=bool).ravel())[:100]
    found = Found(
        rows_of_pixels(np.zeros(100, dtype=np.int64), empty, 1, truth.frame.shape[0] * truth.frame.shape[1]),
        np.ones(1),
        np.ones(1),
    )
    s = score(sky, found)
    assert not s.real.any()
    assert not s.diffuse.any()
    lit = SimpleNamespace(truth=truth, diffuse=np.full(truth.frame.shape, 2.0))
    assert score(lit, found).diffuse.all()


def test_nothing_found_is_no_error(sky):
    none = Found(sparse.csr_matrix((0, sky.diffuse.size), dtype=np.int64), np.empty(0), np.empty(0))
    s = score(sky, none)
    assert s.level.size > 0
    assert not s.found.any()


def test_overlaps_are_intersections_over_unions():
    true = rows_of_pixels(np.array([0, 0, 0, 1]), np.array([0, 1, 2, 5]), 2, 9)
    found = rows_of_pixels(np.array([0, 0, 1, 1]), np.array([1, 2, 2, 3]), 2, 9)
    iou = overlaps(true, found).toarray()
    assert np.allclose(iou, [[2 / 3, 1 / 4], [0.0, 0.0]])
    assert one_to_one(overlaps(true, found)).tolist() == [0, -1]


def test_islands_of_one_source_are_one_object():
    tables = {"components": {"source_id": np.array([1, 1, 2]), "island_id": np.array([1, 3, 2])}}
    group = groups(tables, 4)
    assert group[0] == group[2]
    assert len(set(group.tolist())) == 3


def test_a_joined_source_has_the_islands_of_its_parts():
    tables = {
        "sources": {"source_id": np.array([1, 2]), "island_id": np.array([1, 4])},
        "joins": {
            "source_id_1": np.array([1, 1]),
            "source_id_2": np.array([1, 2]),
            "island_id_1": np.array([1, 1]),
            "island_id_2": np.array([3, 4]),
            "joined": np.array([True, False]),
        },
    }
    tables = {name: Table(columns) for name, columns in tables.items()}
    assert islands_of(tables, 4).toarray().tolist() == [[1, 0, 1, 0], [0, 0, 0, 1]]
