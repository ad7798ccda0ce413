"""``skysift compare``: the scores of several runs side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from skysift.base.errors import OptionError, UsageError
from skysift.cli.flags import OverwriteFlag

__all__ = ["compare", "run_names"]

_REPORT = "report.json"


def compare(
    reports: Annotated[
        list[Path],
        typer.Argument(
            metavar="REPORT...",
            help="Files report.json of `skysift score --out`, what `--json` printed, or folders.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: kind, number, run, value.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write compare.json and compare.html there.")
    ] = None,
    overwrite: OverwriteFlag = False,
) -> None:
    r"""Put the scores of several runs side by side: a column a run, and figures with a line for each.

    \b
    Examples:
      skysift compare classic/report.json other/report.json
      skysift compare classic other --out side-by-side

    A run is called as the folder of its report.json, or as its file.
    """
    files = [each / _REPORT if each.is_dir() else each for each in reports]
    names = run_names(files)
    # loaded late: help is told without numpy
    from skysift.flow.report_text import comparison_text
    from skysift.flow.steps.score import comparison_json, write_comparison
    from skysift.score.scorer import Report, reports_from_json

    runs: dict[str, dict[str, Report]] = {}
    for name, file in zip(names, files, strict=True):
        if not file.is_file():
            raise UsageError(
                "no such file or folder"
                if not file.parent.is_dir() or file.name != _REPORT
                else "no report is there",
                got=str(file),
                todo="`skysift score --out DIR` writes one",
            )
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError("the report cannot be read", got=str(file), todo=str(error)) from error
        runs[name] = {report.kind: report for report in reports_from_json(text, str(file))}
    if out is not None:
        if out.resolve() in {file.resolve().parent for file in files}:
            raise OptionError("--out is the folder of a report", got=str(out), todo="choose another folder")
        write_comparison(runs, out, overwrite=overwrite)
    if as_json:
        print(json.dumps(comparison_json(runs), indent=2, allow_nan=False))
    else:
        print(comparison_text(runs))


def run_names(files: Sequence[Path]) -> tuple[str, ...]:
    """What the runs are called: as the folders of their ``report.json``, else as their files; each name once."""
    names: list[str] = []
    for file in files:
        name = file.resolve().parent.name if file.name == _REPORT else file.stem
        first, number = name, 1
        while name in names:
            number += 1
            name = f"{first}-{number}"
        names.append(name)
    return tuple(names)
