import json

import numpy as np
import pytest
from tests.reference import sdc_cases
from tests.score import worlds

from skysift.base.errors import OptionError, UsageError
from skysift.base.registry import Registry
from skysift.io.sdc_rows import SDC1, sdc1_table
from skysift.score.options import Sdc1Options
from skysift.score.scorer import reports_to_json
from skysift.score.sdc1 import Sdc1Scorer, score_sdc1
from skysift.sky import schema
from skysift.sky.beam import Beam
from skysift.sky.catalogue import Catalogue
from skysift.sky.table import Table
from skysift.sky.truth import Truth

NONE = np.empty(0)


def one(**more):
    """One object, as columns of the challenge."""
    values = dict(zip(SDC1, (1, 0.1, -30.0, 0.1, -30.0, 1e-6, 0.1, 2.0, 1.0, 10.0, 2, 3), strict=True))
    return {name: np.array([value]) for name, value in {**values, **more}.items()}


def earned(found, true=None, **how):
    """What one detection earns, term by term."""
    score = score_sdc1(found, one() if true is None else true, 1400.0, **how)
    assert score.n_match == 1
    return {name: float(values[0]) for name, values in score.terms.items()}


def as_catalogue(columns):
    return Catalogue(Table.empty("islands"), sdc1_table(columns), Table.empty("components"))


# -- the terms, by hand


def test_the_truth_itself_earns_all():
    assert set(earned(one()).values()) == {1.0}
    assert score_sdc1(one(), one(), 1400.0).value == 1.0


@pytest.mark.parametrize(("error", "term"), [(0.05, 1.0), (0.1, 1.0), (0.2, 0.5), (0.5, 0.2)])
def test_flux_earns_all_within_a_tenth(error, term):
    assert earned(one(flux=1e-6 * (1 + error)))["flux"] == pytest.approx(term)


@pytest.mark.parametrize(("error", "term"), [(0.3, 1.0), (-0.3, 1.0), (0.6, 0.5)])
def test_axes_earn_all_within_three_tenths(error, term):
    points = earned(one(b_maj=2.0 * (1 + error), b_min=1.0 + error))
    assert points["b_maj"] == pytest.approx(term)
    assert points["b_min"] == pytest.approx(term)


@pytest.mark.parametrize(("size", "factor"), [(1, 5 / 2.355), (2, 1.0), (3, 1 / np.sqrt(2))])
def test_axes_of_any_kind_are_brought_to_that_of_the_truth(size, factor):
    points = earned(one(size=size, b_maj=2.0 * factor, b_min=1.0 * factor))
    assert points["b_maj"] == points["b_min"] == 1.0
    points = earned(one(size=size, b_maj=3.2 * factor, b_min=1.6 * factor))
    assert points["b_maj"] == pytest.approx(0.5)


def test_position_earns_by_the_beam_and_the_size():
    # 0.3 of sqrt(4 x 0.25^2 + 1.5^2) arcsec
    full = 0.3 * np.hypot(0.5, 1.5) / 3600
    for step, term in ((0.99, 1.0), (2.0, 0.5)):
        north = one(dec_core=-30.0 + step * full, dec_cent=-30.0 + step * full)
        assert earned(north)["position"] == pytest.approx(term, rel=1e-6)
    nearer = one(dec_core=-30.0 + 2 * full)  # the centroid is right
    assert earned(nearer)["position"] == 1.0


def test_angle_core_and_class():
    assert earned(one(pa=30.0))["pa"] == pytest.approx(0.5)
    assert earned(one(pa=190.0))["pa"] == 1.0
    assert earned(one(core_frac=0.1 + 0.075))["core_fraction"] == pytest.approx(0.5)
    assert earned(one(**{"class": 1}))["class"] == 0.0


def test_minor_axis_and_angle_of_steep_agn_are_given():
    points = earned(one(size=1, pa=80.0, b_min=9.0), one(size=1))
    assert points["pa"] == points["b_min"] == 1.0


def test_an_axis_of_nothing_where_there_is_nothing_earns_nothing():
    score = score_sdc1(one(b_min=0.0), one(b_min=0.0), 1400.0)
    assert np.isnan(score.terms["b_min"][0])
    assert score.value == pytest.approx(6 / 7)


def test_a_detection_of_nothing_costs_a_point_but_a_list_of_nothing_costs_none():
    false = one(id=2, dec_core=-31.0)
    both = sdc_cases.stacked(one(), false)
    assert score_sdc1(both, one(), 1400.0).value == 0.0
    assert score_sdc1(false, one(), 1400.0).value == 0.0
    assert score_sdc1(false, one(), 1400.0).n_false == 1


def test_what_is_too_far_off_in_flux_is_bad():
    score = score_sdc1(one(flux=3e-6), one(), 1400.0)
    assert (score.n_det, score.n_match, score.n_bad, score.n_false) == (1, 0, 1, 1)


def test_a_truth_without_rows_matches_nothing():
    nothing = dict.fromkeys(SDC1, NONE)
    score = score_sdc1(one(), nothing, 1400.0)
    assert (score.value, score.n_false, score.n_truth) == (0.0, 1, 0)
    assert score_sdc1(nothing, nothing, 1400.0).value == 0.0


@pytest.mark.parametrize(
    ("ra", "dec", "inside"), [(-0.1, -29.8, True), (359.9, -29.8, True), (0.1, -29.8, False)]
)
def test_the_training_box(ra, dec, inside):
    object_ = one(ra_core=ra, ra_cent=ra, dec_core=dec, dec_cent=dec)
    assert score_sdc1(object_, object_, 1400.0, train=True).n_det == inside
    assert score_sdc1(object_, object_, 1400.0).n_det == (not inside)
    assert score_sdc1(object_, object_, 1400.0, whole=True).n_det == 1


def test_many_candidates_are_looked_at_in_parts(monkeypatch):
    true = sdc_cases.sdc1_truth(4, 2000, 1400, 0.02)
    found = sdc_cases.sdc1_found(5, true, 1400)
    whole = score_sdc1(found, true, 1400.0)
    monkeypatch.setattr("skysift.score.sdc_terms._PAIRS", 100)
    parts = score_sdc1(found, true, 1400.0)
    assert parts.value == whole.value
    assert np.array_equal(parts.matches.left, whole.matches.left)


# -- the scorer


@pytest.fixture(scope="module")
def lists():
    true = sdc_cases.sdc1_truth(3, 600, 1400)
    return sdc_cases.sdc1_found(4, true, 1400), true


def test_a_report_of_lists_is_that_of_their_columns(lists):
    found, true = lists
    for train in (False, True):
        options = Sdc1Options(frequency="1400MHz", train=train)
        report = Sdc1Scorer(options).score(as_catalogue(found), Truth(as_catalogue(true)))
        score = score_sdc1(found, true, 1400.0, train=train)
        numbers = report.numbers
        assert numbers["M_s"] == score.value
        assert numbers["N_det"] == score.n_det
        assert numbers["N_match"] == score.n_match
        assert numbers["N_false"] == score.n_false
        assert numbers["N_bad"] == score.n_bad
        assert numbers["purity"] == score.n_match / score.n_det
        assert numbers["mean_score"] == pytest.approx(np.mean(score.points))
        assert numbers["mean_flux"] == pytest.approx(np.mean(score.terms["flux"]))
        assert report.notes == ()
        assert ("inside" if train else "outside") in report.rule


def test_the_mean_of_what_is_measured_leaves_the_free_terms_out(lists):
    numbers = Sdc1Scorer(Sdc1Options(frequency="1400MHz")).score(*map(as_catalogue_or_truth, lists)).numbers
    four = [numbers[f"mean_{name}"] for name in ("position", "flux", "b_maj", "b_min")]
    free = [numbers[f"mean_{name}"] for name in ("pa", "core_fraction", "class")]
    assert numbers["mean_measured"] == pytest.approx(np.mean(four))
    assert numbers["mean_score"] == pytest.approx(np.mean(four + free))
    for name in ("M_s", "purity", "completeness", "mean_score", "mean_measured", "mean_pa"):
        assert numbers[f"{name}_low"] <= numbers[name] <= numbers[f"{name}_high"]


def as_catalogue_or_truth(columns):
    catalogue = as_catalogue(columns)
    return Truth(catalogue) if columns["id"][0] == 7 else catalogue


def test_the_interval_of_the_score_is_that_of_repeated_draws(lists):
    found, true = lists
    numbers = (
        Sdc1Scorer(Sdc1Options(frequency="1400MHz"))
        .score(as_catalogue(found), Truth(as_catalogue(true)))
        .numbers
    )
    half = (numbers["M_s_high"] - numbers["M_s_low"]) / 2
    score = score_sdc1(found, true, 1400.0)
    points = np.concatenate([score.points, np.full(score.n_false, -1.0)])
    rng = np.random.default_rng(1)
    draws = rng.choice(points, (2000, points.size)).sum(axis=1)
    assert half == pytest.approx(1.96 * draws.std(), rel=0.06)


def test_tables_of_a_report(lists):
    report = Sdc1Scorer(Sdc1Options(frequency="1400MHz")).score(*map(as_catalogue_or_truth, lists))
    terms, fluxes = report.tables["terms"], report.tables["fluxes"]
    assert terms["mean"] == [report.numbers[f"mean_{name}"] for name in terms["term"]]
    assert sum(fluxes["n_truth"]) == report.numbers["N_truth"]
    assert sum(fluxes["n_match"]) == report.numbers["N_match"]
    assert sum(fluxes["points"]) - report.numbers["N_false"] == pytest.approx(report.numbers["M_s"])
    assert json.loads(reports_to_json([report]))["sdc1"]["N_bad"] == report.numbers["N_bad"]


def test_the_chance_rate_is_that_of_shifted_lists(lists):
    found, true = lists
    options = Sdc1Options(frequency="1400MHz", whole=True, shifts=2, shift=20.0)
    report = Sdc1Scorer(options).score(as_catalogue(found), Truth(as_catalogue(true)))
    by_hand = []
    for name, step in (("dec_core", 1.0), ("ra_core", 1 / np.cos(np.radians(found["dec_core"])))):
        moved = {**found, name: found[name] + 20 * 0.6 / 3600 * step}
        by_hand.append(score_sdc1(moved, true, 1400.0, whole=True).n_match)
    table = report.tables["chance"]
    assert table["direction"] == ["north", "east"]
    assert table["n_matched"] == pytest.approx(by_hand, abs=1)
    assert report.numbers["chance_rate"] == pytest.approx(sum(table["n_matched"]) / sum(table["n"]))
    assert report.numbers["chance_rate"] < 0.5 * report.numbers["purity"]
    assert "shifted by 12 arcsec (north, east)" in report.rule


def test_ids_that_come_twice_are_told(lists):
    found, true = lists
    twice = {**found, "id": np.concatenate([found["id"][:1], found["id"][:1], found["id"][2:]])}
    report = Sdc1Scorer(Sdc1Options(frequency="1400MHz")).score(
        as_catalogue(twice), Truth(as_catalogue(true))
    )
    assert any("share their id with another" in note for note in report.notes)


def test_lists_of_other_skies_are_told():
    far = as_catalogue(one(ra_core=40.0, ra_cent=40.0))
    report = Sdc1Scorer(Sdc1Options(frequency="1400MHz")).score(far, Truth(as_catalogue(one())))
    assert report.notes == ("catalogue and truth have no sky in common",)


def test_lists_without_rows_have_a_report():
    nothing = as_catalogue(
        {name: np.empty(0, dtype=int if name in ("id", "size", "class") else float) for name in SDC1}
    )
    report = Sdc1Scorer(Sdc1Options(frequency="560MHz")).score(nothing, Truth(nothing))
    assert report.numbers["M_s"] == 0
    assert np.isnan(report.numbers["purity"])
    assert reports_to_json([report])


def test_the_frequency_is_asked_for_where_nothing_tells_it(lists):
    found, true = map(as_catalogue, lists)
    with pytest.raises(UsageError, match="neither catalogue nor truth tells the frequency: give --frequency"):
        Sdc1Scorer(Sdc1Options()).score(found, Truth(true))
    told = Sdc1Scorer(Sdc1Options()).score(found, Truth(true, frequency=1.4e9))
    assert told.numbers == Sdc1Scorer(Sdc1Options(frequency="1400MHz")).score(found, Truth(true)).numbers
    with pytest.raises(UsageError, match="no training box at this frequency: got '944 MHz'"):
        Sdc1Scorer(Sdc1Options(train=True)).score(found, Truth(true, frequency=9.44e8))
    with pytest.raises(OptionError, match="frequency"):
        Sdc1Options(frequency="1GHz")


def test_other_maps_are_scored_by_their_own_beam(lists):
    found, true = map(as_catalogue, lists)
    wide = Sdc1Scorer(Sdc1Options()).score(found, Truth(true, beam=Beam(12.0, 3.0), frequency=9.44e8))
    assert "2.5 arcsec" in wide.rule
    assert "of the whole field" in wide.rule
    assert (
        Sdc1Scorer(Sdc1Options(beam=2.5, whole=True)).score(found, Truth(true, frequency=1.4e9)).numbers
        == wide.numbers
    )


# -- made skies


def a_world(n=40):
    """A made truth with a primary beam, and the catalogue of a perfect finder."""
    rng = np.random.default_rng(2)
    columns = {
        "ra": 150.0 + rng.uniform(-0.2, 0.2, n),
        "dec": -30.0 + rng.uniform(-0.2, 0.2, n),
        "flux": rng.uniform(1e-4, 1e-3, n),
        "major_deconv": rng.uniform(1.0, 3.0, n),
        "minor_deconv": rng.uniform(0.5, 1.0, n),
        "pa_deconv": rng.uniform(0.0, 180.0, n),
    }
    found = worlds.table(**columns)
    more = {
        "class": np.where(np.arange(n) < n - 3, "compact", "spurious"),
        "object_type": np.full(n, "SFG"),
        "flux_true": columns["flux"] / np.linspace(0.3, 1.0, n),
        "core_fraction": np.zeros(n),
    }
    true = worlds.table(extra=schema.further("sources", *more), **columns, **more)
    parts = Table.empty("islands"), Table.empty("components")
    return Catalogue(parts[0], found, parts[1]), Truth(Catalogue(parts[0], true, parts[1]), frequency=1.4e9)


def test_artefacts_of_a_list_are_no_objects():
    rows = {name: np.repeat(value, 3) for name, value in one().items()}
    rows |= {"id": np.arange(3), **dict.fromkeys(("ra_core", "ra_cent"), 150.0 + 0.01 * np.arange(3))}
    catalogue = as_catalogue(rows)
    kind = {"class": np.array(["compact", "spurious", "extended"])}
    true = catalogue.sources.with_columns(kind, schema.further("sources", "class"))
    truth = Truth(Catalogue(Table.empty("islands"), true, Table.empty("components")), frequency=1.4e9)
    report = Sdc1Scorer(Sdc1Options(whole=True)).score(catalogue, truth)
    assert [report.numbers[name] for name in ("N_truth", "N_match", "N_false")] == [2, 2, 1]


def test_a_perfect_finder_of_a_made_sky_earns_all():
    catalogue, truth = a_world()
    report = Sdc1Scorer(Sdc1Options()).score(catalogue, truth)
    assert report.numbers["N_match"] == 37
    assert report.numbers["N_false"] == 3  # the artefacts
    assert report.numbers["mean_score"] == pytest.approx(1.0)
    assert "Fluxes are those that the map holds." in report.rule
    assert report.notes == ()


def test_fluxes_that_are_corrected_are_compared_with_intrinsic_ones():
    catalogue, truth = a_world()
    table = catalogue.sources
    beam = np.linspace(0.3, 1.0, len(table))
    corrected = table.with_columns({"primary_beam": beam}, schema.further("sources", "primary_beam"))
    report = Sdc1Scorer(Sdc1Options()).score(
        Catalogue(catalogue.islands, corrected, catalogue.components), truth
    )
    assert report.numbers["mean_flux"] == pytest.approx(1.0)
    assert "Fluxes are those before the primary beam." in report.rule


def test_a_catalogue_of_ours_against_a_list_is_told_of_the_primary_beam():
    catalogue, _ = a_world()
    listed = Truth(as_catalogue(one(ra_core=150.0, ra_cent=150.0)), frequency=1.4e9)
    report = Sdc1Scorer(Sdc1Options()).score(catalogue, listed)
    assert "are not corrected for the primary beam: give primary_beam" in report.notes[0]


def test_rows_that_cannot_be_scored_are_told():
    catalogue, truth = a_world()
    table = catalogue.sources
    broken = table.with_columns({"ra": np.where(np.arange(len(table)) < 2, np.nan, table["ra"])})
    report = Sdc1Scorer(Sdc1Options()).score(
        Catalogue(catalogue.islands, broken, catalogue.components), truth
    )
    assert report.notes[0] == "2 rows of the catalogue are left out: without a position"
    assert report.numbers["N_det"] == len(table) - 2
    assert report.numbers["N_left_out"] == 2


def test_a_truth_of_another_frequency_is_told():
    catalogue, truth = a_world()
    notes = Sdc1Scorer(Sdc1Options(frequency="560MHz")).score(catalogue, truth).notes
    assert notes == ("the truth is of 1400 MHz, and is scored as if of 560MHz",)
    assert Sdc1Scorer(Sdc1Options(frequency="1400MHz")).score(catalogue, truth).notes == ()


def test_the_scorer_is_in_the_index():
    assert isinstance(Registry("scorer").make("sdc1"), Sdc1Scorer)


# -- the map of the challenge


def test_another_finders_list_of_the_crop(data_folder, tmp_path):
    from skysift.io.layouts.options import Sdc1LayoutOptions
    from skysift.io.layouts.pybdsf import PyBDSFLayout
    from skysift.io.layouts.sdc import Sdc1Layout

    folder = data_folder / "challenge"
    theirs = PyBDSFLayout().read(folder / "SDC1_B1_1000h_0.05tr.pybdsm.srl")
    beam = Sdc1LayoutOptions(primary_beam=str(folder / "SDC1_PrimaryBeam_B1.fits"))
    out = Sdc1Layout(beam).write(theirs, tmp_path / "srl.txt")
    found, true = (as_catalogue_of(path) for path in (out, folder / "SDC1_truth_B1_0.05tr.cat"))
    numbers = Sdc1Scorer(Sdc1Options(frequency="560MHz", train=True)).score(found, Truth(true)).numbers
    assert numbers["N_truth"] == 475
    assert 30 < numbers["N_det"] < 60
    assert numbers["purity"] > 0.9
    assert 0.6 < numbers["mean_score"] < 0.9


def as_catalogue_of(path):
    from skysift.io.sdc import read_sdc1_table

    return Catalogue(Table.empty("islands"), read_sdc1_table(path), Table.empty("components"))


def test_the_crop_found_converted_and_scored(data_folder, tmp_path, capsys):
    from skysift.cli.main import main

    folder = data_folder / "challenge"
    crop = str(folder / "SDC1_B1_1000h_0.05tr.fits")
    assert (
        main(["find", crop, "--out", str(tmp_path / "crop"), "--maps", "none", "--no-report", "--quiet"]) == 0
    )
    sub, beam = tmp_path / "sub.txt", folder / "SDC1_PrimaryBeam_B1.fits"
    assert (
        main(["convert", str(tmp_path / "crop"), str(sub), "--to", "sdc1", "--primary-beam", str(beam)]) == 0
    )
    capsys.readouterr()
    truth = str(folder / "SDC1_truth_B1_0.05tr.cat")
    arguments = ["score", str(sub), truth, "--kind", "sdc1", "--frequency", "560MHz", "--train", "--json"]
    assert main(arguments) == 0
    numbers = json.loads(capsys.readouterr().out)["sdc1"]
    assert numbers["N_det"] > 60
    assert numbers["purity"] > 0.9
    assert numbers["M_s"] > 40
