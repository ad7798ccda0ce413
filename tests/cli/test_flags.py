import pytest

from skysift.base.errors import OptionError, UsageError
from skysift.base.options import Options, option
from skysift.base.registry import Registry
from skysift.cli.flags import gather, read_file, read_pairs, with_short


class Menu(Options):
    """A menu."""

    seed: float = option(5.0, above=0, doc="Where an island starts.")
    grow: float = option(3.0, above=0, doc="How far it goes.")
    acronym: str = option("J", doc="Of the names.")


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "options.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_flags_go_before_the_file_and_the_file_before_the_defaults(file):
    path = file("seed: 4\ngrow: 2  # deep\n")
    assert gather(Menu, ["seed=4.5", "acronym=a=b"], path) == Menu(seed=4.5, grow=2, acronym="a=b")
    assert gather(Menu) == Menu()


def test_of_two_pairs_with_one_key_the_later_counts():
    assert read_pairs(["seed=1", " seed = 2 "]) == {"seed": "2"}


@pytest.mark.parametrize("pair", ["seed", "=4", "  =4"])
def test_a_pair_needs_a_key_and_a_value(pair):
    with pytest.raises(OptionError, match=r"--set takes KEY=VALUE: got .*; write it as --set seed=5"):
        read_pairs([pair])


def test_an_empty_file_has_no_options(file):
    assert read_file(file("# nothing\n")) == {}
    assert read_file(file('{"version": "0.1.0", "finder": "classic", "options": {"seed": 4.5}}')) == {
        "seed": 4.5
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: [4\ngrow: 3\n", r"the options file is not YAML \(line \d\): got .*one KEY: VALUE per line"),
        ("- seed\n", "the options file does not hold options"),
        ("just words", "the options file does not hold options"),
        ("4: 5\n", "the options file does not hold options"),
        (b"\xff\xfe\x00seed", "the options file is not (text|YAML)"),
    ],
)
def test_a_file_that_holds_no_options_is_told(file, text, message):
    with pytest.raises(UsageError, match=message):
        read_file(file(text))


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"cannot be read: got '.*nowhere\.yaml'; No such file"):
        gather(Menu, (), tmp_path / "nowhere.yaml")


def test_a_wrong_key_in_the_file_names_the_nearest(file):
    with pytest.raises(OptionError, match="no such option: got 'sed'; did you mean 'seed'"):
        gather(Menu, (), file("sed: 4\n"))


def test_an_option_of_another_finder_is_told_with_its_finders():
    menu = Registry("finder").options("classic")
    with pytest.raises(OptionError, match=r"got 'method'.*choose --finder extended or --finder full") as told:
        gather(menu, ["method=wavelet"], kind="finder")
    assert "\n" not in str(told.value)
    with pytest.raises(OptionError, match="did you mean 'seed'"):
        gather(menu, ["sed=4"], kind="finder")
    assert gather(Registry("finder").options("full"), ["method=wavelet"], kind="finder").method == "wavelet"


def test_flags_that_are_short_for_an_option_stand_beside_the_pairs():
    assert with_short(None, {"radius": None}) == []
    assert with_short(["seed=4"], {"radius": 2.5, "weight": None}) == ["seed=4", "radius=2.5"]
    with pytest.raises(
        OptionError, match="the option seed is said twice: got '--set seed=4 and a flag of its own, 5'"
    ):
        with_short(["seed=4"], {"seed": 5})
