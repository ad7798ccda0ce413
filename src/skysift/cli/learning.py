"""What the commands of learned models have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from skysift.base.extras import require

__all__ = ["CorrectionsFlag", "DeviceFlag", "MeaningFlag", "ThreadsFlag", "needs_learn"]

DeviceFlag: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--device", metavar="DEVICE", help="Where networks run: cpu, cuda or cuda:N; a GPU if there is one."
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


def needs_learn(what: str) -> None:
    """Refuse to go on without the libraries that all learned models need.

    Raises
    ------
    UsageError
        They are not installed.
    """
    require(what, "torch", "safetensors")
