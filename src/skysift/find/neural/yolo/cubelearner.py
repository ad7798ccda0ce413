"""The grid head for cubes as a model that can be trained, judged by completeness and purity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import nn

from skysift.find.neural.shapes import beam_width
from skysift.find.neural.yolo.cubes import MODEL, Pixels, lines_in
from skysift.find.neural.yolo.grid import BoxLearner
from skysift.find.neural.yolo.gridlook import CubeDetector
from skysift.find.neural.yolo.options import CubeOptions
from skysift.learn.cubes import CubeSamples
from skysift.learn.fields import Field
from skysift.learn.samples import Samples
from skysift.measure.ellipse import FWHM
from skysift.sky.detections import Detections

__all__ = ["CubeLearner", "matched_lines"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

THRESHOLDS = np.arange(0.15, 0.96, 0.025)
_BRIGHT = 5.0  # sigma: lines that completeness is told of
_NARROW = 4.0  # channels: lines that are narrower count as so wide where they are matched


class CubeLearner(BoxLearner[CubeOptions]):
    """The grid head for cubes of lines."""

    name: ClassVar[str] = MODEL
    samples: ClassVar[type[Samples]] = CubeSamples
    detector = CubeDetector

    def look(self, net: nn.Module, field: Field, device: torch.device) -> Detections:
        """What the network finds in the part of a cube that is kept for validation."""
        detector, held = CubeDetector(self.options), field.held
        run = partial(_run, net, device)
        found = lines_in(np.asarray(field.pixels), np.array(field.beam), detector, run, self.least)
        return found if held is None else found.select(held.contains(found["x"], found["y"]))

    def validate(self, net: nn.Module, data: Sequence[Field], device: torch.device) -> dict[str, float]:
        """
        Completeness of lines above 5 sigma and purity, at the threshold where ``score`` is the largest.

        The score is the number of matches less that of what matches nothing, over the number of these lines.
        """
        held = [field for field in data if field.held is not None]
        scores, right, bright, n_true = [], [], [], 0
        for field in held:
            found, raw = self.look(net, field, device), field.labels.raw
            row = matched_lines(found, raw, beam_width(np.array(field.beam)))
            scores.append(found.scores)
            right.append(row >= 0)
            is_bright = np.asarray(raw["snr_peak"]) >= _BRIGHT
            bright.append((row >= 0) & is_bright[row] if len(is_bright) else row >= 0)
            assert field.held is not None
            n_true += int((is_bright & field.held.contains(raw["x"], raw["y"])).sum())
        score = np.concatenate([np.empty(0), *scores])
        good, of_bright = (np.concatenate([np.empty(0, np.bool_), *each]) for each in (right, bright))
        best = {"score": -np.inf}
        for threshold in THRESHOLDS:
            told = score >= threshold
            n, matches = int(told.sum()), int((told & good).sum())
            value = (2.0 * matches - n) / max(n_true, 1)
            if value > best["score"]:
                best = {
                    "score": value,
                    "purity": matches / max(n, 1),
                    "completeness": int((told & of_bright).sum()) / max(n_true, 1),
                    "threshold": float(threshold),
                }
        return best


def _run(net: nn.Module, device: torch.device, inputs: dict[str, Pixels]) -> Pixels:
    with torch.no_grad():
        answer = net(*(torch.from_numpy(each).to(device) for each in inputs.values()))
    return np.asarray(answer.float().cpu().numpy())


def matched_lines(found: Detections, true: Mapping[str, NDArray[np.float64]], width: float) -> Ints:
    """
    The row of the line that each detection is, -1 for none; each line is found once, by the best score.

    A detection is the nearest line of those within a beam, or half of their size where that is more, and within half of
    their width along the channels.

    Parameters
    ----------
    found
        The best first.
    true
        Raw parameters of labels.
    width
        Of the beam (FWHM, pixel).
    """
    row = np.full(len(found), -1, np.int64)
    if not len(found) or not len(true["x"]):
        return row
    seen, there = (np.stack([each["x"], each["y"]], axis=1) for each in (found.raw, true))
    half = 0.5 * FWHM * np.sqrt(np.maximum(true["xx"] + true["yy"], 0.0))
    reach, deep = np.maximum(half, width), 0.5 * np.maximum(true["w20"], _NARROW)
    pairs = cKDTree(seen).sparse_distance_matrix(cKDTree(there), float(reach.max()), output_type="ndarray")
    one, other = pairs["i"].astype(np.int64), pairs["j"].astype(np.int64)
    apart = np.abs(found["channel"][one] - np.asarray(true["channel"])[other]) / deep[other]
    far = pairs["v"] / reach[other]
    near = (far <= 1.0) & (apart <= 1.0)
    one, other, far = one[near], other[near], np.hypot(far, apart)[near]
    order = np.lexsort((far, one))
    one, other = one[order], other[order]
    _, first = np.unique(one, return_index=True)  # of each detection the nearest line
    one, other = one[first], other[first]
    _, best = np.unique(
        other, return_index=True
    )  # of each line the best detection: they come sorted by score
    row[one[best]] = other[best]
    return row
