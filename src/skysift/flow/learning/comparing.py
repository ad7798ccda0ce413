"""A comparison of methods, networks, preparations, sets and tasks: its recipe, and the cells that it falls into."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from skysift.base.errors import FormatError, OptionError, UnknownName, UsageError
from skysift.flow.learning.options import BenchmarkOptions, ProbeOptions, SetOptions, TaskOptions, refuse_idle
from skysift.flow.learning.plan import Plan
from skysift.learn.options import file_name

__all__ = ["Cell", "Comparison", "read_comparison"]

_KEYS = (
    "name",
    "protocol",
    "methods",
    "networks",
    "preparations",
    "sets",
    "tasks",
    "train",
    "views",
    "pool",
    "probe",
)


@dataclass(frozen=True)
class Cell:
    """
    One training, and what it is judged on.

    Attributes
    ----------
    method, network, preparation, set
        Names in the recipe.
    plan
        All that the method is told.
    repeat, fold
        What is left out of the pictures without labels; -1 where one training serves all.
    """

    method: str
    network: str
    preparation: str
    set: str
    plan: Plan
    repeat: int = -1
    fold: int = -1

    @property
    def name(self) -> str:
        """All names in one, which its weights have."""
        part = "" if self.fold < 0 else f"-{self.repeat + 1}.{self.fold + 1}"
        return f"{self.method}-{self.network}-{self.preparation}-{self.set}{part}"


@dataclass(frozen=True)
class Comparison:
    """
    What is compared.

    Attributes
    ----------
    told
        Name and protocol.
    methods
        Method and its options, by name; `networks` among them says with which it is tried, else with all.
    networks, preparations
        Options by name.
    sets, tasks
        Pictures without and with classes, by name.
    train, views, pool
        Options that all share.
    probe
        How features are judged.
    folder
        Which paths of the recipe begin at.
    """

    told: BenchmarkOptions
    methods: Mapping[str, Mapping[str, Any]]
    networks: Mapping[str, Mapping[str, Any]]
    preparations: Mapping[str, Mapping[str, Any]]
    sets: Mapping[str, SetOptions]
    tasks: Mapping[str, TaskOptions]
    train: Mapping[str, Any]
    views: Mapping[str, Any]
    pool: Mapping[str, Any]
    probe: ProbeOptions
    folder: Path

    def cells(self) -> list[Cell]:
        """All trainings."""
        parts = [(-1, -1)]
        if self.told.protocol == "folds":
            parts = [(k, j) for k in range(self.probe.repeats) for j in range(self.probe.folds)]
        made = []
        for method, options in self.methods.items():
            chosen = dict(options)
            of = str(chosen.pop("method", method))
            only = chosen.pop("networks", list(self.networks))
            for network, layers in self.networks.items():
                if network not in only:
                    continue
                for preparation, steps in self.preparations.items():
                    plan = Plan.of(of, _keys(chosen, layers, steps, self.train, self.views, self.pool))
                    made += [
                        Cell(method, network, preparation, one, plan, *part)
                        for one in self.sets
                        for part in parts
                    ]
        return made

    def path(self, text: str) -> Path:
        """Where a path of the recipe leads."""
        return self.folder / Path(os.path.expandvars(text)).expanduser()

    def probing(self, task: str) -> ProbeOptions:
        """How a task is judged: by its own folds, where it names some."""
        fixed = self.tasks[task].fixed or self.probe.fixed
        if fixed is not None and self.path(fixed).is_file():
            fixed = str(self.path(fixed))
        return self.probe.replace(fixed=fixed)

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON-safe values."""
        return {
            **self.told.to_dict(),
            "methods": {name: dict(each) for name, each in self.methods.items()},
            "networks": {name: dict(each) for name, each in self.networks.items()},
            "preparations": {name: dict(each) for name, each in self.preparations.items()},
            "sets": {name: each.to_dict() for name, each in self.sets.items()},
            "tasks": {name: each.to_dict() for name, each in self.tasks.items()},
            "train": dict(self.train),
            "views": dict(self.views),
            "pool": dict(self.pool),
            "probe": self.probe.to_dict(),
        }


def _keys(
    method: Mapping[str, Any],
    network: Mapping[str, Any],
    preparation: Mapping[str, Any],
    train: Mapping[str, Any],
    views: Mapping[str, Any],
    pool: Mapping[str, Any],
) -> dict[str, Any]:
    """Keys of a plan; what a method says of a group, such as ``train.epochs``, counts before what all share."""
    groups = {"encoder": network, "prepare": preparation, "train": train, "views": views, "pool": pool}
    shared = {f"{group}.{key}": value for group, values in groups.items() for key, value in values.items()}
    return {**shared, **method}


def read_comparison(path: Path, changes: Mapping[str, str] | None = None) -> Comparison:
    """The comparison of a YAML file.

    Parameters
    ----------
    path
        The file; paths in it begin at its folder.
    changes
        Keys such as ``train.epochs`` or ``protocol``, with values that take the place of those of the file.

    Raises
    ------
    UsageError
        There is no such file, or a part that is needed is missing.
    FormatError
        It is no YAML of keys and values.
    OptionError
        A key is not known, or a value is not allowed.
    """
    if not path.is_file():
        raise UsageError("there is no such recipe", got=str(path), allowed="a YAML file")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise FormatError("the recipe is no YAML", got=path.name) from error
    if not isinstance(content, dict):
        raise FormatError("the recipe holds no keys and values", got=path.name, allowed=", ".join(_KEYS))
    for key, text in (changes or {}).items():
        group, point, name = key.rpartition(".")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise OptionError("a value is no YAML", got=f"{key}={text}") from error
        if point:
            content[group] = {**_held(content, group), name: value}
        else:
            content[key] = value
    unknown = [key for key in content if key not in _KEYS]
    if unknown:
        raise OptionError("the recipe has a key that is not known", got=unknown[0], allowed=_KEYS)
    for key in ("methods", "sets", "tasks"):
        if not content.get(key):
            raise UsageError(f"the recipe names no {key}", got=path.name, allowed="one or more, by name")
    named = {key: _named(content, key) for key in _KEYS[2:]}
    made = Comparison(
        BenchmarkOptions.parse({key: content[key] for key in ("name", "protocol") if key in content}),
        named["methods"],
        named["networks"] or {"resnet": {}},
        named["preparations"] or {"asinh": {}},
        {name: SetOptions.parse(each) for name, each in named["sets"].items()},
        {name: TaskOptions.parse(each) for name, each in named["tasks"].items()},
        named["train"],
        named["views"],
        named["pool"],
        ProbeOptions.parse(named["probe"]),
        path.parent,
    )
    refuse_idle(made.probe)
    for name, each in made.sets.items():
        if not each.pictures and not each.maps:
            raise UsageError("a set of the recipe has neither pictures nor maps", got=name)
    for name, task in made.tasks.items():
        if not task.pictures:
            raise UsageError("a task of the recipe has no pictures", got=name)
    for group, names in (("methods", made.methods), ("networks", made.networks), ("sets", made.sets),
                         ("preparations", made.preparations)):  # fmt: skip
        for name in names:
            file_name(name, f"a name of the {group} of the recipe")
    for method, told in made.methods.items():
        wrong = [each for each in told.get("networks", ()) if each not in made.networks]
        if wrong:
            raise UnknownName(
                f"methods.{method} names a network that the recipe lacks",
                got=wrong[0],
                allowed=[*made.networks],
            )
    made.cells()  # wrong options are told before anything runs
    return made


def _named(content: Mapping[str, Any], key: str) -> dict[str, Any]:
    values = _held(content, key)
    if key not in ("methods", "networks", "preparations", "sets", "tasks"):
        return {str(name): each for name, each in values.items()}
    for name, each in values.items():
        if not isinstance(each, dict | None):
            raise OptionError(
                f"{key}.{name} of the recipe is not allowed", got=each, allowed="keys and values"
            )
    return {str(name): each or {} for name, each in values.items()}


def _held(content: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Keys and values of a part; of a list names without any."""
    values = content.get(key) or {}
    if isinstance(values, list):
        values = {str(each): {} for each in values}
    if not isinstance(values, dict):
        raise OptionError(f"{key} of the recipe is not allowed", got=values, allowed="keys and values")
    return values
