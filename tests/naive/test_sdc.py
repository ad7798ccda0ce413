"""The scores of the data challenges against loops over every pair."""

import math

import numpy as np
import pytest
from tests.reference import sdc_cases

from skysift.score.sdc1 import score_sdc1
from skysift.score.sdc2 import score_sdc2

FWHM = {1: 2.355 / 5, 2: 1.0, 3: math.sqrt(2)}


def as_rows(columns):
    return [{name: values[i].item() for name, values in columns.items()} for i in range(len(columns["id"]))]


def angle(a, b, ra="ra", dec="dec"):
    """Arcsec between two rows, by the haversine."""
    la, lb, da, db = (math.radians(row[name]) for name in (ra, dec) for row in (a, b))
    h = math.sin((db - da) / 2) ** 2 + math.cos(da) * math.cos(db) * math.sin((lb - la) / 2) ** 2
    return math.degrees(2 * math.asin(math.sqrt(h))) * 3600


def share(error, tolerance):
    return 1.0 if error == 0 else min(1.0, tolerance / error)


def naive_sdc1(found, true, frequency):
    width = 350 / frequency
    found, true = as_rows(found), as_rows(true)

    def convolved(row):
        return math.hypot(max(row["b_maj"], row["b_min"]) * FWHM[row["size"]], width)

    def mean(row):
        return (row["b_maj"] + row["b_min"]) / 2 * FWHM[row["size"]]

    def far(a, b):
        return math.sqrt(
            (angle(a, b, "ra_core", "dec_core") / convolved(b) / 0.93) ** 2
            + (abs(a["flux"] - b["flux"]) / b["flux"] / 0.36) ** 2
            + (abs(mean(a) - mean(b)) / convolved(b) / 4.38) ** 2
        )

    best = {}  # truth -> (distance, detection)
    for a in found:
        near = [
            b
            for b in true
            if math.hypot(a["ra_core"] - b["ra_core"], a["dec_core"] - b["dec_core"]) <= convolved(a) / 3600
        ]
        if near:
            b = min(near, key=lambda b: far(a, b))
            if b["id"] not in best or far(a, b) < best[b["id"]][0]:
                best[b["id"]] = (far(a, b), a, b)
    pairs = [(a, b) for distance, a, b in best.values() if distance < 5]
    return sum(points_sdc1(a, b, width) for a, b in pairs) - (len(found) - len(pairs)) if pairs else 0.0


def points_sdc1(a, b, width):
    def folded(x):
        for limit in (180, 90, 45):
            x -= limit if x > limit else 0
        return x + 45 if x < -45 else x

    size = math.hypot(2 * width, (b["b_maj"] + b["b_min"]) / 2)
    off = min(angle(a, b, f"ra_{of}", f"dec_{of}") for of in ("core", "cent"))
    factor = FWHM[a["size"]] / FWHM[b["size"]]
    return (
        share(off / size, 0.3)
        + share(abs(a["flux"] / b["flux"] - 1), 0.1)
        + share(abs(a["b_maj"] * factor / b["b_maj"] - 1), 0.3)
        + (1 if b["size"] == 1 else share(abs(a["b_min"] * factor / b["b_min"] - 1), 0.3))
        + (1 if b["size"] == 1 else share(abs(folded(a["pa"]) - folded(b["pa"])), 10))
        + share(abs(a["core_frac"] - b["core_frac"]) / 0.75, 0.05)
        + (a["class"] == b["class"])
    ) / 7


def naive_sdc2(found, true):
    light, rest = 299792458.0, 1.420405752e9
    found, true = as_rows(found), as_rows(true)

    def distance(z):
        steps = np.linspace(0, z, 20001)
        return light / 67e3 * np.trapezoid(1 / np.sqrt(0.32 * (1 + steps) ** 3 + 0.68), steps) / (1 + z)

    def place(row):
        d = distance(rest / row["central_freq"] - 1)
        ra, dec, b = math.radians(row["ra"] - 180), math.radians(row["dec"]), math.radians(-30)
        ahead = math.sin(b) * math.sin(dec) + math.cos(b) * math.cos(dec) * math.cos(ra)
        north = math.cos(b) * math.sin(dec) - math.sin(b) * math.cos(dec) * math.cos(ra)
        return np.array([d * math.atan2(math.cos(dec) * math.sin(ra), ahead), d * math.asin(north), d])

    def width(row):
        return row["w20"] * 1000 / (light * rest / row["central_freq"] ** 2)

    def convolved(row):
        return math.hypot(row["hi_size"], 7)

    def far(a, b):
        return [
            angle(a, b) / convolved(b),
            abs(a["central_freq"] - b["central_freq"]) / width(b),
            abs(a["line_flux_integral"] / b["line_flux_integral"] - 1),
            abs(a["hi_size"] - b["hi_size"]) / convolved(b),
            abs(a["w20"] / b["w20"] - 1),
        ]

    places = [place(b) for b in true]
    best = []
    for a in found:
        here = place(a)
        depth = here[2] - distance(rest / (a["central_freq"] + width(a)) - 1)
        reach = max(convolved(a) / 206265 * here[2], depth)
        near = [
            (math.hypot(*far(a, b)), a, b)
            for b, there in zip(true, places, strict=True)
            if np.linalg.norm(here - there) <= reach and far(a, b)[0] < 1 and far(a, b)[1] < 1
        ]
        if near:
            best.append(min(near, key=lambda each: each[0]))
    pairs = [(a, b, sum(other["id"] == b["id"] for _, _, other in best)) for off, a, b in best if off < 5]
    total = sum(points_sdc2(a, b, width(b)) / n for a, b, n in pairs)
    return total - (len(found) - len(pairs)) if pairs else -float(len(found))


def points_sdc2(a, b, width):
    turn = abs((a["pa"] - b["pa"] + 180) % 360 - 180)
    return (
        share(angle(a, b) / math.hypot(14, b["hi_size"]), 0.3)
        + share(abs(a["central_freq"] - b["central_freq"]) / width, 0.3)
        + share(abs(a["line_flux_integral"] / b["line_flux_integral"] - 1), 0.1)
        + share(abs(a["hi_size"] / b["hi_size"] - 1), 0.3)
        + share(turn, 10)
        + share(abs(a["w20"] / b["w20"] - 1), 0.3)
        + share(abs(a["i"] - b["i"]), 10)
    ) / 7


@pytest.mark.parametrize("seed", range(1, 13))
def test_sdc1(seed):
    frequency = (560, 1400, 9200)[seed % 3]
    true = sdc_cases.sdc1_truth(seed, 60, frequency, (0.003, 0.03, 1.0)[seed % 3])
    found = sdc_cases.sdc1_found(seed + 40, true, frequency, 1.5)
    ours = score_sdc1(found, true, frequency, whole=True).value
    assert ours == pytest.approx(naive_sdc1(found, true, frequency), abs=1e-6)


@pytest.mark.parametrize("seed", range(1, 6))
def test_sdc2(seed):
    true = sdc_cases.sdc2_truth(seed, 30, (0.005, 0.02, 1.0)[seed % 3])
    found = sdc_cases.sdc2_found(seed + 40, true)
    assert score_sdc2(found, true).value == pytest.approx(naive_sdc2(found, true), abs=1e-6)
