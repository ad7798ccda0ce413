"""`sides_of`: what a network finds in fields, and what there is, as the catalogue and the truth that scorers compare."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from skysift.find.neural.detector import Detector
from skysift.find.neural.judge import BEAM, find_in_field, rows_of_field, rows_of_found
from skysift.find.neural.shapes import beam_width
from skysift.io.sdc_rows import SDC1, Columns, sdc1_table
from skysift.learn.fields import Field
from skysift.sky import schema
from skysift.sky.beam import Beam
from skysift.sky.catalogue import Catalogue
from skysift.sky.table import Table
from skysift.sky.truth import CLASSES, Truth

__all__ = ["sides_of"]

_APART = 60.0  # arcsec between fields that are laid side by side
_FREQUENCY = (
    1.4e9  # Hz: there the beam of the first SKA data challenge is 0.6 arcsec, as `rows_of_field` makes it
)
_OBJECTS = np.array(CLASSES)


def sides_of(
    detector: Detector,
    net: nn.Module,
    fields: Sequence[Field],
    device: torch.device,
    least: float,
    flips: int = 1,
) -> tuple[Catalogue, Truth]:
    """
    The catalogue of all that a network finds with a score of `least` or more, and the truth, artefacts in both.

    The parts of the fields that are kept for validation are laid side by side along the equator, their pixels so large
    that the beam is 0.6 arcsec wide. Fluxes are in units of the noise.

    Parameters
    ----------
    detector, net
        The network, and what its answers mean.
    fields
        With their labels.
    device
        Where the network runs.
    least
        Score as the network tells it.
    flips
        How many orientations of the fields it looks at.
    """
    found, true = [], []
    east = 0.0
    for field in fields:
        seen = find_in_field(detector, net, field, device, least, flips, spurious=True)
        rows, there = rows_of_found(seen, field), rows_of_field(field, spurious=True)
        for each in (rows, there):
            for name in ("ra_core", "ra_cent"):
                each[name] = each[name] + east
        found.append(_table(rows, seen["snr"], seen["class"].astype(np.int64), seen.scores))
        true.append(_table(there, there["snr_peak"], there["kind"], None))
        east += (field.shape[1] * BEAM / beam_width(np.array(field.beam)) + _APART) / 3600.0
    truth = Truth(_catalogue(true), beam=Beam(BEAM, BEAM, 0.0), frequency=_FREQUENCY)
    return _catalogue(found), truth


def _table(
    rows: Columns, snr: NDArray[np.float64], kind: NDArray[np.int64], score: NDArray[np.float64] | None
) -> Table:
    """Rows of the challenge as sources with a class, a signal to noise and, where there is one, a score."""
    table = sdc1_table({name: rows[name] for name in SDC1})
    major, minor = (np.hypot(table[name], BEAM) for name in ("major_deconv", "minor_deconv"))
    columns = {"snr": snr, "major": major, "minor": minor, "flux_peak": snr, "rms": np.ones(len(table))}
    columns |= {"class": _OBJECTS[kind]}
    names = ["class"]
    if score is not None:
        columns["score"] = score
        names.append("score")
    return table.with_columns(columns, schema.further("sources", *names))


def _catalogue(tables: Sequence[Table]) -> Catalogue:
    """All rows, numbered anew."""
    table = Table.concat(tables)
    ids = np.arange(1, len(table) + 1)
    table = table.with_columns({"source_id": ids, "list_id": ids})
    return Catalogue(Table.empty("islands"), table, Table.empty("components"))
