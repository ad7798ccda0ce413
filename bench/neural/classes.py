"""Five classes on made scenes: completeness and reliability of each, and the average precision of masks."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.neural.networks import Network
from bench.neural.skies import DATA, simulate
from bench.peers.tables import table
from skysift.find.neural.pairing import RULE, Counts, Matched, ap50, matched_objects, true_in
from skysift.sky.detections import Detections
from skysift.sky.truth import CLASSES

SHAPES = ("disc", "ring", "arc", "ellipse", "sersic", "jet", "pair", "triple", "fr2", "bent")
FIRST, RICH = 950, 970  # seeds from here on are used in no training
PARTED = ("pair", "triple", "fr2", "bent")
AIMS = {
    "compact": (0.95, 0.95), "extended": (0.85, 0.90), "extended-multisland": (0.80, 0.90), "spurious": (0.75, 0.80),
    "flagged": (0.80, 0.85),
}  # fmt: skip
TOLD = """
Scenes of `skysift simulate extended` with all five classes, {size} x {size} px: {n} with arrays, errors of calibration,
depths and numbers of sources over wide ranges (seeds {seeds}), and {n_rich} with strong artefacts and many objects, half
of them with objects in parts alone (seeds {rich}). Found objects are those above the finder's own threshold.
"""


@dataclass(frozen=True)
class Scene:
    """A made map with all five classes."""

    seed: int
    size: int
    rich: bool = False

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return DATA / f"neural-{'rich' if self.rich else 'scene'}-{self.seed}-{self.size}"

    @property
    def options(self) -> dict[str, Any]:
        """What `skysift simulate extended` is asked for: drawn from the seed."""
        rng = np.random.default_rng(self.seed)

        def log(low: float, high: float) -> float:
            return float(np.exp(rng.uniform(np.log(low), np.log(high))))

        if self.rich:
            return {
                "n_pixels": self.size, "stretch": "true", "brightness_high": 20, "separation_high": 25,
                "random_seed": self.seed, "array": str(rng.choice(["meerkat", "askap", "ska-mid"])),
                "shapes": ",".join(SHAPES if rng.uniform() < 0.5 else PARTED), "amplitude_error": log(0.03, 0.2),
                "phase_error": rng.uniform(3, 15), "sidelobe_radius": float(rng.choice([20, 40, 100])),
                "flux_min": log(1e-4, 1e-3), "flux_max": float(rng.choice([2, 10])), "density": log(1, 12),
                "extended": rng.uniform(0.8, 2.0), "noise_width": rng.uniform(0.5, 1.0),
            }  # fmt: skip
        return {
            "n_pixels": self.size, "stretch": "true", "shapes": ",".join(SHAPES), "brightness_high": 20,
            "separation_high": 25, "random_seed": self.seed, "array": str(rng.choice(["meerkat", "askap", "ska-mid"])),
            "artefacts": "true" if rng.uniform() < 2 / 3 else "false", "amplitude_error": log(0.005, 0.1),
            "phase_error": rng.uniform(0.5, 10), "flux_min": log(1e-4, 1e-3), "flux_max": float(rng.choice([0.5, 5])),
            "density": log(1, 12), "extended": rng.uniform(0.4, 1.2), "noise_width": rng.uniform(0.5, 1.0),
        }  # fmt: skip

    def make(self) -> "Scene":
        """Paint the map unless it is there."""
        if not self.path_or_none:
            simulate("extended", self.options, self.folder)
        return self

    @property
    def path_or_none(self) -> Path | None:
        """The map, where it was made."""
        return next((self.folder / "sky").glob("map-*.fits"), None)

    @property
    def path(self) -> Path:
        """The map."""
        found = self.path_or_none
        assert found is not None
        return found

    @cached_property
    def truth(self) -> Any:
        """What the map was made from."""
        from skysift.io.truth import read_truth

        return read_truth(next((self.folder / "sky").glob("truth-*")))


def scenes(number: int, size: int, rich: bool = False) -> list[Scene]:
    """So many scenes."""
    return [Scene((RICH if rich else FIRST) + k, size, rich) for k in range(number)]


def true_objects(scene: Scene) -> Detections:
    """What there is, over the noise that is measured on the map, as `skysift.find.neural.pairing` takes it."""
    from skysift.find.neural.labelled import labelled_field
    from skysift.find.noise import measure_noise
    from skysift.io.open import open_image
    from skysift.measure.options import NoiseOptions

    image = open_image(str(scene.path))
    noise = measure_noise(image, NoiseOptions())
    return true_in(labelled_field(image, scene.truth, noise, name=str(scene.seed)))


def found_objects(scene: Scene, one: Network) -> Detections:
    """What a network found, of all classes, with the pixels of its islands."""
    from skysift.find.reliability import islands_of
    from skysift.find.run import make_finder, search
    from skysift.io.open import open_image

    image = open_image(str(scene.path))
    options = one.fast(classes=CLASSES)
    finding = search(image, make_finder(one.finder, **options))
    s = finding.catalogue.sources
    every = Detections.from_mask(finding.mask)
    label = finding.catalogue.islands.ids[islands_of(finding)] - 1
    kind = s["class"] if "class" in s else np.full(len(s), "compact")
    score = np.asarray(s["score"] if "score" in s else s["snr"])
    shapes = every.select(label)
    return Detections(
        shapes.boxes, score, shapes.footprints, {"x": s["x"], "y": s["y"], "class": kinds(kind)}
    )


def kinds(names: np.ndarray) -> np.ndarray:
    """Numbers of classes."""
    return np.array([CLASSES.index(each) for each in names.tolist()], np.float64)


def judge(made: list[Scene], one: Network) -> tuple[dict[str, Counts], dict[str, float]]:
    """Counts by class over all scenes, and the AP50 of masks by class, by the rule of the package."""
    parts, told = [], []
    for scene in made:
        true, found = true_objects(scene), found_objects(scene, one)
        width = float(np.sqrt(np.prod(scene.truth.frame.beam_pixels(scene.truth.beam))))
        told.append(matched_objects(found, true, width))
        parts.append((found, true, scene.truth.frame.shape[1]))
    return Matched.concat(told).counts(0.0), ap50(parts, masks=True)


def classes_section(made: list[Scene], rich: list[Scene], networks: list[Network]) -> str:
    """The whole section."""
    seeds = [f"{each[0].seed}-{each[-1].seed}" for each in (made, rich)]
    told = (
        TOLD.format(n=len(made), n_rich=len(rich), size=made[0].size, seeds=seeds[0], rich=seeds[1])
        + f"{RULE}\n"
    )
    parts = ["### Five classes on made scenes\n", told]
    for what, some in (("Scenes over wide ranges:\n", made), ("Strong artefacts, many objects:\n", rich)):
        parts += [what, _table_of(some, networks)]
    return "\n".join(parts)


def _table_of(made: list[Scene], networks: list[Network]) -> str:
    """Completeness, reliability and AP50 of each network."""
    rows = [["aim", "", *(f"{a:.2f} / {b:.2f}" for a, b in AIMS.values())]]
    for one in networks:
        counts, ap = judge(made, one)
        cells = [counts[name] for name in AIMS]
        rows.append([one.name, one.threshold_told, *(
            f"{n.complete / max(n.true, 1):.2f} ({n.true}) / {n.right / max(n.found, 1):.2f} ({n.found})" for n in cells
        )])  # fmt: skip
        rows.append([f"{one.name}, AP50", "", *(f"{ap[name]:.2f}" for name in AIMS)])
    head = ["completeness (true) / reliability (found)", "threshold", *AIMS]
    return table(head, rows)
