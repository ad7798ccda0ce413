"""`validate_field`: a catalogue and a reference in, a folder with the page of astrometry and fluxes out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import skysift
from skysift.base.errors import UsageError
from skysift.base.provenance import Manifest, Provenance, library_versions
from skysift.flow.match_text import match_lines
from skysift.flow.products import MANIFEST, ProductFolder, checksum, refuse_earlier, size, writing
from skysift.flow.steps.match import entries_of, read_entries, records
from skysift.flow.validation import in_field, match_page
from skysift.io.layouts.reading import read_any
from skysift.io.tables import FitsFormat
from skysift.match.catalogues import match_catalogues
from skysift.match.matcher import Matcher
from skysift.match.result import Match

__all__ = ["validate_field"]

PAGE, NUMBERS, TABLE = "validation.html", "validation.json", "matches.fits"


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
        A file is not there, or the reference has no row in the field.
    FormatError
        A file is no catalogue that is known.
    OutputError
        The folder holds an earlier run and `overwrite` is false, or cannot be written.
    """
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    refuse_earlier(out, overwrite=overwrite)
    flux = matcher.options.flux
    found = read_entries(catalogue, table, flux, frequency)
    there = read_any(reference, "named" if columns else None, columns, table)
    survey = entries_of(there, reference, flux, reference_frequency)
    radius = matcher.radius(survey, found)
    near = in_field(survey, found, radius)
    if not len(near):
        raise UsageError(f"{survey.name} has no row in the field of {found.name}", got="no common sky")
    match = match_catalogues([near, found], matcher)
    match = replace(match, notes=(*match.notes, *_notes(match)))
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
        content = manifest.to_dict()
        content["outputs"] = [
            {"name": name, "size": size(folder.path(name)), "checksum": checksum(folder.path(name))}
            for name in names[:-1]
        ]
        folder.path(MANIFEST).write_text(
            json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        folder.commit()
    return match


def _notes(match: Match) -> list[str]:
    """What keeps the flux ratio from being that of the flux scales, where something does."""
    scale = match.joins[0].flux_scale
    if scale.n and not scale.n_scale:
        why = "the frequencies differ or are not known, and no expected_index was set"
        return [f"the flux ratio holds the spectral index: {why}"]
    return []
