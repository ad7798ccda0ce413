"""The rule: when an extended source is found, and what is measured of those that are.

A true source is *bright* where its mean brightness over its true mask is above 3 sigma in a beam, *faint* where it is 1
to 3 and its flux is above 10 times the noise of its mask (rms times the root of its beam areas). It is found where a
found source, one to one by IoU, covers its mask with an IoU of 0.5 (faint: 0.3) and has at least half its flux. A found
source is real where its IoU with the true mask of any extended source, of any class, is 0.1 or more.
"""

from dataclasses import dataclass, fields

import numpy as np
from scipy import sparse

from bench.extended.methods import Found, rows_of_pixels
from bench.extended.skies import Sky

IOU = {"bright": 0.5, "faint": 0.3}
REAL = 0.1
DIFFUSE = 1.0  # sigma: what lies on brighter diffuse emission is neither real nor false


@dataclass(frozen=True)
class Scored:
    """True sources of one or several maps, one row each, and the found sources.

    Parameters
    ----------
    shape, level, beams
        Morphology; ``bright``, ``faint`` or empty for neither; beam areas of the true mask.
    iou, ratio, pull
        Best overlap (0 for none), found over true flux and deviation over quoted error; NaN for none.
    found
        Whether the rule is met.
    real, diffuse
        Of the found sources: real; not real, but on diffuse emission.
    """

    shape: np.ndarray
    level: np.ndarray
    beams: np.ndarray
    iou: np.ndarray
    ratio: np.ndarray
    pull: np.ndarray
    found: np.ndarray
    real: np.ndarray
    diffuse: np.ndarray

    @classmethod
    def concat(cls, parts: list["Scored"]) -> "Scored":
        """Several maps together."""
        return cls(*(np.concatenate([getattr(each, f.name) for each in parts]) for f in fields(cls)))


def true_masks(sky: Sky) -> sparse.csr_matrix:
    """(source, pixel) of the true masks."""
    truth = sky.truth
    prints, width = truth.detections.footprints, truth.frame.shape[1]
    n = prints.stop - prints.start
    pixel = np.repeat(prints.row * width + prints.start, n)
    pixel += np.arange(pixel.size) - np.repeat(np.cumsum(n) - n, n)
    return rows_of_pixels(np.repeat(prints.index, n), pixel, len(truth), truth.frame.shape[0] * width)


def overlaps(true: sparse.csr_matrix, found: sparse.csr_matrix) -> sparse.csr_matrix:
    """IoU of every true mask with every found one that it touches."""
    common = (true @ found.T).tocoo()
    areas = [np.asarray(each.sum(axis=1)).ravel() for each in (true, found)]
    union = areas[0][common.row] + areas[1][common.col] - common.data
    return sparse.csr_matrix((common.data / union, (common.row, common.col)), shape=common.shape)


def one_to_one(iou: sparse.csr_matrix) -> np.ndarray:
    """The found source of each true one, the largest overlaps first; -1 for none."""
    pairs = iou.tocoo()
    partner, taken = np.full(iou.shape[0], -1), np.zeros(iou.shape[1], bool)
    for k in np.lexsort((pairs.col, pairs.row, -pairs.data)):
        i, j = pairs.row[k], pairs.col[k]
        if partner[i] < 0 and not taken[j]:
            partner[i], taken[j] = j, True
    return partner


def score(sky: Sky, found: Found) -> Scored:
    """What was found of one map."""
    truth, masks = sky.truth, true_masks(sky)
    s = truth.sources
    own = s["object_type"] == "extended"
    beams = truth.detections.area / truth.frame.beam_area_pixels(truth.beam)
    rms, flux = s["rms"], s["flux_int"]
    mean, snr = flux / (rms * beams), flux / (rms * np.sqrt(beams))
    level = np.where(mean > 3.0, "bright", np.where((mean >= 1.0) & (snr > 10.0), "faint", ""))
    counted = own & (s["class"] != "flagged")
    wide = own | (np.isin(s["class"], ("extended", "extended-multisland")))
    every = overlaps(masks[wide], found.masks)
    real = np.asarray(every.max(axis=0).todense()).ravel() >= REAL
    area = np.maximum(np.asarray(found.masks.sum(axis=1)).ravel(), 1)
    behind = (found.masks @ sky.diffuse.ravel()) / area
    iou = overlaps(masks[own], found.masks)
    partner = one_to_one(iou)
    has = partner >= 0
    best = np.zeros(partner.size)
    best[has] = np.asarray(iou[np.flatnonzero(has), partner[has]]).ravel()
    ratio, pull = np.full(partner.size, np.nan), np.full(partner.size, np.nan)
    ratio[has] = found.flux[partner[has]] / flux[own][has]
    with np.errstate(divide="ignore", invalid="ignore"):
        pull[has] = (found.flux[partner[has]] - flux[own][has]) / found.error[partner[has]]
    enough = np.array([IOU.get(each, 1.0) for each in level[own]])
    good = has & (best >= enough) & (np.nan_to_num(ratio) >= 0.5)
    kept = counted[own]
    columns = (s["morphology"][own], level[own], beams[own], best, ratio, pull, good)
    return Scored(*(each[kept] for each in columns), real, ~real & (behind > DIFFUSE))
