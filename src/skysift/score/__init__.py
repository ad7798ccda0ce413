"""How good: every number that is claimed of a catalogue, against the truth a sky was made from.

The folder is called as the verb: ``skysift.score(...)`` calls `score` below.
"""

from __future__ import annotations

import inspect
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, overload

from skysift.base.errors import UsageError
from skysift.base.registry import Registry
from skysift.score.several import kinds_of, menus_of

if TYPE_CHECKING:
    from skysift.score.scorer import Report, Scorer
    from skysift.sky.catalogue import Catalogue
    from skysift.sky.truth import Truth

__all__ = ["score"]


@overload
def score(
    catalogue: Catalogue | str | os.PathLike[str],
    truth: Truth | Catalogue | str | os.PathLike[str],
    kind: Literal["counts", "fluxes", "classes", "coco", "sdc1", "sdc2"] | Scorer[Any] = "counts",
    **options: Any,
) -> Report: ...
@overload
def score(
    catalogue: Catalogue | str | os.PathLike[str],
    truth: Truth | Catalogue | str | os.PathLike[str],
    kind: list[str] | tuple[str, ...],
    **options: Any,
) -> tuple[Report, ...]: ...
@overload
def score(
    catalogue: Catalogue | str | os.PathLike[str],
    truth: Truth | Catalogue | str | os.PathLike[str],
    kind: str,
    **options: Any,
) -> Report | tuple[Report, ...]: ...
def score(
    catalogue: Catalogue | str | os.PathLike[str],
    truth: Truth | Catalogue | str | os.PathLike[str],
    kind: str | Scorer[Any] | list[str] | tuple[str, ...] = "counts",
    **options: Any,
) -> Report | tuple[Report, ...]:
    """What a scorer says of a catalogue, against the truth: a report; of several scorers a tuple of reports.

    >>> report = skysift.score(catalogue, truth)                                      # doctest: +SKIP
    >>> report = skysift.score("field", "truth", "fluxes", bright=20)                 # doctest: +SKIP
    >>> counts, fluxes = skysift.score("field", "truth", "counts,fluxes")             # doctest: +SKIP
    >>> report.numbers["flux_bias"], report.tables["flux"]                            # doctest: +SKIP

    Parameters
    ----------
    catalogue
        What was found; or the path of a table, of an output folder of ``skysift find``, or of a list of a data
        challenge.
    truth
        What there is: a truth, a catalogue that is taken for it, or the path of either, or of an output folder of
        ``skysift simulate`` with one truth.
    kind
        Name of a scorer, with `options`, or a scorer that has its options; or several names, as a list or as
        ``"counts,fluxes"``.
    options
        Options of the scorer, of several scorers for all that have them; ``skysift options --kind scorer`` lists them.

    Raises
    ------
    UsageError
        Catalogue or truth are neither, are not there, or lack what the score needs.
    UnknownName, OptionError
        The scorer or one of its options does not exist, or a value is out of bounds.
    """
    # late: numpy and astropy, which the menus of this folder do without
    from skysift.score.opening import open_sides
    from skysift.score.scorer import Scorer

    if isinstance(kind, list | tuple) or (isinstance(kind, str) and "," in kind):
        names = kinds_of(kind if isinstance(kind, str) else ",".join(kind))
        if not names:
            raise UsageError("no scorer is named", got=kind, allowed=Registry[Any]("scorer").names())
        menus = menus_of(names, {"": options})
        sides = open_sides(catalogue, truth)
        return tuple(Registry[Any]("scorer").load(name)(menu).score(*sides) for name, menu in menus.items())
    if isinstance(kind, Scorer):
        if options:
            raise UsageError("a scorer that is made has its options already", got=sorted(options)[0])
        scorer: Scorer[Any] = kind
    else:
        scorer = Registry[Any]("scorer").make(kind, **options)
    return scorer.score(*open_sides(catalogue, truth))


class _ScoreFolder(ModuleType):
    """A folder that can be called, since `skysift.score` is both this folder and the verb of the package."""

    __signature__ = inspect.signature(score)

    def __call__(self, *args: Any, **kwargs: Any) -> Report | tuple[Report, ...]:
        """What one scorer says of a catalogue; see `score`."""
        told: Report | tuple[Report, ...] = score(*args, **kwargs)
        return told


sys.modules[__name__].__class__ = _ScoreFolder
