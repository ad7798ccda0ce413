"""`JudgeStep`: a network says of every row of a catalogue what it is and how sure it is; nothing else changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import skysift
from skysift.base.errors import UsageError
from skysift.base.parallel import ALONE, Crew
from skysift.base.provenance import InputRecord, Provenance
from skysift.find.beams import as_seen
from skysift.find.neural.calibration import limits_of
from skysift.find.neural.eye import eye_of
from skysift.find.neural.opinion import Opinion, opinion_of
from skysift.find.neural.options import JudgeOptions
from skysift.find.noise import measure_noise
from skysift.flow.steps.match import writer_of
from skysift.sky import schema
from skysift.sky.catalogue import Catalogue
from skysift.sky.image import SkyImage
from skysift.sky.table import Table
from skysift.sky.truth import CLASSES, SPURIOUS

__all__ = ["COLUMNS", "JudgeStep", "Judged", "write_judged"]

COLUMNS = ("class", "class_score", "score")


@dataclass(frozen=True)
class Judged:
    """
    A table with what a network says of its rows.

    Attributes
    ----------
    table
        All columns as they were, with `COLUMNS`.
    provenance
        What was judged by what.
    limits
        The score of each class, in the order of `CLASSES`, above which the network's own finder keeps sources.
    n_off, n_blank
        Rows off the map, and rows on it where there are no data.
    """

    table: Table
    provenance: Provenance
    limits: tuple[float, ...]
    n_off: int
    n_blank: int

    @property
    def real(self) -> int:
        """How many rows score what their class asks for and are of another class than spurious."""
        kinds, score = self.table["class"], self.table["score"]
        asked = dict(zip(CLASSES, self.limits, strict=True))
        return sum(
            int(((kinds == name) & (score >= asked[name])).sum()) for name in CLASSES if name != SPURIOUS
        )

    @property
    def counts(self) -> Mapping[str, int]:
        """Rows of each class that occurs."""
        kinds = self.table["class"]
        return {name: n for name in CLASSES if (n := int((kinds == name).sum()))}


class JudgeStep:
    """
    Class and score of every row of a catalogue, by a network.

    A row takes the surest answer of the network whose source is within `radius` of its position; rows that are off
    the map, or where there are no data, have no class and NaN.
    """

    def __init__(self, options: JudgeOptions) -> None:
        self.options = options

    def judge(
        self,
        table: Table,
        image: SkyImage,
        *,
        inputs: Sequence[InputRecord] = (),
        crew: Crew = ALONE,
    ) -> Judged:
        """
        The table with the columns `COLUMNS`.

        Parameters
        ----------
        table
            Sources, components or islands.
        image
            The map that the network looks at.
        inputs
            What the table was read from.
        crew
            Who works.

        Raises
        ------
        UsageError
            The table has rows and none of them lies on the map.
        """
        options = self.options
        weights = eye_of(options).weights  # first: wrong weights are told before the map is read
        x, y = _pixels(table, image)
        off = ~image.box.contains(x, y)
        if len(table) and off.all():
            raise UsageError(
                "no row of the catalogue lies on the map",
                got=f"{len(table)} rows",
                todo="give the map that they are of",
            )
        image, beam_files = as_seen(image, options)
        noise = measure_noise(image, options, crew)
        said = (
            opinion_of(image, noise, x, y, options, crew)
            if len(table)
            else Opinion(np.empty(0, np.int64), np.empty(0), np.empty(0))
        )
        n_off, n_blank = int(off.sum()), int((~off & ~said.given).sum())
        notes = [
            note
            for n, note in (
                (n_off, "rows are off the map: they have no class and no score"),
                (n_blank, "rows are where the map has no data: they have no class and no score"),
                (
                    sum(name in table for name in COLUMNS),
                    "columns that the catalogue had were replaced by those of the network",
                ),
            )
            for note in ([f"{n} {note}"] if n else [])
        ]
        record = InputRecord(weights.path.name, weights.checksum, size=weights.path.stat().st_size)
        made = Provenance(
            skysift.__version__,
            "judge",
            {
                **options.to_dict(),
                "weights": weights.card.name,
                "flips": int(weights.card.settings.get("flips", 1)),
            },
            (*inputs, *(each.input_record() for each in (image, *noise.given)), *beam_files, record),
            (*image.notes, *notes),
            "step",
        )
        limits = tuple(limits_of(weights.card).tolist())
        return Judged(_with_opinion(table, said), made, limits, n_off, n_blank)


def write_judged(judged: Judged, out: Path, *, overwrite: bool = False) -> None:
    """Write the table with how it was made; the suffix of the file tells the format.

    Raises
    ------
    UnknownName
        No format has files that end so.
    OutputError
        The file exists and `overwrite` is false, or it cannot be written.
    """
    tables = {
        kind: judged.table if kind == judged.table.kind else Table.empty(kind) for kind in schema.TABLES
    }
    catalogue = Catalogue(tables["islands"], tables["sources"], tables["components"], judged.provenance)
    writer_of(out).write(catalogue, out, judged.table.kind, overwrite=overwrite)


def _pixels(table: Table, image: SkyImage) -> tuple[np.ndarray, np.ndarray]:
    """Where the rows are on the map: by their sky positions, or by their pixels where one of both has no sky."""
    if image.frame.celestial:
        x, y = image.frame.to_pixel(table["ra"], table["dec"])
        if not len(table) or np.isfinite(table["ra"]).any():
            return x, y
    return np.asarray(table["x"], np.float64), np.asarray(table["y"], np.float64)


def _with_opinion(table: Table, said: Opinion) -> Table:
    """The table with three columns, in place of those of these names."""
    names = np.array([*CLASSES, ""])
    values = {"class": names[said.kind], "class_score": said.class_score, "score": said.score}
    declared = {each.name: each for each in schema.FURTHER if each.name in COLUMNS}
    new = [replace(declared[name]) for name in COLUMNS if name not in table]
    return table.with_columns(values, new)
