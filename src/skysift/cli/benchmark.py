"""``skysift benchmark``: methods, networks, preparations, sets and tasks against each other, into one table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skysift.base.errors import OptionError
from skysift.cli.flags import FreshFlag, OverwriteFlag, QuietFlag, at_least, folder_of, read_pairs
from skysift.cli.learning import ThreadsFlag, needs_learn, warn
from skysift.cli.progress import Watch

if TYPE_CHECKING:
    from skysift.flow.steps.benchmark import Compared

__all__ = ["benchmark"]


def benchmark(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.yaml", help="What is compared.")],
    out: Annotated[str | None, typer.Option("--out", metavar="DIR", help="Where the products go.")] = None,
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change the recipe: train.epochs=5, probe.repeats=1, protocol=folds; may be given again.",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="DEVICE",
            help="Where networks run: cpu, cuda or cuda:N; several, such as cuda:0,cuda:1, share the trainings. Named "
            "twice or more, a GPU runs as many small networks at once.",
        ),
    ] = None,
    threads: ThreadsFlag = None,
    overwrite: OverwriteFlag = False,
    fresh: FreshFlag = False,
    quiet: QuietFlag = False,
) -> None:
    r"""Compare methods that learn without labels: each learns from each set, and is judged on each task.

    \b
    Examples:
      skysift benchmark recipes/self-supervision.yaml --out compared
      skysift benchmark mine.yaml --out compared --set train.epochs=20 --device cuda:0,cuda:1

    \b
    DIR gets benchmark.csv (one row a task, method, network, preparation, set, classifier and part of the labels, with
    mean and scatter over folds), report.html and manifest.json. In every table stand the majority class, networks with
    random weights, and plain features with LightGBM. A run that is broken off goes on when it is repeated. A training
    that breaks is told and has no row; with --overwrite it is tried again, while the others keep their encoders.
    """
    if out is None:
        raise OptionError("--out is missing", allowed="a folder")
    folder = folder_of(out)
    at_least("--threads", threads, 1)
    needs_learn("skysift benchmark")
    from skysift.flow.learning.comparing import read_comparison
    from skysift.flow.steps.benchmark import benchmark_products  # late: it brings torch

    read = read_comparison(recipe, read_pairs(chosen or (), "--set"))
    with Watch(read.told.name, quiet=quiet) as watch:
        made = benchmark_products(
            read,
            folder,
            device=device or "auto",
            threads=threads,
            overwrite=overwrite,
            fresh=fresh,
            progress=watch,
        )
    warn(made.manifest.warnings)
    if not quiet:
        print(_summary(made, folder))


def _summary(made: Compared, folder: Path) -> str:
    lines = []
    names = ("method", "network", "preparation", "set", "kind")
    widths = [max(len(getattr(line, name)) for line in made.lines) for name in names]
    for task in dict.fromkeys(line.task for line in made.lines):
        lines.append(f"{task}")
        lines += [
            "  "
            + "  ".join(f"{getattr(line, name):<{width}}" for name, width in zip(names, widths, strict=True))
            + f" {line.labels:>6} labels  {line.accuracy:.3f} ± {line.accuracy_sd:.3f}"
            for line in made.lines
            if line.task == task
        ]
    return "\n".join([*lines, f"look at  {folder / 'report.html'}"])
