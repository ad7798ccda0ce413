import doctest
import json
import pickle
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skysift.base import options
from skysift.base.errors import OptionError
from skysift.base.options import Options, option


class Menu(Options):
    """A menu with one dish of each sort."""

    seed: float = option(5.0, unit="sigma", above=0, doc="Where an island starts.")
    count: int = option(3, at_least=1, at_most=7, doc="How many.")
    fraction: float | None = option(None, at_least=0, below=1, doc="A part, or none.")
    background: Literal["zero", "mesh", "on"] = option("zero", doc="Which.")
    negative: bool = option(False, doc="Also below zero.")
    beam: tuple[float, float, float] = option((3.0, 2.0, 0.0), unit="pixel", doc="Axes and angle.")
    name: str = option("J", doc="A word.")
    file: Path | None = option(None, doc="Where.")
    scales: tuple[float, ...] = option((1.0,), doc="Several.")


def test_texts_are_read_as_yaml_scalars():
    menu = Menu.parse(
        {
            "seed": "1e-3",
            "count": "4",
            "fraction": "null",
            "background": "on",  # a word of the menu, not the YAML for true
            "negative": "yes",
            "beam": "10, 10, 0",
            "name": "123",
            "file": "a/b.fits",
            "scales": "[1, 2]",
        }
    )
    assert menu == Menu(
        seed=0.001,
        count=4,
        background="on",
        negative=True,
        beam=(10, 10, 0),
        name="123",
        file="a/b.fits",
        scales=(1, 2),
    )


def test_values_that_are_no_texts_are_taken_as_they_are():
    assert Menu.parse({"seed": 4, "fraction": None, "beam": [1, 2, 3]}) == Menu(seed=4.0, beam=(1, 2, 3))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sed": "1"}, "no such option: got 'sed'; did you mean 'seed'?"),
        ({"seed": "-1"}, "option 'seed' is not allowed: got '-1'; allowed: number above 0 (sigma)"),
        ({"seed": "loud"}, "option 'seed' is not allowed: got 'loud'; allowed: number above 0 (sigma)"),
        ({"seed": "nan"}, "option 'seed' is not allowed: got 'nan'; allowed: number above 0 (sigma)"),
        ({"seed": ".inf"}, "option 'seed' is not allowed: got '.inf'; allowed: number above 0 (sigma)"),
        (
            {"seed": True},
            "option 'seed': true and false are not numbers: got True; allowed: number above 0 (sigma)",
        ),
        ({"seed": None}, "option 'seed' is not allowed: got None; allowed: number above 0 (sigma)"),
        (
            {"count": "2.5"},
            "option 'count' is not allowed: got '2.5'; allowed: whole number at least 1 and at most 7",
        ),
        (
            {"fraction": "1"},
            "option 'fraction' is not allowed: got '1'; allowed: number or null at least 0 and below 1",
        ),
        ({"background": "x"}, "option 'background' is not allowed: got 'x'; allowed: zero | mesh | on"),
        ({"negative": "perhaps"}, "option 'negative' is not allowed: got 'perhaps'; allowed: true or false"),
        (
            {"beam": "1,2"},
            "option 'beam' is not allowed: got '1,2'; allowed: [number, number, number] (pixel)",
        ),
        (
            {"seed": "4 sigma"},
            "option 'seed' is not allowed: got '4 sigma'; allowed: number above 0 (sigma); write 4",
        ),
        (
            {"seed": "4Jy"},
            "option 'seed' is not allowed: got '4Jy'; allowed: number above 0 (sigma); write the number alone, in sigma",
        ),
        ({"name": 5}, "option 'name' is not allowed: got 5; allowed: text"),
    ],
)
def test_what_is_not_allowed_is_told_in_one_line(values, message):
    with pytest.raises(OptionError) as caught:
        Menu.parse(values)
    assert str(caught.value) == message


def test_an_unknown_key_that_is_near_nothing_lists_the_known():
    with pytest.raises(OptionError, match="allowed: background, beam, count"):
        Menu.parse({"zzz": 1})


def test_the_constructor_raises_the_same_error():
    with pytest.raises(OptionError, match="option 'count' is not allowed: got 9"):
        Menu(count=9)


def test_a_rule_over_several_options_is_told_in_its_own_words():
    from pydantic import model_validator

    class Pair(Options):
        """Two thresholds."""

        seed: float = option(5.0, doc="High.")
        grow: float = option(3.0, doc="Low.")

        @model_validator(mode="after")
        def _order(self):
            if self.grow > self.seed:
                raise ValueError("grow must not be above seed")
            return self

    with pytest.raises(OptionError, match=r"^grow must not be above seed$"):
        Pair(grow=6)


def test_options_are_values():
    menu = Menu(seed=4)
    assert menu == Menu(seed=4.0)
    assert hash(menu) == hash(Menu(seed=4.0))
    assert pickle.loads(pickle.dumps(menu)) == menu
    assert eval(repr(menu), {"Menu": Menu}) == menu
    with pytest.raises(Exception, match="frozen"):
        menu.seed = 3


def test_replace_checks_again():
    assert Menu().replace(seed=4).seed == 4
    with pytest.raises(OptionError):
        Menu().replace(seed=-4)


def test_rows_hold_the_menu_in_order():
    rows = Menu.rows()
    assert [row.name for row in rows] == list(Menu.model_fields)
    seed = rows[0]
    assert (seed.type, seed.default, seed.unit, seed.allowed, seed.doc) == (
        "number",
        5.0,
        "sigma",
        "number above 0",
        "Where an island starts.",
    )


def test_schema_has_bounds_units_and_sentences():
    seed = Menu.schema()["properties"]["seed"]
    assert seed["exclusiveMinimum"] == 0
    assert seed["unit"] == "sigma"
    assert seed["description"] == "Where an island starts."


def test_a_field_without_a_declaration_is_refused():
    with pytest.raises(TypeError, match="must be declared by option"):

        class Bare(Options):
            """No sentence."""

            seed: float = 5.0


def test_defaults_are_checked():
    class Wrong(Options):
        """A default out of bounds."""

        seed: float = option(-1.0, above=0, doc="Where.")

    with pytest.raises(OptionError):
        Wrong()


menus = st.builds(
    Menu,
    seed=st.floats(1e-300, 1e300),
    count=st.integers(1, 7),
    fraction=st.none() | st.floats(0, 0.999),
    background=st.sampled_from(["zero", "mesh", "on"]),
    negative=st.booleans(),
    beam=st.tuples(*[st.floats(0, 100)] * 3),
    name=st.text(),
    file=st.none() | st.just(Path("a/b c.fits")),
    scales=st.lists(st.floats(-5, 5)).map(tuple),
)


@given(menus)
def test_the_round_trip_through_json_keeps_every_option(menu):
    assert Menu(**json.loads(json.dumps(menu.to_dict()))) == menu


@given(menus.filter(lambda menu: menu.name not in ("", "~")))
def test_the_round_trip_through_texts_keeps_every_option(menu):
    texts = {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in menu.to_dict().items()
    }
    assert Menu.parse(texts) == menu


def test_the_examples_hold():
    assert doctest.testmod(options).failed == 0
