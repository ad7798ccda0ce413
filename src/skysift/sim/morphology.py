"""The shapes of galaxies as sums of Gaussians: discs, and radio galaxies of each kind, many at a time.

A radio galaxy is sketched along its own axis: x along the jets, y across, a unit length a side, its core in the
middle. The sketches are drawings, not fluid dynamics: what they copy of the radio sky is said, with its reference,
in the function of each kind. Sketches know nothing of size, flux and place on the sky; `shapes` gives them those.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from skysift.sim.strokes import Dice, Part, Sketch, cocoon, doppler, jet, part, path, plume

__all__ = ["DISC_SIGMA", "DISC_WEIGHT", "KINDS", "sketch"]

Floats = NDArray[np.float64]

# An exponential disc exp(-r) as a sum of Gaussians (Hogg & Lang 2013, PASP 125, 719): own coefficients, fitted so
# that the profile is right to 0.4 % from 0.1 to 5 scale lengths; parts of the flux, and sigmas in scale lengths.
DISC_WEIGHT = np.array([0.000640, 0.010749, 0.077585, 0.270266, 0.448645, 0.192115])
DISC_SIGMA = np.array([0.085492, 0.248282, 0.547460, 1.009050, 1.684218, 2.723593])


def sketch(kind: str, n: int, rng: np.random.Generator) -> Sketch:
    """The outlines of `n` radio galaxies of one of `KINDS`."""
    parts = KINDS[kind](Dice(rng, n))
    x, y, flux, along, across, angle, tilt = (
        np.concatenate(column, axis=1) for column in zip(*parts, strict=True)
    )
    flux = flux / flux.sum(axis=1, keepdims=True)
    tilt = tilt - (flux * tilt).sum(axis=1, keepdims=True)
    return Sketch(x, y, flux, along, across, angle, tilt)


def _fr2(dice: Dice) -> list[Part]:
    """Edge-brightened doubles (Fanaroff & Riley 1974, MNRAS 167, 31P).

    Hot spots at the ends with a tenth to a half of the flux of a lobe, at times a second one inward of the first; lobes
    3 to 7 times as long as wide that fade towards the core, to which bridges may reach; one-sided thin jets with
    some per cent of the flux (Bridle et al. 1994, AJ 108, 766; Mullin et al. 2008, MNRAS 390, 595). Spectra steepen
    from the hot spots back to the core (Alexander & Leahy 1987, MNRAS 225, 1).
    """
    bend, bright = dice.normal(0.0, 0.05), doppler(dice, 0.8)
    width, wing = dice.around(0.20, 0.13), dice.normal(0.0, 0.10)
    rise, near, spots = dice.between(0.25, 0.85), dice.between(0.02, 0.5), dice.around(0.24, 0.25)
    jets = dice.around(0.012, 0.35)
    parts = []
    for side in (1, -1):
        reach = 1.0 - (dice.between(0.0, 0.3) if side < 0 else 0.0 * near)
        turn = bend * side + dice.normal(0.0, 0.03)
        lobe = cocoon(
            dice, side, reach * near * dice.between(0.6, 1.0), reach, width * reach * dice.around(1.0, 0.06),
            turn, wing, rise, 40,
        )  # fmt: skip
        share = dice.around(1.0, 0.10)
        lobe = lobe.times(share)
        size = reach * dice.around(0.020, 0.12, 3) * np.array([1.0, 1.5, 2.6])
        hot = np.minimum(spots * dice.around(1.0, 0.15), 1.2) * share * np.array([0.6, 0.25, 0.35])
        hot[:, 1:2] *= dice.between(0.0, 1.0) > 0.35
        x = reach * (1.0 - np.array([0.025, 0.07, 0.09]) * dice.between(0.8, 1.3, 3))
        y = width * reach * np.array([0.15, 0.45, 0.2]) * dice.normal(0.0, 1.0, 3)
        y = np.clip(y, -0.5 * width, 0.5 * width) + x * turn * side
        spot = part(side * x, y, hot, 0.7 * size, size, dice.normal(0.0, 0.3, 3), np.asarray(0.20))
        parts += [lobe, spot, jet(dice, side, 0.94 * reach, jets, bright, turn)]
    return parts


def _fr1(dice: Dice) -> list[Part]:
    """Edge-darkened doubles: thin jets that flare, widen and fade into plumes (Fanaroff & Riley 1974).

    A faint thin base up to a flare at a tenth of the length, where the jet brightens and opens; from there it widens,
    meanders and fades (3C 31, Laing et al. 2008, MNRAS 386, 657). The base is beamed, so that its sides differ, the
    plumes are not. Every third has lobes around the jets instead of tails (as 3C 296). Spectra steepen outwards
    (Parma et al. 1999, A&A 344, 7).
    """
    bright, opening = doppler(dice, 0.7), dice.between(0.16, 0.34)
    swing, flare = np.abs(dice.normal(0.0, 0.60)), dice.between(0.06, 0.14)
    lobed = dice.between(0.0, 1.0) > 0.67
    parts, m = [], 44
    t = ((np.arange(m) + 0.5) / m) ** 1.35 * np.ones((dice.n, 1))
    both, mirror = (
        dice.wave(t),
        np.sign(dice.between(-1.0, 1.0)),
    )  # bends that the two sides share, as a C or an S
    for side in (1, -1):
        reach = 1.0 - (dice.between(0.0, 0.35) if side < 0 else 0.0 * flare)
        step = reach * np.diff(np.concatenate([np.zeros((dice.n, 1)), t], axis=1), axis=1)
        heading = swing * np.minimum(3.0 * t, 1.0) * (0.8 * mirror ** (side < 0) * both + 0.5 * dice.wave(t))
        x, y = path(heading, step)
        after = np.maximum(t - flare, 0.0)
        before = t < flare
        half = reach * np.where(before, 0.012 + 0.02 * t / flare, 0.032 + opening * after**0.85)
        light = np.where(before, 0.5, 1.0) / (0.10 + after) ** 1.1 * np.maximum(1.0 - t**3, 0.05)
        light = light * bright ** (side * np.exp(-t / 0.18))
        light = np.where(lobed, 0.45 * light * np.maximum(1.0 - 1.1 * t, 0.0), light)
        tail = plume(dice, x, y, heading, step, half, light * step, 0.18 * (0.35 - t))
        parts.append(tail.on(side))
        total = tail.flux.sum(axis=1, keepdims=True)
        inner = reach * dice.between(0.2, 0.45)
        lobe = cocoon(
            dice, side, inner, reach * (1.0 + 0.0 * inner), reach * dice.between(0.24, 0.36), dice.normal(0, 0.1),
            dice.normal(0.0, 0.15), 0.15 + 0.0 * inner, 24, clump=0.15,
        )  # fmt: skip
        whole = lobe.flux.sum(axis=1, keepdims=True)
        lobe = lobe.times(np.where(lobed, 1.1 * total / whole, 0.0))
        parts.append(lobe._replace(tilt=lobe.tilt - 0.15))
    return parts


def _swept(
    dice: Dice, final: Floats, begin: Floats, end: Floats, hot: Floats, fade: Floats, half: Floats
) -> list[Part]:
    """Two tails that are bent back together: from along the jets at `begin` to the angle `final` at `end`."""
    bright, parts, m = doppler(dice, 0.5), [], 46
    launch = dice.normal(0.0, 0.12)
    for side in (1, -1):
        t = ((np.arange(m) + 0.5) / m) ** 1.25 * np.ones((dice.n, 1))
        reach = 1.0 - (dice.between(0.0, 0.3) if side < 0 else 0.0 * final)
        step = reach * np.diff(np.concatenate([np.zeros((dice.n, 1)), t], axis=1), axis=1)
        turned = np.clip((t - begin) / (end - begin), 0.0, 1.0)
        turned = turned * turned * (3.0 - 2.0 * turned)
        heading = -(final * turned) + side * launch * (1.0 - turned) + 0.22 * t * dice.wave(t)
        x, y = path(heading, step)
        width = half * (0.16 + 0.84 * np.clip((t - 0.6 * begin) / (1.0 - 0.6 * begin), 0.0, 1.0) ** 0.8)
        light = np.exp(-fade * np.maximum(t - hot, 0.0)) * np.where(t < 0.7 * hot, 0.30, 1.0)
        light = light * bright ** (side * np.exp(-t / 0.1)) * np.maximum(1.0 - t**6, 0.05)
        light = light * (1.0 + 2.2 * np.exp(-0.5 * ((t - hot) / 0.03) ** 2))
        tail = plume(dice, x, y, heading, step, width, light * step, 0.7 * (0.3 - t))
        parts.append(tail.on(side))
    return parts


def _bent(dice: Dice) -> list[Part]:
    """Wide-angle tails: straight jets that end in a bright flare, and plumes swept back by 30 to 70 degrees.

    As in clusters, where the galaxy moves or the gas flows (Owen & Rudnick 1976, ApJ 205, L1; O'Donoghue et al.
    1993, ApJ 408, 428): the tails' opening angle stays above 90 degrees or so.
    """
    final = np.radians(dice.between(30.0, 70.0))
    hot = dice.between(0.16, 0.34)
    return _swept(
        dice, final, hot, hot + dice.between(0.15, 0.35), hot, dice.between(1.0, 2.6), dice.around(0.13, 0.12)
    )


def _head_tail(dice: Dice) -> list[Part]:
    """Narrow-angle tails: jets swept back right at the head, and two tails that run together and fade.

    (Ryle & Windram 1968, MNRAS 138, 1; Miley et al. 1972, Nature 237, 269.) The tails' spectra steepen by one half or so
    along their length.
    """
    final = np.radians(dice.between(84.0, 93.0))
    return _swept(
        dice, final, 0.0 * final, dice.between(0.04, 0.13), dice.between(0.02, 0.05), dice.between(1.6, 3.2),
        dice.around(0.085, 0.12),
    )  # fmt: skip


def _double_double(dice: Dice) -> list[Part]:
    """Two pairs of lobes on one axis: an old pair without hot spots, a young narrow pair inside.

    (Schoenmakers et al. 2000, MNRAS 315, 371.) The young pair spans 0.15 to 0.5 of the old, is aligned within some
    degrees, and has hot spots.
    """
    bend, parts = dice.normal(0.0, 0.03), []
    width, share = dice.around(0.19, 0.08), dice.between(0.12, 0.45)
    young, thin = dice.between(0.15, 0.5), dice.around(0.10, 0.10)
    for side in (1, -1):
        reach = 1.0 - (dice.between(0.0, 0.2) if side < 0 else 0.0 * young)
        outer = cocoon(
            dice, side, reach * dice.between(0.45, 0.6), reach, width * reach, bend + dice.normal(0.0, 0.02),
            dice.normal(0.0, 0.06), dice.between(0.3, 0.6), 36, clump=0.15,
        )  # fmt: skip
        warm = dice.around(0.04, 0.15)
        cap = part(
            side * 0.93 * reach, bend * reach + 0.3 * width * dice.normal(), warm, 0.6 * width, 0.6 * width,
            0.0 * warm, np.asarray(0.05),
        )  # fmt: skip
        end = young * reach * dice.between(0.8, 1.0)
        turn = bend + dice.normal(0.0, 0.02)
        inner = cocoon(dice, side, 0.35 * end, end, thin * end * 1.4, turn, 0.0 * end, 0.7 + 0.0 * end, 16)
        spot = part(
            side * 0.96 * end, end * turn, 0.35 * dice.around(1.0, 0.2), 0.04 * end, 0.05 * end, 0.0 * end,
            np.asarray(0.15),
        )  # fmt: skip
        parts += [outer, cap]
        parts += [each.times(share)._replace(tilt=each.tilt + 0.2) for each in (inner, spot)]
        parts.append(jet(dice, side, 0.9 * end, 0.02 * share, 1.0 + 0.0 * end, turn, m=6))
    return parts


def _remnant(dice: Dice) -> list[Part]:
    """Dead lobes: smooth, wide, blended, without core, jets and hot spots (Murgia et al. 2011, A&A 526, A148)."""
    width, parts = dice.between(0.24, 0.50), []
    for side in (1, -1):
        reach = 1.0 - (dice.between(0.0, 0.25) if side < 0 else 0.0 * width)
        lobe = cocoon(
            dice, side, reach * dice.between(0.0, 0.25), reach, width * reach, dice.normal(0.0, 0.12),
            dice.normal(0.0, 0.15), dice.between(0.0, 0.3), 30, clump=0.10,
        )  # fmt: skip
        t = np.abs(lobe.x)
        light = (0.35 + np.sin(np.pi * np.clip(t / reach, 0.0, 1.0))) * dice.around(1.0, 0.08)
        along, across = np.maximum(lobe.along, 0.34 * width), np.maximum(lobe.across, 0.28 * width)
        parts.append(lobe.times(light)._replace(along=along, across=across, tilt=0.3 * lobe.tilt))
    return parts


def _compact(dice: Dice) -> list[Part]:
    """A small double: one round Gaussian a lobe."""
    ratio, arm, size = dice.around(1.0, 0.15), dice.between(0.75, 1.0), dice.between(0.12, 0.25)
    flat = np.zeros_like(ratio)
    return [
        part(1.0 + flat, flat, ratio, 0.9 * size, size, flat, flat),
        part(-arm, flat, 1.0 / ratio, 0.9 * size, size, flat, flat),
    ]


def _one_sided(dice: Dice) -> list[Part]:
    """What is around a core that is seen along its jet: a jet on one side, and the lobe that it ends in, end on."""
    reach, curve = dice.between(0.8, 1.0), dice.normal(0.0, 0.35)
    m = 10
    t = (np.arange(m) + dice.between(0.3, 0.7, m)) / m
    x, y = reach * t, reach * curve * t * t
    knots = dice.around(1.0, 0.30, m) * (1.2 - t) / m
    jet = part(
        x, y, knots, 0.05 * reach, 0.02 * reach + 0.03 * t, np.arctan(2.0 * curve * t), np.asarray(0.05)
    )
    size = dice.between(0.25, 0.40)
    halo = part(0.25 * reach, 0.2 * curve, dice.around(0.6, 0.2), size, size, 0.0 * size, np.asarray(-0.1))
    return [jet, halo]


def _halo(dice: Dice) -> list[Part]:
    """A round halo around a core: a lobe seen end on."""
    none = np.zeros((dice.n, 1))
    return [part(none, none, none + 1.0, none + 0.5, none + 0.5, none, none)]


KINDS: dict[str, Callable[[Dice], list[Part]]] = {
    "FRI": _fr1,
    "FRII": _fr2,
    "bent": _bent,
    "head-tail": _head_tail,
    "double-double": _double_double,
    "remnant": _remnant,
    "compact": _compact,
    "one-sided": _one_sided,
    "halo": _halo,
}
