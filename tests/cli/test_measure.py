"""``skysift measure``: many maps, limits, light curves and spectra, catalogues of others, bad input."""

import json
import re

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from matplotlib.figure import Figure
from tests import skies

import skysift
from skysift.cli.main import main
from skysift.flow import measured_charts
from skysift.io.layouts.reading import read_any
from skysift.measure.options import MeasureOptions
from skysift.sky.flags import has

BEAM = (5.0, 4.0, 30.0)
RMS = 1e-4
SIZE = 320


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four maps of one field: three epochs at one frequency, of which one source varies, and one at another."""
    place = tmp_path_factory.mktemp("sky")
    sources = skies.population((SIZE, SIZE), BEAM, n_points=30, snr=(30, 300), rms=RMS, lattice=45, seed=4)
    brightest = int(np.argmax(sources["total"]))
    for number, (share, frequency, day) in enumerate(
        (
            (1.0, 1.4e9, "2020-05-01"),
            (1.5, 1.4e9, "2020-06-01"),
            (0.6, 1.4e9, "2020-07-01"),
            (1.0, 0.7e9, "2020-05-01"),
        )
    ):
        changed = sources.copy()
        changed["total"] *= (frequency / 1.4e9) ** -0.8
        changed["total"][brightest] *= share
        beam = BEAM if frequency > 1e9 else (8.0, 7.0, 100.0)
        image, _ = skies.paint((SIZE, SIZE), beam, rms=RMS, sources=changed, seed=10 + number)
        skies.write(place / f"map{number}.fits", image, beam, RESTFRQ=frequency, **{"DATE-OBS": day})
    assert (
        main(["find", str(place / "map0.fits"), "--out", str(place / "found"), "--quiet", "--no-report"]) == 0
    )
    np.save(place / "sources.npy", sources)
    return place


def rows(place, name="measurements"):
    return Table.read(place / f"{name}.csv")


def test_one_map_gives_what_the_finder_gave(folder, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["measure", str(folder / "map0.fits"), "--at", str(folder / "found"), "--out", str(out)]
    assert main([*command, "--format", "fits,csv", "--set", "apertures=20,40"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"places +\d+  on 1 map\n", told)
    names = {
        "measurements.fits",
        "measurements.csv",
        "series.fits",
        "series.csv",
        "report.html",
        "manifest.json",
    }
    assert {path.name for path in out.iterdir()} == names
    assert "http" not in (out / "report.html").read_text().replace("http-equiv", "")
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["finder"] == "measure"
    assert manifest["kind"] == "step"
    assert {each["name"] for each in manifest["inputs"]} >= {"map0.fits", "components.fits"}
    assert {each["name"] for each in manifest["outputs"]} == names - {"manifest.json"}
    table, given = rows(out), read_any(folder / "found", table="components")
    assert len(table) == len(given)
    assert np.median(table["flux_int"] / given["flux"]) == pytest.approx(1.0, abs=0.02)
    assert (table["flux_limit"] > table["flux_int"]).all()
    corrected = table["flux_aperture_2"] * table["aperture_correction_2"]
    assert np.median(corrected / table["flux_int"]) == pytest.approx(1.0, abs=0.05)
    header = fits.getheader(out / "measurements.fits", 1)
    assert "STEP" in header or "STEP" in fits.getheader(out / "measurements.fits")
    assert main([*command, "--quiet"]) == 2
    assert main([*command, "--quiet", "--overwrite", "--no-report"]) == 0


def test_light_curves_and_spectra(folder, tmp_path):
    maps = [str(folder / f"map{number}.fits") for number in range(4)]
    out = tmp_path / "out"
    assert (
        main(
            ["measure", *maps, "--at", str(folder / "found"), "--out", str(out), "--format", "csv", "--quiet"]
        )
        == 0
    )
    table, series = rows(out), rows(out, "series")
    n = len(series)
    assert len(table) == 4 * n
    assert table["epoch"][:n].tolist() == [58970.0] * n
    assert len(set(table["map"])) == 4
    odd = int(np.argmin(series["p_constant"]))
    assert series["p_constant"][odd] < 1e-6
    assert odd == int(np.argmax(series["flux_max"]))
    others = np.delete(np.arange(n), odd)
    assert np.median(series["eta"][others]) == pytest.approx(
        0.7, abs=0.45
    )  # median of chi-squared of two over two
    assert (np.asarray(series["p_constant"])[others] > 1e-4).mean() > 0.9
    assert series["degrees"].tolist() == [2] * n
    pull = (series["alpha"][others] + 0.8) / series["alpha_err"][others]
    assert np.median(series["alpha"][others]) == pytest.approx(-0.8, abs=0.06)
    assert np.std(pull) < 2.5
    assert np.median(np.asarray(series["frequency"])) == pytest.approx(1.4e9 * 0.5**0.25, rel=1e-6)


def test_from_python(folder):
    done = skysift.measure_at(folder / "map0.fits", at=folder / "found")
    again = skysift.measure_at(
        [skysift.open(folder / "map0.fits")], skysift.open(folder / "found"), workers=2, tile=64
    )
    assert np.array_equal(done.table["flux_int"], again.table["flux_int"])
    assert done.series["n_maps"].tolist() == [1] * len(done)
    ra, dec = done.table["ra"][:3], done.table["dec"][:3]
    points = skysift.measure_at(folder / "map0.fits", (ra, dec), fit="position")
    assert "ra_fit" in points.table
    assert points.of("flux_int").shape == (1, 3)
    wide = skysift.measure_at(folder / "map0.fits", (ra, dec), fit="shape", free_snr=3)
    assert np.isfinite(wide.table["major"]).all()


def test_a_map_with_another_beam_gives_the_same_flux(folder, tmp_path):
    """Both beams count: an extended source found with one beam has its flux on a map with a wider one."""
    source = np.zeros(1, skies.SOURCE)
    source["x"], source["y"], source["total"], source["kind"] = 100.2, 110.4, 0.1, "gaussian"
    source["dmaj"], source["dmin"], source["dpa"] = 7.0, 4.0, 50.0
    for name, beam in (("one", (5.0, 5.0, 0.0)), ("two", (7.5, 7.5, 0.0))):
        image, _ = skies.paint((220, 220), beam, rms=1e-5, sources=source, seed=3)
        skies.write(tmp_path / f"{name}.fits", image, beam)
    found = skysift.find(tmp_path / "one.fits")
    assert found.components["resolved"].all()
    done = skysift.measure_at([tmp_path / "one.fits", tmp_path / "two.fits"], found)
    assert done.table["flux_int"] == pytest.approx([0.1, 0.1], rel=0.01)
    assert done.table["flux_peak"][0] < 0.08
    point = skysift.measure_at(tmp_path / "two.fits", found, shape="point")
    assert point.table["flux_int"][0] < 0.095


@pytest.mark.parametrize(
    ("name", "options"),
    [("PyBDSF_ref.gaul.FITS", {"catalogue_beam": (54.0, 54.0, 0.0)}), ("Aegean_1904_comp.fits", {})],
)
def test_catalogues_of_other_finders(data_folder, name, options):
    path = data_folder / "continuum" / name
    image = {"PyBDSF_ref.gaul.FITS": "PyBDSF_ch0_I.fits", "Aegean_1904_comp.fits": "Aegean_1904-66_SIN.fits"}[
        name
    ]
    done = skysift.measure_at(data_folder / "continuum" / image, at=path, **options)
    theirs = read_any(path)
    bright = done.table["snr"] > 20
    assert bright.sum() >= 9
    assert np.median(done.table["flux_int"][bright] / theirs["flux_int"][bright]) == pytest.approx(
        1.0, abs=0.06
    )


def test_bad_input(folder, tmp_path, capsys):
    def error(*arguments):
        assert main(["measure", *map(str, arguments), "--out", str(tmp_path / "out"), "--quiet"]) == 2
        told = capsys.readouterr().err.strip().splitlines()
        assert not (tmp_path / "out").exists()
        return told[-1]

    image, found = folder / "map0.fits", folder / "found"
    far = tmp_path / "far.csv"
    far.write_text("ra,dec\n10.0,80.0\n11.0,80.0\n")
    assert "no place of the catalogue lies on the map" in error(image, "--at", far)
    assert "no such file or folder" in error(image, "--at", tmp_path / "nothing.fits")
    assert "is an image, and no catalogue" in error(image, "--at", image)
    assert "no such file" in error(tmp_path / "none.fits", "--at", found)
    assert "fit" in error(image, "--at", found, "--fit", "flux", "--set", "fit=shape")
    assert "annulus" in error(image, "--at", found, "--set", "annulus=3,9")
    assert "--frequency" in error(image, "--at", found, "--frequency", "1GHz,2GHz")
    assert "--format" in error(image, "--at", found, "--format", "xls")
    assert "no such map of labels" in error(image, "--at", found, "--labels", tmp_path / "none.fits")
    assert "label" in error(image, "--at", found, "--table", "sources", "--labels", image)
    with pytest.raises(skysift.base.errors.UsageError, match="only maps"):
        skysift.measure_at([3], at=found)
    with pytest.raises(skysift.base.errors.UsageError, match="differ in length"):
        skysift.measure_at(image, ([1.0, 2.0], [3.0]))
    with pytest.raises(skysift.base.errors.UsageError, match="no such catalogue"):
        skysift.measure_at(image, 7)


def test_maps_without_data_and_places_beside_the_map_are_flagged(folder, tmp_path):
    blank = tmp_path / "blank.fits"
    skies.write(blank, np.full((SIZE, SIZE), np.nan, np.float32), BEAM)
    done = skysift.measure_at([folder / "map0.fits", blank], at=folder / "found")
    assert np.isnan(done.of("flux_int")[1]).all()
    assert any("without data" in note for note in done.notes)
    assert done.series["n_maps"].tolist() == [1] * len(done)
    ra, dec = done.table["ra"][0], done.table["dec"][0]
    some = skysift.measure_at(folder / "map0.fits", ([ra, ra + 40.0], [dec, dec]))
    assert np.isfinite(some.table["flux_int"]).tolist() == [True, False]
    assert any("outside of the map" in note for note in some.notes)


def test_footprints_of_an_earlier_run(folder, tmp_path):
    out = tmp_path / "deep"
    assert (
        main(
            [
                "find",
                str(folder / "map0.fits"),
                "--out",
                str(out),
                "--quiet",
                "--no-report",
                "--maps",
                "labels",
            ]
        )
        == 0
    )
    done = skysift.measure_at(folder / "map0.fits", at=out, table="islands", labels=out / "labels.fits")
    islands = read_any(out, table="islands")
    assert done.table["flux_footprint"] == pytest.approx(islands["flux_int"], rel=1e-4)


def test_series_of_maps_that_see_extended_sources_differently_are_flagged(tmp_path):
    """The rule of `find --channels`: resolved sources wider than the widest beam, where the beams differ."""
    sources = np.zeros(3, skies.SOURCE)
    sources["kind"] = ("gaussian", "gaussian", "point")
    sources["x"], sources["y"], sources["total"] = (60.2, 150.4, 150.1), (60.3, 60.8, 150.2), 0.2
    sources["dmaj"], sources["dmin"] = (12.0, 4.0, 0.0), (11.0, 3.5, 0.0)
    for name, beam, frequency in (("low", (9.0, 9.0, 0.0), 0.7e9), ("high", (5.0, 5.0, 0.0), 1.4e9)):
        image, _ = skies.paint((210, 210), beam, rms=1e-4, sources=sources, seed=3)
        skies.write(tmp_path / f"{name}.fits", image, beam, RESTFRQ=frequency)
    found = skysift.find(tmp_path / "high.fits")
    assert found.components["resolved"].sum() == 2
    maps = [tmp_path / "low.fits", tmp_path / "high.fits"]
    done = skysift.measure_at(maps, found)
    wide = found.components["major_deconv"] > 18.0
    assert wide.sum() == 1
    assert np.array_equal(has(done.series["flags"], "uv_mismatch"), wide)
    assert not has(done.table["flags"], "uv_mismatch").any()
    alike = skysift.measure_at(maps, found, spectral_beams=2.0)
    assert not has(alike.series["flags"], "uv_mismatch").any()
    assert not has(skysift.measure_at(maps[:1], found).series["flags"], "uv_mismatch").any()


def test_the_page_of_several_frequencies_has_a_column_for_each(folder, tmp_path):
    maps = [str(folder / f"map{number}.fits") for number in range(4)]
    command = ["measure", *maps, "--at", str(folder / "found"), "--quiet", "--out"]
    assert main([*command, str(tmp_path / "all")]) == 0
    page = (tmp_path / "all" / "report.html").read_text()
    heads = re.findall(r"<th[^>]*>([^<]*)</th>", page)
    assert {"700 MHz [mJy]", "1.4 GHz [mJy]", "flux [mJy]", "at [MHz]", "alpha", "flags"} <= set(heads)
    assert not any(head.startswith(("mean [", "lowest")) for head in heads)
    assert page.count("data:image/png") == 3
    one = ["measure", maps[0], *command[5:]]
    assert main([*one, str(tmp_path / "one")]) == 0
    page = (tmp_path / "one" / "report.html").read_text()
    heads = re.findall(r"<th[^>]*>([^<]*)</th>", page)
    assert {"mean [mJy]", "flags"} <= set(heads)
    assert "Spectra" not in page
    assert page.count("data:image/png") == 1
    spectra = ["measure", maps[0], maps[3], *command[5:]]
    assert main([*spectra, str(tmp_path / "two")]) == 0
    page = (tmp_path / "two" / "report.html").read_text()
    assert "Spectra of the" in page
    assert "eta against V" not in page
    assert page.count("data:image/png") == 2


def test_maps_on_an_axis_have_whole_numbers(folder):
    done = skysift.measure_at([folder / "map0.fits"] * 2, folder / "found")
    axes = Figure().add_subplot()
    measured_charts._whole_numbers(axes, 2)
    low, high = axes.get_xlim()
    assert [tick for tick in axes.xaxis.get_major_locator()() if low <= tick <= high] == [1, 2]
    x, label = measured_charts._axis(done, done.of("epoch"), done.of("frequency"), spectra=False)
    assert (x.tolist(), label) == ([1.0, 2.0], measured_charts._MAPS)


def test_a_catalogue_of_another_field_is_refused_before_anything_is_read(folder, monkeypatch):
    monkeypatch.setattr("skysift.flow.steps.measure.measure_noise", None)
    with pytest.raises(skysift.base.errors.UsageError, match="no place of the catalogue lies on the map"):
        skysift.measure_at(folder / "map0.fits", ([10.0], [80.0]))


def test_places_outside_are_counted_apart(folder, tmp_path, capsys):
    parts = skysift.open(folder / "found").components
    best = int(np.argmax(parts["snr"]))
    (tmp_path / "list.csv").write_text(f"ra,dec\n{parts['ra'][best]},{parts['dec'][best]}\n190.0,-30.0\n")
    command = ["measure", str(folder / "map0.fits"), "--at", str(tmp_path / "list.csv")]
    assert main([*command, "--out", str(tmp_path / "out"), "--no-report"]) == 0
    counts = json.loads((tmp_path / "out" / "manifest.json").read_text())["counts"]
    assert (counts["outside"], counts["flagged"], counts["doubtful"]) == (1, 0, 0)
    assert "0 flagged (0 doubtful), 1 outside of a map" in capsys.readouterr().out


def test_a_frequency_in_place_of_the_headers_is_told(folder, tmp_path, capsys):
    command = ["measure", str(folder / "map0.fits"), "--at", str(folder / "found"), "--quiet", "--no-report"]
    assert main([*command, "--out", str(tmp_path / "one"), "--frequency", "1.4GHz"]) == 0
    assert "frequency" not in capsys.readouterr().err
    assert main([*command, "--out", str(tmp_path / "two"), "--frequency", "900MHz"]) == 0
    told = "map0: the header has a frequency of 1.4 GHz: 900 MHz is used in its place"
    assert told in capsys.readouterr().err


def test_a_primary_beam_by_its_flag_and_a_dish_that_is_none(folder, tmp_path, capsys):
    skies.write(tmp_path / "pb.fits", np.full((SIZE, SIZE), 0.5, np.float32), BEAM)
    command = ["measure", str(folder / "map0.fits"), "--at", str(folder / "found"), "--quiet", "--no-report"]
    for number, flags in enumerate(
        (["--primary-beam", str(tmp_path / "pb.fits")], ["--set", f"primary_beam={tmp_path / 'pb.fits'}"])
    ):
        assert main([*command, "--format", "csv", "--out", str(tmp_path / f"{number}"), *flags]) == 0
    one, two = rows(tmp_path / "0"), rows(tmp_path / "1")
    assert one["primary_beam"].tolist() == pytest.approx([0.5] * len(one))
    assert one["flux_int"].tolist() == two["flux_int"].tolist()
    capsys.readouterr()
    assert (
        main([*command, "--out", str(tmp_path / "no"), "--weight", "w.fits", "--primary-beam", "p.fits"]) == 2
    )
    assert "two ways to say one thing" in capsys.readouterr().err
    assert main([*command, "--out", str(tmp_path / "no"), "--set", "dish=0.2"]) == 2
    said = capsys.readouterr().err
    assert (
        "a dish smaller than the wavelength has no beam: got 'a dish of 0.2 m at a wavelength of 0.214 m'"
        in said
    )
    assert said.count("\n") == 1


def test_options_are_declared():
    assert MeasureOptions.parse({"apertures": "10,20", "annulus": "30,40"}).annulus == (30.0, 40.0)


def test_a_primary_beam_has_its_columns_and_its_file_in_the_story(folder, tmp_path):
    v, u = np.mgrid[:SIZE, :SIZE]
    beam = np.exp(-4 * np.log(2) * ((u - 159.5) ** 2 + (v - 159.5) ** 2) / 400.0**2).astype(np.float32)
    skies.write(tmp_path / "pb.fits", beam, BEAM)
    (tmp_path / "list.csv").write_text("ra,dec\n180.0,-30.0\n180.05,-30.0\n190.0,-30.0\n")
    maps = [str(folder / f"map{number}.fits") for number in range(2)]
    how = ["--set", f"primary_beam={tmp_path / 'pb.fits'}", "--set", "primary_beam_error=0.1"]
    command = ["measure", *maps, "--at", str(tmp_path / "list.csv"), "--format", "csv", "--quiet"]
    assert main([*command, "--out", str(tmp_path / "out"), *how]) == 0
    told = json.loads((tmp_path / "out" / "manifest.json").read_text())["inputs"]
    assert [each["name"] for each in told] == ["map0.fits", "map1.fits", "pb.fits", "list.csv"]
    assert all(each["checksum"].startswith("sha256:") for each in told)
    table = rows(tmp_path / "out")
    middle, away, outside = (table[k::3] for k in range(3))
    assert np.asarray(middle["primary_beam"]) == pytest.approx([1.0, 1.0], abs=1e-3)
    assert (away["primary_beam"] < 0.95).all()
    for name in ("flux_int", "flux_peak"):
        np.testing.assert_allclose(away[f"{name}_apparent"], away[name] * away["primary_beam"], rtol=1e-4)
    # ln A of a Gaussian follows the width as 2 |ln A|
    error = 0.1 * 2 * -np.log(away["primary_beam"]) * np.abs(away["flux_int"])
    np.testing.assert_allclose(away["flux_pb_cal_err"], error, rtol=0.05)
    for name in ("primary_beam", "flux_int_apparent", "flux_pb_cal_err"):
        assert not np.isfinite(np.ma.filled(outside[name].astype(float), np.nan)).any()
    assert main([*command, "--out", str(tmp_path / "plain")]) == 0
    assert "primary_beam" not in rows(tmp_path / "plain").colnames


def test_a_given_rms_map_is_in_the_story(folder, tmp_path):
    skies.write(tmp_path / "rms.fits", np.full((SIZE, SIZE), RMS, np.float32), BEAM)
    done = skysift.measure_at(
        folder / "map0.fits", ([180.0], [-30.0]), rms_file=str(tmp_path / "rms.fits"), apertures=(20.0,)
    )
    assert [each.name for each in done.provenance.inputs] == ["map0.fits", "rms.fits"]
    assert done.table["rms"] == pytest.approx([RMS])


def test_smearing_and_beams_of_a_file_count(tmp_path):
    from tests.find.test_corrections import FREQUENCY, smeared

    image, places = smeared(0.018, 0.0)
    at = image.frame.to_sky(places[:, 0], places[:, 1])
    done = skysift.measure_at(image, at, channel_width=0.018 * FREQUENCY)
    assert np.median(done.table["flux_int"]) == pytest.approx(200 * 1e-3, rel=0.01)
    assert np.median(done.table["flux_peak"]) < 0.97 * 200 * 1e-3
    beam = image.beam
    line = f"180,89.9,{beam.major / 3600},{beam.minor / 3600},{beam.pa}"
    (tmp_path / "psf.csv").write_text(f"ra,dec,bmaj,bmin,bpa\n{line}\n")
    same = skysift.measure_at(image, at, psf_file=str(tmp_path / "psf.csv"))
    plain = skysift.measure_at(image, at)
    np.testing.assert_allclose(same.table["flux_int"], plain.table["flux_int"], rtol=1e-3)
    assert [each.name for each in same.provenance.inputs][1:] == ["psf.csv"]
    assert any("psf.csv" in note for note in same.notes)
