"""Classifiers of pictures: they learn, keep what they learnt, and say what they cannot tell."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.classify.spots import labelled, pictures_of, spots
from tests.commands import called

from skysift.base.errors import OptionError, UsageError
from skysift.base.parallel import Crew
from skysift.classify.classifier import Labelled, open_model
from skysift.classify.evaluation import contenders_of, evaluate, random_probe
from skysift.classify.features.table import features_of
from skysift.classify.images import CnnClassifier, EmbeddingClassifier, chosen_bands, prepared
from skysift.classify.likeness import Looks, unlike
from skysift.classify.networks import PictureLearner, PictureNet, looked
from skysift.classify.options import CnnOptions, EmbeddingOptions, LightGBMOptions
from skysift.classify.tables import LightGBMClassifier
from skysift.flow.steps.classify_predict import ClassifyPredictStep
from skysift.learn.checkpoint import write_checkpoint
from skysift.learn.embed import encoder_card
from skysift.learn.layers.encoder import make_encoder
from skysift.learn.layers.resnet import ResNet
from skysift.learn.layers.vit import VisionTransformer
from skysift.learn.options import EncoderOptions
from skysift.learn.scale import Preparation

SMALL = {
    "size": 24,
    "bin": 1,
    "width": 4,
    "blocks": (1, 1),
    "batch": 16,
    "epochs": 8,
    "turns": 1,
    "device": "cpu",
}


@pytest.fixture(scope="module")
def cnn():
    torch.set_num_threads(1)
    made = CnnClassifier(CnnOptions(**SMALL, learning_rate=5e-3))
    made.fit(labelled())
    return made


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    torch.manual_seed(3)
    options = EncoderOptions(width=6, blocks=(1, 1))
    net = make_encoder(options, 1)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    preparation = Preparation("asinh", 24, 1)
    card = encoder_card("small", "a test", options, 1, preparation, {}, {})
    card = replace(card, settings={**card.settings, "stages": 2})  # as that of the encoder that ships
    write_checkpoint(path, net.state_dict(), card)
    return path


def spots_at(scale, beam):
    """Pictures that know their pixels and their beam (arcsec)."""
    pixels, _ = spots(12)
    sizes = np.full(len(pixels), beam)
    return replace(pictures_of(pixels), scale=scale, facts={"beam_major": sizes, "beam_minor": sizes})


def test_one_and_two_spots_are_told_apart(cnn):
    others = labelled(60, seed=9)
    told = cnn.predict(others.pictures)
    right = np.array([told.classes.index(label) for label in told.labels]) == others.targets
    assert right.mean() > 0.9
    assert np.allclose(told.probabilities.sum(axis=1), 1.0)
    assert np.isfinite(told.ood).all()


def test_steps_of_ones_own_are_kept_with_the_model():
    told = CnnOptions(steps="clip=-6,12 minmax")
    assert CnnOptions(**told.to_dict()) == told
    with pytest.raises(OptionError, match="place of a preset"):
        CnnOptions(steps="minmax", preset="zscale")


def test_what_is_kept_judges_the_same(cnn, tmp_path):
    cnn.save(tmp_path / "spots.safetensors", task="one or two spots")
    again = open_model(tmp_path / "spots.safetensors")
    assert isinstance(again, CnnClassifier)
    others = labelled(20, seed=9).pictures
    one, two = cnn.predict(others), again.predict(others)
    assert np.array_equal(one.probabilities, two.probabilities)
    assert np.allclose(one.ood, two.ood, atol=0.05)
    assert again.preparation == cnn.preparation
    assert again.bands == ("b0",)


def test_pictures_that_cannot_be_read_are_flagged_rows(cnn):
    pixels, _ = spots(6)
    pixels[2] = np.nan
    given = pictures_of(pixels, errors=("", "", "", "", "it is broken", ""))
    told = cnn.predict(given)
    assert np.array_equal(np.isfinite(told.ood), [True, True, False, True, False, True])
    assert told.errors[4] == "it is broken"
    assert told.errors[2]
    assert told.labels[2] == ""


def test_what_was_never_seen_is_strange(cnn):
    rng = np.random.default_rng(0)
    stripes = np.zeros((20, 1, 24, 24), np.float32)
    stripes[:, :, ::4] = 1.0
    stripes += 0.03 * rng.standard_normal(stripes.shape).astype(np.float32)
    usual = cnn.ood(labelled(60, seed=9).pictures)
    assert np.median(cnn.ood(pictures_of(stripes))) > np.quantile(usual, 0.8)


def test_several_tags(tmp_path):
    data = labelled(100)
    rng = np.random.default_rng(2)
    tags = np.stack([data.targets == 1, rng.random(100) < 0.5], axis=1)
    pixels = data.pictures.read()
    pixels[tags[:, 1], :, :5, :5] += 1.5
    tagged = Labelled(data.names, ("two", "corner"), tags, pictures_of(pixels))
    menu = {**SMALL, "epochs": 20, "learning_rate": 1e-2}
    made = CnnClassifier(CnnOptions(**menu, turn=False, loss="focal", focal=1.0, shift=0.0, zoom=(1.0, 1.0)))
    made.fit(tagged)
    told = made.predict(tagged.pictures)
    assert told.many
    assert ((told.probabilities > 0.5) == tags).mean() > 0.85
    made.save(tmp_path / "tags.safetensors")
    assert np.array_equal(
        open_model(tmp_path / "tags.safetensors").probabilities(tagged.pictures), told.probabilities
    )


def test_members_are_averaged_and_bands_are_found_by_name():
    data = labelled(80, bands=2)
    made = CnnClassifier(CnnOptions(**{**SMALL, "epochs": 3}, members=2, held=0.5, preset="bands", lose=0.2))
    made.fit(data)
    assert len(made.nets) == 2
    pixels = data.pictures.read()
    turned = pictures_of(pixels[:, ::-1], ("b1", "b0"), names=data.names)
    assert np.array_equal(made.probabilities(data.pictures), made.probabilities(turned))
    with pytest.raises(UsageError, match="bands"):
        made.probabilities(pictures_of(pixels[:, :1], ("b0",)))


def test_a_frozen_encoder_needs_no_file_afterwards(encoder, tmp_path):
    for head in ("linear", "knn"):
        made = EmbeddingClassifier(EmbeddingOptions(weights=str(encoder), head=head, turns=2, device="cpu"))
        made.fit(labelled())
        assert np.isfinite(made.left_out).all()
        assert (made.left_out.argmax(axis=1) == labelled().targets).mean() > 0.8
        others = labelled(60, seed=9)
        told = made.predict(others.pictures)
        assert (told.probabilities.argmax(axis=1) == others.targets).mean() > 0.8
        made.save(tmp_path / f"{head}.safetensors")
        again = open_model(tmp_path / f"{head}.safetensors")
        again.options = again.options.replace(weights="gone.safetensors")
        assert np.allclose(again.probabilities(others.pictures), told.probabilities, atol=1e-6)
        seen, _ = prepared(others.pictures, again.preparation, again.bands)
        assert np.allclose(again.of_prepared(seen), told.probabilities, atol=1e-6)


def test_a_random_network_never_sees_what_it_is_tested_on():
    data = labelled(90)
    tell = random_probe(data)
    learnt, others = data.select(np.arange(60)), data.select(np.arange(60, 90))
    told = tell(learnt, others)
    assert ((told.argmax(axis=1) == others.targets).mean()) > 0.6
    np.testing.assert_allclose(tell(learnt, data.select(np.arange(60, 65))), told[:5], atol=1e-6)
    bright = labelled(90).pictures
    bright.store.values[65:] = 0.0  # other pictures of the test: no norm may know of them
    dark = replace(data, pictures=bright)
    np.testing.assert_allclose(random_probe(dark)(dark.select(np.arange(60)), dark.select(np.arange(60, 65))),
                               told[:5], atol=1e-6)  # fmt: skip


def test_an_evaluation_of_pictures_shows_a_random_network_beside(encoder):
    data = labelled(60)
    folds = np.arange(60) // 2 % 3

    def make():
        return EmbeddingClassifier(EmbeddingOptions(weights=str(encoder), turns=1, device="cpu"))

    found = evaluate(make, data, folds, beside=contenders_of(data, make))
    assert [each.name for each in found.contenders] == ["embedding", "majority class", "random network"]
    assert np.isfinite(found.contenders[2].told).all()


def test_the_command_shows_plain_features_beside_a_network_and_how_many_they_tell(encoder, tmp_path):
    pixels, kinds = spots(40)
    pixels[[4, 9]] = np.random.default_rng(2).normal(0.0, 0.03, (2, *pixels.shape[1:]))  # they show no source
    np.savez(tmp_path / "some.npz", images=pixels, label=np.array(["one", "two"])[kinds])
    how = ("--model", "embedding", "--set", f"weights={encoder}", "--set", "turns=1", "--set", "device=cpu")
    done = called(
        "classify", "evaluate", tmp_path / "some.npz", *how, "--folds", "2", "--repeats", "1",
        "--features", "radius=1", "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "of 38 that it tells" in done.stdout
    with (tmp_path / "out" / "contenders.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["sources"]) for row in rows] == [
        ("embedding", "40"),
        ("majority class", "40"),
        ("random network", "40"),
        ("features, lightgbm", "38"),
    ]
    assert all(0.0 < float(row["accuracy"]) <= 1.0 for row in rows)


def test_pictures_unlike_those_learnt_from_are_told_of(cnn, tmp_path):
    known = replace(spots_at(1.8, 5.4), scale=1.8)
    cnn.looks = Looks.of(known)
    cnn.save(tmp_path / "m.safetensors")
    again = open_model(tmp_path / "m.safetensors")
    assert again.looks == Looks(24, 1.8, pytest.approx(5.4))
    assert not unlike(again.looks, Looks.of(known))
    assert not unlike(again.looks, Looks.of(pictures_of(spots(4)[0])))  # nothing is known of it
    assert not unlike(again.looks, Looks.of(spots_at(4.0, 12.0)))  # in beams they look alike
    told = ClassifyPredictStep().run(again, spots_at(4.0, 24.0), tmp_path / "a.csv")
    (note,) = told.notes
    assert note.startswith("pictures are unlike those learnt from, and may be told wrong: ")
    assert note.endswith("they have beams of 6 pixels, those learnt from beams of 3 pixels")
    assert unlike(Looks(24, 1.8), Looks(24, 4.0)).endswith(
        "they have pixels of 4 arcsec, those learnt from pixels of 1.8 arcsec"
    )
    assert "beams of 8 pixels, those learnt from beams of 3 pixels" in unlike(
        again.looks, Looks.of(spots_at(1.8, 14.4))
    )
    many = pictures_of(spots(12)[0]).with_facts(
        beam_pixels=np.full(12, 4.0)
    )  # of maps with pixels of many sizes
    cnn.looks = Looks.of(many)
    cnn.save(tmp_path / "many.safetensors")
    again = open_model(tmp_path / "many.safetensors")
    assert again.looks.beam_pixels == 4.0
    assert not unlike(again.looks, Looks.of(spots_at(9.0, 36.0)))
    assert "beams of 8 pixels, those learnt from beams of 4 pixels" in unlike(
        again.looks, Looks.of(spots_at(9.0, 72.0))
    )
    cnn.looks = None
    small = ClassifyPredictStep().run(cnn, spots_at(1.8, 5.4), tmp_path / "b.csv")
    assert "of 12 pictures 12 have under 32 pixels along the side" in small.notes[0]


def test_who_predicts_changes_no_number(cnn, tmp_path):
    pixels, _ = spots(600)
    pictures = pictures_of(pixels)
    told = [ClassifyPredictStep().run(cnn, pictures, tmp_path / f"{n}.csv", crew=Crew(n)) for n in (1, 2)]
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    assert len(told[0]) == 600
    assert np.allclose(told[0].probabilities, cnn.probabilities(pictures), atol=1e-6)


def test_an_encoder_is_trained_on_from_its_end(encoder, tmp_path):
    made = EmbeddingClassifier(
        EmbeddingOptions(
            weights=str(encoder), thaw=1, epochs=6, batch=16, turns=1, learning_rate=5e-3, device="cpu"
        )
    )
    made.fit(labelled())
    some = np.isfinite(made.left_out).all(axis=1)
    assert 0 < some.sum() < len(some)  # those that were held
    before = made.weights.tensors
    after = made.nets[0].encoder.state_dict()
    assert np.allclose(after["stem.weight"], before["stem.weight"], atol=2e-3)
    assert np.allclose(after["stem_norm.running_mean"], before["stem_norm.running_mean"], atol=2e-3)
    assert not np.allclose(after["stages.1.0.first.weight"], before["stages.1.0.first.weight"], atol=2e-3)
    made.save(tmp_path / "thawed.safetensors")
    others = labelled(20, seed=9).pictures
    again = open_model(tmp_path / "thawed.safetensors")
    assert np.array_equal(again.probabilities(others), made.probabilities(others))


def test_a_transformer_can_be_trained_on():
    encoder = VisionTransformer(dim=16, depth=2, heads=2, patch=6)
    net = PictureNet(encoder, 2, thaw=1)
    learn = {name for name, each in net.named_parameters() if each.requires_grad}
    assert "head.weight" in learn
    assert "encoder.norm.weight" in learn
    assert any(name.startswith("encoder.blocks.1") for name in learn)
    assert not any(name.startswith(("encoder.blocks.0", "encoder.stem")) for name in learn)


def test_losses_are_those_of_their_papers():
    numbers = torch.tensor([[2.0, -1.0, 0.5], [0.1, 0.2, 0.3]])
    target = torch.tensor([0, 2])
    counts = np.array([5, 3, 2])

    def loss(**choices):
        learner = PictureLearner(CnnOptions(**choices), None, counts, 10, many=False)
        return float(learner.surprise(numbers, target))

    p = numbers.softmax(1)
    own = -torch.log(p[[0, 1], [0, 2]])
    assert loss(smoothing=0, balance="none") == pytest.approx(float(own.mean()))
    weight = torch.tensor([10 / 15, 10 / 6])
    assert loss(smoothing=0, balance="weights") == pytest.approx(float((own * weight).sum() / weight.sum()))
    focal = own * (1 - p[[0, 1], [0, 2]]) ** 2
    assert loss(smoothing=0, balance="none", loss="focal") == pytest.approx(float(focal.mean()))
    smooth = torch.nn.functional.cross_entropy(numbers, target, label_smoothing=0.1)
    assert loss(smoothing=0.1, balance="none") == pytest.approx(float(smooth))


def test_looks_are_averaged():
    torch.manual_seed(0)
    net = PictureNet(ResNet(4, (1, 1)), 2)
    pixels = np.random.default_rng(1).standard_normal((3, 1, 16, 16)).astype(np.float32)
    numbers, features = looked(net, pixels, 4, torch.device("cpu"))
    each = [looked(net, np.rot90(pixels, k, (2, 3)).copy(), 1, torch.device("cpu"))[0] for k in range(4)]
    assert np.allclose(numbers, np.mean(each, axis=0), atol=1e-6)
    assert features.shape == (3, 8)


def test_wrong_data_are_one_line(cnn, encoder):
    data = labelled(40)
    alone = data.select(data.targets == 0)
    with pytest.raises(UsageError, match="one class"):
        CnnClassifier(CnnOptions(**SMALL)).fit(alone)
    few = data.select([*np.flatnonzero(data.targets == 0), 1, 3])
    with pytest.raises(UsageError, match="too few"):
        CnnClassifier(CnnOptions(**SMALL)).fit(few)
    with pytest.raises(OptionError, match="gamma"):
        CnnOptions(gamma=(2.0, 1.0))
    with pytest.raises(OptionError, match="bands"):
        EmbeddingClassifier(EmbeddingOptions(weights=str(encoder))).fit(labelled(40, bands=2))
    with pytest.raises(UsageError, match="bands"):
        chosen_bands(pictures_of(np.zeros((1, 2, 8, 8)), ("a", "b0")), ("b0", "b1"))


def test_the_features_of_a_picture_do_not_depend_on_those_it_is_told_with(monkeypatch, tmp_path):
    learnt = labelled(60, seed=3)
    sizes = np.where(np.arange(60) % 2, 4.0, 9.0)
    shown = replace(learnt.pictures, scale=1.8, facts={"beam_major": sizes, "beam_minor": sizes})
    model = LightGBMClassifier(LightGBMOptions(calibration="none"))
    whole = features_of(shown)
    model.fit(replace(learnt, pictures=None, features=whole))
    told = ClassifyPredictStep().run(model, shown, tmp_path / "a.csv")
    monkeypatch.setattr("skysift.flow.steps.classify_predict._AT_ONCE", 7)
    again = ClassifyPredictStep().run(model, shown, tmp_path / "b.csv")
    np.testing.assert_array_equal(told.probabilities, again.probabilities)
    np.testing.assert_array_equal(told.probabilities, model.predict(whole).probabilities)
