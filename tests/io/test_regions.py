import warnings
from dataclasses import replace

import numpy as np
import pytest
from astropy.wcs import WCS
from regions import (
    EllipsePixelRegion,
    EllipseSkyRegion,
    PixCoord,
    PointPixelRegion,
    PointSkyRegion,
    PolygonPixelRegion,
    PolygonSkyRegion,
    Regions,
)  # fmt: skip
from tests import catalogues

from skysift.base.errors import OutputError
from skysift.io.regions import Drawn, component_classes, write_crtf, write_ds9
from skysift.measure.outline import outlines
from skysift.sky.flags import flag
from skysift.sky.frame import Frame
from skysift.sky.lines import Lines
from skysift.sky.mask import Mask
from skysift.sky.schema import FURTHER
from skysift.sky.table import Table
from skysift.sky.truth import CLASS_COLOURS, CLASSES

WRITERS = {"ds9": write_ds9, "crtf": write_crtf}
each_format = pytest.mark.parametrize("form", WRITERS)


def components(n: int = 40, **columns: object) -> Table:
    table = catalogues.catalogue(n).components
    return table.with_columns({name: np.broadcast_to(value, len(table)) for name, value in columns.items()})


def written(folder, form: str, table: Table, frame: Frame | None = None) -> Regions:
    path = WRITERS[form](folder / f"out.{form}", table, frame)
    return Regions.read(path, format=form)


def tan_map(rotation: float = 0.0, pixel: tuple[float, float] = (2.0, 2.0)) -> WCS:
    """A map at RA 49.5, Dec -37, pixels in arcsec (y, x)."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    wcs.wcs.crval = [49.5, -37.0]
    wcs.wcs.crpix = [250.5, 250.5]
    turn = np.radians(rotation)
    wcs.wcs.cd = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.diag(
        [-pixel[1] / 3600, pixel[0] / 3600]
    )
    wcs.wcs.radesys = "ICRS"
    return wcs


@each_format
def test_ellipses_come_back(tmp_path, form):
    table = components()
    regions = written(tmp_path, form, table)
    assert len(regions) == len(table)
    for region, row in zip(regions, range(len(table)), strict=True):
        assert isinstance(region, EllipseSkyRegion)
        center = region.center.icrs
        assert center.ra.deg == pytest.approx(table.ra[row], abs=1e-7)
        assert center.dec.deg == pytest.approx(table.dec[row], abs=1e-7)
        axes = sorted([region.width.to_value("arcsec"), region.height.to_value("arcsec")])
        assert axes == pytest.approx([table.minor[row], table.major[row]], abs=1e-3)
        # the package turns `width` from west to north; its major axis then has this position angle
        major_is_width = region.width > region.height
        pa = region.angle.to_value("deg") - (90.0 if major_is_width else 0.0)
        assert np.mod(pa - table.pa[row] + 90.0, 180.0) - 90.0 == pytest.approx(0.0, abs=1e-3)
        label = region.meta["text"] if form == "ds9" else region.meta["label"]
        assert label == table.name[row]


@each_format
@pytest.mark.parametrize("rotation", [0.0, 70.0])
@pytest.mark.parametrize("pa", [0.0, 30.0, 90.0, 160.0])
def test_the_pixels_inside_lie_along_the_position_angle(tmp_path, form, rotation, pa):
    wcs = tan_map(rotation)
    ra, dec = wcs.all_pix2world(240.0, 260.0, 0)
    one = (
        components(1)
        .select(np.array([0]))
        .with_columns({"ra": [float(ra)], "dec": [float(dec)], "major": [160.0], "minor": [60.0], "pa": [pa]})
    )
    (region,) = written(tmp_path, form, one)
    mask = region.to_pixel(wcs).to_mask().to_image((500, 500)) > 0
    y, x = np.nonzero(mask)
    to_sky = Frame.from_wcs(wcs, (500, 500)).tangent([240.0], [260.0])[0]
    east, north = to_sky @ np.stack([x - x.mean(), y - y.mean()])
    values, vectors = np.linalg.eigh(np.cov(east, north))
    measured = np.degrees(np.arctan2(vectors[0, 1], vectors[1, 1]))
    assert np.mod(measured - pa + 90.0, 180.0) - 90.0 == pytest.approx(0.0, abs=1.5)
    assert 4 * np.sqrt(values) == pytest.approx([60.0, 160.0], rel=0.03)  # full axes of a filled ellipse


@each_format
@pytest.mark.parametrize("scale", [(2.0, 2.0), (4.0, 2.0)])
def test_maps_without_sky_are_drawn_in_pixels(tmp_path, form, scale):
    frame = Frame.pixels_only((500, 500), scale)
    table = components(5, ra=np.nan, dec=np.nan)
    regions = written(tmp_path, form, table, frame)
    for region, row in zip(regions, range(len(table)), strict=True):
        assert isinstance(region, EllipsePixelRegion)
        assert (region.center.x, region.center.y) == pytest.approx((table.x[row], table.y[row]), abs=1e-3)
        area = np.pi / 4 * table.major[row] * table.minor[row] / (scale[0] * scale[1])
        assert region.area == pytest.approx(area, rel=1e-3)
    if scale[0] == scale[1]:
        for region, row in zip(regions, range(len(table)), strict=True):
            long_is_width = region.width > region.height
            angle = region.angle.to_value("deg") + (
                0.0 if long_is_width else 90.0
            )  # of the long axis from +x
            assert np.mod(angle - 90.0 - table.pa[row] + 90.0, 180.0) - 90.0 == pytest.approx(0.0, abs=1e-3)


@each_format
def test_what_has_no_shape_is_a_cross(tmp_path, form):
    table = components(4, major=np.nan)
    assert all(isinstance(region, PointSkyRegion) for region in written(tmp_path, form, table))
    blind = components(4, ra=np.nan, dec=np.nan)
    (tmp_path / f"out.{form}").unlink()
    regions = written(tmp_path, form, blind)
    assert all(isinstance(region, PointPixelRegion) for region in regions)
    assert isinstance(regions[0].center, PixCoord)
    assert regions[0].center.x == pytest.approx(blind.x[0], abs=1e-3)
    (tmp_path / f"out.{form}").unlink()
    nowhere = components(4, ra=np.nan, dec=np.nan, x=np.nan)
    assert WRITERS[form](tmp_path / f"out.{form}", nowhere).read_text().count("point") == 0


@each_format
def test_rows_with_and_without_sky_share_a_file(tmp_path, form):
    table = components(4)
    ra = table.ra.copy()
    ra[1] = np.nan
    regions = written(tmp_path, form, table.with_columns({"ra": ra}))
    assert [isinstance(region, EllipseSkyRegion) for region in regions] == [True] * (len(table) - 1) + [False]


@each_format
def test_colours_tell_structure_and_trouble(tmp_path, form):
    table = (
        components(4)
        .select(np.arange(4))
        .with_columns({"structure": ["S", "C", "M", "S"], "flags": [0, flag("reseeded"), 0, flag("edge")]})
    )
    colours = [
        region.visual["color" if form == "crtf" else "facecolor"] for region in written(tmp_path, form, table)
    ]
    assert colours == ["cyan", "green", "white", "magenta"]


@each_format
def test_colours_tell_the_class_where_there_is_one(tmp_path, form):
    table = components(6).select(np.arange(6)).with_columns({"flags": [0, 0, flag("edge"), 0, 0, 0]})
    kinds = np.array([*CLASSES, ""])
    path = WRITERS[form](tmp_path / f"out.{form}", table, kinds=kinds)
    regions = Regions.read(path, format=form)
    colours = [region.visual["color" if form == "crtf" else "facecolor"] for region in regions]
    assert colours == [*(CLASS_COLOURS[kind] for kind in CLASSES), "green"]
    assert [region.visual.get("linestyle", "-") in ("--", "dashed") for region in regions] == [
        row == 2 for row in range(6)
    ]
    for region, kind, name in zip(regions, kinds.tolist(), table.name.tolist(), strict=True):
        if form == "ds9":
            assert region.meta["text"] == name
            assert region.meta.get("tag", []) == ([kind] if kind else [])
        else:
            assert region.meta["label"] == f"{name} {kind}".strip()
    assert all(f"{kind} {colour}" in path.read_text() for kind, colour in CLASS_COLOURS.items())


def test_components_have_the_class_of_their_source():
    catalogue = catalogues.catalogue(7)
    assert component_classes(catalogue) is None
    declared = next(each for each in FURTHER if each.name == "class")
    kinds = np.array(CLASSES)[np.arange(len(catalogue.sources)) % 5]
    rows = np.arange(len(catalogue.sources))[::-1]
    sources = catalogue.sources.with_columns({"class": kinds}, [declared]).select(rows)
    told = component_classes(replace(catalogue, sources=sources))
    wanted = dict(zip(sources.ids.tolist(), sources["class"].tolist(), strict=True))
    assert told is not None
    assert told.tolist() == [wanted[number] for number in catalogue.components["source_id"].tolist()]


@each_format
def test_names_do_not_break_the_file(tmp_path, form):
    table = components(2).select(np.array([0])).with_columns({"name": ['{it\'s} "x"']})
    assert len(written(tmp_path, form, table)) == 1
    blank = table.with_columns({"name": [""]})
    (tmp_path / f"out.{form}").unlink()
    (region,) = written(tmp_path, form, blank)
    assert str(region.meta["text" if form == "ds9" else "label"]) == str(blank.component_id[0])


@each_format
def test_nothing_is_drawn_for_nothing(tmp_path, form):
    path = WRITERS[form](tmp_path / "out", Table.empty("components"))
    assert path.read_text().startswith("#")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert len(Regions.read(path, format=form)) == 0


@each_format
def test_sources_are_ellipses_and_islands_boxes_of_their_pixels(tmp_path, form):
    catalogue = catalogues.catalogue(3)
    assert len(written(tmp_path, form, catalogue.sources)) == 3
    (tmp_path / f"out.{form}").unlink()
    corners = {"x_min": [3, 9, 0], "x_max": [3, 20, 4], "y_min": [7, 8, 9], "y_max": [9, 8, 20]}
    islands = catalogue.islands.with_columns(corners)
    for row, box in enumerate(written(tmp_path, form, islands)):
        assert (box.width, box.height) == (
            islands.x_max[row] - islands.x_min[row] + 1,
            islands.y_max[row] - islands.y_min[row] + 1,
        )
        assert box.center.x == pytest.approx((islands.x_min[row] + islands.x_max[row]) / 2, abs=0.06)
        assert box.center.y == pytest.approx((islands.y_min[row] + islands.y_max[row]) / 2, abs=0.06)


@each_format
def test_a_file_is_not_replaced_unless_asked(tmp_path, form):
    table = components(2)
    first = WRITERS[form](tmp_path / "out", table).read_bytes()
    with pytest.raises(OutputError, match="the file exists"):
        WRITERS[form](tmp_path / "out", table)
    assert WRITERS[form](tmp_path / "out", table, overwrite=True).read_bytes() == first


def drawn_of(table: Table) -> tuple[Drawn, np.ndarray]:
    """A square with a hole and a spine for the second row, a triangle for the first; and the square's pixels."""
    labels = np.zeros((60, 60), np.int32)
    labels[10:40, 20:50], labels[20:30, 30:35] = 2, 0
    square = outlines(Mask.from_labels(labels))
    owner = table.ids[[1, 1]]
    spine = Lines.of(table.ids[[1]], [np.array([[20.0, 25.0], [30.0, 28.0], [49.0, 25.0]])])
    return Drawn(table, square.given_to(owner), spine), labels == 2


@each_format
def test_extended_sources_are_polygons_with_holes(tmp_path, form):
    wcs = tan_map(40.0)
    table = (
        components(3).select(np.arange(3)).with_columns({"structure": ["S", "E", "C"], "flags": [0, 0, 0]})
    )
    drawn, inside = drawn_of(table)
    frame = Frame.from_wcs(wcs, (60, 60))
    path = WRITERS[form](tmp_path / "out", table, frame, drawn=drawn)
    regions = Regions.read(path, format=form)
    polygons = [each for each in regions if isinstance(each, PolygonSkyRegion)]
    assert len(polygons) == 2
    assert sum(isinstance(each, EllipseSkyRegion) for each in regions) == len(table)
    found = np.zeros(inside.shape, bool)
    for region in polygons:
        mask = region.to_pixel(wcs).to_mask(mode="center").to_image(inside.shape) > 0
        found = found & ~mask if region.meta["include"] not in (True, "") else found | mask
        assert region.meta["text" if form == "ds9" else "label"] == table.name[1]
    assert np.array_equal(found, inside)
    text = path.read_text()
    assert text.count("segment(") == (form == "ds9")
    assert text.count("line [[") == 2 * (form == "crtf")
    assert "yellow" in text


@each_format
def test_outlines_without_sky_are_in_pixels(tmp_path, form):
    table = (
        components(3).select(np.arange(3)).with_columns({"structure": ["S", "E", "C"], "flags": [0, 0, 0]})
    )
    drawn, inside = drawn_of(table)
    path = WRITERS[form](tmp_path / "out", table, Frame.pixels_only((60, 60), (1.0, 1.0)), drawn=drawn)
    polygons = [each for each in Regions.read(path, format=form) if isinstance(each, PolygonPixelRegion)]
    assert len(polygons) == 2
    outer = polygons[0].to_mask(mode="center").to_image(inside.shape) > 0
    assert np.array_equal(outer & inside, inside)
    assert outer.sum() == 30 * 30


@each_format
def test_lines_of_rows_that_are_not_there_are_left_out(tmp_path, form):
    table = components(3)
    drawn, _ = drawn_of(table)
    gone = Drawn(table.select(np.array([0])), drawn.outlines, drawn.spines)
    text = WRITERS[form](tmp_path / "out", table, None, drawn=gone).read_text()
    assert "poly" not in text
    assert WRITERS[form](tmp_path / "none", table, None).read_text() in text
