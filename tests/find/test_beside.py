"""Maps beside the searched one: opened and checked first, measured afterwards, recorded always."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from tests import images

from skysift.base.errors import OptionError, UsageError
from skysift.find.beside import extended, open_map, recorded, same_grid
from skysift.find.run import find, make_finder, search
from skysift.io.planes import has_data
from skysift.sky.image import SkyImage

PLACE = {"centre": (180.0, -30.0)}


@dataclass(frozen=True)
class Shifted:
    """Searches the map with a level taken away and writes an index of -1 beside every component."""

    name: str = "shifted"
    tables: tuple[str, ...] = ()

    def open(self, image, options=None):
        return Ready(replace(image, notes=(*image.notes, "opened")))


@dataclass(frozen=True)
class Ready:
    image: SkyImage

    def add(self, finding, options, crew):
        n = len(finding.catalogue.components)
        columns = {"components": {"spectral_index": np.full(n, -1.0)}}
        return recorded(
            finding,
            catalogue=extended(finding.catalogue, columns),
            images=(self.image,),
            notes=("measured",),
            facts={"steps": 1},
        )


def test_a_search_opens_first_and_adds_last():
    image = images.painted((120, 120), images.source(60, 60, 0.1), **PLACE)
    finding = search(image, make_finder("classic"), beside=[Shifted()])
    assert finding.image.notes == ("opened",)
    assert finding.notes == ("opened", "measured")
    assert finding.catalogue.components["spectral_index"].tolist() == [-1.0]
    assert finding.catalogue.provenance.notes == finding.notes
    assert len(finding.catalogue.provenance.inputs) == 1  # the same map twice is one input
    assert finding.facts["steps"] == 1
    assert "shifted" in finding.facts["seconds"]
    assert "spectral_index" in find(image, beside=[Shifted()]).components


def test_another_grid_is_refused_in_one_line():
    image = images.painted((60, 60), **PLACE)
    same_grid(image, images.painted((60, 60), seed=1, **PLACE), "tt1")
    with pytest.raises(UsageError, match=r"tt1 \(array\) does not lie on the pixels of array: got '50 x 60"):
        same_grid(image, images.painted((50, 60), **PLACE), "tt1")
    with pytest.raises(UsageError, match="pixels apart"):
        same_grid(image, images.painted((60, 60), centre=(180.0, -30.01)), "tt1")


def test_a_plane_without_data_is_told():
    assert has_data(images.painted((300, 20), **PLACE))
    assert not has_data(images.image(np.zeros((300, 20))))
    assert not has_data(images.image(np.full((300, 20), np.nan)))
    one = np.zeros((300, 20))
    one[299, 3] = 1.0
    image = images.image(one)
    assert has_data(image)
    assert open_map(image) is image


@pytest.mark.parametrize(
    ("name", "value", "flag"),
    [("spectral_curvature", True, "--channels"), ("taylor_band", (1e9, 2e9), "--taylor")],
)
def test_an_option_of_maps_that_are_not_there_is_refused(name, value, flag):
    with pytest.raises(OptionError, match=rf"{name} says how further maps are measured.*give {flag} too"):
        find(images.painted((100, 100)), "classic", **{name: value})
