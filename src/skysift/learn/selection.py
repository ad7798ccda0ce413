"""Which labels of a field are learnt; and those below the limits that a network finds all the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import nn

from skysift.learn.fields import Field
from skysift.learn.learner import Learner
from skysift.learn.options import SelectionOptions
from skysift.measure.ellipse import FWHM
from skysift.sky.detections import Detections

__all__ = ["found_again", "matched", "selected", "unselected"]

Ints: TypeAlias = NDArray[np.int64]

_RADIUS = 0.5  # beams: how far from a label what is found is the same object


def unselected(field: Field, options: SelectionOptions) -> NDArray[np.bool_]:
    """Which labels of a field are below the limits."""
    raw = field.labels.raw
    faint = ~(np.asarray(raw["snr_peak"]) >= options.peak) | ~(np.asarray(raw["snr_int"]) >= options.flux)
    return np.asarray(faint & (np.asarray(raw["use"]) > 0.0), np.bool_)


def selected(field: Field, options: SelectionOptions, back: Ints | None = None) -> Field:
    """
    A field with its labels as a training sees them.

    Parameters
    ----------
    field
        With all labels.
    options
        The limits, and what labels below them are.
    back
        Rows of labels below the limits that are learnt nevertheless.
    """
    low = unselected(field, options)
    if back is not None:
        low[back] = False
    if not low.any():
        return field
    labels = field.labels
    if options.below == "negative":
        return replace(field, labels=labels.select(~low))
    raw = {**labels.raw, "use": np.where(low, 0.0, labels.raw["use"])}
    return replace(field, labels=Detections(labels.boxes, labels.scores, labels.footprints, raw))


def found_again(
    learner: Learner[Any],
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
    at = np.stack([found["x"], found["y"]], axis=1)
    places = np.stack([labels["x"], labels["y"]], axis=1)
    if above.any():
        away, _ = cKDTree(places[above]).query(at)
        at = at[away > radius]
    rows = np.flatnonzero(low)
    near = cKDTree(at).sparse_distance_matrix(cKDTree(places[rows]), radius, output_type="ndarray")
    find, row = near["i"], rows[near["j"]]
    order = np.lexsort((row, -np.asarray(labels["snr_int"])[row], find))
    _, first = np.unique(find[order], return_index=True)
    return np.unique(row[order][first]).astype(np.int64)
