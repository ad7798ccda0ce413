"""What a segment looks like: a tag of a closed list with a probability, by a logistic on the numbers of its shape."""

import numpy as np
import numpy.typing as npt

from skysift.measure import form as row
from skysift.measure.tag_weights import MEAN, SCALE, TAGS, WEIGHTS

Floats = npt.NDArray[np.float64]
Texts = npt.NDArray[np.str_]

REACH = 3.0  # standard deviations of the made shapes: features beyond say no more

__all__ = ["REACH", "TAGS", "tag_features", "tags"]


def tags(rows: Floats) -> tuple[Texts, Floats]:
    """The likeliest tag of each row of `measure_forms` and its probability among shapes of all kinds alike.

    A multinomial logistic on `tag_features`, fitted to made shapes (bench/morphology.py). Empty, with a score of 0, for a
    row without data.
    """
    z = np.clip((tag_features(rows) - MEAN) / SCALE, -REACH, REACH)
    score = z @ WEIGHTS[:, 1:].T + WEIGHTS[:, 0]
    chance = np.exp(score - score.max(axis=1, keepdims=True, initial=-np.inf))
    chance /= chance.sum(axis=1, keepdims=True)
    known = np.isfinite(rows[:, row.EXTENT])
    best = chance.argmax(axis=1) if len(rows) else np.empty(0, np.int64)
    names = np.where(known, np.array(TAGS)[best], "")
    return names, np.where(known, chance[np.arange(len(rows)), best], 0.0)


def tag_features(rows: Floats) -> Floats:
    """What the tags are told by, ``(n, feature)``, from the rows of `measure_forms`."""

    def at(column: int) -> Floats:
        return np.nan_to_num(rows[:, column])

    slender = np.log(np.maximum(at(row.LENGTH) / np.maximum(at(row.WIDTH), 1e-9), 1.0))
    bend = np.where(np.isnan(rows[:, row.BEND]), 0.0, 1.0 - at(row.BEND) / 180.0)
    peaks = at(row.N_PEAKS)
    size = np.log(np.maximum(at(row.SIZE), 1.0))
    features = [
        slender,
        np.log(np.maximum(at(row.ELONGATION), 1.0)),
        at(row.HOLLOW),
        at(row.CLOSURE),
        at(row.RINGNESS),
        at(row.GAP) * at(row.HOLLOW),
        at(row.FILLING),
        at(row.CONCENTRATION),
        at(row.FLATNESS),
        bend,
        bend * at(row.HOLLOW),
        (peaks == 2) * 1.0,
        (peaks > 2) * 1.0,
        (at(row.N_HOLES) > 0) * 1.0,
        at(row.ENDS),
        at(row.DIP),
        at(row.DIP) * (peaks == 2),
        at(row.LOPSIDED),
        at(row.FLARE),
        at(row.FLARE) * slender,
        at(row.PEAK_AT),
        np.sqrt(at(row.CORE)),
        size,
        np.log(np.clip(at(row.SNR), 0.5, 100.0)),
    ]
    return np.stack(features, axis=1)
