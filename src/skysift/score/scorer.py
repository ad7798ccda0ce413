"""`Scorer`: a catalogue and the truth in, a `Report` out; and `Report`: numbers, tables, and how they came."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, TypeAlias, TypeVar

from skysift.base.errors import FormatError, UsageError
from skysift.base.options import Options
from skysift.sky.catalogue import Catalogue
from skysift.sky.truth import Truth

__all__ = ["Number", "Report", "ReportTable", "Scorer", "reports_from_json", "reports_to_json"]

Number: TypeAlias = float | int
ReportTable: TypeAlias = Mapping[str, Sequence[Any]]
"""Column -> values, of one length; the columns ``x_low`` and ``x_high`` are the interval of the column x."""

Menu = TypeVar("Menu", bound=Options)

_TOLD = ("rule", "options", "catalogue", "truth", "notes")  # what a report holds beside numbers and tables


@dataclass(frozen=True)
class Report:
    """What one scorer says of one catalogue.

    A number has its 95 % interval, where it has one, under its name with ``_low`` and ``_high``.

    Parameters
    ----------
    kind
        The scorer's name in the index.
    numbers
        Name -> value; NaN where there is nothing to say.
    tables
        Name -> columns of equal length: what figures are drawn from.
    rule
        How rows were matched and counted, in sentences.
    options
        Of the scorer, JSON-safe.
    catalogue, truth
        What was compared with what, in a few words.
    notes
        What was odd about the catalogue or the truth, one line each.
    """

    kind: str
    numbers: Mapping[str, Number]
    tables: Mapping[str, ReportTable] = field(default_factory=dict)
    rule: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    catalogue: str = ""
    truth: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, table in self.tables.items():
            if len({len(values) for values in table.values()}) > 1:
                raise UsageError(f"the columns of the report's table {name} differ in length")
        for name in ("numbers", "tables", "options"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        object.__setattr__(self, "notes", tuple(self.notes))

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-safe values: its numbers, then what they rest on; NaN becomes null."""
        tables = {name: {key: _plain(values) for key, values in t.items()} for name, t in self.tables.items()}
        return {
            **{name: _plain(value) for name, value in self.numbers.items()},
            "tables": tables,
            "rule": self.rule,
            "options": _plain(dict(self.options)),
            "catalogue": self.catalogue,
            "truth": self.truth,
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, kind: str, values: Mapping[str, Any]) -> Report:
        """The report that `to_dict` told of; null becomes NaN."""
        rest = dict(values)
        told = {name: rest.pop(name) for name in _TOLD if name in rest}
        tables = {
            name: {
                key: [math.nan if each is None else each for each in column] for key, column in table.items()
            }
            for name, table in rest.pop("tables", {}).items()
        }
        return cls(kind, {name: math.nan if v is None else v for name, v in rest.items()}, tables, **told)

    def __reduce__(self) -> tuple[object, ...]:
        return Report.from_dict, (self.kind, self.to_dict())

    def __repr__(self) -> str:
        return (
            f"Report({self.kind!r}, {len(self.numbers)} numbers, tables: {', '.join(self.tables) or 'none'})"
        )


class Scorer(ABC, Generic[Menu]):
    """What scores a catalogue against a truth: the plug-ins of the kind ``scorer``.

    Parameters
    ----------
    options
        Its choices.
    """

    name: str

    def __init__(self, options: Menu) -> None:
        self.options = options

    @abstractmethod
    def score(self, catalogue: Catalogue, truth: Truth) -> Report:
        """What there is to say of the catalogue.

        Raises
        ------
        UsageError
            Catalogue and truth lack what the score needs.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.options!r})"


def reports_to_json(reports: Sequence[Report]) -> str:
    """One JSON object keyed by kind."""
    return json.dumps({report.kind: report.to_dict() for report in reports}, indent=2, allow_nan=False)


def reports_from_json(text: str, name: str) -> tuple[Report, ...]:
    """The reports in a JSON text.

    Raises
    ------
    FormatError
        The text is something else; `name` says where it came from.
    """
    try:
        values = json.loads(text)
        return tuple(Report.from_dict(kind, told) for kind, told in values.items())
    except (ValueError, AttributeError, TypeError) as error:
        raise FormatError(f"{name} holds no reports of `skysift score` ({error})") from error


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
