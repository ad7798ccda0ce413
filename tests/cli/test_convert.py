import itertools

import numpy as np
import pytest
from tests import catalogues
from tests.io.fits_maps import noise, write_map

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


# -- other programs


@pytest.mark.parametrize(
    ("layout", "suffix", "kind"),
    [
        ("pybdsf", ".srl", "sources"), ("pybdsf", ".fits", "sources"), ("casda", ".xml", "components"),
        ("aegean", ".fits", "components"), ("lotss", ".fits", "sources"), ("caesar", ".dat", "components"),
        ("cds-mrt", ".mrt", "sources"),
    ],
)  # fmt: skip
def test_a_folder_is_written_as_another_program_would_and_read_again(
    folder, tmp_path, capsys, layout, suffix, kind
):
    out, back = tmp_path / f"out{suffix}", tmp_path / "back.vot"
    assert main(["convert", str(folder), str(out), "--to", layout]) == 0
    before = catalogues.catalogue().table(kind)
    assert capsys.readouterr().out == f"{out}: {len(before)} {kind} in the layout {layout}\n"
    assert main(["convert", str(out), str(back)]) == 0
    table, provenance = load_table(back)
    assert table.kind == kind
    assert np.allclose(table["flux_int"], before["flux_int"], rtol=1e-5)
    assert provenance.finder == layout
    assert provenance.inputs[0].name == out.name
    assert provenance.inputs[0].checksum.startswith("sha256:")


def test_another_table_may_be_asked_for(folder, tmp_path, capsys):
    out = tmp_path / "islands.xml"
    assert main(["convert", str(folder), str(out), "--to", "casda", "--table", "islands"]) == 0
    assert capsys.readouterr().out.endswith(" islands in the layout casda\n")


def test_columns_and_units_are_named(tmp_path, capsys):
    (tmp_path / "list.csv").write_text("n,x,y,s\n1,10.0,-30.0,25.0\n2,11.0,-31.0,5.0\n")
    chosen = ["ra=x", "dec=y", "flux_int=s", "flux_unit=mJy"]
    flags = [word for each in chosen for word in ("--set", each)]
    out = tmp_path / "out.fits"
    asked = [
        "convert",
        str(tmp_path / "list.csv"),
        str(out),
        "--from",
        "named",
        *flags,
        "--frequency",
        "843MHz",
    ]
    assert main(asked) == 0
    assert capsys.readouterr().out == f"{out}: 2 sources\n"
    table = read_table(out)
    assert list(table["flux_int"]) == pytest.approx([0.025, 0.005])
    assert list(table["frequency"]) == [8.43e8, 8.43e8]


def test_regions_of_a_foreign_catalogue(folder, tmp_path):
    assert main(["convert", str(folder), str(tmp_path / "out.srl"), "--to", "pybdsf"]) == 0
    assert main(["convert", str(tmp_path / "out.srl"), str(tmp_path / "out.reg")]) == 0
    assert (tmp_path / "out.reg").read_text().count("ellipse") == 12


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["field", "out.xml", "--to", "cazda"], "no such layout: got 'cazda'"),
        (["field", "out.fits", "--to", "casda"], "is not written into files that end so: got 'out.fits'"),
        (["field", "out.txt", "--to", "named"], "tables with any names are only read"),
        (["field", "out.fits", "--to", "aegean", "--table", "islands"], "the layout aegean has no islands"),
        (["field/sources.fits", "out.csv", "--set", "ra=x"], "is of skysift, and is read without options: got 'ra'"),
        (["field", "out.fits", "--to", "lotss", "--set", "flux=1"], "field is of skysift, and is read without options"),
        (["list.csv", "out.fits", "--from", "pybdsf"], "list.csv is no catalogue of PyBDSF: got 'the columns a, b'"),
        (["list.csv", "out.fits", "--from", "named", "--set", "x=1"], "no such option: got 'x'"),
        (["empty.csv", "out.fits"], "empty.csv is empty"),
        (["field", "out.fits", "--frequency", "fast"], "--frequency is not a frequency: got 'fast'"),
    ],
)  # fmt: skip
def test_what_cannot_be_converted_is_told_in_one_line(folder, tmp_path, monkeypatch, capsys, arguments, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.csv").write_text("a,b\n1,2\n")
    (tmp_path / "empty.csv").write_text("")
    before = sorted(path.name for path in tmp_path.iterdir())
    assert main(["convert", *arguments]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_an_image_is_told_as_such(tmp_path, capsys):
    image = write_map(tmp_path / "map.fits", noise(20, 30))
    assert main(["convert", str(image), str(tmp_path / "out.vot")]) == 2
    assert "map.fits is an image, and no catalogue" in capsys.readouterr().err
    assert not (tmp_path / "out.vot").exists()
