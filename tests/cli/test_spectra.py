"""``skysift find --taylor`` and ``--channels``: products, and what is refused."""

import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from tests import images, skies
from tests.find import spectral_skies as made

import skysift
from skysift.cli.main import main
from skysift.flow.spectra import spectra_section

BEAM = images.ROUND
FREQUENCIES = (0.9e9, 1.2e9, 1.5e9)


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    """The folder of map.fits, cube.fits (its second plane blank), unknown.fits, tt0.fits, tt1.fits."""
    folder = tmp_path_factory.mktemp("spectra")
    found = np.concatenate([images.source(50 * i + 30, 60, 0.1 + 0.05 * i) for i in range(4)])
    alpha = np.array([-1.0, -0.7, -0.4, 0.2])

    def plane(nu, seed):
        return made.channel(found, alpha, nu, size=210, seed=seed, rms=2e-4).read()

    skies.write(folder / "map.fits", plane(1.2e9, 1), BEAM, RESTFRQ=1.2e9)
    skies.write(folder / "unknown.fits", plane(1.5e9, 2), BEAM, RESTFRQ=None)
    cube = np.stack([plane(nu, 3 + k) for k, nu in enumerate(FREQUENCIES)])
    cube[1] = np.nan
    axis = {"CTYPE3": "FREQ", "CRVAL3": 0.9e9, "CRPIX3": 1.0, "CDELT3": 3e8, "CUNIT3": "Hz", "WCSAXES": 3}
    skies.write(folder / "cube.fits", cube[0], BEAM, **axis)
    fits.PrimaryHDU(cube, fits.getheader(folder / "cube.fits")).writeto(folder / "cube.fits", overwrite=True)
    for term in made.taylor(found, alpha, size=210, rms=1e-3):
        skies.write(folder / f"{term.name}.fits", term.read(), BEAM, RESTFRQ=1.2e9)
    skies.write(folder / "nobeam.fits", plane(1.2e9, 9), BEAM, BMAJ=None, BMIN=None, BPA=None)
    skies.write(folder / "small.fits", plane(1.2e9, 9)[:100], BEAM)
    return folder


def by_x(rows):
    rows.sort("x")
    return rows


def run(*words):
    return main(["find", *map(str, words), "--quiet", "--maps", "none"])


def test_a_run_with_a_cube_writes_spectra_and_the_page(maps, tmp_path, capsys):
    out = tmp_path / "out"
    code = run(
        maps / "map.fits", "--out", out, "--channels", maps / "cube.fits", "--channels", maps / "map.fits",
        "--format", "fits,csv", "--set", "spectral_curvature=true",
    )  # fmt: skip
    assert code == 0
    told = capsys.readouterr().err
    assert "cube has no data in plane 1: left out" in told
    assert "convolved" not in told  # all have one beam
    rows = by_x(Table.read(out / "components.fits"))
    np.testing.assert_allclose(rows["spectral_index"], [-1.0, -0.7, -0.4, 0.2], atol=0.05)
    assert {"spectral_curvature", "spectral_chi2", "n_channels"} <= set(rows.colnames)
    table = Table.read(out / "spectra.fits")
    assert len(table) == 12
    assert table["flux_int"].unit == "Jy"
    assert (out / "spectra.csv").is_file()
    manifest = json.loads((out / "manifest.json").read_text())
    assert [each["name"] for each in manifest["inputs"]] == ["map.fits", "cube.fits"]
    assert {"spectra.fits", "spectra.csv"} <= {each["name"] for each in manifest["outputs"]}
    assert manifest["facts"]["channels"] == 3
    page = (out / "report.html").read_text()
    assert 'id="spectra"' in page
    assert "sources with a spectral index" in page


def test_a_run_with_taylor_terms_and_the_door_of_python_say_the_same(maps, tmp_path):
    out = tmp_path / "out"
    assert run(maps / "tt0.fits", "--out", out, "--taylor", maps / "tt1.fits", "--no-report") == 0
    rows = by_x(Table.read(out / "components.fits"))
    np.testing.assert_allclose(rows["spectral_index"], [-1.0, -0.7, -0.4, 0.2], atol=0.1)
    same = skysift.find(maps / "tt0.fits", taylor=[maps / "tt1.fits"]).components.sort_by("x")
    np.testing.assert_array_equal(rows["spectral_index"], same["spectral_index"])
    one = skysift.find(maps / "map.fits", channels=maps / "cube.fits").components
    assert (one["n_channels"] == 2).all()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--taylor", "small.fits"], "tt1 (small) does not lie on the pixels of map: got '100 x 210 pixels"),
        (["--taylor", "nobeam.fits"], "tt1 has no beam (BMAJ, BMIN, BPA) in its header: got"),
        (["--channels", "nobeam.fits"], "the map has no beam"),
        (["--channels", "unknown.fits", "--channels", "cube.fits"], "a channel tells no frequency"),
        (["--channels", "map.fits"], "a spectrum needs channels of two frequencies or more"),
        (["--channels", "cube.fits", "--taylor", "tt1.fits"], "from Taylor terms or from channels"),
        (["--channel-frequencies", "1GHz"], "--channel-frequencies goes with --channels"),
        (["--channels", "cube.fits", "--channel-frequencies", "1GHz,2GHz"], "not one for each map"),
    ],
)
def test_bad_input_is_one_clear_line(maps, tmp_path, capsys, monkeypatch, words, line):
    monkeypatch.chdir(maps)
    assert run("map.fits", "--out", tmp_path / "out", *words) != 0
    told = [each for each in capsys.readouterr().err.splitlines() if "error:" in each]
    assert len(told) == 1
    assert line in told[0]
    assert not (tmp_path / "out").exists()


def test_several_maps_have_no_common_channels(maps, tmp_path, capsys):
    assert run(maps / "map.fits", maps / "tt0.fits", "--out", tmp_path, "--channels", maps / "cube.fits") != 0
    assert "--channels names maps beside one map: got '2 maps to search'" in capsys.readouterr().err


def test_the_frequencies_of_maps_that_tell_none_are_given(maps, tmp_path):
    words = ["--channels", maps / "unknown.fits", "--channels", maps / "cube.fits"]
    assert run(maps / "map.fits", "--out", tmp_path / "out", *words, "--channel-frequencies", "1.5GHz,-") == 0
    assert set(Table.read(tmp_path / "out" / "spectra.fits")["frequency"]) == {0.9e9, 1.5e9}


def test_a_page_without_spectra_has_no_part_of_them():
    assert spectra_section(images.finding(images.painted((60, 60)))) is None
