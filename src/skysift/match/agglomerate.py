"""The compiled loop that joins parts to objects: the most likely first, as long as the whole is likely."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

APART = -4.0  # log odds of two parts that were not compared


@kernel
def agglomerate(members: Ints, begin: Ints, left: Ints, right: Ints, odds: Floats, first: Ints, least: float,
                group: Ints, lowest: Floats) -> None:  # fmt: skip
    """
    Fill ``group (part,)``, the first part of each object, and ``lowest (part,)``, there the log odds of its weakest join.

    Two objects are as likely one as half their best pair and half the mean of all their pairs say, so that a chain of
    single links does not make an object. The likeliest two are joined, then the next.

    Parameters
    ----------
    members, begin
        Parts that some pair with odds above one holds together are ``members[begin[c]:begin[c + 1]]``, ascending.
    left, right, odds, first
        Pairs of places among the members of c, and their log odds: rows ``first[c]`` to ``first[c + 1]``.
    least
        Log odds above which two objects are joined.
    """
    for c in range(begin.shape[0] - 1):
        start = begin[c]
        m = begin[c + 1] - start
        best = np.full((m, m), APART)
        total = np.full((m, m), APART)
        for k in range(first[c], first[c + 1]):
            i, j = left[k], right[k]
            best[i, j] = best[j, i] = total[i, j] = total[j, i] = odds[k]
        count = np.ones(m)
        owner = np.arange(m)
        low = np.full(m, np.inf)
        alive = np.ones(m, np.bool_)
        while True:
            top, a, b = least, -1, -1
            for i in range(m):
                if not alive[i]:
                    continue
                for j in range(i + 1, m):
                    if not alive[j]:
                        continue
                    value = 0.5 * best[i, j] + 0.5 * total[i, j] / (count[i] * count[j])
                    if value > top:
                        top, a, b = value, i, j
            if a < 0:
                break
            low[a] = min(low[a], min(low[b], top))
            alive[b] = False
            count[a] += count[b]
            for i in range(m):
                if owner[i] == b:
                    owner[i] = a
                if i != a and alive[i]:
                    total[a, i] += total[b, i]
                    total[i, a] = total[a, i]
                    best[a, i] = max(best[a, i], best[b, i])
                    best[i, a] = best[a, i]
        for i in range(m):
            group[members[start + i]] = members[start + owner[i]]
            lowest[members[start + i]] = low[i]
