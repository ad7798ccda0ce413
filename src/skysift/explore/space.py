"""`Space`: how features become coordinates: gaps filled, standardised, principal components; frozen once made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.explore.options import ExploreOptions
from skysift.sky.features import Features

__all__ = ["Space", "make_space"]

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]

_NORMAL = 1.3489795003921634  # quartile width of a Gaussian of unit variance
_RARE = 0.005  # gaps that fewer sources have say nothing of their own


@dataclass(frozen=True, eq=False)
class Space:
    """
    The way from features to coordinates, the same for every later sample.

    Attributes
    ----------
    titles
        Features that are taken, in this order.
    middle, scale
        What each is less, and over.
    weight
        What each standardised feature is multiplied by, so that groups weigh alike.
    marked
        Which of them have a further coordinate that says whether a number is missing.
    clip
        Largest standardised number.
    mean, axes
        Of the principal components: (feature) and (component, feature).
    spread
        Standard deviation along each component.
    whiten
        Whether coordinates are over their spread.
    """

    titles: tuple[str, ...]
    middle: Floats
    scale: Floats
    weight: Floats
    marked: Bools
    clip: float
    mean: Floats
    axes: Floats
    spread: Floats
    whiten: bool

    def __repr__(self) -> str:
        return f"Space({len(self.titles)} features, {len(self.axes)} components)"

    def standard(self, values: Floats) -> Floats:
        """Standardised features (row, feature and marks), without a gap; rows that hold nothing stay NaN."""
        gaps = ~np.isfinite(values)
        with np.errstate(over="ignore"):
            scaled = (np.where(gaps, self.middle, values) - self.middle) / self.scale
        scaled = np.clip(scaled, -self.clip, self.clip)
        marks = gaps[:, self.marked].astype(np.float64)
        out = np.concatenate([scaled, marks], axis=1) * self.weight
        out[gaps.all(axis=1)] = np.nan
        return out

    def coordinates(self, values: Floats) -> Floats:
        """Where sources lie (row, component), each by its own numbers alone; NaN where a row holds nothing."""
        # einsum and not a product of matrices: a row must not depend on how many others come with it
        turned = np.einsum("rf,cf->rc", self.standard(values) - self.mean, self.axes, optimize=False)
        return np.asarray(turned / self.spread if self.whiten else turned)

    def of(self, features: Features) -> Floats:
        """Where the sources of a table lie.

        Raises
        ------
        UnknownName
            A feature is not in the table.
        """
        return self.coordinates(features.only(self.titles).values)


def make_space(features: Features, options: ExploreOptions) -> tuple[Space, tuple[str, ...]]:
    """The space of a sample, and what is to be said of its features.

    Raises
    ------
    UsageError
        No feature tells sources apart, or there are fewer than three sources.
    """
    values = features.values
    whole = np.isfinite(values).any(axis=1) if values.size else np.zeros(len(features), np.bool_)
    if whole.sum() < 3:
        raise UsageError("a sample has three sources or more with features", got=int(whole.sum()))
    held = values[whole]
    gaps = ~np.isfinite(held)
    notes: list[str] = []
    with np.errstate(all="ignore"):
        filled = np.where(gaps, np.nan, held)
        some = ~gaps.all(axis=0)
        middle, width = np.zeros(held.shape[1]), np.zeros(held.shape[1])
        low, mid, high = np.nanpercentile(filled[:, some], [25.0, 50.0, 75.0], axis=0)
        middle[some], width[some] = mid, (high - low) / _NORMAL
        flat = some & ~(width > 0.0)
        width[flat] = np.nanstd(filled[:, flat], axis=0) if flat.any() else width[flat]
    if options.standard == "none":
        middle, width = np.where(some, middle, 0.0), np.where(width > 0.0, 1.0, 0.0)
    taken = some & (width > 1e-300)
    if options.missing == "drop":
        taken &= ~gaps.any(axis=0)
    left = [each for each, kept in zip(features.titles, taken, strict=True) if not kept]
    if left:
        shown = ", ".join(left[:5]) + (" ..." if len(left) > 5 else "")
        what = (
            "1 feature that tells nothing apart is"
            if len(left) == 1
            else f"{len(left)} features that tell nothing apart are"
        )
        notes.append(f"{what} left out: {shown}")
    if not taken.any():
        raise UsageError(
            "no feature tells the sources apart", got=len(features.columns), todo="give other features"
        )
    share = gaps.mean(axis=0)[taken]
    marked = (
        (share > _RARE) & (share < 1.0 - _RARE)
        if options.missing == "mark"
        else np.zeros(share.size, np.bool_)
    )
    columns = [each for each, kept in zip(features.columns, taken, strict=True) if kept]
    weight = _weights([each.group for each in columns], marked, options.balance)
    space = Space(
        tuple(each.name for each in columns), middle[taken], width[taken], weight, marked,
        options.clip if options.standard == "robust" else np.inf,
        np.zeros(weight.size), np.eye(weight.size), np.ones(weight.size), False,
    )  # fmt: skip
    return _turned(space, space.standard(held[:, taken]), options), tuple(notes)


def _weights(groups: list[str], marked: Bools, balance: bool) -> Floats:
    """What each feature, then each mark, is multiplied by."""
    of = [*groups, *(f"{group} marks" for group, mark in zip(groups, marked, strict=True) if mark)]
    if not balance or len(set(groups)) == 1:
        return np.ones(len(of))
    number = {group: groups.count(group) for group in groups}
    most = max(number.values())
    return np.array([np.sqrt(most / number[group.removesuffix(" marks")]) for group in of])


def _turned(space: Space, standard: Floats, options: ExploreOptions) -> Space:
    """The space with its principal components; each points to where its largest entry is positive."""
    mean = standard.mean(axis=0)
    inner = standard - mean
    power, vectors = np.linalg.eigh(inner.T @ inner / max(len(inner) - 1, 1))
    power, axes = np.maximum(power[::-1], 0.0), vectors.T[::-1]
    total = power.sum()
    if not total > 0.0:
        raise UsageError("all sources have the same features", todo="give other features")
    reached = int(np.searchsorted(np.cumsum(power) / total, options.variance - 1e-12)) + 1
    n = max(1, min(options.components, reached, int((power > 1e-12 * total).sum())))
    axes = axes[:n]
    signs = np.sign(axes[np.arange(n), np.abs(axes).argmax(axis=1)])
    return Space(
        space.titles, space.middle, space.scale, space.weight, space.marked, space.clip,
        mean, axes * signs[:, None], np.sqrt(power[:n]), options.whiten,
    )  # fmt: skip
