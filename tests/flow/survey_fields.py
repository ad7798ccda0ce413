"""Made fields that overlap: one list of true sources, seen by several maps of different noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests import images, skies

CENTRE = (180.0, -30.0)
SIDE, SCALE, BEAM = 180, 2.0, (4.0, 4.0, 0.0)
RMS = {"A": 1e-5, "B": 2e-5, "C": 3e-5}
STEP = 120  # pixels between the middles of fields


def middle(name: str) -> tuple[float, float]:
    """The middle of a field (deg): A, B, C from east to west."""
    east = ("ABC".index(name) - 1) * -STEP * SCALE / 3600.0
    return float(CENTRE[0] + east / np.cos(np.radians(CENTRE[1]))), CENTRE[1]


def truth(spacing: float = 44.0, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ra, dec (deg) and flux (Jy) of isolated points, on a jittered lattice wider than the fields."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(-340, 341, spacing), np.arange(-230, 231, spacing))
    x, y = (each.ravel() + rng.uniform(-6, 6, each.size) for each in (x, y))
    ra = CENTRE[0] + x / 3600.0 / np.cos(np.radians(CENTRE[1] + y / 3600.0))
    return ra, CENTRE[1] + y / 3600.0, 10 ** rng.uniform(-2.9, -1.8, x.size)


def write(
    folder: Path, names: str = "ABC", blank: dict[str, tuple[slice, slice]] | None = None, **cards
) -> None:
    """Write the maps of fields, each on pixels of its own."""
    ra, dec, flux = truth()
    for number, name in enumerate(names):
        shape = (SIDE, SIDE)
        at = images.frame(shape, centre=middle(name), scale=(SCALE, SCALE))
        x, y = at.to_pixel(ra, dec)
        near = (x > -10) & (x < SIDE + 10) & (y > -10) & (y < SIDE + 10)
        sources = np.zeros(int(near.sum()), skies.SOURCE)
        sources["kind"] = "point"
        sources["x"], sources["y"], sources["total"] = x[near], y[near], flux[near]
        data, _ = skies.paint(shape, BEAM, rms=RMS[name], sources=sources, seed=7 + "ABC".index(name))
        if blank and name in blank:
            data[blank[name]] = np.nan
        told = {"DATE-OBS": f"2020-01-{number + 1:02d}T12:00:00"} | cards
        skies.write(
            folder / f"{name}.fits", data, BEAM, pixel_arcsec=(SCALE, SCALE), centre=middle(name), **told
        )


def inside(name: str, margin: float = 0.0) -> np.ndarray:
    """Which true sources lie in a field, so many pixels from its border at least."""
    ra, dec, _ = truth()
    x, y = images.frame((SIDE, SIDE), centre=middle(name), scale=(SCALE, SCALE)).to_pixel(ra, dec)
    return (x >= margin - 0.5) & (x < SIDE - margin - 0.5) & (y >= margin - 0.5) & (y < SIDE - margin - 0.5)
