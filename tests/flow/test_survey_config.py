"""Configurations of surveys: what they mean, and what is told of wrong ones, with the place."""

import re

import pytest
from tests.flow import survey_fields as made

from skysift.base.errors import UsageError
from skysift.flow.survey_config import EXAMPLE, check_config, read_config


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    made.write(folder, "AB")
    return folder


def wrong(folder, text):
    (folder / "survey.yaml").write_text(text)
    plan, complaints = check_config(folder / "survey.yaml")
    assert plan is None
    return [str(each) for each in complaints]


def test_patterns_entries_and_their_options(maps):
    (maps / "good.yaml").write_text(
        "version: 3\noptions: {seed: 6, grow: 2.5}\nfields:\n  - '*.fits'\n"
        "  - map: A.fits\n    name: first\n    epoch: 2020-05-01\n    beam: [9, 8, 10]\n    frequency: 1.4e9\n"
        "    options: {seed: 4.5}\n"
    )
    plan = read_config(maps / "good.yaml")
    assert [each.name for each in plan.fields] == ["B", "first"]
    other, first = plan.fields
    assert (first.options.seed, first.options.grow, other.options.seed) == (4.5, 2.5, 6.0)
    assert first.opening["beam"] == (9.0, 8.0, 10.0)
    assert first.opening["frequency"] == 1.4e9
    assert first.epoch == "2020-05-01"
    assert plan.options.version == "3"
    assert first.path == str(maps / "A.fits")


def test_every_fault_is_told_with_its_place(maps):
    told = wrong(
        maps,
        "name: x\nverson: 2\nformats: [fts]\nfields:\n  - A.fits\n",
    )
    assert told == ["survey.yaml line 2, verson: no such key: got 'verson'; did you mean 'version'?"]
    told = wrong(
        maps,
        "formats: [fts]\noptions: {seed: 5}\nfields:\n  - gone/*.fits\n  - map: gone.fits\n  - map: A.fits\n"
        "    freqency: 1e9\n  - map: B.fits\n    options:\n      seed: -1\n  - 7\n  - {map: A.fits, epoch: someday}\n"
        "references:\n  - path: gone.csv\n  - {path: A.fits, colour: red}\n",
    )
    places = [each.partition(": ")[0] for each in told]
    assert places == [
        "survey.yaml line 5, fields[1].map",
        "survey.yaml line 7, fields[2].freqency",
        "survey.yaml line 11, fields[4]",
        "survey.yaml line 12, fields[5].epoch",
        "survey.yaml line 4, fields[0]",
        "survey.yaml line 10, fields[3].options.seed",
        "survey.yaml line 14, references[0].path",
        "survey.yaml line 15, references[1].colour",
        "survey.yaml line 1, formats",
    ]
    assert "did you mean 'frequency'?" in told[1]
    assert "the pattern matches no file" in told[4]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("fields: []\n", "the survey has no fields"),
        ("finder: nobody\nfields: [A.fits]\n", "line 1, finder: no such finder"),
        ("options: {sed: 4}\nfields: [A.fits]\n", r"line 1, options.sed: no such key.*did you mean 'seed'"),
        ("fields: [A.fits]\nname: one\nname: two\n", "line 3, name: the key stands here twice"),
        ("fields: [{map: A.fits, name: a}, {map: B.fits, name: a}]\n", "two fields have one name"),
        ("fields: [{map: A.fits, name: a/b}]\n", "name of a field is that of a folder"),
        ("fields: [{map: A.fits, frequency: 843MHz}]\n", "write 843e6"),
        ("fields: [{name: a}]\n", "the entry names no map"),
        (
            "fields: [A.fits]\nmatch_beams: 0\n",
            "line 2, match_beams: option 'match_beams' is not allowed: got 0",
        ),
    ],
)
def test_one_fault_one_line(maps, text, match):
    told = wrong(maps, text)
    assert len(told) == 1
    assert "\n" not in told[0]
    assert re.search(match, told[0]), told[0]


@pytest.mark.parametrize("text", ["a: [1\n", "- 1\n", "7\n", ""])
def test_what_is_no_configuration(tmp_path, text):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(UsageError, match="--example"):
        read_config(tmp_path / "x.yaml")
    with pytest.raises(UsageError, match="cannot be read"):
        read_config(tmp_path / "none.yaml")


def test_the_example_is_a_configuration(tmp_path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "late").mkdir()
    for name in ("maps/a.fits", "late/J0340.fits", "NVSS.fits"):
        (tmp_path / name).touch()
    (tmp_path / "survey.yaml").write_text(EXAMPLE)
    plan = read_config(tmp_path / "survey.yaml")
    assert [each.name for each in plan.fields] == ["J0340", "a"]
    assert plan.references[0].options.spectral_index == -0.8


def test_maps_of_primary_beams_are_looked_for_beside_the_configuration(maps):
    told = wrong(maps, "fields:\n  - {map: A.fits, primary_beam: gone.fits}\n")
    assert told == [
        f"survey.yaml line 2, fields[0].primary_beam: there is no such map: got '{maps / 'gone.fits'}'"
    ]
    (maps / "good.yaml").write_text(
        "fields:\n  - {map: A.fits, primary_beam: 'B.fits[0]'}\n  - {map: B.fits, weight: 'http://here/w.fits'}\n"
    )
    one, two = read_config(maps / "good.yaml").fields
    assert one.options.primary_beam == str(maps / "B.fits[0]")
    assert two.options.weight == "http://here/w.fits"
