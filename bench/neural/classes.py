"""Five classes on made scenes: completeness and reliability of each, and the average precision of masks."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from bench.extended.methods import rows_of_pixels
from bench.neural.networks import Network
from bench.neural.skies import DATA, simulate
from bench.peers.tables import table
from skysift.sky.detections import Detections
from skysift.sky.truth import CLASSES

SHAPES = ("disc", "ring", "arc", "ellipse", "sersic", "jet", "pair", "triple", "fr2", "bent")
FIRST = 950  # seeds from here on are used in no training
BRIGHT = 7.0  # peak S/N of the truths that are to be found
IOU = 0.5
AIMS = {
    "compact": (0.95, 0.95), "extended": (0.85, 0.90), "extended-multisland": (0.80, 0.90), "spurious": (0.75, 0.80),
    "flagged": (0.80, 0.85),
}  # fmt: skip
RULE = """
Scenes of `skysift simulate extended` with all five classes: {n} of {size} x {size} px, seeds {seeds}; three arrays,
errors of the calibration, depths and numbers of sources drawn as in training. Completeness: true objects with a peak
above {bright:g} sigma that a found object of the same class matches; reliability: found objects of a class, at the
finder's own threshold, that match a true one of the class, however faint. A match, one to one: compact ones within
half a beam, others by an intersection over union of the masks of at least {iou:g}. AP50: average precision of the
masks at that overlap over all scenes, truths above {bright:g} sigma (fainter ones are neither right nor wrong).
"""


@dataclass(frozen=True)
class Scene:
    """A made map with all five classes."""

    seed: int
    size: int

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return DATA / f"neural-scene-{self.seed}-{self.size}"

    @property
    def options(self) -> dict[str, Any]:
        """What `skysift simulate extended` is asked for: drawn from the seed."""
        rng = np.random.default_rng(self.seed)

        def log(low: float, high: float) -> float:
            return float(np.exp(rng.uniform(np.log(low), np.log(high))))

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


def scenes(number: int, size: int) -> list[Scene]:
    """So many scenes."""
    return [Scene(FIRST + k, size) for k in range(number)]


@dataclass(frozen=True, eq=False)
class Objects:
    """Objects on a map: place (px), class, peak over noise, score, and pixels (object, pixel of the map)."""

    x: np.ndarray
    y: np.ndarray
    kind: np.ndarray
    snr: np.ndarray
    score: np.ndarray
    shapes: Detections
    shape: tuple[int, int]

    @cached_property
    def masks(self) -> sparse.csr_matrix:
        """True where a pixel is an object's."""
        runs = self.shapes.footprints
        length = runs.stop - runs.start
        first = runs.row * self.shape[1] + runs.start
        pixel = np.repeat(first - np.append(0, np.cumsum(length)[:-1]), length) + np.arange(length.sum())
        return rows_of_pixels(
            np.repeat(runs.index, length), pixel, len(self.x), self.shape[0] * self.shape[1]
        )


def true_objects(scene: Scene) -> Objects:
    """What there is."""
    t = scene.truth
    s = t.sources
    return Objects(s["x"], s["y"], s["class"].astype(str), s["flux_peak"] / s["rms"], np.ones(len(s)), t.detections,
                   t.frame.shape)  # fmt: skip


def found_objects(scene: Scene, one: Network) -> Objects:
    """What a network found, of all classes, with the pixels of its islands."""
    from skysift.find.run import make_finder, search
    from skysift.io.open import open_image

    image = open_image(str(scene.path))
    options = one.with_(classes=CLASSES, engine="openvino", precision="bfloat16")
    finding = search(image, make_finder(one.finder, **options))
    s, c = finding.catalogue.sources, finding.catalogue.components
    every = Detections.from_mask(finding.mask)
    island = dict(zip(c["source_id"].tolist(), c["island_id"].tolist(), strict=True))
    label = np.array([island[k] for k in s["source_id"].tolist()], np.int64) - 1
    kind = s["class"].astype(str) if "class" in s else np.full(len(s), "compact")
    score = s["score"] if "score" in s else s["snr"]
    return Objects(s["x"], s["y"], kind, s["snr"], np.asarray(score), every.select(label), image.shape)


def matched(found: Objects, true: Objects, beam: float) -> tuple[np.ndarray, np.ndarray]:
    """The found object of each true one of its class, -1 for none, and the true object of each found one."""
    found_of, true_of = np.full(len(true.x), -1), np.full(len(found.x), -1)
    shared = (found.masks @ true.masks.T).tocoo()
    area_f, area_t = (np.asarray(each.masks.sum(axis=1)).ravel() for each in (found, true))
    iou = shared.data / (area_f[shared.row] + area_t[shared.col] - shared.data)
    compact = true.kind == "compact"
    good = (iou >= IOU) & ~compact[shared.col]
    pairs = [(-v, j, i) for v, j, i in zip(iou[good], shared.row[good], shared.col[good], strict=True)]
    away = np.hypot(found.x[:, None] - true.x[compact], found.y[:, None] - true.y[compact])
    j, k = np.nonzero(away <= 0.5 * beam)
    pairs += list(zip(away[j, k] / beam, j, np.flatnonzero(compact)[k], strict=True))
    for _, j, i in sorted(pairs):
        if found_of[i] < 0 and true_of[j] < 0 and found.kind[j] == true.kind[i]:
            found_of[i], true_of[j] = j, i
    return found_of, true_of


@dataclass
class Counts:
    """Of one class: true ones, those found, found ones, those that are right."""

    true: int = 0
    complete: int = 0
    found: int = 0
    right: int = 0


def judge(made: list[Scene], one: Network) -> tuple[dict[str, Counts], dict[str, float]]:
    """Counts by class over all scenes, and the AP50 of masks by class."""
    counts = {name: Counts() for name in CLASSES}
    parts = []
    for scene in made:
        true, found = true_objects(scene), found_objects(scene, one)
        beam = float(np.sqrt(np.prod(scene.truth.frame.beam_pixels(scene.truth.beam))))
        found_of, true_of = matched(found, true, beam)
        bright = true.snr >= BRIGHT
        for name, n in counts.items():
            own, mine = bright & (true.kind == name), found.kind == name
            n.true += int(own.sum())
            n.complete += int((found_of[own] >= 0).sum())
            n.found += int(mine.sum())
            n.right += int((true_of[mine] >= 0).sum())
        parts.append((found, true))
    return counts, precision(parts)


def precision(parts: list[tuple[Objects, Objects]]) -> dict[str, float]:
    """AP50 of masks by class, all scenes side by side as one map; the truths above the limit."""
    from skysift.score.precision import EVER, evaluate

    found, true = (_side_by_side([part[k] for part in parts]) for k in (0, 1))
    numbers = {name: k for k, name in enumerate(CLASSES)}
    result = evaluate(
        found.shapes, found.score, np.maximum(found.snr, BRIGHT), true.shapes, true.snr, bins=((BRIGHT, EVER),),
        masks=True, found_class=np.array([numbers[k] for k in found.kind], np.int64),
        true_class=np.array([numbers[k] for k in true.kind], np.int64),
    )  # fmt: skip
    n = result.precision.shape[2]
    return {name: result.ap(0.5, of=k) if k < n else float("nan") for k, name in enumerate(CLASSES)}


def _side_by_side(objects: list[Objects]) -> Objects:
    """Objects of several maps as those of one."""
    wide = objects[0].shape[1]
    shapes = Detections.concat([
        Detections(o.shapes.boxes + np.array([0, 0, k * wide, k * wide]), o.shapes.scores,
                   o.shapes.footprints.shift(0, k * wide))
        for k, o in enumerate(objects)
    ])  # fmt: skip
    x, y, kind, snr, score = (
        np.concatenate([getattr(o, name) for o in objects]) for name in ("x", "y", "kind", "snr", "score")
    )
    return Objects(x, y, kind, snr, score, shapes, (objects[0].shape[0], wide * len(objects)))


def classes_section(made: list[Scene], networks: list[Network]) -> str:
    """The whole section."""
    told = RULE.format(
        n=len(made), size=made[0].size, seeds=f"{made[0].seed}-{made[-1].seed}", bright=BRIGHT, iou=IOU
    )
    rows = [["aim", "", *(f"{a:.2f} / {b:.2f}" for a, b in AIMS.values())]]
    for one in networks:
        counts, ap = judge(made, one)
        cells = [counts[name] for name in AIMS]
        rows.append([one.name, f"{one.threshold:.2f}", *(
            f"{n.complete / max(n.true, 1):.2f} ({n.true}) / {n.right / max(n.found, 1):.2f} ({n.found})" for n in cells
        )])  # fmt: skip
        rows.append([f"{one.name}, AP50", "", *(f"{ap[name]:.2f}" for name in AIMS)])
    head = ["completeness (true) / reliability (found)", "threshold", *AIMS]
    return "\n".join(["### Five classes on made scenes\n", told, table(head, rows)])
