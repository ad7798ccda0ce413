"""`tuning_recipe`: how weights that there are go on to learn from other maps: gently, and as they learnt before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skysift.base.errors import OptionError
from skysift.flow.training.recipe import FieldPlan, Recipe, recipe_of
from skysift.io.open import open_image
from skysift.learn.checkpoint import Card
from skysift.learn.options import TrainOptions

__all__ = ["own_data", "tuning_recipe"]

GENTLE = 0.1  # of the learning rate before, and of the steps
FEWEST, MOST = 200, 1000  # steps
_VALIDATIONS = 8


def own_data(
    image: Path,
    labels: Path,
    *,
    held: float | None = None,
    classes: Mapping[str, str] | None = None,
    corrections: Path | None = None,
    opening: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What a recipe says of one map with its labels.

    Parameters
    ----------
    image, labels
        The files.
    held
        Part of the map that is kept for validation; as recipes have it by default.
    classes
        What names of classes in the labels mean.
    corrections
        Candidates with their verdicts.
    opening
        How the map is read where its header does not say, as `OpeningOptions` has it.
    """
    entry: dict[str, Any] = {"map": str(image.resolve()), "labels": str(labels.resolve())}
    told = {
        "held": held,
        "classes": dict(classes or {}) or None,
        "opening": dict(opening or {}) or None,
        "corrections": None if corrections is None else str(corrections.resolve()),
    }
    return {"fields": [{**entry, **{name: value for name, value in told.items() if value is not None}}]}


def tuning_recipe(
    card: Card,
    written: Mapping[str, Any],
    folder: Path,
    where: str,
    changes: Mapping[str, str] | None = None,
) -> Recipe:
    """
    The recipe by which weights go on.

    Model, its options, and how noise is measured are those of the card; so is the training, with a tenth of its
    learning rate and of its steps, and crops that fit on the maps. What was written goes before that.

    Parameters
    ----------
    card
        Of the weights to begin with.
    written
        What is said of fields and whatever else, as in a recipe.
    folder
        That paths begin from.
    where
        What is told of in errors.
    changes
        ``section.key`` -> value, which goes before all.

    Raises
    ------
    OptionError
        The recipe is for another model, or a key is not allowed.
    UsageError
        A file is not there.
    """
    model = written.get("model", card.model)
    if model != card.model:
        raise OptionError(
            "the recipe is for another model than the weights are of", got=model, allowed=card.model
        )
    train = written.get("train")
    said = {**(train if isinstance(train, dict) else {}), **_section("train", changes)}
    files = [
        str(entry["map"])
        for entry in (written["fields"] if isinstance(written.get("fields"), list) else [])
        if isinstance(entry, dict) and entry.get("map")
    ]
    recipe = {
        "name": f"{card.name}-tuned",
        "task": ", ".join(
            part for part in (card.task, f"tuned on {_names(files)}" if files else "tuned") if part
        ),
        **written,
        "model": card.model,
        "options": _over(card.options, written.get("options")),
        "noise": _over(card.training.get("noise", {}), written.get("noise")),
        "selection": _over(card.training.get("selection", {}), written.get("selection")),
        "train": _over(_gentle(card, said), written.get("train")),
    }
    made = recipe_of(recipe, folder, where, changes)
    if "crop" in said:
        return made
    widest = min((_fits(plan) for plan in made.plans if plan.map), default=made.train.crop)
    if widest >= made.train.crop or widest < 32:
        return made
    return recipe_of({**recipe, "train": {**recipe["train"], "crop": widest}}, folder, where, changes)


def _gentle(card: Card, said: Mapping[str, Any]) -> dict[str, Any]:
    """The training of a card, with lower rates and fewer steps; validated often enough for the steps that were said."""
    known = TrainOptions.model_fields
    old = TrainOptions.parse(
        {name: value for name, value in card.training.get("train", {}).items() if name in known}
    )
    steps = min(max(FEWEST, round(GENTLE * old.steps)), MOST)
    try:
        wanted = int(said.get("steps", steps))
    except (TypeError, ValueError):
        wanted = steps  # the recipe will say what is wrong
    return {
        **old.to_dict(),
        "steps": steps,
        "learning_rate": GENTLE * old.learning_rate,
        "warmup": max(old.warmup, 0.1),
        "validate_every": max(1, -(-wanted // _VALIDATIONS)),
    }


def _over(base: Mapping[str, Any], told: Any) -> Any:
    """A section of a recipe over what it begins from; what is no section is left for the recipe to refuse."""
    return told if told is not None and not isinstance(told, dict) else {**base, **(told or {})}


def _section(name: str, changes: Mapping[str, str] | None) -> dict[str, str]:
    """The changes of one section."""
    begin = f"{name}."
    return {key.removeprefix(begin): value for key, value in (changes or {}).items() if key.startswith(begin)}


def _fits(plan: FieldPlan) -> int:
    """Side of the largest crop that fits on the part of a map that is trained on, a multiple of 32."""
    ny, nx = open_image(plan.map, **plan.opening).shape
    return min(ny - round(plan.held * ny), nx) // 32 * 32


def _names(files: list[str]) -> str:
    names = [Path(each).name for each in files]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
