import doctest
import inspect
import pickle

import pytest

from skysift.base import errors
from skysift.base.errors import (
    BusyError,
    DataError,
    FatalError,
    OptionError,
    OutputError,
    SkysiftError,
    SkysiftWarning,
    TransientError,
    UnknownName,
    UsageError,
    exit_code,
)

TREE = [thing for _, thing in inspect.getmembers(errors, inspect.isclass) if issubclass(thing, SkysiftError)]


def test_message_has_its_parts_on_one_line():
    error = OptionError(
        "seed is\nnot allowed", got="a\nb", allowed=("above 0", "below 9"), todo="leave it out\tfor 5"
    )
    assert str(error) == r"seed is not allowed: got 'a\nb'; allowed: above 0, below 9; leave it out for 5"


def test_message_without_parts_is_what_was_wrong():
    assert str(UsageError("nothing to do")) == "nothing to do"
    assert str(UsageError("no beam", todo="give --beam")) == "no beam: give --beam"


def test_none_is_a_value_that_can_be_got():
    assert str(UsageError("no", got=None)) == "no: got None"


def test_long_values_are_cut():
    assert len(str(UsageError("no", got="x" * 10_000))) < 200


@pytest.mark.parametrize("cls", TREE)
def test_every_error_pickles_and_has_a_kind(cls):
    error = cls("wrong", got=3, allowed=[1, 2], todo="do")
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is cls
    assert str(twin) == str(error)
    assert twin.got == "3"
    assert exit_code(error.kind) == (1 if cls in (FatalError, SkysiftError) else 2)


def test_kinds_follow_the_branches():
    assert {OutputError.kind, UnknownName.kind} == {"usage"}
    assert issubclass(OutputError, UsageError)
    assert DataError.kind == "data"
    assert issubclass(BusyError, TransientError)
    assert BusyError.kind == "transient"
    assert issubclass(SkysiftWarning, UserWarning)


def test_the_tree_is_drawn_whole():
    drawn = errors.__doc__
    assert all(cls.__name__ in drawn for cls in TREE)


def test_the_examples_hold():
    assert doctest.testmod(errors).failed == 0
