"""`goal_of`: what thresholds are chosen for; light: nothing here imports torch."""

from __future__ import annotations

__all__ = ["GOALS", "goal_of"]

GOALS = "sdc1, f1, purity=0.99"


def goal_of(text: str) -> str:
    """A goal in the form in which it names a threshold.

    Raises
    ------
    ValueError
        There is no such goal.
    """
    name, _, value = text.partition("=")
    if name == "purity":
        try:
            purity = float(value)
        except ValueError:
            purity = 0.0
        if not 0.0 < purity < 1.0:
            raise ValueError(f"{text} is no goal; a purity is written purity=X, 0 < X < 1")
        return f"purity={purity:g}"
    if text not in ("sdc1", "f1"):
        raise ValueError(f"{text} is no goal; there are {GOALS}")
    return text
