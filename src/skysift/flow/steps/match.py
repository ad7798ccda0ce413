"""`match_files`: catalogues in, one table of who is who out, with its page where wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import skysift
from skysift.base.errors import OutputError, UnknownName, UsageError
from skysift.base.provenance import InputRecord, Provenance
from skysift.base.registry import Registry
from skysift.flow.match_text import duplicates_lines, match_lines
from skysift.flow.products import checksum, size
from skysift.io.format import FileFormat
from skysift.io.labels import read_labels
from skysift.io.layouts.reading import read_any
from skysift.io.open import open_image
from skysift.io.output import whole_file
from skysift.io.tables import table_files
from skysift.match.catalogues import match_catalogues
from skysift.match.duplicates import Duplicates, duplicates
from skysift.match.entries import Entries, Islands
from skysift.match.matcher import Matcher
from skysift.match.result import Match, ResultTable
from skysift.sky.table import Table

__all__ = [
    "duplicate_rows",
    "entries_of",
    "match_files",
    "read_entries",
    "records",
    "with_islands",
    "writer_of",
]


def match_files(
    paths: Sequence[Path],
    matcher: Matcher[Any],
    out: Path | None,
    *,
    table: str = "sources",
    correct: bool = False,
    frequencies: Sequence[float] = (),
    labels: Sequence[Path] = (),
    candidates: Path | None = None,
    report: Path | None = None,
    overwrite: bool = False,
) -> Match:
    """What came of matching these catalogues, after its table was written.

    Parameters
    ----------
    paths
        Table files or output folders, of skysift or in a known layout; the first is the reference.
    matcher
        How pairs are found.
    out
        The file to write; its suffix tells the format. None writes nothing.
    table
        The table of a folder.
    correct
        Take measured offsets and flux scales away before matching.
    frequencies
        Of the catalogues that do not tell theirs (Hz), one each; NaN for what is not known.
    labels
        Maps of labels, one a catalogue, for matching by islands; ``labels.fits`` of folders where not given.
    candidates
        A file for all pairs that were weighed.
    report
        A file for the page.
    overwrite
        Replace what is there.

    Raises
    ------
    UsageError
        A file is not there, or nothing tells how near a pair must be.
    FormatError
        A file is no catalogue that is known.
    OutputError
        A file exists and `overwrite` is false, or cannot be written.
    """
    if candidates is not None and not matcher.lists_all:
        raise UsageError(
            "matching by position weighs no candidates",
            got=f"--candidates {candidates}",
            allowed="ellipse, likelihood",
        )
    wanted = {place: writer_of(place) for place in (out, candidates) if place is not None}
    _refuse([*wanted, *([report] if report else [])], overwrite)
    entries = []
    for number, path in enumerate(paths):
        frequency = frequencies[number] if number < len(frequencies) else np.nan
        read = read_entries(path, table, matcher.options.flux, frequency)
        label_map = labels[number] if number < len(labels) else None
        entries.append(with_islands(read, path, table, label_map) if matcher.takes_islands else read)
    match = match_catalogues(_named_apart(entries), matcher, correct=correct)
    told = Provenance(
        skysift.__version__,
        match.kind,
        match.options,
        records(paths),
        (*match_lines(match), *match.notes),
        "matcher",
    )
    tables: dict[Path | None, ResultTable | None] = {out: match.table, candidates: match.candidates}
    for place, writer in wanted.items():
        chosen = tables[place]
        if chosen is not None:
            writer.write_table(chosen, place, told, overwrite=overwrite)
    if report is not None:
        from skysift.flow.validation import match_page  # late: the figures

        with whole_file(report, overwrite=overwrite) as part:
            part.write_text(match_page(match), encoding="utf-8")
    return match


def duplicate_rows(
    path: Path,
    out: Path | None,
    *,
    radius: float | None = None,
    table: str = "sources",
    flux: str = "flux",
    overwrite: bool = False,
) -> Duplicates:
    """The duplicates within one catalogue, after their table was written.

    Parameters
    ----------
    path, table
        The catalogue, and which table of a folder.
    out
        The file to write; its suffix tells the format. None writes nothing.
    radius
        Rows within this distance are one (arcsec); half the median FWHM where not given.
    flux
        The column of fluxes.
    overwrite
        Replace what is there.

    Raises
    ------
    UsageError
        The file is not there, or nothing tells how near duplicates must be.
    FormatError
        The file is no catalogue that is known.
    OutputError
        A file exists and `overwrite` is false, or cannot be written.
    """
    writer = None if out is None else writer_of(out)
    _refuse([] if out is None else [out], overwrite)
    found = duplicates(read_entries(path, table, flux), radius)
    if out is not None and writer is not None:
        told = Provenance(
            skysift.__version__,
            "duplicates",
            {"radius": found.radius, "flux": flux},
            records([path]),
            tuple(duplicates_lines(found)),
            "matcher",
        )
        writer.write_table(found.table, out, told, overwrite=overwrite)
    return found


def read_entries(
    path: Path, table: str = "sources", flux: str = "flux", frequency: float = np.nan
) -> Entries:
    """The catalogue in a file or folder as matchers take it, under the name of its file.

    Parameters
    ----------
    path, table
        The catalogue, and which table of a folder.
    flux
        The column of fluxes.
    frequency
        Of rows that tell none (Hz).

    Raises
    ------
    UsageError
        There is no such file, or no row has a position on the sky.
    FormatError
        It is no catalogue that is known.
    """
    return entries_of(read_any(path, table=table), path, flux, frequency)


def entries_of(table: Table, path: Path, flux: str, frequency: float = np.nan) -> Entries:
    """A table that was read from a file as matchers take it.

    Raises
    ------
    UsageError
        No row has a position on the sky.
    """
    entries = Entries.of(table, path.stem or str(path), flux=flux)
    if np.isfinite(frequency):
        told = np.isfinite(entries.frequency)
        entries = replace(entries, frequency=np.where(told, entries.frequency, frequency))
    return entries


def with_islands(entries: Entries, path: Path, table: str, label_map: Path | None = None) -> Entries:
    """The catalogue with its islands, from a map of labels.

    Parameters
    ----------
    entries
        The rows that were read.
    path, table
        From where.
    label_map
        A FITS map of labels; ``labels.fits`` beside the tables of a folder where not given.

    Raises
    ------
    UsageError
        There is no map of labels, it has no place on the sky, or rows do not tell their island.
    FormatError
        The map holds something else.
    """
    place = label_map or (path / "labels.fits" if path.is_dir() else None)
    if place is None or not place.is_file():
        raise UsageError(
            f"{entries.name} has no map of labels", got=str(place or path), todo="name the maps by --labels"
        )
    rows = read_any(path, table=table)
    if "island_id" not in rows:
        raise UsageError(
            f"the {rows.kind} of {entries.name} do not tell their islands",
            todo="give --table islands or components",
        )
    frame = open_image(str(place)).frame
    if not frame.celestial:
        raise UsageError(f"{place} has no place on the sky")
    return entries.on_islands(Islands(read_labels(place), frame), rows["island_id"])


def writer_of(path: Path) -> FileFormat:
    """The format that the suffix of a file tells.

    Raises
    ------
    UnknownName
        No format has files that end so.
    """
    registry = Registry[type[FileFormat]]("format")
    suffixes: list[str] = []
    for name in registry.names():
        made = registry.load(name)()
        if path.name.lower().endswith(made.suffixes):
            return made
        suffixes.extend(made.suffixes)
    raise UnknownName("the suffix of the file tells no format", got=path.name, allowed=suffixes)


def _named_apart(entries: Sequence[Entries]) -> list[Entries]:
    """The catalogues with names that differ."""
    names = [each.name for each in entries]
    return [
        replace(each, name=f"{each.name} ({number})") if names.count(each.name) > 1 else each
        for number, each in enumerate(entries, start=1)
    ]


def _refuse(places: Sequence[Path], overwrite: bool) -> None:
    """Check that files can be written before anything is read.

    Raises
    ------
    OutputError
        A file exists and `overwrite` is false, two are one, or a folder is not there.
    """
    if len(set(places)) < len(places):
        raise OutputError("two files of the output have one name", got=str(places[0]))
    for place in places:
        if place.exists() and not overwrite:
            raise OutputError(
                "the file exists", got=str(place), todo="choose another name, or give --overwrite"
            )
        if not place.parent.is_dir():
            raise OutputError("no such folder", got=str(place.parent), todo="make it first")


def records(paths: Sequence[Path]) -> tuple[InputRecord, ...]:
    """The files with their checksums; of a folder its tables."""
    files = [file for path in paths for file in (table_files(path).values() if path.is_dir() else [path])]
    return tuple(InputRecord(file.name, checksum(file), size=size(file)) for file in files)
