"""The options of the clusterers and outliers that an exploration uses, and those that do nothing in it; light."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from skysift.base.errors import OptionError, UsageError
from skysift.base.options import Options
from skysift.base.registry import Registry
from skysift.explore.options import USUAL, ExploreOptions

__all__ = ["Menus", "menus_of", "refuse_idle"]

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
    UsageError
        Options are given for a method that is not asked for.
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


def refuse_idle(options: ExploreOptions, *, tables: int, pictures: bool) -> None:
    """Refuse options that differ from their defaults and do nothing.

    Parameters
    ----------
    options
        How a sample is explored.
    tables
        How many tables of features there are.
    pictures
        Whether there are pictures of the sources.

    Raises
    ------
    OptionError
        An option does nothing; it says why.
    """
    without = {
        ("without pictures", "give pictures"): not pictures and ("thumbs", "thumb", "cut"),
        ("with map=pca", "take map=umap"): options.map == "pca" and ("min_dist",),
        ("with one table", "give another table"): tables == 1 and ("apart",),
    }
    for (why, todo), names in without.items():
        for name in names or ():
            value = getattr(options, name)
            if value != ExploreOptions.model_fields[name].default:
                raise OptionError(
                    f"{name} does nothing {why}", got=f"{name}={value}", todo=f"{todo}, or leave it out"
                )
