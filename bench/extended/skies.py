"""The made skies of extended sources: development seeds and test seeds, extragalactic and Galactic fields."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.peers import run
from bench.peers.cost import measure

DATA = Path(__file__).resolve().parents[1] / "data"
FIELDS: dict[str, dict[str, Any]] = {
    "extragalactic": {},
    "galactic": {"diffuse": 1.0, "density": 1.5},  # numbers of compact sources
}
COMMON: dict[str, Any] = {"extended": 1.6, "size_low": 3.0, "brightness_low": 1.2, "brightness_high": 10.0}
FAINT: dict[str, Any] = {"extended": 1.6, "size_low": 15.0, "brightness_low": 1.1, "brightness_high": 3.5}
DEVELOPMENT, TEST = 1, 101  # first seeds


@dataclass(frozen=True)
class Sky:
    """One made map: its kind, seed and side in pixels; those of even seeds hold mostly faint sources."""

    kind: str
    seed: int
    size: int

    @property
    def options(self) -> dict[str, Any]:
        """What `skysift simulate extended` is asked for."""
        common = COMMON if self.seed % 2 else FAINT
        return {**common, **FIELDS[self.kind], "n_pixels": self.size, "random_seed": self.seed}

    @property
    def folder(self) -> Path:
        """Where the map and all that was found in it lie."""
        return DATA / f"extended-{self.kind}-{self.seed}-{self.size}"

    @property
    def path(self) -> Path:
        """The map."""
        return self.folder / "sky" / "map-1400MHz.fits"

    def make(self) -> Path:
        """Paint the map unless it is there."""
        if not self.path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            script = run.command_of_ours(self.folder, self.folder)
            flags = [word for key, value in self.options.items() for word in ("--set", f"{key}={value}")]
            command = [*script[: script.index("find")], "simulate", "extended", "--no-report"]
            command += ["--out", str(self.folder / "sky"), *flags]
            if measure(command, self.folder / "simulate.json", env=run.environment())["returncode"]:
                raise SystemExit(f"the sky cannot be made: see {self.folder / 'simulate.log'}")
        return self.path

    @cached_property
    def truth(self) -> Any:
        """The truth of the map."""
        from skysift.io.truth import read_truth

        return read_truth(self.folder / "sky" / "truth-1400MHz")

    @cached_property
    def diffuse(self) -> np.ndarray:
        """The diffuse emission without noise (y, x) in units of the noise."""
        from skysift.base.registry import Registry
        from skysift.sim.drawn import DrawnSource
        from skysift.sky.box import Box

        maker = Registry[Any]("simulator").make("extended", **self.options)
        frame = maker.frame()
        layers = maker.layers(frame, maker.options.frequencies[0])
        if not layers:
            return np.zeros(frame.shape, dtype=np.float32)
        return DrawnSource(frame.shape, layers).read(Box.of(frame.shape)) / maker.options.rms


def skies(kinds: list[str], first: int, maps: int, size: int) -> list[Sky]:
    """So many skies of each kind."""
    return [Sky(kind, first + i, size) for kind in kinds for i in range(maps)]
