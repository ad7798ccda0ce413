"""``skysift match`` and ``skysift validate``: files in, files out, one clear line for bad input."""

import json

import numpy as np
import pytest
from astropy.table import Table as AstropyTable
from pyarrow import parquet
from tests import catalogues

from skysift.cli.main import main
from skysift.io.tables import FitsFormat
from skysift.sky.catalogue import Catalogue
from skysift.sky.table import Table


def field(seed: int = 1, n: int = 60, **changes) -> Table:
    """Sources in a small field, with errors that a survey would have."""
    table = catalogues.catalogue(n, seed=7).sources
    rng = np.random.default_rng(seed)
    place = np.random.default_rng(5)
    columns = {
        "ra": 20.0 + place.uniform(0, 1, n) + rng.normal(0, 0.5, n) / 3600,
        "dec": -10.0 + place.uniform(0, 1, n) + rng.normal(0, 0.5, n) / 3600,
        "ra_err": np.full(n, 0.5),
        "dec_err": np.full(n, 0.5),
        "flux": place.lognormal(-4, 1, n) * rng.normal(1, 0.02, n),
        "flux_err": np.full(n, 1e-4),
        "frequency": np.full(n, 1.4e9),
        "rms": np.full(n, 1e-4),
    }
    return table.with_columns(columns | changes)


def save(table: Table, path, form=FitsFormat) -> str:
    blank = {kind: Table.empty(kind) for kind in ("islands", "components")}
    Catalogue(blank["islands"], table, blank["components"]).write(path)
    return str(path)


@pytest.fixture
def two(tmp_path):
    """Two files of one field."""
    return save(field(1), tmp_path / "a.fits"), save(field(2, frequency=np.full(60, 7e8)), tmp_path / "b.vot")


@pytest.mark.parametrize("suffix", ["fits", "vot", "parquet", "csv"])
@pytest.mark.parametrize("kind", ["nearest", "likelihood"])
def test_all_rows_are_written_with_units(two, tmp_path, capsys, suffix, kind):
    out = tmp_path / f"out.{suffix}"
    assert main(["match", *two, "--out", str(out), "--kind", kind]) == 0
    told = capsys.readouterr()
    assert [line for line in told.err.splitlines() if "compiling kernels" not in line] == []
    assert "  a: 60 rows: 60 matched, 0 alone\n  b: 60 rows: 60 matched, 0 alone" in told.out
    if suffix == "parquet":
        read = AstropyTable(parquet.read_table(out).to_pydict())
    else:
        read = AstropyTable.read(out, format={"vot": "votable", "csv": "ascii.csv"}.get(suffix, suffix))
    assert len(read) == 60
    assert np.array_equal(read["id_1"], read["id_2"])
    assert np.median(np.abs(np.asarray(read["spectral_index"]))) < 0.1
    if suffix in ("fits", "vot"):
        assert str(read["separation_2"].unit) == "arcsec"
        assert str(read["flux_1"].unit) == "Jy"


def test_the_story_is_in_the_header(two, tmp_path):
    from astropy.io import fits

    assert main(["match", *two, "--out", str(tmp_path / "out.fits"), "--radius", "7"]) == 0
    header = fits.getheader(tmp_path / "out.fits", 1)
    assert header["MATCHER"] == "one-to-one"
    history = " ".join(header["HISTORY"])
    assert "option radius = 7.0" in history
    assert "60 of 60 rows matched within 7.00 arcsec" in history


def test_candidates_and_a_page_are_written_beside(two, tmp_path):
    out, weighed = tmp_path / "out.fits", tmp_path / "weighed.csv"
    words = ["match", *two, "--out", str(out), "--candidates", str(weighed), "--kind", "ellipse", "--report"]
    assert main(words) == 0
    assert "chosen" in weighed.read_text().splitlines()[0]
    page = (tmp_path / "out.html").read_text()
    assert page.count("data:image/png") == 6
    assert "b against a" in page
    assert main(words) == 2
    assert main([*words, "--overwrite"]) == 0


def test_one_catalogue_lists_its_duplicates(tmp_path, capsys):
    table = field(1)
    twice = Table.concat([table, table[:3].with_columns({"source_id": np.array([901, 902, 903])})])
    path = save(twice, tmp_path / "a.fits")
    out = tmp_path / "twice.csv"
    assert main(["match", path, "--out", str(out), "--radius", "3"]) == 0
    assert capsys.readouterr().out == "a: 6 of 63 rows are duplicates within 3.00 arcsec, in 3 groups\n"
    assert len(out.read_text().splitlines()) == 7
    assert main(["match", path, "--duplicates"]) == 0
    assert main(["match", path, path, "--duplicates"]) == 2
    assert "--duplicates takes one catalogue" in capsys.readouterr().err


def test_a_folder_and_a_foreign_catalogue(tmp_path, capsys):
    table = field(1)
    alone = Catalogue(Table.empty("islands"), table, Table.empty("components"))
    FitsFormat().write(alone, tmp_path / "folder")
    lines = ["id,RAJ2000,DEJ2000,flux_mJy"]
    rows = zip(table["ra"], table["dec"], table["flux"], strict=True)
    lines += [f"{i},{ra},{dec},{flux * 1e3}" for i, (ra, dec, flux) in enumerate(rows)]
    (tmp_path / "list.csv").write_text("\n".join(lines))
    words = ["match", str(tmp_path / "folder"), str(tmp_path / "list.csv"), "--out", str(tmp_path / "o.csv")]
    assert main([*words, "--frequency", "-,843MHz"]) == 0
    assert "60 of 60 rows matched" in capsys.readouterr().out


def told(words, capsys) -> str:
    """The one line of an error."""
    assert main([str(word) for word in words]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("skysift: error: ")
    return lines[0]


def test_bad_requests_end_with_a_line_and_no_file(two, tmp_path, capsys):
    out = tmp_path / "out.fits"
    a, b = two
    assert "no such file" in told(["match", a, "nothing.fits", "--out", out], capsys)
    assert "no format" in told(["match", a, b, "--out", tmp_path / "out.txt"], capsys)
    assert "no such folder" in told(["match", a, b, "--out", tmp_path / "none" / "out.fits"], capsys)
    assert "matcher" in told(["match", a, b, "--kind", "closest", "--out", out], capsys)
    assert "'radius'" in told(["match", a, b, "--radius", "-1", "--out", out], capsys)
    assert "no such table" in told(["match", a, b, "--table", "rows", "--out", out], capsys)
    assert "weighs no candidates" in told(["match", a, b, "--candidates", tmp_path / "c.csv"], capsys)
    assert "--report" in told(["match", a, b, "--report"], capsys)
    assert "frequency" in told(["match", a, b, "--frequency", "fast"], capsys)
    alone = told(["match", a, "--kind", "ellipse", "--correct", "--set", "trials=3"], capsys)
    assert "got '--kind, --correct, --set trials'" in alone
    assert not out.exists()


def test_bad_files_end_with_a_line_and_no_file(two, tmp_path, capsys):
    out, a = tmp_path / "out.fits", two[0]
    (tmp_path / "empty.csv").write_text("")
    assert "empty" in told(["match", a, tmp_path / "empty.csv", "--out", out], capsys)
    (tmp_path / "columns.csv").write_text("colour,shape\nred,round\n")
    assert "columns.csv" in told(["match", a, tmp_path / "columns.csv", "--out", out], capsys)
    wrong = AstropyTable.read(a)
    wrong["flux"].unit = "km"
    wrong.write(tmp_path / "wrong.fits")
    assert "another unit" in told(["match", a, tmp_path / "wrong.fits", "--out", out], capsys)
    pixels = save(catalogues.catalogue(5, on_sky=False).sources, tmp_path / "pixels.fits")
    assert "no positions on the sky" in told(["match", a, pixels, "--out", out], capsys)
    assert not out.exists()


def test_skies_apart_are_warned_of(two, tmp_path, capsys):
    far = save(field(1, ra=np.linspace(200, 201, 60)), tmp_path / "far.fits")
    assert main(["match", two[0], far, "--out", str(tmp_path / "o.csv")]) == 0
    captured = capsys.readouterr()
    assert "skysift: warning: a and far have no common sky" in captured.err
    assert len((tmp_path / "o.csv").read_text().splitlines()) == 121


def test_a_field_is_validated_against_a_survey(two, tmp_path, capsys):
    out = tmp_path / "check"
    assert main(["validate", two[0], two[1], "--out", str(out), "--set", "trials=3"]) == 0
    assert "60 of 60 rows matched" in capsys.readouterr().out
    assert sorted(each.name for each in out.iterdir() if not each.name.startswith(".")) == [
        "manifest.json",
        "matches.fits",
        "validation.html",
        "validation.json",
    ]
    numbers = json.loads((out / "validation.json").read_text())
    assert numbers["joins"][0]["matched"] == 60
    page = (out / "validation.html").read_text()
    assert page.count("data:image/png") == 6
    assert "median spectral index" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "overwrite" in told(
        ["validate", "nothing", two[1], "--out", out], capsys
    )  # before anything is read


def test_a_survey_with_names_of_its_own(two, tmp_path, capsys):
    table = field(3)
    lines = ["lon,lat,S"]
    lines += [
        f"{ra},{dec},{s * 1e3}" for ra, dec, s in zip(table["ra"], table["dec"], table["flux"], strict=True)
    ]
    (tmp_path / "survey.csv").write_text("\n".join(lines))
    words = ["validate", two[0], str(tmp_path / "survey.csv"), "--out", str(tmp_path / "check")]
    named = [
        "--ra",
        "lon",
        "--dec",
        "lat",
        "--flux",
        "S",
        "--flux-unit",
        "mJy",
        "--reference-frequency",
        "1.4GHz",
    ]
    assert main([*words, *named]) == 0
    assert "flux ratio" in capsys.readouterr().out
    assert "one frequency" in told([*words, *named[:-1], "1GHz,2GHz"], capsys)


@pytest.mark.parametrize("flag", ["--frequency", "--reference-frequency"])
def test_a_frequency_without_its_unit_is_refused(two, tmp_path, capsys, flag):
    words = ["validate", *two, "--out", tmp_path / "check", flag]
    assert "no radio frequency in hertz: got 1.4" in told([*words, "1.4"], capsys)
    assert f"{flag} is not a frequency" in told([*words, "fast"], capsys)
    assert "no radio frequency" in told(["match", *two, "--frequency", "-,1.4"], capsys)
    assert "no radio frequency" in told(
        ["convert", two[0], tmp_path / "o.fits", "--frequency", "1.4"], capsys
    )
    assert not (tmp_path / "check").exists()


def test_a_unit_that_is_none_is_refused(two, tmp_path, capsys):
    (tmp_path / "survey.csv").write_text("ra,dec,flux_mJy\n20.1,-10.1,3.0\n")
    words = ["validate", two[0], tmp_path / "survey.csv", "--out", tmp_path / "check", "--flux-unit"]
    line = told([*words, "mJyy"], capsys)
    assert "flux_unit is not such a unit: got 'mJyy'; allowed: Jy, mJy, uJy" in line
    assert "got 'km'" in told([*words, "km"], capsys)


def test_a_survey_of_another_sky_is_told(two, tmp_path, capsys):
    far = save(field(1, ra=np.linspace(200, 201, 60)), tmp_path / "far.fits")
    line = told(["validate", two[0], far, "--out", tmp_path / "check"], capsys)
    assert "far has no row in the field of a" in line
    assert not (tmp_path / "check" / "validation.html").exists()


def test_an_empty_field_is_told_as_such(two, tmp_path, capsys):
    empty = save(field(1)[:0], tmp_path / "empty.fits")
    line = told(["validate", empty, two[0], "--out", tmp_path / "check"], capsys)
    assert "empty has no rows: there is no field to compare" in line
    line = told(["validate", two[0], empty, "--out", tmp_path / "check"], capsys)
    assert "empty has no rows: there is no reference" in line


def test_matching_nothing_says_that_there_are_no_rows(tmp_path, capsys):
    empty = [save(field(1)[:0], tmp_path / f"{name}.fits") for name in "ab"]
    assert main(["match", *empty, "--out", str(tmp_path / "o.fits"), "--report"]) == 0
    out = capsys.readouterr().out
    assert "b: nothing to match, for want of rows" in out
    assert "within" not in out
    page = (tmp_path / "o.html").read_text()
    assert "data:image/png" not in page
    assert "for want of rows" in page


def test_swapped_arguments_are_suspected(two, tmp_path, capsys):
    n = 600
    rng = np.random.default_rng(3)
    lines = [
        "ra,dec,flux_mJy",
        *(f"{ra},{dec},3" for ra, dec in zip(*rng.uniform(-9, 9, (2, n)), strict=True)),
    ]
    lines += [f"{ra},{dec},3" for ra, dec in zip(field(1)["ra"], field(1)["dec"], strict=True)]
    (tmp_path / "wide.csv").write_text("\n".join(lines).replace("\n-", "\n35"))
    words = ["validate", str(tmp_path / "wide.csv"), two[0], "--set", "trials=3", "--radius", "5"]
    assert main([*words, "--out", str(tmp_path / "check")]) == 0
    assert "the arguments may be swapped" in capsys.readouterr().err
    right = ["validate", two[0], str(tmp_path / "wide.csv"), "--set", "trials=3", "--radius", "5"]
    assert main([*right, "--out", str(tmp_path / "right")]) == 0
    assert "swapped" not in capsys.readouterr().err


def test_the_spectral_index_is_told_and_the_frequencies_are_missed_where_they_are(two, tmp_path, capsys):
    words = ["validate", *two, "--set", "trials=3", "--out"]
    assert main([*words, str(tmp_path / "known")]) == 0
    captured = capsys.readouterr()
    assert "  spectral index " in captured.out
    assert captured.err == ""
    bare = save(field(2, frequency=np.full(60, np.nan)), tmp_path / "bare.fits")
    assert main(["validate", two[0], bare, "--set", "trials=3", "--out", str(tmp_path / "unknown")]) == 0
    assert "not known is the frequency of bare (--reference-frequency gives it)" in capsys.readouterr().err


def test_columns_of_a_reference_are_named_by_flags_that_there_are(two, tmp_path, capsys):
    (tmp_path / "s.csv").write_text("lon,lat,S\n20.1,-10.1,3\n")
    words = ["validate", two[0], tmp_path / "s.csv", "--out", tmp_path / "check"]
    assert told(words, capsys).endswith("say it by --ra COLUMN --dec COLUMN")
    line = told([*words, "--ra", "lon", "--dec", "lat", "--flux", "S"], capsys)
    assert line.endswith("say it by --flux-unit mJy")
    assert "skysift convert FILE NEW --from named" in told(["match", *words[1:3]], capsys)


def test_a_radius_is_a_plain_number(two, capsys):
    line = told(["match", *two, "--radius", "5asec"], capsys)
    assert "'--radius': a plain number is wanted, without a unit; see" in line
    assert "Input should" not in line


def test_a_file_in_the_way_of_the_folder_is_told(two, tmp_path, capsys):
    (tmp_path / "taken").write_text("mine")
    line = told(["validate", *two, "--set", "trials=3", "--out", tmp_path / "taken"], capsys)
    assert "a file is in the way of the folder" in line
    assert (tmp_path / "taken").read_text() == "mine"


def test_islands_need_their_maps(two, tmp_path, capsys):
    alone = Catalogue(Table.empty("islands"), field(1), Table.empty("components"))
    FitsFormat().write(alone, tmp_path / "folder")
    words = ["match", tmp_path / "folder", two[0], "--kind", "island"]
    assert "has no map of labels" in told(words, capsys)
    assert "has no map of labels" in told([*words, "--labels", "none.fits,none.fits"], capsys)
