"""``skysift train``: a recipe in, weights with their page out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
from skysift.cli.learning import DeviceFlag, needs_learn
from skysift.cli.progress import Watch

if TYPE_CHECKING:
    from skysift.flow.steps.train import TrainedModel

__all__ = ["train"]


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.yaml", help="What is trained on what.")],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where the weights go.")],
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change the recipe: train.steps=2000, options.faintest=3, name=deep; may be given again.",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--start", metavar="WEIGHTS", help="Begin with these weights: a name or a file."),
    ] = None,
    device: DeviceFlag = None,
    threads: Annotated[
        int | None,
        typer.Option("--threads", metavar="N", help="Threads of the network; all cores by default."),
    ] = None,
    workers: WorkersFlag = None,
    overwrite: OverwriteFlag = False,
    fresh: FreshFlag = False,
    quiet: QuietFlag = False,
) -> None:
    r"""Train a model: make or read its fields, learn, keep the best weights.

    \b
    Examples:
      skysift train recipes/yolo.yaml --out yolo
      skysift train recipes/yolo.yaml --out try --set train.steps=200 --set name=try
      skysift train mine.yaml --out mine --start yolo --device cuda

    \b
    DIR gets NAME.safetensors (weights with their card), log.csv, report.html (curves, and what the model sees in
    fields that it was not trained on) and manifest.json.
    `skysift find MAP --out DIR --finder yolo --set weights=DIR/NAME.safetensors` uses them.
    A run that is broken off keeps its work in DIR/.training: the same command goes on from there, and another
    one is refused until --fresh discards it.
    """
    folder = folder_of(out)
    at_least("--workers", workers, 1)
    at_least("--threads", threads, 1)
    needs_learn("skysift train")
    from skysift.flow.steps.train import train_products  # late: it brings torch
    from skysift.flow.training.recipe import read_recipe
    from skysift.learn.hub import weights_of

    read = read_recipe(recipe, read_pairs(chosen or (), "--set"))
    begin = None if start is None else weights_of(start)
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
    if not quiet:
        print(_summary(made))


def _summary(made: TrainedModel) -> str:
    """A few lines about what was trained and where to look."""
    lines = [
        made.card.name,
        f"  model       {made.card.model}, {made.trained.steps} steps, best after {made.trained.step}",
    ]
    if made.trained.stopped:
        lines.append(f"  ended       {made.trained.stopped}")
    numbers = ", ".join(f"{name} {value:.3f}" for name, value in made.card.numbers.items())
    lines.append(f"  validation  {numbers}")
    spent = sum(made.manifest.seconds.values())
    lines.append(f"  time        {spent:.0f} s")
    lines.append(f"  look at     {made.folder / 'report.html'}")
    return "\n".join(lines)
