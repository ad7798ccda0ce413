"""The menu of made detections; light: no arrays are loaded by it."""

from __future__ import annotations

from typing import Literal

from skysift.base.options import Options, option

__all__ = ["DetectionsOptions"]


class DetectionsOptions(Options):
    """Made maps with artefacts, what a finder finds in them, and which of that is real."""

    fields: int = option(24, at_least=1, at_most=100_000, doc="Made maps.")
    kinds: tuple[Literal["snapshot", "deep", "galactic"], ...] = option(
        ("snapshot", "snapshot", "deep", "galactic"),
        doc="What maps are, in turn: snapshots of the VLA, hours of MeerKAT, fields of the Galactic plane.",
    )
    n_pixels: int = option(384, unit="pixel", at_least=64, at_most=8192, doc="Side of a map.")
    finder: str = option("classic", doc="The finder.")
    seed: float = option(4.5, unit="sigma", above=0.0, doc="It takes what is this bright.")
    amplitude_error: tuple[float, float] = option(
        (0.05, 0.3), doc="Smallest and largest error of the antennas' gains, relative; drawn for each map."
    )
    phase_error: tuple[float, float] = option(
        (3.0, 20.0), unit="deg", doc="Smallest and largest error of their phases."
    )
    clean_residual: tuple[float, float] = option(
        (0.02, 0.1), doc="Smallest and largest part of the dirty beam that deconvolution leaves."
    )
    stripes: float = option(0.5, at_least=0.0, at_most=1.0, doc="Part of the maps that stripes cross.")
    inverted: bool = option(
        False, doc="Whether maps are searched upside down too, where all that is found is spurious."
    )
    real: float = option(
        0.4,
        above=0.0,
        below=1.0,
        doc="What is found is real where the brightest true object at its place has this part of its peak.",
    )
    size: int = option(48, unit="pixel", at_least=8, at_most=512, doc="Side of a stamp.")
    random_seed: int = option(1, at_least=0, doc="The same number gives the same maps.")
