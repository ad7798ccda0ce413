"""``skysift features``: a table of numbers about small pictures of sources."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skysift.base.cluster import hands
from skysift.base.errors import OptionError
from skysift.base.parallel import Crew
from skysift.classify.features.options import FeaturesOptions
from skysift.cli.flags import (
    FreshFlag,
    OptionsFlag,
    OverwriteFlag,
    QuietFlag,
    SchedulerFlag,
    WorkersFlag,
    at_least,
    folder_of,
    gather,
)
from skysift.cli.progress import Watch

if TYPE_CHECKING:
    from skysift.flow.steps.features import FeaturesMade

__all__ = ["features"]


def features(
    pictures: Annotated[
        Path,
        typer.Argument(
            metavar="PICTURES",
            help="A folder of `skysift stamps`, a folder of FITS images (or of such folders, each named as a label), or "
            "an .npz with images.",
        ),
    ],
    out: Annotated[
        str | None,
        typer.Option(
            "--out", metavar="PLACE", help="A file NAME.parquet, or a folder for table, page and manifest."
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels", metavar="CSV", help="A table name,label[,...] whose columns go with the features."
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            "--size", metavar="N", help="Pixels along the side; pictures are cut about their middle."
        ),
    ] = None,
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Choose an option, such as --set seed=4; may be given again. `skysift options features` lists them.",
        ),
    ] = None,
    options_file: OptionsFlag = None,
    workers: WorkersFlag = None,
    scheduler: SchedulerFlag = None,
    fresh: FreshFlag = False,
    overwrite: OverwriteFlag = False,
    quiet: QuietFlag = False,
) -> None:
    r"""Measure features of pictures: shape, peaks, fluxes, colours, spectra.

    \b
    Examples:
      skysift features stamps --out features
      skysift features cutouts.npz --out features.parquet --set scale=1.8 --set beam=5.4
      skysift features stamps --out features --set groups=flux,spectral --set frequencies=888e6,1400e6

    \b
    A folder gets features.parquet (one row a picture; each column with unit and meaning), report.html (open it first)
    and manifest.json. What is not known is NaN; a picture that cannot be read spoils its own row, and the column error
    says why. A broken run goes on where it was when it is repeated.
    """
    if out is None:
        raise OptionError("--out is missing", allowed="a folder, or a file NAME.parquet")
    place = folder_of(out)
    options = gather(FeaturesOptions, chosen, options_file)
    executor, workers = hands(scheduler, at_least("--workers", workers, 1))
    size = at_least("--size", size, 8)

    from skysift.flow.steps.features import FeaturesStep  # late: help is told without heavy parts
    from skysift.stamps.opening import open_pictures

    opened = open_pictures(pictures, size=size, labels=labels)
    with Watch(f"{len(opened)} picture{'s' * (len(opened) > 1)}", quiet=quiet) as watch:
        crew = replace(Crew(workers, executor=executor), progress=watch)
        made = FeaturesStep(options).run(opened, place, overwrite=overwrite, fresh=fresh, crew=crew)
    if not quiet:
        print(_summary(made, place))
    for note in (*made.notes, *made.without):
        print(f"skysift: warning: {note}", file=sys.stderr)


def _summary(made: FeaturesMade, place: Path) -> str:
    features = made.features
    groups = dict.fromkeys(each.group for each in features.columns)
    counted = ", ".join(f"{sum(each.group == name for each in features.columns)} {name}" for name in groups)
    good = int((features.facts["error"] == "").sum())
    lines = [
        f"pictures {len(features)}, {good} with a source",
        f"features {len(features.columns)} ({counted})",
        f"look at  {place if made.manifest is None else place / 'report.html'}",
    ]
    return "\n".join(lines)
