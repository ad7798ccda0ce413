"""How good encoders are: probes over folds, with parts of the labels, beside what needs no encoder."""

import csv
import json

import numpy as np
import pytest
from tests.commands import called
from tests.flow.learning.sets import SMALL, N, doubles, sets

from skysift.base.errors import OptionError, UsageError
from skysift.flow.learning.options import ProbeOptions
from skysift.flow.learning.probing import asked_of, beside, by_plain, by_probe, joined, judge, labels_of
from skysift.stamps.opening import open_pictures


def test_probes_beside_the_majority_random_weights_and_plain_features(trained, pictures, tmp_path):
    chosen = sets(
        "folds=3",
        "repeats=1",
        "fractions=20,100",
        "kinds=linear,discriminant,joined,knn,finetune",
        "epochs=2",
    )
    said = called(
        "probe", trained[0] / "tiny.safetensors", "--pictures", pictures, "--out", tmp_path / "p", *chosen
    )
    assert said.returncode == 0, said.stderr
    with (tmp_path / "p" / "probe.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert {(row["features"], row["kind"]) for row in rows} == {
        ("tiny", "linear"),
        ("tiny", "discriminant"),
        ("tiny", "joined"),
        ("tiny", "knn"),
        ("tiny", "finetune"),
        ("fresh network", "finetune"),
        ("none", "majority"),
        ("random network", "linear"),
        ("random network", "discriminant"),
        ("plain features", "lightgbm"),
        ("plain features", "discriminant"),
    }
    by = {(row["features"], row["kind"], row["share"]): row for row in rows}
    assert float(by["tiny", "linear", "100"]["accuracy"]) > 0.9
    assert float(by["none", "majority", "100"]["accuracy"]) == pytest.approx(0.5, abs=0.05)
    assert int(by["tiny", "linear", "20"]["labels"]) == 8
    page = (tmp_path / "p" / "report.html").read_text()
    assert "random network" in page
    assert "plain features" in page


def test_joined_is_the_mean_of_what_two_discriminants_say(pictures):
    options = ProbeOptions(folds=3, repeats=1)
    read = open_pictures(pictures)
    asked = asked_of(read, labels_of(read, "label", {}), options)
    test, learnt = np.flatnonzero(asked.folds[0] == 0), np.flatnonzero(asked.folds[0] != 0)
    values = np.random.default_rng(1).normal(size=(len(asked), 6)) + asked.targets[:, None]
    one, other = by_probe(values, asked, "discriminant", options), by_plain(asked, options)
    told = joined(one, other)(learnt, test)
    assert np.allclose(told, (one(learnt, test) + other(learnt, test)) / 2.0)
    assert np.allclose(told.sum(axis=1), 1.0)
    assert (told.argmax(axis=1) == asked.targets[test]).mean() > 0.9


def test_plain_features_that_are_far_out_or_missing_do_not_carry_the_others_away(pictures):
    options = ProbeOptions(folds=3, repeats=1)
    read = open_pictures(pictures)
    asked = asked_of(read, labels_of(read, "label", {}), options)
    test, learnt = np.flatnonzero(asked.folds[0] == 0), np.flatnonzero(asked.folds[0] != 0)
    before = by_plain(asked, options)(learnt, test)
    asked.plain[test[0]] = 1e30
    asked.plain[test[1]] = np.nan
    after = by_plain(asked, options)(learnt, test)
    assert np.isfinite(after).all()
    assert np.array_equal(after[2:], before[2:])


def test_other_labels_and_their_meaning(trained, pictures, tmp_path):
    weights = trained[0] / "tiny.safetensors"
    said = called("probe", weights, "--pictures", pictures, "--out", tmp_path / "p", "--class", "single=one")
    assert said.returncode == 2
    assert "nothing to tell apart" in said.stderr
    assert "one class: one" in said.stderr
    said = called("probe", weights, "--pictures", pictures, "--out", tmp_path / "p", "--column", "kind")
    assert "no column kind" in said.stderr


def test_parts_of_labels_keep_the_share_of_classes(pictures):
    options = ProbeOptions(folds=3, repeats=1, fractions=(25.0, 100.0))
    read = open_pictures(pictures)
    asked = asked_of(read, labels_of(read, "label", {}), options)
    assert asked.classes == ("double", "single")
    assert len(asked) == N - 1
    seen = []

    def predict(learnt, test):
        seen.append((len(learnt), asked.targets[learnt].mean()))
        assert not set(learnt) & set(test)
        return np.eye(2)[asked.targets[test]]

    rows = judge("true", "oracle", asked, predict, options)
    assert [row.accuracy for row in rows] == [1.0, 1.0]
    assert {n for n, _ in seen[:3]} <= {10, 11}
    assert seen[0][1] == pytest.approx(0.5, abs=0.1)
    majority = beside(asked, options)[0]
    assert majority.accuracy == pytest.approx(32 / 63, abs=0.01)
    assert majority.f1 == pytest.approx(1 / 3, abs=0.02)


def test_too_few_of_a_class_for_the_folds(pictures):
    read = open_pictures(pictures)
    labels = tuple("rare" if k < 2 else "usual" for k in range(N))
    with pytest.raises(UsageError, match=r"too few sources of a class.*2 of rare"):
        asked_of(read, labels, ProbeOptions(folds=3))


@pytest.mark.parametrize("key", ["turns=3", "fractions=0", "fractions=10,300"])
def test_probes_that_are_not_possible_are_told_at_once(key):
    name, _, value = key.partition("=")
    with pytest.raises(OptionError, match=name):
        ProbeOptions.parse({name: value})


@pytest.mark.parametrize(("key", "kind"), [("epochs=3", "finetune"), ("neighbours=4", "knn")])
def test_options_of_a_probe_that_is_not_asked_for_are_refused(trained, pictures, tmp_path, key, kind):
    said = called(
        "probe", trained[0] / "tiny.safetensors", "--pictures", pictures, "--out", tmp_path / "p",
        *sets("kinds=linear", key),
    )  # fmt: skip
    assert said.returncode == 2
    assert f"does nothing without the probe {kind}" in said.stderr


def test_probes_by_committed_folds(trained, pictures, folds, tmp_path):
    read = open_pictures(pictures)
    asked = asked_of(read, labels_of(read, None, {}), ProbeOptions(folds=3, fixed=str(folds)))
    assert len(asked) == N - 3  # one of them cannot be read
    where = dict(zip(asked.pictures.names, zip(*asked.folds, strict=True), strict=True))
    assert (where["s0"], where["s1"], where["s5"]) == ((-1, 1), (1, 2), (2, 0))

    words = ("probe", trained[0] / "tiny.safetensors", "--pictures", pictures, "--threads", 1)
    said = called(*words, "--out", tmp_path / "p", *sets(f"fixed={folds}", "folds=3", "repeats=2"))
    assert said.returncode == 0, said.stderr
    assert "2 sources are not in the folds mine and are left out" in said.stderr
    assert (tmp_path / "p" / "probe.csv").exists()
    said = called(*words, "--out", tmp_path / "q", *sets(f"fixed={folds}"))
    assert said.returncode == 2
    assert "folds=5, " in said.stderr
    assert "--set folds=3" in said.stderr
    said = called(*words, "--out", tmp_path / "q", *sets("fixed=nobody"))
    assert said.returncode == 2
    assert "mirabest" in said.stderr


def test_pictures_of_one_place_share_a_fold(tmp_path):
    label = np.array(["single", "double"])[np.arange(N) // 2 % 2]
    ra = 10.0 + 0.1 * (np.arange(N) // 2)
    np.savez(tmp_path / "twice.npz", pixels=doubles(), label=label, ra=ra, dec=np.full(N, -30.0))
    read = open_pictures(tmp_path / "twice.npz")
    asked = asked_of(read, labels_of(read, None, {}), ProbeOptions(folds=4))
    assert asked.notes == ("32 pictures within 6 arcsec of another one share its fold",)
    assert all((fold[::2] == fold[1::2]).all() for fold in asked.folds)
    assert len({tuple(fold) for fold in asked.folds}) == 2


def test_each_kind_of_network_stands_beside_with_random_weights(trained, pictures, tmp_path):
    chosen = sets("encoder.width=8", *SMALL[1:], "train.epochs=1", "train.batch=16")
    for name in ("wide", "again"):
        assert called("pretrain", "simclr", pictures, "--out", tmp_path / name, *chosen).returncode == 0
    weights = [
        trained[0] / "tiny.safetensors",
        *(tmp_path / name / f"{name}.safetensors" for name in ("wide", "again")),
    ]
    said = called("probe", *weights, "--pictures", pictures, "--out", tmp_path / "p", "--threads", 1,
                  *sets("folds=2", "repeats=1", "kinds=linear"))  # fmt: skip
    assert said.returncode == 0, said.stderr
    with (tmp_path / "p" / "probe.csv").open() as lines:
        names = [row["features"] for row in csv.DictReader(lines)]
    assert names == ["tiny", "wide", "again", "none", "random network of tiny", "random network of wide",
                     "plain features"]  # fmt: skip


def test_codes_are_found_as_classes_without_being_told(trained, tmp_path):
    meta = np.zeros(N, [("name", "U8"), ("code", "i4")])
    meta["name"], meta["code"] = [f"m{k}" for k in range(N)], np.where(np.arange(N) % 2, 200, 100)
    np.savez(tmp_path / "codes.npz", pixels=doubles(), meta=meta)
    words = ("probe", trained[0] / "tiny.safetensors", "--pictures", tmp_path / "codes.npz", "--threads", 1)
    chosen = sets("folds=2", "repeats=1", "kinds=linear")
    said = called(*words, "--class", "100=one", "--class", "200=two", "--out", tmp_path / "p", *chosen)
    assert said.returncode == 0, said.stderr
    assert json.loads((tmp_path / "p" / "manifest.json").read_text())["counts"] == {"one": 32, "two": 32}
    np.savez(tmp_path / "bare.npz", pixels=doubles())
    said = called(*words[:3], tmp_path / "bare.npz", "--out", tmp_path / "q")
    assert said.returncode == 2
    assert "label, class, code" in said.stderr


def test_a_classifier_is_no_encoder(pictures, tmp_path):
    said = called("classify", "train", pictures, "--out", tmp_path / "c", "--quiet")
    assert said.returncode == 0, said.stderr
    for words in (("probe", "--pictures", pictures, "--out", tmp_path / "p"),
                  ("embed", pictures, "--out", tmp_path / "f.parquet")):  # fmt: skip
        said = called(words[0], tmp_path / "c" / "model.safetensors", *words[1:])
        assert said.returncode == 2
        assert "this is a classifier, not an encoder" in said.stderr
        assert "`skysift classify predict`" in said.stderr
