"""`measure_at`: a verb of the package; light, so that menus and help do without the kitchen."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from skysift.base.cluster import hands
from skysift.base.errors import UsageError
from skysift.base.parallel import Crew
from skysift.base.registry import Registry
from skysift.base.settings import settings

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from skysift.find.known import Known
    from skysift.flow.measurements import Measurements
    from skysift.measure.options import MeasureOptions
    from skysift.sky.catalogue import Catalogue
    from skysift.sky.image import SkyImage
    from skysift.sky.table import Table

__all__ = ["measure_at"]


def measure_at(
    maps: SkyImage | str | os.PathLike[str] | Sequence[SkyImage | str | os.PathLike[str]],
    at: str | os.PathLike[str] | Catalogue | Table | tuple[ArrayLike, ArrayLike],
    *,
    table: str = "components",
    labels: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    tile: int | None = None,
    scheduler: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    **options: Any,
) -> Measurements:
    """Fluxes with their signs at the places of a catalogue, on one map or on many.

    >>> done = skysift.measure_at("map.fits", at="field/")                           # doctest: +SKIP
    >>> done.table["flux_int"], done.table["flux_limit"]                             # doctest: +SKIP
    >>> curves = skysift.measure_at(["may.fits", "june.fits"], at="list.srl")        # doctest: +SKIP
    >>> curves.series["eta"]                                                         # doctest: +SKIP

    Parameters
    ----------
    maps
        Maps, as `skysift.open` makes them, or their paths.
    at
        A catalogue: the path of a file or folder, in any layout that is known; a catalogue or one of its tables; or
        right ascensions and declinations (ICRS degrees) of points.
    table
        Which table of a catalogue: components, sources or islands.
    labels
        A map of labels of an earlier run, whose pixels are summed too.
    workers, tile
        Threads, and pixels along the side of what each reads at once; those of the settings by default. No
        number depends on them.
    scheduler
        Address of a Dask scheduler, such as ``tcp://10.0.0.1:8786``, whose workers do the work instead of
        threads of this machine; maps must then be files that they see too.
    progress
        Called as ``progress(stage, done, total)``.
    options
        What is fitted, such as ``fit="position"``; ``skysift options measure`` lists them.

    Raises
    ------
    UsageError
        What was given is no map or no catalogue, or no place lies on any of the maps.
    OptionError
        An option does not exist, or a value is out of bounds.
    TransientError
        The scheduler does not answer, or has no workers.
    """
    chosen: Any = Registry[Any]("step").options("measure")(**options)
    given = [maps] if isinstance(maps, str | os.PathLike) or hasattr(maps, "frame") else list(maps)
    step = Registry[Any]("step").load("measure")(chosen)
    images = [_map(each) for each in given]
    executor, workers = hands(scheduler, workers, travels=all(each.origin is not None for each in images))
    crew = Crew(workers, tile or settings().tile, progress, executor)
    done: Measurements = step.measure(images, _known(at, table, chosen), labels=labels, crew=crew)
    return done


def _map(given: object) -> SkyImage:
    from skysift.io.open import open_image  # late: astropy
    from skysift.sky.image import SkyImage

    image = open_image(given) if isinstance(given, str | os.PathLike) else given
    if not isinstance(image, SkyImage):
        raise UsageError(
            "only maps can be measured on",
            got=type(image),
            allowed="what skysift.open gives for a map, or its path",
        )
    return image


def _known(at: object, table: str, options: MeasureOptions) -> Known:
    from skysift.find.known import known_points  # late: the compiled code
    from skysift.flow.steps.measure import known_of, read_known
    from skysift.sky.catalogue import Catalogue
    from skysift.sky.table import Table

    if isinstance(at, str | os.PathLike):
        return read_known(os.fspath(at), options, table)
    if isinstance(at, Catalogue):
        rows = at.table(table)
        at = at.sources if not len(rows) and table == "components" else rows
    if isinstance(at, Table):
        return known_of(at, options, own=True)
    if isinstance(at, tuple) and len(at) == 2:
        return known_points(*at)
    raise UsageError(
        "there is no such catalogue",
        got=type(at),
        allowed="a path, what skysift.find or skysift.open makes, one of its tables, or (ra, dec) in degrees",
    )
