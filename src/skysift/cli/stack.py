"""``skysift stack``: the mean image of many sources, with errors and a control."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skysift.base.cluster import hands
from skysift.base.parallel import Crew
from skysift.cli.flags import (
    FreshFlag,
    OptionsFlag,
    OverwriteFlag,
    QuietFlag,
    SchedulerFlag,
    TableFlag,
    WorkersFlag,
    at_least,
    folder_of,
    gather,
    with_short,
)
from skysift.cli.stamps import MapFlag, SurveysFlag, bands_from, places_from, watched
from skysift.stamps.options import StackOptions

if TYPE_CHECKING:
    from skysift.flow.steps.stack import StacksMade

__all__ = ["stack"]


def stack(
    catalogue: Annotated[
        Path,
        typer.Argument(
            metavar="CATALOGUE",
            help="A folder or table of skysift, a catalogue of another program, or a list RA DEC [RADIUS] NAME (deg, "
            "deg, arcsec).",
        ),
    ],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where the products go.")],
    surveys: SurveysFlag = None,
    maps: MapFlag = None,
    table: TableFlag = "sources",
    statistic: Annotated[
        str | None, typer.Option("--statistic", help="mean, median or weighted; short for --set statistic=.")
    ] = None,
    bins: Annotated[
        str | None,
        typer.Option("--bins", metavar="COLUMN", help="Sort the sources by a column; short for --set bins=."),
    ] = None,
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Choose an option, such as --set edges=0,1,2; may be given again. `skysift options stack` lists them.",
        ),
    ] = None,
    options_file: OptionsFlag = None,
    workers: WorkersFlag = None,
    scheduler: SchedulerFlag = None,
    fresh: FreshFlag = False,
    overwrite: OverwriteFlag = False,
    quiet: QuietFlag = False,
) -> None:
    r"""Stack the stamps of many sources: mean, median or weighted, beside random positions.

    \b
    Examples:
      skysift stack quasars.fits --map deep.fits --out stacked
      skysift stack galaxies.csv --surveys surveys.yaml --out stacked --bins z --set edges=0,0.5,1,2

    \b
    DIR gets stack.fits (STACK, ERROR, COUNT, CONTROL for each bin), bins.csv (what each bin gave in each band),
    report.html and manifest.json. Errors are of samples drawn anew; the control is a stack at random positions near
    the sources.
    """
    folder = folder_of(out)
    options = gather(StackOptions, with_short(chosen, {"statistic": statistic, "bins": bins}), options_file)
    executor, workers = hands(scheduler, at_least("--workers", workers, 1))
    places = places_from(
        catalogue, None, table, options.radius_column, (options.bins,) if options.bins else ()
    )
    bands = bands_from(surveys, maps)

    from skysift.flow.steps.stack import (
        StackStep,  # late: help and wrong options are told without heavy parts
    )

    made = watched(
        StackStep(options).run,
        places,
        bands,
        folder,
        read=(catalogue, surveys),
        overwrite=overwrite,
        fresh=fresh,
        crew=Crew(workers, executor=executor),
        quiet=quiet,
    )
    if not quiet:
        print(_summary(made, folder))


def _summary(made: StacksMade, folder: Path) -> str:
    lines = []
    for each in made.facts:
        which = f"bin {each.bin} ({each.low:.4g} to {each.high:.4g}), " if each.low == each.low else ""
        counted = f"{each.sources} source{'s' * (each.sources != 1)}"
        lines.append(
            f"{which}{each.band}: {counted}, middle {each.peak:.4g} +- {each.peak_err:.2g}, "
            f"control {each.control:.4g} +- {each.control_err:.2g}"
            f"{f' {each.unit}' if each.unit else ''}, S/N {each.snr:.1f}"
        )
    return "\n".join([*lines, f"look at  {folder / 'report.html'}"])
