"""``skysift export``: a network as ONNX, checked equal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skysift.base.errors import OptionError
from skysift.cli.flags import OverwriteFlag, QuietFlag
from skysift.cli.learning import needs_learn

__all__ = ["export"]


def export(
    weights: Annotated[
        str, typer.Argument(metavar="WEIGHTS", help="A name that `skysift models` lists, or a file.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.onnx", help="The file to write.")],
    overwrite: OverwriteFlag = False,
    quiet: QuietFlag = False,
) -> None:
    r"""Write a network as ONNX, checked to give the answers of torch, with its card as JSON.

    \b
    Examples:
      skysift export yolo --out yolo.onnx
      skysift export mine/mine.safetensors --out mine.onnx --overwrite

    FILE.onnx takes any number of windows of any size that is a multiple of what FILE.json says; this is the card
    of the weights with the names and shapes of the inputs. Answers are compared on random windows; where one
    number differs by more than 0.0001, nothing is written.
    """
    if out.suffix != ".onnx":
        raise OptionError("--out is no file of ONNX", got=out.name, allowed="FILE.onnx")
    needs_learn("skysift export")
    from skysift.flow.steps.export import TOLERANCE, export_weights  # late: it brings torch
    from skysift.learn.hub import weights_of

    made = export_weights(weights_of(weights), out, overwrite=overwrite)
    if not quiet:
        lines = [
            f"{made.path}  {made.path.stat().st_size / 1e6:.1f} MB",
            f"  equal    to {made.difference:.1e} on {made.windows} random windows (allowed {TOLERANCE:g})",
            f"  card     {made.card}",
        ]
        print("\n".join(lines))
