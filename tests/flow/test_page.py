import base64
import html.parser
import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from tests import skies

import skysift
from skysift.base.errors import OptionError, UnknownName
from skysift.cli.progress import summary
from skysift.find.run import make_finder
from skysift.flow import layers, overview
from skysift.flow.steps.find import find_products, product_names
from skysift.flow.style import digits
from skysift.sky.beam import Beam
from skysift.sky.box import Box, PixelRegion
from skysift.sky.frame import Frame
from skysift.sky.image import SkyImage
from skysift.sky.table import Table

BEAM = (4.0, 4.0, 0.0)
CARDS = {
    "CTYPE1": "RA---SIN",
    "CTYPE2": "DEC--SIN",
    "CRVAL1": 10.0,
    "CRVAL2": -30.0,
    "CRPIX1": 60.0,
    "CRPIX2": 50.0,
    "CDELT1": -2 / 3600,
    "CDELT2": 2 / 3600,
    "CUNIT1": "deg",
    "CUNIT2": "deg",
    "RADESYS": "ICRS",
}


class Tags(html.parser.HTMLParser):
    """Checks that tags are closed in the order in which they were opened, and keeps the text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.text = [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "img", "input", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def picture(shape=(100, 120), celestial=True, seed=2, **options):
    sources = skies.population(shape, BEAM, n_points=4, snr=(20, 200), lattice=30, seed=seed)
    data, _ = skies.paint(shape, BEAM, sources=sources, seed=seed)
    return image_of(data, celestial, **options)


def image_of(data, celestial=True, **options):
    geometry = {"frame": Frame.from_cards(CARDS, data.shape)} if celestial else {"pixel_scale": (3.0, 2.0)}
    return SkyImage.from_array(data, beam=Beam(8, 8, 0), name="a <map> & more", **geometry, **options)


def page_of(image, out, **options):
    made = find_products(image, make_finder("classic", **options), out, name="classic", maps=())
    return made, (out / "report.html").read_text()


def images(text):
    for content in re.findall(r'src="data:image/png;base64,([^"]+)"', text):
        yield Image.open(io.BytesIO(base64.b64decode(content)))


def test_a_page_is_whole_and_escapes_what_it_is_told(tmp_path):
    made, text = page_of(picture(), tmp_path)
    tags = Tags(text)
    assert "a <map> & more" in tags.text
    assert "<map>" not in text
    words = " ".join(tags.text)
    for name in made.catalogue.sources["name"]:
        assert name in words
    for row in made.manifest.provenance.options:
        assert row in words
    assert made.manifest.provenance.inputs[0].checksum in words
    assert len(list(images(text))) == 10 + min(8, len(made.catalogue.islands))


def test_the_outlines_fit_on_the_map(tmp_path):
    _, text = page_of(picture(), tmp_path)
    seen = list(images(text))
    assert seen[0].size == seen[1].size
    clear = np.asarray(seen[1].convert("RGBA"))[..., 3] == 0
    assert 0.9 < clear.mean() < 1


@pytest.mark.parametrize(
    ("data", "celestial"),
    [
        (np.full((30, 40), np.nan), True),
        (np.zeros((30, 40)), False),
        (np.random.default_rng(1).normal(size=(90, 90)) * 1e-3, True),
        (np.random.default_rng(1).normal(size=(1, 200)), True),
        (np.random.default_rng(1).normal(size=(200, 1)), False),
        (np.ones((1, 1)), True),
    ],
    ids=["blank", "zero", "noise", "row", "column", "pixel"],
)
def test_a_map_where_nothing_is_found_has_a_page(data, celestial, tmp_path):
    made, text = page_of(image_of(data, celestial), tmp_path, seed=20)
    assert len(made.catalogue) == 0
    Tags(text)
    assert "Nothing was found" in text
    assert "No source is flagged" in text
    assert all(min(each.size) > 50 for each in images(text))


def test_a_map_without_sky_coordinates_has_a_page_in_pixels(tmp_path):
    made, text = page_of(picture(celestial=False), tmp_path)
    assert len(made.catalogue) > 0
    assert "no sky coordinates" in text
    assert "<th>x [px]</th>" in text


def test_a_long_thin_map_with_a_source_has_a_page(tmp_path):
    data = np.random.default_rng(1).normal(size=(7, 400)).astype(np.float32) * 1e-3
    data[2:5, 198:203] += 0.5
    made, text = page_of(image_of(data), tmp_path)
    assert len(made.catalogue) >= 1
    Tags(text)


def test_absurd_pixels_do_not_break_the_page(tmp_path):
    image = picture()
    data = image.read()
    data[5, 5], data[50:60, :9] = 1e30, np.nan
    _, text = page_of(image_of(data), tmp_path)
    Tags(text)


def test_a_huge_map_is_shown_by_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(overview, "LONGEST", 40)
    _, text = page_of(picture(), tmp_path)
    assert "each block of 3 x 3 pixels as its brightest pixel" in text
    assert "mean of blocks of 3 x 3 pixels" in text


def test_a_page_of_a_galactic_map_has_galactic_axes(tmp_path):
    cards = CARDS | {"CTYPE1": "GLON-CAR", "CTYPE2": "GLAT-CAR", "CRVAL2": 0.0}
    cards.pop("RADESYS")
    image = picture()
    frame = Frame.from_cards(cards, image.shape)
    _, text = page_of(SkyImage.from_array(image.read(), beam=Beam(8, 8, 0), frame=frame), tmp_path)
    assert "Galactic coordinates" in text


def test_a_region_is_what_products_and_page_show(tmp_path):
    image, region = picture((200, 220)), PixelRegion(Box(20, 150, 30, 140))
    find_products(image, make_finder("classic"), tmp_path / "whole", report=False)
    made = find_products(image, make_finder("classic"), tmp_path / "part", region=region)
    assert made.manifest.region == "30,140,20,150"
    told = json.loads((tmp_path / "part" / "manifest.json").read_text())
    assert told["region"] == "30,140,20,150"
    assert json.loads((tmp_path / "whole" / "manifest.json").read_text())["region"] == ""
    for name in ("rms", "labels"):
        whole, part = (
            skysift.open(tmp_path / run / f"{name}.fits", unit="Jy/beam") for run in ("whole", "part")
        )
        assert part.shape == (130, 110)
        assert np.allclose(part.frame.to_sky(0, 0), whole.frame.to_sky(30, 20), rtol=0, atol=1e-9)
    assert np.array_equal(
        skysift.open(tmp_path / "whole" / "rms.fits").read(region.box),
        skysift.open(tmp_path / "part" / "rms.fits").read(),
    )
    text = (tmp_path / "part" / "report.html").read_text()
    assert "the region 30,140,20,150" in text
    assert f"<b>{130 * 110 * 4 / 3600:.1f}</b><span>square arcminutes searched" in text
    Tags(text)


def test_the_manifest_tells_how_the_background_was_chosen(tmp_path):
    find_products(picture(), make_finder("classic"), tmp_path, report=False, maps=())
    facts = json.loads((tmp_path / "manifest.json").read_text())["facts"]
    assert {"level", "level_share", "cell_pixels", "empty_cells", "refined_nodes", "rms_median"} <= set(facts)
    assert not {"seconds", "counts"} & set(facts)


def test_flagged_and_doubtful_are_the_same_numbers_everywhere(tmp_path):
    data = picture().read()
    data[40:60, 117:] += 5e-3  # at the edge
    made, text = page_of(image_of(data), tmp_path)
    counts = made.manifest.counts
    assert 0 < counts["doubtful"] <= counts["flagged"]
    words = summary(made)
    assert f"{counts['flagged']} flagged ({counts['doubtful']} doubtful)" in words
    assert f"<b>{counts['flagged']}</b><span>flagged sources, {counts['doubtful']} doubtful</span>" in text
    assert f"doubtful: see its flags ({counts['doubtful']})" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2519.6, "2,520"),
        (999.7, "1,000"),
        (0.01234, "0.0123"),
        (0, "0"),
        (-12.34, "-12.3"),
        (np.nan, "\u2013"),
    ],
)
def test_numbers_have_three_digits_and_no_exponent(value, text):
    assert digits(value) == text


def test_an_ellipse_encloses_what_its_shape_says():
    frame = Frame.from_cards(CARDS | {"CDELT1": -1 / 3600, "CDELT2": 3 / 3600}, (200, 200))
    names = {"x": [60.0, 80.0, 20.0], "y": [50.0, 90.0, 20.0], "major": [30.0, 12.0, np.nan]}
    names |= {"minor": [10.0, 12.0, 5.0], "pa": [90.0, 0.0, 0.0]}
    columns = {name: Table.empty("components")[name] for name in Table.empty("components").names}
    blank = {"f": np.nan, "i": 0, "b": False, "U": "S"}
    columns = {name: np.full(3, blank[values.dtype.kind]) for name, values in columns.items()}
    lines = layers.ellipses(frame, Table.from_columns("components", columns | names))
    np.testing.assert_allclose(np.ptp(lines[0], axis=0), [30, 10 / 3], rtol=1e-3)  # pa 90: along RA
    np.testing.assert_allclose(np.ptp(lines[1], axis=0), [12, 4], rtol=1e-3)
    assert np.isnan(lines[2]).all()


def test_the_report_is_no_part_of_what_two_runs_share_but_all_else_is(tmp_path):
    image = picture()
    finder = make_finder("classic")
    for number in (1, 2):
        find_products(image, finder, tmp_path / str(number), name="classic", formats=("fits", "csv"))
    for path in (tmp_path / "1").iterdir():
        if path.name not in ("manifest.json", "report.html"):
            assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes()
    told = [json.loads((tmp_path / str(number) / "manifest.json").read_text()) for number in (1, 2)]
    for key in ("options", "inputs", "counts", "versions", "finder", "version"):
        assert told[0][key] == told[1][key]


def test_names_of_products_are_known_before_anything_runs():
    names = product_names(("csv", "fits"), ("labels", "rms"), report=False)
    assert names[-1] == "manifest.json"
    assert names[:3] == ("islands.csv", "sources.csv", "components.csv")
    assert {"rms.fits", "labels.fits"} < set(names)
    with pytest.raises(UnknownName, match="no such map"):
        product_names(("csv",), ("noise",), report=False)
    with pytest.raises(UnknownName, match="excel"):
        product_names(("excel",), (), report=False)
    with pytest.raises(OptionError, match="no format"):
        product_names((), (), report=False)
