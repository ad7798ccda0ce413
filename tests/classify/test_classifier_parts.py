"""The parts of classifiers: folds, tasks, calibration, strangeness, numbers of quality, doubtful labels, searches."""

from dataclasses import replace

import numpy as np
import pytest
from tests.classify.tables import labelled, table, tagged

from skysift.base.errors import FormatError, UnknownName, UsageError
from skysift.base.registry import Registry
from skysift.classify import calibration, folds, strange
from skysift.classify.classifier import Labelled
from skysift.classify.evaluation import evaluate, majority
from skysift.classify.scores import class_table, numbers_of, suspects
from skysift.classify.search import learnt, most_telling
from skysift.classify.strange import MEASURES
from skysift.classify.tasks import TASKS, components_peaks, labelled_by, task_named, task_of_codes
from skysift.stamps.opening import open_pictures


def joined(a, b):
    return replace(a, names=a.names + b.names, values=np.concatenate([a.values, b.values]), facts={})


def made(name, **options):
    return Registry("classifier").make(name, **{"calibration_folds": 2} | options)


# -- folds


def test_folds_spread_each_class_evenly_and_depend_on_the_seed_alone():
    targets = np.repeat([0, 1, 2], [50, 17, 8])
    fold = folds.stratified(targets, 5, 3, "x")
    for kind in range(3):
        counts = np.bincount(fold[targets == kind], minlength=5)
        assert counts.max() - counts.min() <= 1
    assert np.array_equal(fold, folds.stratified(targets, 5, 3, "x"))
    assert not np.array_equal(fold, folds.stratified(targets, 5, 4, "x"))


def test_fixed_folds_ship_for_both_sets_by_name():
    for name, n in (("mirabest", 935), ("first", 1958)):
        path = folds._FOLDER / f"{name}.csv"
        lines = path.read_text().splitlines()
        assert lines[0] == "name,fold_1,fold_2"
        assert len({line.partition(",")[0] for line in lines[1:]}) == n
        held = np.array([line.rsplit(",", 2)[1:] for line in lines[1:]], int)
        assert set(held.ravel()) == {0, 1, 2, 3, 4}
        assert all(np.ptp(np.bincount(column)) <= 6 for column in held.T)


def test_fixed_folds_take_sources_by_name_and_tell_the_rest(tmp_path):
    data = labelled(12)
    (tmp_path / "mine.csv").write_text(
        "name,fold_1\n" + "\n".join(f"s{k:04d},{k % 3}" for k in range(20) if k != 5)
    )
    chosen, fold, notes = folds.fixed_folds(data, str(tmp_path / "mine.csv"), 1)
    assert chosen.names == tuple(f"s{k:04d}" for k in range(12) if k != 5)
    assert fold.tolist() == [[k % 3 for k in range(12) if k != 5]]
    assert notes == (
        "1 sources are not in the folds mine and are left out",
        "8 sources of the folds mine are not there",
    )
    with pytest.raises(UsageError, match="fewer repeats: got 2; allowed: 1 to 1"):
        folds.fixed_folds(data, str(tmp_path / "mine.csv"), 2)
    with pytest.raises(UsageError, match="names none of the sources: got 's0000'"):
        folds.fixed_folds(data, "mirabest", 2)
    with pytest.raises(UnknownName, match="allowed: first, mirabest, a CSV"):
        folds.fixed_folds(data, "nowhere", 1)


def test_fixed_folds_are_numbered_without_a_gap_and_hold_whole_numbers(tmp_path):
    data, place = labelled(12), tmp_path / "mine.csv"
    place.write_text("name,fold_1\n" + "\n".join(f"s{k:04d},{(-1, 1, 2, 5)[k % 4]}" for k in range(12)))
    _, fold, _ = folds.fixed_folds(data, str(place), 1)
    assert fold.tolist() == [[k % 4 - 1 for k in range(12)]]
    place.write_text("name,fold_1,fold_2\n" + "\n".join(f"s{k:04d},{k % 2},{k % 3}" for k in range(12)))
    with pytest.raises(UsageError, match=r"different numbers of folds: got \[2, 3\]"):
        folds.fixed_folds(data, str(place), 2)
    place.write_text("name,fold_1\ns0000,0\ns0001,\n")
    with pytest.raises(FormatError, match=r"something else than a number: got \"mine\.csv: ''\""):
        folds.fixed_folds(data, str(place), 1)


def test_folds_that_hold_a_whole_class_are_refused():
    data = labelled(60)
    with pytest.raises(UsageError, match="all sources of a class are in one fold: got 'FRI"):
        evaluate(lambda: made("qda"), data, np.arange(60) % 3)


def test_sources_at_one_place_share_a_fold():
    features, _ = table(60)
    ra = np.repeat(np.arange(30.0), 2).astype(str)  # each source twice, as text, one without a place
    ra[7] = ""
    facts = {"ra": ra, "dec": np.zeros(60)}
    data = replace(labelled(60), features=replace(features, facts=facts))
    fold = folds.random_folds(data, 5, 3, 1)
    twins = np.delete(np.arange(30), 3)
    assert np.array_equal(fold[:, 2 * twins], fold[:, 2 * twins + 1])
    assert (folds.at_one_place(labelled(60)) == np.arange(60)).all()
    assert [np.unique(each).tolist() for each in fold] == [[0, 1, 2, 3, 4]] * 3


def test_the_calibration_keeps_sources_of_one_place_together(monkeypatch):
    data = labelled(60)
    ra, dec = np.arange(60.0), np.zeros(60)
    ra[30:] = ra[:30]
    data.features.facts.update(ra=ra, dec=dec)
    seen = []

    def spy(kind, values, targets, options):
        seen.append({tuple(row) for row in values})
        return learnt(kind, values, targets, options)

    monkeypatch.setattr("skysift.classify.tables.learnt", spy)
    data.features.values[:] = np.nan_to_num(data.features.values)
    data.features.values[30:] = data.features.values[:30]  # two looks at one source
    made("qda", calibration_folds=3).fit(data)
    assert [len(each) for each in seen[:3]] == [20, 20, 20]  # of 30 places ten are left out, with both looks
    assert len(seen[3]) == 30


def test_tags_that_a_fold_holds_alone_are_told_in_one_line():
    data = tagged(60)
    targets = data.targets.copy()
    fold = np.arange(60) % 3
    targets[:, 0] = fold == 1
    one = Labelled(data.names, data.classes, targets, features=data.features)
    with pytest.raises(
        UsageError, match=r"all sources of a tag are in one fold: got 'bent \(20 sources\) in fold 2'"
    ):
        evaluate(lambda: made("logistic"), one, fold)
    targets[:, 0] = fold != 1
    with pytest.raises(
        UsageError, match="all sources without a tag are in one fold: got '20 without bent, in fold 2'"
    ):
        evaluate(lambda: made("logistic"), one, fold)
    targets[:, 0] = np.arange(60) != 7
    with pytest.raises(UsageError, match="all sources without a tag are in one fold of the calibration"):
        made("logistic", calibration_folds=3).fit(one)


def test_codes_of_a_known_set_are_known():
    assert task_of_codes(["100", "210", "", "300"]).name == "fr"
    assert task_of_codes(["1", "23", "6000"]).name == "seven"
    assert all(
        task_of_codes(each) is None for each in (["1", "2", "3"], ["100"], ["100", "FRI"], ["100", "400"])
    )


def test_sources_at_one_place_are_kept_once_over_the_pole_and_the_meridian():
    ra = np.array([10.0, 10.0 + 3 / 3600, 359.9999, 0.0001, 0.0, 180.0, np.nan, 10.0 + 6 / 3600])
    dec = np.array([0.0, 0.0, 45.0, 45.0, 89.9999, 89.9999, 5.0, 0.0])
    assert folds.groups_of(ra, dec, 4.0).tolist() == [0, 0, 2, 2, 4, 4, 6, 0]  # chains are joined
    assert folds.deduplicated(ra, dec, 4.0).tolist() == [1, 0, 1, 0, 1, 0, 1, 0]
    assert folds.shared(ra[:3], dec[:3], ra[3:4], dec[3:4], 4.0).tolist() == [False, False, True]


# -- tasks


@pytest.mark.parametrize(
    ("task", "label", "name"),
    [
        ("fr", "100", "FRI"), ("fr", "201", "FRII"), ("fr", "110", None), ("fr", "310", None), ("fr", "FR II", "FRII"),
        ("fr-all", "110", "FRI"), ("fr-all", "210", "FRII"), ("fr-all", "300", None), ("first4", "bent", "Bent"),
        ("rgz", "2C_3P", "2C-3P"), ("rgz", "5C-7P", None), ("galactic", "23", "galactic"),
        ("galactic", "QSO", "extragalactic"), ("seven", "6000", "QSO"), ("seven", "radio galaxy", "RG"),
        ("seven", "H II region", "HII"), ("seven", "0", None), ("real", "sidelobe", "spurious"), ("snr", "snr", "SNR"),
        ("snr", "HII region", "other"), ("snr", "", None),
    ],
)  # fmt: skip
def test_labels_mean_what_a_task_declares(task, label, name):
    assert task_named(task).class_of(label) == name


def test_a_label_that_a_task_does_not_know_is_told():
    with pytest.raises(UsageError, match="the task fr does not know a label: got 'nova'; allowed: FRI, FRII"):
        TASKS["fr"].class_of("nova")


def test_components_and_peaks_make_the_classes_of_radio_galaxy_zoo():
    features, _ = table(6)
    facts = {"n_islands": np.array([1, 1, 2, 3, 4, np.nan]), "n_peaks": np.array([1, 3, 1, 3, 9, 1])}
    told = components_peaks(facts["n_islands"], facts["n_peaks"])
    assert told.tolist() == ["1C-1P", "1C-3P", "2C-2P", "3C-3P", "4C-9P", ""]
    measured = type(features)(features.names, features.columns, features.values, facts)
    data, notes = labelled_by(measured, TASKS["rgz"])
    assert [data.classes[k] for k in data.targets] == ["1C-1P", "1C-3P", "2C-2P", "3C-3P"]
    assert notes[0].startswith("no source of 1C-2P, 2C-3P")
    labels = {"label": np.array(["FRI"] * 6)}  # of another question
    other = type(features)(features.names, features.columns, features.values, {**facts, **labels})
    again, notes = labelled_by(other, TASKS["rgz"])
    assert again.classes == data.classes
    assert notes[0] == (
        "the column label (FRI) holds no class of the task rgz: classes are made of components and peaks; "
        "--column label takes that column"
    )
    labels = {"label": np.array(["1C-1P", "2C-2P"] * 3)}
    own = type(features)(features.names, features.columns, features.values, {**facts, **labels})
    data, notes = labelled_by(own, TASKS["rgz"])
    assert data.classes == ("1C-1P", "2C-2P")
    assert not any("holds no class" in each for each in notes)


# -- calibration


@pytest.mark.parametrize("method", ["temperature", "isotonic"])
@pytest.mark.parametrize("many", [False, True])
def test_probabilities_hold_after_calibration(method, many):
    rng = np.random.default_rng(1)
    true = rng.dirichlet(np.ones(3), 6000)
    targets = (rng.random((6000, 1)) > true.cumsum(axis=1)).sum(axis=1)
    if many:
        targets = rng.random(true.shape) < true
    sharp = true**3 if not many else true**3 / (true**3 + (1 - true) ** 3)
    told = sharp if many else sharp / sharp.sum(axis=1, keepdims=True)
    before = numbers_of(told[3000:], targets[3000:])["ece"]
    held = calibration.fitted(method, told[:3000], targets[:3000])
    after = numbers_of(held(told[3000:], many), targets[3000:])["ece"]
    assert before > 0.08
    assert after < 0.03
    again = calibration.Calibration.from_dict(held.to_dict())
    assert np.array_equal(again(told, many), held(told, many))
    if method == "temperature":
        assert held.temperature == pytest.approx(3.0, rel=0.12)


@pytest.mark.parametrize("order", ["classes", "classes back", "mixed"])
def test_the_order_of_sources_that_were_told_the_same_does_not_part_them(order):
    told = np.repeat([0.2, 0.5, 0.8], 200)
    targets = (np.arange(600) % 200 < 200 * told).astype(int)
    rows = {
        "classes": np.argsort(targets, kind="stable"),
        "classes back": np.argsort(-targets, kind="stable"),
    }
    rows |= {"mixed": np.random.default_rng(1).permutation(600)}
    both = np.stack([1.0 - told, told], axis=1)[rows[order]]
    held = calibration.fitted("isotonic", both, targets[rows[order]])
    shown = np.array([0.2, 0.5, 0.8])
    assert held(np.stack([1.0 - shown, shown], axis=1))[:, 1] == pytest.approx(shown, abs=0.01)


@pytest.mark.parametrize("many", [False, True])
def test_sources_that_are_all_told_right_are_not_told_for_certain(many):
    told = np.repeat([[0.9, 0.1], [0.1, 0.9]], 40, axis=0)
    targets = told > 0.5 if many else told.argmax(axis=1)
    held = calibration.fitted("temperature", told, targets)
    assert 0.95 < held(told, many).max() < 1.0 - 1.0 / 400.0


# -- strangeness


@pytest.mark.parametrize("measure", MEASURES)
def test_strangeness_is_even_for_sources_alike_and_one_for_others(measure):
    rng = np.random.default_rng(2)
    scales = 10.0 ** np.arange(-3, 3)  # units must not matter
    alike = rng.normal(size=(1600, 6)) * scales
    alike[rng.random(alike.shape) < 0.05] = np.nan
    held = strange.fitted(measure, alike[:800], 1)
    told = held(alike[800:])
    for part in (0.5, 0.9, 0.99):
        assert np.mean(told > part) == pytest.approx(1 - part, abs=0.05)
    assert (held(alike[800:820] + 9.0 * scales) > 0.99).all()
    assert np.isnan(held(np.full((1, 6), np.nan))).all()


# -- how good


def test_numbers_of_quality_follow_from_counts():
    told = np.eye(3)[[0, 0, 1, 1, 2, 0]] * 0.7 + 0.1
    targets = np.array([0, 0, 1, 2, 2, 1])
    numbers = numbers_of(told, targets)
    assert numbers["accuracy"] == pytest.approx(4 / 6)
    assert numbers["accuracy_low"] < 4 / 6 < numbers["accuracy_high"]
    classes = class_table(("a", "b", "c"), told, targets)
    assert classes["precision"] == pytest.approx([2 / 3, 1 / 2, 1])
    assert classes["recall"] == pytest.approx([1, 1 / 2, 1 / 2])
    assert classes["f1"] == pytest.approx([4 / 5, 1 / 2, 2 / 3])
    assert numbers["macro_f1"] == pytest.approx((4 / 5 + 1 / 2 + 2 / 3) / 3)
    assert numbers["ece"] == pytest.approx(abs(0.8 - 4 / 6))
    assert numbers["top2"] >= 4 / 6


def test_labels_that_were_changed_are_found():
    data = labelled(300, apart=6.0, blank=0.0)
    wrong = np.arange(0, 300, 17)
    targets = data.targets.copy()
    targets[wrong] = (targets[wrong] + 1) % 3
    classifier = made("logistic", calibration="none")
    classifier.fit(data)
    rows, seems, margin = suspects(classifier.probabilities(data.features), targets)
    assert set(rows.tolist()) <= set(wrong.tolist())
    assert len(rows) >= len(wrong) - 2
    assert np.array_equal(seems, data.targets[rows])
    assert (np.diff(margin) <= 0).all()


def test_an_evaluation_tells_each_source_once_a_repeat_and_never_by_itself():
    data = labelled(90)
    fold = folds.random_folds(data, 3, 2, 1)
    seen = []

    def spy(learnt, others):
        assert not set(learnt.names) & set(others.names)
        seen.append(len(others))
        return majority(learnt, others)

    found = evaluate(lambda: made("qda"), data, fold, beside={"spy": spy})
    assert sum(seen) == 180
    assert np.isfinite(found.judged.told).all()
    assert found.judged.mean("accuracy")[0] > 0.85
    assert found.report().numbers["n"] == 90
    only = evaluate(lambda: made("qda"), data, np.where(np.arange(90) % 9 == 0, -1, fold))
    assert np.isnan(only.judged.told[:, ::9]).all()  # rows that are only learnt from
    assert only.report().numbers["n"] == 80


def test_a_fold_of_which_nothing_can_be_told_leaves_a_gap():
    data = labelled(90)
    fold = folds.random_folds(data, 3, 1, 1)
    data.features.values[fold[0] == 1] = np.nan
    found = evaluate(lambda: made("lightgbm", trees=5, calibration="none"), data, fold)
    assert {len(each) for each in found.judged.parts.values()} == {3}
    assert np.isnan(found.judged.parts["macro_f1"]).tolist() == [False, True, False]


# -- inside a classifier


def test_sources_without_any_feature_are_not_learnt_from():
    data = labelled(120)
    data.features.values[data.targets == 2] = np.nan
    with pytest.raises(UsageError, match="no source of a class has a feature that is known: got 'Compact'"):
        made("lightgbm", trees=5).fit(data)
    data = labelled(120)
    data.features.values[:6] = np.nan
    classifier = made("lightgbm", trees=5)
    classifier.fit(data)
    assert np.isnan(classifier.left_out).any(axis=1).tolist() == [True] * 6 + [False] * 114


def test_a_search_and_a_network_are_told_what_is_too_few():
    data = labelled(120)
    few = data.select(np.flatnonzero((data.targets != 2) | (np.arange(120) == 2)))
    with pytest.raises(UsageError, match=r"for 3 folds: got '1 of Compact'.*set search=0"):
        made("lightgbm", trees=5, calibration="none", search=1).fit(few)
    network = made("mlp", rounds=5, calibration="none")
    network.fit(Labelled(data.names + few.names[:1], data.classes, np.append(data.targets % 2, 2),
                         features=joined(data.features, few.features.select([0]))))  # fmt: skip
    assert network.probabilities(data.features).shape == (120, 3)


def test_a_class_whose_pictures_are_all_broken_is_left_out(tmp_path):
    rng = np.random.default_rng(1)
    images = rng.normal(size=(9, 8, 8))
    images[2::3] = np.nan
    np.savez(tmp_path / "a.npz", images=images, label=np.array(["a", "b", "c"] * 3))
    data, notes = labelled_by(open_pictures(tmp_path / "a.npz"))
    assert data.classes == ("a", "b")
    assert notes[0] == "no source of c: these classes are left out"
    assert notes[1].startswith("3 labelled pictures cannot be read")


def test_a_search_never_makes_it_worse_on_what_it_looks_at_and_repeats_itself():
    data = labelled(150, apart=1.5)
    one, two = (made("logistic", search=4, strength=1e-3) for _ in range(2))
    one.fit(data)
    two.fit(data)
    assert one.used == two.used
    assert one.used.strength > 1e-3
    assert np.array_equal(one.probabilities(data.features), two.probabilities(data.features))


def test_the_features_that_tell_most_are_kept():
    data = labelled(240, columns=12)
    assert set(most_telling(data.features.values, data.targets, 3, 1)) == {0, 1, 2}
    classifier = made("lightgbm", keep=3, trees=30)
    classifier.fit(data)
    assert classifier.columns == ("f0", "f1", "f2")


@pytest.mark.parametrize("balance", ["none", "weights", "downsample"])
def test_balance_lets_a_rare_class_be_found_more_often(balance):
    data = labelled(900, ("a", "b"), apart=1.2)
    data = data.select((data.targets == 0) | (np.arange(900) % 20 == 1))
    classifier = made("logistic", balance=balance, calibration="none")
    classifier.fit(data)
    rare = classifier.probabilities(data.features)[data.targets == 1].argmax(axis=1).mean()
    assert (rare > 0.6) == (balance != "none")


def test_a_table_without_a_feature_that_was_learnt_is_refused():
    data = labelled(90)
    classifier = made("forest", trees=10)
    classifier.fit(data)
    with pytest.raises(UsageError, match=r"the table lacks 1 of the 6 features .* got 'f2'"):
        classifier.probabilities(data.features.only(["f0", "f1", "f3", "f4", "f5"]))


# -- the models as arrays tell what scikit-learn tells


def test_models_as_arrays_agree_with_scikit_learn():
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

    from skysift.classify.options import BoostingOptions, ForestOptions
    from skysift.classify.trees import BoostingModel, ForestModel

    features, targets = table(200)
    values, ones = features.values, np.ones(200)
    for kinds in (targets, (targets > 0).astype(int)):
        model = ForestModel()
        model.fit(values, kinds, ones, ForestOptions(trees=20))
        theirs = RandomForestClassifier(
            20, min_samples_leaf=2, max_features=0.3, max_depth=16, random_state=1
        ).fit(values.astype(np.float32), kinds, ones)
        assert np.allclose(model.told(values), theirs.predict_proba(values.astype(np.float32)), atol=1e-6)
        model = BoostingModel()
        model.fit(values, kinds, ones, BoostingOptions(trees=15))
        theirs = HistGradientBoostingClassifier(
            max_iter=15, max_leaf_nodes=15, learning_rate=0.08, min_samples_leaf=10, l2_regularization=1.0,
            early_stopping=False, random_state=1,
        ).fit(values, kinds, ones)  # fmt: skip
        assert np.allclose(model.told(values), theirs.predict_proba(values), atol=1e-5)


def test_planes_as_arrays_agree_with_scikit_learn():
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

    from skysift.classify.options import LogisticOptions, SVCOptions
    from skysift.classify.planes import LogisticModel, SVCModel

    features, targets = table(150, blank=0.0)
    values, ones = features.values, np.ones(150)
    model = LogisticModel()
    model.fit(values, targets, ones, LogisticOptions())
    theirs = LogisticRegression(C=1.0, max_iter=5000, tol=1e-6).fit(values, targets)
    assert np.allclose(model.told(values), theirs.predict_proba(values), atol=1e-9)
    two = (targets > 0).astype(int)
    model = SVCModel()
    model.fit(values, two, ones, SVCOptions())
    theirs = SVC(C=3.0, gamma=1.0 / (values.shape[1] * values.var())).fit(values, two)
    margin = theirs.decision_function(values)
    assert np.allclose(model.told(values)[:, 1], 1 / (1 + np.exp(-2 * margin)), atol=1e-6)
