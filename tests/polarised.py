"""Made skies in Stokes I, Q, U and V with known polarisation, for tests and benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tests import images, skies

from skysift.sky.image import SkyImage

LETTERS = "IQUV"


@dataclass(frozen=True)
class Sky:
    """Four maps of one sky, and the true fluxes (Jy) of its sources: letter -> (source,)."""

    maps: dict[str, SkyImage]
    truth: dict[str, np.ndarray]
    x: np.ndarray
    y: np.ndarray


def sky(
    shape: tuple[int, int],
    x: np.ndarray,
    y: np.ndarray,
    total: np.ndarray,
    *,
    fraction_p: np.ndarray | float = 0.0,
    angle: np.ndarray | float = 0.0,
    fraction_v: np.ndarray | float = 0.0,
    v_alone: Sequence[tuple[float, float, float]] = (),
    size: float = 0.0,
    rms: float = images.RMS,
    beam_px: tuple[float, float, float] = images.ROUND,
    seed: int = 0,
    letters: str = LETTERS,
    **place: object,
) -> Sky:
    """The maps of sources at (x, y) with `total` fluxes; `v_alone`: (x, y, flux) of sources in V without I.

    The angle of the electric vector runs from north through east: Q = p I cos 2 angle, U = p I sin 2 angle. Noise is
    independent in the four maps. `size`: intrinsic FWHM of all sources (pixels).
    """
    turn = 2.0 * np.radians(np.broadcast_to(angle, np.shape(total)))
    truth = {
        "I": np.asarray(total, float),
        "Q": total * fraction_p * np.cos(turn),
        "U": total * fraction_p * np.sin(turn),
        "V": np.asarray(total * fraction_v),
    }
    maps = {}
    for number, letter in enumerate(letters):
        sources = np.zeros(len(total), skies.SOURCE)
        sources["kind"], sources["x"], sources["y"] = "gaussian" if size else "point", x, y
        sources["total"], sources["dmaj"], sources["dmin"] = truth[letter], size, size
        if letter == "V" and v_alone:
            more = np.concatenate([images.source(*one) for one in v_alone])
            sources = np.concatenate([sources, more])
        data, _ = skies.paint(shape, beam_px, rms=rms, sources=sources, seed=1000 * seed + number)
        maps[letter] = images.image(data, beam_px, **(place or {"centre": (180.0, -30.0)}))
    return Sky(maps, truth, np.asarray(x), np.asarray(y))


def lattice(n: int, step: int = 30) -> tuple[tuple[int, int], np.ndarray, np.ndarray]:
    """The shape of a map with n x n isolated places, and these, off the centres of pixels."""
    rng = np.random.default_rng(n)
    y, x = np.mgrid[0:n, 0:n] * float(step) + step / 2
    jitter = rng.uniform(-0.5, 0.5, (2, n * n))
    return (n * step, n * step), x.ravel() + jitter[0], y.ravel() + jitter[1]
