"""Several finders as one: agreement is a probability, and what cannot be is told in a line."""

import json
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from tests import images, skies
from tests.commands import called
from tests.fields import made_field

from skysift.base.errors import DataError, OptionError, UsageError
from skysift.base.random import generator
from skysift.find.neural.agreement import OF_SNR, fitted_agreement, read_agreement, usual_agreement
from skysift.find.neural.ensemble import EnsembleFinder
from skysift.find.neural.found import RAW, as_detections
from skysift.find.neural.members import image_of, score_of_snr
from skysift.find.neural.orientations import joined_found
from skysift.find.neural.shapes import beam_of
from skysift.find.run import make_finder, search
from skysift.flow.steps.calibrate_ensemble import _inside, calibrate_ensemble
from skysift.learn.fields import write_field
from skysift.sky.detections import Detections
from skysift.sky.schema import TABLES
from skysift.sky.truth import CLASSES

BEAM = (4.0, 4.0, 0.0)
BOTH = [{"finder": "yolo"}, {"finder": "classic", "seed": 4.0, "grow": 2.5}]


def drawn(name, n=4000):
    """Two members that see independent signs of what is true, the second in part of the sources."""
    rng = generator(1, name)
    true = rng.uniform(size=n) < 0.6
    told = 1.0 / (1.0 + np.exp(-(rng.normal(np.where(true, 1.0, -1.0)[:, None], 1.2, (n, 2)) * 1.4)))
    told[rng.uniform(size=n) < np.where(true, 0.2, 0.7), 1] = np.nan
    return told, true


def brier(scores, true):
    return float(np.mean((scores - true) ** 2))


def test_a_fitted_law_is_better_than_each_member_and_calibrated():
    told, true = drawn("fit")
    own = [true[np.isfinite(told[:, k])] for k in range(2)]
    law = fitted_agreement(told, true, ("a", "b"), (True, False), own)
    other, right = drawn("held out")
    scores = law.scores(other)
    assert brier(scores, right) < 0.8 * min(brier(np.nan_to_num(other[:, k]), right) for k in range(2))
    for low in np.arange(0.0, 1.0, 0.2):
        here = (scores >= low) & (scores < low + 0.2)
        assert right[here].mean() == pytest.approx(scores[here].mean(), abs=0.08)
    assert (law.weight > 0).all()
    assert (law.missing < 0).any()
    surer = np.array([[0.6, 0.5], [0.9, 0.5], [0.9, 0.9], [0.9, np.nan]])
    a, b, c, d = law.scores(surer)
    assert a < b < c
    assert d < c


def test_the_usual_law_is_that_of_a_network_where_it_is_alone():
    law = usual_agreement(("a",), (True,))
    told = np.array([[0.1], [0.5], [0.95]])
    assert law.scores(told) == pytest.approx(told[:, 0])
    both = usual_agreement(("a", "b"), (True, True))
    assert both.scores(np.array([[0.8, 0.8], [0.8, 0.2]])) == pytest.approx([0.8, 0.5])
    assert both.scores(np.array([[0.8, np.nan]]))[0] < 0.5
    assert OF_SNR.scores(score_of_snr(np.array([3.0, 4.0, 5.0, 8.0, 50.0]))) == pytest.approx(
        sorted(OF_SNR.scores(score_of_snr(np.array([50.0, 8.0, 5.0, 4.0, 3.0]))))
    )


def said(rows, law, n_ways):
    """What members say at one place: rows of (way, score, class, how sure); joined."""
    n = len(rows)
    raw = {name: np.ones(n) for name in RAW}
    raw |= {
        "x": np.full(n, 20.0),
        "y": np.full(n, 30.0),
        "reach": np.full(n, 4.0),
        "class_score": np.full(n, 0.8),
    }
    raw["class"] = np.array([float(CLASSES.index(row[2])) for row in rows])
    raw["major"] = np.array([1.0 + row[0] for row in rows])
    scores, sure = (np.array([row[k] for row in rows]) for k in (1, 3))
    return joined_found(
        raw, scores, np.array([row[0] for row in rows]), n_ways, law.scores, near=1.0, sure=sure
    )


def test_who_takes_a_source_for_an_artefact_does_not_speak_for_it():
    law = usual_agreement(("a", "b", "c"), (True, True, True))
    alone, _ = said([(0, 0.8, "compact", 0.8)], law, 3)
    for other in (0.6, 0.75):
        joined, told = said([(0, 0.8, "compact", 0.8), (1, other, "spurious", other)], law, 3)
        assert joined.scores == pytest.approx(alone.scores)
        assert CLASSES[int(joined["class"][0])] == "compact"
        assert np.isfinite(told).sum() == 1
    agreed, _ = said([(0, 0.8, "compact", 0.8), (1, 0.6, "compact", 0.6)], law, 3)
    assert agreed.scores[0] > alone.scores[0]
    # two to one: an artefact, with the parameters of one that says so
    joined, told = said(
        [(0, 0.8, "compact", 0.8), (1, 0.7, "spurious", 0.7), (2, 0.75, "spurious", 0.75)], law, 3
    )
    assert CLASSES[int(joined["class"][0])] == "spurious"
    assert joined["major"] == pytest.approx([3.0])
    assert np.isfinite(told[0]).tolist() == [False, True, True]


def test_the_surest_tells_what_a_source_looks_like_whatever_the_order():
    law = usual_agreement(("a", "b", "c"), (True, True, True))
    rows = [(0, 0.6, "compact", 0.6), (1, 0.9, "extended", 0.9), (2, 0.7, "compact", 0.7)]
    wanted, _ = said(rows, law, 3)
    assert wanted["major"] == pytest.approx([2.0])
    for order in permutations(range(3)):
        joined, _ = said([rows[k] for k in order], law, 3)
        assert joined == wanted


def wide_at(x, score):
    """One detection of a source that is 80 pixels wide."""
    values = dict.fromkeys(RAW, 1.0) | {"x": x, "y": 120.0, "reach": 4.0, "major": 90.0, "minor": 80.0}
    return as_detections({name: np.array([values[name]]) for name in RAW}, np.array([score]))


def test_a_wide_source_that_two_members_see_is_one(finder):
    law = finder.agreement()
    joined, told = finder.joined([wide_at(100.0, 0.9), wide_at(118.0, 0.8)], law)
    assert told.tolist() == [[0.9, 0.8]]
    assert joined.scores == pytest.approx(law.scores(told))
    assert joined["x"] == pytest.approx([100.0])  # as the surer network tells it
    apart, _ = finder.joined([wide_at(100.0, 0.9), wide_at(190.0, 0.8)], law)
    assert len(apart) == 2  # farther apart than half of its width


def test_of_wide_sources_that_one_member_tells_twice_the_better_stays(finder):
    twice = Detections.concat([wide_at(100.0, 0.9), wide_at(110.0, 0.7)])
    joined, told = finder.joined([twice, twice.select(np.zeros(2, np.bool_))], finder.agreement())
    assert joined["x"] == pytest.approx([100.0])
    assert np.array_equal(told, [[0.9, np.nan]], equal_nan=True)


@pytest.fixture(scope="module")
def image():
    sources = skies.population((260, 250), BEAM, n_points=30, snr=(4, 60), margin=12, seed=5)
    return images.image(skies.paint((260, 250), BEAM, sources=sources, seed=5)[0], BEAM, centre=(80.0, 30.0))


@pytest.fixture(scope="module")
def finder(weights):
    return make_finder("ensemble", weights=str(weights), members=BOTH)


def test_a_catalogue_tells_who_found_what_whatever_the_tiles(image, finder, weights):
    one, two = search(image, finder), search(image, finder, tile=64, workers=2)
    for kind in TABLES:
        assert one.catalogue.table(kind) == two.catalogue.table(kind)
    sources = one.catalogue.sources
    assert set(np.unique(sources["n_members"])) <= {1, 2}
    assert (sources["n_members"] == 2).mean() > 0.5
    assert sources["score"].min() >= one.facts["threshold"]
    assert one.facts["members"][0].startswith("yolo small ")
    assert one.facts["members"][1] == "classic grow=2.5 seed=4.0"
    assert one.catalogue.provenance.inputs[-1].name == weights.name
    other = search(image, make_finder("ensemble", weights=str(weights), members=BOTH[::-1]))
    for kind in TABLES:  # the order in which members are named changes nothing
        assert one.catalogue.table(kind) == other.catalogue.table(kind)
    alone = search(image, make_finder("yolo", weights=str(weights))).catalogue.sources
    near = np.hypot(alone["x"][:, None] - sources["x"], alone["y"][:, None] - sources["y"]).min(axis=1)
    assert (near < 1.0).mean() > 0.9


def test_a_field_is_the_map_that_it_was(weights):
    field = made_field(1)
    image = image_of(field)
    assert beam_of(image) == pytest.approx(np.array(field.beam), rel=1e-6)
    assert image.shape == field.shape


def test_what_was_fitted_is_read_again_and_used(finder, image, weights, tmp_path):
    fields = [made_field(seed, 384, held=True) for seed in range(500, 504)]
    out = tmp_path / "both.json"
    made = calibrate_ensemble(finder, fields, out)
    law = read_agreement(out, finder.names())
    told = np.array([[0.9, np.nan], [np.nan, 0.6], [0.3, 0.5]])
    assert np.array_equal(law.scores(told), made.agreement.scores(told))
    assert law.threshold == made.agreement.threshold
    swapped = read_agreement(out, finder.names()[::-1])
    assert swapped.members == finder.names()[::-1]
    assert np.array_equal(swapped.scores(told[:, ::-1]), law.scores(told))
    first = next(iter(made.alone.values()))  # whose parameters are taken where it found a source
    assert made.together["points"] > 0.97 * first["points"]
    assert made.together["completeness"] > first["completeness"] - 0.02
    used = search(image, make_finder("ensemble", weights=str(weights), members=BOTH, agreement=str(out)))
    assert used.facts["threshold"] == law.threshold
    assert used.facts["calibrated_on"]["fields"] == [{"name": f"made-{seed}"} for seed in range(500, 504)]
    assert "both.json" in [each.name for each in used.catalogue.provenance.inputs]
    with pytest.raises(UsageError, match=r"both.json is of another ensemble: got 'classic"):
        read_agreement(out, ("classic", "yolo"))
    with pytest.raises(UsageError, match="there is no such file of an ensemble"):
        read_agreement(tmp_path / "none.json", ())
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps({"members": []}))
    with pytest.raises(DataError, match=r"not a file of an ensemble: got 'broken.json'"):
        read_agreement(broken, ())


def test_finds_of_labels_of_no_account_are_neither_true_nor_false():
    field = made_field(500, 128, held=True)
    raw = {name: np.array(values) for name, values in field.labels.raw.items()}
    raw["use"][::2] = 0.0
    labels = Detections(field.labels.boxes, field.labels.scores, field.labels.footprints, raw)
    field = replace(field, labels=labels)
    values = dict.fromkeys(RAW, np.ones(len(labels))) | {"x": raw["x"], "y": raw["y"]}
    found = as_detections({name: np.asarray(values[name], float) for name in RAW}, np.ones(len(labels)))
    inside = field.held.contains(raw["x"], raw["y"])
    wanted = inside & (raw["use"] > 0.0)
    assert 0 < wanted.sum() < inside.sum()
    kept = found.select(_inside(found, field))
    assert sorted(kept["x"].tolist()) == sorted(raw["x"][wanted].tolist())


def test_a_file_of_an_ensemble_that_does_not_fit_together_is_told_in_a_line(tmp_path):
    whole = usual_agreement(("a", "b"), (True, False)).to_dict()
    path = tmp_path / "law.json"
    path.write_text(json.dumps(whole))
    assert read_agreement(path, ("b", "a")).members == ("b", "a")
    for change, match in (
        ({"format": 2}, "law.json has another format: got 2; allowed: 1"),
        ({"tables": whole["tables"][:1]}, "law.json is broken: got 'tables of shape 1 for 2 members'"),
        ({"weight": [1.0]}, r"got 'weight of shape \(1,\) for 2 members'"),
        ({"missing": [0.0, 1.0, 2.0]}, r"got 'missing of shape \(3,\) for 2 members'"),
        ({"bias": float("nan")}, "got 'a number that is not finite'"),
        ({"tables": [{"raw": [0.0, 1.0], "score": [0.0]}] * 2}, "got 'a table whose scores do not grow'"),
        ({"weight": "much"}, "not a file of an ensemble"),
        ({"facts": None}, "not a file of an ensemble"),
    ):
        path.write_text(json.dumps({**whole, **change}))
        with pytest.raises(DataError, match=match) as told:
            read_agreement(path, ("a", "b"))
        assert "\n" not in str(told.value)


def test_members_that_cannot_be_are_told_in_a_line(weights):
    for members, match in (
        ([{"finder": "yolo"}], "an ensemble has 2 to 16 members"),
        ([{"finder": "yolo"}, {"finder": "yulo"}], "a member names no finder: 'yulo'"),
    ):
        with pytest.raises(OptionError, match=match):
            make_finder("ensemble", members=members)
    for entry, match in (
        (
            {"finder": "full"},
            "this finder cannot be a member of an ensemble: got 'full'; allowed: classic, yolo",
        ),
        ({"finder": "ensemble"}, "this finder cannot be a member of an ensemble: got 'ensemble'"),
        (
            {"finder": "classic", "mesh": 12.0},
            "noise, beam and reliability are the same for all members: got 'mesh of classic'",
        ),
        ({"finder": "classic", "sede": 4}, "no such option.*did you mean 'seed'"),
        (
            {"finder": "yolo", "classes": ["extended"]},
            "does nothing in a member.*got 'classes of yolo'; allowed: device, .*, or set classes of the ensemble",
        ),
        ({"finder": "classic", "errors": "condon"}, "does nothing in a member.*got 'errors of classic'"),
    ):
        with pytest.raises(OptionError, match=match):
            _ = make_finder("ensemble", members=[{"finder": "yolo"}, entry]).members
    with pytest.raises(OptionError, match="setting is of a network"):
        make_finder("ensemble", setting="f1")
    sure = make_finder(
        "ensemble", members=[{"finder": "yolo", "setting": "purity=0.99"}, {"finder": "classic"}]
    )
    assert sure.members[0].threshold(sure.members[0].eye().weights) > 0.6
    assert sure.names()[0].endswith(" setting=purity=0.99")


def test_a_command_calibrates_an_ensemble(weights, tmp_path):
    for seed in (510, 511):
        write_field(tmp_path / "fields" / str(seed), made_field(seed, 384, held=True))
    members = f"[{{finder: yolo, weights: {weights}}}, {{finder: classic, seed: 4}}]"
    out = tmp_path / "both.json"
    done = called("calibrate", "ensemble", tmp_path / "fields", "--members", members, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "together" in done.stdout
    assert len(json.loads(out.read_text())["members"]) == 2
    for args, match in (
        (("ensemble", "--out", tmp_path / "x.safetensors"), "--out is no file of an ensemble"),
        ((weights, "--members", members, "--out", tmp_path / "x.safetensors"), "--members is of an ensemble"),
        (("ensemble", "--flips", "8", "--out", tmp_path / "x.json"), "an ensemble has one goal"),
    ):
        said = called("calibrate", args[0], tmp_path / "fields", *args[1:])
        assert said.returncode == 2
        assert match in said.stderr


def test_members_are_made_once(finder):
    assert isinstance(finder, EnsembleFinder)
    assert finder.members is finder.members
    assert finder.networks == (True, False)
