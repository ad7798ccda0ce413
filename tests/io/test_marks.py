"""Labels that were drawn on maps: shapes as pixels, formats told by content, one line for what cannot be used."""

import json
from dataclasses import replace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.units import deg
from hypothesis import given
from hypothesis import strategies as st
from regions import EllipsePixelRegion, PixCoord, PolygonPixelRegion, Regions
from tests import skies

import skysift
from skysift.base.errors import FormatError, OptionError, UsageError
from skysift.io.marks.coco import run_lengths
from skysift.io.marks.drawing import ellipse_prints, polygon_prints
from skysift.io.marks.opening import open_marks
from skysift.io.open import open_image
from skysift.io.regions import write_ds9

SHAPE = (40, 50)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """A map of 40 rows and 50 columns."""
    path = tmp_path_factory.mktemp("marks") / "field.fits"
    skies.write(path, np.zeros(SHAPE, np.float32), (4.0, 3.0, 20.0))
    return open_image(path)


def painted(prints, index=0, shape=SHAPE):
    """The pixels of one footprint."""
    result = np.zeros(shape, bool)
    mine = prints.select(np.array([index]))
    for row, start, stop in zip(mine.row, mine.start, mine.stop, strict=True):
        result[row, start:stop] = True
    return result


def opened(image, path, content, **classes):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return open_marks(path, image, classes)


# -- shapes


@given(st.floats(-5, 55), st.floats(-5, 45), st.floats(1, 15), st.floats(0.2, 1.0), st.floats(0, 3.14))
def test_an_ellipse_has_the_pixels_whose_middle_it_holds(x, y, a, ratio, angle):
    b, c, s = a * ratio, np.cos(angle), np.sin(angle)
    form = np.array([[a * a * c * c + b * b * s * s, (a * a - b * b) * s * c, a * a * s * s + b * b * c * c]])
    prints = ellipse_prints(np.array([x]), np.array([y]), form, SHAPE)
    inverse = np.linalg.inv([[form[0, 0], form[0, 1]], [form[0, 1], form[0, 2]]])
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    d = np.stack([xx - x, yy - y])
    value = np.einsum("iyx,ij,jyx->yx", d, inverse, d)
    sure = np.abs(value - 1.0) > 1e-9
    expected = value <= 1.0
    if expected.any():
        assert np.array_equal(painted(prints)[sure], expected[sure])


def test_a_small_ellipse_has_the_nearest_pixel_if_that_is_on_the_map():
    prints = ellipse_prints(
        np.array([7.4, -3.0]), np.array([3.3, 2.0]), np.full((2, 3), [0.01, 0, 0.01]), SHAPE
    )
    assert (prints.row.tolist(), prints.start.tolist(), prints.index.tolist()) == ([3], [7], [0])


@given(st.lists(st.tuples(st.floats(-10, 60), st.floats(-10, 50)), min_size=3, max_size=7))
def test_a_polygon_has_the_pixels_whose_middle_it_holds(corners):
    corners = np.array(corners) + 0.123
    prints = polygon_prints([(0, corners)], SHAPE)
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    inside = np.zeros(SHAPE, bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        with np.errstate(divide="ignore", invalid="ignore"):
            inside ^= ((y0 <= yy) != (y1 <= yy)) & (xx >= x0 + (yy - y0) * (x1 - x0) / (y1 - y0))
    assert np.array_equal(painted(prints), inside)


# -- COCO


def coco(*annotations, **image):
    return {
        "images": [{"id": 7, "file_name": "field.png", "height": SHAPE[0], "width": SHAPE[1], **image}],
        "categories": [{"id": 1, "name": "compact"}, {"id": 4, "name": "Extended_Source"}],
        "annotations": [{"id": k, "image_id": 7, **each} for k, each in enumerate(annotations)],
    }


def packed(counts):
    """Run lengths as COCO compresses them."""
    text = ""
    for k, count in enumerate(counts):
        value, more = (count - counts[k - 2] if k > 2 else count), True
        while more:
            letter = value & 31
            value >>= 5
            more = value != (-1 if letter & 16 else 0)
            text += chr(letter + (32 if more else 0) + 48)
    return text


@given(st.lists(st.integers(0, 100_000), max_size=12))
def test_compressed_runs_are_read_back(counts):
    assert run_lengths(packed(counts)).tolist() == counts


def test_coco_boxes_polygons_and_masks(image, tmp_path):
    mask = np.zeros(SHAPE, bool)
    mask[10:15, 20:23] = mask[12, 25] = True
    flat = mask.ravel(order="F").astype(int)
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges.tolist(), flat.size]).tolist()
    rle = {"size": list(SHAPE), "counts": counts}
    kind, marks = opened(
        image,
        tmp_path / "labels.json",
        coco(
            {"category_id": 1, "bbox": [10, 20, 5, 9]},
            {"category_id": 4, "bbox": [0, 0, 4, 2], "segmentation": [[0, 0, 4, 0, 4, 2, 0, 2]]},
            {"category_id": 4, "bbox": [20, 10, 6, 5], "segmentation": rle},
            {"category_id": 4, "bbox": [20, 10, 6, 5], "segmentation": {**rle, "counts": packed(counts)}},
            {"category_id": 4, "bbox": [90, 90, 6, 5]},
        ),
    )
    assert kind == "coco"
    assert marks.kind == ("compact", "extended", "extended", "extended", "extended")
    assert marks.centre[0].tolist() == [12.0, 24.0]
    box = painted(marks.footprints)
    assert box[24, 10:15].all()
    assert box[20:29, 12].all()
    assert not box[20, 10]
    square = painted(marks.footprints, 1)
    assert square[:2, :4].all()
    assert square.sum() == 8
    assert np.array_equal(painted(marks.footprints, 2), mask)
    assert np.array_equal(painted(marks.footprints, 3), mask)
    assert not painted(marks.footprints, 4).any()


def test_coco_of_another_map_is_refused(image, tmp_path):
    two = coco()
    two["images"] = [{"id": 1, "file_name": "a.fits"}, {"id": 2, "file_name": "b.fits"}]
    with pytest.raises(UsageError, match=r"no image of .* is the map"):
        opened(image, tmp_path / "labels.json", two)
    two["images"] = [{"id": 1, "file_name": "a/field.fits"}, {"id": 2, "file_name": "b/field.png"}]
    with pytest.raises(UsageError, match=r"several images of labels.json are named as the map"):
        opened(image, tmp_path / "labels.json", two)
    with pytest.raises(UsageError, match="not as large as the map"):
        opened(image, tmp_path / "labels.json", coco(height=41))
    with pytest.raises(FormatError, match="cannot be read"):
        opened(image, tmp_path / "labels.json", coco({"category_id": 1}))
    with pytest.raises(FormatError, match="no JSON that is whole"):
        opened(image, tmp_path / "labels.json", '{"images": [')
    with pytest.raises(FormatError, match="of no kind that is known"):
        opened(image, tmp_path / "labels.json", {"a": 1})


def test_unknown_classes_are_listed_and_can_be_told(image, tmp_path):
    told = coco({"category_id": 1, "bbox": [1, 1, 2, 2]}, {"category_id": 4, "bbox": [1, 1, 2, 2]})
    told["categories"] = [{"id": 1, "name": "ring"}, {"id": 4, "name": "blob"}]
    with pytest.raises(
        FormatError, match=r"got 'ring, blob'.*allowed: .*multisland.*classes: \{ring: compact\}"
    ):
        opened(image, tmp_path / "labels.json", told)
    _, marks = opened(image, tmp_path / "labels.json", told, ring="extended", blob="spurious")
    assert marks.kind == ("extended", "spurious")
    with pytest.raises(OptionError, match="ring means no class"):
        opened(image, tmp_path / "labels.json", told, ring="round", blob="spurious")


# -- YOLO


def test_yolo_boxes_and_polygons(image, tmp_path):
    (tmp_path / "classes.txt").write_text("spurious\ncompact\n")
    kind, marks = opened(
        image, tmp_path / "field.txt", "1 0.25 0.5 0.1 0.2\n\n0 0.0 0.0 0.2 0.0 0.2 0.1 0.0 0.1\n"
    )
    assert kind == "yolo"
    assert marks.kind == ("compact", "spurious")
    assert marks.centre[0].tolist() == [12.0, 19.5]
    assert painted(marks.footprints)[16:24, 12].all()
    assert painted(marks.footprints).sum() == pytest.approx(np.pi * 2.5 * 4, abs=4)
    assert painted(marks.footprints, 1).sum() == 40


def test_yolo_needs_names(image, tmp_path):
    with pytest.raises(FormatError, match=r"without classes.txt or .*got '3'"):
        opened(image, tmp_path / "field.txt", "3 0.25 0.5 0.1 0.2\n")
    assert opened(image, tmp_path / "field.txt", "3 0.25 0.5 0.1 0.2\n", **{"3": "compact"})[1].kind == (
        "compact",
    )
    (tmp_path / "data.yaml").write_text("names: {0: a, 1: b, 2: c, 3: extended}\n")
    assert opened(image, tmp_path / "field.txt", "3 0.25 0.5 0.1 0.2\n")[1].kind == ("extended",)
    with pytest.raises(FormatError, match="row 51 is none of YOLO"):
        opened(image, tmp_path / "field.txt", "3 0.25 0.5 0.1 0.2\n" * 50 + "3 0.25 0.5\n")


# -- DS9

REGIONS = """# Region file format: DS9 version 4.1
global color=green
image
circle(11,21,5) # tag={compact}
ellipse(26,21,8,4,30) # text={extended}
box(41,11,6,4,0) # tag={artefact}
polygon(1,1,9,1,9,5,1,5)
-circle(11,21,5)
point(31,31) # tag={compact} point=x
"""


def test_ds9_in_pixels(image, tmp_path):
    kind, marks = opened(image, tmp_path / "field.reg", REGIONS)
    assert kind == "ds9"
    assert marks.kind == ("compact", "extended", "spurious", "compact", "compact")
    assert marks.notes == (
        "1 regions with a minus sign are left out",
        "1 regions name no class in a tag or text: they are compact",
    )
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    every = PixCoord(xx, yy)
    ellipse = EllipsePixelRegion(PixCoord(25, 20), 16, 8, 30 * deg)
    assert np.array_equal(painted(marks.footprints, 1), ellipse.contains(every))
    outline = PolygonPixelRegion(PixCoord([0, 8, 8, 0], [-0.01, -0.01, 3.9, 3.9]))
    assert np.array_equal(painted(marks.footprints, 3)[1:4, 1:8], outline.contains(every)[1:4, 1:8])
    assert painted(marks.footprints, 0).sum() == pytest.approx(np.pi * 25, abs=4)
    assert painted(marks.footprints, 2).sum() == pytest.approx(24, abs=11)


@pytest.mark.parametrize("system", ["fk5", "icrs"])
def test_ds9_on_the_sky_has_the_same_pixels(system, image, tmp_path):
    pixel = EllipsePixelRegion(PixCoord(22.3, 17.6), 18, 8, 30 * deg)
    sky = pixel.to_sky(image.frame.wcs)
    sky.center = sky.center.transform_to(system)
    path = tmp_path / "field.reg"
    Regions([sky]).write(path, format="ds9")
    _, marks = open_marks(path, image)
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    assert marks.centre[0] == pytest.approx([22.3, 17.6], abs=0.01)
    assert int((painted(marks.footprints) != pixel.contains(PixCoord(xx, yy))).sum()) <= 3


def test_galactic_regions_turn_with_their_north(image, tmp_path):
    centre, tip = (SkyCoord(*image.frame.to_sky(x, y), unit="deg") for x, y in ((24.0, 19.0), (34.0, 23.0)))
    angle = centre.galactic.position_angle(tip.galactic).deg + 90.0
    text = f'galactic\nellipse({centre.galactic.l.deg},{centre.galactic.b.deg},20",4",{angle})\n'
    _, marks = opened(image, tmp_path / "field.reg", text)
    y, x = np.nonzero(painted(marks.footprints))
    spread = np.cov(x, y)
    assert np.degrees(0.5 * np.arctan2(2 * spread[0, 1], spread[0, 0] - spread[1, 1])) == pytest.approx(
        np.degrees(np.arctan2(4, 10)), abs=3
    )


def test_what_skysift_writes_is_read_back(image, tmp_path):
    data, truth = skies.paint(
        SHAPE,
        (4.0, 3.0, 20.0),
        sources=skies.population(SHAPE, (4.0, 3.0, 20.0), n_points=3, snr=(50, 80), seed=2),
    )
    skies.write(tmp_path / "sky.fits", data, (4.0, 3.0, 20.0))
    sky = open_image(tmp_path / "sky.fits")
    table = skysift.find(sky, workers=1).sources
    write_ds9(tmp_path / "sky.reg", table, sky.frame)
    _, marks = open_marks(tmp_path / "sky.reg", sky)
    x, y = sky.frame.to_pixel(table["ra"], table["dec"])
    assert len(truth) == len(table) == len(marks)
    assert np.allclose(marks.centre, np.stack([x, y], axis=1), atol=1e-3)
    assert marks.footprints.area(3) == pytest.approx(np.pi * 3, abs=5)


def test_ds9_that_cannot_be_read(image, tmp_path):
    for wrong in (
        "panda(1,2,3,4,5)",
        "circle(1,2)",
        "circle(a,2,3)",
        "polygon(1,2,3,4)",
        "circle(1,2,-3)",
        "ellipse(9,9,2,1,4,2,30)",
        "box(9,9,2,1,4,2,30)",
        "circle(9,9,2,4)",
    ):
        with pytest.raises(FormatError, match="line 2: a region that cannot be read"):
            opened(image, tmp_path / "field.reg", f"# Region file format: DS9\nimage;{wrong}\n")
    _, marks = opened(image, tmp_path / "field.reg", 'fk5\ncircle(12:00:00,-30:00:00,6")\n')
    assert marks.centre[0] == pytest.approx([24.5, 19.5], abs=0.6)
    assert painted(marks.footprints).sum() == pytest.approx(np.pi * 9, abs=4)


# -- caesar-mrcnn


def test_lists_of_caesar(image, tmp_path):
    mask = np.zeros(SHAPE, np.int16)
    mask[5:9, 30:35] = 1
    fits.PrimaryHDU(mask).writeto(tmp_path / "mask.fits")
    entry = {"img": "somewhere/field.fits", "objs": [{"mask": "mask.fits", "class": "extended-multisland"}]}
    outline = {"label": "sidelobe", "vertexes": [[1, 1], [4, 1], [4, 3], [1, 3]]}
    other = {"img": "other.fits", "objs": [{"mask": "nowhere.fits", "class": "compact"}]}
    kind, marks = opened(image, tmp_path / "list.json", [other, {**entry, "objs": [*entry["objs"], outline]}])
    assert kind == "caesar-mrcnn"
    assert marks.kind == ("extended-multisland", "spurious")
    assert np.array_equal(painted(marks.footprints), mask > 0)
    assert painted(marks.footprints, 1).sum() == 6
    with pytest.raises(UsageError, match="no such map of labels"):
        opened(image, tmp_path / "list.json", other)
    fits.PrimaryHDU(mask[:-1]).writeto(tmp_path / "mask.fits", overwrite=True)
    with pytest.raises(UsageError, match="not as large as the map"):
        opened(image, tmp_path / "list.json", entry)
    with pytest.raises(UsageError, match=r"no image of .* is the map"):
        opened(image, tmp_path / "list.json", [other, {**other, "img": "third.fits"}])


def test_names_are_compared_up_to_their_suffix_alone(image, tmp_path):
    outline = {"label": "compact", "vertexes": [[1, 1], [4, 1], [4, 3], [1, 3]]}
    entries = [
        {"img": f"{name}.fits", "objs": [outline] * n}
        for n, name in enumerate(("field.I", "field.Q", "field"), start=1)
    ]
    for name, n in (("field", 3), ("field.Q", 2), ("field.I", 1)):
        mine = replace(image, name=name)
        assert len(opened(mine, tmp_path / "list.json", entries)[1]) == n
    told = coco({"category_id": 1, "bbox": [1, 1, 2, 2]}, file_name="field.Q.fits.gz")
    told["images"].append({"id": 8, "file_name": "field.I.fits"})
    assert len(opened(replace(image, name="field.Q"), tmp_path / "set.json", told)[1]) == 1
    with pytest.raises(UsageError, match=r"several images of list.json are named as the map"):
        opened(image, tmp_path / "list.json", [entries[2], {**entries[2], "img": "elsewhere/field.fits"}])


def test_other_files_are_no_marks(image, tmp_path):
    (tmp_path / "list.csv").write_text("ra,dec,flux\n1,2,3\n")
    assert open_marks(tmp_path / "list.csv", image) is None
    assert open_marks(tmp_path, image) is None
