"""Every line of the index leads somewhere, and says what it leads to."""

import inspect
import re

import pytest

import skysift
from skysift.base.options import Options, file_options
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


NO_FILES = {
    ("step", "inject", "templates"): "no app of the service; the command line names several",
    ("step", "completeness", "templates"): "no app of the service; the command line names several",
    ("layout", "named", "position_unit"): "a unit, where the file does not tell it",
    ("layout", "named", "flux_unit"): "a unit, where the file does not tell it",
    ("layout", "named", "size_unit"): "a unit, where the file does not tell it",
}
"""Options of words that speak of files and name none, or that no job has."""


@pytest.mark.parametrize(("kind", "name"), MENUS)
def test_options_that_name_files_are_marked(kind, name):
    """A job names files by its inputs: one that is not marked would name any file of the server."""
    menu = Registry(kind).options(name)
    unmarked = [
        each
        for each, field in menu.model_fields.items()
        if "str" in str(field.annotation)
        and re.search(r"\b(files?|paths?|folders?)\b", f"{each.replace('_', ' ')}: {field.description}", re.I)
        and each not in file_options(menu)
    ]
    assert not [each for each in unmarked if (kind, name, each) not in NO_FILES]


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
