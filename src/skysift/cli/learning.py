"""What the commands of learned models have in common."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from skysift.base.extras import require

__all__ = ["DeviceFlag", "needs_learn"]

DeviceFlag: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--device", metavar="DEVICE", help="Where networks run: cpu, cuda or cuda:N; a GPU if there is one."
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
