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
from numpy.typing import NDArray

from skysift.base.random import generator
from skysift.match.entries import Entries
from skysift.match.matcher import Matcher
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
    truly matched.

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
    matcher: Matcher[Any], left: Entries, right: Entries, radius: float, matched: NDArray[np.int64]
) -> Chance:
    """What part of the matches are chance, by the matcher's own rule on shifted rows.

    Parameters
    ----------
    matcher, left, right, radius
        The matching.
    matched
        The right row of each match.
    """
    options = matcher.options
    left = left.take(left.placed)
    n, m = len(left), int(matched.size)
    if not options.trials or not n or not len(right) or radius <= 0:
        return Chance()
    trials = min(options.trials, max(_FEWEST, math.ceil(_ROWS / n)))
    given = np.zeros(len(right), np.bool_)
    given[matched] = True
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
    false = m - true
    slope = abs((n - m) / (1.0 - free) ** 2) if free < 1.0 else 0.0
    false_err = math.hypot(slope * p_err, math.sqrt(max(false, 0.0)))
    density = -math.log1p(-min(p, 1.0 - 1e-12)) / (math.pi * radius**2)
    rate = (false / m, false_err / m) if m else (math.nan, math.nan)
    return Chance(trials, p, p_err, false, false_err, *rate, density)


def shifted(left: Entries, inner: float, outer: float, random_seed: int, name: str) -> Entries:
    """The rows, each moved by a random step into the annulus from `inner` to `outer` (arcsec) about its place."""
    rng = generator(random_seed, "match", "shift", name)
    far = np.sqrt(rng.uniform(inner**2, outer**2, len(left)))
    angle = rng.uniform(0.0, 2.0 * np.pi, len(left))
    return left.moved(*offset_by(left.ra, left.dec, far * np.sin(angle), far * np.cos(angle)))
