"""The flags that name maps beside the searched one, on which what was found is measured too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from skysift.base.errors import OptionError
from skysift.cli.opening import frequencies_of

if TYPE_CHECKING:
    from skysift.find.beside import Beside
    from skysift.sky.image import SkyImage

__all__ = ["Besides", "ChannelFrequenciesFlag", "ChannelsFlag", "StokesFlag", "TaylorFlag", "besides"]

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

TaylorFlag: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--taylor",
        metavar="MAP",
        help="The Taylor term tt1 of the map, which is tt0; given again, tt2.",
    ),
]
ChannelsFlag: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--channels",
        metavar="MAP",
        help="A cube along frequency, or a map of one frequency, to fit spectra to; may be given again. Two frequencies "
        "are needed in all: name the searched map too, if it is one of them.",
    ),
]
ChannelFrequenciesFlag: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--channel-frequencies",
        metavar="LIST",
        help="Frequencies of the maps of --channels whose headers tell none, such as 843MHz,-,1.4GHz.",
    ),
]


@dataclass(frozen=True)
class Besides:
    """The maps beside the searched one that a call names, not opened yet."""

    stokes: tuple[str, ...] = ()
    taylor: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    frequencies: tuple[float, ...] = ()

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
        if self.taylor:
            from skysift.find.taylor import TaylorTerms  # late, as below

            found.append(TaylorTerms(self.taylor))
        if self.channels:
            from skysift.find.channels import Channels  # late, as below

            found.append(Channels(self.channels, self.frequencies))
        if self.stokes:
            from skysift.find.stokes import StokesMaps  # late: it brings the compiled code

            found.append(StokesMaps.of(self.stokes, image, opening))
        return found


def besides(
    maps: Sequence[str],
    *,
    stokes: Sequence[str] | None = None,
    taylor: Sequence[str] | None = None,
    channels: Sequence[str] | None = None,
    channel_frequencies: str | None = None,
) -> Besides:
    """The maps beside the searched ones.

    Parameters
    ----------
    maps
        The maps of the call.
    stokes, taylor, channels, channel_frequencies
        What the flags of these names named.

    Raises
    ------
    OptionError
        Maps beside one are named for several, or flags that do not go together are given.
    """
    named = tuple(stokes or ())
    if len(maps) > 1 and any(each != _SAME for each in named):
        raise OptionError(
            "--stokes names maps beside one map",
            got=f"{len(maps)} maps to search",
            todo="search one map a call, or say --stokes same for cubes",
        )
    for flag, given in (("--taylor", taylor), ("--channels", channels)):
        if given and len(maps) > 1:
            raise OptionError(
                f"{flag} names maps beside one map",
                got=f"{len(maps)} maps to search",
                todo="search one map a call",
            )
    if taylor and channels:
        raise OptionError(
            "a spectral index comes from Taylor terms or from channels",
            got="--taylor and --channels",
            allowed="one of the two",
        )
    if channel_frequencies is not None and not channels:
        raise OptionError("--channel-frequencies goes with --channels", got=channel_frequencies)
    frequencies = (
        () if channel_frequencies is None else frequencies_of(channel_frequencies, "--channel-frequencies")
    )
    return Besides(named, tuple(taylor or ()), tuple(channels or ()), tuple(frequencies))
