"""`menus_of`: the options of the clusterers and outliers that an exploration uses, checked; light."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from skysift.base.errors import UsageError
from skysift.base.options import Options
from skysift.base.registry import Registry
from skysift.explore.options import USUAL, ExploreOptions

__all__ = ["Menus", "menus_of"]

Menus: TypeAlias = Mapping[tuple[str, str], Options]
"""(kind, name) -> options of a clusterer or an outlier."""


def menus_of(options: ExploreOptions, given: Mapping[str, Mapping[str, object]] | None = None) -> Menus:
    """The options of all clusterers and outliers that are asked for.

    Parameters
    ----------
    options
        Which are.
    given
        What differs from their defaults, by name.

    Raises
    ------
    UnknownName
        There is no such clusterer or outlier.
    OptionError
        An option does not exist or is not allowed.
    """
    found: dict[tuple[str, str], Options] = {}
    for kind, names in (("clusterer", options.clusterers), ("outlier", options.outliers or USUAL)):
        registry = Registry[Any](kind)
        for name in names:
            registry.path(name)
            values = (given or {}).get(name, {})
            found[kind, name] = (
                registry.options(name).parse(values) if registry.has_options(name) else Options()
            )
    unused = sorted(set(given or {}) - {name for _, name in found})
    if unused:
        raise UsageError(
            "options are given for a method that is not used",
            got=unused[0],
            allowed=[name for _, name in found],
        )
    return found
