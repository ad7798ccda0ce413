"""`read_config`: a YAML file in, the plan of a survey out; what is wrong is told with its place in the file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skysift.base.errors import OptionError, SkysiftError, UsageError
from skysift.base.options import Options
from skysift.base.registry import Registry
from skysift.base.store import is_url, local_copy, name_of
from skysift.flow.options import ReferenceOptions, SurveyFieldOptions, SurveyOptions
from skysift.flow.products import folder_names
from skysift.flow.survey_yaml import Key, load_config
from skysift.io.open import file_of

__all__ = ["EXAMPLE", "FieldPlan", "ReferencePlan", "SurveyPlan", "check_config", "read_config"]

EXAMPLE = """\
name: my-survey
version: "1.0"            # of the catalogue
finder: classic           # `skysift options` lists the finders and their options
options:                  # of the finder, for all fields
  seed: 5
fields:                   # paths are relative to this file
  - maps/*.fits
  - map: late/J0340.fits  # an entry says more of one map than a pattern does
    name: J0340
    epoch: 2003-05-01     # or MJD; by default the middle of what the header tells
    frequency: 843e6      # hdu, plane, beam, unit, primary_beam and weight likewise
    options:
      seed: 6
references:               # catalogues that every field is checked against
  - path: NVSS.fits
    frequency: 1.4e9
    spectral_index: -0.8  # ra, dec, flux, flux_unit name columns; radius in arcsec
formats: [fits, votable]
maps: []                  # of each field: background, rms, model, residual, labels
"""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_MAGIC = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class FieldPlan:
    """One field: its name, its map, how this is opened, when it was observed, and how it is searched."""

    name: str
    path: str
    opening: Mapping[str, Any]
    epoch: float | str | None
    options: Options


@dataclass(frozen=True)
class ReferencePlan:
    """One reference: its name, its file (of one behind a URL a copy), and what is to be said of it."""

    name: str
    path: Path
    options: ReferenceOptions


@dataclass(frozen=True)
class SurveyPlan:
    """A survey that was checked: its options, its fields by name, its references."""

    options: SurveyOptions
    fields: tuple[FieldPlan, ...]
    references: tuple[ReferencePlan, ...]


@dataclass
class _Reading:
    """What is known of a configuration while it is read."""

    path: Path
    lines: Mapping[Key, int]
    wrong: list[SkysiftError] = field(default_factory=list)

    def complain(self, key: Key, error: SkysiftError) -> None:
        """Keep an error, with the place that it is about."""
        line = next((self.lines[key[:n]] for n in range(len(key), -1, -1) if key[:n] in self.lines), 0)
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).lstrip(".")
        told = f"{self.path.name} line {line}{', ' if where else ''}{where}: {error.wrong}"
        kept = OptionError(told, allowed=error.allowed, todo=error.todo)
        kept.got = error.got
        kept.args = (str(kept),)
        self.wrong.append(kept)

    def place(self, text: str) -> str:
        """A path of the file as the program may open it."""
        return text if is_url(text) else str(self.path.parent / text)

    def menu(self, key: Key, kind: type[Any], values: object, short: str) -> Any:
        """The options of an entry, `short` being the key of one that is a text; None where they are wrong."""
        if isinstance(values, str):
            values = {short: values}
        if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
            self.complain(
                key,
                OptionError("an entry is a path or KEY: VALUE lines", got=values, allowed=kind.model_fields),
            )
            return None
        return self.parsed(key, kind, values)

    def parsed(self, key: Key, kind: type[Any], values: Mapping[str, Any]) -> Any:
        """Options of these values, each wrong one complained of; None where one is wrong."""
        before = len(self.wrong)
        fields = kind.model_fields
        for name in (name for name in values if name not in fields):
            near = difflib.get_close_matches(name, fields, n=1)
            todo = f"did you mean {near[0]!r}?" if near else None
            self.complain(
                (*key, name),
                OptionError("no such key", got=name, allowed=None if near else fields, todo=todo),
            )
        for name, value in values.items():
            if name in fields:
                try:
                    kind.parse({name: value})
                except OptionError as error:
                    self.complain((*key, name), error)
        if len(self.wrong) > before:
            return None
        try:
            return kind.parse(dict(values))
        except OptionError as error:  # values that do not go together
            self.complain(key, error)
        return None


def read_config(path: str | Path) -> SurveyPlan:
    """The plan in a configuration file.

    Raises
    ------
    UsageError
        The file cannot be read.
    OptionError
        Something in it is wrong: the first complaint, with its place in the file.
    """
    plan, wrong = check_config(path)
    if plan is None:
        raise wrong[0]
    return plan


def check_config(path: str | Path) -> tuple[SurveyPlan | None, tuple[SkysiftError, ...]]:
    """The plan in a configuration file, or None and all that is wrong with it.

    Raises
    ------
    UsageError
        The file cannot be read.
    """
    place = Path(path)
    values, lines, twice = load_config(place)
    reading = _Reading(place, lines)
    for key in twice:
        reading.complain(key, OptionError("the key stands here twice", todo="leave one"))
    options = reading.parsed((), SurveyOptions, values)
    if options is None:
        return None, tuple(reading.wrong)
    fields = _fields(reading, options)
    references = _references(reading, options)
    _check_names(reading, options)
    if reading.wrong:
        return None, tuple(reading.wrong)
    return SurveyPlan(options, fields, references), ()


def _check_names(reading: _Reading, options: SurveyOptions) -> None:
    """Complain of formats and maps that do not exist."""
    maps = ("background", "rms", "model", "residual", "labels")
    known = {"formats": Registry[Any]("format").names(), "maps": maps}
    for key, allowed in known.items():
        for name in getattr(options, key):
            if name not in allowed:
                reading.complain(
                    (key,), OptionError(f"no such name among the {key}", got=name, allowed=allowed)
                )
    if not options.formats:
        reading.complain(("formats",), OptionError("no format for the tables", todo="name one, such as fits"))
    for key in ("name", "version"):
        text = getattr(options, key)
        if not text.strip() or not text.isascii() or not text.isprintable():
            reading.complain((key,), OptionError("it must be printable ASCII", got=text))


# -- fields


def _fields(reading: _Reading, options: SurveyOptions) -> tuple[FieldPlan, ...]:
    """The fields by name, whatever the order in which the file lists them."""
    try:
        menu = Registry[Any]("finder").options(options.finder)
    except SkysiftError as error:
        reading.complain(("finder",), error)
        return ()
    if reading.parsed(("options",), menu, options.options) is None:
        return ()
    if not options.fields:
        reading.complain(
            ("fields",), OptionError("the survey has no fields", todo="list maps under `fields:`")
        )
    entries: list[tuple[Key, SurveyFieldOptions]] = []
    patterns: list[tuple[Key, str]] = []
    for number, entry in enumerate(options.fields):
        key: Key = ("fields", number)
        if (
            isinstance(entry, str)
            and not is_url(entry)
            and _MAGIC.search(entry)
            and not _exists(reading, entry)
        ):
            patterns.append((key, entry))
            continue
        told = reading.menu(key, SurveyFieldOptions, entry, "map")
        if told is not None and _map_is_there(reading, key, told):
            entries.append((key, told))
    named = {reading.place(told.map) for _, told in entries}
    for key, pattern in patterns:
        found = _matching(reading.place(pattern))
        if not found:
            reading.complain(key, OptionError("the pattern matches no file", got=reading.place(pattern)))
        fresh = [each for each in found if each not in named]
        named.update(fresh)
        base = str(reading.path.parent)
        entries += [
            (
                key,
                SurveyFieldOptions(
                    map=str(Path(each).relative_to(base)) if Path(each).is_relative_to(base) else each
                ),
            )
            for each in fresh
        ]
    return tuple(sorted(_named(reading, options, menu, entries), key=lambda each: each.name))


def _matching(pattern: str) -> list[str]:
    """The files that a pattern matches, in order."""
    anchor = Path(pattern).anchor
    inside = pattern[len(anchor) :]
    return sorted(str(each) for each in Path(anchor or ".").glob(inside) if each.is_file())


def _exists(reading: _Reading, text: str) -> bool:
    return is_url(text) or Path(file_of(reading.place(text))).exists()


def _map_is_there(reading: _Reading, key: Key, told: SurveyFieldOptions) -> bool:
    if not told.map.strip():
        reading.complain(key, OptionError("the entry names no map", todo="add `map: FILE`"))
        return False
    if _exists(reading, told.map):
        return True
    reading.complain((*key, "map"), UsageError("there is no such map", got=reading.place(told.map)))
    return False


def _named(
    reading: _Reading,
    options: SurveyOptions,
    menu: type[Options],
    entries: list[tuple[Key, SurveyFieldOptions]],
) -> Iterator[FieldPlan]:
    """The plans of fields, with names that differ."""
    entries = sorted(
        entries, key=lambda each: (each[1].map, str(each[1].hdu), str(each[1].plane), each[1].name)
    )
    stems = folder_names([told.map for _, told in entries])
    taken: dict[str, str] = {}
    for (key, told), stem in zip(entries, stems, strict=True):
        name = told.name or re.sub(r"[^A-Za-z0-9_.+-]", "-", stem)
        if not _NAME.fullmatch(name):
            reading.complain(
                (*key, "name"),
                OptionError(
                    "the name of a field is that of a folder", got=name, allowed="letters, digits, _ . + -"
                ),
            )
            continue
        if name.casefold() in taken:
            reading.complain(
                (*key, "name"),
                OptionError(
                    "two fields have one name", got=f"{name}, of {taken[name.casefold()]} and {told.map}"
                ),
            )
            continue
        taken[name.casefold()] = told.map
        chosen = _finder_options(reading, key, options, told, menu)
        if chosen is None:
            continue
        opening = {
            each: getattr(told, each) for each in ("hdu", "plane", "beam", "beam_plane", "unit", "frequency")
        }
        yield FieldPlan(name, reading.place(told.map), opening, told.epoch, chosen)


def _finder_options(
    reading: _Reading, key: Key, options: SurveyOptions, told: SurveyFieldOptions, menu: type[Options]
) -> Any:
    """The options of the finder for one field; None where they are wrong."""
    if told.options and reading.parsed((*key, "options"), menu, told.options) is None:
        return None
    own = {name: value for name in ("primary_beam", "weight") if (value := getattr(told, name)) is not None}
    for name in own:
        if name not in menu.model_fields:
            reading.complain((*key, name), OptionError(f"the finder {options.finder} takes no {name}"))
            return None
        if not _exists(reading, own[name]):
            reading.complain(
                (*key, name),
                UsageError("there is no such map", got=reading.place(own[name]) if own[name] else ""),
            )
            return None
    values = {**options.options, **told.options, **own}
    for name, value in values.items():
        if isinstance(value, str) and not is_url(value) and Path(file_of(reading.place(value))).is_file():
            values[name] = reading.place(value)  # maps of noise, of the primary beam, ...
    return reading.parsed((*key, "options"), menu, values)


# -- references


def _references(reading: _Reading, options: SurveyOptions) -> tuple[ReferencePlan, ...]:
    found: list[ReferencePlan] = []
    for number, entry in enumerate(options.references):
        key = ("references", number)
        told = reading.menu(key, ReferenceOptions, entry, "path")
        if told is None:
            continue
        try:
            place = Path(local_copy(reading.place(told.path)))
        except SkysiftError as error:  # of a server
            reading.complain((*key, "path"), error)
            continue
        if not told.path.strip() or not place.exists():
            reading.complain(
                (*key, "path"), UsageError("there is no such catalogue", got=told.path and str(place))
            )
            continue
        name = told.name or Path(name_of(told.path)).stem
        if name in [each.name for each in found] or not _NAME.fullmatch(name):
            reading.complain(
                (*key, "name"),
                OptionError(
                    "references need names that differ", got=name, allowed="letters, digits, _ . + -"
                ),
            )
            continue
        found.append(ReferencePlan(name, place, told))
    return tuple(found)
