"""Compiled areas that pairs of ellipses have in common."""

import numpy as np
import numpy.typing as npt

from skysift.base.compiled import kernel

Floats = npt.NDArray[np.float64]

STRIPS = 96  # of the integral; its error stays below 1e-4 of the smaller ellipse


@kernel
def overlap_areas(first: Floats, second: Floats, east: Floats, north: Floats, area: Floats) -> None:
    """
    Fill ``area (pair,)`` with what pairs of ellipses have in common.

    The plane is stretched so that the first ellipse is the unit circle; the strips of the other that lie in it
    are summed along one axis, denser towards the ends, where their lengths change as a square root.

    Parameters
    ----------
    first, second
        Half axes and position angle (radians, from north through east) of the ellipses ``(pair, 3)``.
    east, north
        Where the second's centre lies, seen from the first's ``(pair,)``, in the unit of the axes.
    """
    for k in range(area.shape[0]):
        a, b, angle = first[k, 0], first[k, 1], first[k, 2]
        major, minor, turn = second[k, 0], second[k, 1], second[k, 2]
        sine, cosine = np.sin(angle), np.cos(angle)
        # along and across the first's major axis, in units of its half axes
        cx = (east[k] * sine + north[k] * cosine) / a
        cy = (east[k] * cosine - north[k] * sine) / b
        s, c = np.sin(turn - angle), np.cos(turn - angle)
        # the second as a quadratic form in (along, across) of the first, then stretched
        xx = (c * c / (major * major) + s * s / (minor * minor)) * a * a
        yy = (s * s / (major * major) + c * c / (minor * minor)) * b * b
        xy = c * s * (1.0 / (major * major) - 1.0 / (minor * minor)) * a * b
        det = xx * yy - xy * xy
        reach = np.sqrt(yy / det)
        low, high = max(-1.0, cx - reach), min(1.0, cx + reach)
        area[k] = 0.0
        if high <= low:
            continue
        middle, half = 0.5 * (low + high), 0.5 * (high - low)
        total = 0.0
        for strip in range(STRIPS):
            t = (strip + 0.5) * np.pi / STRIPS
            x = middle + half * np.cos(t)
            d = x - cx
            circle = np.sqrt(max(1.0 - x * x, 0.0))
            root = np.sqrt(max(yy - det * d * d, 0.0)) / yy
            centre = cy - xy * d / yy
            length = min(circle, centre + root) - max(-circle, centre - root)
            if length > 0.0:
                total += length * np.sin(t)
        area[k] = total * half * np.pi / STRIPS * a * b
