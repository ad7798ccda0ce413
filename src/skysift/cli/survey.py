"""``skysift survey``: many overlapping maps in, one catalogue out."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skysift.base.cluster import cluster
from skysift.base.errors import OptionError, UsageError, exit_code
from skysift.base.settings import SMALLEST_TILE
from skysift.cli.flags import (
    FreshFlag,
    OverwriteFlag,
    QuietFlag,
    SchedulerFlag,
    TileFlag,
    WorkersFlag,
    at_least,
    folder_of,
)
from skysift.cli.progress import Watch
from skysift.flow.style import digits, prefixed

if TYPE_CHECKING:
    from skysift.flow.survey_checks import Check
    from skysift.flow.survey_fields import FieldFailed
    from skysift.flow.survey_result import Survey

__all__ = ["survey"]


def survey(
    config: Annotated[
        Path | None, typer.Argument(metavar="CONFIG.yaml", help="What the survey is; --example prints one.")
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="DIR", help="Where the products go; fields get DIR/fields/NAME."),
    ] = None,
    example: Annotated[bool, typer.Option("--example", help="Print a configuration to begin with.")] = False,
    workers: WorkersFlag = None,
    tile: TileFlag = None,
    scheduler: SchedulerFlag = None,
    fresh: FreshFlag = False,
    overwrite: OverwriteFlag = False,
    quiet: QuietFlag = False,
) -> None:
    r"""Make one catalogue of many overlapping maps, with coverage, checks and a page.

    \b
    Examples:
      skysift survey --example > survey.yaml
      skysift survey survey.yaml --out survey

    \b
    A configuration is, at the least:
      fields:
        - maps/*.fits

    \b
    DIR gets the tables islands, sources and components (rows that count have primary = true), comparisons,
    rms_area, regions.reg, regions.crtf, coverage.moc.fits, holes.moc.fits, rms_coverage.fits, survey.html
    (open it first), manifest.json.
    Fields that an earlier run searched in the same way are kept: a broken survey goes on where it was. Within
    a field, work of more than ten seconds is kept.
    A field that fails does not stop the others; the exit code is then 2.
    """
    from skysift.flow.survey_config import EXAMPLE, check_config  # late: the menus of finders

    if example:
        print(EXAMPLE, end="")
        return
    if config is None:
        raise UsageError(
            "no configuration is named", todo="`skysift survey --example` prints one to begin with"
        )
    if out is None:
        raise OptionError("--out is missing", allowed="a folder")
    folder = folder_of(out)
    at_least("--workers", workers, 1)
    at_least("--tile", tile, SMALLEST_TILE)
    plan, wrong = check_config(config)
    if plan is None:
        for error in wrong:
            print(f"skysift: error: {error}", file=sys.stderr)
        raise typer.Exit(exit_code(wrong[0].kind))
    # Loaded late: help and wrong configurations are told without the compiled code.
    from skysift.flow.steps.survey import SurveyStep

    with Watch(plan.options.name, quiet=quiet) as watch:
        done = SurveyStep(plan.options).write(
            plan.fields,
            plan.references,
            folder,
            overwrite=overwrite,
            workers=workers,
            tile=tile,
            progress=watch,
            failed=_tell_failed,
            scheduler=None if scheduler is None else cluster(scheduler).address,
            fresh=fresh,
        )
    for note in dict.fromkeys((*done.notes, *done.notes_of_fields)):
        # fields that failed were told at once, and what the configuration says is no news
        if not note.startswith("the field ") and " was given: " not in note:
            print(f"skysift: warning: {note}", file=sys.stderr)
    if not quiet:
        print(_summary(done, folder))
    if done.failed:
        names = ", ".join(each.name for each in done.failed)
        total = len(done.fields) + len(done.failed)
        print(f"skysift: {len(done.failed)} of {total} fields failed: {names}", file=sys.stderr)
        raise typer.Exit(min(exit_code(each.error.kind) for each in done.failed))


def _tell_failed(field: FieldFailed) -> None:
    print(f"skysift: error: {field.name}: {field.error}", file=sys.stderr)


def _summary(done: Survey, folder: Path) -> str:
    """What came of a survey, in a few lines."""
    sources = done.catalogue.sources
    counts = int(sources["primary"].sum())
    several = int((sources["primary"] & (sources["n_fields_detected"] > 1)).sum())
    rms = done.coverage.rms
    middle = float(sorted(rms.tolist())[len(rms) // 2]) if len(rms) else math.nan
    factor, unit = prefixed("Jy/beam", [middle])
    kept = f", {len(done.kept)} kept" if done.kept else ""
    lines = [
        f"{done.plan.options.name} {done.plan.options.version}",
        f"  fields      {len(done.fields)}{kept}",
        f"  sources     {counts:,} that count, {several:,} of them in several fields",
        f"  rows        {len(sources):,}, {len(sources) - counts:,} of them duplicates",
        f"  area        {digits(done.coverage.area)} deg2, {_holes(done)}",
        f"  median rms  {digits(middle * factor)} {unit}",
        *(_check_line(each) for each in done.checks),
        f"  look at     {folder / 'survey.html'}",
    ]
    return "\n".join(lines)


def _holes(done: Survey) -> str:
    area = float(done.holes.sky_fraction) * 4.0 * math.pi * math.degrees(1.0) ** 2
    return f"holes {digits(area)} deg2" if area else "no holes"


def _check_line(check: Check) -> str:
    if not check.sky.n:
        return f"  {check.field} against {check.against}: {check.n_pairs} pairs, none to compare"
    return (
        f"  {check.field} against {check.against}: {check.sky.n} pairs, offset {digits(check.sky.east)}, "
        f"{digits(check.sky.north)} arcsec, flux ratio {digits(check.scale.ratio)}"
    )
