"""``skysift judge``: what a network says of the rows of a catalogue."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skysift.base.errors import OutputError
from skysift.base.parallel import Crew
from skysift.base.settings import SMALLEST_TILE, settings
from skysift.cli.flags import (
    OptionsFlag,
    OverwriteFlag,
    QuietFlag,
    TableFlag,
    TileFlag,
    WorkersFlag,
    at_least,
    gather,
    with_short,
)
from skysift.cli.learning import DeviceFlag, needs_learn
from skysift.cli.opening import (
    BeamFlag,
    BeamPlaneFlag,
    FrequencyFlag,
    HduFlag,
    PixelScaleFlag,
    PlaneFlag,
    UnitFlag,
    opening,
)
from skysift.cli.progress import Watch
from skysift.find.neural.options import JudgeOptions

if TYPE_CHECKING:
    from skysift.flow.steps.judge import Judged

__all__ = ["judge"]


def judge(
    catalogue: Annotated[
        Path,
        typer.Argument(
            metavar="CATALOGUE", help="A folder or table of skysift, or a catalogue of another program."
        ),
    ],
    image: Annotated[str, typer.Argument(metavar="MAP", help="A FITS image; map.fits[SCI] names an HDU.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="The file to write; its suffix tells the format.")
    ],
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Choose an option, such as --set weights=mine.safetensors; may be given again. "
            "`skysift options judge` lists them.",
        ),
    ] = None,
    options_file: OptionsFlag = None,
    table: TableFlag = "sources",
    layout: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="LAYOUT", help="What CATALOGUE is, where its content does not tell it."
        ),
    ] = None,
    device: DeviceFlag = None,
    workers: WorkersFlag = None,
    tile: TileFlag = None,
    overwrite: OverwriteFlag = False,
    hdu: HduFlag = None,
    plane: PlaneFlag = None,
    beam: BeamFlag = None,
    beam_plane: BeamPlaneFlag = None,
    pixel_scale: PixelScaleFlag = None,
    unit: UnitFlag = None,
    frequency: FrequencyFlag = None,
    quiet: QuietFlag = False,
) -> None:
    r"""Judge the rows of any catalogue by a network: class, and real or spurious.

    \b
    Examples:
      skysift judge field map.fits --set weights=mine.safetensors --out judged.fits
      skysift judge pybdsf.srl.fits map.fits --out judged.vot --set engine=openvino
      skysift judge aegean.csv map.fits --out judged.csv --set radius=1

    FILE holds the table with the columns class, class_score (the probability of the class) and score (how sure
    the network is that there is something of that class). What is real has a high score and another class than
    spurious: the class counts too. A row takes the surest answer whose source is within `radius` (half a beam) of
    its position; where there is none it is spurious, with a score of 0. Rows off the map have no class and NaN. All
    else stays as it is.
    """
    options = gather(JudgeOptions, with_short(chosen, {"device": device}), options_file)
    at_least("--workers", workers, 1)
    width = at_least("--tile", tile, SMALLEST_TILE) or settings().tile
    task = opening(
        hdu=hdu,
        plane=plane,
        beam=beam,
        beam_plane=beam_plane,
        pixel_scale=pixel_scale,
        unit=unit,
        frequency=frequency,
    )
    needs_learn("skysift judge")
    from skysift.flow.steps.judge import JudgeStep, write_judged  # late: it brings torch
    from skysift.flow.steps.match import records, writer_of
    from skysift.io.layouts.reading import read_any
    from skysift.io.open import open_image

    writer_of(out)
    if out.exists() and not overwrite:
        raise OutputError("the file exists", got=str(out), todo="choose another name, or give --overwrite")
    rows = read_any(catalogue, layout, table=table)
    sky = open_image(image, **task)
    with Watch(sky.name, quiet=quiet) as watch:
        judged = JudgeStep(options).judge(
            rows,
            sky,
            inputs=records([catalogue]),
            crew=Crew(workers or settings().workers, width, watch),
        )
    write_judged(judged, out, overwrite=overwrite)
    for note in judged.provenance.notes:
        if " was given: " not in note:  # the flags of this call
            print(f"skysift: warning: {note}", file=sys.stderr)
    if not quiet:
        print(_summary(judged, out))


def _summary(judged: Judged, out: Path) -> str:
    """A few lines about what was said."""
    from skysift.find.neural.calibration import limits_told  # late: it brings torch

    table = judged.table
    said = len(table) - judged.n_off - judged.n_blank
    kinds = ", ".join(f"{n} {name}" for name, n in judged.counts.items())
    least = limits_told(judged.limits)
    lines = [
        f"rows      {len(table)} {table.kind}, {said} judged",
        f"classes   {kinds or 'none'}",
        f"real      {judged.real} not spurious, with a score of {least} or more, as the weights were calibrated",
        f"look at   {out}",
    ]
    return "\n".join(lines)
