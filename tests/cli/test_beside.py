"""``skysift find --stokes``: products, and what is refused."""

import json

import numpy as np
import pytest
from astropy.io import fits
from tests import polarised, skies

import skysift
from skysift.cli.main import main
from skysift.io.tables import FitsFormat

BEAM = (4.0, 4.0, 0.0)


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    """The folder of i.fits, q.fits, u.fits, v.fits and cube.fits."""
    folder = tmp_path_factory.mktemp("stokes")
    shape, x, y = polarised.lattice(3)
    sky = polarised.sky(
        shape, x, y, np.full(9, 0.1), fraction_p=0.2, fraction_v=-0.2, v_alone=[(30.0, 30.0, 0.02)]
    )
    for number, letter in enumerate("IQUV"):
        cards = {"CTYPE3": "STOKES", "CRVAL3": number + 1.0, "CRPIX3": 1.0, "CDELT3": 1.0, "WCSAXES": 3}
        skies.write(folder / f"{letter.lower()}.fits", sky.maps[letter].read(), BEAM, **cards)
    cube = np.stack([sky.maps[letter].read() for letter in "IQUV"])
    fits.PrimaryHDU(cube, fits.getheader(folder / "i.fits")).writeto(folder / "cube.fits")
    skies.write(folder / "plain.fits", cube[3], BEAM)
    return folder


def run(folder, *words):
    return main(["find", *map(str, words), "--quiet", "--maps", "none"])


def test_a_run_writes_columns_the_table_of_v_regions_and_the_page(maps, tmp_path):
    out = tmp_path / "out"
    named = [word for letter in "quv" for word in ("--stokes", maps / f"{letter}.fits")]
    assert (
        run(
            maps, maps / "i.fits", "--out", out, *named, "--format", "fits,votable", "--set", "leakage_v=0.01"
        )
        == 0
    )
    assert {"stokes_v.fits", "stokes_v.vot", "stokes_v.reg", "stokes_v.crtf"} <= {
        path.name for path in out.iterdir()
    }
    rows = FitsFormat().read(out / "components.fits")
    assert rows["fraction_v"].mean() == pytest.approx(-0.2, abs=0.02)
    assert [each.unit for each in rows.declared if each.name == "flux_v"] == ["Jy"]
    found = skysift.open(out / "stokes_v.fits").components
    assert (found["stokes_i_id"] == 0).sum() == 1
    assert len((out / "stokes_v.reg").read_text().splitlines()) > 10
    told = json.loads((out / "manifest.json").read_text())
    assert [record["name"] for record in told["inputs"]] == ["i.fits", "q.fits", "u.fits", "v.fits"]
    assert told["options"]["leakage_v"] == 0.01
    assert told["facts"]["stokes"]["v_without_i"] == 1
    assert {entry["name"] for entry in told["outputs"]} >= {"stokes_v.fits", "stokes_v.reg"}
    assert 'id="polarisation"' in (out / "report.html").read_text()
    assert len(skysift.open(out).sources) == 9


def test_cubes_bring_their_own(maps, tmp_path):
    assert (
        run(
            maps, maps / "cube.fits", maps / "cube.fits", "--out", tmp_path, "--stokes", "same", "--no-report"
        )
        == 0
    )
    folders = sorted(path for path in tmp_path.iterdir() if path.is_dir())
    assert len(folders) == 2
    assert "angle_p" in FitsFormat().read(folders[0] / "sources.fits")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["plain.fits"], "does not tell which Stokes parameter it holds"),
        (["i.fits"], "holds no Stokes Q, U or V: got 'Stokes I'"),
        (["same"], "i.fits[0], Stokes I alone'; allowed: `same` for a cube along a STOKES axis"),
        (["missing.fits"], "there is no such file"),
        (["W=v.fits"], "no such Stokes map"),
        (["v.fits", "V=plain.fits"], "Stokes V is given twice"),
        (["V=small.fits"], "does not lie on the pixels of i: got '50 x 60 pixels"),
        (["V=moved.fits"], "pixels apart"),
    ],
)
def test_what_does_not_fit_is_one_clear_line(maps, tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(maps)
    skies.write(maps / "small.fits", np.zeros((50, 60), np.float32), BEAM)
    skies.write(maps / "moved.fits", fits.getdata(maps / "v.fits"), BEAM, centre=(180.0, -30.01))
    flags = [flag for word in words for flag in ("--stokes", word)]
    assert run(maps, "i.fits", "--out", tmp_path / "out", *flags) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1
    assert said in told[0]
    assert not (tmp_path / "out").exists()


def test_the_other_planes_of_a_map_without_a_stokes_axis_are_not_asked_for_by_their_letters(
    maps, tmp_path, capsys
):
    assert run(maps, maps / "plain.fits", "--out", tmp_path / "out", "--stokes", "same") == 2
    said = capsys.readouterr().err
    assert "plain.fits[0], without a STOKES axis'" in said
    assert "name the files that hold Q, U and V instead" in said
    assert "Q=PATH" not in said


def test_several_maps_cannot_share_one(maps, tmp_path, capsys):
    assert run(maps, maps / "i.fits", maps / "cube.fits", "--out", tmp_path, "--stokes", maps / "v.fits") == 2
    assert "--stokes names maps beside one map" in capsys.readouterr().err
