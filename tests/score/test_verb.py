"""`skysift.score`: a verb that takes values, paths and names."""

import pytest
from tests.score import worlds

import skysift
from skysift.base.errors import OptionError, UnknownName, UsageError
from skysift.io.tables import FitsFormat
from skysift.io.truth import write_truth
from skysift.score.opening import open_catalogue, open_truth
from skysift.score.options import CountsOptions
from skysift.sky.truth import Truth


@pytest.fixture
def world():
    place, truth = worlds.sky(12, side=300, low=20)
    return truth, worlds.found_in(truth, place)


def test_paths_and_values_are_the_same(world, tmp_path):
    truth, found = world
    write_truth(truth, tmp_path / "truth")
    FitsFormat().write(found, tmp_path / "found")
    assert open_truth(tmp_path / "truth").catalogue == truth.catalogue
    assert open_catalogue(str(tmp_path / "found")).sources == found.sources
    assert open_catalogue(tmp_path / "found" / "sources.fits").sources == found.sources
    one = skysift.score(tmp_path / "found", tmp_path / "truth")
    assert dict(one.numbers) == dict(skysift.score(found, truth).numbers)


def test_a_catalogue_may_be_taken_for_the_truth(world):
    truth, found = world
    report = skysift.score(found, truth.catalogue, beam=6.0)
    assert report.numbers["completeness"] == 1.0


def test_what_is_neither_is_told(world, tmp_path):
    truth, found = world
    with pytest.raises(UsageError, match="the catalogue is none"):
        skysift.score(truth, truth)  # a truth is no catalogue
    with pytest.raises(UsageError, match="the truth is none"):
        skysift.score(found, 3)
    with pytest.raises(UsageError, match="the truth is not there"):
        skysift.score(found, tmp_path / "nowhere")
    with pytest.raises(UnknownName, match=r"no such scorer.*did you mean 'counts'"):
        skysift.score(found, truth, "count")
    with pytest.raises(OptionError, match="no such option"):
        skysift.score(found, truth, bins_of=3)
    from skysift.score.counts import CountsScorer

    with pytest.raises(UsageError, match="has its options already"):
        skysift.score(found, truth, CountsScorer(CountsOptions()), bright=7)


def test_the_folder_is_the_verb():
    assert callable(skysift.score)
    assert "kind" in str(skysift.score.__signature__)
    assert isinstance(open_truth(worlds.sky(2)[1].catalogue), Truth)


def test_several_scorers_give_a_report_each(world):
    truth, found = world
    several = skysift.score(found, truth, ["counts", "fluxes"], bright=20, grid=2)
    assert [report.kind for report in several] == ["counts", "fluxes"]
    assert [report.options["bright"] for report in several] == [20, 20]
    assert len(several[0].tables["map"]["n"]) == 4  # which counts alone has
    again = skysift.score(found, truth, "counts, fluxes", bright=20, grid=2)
    assert [report.to_dict() for report in again] == [report.to_dict() for report in several]
    assert isinstance(skysift.score(found, truth, ["counts"]), tuple)
    with pytest.raises(OptionError, match="no scorer of counts, fluxes has such an option"):
        skysift.score(found, truth, "counts,fluxes", nonsense=1)
    with pytest.raises(UsageError, match="no scorer is named"):
        skysift.score(found, truth, [])


def test_the_names_of_the_package_are_those_it_means():
    assert not {"TYPE_CHECKING", "annotations", "importlib"} & set(dir(skysift))
    assert {*skysift.__all__} <= set(dir(skysift))
