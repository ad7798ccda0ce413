"""The box of pixels that a region covers."""

import numpy as np
import pytest
from tests import images

from skysift.base.errors import RegionError
from skysift.find.area import area_of
from skysift.sky.box import Box, PixelRegion, SkyRegion, parse_region

SHAPE = (200, 300)


def test_no_region_is_the_whole_map():
    assert area_of(None, images.frame(SHAPE)) == Box.of(SHAPE)


def test_a_box_is_cut_to_the_map():
    region = PixelRegion(Box(-10, 50, 280, 900))
    assert area_of(region, images.frame(SHAPE)) == Box(0, 50, 280, 300)
    assert area_of(parse_region("280,900,-10,50"), images.frame(SHAPE)) == Box(0, 50, 280, 300)


@pytest.mark.parametrize(
    "place",
    [
        {"scale": (19.0, 11.0)}, {"rotation": 30.0}, {"mirrored": True}, {"axes": ("GLON", "GLAT"), "projection": "TAN"},
        {"centre": (10.0, 89.99)}, {"centre": (0.0, 0.0), "projection": "CAR"},
    ],
)  # fmt: skip
def test_a_circle_on_the_sky_lies_in_its_box_and_touches_it(place):
    frame = images.frame(SHAPE, **place)
    x, y, radius = 140.0, 90.0, 60.0  # arcsec
    ra, dec = frame.to_sky(x, y)
    box = area_of(SkyRegion(float(ra), float(dec), radius / 3600), frame)
    t = np.linspace(0, 2 * np.pi, 200)
    on_circle = np.stack([radius * np.sin(t), radius * np.cos(t)])
    dx, dy = np.linalg.inv(frame.tangent([x], [y])[0]) @ on_circle
    assert box.y0 <= (y + dy).min() < box.y0 + 2
    assert box.x0 <= (x + dx).min() < box.x0 + 2
    assert box.y1 - 3 < (y + dy).max() <= box.y1 - 1 + 1e-6
    assert box.x1 - 3 < (x + dx).max() <= box.x1 - 1 + 1e-6


def test_what_does_not_meet_the_map_is_refused():
    frame = images.frame(SHAPE)
    with pytest.raises(RegionError, match=r"does not meet the map.*x 0 to 300, y 0 to 200"):
        area_of(PixelRegion(Box(300, 400, 0, 10)), frame)
    with pytest.raises(RegionError, match="does not meet the map"):
        area_of(SkyRegion(181.0, -30.0, 0.01), frame)
    with pytest.raises(RegionError, match="outside the map's projection"):
        area_of(SkyRegion(0.0, 30.0, 0.01), frame)


def test_a_circle_needs_a_sky():
    frame = images.image(np.zeros(SHAPE)).frame
    with pytest.raises(RegionError, match=r"sky coordinates.*x0,x1,y0,y1"):
        area_of(SkyRegion(180.0, -30.0, 0.01), frame)
