"""What the commands of learned models have in common."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated, TypeAlias

import typer

from skysift.base.errors import UsageError

__all__ = ["DeviceFlag", "needs_learn"]

DeviceFlag: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--device", metavar="DEVICE", help="Where networks run: cpu, cuda or cuda:N; a GPU if there is one."
    ),
]


def needs_learn(what: str, *libraries: str) -> None:
    """Refuse to go on without the libraries of the extra ``learn``: torch and safetensors, or those that are named.

    Raises
    ------
    UsageError
        They are not installed.
    """
    lacking = [name for name in libraries or ("torch", "safetensors") if find_spec(name) is None]
    if lacking:
        raise UsageError(
            f"{what} needs the extra learn",
            got=f"no {lacking[0]}",
            todo="make install EXTRAS=learn, or pip install 'skysift[learn]'",
        )
