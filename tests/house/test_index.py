"""Every line of the index leads somewhere, and says what it leads to."""

import inspect

import pytest

import skysift
from skysift.base.options import Options
from skysift.base.registry import Registry
from skysift.plugins import PLUGINS

ENTRIES = [(kind, name) for kind, names in PLUGINS.items() for name in names]
MENUS = [(kind, name) for kind, name in ENTRIES if PLUGINS[kind][name][1]]


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_it_can_be_loaded_and_has_a_sentence(kind, name):
    thing = Registry(kind).load(name)
    assert callable(thing)
    assert (inspect.getdoc(thing) or "").partition("\n")[0].endswith(".")


@pytest.mark.parametrize(("kind", "name"), MENUS)
def test_its_options_are_told(kind, name):
    menu = Registry(kind).options(name)
    assert issubclass(menu, Options)
    assert inspect.getdoc(menu)
    for row in menu.rows():
        assert row.doc.endswith("."), row.name
        assert row.allowed, row.name


@pytest.mark.parametrize(("kind", "name"), MENUS)
def test_it_is_made_from_its_options(kind, name):
    assert type(Registry(kind).make(name)) is Registry(kind).load(name)


@pytest.mark.parametrize("name", skysift.__all__)
def test_every_public_name_is_there(name):
    assert getattr(skysift, name) is not None
    assert name in dir(skysift)


def test_what_is_not_public_is_not_there():
    with pytest.raises(AttributeError, match="module 'skysift' has no attribute 'nowhere'"):
        skysift.nowhere  # noqa: B018


def test_find_is_a_verb_and_a_folder():
    import skysift.find.run as folder

    assert callable(skysift.find)
    assert folder is skysift.find.run
    assert callable(folder.find)
