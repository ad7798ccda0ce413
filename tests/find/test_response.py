"""Maps with a primary beam: found by apparent signal-to-noise, measured in true units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests import images, skies

from skysift.base.errors import HeaderError, OptionError, UsageError
from skysift.find.finding import Finding
from skysift.find.response import response_of
from skysift.find.run import make_finder, search
from skysift.flow.options import InjectMapOptions
from skysift.flow.steps.inject import InjectStep
from skysift.io.fits import write_image
from skysift.io.open import open_image
from skysift.measure.options import CorrectionOptions
from skysift.measure.response import DishResponse, MapResponse
from skysift.sky.box import Box
from skysift.sky.image import SkyImage
from skysift.sky.power_pattern import NULLS, PATTERNS, half_power, power, steepness

SHAPE = (300, 340)
WIDTH = 240.0  # FWHM of the primary beam, pixels
PLACE = {"centre": (150.0, 30.0)}


def gaussian(width: float = WIDTH) -> np.ndarray:
    """A Gaussian primary beam on the middle of the map."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return np.exp(-4 * np.log(2) * ((x - 169.5) ** 2 + (y - 149.5) ** 2) / width**2)


def written(data: np.ndarray, path: Path, **place) -> str:
    """A map of a response or of weights, as a file."""
    made = images.image(data, **(place or PLACE))
    write_image(path, made.shape, [made.read()], frame=made.frame, beam=made.beam, unit="", frequency=1.4e9)
    return str(path)


def grid(snr: float = 60.0) -> tuple[np.ndarray, np.ndarray]:
    """Points of one apparent S/N at the middle (and so of one true flux) over the map, and the map without noise."""
    beam = gaussian()
    parts = [
        images.source(x + 0.3, y - 0.2, snr * images.RMS)
        for y in range(30, SHAPE[0] - 20, 40)
        for x in range(30, SHAPE[1] - 20, 40)
    ]
    sources = np.concatenate(parts)
    seen = sources.copy()
    column, row = np.rint(sources["x"]).astype(int), np.rint(sources["y"]).astype(int)
    seen["total"] *= beam[row, column]
    data, _ = skies.paint(SHAPE, images.ROUND, rms=images.RMS, noise="convolved", sources=seen, seed=3)
    return sources, data


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    """True sources, the apparent map, and the file of the response."""
    folder = tmp_path_factory.mktemp("beam")
    sources, data = grid()
    return sources, images.image(data, **PLACE), written(gaussian(), folder / "pb.fits"), folder


@pytest.fixture(scope="module")
def corrected(sky) -> Finding:
    return images.finding(sky[1], primary_beam=sky[2])


def matched(finding: Finding, sources: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the components and of the sources that lie within a pixel and a half of each other."""
    rows = finding.catalogue.components
    apart = np.hypot(rows["x"][:, None] - sources["x"], rows["y"][:, None] - sources["y"])
    return np.nonzero(apart < 1.5)


def test_fluxes_are_true_wherever_the_source_lies(sky, corrected):
    sources, rows = sky[0], corrected.catalogue.components
    found, true = matched(corrected, sources)
    beam = gaussian()[np.rint(sources["y"]).astype(int), np.rint(sources["x"]).astype(int)]
    assert set(np.flatnonzero(beam > 0.15)) <= set(true)
    pull = (rows["flux"][found] - sources["total"][true]) / rows["flux_err"][found]
    assert abs(pull.mean()) < 4 / np.sqrt(len(pull))
    assert 0.7 < pull.std() < 1.3
    ratio = rows["flux"][found] / sources["total"][true]
    weight = 1 / (rows["flux_err"][found] / sources["total"][true]) ** 2
    assert np.average(ratio, weights=weight) == pytest.approx(1, abs=4 / np.sqrt(weight.sum()))


def test_what_is_apparent_is_true_times_the_response(sky, corrected):
    for table in (corrected.catalogue.components, corrected.catalogue.sources, corrected.catalogue.islands):
        seen = table["primary_beam"]
        x, y = table["x"], table["y"]
        exact = np.exp(-4 * np.log(2) * ((x - 169.5) ** 2 + (y - 149.5) ** 2) / WIDTH**2)
        assert seen == pytest.approx(exact, rel=1e-3)
        for name in ("flux_peak", "flux_int", "flux"):
            if name in table:
                assert table[f"{name}_apparent"] == pytest.approx(table[name] * seen)
        assert (table["flux_pb_cal_err"] == 0).all()


def test_noise_grows_as_the_response_falls(sky, corrected):
    apparent = images.finding(sky[1])
    whole = Box.of(SHAPE)
    beam = gaussian()
    inside = beam > 0.11
    ratio = corrected.read("rms", whole) / apparent.read("rms", whole)
    assert ratio[inside] == pytest.approx(1 / beam[inside], rel=1e-4)
    assert corrected.catalogue.components["rms"] * corrected.catalogue.components["primary_beam"] == (
        pytest.approx(images.RMS, rel=0.2)
    )


def test_what_is_found_is_what_stands_out_of_the_apparent_map(sky, corrected):
    apparent = images.finding(sky[1])
    one, other = corrected.read("labels", Box.of(SHAPE)), apparent.read("labels", Box.of(SHAPE))
    inside = gaussian() > 0.12
    assert ((one > 0) == (other > 0))[inside].all()


def test_below_the_cutoff_the_map_is_blank(sky):
    finding = images.finding(sky[1], primary_beam=sky[2], primary_beam_cutoff=0.5)
    beam = gaussian()
    for name in ("rms", "residual", "background", "model"):
        values = finding.read(name, Box.of(SHAPE))
        assert np.isnan(values[beam < 0.499]).all()
        assert np.isfinite(values[beam > 0.501]).all()
    assert (np.isnan(finding.data(Box.of(SHAPE))) == ~(beam >= 0.5)).mean() > 0.999
    assert finding.catalogue.components["primary_beam"].min() > 0.48
    told = finding.facts["primary_beam"]
    assert told["area_lost"] == pytest.approx((beam < 0.5).mean(), abs=1e-3)
    assert told["area_lost_deg2"] == pytest.approx((beam < 0.5).sum() * (2 / 3600) ** 2, rel=0.01)


def test_a_corrected_map_gives_the_same(sky, corrected):
    true = images.image(sky[1].read() / gaussian(), **PLACE)
    again = images.finding(true, primary_beam=sky[2], corrected=True)
    assert len(again.catalogue.components) == len(corrected.catalogue.components)
    for name in ("flux", "flux_err", "rms", "flux_apparent", "x"):
        assert again.catalogue.components[name] == pytest.approx(
            corrected.catalogue.components[name], rel=2e-3
        )


def test_weights_of_a_mosaic_give_the_same(sky, corrected):
    true = images.image(sky[1].read() / gaussian(), **PLACE)
    weight = written(7e5 * gaussian() ** 2, sky[3] / "weight.fits")
    again = images.finding(true, weight=weight)
    assert len(again.catalogue.components) == len(corrected.catalogue.components)
    assert again.catalogue.components["flux"] == pytest.approx(
        corrected.catalogue.components["flux"], rel=5e-3
    )
    assert [each.name for each in again.catalogue.provenance.inputs] == ["array", "weight.fits"]
    assert again.catalogue.provenance.inputs[1].checksum.startswith("sha256:")


def test_nothing_depends_on_tiles(sky, corrected):
    cut = images.finding(sky[1], primary_beam=sky[2], tile=64, workers=2)
    assert cut.catalogue == corrected.catalogue
    frequency = SkyImage.from_array(sky[1].read(), beam=sky[1].beam, frame=sky[1].frame, frequency=1.4e9)
    dish = half_power("cosine", 1.4e9, 1.0) / (2 * WIDTH)
    one = images.finding(frequency, dish=dish)
    assert one.catalogue == images.finding(frequency, dish=dish, tile=64, workers=2).catalogue


def test_given_noise_has_the_units_of_the_map(sky, corrected):
    rms = written(np.full(SHAPE, images.RMS), sky[3] / "rms.fits")
    finding = images.finding(sky[1], primary_beam=sky[2], rms_file=rms)
    rows = finding.catalogue.components
    assert rows["rms"] * rows["primary_beam"] == pytest.approx(images.RMS, rel=0.05)
    true = images.image(sky[1].read() / gaussian(), **PLACE)
    grown = written(images.RMS / gaussian(), sky[3] / "grown.fits")
    again = images.finding(true, primary_beam=sky[2], corrected=True, rms_file=grown)
    assert again.catalogue.components["rms"] == pytest.approx(rows["rms"], rel=1e-3)


def test_nothing_found_is_a_corrected_catalogue_too(sky):
    flat = images.image(np.full(SHAPE, np.nan), **PLACE)
    finding = images.finding(flat, primary_beam=sky[2])
    assert len(finding.catalogue) == 0
    for table in (finding.catalogue.components, finding.catalogue.sources, finding.catalogue.islands):
        assert "primary_beam" in table
        assert "flux_int_apparent" in table


# -- the pattern of a dish


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_is_half_at_half_its_width(pattern):
    assert power(pattern, np.array([0.0, 0.5])) == pytest.approx([1, 0.5], abs=1e-6)
    if np.isfinite(NULLS[pattern]):
        assert power(pattern, np.array([NULLS[pattern]])) == pytest.approx(0, abs=1e-8)


def test_a_gaussian_grows_by_twice_its_logarithm():
    rho = np.array([0.1, 0.5, 0.9])
    assert steepness("gaussian", rho) == pytest.approx(-2 * np.log(power("gaussian", rho)), rel=1e-6)


@pytest.mark.parametrize("projection", ["SIN", "TAN", "ZEA", "CAR"])
def test_distances_from_the_pointing_are_those_of_the_sphere(projection):
    centre = (150.0, 0.0 if projection == "CAR" else 30.0)
    frame = images.frame((400, 500), projection=projection, centre=centre, scale=(30.0, 30.0))
    pointing = tuple(float(each) for each in frame.to_sky(120.0, 260.0))
    response = DishResponse(frame, "gaussian", 4000.0, pointing)
    y, x = np.mgrid[:400, :500].astype(float)
    whole = response.read(Box(0, 400, 0, 500))
    assert whole == pytest.approx(response.at(x, y), rel=1e-6)
    assert response.at(np.array([120.0]), np.array([260.0])) == pytest.approx(1)
    part = Box(37, 151, 205, 333)
    assert np.array_equal(response.read(part), whole[part.slices()])
    ra, dec = frame.to_sky(300.0, 100.0)
    a, b, c, d = np.radians([pointing[0], pointing[1], ra, dec])
    away = np.degrees(np.arccos(np.sin(b) * np.sin(d) + np.cos(b) * np.cos(d) * np.cos(a - c))) * 3600
    assert response.at(np.array([300.0]), np.array([100.0]))[0] == pytest.approx(
        power("gaussian", np.array(away / 4000.0)), rel=1e-6
    )


def test_a_dish_is_its_map(sky, corrected):
    frequency = SkyImage.from_array(sky[1].read(), beam=sky[1].beam, frame=sky[1].frame, frequency=1.4e9)
    dish = half_power("gaussian", 1.4e9, 1.0) / (2 * WIDTH)
    finding = images.finding(frequency, dish=dish, pattern="gaussian", primary_beam_error=0.02)
    rows, others = finding.catalogue.components, corrected.catalogue.components
    assert len(rows) == len(others)
    assert rows["flux"] == pytest.approx(others["flux"], rel=2e-3)
    assert rows["flux_pb_cal_err"] == pytest.approx(
        -2 * np.log(rows["primary_beam"]) * 0.02 * np.abs(rows["flux"]), rel=1e-5
    )
    assert rows["flux_err"] == pytest.approx(others["flux_err"], rel=1e-2)  # no part of it


def test_the_pointing_is_that_of_the_header(tmp_path):
    from skysift.io.open import open_image

    made = images.image(np.zeros(SHAPE), **PLACE)
    write_image(
        tmp_path / "map.fits", SHAPE, [made.read()], frame=made.frame, beam=made.beam, unit="Jy/beam",
        frequency=1.4e9, title="Intensity",
    )  # fmt: skip
    options = CorrectionOptions(dish=25.0)
    assert response_of(open_image(tmp_path / "map.fits"), options).source.centre == pytest.approx((150, 30))
    from astropy.io import fits

    fits.setval(tmp_path / "map.fits", "OBSRA", value=150.02)
    fits.setval(tmp_path / "map.fits", "OBSDEC", value=30.01)
    response = response_of(open_image(tmp_path / "map.fits"), options)
    assert response.source.centre == pytest.approx((150.02, 30.01))
    assert "OBSRA" in response.facts["primary_beam"]["response"]
    given = response_of(open_image(tmp_path / "map.fits"), CorrectionOptions(dish=25.0, pointing=(150.1, 30)))
    assert given.source.centre == (150.1, 30.0)


@pytest.mark.parametrize("system", ["ICRS", "FK5", "FK4"])
def test_a_map_with_made_sources_points_where_the_map_does(tmp_path, system):
    data, _ = skies.paint((120, 130), images.ROUND, seed=7)
    told = {"OBSRA": 180.02, "OBSDEC": -30.01, "RADESYS": system}
    skies.write(tmp_path / "map.fits", data, images.ROUND, **told)
    before = open_image(tmp_path / "map.fits")
    InjectStep(InjectMapOptions(number=3, dish=100.0)).run(before, tmp_path / "out", workers=1)
    after = open_image(tmp_path / "out" / "map.fits")
    options = CorrectionOptions(dish=100.0)
    places = [response_of(each, options).source.centre for each in (before, after)]
    assert places[1] == pytest.approx(places[0], abs=1e-9)
    if system == "ICRS":
        assert places[0] == pytest.approx((180.02, -30.01))
    skies.write(tmp_path / "map.fits", data, images.ROUND)
    InjectStep(InjectMapOptions(number=3)).run(
        open_image(tmp_path / "map.fits"), tmp_path / "out", workers=1, overwrite=True
    )
    from astropy.io import fits

    assert "OBSRA" not in fits.getheader(tmp_path / "out" / "map.fits")


# -- the error of the beam


def mosaic(width: float) -> np.ndarray:
    """The response of nine Gaussian beams on a square, not normalised."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    total = sum(
        np.exp(-8 * np.log(2) * ((x - 170 - i) ** 2 + (y - 150 - j) ** 2) / width**2)
        for i in (-70, 0, 70)
        for j in (-70, 0, 70)
    )
    return np.sqrt(total)


def test_a_mosaic_tells_how_it_follows_the_width_of_its_beams(tmp_path):
    width, step = 90.0, 1e-4
    top = mosaic(width).max()
    path = written(mosaic(width) / top, tmp_path / "pb.fits")
    at = np.unravel_index(np.argmax(mosaic(width)), SHAPE)
    wide, narrow = (np.log(mosaic(width * (1 + s)) / mosaic(width * (1 + s))[at]) for s in (step, -step))
    true = (wide - narrow) / (2 * step)
    image = SkyImage.from_array(
        np.zeros(SHAPE),
        beam=images.image(np.zeros(SHAPE)).beam,
        frame=images.frame(SHAPE, **PLACE),
        frequency=1.4e9,
    )
    dish = half_power("gaussian", 1.4e9, 1.0) / (2 * width)
    response = response_of(image, CorrectionOptions(primary_beam=path, dish=dish, primary_beam_error=0.1))
    rng = np.random.default_rng(1)
    y, x = rng.integers(10, SHAPE[0] - 10, 200), rng.integers(10, SHAPE[1] - 10, 200)
    inside = (mosaic(width) / top)[y, x] > 0.1
    told = response.source.steepness(x[inside].astype(float), y[inside].astype(float))
    assert told == pytest.approx(true[y[inside], x[inside]], abs=0.03, rel=0.03)
    assert response.error(x[inside].astype(float), y[inside].astype(float)) == pytest.approx(
        0.1 * np.abs(told)
    )


def test_between_blank_pixels_the_nearest_is_taken():
    data = np.linspace(0.5, 1.0, 6 * 6).reshape(6, 6)
    data[2, 2] = np.nan
    response = MapResponse(images.image(data))
    x, y = np.array([4.5, 2.4, 2.0, np.nan, 9.0]), np.array([4.0, 1.4, 2.0, 1.0, 5.0])
    assert response.at(x, y)[[0, 1, 4]] == pytest.approx([data[4, 4:6].mean(), data[1, 2], data[5, 5]])
    assert np.isnan(response.at(x, y)[2:4]).all()


# -- what cannot be used is said in a line


def wrong(tmp_path, kind="primary_beam", data=None, place=None, **options):
    path = written(gaussian() if data is None else data, tmp_path / "pb.fits", **(place or PLACE))
    image = images.image(np.zeros(SHAPE), **PLACE)
    with pytest.raises((UsageError, HeaderError)) as error:
        search(image, make_finder("classic", **{kind: path}, **options))
    text = str(error.value)
    assert "\n" not in text
    return text


def test_another_shape_or_place_is_refused(tmp_path):
    assert "got (40, 340)" in wrong(tmp_path, data=gaussian()[:40])
    assert "elsewhere on the sky" in wrong(tmp_path, place={"centre": (150.001, 30.0)})
    assert "elsewhere on the sky" in wrong(tmp_path, place={"centre": (150.0, 30.0), "rotation": 1.0})


def test_what_is_no_response_is_refused(tmp_path):
    assert "no response" in wrong(tmp_path, data=3 * gaussian())
    assert "no response" in wrong(tmp_path, data=gaussian() - 0.5)
    assert "no value above 0" in wrong(tmp_path, data=0 * gaussian())
    assert "no value above 0" in wrong(tmp_path, data=np.full(SHAPE, np.nan), kind="weight")
    assert "weights below 0" in wrong(tmp_path, data=gaussian() - 0.5, kind="weight")


def test_a_dish_needs_the_frequency():
    image = images.image(np.zeros(SHAPE), **PLACE)
    with pytest.raises(HeaderError, match=r"needs the frequency.*--frequency"):
        images.finding(image, dish=13.5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"primary_beam": "a", "weight": "b"}, "two ways"),
        ({"corrected": True}, "needs the beam"),
        ({"pointing": (1, 2)}, "give dish"),
        ({"primary_beam_error": 0.1}, "needs the beam"),
        ({"primary_beam_cutoff": 0.0}, "0.001"),
    ],
)
def test_options_that_say_nothing_are_refused(options, said):
    with pytest.raises(OptionError, match=said):
        make_finder("classic", **options)


def test_much_lost_is_told_and_all_lost_is_refused(tmp_path):
    data = np.random.default_rng(5).normal(0.0, images.RMS, SHAPE)
    image = images.image(data, **PLACE)
    path = written(gaussian(), tmp_path / "pb.fits")
    lost = float((gaussian() < 0.5).mean())
    notes = search(image, make_finder("classic", primary_beam=path, primary_beam_cutoff=0.5)).notes
    assert any(f"{lost:.0%} of the data lie where the response" in note for note in notes)
    notes = search(image, make_finder("classic", primary_beam=path, primary_beam_cutoff=0.01)).notes
    assert not any("of the data lie" in note for note in notes)
    nowhere = written(np.where(gaussian() > 0.99, np.nan, 0.01), tmp_path / "nowhere.fits")
    with pytest.raises(UsageError, match="leaves nothing of the map"):
        search(image, make_finder("classic", primary_beam=nowhere))
