"""What is scored may come from another program, and so may what it is scored against."""

import pytest
from tests import catalogues
from tests.score import worlds

from skysift.base.errors import UsageError
from skysift.io.layouts.reading import reader
from skysift.io.truth import write_truth
from skysift.score.opening import open_catalogue, open_sides, open_truth


def test_a_catalogue_of_another_program_is_opened(tmp_path):
    components = catalogues.catalogue().components
    path = reader("aegean").write(components, tmp_path / "comp.fits")
    assert len(open_catalogue(path).sources) == len(components)
    assert len(open_truth(path).catalogue.sources) == len(components)


def test_ours_stay_whole(tmp_path):
    catalogue = catalogues.catalogue()
    catalogue.write(tmp_path / "field", format="fits", table=None)
    (alone,) = catalogue.write(tmp_path / "sources.vot", table="sources")
    assert open_catalogue(tmp_path / "field") == catalogue
    assert open_catalogue(alone).sources == catalogue.sources
    assert open_truth(tmp_path / "field").catalogue == catalogue


def test_the_truth_in_a_folder_of_a_made_sky_is_taken(tmp_path):
    truth = worlds.sky(3)[1]
    write_truth(truth, tmp_path / "sky" / "truth-1400MHz")
    assert open_truth(tmp_path / "sky") == truth
    write_truth(truth, tmp_path / "sky" / "truth-700MHz")
    with pytest.raises(UsageError, match=r"holds several truths.*truth-1400MHz.*truth-700MHz"):
        open_truth(tmp_path / "sky")


def test_arguments_the_other_way_round_are_told(tmp_path):
    truth = worlds.sky(3)[1]
    write_truth(truth, tmp_path / "sky" / "truth")
    truth.catalogue.write(tmp_path / "field", format="fits", table=None)
    with pytest.raises(UsageError, match="the arguments are the other way round"):
        open_sides(tmp_path / "sky" / "truth", tmp_path / "field")
    with pytest.raises(UsageError, match="the truth is not there"):
        open_sides(tmp_path / "sky" / "truth", tmp_path / "nowhere")
    for right in ("sky", "sky/truth"):
        assert open_sides(tmp_path / "sky" / "truth", tmp_path / right)[1] == truth
    assert open_sides(tmp_path / "field", tmp_path / "sky")[1] == truth
