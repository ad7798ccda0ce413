"""The lists of the SKA Science Data Challenges as layouts: `skysift.io.sdc_rows` says what their columns mean."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import ClassVar

from skysift.base.errors import SkysiftWarning, UsageError
from skysift.io.layouts.options import Sdc1LayoutOptions
from skysift.io.primary_beam import response
from skysift.io.sdc import is_sdc1, is_sdc2, read_sdc1_table, read_sdc2_table, write_rows
from skysift.io.sdc_rows import is_listed, sdc1_rows, sdc2_rows
from skysift.sky.schema import TableName
from skysift.sky.table import Table

__all__ = ["Sdc1Layout", "Sdc2Layout"]


class Sdc1Layout:
    """Lists of SKA Science Data Challenge 1: twelve columns of continuum sources.

    What it writes is a submission: fluxes over the response of the primary beam, deconvolved FWHM (size id 2),
    angles from west clockwise, positions in FK5. Sources without a position, off the map of the primary beam or
    without a flux above 0 are left out, with a warning that counts them.
    """

    name = "sdc1"
    title = "SKA Science Data Challenge 1"
    tables: ClassVar[tuple[TableName, ...]] = ("sources", "components")
    suffixes: ClassVar[tuple[str, ...]] = (".txt", ".cat", ".dat")

    def __init__(self, options: Sdc1LayoutOptions | None = None) -> None:
        self.options = Sdc1LayoutOptions() if options is None else options

    def matches(self, path: Path) -> bool:
        """True for a text of twelve columns of numbers that can be such a list."""
        return is_sdc1(path)

    def read(self, path: Path) -> Table:
        """The sources in a list.

        Raises
        ------
        UsageError
            There is no such file.
        FormatError
            It is no such list, or a row is broken.
        """
        return read_sdc1_table(path)

    def write(self, table: Table, path: Path, *, overwrite: bool = False) -> Path:
        """The list that was written.

        Raises
        ------
        UsageError
            The table is one of islands, or no source lies on the map of the primary beam.
        OutputError
            The file exists and `overwrite` is false, or it cannot be written.
        """
        chosen = self.options
        listed = is_listed(table)
        over = None
        if chosen.primary_beam is not None and not listed:
            over = response(chosen.primary_beam, table["ra"], table["dec"])
        rows, left_out = sdc1_rows(
            table, response=over, class_id=chosen.class_id, core_fraction=chosen.core_fraction
        )
        outside = left_out.get("outside the primary beam", 0)
        if outside and not len(rows["id"]):
            raise UsageError(
                "no source lies on the map of the primary beam",
                got=f"{outside} of {len(table)} {table.kind} outside {chosen.primary_beam or ''}".strip(),
                todo="give the primary beam of the map that they were found in",
            )
        if over is None and not listed and "primary_beam" not in table:
            told = "the fluxes are not corrected for the primary beam: --primary-beam names its map"
            warnings.warn(told, SkysiftWarning, stacklevel=2)
        if left_out:
            reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
            told = f"{sum(left_out.values())} of {len(table)} {table.kind} are left out: {reasons}"
            warnings.warn(told, SkysiftWarning, stacklevel=2)
        return write_rows(rows, path, overwrite=overwrite)


class Sdc2Layout:
    """Lists of SKA Science Data Challenge 2: nine columns of HI galaxies."""

    name = "sdc2"
    title = "SKA Science Data Challenge 2"
    tables: ClassVar[tuple[TableName, ...]] = ("sources",)
    suffixes: ClassVar[tuple[str, ...]] = (".txt", ".cat", ".dat")

    def matches(self, path: Path) -> bool:
        """True for a text of nine columns of numbers that can be such a list."""
        return is_sdc2(path)

    def read(self, path: Path) -> Table:
        """The galaxies in a list.

        Raises
        ------
        UsageError
            There is no such file.
        FormatError
            It is no such list, or a row is broken.
        """
        return read_sdc2_table(path)

    def write(self, table: Table, path: Path, *, overwrite: bool = False) -> Path:
        """The list that was written.

        Raises
        ------
        UsageError
            The table lacks the columns of HI sources.
        OutputError
            The file exists and `overwrite` is false, or it cannot be written.
        """
        return write_rows(sdc2_rows(table), path, overwrite=overwrite)
