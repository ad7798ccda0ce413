"""From a recipe to weights: checked before anything runs, made once, gone on with, and told in a page."""

import json

import pytest
import yaml

from skysift.base.errors import DataError, FormatError, OptionError, OutputError, UsageError
from skysift.flow.steps.train import WORK, train_products
from skysift.flow.training.recipe import read_recipe
from skysift.learn.checkpoint import read_checkpoint
from skysift.learn.hub import weights_of
from skysift.learn.step import Stepper

SKY = {"n_pixels": 160, "frequency": 5.6e8, "hours": 100, "array": "none", "artefacts": False, "cell": 100}
RECIPE = {
    "name": "mini",
    "task": "a try",
    "model": "yolo-dense",
    "options": {"widths": [8, 12], "depths": [1, 1]},
    "train": {"steps": 6, "batch": 2, "crop": 64, "validate_every": 3},
    "fields": [
        {
            "simulator": "continuum",
            "number": 2,
            "validation": 1,
            "options": SKY,
            "vary": {"noise_width": {"between": [0.5, 1.0]}, "hours": {"log": [50, 200]}, "bowl": {"choice": [0, 1]}},
            "sampling": [0.3, 0.4],
        }
    ],
}  # fmt: skip


def written(tmp_path, **changes):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({**RECIPE, **changes}))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    recipe = read_recipe(written(folder))
    return train_products(recipe, folder / "out", device="cpu", threads=1), recipe


def test_a_recipe_draws_its_skies_by_seed(tmp_path):
    path = written(tmp_path)
    recipe, again = read_recipe(path), read_recipe(path)
    assert recipe == again
    other = read_recipe(path, {"train.random_seed": "2"})
    a, b = recipe.plans[0].options, recipe.plans[1].options
    assert a is not None
    assert b is not None
    assert a["random_seed"] != b["random_seed"]
    assert a["noise_width"] != b["noise_width"]
    assert 0.5 <= a["noise_width"] <= 1.0
    assert 50 <= a["hours"] <= 200
    assert 0.3 <= a["pixel"] / 1.5 <= 0.4
    assert other.plans[0].options["noise_width"] != a["noise_width"]
    assert [plan.held for plan in recipe.plans] == [0.0, 0.0, 1.0]


def test_parts_of_a_recipe_can_be_set(tmp_path):
    recipe = read_recipe(written(tmp_path), {"train.steps": "7", "name": "other", "options.faintest": "3"})
    assert recipe.train.steps == 7
    assert recipe.told.name == "other"
    assert recipe.model.faintest == 3.0


@pytest.mark.parametrize(
    ("changes", "kind", "match"),
    [
        ({"modle": "x"}, OptionError, "no such option: got 'modle'; did you mean 'model'"),
        ({"model": "yolo"}, UsageError, "no such model: got 'yolo'"),
        ({"train": {"stpes": 3}}, OptionError, "train of the recipe: no such option: got 'stpes'"),
        ({"train": {"crop": 100}}, OptionError, "train of the recipe: .*multiple of 32"),
        ({"fields": []}, OptionError, "the recipe names no fields"),
        ({"fields": [{}]}, OptionError, r"fields\[0\] of the recipe: fields have a simulator or a map"),
        ({"fields": [{"simulator": "moon"}]}, UsageError, "no such simulator: got 'moon'"),
        ({"fields": [{"simulator": "continuum"}]}, OptionError, "no field is kept for validation"),
        (
            {"fields": [{"simulator": "continuum", "validation": 1, "options": {"random_seed": 3}}]},
            OptionError,
            "every field has a seed of its own: got 'random_seed'; leave it out",
        ),
        (
            {"fields": [{"simulator": "continuum", "number": 0, "validation": 1}]},
            OptionError,
            "all fields are kept",
        ),
        (
            {"fields": [{"map": "none.fits", "labels": "none"}]},
            UsageError,
            "the map of the recipe is not there",
        ),
        (
            {"fields": [{"simulator": "continuum", "validation": 1, "vary": {"hours": [1, 2]}}]},
            OptionError,
            "vary does not say how hours is drawn",
        ),
        (
            {"fields": [{"simulator": "continuum", "validation": 1, "vary": {"hours": {"log": [0, 2]}}}]},
            OptionError,
            "vary has no usable range for hours",
        ),
        (
            {"fields": [{"simulator": "continuum", "held": 0.2}]},
            OptionError,
            "held does nothing for fields of a simulator",
        ),
        (
            {"fields": [{"map": "a", "labels": "b", "number": 2}]},
            OptionError,
            "number does nothing for a map with labels",
        ),
        (
            {"fields": [{"map": "a", "labels": "b", "inject": {}}]},
            OptionError,
            "labels, or gets sources by inject, one",
        ),
        ({"fields": [{"map": "a"}]}, OptionError, "a map has labels, or gets sources by inject, one of them"),
        (
            {"fields": [{"simulator": "continuum", "inject": {}}]},
            OptionError,
            "labels and inject go with a map",
        ),
        (
            {"fields": [{"map": "recipe.yaml", "inject": {"nmber": 3}}]},
            OptionError,
            r"fields\[0\].inject of the recipe",
        ),
        ({"name": "../up"}, OptionError, "name consists of letters"),
    ],
)
def test_a_recipe_that_cannot_be_is_told_in_a_line(tmp_path, changes, kind, match):
    with pytest.raises(kind, match=match):
        read_recipe(written(tmp_path, **changes))


def test_files_that_are_no_recipe(tmp_path):
    with pytest.raises(UsageError, match="no such recipe"):
        read_recipe(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(FormatError, match="the recipe is not YAML"):
        read_recipe(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(FormatError, match="a recipe is a mapping"):
        read_recipe(tmp_path / "list.yaml")
    with pytest.raises(OptionError, match=r"no such part of a recipe can be set: got 'fields.number'"):
        read_recipe(written(tmp_path), {"fields.number": "3"})


def test_products_tell_their_story(made):
    done, recipe = made
    names = sorted(each.name for each in done.folder.iterdir())
    assert names == ["log.csv", "manifest.json", "mini.safetensors", "report.html"]
    read = read_checkpoint(done.folder / "mini.safetensors")
    assert read.card == done.card
    assert read.card.training["step"] == done.trained.step
    assert read.card.training["fields"] == [plan.to_dict() for plan in recipe.plans]
    told = json.loads((done.folder / "manifest.json").read_text())
    assert told["kind"] == "step"
    assert told["options"]["train"]["steps"] == 6
    assert {"fields", "train"} <= set(told["seconds"])
    page = (done.folder / "report.html").read_text()
    assert page.count("<img") == 3
    assert "Training of mini" in page
    assert "continuum-0-2" in page
    with pytest.raises(OutputError, match="--overwrite"):
        train_products(recipe, done.folder, device="cpu")


def test_a_selection_is_part_of_the_recipe_and_the_card_tells_what_was_put_back(tmp_path):
    path = written(tmp_path, selection={"peak": 6, "put_back": 0.5})
    assert "selection" not in read_recipe(written(tmp_path)).to_dict()
    path = written(tmp_path, selection={"peak": 6, "put_back": 0.5})
    recipe = read_recipe(path, {"selection.put_back_after": "0.4", "train.steps": "3"})
    assert recipe.to_dict()["selection"]["put_back_after"] == 0.4
    made = train_products(recipe, tmp_path / "out", device="cpu", threads=1)
    assert made.card.training["put_back"] == made.trained.put_back == 0  # three steps find nothing
    assert made.card.training["selection"]["peak"] == 6.0
    with pytest.raises(UsageError, match="no label is left to learn"):
        train_products(
            read_recipe(path, {"selection.peak": "1e9"}), tmp_path / "none", device="cpu", threads=1
        )
    with pytest.raises(
        OptionError, match=r"selection of the recipe: .*put_back does nothing without a limit"
    ):
        read_recipe(written(tmp_path, selection={"put_back": 0.5}))


def test_a_broken_training_goes_on_with_its_fields(made, tmp_path, monkeypatch):
    done, recipe = made
    taken = Stepper.step

    def broken(self, number, batches):
        terms = taken(self, number, batches)
        return {**terms, "shapes": float("nan")} if number == 4 else terms

    monkeypatch.setattr(Stepper, "step", broken)
    with pytest.raises(DataError, match="the loss is not a number at step 5") as error:
        train_products(recipe, tmp_path / "out", device="cpu", threads=1)
    good = tmp_path / "out" / WORK / "mini.safetensors"
    assert str(good) in error.value.__notes__[0]
    assert read_checkpoint(good).card.training["step"] == 3
    monkeypatch.setattr(Stepper, "step", taken)
    fields = sorted((tmp_path / "out" / WORK / "fields").iterdir())
    stamps = [each.stat().st_mtime_ns for each in fields]
    assert len(fields) == 3
    begun = weights_of(str(good))
    other = read_recipe(written(tmp_path), {"train.learning_rate": "1e-4"})
    with pytest.raises(UsageError, match="holds another training that was broken off"):
        train_products(other, tmp_path / "out", device="cpu", threads=1, start=begun)
    assert [each.stat().st_mtime_ns for each in fields] == stamps
    again = train_products(recipe, tmp_path / "out", device="cpu", threads=1)
    whole, part = (read_checkpoint(each.folder / "mini.safetensors") for each in (done, again))
    assert whole.checksum == part.checksum
    assert not (tmp_path / "out" / WORK).exists()


def test_training_begins_with_weights_of_its_model_alone(made, tmp_path, weights):
    done, recipe = made
    start = weights_of(str(done.folder / "mini.safetensors"))
    tuned = train_products(recipe, tmp_path / "tuned", device="cpu", threads=1, start=start)
    assert tuned.card.training["started_from"] == start.checksum
    told = (
        r"the weights .* do not fit the options of the model yolo-dense: "
        r"got 'widths=\[8, 12\], depths=\[1, 1\]'; allowed: widths=\[20, 32\], depths=\[2, 2\]; "
        r"give options.widths, options.depths as the weights have it"
    )
    with pytest.raises(OptionError, match=told):
        train_products(recipe, tmp_path / "other", device="cpu", threads=1, start=weights_of(str(weights)))
