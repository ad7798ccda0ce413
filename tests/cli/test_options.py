import json

import pytest

from skysift.base.options import Options, option
from skysift.base.registry import Registry
from skysift.cli.main import main
from skysift.cli.options import menu_text
from skysift.plugins import PLUGINS


class Menu(Options):
    """Two choices."""

    seed: float = option(5.0, unit="sigma", above=0, doc="A pixel this bright starts an island, " * 4)
    acronym: str = option("J", doc="Of the names.")


def test_a_menu_tells_default_unit_bounds_and_sentence():
    text = menu_text("test", Menu, width=60)
    assert text.startswith(
        "test: Two choices.\n\nseed = 5.0 sigma    [number above 0]\n    A pixel this bright"
    )
    assert text.endswith("acronym = J    [text]\n    Of the names.")
    assert max(map(len, text.splitlines())) <= 60


def test_without_a_name_the_finders_are_listed(capsys):
    assert main(["options"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in Registry("finder").names())


@pytest.mark.parametrize("finder", PLUGINS["finder"])
def test_every_option_of_every_finder_is_told(finder, capsys):
    menu = Registry("finder").options(finder)
    assert main(["options", finder]) == 0
    out = capsys.readouterr().out
    assert all(f"\n{row.name} = " in out for row in menu.rows())
    assert main(["options", finder, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(menu.schema()))


def test_all_menus_as_json(capsys):
    assert main(["options", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(Registry("finder").names())
