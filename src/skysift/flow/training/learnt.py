"""Which skies and maps fields are, and whether weights were trained on them: as the card of the weights tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skysift.learn.checkpoint import Card
from skysift.learn.fields import Field

__all__ = ["learnt_from", "told_of"]


def told_of(field: Field) -> dict[str, Any]:
    """What a field is in a few words, JSON-safe: its name, what made it with the seed, checksums of its files."""
    facts = field.facts
    told: dict[str, Any] = {"name": field.name}
    if "simulator" in facts:
        told |= {"simulator": facts["simulator"], "random_seed": _seed(facts.get("options"))}
    if "inject" in facts:
        told["random_seed"] = _seed(facts["inject"])
    return {**told, **({"checksums": dict(facts["checksums"])} if facts.get("checksums") else {})}


def learnt_from(card: Card, fields: Sequence[Field]) -> tuple[str, ...]:
    """Warnings about fields that took part in the training of weights, one line each."""
    plans: Sequence[Mapping[str, Any]] = card.training.get("fields", ())
    trained = kept = 0
    for field in fields:
        parts = [_held(plan) for plan in plans if _same(field.facts, plan)]
        if any(part < _held(field.facts) or not part for part in parts):
            trained += 1
        elif parts:
            kept += 1
    told = (
        (trained, "were trained on"),
        (kept, "were kept for validation, by which the best step of the training was chosen"),
    )
    return tuple(f"{n} of {len(fields)} fields {what}, which flatters the weights" for n, what in told if n)


def _same(facts: Mapping[str, Any], plan: Mapping[str, Any]) -> bool:
    """Whether a field is of one of a training: a made sky by what made it and its seed, a map by its checksum.

    Maps of cards that tell no checksums are known by their names.
    """
    if "simulator" in plan:
        seed = _seed(plan.get("options"))
        return bool(facts.get("simulator") == plan["simulator"] and seed == _seed(facts.get("options")))
    if "map" not in facts or "map" not in plan:
        return False
    one, other = ((each.get("checksums") or {}).get("map") for each in (facts, plan))
    return bool(one == other if one and other else facts["map"] == plan["map"])


def _held(plan: Mapping[str, Any]) -> float:
    """The part of a field, its upper rows, that is kept for validation."""
    return float(plan.get("held", 0.0))


def _seed(options: Mapping[str, Any] | None) -> Any:
    return (options or {}).get("random_seed")
