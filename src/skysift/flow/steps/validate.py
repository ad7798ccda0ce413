"""`validate_field`: a catalogue and a reference in, a folder with the page of astrometry and fluxes out."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import skysift
from skysift.base.errors import FormatError, UsageError
from skysift.base.provenance import Manifest, Provenance, library_versions
from skysift.flow.match_text import match_lines
from skysift.flow.products import (
    MANIFEST,
    ProductFolder,
    refuse_earlier,
    write_manifest,
    writing,
)
from skysift.flow.steps.match import entries_of, read_entries, records
from skysift.flow.validation import in_field, match_page, reach_of
from skysift.io.layouts.reading import read_any
from skysift.io.tables import FitsFormat
from skysift.match.catalogues import match_catalogues
from skysift.match.entries import Entries
from skysift.match.matcher import Matcher
from skysift.match.result import Match
from skysift.sky.table import Table

__all__ = ["validate_field"]

PAGE, NUMBERS, TABLE = "validation.html", "validation.json", "matches.fits"
_FLAGS = {"ra": "--ra", "dec": "--dec", "flux_int": "--flux", "flux_unit": "--flux-unit"}  # of the command
_FAR_WIDER = 3.0  # a field that reaches so many times as far as its reference is none


def validate_field(
    catalogue: Path,
    reference: Path,
    out: Path,
    matcher: Matcher[Any],
    *,
    table: str = "sources",
    columns: Mapping[str, object] | None = None,
    frequency: float = math.nan,
    reference_frequency: float = math.nan,
    overwrite: bool = False,
) -> Match:
    """What came of matching a field with a reference, after ``validation.html``, ``.json`` and the table were written.

    Parameters
    ----------
    catalogue, reference
        The field, and a survey of which the field's circle is cut.
    out
        The folder; made where it is missing.
    matcher
        How pairs are found.
    table
        The table of a folder.
    columns
        Names of columns of the reference, where they are not the usual ones (options of the layout ``named``).
    frequency, reference_frequency
        Of rows that tell none (Hz).
    overwrite
        Replace an earlier run.

    Raises
    ------
    UsageError
        A file is not there or has no rows, or the reference has no row in the field.
    FormatError
        A file is no catalogue that is known.
    OutputError
        The folder holds an earlier run and `overwrite` is false, or cannot be written.
    """
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    refuse_earlier(out, overwrite=overwrite)
    flux = matcher.options.flux
    found = read_entries(catalogue, table, flux, frequency)
    survey = entries_of(_reference(reference, columns, table), reference, flux, reference_frequency)
    for each, what in ((found, "field"), (survey, "reference")):
        if not len(each):
            raise UsageError(f"{each.name} has no rows: there is no {what} to compare")
    radius = matcher.radius(survey, found)
    near = in_field(survey, found, radius)
    if not len(near):
        raise UsageError(f"{survey.name} has no row in the field of {found.name}", got="no common sky")
    match = match_catalogues([near, found], matcher)
    match = replace(match, notes=(*match.notes, *_notes(match, near, found, survey)))
    names = (PAGE, NUMBERS, TABLE, MANIFEST)
    told = Provenance(
        skysift.__version__,
        match.kind,
        match.options,
        records([catalogue, reference]),
        (*match_lines(match), *match.notes),
        "matcher",
    )
    manifest = Manifest(told, names[:-1], started=started, versions=library_versions())
    lead = (
        f"{len(found):,} rows of the field and {len(near):,} of {len(survey):,} rows of the reference that lie in its "
        f"circle, matched {match.kind}. Offsets are field minus reference, ratios field over reference."
    )
    with ProductFolder(out, names=names, overwrite=overwrite) as folder, writing(out):
        folder.path(PAGE).write_text(match_page(match, "", lead), encoding="utf-8")
        folder.path(NUMBERS).write_text(
            json.dumps(match.to_dict(), indent=2, allow_nan=False) + "\n", encoding="utf-8"
        )
        FitsFormat().write_table(match.table, folder.path(TABLE), told)
        write_manifest(manifest, folder)
        folder.commit()
    return match


def _reference(path: Path, columns: Mapping[str, object] | None, table: str) -> Table:
    """The table of the reference.

    Raises
    ------
    UsageError
        There is no such file, or no such column.
    FormatError
        It is no catalogue that is known; what it says to do are flags of the command.
    """
    try:
        return read_any(path, "named" if columns else None, columns, table)
    except FormatError as error:
        wishes = re.findall(r"--set (\w+)=(\w+)", error.todo or "")
        if not wishes or not all(name in _FLAGS for name, _ in wishes):
            raise
        flags = " ".join(f"{_FLAGS[name]} {value}" for name, value in wishes)
        raise error.advising(f"say it by {flags}") from error


def _notes(match: Match, near: Entries, found: Entries, survey: Entries) -> list[str]:
    """What keeps the flux ratio from being that of the flux scales, and what looks like swapped arguments."""
    notes = []
    scale = match.joins[0].flux_scale
    flags = ((found, "--frequency"), (near, "--reference-frequency"))
    unknown = [
        f"the frequency of {each.name} ({flag} gives it)"
        for each, flag in flags
        if not np.isfinite(each.frequency).any()
    ]
    if scale.n and not scale.n_scale and unknown:
        notes.append(f"the flux ratio may hold a spectral index: not known is {' nor '.join(unknown)}")
    if not np.isfinite(found.snr).any() or not np.isfinite(found.frequency).any():
        (_, wide), (_, narrow) = reach_of(found), reach_of(survey)
        narrow = max(narrow, 60.0)
        if wide > _FAR_WIDER * narrow:
            notes.append(
                f"{found.name} reaches {wide / narrow:,.0f} times as far over the sky as its reference {survey.name}: "
                "the arguments may be swapped"
            )
    return notes
