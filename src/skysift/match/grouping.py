"""The compiled loop of matching among many fields: rows join groups that hold one row of a field at most."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel

Ints = npt.NDArray[np.int64]


@kernel
def join_rows(left: Ints, right: Ints, field: Ints, group: Ints) -> None:
    """
    Fill ``group (row,)``: the number of the first row of each row's group.

    Parameters
    ----------
    left, right
        Pairs of rows ``(pair,)``, the best first. Their groups become one unless some field has a row in both.
    field
        Of each row ``(row,)``.
    """
    n = field.shape[0]
    after = np.full(n, -1, np.int64)  # the next member of a row's group
    last = np.empty(n, np.int64)  # of the group that a first row heads
    for i in range(n):
        group[i] = i
        last[i] = i
    for k in range(left.shape[0]):
        one, other = group[left[k]], group[right[k]]
        if one == other:
            continue
        if other < one:
            one, other = other, one
        apart = True
        i = one
        while i >= 0 and apart:
            j = other
            while j >= 0 and apart:
                apart = field[i] != field[j]
                j = after[j]
            i = after[i]
        if not apart:
            continue
        after[last[one]] = other
        last[one] = last[other]
        j = other
        while j >= 0:
            group[j] = one
            j = after[j]
