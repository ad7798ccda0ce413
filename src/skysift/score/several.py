"""`kinds_of` and `menus_of`: several scorers at once, by their names and with their options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from skysift.base.errors import OptionError
from skysift.base.options import Options
from skysift.base.registry import Registry

__all__ = ["Layer", "kinds_of", "menus_of"]

Layer: TypeAlias = Mapping[str, Mapping[str, object]]
"""Kind -> option -> value; values for all kinds under an empty name."""


def kinds_of(text: str) -> tuple[str, ...]:
    """The names in a text such as ``counts,fluxes``, each once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def menus_of(names: Sequence[str], *layers: Layer) -> dict[str, Options]:
    """The options of each scorer; of several layers of values a later one wins.

    Parameters
    ----------
    names
        The scorers.
    layers
        Kind -> option -> value; values for all kinds that have the option stand under an empty name.

    Raises
    ------
    OptionError
        An option does not exist in any of the scorers, or a value is not allowed.
    """
    registry = Registry[Any]("scorer")
    menus = {name: registry.options(name) for name in names}
    known = {key for menu in menus.values() for key in menu.model_fields}
    made = {}
    for name, menu in menus.items():
        values: dict[str, object] = {}
        for layer in layers:
            for key, value in layer.get("", {}).items():
                if key not in known:
                    raise OptionError(
                        f"no scorer of {', '.join(names)} has such an option", got=key, allowed=sorted(known)
                    )
                if key in menu.model_fields:
                    values[key] = value
            values |= layer.get(name, {})
        made[name] = menu.parse(values)
    return made
