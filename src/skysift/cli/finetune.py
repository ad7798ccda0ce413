"""``skysift finetune``: weights that there are and a map with labels in, weights for such maps out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skysift.base.errors import OptionError, UsageError
from skysift.base.settings import settings
from skysift.cli.flags import (
    FreshFlag,
    OverwriteFlag,
    QuietFlag,
    WorkersFlag,
    at_least,
    folder_of,
    read_pairs,
)
from skysift.cli.learning import CorrectionsFlag, DevicesFlag, MeaningFlag, ThreadsFlag, needs_learn
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
from skysift.cli.train import summary, tell_warnings

__all__ = ["finetune"]


def finetune(
    weights: Annotated[
        str,
        typer.Argument(
            metavar="WEIGHTS", help="What to begin with: a name that `skysift models` lists, or a file."
        ),
    ],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where the new weights go.")],
    recipe: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RECIPE.yaml]", help="Maps and skies to learn from, in place of --map and --labels."
        ),
    ] = None,
    image: Annotated[Path | None, typer.Option("--map", metavar="MAP", help="A FITS image of yours.")] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            metavar="LABELS",
            help="What is on it: COCO, YOLO text, DS9 regions, a list of caesar-mrcnn, a catalogue.",
        ),
    ] = None,
    classes: MeaningFlag = None,
    held: Annotated[
        float | None,
        typer.Option(
            "--held", metavar="PART", help="Part of the map, its upper rows, kept for validation: 0.2."
        ),
    ] = None,
    corrections: CorrectionsFlag = None,
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change how it learns: train.steps=500, train.learning_rate=1e-4, name=mine; may be given again.",
        ),
    ] = None,
    device: DevicesFlag = None,
    threads: ThreadsFlag = None,
    workers: WorkersFlag = None,
    overwrite: OverwriteFlag = False,
    fresh: FreshFlag = False,
    hdu: HduFlag = None,
    plane: PlaneFlag = None,
    beam: BeamFlag = None,
    beam_plane: BeamPlaneFlag = None,
    pixel_scale: PixelScaleFlag = None,
    unit: UnitFlag = None,
    frequency: FrequencyFlag = None,
    quiet: QuietFlag = False,
) -> None:
    r"""Teach weights that there are a map of your own: gently, judged before and after on a part that is kept.

    \b
    Examples:
      skysift finetune yolo --map field.fits --labels labels.reg --out mine
      skysift finetune yolo --map field.fits --labels boxes.json --class blob=extended --out mine
      skysift finetune mine/mine.safetensors recipe.yaml --out more --set train.steps=400

    \b
    The model and its options are those of WEIGHTS, the training that of their card with a tenth of its learning rate
    and of its steps. The upper rows of the map (--held) are never learnt from: the weights are judged on them as they
    were and as they are, and both numbers are printed. Where the new weights are not better that is told, and they
    are written all the same. DIR is that of `skysift train`; a run that is broken off goes on with the same command.
    """
    folder = folder_of(out)
    at_least("--workers", workers, 1)
    at_least("--threads", threads, 1)
    opened = opening_told(
        hdu=hdu,
        plane=plane,
        beam=beam,
        beam_plane=beam_plane,
        pixel_scale=pixel_scale,
        unit=unit,
        frequency=frequency,
    )
    if (recipe is None) == (image is None):
        raise OptionError(
            "finetune learns from a map or from a recipe",
            got="both" if recipe is not None else "neither",
            allowed="--map MAP --labels LABELS, or RECIPE.yaml",
        )
    if (image is None) != (labels is None):
        raise OptionError("--map and --labels go together", got="--map" if labels is None else "--labels")
    for flag, given in (("--held", held), ("--class", classes), ("--corrections", corrections)):
        if recipe is not None and given is not None:
            raise OptionError(
                f"{flag} goes with --map", got="a recipe", todo="write it in the recipe, beside `map`"
            )
    if recipe is not None and opened:
        raise OptionError(
            f"--{next(iter(opened)).replace('_', '-')} goes with --map",
            got="a recipe",
            todo="write it in the recipe, in `opening` beside `map`",
        )
    for path in (image, labels, corrections):
        if path is not None and not path.exists():
            raise UsageError("there is no such file", got=path)
    needs_learn("skysift finetune")
    from skysift.flow.steps.train import train_products  # late: it brings torch
    from skysift.flow.training.recipe import recipe_text
    from skysift.flow.training.tuning import own_data, tuning_recipe
    from skysift.learn.hub import weights_of

    begin = weights_of(weights)
    changes = read_pairs(chosen or (), "--set")
    if recipe is not None:
        read = tuning_recipe(begin.card, recipe_text(recipe), recipe.parent, recipe.name, changes)
    else:
        assert image is not None
        assert labels is not None
        meanings = read_pairs(classes or (), "--class")
        written = own_data(
            image, labels, held=held, classes=meanings, corrections=corrections, opening=opened
        )
        read = tuning_recipe(begin.card, written, Path(), image.name, changes)
    with Watch(read.told.name, quiet=quiet) as watch:
        made = train_products(
            read,
            Path(folder),
            device=device or "auto",
            workers=workers or settings().workers,
            threads=threads,
            start=begin,
            overwrite=overwrite,
            fresh=fresh,
            progress=watch,
        )
    tell_warnings(made)
    if not quiet:
        print(summary(made))
