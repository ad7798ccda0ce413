"""Boxes as sets of pixels, and regions as people type them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skysift.base.errors import RegionError
from skysift.sky.box import Box, PixelRegion, SkyRegion, parse_region

EDGE = st.integers(-6, 12)
BOXES = st.builds(Box, EDGE, EDGE, EDGE, EDGE)


def pixels(box: Box) -> set[tuple[int, int]]:
    return {(y, x) for y in range(box.y0, box.y1) for x in range(box.x0, box.x1)}


@given(BOXES)
def test_shape_and_size_count_the_pixels(box):
    assert box.size == len(pixels(box))
    assert box.empty == (not pixels(box))


@given(BOXES, BOXES)
def test_intersection_is_that_of_the_pixels(a, b):
    both = a.intersect(b)
    assert pixels(both) == pixels(a) & pixels(b)
    assert min(both.shape) >= 0


@given(BOXES, BOXES)
def test_union_holds_both(a, b):
    union = a.union(b)
    assert union.holds(a)
    assert union.holds(b)


@given(BOXES, st.integers(0, 3))
def test_expanding_grows_by_n_on_every_side(box, n):
    grown = box.expand(n)
    assert (grown.y0, grown.y1, grown.x0, grown.x1) == (box.y0 - n, box.y1 + n, box.x0 - n, box.x1 + n)


@given(BOXES, BOXES.filter(lambda box: not box.empty))
def test_slices_cut_the_box_out_of_an_array(box, origin):
    inside = box.intersect(origin)
    yy, xx = np.mgrid[origin.y0 : origin.y1, origin.x0 : origin.x1]
    cut = inside.slices(origin)
    assert {(int(y), int(x)) for y, x in zip(yy[cut].ravel(), xx[cut].ravel(), strict=True)} == pixels(inside)


def test_a_position_belongs_to_the_pixel_around_it():
    box = Box(0, 2, 0, 3)
    assert box.contains([-0.5, 2.49, 2.5, -0.51], [0.0, 1.49, 0.0, 0.0]).tolist() == [
        True,
        True,
        False,
        False,
    ]


def test_a_pixel_region_is_x_before_y():
    assert parse_region("10,20, 30,45") == PixelRegion(Box(30, 45, 10, 20))


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("49.5,-36,0.5", SkyRegion(49.5, -36.0, 0.5)),
        ("-10,+36,30arcmin", SkyRegion(350.0, 36.0, 0.5)),
        ("03:18:00, -36:30:00, 1800 arcsec", SkyRegion(49.5, -36.5, 0.5)),
        ("03h18m00s,-36d30m00s,30arcmin", SkyRegion(49.5, -36.5, 0.5)),
        ("3h18m,-36d30m,30arcmin", SkyRegion(49.5, -36.5, 0.5)),
        ("49d30m,-36d30m,0.5d", SkyRegion(49.5, -36.5, 0.5)),
        ("0:0:30,-0:30:00,1deg", SkyRegion(0.125, -0.5, 1.0)),
    ],
)
def test_a_circle_on_the_sky(text, region):
    found = parse_region(text)
    assert isinstance(found, SkyRegion)
    assert (found.ra, found.dec, found.radius_deg) == pytest.approx(
        (region.ra, region.dec, region.radius_deg)
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,2",
        "1,2,3,4,5",
        "20,10,30,40",
        "1.5,2,3,4",
        "a,b,c",
        "10,95,1",
        "10,10,0",
        "10,10,1parsec",
        "1:70:0,0,1",
    ]
    + ["10,10,nan", "nan,0,1", "1e999,0,1"],
)
def test_a_text_that_is_no_region_says_what_is_allowed(text):
    with pytest.raises(RegionError, match="allowed"):
        parse_region(text)
