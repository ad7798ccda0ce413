"""`Agreement`: how likely a source is, from which members of an ensemble found it and how sure each was."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from skysift.base.errors import DataError, UsageError
from skysift.find.neural.calibration import Calibration, fitted

__all__ = ["Agreement", "fitted_agreement", "read_agreement", "usual_agreement"]

Floats = NDArray[np.float64]

FORMAT = 1
_SOFT = 0.02  # probabilities count as this far from 0 and 1
_RIDGE = 1.0  # how much each weight is held to its usual value, in detections

# of a network and a finder of islands together, fitted on made continuum fields: weight of what a member says, and what
# it counts that it found nothing
_USUAL = {True: (0.95, -2.65), False: (0.17, -0.2)}
_BIAS = 0.08
_ALONE = -2.5  # what it counts that a network found nothing, among networks


@dataclass(frozen=True, eq=False)
class Agreement:
    """
    A logistic law: the logit of the probability is a sum over members.

    A member that found the source adds its weight times the logit of its calibrated score; one that did not, or takes it
    for an artefact, a number of its own.

    Attributes
    ----------
    members
        What each is, as `told_of` tells it.
    tables
        Probabilities of the scores of each.
    bias
        Of the sum.
    weight, missing
        ``(member,)``.
    threshold
        Probability below which a source is left out.
    facts
        What it was fitted on, JSON-safe.
    """

    members: tuple[str, ...]
    tables: tuple[Calibration, ...]
    bias: float
    weight: Floats
    missing: Floats
    threshold: float
    facts: Mapping[str, Any]

    def scores(self, told: Floats) -> Floats:
        """Probabilities of sources, from the score ``(source, member)`` that each member gave, NaN where it gave none."""
        terms = _terms(told, self.tables)
        there = np.isfinite(terms)
        total = self.bias + np.where(there, np.nan_to_num(terms) * self.weight, self.missing).sum(axis=1)
        return np.asarray(1.0 / (1.0 + np.exp(-total)))

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-safe."""
        return {
            "format": FORMAT,
            "members": list(self.members),
            "tables": [each.to_dict() for each in self.tables],
            "bias": self.bias,
            "weight": self.weight.tolist(),
            "missing": self.missing.tolist(),
            "threshold": self.threshold,
            "facts": dict(self.facts),
        }


def usual_agreement(members: Sequence[str], networks: Sequence[bool]) -> Agreement:
    """
    The law for members that were never held against known sources together.

    Members of one kind share their weight, for they see the same.
    """
    share = {kind: max(sum(each is kind for each in networks), 1) for kind in (True, False)}
    if all(networks) or not any(networks):
        weight, missing = (
            np.full(len(networks), 1.0 / len(networks)),
            np.full(len(networks), _ALONE / len(networks)),
        )
        bias = 0.0
    else:
        weight, missing = (np.array([_USUAL[each][k] / share[each] for each in networks]) for k in (0, 1))
        bias = _BIAS
    tables = tuple(Calibration.of({}) if each else OF_SNR for each in networks)
    return Agreement(tuple(members), tables, bias, weight, missing, 0.5, {})


OF_SNR = Calibration(
    np.array([0.0, 0.281, 0.36, 0.424, 0.447, 0.461, 0.47, 0.497, 0.542, 0.763, 1.0]),
    np.array([0.0, 0.022, 0.154, 0.577, 0.762, 0.801, 0.82, 0.888, 0.921, 0.96, 1.0]),
)
"""Probability that a fitted island is true, by `skysift.find.neural.members.score_of_snr`."""


def _terms(told: Floats, tables: Sequence[Calibration]) -> Floats:
    """Logits of the calibrated scores; NaN where a member found nothing."""
    chance = np.stack([table.scores(told[:, k]) for k, table in enumerate(tables)], axis=1)
    chance = np.clip(np.where(np.isfinite(told), chance, np.nan), _SOFT, 1.0 - _SOFT)
    return np.asarray(np.log(chance / (1.0 - chance)))


def fitted_agreement(
    told: Floats,
    true: NDArray[np.bool_],
    members: Sequence[str],
    networks: Sequence[bool],
    own: Sequence[NDArray[np.bool_]],
) -> Agreement:
    """
    The law that known sources ask for: tables by isotonic regression, then weights by logistic regression.

    Parameters
    ----------
    told
        Score ``(source, member)``, NaN where a member found nothing.
    true
        Whether each source is true.
    members, networks
        What each member is, and which are networks.
    own
        For each member, whether each source that it found is true.
    """
    tables = tuple(
        fitted(told[np.isfinite(told[:, k]), k], own[k]) if len(own[k]) else Calibration.of({})
        for k in range(len(members))
    )
    terms = _terms(told, tables)
    there = np.isfinite(terms)
    usual = usual_agreement(members, networks)
    design = np.concatenate([np.ones((len(told), 1)), np.nan_to_num(terms), ~there], axis=1)
    start = np.concatenate([[usual.bias], usual.weight, usual.missing])
    sign = np.where(true, 1.0, -1.0)

    def loss(p: Floats) -> tuple[float, Floats]:
        margin = sign * (design @ p)
        slope = -sign / (1.0 + np.exp(np.clip(margin, -500.0, 500.0)))
        value = np.logaddexp(0.0, -margin).sum() + 0.5 * _RIDGE * ((p - start) ** 2).sum()
        return float(value), design.T @ slope + _RIDGE * (p - start)

    n = len(members)
    bounds = [
        (None, None),
        *[(0.0, None)] * n,
        *[(None, None)] * n,
    ]  # a surer member never makes a source less sure
    best = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return Agreement(
        tuple(members), tables, float(best[0]), best[1 : 1 + n], best[1 + n :], usual.threshold, {}
    )


def read_agreement(path: Path, members: Sequence[str]) -> Agreement:
    """
    The law that `skysift calibrate` wrote, for these members, in whatever order it names them.

    Raises
    ------
    UsageError
        There is no such file, or it is of other members.
    DataError
        It is no law.
    """
    if not path.is_file():
        raise UsageError(
            "there is no such file of an ensemble", got=path, todo="`skysift calibrate ensemble` makes one"
        )
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        told = tuple(read["members"])
        written = read["format"]
        made = Agreement(
            told,
            tuple(Calibration.of({"calibration": each}) for each in read["tables"]),
            float(read["bias"]),
            np.array(read["weight"], np.float64),
            np.array(read["missing"], np.float64),
            float(read["threshold"]),
            dict(read["facts"]),
        )
        fault = _fault(made)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            "not a file of an ensemble", got=path.name, allowed="one that `skysift calibrate` wrote"
        ) from error
    if written != FORMAT:
        raise DataError(
            f"{path.name} has another format",
            got=written,
            allowed=str(FORMAT),
            todo="give one that `skysift calibrate ensemble` of this version wrote",
        )
    if fault:
        raise DataError(f"{path.name} is broken", got=fault, allowed="a file as `skysift calibrate` wrote it")
    if sorted(told) != sorted(members):
        raise UsageError(
            f"{path.name} is of another ensemble",
            got=", ".join(members),
            allowed=", ".join(told),
            todo="give these members, or `skysift calibrate ensemble` anew",
        )
    left = list(range(len(told)))
    place = [left.pop(next(k for k, at in enumerate(left) if told[at] == name)) for name in members]
    tables = tuple(made.tables[k] for k in place)
    return replace(
        made, members=tuple(members), tables=tables, weight=made.weight[place], missing=made.missing[place]
    )


def _fault(law: Agreement) -> str:
    """What is wrong with the numbers of a law; nothing where they are right."""
    n = len(law.members)
    for name, size in (
        ("tables", len(law.tables)),
        ("weight", law.weight.shape),
        ("missing", law.missing.shape),
    ):
        if size not in (n, (n,)):
            return f"{name} of shape {size} for {n} members"
    if not np.isfinite([law.bias, law.threshold, *law.weight, *law.missing]).all():
        return "a number that is not finite"
    for table in law.tables:
        grows = all(each.ndim == 1 and (np.diff(each) >= 0.0).all() for each in (table.raw, table.score))
        if not (grows and table.raw.size == table.score.size > 1):
            return "a table whose scores do not grow"
    return ""
