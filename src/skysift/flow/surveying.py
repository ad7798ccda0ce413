"""`survey`: a verb of the package; light, so that menus and help do without the kitchen."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skysift.flow.survey_result import Survey

__all__ = ["survey"]


def survey(
    config: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    workers: int | None = None,
    tile: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    scheduler: str | None = None,
) -> Survey:
    """Many overlapping maps, one catalogue: the survey of a configuration file, after its products were written.

    >>> done = skysift.survey("survey.yaml", "out")                                  # doctest: +SKIP
    >>> sources = done.catalogue.sources                                             # doctest: +SKIP
    >>> sources[sources["primary"]].to_astropy()                                     # doctest: +SKIP

    Parameters
    ----------
    config
        The configuration, a YAML file; ``skysift survey --example`` prints one.
    out
        The folder of the products; fields go into ``fields/NAME`` inside it.
    overwrite
        Replace products of an earlier run; fields that would come out the same are kept.
    workers, tile
        Threads, and pixels along the side of what each reads at once; those of the settings by default. No number
        depends on them.
    progress
        Called as ``progress(stage, done, total)``.
    scheduler
        Address of a Dask scheduler whose workers search the fields.

    Raises
    ------
    UsageError, OptionError
        The configuration cannot be read, or something in it is wrong.
    DataError
        No field could be searched; one that fails stands in `failed` of the result.
    OutputError
        The folder holds other products and `overwrite` is off, or cannot be written.
    """
    from skysift.flow.steps.survey import SurveyStep  # late: the kitchen
    from skysift.flow.survey_config import read_config

    plan = read_config(Path(config))
    step = SurveyStep(plan.options)
    return step.write(
        plan.fields,
        plan.references,
        Path(out),
        overwrite=overwrite,
        workers=workers,
        tile=tile,
        progress=progress,
        scheduler=scheduler,
    )
