"""`held_fields`: labelled fields that nothing was learnt from: of a recipe, of a folder, or a map with its labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skysift.base.errors import UsageError
from skysift.base.parallel import Crew
from skysift.flow.training.making import make_fields
from skysift.flow.training.options import OpeningOptions
from skysift.flow.training.recipe import FieldPlan, read_recipe
from skysift.learn.fields import Field, read_field
from skysift.measure.options import NoiseOptions

__all__ = ["held_fields"]

_RECIPES = (".yaml", ".yml")
_FACTS = "field.json"


def held_fields(
    path: Path,
    work: Path,
    crew: Crew,
    *,
    labels: Path | None = None,
    classes: Mapping[str, str] | None = None,
    opening: Mapping[str, Any] | None = None,
    changes: Mapping[str, str] | None = None,
) -> list[Field]:
    """
    Fields with a part that is kept for validation.

    Parameters
    ----------
    path
        A recipe, whose fields for validation are made; a folder of fields that were made; or a map.
    work
        Where fields are made.
    crew
        Who makes them.
    labels
        What is on the map.
    classes
        What names of classes in the labels mean.
    opening
        How the map is read where its header does not say, as `OpeningOptions` has it.
    changes
        Of the recipe, such as ``train.random_seed`` -> "2", which draws other skies.

    Raises
    ------
    UsageError
        There is nothing of this name, or nothing in it is kept for validation.
    """
    if not path.exists():
        raise UsageError("there is no such recipe, folder of fields or map", got=path)
    recipe = path.suffix in _RECIPES
    if labels is not None and (recipe or path.is_dir()):
        raise UsageError("--labels goes with a map", got=path, todo="leave it out: the fields have labels")
    if classes and labels is None:
        raise UsageError("--class goes with --labels", got=path, todo="write it in the recipe, beside `map`")
    if opening and (recipe or path.is_dir()):
        raise UsageError(
            f"--{next(iter(opening)).replace('_', '-')} goes with a map", got=path, todo="leave it out"
        )
    if changes and not recipe:
        raise UsageError("--set goes with a recipe", got=path, allowed="RECIPE.yaml")
    if recipe:
        told = read_recipe(path, changes)
        plans = tuple(plan for plan in told.plans if plan.held > 0.0)
        return make_fields(plans, told.noise, work, crew)
    if path.is_dir():
        folders = (
            [path] if (path / _FACTS).exists() else sorted(each.parent for each in path.glob(f"*/{_FACTS}"))
        )
        fields = [read_field(each) for each in folders]
        kept = [field for field in fields if field.held is not None]
        if not kept:
            raise UsageError(
                "the folder holds no field that is kept for validation",
                got=f"{path}: {len(fields)} fields",
                todo="give DIR/.training/fields of a training, a recipe, or a map with --labels",
            )
        return kept
    if labels is None:
        raise UsageError(
            "a map goes with its labels", got=path, todo="give --labels FILE, or a recipe RECIPE.yaml"
        )
    if not labels.exists():
        raise UsageError("there are no such labels", got=labels)
    read = OpeningOptions.parse(opening or {}).told
    plan = FieldPlan(
        path.name, map=str(path), labels=str(labels), classes=classes or {}, held=1.0, opening=read
    )
    return make_fields((plan,), NoiseOptions(), work, crew)
