"""`score_all`: one catalogue by several scorers, those that can say something about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skysift.base.errors import UsageError
from skysift.base.options import Options
from skysift.base.registry import Registry
from skysift.score.scorer import Report
from skysift.sky.catalogue import Catalogue
from skysift.sky.truth import Truth

__all__ = ["score_all"]


def score_all(
    menus: Mapping[str, Options], catalogue: Catalogue, truth: Truth
) -> tuple[list[Report], dict[str, UsageError]]:
    """The reports of those scorers that could score, and for each of the others why it could not.

    Parameters
    ----------
    menus
        Name of a scorer -> its options.
    catalogue, truth
        What is compared.

    Raises
    ------
    UsageError
        Not one of the scorers could.
    """
    reports: list[Report] = []
    refused: dict[str, UsageError] = {}
    for name, menu in menus.items():
        try:
            reports.append(Registry[Any]("scorer").load(name)(menu).score(catalogue, truth))
        except UsageError as error:
            refused[name] = error
    if not reports:
        raise next(iter(refused.values()))
    return reports, refused
