"""`completeness` and `inject`: verbs of the package; light, so that menus and help do without the kitchen."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from skysift.base.errors import UsageError
from skysift.base.registry import Registry
from skysift.base.settings import settings

if TYPE_CHECKING:
    from skysift.find.finder import Finder
    from skysift.flow.steps.completeness import Completeness
    from skysift.sky.image import SkyImage
    from skysift.sky.truth import Truth

__all__ = ["completeness", "inject"]


def completeness(
    image: SkyImage | str | os.PathLike[str],
    finder: str | Finder[Any] = "classic",
    finder_options: Mapping[str, Any] | None = None,
    *,
    workers: int | None = None,
    tile: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    **options: Any,
) -> Completeness:
    """How many of the sources that are put into a map a finder finds: report, made sources, what became of them.

    >>> done = skysift.completeness(image, number=300)                               # doctest: +SKIP
    >>> done.report.numbers["flux_80"], done.recovery.found.mean()                   # doctest: +SKIP
    >>> deep = skysift.completeness(image, "classic", {"seed": 4.5})                 # doctest: +SKIP

    Parameters
    ----------
    image
        The map, as `skysift.open` or `SkyImage.from_array` makes it, or the path of a FITS map.
    finder
        Name of a finder, or a finder that has its options.
    finder_options
        Options of a finder that is named.
    workers, tile
        Threads, and pixels along the side of what each reads at once; those of the settings by default. No
        number depends on them.
    progress
        Called as ``progress(stage, done, total)``.
    options
        What is made and what counts as found, such as ``number=300``; ``skysift options completeness`` lists them.

    Raises
    ------
    UsageError
        What was given is no map, or holds no data.
    UnknownName, OptionError
        The finder or an option does not exist, or a value is out of bounds.
    """
    chosen = Registry[Any]("step").options("completeness")(**options)
    if isinstance(finder, str):
        name, searcher = finder, Registry[Any]("finder").make(finder, **(finder_options or {}))
    elif finder_options:
        raise UsageError("a finder that is made has its options already", got=sorted(finder_options)[0])
    else:
        name, searcher = "", finder
    step = Registry[Any]("step").load("completeness")(chosen)
    done: Completeness = step.measure(
        _map(image),
        searcher,
        name=name,
        workers=workers or settings().workers,
        tile=tile or settings().tile,
        progress=progress,
    )
    return done


def inject(
    image: SkyImage | str | os.PathLike[str],
    *,
    workers: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    **options: Any,
) -> tuple[SkyImage, Truth]:
    """A map with made sources in it, painted when it is read, and the truth of these.

    >>> full, truth = skysift.inject(image, number=200, kind="gaussians")            # doctest: +SKIP

    Parameters
    ----------
    image
        The map, as `skysift.open` or `SkyImage.from_array` makes it, or the path of a FITS map.
    workers
        Threads; that of the settings by default. No number depends on it.
    progress
        Called as ``progress(stage, done, total)``.
    options
        What is put in, such as ``number=200``; ``skysift options inject`` lists them.

    Raises
    ------
    UsageError
        What was given is no map, holds no data, or has no room for so many sources.
    OptionError
        An option does not exist, or a value is out of bounds.
    """
    step = Registry[Any]("step").make("inject", **options)
    made: tuple[SkyImage, Truth] = step.make(
        _map(image), workers=workers or settings().workers, progress=progress
    )
    return made


def _map(image: SkyImage | str | os.PathLike[str]) -> SkyImage:
    """The map that was given, or that lies at the path."""
    # late: astropy, which the menus do without
    from skysift.io.open import open_image
    from skysift.sky.image import SkyImage

    if isinstance(image, str | os.PathLike):
        return open_image(image)
    if not isinstance(image, SkyImage):
        raise UsageError(
            "sources go into maps only",
            got=type(image),
            allowed="what skysift.open gives for a map, or its path",
            todo="an array becomes one by SkyImage.from_array(data, beam=(major, minor, pa), pixel_scale=arcsec)",
        )
    return image
