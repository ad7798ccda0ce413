"""The door: ours before theirs, one line for what nobody knows, and every container told by its content."""

import numpy as np
import pytest
from tests import catalogues

from skysift.base.errors import FormatError, UnknownName, UsageError
from skysift.io.layouts.containers import load, sight
from skysift.io.layouts.conversion import factor, plain_unit, sexagesimal, sexagesimal_degrees
from skysift.io.layouts.rank import letters, numbers_in, rank_within
from skysift.io.layouts.reading import layout_of, layouts, read_any, read_any_catalogue, reader


@pytest.mark.parametrize("suffix", [".fits", ".vot", ".parquet", ".csv"])
def test_ours_are_read_as_ours(tmp_path, suffix):
    (path,) = catalogues.catalogue().write(tmp_path / f"out{suffix}", table="components")
    assert layout_of(path) == "skysift"
    assert read_any(path) == catalogues.catalogue().components
    with pytest.raises(UsageError, match="is of skysift, and is read without options: got 'ra'"):
        read_any(path, options={"ra": "x"})


def test_a_folder_gives_the_table_that_is_asked_for(tmp_path):
    catalogues.catalogue().write(tmp_path / "field", format="fits", table=None)
    assert read_any(tmp_path / "field") == catalogues.catalogue().sources
    assert read_any(tmp_path / "field", table="islands") == catalogues.catalogue().islands
    with pytest.raises(UnknownName):
        read_any(tmp_path / "field", table="stars")


def test_a_catalogue_of_whatever_there_is(tmp_path):
    catalogue = catalogues.catalogue()
    catalogue.write(tmp_path / "field", format="fits", table=None)
    assert read_any_catalogue(tmp_path / "field") == catalogue
    reader("aegean").write(catalogue.components, tmp_path / "comp.fits")
    foreign = read_any_catalogue(tmp_path / "comp.fits")
    assert len(foreign) == len(foreign.components) == len(catalogue.components)
    assert np.array_equal(foreign.sources["flux"], foreign.components["flux_int"])
    assert np.array_equal(foreign.join("sources", "components")[0], np.arange(len(foreign)))
    reader("lotss").write(catalogue.sources, tmp_path / "lotss.fits")
    assert len(read_any_catalogue(tmp_path / "lotss.fits")) == len(catalogue)


def test_the_layout_that_takes_any_names_is_tried_last():
    assert layouts()[-1] == "named"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty"),
        (
            "just words\n",
            "is no catalogue that is known: got 'no named columns'; allowed: a table of skysift, ",
        ),
        ("a,b,c\n1,2,3\n", "is no catalogue that is known: got 'the columns a, b, c'"),
        ("source_id,ra,dec\n1,2,3\n", ""),
    ],
)
def test_what_nobody_knows_is_told_in_one_line(tmp_path, content, told):
    path = tmp_path / "list.csv"
    path.write_text(content)
    if told:
        with pytest.raises(FormatError) as error:
            read_any(path)
        assert told in str(error.value)
        assert "\n" not in str(error.value)
    else:
        assert len(read_any(path)) == 1  # positions are enough


def test_a_table_that_is_nearly_ours_says_what_it_lacks(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("source_id,flux_int\n1,2\n")
    with pytest.raises(FormatError, match="it lacks columns of sources"):
        read_any(path)


def test_no_file_and_no_layout_are_told(tmp_path):
    with pytest.raises(UsageError, match="no such file or folder"):
        read_any(tmp_path / "none")
    (tmp_path / "list.csv").write_text("ra,dec\n1,2\n")
    with pytest.raises(UnknownName, match=r"no such layout: got 'pybdfs'.*did you mean 'pybdsf'"):
        read_any(tmp_path / "list.csv", "pybdfs")


@pytest.mark.parametrize(
    ("text", "names", "units"),
    [
        ("# a b c d e\n1 2 3 4 5\n", "abcde", ()),
        ("# some words\n# a b c d e\n# -- [deg] [mJy] -- --\n1 2 3 4 5\n", "abcde", ("--", "[deg]", "[mJy]", "--", "--")),
        ("a\tb(deg)\tc\n1\t2\t3\n", "abc", ("", "deg", "")),
        ("#a\tb\tc\td\te(Jy/beam)\n1\t2\t3\t4\t5\n", "abcde", ("", "", "", "", "Jy/beam")),
        ("a,b,c\r\n1,2,3\r\n", "abc", ()),
    ],
)  # fmt: skip
def test_names_and_units_of_texts(tmp_path, text, names, units):
    path = tmp_path / "list.txt"
    path.write_bytes(text.encode())
    seen = sight(path)
    assert seen.names == tuple(names)
    assert [plain_unit(each) for each in seen.units] == [
        plain_unit(each) for each in units or [""] * len(names)
    ]
    assert [each.values[0] for each in load(path).columns.values()] == list(range(1, len(names) + 1))


@pytest.mark.parametrize(
    ("spelt", "plain"),
    [
        ("JY/BEAM", "Jy/beam"), ("mJy beam^-1", "mJy/beam"), ("[mJy/beam]", "mJy/beam"), ("beam-1 Jy", "Jy/beam"),
        ("DEGREE", "deg"), ("'deg'", "deg"), ("arcseconds", "arcsec"), ("--", ""), ("uJy", "uJy"), ("MHZ", "MHz"),
    ],
)  # fmt: skip
def test_units_in_their_usual_spelling(spelt, plain):
    assert plain_unit(spelt) == plain


def test_factors():
    assert factor("mJy", "Jy") == pytest.approx(1e-3)
    assert factor("mJy", "Jy/beam") == pytest.approx(1e-3)  # a brightness told as a flux
    assert factor("Jy/beam", "Jy") is None
    assert factor("K", "Jy") is None
    assert factor("nonsense", "Jy") is None
    assert factor("deg", "arcsec") == 3600


def test_angles_there_and_back():
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, 500), rng.uniform(-90, 90, 500)
    assert np.allclose(sexagesimal_degrees(sexagesimal(ra, 4, hours=True), hours=True), ra, atol=1e-6)
    assert np.allclose(sexagesimal_degrees(sexagesimal(dec, 4, hours=False), hours=False), dec, atol=1e-7)


def test_seconds_are_never_sixty():
    ra = np.array([359.9999999, 14.9999999])
    assert list(sexagesimal(ra, 2, hours=True)) == ["00:00:00.00", "01:00:00.00"]
    dec = np.array([-0.00001, -0.5, np.nan])
    assert list(sexagesimal(dec, 0, hours=False)) == ["+00:00:00", "-00:30:00", "nan"]


def test_numbers_and_letters():
    assert list(numbers_in(np.array(["SB1_component_12b", "SB1_component_3a"]))) == [12, 3]
    assert list(numbers_in(np.array(["x7", "y7", "x7"]))) == [1, 2, 1]
    assert list(numbers_in(np.array(["b", "a", "b"]))) == [1, 2, 1]
    assert list(letters(np.array([0, 25, 26, 701, 702]))) == ["a", "z", "aa", "zz", "aaa"]
    assert list(rank_within(np.array([5, 3, 5, 5, 3]))) == [0, 0, 1, 2, 1]
