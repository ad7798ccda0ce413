"""Maps beside the searched one: what is measured on them at the places that a search found.

Each kind of such maps (Taylor terms, channels, Stokes Q, U and V) is a `Beside`: it opens and checks its maps
before anything is computed, may say which map is to be searched in place of the one given (the same seen through
another beam, say), and afterwards adds columns, tables, notes and inputs to the finding.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy.typing as npt

from skysift.base.errors import OptionError, UsageError
from skysift.base.parallel import Crew
from skysift.base.provenance import InputRecord
from skysift.find.finding import Finding
from skysift.find.options import FinderOptions
from skysift.io.open import open_image
from skysift.match.result import ResultTable
from skysift.sky.catalogue import Catalogue
from skysift.sky.grids import SAME_GRID, grids_apart
from skysift.sky.image import SkyImage
from skysift.sky.schema import TABLES, TableName, further
from skysift.sky.table import Table

__all__ = ["Beside", "MapLike", "Opened", "extended", "open_map", "recorded", "refuse_unused", "same_grid"]

MapLike = SkyImage | str | os.PathLike[str]
"""A map, or the path of a FITS map."""


class Opened(Protocol):
    """Maps that are open and fit the searched one."""

    @property
    def image(self) -> SkyImage:
        """The map to be searched."""
        ...

    def add(self, finding: Finding, options: FinderOptions, crew: Crew) -> Finding:
        """The finding with what these maps tell of it."""
        ...


class Beside(Protocol):
    """One kind of maps beside the searched one."""

    @property
    def name(self) -> str:
        """What it is called among the stages of a run."""
        ...

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that it adds to a finding; their files are called so."""
        ...

    def open(self, image: SkyImage, options: FinderOptions | None = None) -> Opened:
        """The maps opened and checked against the map that is to be searched, and against what it is searched with."""
        ...


OF_MAPS = {
    "taylor_band": ("Taylor terms", "--taylor"),
    "taylor_terms": ("Taylor terms", "--taylor"),
    "spectral_curvature": ("channels", "--channels"),
}
"""Options that say how further maps are measured -> the name of these maps, and the flag that gives them."""


def refuse_unused(options: FinderOptions, beside: Sequence[Beside]) -> None:
    """Refuse an option that would do nothing, for its maps are not there.

    Raises
    ------
    OptionError
        One is set.
    """
    given = {one.name for one in beside}
    for name, (maps, by_flag) in OF_MAPS.items():
        value = getattr(options, name)
        if value != type(options).model_fields[name].default and maps not in given:
            raise OptionError(
                f"{name} says how further maps are measured, and there are none",
                got=f"{name}={value}",
                todo=f"give {by_flag} too, or leave {name} out",
            )


def open_map(given: MapLike, **opening: Any) -> SkyImage:
    """A map as it is, or the map in a file."""
    return given if isinstance(given, SkyImage) else open_image(given, **opening)


def same_grid(image: SkyImage, other: SkyImage, what: str) -> None:
    """Refuse a map whose pixels do not lie where those of the searched map lie.

    Parameters
    ----------
    image
        The searched map.
    other
        The map beside it.
    what
        What the other is, for the message: ``tt1``.

    Raises
    ------
    UsageError
        It has another shape, or its pixels lie elsewhere on the sky.
    """
    if other.shape != image.shape:
        raise UsageError(
            f"{what} ({other.name}) does not lie on the pixels of {image.name}",
            got=f"{other.shape[0]} x {other.shape[1]} pixels (y, x)",
            allowed=f"{image.shape[0]} x {image.shape[1]}",
            todo="regrid it to the searched map",
        )
    apart = grids_apart(image.frame, other.frame)
    if apart > SAME_GRID:
        raise UsageError(
            f"{what} ({other.name}) does not lie on the pixels of {image.name}",
            got=f"a WCS that puts them up to {apart:.3g} pixels apart",
            allowed=f"{SAME_GRID:g} pixels",
            todo="regrid it to the searched map",
        )


def extended(catalogue: Catalogue, columns: Mapping[TableName, Mapping[str, npt.NDArray[Any]]]) -> Catalogue:
    """The catalogue with further columns of the schema.

    Parameters
    ----------
    catalogue
        Islands, sources, components.
    columns
        Table -> name -> values; what the table has is replaced, the rest stands in
        `skysift.sky.schema.FURTHER`.
    """
    tables = {name: catalogue.table(name) for name in TABLES}
    for name, values in columns.items():
        new = [each for each in values if each not in tables[name]]
        declared = further(name, *new) if new else ()
        tables[name] = tables[name].with_columns(values, declared)
    return Catalogue(**tables, provenance=catalogue.provenance)


def recorded(
    finding: Finding,
    *,
    catalogue: Catalogue,
    images: Sequence[SkyImage],
    notes: Sequence[str] = (),
    facts: Mapping[str, object] | None = None,
    options: Mapping[str, object] | None = None,
    tables: Mapping[str, ResultTable | Table] | None = None,
) -> Finding:
    """The finding with another catalogue, whose provenance names the further maps as inputs.

    Parameters
    ----------
    finding, catalogue
        What was found, and the catalogue with its new columns.
    images
        The further maps.
    notes
        What was odd, one line each.
    facts
        What was measured on the way.
    options
        What was chosen beside the options of the finder.
    tables
        Tables beside those of the catalogue, by name.
    """
    told = catalogue.provenance
    notes = tuple(note for note in dict.fromkeys(notes) if note not in finding.notes)
    if told is not None:
        told = replace(
            told,
            inputs=_inputs(told.inputs, images),
            notes=(*told.notes, *notes),
            options={**told.options, **(options or {})},
        )
    return replace(
        finding,
        catalogue=replace(catalogue, provenance=told),
        notes=(*finding.notes, *notes),
        facts={**finding.facts, **(facts or {})},
        tables={**finding.tables, **(tables or {})},
    )


def _inputs(known: Sequence[InputRecord], images: Sequence[SkyImage]) -> tuple[InputRecord, ...]:
    """The inputs with those of further maps; several planes of one cube are one input."""
    records = list(dict.fromkeys(image.input_record() for image in images))
    wholes = [replace(each, plane=()) for each in records]
    further = [
        whole if wholes.count(whole) > 1 else each for each, whole in zip(records, wholes, strict=True)
    ]
    return tuple(dict.fromkeys((*known, *further)))
