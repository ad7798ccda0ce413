"""Labels of any kind become a truth on the pixels of a map: positions, fluxes, shapes and masks; what is off is told."""

import json

import numpy as np
import pytest
from tests import catalogues, skies

from skysift.base.errors import DataError, FormatError, OptionError, SkysiftWarning
from skysift.base.parallel import Crew
from skysift.find.noise import measure_noise
from skysift.flow.training import labels
from skysift.flow.training.making import make_fields
from skysift.flow.training.recipe import FieldPlan, read_recipe
from skysift.io.open import open_image
from skysift.io.sdc import write_rows
from skysift.io.sdc_rows import SDC1
from skysift.learn.fields import LABELS
from skysift.measure.options import NoiseOptions
from skysift.sky.catalogue import Catalogue
from skysift.sky.shapes import covariances
from skysift.sky.table import Table
from skysift.sky.truth import CLASSES

BEAM = (5.0, 4.0, 30.0)
SHAPE = (200, 240)
RMS = 1e-5


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    """A map with a point, a resolved Gaussian and a blank corner; its path; the sources."""
    sources = np.zeros(2, skies.SOURCE)
    sources["kind"] = ["point", "gaussian"]
    sources["x"], sources["y"] = [60.3, 150.2], [80.6, 120.4]
    sources["total"] = [400 * RMS, 3000 * RMS]
    sources["dmaj"], sources["dmin"], sources["dpa"] = [0, 12.0], [0, 6.0], [0, 40.0]
    data, truth = skies.paint(SHAPE, BEAM, rms=RMS, sources=sources, seed=4)
    data[:30, :30] = np.nan
    path = tmp_path_factory.mktemp("labels") / "field.fits"
    skies.write(path, data, BEAM)
    return open_image(path), path, truth


def regions(sky, *more):
    """Circles around the sources, wide enough for their flux."""
    _, _, truth = sky
    lines = [
        f"circle({t['x'] + 1},{t['y'] + 1},{radius}) # tag={{{kind}}}"
        for t, radius, kind in zip(truth, (9, 18), ("compact", "extended"), strict=True)
    ]
    return "\n".join(["# Region file format: DS9", "image", *lines, *more]) + "\n"


def opened(path, image, classes=None):
    return labels.open_labels(path, image, measure_noise(image, NoiseOptions()), classes)


def written(path, text):
    path.write_text(text)
    return path


def test_marks_are_measured_on_the_map(sky, tmp_path):
    image, _, truth = sky
    made, notes = opened(written(tmp_path / "field.reg", regions(sky)), image)
    table = made.sources
    assert notes == ()
    assert table["class"].tolist() == ["compact", "extended"]
    assert table["flux"] == pytest.approx(truth["total"], rel=0.05)
    assert table["flux_peak"] == pytest.approx(truth["peak"], rel=0.03)
    assert table["major_deconv"][0] < 3.0  # arcsec; pixels of 2
    assert table["major_deconv"][1] == pytest.approx(24.0, rel=0.1)
    assert table["minor_deconv"][1] == pytest.approx(12.0, rel=0.15)
    own = covariances(*(table[f"{name}_deconv"] for name in ("major", "minor", "pa")))[1]
    turned = skies.covariance(24.0, 12.0, 40.0)  # x runs to the west
    assert own == pytest.approx([turned[0, 0], -turned[0, 1], turned[1, 1]], abs=12.0)
    assert made.frame is image.frame
    assert made.detections.area.tolist() == pytest.approx([np.pi * 81, np.pi * 324], rel=0.03)


def test_the_level_of_the_map_is_no_flux(sky, tmp_path):
    image, _, _ = sky
    text = regions(sky)
    level = np.float32(20 * RMS) + np.arange(SHAPE[1], dtype=np.float32) * np.float32(0.05 * RMS)
    skies.write(tmp_path / "field.fits", image.read(image.box) + level, BEAM)
    flat, _ = opened(written(tmp_path / "field.reg", text), image)
    raised, _ = opened(tmp_path / "field.reg", open_image(tmp_path / "field.fits"))
    for name in ("flux", "flux_peak"):  # of the first, the level alone would add two thirds
        assert raised.sources[name] == pytest.approx(flat.sources[name], rel=0.05)


def test_what_is_off_the_map_or_without_data_is_counted(sky, tmp_path):
    image, _, _ = sky
    text = regions(sky, "circle(-50,10,4)", "circle(10,10,4)", "circle(500,10,4)")
    made, notes = opened(written(tmp_path / "field.reg", text), image)
    assert len(made) == 2
    told = "\n".join(notes)
    assert "2 of 5 labels are off the map and left out" in told
    assert "1 of 5 labels are where the map has no data and left out" in told


def test_labels_without_an_object_are_one_line(sky, tmp_path):
    image, _, _ = sky
    empty = {"images": [{"id": 1, "file_name": "field.fits"}], "categories": [], "annotations": []}
    for name, text in (
        ("a.json", json.dumps(empty)),
        ("b.reg", "# Region file format: DS9\n"),
        ("c.reg", "image\ncircle(-50,10,4)\n"),
        ("d.csv", "ra,dec,flux_jy\n12.0,40.0,1.0\n"),
    ):
        with pytest.raises(DataError, match="have no object on the map") as told:
            opened(written(tmp_path / name, text), image)
        assert "\n" not in str(told.value)


def test_a_catalogue_alone_gives_masks(sky, tmp_path):
    image, _, truth = sky
    ra, dec = image.frame.to_sky(truth["x"], truth["y"])
    seen = [
        "RA,DEC,flux_Jy",
        *(f"{a},{d},{t['total']}" for a, d, t in zip(ra, dec, truth, strict=True)),
        "10.0,10.0,1.0",
    ]
    made, notes = opened(written(tmp_path / "list.csv", "\n".join(seen) + "\n"), image)
    assert len(made) == 2
    assert "1 of 3 labels are off the map" in notes[0]
    assert made.sources["flux"] == pytest.approx(truth["total"])
    assert made.sources["flux_peak"] == pytest.approx(truth["total"])  # points, as nothing else is told
    assert made.sources["x"] == pytest.approx(truth["x"], abs=1e-3)
    assert made.detections.area[0] == pytest.approx(
        np.pi * 5 * 4, rel=0.1
    )  # semi-axes of the FWHM of the beam


def test_shapes_that_are_told_with_the_beam_are_freed_of_it(sky, tmp_path):
    image, _, truth = sky
    table = catalogues.catalogue(2, seed=3).sources[:2]
    ra, dec = image.frame.to_sky(truth["x"], truth["y"])
    unknown = dict.fromkeys(
        ("major_deconv", "minor_deconv", "pa_deconv", "flux", "flux_int"), np.full(2, np.nan)
    )
    seen = {"major": 2.0 * truth["maj"], "minor": 2.0 * truth["min"], "pa": truth["pa"]}
    table = table.with_columns({"ra": ra, "dec": dec, "flux_peak": truth["peak"], **seen, **unknown})
    Catalogue(Table.empty("islands"), table, Table.empty("components")).write(tmp_path / "list.fits")
    made, notes = opened(tmp_path / "list.fits", image)
    assert notes == ()
    assert made.sources["flux"] == pytest.approx(truth["total"], rel=0.01)
    assert made.sources["major_deconv"] == pytest.approx(2.0 * truth["dmaj"], abs=0.2)
    assert made.sources["minor_deconv"] == pytest.approx(2.0 * truth["dmin"], abs=0.2)
    assert made.detections.area == pytest.approx(np.pi * truth["maj"] * truth["min"], rel=0.05)


def test_positions_alone_are_measured_on_the_map(sky, tmp_path):
    image, _, truth = sky
    ra, dec = image.frame.to_sky(truth["x"], truth["y"])
    text = "ra,dec\n" + "".join(f"{a},{d}\n" for a, d in zip(ra, dec, strict=True))
    made, notes = opened(written(tmp_path / "list.csv", text), image)
    assert "2 labels have neither flux nor peak" in notes[0]
    assert made.sources["flux_peak"] == pytest.approx(truth["peak"], rel=0.03)
    assert len(made) == 2


def test_a_list_of_the_first_data_challenge(sky, tmp_path):
    image, _, truth = sky
    ra, dec = image.frame.to_sky(truth["x"], truth["y"])
    n = len(truth)
    rows = {name: np.zeros(n) for name in SDC1} | {
        "id": np.arange(n), "ra_core": ra, "dec_core": dec, "ra_cent": ra, "dec_cent": dec, "flux": truth["total"],
        "b_maj": 2.0 * truth["dmaj"], "b_min": 2.0 * truth["dmin"], "pa": (90.0 - truth["dpa"]) % 180.0,
        "size": np.full(n, 2), "class": np.full(n, 3),
    }  # fmt: skip
    write_rows(rows, tmp_path / "truth.txt")
    made, _ = opened(tmp_path / "truth.txt", image)
    assert made.sources["flux"] == pytest.approx(truth["total"], rel=1e-6)
    assert made.sources["flux_peak"][0] == pytest.approx(truth["peak"][0], rel=1e-3)
    assert made.sources["flux_peak"][1] == pytest.approx(
        truth["peak"][1], rel=0.35
    )  # their angle runs elsewhere
    assert made.sources["major_deconv"][1] == pytest.approx(24.0, rel=1e-3)


def test_fields_are_made_from_any_labels(sky, tmp_path):
    _, path, truth = sky
    text = regions(sky, "circle(-50,10,4) # tag={compact}").replace("tag={compact}", "tag={blob}")
    drawn = written(tmp_path / "field.reg", text)
    plan = FieldPlan("map-0", map=str(path), labels=str(drawn), classes={"blob": "flagged"}, held=0.25)
    with pytest.warns(SkysiftWarning, match="1 of 3 labels are off the map"):
        (field,) = make_fields((plan,), NoiseOptions(), tmp_path / "fields", Crew())
    assert tuple(field.labels.raw) == LABELS
    assert [CLASSES[int(k)] for k in field.labels["class"]] == ["flagged", "extended"]
    assert field.labels["snr_peak"] == pytest.approx(truth["snr"], rel=0.2)
    assert field.labels["use"].tolist() == [1.0, 1.0]
    assert field.held.y0 == 150
    assert field.facts["classes"] == {"blob": "flagged"}
    (again,) = make_fields((plan,), NoiseOptions(), tmp_path / "fields", Crew())  # kept: nothing to tell
    assert again.labels == field.labels
    assert (
        again.facts["notes"]
        == field.facts["notes"]
        == ["field.reg: 1 of 3 labels are off the map and left out"]
    )
    drawn.write_text(drawn.read_text().replace("tag={extended}", "tag={compact}"))
    with pytest.warns(SkysiftWarning, match="1 of 3"):  # other labels of the same name are read
        (other,) = make_fields((plan,), NoiseOptions(), tmp_path / "fields", Crew())
    assert [CLASSES[int(k)] for k in other.labels["class"]] == ["flagged", "compact"]


def test_names_of_classes_that_no_label_has_are_told(sky, tmp_path):
    image, _, truth = sky
    drawn = written(tmp_path / "field.reg", regions(sky))
    _, notes = opened(drawn, image, {"foo": "extended"})
    told = "field.reg: no label is called foo: its meaning is not used; labels are called compact, extended"
    assert told in notes
    assert not [
        each
        for each in opened(drawn, image, {"compact": "flagged"})[1]
        if "foo" in each or "not used" in each
    ]
    ra, dec = image.frame.to_sky(truth["x"], truth["y"])
    rows = [f"{a},{d}" for a, d in zip(ra, dec, strict=True)]
    bare = written(tmp_path / "bare.csv", "\n".join(["ra,dec", *rows]) + "\n")
    assert (
        "bare.csv: no label is called foo: its meaning is not used; labels are called nothing"
        in (opened(bare, image, {"foo": "extended"})[1])
    )
    with pytest.raises(OptionError, match="foo means no class: got 'bar'; allowed: spurious, compact"):
        opened(bare, image, {"foo": "bar"})


def test_a_catalogue_has_classes_of_its_own_too(sky, tmp_path):
    image, _, truth = sky
    ra, dec = image.frame.to_sky(truth["x"], truth["y"])
    rows = [f"{a},{d},{kind}" for a, d, kind in zip(ra, dec, ("blob", ""), strict=True)]
    listed = written(tmp_path / "list.csv", "\n".join(["ra,dec,class", *rows]) + "\n")
    made, notes = opened(listed, image, {"blob": "extended", "foo": "flagged"})
    assert made.sources["class"].tolist() == ["extended", "compact"]
    assert "list.csv: 1 of 2 rows name no class: they are compact" in notes
    assert "list.csv: no label is called foo: its meaning is not used; labels are called blob" in notes
    with pytest.raises(
        FormatError, match=r"list.csv has classes that are not known: got 'blob'; .*classes: {blob: comp"
    ):
        opened(listed, image)


def test_a_recipe_tells_what_classes_mean(sky, tmp_path):
    _, path, _ = sky
    written(tmp_path / "field.reg", regions(sky))
    recipe = written(
        tmp_path / "mine.yaml",
        f"name: mine\nfields:\n  - map: {path}\n    labels: field.reg\n    classes: {{blob: extended}}\n",
    )
    (plan,) = read_recipe(recipe).plans
    assert plan.classes == {"blob": "extended"}
    assert plan.to_dict()["classes"] == {"blob": "extended"}
