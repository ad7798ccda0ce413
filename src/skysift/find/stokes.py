"""`StokesMaps`: maps of Stokes Q, U and V beside the searched one: opened, checked, measured at what was found."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from skysift.base.errors import HeaderError, UsageError
from skysift.base.parallel import Crew
from skysift.find.beams import seen_alike
from skysift.find.beside import MapLike, extended, recorded, same_grid
from skysift.find.circular import VFinding, search_v
from skysift.find.finding import Finding
from skysift.find.forced import measure_at
from skysift.find.noise import measure_noise
from skysift.find.options import FinderOptions
from skysift.find.places import Places, places_at
from skysift.find.polarised import columns_of
from skysift.find.spectra import plain_noise, sources_of
from skysift.io.open import open_image
from skysift.io.planes import has_data
from skysift.io.stokes import LETTERS, StokesPlane, is_cosmo, refuse_untold, stokes_planes
from skysift.measure.forced import Forced
from skysift.sky.image import SkyImage

__all__ = ["SAME", "V_TABLE", "OpenedStokes", "StokesGiven", "StokesMaps"]

SAME = "same"
"""Said in place of a path: the other planes of the searched map's own file."""

V_TABLE = "stokes_v"
"""Name of the table of what was found in Stokes V."""

_ALIKE = 0.01  # of the beam's axes; less is one beam
_NEAR = 0.01  # of the frequency

StokesGiven: TypeAlias = Mapping[str, MapLike] | Sequence[MapLike] | MapLike


@dataclass(frozen=True)
class StokesMaps:
    """
    Maps of Stokes Q, U and V on the pixels of a map of Stokes I.

    Attributes
    ----------
    maps
        Letter -> a map, or the plane of a file that holds it.
    opening
        What to say of maps that are opened; see `skysift.io.open.open_image`.
    """

    maps: Mapping[str, SkyImage | StokesPlane]
    opening: Mapping[str, Any]

    @classmethod
    def of(cls, given: StokesGiven, image: SkyImage, opening: Mapping[str, Any] | None = None) -> StokesMaps:
        """
        The Stokes maps among what was given.

        Parameters
        ----------
        given
            Paths of maps or cubes whose headers tell the parameter; texts such as ``Q=path``; ``same`` for the other
            planes of the searched map's file; or letter -> map.
        image
            The map that is to be searched.
        opening
            Arguments of `skysift.io.open.open_image`; its HDU and plane are not used.

        Raises
        ------
        UsageError
            A parameter is not told, is told twice, or is none of Q, U and V.
        """
        found: dict[str, SkyImage | StokesPlane] = {}
        pairs = list(given.items()) if isinstance(given, Mapping) else [("", one) for one in _listed(given)]
        for letter, one in pairs:
            for told, what in _planes(letter, one, image):
                if told in found:
                    raise UsageError(
                        f"Stokes {told} is given twice",
                        got=f"{_name(found[told])} and {_name(what)}",
                        allowed="one map each of Q, U and V",
                    )
                found[told] = what
        kept = {key: value for key, value in (opening or {}).items() if key not in ("hdu", "plane")}
        return cls({letter: found[letter] for letter in LETTERS if letter in found}, kept)

    @property
    def name(self) -> str:
        """What it is called among the stages of a run."""
        return "stokes"

    @property
    def tables(self) -> tuple[str, ...]:
        """The table of what is found in Stokes V, where there is such a map."""
        return (V_TABLE,) if "V" in self.maps else ()

    def open(self, image: SkyImage, options: FinderOptions | None = None) -> OpenedStokes:
        """
        The maps opened and checked against the searched one.

        Raises
        ------
        UsageError
            One of them does not lie on the pixels of the searched map.
        """
        opened: dict[str, SkyImage] = {}
        notes: list[str] = []
        for letter, one in self.maps.items():
            there, told = (one, []) if isinstance(one, SkyImage) else _open(one, image, self.opening)
            same_grid(image, there, f"the map of Stokes {letter}")
            notes += [f"Stokes {letter}: {note}" for note in told]
            notes += _compared(letter, there, image)
            if not has_data(there):
                notes.append(f"Stokes {letter} ({there.name}) holds no data: it is not measured")
                continue
            if not there.frequency > 0:
                there = replace(there, frequency=image.frequency)
            opened[letter] = seen_alike(there, image, f"Stokes {letter}")
        if ("Q" in opened) != ("U" in opened):
            lacking = "U" if "Q" in opened else "Q"
            notes.append(
                f"there is no map of Stokes {lacking}: linear polarisation is not made from one alone"
            )
        return OpenedStokes(image, opened, tuple(self.maps), tuple(notes))


@dataclass(frozen=True)
class OpenedStokes:
    """Stokes maps that fit the searched one; `asked` names those with no data too."""

    image: SkyImage
    maps: Mapping[str, SkyImage]
    asked: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def add(self, finding: Finding, options: FinderOptions, crew: Crew) -> Finding:
        """The finding with columns of polarisation, and with the table of what was found in Stokes V."""
        chosen = plain_noise(options)
        found_v: VFinding | None = None
        if "V" in self.asked:
            found_v = search_v(self.maps.get("V"), finding, options, crew)
        fluxes: dict[str, Forced] = {}
        notes = list(self.notes)
        facts: dict[str, object] = {}
        for letter, image in self.maps.items():
            noise = (
                found_v.noise
                if letter == "V" and found_v is not None and found_v.noise is not None
                else measure_noise(image, chosen, crew, signed=True)
            )
            forced = measure_at(image, noise, _places(finding, image), crew=crew, owner=sources_of(finding))
            fluxes[letter] = forced
            lost = int(np.sum(~np.isfinite(forced.flux_int)))
            if lost:
                notes.append(f"Stokes {letter} has no data at {lost} of {len(forced)} components")
            plane = list(image.origin.plane) if image.origin is not None else []
            facts[letter] = {"map": image.name, "plane": plane, "rms_median": _median(noise.mesh.rms)}
        if found_v is not None:
            facts |= found_v.facts
            notes += found_v.notes
        system = self.maps["Q"].frame.system if "Q" in self.maps else None
        columns = columns_of(finding.catalogue, fluxes, options, system)
        return recorded(
            finding,
            catalogue=extended(finding.catalogue, columns),
            images=tuple(self.maps.values()),
            notes=notes,
            facts={"stokes": facts},
            tables={} if found_v is None else {V_TABLE: found_v.table},
        )


def _places(finding: Finding, image: SkyImage) -> Places:
    """The components as the beam of another map shows them: points as its beam, others wider or narrower by the beams."""
    components, shape = finding.catalogue.components, finding.gaussians[:, 3:6]
    x, y = components["x"], components["y"]
    seen, beam = places_at(finding.image, x, y).beam, places_at(image, x, y).beam
    wide = np.asarray(components["resolved"], bool)[:, None]
    there = np.where(wide, shape - seen + beam, beam)
    sound = (there[:, 0] > 0) & (there[:, 2] > 0) & (there[:, 0] * there[:, 2] > there[:, 1] ** 2)
    there = np.where(sound[:, None], there, beam)
    return Places(x, y, np.ascontiguousarray(there), np.ascontiguousarray(beam))


def _listed(given: Sequence[MapLike] | MapLike) -> list[MapLike]:
    return [given] if isinstance(given, SkyImage | str | os.PathLike) else list(given)


def _planes(letter: str, one: MapLike, image: SkyImage) -> list[tuple[str, SkyImage | StokesPlane]]:
    """Letter and plane of one thing that was given; several for a cube."""
    if isinstance(one, str) and not letter and (match := re.fullmatch(r"([A-Za-z]+)=(.+)", one, re.DOTALL)):
        letter, one = match.group(1), match.group(2)
    letter = letter.upper()
    if letter and letter not in LETTERS:
        raise UsageError("no such Stokes map", got=letter, allowed=LETTERS)
    if isinstance(one, SkyImage):
        if not letter:
            raise UsageError(
                "a map in memory does not tell its Stokes parameter", got=one.name, todo='give {"V": image}'
            )
        return [(letter, one)]
    place, hdu, beside = os.fspath(one), None, image.origin.plane if image.origin is not None else ()
    if place == SAME:
        if image.origin is None:
            raise UsageError("the searched map has no file whose other planes could be taken", got=image.name)
        place, hdu = image.origin.path, image.origin.hdu
        place = f"{place}[{hdu}]"
    found = stokes_planes(place, beside=beside)
    if letter:
        mine = [each for each in found if each.letter == letter]
        if not mine and len(found) > 1:
            raise UsageError(
                f"{place} holds no Stokes {letter}", got=", ".join(each.letter for each in found)
            )
        if not mine:
            mine = [StokesPlane(letter, place, found[0].plane if found else ())]
        return [(letter, mine[0])]
    polarised: list[tuple[str, SkyImage | StokesPlane]] = [
        (each.letter, each) for each in found if each.letter in LETTERS
    ]
    if not polarised:
        raise refuse_untold(place, found, same=os.fspath(one) == SAME)
    return polarised


def _open(plane: StokesPlane, image: SkyImage, opening: Mapping[str, Any]) -> tuple[SkyImage, list[str]]:
    """The map of a plane, and what is odd about it; one without a beam has that of the searched map."""
    said = {**opening, "plane": plane.plane or None}
    notes: list[str] = []
    try:
        there = open_image(plane.path, **said)
    except HeaderError:
        if said.get("beam") is not None:
            raise
        there = open_image(plane.path, **{**said, "beam": image.beam})
        notes.append("the map has no beam of its own: that of the searched map is taken")
    usual = ("the plane is Stokes", "the beam was given", "the unit was given", "the frequency was given")
    notes += [note for note in there.notes if note not in image.notes and not note.startswith(usual)]
    if plane.letter == "U" and is_cosmo(plane.path):
        there = replace(there, factor=-there.factor)
        notes.append("the header tells the convention of cosmologists: the sign of U is turned")
    return there, notes


def _compared(letter: str, there: SkyImage, image: SkyImage) -> list[str]:
    """What differs from the searched map."""
    notes = []
    one, other = image.beam, there.beam
    if abs(other.major / one.major - 1.0) > _ALIKE or abs(other.minor / one.minor - 1.0) > _ALIKE:
        notes.append(
            f"Stokes {letter} has another beam than the searched map, {other}: it is measured with its own"
        )
    if abs(there.frequency / image.frequency - 1.0) > _NEAR:
        notes.append(f"Stokes {letter} has another frequency than the searched map: fractions mix the two")
    return notes


def _median(rms: np.ndarray) -> float:
    known = rms[np.isfinite(rms)]
    return float(np.median(known)) if known.size else float("nan")


def _name(one: SkyImage | StokesPlane) -> str:
    return one.name if isinstance(one, SkyImage) else one.path
