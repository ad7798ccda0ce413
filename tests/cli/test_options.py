import json

import pytest

from skysift.base.options import Options, option
from skysift.base.registry import Registry
from skysift.cli.main import main
from skysift.cli.options import menu_text
from skysift.flow.learning.options import GROUPS, ProbeOptions
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


MENUS = [(kind, name) for kind, names in PLUGINS.items() for name, (_, menu) in names.items() if menu]


def test_options_of_a_probe_and_of_the_groups_of_a_pretraining_are_listed(capsys):
    assert main(["options", "probe"]) == 0
    told = capsys.readouterr().out
    assert all(f"\n{row.name} = " in told for row in ProbeOptions.rows())
    assert main(["options", "simclr"]) == 0
    told = capsys.readouterr().out
    assert "\ntemperature = " in told
    keys = [f"{name}.{row.name}" for name, group in GROUPS.items() for row in group.rows()]
    assert "train.epochs" in keys
    assert all(f"\n{key} = " in told for key in keys)


def test_without_a_name_all_are_listed_by_kind(capsys):
    assert main(["options"]) == 0
    out = capsys.readouterr().out
    for kind, name in MENUS:
        assert f"{kind}s\n" in out
        assert f"\n  {name} " in out
    assert main(["options", "--kind", "finder"]) == 0
    assert "simulators" not in capsys.readouterr().out


@pytest.mark.parametrize(("kind", "name"), MENUS)
def test_every_option_of_every_menu_is_told(kind, name, capsys):
    menu = Registry(kind).options(name)
    kinds = [each for each, other in MENUS if other == name]
    assert main(["options", name, *(("--kind", kind) if len(kinds) > 1 else ())]) == 0
    out = capsys.readouterr().out
    assert all(f"\n{row.name} = " in out for row in menu.rows())
    assert main(["options", name, "--kind", kind, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(menu.schema()))


def test_a_name_of_several_kinds_is_told_of_each(capsys):
    assert main(["options", "extended"]) == 0
    out = capsys.readouterr().out
    assert "\nsegment_seed = " in out
    assert "There is a simulator of this name, too: skysift options extended --kind simulator" in out


def test_no_two_finders_are_told_alike(capsys):
    assert main(["options", "--kind", "finder"]) == 0
    lines = [line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines() if line[:2] == "  "]
    assert len(lines) == len(set(lines)) == len(PLUGINS["finder"])


def test_a_finder_needs_no_kind(capsys):
    assert main(["options", "classic", "--json"]) == 0
    schema = Registry("finder").options("classic").schema()
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(schema))


def test_all_menus_as_json(capsys):
    assert main(["options", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {(kind, name) for kind, names in told.items() for name in names} == set(MENUS)


def test_what_has_no_menu_is_told(capsys):
    assert main(["options", "clasic"]) == 2
    assert "did you mean 'classic'" in capsys.readouterr().err
    assert main(["options", "--kind", "command"]) == 2
    assert "simulator" in capsys.readouterr().err
