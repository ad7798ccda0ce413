"""Lists of detections and of truth, for which the official package's answers are kept in `sdc_scores.csv`.

The lists are made anew wherever they are needed, by a counter and a hash, so that they are the same in every
environment: this file needs nothing but numpy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

SDC1 = [
    "id",
    "ra_core",
    "dec_core",
    "ra_cent",
    "dec_cent",
    "flux",
    "core_frac",
    "b_maj",
    "b_min",
    "pa",
    "size",
    "class",
]
SDC2 = ["id", "ra", "dec", "hi_size", "line_flux_integral", "central_freq", "pa", "i", "w20"]
WIDTH = {560: 0.6723, 1400: 0.2688, 9200: 0.04092}  # deg, of the training box


@dataclass(frozen=True)
class Case:
    """Two lists and how to score them."""

    name: str
    challenge: int
    found: dict[str, np.ndarray]
    true: dict[str, np.ndarray]
    frequency: int = 0  # MHz
    train: bool = False
    centroid: bool = False


class Numbers:
    """Numbers that a seed gives, the same on every machine and with every numpy: splitmix64 of a counter."""

    def __init__(self, seed: int) -> None:
        self.count = seed << 40

    def uniform(self, low: float, high: float, n: int) -> np.ndarray:
        z = (np.arange(n, dtype=np.uint64) + np.uint64(self.count)) * np.uint64(0x9E3779B97F4A7C15)
        self.count += n
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
        z ^= z >> np.uint64(31)
        return low + (high - low) * ((z >> np.uint64(11)).astype(np.float64) / 2.0**53)

    def normal(self, n: int) -> np.ndarray:
        radius = np.sqrt(-2.0 * np.log(1.0 - self.uniform(0.0, 1.0, n)))
        return radius * np.cos(2.0 * math.pi * self.uniform(0.0, 1.0, n))

    def among(self, values: tuple[float, ...], n: int) -> np.ndarray:
        return np.array(values)[np.minimum(self.uniform(0, len(values), n).astype(int), len(values) - 1)]


def cases() -> list[Case]:
    """All of them."""
    return [*sdc1_random(), *sdc1_edges(), *sdc2_random(), *sdc2_edges()]


def rows(columns: dict[str, np.ndarray], picked: object) -> dict[str, np.ndarray]:
    return {name: values[picked] for name, values in columns.items()}


def changed(columns: dict[str, np.ndarray], **new: object) -> dict[str, np.ndarray]:
    """The columns with some replaced, by values or by functions of what they were."""
    result = {name: values.copy() for name, values in columns.items()}
    for name, value in new.items():
        old = result[name]
        result[name] = value(old) if callable(value) else np.broadcast_to(value, old.shape).copy()
    return result


def stacked(*lists: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([each[name] for each in lists]) for name in lists[0]}


# -- SDC1


def sdc1_truth(seed: int, n: int, frequency: int, area: float = 1.0) -> dict[str, np.ndarray]:
    """Objects over the training box and as much beside it; `area` is the side in terms of the box."""
    u = Numbers(seed)
    side, beam = WIDTH[frequency] * area, 0.25 * 1400 / frequency
    ra, dec = u.uniform(-side, side, n), -29.94 + u.uniform(-side, side, n)
    size = u.among((1, 2, 2, 3, 3, 3), n)
    major = beam * np.exp(0.9 * u.normal(n)) * np.where(size == 1, 3.0, 1.0)
    near = np.where(size == 1, 0.2 * major / 3600.0, 0.0)
    return {
        "id": np.arange(1, n + 1) * 7,
        "ra_core": ra,
        "dec_core": dec,
        "ra_cent": ra + near * u.normal(n),
        "dec_cent": dec + near * u.normal(n),
        "flux": 1e-7 * np.exp(1.5 * u.normal(n)),
        "core_frac": np.where(size == 3, 0.0, u.uniform(0.0, 1.0, n)),
        "b_maj": major,
        "b_min": major * u.uniform(0.2, 1.0, n),
        "pa": u.uniform(-90.0, 360.0, n),
        "size": size,
        "class": u.among((1, 2, 3, 3), n),
    }


def sdc1_found(
    seed: int, true: dict[str, np.ndarray], frequency: int, error: float = 1.0
) -> dict[str, np.ndarray]:
    """Detections of two thirds of the truth, each with errors, in another order, and some of nothing."""
    u = Numbers(seed)
    beam = 0.25 * 1400 / frequency
    found = rows(true, u.uniform(0, 1, len(true["id"])) < 0.67)
    n = len(found["id"])
    shift = {name: 0.25 * error * beam / 3600.0 * u.normal(n) for name in ("ra", "dec")}
    found = changed(
        found,
        **{
            f"{axis}_{of}": lambda old, axis=axis: old + shift[axis]
            for axis in shift
            for of in ("core", "cent")
        },
        flux=lambda old: old * np.exp(0.15 * error * u.normal(n)),
        b_maj=lambda old: old * np.exp(0.3 * error * u.normal(n)),
        b_min=lambda old: old * np.exp(0.3 * error * u.normal(n)),
        core_frac=lambda old: np.abs(old + 0.05 * error * u.normal(n)),
        pa=lambda old: old + 15.0 * error * u.normal(n),
        size=lambda old: np.where(u.uniform(0, 1, n) < 0.7, old, u.among((1, 2, 3), n)),
        **{"class": lambda old: np.where(u.uniform(0, 1, n) < 0.7, old, u.among((1, 2, 3), n))},
    )
    false = sdc1_truth(seed + 1000, max(n // 4, 1), frequency)
    both = stacked(found, false)
    order = np.argsort(u.uniform(0, 1, len(both["id"])), kind="stable")
    return changed(rows(both, order), id=np.arange(1, len(order) + 1))


def sdc1_random() -> list[Case]:
    made, seed = [], 1
    for frequency in WIDTH:
        for train in (False, True):
            for n, area, error in (
                (1, 0.5, 1.0),
                (12, 0.6, 0.5),
                (150, 1.0, 1.0),
                (3000, 1.0, 2.0),
                (4000, 0.02, 1.0),
            ):
                centroid = seed % 3 == 0
                true = sdc1_truth(seed, n, frequency, area)
                found = sdc1_found(seed + 500, true, frequency, error)
                name = f"random-{frequency}-{'train' if train else 'test'}-{n}-{seed}"
                made.append(Case(name, 1, found, true, frequency, train, centroid))
                seed += 1
    return made


def sdc1_edges() -> list[Case]:
    true = sdc1_truth(91, 400, 1400)
    found = sdc1_found(92, true, 1400)
    n, m = len(found["id"]), len(true["id"])
    some = np.arange(n) % 7 == 0
    here = Numbers(93)

    def case(name: str, a: dict[str, np.ndarray], b: dict[str, np.ndarray], **more: object) -> Case:
        return Case(name, 1, a, b, **{"frequency": 1400, **more})

    zero_core = np.arange(n) % 2 == 0
    return [
        case("itself", true, true),
        case("itself-train", true, true, train=True),
        case("no-match", changed(found, dec_core=lambda old: old - 5.0), true),
        case("nothing-in-the-box", changed(found, dec_core=10.0), true, train=True),
        case("far-in-flux", changed(found, flux=lambda old: old * 30.0), true),
        case("one-row", rows(found, slice(0, 1)), true),
        case("one-row-each", rows(true, slice(3, 4)), rows(true, slice(3, 4))),
        case(
            "one-row-each-off",
            changed(rows(true, slice(3, 4)), flux=lambda old: 1.3 * old),
            rows(true, slice(3, 4)),
        ),
        case("empty", rows(found, slice(0, 0)), true),
        case("twice", stacked(found, changed(found, id=lambda old: old + n)), true),
        case("ids-twice", stacked(found, rows(found, some)), true),
        case("ids-all-one", changed(found, id=5), true),
        case("truth-ids-twice", found, changed(true, id=lambda old: old // 14)),
        case("ids-in-another-order", changed(found, id=lambda old: (old * 37) % 1009), true),
        case(
            "nan",
            changed(
                found,
                flux=lambda old: np.where(some, np.nan, old),
                pa=lambda old: np.where(old > 300, np.nan, old),
            ),
            true,
        ),
        case(
            "nan-in-truth",
            found,
            changed(true, b_min=lambda old: np.where(np.arange(m) % 5 == 0, np.nan, old)),
        ),
        case("zero-sizes", changed(found, b_maj=lambda old: np.where(some, 0.0, old), b_min=0.0), true),
        case(
            "zero-sizes-in-truth",
            found,
            changed(true, b_maj=lambda old: np.where(np.arange(m) % 3 == 0, 0.0, old), b_min=0.0),
        ),
        case("zero-sizes-in-both", changed(found, b_maj=0.0, b_min=0.0), changed(true, b_maj=0.0, b_min=0.0)),
        case(
            "zero-flux-in-truth",
            found,
            changed(true, flux=lambda old: np.where(np.arange(m) % 4 == 0, 0.0, old)),
        ),
        case("negative-flux", changed(found, flux=lambda old: np.where(some, -old, old)), true),
        case(
            "negative-core",
            changed(found, core_frac=lambda old: np.where(zero_core, 0.0, np.where(some, -0.1, old))),
            true,
        ),
        case(
            "negative-axes",
            changed(
                found,
                b_maj=lambda old: np.where(some, -old, old),
                b_min=lambda old: np.where(zero_core, 0.0, old),
            ),
            true,
        ),
        case("wrap", changed(found, ra_core=lambda old: old % 360.0, ra_cent=lambda old: old % 360.0), true),
        case(
            "wrap-in-truth",
            found,
            changed(true, ra_core=lambda old: old % 360.0, ra_cent=lambda old: old % 360.0),
        ),
        case(
            "other-size-ids",
            changed(found, size=lambda old: np.where(some, 4, np.where(zero_core, 0, old))),
            true,
        ),
        case(
            "other-size-ids-in-truth",
            found,
            changed(true, size=lambda old: np.where(np.arange(m) % 3 == 0, 0, old)),
        ),
        case(
            "angles",
            changed(found, pa=here.uniform(-700, 700, n)),
            changed(true, pa=here.uniform(-700, 700, m)),
        ),
        case(
            "whole-angles",
            changed(found, pa=here.among((-180, -90, -45, 0, 45, 90, 135, 180, 270, 360), n)),
            changed(true, pa=here.among((-90, -45, 0, 45, 90, 180, 225), m)),
        ),
        case("large", changed(found, b_maj=lambda old: 200.0 * old), true),
        case("centroid", changed(found, ra_core=lambda old: old + 1.0), true, centroid=True),
        case("far-cores", changed(found, ra_cent=lambda old: old + 1.0), true),
        case(
            "north",
            *(
                changed(each, dec_core=lambda old: old + 110.0, dec_cent=lambda old: old + 110.0)
                for each in (found, true)
            ),
        ),
    ]


# -- SDC2


def sdc2_truth(seed: int, n: int, side: float) -> dict[str, np.ndarray]:
    """Galaxies in a square of this half side (deg)."""
    u = Numbers(seed)
    return {
        "id": np.arange(1, n + 1) * 3,
        "ra": 180.0 + u.uniform(-side, side, n) / math.cos(math.radians(30.0)),
        "dec": -30.0 + u.uniform(-side, side, n),
        "hi_size": 6.0 * np.exp(0.4 * u.normal(n)),
        "line_flux_integral": 20.0 * np.exp(u.normal(n)),
        "central_freq": u.uniform(0.95e9, 1.15e9, n),
        "pa": u.uniform(0.0, 360.0, n),
        "i": u.uniform(0.0, 90.0, n),
        "w20": 200.0 * np.exp(0.4 * u.normal(n)),
    }


def sdc2_found(seed: int, true: dict[str, np.ndarray], share: float = 0.67) -> dict[str, np.ndarray]:
    """Detections of a part of the truth, each with errors, a tenth of them in two pieces, and some of nothing."""
    u = Numbers(seed)
    found = rows(true, u.uniform(0, 1, len(true["id"])) < share)
    found = stacked(found, rows(found, u.uniform(0, 1, len(found["id"])) < 0.1))
    n = len(found["id"])
    found = changed(
        found,
        ra=lambda old: old + 2.0 / 3600.0 * u.normal(n),
        dec=lambda old: old + 2.0 / 3600.0 * u.normal(n),
        hi_size=lambda old: old * np.exp(0.3 * u.normal(n)),
        line_flux_integral=lambda old: old * np.exp(0.2 * u.normal(n)),
        central_freq=lambda old: old + 1.5e5 * u.normal(n),
        pa=lambda old: (old + 15.0 * u.normal(n)) % 360.0,
        i=lambda old: old + 10.0 * u.normal(n),
        w20=lambda old: old * np.exp(0.3 * u.normal(n)),
    )
    both = stacked(found, sdc2_truth(seed + 1000, max(n // 4, 1), 0.5))
    order = np.argsort(u.uniform(0, 1, len(both["id"])), kind="stable")
    return changed(rows(both, order), id=np.arange(1, len(order) + 1))


def sdc2_random() -> list[Case]:
    made = []
    for seed, (n, side) in enumerate(
        ((1, 0.1), (10, 0.2), (100, 0.5), (2000, 0.5), (2000, 0.03), (500, 5.0)), 201
    ):
        true = sdc2_truth(seed, n, side)
        made.append(Case(f"random-{n}-{seed}", 2, sdc2_found(seed + 500, true), true))
    return made


def sdc2_edges() -> list[Case]:
    true = sdc2_truth(291, 300, 0.4)
    found = sdc2_found(292, true)
    n, m = len(found["id"]), len(true["id"])
    some, few = np.arange(n) % 7 == 0, np.arange(m) % 5 == 0
    u = Numbers(293)

    def case(name: str, a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> Case:
        return Case(name, 2, a, b)

    return [
        case("itself", true, true),
        case("no-match", changed(found, dec=lambda old: old + 3.0), true),
        case("far-in-flux", changed(found, line_flux_integral=lambda old: 9.0 * old), true),
        case("far-in-width", changed(found, w20=lambda old: 5.0 * old), true),
        case("one-row", rows(found, slice(0, 1)), true),
        case("one-row-each", rows(true, slice(2, 3)), rows(true, slice(2, 3))),
        case("twice", stacked(found, changed(found, id=lambda old: old + n)), true),
        case("ids-twice", stacked(found, rows(found, some)), true),
        case("truth-ids-twice", found, changed(true, id=lambda old: old // 6)),
        case("out-of-band", changed(found, central_freq=lambda old: np.where(some, 1.2e9, old)), true),
        case("truth-out-of-band", found, changed(true, central_freq=lambda old: np.where(few, 0.9e9, old))),
        case(
            "zero-widths",
            changed(found, w20=lambda old: np.where(some, 0.0, old)),
            changed(true, w20=lambda old: np.where(few, 0.0, old)),
        ),
        case(
            "zero-sizes",
            changed(found, hi_size=0.0),
            changed(true, hi_size=lambda old: np.where(few, 0.0, old)),
        ),
        case(
            "zero-flux-in-truth", found, changed(true, line_flux_integral=lambda old: np.where(few, 0.0, old))
        ),
        case("wide", changed(found, w20=lambda old: 40.0 * old), true),
        case("large", changed(found, hi_size=lambda old: 10.0 * old), true),
        case("angles", changed(found, pa=u.uniform(-720, 720, n), i=u.uniform(-90, 180, n)), true),
        case("wrap", changed(found, ra=lambda old: old - 360.0), true),
        case("nan", changed(found, i=lambda old: np.where(some, np.nan, old)), true),
    ]
