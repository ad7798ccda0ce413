import numpy as np
import pytest

from skysift.base.errors import UsageError
from skysift.base.random import generator


def test_the_same_name_gives_the_same_numbers():
    np.testing.assert_array_equal(
        generator(7, "skies", "points").random(5), generator(7, "skies", "points").random(5)
    )


def test_numbers_stay_what_they_are():
    assert generator(1, "a").integers(0, 1000, 4).tolist() == [128, 457, 248, 856]


@pytest.mark.parametrize(
    "other", [(8, "skies"), (7, "sky"), (7,), (7, "skies", "points"), (7, "points", "skies")]
)
def test_other_seeds_and_names_give_other_numbers(other):
    assert not np.array_equal(generator(7, "skies").random(5), generator(*other).random(5))


def test_a_negative_seed_is_refused():
    with pytest.raises(UsageError, match="random_seed is not allowed: got -1"):
        generator(-1)
