"""How good a network is on fields with known sources: completeness, purity, and the score of a data challenge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import nn

from skysift.find.neural.detector import Detector
from skysift.find.neural.found import nothing_found, without_doubles
from skysift.find.neural.levels import binned, quiet_of
from skysift.find.neural.shapes import beam_width
from skysift.find.neural.wide import FACTOR, not_too_wide, wide_in, wide_windows
from skysift.find.neural.windows import WINDOW, found_in, windows_of
from skysift.io.sdc_rows import FWHM as FWHM_ID
from skysift.io.sdc_rows import SDC1, Columns
from skysift.learn.fields import Field
from skysift.measure.ellipse import FWHM
from skysift.score.sdc1 import score_sdc1
from skysift.score.sdc_terms import SdcScore
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.truth import CLASSES, SPURIOUS

__all__ = [
    "BEAM",
    "LEAST",
    "Answers",
    "find_in_field",
    "judged",
    "numbers_at",
    "of_no_account",
    "rows_of_field",
    "rows_of_found",
]

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]

LEAST = 0.15
THRESHOLDS = np.arange(0.2, 0.96, 0.025)
_FREQUENCY = 1400.0  # MHz: there the beam of the challenge is 0.6 arcsec, as `_rows` makes it
BEAM = 0.6  # arcsec: FWHM of the beam at this frequency
_BRIGHT = 3.0  # sigma


def judged(
    detector: Detector, net: nn.Module, fields: Sequence[Field], device: torch.device
) -> dict[str, float]:
    """The numbers of a network (`numbers_at`) on the parts of fields that are kept, at the threshold that earns most."""
    held = [field for field in fields if field.held is not None]
    lists = [Answers(field, find_in_field(detector, net, field, device, LEAST)) for field in held]
    best: dict[str, float] = {"score": -np.inf}
    for threshold in THRESHOLDS:
        numbers = numbers_at(lists, [each.found.scores for each in lists], threshold)
        if numbers["score"] > best["score"]:
            kept = ("score", "purity", "completeness", "mean")
            best = {**{name: numbers[name] for name in kept}, "threshold": float(threshold)}
    return best


class Answers:
    """
    What was found in the kept part of a field, with its true objects.

    Attributes
    ----------
    field, found
        The field and the detections.
    true
        Rows of the challenge.
    bright
        Which true objects have a peak above 3 sigma.
    """

    def __init__(self, field: Field, found: Detections) -> None:
        self.field, self.found = field, found
        rows = rows_of_field(field)
        self.bright: NDArray[np.bool_] = rows["snr_peak"] >= _BRIGHT
        self.true: Columns = {name: rows[name] for name in SDC1}

    def score(self, chosen: NDArray[np.bool_]) -> SdcScore | None:
        """What some of the detections earn in the challenge; None where there are none, or nothing is true."""
        if not chosen.any() or not len(self.bright):
            return None
        return score_sdc1(
            rows_of_found(self.found.select(chosen), self.field), self.true, _FREQUENCY, whole=True
        )


def numbers_at(lists: Sequence[Answers], scores: Sequence[Floats], threshold: float) -> dict[str, float]:
    """
    Numbers of the detections that score a threshold or more.

    ``points`` is the score of the first SKA data challenge, ``score`` this over the number of true objects whose peak is
    above 3 sigma; ``completeness`` is the part of these that are matched, ``purity`` that of the detections; ``f1`` their
    harmonic mean; ``mean`` is what a match earns, 0 where there is none.
    """
    points = earned = n_match = n_bright = n_found = 0.0
    n_true = max(sum(int(each.bright.sum()) for each in lists), 1)
    for each, score in zip(lists, scores, strict=True):
        chosen = score >= threshold
        told = each.score(chosen)
        n_found += int(chosen.sum())
        if told is None:
            points -= int(chosen.sum())
            continue
        points, n_match = points + told.value, n_match + told.n_match
        earned += float(np.sum(told.points))
        n_bright += int(each.bright[told.matches.right].sum())
    purity, completeness = n_match / max(n_found, 1.0), n_bright / n_true
    return {
        "points": points,
        "score": points / n_true,
        "purity": purity,
        "completeness": completeness,
        "f1": 2.0 * purity * completeness / max(purity + completeness, 1e-12),
        "mean": earned / max(n_match, 1.0),
        "n_found": n_found,
    }


def find_in_field(
    detector: Detector,
    net: nn.Module,
    field: Field,
    device: torch.device,
    least: float,
    flips: int = 1,
    *,
    spurious: bool = False,
) -> Detections:
    """What a network finds in the part of a field that is kept for validation, without doubles.

    What it takes for spurious is left out, unless `spurious`.
    """
    area = field.held or Box.of(field.shape)

    def run(inputs: dict[str, Pixels]) -> Pixels:
        given = [torch.from_numpy(each).to(device) for each in inputs.values()]
        with torch.no_grad():
            return np.asarray(net(*given).float().cpu().numpy())

    def read(box: Box) -> Pixels:
        return np.array(field.pixels[box.slices()], np.float32)

    step, beam = WINDOW - 2 * detector.margin, np.array(field.beam)
    parts = [
        not_too_wide(found_in(core, detector, run, read, field.shape, beam, least, flips), detector, beam)
        for core in windows_of(area, step)
    ]
    if detector.wide:
        quiet = quiet_of(binned(np.array(field.pixels, np.float32), FACTOR), FACTOR)
        parts += [
            wide_in(core, detector, run, read, field.shape, beam, least, flips, quiet)
            for core in wide_windows(area, detector)
        ]
    found = Detections.concat(parts) if parts else nothing_found()
    found = without_doubles(detector.single(found, beam))
    real = found["class"] != CLASSES.index(SPURIOUS)
    found = found.select(area.contains(found["x"], found["y"]) & (real | spurious))
    return found.select(~of_no_account(found, field))


def of_no_account(found: Detections, field: Field) -> NDArray[np.bool_]:
    """Which finds are of labels that are neither right nor wrong: the nearest label within half a beam is such a one."""
    raw = field.labels.raw
    places = np.stack([raw["x"], raw["y"]], axis=1)
    unused = (np.asarray(raw["use"]) <= 0.0) & np.isfinite(places).all(axis=1)
    if not unused.any() or not len(found):
        return np.zeros(len(found), np.bool_)
    at = np.stack([found["x"], found["y"]], axis=1)
    used = (np.asarray(raw["use"]) > 0.0) & np.isfinite(places).all(axis=1)
    away, _ = cKDTree(places[unused]).query(at)
    other = cKDTree(places[used]).query(at)[0] if used.any() else np.full(len(found), np.inf)
    return np.asarray((away <= 0.5 * beam_width(np.array(field.beam))) & (away < other))


def rows_of_field(field: Field, *, spurious: bool = False) -> Columns:
    """The true objects of the part of a field that is kept, as rows of the challenge, with ``snr_peak`` and ``kind``.

    A pixel is made so large that the beam is 0.6 arcsec wide, as at 1400 MHz. Labels that are neither right nor wrong are
    left out; artefacts, too, unless `spurious`;
    `kind` is the number of the class.
    """
    raw = field.labels.raw
    area = field.held or Box.of(field.shape)
    kept = area.contains(raw["x"], raw["y"]) & ((raw["class"] != CLASSES.index(SPURIOUS)) | spurious)
    kept &= np.asarray(raw["use"]) > 0.0
    xx, xy, yy = (np.asarray(raw[name], np.float64)[kept] for name in ("xx", "xy", "yy"))
    mean, half = 0.5 * (xx + yy), np.hypot(0.5 * (xx - yy), xy)
    angle = np.degrees(0.5 * np.arctan2(2.0 * xy, xx - yy))
    rows = _rows(
        field, raw["x"][kept], raw["y"][kept], raw["snr_int"][kept], FWHM * np.sqrt(np.maximum(mean + half, 0.0)),
        FWHM * np.sqrt(np.maximum(mean - half, 0.0)), angle, np.nan_to_num(raw["core"][kept]),
    )  # fmt: skip
    more = {
        "snr_peak": np.asarray(raw["snr_peak"], np.float64)[kept],
        "kind": raw["class"][kept].astype(np.int64),
    }
    return {**rows, **more}


def rows_of_found(found: Detections, field: Field) -> Columns:
    """Detections as rows of the challenge."""
    angle = np.degrees(0.5 * np.arctan2(found["sin"], found["cos"]))
    return _rows(
        field, found["x"], found["y"], found["snr"], found["major"], found["minor"], angle,
        np.full(len(found), 0.0375),
    )  # fmt: skip


def _rows(
    field: Field,
    x: Floats,
    y: Floats,
    flux: Floats,
    major: Floats,
    minor: Floats,
    angle: Floats,
    core: Floats,
) -> Columns:
    """Rows of the challenge from pixels; on a flat sky at the equator, x to the east."""
    beam = beam_width(np.array(field.beam))
    arcsec = BEAM / beam
    ra, dec = 1.0 + x * arcsec / 3600.0, (y - 0.5 * field.shape[0]) * arcsec / 3600.0
    n = len(x)
    return {
        "id": np.arange(n), "ra_core": ra, "dec_core": dec, "ra_cent": ra, "dec_cent": dec, "flux": flux,
        "core_frac": core, "b_maj": major * arcsec, "b_min": minor * arcsec, "pa": angle % 180.0,
        "size": np.full(n, FWHM_ID), "class": np.full(n, 3),
    }  # fmt: skip
