"""Labels below the limits that a network finds all the same: they are put back, to be learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import nn

from skysift.base.errors import UsageError
from skysift.learn.detector import FieldLearner
from skysift.learn.fields import Field
from skysift.learn.learner import Learner
from skysift.learn.options import SelectionOptions
from skysift.learn.selection import unselected
from skysift.measure.ellipse import FWHM
from skysift.sky.detections import Detections
from skysift.sky.truth import CLASSES, SPURIOUS

__all__ = ["found_again", "matched", "refuse_idle"]

Ints: TypeAlias = NDArray[np.int64]

_RADIUS = 0.5  # beams: how far from a label what is found is the same object


def refuse_idle(learner: Learner[Any, Any], options: SelectionOptions) -> None:
    """
    Refuse to put back what the network is not even asked for.

    Raises
    ------
    UsageError
        The model is no detector, or `put_back` is below the score from which on it tells what it finds.
    """
    if options.put_back is None:
        return
    if not isinstance(learner, FieldLearner):
        raise UsageError("put_back goes with detectors", got=repr(learner), todo="leave put_back out")
    if options.put_back < learner.least:
        raise UsageError(
            "put_back is too low for this model",
            got=options.put_back,
            allowed=f"{learner.least} or more, from which on {learner.name or 'it'} tells what it finds",
            todo="give a higher put_back",
        )


def found_again(
    learner: Learner[Any, Any],
    net: nn.Module,
    fields: Sequence[Field],
    options: SelectionOptions,
    device: torch.device,
) -> list[Ints]:
    """
    Rows of the labels of each field that are below the limits and that a network finds with the objectness asked for.

    Parameters
    ----------
    learner, net
        The model, and its network as trained so far.
    fields
        With all labels; what they keep for validation is left alone.
    options
        Limits and objectness.
    device
        Where the network runs.
    """
    if not isinstance(learner, FieldLearner):
        return []
    rows = []
    for field in fields:
        raw = field.labels.raw
        below = unselected(field, options)
        above = ~below & (np.asarray(raw["use"]) > 0.0)
        low = below & (np.asarray(raw["snr_peak"]) >= learner.faintest)
        if field.held is not None:
            low &= ~field.held.contains(raw["x"], raw["y"])
        mine: Ints = np.empty(0, np.int64)
        if low.any():
            found = learner.look(net, replace(field, held=None), device)
            xx, xy, yy = field.beam
            radius = _RADIUS * FWHM * (xx * yy - xy * xy) ** 0.25
            sure = found.select(found.scores > (options.put_back or 1.0))
            mine = matched(field.labels, low, above, sure, radius)
        rows.append(mine)
    return rows


def matched(
    labels: Detections, low: NDArray[np.bool_], above: NDArray[np.bool_], found: Detections, radius: float
) -> Ints:
    """
    The labels below the limits that were found: the brightest near a find that is not that of a label above them.

    What is found to be spurious is none but a spurious label, and no other find is one of these.

    Parameters
    ----------
    labels
        Of a field.
    low
        Which of them are below the limits and may be found.
    above
        Which are above the limits; the rest is too faint to be anybody's.
    found
        What was.
    radius
        How near (pixel).
    """
    if not len(found) or not low.any():
        return np.empty(0, np.int64)
    at, places = (np.stack([each["x"], each["y"]], axis=1) for each in (found, labels))
    placed = np.isfinite(places).all(axis=1)
    free = np.isfinite(at).all(axis=1)
    if (above & placed).any():
        away, _ = cKDTree(places[above & placed]).query(at[free])
        free[free] = away > radius
    rows, finds = np.flatnonzero(low & placed), np.flatnonzero(free)
    near = cKDTree(at[finds]).sparse_distance_matrix(cKDTree(places[rows]), radius, output_type="ndarray")
    find, row = finds[near["i"]], rows[near["j"]]
    alike = _spurious(found)[find] == _spurious(labels)[row]
    find, row = find[alike], row[alike]
    order = np.lexsort((row, -np.asarray(labels["snr_int"])[row], find))
    _, first = np.unique(find[order], return_index=True)
    return np.unique(row[order][first]).astype(np.int64)


def _spurious(objects: Detections) -> NDArray[np.bool_]:
    """Which are of the class spurious; none where no class is told."""
    kind = objects.raw.get("class", np.zeros(len(objects)) - 1.0)
    return np.asarray(np.asarray(kind) == CLASSES.index(SPURIOUS), np.bool_)
