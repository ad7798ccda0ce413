"""``skysift candidates``: where a network and the labels of a map disagree, for a person to decide."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skysift.base.errors import OptionError, UsageError
from skysift.base.settings import settings
from skysift.cli.flags import (
    OptionsFlag,
    OverwriteFlag,
    QuietFlag,
    WorkersFlag,
    at_least,
    folder_of,
    gather,
    read_pairs,
    with_short,
)
from skysift.cli.learning import DeviceFlag, MeaningFlag, needs_learn
from skysift.cli.opening import (
    BeamFlag,
    BeamPlaneFlag,
    FrequencyFlag,
    HduFlag,
    PixelScaleFlag,
    PlaneFlag,
    UnitFlag,
    opening,
)
from skysift.cli.progress import Watch
from skysift.flow.training.options import CandidatesOptions

if TYPE_CHECKING:
    from skysift.flow.steps.candidates import CandidatesMade

__all__ = ["candidates"]


def candidates(
    weights: Annotated[
        str, typer.Argument(metavar="WEIGHTS", help="A name that `skysift models` lists, or a file.")
    ],
    image: Annotated[str, typer.Argument(metavar="MAP", help="A FITS image; map.fits[SCI] names an HDU.")],
    labels: Annotated[
        Path,
        typer.Argument(
            metavar="LABELS",
            help="What is on it: COCO, YOLO text, DS9 regions, a list of caesar-mrcnn, a catalogue.",
        ),
    ],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where table, regions and page go.")],
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Choose an option, such as --set threshold=0.8; may be given again. "
            "`skysift options candidates` lists them.",
        ),
    ] = None,
    options_file: OptionsFlag = None,
    classes: MeaningFlag = None,
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
    r"""List what a network finds and labels lack, and labels that it does not find, for a person to decide.

    \b
    Examples:
      skysift candidates yolo field.fits labels.reg --out look
      skysift finetune yolo --map field.fits --labels labels.reg --corrections look/candidates.csv --out mine

    \b
    DIR gets candidates.csv, whose column verdict is empty, candidates.reg and candidates.crtf (coloured by class),
    report.html with cutouts and buttons that fill in the verdicts, and manifest.json.
    Verdict yes for what was found makes it a label, with the parameters of the network; no for a label that was
    lost removes it: give the table to `skysift finetune --corrections`, or beside map and labels in a recipe.
    """
    folder = folder_of(out)
    at_least("--workers", workers, 1)
    if "weights" in read_pairs(chosen or ()):
        raise OptionError("the weights are said twice", got="--set weights", allowed="WEIGHTS alone")
    pairs = with_short(chosen, {"device": device})
    options = gather(CandidatesOptions, [*pairs, f"weights={weights}"], options_file)
    if not labels.exists():
        raise UsageError("there is no such file of labels", got=labels)
    task = opening(
        hdu=hdu,
        plane=plane,
        beam=beam,
        beam_plane=beam_plane,
        pixel_scale=pixel_scale,
        unit=unit,
        frequency=frequency,
    )
    needs_learn("skysift candidates")
    from skysift.flow.steps.candidates import candidates_products  # late: it brings torch
    from skysift.io.open import open_image

    sky = open_image(image, **task)
    with Watch(sky.name, quiet=quiet) as watch:
        made = candidates_products(
            options,
            sky,
            labels,
            Path(folder),
            classes=read_pairs(classes or (), "--class"),
            workers=workers or settings().workers,
            overwrite=overwrite,
            progress=watch,
        )
    if not quiet:
        print(_summary(made))


def _summary(made: CandidatesMade) -> str:
    """A few lines about what disagrees and where to look."""
    told = made.manifest.facts
    lines = [
        f"labels    {told['labels']}, {told['both']} found with a score of {told['threshold']:g} or more",
        f"found     {told['found']} that the labels lack",
        f"lost      {told['lost']} labels that the network does not find",
        *(f"note      {note}" for note in made.listed.notes),
        f"look at   {made.folder / 'report.html'}",
    ]
    return "\n".join(lines)
