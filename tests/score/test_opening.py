"""What is scored may come from another program, and so may what it is scored against."""

from tests import catalogues

from skysift.io.layouts.reading import reader
from skysift.score.opening import open_catalogue, open_truth


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
