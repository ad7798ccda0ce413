import os
from pathlib import Path

import pytest

from skysift.base.errors import UsageError
from skysift.base.settings import Settings, settings, usable_cores


def test_defaults_of_a_bare_environment():
    bare = Settings.from_environment({})
    assert bare.workers == usable_cores() >= 1
    assert bare.tile == 1024
    assert bare.log_level == "warning"
    assert bare.cache.name == "skysift"


def test_variables_count_and_empty_ones_do_not():
    told = Settings.from_environment(
        {
            "SKYSIFT_CACHE": "/a/cache",
            "SKYSIFT_WORKERS": " 3 ",
            "SKYSIFT_TILE": "64",
            "SKYSIFT_LOG_LEVEL": "INFO",
        }
    )
    assert told == Settings(cache=Path("/a/cache"), workers=3, tile=64, log_level="info")
    assert Settings.from_environment({"SKYSIFT_TILE": ""}).tile == 1024


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "SKYSIFT_WORKERS",
            "0",
            "SKYSIFT_WORKERS is not allowed: got '0'; allowed: a whole number, 1 or more",
        ),
        ("SKYSIFT_WORKERS", "many", "SKYSIFT_WORKERS is not allowed: got 'many'"),
        ("SKYSIFT_TILE", "63", "SKYSIFT_TILE is not allowed: got '63'; allowed: a whole number, 64 or more"),
        ("SKYSIFT_LOG_LEVEL", "loud", "allowed: debug, info, warning, error"),
    ],
)
def test_what_is_not_allowed_is_told(variable, value, message):
    with pytest.raises(UsageError) as caught:
        Settings.from_environment({variable: value})
    assert message in str(caught.value)


def test_the_environment_is_read_once(monkeypatch):
    settings.cache_clear()
    first = settings()
    monkeypatch.setenv("SKYSIFT_TILE", "128")
    assert settings() is first
    settings.cache_clear()
    assert settings().tile == 128
    monkeypatch.undo()
    settings.cache_clear()
    assert settings() == Settings.from_environment(os.environ)
