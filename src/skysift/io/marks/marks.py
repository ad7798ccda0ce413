"""`Marks`: objects drawn on a map, with their classes; how names of classes are read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import FormatError, OptionError, UsageError
from skysift.sky.detections import Footprints
from skysift.sky.image import SkyImage
from skysift.sky.truth import CLASSES

__all__ = ["ALIASES", "Marks", "checked", "classes_of", "entry_of", "idle_meanings", "known_class"]

Floats: TypeAlias = NDArray[np.float64]
T = TypeVar("T")

_SUFFIX = re.compile(r"\.(fits?|fts|png|jpe?g|tiff?|npy)(\.(gz|fz|bz2|xz))?$", re.IGNORECASE)

ALIASES: dict[str, str] = {
    "source": "compact",
    "point": "compact",
    "point-source": "compact",
    "compact-source": "compact",
    "galaxy": "extended",
    "extended-source": "extended",
    "multi-island": "extended-multisland",
    "extended-multiisland": "extended-multisland",
    "extended-multi-island": "extended-multisland",
    "multisland": "extended-multisland",
    "sidelobe": "spurious",
    "artefact": "spurious",
    "artifact": "spurious",
}
"""Names of other programs for classes of `skysift.sky.truth.CLASSES`; the case, and - _ or a space, do not count."""


@dataclass(frozen=True, eq=False)
class Marks:
    """
    Objects that were drawn on a map.

    Attributes
    ----------
    kind
        Class of each.
    footprints
        Pixels of each that are on the map; none where it was drawn off it.
    centre
        ``(n, 2)`` x and y (0-based pixels), where the drawing says it; NaN where it is the middle of the pixels.
    names
        What classes are called in the file, each once.
    notes
        What was odd, one line each.
    """

    kind: tuple[str, ...]
    footprints: Footprints
    centre: Floats
    names: tuple[str, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.kind)


def known_class(name: str, given: Mapping[str, str]) -> str | None:
    """The class that a name means; None for a name that is not known.

    Parameters
    ----------
    name
        As the labels have it.
    given
        Names that a user told the meaning of.
    """
    if name in given:
        return given[name]
    plain = "-".join(name.lower().replace("_", " ").replace("-", " ").split())
    return plain if plain in CLASSES else ALIASES.get(plain)


def checked(given: Mapping[str, str]) -> None:
    """Nothing, where each meaning of a name that a user told is a class.

    Raises
    ------
    OptionError
        One is none.
    """
    for name, meaning in given.items():
        if meaning not in CLASSES:
            raise OptionError(f"classes: {name} means no class", got=meaning, allowed=CLASSES)


def idle_meanings(names: Iterable[str], given: Mapping[str, str]) -> tuple[str, ...]:
    """A note on the names that a user told the meaning of and that nothing is called by; none where there are none."""
    called = sorted(set(names))
    idle = sorted(set(given) - set(called))
    if not idle:
        return ()
    shown = ", ".join(called[:8]) + (", ..." if len(called) > 8 else "")
    return (
        f"no label is called {', '.join(idle)}: its meaning is not used; labels are called {shown or 'nothing'}",
    )


def classes_of(names: Sequence[str], given: Mapping[str, str], where: str) -> tuple[str, ...]:
    """The classes that names mean.

    Raises
    ------
    FormatError
        Some are not known.
    OptionError
        What was given as a meaning is no class.
    """
    checked(given)
    meant = {name: known_class(name, given) for name in dict.fromkeys(names)}
    unknown = [name for name, meaning in meant.items() if meaning is None]
    if unknown:
        raise FormatError(
            f"{where} has classes that are not known",
            got=", ".join(unknown),
            allowed=[*CLASSES, *ALIASES],
            todo=f"tell what they mean: --class {unknown[0]}=compact, or classes: {{{unknown[0]}: compact}} in a recipe",
        )
    return tuple(str(meant[name]) for name in names)


def entry_of(entries: Sequence[tuple[str, T]], image: SkyImage, where: str) -> T:
    """
    What a list of images says of a map: of the one image in it, or of the one whose file is named as the map is.

    Parameters
    ----------
    entries
        Names of files, with what is told of each; their folders and suffixes (.fits, .png, ...) do not count.
    image
        The map.
    where
        The name of the list.

    Raises
    ------
    UsageError
        None of the images is the map, or several are.
    """
    found = [each for name, each in entries if _stem(name) == _stem(image.name)]
    if not found and len(entries) == 1:
        return entries[0][1]
    if len(found) == 1:
        return found[0]
    raise UsageError(
        f"several images of {where} are named as the map" if found else f"no image of {where} is the map",
        got=image.name,
        allowed=[name for name, _ in entries[:8]] or "a list with an image",
        todo="give a list that names each image once" if found else None,
    )


def _stem(name: str) -> str:
    """The name of a file of an image without its folder and suffix."""
    return _SUFFIX.sub("", Path(name).name)
