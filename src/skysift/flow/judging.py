"""`judge`: a verb of the package; light, so that menus and help do without the kitchen."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skysift.base.errors import UsageError
from skysift.base.parallel import Crew
from skysift.base.registry import Registry
from skysift.base.settings import settings

if TYPE_CHECKING:
    from skysift.sky.catalogue import Catalogue
    from skysift.sky.image import SkyImage
    from skysift.sky.table import Table

__all__ = ["judge"]


def judge(
    catalogue: str | os.PathLike[str] | Catalogue | Table,
    image: SkyImage | str | os.PathLike[str],
    *,
    table: str = "sources",
    workers: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    **options: Any,
) -> Table:
    """The table of a catalogue with what a network says of its rows: ``class``, ``class_score`` and ``score``.

    >>> judged = skysift.judge("pybdsf.srl.fits", "map.fits", weights="mine.safetensors")   # doctest: +SKIP
    >>> real = judged[(judged["score"] > 0.5) & (judged["class"] != "spurious")]             # doctest: +SKIP

    Parameters
    ----------
    catalogue
        The path of a file or folder, in any layout that is known; a catalogue or one of its tables.
    image
        The map, or its path.
    table
        Which table of a catalogue: sources, components or islands.
    workers
        How many windows are looked at at once; no number depends on it.
    progress
        Called as ``progress(stage, done, total)``.
    options
        Which network and how near, such as ``weights="yolo"``; ``skysift options judge`` lists them.

    Raises
    ------
    UsageError
        What was given is no catalogue or no map, or no row lies on the map.
    OptionError
        An option does not exist, or a value is out of bounds.
    DataError
        The weights are of a model that no finder looks through.
    """
    chosen: Any = Registry[Any]("step").options("judge")(**options)
    step = Registry[Any]("step").load("judge")(chosen)
    from skysift.flow.steps.match import records  # late: astropy
    from skysift.io.layouts.reading import read_any
    from skysift.io.open import open_image
    from skysift.sky.catalogue import Catalogue
    from skysift.sky.image import SkyImage
    from skysift.sky.table import Table

    inputs: tuple[Any, ...] = ()
    rows: object = catalogue
    if isinstance(catalogue, str | os.PathLike):
        rows, inputs = read_any(Path(catalogue), table=table), records([Path(catalogue)])
    elif isinstance(catalogue, Catalogue):
        rows = catalogue.table(table)
    if not isinstance(rows, Table):
        raise UsageError(
            "there is no such catalogue",
            got=type(catalogue),
            allowed="a path, what skysift.find or skysift.open makes, or one of its tables",
        )
    sky = open_image(image) if isinstance(image, str | os.PathLike) else image
    if not isinstance(sky, SkyImage):
        raise UsageError("only maps can be looked at", got=type(image), allowed="a map, or its path")
    crew = Crew(workers or settings().workers, settings().tile, progress)
    judged: Table = step.judge(rows, sky, inputs=inputs, crew=crew).table
    return judged
