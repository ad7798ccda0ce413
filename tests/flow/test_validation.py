"""The page of matched catalogues: its charts, its numbers, the field cut from a survey; and real fields."""

import base64
import io
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from tests.match.made import seen, sky

import skysift
from skysift.flow.match_charts import chart_of_map, chart_of_offsets, pairs_of
from skysift.flow.match_text import match_lines, pair
from skysift.flow.validation import in_field, match_page
from skysift.match.entries import Entries


def test_every_chart_is_a_picture_and_every_catalogue_has_its_section():
    truth = sky(200, seed=1)
    match = skysift.match(*(seen(name, truth, k)[0] for k, name in enumerate("AB", start=2)))
    page = match_page(match)
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(pictures) == 6
    assert all(min(Image.open(io.BytesIO(base64.b64decode(each))).size) > 300 for each in pictures)
    assert "B against A" in page
    assert "<script src" not in page


def test_a_page_of_nothing_in_common_says_so():
    left, right = (
        Entries.from_columns(name, [ra], [0.0], major=9.0, minor=9.0) for name, ra in (("A", 1), ("B", 50))
    )
    page = match_page(skysift.match(left, right))
    assert "Offsets: no pairs." in page
    assert "no common sky" in page


def test_pairs_are_those_of_the_reference():
    truth = sky(100, seed=2)
    (left, who), (right, other) = seen("A", truth, 3, keep=0.8), seen("B", truth, 4, keep=0.8)
    pairs = pairs_of(skysift.match(left, right), 2)
    assert pairs.east.size == np.intersect1d(who, other).size
    assert np.nanmedian(pairs.ratio) == pytest.approx(1.0, abs=0.02)
    assert np.hypot(pairs.x, pairs.y).max() < 60


def test_a_field_is_a_circle_of_the_survey():
    ra, dec, _ = sky(5000, seed=5, width=10.0)
    survey = Entries.from_columns("survey", ra, dec)
    field = Entries.from_columns("field", *sky(50, seed=6, width=1.0)[:2])
    near = in_field(survey, field, 60.0)
    assert 40 < len(near) < 120
    assert len(in_field(survey, field.take(np.zeros(50, bool)), 60.0)) == 0


def test_far_pairs_do_not_set_the_scale_of_the_charts():
    rng = np.random.default_rng(8)
    n = 100
    ra, dec = 10 + rng.uniform(0, 0.01, n), -30 + np.linspace(0, 2, n)  # a narrow strip
    north = rng.normal(0, 0.1, n)
    north[:8] = 20.0
    left = Entries.from_columns("A", ra, dec, flux=1.0, frequency=1e9, major=60.0, minor=60.0)
    right = Entries.from_columns(
        "B", ra + rng.normal(0, 0.1, n) / 3600, dec + north / 3600, flux=1.0, frequency=1e9
    )
    match = skysift.match(left, right, radius=30.0)
    pairs = pairs_of(match, 2)
    assert "8 pairs lie beyond the edges" in chart_of_offsets(pairs).caption
    chart = chart_of_map(pairs)
    assert "8 arrows stand for more than" in chart.caption
    wide, high = Image.open(io.BytesIO(base64.b64decode(chart.image.split(",")[1]))).size
    assert 0.5 < wide / high < 2


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1.2345, 0.021, "1.234 \u00b1 0.021"),
        (12.0, 3.4, "12.0 \u00b1 3.4"),
        (0.5, np.nan, "0.500"),
        (1.0, 0.0, "1.00"),
    ],
)
def test_values_stand_with_two_digits_of_their_error(value, error, text):
    assert pair(value, error) == text


def test_lines_account_for_every_row():
    truth = sky(100, seed=7)
    left, _ = seen("A", truth, 8)
    right, _ = seen("B", truth, 9, own=10)
    lines = match_lines(skysift.match(left, right, kind="likelihood", offset_model="plane"))
    assert lines[0] == "likelihood: 110 rows, 100 of them in two catalogues or more"
    assert lines[2] == "  B: 110 rows: 100 matched, 10 alone, 9 of these in the common sky"
    assert any("have a counterpart" in line for line in lines)
    assert any("per degree east, north" in line for line in lines)


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "frequency", "ratio", "scatter"),
    [("J0318M36", "1.4GHz", 1.5, 3.0), ("J0336M36", "1.4GHz", 1.5, 3.0), ("J0320M40", "843MHz", 1.0, 1.0)],
)
def test_fields_of_sumss_agree_with_the_survey(data_folder, tmp_path, name, frequency, ratio, scatter):
    reference = data_folder / "labelled" / "NVSS_SUMSS_components_70k.fits"
    image = data_folder / "continuum" / f"SUMSS_{name}.fits"
    if not (reference.is_file() and image.is_file()):
        pytest.skip("the SUMSS maps and their reference are not there")
    command = [sys.executable, "-m", "skysift"]
    find = ["find", str(image), "--out", "field", "--frequency", "843MHz", "--maps", "none", "--no-report"]
    check = ["validate", "field", str(reference), "--out", "check", "--reference-frequency", frequency]
    for words in (find, check):
        subprocess.run([*command, *words], cwd=tmp_path, check=True, capture_output=True)
    import json

    join = json.loads((tmp_path / "check" / "validation.json").read_text())["joins"][0]
    assert join["matched"] >= 30
    assert join["chance"]["false"] < 0.5
    assert abs(join["astrometry"]["east"]) < 2
    assert abs(join["astrometry"]["north"]) < 2
    assert join["astrometry"]["north_scatter"] < scatter
    assert join["flux_scale"]["ratio"] == pytest.approx(ratio, abs=0.15)  # at 1.4 GHz: index -0.8
