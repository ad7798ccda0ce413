"""``skysift models``: the weights that there are, what they are for, and how good they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skysift.cli.learning import needs_learn

if TYPE_CHECKING:
    from skysift.learn.checkpoint import Checkpoint

__all__ = ["models"]


def models(
    weights: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WEIGHTS...]", help="Names or files to tell about; all that come with skysift if none."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the cards as JSON.")] = False,
) -> None:
    r"""List weights: name, model, what they are for, what was measured, size and checksum.

    \b
    Examples:
      skysift models
      skysift models yolo --json
      skysift models mine/mine.safetensors
    """
    needs_learn("skysift models")
    from skysift.learn.hub import shipped, weights_of

    found = [weights_of(each) for each in (weights or shipped())]
    if as_json:
        print(json.dumps([_told(each) for each in found], indent=2))
        return
    if not found:
        print("no weights come with this version; `skysift train RECIPE.yaml --out DIR` makes some")
    print("\n\n".join(_text(each) for each in found))


def _told(one: Checkpoint) -> dict[str, Any]:
    """The card and the file."""
    return {
        **one.card.to_dict(),
        "file": Path(one.path).name,
        "bytes": one.path.stat().st_size,
        "checksum": one.checksum,
        "parameters": sum(each.numel() for each in one.tensors.values()),
    }


def _text(one: Checkpoint) -> str:
    """A few lines for a person."""
    told = _told(one)
    numbers = ", ".join(f"{name} {value:.3f}" for name, value in one.card.numbers.items())
    kinds = sorted(
        {str(each.get("simulator") or each.get("map")) for each in one.card.training.get("fields", [])}
    )
    lines = [
        f"{one.card.name}: {one.card.task or 'no task told'}",
        f"  model       {one.card.model}, {told['parameters']:,} parameters, {told['bytes'] / 1e6:.1f} MB",
        f"  trained on  {', '.join(kinds) or 'not told'}, {one.card.training.get('step', '?')} steps",
        f"  measured    {numbers or 'not told'}",
        f"  checksum    {one.checksum}",
    ]
    return "\n".join(lines)
