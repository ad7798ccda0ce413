import importlib
import sys

import pytest

from skysift.base.errors import FatalError, OptionError, UnknownName, UsageError
from skysift.base.options import Options, option
from skysift.base.registry import Registry
from skysift.plugins import PLUGINS

GUEST = '''
from skysift.base.options import Options, option

class EchoOptions(Options):
    """What the echo says."""
    word: str = option("hello", doc="The word.")

class Echo:
    """Says a word."""
    def __init__(self, options):
        self.options = options
'''


class HouseOptions(Options):
    """A menu."""

    seed: float = option(5.0, above=0, doc="Where an island starts.")


class House:
    def __init__(self, options):
        self.options = options


class Plain:
    pass


@pytest.fixture
def house(monkeypatch):
    """A kind of its own, with three entries of which one is broken."""
    here = __name__
    monkeypatch.setitem(sys.modules, here, sys.modules[__name__])
    monkeypatch.setitem(
        PLUGINS,
        "test",
        {
            "house": (f"{here}:House", f"{here}:HouseOptions"),
            "plain": (f"{here}:Plain", ""),
            "broken": ("skysift.nowhere:Nothing", ""),
        },
    )
    return Registry("test")


@pytest.fixture
def install(tmp_path, monkeypatch):
    """install(name, entry points): a guest package, as an installer would leave it."""

    def put(name, entries):
        (tmp_path / f"{name}.py").write_text(GUEST)
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(entries)
        monkeypatch.syspath_prepend(str(tmp_path))
        importlib.invalidate_caches()
        monkeypatch.delitem(sys.modules, name, raising=False)

    return put


def test_the_house_is_loaded_and_made_by_name(house):
    assert house.names() == ("house", "plain", "broken")
    assert house.load("house") is House
    assert house.options("house") is HouseOptions
    assert house.make("house", seed=4).options == HouseOptions(seed=4)
    assert isinstance(house.make("plain"), Plain)


def test_an_unknown_name_lists_the_known(house):
    with pytest.raises(UnknownName) as caught:
        house.load("hose")
    assert (
        str(caught.value) == "no such test: got 'hose'; allowed: house, plain, broken; did you mean 'house'?"
    )


def test_an_unknown_kind_lists_the_known():
    with pytest.raises(
        UnknownName,
        match="no such kind of plug-in: got 'telescope'; allowed: app, classifier, clusterer, command, executor",
    ):
        Registry("telescope")


def test_wrong_options_are_told_before_the_class_is_loaded(house, monkeypatch):
    monkeypatch.setitem(PLUGINS["test"], "heavy", ("skysift.nowhere:Heavy", f"{__name__}:HouseOptions"))
    with pytest.raises(OptionError, match="did you mean 'seed'"):
        house.make("heavy", sed=4)


def test_what_has_no_options_takes_none(house):
    with pytest.raises(UsageError, match="the test 'plain' has no options"):
        house.make("plain", seed=4)


def test_a_broken_path_of_the_house_is_our_fault(house):
    with pytest.raises(FatalError, match=r"'broken' cannot be loaded from skysift\.nowhere:Nothing"):
        house.load("broken")


@pytest.mark.parametrize("library", ["torch", "safetensors.torch", "onnxruntime"])
def test_a_library_of_an_extra_that_is_not_installed_is_named(library, house, tmp_path, monkeypatch):
    (tmp_path / "net_of_test.py").write_text(f"import {library}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    lacking = library.partition(".")[0]
    monkeypatch.setitem(sys.modules, lacking, None)  # it cannot be imported, as where it is not installed
    if library != lacking:
        monkeypatch.delitem(sys.modules, library, raising=False)
    monkeypatch.setitem(PLUGINS["test"], "net", ("net_of_test:Net", ""))
    with pytest.raises(UsageError) as told:
        house.load("net")
    assert str(told.value) == (
        f"the test 'net' needs the extra learn: got 'no {lacking}'; "
        "make install EXTRAS=learn, or pip install 'skysift[learn]'"
    )


def test_a_guest_comes_in_by_entry_points(house, install):
    install(
        "guest_echo",
        "[skysift.test]\necho = guest_echo:Echo\n[skysift.test.options]\necho = guest_echo:EchoOptions\n",
    )
    registry = Registry("test")
    assert registry.names() == ("house", "plain", "broken", "echo")
    assert registry.make("echo", word="hi").options.word == "hi"


def test_a_guest_may_not_take_a_name_of_the_house(house, install):
    install("guest_thief", "[skysift.test]\nhouse = guest_thief:Echo\n")
    with pytest.raises(UsageError, match="under a name that skysift has itself: got 'house'"):
        Registry("test").names()


def test_two_guests_may_not_share_a_name(house, install):
    install("guest_one", "[skysift.test]\necho = guest_one:Echo\n")
    install("guest_two", "[skysift.test]\necho = guest_two:Echo\n")
    with pytest.raises(UsageError, match="two installed packages bring a test of the same name: got 'echo'"):
        Registry("test").names()


def test_a_guest_that_cannot_be_imported_is_named(house, install):
    install("guest_broken", "[skysift.test]\necho = guest_broken:Missing\n")
    with pytest.raises(UsageError, match="the test 'echo' of an installed package cannot be loaded"):
        Registry("test").load("echo")
