"""The steps and presets by which pixels become what a network reads; light: only names, texts and what they mean."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from skysift.base.errors import OptionError

__all__ = ["PRESETS", "STEPS", "StepKind", "parse_steps"]


@dataclass(frozen=True)
class StepKind:
    """What a step does, and how many numbers it takes."""

    doc: str
    values: int = 0


STEPS: Mapping[str, StepKind] = {
    "level": StepKind("minus the level of the sky"),
    "sigma": StepKind("minus the level, over the noise"),
    "soft_clip": StepKind("minus level and so many sigma of the noise; what is below becomes 0", 1),
    "floor": StepKind("minus the level; pixels below so many sigma become 0", 1),
    "clip": StepKind("minus the level, kept between two numbers of sigma", 2),
    "max": StepKind("over the largest value of each band"),
    "max_of_bands": StepKind("over the largest value of all bands: the ratios of bands stay"),
    "minmax": StepKind("the smallest value of each band becomes 0, the largest 1"),
    "standard": StepKind("minus the mean of each band, over its standard deviation"),
    "zscale": StepKind("between the limits of IRAF's zscale with this contrast, which become 0 and 1", 1),
    "equalise": StepKind("the rank of each pixel among those of its band, 0 to 1"),
    "asinh": StepKind("asinh(a x) / asinh(a)", 1),
    "log": StepKind("log(1 + a x) / log(1 + a)", 1),
    "sinh": StepKind("sinh(a x) / sinh(a)", 1),
    "power": StepKind("x to this power, of what is above 0", 1),
}

_POSITIVE = ("asinh", "log", "power", "sinh", "zscale")

PRESETS: Mapping[str, str] = {
    "asinh": "soft_clip=2 max asinh=10",
    "minmax": "minmax",
    "sigma3": "floor=3 minmax",
    "zscale": "zscale=0.25",
    "three_channel": "clip=0,20 zscale=0.25; clip=1,20 zscale=0.25; equalise",
    "mixed": "minmax sinh=3; minmax; minmax asinh=10",
    "bands": "soft_clip=2 max_of_bands asinh=10",
    "noise": "sigma",
}
"""Steps in their order; channels are separated by semicolons, each is made of every band."""


def parse_steps(text: str) -> tuple[tuple[tuple[str, tuple[float, ...]], ...], ...]:
    """The steps of each channel that a text such as ``"soft_clip=2 max asinh=10; minmax"`` declares.

    Raises
    ------
    OptionError
        A step is not known, or has other numbers than it takes.
    """
    return tuple(tuple(_parse(word) for word in part.split()) for part in text.split(";"))


def _parse(word: str) -> tuple[str, tuple[float, ...]]:
    name, _, given = word.partition("=")
    if name not in STEPS:
        raise OptionError("no such step of a preparation", got=name, allowed=sorted(STEPS))
    try:
        values = tuple(float(each) for each in given.split(",") if each.strip())
    except ValueError:
        values = ()
    if not all(map(math.isfinite, values)) or (name in _POSITIVE and min(values, default=1.0) <= 0.0):
        told = "numbers above 0" if name in _POSITIVE else "finite numbers"
        raise OptionError(
            f"a number of the step {name} of a preparation is out of bounds", got=word, allowed=told
        )
    if name == "clip" and len(values) == 2 and values[0] >= values[1]:
        raise OptionError("the step clip of a preparation keeps nothing", got=word, allowed="clip=LOW,HIGH")
    if len(values) != STEPS[name].values:
        form = name + ("=" + ",".join(["NUMBER"] * STEPS[name].values) if STEPS[name].values else "")
        raise OptionError(f"the step {name} of a preparation has other numbers", got=word, allowed=form)
    return name, values
