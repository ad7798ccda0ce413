"""Who is who: each sentence of the rule, one by one."""

import numpy as np
import pytest
from tests.score import worlds

from skysift.base.errors import UsageError
from skysift.score.matching import FATES
from skysift.score.options import RuleOptions
from skysift.score.rule import match
from skysift.sky.catalogue import Catalogue
from skysift.sky.truth import Truth

PLACE = worlds.frame()
BEAM = worlds.BEAM.major / worlds.SCALE  # pixels


def matched(true, found, *, kind="sources", masks=True, **options):
    catalogue = worlds.catalogue(**{kind: found})
    return match(catalogue, worlds.truth_of(true, PLACE, masks=masks), RuleOptions(table=kind, **options))


def fates(result):
    return [list(FATES)[number] for number in result.fate]


def rows(x, y, snr, **more):
    return worlds.sources(PLACE, x, y, snr, **more)


def test_a_row_within_half_the_width_of_a_truth_is_it_and_one_further_away_is_not():
    true = rows([100, 300], [100, 300], [20, 20])
    found = rows([100 + 0.45 * BEAM, 300 + 0.55 * BEAM], [100, 300], [20, 20])
    result = matched(true, found)
    assert fates(result) == ["matched", "false"]
    assert result.found_of.tolist() == [0, -1]
    assert result.truth_of.tolist() == [0, -1]


def test_the_radius_grows_with_the_truth():
    true = rows([100], [100], [20], size=24.0)
    assert fates(matched(true, rows([100 + 1.5 * BEAM], [100], [20], size=24.0))) == ["matched"]


@pytest.mark.parametrize(
    ("ratio", "fate"), [(0.51, "matched"), (1.99, "matched"), (0.49, "other_flux"), (2.05, "other_flux")]
)
def test_fluxes_agree_within_a_factor_two(ratio, fate):
    true = rows([100], [100], [100])
    assert fates(matched(true, rows([100], [100], [100 * ratio]))) == [fate]


def test_fluxes_agree_as_well_within_five_errors():
    true = rows([100], [100], [4])
    found = rows([100], [100], [8.9])  # rms stands in for the error that the table does not have
    assert fates(matched(true, found)) == ["matched"]
    with_error = rows([100], [100], [8.9], flux_err=[0.5 * worlds.RMS])
    assert fates(matched(true, with_error)) == ["other_flux"]


def test_truth_below_two_sigma_never_matches():
    result = matched(rows([100, 300], [100, 300], [1.9, 2.1]), rows([100, 300], [100, 300], [1.9, 2.1]))
    assert fates(result) == ["faint", "matched"]
    assert result.findable.tolist() == [False, True]


def test_truths_within_half_a_beam_are_one_and_chains_of_them_too():
    step = 0.45 * BEAM
    true = rows([100, 100 + step, 100 + 2 * step, 300], [100] * 3 + [300], [10, 20, 10, 10])
    result = matched(true, rows([100 + step], [100], [35]))
    assert len(result.true) == 2
    assert result.true["n_members"].tolist() == [3, 1]
    assert result.truths.merged == 2
    assert result.true["flux"][0] == pytest.approx(40 * worlds.RMS)
    x, y = PLACE.to_pixel(result.true.ra, result.true.dec)
    assert (x[0], y[0]) == pytest.approx((100 + step, 100), abs=1e-6)
    assert fates(result) == ["matched"]
    assert len(matched(true, true, merge=0.0).true) == 4


def test_the_size_of_merged_truths_is_that_of_their_moments():
    true = rows([100, 101], [100, 100], [10, 10])
    merged = matched(true, true).true
    sigma = worlds.BEAM.major / np.sqrt(8 * np.log(2))
    apart = worlds.SCALE / 2
    assert merged["major"][0] == pytest.approx(np.sqrt(8 * np.log(2) * (sigma**2 + apart**2)), rel=1e-6)
    assert merged["minor"][0] == pytest.approx(worlds.BEAM.major, rel=1e-6)
    assert merged["pa"][0] == pytest.approx(90.0, abs=0.2)  # north at the place is not quite +y
    there = 10 * np.exp(-4 * np.log(2) * (apart / worlds.BEAM.major) ** 2)
    assert merged["snr"][0] == pytest.approx(2 * there, rel=1e-6)


def test_a_row_left_over_may_be_one_of_several_that_were_merged():
    true = rows([100, 101.5], [100, 100], [100, 30])
    result = matched(true, true)
    assert sorted(fates(result)) == ["matched", "member"]
    assert result.detected.tolist() == [True]
    faint_alone = matched(true, rows([101.5], [100], [30]))
    assert fates(faint_alone) == ["member"]
    assert faint_alone.detected.tolist() == [True]
    assert not faint_alone.alone.any()
    assert len(faint_alone.pairs[0]) == 0


def test_no_row_is_two_and_the_nearest_wins():
    true = rows([100], [100], [20])
    result = matched(true, rows([100.5, 100.1, 101.0], [100] * 3, [20] * 3))
    assert fates(result) == ["duplicate", "matched", "duplicate"]


def test_of_two_at_one_distance_the_one_with_the_right_flux_wins():
    true = rows([100], [100], [50])
    assert fates(matched(true, rows([100.5, 99.5], [100] * 2, [30, 49]))) == ["duplicate", "matched"]


def test_artefacts_are_no_objects():
    true = rows([100, 300], [100, 300], [20, 20], classes=["compact", "spurious"])
    found = rows([100, 301, 310], [100, 300, 310], [20, 20, 20])
    result = matched(true, found)
    assert fates(result) == ["matched", "artefact", "false"]
    assert result.artefact_of.tolist() == [-1, 1, -1]
    assert len(result.true) == 1
    without_masks = Truth(result_catalogue(true), frame=PLACE, beam=worlds.BEAM)
    again = match(result_catalogue(found), without_masks, RuleOptions())
    assert fates(again) == ["matched", "artefact", "false"]


def result_catalogue(table):
    return worlds.catalogue(sources=table)


def test_rows_in_are_rows_out_and_rows_reported():
    true = rows([100, 300, 500, 2000], [100, 300, 500, 500], [20, 1, 20, 20])
    true = true.with_columns({"ra": [*true["ra"][:2], np.nan, true["ra"][3]], "x": [100, 300, np.nan, 2000]})
    found = rows([100, 300, 700, -50, 900], [100, 300, 700, 50, 900], [20, 20, 20, 20, 20])
    nan = {"ra": [*found["ra"][:4], np.nan], "x": [*found["x"][:4], np.nan]}
    result = matched(true, found.with_columns(nan), masks=False)
    assert fates(result) == ["matched", "faint", "false", "outside", "no_position"]
    numbers = result.numbers()
    assert sum(numbers[f"n_{fate}"] for fate in FATES) == numbers["n_found"] == 5
    kept = (
        numbers["n_truth"]
        + numbers["n_truth_faint"]
        + numbers["n_truth_merged"]
        + numbers["n_truth_artefacts"]
    )
    assert kept + numbers["n_truth_outside"] + numbers["n_truth_without_position"] == 4
    assert numbers["n_truth_outside"] == numbers["n_truth_without_position"] == 1
    assert "1 rows of the catalogue have no position and count neither way" in result.notes


def test_rows_that_share_a_number_are_told():
    true = rows([100, 300], [100, 300], [20, 20])
    result = matched(true, true.with_columns({"source_id": [1, 1]}))
    assert fates(result) == ["matched", "matched"]
    assert result.notes == (
        "1 rows of the catalogue share their number with another; they are scored as they are",
    )


def test_the_chance_rate_is_that_of_a_random_sky():
    place, truth = worlds.sky(4000, side=1000, apart=False, low=6, high=12)
    found = worlds.found_in(truth, place)
    result = match(found, truth, RuleOptions(merge=0.0, shifts=8))
    assert list(result.chance)[:4] == ["north", "east", "south", "west"]
    numbers = result.numbers()
    per_area = 4000 / (1000 * worlds.SCALE) ** 2
    expected = 1 - np.exp(-per_area * np.pi * (0.5 * worlds.BEAM.major) ** 2)
    assert numbers["chance_rate"] == pytest.approx(expected, rel=0.15)
    assert numbers["chance_rate_low"] < numbers["chance_rate"] < numbers["chance_rate_high"]


def test_components_are_matched_as_sources_are():
    true = rows([100], [100], [20])
    names = ("x", "y", "ra", "dec", "flux_peak", "flux_int", "flux", "major", "minor", "pa", "rms", "snr")
    found = worlds.table("components", **{name: true[name] for name in names})
    assert fates(matched(true, found, kind="components")) == ["matched"]
    with pytest.raises(UsageError, match="has no sources: got '1 components'; set table=components"):
        match(worlds.catalogue(components=found), worlds.truth_of(true, PLACE), RuleOptions())


def test_a_map_without_sky_is_matched_in_pixels():
    from skysift.sky.frame import Frame

    place = Frame.pixels_only((1000, 1000), (worlds.SCALE, worlds.SCALE))
    true = worlds.sources(place, [100, 300], [100, 300], [20, 20])
    found = worlds.sources(place, [101, 305], [100, 300], [20, 20])
    result = match(worlds.catalogue(sources=found), worlds.truth_of(true, place), RuleOptions())
    assert fates(result) == ["matched", "false"]


def test_positions_meet_across_zero_hours_and_at_a_pole():
    for ra, dec in ((0.0, 10.0), (180.0, 89.95)):
        place = worlds.frame(400, ra, dec)
        x, y = np.meshgrid([50, 150, 250, 350], [50, 150, 250, 350])
        true = worlds.sources(place, x.ravel(), y.ravel(), np.full(16, 20.0))
        result = match(worlds.catalogue(sources=true), worlds.truth_of(true, place), RuleOptions())
        assert result.detected.all()


def test_the_rule_is_told_in_sentences():
    true = rows([100], [100], [20])
    text = matched(true, true, faintest=3.0, merge=0.25, flux_factor=1.5, shifts=2).rule
    for part in (
        "below 3 sigma",
        "within 0.25 beams",
        "within a factor 1.5 or 5 errors",
        "10 beams (north, east)",
        "6 arcsec",
    ):
        assert part in text
    assert text.count(". ") >= 7


def test_what_cannot_be_matched_is_told_in_one_line():
    true = rows([100], [100], [20])
    lost = {name: [np.nan] for name in ("ra", "dec", "x", "y")}
    with pytest.raises(UsageError, match="no row of the catalogue has a position"):
        matched(true, true.with_columns(lost))
    with pytest.raises(UsageError, match="no object of the truth has a position"):
        match(
            worlds.catalogue(sources=true),
            Truth(worlds.catalogue(sources=true.with_columns(lost))),
            RuleOptions(),
        )
    bare = true.with_columns({"major": [np.nan], "minor": [np.nan]})
    with pytest.raises(UsageError, match="nothing tells how near"):
        match(worlds.catalogue(sources=true), Truth(worlds.catalogue(sources=bare)), RuleOptions())
    told = match(worlds.catalogue(sources=true), Truth(worlds.catalogue(sources=bare)), RuleOptions(beam=6.0))
    assert fates(told) == ["matched"]


def test_no_common_sky_is_noted():
    true = rows([100], [100], [20])
    far = true.with_columns({"ra": true["ra"] + 20})
    place = worlds.catalogue(sources=true)
    result = match(worlds.catalogue(sources=far), Truth(place, beam=worlds.BEAM), RuleOptions())
    assert fates(result) == ["false"]
    assert result.notes == ("catalogue and truth have no sky in common",)


def test_nothing_on_either_side_is_no_error():
    true = rows([100], [100], [20])
    nothing = matched(true, true[:0])
    assert nothing.detected.tolist() == [False]
    assert nothing.numbers()["chance_rate"] != nothing.numbers()["chance_rate"]
    assert fates(matched(true[:0], true)) == ["false"]
    assert match(Catalogue.empty(), Truth(Catalogue.empty()), RuleOptions()).numbers()["n_found"] == 0
