"""Every recipe that ships trains: a few steps on small fields of each of its kinds, with its own model and options."""

import os
from pathlib import Path

import pytest
import torch
from tests.conftest import CHECKOUT

from skysift.flow.steps.train import train_products
from skysift.flow.training.recipe import read_recipe, recipe_of, recipe_text
from skysift.learn.checkpoint import read_checkpoint
from skysift.learn.hub import SUFFIX

EVERY = sorted((CHECKOUT / "recipes").glob("*.yaml"))
RECIPES = [path for path in EVERY if "model" in recipe_text(path)]  # others are of other commands
HERE = os.environ.get("SKYSIFT_DATA") is not None


def small(written):
    """The recipe with one small field of each kind; of real maps the smallest, where they are there at all."""
    made, maps = [], []
    for entry in written["fields"]:
        if "map" in entry:
            if HERE:
                maps.append({**entry, **({"number": 1} if "inject" in entry else {})})
            continue
        options = {**entry.get("options", {}), "n_pixels": 192}
        kept = {"number": min(1, entry.get("number", 1)), "validation": min(1, entry.get("validation", 0))}
        made.append({**entry, **kept, "options": options})
    maps.sort(key=lambda entry: Path(os.path.expandvars(entry["map"])).stat().st_size)
    if not any(entry["validation"] for entry in made):
        made[0]["validation"] = 1
    train = {**written.get("train", {}), "steps": 2, "batch": 2, "crop": 64, "validate_every": 2}
    return {**written, "fields": [*made, *maps[:1]], "train": train}


def test_there_is_a_recipe_of_every_family():
    models = {recipe_text(path).get("model") for path in RECIPES}
    assert {"yolo-dense", "unet", "rcnn", "detr"} <= models


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_can_be_read(path, monkeypatch, tmp_path):
    """Names, options and values are allowed; its maps are looked for where SKYSIFT_DATA says."""
    if not HERE and "SKYSIFT_DATA" in path.read_text():
        written = recipe_text(path)
        written = {**written, "fields": [entry for entry in written["fields"] if "map" not in entry]}
        recipe = recipe_of(written, path.parent, path.name)
    else:
        recipe = read_recipe(path)
    assert path.stem.startswith(recipe.told.name)
    assert any(plan.held > 0.0 for plan in recipe.plans)


@pytest.mark.full
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_trains(path, tmp_path):
    torch.set_num_threads(1)
    recipe = recipe_of(small(recipe_text(path)), path.parent, path.name)
    made = train_products(recipe, tmp_path / "out", device="cpu")
    assert made.trained.steps == 2
    read = read_checkpoint(tmp_path / "out" / f"{recipe.told.name}{SUFFIX}")
    assert read.card.model == recipe.told.model
    assert all(torch.isfinite(each).all() for each in read.tensors.values())
