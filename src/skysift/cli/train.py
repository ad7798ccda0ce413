"""``skysift train``: a recipe in, weights with their page out."""

from __future__ import annotations

import sys
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
from skysift.cli.learning import DevicesFlag, ThreadsFlag, needs_learn
from skysift.cli.progress import Watch

if TYPE_CHECKING:
    from skysift.flow.steps.train import TrainedModel

__all__ = ["summary", "tell_warnings", "train"]


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
        typer.Option(
            "--start",
            metavar="WEIGHTS",
            help="Begin with these weights: a name or a file. Those of an encoder of `skysift pretrain` start a part.",
        ),
    ] = None,
    device: DevicesFlag = None,
    threads: ThreadsFlag = None,
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
      skysift train recipes/rcnn.yaml --out rcnn --start maps/maps.safetensors

    \b
    DIR gets NAME.safetensors (weights with their card), log.csv, report.html (curves, and what the model sees in
    fields that it was not trained on) and manifest.json.
    `skysift find MAP --out DIR --finder yolo --set weights=DIR/NAME.safetensors` uses them.
    Several devices share the batches of each step, accumulate=N of them, and give the weights of one:
      skysift train mine.yaml --out mine --device cuda:0,cuda:1 --set train.accumulate=2 --set train.batch=8
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
    tell_warnings(made)
    if not quiet:
        print(summary(made))


def tell_warnings(made: TrainedModel) -> None:
    """Say on the error stream where the new weights are not better than those they began with."""
    if made.improved is False:
        print(f"skysift: warning: {made.manifest.warnings[0]}", file=sys.stderr)


def summary(made: TrainedModel) -> str:
    """A few lines about what was trained and where to look."""
    lines = [
        made.card.name,
        f"  model       {made.card.model}, {made.trained.steps} steps, best after {made.trained.step}",
    ]
    told = made.card.training
    if "started_part" in told:
        lines.append(f"  begun with  {told['encoder']} ({told['started_part']}; the rest fresh)")
    if made.trained.put_back is not None:
        lines.append(f"  put back    {made.trained.put_back} labels below the limits, found all the same")
    if made.trained.stopped:
        lines.append(f"  ended       {made.trained.stopped}")
    lines += _beside(made) if made.before is not None else [f"  validation  {_numbers(made)}"]
    spent = sum(made.manifest.seconds.values())
    lines.append(f"  time        {spent:.0f} s")
    lines.append(f"  look at     {made.folder / 'report.html'}")
    return "\n".join(lines)


def _numbers(made: TrainedModel) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in made.card.numbers.items())


def _beside(made: TrainedModel) -> list[str]:
    """Numbers before and after, side by side."""
    before, after = made.before or {}, made.trained.numbers
    wide = max(map(len, after), default=0)
    lines = [f"  validation  {'':{wide}}  before   after"]
    for name, value in after.items():
        old = f"{before[name]:7.3f}" if name in before else f"{'-':>7}"
        lines.append(f"              {name:{wide}} {old} {value:7.3f}")
    return lines
