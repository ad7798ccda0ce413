"""Smearing, CLEAN bias, the largest scale and the floors of calibration: each with columns of its own."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import erf
from tests import images, skies
from tests.images import RMS

from skysift.base.errors import OptionError, UsageError
from skysift.find.classic.options import ClassicOptions
from skysift.find.forced import measure_at
from skysift.find.noise import measure_noise
from skysift.find.places import places_on
from skysift.find.run import make_finder, search
from skysift.io.tables import FitsFormat, read_table
from skysift.io.votable import VOTableFormat
from skysift.measure.corrections import recoverable_scale
from skysift.measure.options import FitOptions, NoiseOptions
from skysift.sky.beam import FWHM_PER_SIGMA
from skysift.sky.flags import has
from skysift.sky.image import SkyImage

SHAPE = (300, 300)
BEAM_PX = 5.0
SCALE = 2.0
FREQUENCY = 1.4e9
CENTRE = (180.0, 89.9)  # time smearing is exact near the pole


def smeared(
    bandwidth: float, turn: float, *, snr: float = 200.0, noise: bool = True
) -> tuple[SkyImage, np.ndarray]:
    """Points of one flux, drawn out to lines of the lengths theta dnu / nu (radially) and theta omega dt (around).

    A line convolved with a round Gaussian is a difference of error functions along it, times the Gaussian across.
    """
    step, sigma = 30, BEAM_PX / FWHM_PER_SIGMA
    grid = np.arange(15, SHAPE[0], step) + 0.3
    x, y = (each.ravel() for each in np.meshgrid(grid, grid))
    v, u = np.mgrid[: SHAPE[0], : SHAPE[1]]
    data = np.zeros(SHAPE)
    middle = (SHAPE[0] - 1) / 2
    rng = skies.generator(5, "phases")
    x, y = x + rng.uniform(-0.5, 0.5, x.size), y + rng.uniform(-0.5, 0.5, y.size)
    for a, b in zip(x, y, strict=True):
        away = math.hypot(a - middle, b - middle)
        e = np.array([a - middle, b - middle]) / away
        dx, dy = u - a, v - b
        along, across = dx * e[0] + dy * e[1], -dx * e[1] + dy * e[0]
        value = np.ones(SHAPE)
        for d, length in ((along, away * bandwidth), (across, away * turn)):
            if length == 0.0:
                value = value * np.exp(-0.5 * (d / sigma) ** 2)
                continue
            high, low = (d + length / 2) / sigma / math.sqrt(2), (d - length / 2) / sigma / math.sqrt(2)
            value = value * math.sqrt(math.pi / 2) * sigma / length * (erf(high) - erf(low))
        data += snr * RMS * value
    if noise:
        data += RMS * skies.correlated_noise(
            SHAPE, (BEAM_PX, BEAM_PX, 0.0), "beam", skies.generator(3, "noise")
        )
    image = images.image(
        data.astype(np.float32), (BEAM_PX, BEAM_PX, 0.0), scale=(SCALE, SCALE), centre=CENTRE
    )
    return replace(image, frequency=FREQUENCY), np.stack([x, y], axis=1)


def rows_of(catalogue, places):
    c = catalogue.components
    apart = np.hypot(c.x[:, None] - places[:, 0], c.y[:, None] - places[:, 1])
    nearest = np.argmin(apart, axis=0)
    assert (apart[nearest, np.arange(len(places))] < 1.5).all()
    return c.select(nearest)


@pytest.mark.parametrize(("bandwidth", "turn"), [(0.018, 0.0), (0.0, 0.018), (0.014, 0.01)])
def test_smeared_points_get_their_flux_back_and_are_points(bandwidth, turn):
    image, places = smeared(bandwidth, turn)
    options = {"psf_file": None}
    if bandwidth:
        options["channel_width"] = bandwidth * FREQUENCY
    if turn:
        options["integration_time"] = turn / 7.2921150e-5
    c = rows_of(search(image, make_finder("classic", **options)).catalogue, places)
    far = np.hypot(*(places - (SHAPE[0] - 1) / 2).T)
    true = 200 * RMS
    for name in ("flux", "flux_beam"):
        assert np.nanmedian(c[name][far > 120] / true) == pytest.approx(1.0, abs=0.01), name
        assert np.nanmedian(c[name] / true) == pytest.approx(1.0, abs=0.005), name
    assert c.resolved.mean() < 0.03
    # the peak is the one that the map shows, and what is left of it is the column's
    b, t = far * bandwidth / BEAM_PX, far * turn / BEAM_PX
    kept = 1.0 / np.sqrt((1 + 2 * math.log(2) / 3 * b**2) * (1 + 2 * math.log(2) / 3 * t**2))
    np.testing.assert_allclose(c["smearing"], kept, rtol=5e-3)
    np.testing.assert_allclose(c.flux_peak / true, kept, rtol=0.03)
    # without the options peaks are low, and points are taken for resolved
    plain = rows_of(search(image, make_finder("classic")).catalogue, places)
    assert "smearing" not in plain
    assert plain.resolved[far > 150].mean() > 0.5
    assert np.median(plain.flux_peak[far > 150] / true) < 0.97


def test_sources_and_islands_have_fluxes_freed_of_smearing_too():
    image, places = smeared(0.018, 0.0, noise=False)
    image = replace(image, pixels=replace(image.pixels, data=image.read() + noise_field()))
    catalogue = search(image, make_finder("classic", channel_width=0.018 * FREQUENCY, grow=2.0)).catalogue
    s, i = catalogue.sources, catalogue.islands
    assert np.median(s.flux) == pytest.approx(200 * RMS, rel=0.01)
    assert np.median(i.flux_int) == pytest.approx(200 * RMS, rel=0.03)
    assert (s["smearing"] < 1.0).all()
    assert "smearing" not in i
    assert len(places) == len(s)


def noise_field() -> np.ndarray:
    field = skies.correlated_noise(SHAPE, (BEAM_PX, BEAM_PX, 0.0), "beam", skies.generator(3, "noise"))
    return (RMS * field).astype(np.float32)


def test_fluxes_at_known_places_are_freed_of_smearing():
    from skysift.find.beams import as_seen

    image, places = smeared(0.018, 0.0)
    image, _ = as_seen(image, ClassicOptions(channel_width=0.018 * FREQUENCY))
    noise = measure_noise(image, NoiseOptions())
    found = measure_at(image, noise, places_on(image, *image.frame.to_sky(places[:, 0], places[:, 1])))
    assert np.median(found.flux_int) == pytest.approx(200 * RMS, rel=0.01)
    assert np.median(found.flux_peak) < 0.97 * 200 * RMS


def test_the_errors_of_condon_know_of_smearing():
    """Errors relative to the flux are those of the peak: the gain from peak to flux is in both."""
    image, places = smeared(0.024, 0.0)
    how = {"channel_width": 0.024 * FREQUENCY, "errors": "condon"}
    c = rows_of(search(image, make_finder("classic", **how)).catalogue, places)
    far = np.hypot(*(places - (SHAPE[0] - 1) / 2).T)
    assert np.median(c["smearing"][far > 150]) < 0.9
    for name in ("flux_beam", "flux"):
        share = c[f"{name}_err"] / c[name] * c.flux_peak / c["rms"]
        near, away = (np.nanmedian(share[where & ~c.resolved]) for where in (far < 60, far > 150))
        assert away / near == pytest.approx(1.0, abs=0.03), name
    points = ~c.resolved
    np.testing.assert_allclose((c.flux_peak_err / c.flux_peak)[points], (c.flux_err / c.flux)[points])


def test_smearing_needs_a_frequency_and_a_sky():
    image, _ = smeared(0.0, 0.0)
    unknown = replace(image, frequency=math.nan)
    with pytest.raises(UsageError, match="needs the frequency"):
        search(unknown, make_finder("classic", channel_width=1e6))
    with pytest.raises(UsageError, match="narrower than its frequency"):
        search(image, make_finder("classic", channel_width=2e9))
    with pytest.raises(UsageError, match="place on the sky"):
        search(images.image(np.zeros((40, 40))), make_finder("classic", integration_time=10.0))
    with pytest.raises(OptionError, match="above 0"):
        ClassicOptions(integration_time=-1.0)


def test_strong_smearing_is_told():
    image, _ = smeared(0.0, 0.0)
    notes = search(image, make_finder("classic", channel_width=0.2 * FREQUENCY)).notes
    assert any("smeared by up to" in note for note in notes)
    assert any("is no Gaussian" in note for note in notes)
    other = search(image, make_finder("classic", channel_width=1e4, phase_centre="0,89.9")).notes
    assert any("about RA 0.00000, Dec 89.90000" in note for note in other)


# -- CLEAN bias


@pytest.fixture(scope="module")
def mixed():
    """Points, doubles and extended sources, and negative ones."""
    shape = (260, 260)
    sources = skies.population(
        shape,
        images.ROUND,
        n_points=20,
        n_extended=4,
        n_doubles=3,
        snr=(20, 300),
        rms=RMS,
        lattice=36,
        seed=4,
    )
    sources["total"][:2] *= -1
    data, _ = skies.paint(shape, images.ROUND, rms=RMS, noise="beam", sources=sources, seed=4)
    return replace(images.image(data, images.ROUND, centre=(180.0, -30.0)), frequency=FREQUENCY)


def test_clean_bias_is_added_for_each_beam_area(mixed):
    plain = search(mixed, make_finder("classic", negative=True)).catalogue
    added = search(
        mixed, make_finder("classic", negative=True, clean_bias=0.5, clean_bias_error=0.1)
    ).catalogue
    c, k = plain.components, added.components
    sign = np.sign(c.flux_peak)
    np.testing.assert_allclose(k["clean_bias"], 0.5 * c.rms * sign)
    np.testing.assert_allclose(k.flux_peak - c.flux_peak, k["clean_bias"], rtol=1e-6)
    np.testing.assert_allclose(k.flux - c.flux, k["clean_bias"] * c.flux / c.flux_peak, rtol=1e-6)
    np.testing.assert_allclose(k["clean_bias_err"], 0.1 * c.rms * np.abs(c.flux / c.flux_peak), rtol=1e-6)
    for name in (
        "flux_err",
        "flux_peak_err",
        "flux_int_err",
        "x",
        "major",
        "resolved",
    ):  # statistical errors stay
        np.testing.assert_array_equal(k[name], c[name])
    s, t = plain.sources, added.sources
    np.testing.assert_allclose(t.flux_peak - s.flux_peak, t["clean_bias"], rtol=1e-6)
    total = np.bincount(c.source_id, k.flux_int - c.flux_int)[1:]
    np.testing.assert_allclose(t.flux_int - s.flux_int, total, rtol=1e-6)
    i, j = plain.islands, added.islands
    total = np.bincount(c.island_id, k.flux_int - c.flux_int)[1:]
    np.testing.assert_allclose(j.flux_int - i.flux_int, total, rtol=1e-6)
    np.testing.assert_allclose(j.flux_peak - i.flux_peak, j["clean_bias"], rtol=1e-6)


def test_peaks_that_clean_left_low_come_out_right():
    """Every peak low by 0.4 sigma, whatever its brightness: the fluxes are right with that bias, low without."""
    shape, n = (360, 360), 81
    sources = skies.population(shape, images.ROUND, n_points=n, lattice=40, seed=6)
    sources["total"] = (30.0 - 0.4) * RMS
    data, _ = skies.paint(shape, images.ROUND, rms=RMS, noise="beam", sources=sources, seed=6)
    image = images.image(data, images.ROUND)
    low = images.finding(image).catalogue.sources.flux
    right = images.finding(image, clean_bias=0.4).catalogue.sources.flux
    error = RMS / math.sqrt(n)
    assert np.mean(right) == pytest.approx(30 * RMS, abs=3 * error)
    assert np.mean(low) == pytest.approx(29.6 * RMS, abs=3 * error)


# -- the largest scale


def test_the_largest_scale_of_a_baseline():
    assert recoverable_scale(FitOptions(), 1e9) is None
    assert recoverable_scale(FitOptions(largest_scale=100.0), math.nan) == 100.0
    expected = 0.6 * 0.299792458 / 30.0 * 180 / math.pi * 3600  # 0.6 lambda / b at 1 GHz
    assert recoverable_scale(FitOptions(shortest_baseline=30.0), 1e9) == pytest.approx(expected)
    with pytest.raises(UsageError, match="needs the frequency"):
        recoverable_scale(FitOptions(shortest_baseline=30.0), math.nan)
    with pytest.raises(OptionError, match="one of the two"):
        FitOptions(largest_scale=10.0, shortest_baseline=30.0)


def test_what_is_larger_than_the_array_recovers_is_flagged():
    image = images.painted(
        (200, 300),
        images.source(50, 100, 5.0),  # bright, but a point
        images.source(150, 100, 1.0, 8.0),
        images.source(240, 100, 4.0, 24.0, 20.0),
    )
    catalogue = images.finding(image, largest_scale=30.0).catalogue
    for table in (catalogue.components, catalogue.sources, catalogue.islands):
        order = np.argsort(table.x)
        assert has(table.flags, "beyond_scale")[order].tolist() == [False, False, True]
    plain = images.finding(image).catalogue
    assert not has(plain.components.flags, "beyond_scale").any()


def test_a_missing_frequency_is_told_before_anything_is_written():
    image = images.painted((80, 80), images.source(40, 40, 0.1))
    with pytest.raises(UsageError, match="shortest_baseline"):
        images.finding(image, shortest_baseline=30.0)


# -- floors and the scale


def test_floors_have_columns_of_their_own_in_all_tables(mixed):
    plain = search(mixed, make_finder("classic")).catalogue
    told = search(mixed, make_finder("classic", flux_scale_error=0.05, position_error=0.3)).catalogue
    for kind in ("components", "sources", "islands"):
        a, b = plain.table(kind), told.table(kind)
        flux = b["flux_int"] if kind == "islands" else b["flux"]
        np.testing.assert_allclose(b["flux_cal_err"], 0.05 * np.abs(flux))
        np.testing.assert_array_equal(b["position_cal_err"], 0.3)
        for name in a.names:
            if not name.endswith("_cal_err"):
                np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    assert "flux_cal_err" not in plain.islands
    assert plain.components["flux_cal_err"].max() == 0.0


def test_the_flux_scale_is_named_in_every_product(mixed, tmp_path):
    catalogue = search(mixed, make_finder("classic", flux_scale="Perley-Butler 2017")).catalogue
    assert catalogue.provenance.options["flux_scale"] == "Perley-Butler 2017"
    assert ("FLUXSCAL", "Perley-Butler 2017", "flux-density scale") in catalogue.provenance.cards()
    from astropy.io import fits

    FitsFormat().write(catalogue, tmp_path / "sources.fits", "sources")
    with fits.open(tmp_path / "sources.fits") as hdus:
        assert "Perley-Butler 2017" in [hdu.header.get("FLUXSCAL") for hdu in hdus]
    VOTableFormat().write(catalogue, tmp_path / "sources.xml", "sources")
    assert 'name="flux_scale" value="Perley-Butler 2017"' in (tmp_path / "sources.xml").read_text()
    table, told = VOTableFormat().load(tmp_path / "sources.xml")
    assert told == catalogue.provenance
    assert table == catalogue.sources
    unknown = search(mixed, make_finder("classic")).catalogue.provenance
    assert "FLUXSCAL" not in [card[0] for card in unknown.cards()]
    for text in ("", "x" * 61, "na\nme"):
        with pytest.raises(OptionError, match="flux-density scale"):
            FitOptions(flux_scale=text)


def test_columns_that_were_asked_for_are_there_when_nothing_is_found_and_come_back(mixed, tmp_path):
    options = {"clean_bias": 0.2, "clean_bias_error": 0.1, "flux_scale_error": 0.1, "channel_width": 1e5}
    some = search(mixed, make_finder("classic", **options)).catalogue
    none = search(mixed, make_finder("classic", seed=1e5, **options)).catalogue
    for kind in ("components", "sources", "islands"):
        assert none.table(kind).names == some.table(kind).names
        assert len(none.table(kind)) == 0
    FitsFormat().write(some, tmp_path / "all")
    assert read_table(tmp_path / "all" / "components.fits") == some.components
