"""Known places on a map: sky positions and intrinsic sizes as pixels, and which places are solved together."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from skysift.find.pieces import beams_at
from skysift.measure.ellipse import FWHM, shape_transform
from skysift.sky.image import SkyImage
from skysift.sky.shapes import covariances

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LARGEST = 64  # places solved together at most, their neighbours not counted


@dataclass(frozen=True, eq=False)
class Places:
    """
    Where to measure on one map.

    Attributes
    ----------
    x, y
        0-based pixels ``(n,)``; NaN where a position has no pixel.
    shape
        ``(n, 3)`` covariance xx, xy, yy (pixels squared) of what is fitted there: the intrinsic shape convolved with
        the beam of this map.
    beam
        ``(n, 3)`` covariance of the beam of this map there.
    """

    x: Floats
    y: Floats
    shape: Floats
    beam: Floats

    def __len__(self) -> int:
        return int(self.x.size)


def places_on(
    image: SkyImage,
    ra: Floats,
    dec: Floats,
    major: Floats | None = None,
    minor: Floats | None = None,
    pa: Floats | None = None,
) -> Places:
    """
    Places on a map from sky positions and intrinsic sizes, as the beam of this map shows them.

    Parameters
    ----------
    image
        The map.
    ra, dec
        ICRS (deg), ``(n,)``.
    major, minor, pa
        Intrinsic axes (FWHM, arcsec) and position angles from ICRS north through east (deg), the beam that they
        were seen with taken out; what is not given or NaN is a point.
    """
    x, y = image.frame.to_pixel(ra, dec)
    if major is None:
        return places_at(image, x, y)
    axes = (major, major if minor is None else minor, 0.0 if pa is None else pa)
    return places_at(image, x, y, covariances(*axes))


def places_at(image: SkyImage, x: Floats, y: Floats, intrinsic: Floats | None = None) -> Places:
    """
    Places on a map from pixels and intrinsic shapes on the sky.

    Parameters
    ----------
    image
        The map.
    x, y
        0-based pixels, ``(n,)``.
    intrinsic
        ``(n, 3)`` covariances east-east, east-north, north-north (arcsec^2); points where not given.
    """
    x, y = np.atleast_1d(np.asarray(x, np.float64)), np.atleast_1d(np.asarray(y, np.float64))
    on_map = image.box.contains(x, y)
    at_x, at_y = np.where(on_map, x, 0.0), np.where(on_map, y, 0.0)
    beam = beams_at(image, boxes_of(x, y, on_map)) if len(x) else np.empty((0, 3))
    shape = beam
    if intrinsic is not None and intrinsic.any():
        wide = np.flatnonzero(intrinsic.any(axis=1) & on_map)
        to_pixel = np.linalg.inv(shape_transform(image.frame.tangent(at_x[wide], at_y[wide])))
        shape = beam.copy()
        shape[wide] += np.einsum("nij,nj->ni", to_pixel, intrinsic[wide])
        lost = ~np.isfinite(shape).all(axis=1)
        shape[lost] = beam[lost]
    return Places(x, y, np.ascontiguousarray(shape), np.ascontiguousarray(beam))


def boxes_of(x: Floats, y: Floats, on_map: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Boxes ``(n, 4)`` of the pixels that hold positions; of the first pixel for those off the map."""
    at_x, at_y = np.where(on_map, x, 0.0), np.where(on_map, y, 0.0)
    row, column = np.floor(at_y + 0.5).astype(np.int64), np.floor(at_x + 0.5).astype(np.int64)
    return np.stack([row, row + 1, column, column + 1], axis=1)


@dataclass(frozen=True, eq=False)
class Groups:
    """
    Which places are solved together.

    Attributes
    ----------
    members
        Numbers of places, group after group, ascending in each.
    core
        Which of `members` get their numbers from this group; each place does from one.
    first
        Group i is members ``first[i]`` to ``first[i + 1]``.
    """

    members: Ints
    core: npt.NDArray[np.bool_]
    first: Ints


def group_places(places: Places, chosen: Ints, reach: float) -> Groups:
    """
    Groups of places whose templates lie within ``reach`` FWHM of each other, of those `chosen`.

    Two places are linked where ``d' (S1 + S2)^-1 d``, d being their distance and S their shapes, is below that of two
    equal round shapes at ``reach`` FWHM. Groups of more than 64 are cut: halved along their longer
    axis until none has more; each part is solved with all places that are linked to one of it, and keeps its own.
    """
    n = len(chosen)
    a, b = _links(places.x[chosen], places.y[chosen], places.shape[chosen], reach)
    _, label = connected_components(
        coo_matrix((np.ones(len(a), np.bool_), (a, b)), shape=(n, n)), directed=False
    )
    label = label.astype(np.int64)
    order = np.argsort(label, kind="stable")
    size = np.bincount(label, minlength=0) if n else np.empty(0, np.int64)
    small = size[label[order]] <= LARGEST
    members, core = [order[small]], [np.ones(int(small.sum()), np.bool_)]
    sizes = [size[size <= LARGEST]]
    if not small.all():
        near = coo_matrix((np.ones(2 * len(a)), (np.r_[a, b], np.r_[b, a])), shape=(n, n)).tocsr()
        ends = np.cumsum(size)
        for number in np.flatnonzero(size > LARGEST).tolist():
            for part in _halves(order[ends[number] - size[number] : ends[number]], places, chosen):
                own = np.zeros(n, np.bool_)
                own[part] = True
                joined = np.unique(np.concatenate([part, near[part].indices]))
                members.append(joined)
                core.append(own[joined])
                sizes.append(np.array([len(joined)]))
    first = np.concatenate([[0], np.cumsum(np.concatenate(sizes))]).astype(np.int64)
    return Groups(chosen[np.concatenate(members)], np.concatenate(core), first)


def _links(x: Floats, y: Floats, shape: Floats, reach: float) -> tuple[Ints, Ints]:
    """Pairs of linked places; each looks for those that are no wider than itself."""
    limit = 0.5 * (reach * FWHM) ** 2
    half = np.hypot(0.5 * (shape[:, 0] - shape[:, 2]), shape[:, 1])
    large = 0.5 * (shape[:, 0] + shape[:, 2]) + half
    if len(x) < 2 or reach <= 0.0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    points = np.stack([x, y], axis=1)
    tree = cKDTree(points)
    found = tree.query_ball_point(points, np.sqrt(2.0 * limit * large))
    count = np.array([len(each) for each in found])
    a = np.repeat(np.arange(len(x)), count)
    b = np.concatenate([np.asarray(each, np.int64) for each in found])
    once = (large[b] < large[a]) | ((large[b] == large[a]) & (b > a))
    a, b = a[once], b[once]
    dx, dy = x[a] - x[b], y[a] - y[b]
    xx, xy, yy = (shape[a] + shape[b]).T
    linked = yy * dx * dx - 2.0 * xy * dx * dy + xx * dy * dy < limit * (xx * yy - xy * xy)
    return a[linked], b[linked]


def _halves(group: Ints, places: Places, chosen: Ints) -> list[Ints]:
    """Parts of a group, none larger than 64 places."""
    waiting, parts = [group], []
    while waiting:
        part = waiting.pop()
        if len(part) <= LARGEST:
            parts.append(np.sort(part))
            continue
        x, y = places.x[chosen[part]], places.y[chosen[part]]
        order = np.lexsort((part, x) if np.ptp(x) > np.ptp(y) else (part, y))
        middle = len(part) // 2
        waiting += [part[order[middle:]], part[order[:middle]]]
    return parts
