"""`simulate`: the verb of the package; light, so that menus and help do without the kitchen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from skysift.base.errors import UnknownName
from skysift.base.registry import Registry
from skysift.base.settings import settings

if TYPE_CHECKING:
    from skysift.sky.image import SkyImage
    from skysift.sky.truth import Truth

__all__ = ["simulate"]


def simulate(
    simulator: str = "continuum",
    *,
    workers: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    **options: Any,
) -> tuple[tuple[SkyImage, Truth], ...]:
    """One map with its truth for each frequency, all of one made sky.

    >>> (image, truth), = skysift.simulate(n_pixels=512, random_seed=7)              # doctest: +SKIP
    >>> catalogue = skysift.find(image)                                              # doctest: +SKIP

    Pixels are painted when they are read: an image costs memory by its objects, not by its pixels.

    Parameters
    ----------
    simulator
        Its name: ``continuum``, or that of another of the index.
    workers
        Threads; that of the settings by default. No number depends on it.
    progress
        Called as ``progress(stage, done, total)``.
    options
        Options of the simulator, such as ``n_pixels=1024``; ``skysift options continuum`` lists them.

    Raises
    ------
    UnknownName, OptionError
        The simulator or one of its options does not exist, or a value is out of bounds.
    """
    if simulator == "inject":
        raise UnknownName(
            "no such simulator", got=simulator, todo="sources go into a map by skysift.inject(image, ...)"
        )
    made = Registry[Any]("simulator").make(simulator, **options)
    maps: tuple[tuple[SkyImage, Truth], ...] = made.simulate(
        workers=workers or settings().workers, progress=progress
    )
    return maps
