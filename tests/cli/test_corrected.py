"""``skysift find --primary-beam`` and ``--weight``, and the commands beside them, on a made sky behind a dish."""

from __future__ import annotations

import json

import numpy as np
import pytest

import skysift
from skysift.cli.main import main
from skysift.io.fits import write_image
from skysift.io.sdc_rows import sdc1_rows

SKY = ["array=none", "primary_beam=dish", "beam=25", "n_pixels=260", "rms=2e-5", "diameter=30"]


def settings(*pairs: str) -> list[str]:
    return [word for pair in pairs for word in ("--set", pair)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A made sky with the map of its response, and what was found in it."""
    folder = tmp_path_factory.mktemp("made")
    call = ["simulate", "continuum", "--out", str(folder / "sky"), *settings(*SKY), "--no-report", "--quiet"]
    assert main(call) == 0
    path, beam = folder / "sky" / "map-1400MHz.fits", folder / "sky" / "primary_beam-1400MHz.fits"
    assert (
        main(["find", str(path), "--out", str(folder / "found"), "--primary-beam", str(beam), "--quiet"]) == 0
    )
    return folder, path, beam


def test_a_made_sky_has_the_map_of_its_response(made):
    response = skysift.open(str(made[2]), beam=1.0, unit="Jy/beam").read()
    truth = skysift.open(str(made[0] / "sky" / "truth-1400MHz" / "sources.fits")).sources
    x, y = np.rint(truth["x"]).astype(int), np.rint(truth["y"]).astype(int)
    inside = (x >= 0) & (x < 260) & (y >= 0) & (y < 260)
    assert response.max() == pytest.approx(1, abs=1e-3)
    assert response[y[inside], x[inside]] == pytest.approx(truth["primary_beam"][inside], abs=0.01)
    listed = json.loads((made[0] / "sky" / "manifest.json").read_text())["outputs"]
    assert "primary_beam-1400MHz.fits" in [each["name"] for each in listed]


def test_the_story_tells_of_the_beam(made):
    folder, path, beam = made
    told = json.loads((folder / "found" / "manifest.json").read_text())
    assert [each["name"] for each in told["inputs"]] == [path.name, beam.name]
    assert told["inputs"][1]["checksum"].startswith("sha256:")
    assert told["options"]["primary_beam"] == str(beam)
    assert told["facts"]["primary_beam"]["map"] == "apparent fluxes"
    assert 0 < told["facts"]["primary_beam"]["area_lost"] < 1
    assert told["warnings"] == []
    page = (folder / "found" / "report.html").read_text()
    assert "corrected for the primary beam" in page


def test_the_maps_are_true(made):
    folder, path, _ = made
    assert main(["find", str(path), "--out", str(folder / "plain"), "--quiet", "--no-report"]) == 0
    response = skysift.open(str(made[2]), beam=1.0, unit="Jy/beam").read()
    seen = {name: skysift.open(folder / "plain" / f"{name}.fits").read() for name in ("rms", "residual")}
    true = {name: skysift.open(folder / "found" / f"{name}.fits").read() for name in ("rms", "residual")}
    inside = response > 0.15
    assert true["rms"][inside] == pytest.approx(seen["rms"][inside] / response[inside], rel=1e-4)
    quiet = inside & (skysift.open(folder / "found" / "labels.fits").read() == 0)
    ratio = np.std(true["residual"][quiet] * response[quiet]) / np.std(seen["residual"][quiet])
    assert ratio == pytest.approx(1, abs=0.05)


def test_weights_by_their_flag(made, capsys):
    folder, path, beam = made
    image, response = skysift.open(str(path)), skysift.open(str(beam), beam=1.0, unit="Jy/beam").read()
    for name, data in (("true", image.read() / response), ("weight", 1e9 * response**2)):
        write_image(folder / f"{name}.fits", image.shape, [data], frame=image.frame, beam=image.beam, unit="Jy/beam",
                    frequency=image.frequency)  # fmt: skip
    call = ["find", str(folder / "true.fits"), "--out", str(folder / "weighted"), "--no-report", "--quiet"]
    assert main([*call, "--weight", str(folder / "weight.fits")]) == 0
    one, other = (skysift.open(folder / name).components for name in ("found", "weighted"))
    assert len(one) == len(other)
    assert other["flux"] == pytest.approx(one["flux"], rel=0.02)
    capsys.readouterr()
    assert main([*call, "--overwrite", "--weight", "w.fits", "--primary-beam", str(beam)]) == 2
    said = capsys.readouterr().err
    assert "two ways to say one thing" in said
    assert said.count("\n") == 1


def test_completeness_puts_its_sources_through_the_response(made):
    _, path, beam = made
    done = skysift.completeness(
        str(path),
        "classic",
        {"primary_beam": str(beam)},
        number=60,
        spacing=3,
        inverted=False,
        snr_low=15.0,
        snr_high=60.0,
    )
    found = done.recovery.found
    ratio = done.recovery.flux_found[found] / done.made.flux[found]
    response = skysift.open(str(beam), beam=1.0, unit="Jy/beam").read()
    seen = response[np.rint(done.made.y).astype(int), np.rint(done.made.x).astype(int)]
    assert (seen > 0.09).all()
    assert (seen[found] < 0.6).any()
    assert np.median(ratio[seen[found] < 0.6]) == pytest.approx(1, abs=0.1)
    assert np.median(ratio) == pytest.approx(1, abs=0.05)


def test_lists_of_the_data_challenge_are_not_corrected_twice(made):
    sources = skysift.open(made[0] / "found").sources
    rows, _ = sdc1_rows(sources)
    assert np.sort(rows["flux"]) == pytest.approx(np.sort(sources["flux"][sources["flux"] > 0]))
    rows, _ = sdc1_rows(sources, response=np.full(len(sources), 0.5))
    assert np.sort(rows["flux"]) == pytest.approx(2 * np.sort(sources["flux_apparent"][sources["flux"] > 0]))
