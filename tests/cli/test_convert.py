import itertools

import pytest
from tests import catalogues

from skysift.cli.main import main
from skysift.io.tables import FitsFormat, load_table, read_table


@pytest.fixture
def folder(tmp_path):
    """An output folder of `skysift find`."""
    FitsFormat().write(catalogues.catalogue(), tmp_path / "field")
    return tmp_path / "field"


@pytest.mark.parametrize("suffix", [".fits", ".vot", ".parquet", ".csv"])
def test_a_folder_gives_its_sources(folder, tmp_path, capsys, suffix):
    out = tmp_path / f"out{suffix}"
    assert main(["convert", str(folder), str(out)]) == 0
    assert capsys.readouterr().out == f"{out}: 12 sources\n"
    assert read_table(out) == catalogues.catalogue().sources


@pytest.mark.parametrize("table", ["islands", "sources", "components"])
def test_another_table_of_a_folder(folder, tmp_path, table):
    out = tmp_path / "out.vot"
    assert main(["convert", str(folder), str(out), "--table", table]) == 0
    assert load_table(out) == (catalogues.catalogue().table(table), catalogues.provenance())


def test_a_round_of_formats_changes_nothing(folder, tmp_path):
    chain = [
        folder / "components.fits",
        *(tmp_path / f"a{end}" for end in (".vot", ".parquet", ".csv", ".fits")),
    ]
    for source, out in itertools.pairwise(chain):
        assert main(["convert", str(source), str(out)]) == 0
        assert read_table(out) == catalogues.catalogue().components


@pytest.mark.parametrize(("suffix", "first"), [(".reg", "# Region file format: DS9"), (".crtf", "#CRTFv0")])
def test_regions(folder, tmp_path, suffix, first):
    out = tmp_path / f"out{suffix}"
    assert main(["convert", str(folder), str(out)]) == 0
    assert out.read_text().startswith(first)
    assert out.read_text().count("ellipse") == 12


def test_nothing_is_replaced_unless_asked(folder, tmp_path, capsys):
    out = tmp_path / "out.csv"
    out.write_text("mine")
    assert main(["convert", str(folder), str(out)]) == 2
    assert "the file exists" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert main(["convert", str(folder), str(out), "--overwrite"]) == 0
    assert read_table(out) == catalogues.catalogue().sources


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["none.fits", "out.csv"], "no such file or folder: got 'none.fits'"),
        (["field", "out.doc"], "the suffix of OUT tells no format: got 'out.doc'; allowed: .fits, "),
        (
            ["field", "out.csv", "--table", "stars"],
            "no such table: got 'stars'; allowed: islands, sources, components",
        ),
        (
            ["field/islands.fits", "out.csv", "--table", "sources"],
            "field/islands.fits holds the islands: got '--table sources'",
        ),
        (
            ["words.txt", "out.csv"],
            "words.txt is no catalogue that is known: got 'no named columns'; allowed: ",
        ),
        ([".", "out.csv"], ". is not an output folder of `skysift find`"),
        (["field", "none/out.csv"], "no such folder: got 'none'"),
    ],
)
def test_requests_that_cannot_be_met_are_told_in_one_line(
    folder, tmp_path, monkeypatch, capsys, arguments, told
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.txt").write_text("just words\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    assert main(["convert", *arguments]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before
