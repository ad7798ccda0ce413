"""What every finder promises, over the whole index."""

import json
import pickle

import numpy as np
import pytest
import yaml
from tests import images
from tests.images import MAPS, RMS, source

from skysift.base.errors import OptionError, exit_code
from skysift.base.options import Options
from skysift.base.registry import Registry
from skysift.find.finder import Finder, IslandFinder
from skysift.find.run import find, make_finder, search
from skysift.measure.options import FitOptions, NoiseOptions
from skysift.sky import schema
from skysift.sky.box import Box

NAMES = Registry("finder").names()
WEIGHTS = {
    "detr": "detr_weights",
    "rcnn": "rcnn_weights",
    "unet": "unet_weights",
}  # fixtures, for weights of other models
pytestmark = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(autouse=True)
def _known_weights(name, request, monkeypatch):
    """Learned finders look through the weights of the tests, under the name that they have by default."""
    menu = Registry("finder").options(name)
    if "weights" in menu.model_fields:
        from skysift.learn import hub  # late: it brings torch

        default = menu.model_fields["weights"].default
        path = request.getfixturevalue(WEIGHTS.get(default, "weights"))
        known = {
            name: hub.Shipped(name, path, hub.read_checkpoint(path).checksum)
            for name in (default, "yolo-grid")
        }
        monkeypatch.setattr(hub, "shipped", lambda: known)  # members of an ensemble look through the same


# -- the menu


def test_its_options_are_a_menu_that_begins_with_noise_and_fits(name):
    options = Registry("finder").options(name)
    assert issubclass(options, Options)
    assert issubclass(options, NoiseOptions)
    assert issubclass(options, FitOptions)
    for row in options.rows():
        assert row.doc.endswith(".")
        assert row.allowed


def test_its_options_survive_yaml_json_texts_and_pickle(name):
    menu = Registry("finder").options(name)
    for options in (menu(), menu(acronym="TEST", resolved_sigma=2.5, mesh=12.0)):
        assert menu(**options.to_dict()) == options
        assert menu.parse(yaml.safe_load(yaml.safe_dump(options.to_dict()))) == options
        assert menu.parse(json.loads(json.dumps(options.to_dict()))) == options
        texts = {
            key: yaml.safe_dump(value).removesuffix("...\n").strip()
            for key, value in options.to_dict().items()
        }
        assert menu.parse(texts) == options
        assert pickle.loads(pickle.dumps(options)) == options
        assert "acronym=" in repr(options)


def test_an_option_that_does_not_exist_is_refused(name):
    with pytest.raises(OptionError, match=r"no such option.*'acronyms'.*did you mean 'acronym'") as error:
        make_finder(name, acronyms="X")
    assert exit_code(error.value.kind) == 2


def test_it_is_made_of_its_options_and_travels(name):
    finder = make_finder(name, acronym="TEST")
    assert isinstance(finder, Finder)
    assert finder.options.acronym == "TEST"
    again = pickle.loads(pickle.dumps(finder))
    assert type(again) is type(finder)
    assert again.options == finder.options
    assert repr(again) == repr(finder)
    if isinstance(finder, IslandFinder):
        assert finder.halo >= 0
        assert finder.reach in (0, 1)


# -- maps on which it must find nothing


@pytest.mark.parametrize("value", [np.nan, 0.0, 1.0])
@pytest.mark.parametrize("shape", [(100, 120), (1, 70), (1, 1)])
def test_a_map_of_nothing_gives_an_empty_catalogue_and_says_why(name, value, shape):
    finding = search(images.image(np.full(shape, value)), make_finder(name))
    catalogue = finding.catalogue
    assert [len(catalogue.table(kind)) for kind in schema.TABLES] == [0, 0, 0]
    assert any("nothing can be found" in note for note in finding.notes)
    assert finding.catalogue.provenance.notes == finding.notes
    assert not finding.read("labels", Box.of(shape)).any()
    for map_name in MAPS:
        assert finding.read(map_name, Box.of(shape)).shape == shape


def test_quiet_noise_gives_next_to_nothing(name):
    assert len(find(images.painted((200, 220)), name)) <= 1


# -- one source


@pytest.fixture(scope="module")
def image():
    return images.painted((200, 220), source(128.3, 63.7, 0.1), centre=(80.0, 30.0))


def test_one_source_is_found_once_and_measured(name, image):
    catalogue = find(image, name)
    if not make_finder(name).compact:
        assert [len(catalogue.table(kind)) for kind in schema.TABLES] == [0, 0, 0]
        return
    assert [len(catalogue.table(kind)) for kind in schema.TABLES] == [1, 1, 1]
    for kind in ("sources", "components"):
        (row,) = catalogue.table(kind).to_astropy()
        assert (row["x"], row["y"]) == pytest.approx((128.3, 63.7), abs=5 * row["x_err"] + 0.01)
        assert row["flux"] == pytest.approx(0.1, abs=5 * row["flux_err"])
        assert row["flux_err"] == pytest.approx(RMS, rel=0.6)
        assert row["snr"] == pytest.approx(100, rel=0.1)
        assert row["flags"] == 0
        assert row["name"].startswith("SKYSIFT J")


def test_its_tables_are_those_of_the_schema(name, image):
    catalogue = find(image, name)
    for kind in schema.TABLES:
        table = catalogue.table(kind)
        assert tuple(table.columns)[: len(schema.names(kind))] == schema.names(kind)
        for column in schema.columns(kind):
            assert (
                table[column.name].dtype.kind
                == {"float64": "f", "int64": "i", "bool": "b", "str": "U"}[column.dtype]
            )


def test_provenance_names_the_finder_and_its_options(name, image):
    provenance = find(image, name).provenance
    assert provenance.finder == name
    assert provenance.options == make_finder(name).options.to_dict()


@pytest.mark.parametrize("tile", [64, 90, 101])
def test_a_source_that_tiles_cut_is_the_same_source(name, image, tile):
    """Tiles of 64 pixels cut it in four."""
    whole, cut = find(image, name), find(image, name, tile=tile, workers=2)
    for kind in schema.TABLES:
        assert whole.table(kind) == cut.table(kind)


def test_a_long_source_that_tiles_cut_often_is_one_island(name):
    image = images.painted((250, 300), source(150, 120, 20.0, 120.0, 12.0, 60.0))
    whole, cut = find(image, name), find(image, name, tile=64, workers=2)
    if isinstance(make_finder(name), IslandFinder):  # others have no islands that tiles could cut
        assert len(cut.islands) == 1
    for kind in schema.TABLES:
        assert whole.table(kind) == cut.table(kind)
