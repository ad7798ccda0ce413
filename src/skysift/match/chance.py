"""How many matches are chance: the same matching with the left rows shifted to where nothing belongs to them.

Each row is moved by a random step into an annulus about its place, as CAESAR's catalogue matching does: the
density, its changes over the field and the edges stay, what is truly one comes apart (Riggi et al. 2019,
PASA 36, e037).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from skysift.base.random import generator
from skysift.match.entries import Entries
from skysift.match.matcher import Candidates, Matcher
from skysift.match.sky import offset_by

__all__ = ["Chance", "chance_matches", "shifted"]

_ROWS = 200_000  # shifted rows that are enough
_FEWEST = 3  # trials
_ROUNDS = 5  # until the number of true matches holds


@dataclass(frozen=True)
class Chance:
    """What shifted positions say of a matching.

    A fraction p of shifted rows finds a match. Of the n left rows, m are matched, of which t truly; the others
    match by chance as often as shifted rows, m = t + p (n - t), so that t = (m - p n) / (1 - p), and m - t are
    false. Where right rows are given away once only, p leaves out what shifted rows find among rows that are
    truly matched. Rows whose partner a nearer stranger displaced are added: by the density that p tells and the
    separations of the matches, or by the reliabilities where there are any.

    Parameters
    ----------
    trials
        Number of shifted copies; 0 where chance was not counted.
    fraction, fraction_err
        Share of shifted rows that find a match, with the error of what the trials tell.
    false, false_err
        Expected number of false matches, with its error (that of `fraction` and the Poisson noise of the number).
    rate, rate_err
        The same as a share of the matches.
    density
        Right rows per square arcsec where left rows are, as far as position alone decides; else NaN.
    """

    trials: int = 0
    fraction: float = math.nan
    fraction_err: float = math.nan
    false: float = math.nan
    false_err: float = math.nan
    rate: float = math.nan
    rate_err: float = math.nan
    density: float = math.nan


def chance_matches(
    matcher: Matcher[Any], left: Entries, right: Entries, radius: float, matched: Candidates
) -> Chance:
    """What part of the matches are chance, by the matcher's own rule on shifted rows.

    Parameters
    ----------
    matcher, left, right, radius
        The matching.
    matched
        The matches.
    """
    options = matcher.options
    left = left.take(left.placed)
    n, m = len(left), len(matched)
    if not options.trials or not n or not len(right) or radius <= 0:
        return Chance()
    trials = min(options.trials, max(_FEWEST, math.ceil(_ROWS / n)))
    given = np.zeros(len(right), np.bool_)
    given[matched.pairs.right] = True
    hits, taken = np.empty(trials), np.empty(trials)
    for trial in range(trials):
        edges = radius * options.shift_min, radius * options.shift_max
        moved = shifted(left, *edges, options.random_seed, f"trial {trial}")
        found = matcher.candidates(moved, right, radius)
        pairs = found.pairs.select(found.chosen)
        hits[trial] = len(pairs)
        taken[trial] = given[pairs.right].sum() if matcher.exclusive else 0
    p = float(hits.mean()) / n
    poisson = math.sqrt(max(float(hits.sum()), 1.0)) / (n * trials)
    spread = float(hits.std(ddof=1)) / n / math.sqrt(trials) if trials > 1 else 0.0
    p_err = max(poisson, spread)
    share = float(taken.sum()) / max(float(hits.sum()), 1.0)
    true = float(m)
    for _ in range(_ROUNDS):
        free = p * (1.0 - share * true / max(m, 1))
        # with p near 1 every row matches by chance, and nothing can be told
        true = min(max((m - free * n) / (1.0 - free), 0.0), m) if free < 1.0 else 0.0
    density = -math.log1p(-min(p, 1.0 - 1e-12)) / (math.pi * radius**2)
    false = min(m - true + _displaced(matched, density, radius, m - true), m)
    slope = abs((n - m) / (1.0 - free) ** 2) if free < 1.0 else 0.0
    false_err = math.hypot(slope * p_err, math.sqrt(max(false, 0.0)))
    rate = (false / m, false_err / m) if m else (math.nan, math.nan)
    return Chance(trials, p, p_err, false, false_err, *rate, density)


def _displaced(matched: Candidates, density: float, radius: float, false: float) -> float:
    """How many rows lost their own partner to a nearer stranger, which shifted rows cannot tell.

    By position alone this happens where a stranger lies within the true separation; false matches, which are
    evenly spread over the circle, are taken out of the sum over all. By likelihood the reliabilities tell how many
    matches are false in all.
    """
    if not np.isnan(matched.probability).all():
        return max(float(np.sum(1.0 - matched.probability)) - false, 0.0)
    nearer = -np.expm1(-math.pi * density * matched.pairs.separation**2)
    expected = float(nearer.sum()) - false * 0.5 * math.pi * density * radius**2
    return max(expected, 0.0)


def shifted(left: Entries, inner: float, outer: float, random_seed: int, name: str) -> Entries:
    """The rows, each moved by a random step into the annulus from `inner` to `outer` (arcsec) about its place."""
    rng = generator(random_seed, "match", "shift", name)
    far = np.sqrt(rng.uniform(inner**2, outer**2, len(left)))
    angle = rng.uniform(0.0, 2.0 * np.pi, len(left))
    return left.moved(*offset_by(left.ra, left.dec, far * np.sin(angle), far * np.cos(angle)))
