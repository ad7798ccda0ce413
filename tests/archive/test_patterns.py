"""Patterns of LIKE: what they stand for, and that long texts are gone through once."""

import re

import numpy as np
import pytest
from tests.archive.shelves import ADA, asked

from skysift.archive.patterns import LONGEST_PATTERN, LONGEST_TEXT, like
from skysift.base.errors import UsageError


class Counted(str):
    """A text that counts how often something is sought in it."""

    __slots__ = ()
    sought = 0

    def find(self, *where):
        Counted.sought += 1
        return super().find(*where)

    def __getitem__(self, key):
        return Counted(super().__getitem__(key))


@pytest.mark.parametrize(
    ("value", "pattern", "alike", "blind"),
    [
        ("", "", True, True),
        ("", "%", True, True),
        ("", "_", False, False),
        ("abc", "abc", True, True),
        ("abc", "ab", False, False),
        ("abc", "a%c", True, True),
        ("aa", "aa%a", False, False),
        ("aXbXc", "a%_b_%c", True, True),
        ("ab\ncd", "ab_c%", True, True),
        ("a%c", "a\\%c", False, False),
        ("a.c", "a.%", True, True),
        ("abc", "a.%", False, False),
        ("ABC", "a%c", False, True),
        ("\u03a3\u0391\u03a3", "\u03c3%\u03c2", False, True),
        ("\u0130x", "_X", False, True),
        ("abab", "%ab", True, True),
        ("aba", "ab%ba", False, False),
    ],
)
def test_what_is_like_a_pattern(value, pattern, alike, blind):
    assert like(value, pattern) is alike
    assert like(value, pattern, case_blind=True) is blind


def test_it_is_what_a_search_of_all_ways_finds():
    rng = np.random.default_rng(3)
    for _ in range(3000):
        value = "".join(rng.choice(list("ab"), rng.integers(0, 9)))
        pattern = "".join(rng.choice(list("ab%_"), rng.integers(0, 7)))
        every = pattern.replace("%", ".*").replace("_", ".")
        assert like(value, pattern) is (re.fullmatch(every, value, re.DOTALL) is not None), (value, pattern)


@pytest.mark.parametrize("end", ["b", "%b%"])
def test_a_long_text_is_gone_through_once(end):
    Counted.sought = 0
    assert not like(Counted("a" * LONGEST_TEXT), "%a%a%a%a%a%a%" + end)
    assert 1 <= Counted.sought <= 9
    assert not like("a" * LONGEST_TEXT, "%a_%a_%a_%a_%a_%a_%b_%")


def test_what_is_too_long_is_told(shelf):
    with pytest.raises(OverflowError, match="too long"):
        like("a", "a" * (LONGEST_PATTERN + 1))
    with pytest.raises(OverflowError, match="too long"):
        like("a" * (LONGEST_TEXT + 1), "%")
    with pytest.raises(UsageError, match="pattern is too long"):
        asked(shelf, f"SELECT id FROM radio.src WHERE name LIKE '{'a' * 1001}'", ADA)
    half = "%a" * 300
    with pytest.raises(UsageError, match=r"cannot answer this query.*too big"):
        asked(shelf, f"SELECT id FROM radio.src WHERE name LIKE name || '{half}' || '{half}'", ADA)
