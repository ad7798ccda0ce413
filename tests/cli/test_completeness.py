"""The loop of completeness and the injection of sources, from the command line."""

import csv
import json

import numpy as np
import pytest
from tests import skies

from skysift.cli.main import main
from skysift.io.truth import read_truth

BEAM = (4.0, 4.0, 0.0)
FEW = ("--inject", "number=120", "--inject", "crowding=60", "--inject", "spacing=3", "--quiet")


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    """A map with a few sources on noise."""
    sources = skies.population((320, 320), BEAM, n_points=6, snr=(15, 300), lattice=60, seed=4)
    image, _ = skies.paint((320, 320), BEAM, sources=sources, seed=4)
    path = tmp_path_factory.mktemp("sky") / "field.fits"
    skies.write(path, image, BEAM)
    return path


@pytest.fixture(scope="module")
def done(sky, tmp_path_factory):
    """The folder of a run."""
    out = tmp_path_factory.mktemp("out") / "complete"
    assert main(["completeness", str(sky), "--out", str(out), *FEW]) == 0
    return out


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_all_products_are_there_and_nothing_else(done):
    names = {"completeness.json", "curves.csv", "injections.csv", "completeness.png", "completeness.html"}
    assert {path.name for path in done.iterdir()} == names | {"manifest.json"}
    page = (done / "completeness.html").read_text()
    assert "http" not in page.replace("http-equiv", "")
    assert (done / "completeness.png").read_bytes().startswith(b"\x89PNG")


def test_one_range_of_fluxes_serves_quiet_and_noisy_parts(done):
    """From snr_low over the quiet noise to snr_high over the noisy: evenly in the logarithm, whatever the noise."""
    flux, rms = (
        np.array([float(row[name]) for row in rows(done / "injections.csv")]) for name in ("flux", "rms")
    )
    quiet, noisy = np.percentile(rms, [2, 98])
    step = np.log(15 * noisy / quiet) / 120
    assert np.allclose(np.diff(np.log(np.sort(flux))), step, rtol=1e-5)
    assert np.log(flux.min() / (2 * quiet)) == pytest.approx(step / 2, rel=1e-4)
    assert np.log(30 * noisy / flux.max()) == pytest.approx(step / 2, rel=1e-4)


def test_a_small_map_takes_more_rounds_of_few(tmp_path):
    image, _ = skies.paint((90, 90), BEAM, seed=2)
    skies.write(tmp_path / "small.fits", image, BEAM)
    how = ("--inject", "number=40", "--inject", "inverted=false", "--quiet")
    assert main(["completeness", str(tmp_path / "small.fits"), "--out", str(tmp_path / "out"), *how]) == 0
    made = rows(tmp_path / "out" / "injections.csv")
    assert len(made) == 40
    assert len({row["round"] for row in made}) > 4


def test_the_bright_are_found_and_the_faint_are_not(done):
    made = rows(done / "injections.csv")
    assert len(made) == 120
    snr, found = (np.array([float(row[name]) for row in made]) for name in ("snr", "found"))
    assert found[snr > 12].mean() > 0.95
    assert found[snr < 3.5].mean() < 0.15


def test_the_report_tells_where_half_are_found(done):
    told = json.loads((done / "completeness.json").read_text())["completeness"]
    assert told["n_made"] == 120
    assert 3.5 < told["snr_50"] < 6.5
    assert told["snr_50_low"] <= told["snr_50"] <= told["snr_50_high"] <= told["snr_95"] * 1.5
    assert told["snr_ceiling"] > 0.9
    assert 0.9 < told["flux_ratio"] < 1.1
    table = told["tables"]["snr"]
    assert sum(table["n"]) == 120
    assert sum(table["found"]) == told["n_found"]
    low, share, high = (np.array(table[f"completeness{end}"]) for end in ("_low", "", "_high"))
    assert (low <= share).all()
    assert (share <= high).all()
    assert "95 %" in told["rule"]


def test_fluxes_of_what_is_found_are_those_put_in(done):
    bright = [row for row in rows(done / "injections.csv") if row["found"] == "1" and float(row["snr"]) > 8]
    pull = [(float(row["flux_found"]) - float(row["flux"])) / float(row["flux_found_err"]) for row in bright]
    assert abs(np.median(pull)) < 0.6
    assert 0.5 < (np.percentile(pull, 84) - np.percentile(pull, 16)) / 2 < 1.6


def test_a_dish_points_where_the_header_says_with_made_sources_too(tmp_path):
    """The map that holds made sources has no header of its own; fluxes come back as they were put in."""
    import skysift
    from skysift.find.run import make_finder
    from skysift.flow.steps.completeness import CompletenessStep
    from skysift.sim.inject.options import CompletenessOptions

    data, _ = skies.paint((160, 160), BEAM, seed=7)
    skies.write(tmp_path / "dish.fits", data, BEAM, OBSRA=180.0, OBSDEC=-30.0 + 120.0 / 3600)
    options = CompletenessOptions(number=40, snr_low=10.0, snr_high=200.0, spacing=5.0, inverted=False)
    image = skysift.open(tmp_path / "dish.fits")
    done = CompletenessStep(options).measure(image, make_finder("classic", dish=240.0))
    bright = done.recovery.found & (done.made.snr > 20)
    assert bright.sum() > 15
    ratio = done.recovery.flux_found[bright] / done.made.flux[bright]
    assert np.percentile(ratio, [10, 50, 90]) == pytest.approx([1.0, 1.0, 1.0], abs=0.1)


def test_the_manifest_tells_what_was_made(done):
    told = json.loads((done / "manifest.json").read_text())
    assert told["finder"] == "classic"
    assert told["facts"]["made sources"]["number"] == 120
    assert told["counts"]["made"] == 120
    assert {each["name"] for each in told["outputs"]} == {p.name for p in done.iterdir()} - {"manifest.json"}


def test_the_same_seed_gives_the_same_numbers_with_any_tile(done, sky, tmp_path):
    out = tmp_path / "again"
    assert main(["completeness", str(sky), "--out", str(out), *FEW, "--tile", "100", "--workers", "2"]) == 0
    for name in ("completeness.json", "curves.csv", "injections.csv"):
        assert (out / name).read_bytes() == (done / name).read_bytes()


def test_a_higher_threshold_finds_less(done, sky, tmp_path, capsys):
    out = tmp_path / "high"
    told = ("--set", "seed=8", "--inject", "inverted=false", "--inject", "number=90", "--json")
    assert main(["completeness", str(sky), "--out", str(out), *FEW, *told]) == 0
    numbers = json.loads(capsys.readouterr().out)["completeness"]
    assert (
        numbers["snr_50"] > json.loads((done / "completeness.json").read_text())["completeness"]["snr_50"] + 2
    )
    assert "reliability" not in numbers


def test_extended_sources_are_found_by_their_peaks(sky, tmp_path):
    out = tmp_path / "wide"
    how = (
        "--inject",
        "kind=gaussians",
        "--inject",
        "size_high=20",
        "--inject",
        "inverted=false",
        "--inject",
        "number=60",
    )
    assert main(["completeness", str(sky), "--out", str(out), *FEW, *how]) == 0
    made = rows(out / "injections.csv")
    assert all(float(row["size"]) > 0 for row in made)
    assert sum(row["found"] == "1" for row in made if float(row["snr"]) > 12) > 8


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--inject", "nmber=4"), "did you mean 'number'"),
        (("--inject", "seed=4"), "one of the finder classic: got 'seed'; write --set seed=4"),
        (("--set", "number=90"), "one of the made sources: got 'number'; write --inject number=90"),
        (("--inject", "number"), "--inject takes KEY=VALUE"),
        (("--set", "sed=4"), "did you mean 'seed'"),
        (("--finder", "clasic"), "did you mean 'classic'"),
        (("--inject", "snr_low=90"), "snr_low must not exceed"),
        (("--workers", "0"), "--workers is too small"),
    ],
)
def test_a_bad_request_is_told_in_one_line(sky, tmp_path, capsys, arguments, words):
    out = tmp_path / "bad"
    assert main(["completeness", str(sky), "--out", str(out), *arguments]) == 2
    said = capsys.readouterr().err.strip()
    assert words in said
    assert len(said.splitlines()) == 1
    assert not out.exists()


def test_earlier_products_stay_without_overwrite(done, sky, capsys):
    before = (done / "manifest.json").read_bytes()
    assert main(["completeness", str(sky), "--out", str(done), *FEW]) == 2
    assert "earlier run" in capsys.readouterr().err
    assert (done / "manifest.json").read_bytes() == before


def test_sources_are_put_into_a_map(sky, tmp_path):
    import skysift

    out = tmp_path / "filled"
    assert main(["simulate", "inject", str(sky), "--out", str(out), "--set", "number=12", "--quiet"]) == 0
    assert {path.name for path in out.iterdir()} == {"map.fits", "truth", "manifest.json"}
    truth, full, real = read_truth(out / "truth"), skysift.open(out / "map.fits"), skysift.open(sky)
    assert len(truth) == 12
    added = (full.read() - real.read()).astype(float).sum() / real.frame.beam_area_pixels(real.beam)
    assert added == pytest.approx(truth.sources["flux"].sum(), rel=0.05)  # some reach over the edge
    assert full.frame == real.frame
    told = json.loads((out / "manifest.json").read_text())
    assert told["options"]["number"] == 12
    assert told["inputs"][0]["name"] == "field.fits"


def test_injection_needs_a_map_and_others_take_none(sky, tmp_path, capsys):
    assert main(["simulate", "inject", "--out", str(tmp_path / "a")]) == 2
    assert "inject needs a map" in capsys.readouterr().err
    assert main(["simulate", "galactic", str(sky), "--out", str(tmp_path / "b")]) == 2
    assert "galactic takes no map" in capsys.readouterr().err


@pytest.mark.full
def test_the_curve_of_a_real_map(data_folder, tmp_path):
    out = tmp_path / "fornax"
    path = data_folder / "continuum" / "SUMSS_J0318M36.fits"
    assert main(["completeness", str(path), "--out", str(out), "--quiet"]) == 0
    told = json.loads((out / "completeness.json").read_text())["completeness"]
    assert 4.0 < told["snr_50"] < 6.0
    assert 0.006 < told["flux_50"] < 0.015
    assert told["snr_ceiling"] > 0.95
    cells = told["tables"]["cells"]
    lobes = [
        k for k in range(len(cells["n"])) if 250 < cells["x_from"][k] < 500 and 100 < cells["y_from"][k] < 200
    ]
    assert np.mean([cells["completeness"][k] for k in lobes]) < 0.8  # Fornax A hides what lies on it
