"""``skysift embed``: pictures in, a table with a vector of features of each out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skysift.base.errors import OptionError, OutputError
from skysift.cli.flags import OverwriteFlag, QuietFlag, at_least
from skysift.cli.learning import DeviceFlag, ThreadsFlag, needs_learn, warn
from skysift.cli.progress import Watch

__all__ = ["embed"]

_SUFFIX = ".parquet"


def embed(
    weights: Annotated[
        str, typer.Argument(metavar="WEIGHTS", help="An encoder: a name (`skysift models`) or a file.")
    ],
    pictures: Annotated[
        Path,
        typer.Argument(metavar="PICTURES", help="A folder of `skysift stamps` or of FITS files, or an npz."),
    ],
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE.parquet", help="Where the table goes.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", metavar="CSV", help="A table name,label[,...] that goes along."),
    ] = None,
    turns: Annotated[
        int,
        typer.Option("--turns", metavar="N", help="Looks that features are averaged over: 1, 2, 4 or 8."),
    ] = 4,
    stages: Annotated[
        int | None,
        typer.Option(
            "--stages",
            metavar="N",
            help="Of how many of the last stages of the network; as its card says by default.",
        ),
    ] = None,
    bin: Annotated[
        int | None,
        typer.Option(
            "--bin",
            metavar="N",
            help="Pixels along the side of a square that the network reads as one; as its card says by default. Fewer "
            "show the middle of pictures in finer detail: small sources.",
        ),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", metavar="N", help="Pictures at once.")] = 256,
    device: DeviceFlag = None,
    threads: ThreadsFlag = None,
    overwrite: OverwriteFlag = False,
    quiet: QuietFlag = False,
) -> None:
    r"""Turn pictures into features: columns e000, e001 and so on of a table that classifiers and explore read.

    \b
    Examples:
      skysift embed simclr/simclr.safetensors stamps --out features.parquet
      skysift embed simclr/simclr.safetensors first.npz --out first.parquet --labels labels.csv

    \b
    A picture that cannot be read has a row of NaN. What is known of the pictures (label, ra, dec ...) goes along.
    """
    at_least("--threads", threads, 1)
    at_least("--batch", batch, 1)
    at_least("--bin", bin, 1)
    place = Path(out or "")
    if place.suffix != _SUFFIX:
        raise OptionError("--out is not a Parquet table", got=out or "nothing", allowed=f"FILE{_SUFFIX}")
    if place.exists() and not overwrite:
        raise OutputError(
            f"{place} is there already", todo="choose another file, or replace it with --overwrite"
        )
    needs_learn("skysift embed")
    import torch

    from skysift.flow.learning.page import counted
    from skysift.flow.products import writing
    from skysift.flow.reasons import reasons
    from skysift.flow.steps.match import records
    from skysift.io.features import write_features
    from skysift.learn import embed as learned
    from skysift.learn.device import device_named
    from skysift.learn.hub import weights_of
    from skysift.stamps.opening import open_pictures

    if threads is not None:
        torch.set_num_threads(threads)
    chosen = weights_of(weights)
    learned.refuse_others(chosen)
    read = open_pictures(pictures, labels=labels)
    with Watch(pictures.name, quiet=quiet) as watch:
        made = learned.embed(
            read,
            chosen,
            turns=turns,
            stages=stages,
            bin=bin,
            batch=batch,
            device=device_named(device or "auto"),
            inputs=(
                *(() if read.origin is None else (read.origin,)),
                *records([] if labels is None else [labels]),
            ),
            progress=watch,
        )
    with writing(place.parent):
        place.parent.mkdir(parents=True, exist_ok=True)
        write_features(made, place)
    warn(reasons(zip(read.names, read.errors, strict=True), "picture", lacking=" with a row of NaN"))
    if not quiet:
        bad = int((~read.good).sum())
        left = f", {bad} of them cannot be read" if bad else ""
        told = f"{counted(len(made), 'picture')}{left}: {counted(len(made.columns), 'feature')} each"
        print(f"{told}\nlook at  {place}")
