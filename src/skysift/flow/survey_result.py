"""`Survey`: all that is known of a survey when its fields were searched, merged and compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skysift.flow.survey_catalogue import Merged
from skysift.flow.survey_checks import Check
from skysift.flow.survey_config import SurveyPlan
from skysift.flow.survey_coverage import SurveyCoverage
from skysift.flow.survey_fields import FieldDone, FieldFailed
from skysift.sky.catalogue import Catalogue

__all__ = ["Survey"]

_NAMED = 5  # fields that a note names


@dataclass(frozen=True, eq=False, repr=False)
class Survey:
    """A survey.

    Parameters
    ----------
    plan
        What was asked for.
    fields, failed
        Fields that were searched, by name, and those that could not be.
    merged
        The catalogue, and what became of each source.
    coverage
        Where the survey looked, and how deep.
    moc, holes
        What is covered, and what it encloses without covering it (`mocpy.MOC`).
    checks
        Comparisons of fields with references and with each other.
    pages
        Pages of the comparisons with references: name of the file, text.
    notes
        What is odd, one line each.
    kept
        Names of fields that an earlier run had searched.
    """

    plan: SurveyPlan
    fields: tuple[FieldDone, ...]
    failed: tuple[FieldFailed, ...]
    merged: Merged
    coverage: SurveyCoverage
    moc: Any
    holes: Any
    checks: tuple[Check, ...]
    pages: Mapping[str, str]
    notes: tuple[str, ...]
    kept: frozenset[str]

    @property
    def notes_of_fields(self) -> tuple[str, ...]:
        """What is odd or was assumed of the maps of the fields, one line for each such thing and those it holds for."""
        about: dict[str, list[str]] = {}
        for each in self.fields:
            for note in each.manifest.get("warnings", ()):
                about.setdefault(str(note), []).append(each.name)
        told = []
        for note, names in about.items():
            rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            told.append(f"{', '.join(names[:_NAMED])}{rest}: {note}")
        return tuple(told)

    @property
    def catalogue(self) -> Catalogue:
        """Islands, sources and components of all fields."""
        return self.merged.catalogue

    def __repr__(self) -> str:
        options = self.plan.options
        failed = f", {len(self.failed)} failed" if self.failed else ""
        return (
            f"Survey({options.name!r} {options.version}, {len(self.fields)} fields{failed}, "
            f"{int(self.catalogue.sources['primary'].sum())} sources in {self.coverage.area:.3g} deg2)"
        )
