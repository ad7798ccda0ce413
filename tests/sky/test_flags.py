import doctest

import numpy as np
import pytest

from skysift.base.errors import UnknownName
from skysift.sky import flags
from skysift.sky.flags import FLAGS, describe, flag, has


def test_each_bit_has_one_name_and_one_place():
    assert len({each.name for each in FLAGS}) == len(FLAGS)
    assert [each.bit for each in FLAGS] == list(range(len(FLAGS)))
    assert all(0 <= each.bit < 63 for each in FLAGS)


def test_meanings_are_sentences():
    for each in FLAGS:
        assert each.meaning[0].isupper(), each
        assert each.meaning.endswith("."), each


def test_values_never_change():
    # these numbers are in files that people have
    assert {each.name: each.value for each in FLAGS} == {
        "edge": 1,
        "blank": 2,
        "region_cut": 4,
        "fit_failed": 8,
        "beam_shaped": 16,
        "moments": 32,
        "spike": 64,
        "budget": 128,
        "giant": 256,
        "no_wcs": 512,
        "undersampled": 1024,
        "negative": 2048,
        "unreliable_deconv": 4096,
        "reseeded": 8192,
        "poor_fit": 16384,
        "off_island": 32768,
        "no_errors": 65536,
        "off_sky": 131072,
        "outside_map": 262144,
        "no_data": 524288,
        "coincident": 1048576,
        "blended": 2097152,
        "held": 4194304,
        "uv_mismatch": 8388608,
        "leakage": 16777216,
        "nominal_beam": 33554432,
        "beyond_scale": 67108864,
        "over_polarised": 134217728,
        "negative_bowl": 268435456,
    }


def test_describe_names_every_bit_of_every_value():
    for each in FLAGS:
        assert describe(each.value) == [each.name]
    assert describe(0) == []
    assert describe(sum(each.value for each in FLAGS)) == [each.name for each in FLAGS]
    assert describe(1 << 40) == ["bit 40"]
    assert describe(np.int64(3)) == ["edge", "blank"]


def test_has_tells_the_rows():
    column = np.array([0, flag("edge"), flag("edge") | flag("giant"), flag("giant")])
    assert has(column, "edge").tolist() == [False, True, True, False]
    assert has(np.empty(0, dtype=np.int64), "edge").shape == (0,)


def test_an_unknown_flag_is_told():
    with pytest.raises(UnknownName, match="no such flag: got 'edgy'; allowed: edge, blank"):
        flag("edgy")


def test_examples():
    assert doctest.testmod(flags).failed == 0
