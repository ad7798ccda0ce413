"""Which labels of a field are learnt: those as bright as limits."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.learn.fields import Field
from skysift.learn.options import SelectionOptions
from skysift.sky.detections import Detections

__all__ = ["selected", "unselected"]

Ints: TypeAlias = NDArray[np.int64]


def unselected(field: Field, options: SelectionOptions) -> NDArray[np.bool_]:
    """Which labels of a field are below the limits; none are where there is no limit."""
    raw = field.labels.raw
    faint = np.zeros(len(field.labels), np.bool_)
    for name, limit in (("snr_peak", options.peak), ("snr_int", options.flux)):
        if limit > 0.0:
            faint |= ~(np.asarray(raw[name]) >= limit)
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
