"""`Objects` and `Elements`: a sky before it is seen: what there is, and the Gaussians that it is made of.

Every object is a sum of Gaussians on the sky, however it looks: a point is one of no size, a disc some few, a
shell or a pair of lobes some hundred. A Gaussian seen through a Gaussian beam is a Gaussian, so that a sky is
painted exactly at any frequency, beam and pixel, and one kernel paints all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skysift.base.errors import UsageError

__all__ = ["Elements", "Objects"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Objects:
    """What there is on a sky, one row an object.

    Parameters
    ----------
    ra, dec
        ICRS position (deg): of the flux's centroid.
    ra_core, dec_core
        ICRS position (deg) of the core, equal to the centroid for what has none.
    flux
        Total flux density (Jy) at the reference frequency.
    spectral_index
        Of the total, S ~ frequency^alpha.
    core_fraction
        Part of the flux that is in the core.
    major, minor, pa
        Intrinsic FWHM (arcsec) and position angle (deg, ICRS north through east): of the Gaussian with the second
        moments of the object; 0 for a point.
    angular_size
        Largest angular size (arcsec).
    morphology, object_type
        Names of the finer classes.
    """

    ra: Floats
    dec: Floats
    ra_core: Floats
    dec_core: Floats
    flux: Floats
    spectral_index: Floats
    core_fraction: Floats
    major: Floats
    minor: Floats
    pa: Floats
    angular_size: Floats
    morphology: NDArray[np.str_]
    object_type: NDArray[np.str_]

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def concat(cls, parts: Sequence[Objects]) -> Objects:
        """The objects of several sets, one after the other."""
        return cls(*(np.concatenate([getattr(p, each.name) for p in parts]) for each in fields(cls)))

    @classmethod
    def empty(cls) -> Objects:
        """No objects."""
        none = np.empty(0)
        return cls(*(none,) * 11, *(np.empty(0, dtype="<U1"),) * 2)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Objects:
        """The objects where a mask is true, or with these numbers."""
        return Objects(*(getattr(self, each.name)[rows] for each in fields(self)))

    def __len__(self) -> int:
        return int(self.ra.size)

    def __repr__(self) -> str:
        return f"Objects({len(self)})"


@dataclass(frozen=True, eq=False)
class Elements:
    """The Gaussians that objects are made of, one row a Gaussian, in the order of their objects.

    Parameters
    ----------
    owner
        Row of the object.
    east, north
        Offset (arcsec) from the object's (`ra`, `dec`) in the plane that touches the sky there.
    flux
        Flux density (Jy) at the reference frequency; below zero for what is taken away.
    ee, en, nn
        Covariance of the Gaussian (arcsec^2) along east and north, without the beam; 0 for a point.
    spectral_index
        Its own, S ~ frequency^alpha.
    """

    owner: NDArray[np.int64]
    east: Floats
    north: Floats
    flux: Floats
    ee: Floats
    en: Floats
    nn: Floats
    spectral_index: Floats

    def __post_init__(self) -> None:
        _check(self)
        if np.any(np.diff(self.owner) < 0):
            raise UsageError("elements come in the order of their objects")

    @classmethod
    def concat(cls, parts: Sequence[Elements], counts: ArrayLike) -> Elements:
        """The elements of several sets of objects, whose numbers of objects are `counts`, one after the other."""
        begin = np.cumsum(np.asarray(counts)) - np.asarray(counts)
        owner = np.concatenate([part.owner + shift for part, shift in zip(parts, begin, strict=True)])
        rest = (np.concatenate([getattr(p, each.name) for p in parts]) for each in fields(cls)[1:])
        return cls(owner.astype(np.int64), *rest)

    @classmethod
    def empty(cls) -> Elements:
        """No elements."""
        return cls(np.empty(0, dtype=np.int64), *(np.empty(0),) * 7)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Elements:
        """The elements where a mask is true, or with these numbers; owners keep their numbers."""
        return Elements(*(getattr(self, each.name)[rows] for each in fields(self)))

    def at(self, ratio: float) -> Floats:
        """Flux densities (Jy) at `ratio` times the reference frequency."""
        return np.asarray(self.flux * ratio**self.spectral_index)

    def __len__(self) -> int:
        return int(self.owner.size)

    def __repr__(self) -> str:
        return f"Elements({len(self)})"


def _check(rows: Objects | Elements) -> None:
    """All columns are arrays of one length.

    Raises
    ------
    UsageError
        They are not.
    """
    lengths = {each.name: np.shape(getattr(rows, each.name)) for each in fields(rows)}
    if len(set(lengths.values())) > 1 or any(len(shape) != 1 for shape in lengths.values()):
        raise UsageError(f"the columns of {type(rows).__name__} differ in length", got=lengths)
