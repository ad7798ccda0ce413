"""Surveys of fields behind primary beams, as maps and as dishes, on disk and behind URLs: true fluxes, true depths."""

import json
import shutil
from dataclasses import replace

import fsspec
import numpy as np
import pytest
from astropy.io import fits
from tests.flow import survey_fields as made
from tests.servers import serving

import skysift
from skysift.base import store
from skysift.base.errors import OutputError
from skysift.base.settings import settings
from skysift.cli.main import main
from skysift.match.sky import within
from skysift.sky.units import ARCSEC, LIGHT

FWHM = 300.0  # arcsec; of a Gaussian, whose cut-off of 0.3 is a circle of 197 arcsec
CUTOFF = 0.3
DISH = 1.09 * LIGHT / 943.5e6 / (FWHM * ARCSEC)  # m; its pattern is that Gaussian
TEXT = """\
name: corrected
order: 17
report: false
options: {{seed: 7, pattern: gaussian, primary_beam_cutoff: {cutoff}}}
references: [{{path: ref.csv, name: truth, flux_unit: Jy, radius: 4}}]
fields:
  - {{map: {at}A.fits, primary_beam: {at}beams/A-beam.fits}}
  - {{map: {at}B.fits, options: {{dish: {dish}}}}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two fields that overlap, seen through primary beams; a list of what is there."""
    place = tmp_path_factory.mktemp("fields")
    made.write(place, "AB", fwhm=FWHM)
    columns = np.stack(made.truth(), 1)
    np.savetxt(place / "ref.csv", columns, delimiter=",", header="RA,DEC,int_flux", comments="")
    (place / "survey.yaml").write_text(TEXT.format(at="", cutoff=CUTOFF, dish=DISH))
    return place


@pytest.fixture(scope="module")
def done(folder):
    return skysift.survey(folder / "survey.yaml", folder / "out", workers=1)


@pytest.fixture
def server(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_PAUSES", (0.0, 0.0))
    usual = settings()
    monkeypatch.setattr(store, "settings", lambda: replace(usual, cache=tmp_path / "cache"))
    with serving(folder) as one:
        yield one
    store._system.cache_clear()
    fsspec.get_filesystem_class("http").clear_instance_cache()


def test_fluxes_are_true_in_both_fields(done):
    ra, dec, flux = made.truth()
    sources = done.catalogue.sources
    pairs = within(ra, dec, sources["ra"], sources["dec"], 2.0)
    ratio = sources["flux"][pairs.right] / flux[pairs.left]
    for name in "AB":
        mine = sources["field"][pairs.right] == name
        assert mine.sum() > 30
        seen = made.response(name, ra[pairs.left[mine]], dec[pairs.left[mine]], FWHM)
        assert sources["primary_beam"][pairs.right[mine]] == pytest.approx(seen, abs=0.02)
        faint = seen < 0.6
        assert np.median(ratio[mine][faint]) == pytest.approx(1.0, abs=0.02)
        assert np.median(ratio[mine]) == pytest.approx(1.0, abs=0.01)
    apparent = sources["flux"] * sources["primary_beam"]
    assert sources["flux_apparent"] == pytest.approx(apparent, rel=1e-6)
    for each in done.checks:
        assert each.scale.ratio == pytest.approx(1.0, abs=5 * each.scale.ratio_err + 0.003)


def test_the_field_with_the_lower_true_rms_counts(done):
    sources = done.catalogue.sources
    twice = np.flatnonzero(~sources["primary"])
    assert len(twice) > 5
    best = sources["duplicate_of"][twice] - 1
    assert (sources["rms"][best] <= sources["rms"][twice]).sum() >= len(twice) - 1  # a cut row never counts
    own = {name: made.RMS[name] / made.response(name, sources["ra"], sources["dec"], FWHM) for name in "AB"}
    true = np.where(sources["field"] == "A", own["A"], own["B"])
    assert sources["rms"] == pytest.approx(true, rel=0.15)
    assert {*sources["field"][best].tolist()} == {"A", "B"}  # A is deeper, but not at its rim


def test_the_depth_and_the_area_are_true(done):
    coverage = done.coverage
    away = FWHM * np.sqrt(np.log(1 / CUTOFF) / np.log(2)) / 2 / 3600
    half = made.SIDE * made.SCALE / 3600 / 2
    wedge = np.arccos(half / away)
    corner = away**2 * wedge - half * np.sqrt(away**2 - half**2)  # of the circle, beyond each side of the map
    for field in done.fields:
        assert field.coverage.area == pytest.approx(np.pi * away**2 - 4 * corner, rel=0.02)
    alone = coverage.n_fields == 1
    for number, name in enumerate("AB"):
        rms = coverage.rms[(coverage.field == number) & alone]
        assert rms.min() < 1.3 * made.RMS[name]
        assert rms.max() == pytest.approx(made.RMS[name] / CUTOFF, rel=0.15)
    assert np.allclose(coverage.limit, 7 * coverage.rms, rtol=1e-5)


def test_the_story_names_the_beams(done, folder):
    told = done.catalogue.provenance.options["fields"]
    assert told["A"]["primary_beam"].endswith("A-beam.fits")
    assert told["B"]["dish"] == pytest.approx(DISH)
    manifest = json.loads((folder / "out" / "fields" / "A" / "manifest.json").read_text())
    assert [each["name"] for each in manifest["inputs"]] == ["A.fits", "A-beam.fits"]


def test_another_beam_is_another_search(done, folder, tmp_path):
    shutil.copytree(
        folder / "out" / "fields", tmp_path / "out" / "fields"
    )  # as where the survey was broken off
    again = skysift.survey(folder / "survey.yaml", tmp_path / "out", workers=1)
    assert again.kept == {"A", "B"}
    shutil.copytree(folder / "out" / "fields", tmp_path / "two" / "fields")
    path = folder / "beams" / "A-beam.fits"
    before = path.read_bytes()
    with fits.open(path, mode="update") as hdus:
        hdus[0].data *= np.float32(0.999)
    try:
        with pytest.raises(OutputError, match="another search"):
            skysift.survey(folder / "survey.yaml", tmp_path / "two", workers=1)
    finally:
        path.write_bytes(before)


def test_a_survey_behind_urls_is_that_on_disk(done, folder, server, tmp_path):
    (tmp_path / "survey.yaml").write_text(
        TEXT.format(at=f"{server.url}/", cutoff=CUTOFF, dish=DISH).replace("ref.csv", f"{server.url}/ref.csv")
    )
    far = skysift.survey(tmp_path / "survey.yaml", tmp_path / "out", workers=1)
    assert {each.name for each in far.fields} == {"A", "B"}
    for kind in ("islands", "sources", "components"):
        assert far.catalogue.table(kind) == done.catalogue.table(kind)
    assert np.array_equal(far.coverage.rms, done.coverage.rms)
    assert repr(far.checks) == repr(done.checks)  # with NaN
    again = skysift.survey(tmp_path / "survey.yaml", tmp_path / "out", workers=1, overwrite=True)
    assert again.kept == {"A", "B"}


def test_what_is_not_behind_a_url_fails_alone(folder, server, tmp_path, capsys):
    fields = f"fields:\n  - {server.url}/A.fits\n  - {server.url}/gone.fits\n"
    (tmp_path / "survey.yaml").write_text(f"report: false\norder: 15\n{fields}")
    out = tmp_path / "out"
    assert main(["survey", str(tmp_path / "survey.yaml"), "--out", str(out), "--quiet"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert f"{server.url}/gone.fits" in said[0]
    assert said[-1] == "skysift: 1 of 2 fields failed: gone"
    assert len(skysift.open(out).sources) > 10
