"""The products of stamps and stacks: archives, arrays, tables, pages; resumed, refused, spoiled by one row only."""

import io
import json
import tarfile

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from tests.commands import called
from tests.stamps.surveys import survey

from skysift.base.errors import FormatError, OptionError, RegionError, UnknownName, UsageError
from skysift.base.parallel import Crew
from skysift.classify.features.options import FeaturesOptions
from skysift.classify.features.table import features_of
from skysift.flow.products import PART
from skysift.flow.reasons import reasons
from skysift.flow.stamp_places import Places, read_places, typed_places
from skysift.flow.steps.stack import StackStep
from skysift.flow.steps.stamps import StampsStep
from skysift.stamps import many
from skysift.stamps.opening import open_pictures
from skysift.stamps.options import BandOptions, StackOptions, StampsOptions
from skysift.stamps.surveys import of_maps, read_surveys
from skysift.stamps.written import open_stamps

RA, DEC = 180.0, -30.0
AT = [(RA + dx / 60, DEC + dy / 60) for dx in (-2.0, 0.0, 2.0) for dy in (-2.0, 0.0, 2.0)]


@pytest.fixture
def maps(tmp_path):
    """Two maps of nine sources of one jansky, one of them smaller than the other."""
    sources = [(ra, dec, 1.0) for ra, dec in AT]
    survey(tmp_path / "low.fits", sources, beam=(15.0, 12.0, 30.0), noise=1e-3)
    survey(tmp_path / "high.fits", sources, noise=1e-3, shape=(160, 160))
    return [str(tmp_path / "low.fits"), str(tmp_path / "high.fits")]


def places(at=AT, **columns):
    ra, dec = np.array(at).T
    names = tuple(f"s/{k}" for k in range(len(at)))
    return Places(names, ra, dec, np.full(ra.size, np.nan), np.zeros(ra.size), columns)


def stored(folder):
    with tarfile.open(folder / "stamps.tar") as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


def test_one_aligned_cube_a_source_and_a_table(maps, tmp_path):
    sources = places([*AT, (10.0, 0.0), (np.nan, np.nan)])
    made = StampsStep(StampsOptions(radius=50.0)).run(sources, of_maps(maps), tmp_path / "out")
    assert dict(made.manifest.counts) == {"sources": 11, "stamps": 9, "without": 1, "failed": 1}
    archive = stored(tmp_path / "out")
    assert list(archive)[4] == "000004-s_4.fits"
    assert len(archive) == 9
    with fits.open(io.BytesIO(archive["000004-s_4.fits"])) as hdus:
        hdus.verify("exception")
        head, data = hdus[0].header, hdus[0].data
        place = WCS(head).celestial.world_to_pixel_values(*AT[4])
    assert data.shape[0] == 2
    assert place == pytest.approx(((data.shape[2] - 1) / 2, (data.shape[1] - 1) / 2))
    assert (head["BUNIT"], head["BAND1"], head["BAND2"]) == ("Jy/beam", "low", "high")
    assert head["BMAJ"] * 3600 == pytest.approx(15.0, abs=0.01)
    assert "convolved from" in "".join(head["HISTORY"])
    per_beam = np.pi / (4 * np.log(2)) * head["BMAJ"] * head["BMIN"] / head["CDELT2"] ** 2
    assert np.nansum(data[1]) / per_beam == pytest.approx(1.0, abs=0.02)
    rows = fits.getdata(tmp_path / "out" / "coverage.fits")
    assert rows["file"].tolist()[9:] == ["", ""]
    assert rows["high_quality"][4] == ""
    assert "partial" in rows["high_quality"][0]
    assert rows["high_coverage"][0] < 1.0 == rows["low_coverage"][0]
    assert "no position" in rows["errors"][10]
    sheets = sorted(path.name for path in (tmp_path / "out" / "sheets").iterdir())
    assert sheets == ["sheet-0001.png"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("data:image/png") == 1
    assert "http" not in page.replace("http://www.w3.org", "")
    told = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert {each["name"] for each in told["outputs"]} == {
        "stamps.tar",
        "coverage.fits",
        "report.html",
        "sheets",
    }


def test_one_round_beam_of_all_bands_stands_in_the_header_whatever_its_angle(tmp_path):
    for name, beam in (("a", (15.0, 15.0, 0.0)), ("b", (15.0, 15.0, 40.0))):
        survey(tmp_path / f"{name}.fits", [(*AT[4], 1.0)], beam=beam)
    maps = [str(tmp_path / f"{name}.fits") for name in "ab"]
    StampsStep(StampsOptions(radius=50.0, beam="native")).run(
        places([AT[4]]), of_maps(maps), tmp_path / "out"
    )
    (content,) = stored(tmp_path / "out").values()
    with fits.open(io.BytesIO(content)) as hdus:
        assert hdus[0].header["BMAJ"] * 3600 == pytest.approx(15.0)


@pytest.mark.parametrize("form", ["zarr", "hdf5"])
def test_one_array_for_all(maps, tmp_path, form):
    options = StampsOptions(radius=50.0, format=form, pixels=32, sheets=0)
    StampsStep(options).run(places([*AT, (10.0, 0.0)]), of_maps(maps), tmp_path / form)
    StampsStep(options.model_copy(update={"format": "fits"})).run(
        places([*AT, (10.0, 0.0)]), of_maps(maps), tmp_path / "fits"
    )
    one, other = open_stamps(tmp_path / form), open_stamps(tmp_path / "fits")
    assert one.bands == other.bands == ("low", "high")
    assert len(one) == len(other) == 10
    both = list(zip(one, other, strict=True))
    for mine, theirs in both[:9]:
        assert mine.shape == (2, 32, 32)
        np.testing.assert_array_equal(mine, theirs)
    assert np.isnan(both[9][0]).all()
    assert both[9][1].size == 0
    assert not (tmp_path / form / "sheets").exists()
    mine, theirs = open_pictures(tmp_path / form), open_pictures(tmp_path / "fits")
    assert (mine.names, mine.bands, mine.scale, mine.shape) == (
        theirs.names,
        theirs.bands,
        theirs.scale,
        theirs.shape,
    )
    np.testing.assert_array_equal(mine.read([8, 0, 9]), theirs.read([8, 0, 9]))
    assert mine.select([3]).read().shape == (1, 2, 32, 32)


def test_hdf5_is_what_others_read(maps, tmp_path):
    options = StampsOptions(format="hdf5", pixels=32, sheets=0)
    StampsStep(options).run(places(AT), of_maps(maps), tmp_path / "out")
    with h5py.File(tmp_path / "out" / "stamps.hdf5") as file:
        assert file["stamps"].shape == (9, 2, 32, 32)
        assert file["names"].asstr()[:3].tolist() == ["s/0", "s/1", "s/2"]
        assert file["ra"][:].tolist() == [ra for ra, _ in AT]
        assert list(file.attrs["bands"]) == ["low", "high"]
        assert file.attrs["unit"] == "Jy/beam"
    (tmp_path / "out" / "stamps.hdf5").write_bytes(b"no array")
    with pytest.raises(FormatError, match="array of stamps cannot be read"):
        open_pictures(tmp_path / "out")


def test_where_no_radius_is_told_there_is_sky_around_a_source(maps, tmp_path):
    survey(tmp_path / "wide.fits", [(RA, DEC, 1.0)], beam=(76.6, 45.0, 0.0), scale=15.0, shape=(200, 200))
    for name, options, side, told in (
        ("wide", {}, 2 * 8 * np.sqrt(76.6 * 45.0), False),  # beams
        ("low", {}, 2 * 8 * np.sqrt(15.0 * 12.0), False),
        ("high", {}, 120.0, False),  # 60 arcsec
        ("high", {"scale": 4.0}, 2 * 32 * 4.0, True),  # pixels, of which the beam has too few
        ("wide", {"radius": 60.0}, 120.0, True),
    ):
        bands = of_maps([str(tmp_path / f"{name}.fits")])
        made = StampsStep(StampsOptions(sheets=0, **options)).run(
            places([(RA, DEC)]), bands, tmp_path / "out", overwrite=True
        )
        pixels = fits.getdata(tmp_path / "out" / "coverage.fits")["pixels"]
        assert pixels[0] == pytest.approx(side / made.scale, abs=1.5)
        assert bool(made.manifest.warnings) is told
        assert pixels[0] >= 32 or "of 1 stamps 1 have under 32 pixels" in made.manifest.warnings[0]


def test_workers_change_nothing_and_a_broken_run_goes_on(maps, tmp_path, monkeypatch):
    monkeypatch.setattr(many, "_PER_TASK", 2)
    monkeypatch.setattr(many.tasks_of, "__defaults__", (2, None))
    monkeypatch.setattr("skysift.flow.products.settings", lambda: type("S", (), {"keep": 0})())
    step, bands = StampsStep(StampsOptions(radius=50.0)), of_maps(maps)
    step.run(places(), bands, tmp_path / "one", crew=Crew(workers=3))
    real, calls = many.make_stamp, []

    def broken(place, *rest):
        calls.append(place.name)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return real(place, *rest)

    monkeypatch.setattr(many, "make_stamp", broken)
    with pytest.raises(KeyboardInterrupt):
        step.run(places(), bands, tmp_path / "two", crew=Crew(executor="serial"))
    assert not (tmp_path / "two" / "stamps.tar").exists()
    assert (tmp_path / "two" / PART).exists()
    step.run(places(), bands, tmp_path / "two", crew=Crew(executor="serial"))
    assert calls[6:] == [f"s/{k}" for k in range(4, 9)]
    assert (tmp_path / "one" / "stamps.tar").read_bytes() == (tmp_path / "two" / "stamps.tar").read_bytes()
    for name in ("coverage.fits", "sheets/sheet-0001.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_native_pixels_are_an_hdu_a_band(maps, tmp_path):
    options = StampsOptions(radius=50.0, grid="native", beam="native")
    StampsStep(options).run(places(AT[4:5]), of_maps(maps), tmp_path / "out")
    with fits.open(io.BytesIO(stored(tmp_path / "out")["000000-s_0.fits"])) as hdus:
        hdus.verify("exception")
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "LOW", "HIGH"]
        assert hdus["LOW"].header["BMAJ"] * 3600 == pytest.approx(15.0)
        x, y = WCS(hdus["HIGH"].header).world_to_pixel_values(*AT[4])
        assert hdus["HIGH"].data[round(float(y)), round(float(x))] == pytest.approx(1.0, abs=0.2)
    with pytest.raises(UsageError, match="not on one grid"):
        open_stamps(tmp_path / "out")


def test_neighbours_of_the_catalogue_are_masked(maps, tmp_path):
    options = StampsOptions(radius=150.0, mask=True, mask_beams=4.0, units="Jy/pixel")
    StampsStep(options).run(places(), of_maps(maps[:1]), tmp_path / "out")
    (first, *_) = [stamp for k, stamp in enumerate(open_stamps(tmp_path / "out")) if k == 4]
    assert np.nansum(first) == pytest.approx(1.0, abs=0.1)
    StampsStep(options).run(places().first(5), of_maps(maps[:1]), tmp_path / "some")
    (same, *_) = [stamp for k, stamp in enumerate(open_stamps(tmp_path / "some")) if k == 4]
    np.testing.assert_array_equal(first, same)  # rows that have no stamp of their own are neighbours too


@pytest.mark.parametrize("unit", ["Jy/beam", "Jy/pixel", "keep"])
def test_stamps_say_their_unit_so_that_fluxes_of_them_have_one(unit, maps, tmp_path):
    StampsStep(StampsOptions(radius=60.0, units=unit)).run(places(AT[:2]), of_maps(maps), tmp_path / "out")
    assert open_pictures(tmp_path / "out").unit == ("" if unit == "keep" else unit)


@pytest.fixture
def halves(tmp_path):
    """Surveys of two bands; the eastern half of the second has a unit that leads nowhere, its north a beam too wide."""
    sources = [(ra, dec, 1.0) for ra, dec in AT]
    survey(tmp_path / "low.fits", sources, beam=(15.0, 12.0, 30.0), noise=1e-3)
    for name, place, beam in (
        ("west", (RA - 2.0 / 60, DEC), 5.4),
        ("east", (RA + 2.0 / 60, DEC), 5.4),
        ("wide", (RA, DEC + 2.0 / 60), 30.0),
    ):
        one = [each for each in sources if np.hypot(each[0] - place[0], each[1] - place[1]) < 0.02]
        survey(
            tmp_path / f"{name}.fits", one, beam=(beam, beam, 0.0), noise=1e-3, centre=place, shape=(60, 60)
        )
    fits.setval(tmp_path / "east.fits", "BUNIT", value="erg/s")
    surveys = [
        {"name": "low", "files": ["low.fits"]},
        {"name": "high", "files": ["west.fits", "east.fits", "wide.fits"]},
    ]
    (tmp_path / "surveys.yaml").write_text(json.dumps({"surveys": surveys}))
    return read_surveys(tmp_path / "surveys.yaml")


WEST, EAST, NORTH = 1, 7, 5  # numbers of the sources in the middle of these maps


def test_a_wrong_unit_or_a_wide_beam_spoils_one_band_of_one_row_only(halves, tmp_path):
    options = StampsOptions(radius=45.0, beam=(15.0, 12.0, 30.0))
    sources = places([AT[k] for k in (WEST, WEST, EAST, NORTH)])
    StampsStep(options).run(sources, halves, tmp_path / "out")
    rows = fits.getdata(tmp_path / "out" / "coverage.fits")
    assert rows["high_unit"].tolist() == ["Jy/beam", "Jy/beam", "erg/s", "Jy/beam"]
    assert rows["high_quality"].tolist() == ["", "", "unit", "wide_beam"]
    assert rows["high_beam_major"] == pytest.approx([15.0, 15.0, 15.0, 30.0], rel=1e-3)
    features = features_of(open_pictures(tmp_path / "out"), FeaturesOptions(groups=("flux",), widen=6))
    units = {each.name: each.unit for each in features.columns}
    assert (units["flux_low"], units["flux_high"]) == ("Jy", "Jy")
    assert features["flux_low"] == pytest.approx(np.ones(4), abs=0.05)
    assert features["flux_high"][[0, 1]] == pytest.approx([1.0, 1.0], abs=0.05)
    assert features["flux_high"][3] == pytest.approx(1.0, abs=0.15)  # in its own beam
    assert np.isnan(features["flux_high"][2])
    assert features["missing_high"].tolist() == [0.0, 0.0, 1.0, 0.0]


def test_pixels_of_unlike_beams_or_units_have_no_common_slope(halves, tmp_path):
    options = StampsOptions(radius=45.0, beam=(15.0, 12.0, 30.0))
    StampsStep(options).run(places([AT[k] for k in (WEST, EAST, NORTH)]), halves, tmp_path / "out")
    pictures = open_pictures(tmp_path / "out")
    features = features_of(pictures, FeaturesOptions(groups=("spectral",), frequencies=(1e9, 2e9)))
    assert features["tt_alpha_low_high"][0] == pytest.approx(0.0, abs=0.03)
    assert features["alpha"][[0, 2]] == pytest.approx([0.0, 0.0], abs=0.2)
    assert np.isnan(features["tt_alpha_low_high"][1:]).all()
    assert np.isnan(features["alpha"][1])


def test_a_spectral_index_of_bands_of_two_units_is_refused(maps, tmp_path):
    fits.setval(maps[1], "BUNIT", value="mJy/beam")
    StampsStep(StampsOptions(radius=60.0, units="keep")).run(places(AT[:2]), of_maps(maps), tmp_path / "out")
    pictures = open_pictures(tmp_path / "out")
    features = features_of(pictures, FeaturesOptions(groups=("flux",)))
    units = {each.name: each.unit for each in features.columns}
    assert (units["flux_low"], units["flux_high"]) == ("Jy", "mJy/beam pixel")
    with pytest.raises(UsageError, match="bands of different units: got 'low: Jy, high: mJy/beam pixel'"):
        features_of(pictures, FeaturesOptions(frequencies=(1e9, 2e9)))


def test_a_stack_leaves_out_what_has_another_unit_or_too_wide_a_beam(halves, tmp_path):
    options = StackOptions(radius=20.0, beam=(15.0, 12.0, 30.0), control=0, bootstrap=10)
    made = StackStep(options).run(
        places([AT[k] for k in (WEST, WEST, WEST, EAST, NORTH)]), halves, tmp_path / "out"
    )
    low, high = made.facts
    assert (low.sources, high.sources, high.unit) == (5, 3, "Jy/beam")
    assert high.peak == pytest.approx(1.0, abs=0.02)
    assert made.manifest.warnings[-1] == (
        "high: 2 of 5 stamps left out, for their unit is not Jy/beam or their own beam is too wide for that of the others"
    )


def test_bins_of_a_column_of_words_are_refused(maps, tmp_path):
    named = places(kind=np.array(["star"] * len(AT)))
    with pytest.raises(OptionError, match="bins are of a column of numbers: got \"kind, such as 'star'\""):
        StackStep(StackOptions(bins="kind")).run(named, of_maps(maps), tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"format": "zarr"}, "one size"),
        ({"format": "zarr", "pixels": 9, "grid": "native"}, "north only"),
        ({"units": "K"}, "units"),
        ({"annulus": (2.0, 1.0)}, "inner edge"),
        ({"radius": 0.0}, "above 0"),
        ({"beam": (0.0, 0.0, 0.0)}, "axes of a beam are above 0"),
        ({"mask_beams": 3.0}, "mask_beams does nothing with mask=false; give mask=true, or leave it out"),
        ({"annulus": (1.3, 1.5)}, "annulus does nothing with background=none"),
        ({"annulus": (1.3, 1.5), "background": "border"}, "annulus does nothing with background=border"),
        ({"estimator": "median"}, "estimator does nothing with background=none"),
        ({"grid": "native", "method": "exact"}, "method does nothing with grid=native"),
        ({"sheets": 0, "stretch": "linear"}, "stretch does nothing with sheets=0"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, told, maps, tmp_path):
    with pytest.raises(OptionError, match=told):
        StampsStep(StampsOptions(**options)).run(places(), of_maps(maps), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_survey_whose_numbers_are_multiplied_by_nothing_is_refused():
    with pytest.raises(OptionError, match="multiplied by 0"):
        BandOptions.parse({"name": "a", "folder": "maps", "scale": 0})


def test_options_of_a_stack_that_do_nothing_are_refused():
    for values, told in (
        ({"edges": (0.0, 1.0)}, "edges does nothing without bins"),
        ({"control": 0, "control_radius": (1.0, 2.0)}, "control_radius does nothing with control=0"),
    ):
        with pytest.raises(OptionError, match=told):
            StackOptions(**values)


def test_a_radius_that_is_no_number_is_told(maps, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("name,ra,dec,size\na,50.27,-36,large\nb,50.28,-36,small\n")
    with pytest.raises(
        OptionError, match=r"radius_column is no column of numbers: got \"name, such as 'a'\""
    ):
        read_places(path, radius_column="name")


def test_stamps_that_keep_a_beam_wider_than_the_wanted_one_are_told(maps, tmp_path):
    options = StampsOptions(radius=45.0, beam=(1.0, 1.0, 0.0), scale=2.0)
    made = StampsStep(options).run(places(AT[:3]), of_maps(maps[:1]), tmp_path / "out")
    told = [each for each in made.manifest.warnings if "wide_beam" in each]
    assert told == ["low: 3 of 3 stamps keep their own beam, which the wanted one does not hold (wide_beam)"]


def test_equal_failures_of_stamps_are_told_once():
    pairs = [
        *((f"s{k}", "it is broken") for k in range(5)),
        ("t", ""),
        ("u", "it is lost"),
        ("v", "it is lost"),
    ]
    assert reasons(pairs, "stamp", "errors") == (
        "5 stamps: it is broken (s0, s1, s2 and 2 more)",
        "2 stamps: it is lost (u, v)",
    )
    many = reasons([(f"s{k}", f"reason {k}") for k in range(23)], "stamp", "errors")
    assert (len(many), many[-1]) == (21, "and 3 more reasons: see the column errors")
    assert many[0] == "1 stamp: reason 0 (s0)"


def test_a_stack_tells_what_is_in_no_bin_and_that_no_random_place_has_data(maps, tmp_path):
    flux = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, np.nan, 90.0])
    options = StackOptions(
        radius=30.0, bins="flux", edges=(0.0, 4.5, 10.0), control_radius=(5e4, 6e4), bootstrap=5
    )
    made = StackStep(options).run(places(flux=flux), of_maps(maps[:1]), tmp_path / "out")
    assert (
        "2 of 9 sources are in no bin of flux: beyond the edges, or without a value" in made.manifest.warnings
    )
    bare = [each for each in made.manifest.warnings if "no random position has data" in each]
    assert [each.split(":")[0] for each in bare] == ["bin 1, low", "bin 2, low"]
    assert [each.excess for each in made.facts] == [each.peak for each in made.facts]


def test_sources_of_elsewhere_are_refused(maps, tmp_path):
    with pytest.raises(UsageError, match="no survey covers any of the sources"):
        StampsStep(StampsOptions()).run(places([(10.0, 0.0)]), of_maps(maps), tmp_path / "out")
    with pytest.raises(UsageError, match="no source"):
        StampsStep(StampsOptions()).run(places([(10.0, 0.0)]).first(0), of_maps(maps), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_stamp_that_is_too_large_is_told_as_such(maps, tmp_path):
    bands = of_maps(maps)
    told = r"a stamp would be too large: got 'a radius of 216000 arcsec.*allowed: up to .* arcsec.*write 60arcsec"
    with pytest.raises(UsageError, match=told):
        StampsStep(StampsOptions()).run(typed_places(["50.27,-36,60"]), bands, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match="too large: got 'a radius of 36000 arcsec"):
        StackStep(StackOptions(radius=36000)).run(places(), bands, tmp_path / "out")


def test_a_stack_of_one_source_has_no_error(maps, tmp_path):
    options = StackOptions(radius=30.0, bootstrap=10, control=0)
    made = StackStep(options).run(places([AT[4]]), of_maps(maps[:1]), tmp_path / "one")
    (fact,) = made.facts
    assert (fact.sources, fact.peak) == (1, pytest.approx(1.0, abs=0.05))
    assert np.isnan([fact.peak_err, fact.excess_err, fact.snr]).all()
    assert "one source alone" in made.manifest.warnings[-1]


@pytest.mark.parametrize("text", ["50.27", "50.27,1,2,3", "a,b", "50,-36,wide"])
def test_a_typed_place_is_no_region_of_pixels(text):
    with pytest.raises(RegionError, match="60arcsec") as caught:
        typed_places([text])
    assert "pixel" not in str(caught.value)
    assert ",1'" not in str(caught.value)


def test_junk_is_told_that_a_list_is_allowed(tmp_path):
    (tmp_path / "junk.txt").write_text("nothing of use\n")
    with pytest.raises(FormatError, match=r"list of lines RA DEC \[RADIUS\] NAME"):
        read_places(tmp_path / "junk.txt")


def test_a_stack_tells_the_mean_flux_beside_random_places(maps, tmp_path):
    flux = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
    options = StackOptions(
        radius=30.0, bins="flux", edges=(0.0, 4.5, 10.0), control_radius=(1.0, 2.0), bootstrap=50
    )
    made = StackStep(options).run(places(flux=flux), of_maps(maps[:1]), tmp_path / "out")
    assert [(each.bin, each.low, each.high, each.sources) for each in made.facts] == [
        (1, 0.0, 4.5, 4),
        (2, 4.5, 10.0, 5),
    ]
    for each in made.facts:
        assert each.peak == pytest.approx(1.0, abs=5e-3)
        assert each.flux == pytest.approx(0.94, abs=0.04)  # what a radius of one FWHM holds
        assert each.peak_err < 0.01
        assert each.control < 0.6
        assert each.excess == pytest.approx(each.peak - each.control)
    with fits.open(tmp_path / "out" / "stack.fits") as hdus:
        names = [(hdu.name, hdu.ver) for hdu in hdus[1:]]
        assert names == [
            (name, k) for k in (1, 2) for name in ("STACK", "ERROR", "COUNT", "CONTROL", "CONTROL_ERROR")
        ]
        assert hdus["STACK", 2].header["BINLOW"] == 4.5
        assert hdus["STACK", 1].data[0].argmax() == hdus["STACK", 1].data[0].size // 2
    assert (tmp_path / "out" / "bins.csv").read_text().count("\n") == 3
    again = StackStep(options).run(
        places(flux=flux), of_maps(maps[:1]), tmp_path / "again", crew=Crew(workers=2)
    )
    assert (tmp_path / "out" / "bins.csv").read_bytes() == (tmp_path / "again" / "bins.csv").read_bytes()
    assert again.facts == made.facts


def test_places_come_from_lists_and_tables(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("# a list\n10.5 -30 12 first one\n11 -31 second\n12.0, 1\n")
    found = read_places(path)
    assert found.names == ("first one", "second", "4")
    assert found.ra.tolist() == [10.5, 11.0, 12.0]
    np.testing.assert_array_equal(found.radius, [12.0, np.nan, np.nan])
    path.write_text("10 20\nno place\n")
    with pytest.raises(FormatError, match="line 2"):
        read_places(path)
    table = tmp_path / "table.csv"
    table.write_text("name,ra,dec,z,size\na,10,20,0.3,5\nb,11,21,0.4,6\n")
    found = read_places(table, radius_column="size", columns=("z",))
    assert found.radius.tolist() == [5.0, 6.0]
    assert found.columns["z"].tolist() == [0.3, 0.4]
    with pytest.raises(UnknownName, match="no such column"):
        read_places(table, columns=("nosuch",))
    typed = typed_places(["10,20", "03:18:00,-36:00:00,10arcmin"])
    assert typed.ra.tolist() == [10.0, 49.5]
    np.testing.assert_array_equal(typed.radius, [np.nan, 600.0])


def test_the_commands_run(maps, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"{ra} {dec} s{k}\n" for k, (ra, dec) in enumerate(AT)))
    asked = ["--map", maps[0], "--set", "radius=40", "--out"]
    done = called("stamps", listed, *asked, tmp_path / "s", "--first", 3)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:5] == ["sources", "3", "0", "that", "no"]
    assert len(open_stamps(tmp_path / "s")) == 3
    done = called("stamps", "--at", f"{RA},{DEC}", *asked, tmp_path / "t", "--quiet")
    assert (done.returncode, done.stdout) == (0, "")
    done = called("stack", listed, *asked, tmp_path / "k")
    assert done.returncode == 0, done.stderr
    assert "9 sources, middle" in done.stdout
    assert "soda:" in called("stamps", "--example").stdout
    for words, told in (
        (["stamps", "--map", maps[0], "--out", "x"], "a catalogue or from --at"),
        (["stamps", listed, "--out", "x"], "no map and no survey"),
        (["stamps", listed], "--out is missing"),
        (["stamps", listed, *asked, tmp_path / "s"], "earlier run"),
        (["stack", listed, *asked, tmp_path / "y", "--bins", "z"], "no such column"),
    ):
        done = called(*words)
        assert done.returncode == 2
        assert told in done.stderr
        assert done.stderr.count("\n") == 1
