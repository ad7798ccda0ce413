"""The made skies of the comparison, painted into bench/data/<name>/ (map.fits, truth.npy)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tests import skies

DATA = Path(__file__).resolve().parents[1] / "data"
BEAMS = {"round": (4.0, 4.0, 0.0), "elliptical": (6.0, 3.5, 30.0)}  # FWHM px, FWHM px, deg
NOISES = ("convolved", "beam")
RMS = 1e-5  # Jy/beam
PIXEL = 2.0  # arcsec
# Sources on a map of 4096 x 4096 pixels.
KINDS = {
    "plain": {"n_points": 6000, "n_extended": 600},
    "mixed": {"n_points": 6000, "n_extended": 600, "n_doubles": 300, "n_discs": 100},
    "extended": {"n_extended": 3600, "lattice": 64, "slope": 2.0, "snr": (4, 300), "by_peak": True},
    "noise": {},
}


@dataclass(frozen=True)
class Field:
    """One made sky: which beam, noise and population, which seed."""

    beam: str
    noise: str
    kind: str
    seed: int
    size: int = 4096

    @property
    def name(self) -> str:
        """The folder's name in bench/data."""
        return f"{self.beam}-{self.noise}-{self.kind}-{self.seed}-{self.size}"

    @property
    def folder(self) -> Path:
        """Where the map, its truth and all catalogues lie."""
        return DATA / self.name

    @property
    def beam_px(self) -> tuple[float, float, float]:
        """FWHM axes (px) and angle (deg) of the beam."""
        return BEAMS[self.beam]

    def make(self) -> "Field":
        """Paint the sky unless it is there."""
        if (self.folder / "truth.npy").exists():
            return self
        self.folder.mkdir(parents=True, exist_ok=True)
        shape = (self.size, self.size)
        counts = {
            k: round(v * (self.size / 4096) ** 2) if k.startswith("n_") else v
            for k, v in KINDS[self.kind].items()
        }
        sources = None
        if counts:
            sources = skies.population(shape, self.beam_px, rms=RMS, seed=self.seed, **counts)
        image, truth = skies.paint(
            shape, self.beam_px, rms=RMS, noise=self.noise, sources=sources, seed=self.seed
        )
        skies.write(self.folder / "map.fits", image, self.beam_px, pixel_arcsec=(PIXEL, PIXEL))
        np.save(self.folder / "truth.npy", truth)
        return self

    def truth(self) -> np.ndarray:
        """The true sources, columns as `tests.skies.TRUTH`."""
        return np.load(self.folder / "truth.npy")


def fields(kinds=("plain", "mixed"), size: int = 4096, repeats: int = 1) -> list[Field]:
    """All skies of these kinds: `repeats` for every beam and noise, every one with its own seed."""
    order = list(KINDS)
    return [
        Field(beam, noise, kind, 100 * k + 1 + order.index(kind) + len(order) * (len(NOISES) * i + j), size)
        for i, beam in enumerate(BEAMS)
        for j, noise in enumerate(NOISES)
        for kind in kinds
        for k in range(repeats)
    ]


def compared_fields(size: int = 4096) -> list[Field]:
    """The skies on which everything is compared and the false detections are counted."""
    return fields(("plain", "mixed"), size)


def extended_fields(size: int = 4096) -> list[Field]:
    """Skies of isolated extended sources: enough of them in every bin."""
    return fields(("extended",), size)


def noise_fields(size: int = 4096) -> list[Field]:
    """Skies without sources."""
    return fields(("noise",), size, repeats=4)
