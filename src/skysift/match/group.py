"""Components of one island become sources, by a stated rule."""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel
from skysift.sky.runs import root

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SAMPLES = 32  # of the model along the line between two components


@kernel
def group_components(p: Floats, rms: Floats, first: Ints, dip: float, source: Ints) -> int:
    """
    Number of sources; ``source`` gets the source of each component, numbered from 0 in their order.

    Two components of an island join if the model between their centres falls nowhere below the fainter of the
    two ends, or by no more than ``dip`` times the rms while their distance is within half the sum of their
    FWHM along the line (the rule of PyBDSF, Mohan & Rafferty 2015). Joining is transitive.

    Parameters
    ----------
    p
        Components ``(n, 6)``: amplitude (positive), x, y, covariance; sorted by island.
    rms
        Noise at each component ``(n,)``.
    first
        ``(islands + 1,)``: components of island i are rows ``first[i]`` to ``first[i + 1]``.
    """
    n = p.shape[0]
    parent = np.arange(n)
    for i in range(first.shape[0] - 1):
        start, stop = first[i], first[i + 1]
        for a in range(start, stop):
            for b in range(a + 1, stop):
                dx, dy = p[b, 1] - p[a, 1], p[b, 2] - p[a, 2]
                d = np.sqrt(dx * dx + dy * dy)
                widths = 0.0
                farthest = 0.0
                for c in (a, b):
                    det = p[c, 3] * p[c, 5] - p[c, 4] * p[c, 4]
                    if d > 0.0:
                        q = (p[c, 5] * dx * dx - 2.0 * p[c, 4] * dx * dy + p[c, 3] * dy * dy) / (det * d * d)
                        widths += 2.3548 / np.sqrt(q)
                    farthest = max(farthest, 2.3548 * np.sqrt(p[c, 3] + p[c, 5]))
                if d > 2.0 * farthest:
                    continue
                ends = np.inf
                lowest = np.inf
                for s in range(SAMPLES + 1):
                    x, y = p[a, 1] + dx * s / SAMPLES, p[a, 2] + dy * s / SAMPLES
                    value = 0.0
                    for c in range(start, stop):
                        u, v = x - p[c, 1], y - p[c, 2]
                        det = p[c, 3] * p[c, 5] - p[c, 4] * p[c, 4]
                        q = (p[c, 5] * u * u - 2.0 * p[c, 4] * u * v + p[c, 3] * v * v) / det
                        if q < 40.0:
                            value += p[c, 0] * np.exp(-0.5 * q)
                    if s == 0 or s == SAMPLES:
                        ends = min(ends, value)
                    lowest = min(lowest, value)
                noise = 0.5 * (rms[a] + rms[b])
                if lowest >= ends * (1.0 - 1e-9) or (lowest >= ends - dip * noise and d <= 0.5 * widths):
                    u, v = root(parent, a), root(parent, b)
                    parent[max(u, v)] = min(u, v)
    n_sources = 0
    for a in range(n):
        r = root(parent, a)
        if r == a:
            source[a] = n_sources
            n_sources += 1
        else:
            source[a] = source[r]
    return n_sources


@kernel
def source_peaks(p: Floats, first: Ints, source: Ints, peak: Floats) -> None:
    """
    The highest brightness that the components of a source reach together at one of their centres.

    ``p (n, 6)``, ``first`` and ``source`` as in `group_components`; ``peak (source,)`` is filled.
    """
    peak[:] = 0.0
    for i in range(first.shape[0] - 1):
        for a in range(first[i], first[i + 1]):
            value = 0.0
            for c in range(first[i], first[i + 1]):
                if source[c] != source[a]:
                    continue
                u, v = p[a, 1] - p[c, 1], p[a, 2] - p[c, 2]
                det = p[c, 3] * p[c, 5] - p[c, 4] * p[c, 4]
                q = (p[c, 5] * u * u - 2.0 * p[c, 4] * u * v + p[c, 3] * v * v) / det
                if q < 40.0:
                    value += p[c, 0] * np.exp(-0.5 * q)
            peak[source[a]] = max(peak[source[a]], value)
