"""The flags that name maps beside the searched one, on which what was found is measured too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from skysift.base.errors import OptionError

if TYPE_CHECKING:
    from skysift.find.beside import Beside
    from skysift.sky.image import SkyImage

__all__ = ["Besides", "StokesFlag", "besides"]

_SAME = "same"

StokesFlag: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--stokes",
        metavar="[Q=]MAP|same",
        help="A map of Stokes Q, U or V, or a cube of them, or `same` for the other planes of the map's own cube; "
        "may be given again.",
    ),
]


@dataclass(frozen=True)
class Besides:
    """The maps beside the searched one that a call names, not opened yet."""

    stokes: tuple[str, ...] = ()

    def of(self, image: SkyImage, opening: Mapping[str, Any]) -> list[Beside]:
        """The maps beside this one.

        Parameters
        ----------
        image
            The map that is to be searched.
        opening
            What the flags of the call say of maps.

        Raises
        ------
        UsageError
            A file does not tell what it holds.
        """
        found: list[Beside] = []
        if self.stokes:
            from skysift.find.stokes import StokesMaps  # late: it brings the compiled code

            found.append(StokesMaps.of(self.stokes, image, opening))
        return found


def besides(maps: Sequence[str], *, stokes: Sequence[str] | None = None) -> Besides:
    """The maps beside the searched ones.

    Parameters
    ----------
    maps
        The maps of the call.
    stokes
        What ``--stokes`` named.

    Raises
    ------
    OptionError
        Maps beside one are named for several.
    """
    named = tuple(stokes or ())
    if len(maps) > 1 and any(each != _SAME for each in named):
        raise OptionError(
            "--stokes names maps beside one map",
            got=f"{len(maps)} maps to search",
            todo="search one map a call, or say --stokes same for cubes",
        )
    return Besides(named)
