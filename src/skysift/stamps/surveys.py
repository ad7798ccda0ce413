"""Where surveys live: a YAML file in, bands out that tell which images cover a source."""

from __future__ import annotations

import glob
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from skysift.base.errors import OptionError, SkysiftError, UsageError
from skysift.base.store import is_url
from skysift.io.open import file_of
from skysift.sky.beam import Beam
from skysift.sky.frame import Frame
from skysift.sky.systems import vectors
from skysift.stamps.hips_images import open_hips
from skysift.stamps.known import KNOWN, KnownSurvey
from skysift.stamps.options import BandOptions
from skysift.stamps.patch import Image, StoredImage, open_stored
from skysift.stamps.prepare import unit_note
from skysift.stamps.remote import sia_images, soda_image

__all__ = ["EXAMPLE", "Band", "Survey", "of_maps", "read_surveys"]

EXAMPLE = """\
surveys:
  - name: sumss
    folder: maps/sumss          # or files: [a.fits, b*.fits], list: names.txt; relative to this file
    beam: [45, 45, 0]           # where the header lacks it (arcsec, arcsec, deg)
    several: mosaic             # where images overlap: best, mosaic or first
  - name: vlass
    band: radio-high            # of surveys of one band the smallest priority that covers a source is taken
    priority: 1
    soda: https://example.org/soda/sync
    id: ivo://example.org/vlass?T01
  - name: wise_22               # beam and calibration of known surveys need not be told
    hips: https://example.org/hips/wise_w4
  - name: racs
    sia: https://example.org/sia2/query
    collection: RACS
"""


@dataclass(frozen=True)
class Survey:
    """One survey: its menu, its stored images, and what is known of it.

    Parameters
    ----------
    options
        The menu.
    images
        Those that are stored; none for a service or a HiPS.
    notes
        What is worth telling: files that cannot be used.
    trusted
        Whether its URLs may lie in private networks: those that the person at the machine wrote down.
    """

    options: BandOptions
    images: tuple[StoredImage, ...] = ()
    notes: tuple[str, ...] = ()
    trusted: bool = True

    @property
    def name(self) -> str:
        """Its name."""
        return self.options.name

    @property
    def known(self) -> KnownSurvey | None:
        """What is known of the survey that it is, or is like."""
        return known_survey(self.options)

    def beam_at(self, dec: float) -> Beam | None:
        """The beam (where no header tells it) at a declination (deg)."""
        given = self.options.beam
        if given is not None:
            return Beam(given[0], given[0]) if len(given) == 1 else Beam(*given)
        return None if self.known is None else self.known.beam_at(dec)

    def covering(self, wanted: Frame) -> list[Image]:
        """The images that cover some of a stamp, best first.

        Raises
        ------
        SkysiftError
            A service does not answer, or what it gives cannot be used.
        """
        options = self.options
        ny, nx = wanted.shape
        ra, dec = (float(each) for each in wanted.to_sky((nx - 1) / 2, (ny - 1) / 2))
        radius = 0.5 * math.hypot(ny * wanted.scale[0], nx * wanted.scale[1]) / 3600.0
        found: list[Image] = [*self._stored(ra, dec, radius)]
        if options.sia:
            paths = sia_images(options.sia, ra, dec, radius, options.collection, trusted=self.trusted)
            found += [open_stored(path, options, self.known) for path in paths]
        if options.soda:
            path = soda_image(options.soda, options.id, ra, dec, radius, trusted=self.trusted)
            found += [open_stored(path, options, self.known)] if path else []
        if options.hips:
            found.append(self._hips(dec))
        covers = [(image.covers(wanted), k, image) for k, image in enumerate(found)]
        some = [each for each in covers if each[0][0] > 0.0]
        if options.several != "first":
            some.sort(key=lambda each: (-each[0][0], -each[0][1], each[1]))
        return [image for _, _, image in some]

    def _stored(self, ra: float, dec: float, radius: float) -> list[StoredImage]:
        if not self.images:
            return []
        middles = np.array([image.middle for image in self.images])
        reach = np.array([image.reach for image in self.images])
        at = vectors(np.array([ra]), np.array([dec]))[0]
        near = np.degrees(np.arccos(np.clip(middles @ at, -1.0, 1.0))) <= reach + radius
        return [self.images[k] for k in np.flatnonzero(near)]

    def _hips(self, dec: float) -> Image:
        options, known = self.options, self.known
        unit, scale = options.unit, options.scale
        frequency = options.frequency or (known.frequency if known is not None else math.nan)
        if known is not None and not unit:
            unit, scale = known.unit, scale * known.scale
        return open_hips(
            options.hips, beam=self.beam_at(dec), unit=unit, frequency=frequency, name=self.name, scale=scale
        )

    def pixel(self) -> float:
        """The usual size of its pixels (arcsec); NaN where it is not known before images are read."""
        if self.images:
            return min(min(image.frame.scale) for image in self.images)
        return min(self._hips(0.0).frame.scale) if self.options.hips else math.nan

    def usual_beam(self) -> Beam | None:
        """The beam of its first image, or that of the menu."""
        stored = next((image.beam for image in self.images if image.beam is not None), None)
        return stored or self.beam_at(-90.0)


@dataclass(frozen=True)
class Band:
    """Surveys of one band, in the order in which they are tried."""

    name: str
    surveys: tuple[Survey, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth telling of its surveys."""
        return tuple(note for survey in self.surveys for note in survey.notes)


def known_survey(options: BandOptions) -> KnownSurvey | None:
    """What is known of a survey.

    Raises
    ------
    OptionError
        `like` names no known survey.
    """
    if options.like and options.like not in KNOWN:
        raise OptionError("like names no survey that is known", got=options.like, allowed=KNOWN)
    return KNOWN.get(options.like or re.sub(r"[^a-z0-9]+", "_", options.name.lower()))


def read_surveys(path: str | Path, *, trusted: bool = True) -> tuple[Band, ...]:
    """The bands of a YAML file (see `EXAMPLE`), in its order; images are looked for, not read.

    Parameters
    ----------
    path
        The file; paths in it are relative to it.
    trusted
        Whether its URLs may lie in private networks.

    Raises
    ------
    UsageError
        There is no such file, it is not YAML with a list of surveys, or no survey has an image.
    OptionError
        A survey has a key that does not exist or a value that is not allowed; it says which.
    """
    place = Path(path)
    try:
        values = yaml.safe_load(place.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError("the surveys cannot be read", got=str(path), todo=error.strerror) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark is not None else ""
        raise UsageError(f"the file of surveys is not YAML{where}", got=str(path)) from error
    entries = values.get("surveys") if isinstance(values, dict) else values
    if not isinstance(entries, list) or not entries:
        raise UsageError(
            "the file holds no list of surveys", got=str(path), todo="`skysift stamps --example` prints one"
        )
    surveys = [_survey(entry, number, place.parent, trusted) for number, entry in enumerate(entries)]
    names = [survey.name for survey in surveys]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise OptionError("two surveys have one name", got=twice, allowed="each name once")
    bands: dict[str, list[Survey]] = {}
    for survey in surveys:
        bands.setdefault(survey.options.band or survey.name, []).append(survey)
    return tuple(
        Band(name, tuple(sorted(of_band, key=lambda each: each.options.priority)))
        for name, of_band in bands.items()
    )


def of_maps(paths: Sequence[str], options: Mapping[str, object] | None = None) -> tuple[Band, ...]:
    """A band for each of some maps, named by its file.

    Raises
    ------
    SkysiftError
        A map cannot be used.
    """
    bands: list[Band] = []
    for path in paths:
        stem = re.sub(r"(\.(fits|fit|fts|fz))+$", "", Path(path.partition("[")[0]).name, flags=re.IGNORECASE)
        name, number = stem, 1
        while name in {band.name for band in bands}:
            number += 1
            name = f"{stem}-{number}"
        menu = BandOptions.parse({"name": name, "files": (path,), **(options or {})})
        image = open_stored(path, menu, known_survey(menu))
        bands.append(Band(name, (Survey(menu, (image,), _unit_notes(name, [image])),)))
    return tuple(bands)


def _survey(entry: Any, number: int, folder: Path, trusted: bool) -> Survey:
    if not isinstance(entry, dict) or not all(isinstance(key, str) for key in entry):
        raise OptionError(
            f"survey {number + 1} is no KEY: VALUE lines", got=entry, allowed=BandOptions.model_fields
        )
    name = str(entry.get("name") or f"survey-{number + 1}")
    try:
        options = BandOptions.parse({**entry, "name": name})
        known = known_survey(options)
    except OptionError as error:
        told = OptionError(f"survey {name}: {error.wrong}", allowed=error.allowed, todo=error.todo)
        told.got = error.got
        told.args = (str(told),)
        raise told from None
    paths = _paths(options, folder)
    if options.hips and not is_url(options.hips):
        options = options.model_copy(update={"hips": str(folder / options.hips)})
    images, notes = [], []
    for path in paths:
        try:
            images.append(open_stored(path, options, known))
        except SkysiftError as error:
            notes.append(f"survey {name}: {Path(path).name} is left out: {error}")
    if not images and not (options.hips or options.sia or options.soda):
        why = (
            notes[0] if notes else f"no file at {options.folder or options.list or ', '.join(options.files)}"
        )
        raise UsageError(f"survey {name} has no image", got=why)
    return Survey(options, tuple(images), (*notes, *_unit_notes(name, images)), trusted)


def _unit_notes(name: str, images: Sequence[StoredImage]) -> tuple[str, ...]:
    """A line for each thing that is wrong with units."""
    told: dict[str, list[str]] = {}
    for image in images:
        if note := unit_note(image):
            told.setdefault(note, []).append(image.name)
    mend = "`unit:` and `beam:` of a survey (--surveys CONFIG) tell them"
    return tuple(
        f"survey {name}: {', '.join(found[:2])}{f' and {len(found) - 2} more' if len(found) > 2 else ''} "
        f"{'has' if len(found) == 1 else 'have'} {note}; {mend}"
        for note, found in told.items()
    )


def _paths(options: BandOptions, folder: Path) -> list[str]:
    """The stored images that a survey names."""
    named = list(options.files)
    if options.list:
        try:
            lines = (folder / options.list).read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise UsageError(
                f"survey {options.name}: its list cannot be read", got=options.list, todo=error.strerror
            ) from error
        named += [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if options.folder:
        named.append(f"{options.folder}/{options.pattern}")
    paths: list[str] = []
    for name in named:
        if is_url(name):
            paths.append(name)
            continue
        place = str(folder / name)
        there = Path(place).is_file() or Path(file_of(place)).is_file()
        found = [place] if there else sorted(glob.glob(place))  # noqa: PTH207 -- patterns of whole paths
        paths += found or [place] * (name in options.files)
    return list(dict.fromkeys(paths))
