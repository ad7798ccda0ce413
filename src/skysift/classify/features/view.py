"""`View`: what holds for all pictures of a set: bands, scale, beam, unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["View"]


@dataclass(frozen=True)
class View:
    """
    What holds for all pictures of a set.

    Attributes
    ----------
    bands
        Names.
    reference
        Number of the band on which shapes are measured.
    scale
        Size of a pixel (arcsec); NaN where it is not known, and then sizes are in pixels.
    beam
        FWHM of the beam (arcsec); NaN where it is not known.
    units
        Of the pixels of each band; empty where they are not known.
    sums
        Of sums of the pixels of each band: Jy where the pixels are of it, per beam of a beam that is known.
    """

    bands: tuple[str, ...]
    reference: int = 0
    scale: float = float("nan")
    beam: float = float("nan")
    units: tuple[str, ...] = ()
    sums: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("units", "sums"):
            if not getattr(self, name):
                object.__setattr__(self, name, ("",) * len(self.bands))

    @property
    def length(self) -> str:
        """The unit of sizes."""
        return "arcsec" if np.isfinite(self.scale) else "pixel"

    @property
    def pixel(self) -> float:
        """Size of a pixel in the unit of sizes."""
        return self.scale if np.isfinite(self.scale) else 1.0

    @property
    def beam_pixels(self) -> float:
        """FWHM of the beam in pixels; NaN where it is not known."""
        return self.beam / self.scale
