"""``skysift pretrain``: pictures or maps without labels in, the weights of an encoder out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skysift.base.errors import OptionError, UsageError
from skysift.base.settings import settings
from skysift.cli.flags import (
    FreshFlag,
    OptionsFlag,
    OverwriteFlag,
    QuietFlag,
    WorkersFlag,
    at_least,
    folder_of,
    read_file,
    read_pairs,
)
from skysift.cli.learning import DevicesFlag, ThreadsFlag, needs_learn, warn
from skysift.cli.progress import Watch

if TYPE_CHECKING:
    from skysift.flow.learning.plan import Plan
    from skysift.flow.steps.pretrain import Pretrained

__all__ = ["pretrain"]


def pretrain(
    method: Annotated[
        str,
        typer.Argument(metavar="METHOD", help="simclr, byol, vicreg, dino, swav, wmse, mae or all4one."),
    ],
    pictures: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PICTURES...]", help="Folders of `skysift stamps` or of FITS files, or npz with images."
        ),
    ] = None,
    out: Annotated[str | None, typer.Option("--out", metavar="DIR", help="Where the weights go.")] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Of the weights; by default that of DIR.")
    ] = None,
    maps: Annotated[
        list[Path] | None,
        typer.Option("--map", metavar="MAP", help="A map to cut pictures from; may be given again."),
    ] = None,
    cut: Annotated[
        str | None,
        typer.Option(
            "--cut",
            metavar="WHERE",
            help="Cut-outs of maps: random places, sources (that the classic finder finds; the default), or a catalogue.",
        ),
    ] = None,
    exclude: Annotated[
        list[Path] | None,
        typer.Option(
            "--exclude",
            metavar="PICTURES|CATALOGUE",
            help="Leave out pictures near these places, such as those of a test; may be given again.",
        ),
    ] = None,
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="An option of the method (temperature=0.1), or of a group: train.epochs=100, encoder.width=32, "
            "views.noise=3, prepare.preset=minmax, pool.cuts=500; may be given again.",
        ),
    ] = None,
    options_file: OptionsFlag = None,
    device: DevicesFlag = None,
    threads: ThreadsFlag = None,
    workers: WorkersFlag = None,
    overwrite: OverwriteFlag = False,
    fresh: FreshFlag = False,
    quiet: QuietFlag = False,
) -> None:
    r"""Learn features of pictures without labels: an encoder that tells sources apart by what they look like.

    \b
    Examples:
      skysift pretrain simclr stamps --out simclr
      skysift pretrain byol first.npz mirabest.npz --out byol --set train.epochs=100 --exclude test.csv
      skysift pretrain vicreg --map a.fits --map b.fits --cut random --set pool.cuts=5000 --out vicreg
      skysift pretrain mae stamps --out mae --set encoder.backbone=vit

    \b
    DIR gets NAME.safetensors (the encoder with its card), log.csv, report.html (curves, and views as the network
    sees them) and manifest.json. `skysift embed DIR/NAME.safetensors PICTURES --out features.parquet` uses it,
    `skysift probe` judges it. A run that is broken off keeps its work in DIR/.training; the same command goes on.
    """
    if out is None:
        raise OptionError("--out is missing", allowed="a folder")
    folder = folder_of(out)
    at_least("--workers", workers, 1)
    at_least("--threads", threads, 1)
    needs_learn("skysift pretrain")
    if not pictures and not maps:
        raise UsageError("there is nothing to learn from", todo="give PICTURES, or --map MAP")
    if cut is not None and not maps:
        raise UsageError(
            "--cut does nothing without a map", got=cut, todo="give --map MAP, or leave --cut out"
        )
    from skysift.flow.learning.plan import Plan
    from skysift.flow.learning.reading import excluded_places, pool_from
    from skysift.flow.products import refuse_earlier
    from skysift.flow.steps.pretrain import pretrain_products, refuse_unfit  # late: it brings torch
    from skysift.learn.options import file_name

    named = _name_of(folder) if name is None else file_name(name)
    refuse_earlier(folder, overwrite=overwrite)
    given = {} if options_file is None else read_file(options_file)
    plan = Plan.of(method, {**given, **read_pairs(chosen or (), "--set")})
    _refuse_idle(plan, maps=bool(maps), cut=cut or "sources", excluded=bool(exclude))
    refuse_unfit(plan, device or "auto")
    crew = workers or settings().workers
    with Watch(named, quiet=quiet) as watch:
        places = excluded_places(exclude or ())
        pool, inputs, facts = pool_from(
            pictures or (), maps or (), cut or "sources", plan, places, workers=crew, progress=watch
        )
        made = pretrain_products(
            plan,
            named,
            pool,
            folder,
            inputs=inputs,
            facts=facts,
            device=device or "auto",
            workers=crew,
            threads=threads,
            overwrite=overwrite,
            fresh=fresh,
            progress=watch,
        )
    warn(made.manifest.warnings)
    if not quiet:
        print(_summary(made))


def _refuse_idle(plan: Plan, *, maps: bool, cut: str, excluded: bool) -> None:
    """Refuse what is told of the pool and changes nothing of it."""
    idle = {} if excluded else {"apart": ("without places to leave out", "give --exclude, or ")}
    if not maps:
        idle |= dict.fromkeys(("cuts", "blank", "seed"), ("without a map", "give --map MAP, or "))
    elif cut != "sources":
        idle["seed"] = (f"with --cut {cut}: no sources are sought", "")
    for name, (why, instead) in idle.items():
        if name in plan.pool.model_fields_set:
            raise OptionError(f"pool.{name} does nothing {why}", todo=f"{instead}leave it out")


def _name_of(folder: Path) -> str:
    """The name of a folder, without what a name of weights may not hold."""
    return re.sub(r"[^\w.-]", "_", folder.resolve().name).lstrip(".") or "encoder"


def _summary(made: Pretrained) -> str:
    from skysift.flow.learning.page import counted  # late: it brings pictures

    counts, numbers = made.manifest.counts, made.card.numbers
    left = [f"{counts[key]} {told}" for key, told in _LEFT if counts.get(key)]
    lines = [
        made.card.name,
        f"  learnt from {counted(made.card.training['pictures'], 'picture')}"
        + (f" ({', '.join(left)})" if left else ""),
        f"  method      {made.card.training['method']}, {counted(made.trained.steps, 'step')}",
        f"  features    spread {numbers['spread']:.3f} (0 is a collapse), {numbers['rank']:.1f} directions",
        f"  time        {made.manifest.seconds['train']:.0f} s",
        f"  look at     {made.folder / 'report.html'}",
    ]
    return "\n".join(lines)


_LEFT = (
    ("bad", "cannot be read"),
    ("double", "lie on others"),
    ("excluded", "near places that are excluded"),
)
