"""Where: every finder, behind one door. The folder is itself the verb: ``skysift.find(...)`` calls `find` below."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from skysift.base.cluster import hands
from skysift.base.errors import RegionError, UsageError
from skysift.base.settings import settings

if TYPE_CHECKING:
    from skysift.find.beside import Beside, MapLike
    from skysift.find.finder import Finder
    from skysift.find.stokes import StokesGiven
    from skysift.sky.box import Region
    from skysift.sky.catalogue import Catalogue
    from skysift.sky.image import SkyImage

__all__ = ["find"]


def find(
    image: SkyImage | str | os.PathLike[str],
    finder: str | Finder[Any] = "classic",
    *,
    workers: int | None = None,
    tile: int | None = None,
    region: Region | str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    scheduler: str | None = None,
    stokes: StokesGiven | None = None,
    taylor: MapLike | Sequence[MapLike] | None = None,
    channels: MapLike | Sequence[MapLike] | None = None,
    **options: Any,
) -> Catalogue:
    """The catalogue of a map: islands, sources, components.

    >>> catalogue = skysift.find("map.fits", seed=4.5)                               # doctest: +SKIP
    >>> catalogue = skysift.find(image, "classic", region="49.5,-36,10arcmin")       # doctest: +SKIP

    Parameters
    ----------
    image
        The map, as `skysift.open` or `SkyImage.from_array` makes it, or the path of a FITS map.
    finder
        Name of a finder, with `options`, or a finder that has its options.
    workers, tile
        Threads, and pixels along the side of what each reads at once; those of the settings by default. No
        number depends on them.
    region
        The part of the map to search, as text: ``x0,x1,y0,y1`` in pixels (half-open) or ``RA,DEC,RADIUS``.
    progress
        Called as ``progress(stage, done, total)``.
    scheduler
        Address of a Dask scheduler, such as ``tcp://10.0.0.1:8786``, whose workers do the work instead of
        threads of this machine. They read the map themselves, at the same path or URL.
    stokes
        Maps of Stokes Q, U and V, on the pixels of the map, to measure what was found on: a list of paths (``"Q=q.fits"``
        where the header does not tell), a cube, ``"same"`` for the other planes of the map's own cube, or a mapping
        from ``Q``, ``U``, ``V`` to maps.
    taylor
        The Taylor term tt1 of the map, or tt1 and tt2, on its pixels: they give spectral indices.
    channels
        Cubes along frequency, or maps of one frequency, to fit spectra to; the map itself where it is to be one.
    options
        Options of the finder, such as ``seed=4.5``; ``skysift options`` lists them.

    Raises
    ------
    UsageError
        What was given is no map.
    RegionError
        The region cannot be read, or does not meet the map.
    UnknownName, OptionError
        The finder or one of its options does not exist, or a value is out of bounds.
    HeaderError
        A further map has no beam, or a channel no frequency.
    TransientError
        The scheduler does not answer, or has no workers.
    """
    # late: astropy and the compiled code, which the menus of this folder do without
    from skysift.find.channels import Channels
    from skysift.find.run import find as search
    from skysift.find.stokes import StokesMaps
    from skysift.find.taylor import TaylorTerms
    from skysift.io.open import open_image
    from skysift.sky.box import PixelRegion, SkyRegion, parse_region
    from skysift.sky.image import SkyImage

    if isinstance(image, str | os.PathLike):
        image = open_image(image)
    if not isinstance(image, SkyImage):
        raise UsageError(
            "only maps can be searched",
            got=type(image),
            allowed="what skysift.open gives for a map, or its path",
            todo="an array becomes one by SkyImage.from_array(data, beam=(major, minor, pa), pixel_scale=arcsec)",
        )
    if isinstance(region, str):
        region = parse_region(region)
    if not isinstance(region, PixelRegion | SkyRegion | None):
        raise RegionError(
            "a region is a text",
            got=region,
            allowed="such as '0,400,0,300' (x0,x1,y0,y1) or '49.5,-36,10arcmin'",
        )
    beside: list[Beside] = []
    if taylor is not None:
        beside.append(TaylorTerms(_several(taylor)))
    if channels is not None:
        beside.append(Channels(_several(channels)))
    if stokes is not None:
        beside.append(StokesMaps.of(stokes, image))
    executor, workers = hands(scheduler, workers, travels=image.origin is not None)
    return search(
        image,
        finder,
        workers=workers,
        tile=tile or settings().tile,
        region=region,
        progress=progress,
        executor=executor,
        beside=beside,
        **options,
    )


def _several(given: MapLike | Sequence[MapLike]) -> tuple[MapLike, ...]:
    """The maps of a list, or the one that was given."""
    if isinstance(given, list | tuple):
        return tuple(given)
    return (given,)  # type: ignore[return-value]


class _FindFolder(ModuleType):
    """A folder that can be called, since `skysift.find` is both this folder and the verb of the package."""

    __signature__ = inspect.signature(find)

    def __call__(self, *args: Any, **kwargs: Any) -> Catalogue:
        """The catalogue of a map; see `find`."""
        return find(*args, **kwargs)


sys.modules[__name__].__class__ = _FindFolder
