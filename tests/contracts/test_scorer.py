"""What every scorer promises, over the whole index."""

import json
import math
import pickle

import numpy as np
import pytest
import yaml
from tests.score import worlds

import skysift
from skysift.base.errors import OptionError
from skysift.base.options import Options
from skysift.base.registry import Registry
from skysift.score.scorer import Report, Scorer, reports_from_json, reports_to_json
from skysift.sky import schema
from skysift.sky.truth import Truth

NAMES = Registry("scorer").names()
pytestmark = pytest.mark.parametrize("name", NAMES)
PLACE = worlds.frame(400)


def made(name, **options):
    return Registry("scorer").make(name, **options)


def with_lines(rows):
    """The rows with the columns of a line finder, which one scorer looks at."""
    n = len(rows)
    values = {
        "list_id": np.arange(n),
        "ra_list": rows["ra"],
        "dec_list": rows["dec"],
        "hi_size": np.full(n, 8.0),
        "line_flux": rows["flux"] * 1e6,
        "line_frequency": np.full(n, 1.1e9),
        "pa_kinematic": np.full(n, 30.0),
        "inclination": np.full(n, 40.0),
        "w20": np.full(n, 200.0),
    }
    return rows.with_columns(values, schema.further("sources", *values))


def one(n=1):
    """A truth of n sources with classes, at 1.4 GHz."""
    at = np.linspace(60, 340, n)
    rows = worlds.sources(PLACE, at, at, np.full(n, 50.0), size=3.0, classes=["compact"] * n)
    return worlds.truth_of(with_lines(rows), PLACE)


def world(**how):
    """A truth of 60 sources with classes, and what is found of it."""
    place, truth = worlds.sky(60, side=400, classes=("compact", "extended"), size=2.0, **how)
    found = worlds.found_in(truth, place, n_false=5, classes=("compact", "extended"))
    true = worlds.truth_of(with_lines(truth.sources), place)
    return worlds.catalogue(sources=with_lines(found.sources)), true


def same(left, right):
    """Whether two JSON values are the same."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def test_its_options_are_a_menu(name):
    menu = Registry("scorer").options(name)
    assert issubclass(menu, Options)
    for row in menu.rows():
        assert row.doc.endswith(".")
        assert row.allowed


def test_its_options_survive_yaml_json_texts_and_pickle(name):
    menu = Registry("scorer").options(name)
    options = menu()
    assert menu(**options.to_dict()) == options
    assert menu.parse(yaml.safe_load(yaml.safe_dump(options.to_dict()))) == options
    assert menu.parse(json.loads(json.dumps(options.to_dict()))) == options
    texts = {
        key: yaml.safe_dump(value).removesuffix("...\n").strip() for key, value in options.to_dict().items()
    }
    assert menu.parse(texts) == options
    assert pickle.loads(pickle.dumps(options)) == options


def test_an_option_that_does_not_exist_is_refused(name):
    with pytest.raises(OptionError, match="no such option"):
        made(name, nonsense=1)


def test_it_is_made_of_its_options_and_travels(name):
    scorer = made(name)
    assert isinstance(scorer, Scorer)
    assert scorer.name == name
    again = pickle.loads(pickle.dumps(scorer))
    assert type(again) is type(scorer)
    assert again.options == scorer.options
    assert repr(again) == repr(scorer)


@pytest.mark.parametrize("case", ["neither", "nothing found", "nothing true", "one", "two"])
def test_small_cases_give_a_report_that_travels(name, case):
    truth = one(2 if case == "two" else 1)
    found = truth.catalogue
    if case in ("neither", "nothing true"):
        truth = truth.select(np.zeros(len(truth), dtype=bool))
    if case in ("neither", "nothing found"):
        found = found.select(np.zeros(len(found), dtype=bool))
    report = made(name).score(found, truth)
    assert isinstance(report, Report)
    assert report.kind == name
    assert report.rule
    assert all(isinstance(value, int | float) for value in report.numbers.values())
    assert not any(math.isinf(value) for value in report.numbers.values())
    assert pickle.loads(pickle.dumps(report)).to_dict() == report.to_dict()
    text = reports_to_json([report])
    (again,) = reports_from_json(text, "here")
    assert same(again.to_dict(), report.to_dict())
    assert name in repr(report)
    assert Registry("scorer").options(name)(**dict(report.options)) == made(name).options


def test_it_says_the_same_twice_and_changes_nothing(name):
    found, truth = world(low=20)
    before = pickle.dumps((dict(found.sources.columns), dict(truth.sources.columns)))
    first, second = (made(name).score(found, truth).to_dict() for _ in range(2))
    assert same(first, second)
    assert pickle.dumps((dict(found.sources.columns), dict(truth.sources.columns))) == before


def test_intervals_hold_their_numbers(name):
    found, truth = world(low=4)
    report = made(name).score(found, truth)
    for key, low in report.numbers.items():
        value = report.numbers.get(key.removesuffix("_low"), math.nan)
        if key.endswith("_low") and math.isfinite(value) and math.isfinite(low):
            assert low <= value * (1 + 1e-9) + 1e-12, key
            assert report.numbers[key.removesuffix("_low") + "_high"] >= value * (1 - 1e-9) - 1e-12, key


def test_the_verb_finds_it(name):
    truth = one()
    assert skysift.score(truth.catalogue, truth, name).kind == name
    assert skysift.score(truth.catalogue, truth, made(name)).kind == name


def test_a_truth_that_is_a_catalogue_is_taken_for_one(name):
    truth = Truth(one().catalogue, frame=PLACE, beam=worlds.BEAM, frequency=1.4e9)
    assert made(name).score(truth.catalogue, truth).kind == name
