"""How much of a survey is how deep, as a table."""

from __future__ import annotations

import numpy as np

from skysift.flow.survey_coverage import SurveyCoverage
from skysift.match.result import ResultTable
from skysift.sky.schema import Column

__all__ = ["AREAS", "area_table"]


def _real(name: str, unit: str, ucd: str, meaning: str) -> Column:
    return Column(name, "float64", unit, ucd, meaning, (), ".6g")


AREAS: tuple[Column, ...] = (
    _real("level", "Jy/beam", "phot.flux.density;em.radio", "Brightness."),
    _real("area_rms", "deg2", "phys.angArea", "Area in which the lowest rms of the fields is no higher."),
    _real(
        "area_detected", "deg2", "phys.angArea", "Area in which a peak of this brightness begins an island."
    ),
    _real("share_detected", "", "phys.angArea;arith.ratio", "This area over that of the survey."),
)


def area_table(coverage: SurveyCoverage) -> ResultTable:
    """The area that is as deep as each of many levels."""
    level, deep, seen = coverage.curve()
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = (level, deep, seen, seen / coverage.area if coverage.area else seen)
    return ResultTable("areas", dict(zip((each.name for each in AREAS), columns, strict=True)), AREAS)
