"""What the finder of extended sources aims at, and the numbers that all tables show."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.extended.rule import Scored

LEVELS = ("bright", "faint")


def chosen(s: Scored, level: str, *shapes: str) -> np.ndarray:
    """The true sources of a class of brightness, and of some shapes."""
    rows = s.level == level
    return rows & np.isin(s.shape, shapes) if shapes else rows


def completeness(s: Scored, rows: np.ndarray) -> float:
    """Share of the true sources that were found."""
    return float(s.found[rows].mean()) if rows.any() else np.nan


def reliability(s: Scored) -> float:
    """Share of the found sources that are real, those on diffuse emission aside."""
    counted = int((~s.diffuse).sum())
    return float(s.real.sum() / counted) if counted else np.nan


def width(s: Scored, rows: np.ndarray) -> float:
    """Half the 16-84 % range of the deviations of the found over their errors."""
    values = s.pull[rows & s.found]
    values = values[np.isfinite(values)]
    return float(np.diff(np.percentile(values, (15.87, 84.13)))[0] / 2.0) if values.size > 3 else np.nan


def median(values: np.ndarray) -> float:
    """The median of what is known."""
    values = values[np.isfinite(values)]
    return float(np.median(values)) if values.size else np.nan


@dataclass(frozen=True)
class Aim:
    """A number that is aimed at."""

    what: str
    told: str
    value: Callable[[Scored], float]
    met: Callable[[float], bool]

    def row(self, scores: list[Scored]) -> list[str]:
        """What is measured on each of several sets of maps, and whether the last of them meets it."""
        values = [self.value(s) for s in scores]
        return [
            self.what,
            self.told,
            *(f"{v:.3f}" for v in values),
            "yes" if self.met(values[-1]) else "**no**",
        ]


def at_least(what: str, aim: float, value: Callable[[Scored], float]) -> Aim:
    """An aim that is a lower bound."""
    return Aim(what, f">= {aim:g}", value, lambda v: v >= aim)


def found(aim: float, level: str, *shapes: str) -> Aim:
    """A completeness that is aimed at."""
    what = f"completeness, {level}" + (f" {' and '.join(f'{shape}s' for shape in shapes)}" if shapes else "")
    return at_least(what, aim, lambda s: completeness(s, chosen(s, level, *shapes)))


def ratio(level: str, most: float) -> Aim:
    """A median flux ratio that is aimed at."""
    return Aim(
        f"median flux ratio, {level}",
        f"within {most:.0%}",
        lambda s: median(s.ratio[chosen(s, level) & s.found]),
        lambda v: abs(v - 1.0) <= most,
    )


def scatter(level: str) -> Aim:
    """A scatter of fluxes over their errors that is aimed at."""
    return Aim(
        f"scatter of fluxes over quoted errors, {level}",
        "<= 1.3",
        lambda s: width(s, chosen(s, level)),
        lambda v: v <= 1.3,
    )


AIMS = (
    found(0.95, "bright"),
    found(0.90, "bright", "ring", "arc"),
    *(found(0.85, "faint", shape) for shape in ("disc", "ellipse")),
    *(found(0.75, "faint", shape) for shape in ("ring", "arc", "jet")),
    at_least("reliability", 0.95, reliability),
    at_least("median IoU, bright", 0.7, lambda s: median(s.iou[chosen(s, "bright") & s.found])),
    ratio("bright", 0.05),
    ratio("faint", 0.10),
    scatter("bright"),
    scatter("faint"),
)
