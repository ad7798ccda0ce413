"""``skysift evaluate``: how good weights are on labelled fields."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skysift.base.errors import OptionError
from skysift.base.parallel import Crew
from skysift.base.settings import settings
from skysift.cli.flags import OverwriteFlag, QuietFlag, WorkersFlag, at_least, folder_of, read_pairs
from skysift.cli.learning import DeviceFlag, needs_learn
from skysift.cli.progress import Watch

if TYPE_CHECKING:
    from skysift.flow.steps.evaluate import Evaluated

__all__ = ["evaluate"]


def evaluate(
    weights: Annotated[
        str, typer.Argument(metavar="WEIGHTS", help="A name that `skysift models` lists, or a file.")
    ],
    where: Annotated[
        Path,
        typer.Argument(
            metavar="FIELDS",
            help="Known fields: RECIPE.yaml, of which those for validation are made; a folder of fields; or a map.",
        ),
    ],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where the reports and their page go.")],
    labels: Annotated[
        Path | None,
        typer.Option("--labels", metavar="FILE", help="What is on the map."),
    ] = None,
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change the recipe: train.random_seed=2 draws other skies."
        ),
    ] = None,
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
    the map; fluxes are in units of the noise, and a beam is 0.6 arcsec wide.
    """
    at_least("--workers", workers, 1)
    if threshold is not None and not 0.0 <= threshold <= 1.0:
        raise OptionError("--threshold is no score", got=threshold, allowed="0 to 1")
    needs_learn("skysift evaluate")
    from skysift.flow.products import refuse_earlier  # late: it brings torch
    from skysift.flow.report_text import reports_text
    from skysift.flow.steps.evaluate import evaluate_weights
    from skysift.flow.steps.score import Side
    from skysift.flow.training.labelled_fields import held_fields
    from skysift.learn.hub import weights_of
    from skysift.score.scorer import reports_to_json

    place = folder_of(out)
    refuse_earlier(place, overwrite=overwrite)
    read = weights_of(weights)
    files = [("weights", read.path), ("fields", where), ("labels", labels)]
    with tempfile.TemporaryDirectory() as folder, Watch(read.card.name, quiet=quiet) as watch:
        crew = Crew(workers or settings().workers, progress=watch)
        changes = read_pairs(chosen or (), "--set")
        made = evaluate_weights(
            read,
            held_fields(where, Path(folder), crew, labels=labels, changes=changes),
            place,
            [Side(name, path) for name, path in files if path is not None],
            device=device or "auto",
            threshold=threshold,
            overwrite=overwrite,
        )
    if as_json:
        print(reports_to_json(made.reports))
    elif not quiet:
        print(reports_text(made.reports))
        print(_summary(made, place))


def _summary(made: Evaluated, out: Path) -> str:
    """What was looked at, and where to look."""
    return f"{made.n_fields} fields, scores of {made.threshold:g} or more\nlook at  {out / 'report.html'}"
