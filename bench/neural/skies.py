"""The made skies: fields like those of SKA Data Challenge 1, with seeds that nothing was trained on."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.peers import run
from bench.peers.cost import measure

DATA = Path(__file__).resolve().parents[1] / "data"
DEPTHS = ((1400, 1000), (560, 100))  # MHz, hours
WIDTHS = (0.5, 0.7, 1.0)  # beams: FWHM of the Gaussian that white noise is smoothed with
FIRST = 900  # seeds from here on are used in no training


@dataclass(frozen=True)
class Field:
    """A field of the continuum at a frequency (MHz), an integration time (h) and a width of the noise kernel (beam)."""

    frequency: int
    hours: int
    width: float
    seed: int
    size: int

    @property
    def label(self) -> str:
        """How it is called in the tables."""
        return f"{self.frequency} MHz, {self.hours} h, kernel {self.width:g}"

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"neural-{self.frequency}-{self.hours}h-{self.width:g}-{self.seed}-{self.size}"

    @property
    def folder(self) -> Path:
        """Where the map and all that was found on it lie."""
        return DATA / self.name

    @property
    def path(self) -> Path:
        """The map."""
        return self.folder / "map.fits"

    @property
    def options(self) -> dict[str, Any]:
        """What `skysift simulate continuum` is asked for."""
        return {
            "frequency": self.frequency * 1e6, "hours": self.hours, "noise_width": self.width, "flux_min": 1e-7,
            "n_pixels": self.size, "random_seed": self.seed,
        }  # fmt: skip

    def make(self) -> "Field":
        """Paint the map unless it is there."""
        if not self.path.exists():
            simulate("continuum", self.options, self.folder)
            self.path.symlink_to(f"sky/map-{self.frequency}MHz.fits")
        return self

    @cached_property
    def truth(self) -> Any:
        """What the map was made from."""
        from skysift.io.truth import read_truth

        return read_truth(self.folder / "sky" / f"truth-{self.frequency}MHz")


def fields(size: int) -> list[Field]:
    """One field for each depth and each noise, each with a seed of its own."""
    kinds = [(mhz, hours, width) for mhz, hours in DEPTHS for width in WIDTHS]
    return [Field(*kind, FIRST + k, size) for k, kind in enumerate(kinds)]


def simulate(simulator: str, options: dict[str, Any], folder: Path) -> None:
    """A made map with its truth in FOLDER/sky."""
    folder.mkdir(parents=True, exist_ok=True)
    script = run.command_of_ours(folder, folder)
    flags = [word for key, value in options.items() for word in ("--set", f"{key}={value}")]
    command = [*script[: script.index("find")], "simulate", simulator, "--no-report", "--overwrite"]
    command += ["--out", str(folder / "sky"), *flags]
    if measure(command, folder / "simulate.json", env=run.environment())["returncode"]:
        raise SystemExit(f"the sky cannot be made: see {folder / 'simulate.log'}")
