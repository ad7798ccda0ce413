"""Several catalogues become one table: all rows are in it, in the right place, and bad input is told."""

import numpy as np
import pytest
from astropy.io.votable.ucd import check_ucd
from astropy.units import Unit
from tests import catalogues as made_catalogues
from tests.match.made import seen, sky

import skysift
from skysift.base.errors import OptionError, UnknownName, UsageError
from skysift.match.columns import CANDIDATES, DUPLICATES, EACH, FURTHER, MATCHES
from skysift.match.entries import Entries
from skysift.sky.table import Table

KINDS = ("nearest", "one-to-one", "ellipse", "likelihood")


@pytest.fixture(scope="module")
def three():
    truth = sky(400, seed=2)
    return [
        seen(name, truth, seed, keep=0.8, own=40, frequency=nu)
        for name, seed, nu in (("A", 3, 0.8e9), ("B", 4, 1.4e9), ("C", 5, 3e9))
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_of_every_catalogue_comes_out(three, kind):
    match = skysift.match(*(entries for entries, _ in three), kind=kind)
    for number, ((entries, _), tally) in enumerate(zip(three, match.tallies, strict=True), start=1):
        rows = match[f"row_{number}"]
        rows = rows[rows >= 0]
        assert set(rows.tolist()) == set(range(len(entries)))
        if kind != "nearest" or number == 1:
            assert rows.size == len(entries)
        assert (tally.rows, tally.matched + tally.alone) == (len(entries), len(entries))
        assert tally.matched == len(
            set(match[f"row_{number}"][match.matched & (match[f"row_{number}"] >= 0)].tolist())
        )
    assert match["match_id"].tolist() == list(range(1, len(match) + 1))
    assert np.array_equal(match["n_catalogues"], sum(match[f"row_{k}"] >= 0 for k in (1, 2, 3)))


@pytest.mark.parametrize("kind", KINDS)
def test_who_is_one_is_in_one_row(three, kind):
    match = skysift.match(*(entries for entries, _ in three), kind=kind, radius=4.0)
    who = [np.where(match[f"row_{k}"] >= 0, three[k - 1][1][match[f"row_{k}"]], -2) for k in (1, 2, 3)]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        both = (who[a] >= 0) & (who[b] >= 0)
        assert np.mean(who[a][both] == who[b][both]) > 0.99
        found = np.intersect1d(three[a][1], three[b][1])
        assert both.sum() > 0.97 * (found >= 0).sum()


def test_what_the_reference_lacks_is_matched_among_the_others():
    far = Entries.from_columns("A", [0.0], [0.0], major=10.0, minor=10.0)
    second = Entries.from_columns("B", [1.0], [0.0], major=10.0, minor=10.0, ids=[5])
    third = Entries.from_columns("C", [1.0], [1 / 3600], major=10.0, minor=10.0, ids=[9])
    match = skysift.match(far, second, third)
    assert match["id_1"].tolist() == [1, 0]
    assert match["id_2"].tolist() == [0, 5]
    assert match["id_3"].tolist() == [0, 9]
    assert match["ra"].tolist() == [0.0, 1.0]
    assert match["separation_3"][1] == pytest.approx(1.0)
    assert np.isnan(match["separation_3"][0])


def test_chains_do_not_drift():
    steps = [Entries.from_columns(f"{k}", [0.0], [3.0 * k / 3600], major=8.0, minor=8.0) for k in range(4)]
    match = skysift.match(*steps)
    assert match["n_catalogues"].tolist() == [2, 2]  # 0 with 1; 2 is too far from 0, and takes 3


def test_shared_rows_are_told():
    left = Entries.from_columns("A", [0.0, 0.0, 1.0], np.array([0.0, 2.0, 0.0]) / 3600)
    right = Entries.from_columns("B", [0.0], [1.0 / 3600])
    match = skysift.match(left, right, kind="nearest", radius=3.0)
    assert match["remarks"].tolist() == ["shared", "shared", ""]
    assert match.tallies[1].shared == 1


def test_columns_say_what_they_are(three):
    for each in (*MATCHES, *EACH, *FURTHER, *CANDIDATES, *DUPLICATES):
        assert check_ucd(each.ucd, check_controlled_vocabulary=True), each.name
        assert each.meaning.endswith(".")
        Unit(each.unit, format="vounit")
    match = skysift.match(*(entries for entries, _ in three), kind="likelihood", curvature=True)
    names = [each.name for each in match.table.declared]
    assert len(set(names)) == len(names)
    told = match.to_astropy()
    assert str(told["separation_2"].unit) == "arcsec"
    assert told["separation_3"].description == "Distance from the position of the row, catalogue 3."
    assert "curvature" in names
    assert names.index("likelihood_ratio_2") < names.index("id_3")


def test_catalogues_of_skysift_are_matched_by_their_tables():
    catalogue = made_catalogues.catalogue(30, seed=3)
    match = skysift.match(catalogue, catalogue, names=("first", "second"), radius=1.0)
    assert match["id_1"].tolist() == catalogue.sources["source_id"].tolist() == match["id_2"].tolist()
    assert match["name_2"].tolist() == catalogue.sources["name"].tolist()
    of_components = skysift.match(catalogue, catalogue.components, table="components", radius=1.0)
    assert len(of_components) == len(catalogue.components)
    with pytest.raises(UnknownName, match="no such table"):
        skysift.match(catalogue, catalogue, table="rows")


def test_the_numbers_are_json(three):
    import json

    match = skysift.match(three[0][0], three[1][0], trials=3)
    told = json.loads(json.dumps(match.to_dict(), allow_nan=False))
    assert told["joins"][0]["chance"]["trials"] == 3
    assert told["catalogues"][0]["rows"] == len(three[0][0])
    assert "one-to-one" in repr(match)


# -- bad input


def test_one_catalogue_is_too_few():
    with pytest.raises(UsageError, match="two catalogues or more"):
        skysift.match(Entries.from_columns("A", [0.0], [0.0]))


def test_catalogues_without_common_sky_are_told_of():
    north, south = (
        Entries.from_columns(name, [10.0, 11.0], [dec, dec], major=9.0, minor=9.0)
        for name, dec in (("N", 40.0), ("S", -40.0))
    )
    match = skysift.match(north, south)
    assert len(match) == 4
    assert match.notes == ("N and S have no common sky: their nearest rows are 80 degrees apart",)


def test_pixels_without_sky_are_told_in_a_line():
    on_pixels = made_catalogues.catalogue(5, on_sky=False)
    with pytest.raises(UsageError, match="has no positions on the sky"):
        skysift.match(on_pixels, on_pixels)


def test_rows_without_a_position_come_out_alone_and_flagged():
    left = Entries.from_columns("A", [0.0, np.nan, 1.0], [0.0, 0.0, np.inf], major=5.0, minor=5.0)
    right = Entries.from_columns("B", [0.0], [0.0], major=5.0, minor=5.0)
    match = skysift.match(left, right)
    assert match["remarks"].tolist() == ["", "no position", "no position"]
    assert match["row_2"].tolist() == [0, -1, -1]
    assert match.tallies[0].unplaced == 2
    assert match.notes == ("A: 2 of 3 rows have no position and match nothing",)


def test_numbers_that_come_twice_are_flagged_and_kept_apart():
    left = Entries.from_columns("A", [0.0, 1.0], [0.0, 0.0], ids=[7, 7], major=5.0, minor=5.0)
    right = Entries.from_columns("B", [1.0], [0.0], major=5.0, minor=5.0)
    match = skysift.match(left, right)
    assert match["remarks"].tolist() == ["duplicate id", "duplicate id"]
    assert match["row_2"].tolist() == [-1, 0]
    assert match.tallies[0].repeated == 2


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_catalogue_matches_nothing(kind):
    empty = Entries.of(Table.empty("sources"), "empty")
    one = Entries.from_columns("one", [0.0], [0.0], ra_err=1.0, dec_err=1.0, major=5.0, minor=5.0)
    for left, right, rows in ((empty, one, [-1]), (one, empty, [0]), (empty, empty, [])):
        match = skysift.match(left, right, kind=kind)
        assert match["row_1"].tolist() == rows
        assert not match.matched.any()


def test_positions_that_are_no_degrees_are_told():
    with pytest.raises(UsageError, match="declinations beyond 90 degrees"):
        Entries.from_columns("A", [10.0], [95.0])
    with pytest.raises(UsageError, match="right ascensions beyond 360 degrees"):
        Entries.from_columns("A", [54000.0], [5.0])


def test_columns_that_differ_in_length_are_told():
    with pytest.raises(UsageError, match="differ in length"):
        Entries.from_columns("A", [1.0, 2.0], [0.0, 0.0], flux=[1.0])
    with pytest.raises(UsageError, match="no such column"):
        Entries.from_columns("A", [1.0], [0.0], colour=1.0)


def test_no_radius_and_no_sizes_are_told():
    points = Entries.from_columns("points", [0.0], [0.0])
    with pytest.raises(UsageError, match="tells sizes that a radius could follow"):
        skysift.match(points, points)


def test_what_is_no_catalogue_is_told():
    with pytest.raises(UsageError, match="only catalogues can be matched"):
        skysift.match([1, 2], [3, 4])
    with pytest.raises(UsageError, match="each catalogue needs a name"):
        skysift.match(Table.empty("sources"), Table.empty("sources"), names=("one",))


def test_wrong_choices_are_told():
    empty = Table.empty("sources")
    with pytest.raises(UnknownName, match="matcher"):
        skysift.match(empty, empty, kind="closest")
    with pytest.raises(OptionError, match="did you mean 'radius'"):
        skysift.match(empty, empty, radios=5)
    with pytest.raises(OptionError, match="shift_max must exceed shift_min"):
        skysift.match(empty, empty, shift_min=8.0, shift_max=5.0)


def test_match_is_a_verb_and_a_folder():
    import skysift.match.sky as folder

    assert callable(skysift.match)
    assert folder is skysift.match.sky
