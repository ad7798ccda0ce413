"""``skysift probe``: how good features are, by simple classifiers over folds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skysift.base.errors import OptionError
from skysift.cli.flags import OptionsFlag, OverwriteFlag, QuietFlag, at_least, folder_of, gather, read_pairs
from skysift.cli.learning import MeaningFlag, ThreadsFlag, needs_learn, warn
from skysift.cli.progress import Watch
from skysift.flow.learning.options import ProbeOptions, refuse_idle

if TYPE_CHECKING:
    from skysift.flow.steps.probe import ProbeMade

__all__ = ["probe"]


def probe(
    weights: Annotated[
        list[str],
        typer.Argument(metavar="WEIGHTS...", help="Encoders: names (`skysift models`) or files."),
    ],
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures",
            metavar="PICTURES",
            help="Pictures with classes: a folder of stamps or FITS, or an npz.",
        ),
    ] = None,
    out: Annotated[str | None, typer.Option("--out", metavar="DIR", help="Where the products go.")] = None,
    labels: Annotated[
        Path | None, typer.Option("--labels", metavar="CSV", help="A table name,label[,...].")
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(
            "--column",
            metavar="NAME",
            help="Which column holds the classes; by default the first of label, class, code, type, morphology.",
        ),
    ] = None,
    meaning: MeaningFlag = None,
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="fractions=1,10,100 (% of labels), kinds=linear,discriminant,joined,knn,finetune, fixed=mirabest "
            "(committed folds), folds, repeats, turns, strength ...",
        ),
    ] = None,
    options_file: OptionsFlag = None,
    threads: ThreadsFlag = None,
    overwrite: OverwriteFlag = False,
    quiet: QuietFlag = False,
) -> None:
    r"""Judge encoders: linear and nearest-neighbour probes, fine-tuning, with all labels or parts of them.

    \b
    Examples:
      skysift probe simclr/simclr.safetensors --pictures first.npz --out probed
      skysift probe a.safetensors b.safetensors --pictures first.npz --out probed --set fractions=1,10,100
      skysift probe a.safetensors --pictures mirabest.npz --class 100=FRI --class 200=FRII --out fr

    \b
    DIR gets probe.csv, report.html and manifest.json. Beside the encoders stand the majority class, networks of each
    kind with random weights, and plain features with LightGBM. With --class only these labels are told apart.
    """
    if out is None:
        raise OptionError("--out is missing", allowed="a folder")
    folder = folder_of(out)
    at_least("--threads", threads, 1)
    if pictures is None:
        raise OptionError("--pictures is missing", allowed="a folder of stamps or FITS files, or an npz")
    options = gather(ProbeOptions, chosen, options_file)
    refuse_idle(options)
    needs_learn("skysift probe")
    import torch

    from skysift.flow.learning.probing import asked_of, labels_of
    from skysift.flow.products import refuse_earlier
    from skysift.flow.steps.match import records
    from skysift.flow.steps.probe import probe_products
    from skysift.learn.embed import refuse_others
    from skysift.learn.hub import weights_of
    from skysift.stamps.opening import open_pictures

    if threads is not None:
        torch.set_num_threads(threads)
    refuse_earlier(folder, overwrite=overwrite)
    chosen_weights = [weights_of(each) for each in weights]
    for each in chosen_weights:
        refuse_others(each)
    read = open_pictures(pictures, labels=labels)
    asked = asked_of(read, labels_of(read, column, read_pairs(meaning or (), "--class")), options)
    origin = () if read.origin is None else (read.origin,)
    inputs = (*origin, *records([] if labels is None else [labels]))
    with Watch(pictures.name, quiet=quiet) as watch:
        made = probe_products(
            chosen_weights,
            asked,
            options,
            folder,
            inputs=inputs,
            overwrite=overwrite,
            progress=watch,
        )
    warn(made.manifest.warnings)
    if not quiet:
        print(_summary(made, folder))


def _summary(made: ProbeMade, folder: Path) -> str:
    wide = max(len(row.features) for row in made.rows)
    lines = [f"{'features':<{wide}} {'classifier':<12} {'labels':>7}  accuracy         F1"]
    lines += [
        f"{row.features:<{wide}} {row.kind:<12} {row.labels:>7}  {row.accuracy:.3f} ± {row.accuracy_sd:.3f}"
        f"    {row.f1:.3f} ± {row.f1_sd:.3f}"
        for row in made.rows
    ]
    return "\n".join([*lines, f"look at  {folder / 'report.html'}"])
