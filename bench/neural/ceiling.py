"""What a perfect finder could have on the fields of the challenge, over the best peer: are the aims possible at all."""

from typing import Any

import numpy as np
from scipy.ndimage import maximum_filter

from bench.neural.challenge import Sheet
from bench.neural.challenge_page import at_five, best_of
from bench.neural.finders import NAMES, Found, found_in
from bench.peers.tables import table
from skysift.base.parallel import Crew
from skysift.find.neural.finder import Found as Seen
from skysift.find.neural.found import as_detections
from skysift.find.neural.labelled import labels_of, significance
from skysift.find.neural.options import YoloOptions
from skysift.find.neural.shapes import beam_of, beam_width
from skysift.find.neural.yolo.finder import YoloFinder
from skysift.find.noise import Noise, measure_noise
from skysift.find.run import search
from skysift.io.open import open_image
from skysift.io.sdc_rows import CLASS_ID, CORE_FRACTION
from skysift.measure.ellipse import FWHM
from skysift.score.sdc1 import counted
from skysift.sky.detections import Detections
from skysift.sky.image import SkyImage

LIMITS = (2.0, 2.5, 3.0, 4.0, 5.0)  # sigma of the noise that is measured on the map
AIMS = (1.3, 1.6)  # times the best peer: at its best threshold, at 5 sigma
RULE = """
True objects that the scorer counts, by their own peak over the noise that is measured on the map, and what a list of all
of them and of nothing else would earn: M_s over that of the best peer (of {peers}) at its best
threshold (aim {aims[0]:g}), and over that at 5 sigma ({aims[1]:g}). Lists are told by what their finder knows beforehand:

- everything: each object earns a full point;
- all but class and core: the true list with the one class and the one core fraction that all finders here are given;
- places and shapes: fluxes are measured as those of every learned finder, shapes too where the flux is above 10 times
  its error;
- places: each is taken for a point, and shapes are measured where the flux is above 5 times its error. A finder that
  earns more knows more of the sky than the map shows at the place.

None of these lists has a false source, though a finder has the noise before it as well: "noise peaks" are the peaks as
high of the map upside down.
"""


DEPTH = """
How deep (sigma) such a list must be complete to reach the aims on every field:
"""


class Knowing(YoloFinder):
    """A finder that is told what is there; it measures like those that look for it."""

    def __init__(self, told: Detections, free_snr: float) -> None:
        super().__init__(YoloOptions(reliability=None, free_snr=free_snr, least_snr=0.0))
        self.told = told

    def found(self, image: SkyImage, noise: Noise, crew: Crew, *, turned: bool = False) -> Seen:
        """What it was told."""
        return Seen(self.told, (), {})


def told_of(labels: Detections, image: SkyImage, shapes: bool) -> Detections:
    """Labels as a network would tell them, sure of everything; points where shapes are not told."""
    n, beam = len(labels), beam_of(image)
    xx, xy, yy = ((labels[name] if shapes else np.zeros(n)) for name in ("xx", "xy", "yy"))
    mean, half = 0.5 * (xx + yy), np.hypot(0.5 * (xx - yy), xy)
    safe = np.maximum(half, 1e-12)
    none, little = np.zeros(n), np.full(n, 1e-3)
    return as_detections(
        {
            "x": labels["x"], "y": labels["y"], "snr": np.maximum(labels["snr_int"], 1e-3),
            "major": FWHM * np.sqrt(np.maximum(mean + half, 0.0)), "minor": FWHM * np.sqrt(np.maximum(mean - half, 0.0)),
            "cos": np.where(half > 0.0, 0.5 * (xx - yy) / safe, 1.0), "sin": np.where(half > 0.0, xy / safe, 0.0),
            "core": none, "x_err": little, "snr_err": little, "major_err": little, "minor_err": little, "pa_err": little,
            "core_err": little, "class": none + 1.0, "class_score": none + 1.0, "reach": none + 0.95 * beam_width(beam),
        },
        np.ones(n),
    )  # fmt: skip


def measured(image: SkyImage, told: Detections, free_snr: float) -> Found:
    """The list of a finder that was told where to look."""
    return found_in(search(image, Knowing(told, free_snr)).catalogue.sources)


def ceilings(sheet: Sheet) -> dict[str, list[Any]]:
    """For each kind of perfect list what it earns by limit, ``(limit,)``; and the numbers of objects."""
    image, truth, true = open_image(str(sheet.field.path)), sheet.field.truth, sheet.true
    noise = measure_noise(image, YoloOptions(), Crew())
    labels = labels_of(image, truth, noise)
    counts = counted(true)
    row = np.searchsorted(truth.sources.ids, true["id"])
    assert np.array_equal(truth.sources.ids[row], true["id"])
    peak = labels["snr_peak"][row]
    constant = {**true, "core_frac": np.full(len(row), CORE_FRACTION), "class": np.full(len(row), CLASS_ID)}
    earned: dict[str, list[Any]] = {"noise": [], "objects": [], "constants": [], "shapes": [], "places": []}
    holes = -significance(image, noise, image.box)
    tops = np.sort(holes[holes == maximum_filter(np.nan_to_num(holes, nan=-np.inf), 3)])
    for limit in LIMITS:
        some = counts & (peak >= limit)
        earned["noise"].append(len(tops) - int(np.searchsorted(tops, limit)))
        bare = Found({name: values[some] for name, values in constant.items()}, peak[some])
        chosen = labels.select(row[some])
        earned["objects"].append(int(some.sum()))
        earned["constants"].append(sheet.score(bare).value)
        for name, shapes, free in (("shapes", True, 10.0), ("places", False, 5.0)):
            found = measured(image, told_of(chosen, image, shapes), free)
            earned[name].append(sheet.score(found).value)
    return earned


KINDS = {
    "objects": "everything", "constants": "all but class and core", "shapes": "places and shapes", "places": "places",
}  # fmt: skip


def ceiling_section(sheets: list[Sheet]) -> str:
    """The whole section."""
    peers = sheets[0].peers
    best = [max(best_of(sheet, p).value for p in peers) for sheet in sheets]
    five = [max(at_five(sheet, p).value for p in peers) for sheet in sheets]
    every = [ceilings(sheet) for sheet in sheets]
    rows = [
        [
            "M_s of the best peer: best, at 5 sigma",
            "",
            *(f"{a:.0f}, {b:.0f}" for a, b in zip(best, five, strict=True)),
        ]
    ]
    for kind, told in (("objects", "true objects"), ("noise", "noise peaks")):
        rows += [
            [told, f"{limit:g}", *(str(one[kind][k]) for one in every)] for k, limit in enumerate(LIMITS)
        ]
    for kind, told in KINDS.items():
        for k, limit in enumerate(LIMITS):
            rows.append(
                [f"known: {told}", f"{limit:g}", *_over([float(one[kind][k]) for one in every], best, five)]
            )
    deep = []
    for aim, peer_s in zip(AIMS, (best, five), strict=True):
        over = {
            k: np.array([one[k] for one in every]) / np.array(peer_s)[:, None] for k in KINDS
        }  # (field, limit)
        reached = [
            [limit for limit, low in zip(LIMITS, each.min(axis=0), strict=True) if low >= aim]
            for each in over.values()
        ]
        deep.append([f"{aim:g}", *(f"{max(some):g}" if some else f"below {LIMITS[0]:g}" for some in reached)])
    told = RULE.format(aims=AIMS, peers=", ".join(NAMES.get(p, p) for p in peers))
    head = ["what", "peak above (sigma)", *(sheet.field.label for sheet in sheets)]
    needed = table(["aim", *(f"known: {each}" for each in KINDS.values())], deep)
    pieces = ["### What a perfect finder could have\n", told, table(head, rows), DEPTH, needed]
    return "\n".join(pieces)


def _over(values: list[float], best: list[float], five: list[float]) -> list[str]:
    """Scores over those of the best peer."""
    return [f"{v / a:.2f}, {v / b:.2f}" for v, a, b in zip(values, best, five, strict=True)]
