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


def response(name: str, ra: np.ndarray, dec: np.ndarray, fwhm: float) -> np.ndarray:
    """What a Gaussian primary beam (FWHM in arcsec) on the middle of a field leaves of sources at positions."""
    at = images.frame((SIDE, SIDE), centre=middle(name), scale=(SCALE, SCALE))
    x, y = at.to_pixel(ra, dec)
    away = np.hypot(x - (SIDE - 1) / 2, y - (SIDE - 1) / 2) * SCALE
    return np.exp(-4.0 * np.log(2.0) * (away / fwhm) ** 2)


def write(
    folder: Path,
    names: str = "ABC",
    blank: dict[str, tuple[slice, slice]] | None = None,
    fwhm: float | None = None,
    **cards,
) -> None:
    """Write the maps of fields, each on pixels of its own; with `fwhm` seen through a primary beam of that width.

    The maps of these beams are written into the folder beams, as A-beam.fits and so on.
    """
    ra, dec, flux = truth()
    for number, name in enumerate(names):
        shape = (SIDE, SIDE)
        at = images.frame(shape, centre=middle(name), scale=(SCALE, SCALE))
        x, y = at.to_pixel(ra, dec)
        near = (x > -10) & (x < SIDE + 10) & (y > -10) & (y < SIDE + 10)
        sources = np.zeros(int(near.sum()), skies.SOURCE)
        sources["kind"] = "point"
        sources["x"], sources["y"], sources["total"] = x[near], y[near], flux[near]
        if fwhm is not None:
            sources["total"] *= response(name, ra[near], dec[near], fwhm)
            row, column = np.indices(shape).reshape(2, -1).astype(float)
            beam = response(name, *at.to_sky(column, row), fwhm).reshape(shape)
            told = {"BMAJ": None, "BMIN": None, "BPA": None, "BUNIT": None}
            (folder / "beams").mkdir(exist_ok=True)
            skies.write(
                folder / "beams" / f"{name}-beam.fits",
                beam.astype(np.float32),
                BEAM,
                pixel_arcsec=(SCALE, SCALE),
                centre=middle(name),
                **told,
            )
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
