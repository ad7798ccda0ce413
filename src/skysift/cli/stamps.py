"""``skysift stamps``: small images about the rows of a catalogue, from one map or many surveys."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol, TypeAlias, TypeVar

import typer

from skysift.base.cluster import hands
from skysift.base.errors import OptionError, UsageError
from skysift.base.parallel import Crew
from skysift.base.provenance import Manifest
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
)
from skysift.cli.progress import Watch
from skysift.stamps.options import StampsOptions

if TYPE_CHECKING:
    from skysift.flow.stamp_places import Places
    from skysift.flow.steps.stamps import StampsMade
    from skysift.stamps.surveys import Band

__all__ = ["AtFlag", "MapFlag", "SurveysFlag", "bands_from", "places_from", "stamps", "watched"]

SurveysFlag: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--surveys", metavar="CONFIG", help="YAML that says where surveys live; --example prints one."
    ),
]
MapFlag: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="MAP", help="A map that is a band of its own; may be given again."),
]
AtFlag: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--at",
        metavar="RA,DEC[,RADIUS]",
        help="A place instead of a catalogue, in degrees; RADIUS too, or with a unit (60arcsec). May be given again.",
    ),
]


def stamps(
    catalogue: Annotated[
        Path | None,
        typer.Argument(
            metavar="CATALOGUE",
            help="A folder or table of skysift, a catalogue of another program, or a list RA DEC [RADIUS] NAME (deg, "
            "deg, arcsec).",
        ),
    ] = None,
    out: Annotated[str | None, typer.Option("--out", metavar="DIR", help="Where the products go.")] = None,
    surveys: SurveysFlag = None,
    maps: MapFlag = None,
    at: AtFlag = None,
    example: Annotated[bool, typer.Option("--example", help="Print a CONFIG to begin with.")] = False,
    table: TableFlag = "sources",
    first: Annotated[
        int | None, typer.Option("--first", metavar="N", help="Only the first N sources.")
    ] = None,
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Choose an option, such as --set radius=90; may be given again. `skysift options stamps` lists them.",
        ),
    ] = None,
    options_file: OptionsFlag = None,
    workers: WorkersFlag = None,
    scheduler: SchedulerFlag = None,
    fresh: FreshFlag = False,
    overwrite: OverwriteFlag = False,
    quiet: QuietFlag = False,
) -> None:
    r"""Make stamps of sources: cut out, in one unit, on one grid, with one beam.

    \b
    Examples:
      skysift stamps field --map low.fits --map high.fits --out stamps
      skysift stamps --example > surveys.yaml
      skysift stamps list.txt --surveys surveys.yaml --out stamps --set background=annulus --set pixels=150
      skysift stamps --at 50.67,-37.2,10arcmin --map map.fits --out one

    \b
    DIR gets stamps.tar (one FITS cube a source), or stamps.zarr or stamps.hdf5 (--set format=zarr, hdf5),
    coverage.fits (one row a source: how much each band covers, its quality), report.html with contact sheets (open
    it first), sheets as PNG, and manifest.json. Where no radius is told, a stamp reaches 60 arcsec, 8 beams or 32
    pixels from the source, whichever is most. Flux is conserved: Jy/beam is that of the beam in the header of the
    stamp. A broken run goes on where it was when it is repeated.
    """
    if example:
        from skysift.stamps.surveys import EXAMPLE

        print(EXAMPLE, end="")
        return
    if out is None:
        raise OptionError("--out is missing", allowed="a folder")
    folder = folder_of(out)
    options = gather(StampsOptions, chosen, options_file)
    executor, workers = hands(scheduler, at_least("--workers", workers, 1))
    first = at_least("--first", first, 1)
    places = places_from(catalogue, at, table, options.radius_column).first(first)
    bands = bands_from(surveys, maps)

    from skysift.flow.steps.stamps import (
        StampsStep,  # late: help and wrong options are told without heavy parts
    )

    made = watched(
        StampsStep(options).run,
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


def places_from(
    catalogue: Path | None,
    at: list[str] | None,
    table: str,
    radius_column: str,
    columns: tuple[str, ...] = (),
) -> Places:
    """The sources of a catalogue, or those that were typed.

    Raises
    ------
    UsageError
        Neither or both are given.
    """
    if (catalogue is None) == (not at):
        raise UsageError("sources come from a catalogue or from --at", allowed="one of the two")
    from skysift.flow.stamp_places import read_places, typed_places

    if catalogue is None:
        return typed_places(at or [])
    return read_places(catalogue, table=table, radius_column=radius_column, columns=columns)


def bands_from(surveys: Path | None, maps: list[str] | None) -> tuple[Band, ...]:
    """The bands of a configuration, then one for each map.

    Raises
    ------
    UsageError
        Neither is given.
    """
    if surveys is None and not maps:
        raise UsageError("there is no map and no survey", todo="give --surveys CONFIG or --map MAP")
    from skysift.stamps.surveys import of_maps, read_surveys

    return (*(read_surveys(surveys) if surveys is not None else ()), *of_maps(maps or []))


class _Told(Protocol):
    """What a step made, with the manifest that tells of it."""

    @property
    def manifest(self) -> Manifest: ...


Made = TypeVar("Made", bound=_Told)


def watched(
    run: Callable[..., Made],
    places: Places,
    bands: Sequence[Band],
    folder: Path,
    *,
    read: Sequence[Path | None],
    overwrite: bool,
    fresh: bool,
    crew: Crew,
    quiet: bool,
) -> Made:
    """What a step makes of sources, while its progress is shown; then its warnings are."""
    from skysift.flow.steps.match import records

    inputs = records([path for path in read if path is not None])
    with Watch(f"{len(places)} source{'s' * (len(places) > 1)}", quiet=quiet) as watch:
        crew = replace(crew, progress=watch)
        made = run(places, bands, folder, inputs=inputs, overwrite=overwrite, fresh=fresh, crew=crew)
    for note in made.manifest.warnings:
        print(f"skysift: warning: {note}", file=sys.stderr)
    return made


def _summary(made: StampsMade, folder: Path) -> str:
    counts = made.manifest.counts
    names = ", ".join(band.name for band in made.bands)
    rows = [
        (
            "sources",
            str(counts["sources"]),
            f"{counts['without']} that no survey covers, {counts['failed']} with a failure",
        ),
        (
            "stamps",
            str(counts["stamps"]),
            f"{len(made.bands)} band{'s' * (len(made.bands) > 1)} ({names}), pixels of {made.scale:.4g} arcsec",
        ),
        ("time", f"{sum(made.manifest.seconds.values()):.1f} s", ""),
    ]
    wide = max(len(value) for _, value, _ in rows)
    lines = [f"{title:<8} {value:>{wide}}  {more}".rstrip() for title, value, more in rows]
    return "\n".join([*lines, f"look at  {folder / 'report.html'}"])
