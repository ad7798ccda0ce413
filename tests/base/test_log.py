import io
import logging

import pytest

from skysift.base import log
from skysift.base.errors import UsageError


@pytest.fixture(autouse=True)
def _restored():
    root = logging.getLogger("skysift")
    before = (root.handlers[:], root.level, root.propagate)
    yield
    root.handlers[:], root.level, root.propagate = before


def test_a_record_is_one_line_with_its_facts():
    stream = io.StringIO()
    log.configure("info", stream)
    log.get_logger("skysift.find").info(
        "island %d fitted", 12, extra={"facts": {"components": 3, "flags": 0}}
    )
    log.get_logger("guest").debug("not shown")
    log.get_logger("guest").warning("shown")
    assert stream.getvalue() == (
        "skysift.find info: island 12 fitted components=3 flags=0\nskysift.guest warning: shown\n"
    )


def test_a_second_call_replaces_the_first():
    first, second = io.StringIO(), io.StringIO()
    log.configure("debug", first)
    log.configure("error", second)
    log.get_logger("skysift").error("once")
    assert first.getvalue() == ""
    assert second.getvalue() == "skysift error: once\n"


def test_an_unknown_level_is_refused():
    with pytest.raises(UsageError, match="the log level is not allowed: got 'loud'"):
        log.configure("loud")
