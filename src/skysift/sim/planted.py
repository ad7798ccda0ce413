"""Anomalies planted in real cut-outs: rings, shells, double-doubles, artefacts, as bright and as large as what was there.

Cut-outs are of the kind that catalogues of radio galaxies are made of: faint pixels cut off, so that the ground is
zero, and the brightest pixel at a fixed value. Where their pixels are whole numbers, those of anomalies are too: the
faintest pixel says how deep a picture is, and must not tell what was planted. Each anomaly takes the place of the
source of a cut-out that is drawn by chance of those that are resolved, with its flux (sum of pixels over the
brightest) and its size (radius that holds nine tenths of the flux); what is around stays. So neither flux nor size
tells anomalies from the sample; only their form does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from skysift.base.errors import UsageError

__all__ = ["KINDS", "Planted", "flux_and_size", "plant", "source_of"]

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]

KINDS = ("ring", "shell", "double-double", "sidelobes", "stripes")
_JOIN = 7  # pixels that parts of a source may be apart
_SEED = 0.1  # of the brightest pixel: what a part of a source has
_HELD = 0.9  # part of the flux within the size
_EXCESS = 0.205  # median excess of Gaussian noise above a cut at 3 sigma, in sigma
_CUT = 3.0  # sigma
_RESOLVED = 1.15  # beams of the radius of a source that something strange can replace; a point has 0.93
_FAINTEST = 0.06  # surface brightness of a ring that is still seen, over the brightest pixel
_TURNS = 12  # of flux and size in turn
_TRIES = 4  # of one kind, with what chance gives it, before others
_AGREED = 0.12  # of the logarithms of flux and size


@dataclass(frozen=True, eq=False)
class Planted:
    """
    Anomalies and where they were planted.

    Attributes
    ----------
    rows
        The cut-outs that they took, ascending.
    kinds
        What each is.
    images
        The new cut-outs (row, y, x).
    """

    rows: NDArray[np.int64]
    kinds: tuple[str, ...]
    images: NDArray[np.float32]


def plant(images: NDArray[np.generic], rng: np.random.Generator, n: int, *, beam: float = 3.0) -> Planted:
    """So many cut-outs with an anomaly, hosts drawn by chance from all that are resolved; kinds in turn where possible.

    Parameters
    ----------
    images
        Cut-outs (row, y, x) with a ground of zero.
    rng
        What chance comes from.
    n
        How many.
    beam
        Full width at half maximum of the beam (pixel).

    Raises
    ------
    UsageError
        There are fewer cut-outs, or fewer that are resolved, than anomalies.
    """
    if n > len(images):
        raise UsageError("more anomalies than cut-outs", got=n, allowed=f"up to {len(images)}")
    order = rng.permutation(len(images))
    rows: list[int] = []
    kinds: list[str] = []
    made: list[Floats] = []
    for row in order:
        if len(rows) == n:
            break
        host = np.asarray(images[row], np.float64)
        if not host.max() > 0.0:
            continue
        got = _anomaly(host, KINDS[len(rows) % len(KINDS)], beam, rng)
        if got is None:
            continue
        rows.append(int(row))
        kinds.append(got[0])
        made.append(got[1])
    if len(rows) < n:
        raise UsageError(
            "too few cut-outs show a source that is resolved", got=len(rows), allowed=f"{n} or more"
        )
    at = np.argsort(rows)
    return Planted(np.array(rows, np.int64)[at], tuple(kinds[k] for k in at), np.array(made, np.float32)[at])


def source_of(image: Floats) -> Bools:
    """The pixels of the source in the middle of a cut-out: bright parts near the middle, and what is joined to them."""
    top = image.max()
    wide = ndimage.binary_dilation(image > 0.02 * top, iterations=_JOIN)
    labels, n = ndimage.label(wide)
    if not n:
        return np.zeros(image.shape, np.bool_)
    peaks = ndimage.maximum(image, labels, np.arange(1, n + 1))
    y, x = np.indices(image.shape)
    far = np.hypot(y - image.shape[0] / 2, x - image.shape[1] / 2)
    near = np.asarray(ndimage.minimum(far, labels, np.arange(1, n + 1)))
    near[np.asarray(peaks) < _SEED * top] = np.inf
    kept = near <= near.min() + 8.0
    return np.asarray(np.isin(labels, np.flatnonzero(kept) + 1) & (image > 0.0))


def flux_and_size(image: Floats, source: Bools) -> tuple[float, float]:
    """The flux of a source over the brightest pixel, and the radius about its middle that holds nine tenths of it."""
    y, x = np.nonzero(source)
    values = image[y, x]
    total = values.sum()
    if not total > 0.0:
        return 0.0, 0.0
    far = np.hypot(y - (values * y).sum() / total, x - (values * x).sum() / total)
    order = np.argsort(far)
    inner = np.searchsorted(np.cumsum(values[order]), _HELD * total)
    return float(total / image.max()), float(far[order][min(inner, far.size - 1)])


def _anomaly(host: Floats, kind: str, beam: float, rng: np.random.Generator) -> tuple[str, Floats] | None:
    """An anomaly in the place of the source of a cut-out; None where that is too small or too faint for any."""
    source = source_of(host)
    flux, size = flux_and_size(host, source)
    if size < _RESOLVED * beam:
        return None
    others = [each for each in KINDS if each != kind]
    for each in (*(kind,) * _TRIES, *(others[k] for k in rng.permutation(len(others)))):
        made = _matched(host, source, flux, size, each, beam, rng)
        if made is not None:
            return each, made
    return None


def _matched(
    host: Floats, source: Bools, flux: float, size: float, kind: str, beam: float, rng: np.random.Generator
) -> Floats | None:
    """An object of a flux and a size on the ground of a host; None where it would be too faint to be seen.

    Size and contrast are changed in turn until both agree with those of the host.
    """
    top = host.max()
    ground = np.where(ndimage.binary_dilation(source, iterations=2), 0.0, host)
    rms = _noise(host, source) / top
    noise = _correlated(host.shape, beam, rng) * rms
    form = _Form(kind, rng)
    whole = not np.mod(host, 1.0).any()
    radius, contrast = 0.7 * size, 0.3
    for _ in range(_TURNS):
        model = form.painted(host.shape, radius, contrast, beam)
        lit = np.maximum(model / model.max() + noise - _CUT * rms, 0.0)
        lit[model < 0.002 * model.max()] = 0.0  # beyond the object the ground is the host's own
        lit *= top / max(lit.max(), 1e-9)
        lit = np.round(lit) if whole else lit
        picture = np.maximum(ground, lit)
        got_flux, got_size = flux_and_size(picture, lit > 0.0)
        if max(abs(np.log(got_flux / flux)), abs(np.log(got_size / size))) < _AGREED:
            return picture if contrast > max(_FAINTEST, 2.0 * rms) else None
        contrast = float(np.clip(contrast * (flux / max(got_flux, 1e-6)) ** 0.8, 1e-3, 1.5))
        radius = float(np.clip(radius * (size / max(got_size, 1e-6)) ** 0.8, 0.5, 0.45 * host.shape[0]))
    return None


class _Form:
    """One object of a kind, with what chance gave it; it can be painted at any radius and contrast."""

    def __init__(self, kind: str, rng: np.random.Generator) -> None:
        self.kind = kind
        self.angle = rng.uniform(0.0, 2.0 * np.pi)
        self.axis = rng.uniform(0.75, 1.0)  # of the minor axis over the major
        self.wave = rng.uniform(0.0, 0.35, 2)
        self.phase = rng.uniform(0.0, 2.0 * np.pi, 2)
        self.inner = rng.uniform(0.35, 0.55)  # inner pair of a double-double, over the outer
        self.shares = rng.uniform(0.5, 1.0, 4)
        self.wide = rng.uniform(0.0, 0.9)  # of the source that artefacts lie around, over the radius
        self.arms = bool(
            rng.integers(2)
        )  # whether sidelobes are those of a short look with three arms of telescopes

    def painted(self, shape: tuple[int, ...], radius: float, contrast: float, beam: float) -> Floats:
        """The object, seen with the beam: `contrast` is that of what makes it strange, over a compact part of 1."""
        y, x = np.indices(shape).astype(np.float64)
        y, x = y - shape[0] / 2, x - shape[1] / 2
        u = x * np.cos(self.angle) + y * np.sin(self.angle)
        v = (-x * np.sin(self.angle) + y * np.cos(self.angle)) / self.axis
        far, around = np.hypot(u, v), np.arctan2(v, u)
        core = np.exp(-0.5 * (np.hypot(u, v * self.axis) * 2.3548 / beam) ** 2)
        blur = beam / 2.3548
        if self.kind == "double-double":
            spots = [(1.0, 0), (-1.0, 1), (self.inner, 2), (-self.inner, 3)]
            out = np.zeros(shape)
            for place, number in spots:
                wide = max(blur, 0.12 * radius * contrast)
                bright = self.shares[number] * (contrast if number < 2 else 0.5 * (1.0 + contrast))
                out += bright * np.exp(
                    -0.5 * (((u - place * radius) / wide) ** 2 + (v * self.axis / blur) ** 2)
                )
            return np.asarray(out + 0.3 * core)
        patchy = (
            1.0
            + self.wave[0] * np.cos(around + self.phase[0])
            + self.wave[1] * np.cos(2 * around + self.phase[1])
        )
        if self.kind == "ring":
            wide = np.hypot(blur, 0.08 * radius)
            shape_of = np.exp(-0.5 * ((far - radius) / wide) ** 2)
        elif self.kind == "sidelobes":
            period = max(1.7 * beam, 0.4 * radius)
            wave = np.cos(2.0 * np.pi * np.hypot(u, v * self.axis) / period)
            arms = np.cos(3.0 * around + self.phase[1]) ** 2 if self.arms else 1.0
            core = self._body(u, v, radius, beam)
            shape_of = (
                np.maximum(wave, 0.0) ** 2
                * arms
                * np.exp(-0.5 * (far / (0.8 * radius)) ** 2)
                * (far > 0.5 * period)
            )
        elif self.kind == "stripes":
            period = max(1.7 * beam, 0.5 * radius)
            core = self._body(u, v, radius, beam)
            wave = np.cos(2.0 * np.pi * u / period + self.phase[0])
            shape_of = np.maximum(wave, 0.0) ** 2 * np.exp(-0.5 * (far / (0.8 * radius)) ** 2)
        else:  # a shell of a tenth of its radius, seen through
            outer, within = 1.05 * radius, 0.85 * radius
            chord = np.sqrt(np.maximum(outer**2 - far**2, 0.0)) - np.sqrt(np.maximum(within**2 - far**2, 0.0))
            shape_of = ndimage.gaussian_filter(chord / max(chord.max(), 1e-9), blur)
            shape_of /= max(shape_of.max(), 1e-9)
        return np.asarray(contrast * patchy * shape_of + core)

    def _body(self, u: Floats, v: Floats, radius: float, beam: float) -> Floats:
        """The source that artefacts lie around."""
        wide = np.hypot(beam / 2.3548, self.wide * 0.5 * radius)
        return np.asarray(np.exp(-0.5 * ((u / wide) ** 2 + (v / np.hypot(beam / 2.3548, 0.3 * wide)) ** 2)))


def _noise(host: Floats, source: Bools) -> float:
    """The noise of a cut-out, by what it leaves above the cut at three times itself."""
    outside = host[(host > 0.0) & ~ndimage.binary_dilation(source, iterations=3)]
    excess = float(np.median(outside)) if outside.size > 20 else 0.005 * host.max()
    return float(np.clip(excess / _EXCESS, 0.003 * host.max(), 0.05 * host.max()))


def _correlated(shape: tuple[int, ...], beam: float, rng: np.random.Generator) -> Floats:
    """Noise of unit variance with the beam as its form."""
    made = ndimage.gaussian_filter(rng.normal(size=shape), beam / 2.3548 / np.sqrt(2.0), mode="wrap")
    return np.asarray(made / made.std())
