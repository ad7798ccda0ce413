"""Reports as text for a terminal: numbers with their intervals, the tables that matter, and the rule."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence

from skysift.score.scorer import Number, Report, ReportTable

__all__ = [
    "SHOWN",
    "common_rule",
    "comparison_text",
    "number_rows",
    "of_one_rule",
    "reports_text",
    "shared_numbers",
    "table_rows",
    "value_text",
]

SHOWN: dict[str, tuple[str, ...]] = {
    "counts": ("completeness_snr", "reliability_snr"),
    "fluxes": (),
    "classes": ("classes", "confusion"),
    "coco": ("snr", "classes"),
    "masks": ("classes", "confusion"),
}
_LONGEST = 24  # rows of a table that are printed
_ENDS = ("_low", "_high")


def value_text(value: object) -> str:
    """One value as a person reads it: four digits, a dash for what is not known."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return "-"
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def number_rows(numbers: Mapping[str, Number]) -> list[tuple[str, str, str]]:
    """(name, value, interval) of every number, the ends of intervals beside what they are of."""
    rows = []
    for name, value in numbers.items():
        base = next((name.removesuffix(end) for end in _ENDS if name.endswith(end)), None)
        if base in numbers:
            continue
        low, high = (numbers.get(f"{name}{end}", math.nan) for end in _ENDS)
        known = all(math.isfinite(end) for end in (low, high))
        rows.append((name, value_text(value), f"{value_text(low)} to {value_text(high)}" if known else ""))
    return rows


def reports_text(reports: Sequence[Report], width: int = 100) -> str:
    """Reports of one catalogue as text, no line of prose longer than `width`; what all of them say comes once."""
    first = reports[0]
    shared, rule = shared_numbers(reports), common_rule(reports)
    alike = of_one_rule(reports)
    parts = [f"{first.catalogue} against {first.truth}"]
    if rule or shared:
        kinds = ", ".join(report.kind for report in alike)
        parts.append(f"rows and matches{f' of {kinds}' if len(alike) > 1 else ''}")
    if rule:
        parts.append(textwrap.fill(rule, width))
    if shared:
        parts.append(_columns(number_rows({n: v for n, v in alike[0].numbers.items() if n in shared})))
    for report in reports:
        if report in alike:
            parts += _of_one(report, shared, report.rule[len(rule) :].strip(), width)
        else:
            parts += _of_one(report, (), report.rule, width)
    parts += [f"note: {note}" for note in dict.fromkeys(note for each in reports for note in each.notes)]
    return "\n\n".join(parts)


def _of_one(report: Report, shared: Collection[str], rule: str, width: int) -> list[str]:
    """What one report says beside what all say."""
    numbers = {name: value for name, value in report.numbers.items() if name not in shared}
    families = _families(numbers)
    single = {name: value for name, value in numbers.items() if _family_of(name, families) is None}
    parts = [report.kind]
    if rule:
        parts.append(textwrap.fill(rule, width))
    if single:
        parts.append(_columns(number_rows(single)))
    if families:
        rows = [
            (family, *(_with_half(numbers, f"{family}_{part}") for part in _OF_FAMILY)) for family in families
        ]
        parts.append(_columns([("", *_OF_FAMILY), *rows]))
    shown = SHOWN.get(report.kind, tuple(report.tables))
    return parts + [
        f"{name}\n{_table(report.tables[name])}" for name in shown if _has_rows(report.tables.get(name))
    ]


def of_one_rule(reports: Sequence[Report]) -> tuple[Report, ...]:
    """The most reports whose rules begin with the same sentence, in their order; the first of them where none do."""
    starts = [report.rule.partition(". ")[0] for report in reports]
    start = max(starts, key=starts.count)
    return tuple(report for report, each in zip(reports, starts, strict=True) if each == start)


def shared_numbers(reports: Sequence[Report]) -> frozenset[str]:
    """The names of the numbers that all of several reports of one rule say alike; none of one report alone."""
    alike = of_one_rule(reports)
    if len(alike) < 2:
        return frozenset()
    first, *others = (report.numbers for report in alike)
    return frozenset(
        name
        for name, value in first.items()
        if all(name in each and _same(each[name], value) for each in others)
    )


def common_rule(reports: Sequence[Report]) -> str:
    """The sentences with which the rules of all reports of one rule begin; none of one report beside others."""
    alike = of_one_rule(reports)
    if len(alike) < 2 <= len(reports):
        return ""
    kept = 0
    whole = alike[0].rule
    for end in [i + 1 for i in range(len(whole)) if whole[i] == "." and whole[i + 1 : i + 2] in ("", " ")]:
        if all(report.rule[:end] == whole[:end] for report in alike):
            kept = end
    return whole[:kept]


def _same(left: Number, right: Number) -> bool:
    return left == right or (left != left and right != right)  # NaN is not itself


def comparison_text(runs: Mapping[str, Mapping[str, Report]]) -> str:
    """The numbers of several runs side by side: kind by kind, a row a number and a column a run."""
    names = list(runs)
    parts = []
    said: dict[str, tuple[str, ...]] = {}
    for kind in dict.fromkeys(kind for reports in runs.values() for kind in reports):
        of = [runs[name].get(kind) for name in names]
        keys = dict.fromkeys(key for each in of if each is not None for key in each.numbers)
        rows = [
            (key, *("-" if each is None else value_text(each.numbers.get(key, math.nan)) for each in of))
            for key in keys
            if not any(key.endswith(end) and key.removesuffix(end) in keys for end in _ENDS)
        ]
        here = [i for i, each in enumerate(of, start=1) if each is not None]
        new = [  # beside what an earlier kind said of these runs
            row for row in rows if row[0] not in said or any(said[row[0]][i] != row[i] for i in here)
        ]
        said |= {row[0]: row for row in new}
        parts.append(_columns([(kind, *names), *new]))
        if len(new) < len(rows):
            parts[-1] += f"\n  ... and {len(rows) - len(new)} numbers as above"
    return "\n\n".join(parts)


# -- families of numbers, such as flux_bias, flux_scatter, flux_pull, ...

_OF_FAMILY = ("bias", "scatter", "pull", "pull_width", "beyond_5", "n_with_error")


def _families(numbers: Mapping[str, Number]) -> list[str]:
    return [
        name.removesuffix("_bias")
        for name in numbers
        if name.endswith("_bias") and f"{name.removesuffix('_bias')}_scatter" in numbers
    ]


def _family_of(name: str, families: Sequence[str]) -> str | None:
    for family in families:
        rest = name.removeprefix(f"{family}_")
        for end in _ENDS:
            rest = rest.removesuffix(end)
        if rest != name and rest in _OF_FAMILY:
            return family
    return None


def _with_half(numbers: Mapping[str, Number], name: str) -> str:
    """A number with half of its interval."""
    text = value_text(numbers.get(name, math.nan))
    low, high = (float(numbers.get(f"{name}{end}", math.nan)) for end in _ENDS)
    return text if not math.isfinite(high - low) else f"{text} +-{(high - low) / 2:.2g}"


# -- laying out


def table_rows(table: ReportTable) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The heads and the rows of a table as texts, the ends of intervals beside what they are of; no empty bins."""
    names = tuple(name for name in table if not _is_end(name, table))
    rows = zip(*(_shown(table, name) for name in names), strict=True)
    counts = [table[name] for name in ("n", "n_found") if name in table]
    if not counts:
        return names, list(rows)
    return names, [row for row, *n in zip(rows, *counts, strict=True) if any(n)]


def _table(table: ReportTable) -> str:
    heads, rows = table_rows(table)
    more = len(rows) - _LONGEST
    text = _columns([heads, *rows[:_LONGEST]])
    return f"{text}\n  ... {more} more rows" if more > 0 else text


def _has_rows(table: ReportTable | None) -> bool:
    return bool(table) and any(len(values) for values in (table or {}).values())


def _is_end(name: str, table: ReportTable) -> bool:
    return any(name.endswith(end) and name.removesuffix(end) in table for end in _ENDS)


def _shown(table: ReportTable, name: str) -> list[str]:
    """The values of a column, with their intervals where it has them."""
    ends = [table.get(f"{name}{end}") for end in _ENDS]
    if ends[0] is None or ends[1] is None:
        return [value_text(value) for value in table[name]]
    return [
        f"{value_text(value)} ({value_text(low)}-{value_text(high)})" if low == low else value_text(value)
        for value, low, high in zip(table[name], ends[0], ends[1], strict=True)
    ]


def _columns(rows: Iterable[Sequence[str]]) -> str:
    """Rows of texts in columns: the first to the left, the others to the right."""
    lines = [tuple(row) for row in rows]
    if not lines:
        return ""
    width = [max(len(row[i]) for row in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  "
        + "  ".join(
            cell.ljust(width[0]) if i == 0 else cell.rjust(width[i]) for i, cell in enumerate(row)
        ).rstrip()
        for row in lines
    )
