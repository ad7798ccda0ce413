"""`Channels`: cubes and single-frequency maps beside the searched map; a spectrum of every component and source.

All channels are brought to the smallest beam that they have in common, so that a shape that is not quite that of
the source is wrong in the same way in each, and measured at the places of the components. They may lie on other
pixels than the searched map: places go by their position on the sky.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from skysift.base.errors import HeaderError, UsageError
from skysift.base.parallel import Crew
from skysift.find.beams import seen_alike
from skysift.find.beside import MapLike, recorded, same_grid
from skysift.find.finding import Finding
from skysift.find.forced import measure_at
from skysift.find.noise import measure_noise
from skysift.find.options import FinderOptions
from skysift.find.spectra import (
    component_places,
    need_slope,
    plain_noise,
    sources_of,
    spectra_table,
    with_spectra,
)
from skysift.io.planes import has_data, open_planes
from skysift.measure.convolve import common_beam, convolve, same_beam
from skysift.measure.forced import Forced
from skysift.measure.spectrum import power_laws
from skysift.sky.beam import Beam
from skysift.sky.image import SkyImage
from skysift.sky.units import frequency_text

__all__ = ["Channels"]

_CURVED = 3  # frequencies that a curved spectrum needs
_DISTINCT = 0.003  # of a frequency; what is closer is one
_CUBE = 5  # planes from which on a cube tells which beams are usual in it
_ODD = 1.5  # times as wide as usual: a channel of which little is left
_TOLD = 5  # notes of single channels that are told
_OF_PLANES = "the beam of the plane is read from the table"


@dataclass(frozen=True)
class Channels:
    """Cubes and maps of single frequencies beside the searched map.

    The searched map itself is a channel only where it is named among them: a map of the whole band is made of the
    same data as its channels.

    Parameters
    ----------
    maps
        Cubes, maps, or images.
    frequencies
        Of maps whose headers do not tell theirs (Hz), one for each of `maps`; NaN for what is not needed.
    """

    maps: tuple[MapLike, ...]
    frequencies: tuple[float, ...] = ()
    name: str = "channels"
    tables: tuple[str, ...] = ("spectra",)

    def open(self, image: SkyImage, options: FinderOptions | None = None) -> OpenChannels:
        """The channels that hold data, as they are and with the beam that they have in common.

        Raises
        ------
        HeaderError
            A channel has no beam, tells no frequency, or a cube has no spectral axis.
        UsageError
            There are fewer than two frequencies, a map cannot be laid beside the searched one, or only its response
            to the primary beam is known.
        """
        if self.frequencies and len(self.frequencies) != len(self.maps):
            raise UsageError(
                "the frequencies of the channels are not one for each map",
                got=f"{len(self.frequencies)} for {len(self.maps)}",
                allowed="one each, - for a map that tells its own",
            )
        need_slope(
            options,
            "channels",
            "give the dish, whose pattern is known at every frequency, or correct the maps and say corrected=true",
        )
        planes: list[SkyImage] = []
        notes: list[str] = []
        for number, given in enumerate(self.maps):
            found, told = _planes(given)
            if self.frequencies and math.isfinite(self.frequencies[number]):
                found = tuple(replace(each, frequency=self.frequencies[number]) for each in found)
            planes += found
            notes += told
        for each in planes:
            if not each.frequency > 0:
                raise HeaderError(
                    "a channel tells no frequency, without which it has no place in a spectrum",
                    got=each.name,
                    todo="give --channel-frequencies, one for each of the maps, such as 843MHz,1.4GHz",
                )
            one_response = options is not None and (options.primary_beam or options.weight)
            if one_response or not (each.frame.celestial and image.frame.celestial):
                same_grid(image, each, "the channel")
        _check_frequencies(planes)
        planes = [seen_alike(each, image, "the channel") for each in planes]
        own = tuple(each.beam for each in planes)
        common = own[0] if all(same_beam(beam, own[0]) for beam in own) else common_beam(own)
        low, high = min(each.frequency for each in planes), max(each.frequency for each in planes)
        band = f"{len(planes)} channels from {frequency_text(low)} to {frequency_text(high)}"
        if not all(same_beam(beam, common) for beam in own):
            widest = max(own, key=lambda beam: beam.area)
            narrowest = min(own, key=lambda beam: beam.area)
            notes.append(f"{band} with beams from {narrowest} to {widest}: all are convolved to {common}")
        if options is not None and options.spectral_curvature and (number := _n_distinct(planes)) < _CURVED:
            notes.append(
                f"spectral_curvature needs {_CURVED} frequencies or more: with {number} no curvature is fitted"
            )
        odd = [note for each in planes for note in each.notes if not note.startswith(_OF_PLANES)]
        odd = [note for note in dict.fromkeys(odd) if note not in image.notes]
        notes += odd[:_TOLD]
        if len(odd) > _TOLD:
            notes.append(f"{len(odd) - _TOLD} more notes of channels are left out")
        return OpenChannels(image, tuple(planes), common, tuple(dict.fromkeys(notes)))


def _planes(given: MapLike) -> tuple[tuple[SkyImage, ...], tuple[str, ...]]:
    """The planes with data of one of the maps, and notes."""
    if not isinstance(given, SkyImage):
        return _without_odd_beams(*open_planes(given))
    if has_data(given):
        return (given,), ()
    return (), (f"{given.name} holds no data: it is left out",)


def _without_odd_beams(
    planes: tuple[SkyImage, ...], notes: tuple[str, ...]
) -> tuple[tuple[SkyImage, ...], tuple[str, ...]]:
    """The planes of a cube less those whose beam is far wider than those of the others at their frequency.

    Little is left of the data of such a channel after flagging, and all others would have to be convolved to its beam.
    """
    if len(planes) < _CUBE:
        return planes, notes
    # the beam of one array is as wide as the wavelength
    width = np.array([each.beam.major * each.frequency for each in planes])
    odd = width > _ODD * np.median(width)
    if not odd.any():
        return planes, notes
    names = ", ".join(each.name.rsplit(", ", 1)[-1] for each, bad in zip(planes, odd, strict=True) if bad)
    told = f"{planes[0].name.rsplit(', ', 1)[0]}: beams much wider than those of the other planes: {names} left out"
    return tuple(each for each, bad in zip(planes, odd, strict=True) if not bad), (*notes, told)


def _n_distinct(planes: Sequence[SkyImage]) -> int:
    """How many frequencies there are."""
    known = np.sort([each.frequency for each in planes])
    return int(np.sum(np.diff(np.log(known)) > _DISTINCT)) + 1


def _check_frequencies(planes: Sequence[SkyImage]) -> None:
    """Refuse channels that are all of one frequency."""
    known = sorted(each.frequency for each in planes)
    if not known or known[-1] < known[0] * (1.0 + _DISTINCT):
        got = "no channel with data" if not known else f"{len(known)} of {frequency_text(known[0])}"
        raise UsageError(
            "a spectrum needs channels of two frequencies or more",
            got=got,
            todo="name the searched map among the channels too, if it is one of them",
        )


@dataclass(frozen=True)
class OpenChannels:
    """Channels with data, each with its frequency.

    Parameters
    ----------
    image
        The searched map.
    planes
        The channels as they are.
    common
        The beam that all are convolved to.
    notes
        What was odd.
    """

    image: SkyImage
    planes: tuple[SkyImage, ...]
    common: Beam
    notes: tuple[str, ...] = ()

    def add(self, finding: Finding, options: FinderOptions, crew: Crew) -> Finding:
        """The finding with spectra and the table of the channels."""
        measured: list[Forced] = []
        used: list[SkyImage] = []
        notes = list(self.notes)
        for plane in self.planes:
            seen = plane if same_beam(plane.beam, self.common) else convolve(plane, self.common)
            noise = measure_noise(seen, plain_noise(options), crew)
            if not noise.mesh.valid:
                notes.append(f"{plane.name} is constant or too small to have noise: it is left out")
                continue
            measured.append(
                measure_at(seen, noise, component_places(finding, seen), crew=crew, owner=sources_of(finding))
            )
            used.append(plane)
        frequency = np.array([each.frequency for each in used])
        reference = self.image.frequency
        if not reference > 0:
            reference = float(np.exp(np.mean(np.log(frequency)))) if len(frequency) else 1e9
        law = partial(power_laws, frequency=frequency, reference=reference, curved=options.spectral_curvature)
        own = [each.beam for each in used]
        return recorded(
            finding,
            catalogue=with_spectra(finding, measured, law, own, options.spectral_beams),
            images=self.planes,
            notes=notes,
            facts={
                "channels": len(used),
                "beam of the channels": str(self.common),
                "reference frequency of the spectra": reference,
            },
            tables={"spectra": spectra_table(finding, measured, list(frequency), taylor=False)},
        )
