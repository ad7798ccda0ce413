"""``skysift evaluate``: how good weights are on labelled fields."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skysift.base.parallel import Crew
from skysift.base.settings import settings
from skysift.cli.flags import OverwriteFlag, QuietFlag, WorkersFlag, at_least, folder_of, read_pairs
from skysift.cli.learning import (
    DeviceFlag,
    FieldsArgument,
    LabelsFlag,
    MeaningFlag,
    RecipeFlag,
    needs_learn,
    warn,
)
from skysift.cli.opening import (
    BeamFlag,
    BeamPlaneFlag,
    FrequencyFlag,
    HduFlag,
    PixelScaleFlag,
    PlaneFlag,
    UnitFlag,
    opening_told,
)
from skysift.cli.progress import Watch
from skysift.flow.training.options import EvaluateOptions

if TYPE_CHECKING:
    from skysift.flow.steps.evaluate import Evaluated
    from skysift.learn.fields import Field

__all__ = ["evaluate"]


def evaluate(
    weights: Annotated[
        str, typer.Argument(metavar="WEIGHTS", help="A name that `skysift models` lists, or a file.")
    ],
    where: FieldsArgument,
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where the reports and their page go.")],
    labels: LabelsFlag = None,
    classes: MeaningFlag = None,
    chosen: RecipeFlag = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            metavar="SCORE",
            help="Leave out sources below this; as the weights were calibrated.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the reports as JSON instead of text.")
    ] = False,
    device: DeviceFlag = None,
    workers: WorkersFlag = None,
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
    r"""Say how good weights are on fields with known sources.

    \b
    Examples:
      skysift evaluate yolo recipes/calibrate.yaml --out judged
      skysift evaluate mine/mine.safetensors map.fits --labels truth.json --out judged
      skysift evaluate mine/mine.safetensors mine.yaml --out judged --threshold 0.6

    DIR gets what `skysift score` writes: report.json, report.html, tables and figures: completeness and purity,
    precision and recall of each class, the score of the first SKA data challenge, and the calibration: how many
    of the sources of each score are real. Numbers are those of the network itself, before anything is measured on
    the map; fluxes are in units of the noise, and a beam is 0.6 arcsec wide. Networks that tell objects by their pixels
    (unet, rcnn, detr) get completeness, reliability and the average precision of boxes and masks (AP50) of each class.
    """
    at_least("--workers", workers, 1)
    options = EvaluateOptions.parse({"threshold": threshold, "device": device or "auto"})
    opened = opening_told(
        hdu=hdu,
        plane=plane,
        beam=beam,
        beam_plane=beam_plane,
        pixel_scale=pixel_scale,
        unit=unit,
        frequency=frequency,
    )
    needs_learn("skysift evaluate")
    from skysift.flow.products import refuse_earlier  # late: it brings torch
    from skysift.flow.report_text import reports_text
    from skysift.flow.steps.evaluate import EvaluateStep
    from skysift.flow.steps.score import Side
    from skysift.flow.training.labelled_fields import held_fields
    from skysift.learn.hub import weights_of
    from skysift.score.scorer import reports_to_json

    place = folder_of(out)
    refuse_earlier(place, overwrite=overwrite)
    read = weights_of(weights)
    files = [("weights", read.path), ("fields", where), ("labels", labels)]
    changes, meanings = read_pairs(chosen or (), "--set"), read_pairs(classes or (), "--class")
    with tempfile.TemporaryDirectory() as folder, Watch(read.card.name, quiet=quiet) as watch:
        crew = Crew(workers or settings().workers, progress=watch)

        def known() -> Iterator[Field]:  # made when all else is known to be right
            yield from held_fields(
                where, Path(folder), crew, labels=labels, classes=meanings, opening=opened, changes=changes
            )

        made = EvaluateStep(options).evaluate(
            read,
            known(),
            place,
            [Side(name, path) for name, path in files if path is not None],
            overwrite=overwrite,
        )
    warn(made.notes)
    if as_json:
        print(reports_to_json(made.reports))
    elif not quiet:
        print(reports_text(made.reports))
        print(_summary(made, place))


def _summary(made: Evaluated, out: Path) -> str:
    """What was looked at, and where to look."""
    n = made.n_fields
    return f"{n} field{'s' * (n != 1)}, scores of {made.least} or more\nlook at  {out / 'report.html'}"
