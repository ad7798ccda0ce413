"""How good: every number that is claimed of a catalogue, against the truth a sky was made from.

The folder is called as the verb: ``skysift.score(...)`` calls `score` below.
"""

from __future__ import annotations

import inspect
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from skysift.base.errors import UsageError
from skysift.base.registry import Registry

if TYPE_CHECKING:
    from skysift.score.scorer import Report, Scorer
    from skysift.sky.catalogue import Catalogue
    from skysift.sky.truth import Truth

__all__ = ["score"]


def score(
    catalogue: Catalogue | str | os.PathLike[str],
    truth: Truth | Catalogue | str | os.PathLike[str],
    kind: str | Scorer[Any] = "counts",
    **options: Any,
) -> Report:
    """What one scorer says of a catalogue, against the truth.

    >>> report = skysift.score(catalogue, truth)                                      # doctest: +SKIP
    >>> report = skysift.score("field", "truth", "fluxes", bright=20)                 # doctest: +SKIP
    >>> report.numbers["flux_bias"], report.tables["flux"]                            # doctest: +SKIP

    Parameters
    ----------
    catalogue
        What was found; or the path of a table, of an output folder of ``skysift find``, or of a list of a data
        challenge.
    truth
        What there is: a truth, a catalogue that is taken for it, or the path of either.
    kind
        Name of a scorer, with `options`, or a scorer that has its options.
    options
        Options of the scorer; ``skysift options --kind scorer`` lists them.

    Raises
    ------
    UsageError
        Catalogue or truth are neither, are not there, or lack what the score needs.
    UnknownName, OptionError
        The scorer or one of its options does not exist, or a value is out of bounds.
    """
    # late: numpy and astropy, which the menus of this folder do without
    from skysift.score.opening import open_catalogue, open_truth
    from skysift.score.scorer import Scorer

    if isinstance(kind, Scorer):
        if options:
            raise UsageError("a scorer that is made has its options already", got=sorted(options)[0])
        scorer: Scorer[Any] = kind
    else:
        scorer = Registry[Any]("scorer").make(kind, **options)
    return scorer.score(open_catalogue(catalogue), open_truth(truth))


class _ScoreFolder(ModuleType):
    """A folder that can be called, since `skysift.score` is both this folder and the verb of the package."""

    __signature__ = inspect.signature(score)

    def __call__(self, *args: Any, **kwargs: Any) -> Report:
        """What one scorer says of a catalogue; see `score`."""
        return score(*args, **kwargs)


sys.modules[__name__].__class__ = _ScoreFolder
