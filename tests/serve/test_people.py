"""Users and their tokens: kept as hashes, known by the header alone, ended when taken back."""

import pytest

from skysift.base.errors import OptionError, SignInError, UnknownName
from skysift.cli.main import main
from skysift.io.sql import connect, database_url
from skysift.serve.auth.people import People


class Clock:
    now = 1e9

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def people(tmp_path, clock):
    engine = connect(database_url(tmp_path))
    yield People(engine, clock)
    engine.dispose()


def test_a_token_speaks_for_its_user(people):
    people.add("ana", groups=["radio", "plane"])
    token, text = people.make_token("ana", "laptop")
    user = people.of_token(text)
    assert (user.name, user.groups, user.admin) == ("ana", {"radio", "plane"}, False)
    assert people.tokens("ana")[0].label == "laptop"
    assert people.tokens("ana")[0].used == 1e9
    assert token.id in text


def test_no_secret_is_kept(people, tmp_path):
    people.add("ana")
    _, text = people.make_token("ana")
    people.engine.dispose()
    secret = text.rpartition("_")[2].encode()
    assert len(secret) >= 40 or len(text.split("_", 2)[2]) == 43
    for path in tmp_path.iterdir():
        assert text.split("_", 2)[2].encode() not in path.read_bytes()


def test_a_wrong_secret_opens_nothing(people):
    people.add("ana")
    _, text = people.make_token("ana")
    for wrong in (text[:-1] + ("a" if text[-1] != "a" else "b"), "skysift_0_x", "", "x" * 10_000):
        with pytest.raises(SignInError):
            people.of_token(wrong)


def test_its_time_ends(people, clock):
    people.add("ana")
    _, text = people.make_token("ana", days=1)
    people.of_token(text)
    clock.now += 2 * 86400
    with pytest.raises(SignInError, match="over"):
        people.of_token(text)


def test_what_is_taken_back_opens_nothing(people):
    people.add("ana")
    people.add("ben")
    token, text = people.make_token("ana")
    people.of_token(text)
    with pytest.raises(UnknownName):
        people.drop_token(token.id, "ben")
    people.drop_token(token.id, "ana")
    with pytest.raises(SignInError):
        people.of_token(text)


def test_names_are_plain(people):
    for wrong in ("", "a b", "../x", "a/b", "a" * 65, "-a", "a\nb"):
        with pytest.raises(OptionError, match="not a name"):
            people.add(wrong)
    with pytest.raises(UnknownName):
        people.make_token("nobody")


def test_a_second_time_adds_groups_and_takes_none(people):
    people.add("ana", groups=["a"])
    assert people.add("ana", groups=["b"], admin=True).groups == {"a", "b"}
    assert people.add("ana").admin


def test_the_command_makes_lists_and_takes_back(tmp_path, capsys):
    data = ["--data", str(tmp_path)]
    assert main(["token", "add", "ana", *data, "--group", "radio", "--label", "laptop"]) == 0
    text = capsys.readouterr().out.strip()
    assert main(["token", "list", *data]) == 0
    told = capsys.readouterr().out
    assert "ana" in told
    assert "laptop" in told
    assert text not in told
    assert main(["token", "drop", text.split("_")[1], *data]) == 0
    assert main(["token", "list", *data]) == 0
    assert capsys.readouterr().out == ""
    assert main(["token", "drop", "0", *data]) == 2
    assert "no such token" in capsys.readouterr().err
