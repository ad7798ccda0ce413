"""Weights go on with a map of one's own: gently, judged before and after on the same part, and told where not better."""

import json

import numpy as np
import pytest
import torch
import yaml
from astropy.io import fits
from tests import skies
from tests.commands import called

from skysift.base.errors import OptionError, SkysiftWarning, UsageError
from skysift.base.parallel import ALONE
from skysift.cli.opening import opening_told
from skysift.flow.steps.train import WORK
from skysift.flow.training.labelled_fields import held_fields
from skysift.flow.training.recipe import recipe_text
from skysift.flow.training.tuning import own_data, tuning_recipe
from skysift.learn.checkpoint import Card, read_checkpoint
from skysift.learn.options import TrainOptions
from skysift.sky.truth import CLASSES

BEAM = (4.0, 4.0, 0.0)
SIZE = 200
STEPS = ("--set", "train.steps=4", "--set", "train.batch=2", "--threads", "1")


def regions(path, x, y):
    rows = [f"point({a + 1:.3f},{b + 1:.3f}) # tag={{compact}}" for a, b in zip(x, y, strict=True)]
    path.write_text("\n".join(["# Region file format: DS9 version 4.1", "image", *rows]) + "\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A map of points, labels of all of them, and of those in its lower half."""
    torch.set_num_threads(1)
    made = tmp_path_factory.mktemp("own")
    sources = skies.population((SIZE, SIZE), BEAM, n_points=60, snr=(8, 300), seed=7)
    data, truth = skies.paint((SIZE, SIZE), BEAM, sources=sources, seed=7)
    skies.write(made / "map.fits", data, BEAM)
    regions(made / "labels.reg", truth["x"], truth["y"])
    low = truth["y"] < 0.5 * SIZE
    regions(made / "low.reg", truth["x"][low], truth["y"][low])
    return made


@pytest.fixture(scope="module")
def tuned(folder, weights):
    return called(
        "finetune", weights, "--map", folder / "map.fits", "--labels", folder / "labels.reg", "--out", folder / "out",
        "--set", "name=mine", *STEPS,
    )  # fmt: skip


def test_weights_go_on_gently_and_as_they_learnt_before(folder):
    card = Card(
        "yolo-dense", "base", "all skies", {"widths": [8, 12], "depths": [1, 1]},
        {"train": TrainOptions(steps=5000, learning_rate=2e-3, batch=7, crop=96).to_dict(), "noise": {"clip": 2.5}},
    )  # fmt: skip
    written = own_data(folder / "map.fits", folder / "labels.reg")
    recipe = tuning_recipe(card, written, folder, "map.fits", {"train.batch": "3"})
    assert (recipe.told.model, recipe.told.name) == ("yolo-dense", "base-tuned")
    assert recipe.told.task == "all skies, tuned on map.fits"
    assert recipe.model.widths == (8, 12)
    assert recipe.train.steps == 500
    assert recipe.train.learning_rate == pytest.approx(2e-4)
    assert (recipe.train.batch, recipe.train.crop) == (3, 96)
    assert recipe.train.validate_every == 63
    assert recipe.noise.clip == 2.5
    few = tuning_recipe(card, written, folder, "map.fits", {"train.steps": "16"})
    assert (few.train.steps, few.train.validate_every) == (16, 2)
    large = tuning_recipe(Card("yolo-dense", "base"), written, folder, "map.fits")
    assert large.train.crop == 160  # of 200 pixels a fifth is kept for validation
    said = tuning_recipe(Card("yolo-dense", "base"), written, folder, "map.fits", {"train.crop": "64"})
    assert said.train.crop == 64


def test_a_recipe_goes_before_the_card(folder):
    card = Card("yolo-dense", "base", options={"widths": [8, 12], "depths": [1, 1], "faintest": 3.0})
    path = folder / "own.yaml"
    entry = {"map": "map.fits", "labels": "labels.reg", "held": 0.4}
    path.write_text(
        yaml.safe_dump({"name": "own", "options": {"faintest": 5}, "train": {"steps": 9}, "fields": [entry]})
    )
    recipe = tuning_recipe(card, recipe_text(path), folder, path.name)
    assert (recipe.told.name, recipe.train.steps, recipe.train.validate_every) == ("own", 9, 2)
    assert (recipe.model.widths, recipe.model.faintest) == ((8, 12), 5.0)
    assert recipe.plans[0].held == 0.4
    with pytest.raises(OptionError, match="for another model than the weights are of: got 'yolo-grid'"):
        tuning_recipe(card, {**recipe_text(path), "model": "yolo-grid"}, folder, path.name)
    with pytest.raises(OptionError, match=r"train"):
        tuning_recipe(card, {**recipe_text(path), "train": "fast"}, folder, path.name)


def test_numbers_before_and_after_stand_side_by_side(folder, tuned, weights):
    assert tuned.returncode == 0, tuned.stderr
    assert "before   after" in tuned.stdout
    card = read_checkpoint(folder / "out" / "mine.safetensors").card
    begun = read_checkpoint(weights)
    assert card.options == begun.card.options
    assert card.training["started_from"] == begun.checksum
    before = card.training["before"]
    (line,) = (each for each in tuned.stdout.splitlines() if each.split()[:1] == ["score"])
    assert [float(each) for each in line.split()[1:]] == pytest.approx(
        [before["score"], card.numbers["score"]], abs=6e-4
    )
    told = json.loads((folder / "out" / "manifest.json").read_text())["facts"]
    assert told["before"] == before
    assert told["improved"] is (card.numbers["score"] > before["score"]) is card.training["improved"]
    assert "before" in (folder / "out" / "report.html").read_text()


def test_the_numbers_before_do_not_depend_on_the_training(folder, tuned, weights):
    again = called(
        "finetune", weights, "--map", folder / "map.fits", "--labels", folder / "labels.reg", "--out", folder / "worse",
        *STEPS, "--set", "train.learning_rate=0.1", "--set", "train.warmup=0", "--set", "train.clip=100", "--quiet",
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    first = read_checkpoint(folder / "out" / "mine.safetensors").card
    card = read_checkpoint(folder / "worse" / "small-tuned.safetensors").card
    assert card.training["before"] == first.training["before"]
    assert card.numbers["score"] < card.training["before"]["score"]
    assert card.training["improved"] is False
    assert "warning: the new weights are not better than those they began with: score" in again.stderr
    assert "they are written all the same" in (folder / "worse" / "report.html").read_text()


@pytest.mark.parametrize(
    ("args", "match"),
    [
        ((), "finetune learns from a map or from a recipe: got 'neither'"),
        (("--map", "{0}/map.fits"), "--map and --labels go together"),
        (("--map", "{0}/none.fits", "--labels", "{0}/labels.reg"), "there is no such file"),
        (("{0}/own.yaml", "--held", "0.3"), "--held goes with --map"),
        (("{0}/own.yaml", "--map", "{0}/map.fits"), "from a map or from a recipe: got 'both'"),
        (
            ("--map", "{0}/map.fits", "--labels", "{0}/low.reg"),
            "no label lies in what is kept for validation",
        ),
    ],
)
def test_bad_calls_are_told_in_a_line(folder, weights, args, match):
    (folder / "own.yaml").touch()
    done = called(
        "finetune", weights, *(each.format(folder) for each in args), "--out", folder / "bad", *STEPS
    )
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert match in last
    assert not (folder / "bad").exists() or list((folder / "bad").iterdir()) == [folder / "bad" / WORK]


def test_a_map_whose_header_does_not_say_is_read_as_told(folder, tmp_path):
    """A map in a later HDU, without a beam: the flags say, the recipe keeps it; the field is that of the whole map."""
    with fits.open(folder / "map.fits") as opened:
        data, header = opened[0].data, opened[0].header
    for name in ("BMAJ", "BMIN", "BPA"):
        del header[name]
    path = tmp_path / "bare.fits"
    fits.HDUList([fits.PrimaryHDU(np.zeros((9, 9))), fits.ImageHDU(data, header, name="SCI")]).writeto(path)
    opening = opening_told(hdu="SCI", beam="8,8,0")
    assert opening == {"hdu": "SCI", "beam": [8.0, 8.0, 0.0]}
    written = own_data(path, folder / "labels.reg", opening=opening)
    assert json.loads(json.dumps(written)) == written
    recipe = tuning_recipe(Card("yolo-dense", "base"), written, folder, "bare.fits")
    (plan,) = recipe.plans
    assert plan.to_dict()["opening"] == {"hdu": "SCI", "beam": (8.0, 8.0, 0.0)}
    assert recipe.train.crop == 160  # what fits below the part that is kept
    (field,) = held_fields(path, tmp_path / "work", ALONE, labels=folder / "labels.reg", opening=opening)
    (whole,) = held_fields(folder / "map.fits", tmp_path / "work", ALONE, labels=folder / "labels.reg")
    assert np.array_equal(field.pixels, whole.pixels, equal_nan=True)
    assert field.beam == pytest.approx(whole.beam)
    with pytest.raises(OptionError, match=r"fields\[0\].opening of the recipe: no such option: got 'hud'"):
        tuning_recipe(
            Card("yolo-dense", "base"), own_data(path, path, opening={"hud": 1}), folder, "bare.fits"
        )
    with pytest.raises(UsageError, match="--beam goes with a map"):
        held_fields(tmp_path, tmp_path / "work", ALONE, opening={"beam": [8, 8, 0]})


def test_classes_of_labels_are_told_to_known_fields(folder, tmp_path):
    text = (folder / "labels.reg").read_text().replace("{compact}", "{blob}")
    (tmp_path / "blobs.reg").write_text(text)
    where = folder / "map.fits"
    with pytest.warns(SkysiftWarning, match="name no class"):
        held_fields(where, tmp_path / "work", ALONE, labels=tmp_path / "blobs.reg")
    (field,) = held_fields(
        where, tmp_path / "work", ALONE, labels=tmp_path / "blobs.reg", classes={"blob": "extended"}
    )
    assert set(field.labels["class"].tolist()) == {CLASSES.index("extended")}
    with pytest.raises(UsageError, match="--class goes with --labels"):
        held_fields(folder, tmp_path / "work", ALONE, classes={"blob": "extended"})
