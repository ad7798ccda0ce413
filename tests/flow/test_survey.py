"""Surveys of made fields: every true source counts once, links hold, areas are those of closed forms."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from mocpy import MOC
from regions import Regions
from tests.flow import survey_fields as made

import skysift
from skysift.base.errors import DataError, OutputError, UsageError
from skysift.cli.main import main
from skysift.flow.products import checksum
from skysift.flow.survey_config import read_config
from skysift.flow.survey_fields import open_field
from skysift.io.epochs import map_epoch
from skysift.io.moc import moc_area
from skysift.match.sky import within
from skysift.sky.flags import has

DEG2 = (made.SIDE * made.SCALE / 3600.0) ** 2
HOLE = (slice(50, 110), slice(30, 80))  # of A, where no other field looks
SHARED = (slice(100, 140), slice(135, 165))  # of A, where B looks too


def config(folder, text="", fields="  - ./*.fits", order=17, **more):
    path = folder / "survey.yaml"
    lines = [f"name: made\nversion: 2.1\norder: {order}\nreport: false\noptions: {{seed: 7}}\n{text}"]
    lines += [f"{name}: {value}" for name, value in more.items()]
    path.write_text("\n".join([*lines, "fields:", fields]) + "\n")
    return path


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Folder and result of a survey of three fields, one with a hole and a blank that another field covers."""
    folder = tmp_path_factory.mktemp("survey")
    made.write(folder)
    with fits.open(folder / "A.fits", mode="update") as hdus:
        hdus[0].data[HOLE] = np.nan
        hdus[0].data[SHARED] = np.nan
    ra, dec, flux = made.truth()
    np.savetxt(
        folder / "ref.csv", np.stack([ra, dec, flux], 1), delimiter=",", header="RA,DEC,int_flux", comments=""
    )
    text = "references:\n  - {path: ref.csv, name: truth, flux_unit: Jy, radius: 4}\nformats: [fits, votable]"
    return folder, skysift.survey(config(folder, text), folder / "out", workers=1)


def test_every_true_source_counts_once(done):
    folder, survey = done
    ra, dec, flux = made.truth()
    sources = survey.catalogue.sources
    counts = np.flatnonzero(sources["primary"])
    pairs = within(ra, dec, sources["ra"][counts], sources["dec"][counts], 3.0)
    times = np.bincount(pairs.left, minlength=len(ra))
    deep = made.inside("A", 6) | made.inside("B", 6) | made.inside("C", 6)
    blank = np.isnan(fits.getdata(folder / "A.fits"))
    x, y = made.images.frame(blank.shape, centre=made.middle("A"), scale=(2.0, 2.0)).to_pixel(ra, dec)
    here = made.inside("A") & ~made.inside("B")
    lost = np.zeros(len(ra), bool)
    lost[here] = blank[y[here].round().astype(int), x[here].round().astype(int)]
    near = (
        here
        & (x > HOLE[1].start - 6)
        & (x < HOLE[1].stop + 6)
        & (y > HOLE[0].start - 6)
        & (y < HOLE[0].stop + 6)
    )
    assert (times[deep & ~near] == 1).all()
    assert (times <= 1).all()
    rest = np.setdiff1d(
        counts, counts[pairs.right]
    )  # stumps of what lies in the hole or outside of all fields
    assert (has(sources["flags"][rest], "edge") | has(sources["flags"][rest], "blank")).all()
    rim = np.abs(sources["dec"][rest] - made.CENTRE[1]) * 3600 > made.SIDE * made.SCALE / 2 - 15
    assert (rim | (sources["n_fields_covering"][rest] == 1)).all()
    ratio = sources["flux"][counts][pairs.right] / flux[pairs.left]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.01)


def test_the_lowest_rms_counts_and_the_others_stay(done):
    sources = done[1].catalogue.sources
    twice = np.flatnonzero(~sources["primary"])
    assert len(twice) > 10
    best = sources["duplicate_of"][twice] - 1
    assert sources["primary"][best].all()
    cut = has(sources["flags"], "edge") | has(sources["flags"], "blank")
    assert ((sources["rms"][best] < sources["rms"][twice]) | (cut[twice] & ~cut[best])).all()
    assert (sources["field"][best] != sources["field"][twice]).all()
    assert (sources["n_fields_detected"][twice] >= 2).all()
    assert (sources["n_fields_covering"] >= sources["n_fields_detected"]).all()
    assert (sources["duplicate_of"][sources["primary"]] == 0).all()


def test_links_hold_and_names_and_numbers_differ(done):
    catalogue = done[1].catalogue
    for kind in ("islands", "sources", "components"):
        table = catalogue.table(kind)
        assert table.ids.tolist() == list(range(1, len(table) + 1))
        assert len(set(table["name"].tolist())) == len(table)
        assert (np.diff(table["ra"]) >= 0).all()
    parts, sources = catalogue.components, catalogue.sources
    owner, island = parts["source_id"] - 1, parts["island_id"] - 1
    assert (sources["field"][owner] == parts["field"]).all()
    assert (catalogue.islands["field"][island] == parts["field"]).all()
    assert (sources["primary"][owner] == parts["primary"]).all()
    assert np.abs(sources["dec"][owner] - parts["dec"]).max() < 5 / 3600
    own = skysift.open(done[0] / "out" / "fields" / "B")
    mine = sources.select(sources["field"] == "B")
    assert np.array_equal(own.sources.select(mine["id_in_field"] - 1)["flux"], mine["flux"])


def test_fields_and_epochs_are_told(done):
    sources = done[1].catalogue.sources
    assert set(sources["field"].tolist()) == {"A", "B", "C"}
    assert set(sources["epoch"][sources["field"] == "B"].tolist()) == {58850.5}
    assert sources["date_obs"][sources["field"] == "C"][0] == "2020-01-03T12:00:00"
    told = done[1].catalogue.provenance
    assert told.options["catalogue_version"] == "2.1"
    assert [each.name for each in told.inputs] == ["A.fits", "B.fits", "C.fits"]


def test_areas_are_those_of_the_maps(done):
    folder, survey = done
    blank = sum((y.stop - y.start) * (x.stop - x.start) for y, x in (HOLE, SHARED)) * (made.SCALE / 3600) ** 2
    areas = {each.name: each.coverage.area for each in survey.fields}
    assert areas["B"] == pytest.approx(DEG2, rel=6e-3)
    assert areas["A"] == pytest.approx(DEG2 - blank, rel=6e-3)
    hole = (HOLE[0].stop - HOLE[0].start) * (HOLE[1].stop - HOLE[1].start) * (made.SCALE / 3600) ** 2
    whole = DEG2 * (1 + 2 * made.STEP / made.SIDE) - hole
    assert survey.coverage.area == pytest.approx(whole, rel=6e-3)
    assert moc_area(MOC.from_fits(folder / "out" / "coverage.moc.fits")) == pytest.approx(whole, rel=6e-3)
    assert moc_area(MOC.from_fits(folder / "out" / "holes.moc.fits")) == pytest.approx(hole, rel=0.02)
    own = MOC.from_fits(folder / "out" / "fields" / "A" / "coverage.moc.fits")
    assert moc_area(own) == pytest.approx(areas["A"], rel=1e-9)


def test_depth_is_that_of_the_best_field(done):
    folder, survey = done
    coverage = survey.coverage
    shared = coverage.n_fields == 2
    overlap = made.SIDE * (made.SIDE - made.STEP) * (made.SCALE / 3600) ** 2
    blank = (SHARED[0].stop - SHARED[0].start) * (SHARED[1].stop - SHARED[1].start) * (made.SCALE / 3600) ** 2
    assert shared.mean() * coverage.area == pytest.approx(2 * overlap - blank, rel=0.01)
    for number, name in enumerate("ABC"):
        assert np.median(coverage.rms[coverage.field == number]) == pytest.approx(made.RMS[name], rel=0.05)
    assert np.allclose(coverage.limit, 7 * coverage.rms, rtol=1e-5)
    with fits.open(folder / "out" / "rms_coverage.fits") as hdus:
        assert hdus[1].header["NSIDE"] == 2**17
        assert hdus[1].header["ORDERING"] == "NESTED"
        assert np.array_equal(hdus[1].data["PIXEL"], coverage.cells)
        assert hdus[2].data["NAME"].tolist() == ["A", "B", "C"]
        areas = fits.getdata(folder / "out" / "rms_area.fits")
    assert areas["area_detected"][-1] == pytest.approx(coverage.area)
    half = np.interp(0.5 * coverage.area, areas["area_rms"], areas["level"])
    assert half == pytest.approx(float(np.median(coverage.rms)), rel=0.1)


def test_fields_are_compared(done):
    checks = {(each.field, each.against): each for each in done[1].checks}
    assert set(checks) == {*((name, "truth") for name in "ABC"), ("A", "B"), ("B", "C")}
    for each in checks.values():
        assert each.sky.n >= 5
        assert abs(each.sky.east) < 5 * each.sky.east_err + 0.01
        assert abs(each.scale.ratio - 1) < 5 * each.scale.ratio_err + 0.003
    pulls = [checks[pair].position_pull for pair in (("A", "B"), ("B", "C"))]
    assert 0.6 < np.mean(pulls) < 1.4
    table = fits.getdata(done[0] / "out" / "comparisons.fits")
    assert table["n_bright"].tolist() == [each.sky.n for each in done[1].checks]


def test_the_page_and_the_manifest(done):
    folder, survey = done
    page = (folder / "out" / "survey.html").read_text()
    assert page.count('src="data:image/png;base64,') == 6
    for link in re.findall(r'href="([^"#]+)"', page):
        assert (folder / "out" / link).is_file(), link
    told = json.loads((folder / "out" / "manifest.json").read_text())
    for each in told["outputs"]:
        assert checksum(folder / "out" / each["name"]) == each["checksum"]
    assert [each["name"] for each in told["fields"]] == ["A", "B", "C"]
    for field in told["fields"]:
        for each in field["outputs"]:
            assert checksum(folder / "out" / "fields" / field["name"] / each["name"]) == each["checksum"]
    assert told["counts"]["sources_primary"] == survey.catalogue.sources["primary"].sum()


def test_regions_draw_what_counts_and_what_does_not(done):
    folder, survey = done
    parts = survey.catalogue.components
    for name, form in (("regions.reg", "ds9"), ("regions.crtf", "crtf")):
        regions = Regions.read(folder / "out" / name, format=form)
        assert len(regions) == len(parts)
        colours = np.array([each.visual["color" if form == "crtf" else "facecolor"] for each in regions])
        assert np.array_equal(colours == "blue", ~parts["primary"])
        assert [each.meta["text" if form == "ds9" else "label"] for each in regions] == parts["name"].tolist()
    text = (folder / "out" / "regions.reg").read_text()
    assert text.count("tag={duplicate}") == (~parts["primary"]).sum()


def test_coverage_is_a_product_of_the_field_and_is_replaced_as_one(done, tmp_path):
    folder, survey = done
    shutil.copytree(folder / "out" / "fields", tmp_path / "out" / "fields")
    entries = "\n".join(f"  - map: {folder / name}.fits" for name in "ABC")
    again = skysift.survey(config(tmp_path, fields=entries, order=15), tmp_path / "out", workers=1)
    assert again.kept == {"A", "B", "C"}
    for place, order in ((folder, 17), (tmp_path, 15)):
        own = place / "out" / "fields" / "A"
        listed = json.loads((own / "manifest.json").read_text())["outputs"]
        sums = {each["name"]: each["checksum"] for each in listed}
        assert {"coverage.fits", "coverage.moc.fits", "components.fits", "regions.reg"} <= sums.keys()
        assert {name: checksum(own / name) for name in sums} == sums
        assert fits.getheader(own / "coverage.fits", 1)["ORDER"] == order
        assert MOC.from_fits(own / "coverage.moc.fits").max_order == order
    assert again.coverage.area == pytest.approx(survey.coverage.area, rel=0.03)


def test_the_page_tells_what_was_assumed_of_the_maps(tmp_path, capsys):
    made.write(tmp_path, "AB", RESTFRQ=None, BUNIT=None)
    path = config(tmp_path, fields="  - A.fits\n  - {map: B.fits, frequency: 9e8}", order=15)
    assert main(["survey", str(path), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    page = (tmp_path / "out" / "survey.html").read_text()
    assert "A, B: no unit (BUNIT) in the header: Jy/beam is assumed" in page
    assert "B: the frequency was given: 900 MHz" in page
    said = capsys.readouterr().err
    assert "A, B: no unit (BUNIT)" in said
    assert "was given" not in said


def test_order_of_the_fields_tiles_and_a_second_run_change_nothing(done, tmp_path):
    folder, survey = done
    entries = "\n".join(f"  - map: {folder / name}.fits" for name in "CAB")
    again = skysift.survey(config(tmp_path, fields=entries), tmp_path / "out", tile=64, workers=2)
    for kind in ("islands", "sources", "components"):
        assert again.catalogue.table(kind) == survey.catalogue.table(kind)
    assert again.catalogue.provenance == survey.catalogue.provenance
    assert np.array_equal(again.coverage.cells, survey.coverage.cells)
    assert np.array_equal(again.coverage.rms, survey.coverage.rms)


def test_a_broken_survey_goes_on_where_it_was(done, tmp_path, monkeypatch):
    folder, survey = done
    place = config(tmp_path, fields="\n".join(f"  - {folder / name}.fits" for name in "ABC"))
    from skysift.flow.steps import survey as step

    real, searched = step.search_field, []

    def breaks(opened, *more, **how):
        if opened.plan.name == "C":
            raise KeyboardInterrupt
        searched.append(opened.plan.name)
        return real(opened, *more, **how)

    monkeypatch.setattr(step, "search_field", breaks)
    with pytest.raises(KeyboardInterrupt):
        skysift.survey(place, tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()
    monkeypatch.setattr(
        step,
        "search_field",
        lambda opened, *more, **how: searched.append(opened.plan.name) or real(opened, *more, **how),
    )
    again = skysift.survey(place, tmp_path / "out")
    assert searched == ["A", "B", "C"]
    assert again.kept == {"A", "B"}
    assert again.catalogue == survey.catalogue
    with pytest.raises(OutputError, match="earlier run"):
        skysift.survey(place, tmp_path / "out")
    coarse = skysift.survey(
        config(tmp_path, fields=f"  - {folder}/*.fits", order=15), tmp_path / "out", overwrite=True
    )
    assert coarse.kept == {"A", "B", "C"}  # only their cells are made anew
    assert coarse.coverage.area == pytest.approx(survey.coverage.area, rel=0.02)
    for each in (tmp_path / "out").iterdir():  # as if it had been broken off
        if each.is_file():
            each.unlink()
    shutil.rmtree(tmp_path / "out" / "validation", ignore_errors=True)
    deeper = config(tmp_path, fields=f"  - {{map: {folder}/A.fits, options: {{seed: 6}}}}")
    with pytest.raises(OutputError, match="another search"):
        skysift.survey(deeper, tmp_path / "out")


def test_a_field_is_kept_that_was_done_just_before_the_end_came(tmp_path, monkeypatch):
    from skysift.flow import survey_fields as fields

    made.write(tmp_path, "A")
    real = fields.find_products

    def ends(*more, **how):
        real(*more, **how)
        raise KeyboardInterrupt

    monkeypatch.setattr(fields, "find_products", ends)
    with pytest.raises(KeyboardInterrupt):
        skysift.survey(config(tmp_path), tmp_path / "out")
    monkeypatch.setattr(fields, "find_products", real)
    assert skysift.survey(config(tmp_path), tmp_path / "out").kept == {"A"}


def test_a_field_whose_psf_file_changed_is_another_search(tmp_path):
    made.write(tmp_path, "A")
    place = tmp_path / "psf.txt"
    (field,) = read_config(config(tmp_path)).fields
    field = replace(field, options=field.options.replace(psf_file=str(place)))
    requests = []
    for text in ("one", "other"):
        place.write_text(text)
        requests.append(open_field(field, "classic").request)
    assert requests[0]["options"]["psf_file"] != requests[1]["options"]["psf_file"]


def test_an_epoch_is_the_middle_of_the_observation(tmp_path):
    made.write(tmp_path, "A", **{"DATE-END": "2020-01-02T12:00:00"})
    (field,) = read_config(config(tmp_path)).fields
    opened = open_field(field, "classic")
    assert opened.epoch == 58850.0 == map_epoch(opened.image)
    assert opened.date == "2020-01-01T12:00:00"


def test_a_field_that_fails_does_not_stop_the_others(tmp_path):
    made.write(tmp_path, "AB")
    (tmp_path / "bad.fits").write_bytes((tmp_path / "A.fits").read_bytes()[:20000])
    done = skysift.survey(config(tmp_path), tmp_path / "out")
    assert [each.name for each in done.failed] == ["bad"]
    assert [each.name for each in done.fields] == ["A", "B"]
    assert "truncated" in (tmp_path / "out" / "survey.html").read_text()
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["failed"][0]["name"] == "bad"
    for name in "AB":
        (tmp_path / f"{name}.fits").unlink()
    with pytest.raises(DataError, match="no field of the survey could be searched"):
        skysift.survey(config(tmp_path), tmp_path / "none")
    assert not (tmp_path / "none" / "manifest.json").exists()


def test_a_reference_of_another_part_of_the_sky_is_refused_before_the_search(tmp_path):
    made.write(tmp_path, "C")
    ra, dec, flux = made.truth()
    rows = np.stack([ra + 3.0, dec, flux], 1)
    np.savetxt(tmp_path / "ref.csv", rows, delimiter=",", header="RA,DEC,int_flux", comments="")
    path = config(tmp_path, "references:\n  - {path: ref.csv, name: other, flux_unit: Jy}")
    told = r"other has no row in any field: got 'the nearest 2\.\d+ deg from the middle of C'"
    with pytest.raises(UsageError, match=told):
        skysift.survey(path, tmp_path / "out", workers=1)
    assert not (tmp_path / "out" / "fields").exists()
    (tmp_path / "bad.fits").write_bytes(b"")  # it may be the one that the rows lie on
    done = skysift.survey(path, tmp_path / "out", workers=1)
    assert [each.name for each in done.failed] == ["bad"]
    assert any("other has no row in the field" in note for note in done.notes)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            "nan,nan,1.0\nnan,nan,2.0\n",
            "ref has no positions on the sky: got 'ra and dec are NaN in every row'",
        ),
        ("", "the reference other has no rows: allowed: rows on the maps of the fields"),
    ],
)
def test_a_reference_without_positions_is_refused(tmp_path, rows, told):
    made.write(tmp_path, "C")
    (tmp_path / "ref.csv").write_text(f"RA,DEC,int_flux\n{rows}")
    path = config(tmp_path, "references:\n  - {path: ref.csv, name: other, flux_unit: Jy}")
    with pytest.raises(UsageError, match=told):
        skysift.survey(path, tmp_path / "out", workers=1)
