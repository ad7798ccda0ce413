"""Compiled searches on the sphere: rows sorted into zones of declination, and within each by right ascension.

The zones of Gray, Nieto-Santisteban & Szalay (2006, arXiv:cs/0701171): what lies within a radius of a position
is in the few zones that the radius reaches, in one window of right ascension, or in two where it crosses zero.
Memory is that of the rows and of what comes out; distances are chords between unit vectors, so that nothing is
special about the poles.
"""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SLACK = 1e-9  # degrees by which a window is wider than it need be


@kernel
def half_width(dec: float, reach: float) -> float:
    """Half the range of right ascension (deg) within `reach` (deg) of a declination; 360 where it holds a pole."""
    if abs(dec) + reach >= 90.0 - SLACK:
        return 360.0
    ratio = np.sin(np.radians(reach)) / np.cos(np.radians(dec))
    return float(np.degrees(np.arcsin(min(ratio, 1.0))) + SLACK)


@kernel
def lower_bound(values: Floats, start: int, stop: int, least: float) -> int:
    """The first of the sorted ``values[start:stop]`` that is not below `least`."""
    while start < stop:
        middle = (start + stop) // 2
        if values[middle] < least:
            start = middle + 1
        else:
            stop = middle
    return start


@kernel
def window(values: Floats, start: int, stop: int, ra: float, width: float) -> tuple[int, int, int, int]:
    """Two ranges of ``values[start:stop]`` (deg, sorted) that lie within `width` of `ra` on the circle."""
    if width >= 180.0:
        return start, stop, stop, stop
    low, high = ra - width, ra + width
    first = lower_bound(values, start, stop, low)
    last = lower_bound(values, first, stop, high)
    while last < stop and values[last] <= high:
        last += 1
    if low < 0.0:
        return first, last, max(last, lower_bound(values, start, stop, low + 360.0)), stop
    if high >= 360.0:
        end = lower_bound(values, start, stop, high - 360.0)
        while end < stop and values[end] <= high - 360.0:
            end += 1
        return first, last, start, min(end, first)
    return first, last, stop, stop


@kernel
def count_within(
    ra: Floats,
    dec: Floats,
    here: Floats,
    reach: Floats,
    limit: Floats,
    height: float,
    begin: Ints,
    their_ra: Floats,
    there: Floats,
    count: Ints,
) -> None:
    """
    Fill ``count (left,)`` with how many right rows are within reach of each left one.

    Parameters
    ----------
    ra, dec, here, reach, limit
        Left rows: position (deg), unit vector ``(left, 3)``, reach (deg) and its squared chord.
    height, begin, their_ra, there
        Right rows sorted by zone and right ascension: height of a zone (deg), first row of each
        ``(zones + 1,)``, right ascension (deg) and unit vectors ``(right, 3)``.
    """
    zones = begin.shape[0] - 1
    for i in range(ra.shape[0]):
        width = half_width(dec[i], reach[i])
        low = max(int((dec[i] - reach[i] + 90.0 - SLACK) / height), 0)
        high = min(int((dec[i] + reach[i] + 90.0 + SLACK) / height), zones - 1)
        found = 0
        for zone in range(low, high + 1):
            a, b, c, d = window(their_ra, begin[zone], begin[zone + 1], ra[i], width)
            for k in range(a, b + d - c):
                j = k if k < b else c + k - b
                x, y, z = here[i, 0] - there[j, 0], here[i, 1] - there[j, 1], here[i, 2] - there[j, 2]
                if x * x + y * y + z * z <= limit[i]:
                    found += 1
        count[i] = found


@kernel
def fill_within(
    ra: Floats,
    dec: Floats,
    here: Floats,
    reach: Floats,
    limit: Floats,
    height: float,
    begin: Ints,
    their_ra: Floats,
    there: Floats,
    rows: Ints,
    first: Ints,
    right: Ints,
    chord: Floats,
) -> None:
    """
    Fill ``right`` and ``chord`` (squared) of all pairs; those of left row i lie from ``first[i]`` on.

    ``rows (right,)`` are the numbers of the sorted right rows; the other arrays are those of `count_within`.
    """
    zones = begin.shape[0] - 1
    for i in range(ra.shape[0]):
        width = half_width(dec[i], reach[i])
        low = max(int((dec[i] - reach[i] + 90.0 - SLACK) / height), 0)
        high = min(int((dec[i] + reach[i] + 90.0 + SLACK) / height), zones - 1)
        place = first[i]
        for zone in range(low, high + 1):
            a, b, c, d = window(their_ra, begin[zone], begin[zone + 1], ra[i], width)
            for k in range(a, b + d - c):
                j = k if k < b else c + k - b
                x, y, z = here[i, 0] - there[j, 0], here[i, 1] - there[j, 1], here[i, 2] - there[j, 2]
                square = x * x + y * y + z * z
                if square <= limit[i]:
                    at = place
                    while at > first[i] and right[at - 1] > rows[j]:  # kept in the order of the right rows
                        right[at], chord[at] = right[at - 1], chord[at - 1]
                        at -= 1
                    right[at], chord[at] = rows[j], square
                    place += 1


@kernel
def closest(
    ra: float,
    dec: float,
    here: Floats,
    reach: float,
    limit: float,
    height: float,
    begin: Ints,
    their_ra: Floats,
    there: Floats,
    rows: Ints,
    taken: Bools,
    their_limit: Floats,
) -> int:
    """
    The place among the sorted right rows of the closest one that is not taken; -1 where there is none.

    Of rows equally close the first counts. ``their_limit (right,)`` bounds the squared chord from the other
    side too.
    """
    width = half_width(dec, reach)
    low = max(int((dec - reach + 90.0 - SLACK) / height), 0)
    high = min(int((dec + reach + 90.0 + SLACK) / height), begin.shape[0] - 2)
    best, least = -1, np.inf
    for zone in range(low, high + 1):
        a, b, c, d = window(their_ra, begin[zone], begin[zone + 1], ra, width)
        for k in range(a, b + d - c):
            j = k if k < b else c + k - b
            if taken[j]:
                continue
            x, y, z = here[0] - there[j, 0], here[1] - there[j, 1], here[2] - there[j, 2]
            square = x * x + y * y + z * z
            if square > limit or square > their_limit[j]:
                continue
            if square < least or (square == least and rows[j] < rows[best]):
                best, least = j, square
    return best


@kernel
def closest_of_all(
    ra: Floats,
    dec: Floats,
    here: Floats,
    reach: Floats,
    limit: Floats,
    height: float,
    begin: Ints,
    their_ra: Floats,
    there: Floats,
    rows: Ints,
    found: Ints,
) -> None:
    """Fill ``found (left,)`` with the number of the closest right row of each left one, -1 for none."""
    taken = np.zeros(their_ra.shape[0], np.bool_)
    free = np.full(their_ra.shape[0], np.inf)
    for i in range(ra.shape[0]):
        j = closest(
            ra[i],
            dec[i],
            here[i],
            reach[i],
            limit[i],
            height,
            begin,
            their_ra,
            there,
            rows,
            taken,
            free,
        )
        found[i] = -1 if j < 0 else rows[j]


@kernel
def pair_up(
    ra: Floats,
    dec: Floats,
    here: Floats,
    reach: Floats,
    limit: Floats,
    my_begin: Ints,
    my_rows: Ints,
    height: float,
    begin: Ints,
    their_ra: Floats,
    their_dec: Floats,
    there: Floats,
    rows: Ints,
    partner: Ints,
) -> None:
    """
    Fill ``partner (left,)``: the right row (its number) that each sorted left row is paired with, -1 for none.

    The pairs are those of the greedy rule, the closest pair of all first, then the closest of what is left.
    They are found without listing any others, by following the closest free row back and forth until two are
    closest to each other: such a pair is one that the rule takes (Preis 1999, STACS 99, LNCS 1563, 259).

    Parameters
    ----------
    ra, dec, here, reach, limit, my_begin, my_rows
        Left rows, sorted by zone and right ascension like the right ones.
    height, begin, their_ra, their_dec, there, rows
        Right rows; both sides have zones of one height.
    """
    n, m = ra.shape[0], their_ra.shape[0]
    gone, taken = np.zeros(n, np.bool_), np.zeros(m, np.bool_)
    free = np.full(m, np.inf)
    widest, longest = reach.max(), limit.max()
    chain = np.empty(n + m + 2, np.int64)  # left and right rows in turn, each the closest of the one before
    partner[:] = -1
    for start in range(n):
        if gone[start]:
            continue
        chain[0] = start
        length = 1
        while length > 0:
            top = chain[length - 1]
            if length % 2 == 1:
                other = closest(
                    ra[top],
                    dec[top],
                    here[top],
                    reach[top],
                    limit[top],
                    height,
                    begin,
                    their_ra,
                    there,
                    rows,
                    taken,
                    free,
                )
                if other < 0:
                    gone[top] = True
                    length -= 1
                    continue
            else:
                other = closest(
                    their_ra[top],
                    their_dec[top],
                    there[top],
                    widest,
                    longest,
                    height,
                    my_begin,
                    ra,
                    here,
                    my_rows,
                    gone,
                    limit,
                )
            if length > 1 and chain[length - 2] == other:
                left, right = (top, other) if length % 2 == 1 else (other, top)
                partner[left] = rows[right]
                gone[left] = True
                taken[right] = True
                length -= 2
            else:
                chain[length] = other
                length += 1


@kernel
def first_come(left: Ints, right: Ints, n_left: int, n_right: int, kept: Bools) -> None:
    """Fill ``kept (pair,)``: true for the pairs, in the order given, of which neither row came before."""
    used_left, used_right = np.zeros(n_left, np.bool_), np.zeros(n_right, np.bool_)
    for k in range(left.shape[0]):
        kept[k] = not (used_left[left[k]] or used_right[right[k]])
        if kept[k]:
            used_left[left[k]] = True
            used_right[right[k]] = True
