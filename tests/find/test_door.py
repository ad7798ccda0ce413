"""The verb as a person calls it: `skysift.find` takes paths and texts, and says what it cannot take."""

import inspect
import pydoc

import numpy as np
import pytest
from tests import images, skies
from tests.images import source

import skysift
from skysift.base.errors import RegionError, UsageError
from skysift.find.run import find
from skysift.sky.box import parse_region

BEAM = (4.0, 4.0, 0.0)


def test_a_path_and_a_region_in_words_do_as_an_image_and_a_region(tmp_path):
    pixels, _ = skies.paint(
        (120, 160), BEAM, sources=np.concatenate([source(40, 40, 1e-3), source(120, 80, 1e-3)]), seed=1
    )
    path = tmp_path / "map.fits"
    skies.write(path, pixels, BEAM)
    image = skysift.open(path)
    assert skysift.find(path).components == skysift.find(str(path)).components == find(image).components
    part = skysift.find(image, region="0,80,0,80", seed=6)
    assert part.components == find(image, region=parse_region("0,80,0,80"), seed=6).components
    assert len(part) == 1


def test_what_is_no_map_and_no_region_is_told():
    with pytest.raises(UsageError, match=r"only maps can be searched: got .*ndarray.*SkyImage.from_array"):
        skysift.find(np.zeros((9, 9)))
    with pytest.raises(UsageError, match="no such file"):
        skysift.find("there-is-no.fits")
    with pytest.raises(RegionError, match="a region is a text: got \\(20, 80, 20, 80\\)"):
        skysift.find(images.image(np.zeros((90, 90), np.float32)), region=(20, 80, 20, 80))


def test_help_tells_how_to_call_it():
    assert list(inspect.signature(skysift.find).parameters)[:3] == ["image", "finder", "workers"]
    told = pydoc.render_doc(skysift.find, renderer=pydoc.plaintext)
    assert "find(image: " in told
    assert "Threads, and pixels along the side" in told
