"""`Recipe`: what is trained on what; read from YAML and checked before anything runs."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from skysift.base.errors import FormatError, OptionError, UsageError
from skysift.base.options import Options
from skysift.base.random import generator
from skysift.base.registry import Registry
from skysift.flow.options import InjectMapOptions
from skysift.flow.training.options import FieldsOptions, OpeningOptions, RecipeOptions
from skysift.learn.options import SelectionOptions, TrainOptions
from skysift.measure.options import NoiseOptions

__all__ = ["FieldPlan", "Recipe", "read_recipe", "recipe_of", "recipe_text"]

_DRAWS = ("between", "log", "choice")


@dataclass(frozen=True)
class FieldPlan:
    """
    One field to be made.

    Attributes
    ----------
    name
        Of the field.
    simulator, options
        What makes it, with all options; or
    map, labels, classes, corrections
        the files it is made from, what names of classes in them mean, and candidates with verdicts; or
    map, inject, real
        a map, the options of the sources that are put into it, and how reliable what is left as real is.
    held
        Part that is kept for validation: 1 for a field that is not trained on.
    opening
        How the map is read where its header does not say, as `skysift.io.open.open_image` takes it.
    """

    name: str
    simulator: str = ""
    options: Mapping[str, Any] | None = None
    map: str = ""
    labels: str = ""
    classes: Mapping[str, str] = field(default_factory=dict)
    held: float = 0.0
    inject: Mapping[str, Any] | None = None
    real: float = 0.0
    corrections: str = ""
    opening: Mapping[str, Any] = field(default_factory=dict)

    @property
    def named_files(self) -> dict[str, Path]:
        """The files it is made from, by what they are: ``map``, ``labels``, ``corrections``."""
        told = {"map": self.map, "labels": self.labels, "corrections": self.corrections}
        return {name: Path(each) for name, each in told.items() if each}

    @property
    def files(self) -> tuple[Path, ...]:
        """The files it is made from."""
        return tuple(self.named_files.values())

    def to_dict(self) -> dict[str, Any]:
        """What decides the field, JSON-safe."""
        opened: dict[str, Any] = {"opening": dict(self.opening)} if self.opening else {}
        if self.simulator:
            return {
                "name": self.name,
                "simulator": self.simulator,
                "options": dict(self.options or {}),
                "held": self.held,
            }
        if self.inject is not None:
            return {
                "name": self.name,
                "map": Path(self.map).name,
                **opened,
                "inject": dict(self.inject),
                "real": self.real,
                "held": self.held,
            }
        return {
            "name": self.name,
            "map": Path(self.map).name,
            **opened,
            "labels": Path(self.labels).name,
            **({"classes": dict(self.classes)} if self.classes else {}),
            **({"corrections": Path(self.corrections).name} if self.corrections else {}),
            "held": self.held,
        }


@dataclass(frozen=True)
class Recipe:
    """
    A recipe whose names, options and files were checked.

    Attributes
    ----------
    told
        What was written.
    model
        Options of the model.
    train, noise
        How it learns, and how noise is measured.
    plans
        The fields, one by one.
    selection
        Which labels are learnt.
    """

    told: RecipeOptions
    model: Options
    train: TrainOptions
    noise: NoiseOptions
    plans: tuple[FieldPlan, ...]
    selection: SelectionOptions = field(default_factory=SelectionOptions)

    def to_dict(self) -> dict[str, Any]:
        """All that decides the weights, JSON-safe."""
        return {
            "model": self.told.model,
            "options": self.model.to_dict(),
            "train": self.train.to_dict(),
            "noise": self.noise.to_dict(),
            **({"selection": self.selection.to_dict()} if self.selection != SelectionOptions() else {}),
            "fields": [plan.to_dict() for plan in self.plans],
        }


def read_recipe(path: Path, changes: Mapping[str, str] | None = None) -> Recipe:
    """A recipe from a YAML file.

    Parameters
    ----------
    path
        Of the file.
    changes
        ``section.key`` -> value, such as ``train.steps`` -> "100", in place of what the file says.

    Raises
    ------
    UsageError
        There is no such file, or a map that it names is not there.
    FormatError
        It is not YAML, or no mapping.
    OptionError
        A key does not exist or is not allowed.
    """
    return recipe_of(recipe_text(path), path.parent, path.name, changes)


def recipe_text(path: Path) -> dict[str, Any]:
    """What a recipe file says, not yet checked.

    Raises
    ------
    UsageError
        There is no such file.
    FormatError
        It is not YAML, or no mapping.
    """
    if not path.is_file():
        raise UsageError("there is no such recipe", got=path)
    try:
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FormatError("the recipe is not YAML", got=path.name) from error
    if not isinstance(written, dict):
        raise FormatError(
            "a recipe is a mapping of keys to values", got=f"{path.name}: {type(written).__name__}"
        )
    return written


def recipe_of(
    written: Mapping[str, Any], folder: Path, where: str, changes: Mapping[str, str] | None = None
) -> Recipe:
    """A recipe from what was written.

    Parameters
    ----------
    written
        As in a file.
    folder
        That paths of maps and labels begin from.
    where
        What is told of in errors.
    changes
        As `read_recipe` takes them.

    Raises
    ------
    UsageError
        A map that it names is not there.
    OptionError
        A key does not exist or is not allowed.
    """
    written = dict(written)
    for name, value in (changes or {}).items():
        section, _, key = name.partition(".")
        if key and section in ("options", "train", "noise", "selection"):
            written[section] = {**(written.get(section) or {}), key: value}
        elif not key and section in ("name", "task", "model"):
            written[section] = value
        else:
            raise OptionError(
                "no such part of a recipe can be set",
                got=name,
                allowed="name, task, model, options.KEY, train.KEY, noise.KEY, selection.KEY",
            )
    told = RecipeOptions.parse({key: {} if value is None else value for key, value in written.items()})
    registry = Registry[Any]("model")
    model = _in("options", registry.options(told.model), told.options)
    train = _in("train", TrainOptions, told.train)
    noise = _in("noise", NoiseOptions, told.noise)
    selection = _in("selection", SelectionOptions, told.selection)
    if not told.fields:
        raise OptionError(
            "the recipe names no fields", got=where, todo="add `fields:` with a simulator or a map"
        )
    plans = []
    for number, entry in enumerate(told.fields):
        kind = _in(f"fields[{number}]", FieldsOptions, entry)
        plans += _plans(kind, number, train.random_seed, folder)
    if not any(plan.held > 0.0 for plan in plans):
        raise OptionError(
            "no field is kept for validation",
            got=where,
            todo="give `validation: 2` with a simulator, or a map with `held`",
        )
    if all(plan.held >= 1.0 for plan in plans):
        raise OptionError("all fields are kept for validation", got=where, todo="give a larger `number`")
    return Recipe(told, model, train, noise, tuple(plans), selection)


def _in(where: str, menu: type[Any], values: Mapping[str, Any]) -> Any:
    """Options of a part of the recipe; an error says which part."""
    try:
        return menu.parse(values)
    except OptionError as error:
        told = OptionError(f"{where} of the recipe: {error.wrong}", allowed=error.allowed, todo=error.todo)
        told.got = error.got
        raise told from None


def _plans(kind: FieldsOptions, number: int, seed: int, folder: Path) -> list[FieldPlan]:
    """The fields of one entry."""
    for part, written in (("options", kind.options), ("vary", kind.vary), ("inject", kind.inject or {})):
        if "random_seed" in written:
            raise OptionError(
                f"fields[{number}].{part} of the recipe: every field has a seed of its own",
                got="random_seed",
                todo="leave it out; train.random_seed decides all of them",
            )
    if kind.map is not None:
        place = _there("map", kind.map, folder)
        opening = _in(f"fields[{number}].opening", OpeningOptions, kind.opening).told
        if kind.inject is not None:
            return _injected(kind, place, number, seed, opening)
        labels = _there("labels", str(kind.labels), folder)
        decided = "" if kind.corrections is None else _there("corrections", kind.corrections, folder)
        return [
            FieldPlan(
                f"map-{number}",
                map=place,
                labels=labels,
                classes=kind.classes,
                held=kind.held,
                corrections=decided,
                opening=opening,
            )
        ]
    simulator = str(kind.simulator)
    menu = Registry[Any]("simulator").options(simulator)
    plans = []
    for k in range(kind.number + kind.validation):
        rng = generator(seed, "fields", str(number), str(k))
        chosen = {**kind.options, **{name: _drawn(name, how, rng) for name, how in kind.vary.items()}}
        chosen["random_seed"] = int(rng.integers(1, 2**31))
        made = _in(f"fields[{number}].options", menu, chosen)
        if kind.sampling is not None:
            made = _sampled(made, float(rng.uniform(*kind.sampling)))
        held = 1.0 if k >= kind.number else 0.0
        plans.append(FieldPlan(f"{simulator}-{number}-{k}", simulator, made.to_dict(), held=held))
    return plans


def _there(what: str, written: str, folder: Path) -> str:
    """The path of a file of the recipe."""
    path = folder / os.path.expandvars(written)
    if not path.exists():
        unset = re.findall(r"\$\{?(\w+)", str(path))
        raise UsageError(
            f"the {what} of the recipe is not there",
            got=path,
            todo=f"set {unset[0]} in the environment: it is the folder of the data" if unset else None,
        )
    return str(path)


def _injected(
    kind: FieldsOptions, place: str, number: int, seed: int, opening: Mapping[str, Any]
) -> list[FieldPlan]:
    """A map with made sources, again and again."""
    plans = []
    for k in range(kind.number):
        rng = generator(seed, "fields", str(number), str(k))
        chosen = {**(kind.inject or {}), "random_seed": int(rng.integers(1, 2**31))}
        made = _in(f"fields[{number}].inject", InjectMapOptions, chosen)
        plans.append(
            FieldPlan(
                f"map-{number}-{k}",
                map=place,
                inject=made.to_dict(),
                real=kind.real,
                held=kind.held,
                opening=opening,
            )
        )
    return plans


def _sampled(options: Any, share: float) -> Any:
    """Options with pixels that are this part of the beam's minor axis."""
    beam = options.beam
    if beam is None:
        beam = 0.6 * 1.4e9 / options.frequencies[0]
    minor = min(beam[:2]) if isinstance(beam, tuple) else beam
    return options.replace(beam=beam, pixel=share * minor)


def _drawn(name: str, how: object, rng: np.random.Generator) -> object:
    """A value as `vary` says."""
    if not isinstance(how, dict) or len(how) != 1 or next(iter(how)) not in _DRAWS:
        raise OptionError(
            f"vary does not say how {name} is drawn",
            got=how,
            allowed="{between: [a, b]}, {log: [a, b]} or {choice: [a, b, c]}",
        )
    kind, values = next(iter(how.items()))
    if not isinstance(values, list) or not values or (kind != "choice" and len(values) != 2):
        raise OptionError(
            f"vary has no usable values for {name}", got=values, allowed="a list; two numbers for a range"
        )
    if kind == "choice":
        return values[int(rng.integers(len(values)))]
    try:
        low, high = (float(value) for value in values)
    except (TypeError, ValueError):
        raise OptionError(
            f"vary has no usable values for {name}", got=values, allowed="two numbers"
        ) from None
    if not low <= high or (kind == "log" and low <= 0.0):
        raise OptionError(
            f"vary has no usable range for {name}", got=values, allowed="the smaller first; above 0 for log"
        )
    if kind == "log":
        return float(math.exp(rng.uniform(math.log(low), math.log(high))))
    return float(rng.uniform(low, high))
