"""``skysift models``: the weights that there are, what they are for, and how good they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skysift.cli.learning import needs_learn

if TYPE_CHECKING:
    from skysift.learn.checkpoint import Card, Checkpoint

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
    r"""List weights: name, task, model, what they were trained on, what was measured, size and checksum.

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
    card, told = one.card, _told(one)
    if "classes" in card.settings:
        return _classifier_text(one)
    training = card.training
    fields = training.get("fields", [])
    learnt = _skies([each for each in fields if each.get("held") != 1.0])
    if card.training.get("pictures"):
        of = ", ".join([*card.training.get("sets", []), *card.training.get("maps", [])])
        left = card.training.get("excluded")
        learnt = f"{card.training['pictures']} pictures without labels ({of})" + (
            f", nothing {left}" if left else ""
        )
    kept = _skies([each for each in fields if each.get("held") == 1.0])
    parts = [
        f"the upper {each['held']:.0%} of {each['map']}"
        for each in fields
        if each.get("map") and each.get("held")
    ]
    lines = [
        f"{card.name}: {card.task or 'no task told'}",
        f"  model       {card.model}, {told['parameters']:,} parameters, {told['bytes'] / 1e6:.1f} MB",
        f"  trained on  {learnt or training.get('data', 'not told')}"
        + (f"; {training['step']} steps" if "step" in training else ""),
    ]
    if kept or parts:
        lines.append(f"  kept        {', '.join(part for part in (kept, *parts) if part)}, for validation")
    if training.get("started_from"):
        part = training.get("started_part")
        of = f" (the encoder {training['encoder']}: {part}; the rest fresh)" if part else ""
        lines.append(f"  begun with  {training['started_from'][:23]}{of}")
    if "selection" in training:
        lines.append(f"  selection   {_selection(training)}")
    lines += [f"  measured    {_numbers(card)}", *_calibrated(card), f"  checksum    {one.checksum}"]
    if training.get("improved") is False:
        lines.append("  warning     not better than the weights that they began with")
    return "\n".join(lines)


def _classifier_text(one: Checkpoint) -> str:
    """A few lines about a classifier."""
    card, training = one.card, one.card.training
    counts = training.get("counts", {})
    number = len(card.settings.get("features", ()))
    looks = f", {number} feature{'' if number == 1 else 's'}" if number else ""
    counted = ", ".join(f"{n} {name}" for name, n in counts.items()) or "not told"
    inputs = training.get("provenance", {}).get("inputs", ())
    of = training.get("data") or ", ".join(str(each["name"]) for each in inputs)
    lines = [
        f"{card.name}: {card.task or 'no task told'}",
        f"  model       {card.model}{looks}, {one.path.stat().st_size / 1e6:.1f} MB",
        f"  classes     {', '.join(card.settings['classes'])}",
        f"  trained on  {counted}{f' ({of})' if of else ''}",
        f"  measured    {_numbers(card)}" + (", on sources left out" if card.numbers else ""),
        f"  checksum    {one.checksum}",
    ]
    return "\n".join(lines)


def _skies(fields: Sequence[Mapping[str, Any]]) -> str:
    """What fields are: how many skies of which simulator, with their size and frequencies, and names of maps."""
    told = []
    for name in dict.fromkeys(str(each["simulator"]) for each in fields if each.get("simulator")):
        skies = [each.get("options") or {} for each in fields if each.get("simulator") == name]
        area = sum(float(each.get("n_pixels", 0)) ** 2 for each in skies) / 1e6
        hertz = sorted(
            {float(each["frequency"]) for each in skies if isinstance(each.get("frequency"), int | float)}
        )
        band = "" if not hertz else f", {hertz[0] / 1e6:.0f}"
        band += f" to {hertz[-1] / 1e6:.0f}" if len(hertz) > 1 else ""
        size = f"{area:.0f}" if area >= 10 else f"{area:.2g}"
        told.append(
            f"{len(skies)} {name} {'sky' if len(skies) == 1 else 'skies'} ({size} Mpix{band + ' MHz' if band else ''})"
        )
    maps = [
        f"{each['map']}{' with made sources' if each.get('inject') else ''}"
        for each in fields
        if each.get("map")
    ]
    return ", ".join([*told, *dict.fromkeys(maps)])


def _numbers(card: Card) -> str:
    """What the validation of the training gave, with what it was before where it began with others, and the threshold."""
    before = card.training.get("before", {})
    told = [
        f"{name} {value:.3f}" + (f" (before {before[name]:.3f})" if name in before else "")
        for name, value in card.numbers.items()
    ]
    if told and "calibrated_on" in card.settings:
        told.append("at the best threshold")  # of the scores of that time, which are no probabilities yet
    elif told and "threshold" in card.settings:
        told.append(f"at a threshold of {card.threshold:.2f}")
    return ", ".join(told) or "not told"


def _calibrated(card: Card) -> list[str]:
    """What scores and thresholds were chosen on, and what each threshold gave there; nothing where they were not."""
    chosen = card.settings.get("calibrated_on")
    if not chosen:
        return []
    n = len(chosen["fields"])
    lines = [f"on {n} field{'' if n == 1 else 's'}, {chosen['detections']:,} finds, {chosen['true']:,} true"]
    usual_first = sorted(chosen["numbers"], key=lambda each: (each != chosen["goal"], each))
    for goal in usual_first:
        told = (
            f"{name} {value:,.0f}" if name in ("points", "n_found") else f"{name} {value:.3f}"
            for name, value in chosen["numbers"][goal].items()
        )
        by_class = card.settings.get("class_thresholds", {}).get(goal)
        limits = by_class or {"": card.settings["thresholds"][goal]}
        at = ", ".join(f"{kind} {limit:.2f}".strip() for kind, limit in limits.items())
        lines.append(f"{goal} at {at}: {', '.join(told)}")
    return [f"  {'' if k else 'calibrated':<12}{line}" for k, line in enumerate(lines)]


def _selection(training: Mapping[str, Any]) -> str:
    """Which labels were learnt."""
    limits = training["selection"]
    told = f"labels from {limits['peak']:g} sigma (peak) and {limits['flux']:g} sigma (flux), others {limits['below']}"
    return told + (f", {training['put_back']} put back" if "put_back" in training else "")
