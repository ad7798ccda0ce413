import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.cosmology import LambdaCDM
from tests.reference import sdc_cases

from skysift.base.errors import UsageError
from skysift.base.registry import Registry
from skysift.io.sdc_rows import SDC2, sdc2_table
from skysift.score.options import Sdc2Options
from skysift.score.sdc2 import Sdc2Scorer, _angular_distance, _offsets, score_sdc2
from skysift.sky.catalogue import Catalogue
from skysift.sky.table import Table
from skysift.sky.truth import Truth


def one(**more):
    """One galaxy, as columns of the challenge."""
    values = dict(zip(SDC2, (1, 180.0, -30.0, 8.0, 30.0, 1.05e9, 350.0, 60.0, 200.0), strict=True))
    return {name: np.array([value]) for name, value in {**values, **more}.items()}


def earned(found):
    score = score_sdc2(found, one())
    assert score.n_match == 1
    return {name: float(values[0]) for name, values in score.terms.items()}


def as_catalogue(columns):
    return Catalogue(Table.empty("islands"), sdc2_table(columns), Table.empty("components"))


def test_the_truth_itself_earns_all():
    assert set(earned(one()).values()) == {1.0}


def test_terms_by_hand():
    width = 2e5 / (299792458.0 * 1.420405752e9 / 1.05e9**2)  # Hz
    assert earned(one(central_freq=1.05e9 + 0.6 * width))["central_freq"] == pytest.approx(0.5)
    assert earned(one(line_flux_integral=36.0))["flux"] == pytest.approx(0.5)
    assert earned(one(hi_size=12.8))["hi_size"] == pytest.approx(0.5)
    assert earned(one(pa=10.0))["pa"] == pytest.approx(0.5)
    assert earned(one(pa=170.0))["pa"] == pytest.approx(10 / 180)
    assert earned(one(w20=320.0))["w20"] == pytest.approx(0.5)
    assert earned(one(i=80.0))["i"] == pytest.approx(0.5)
    away = 0.6 * np.sqrt(4 * 49 + 64) / 3600
    assert earned(one(dec=-30.0 + away))["position"] == pytest.approx(0.5, rel=1e-6)


def test_detections_of_one_galaxy_share_its_points():
    both = sdc_cases.stacked(one(), one(id=2))
    score = score_sdc2(both, one())
    assert (score.n_match, score.n_false) == (2, 0)
    assert score.value == pytest.approx(1.0)


def test_a_list_that_matches_nothing_costs_all_of_it():
    assert score_sdc2(one(dec=-20.0), one()).value == -1.0
    assert score_sdc2(one(central_freq=1.3e9), one()).value == -1.0
    nothing = {name: np.empty(0) for name in SDC2}
    assert score_sdc2(one(), nothing).value == -1.0
    assert score_sdc2(nothing, one()).value == 0.0


def test_distances_and_offsets_are_those_of_astropy():
    z = np.linspace(0.0, 1.5, 50)
    there = LambdaCDM(H0=67.0, Om0=0.32, Ode0=0.68).angular_diameter_distance(z).value
    assert _angular_distance(z) == pytest.approx(there, rel=1e-11)
    ra, dec = np.array([180.0, 181.0, 170.0, 0.0]), np.array([-30.0, -29.0, -40.0, 80.0])
    east, north = SkyCoord(180.0, -30.0, unit="deg").spherical_offsets_to(SkyCoord(ra, dec, unit="deg"))
    ours = _offsets(ra, dec)
    assert ours[0] == pytest.approx(east.rad, abs=1e-12)
    assert ours[1] == pytest.approx(north.rad, abs=1e-12)


def test_a_report_of_lists_is_that_of_their_columns():
    true = sdc_cases.sdc2_truth(3, 400, 0.4)
    found = sdc_cases.sdc2_found(4, true)
    report = Sdc2Scorer(Sdc2Options()).score(as_catalogue(found), Truth(as_catalogue(true)))
    score = score_sdc2(found, true)
    assert report.numbers["M_s"] == score.value
    assert report.numbers["N_match"] == score.n_match
    assert report.numbers["completeness"] <= 1.0
    assert sum(report.tables["fluxes"]["points"]) - score.n_false == pytest.approx(score.value)
    assert "share its points" in report.rule


def test_the_chance_rate_is_that_of_shifted_lists():
    true = sdc_cases.sdc2_truth(3, 300, 0.4)
    report = Sdc2Scorer(Sdc2Options()).score(as_catalogue(true), Truth(as_catalogue(true)))
    assert sum(report.tables["chance"]["n"]) > 0.9 * 4 * 300
    assert report.numbers["purity"] == 1.0
    assert report.numbers["chance_rate_high"] < 0.1


def test_a_catalogue_of_continuum_sources_is_refused():
    sources = Catalogue.empty()
    with pytest.raises(UsageError, match="lacks columns of HI sources"):
        Sdc2Scorer(Sdc2Options()).score(sources, Truth(sources))


def test_the_scorer_is_in_the_index():
    assert isinstance(Registry("scorer").make("sdc2"), Sdc2Scorer)
