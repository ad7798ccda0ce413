"""The completeness curve against closed forms, and the report of made sources."""

import math

import numpy as np
import pytest
from scipy.special import ndtr

from skysift.score.curve import CompletenessCurve, fit_curve
from skysift.score.recovery import Recovery, Searches, recovery_report
from skysift.score.scorer import reports_from_json, reports_to_json


def made(n=4000, middle=5.0, width=0.08, ceiling=0.97, seed=1):
    """Strengths and what was found of them, by a curve that is known."""
    rng = np.random.default_rng(seed)
    strength = 10 ** rng.uniform(0.0, 2.0, n)
    share = ceiling * ndtr((np.log10(strength) - math.log10(middle)) / width)
    return strength, rng.uniform(size=n) < share


def test_the_curve_that_was_drawn_from_comes_back():
    curve = fit_curve(*made())
    assert curve.middle == pytest.approx(5.0, rel=0.03)
    assert curve.width == pytest.approx(0.08, rel=0.15)
    assert curve.ceiling == pytest.approx(0.97, abs=0.015)


@pytest.mark.parametrize(("width", "ceiling"), [(0.02, 1.0), (0.3, 0.6), (0.6, 0.9)])
def test_narrow_wide_and_low_curves_come_back_too(width, ceiling):
    strength, found = made(width=width, ceiling=ceiling, middle=12.0)
    curve = fit_curve(strength, found)
    for at in (4.0, 12.0, 30.0):
        exact = ceiling * ndtr(math.log10(at / 12.0) / width)
        assert curve.at(at) == pytest.approx(exact, abs=0.06)


def test_a_level_is_where_the_curve_reaches_it():
    curve = CompletenessCurve(5.0, 0.1, 0.9)
    for share in (0.1, 0.45, 0.8):
        assert curve.at(curve.reaches(share)[0]) == pytest.approx(share)
    assert math.isnan(curve.reaches(0.95)[0])
    assert curve.reaches(0.45)[0] == pytest.approx(5.0)


def test_intervals_hold_the_truth_as_often_as_they_say():
    true = CompletenessCurve(5.0, 0.08, 0.97).reaches(0.5)[0]
    inside = 0
    for seed in range(20):
        _, low, high = fit_curve(*made(n=600, seed=seed)).reaches(0.5)
        inside += low <= true <= high
    assert inside >= 16  # of 20, where 95 % are expected


def test_there_is_no_curve_where_all_or_none_are_found():
    for found in (np.zeros(50, bool), np.ones(50, bool)):
        curve = fit_curve(np.linspace(1, 10, 50), found)
        assert math.isnan(curve.middle)
        assert all(math.isnan(value) for value in curve.reaches(0.5))


def recovery(n=2000, seed=2):
    rng = np.random.default_rng(seed)
    snr, found = made(n, seed=seed)
    flux, err = snr * 1e-3, np.full(n, 1e-3)
    nothing = np.where(found, 0.0, np.nan)
    noise = rng.normal(0.0, 1.0, (3, n))
    return Recovery(
        rng.uniform(0, 400, n), rng.uniform(0, 300, n), flux, snr, found, flux + 1e-3 * noise[0] + nothing,
        err + nothing, 0.1 * noise[1] + nothing, 0.1 * noise[2] + nothing, 0.1 + nothing, 0.1 + nothing,
    )  # fmt: skip


def test_the_report_tells_levels_fluxes_and_reliability():
    searches = Searches(np.array([4.5, 5.5, 6, 8, 20, 50.0]), np.array([4.6]))
    report = recovery_report(recovery(), searches, (300, 400), rule="so and so")
    n = report.numbers
    assert n["snr_50"] == pytest.approx(5.0, rel=0.08)
    assert n["flux_50"] == pytest.approx(5e-3, rel=0.08)
    assert n["snr_50_low"] < n["snr_50"] < n["snr_50_high"]
    assert n["flux_pull_width"] == pytest.approx(1.0, abs=0.1)
    assert n["position_pull_width"] == pytest.approx(1.0, abs=0.1)
    assert n["reliability"] == pytest.approx(1 - 1 / 6)
    table = report.tables["reliability"]
    assert table["n_negative"][:3] == [1, 1, 0]
    assert sum(report.tables["cells"]["n"]) == int((recovery().flux >= n["flux_80"]).sum())
    assert reports_from_json(reports_to_json([report]), "x")[0].numbers["snr_50"] == n["snr_50"]


def test_every_made_source_is_in_one_bin():
    report = recovery_report(recovery(), Searches(np.empty(0)), (300, 400))
    for against in ("snr", "flux"):
        assert sum(report.tables[against]["n"]) == 2000
        assert sum(report.tables[against]["found"]) == report.numbers["n_found"]


def test_nothing_found_is_a_report_of_dashes():
    r = recovery(60)
    none = np.full(60, np.nan)
    lost = Recovery(r.x, r.y, r.flux, r.snr, np.zeros(60, bool), none, none, none, none, none, none)
    report = recovery_report(lost, Searches(np.empty(0), np.empty(0)), (300, 400))
    assert math.isnan(report.numbers["flux_50"])
    assert math.isnan(report.numbers["reliability"])
    assert '"flux_50": null' in reports_to_json([report])
