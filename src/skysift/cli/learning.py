"""What the commands of learned models have in common."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from skysift.base.extras import require

__all__ = [
    "CorrectionsFlag",
    "DeviceFlag",
    "DevicesFlag",
    "FieldsArgument",
    "LabelsFlag",
    "MeaningFlag",
    "RecipeFlag",
    "ThreadsFlag",
    "needs_learn",
    "warn",
]

DeviceFlag: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--device", metavar="DEVICE", help="Where networks run: cpu, cuda or cuda:N; a GPU if there is one."
    ),
]
DevicesFlag: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="DEVICE",
        help="Where the network runs: cpu, cuda or cuda:N; several, such as cuda:0,cuda:1, share the batches of a step "
        "(train.accumulate). A GPU if there is one.",
    ),
]
ThreadsFlag: TypeAlias = Annotated[
    int | None, typer.Option("--threads", metavar="N", help="Threads of the network; all cores by default.")
]
MeaningFlag: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--class", metavar="THEIRS=OURS", help="What a class of LABELS means; may be given again."),
]
CorrectionsFlag: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--corrections",
        metavar="FILE",
        help="Candidates with their verdicts, as `skysift candidates` wrote them and a person filled them in.",
    ),
]

FieldsArgument: TypeAlias = Annotated[
    Path,
    typer.Argument(
        metavar="FIELDS",
        help="Known fields: RECIPE.yaml, of which those for validation are made; a folder of fields; or a map.",
    ),
]
LabelsFlag: TypeAlias = Annotated[
    Path | None, typer.Option("--labels", metavar="LABELS", help="What is on the map.")
]
RecipeFlag: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Change the recipe: train.random_seed=2 draws other skies."
    ),
]


def warn(notes: Iterable[str]) -> None:
    """Say on the error stream what one should know, one line each."""
    for note in notes:
        print(f"skysift: warning: {note}", file=sys.stderr)


def needs_learn(what: str) -> None:
    """Refuse to go on without the libraries that all learned models need.

    Raises
    ------
    UsageError
        They are not installed.
    """
    require(what, "torch", "safetensors")
