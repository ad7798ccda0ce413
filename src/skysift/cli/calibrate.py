"""``skysift calibrate``: scores that are probabilities, and a threshold for a goal."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skysift.base.errors import OptionError, OutputError
from skysift.base.parallel import Crew
from skysift.base.settings import settings
from skysift.cli.flags import OverwriteFlag, QuietFlag, WorkersFlag, at_least, gather, read_pairs, with_short
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
from skysift.find.neural.options import EnsembleOptions
from skysift.flow.training.options import CalibrateOptions

if TYPE_CHECKING:
    from skysift.flow.steps.calibrate import Calibrated
    from skysift.flow.steps.calibrate_ensemble import CalibratedEnsemble
    from skysift.learn.checkpoint import Card
    from skysift.learn.fields import Field

__all__ = ["calibrate", "summary"]

_SUFFIX = ".safetensors"
_ENSEMBLE = "ensemble"


def calibrate(
    weights: Annotated[
        str,
        typer.Argument(
            metavar="WEIGHTS", help="A name that `skysift models` lists, or a file; or the word ensemble."
        ),
    ],
    fields: FieldsArgument,
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="FILE", help="What to write: NAME.safetensors; of an ensemble NAME.json."
        ),
    ],
    goals: Annotated[
        list[str] | None,
        typer.Option(
            "--goal",
            metavar="GOAL",
            help="sdc1, f1 or purity=0.99; may be given again, the first is the usual one. By default sdc1, or f1 where "
            "the network tells objects by their pixels.",
        ),
    ] = None,
    labels: LabelsFlag = None,
    classes: MeaningFlag = None,
    chosen: RecipeFlag = None,
    members: Annotated[
        str | None,
        typer.Option(
            "--members",
            metavar="LIST",
            help="Of the ensemble: '[{finder: yolo, weights: A}, {finder: classic}]'.",
        ),
    ] = None,
    flips: Annotated[
        int | None,
        typer.Option(
            "--flips", metavar="N", help="Orientations that are averaged, then and later: 1, 2, 4 or 8."
        ),
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Write the weights in numbers of 16 bits: half the size.")
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
    r"""Make the scores of a network probabilities and choose its threshold, on known fields.

    \b
    Examples:
      skysift calibrate yolo recipes/calibrate.yaml --out mine.safetensors
      skysift calibrate yolo recipes/calibrate.yaml --goal sdc1 --goal purity=0.99 --out mine.safetensors
      skysift calibrate yolo map.fits --labels truth.csv --goal f1 --out mine.safetensors
      skysift calibrate ensemble recipes/calibrate.yaml --members '[{finder: yolo}, {finder: classic}]' --out both.json

    \b
    sdc1      the most points of the first SKA data challenge
    f1        the best mean of purity and completeness (of objects above 3 sigma)
    purity=X  the most sources of which the part X is true
    Networks that tell objects by their pixels (unet, rcnn, detr) have f1, the mean over the classes of that of
    completeness (of objects above 7 sigma) and reliability, and purity.
    FILE holds the same weights with thresholds and a table of probabilities in the card. A finder takes the threshold
    of the first goal, or that of another by `--set setting=purity=0.99`; the column score is the probability that a
    source is true. Give fields that the training has not seen. Of an ensemble FILE holds how much each member is to be
    believed; `skysift find MAP --finder ensemble --set members=LIST --set agreement=FILE` uses it.
    """
    ensemble = weights == _ENSEMBLE
    if ensemble and out.suffix != ".json":
        raise OptionError("--out is no file of an ensemble", got=out.name, allowed="FILE.json")
    if not ensemble and members is not None:
        raise OptionError(
            "--members is of an ensemble", got=weights, todo=f"write {_ENSEMBLE} in place of it"
        )
    if ensemble and (flips is not None or half or (goals is not None and len(goals) > 1)):
        raise OptionError(
            "an ensemble has one goal; flips and half are of its members", todo="write {flips: 8} there"
        )
    if not ensemble and out.suffix != _SUFFIX:
        raise OptionError("--out is no file of weights", got=out.name, allowed=f"FILE{_SUFFIX}")
    at_least("--workers", workers, 1)
    opened = opening_told(
        hdu=hdu,
        plane=plane,
        beam=beam,
        beam_plane=beam_plane,
        pixel_scale=pixel_scale,
        unit=unit,
        frequency=frequency,
    )
    needs_learn("skysift calibrate")
    from skysift.find.neural.ensemble import EnsembleFinder  # late: it brings torch
    from skysift.flow.steps.calibrate import CalibrateStep
    from skysift.flow.steps.calibrate_ensemble import calibrate_ensemble
    from skysift.flow.training.labelled_fields import held_fields
    from skysift.learn.hub import weights_of

    options = CalibrateOptions.parse(
        {"goals": tuple(goals or ()), "flips": flips, "half": half, "device": device or "auto"}
    )
    if out.exists() and not overwrite:
        raise OutputError("the file exists", got=str(out), todo="choose another name, or give --overwrite")
    changes, meanings = read_pairs(chosen or (), "--set"), read_pairs(classes or (), "--class")
    name = _ENSEMBLE if ensemble else weights
    with tempfile.TemporaryDirectory() as folder, Watch(Path(name).stem, quiet=quiet) as watch:
        crew = Crew(workers or settings().workers, progress=watch)

        def known() -> Iterator[Field]:  # made when all else is known to be right
            yield from held_fields(
                fields, Path(folder), crew, labels=labels, classes=meanings, opening=opened, changes=changes
            )

        if ensemble:
            menu = gather(EnsembleOptions, with_short((), {"members": members, "device": device}))
            goal = (options.goals or ("sdc1",))[0]
            joined = calibrate_ensemble(
                EnsembleFinder(menu), known(), out, goal, overwrite=overwrite, progress=watch
            )
            said, notes = _together(joined, out), joined.notes
        else:
            begun = weights_of(weights)
            made = CalibrateStep(options).calibrate(begun, known(), out, overwrite=overwrite, progress=watch)
            said, notes = summary(made, begun.card, out), made.notes
    warn(notes)
    if not quiet:
        print(said)


def _together(made: CalibratedEnsemble, out: Path) -> str:
    """What was chosen for an ensemble, and what it gives."""
    rows = {**made.alone, f"together, {made.agreement.threshold:.4f}": made.together}
    width, goal, n = max(len(name) for name in rows), made.agreement.facts["goal"], made.n_fields
    lines = [
        f"{made.n_found} sources in {n} field{'s' * (n != 1)}; each at its best threshold for {goal}",
        f"  {'':{width}}       M_s  purity  completeness  mean",
        *(
            f"  {name:{width}}  {told['points']:8.1f}  {told['purity']:6.3f}  {told['completeness']:12.3f}  "
            f"{told['mean']:.3f}"
            for name, told in rows.items()
        ),
        f"  look at     {out}",
    ]
    return "\n".join(lines)


def summary(made: Calibrated, begun: Card, out: Path) -> str:
    """What was chosen, and what it gives."""
    own = {"as it was": _by_class(begun, None)} | {goal: _by_class(made.card, goal) for goal in made.after}
    rows = {"as it was": (begun.threshold, made.before)}
    rows |= {goal: (made.thresholds[goal], numbers) for goal, numbers in made.after.items()}
    heads = ["M_s" if name == "points" else name for name in made.shown]
    wide = [max(8, len(head)) for head in heads]
    lines = [
        f"{made.card.name}: {made.n_found} detections in {made.n_fields} field{'s' * (made.n_fields != 1)}",
        "  goal          threshold  "
        + "  ".join(f"{head:>{w}}" for head, w in zip(heads, wide, strict=True)),
        *(
            f"  {name:12}  {'by class' if own[name] else f'{at:.4f}':>9}  "
            + "  ".join(
                f"{told[each]:{w}.{1 if each == 'points' else 3}f}"
                for each, w in zip(made.shown, wide, strict=True)
            )
            for name, (at, told) in rows.items()
        ),
        *(f"  {name:12}  {told}" for name, told in own.items() if told),
        f"  scores miss the part of true detections by {made.errors[0]:.3f} before, {made.errors[1]:.3f} after",
        f"  look at     {out}",
    ]
    return "\n".join(lines)


def _by_class(card: Card, goal: str | None) -> str:
    """The thresholds of a goal, or of the usual one, class by class; empty where all classes have the same."""
    from skysift.find.neural.calibration import limits_of, limits_told  # late: it brings torch

    limits = limits_of(card, goal).tolist()
    return limits_told(limits) if len(set(limits)) > 1 else ""
