"""Made fields: geometry, frequencies, primary beam, classes; and what a finder gets back from them."""

from dataclasses import replace

import numpy as np
import pytest

import skysift
from skysift.base.errors import OptionError, UnknownName, UsageError
from skysift.match.sky import one_to_one
from skysift.sim.apparent import appear
from skysift.sim.continuum import ContinuumSimulator
from skysift.sim.drawn import DrawnSource
from skysift.sim.field import area_of, beam_of, frame_of
from skysift.sim.instrument import rms_of
from skysift.sim.objects import Elements, Objects
from skysift.sim.options import ContinuumOptions
from skysift.sim.painting import GaussianLayer
from skysift.sim.sensitivity import radiometer
from skysift.sky.beam import Beam
from skysift.sky.box import Box

PLAIN = {"array": "none", "artefacts": False, "rms_spread": 0.0}


def objects_at(ra, dec, flux):
    n = len(ra)
    zeros, word = np.zeros(n), np.full(n, "point")
    return Objects(
        np.asarray(ra), np.asarray(dec), np.asarray(ra), np.asarray(dec), np.asarray(flux), zeros, zeros,
        zeros, zeros, zeros, zeros, word, word,
    )  # fmt: skip


def seen(ra, dec, flux, *, covariance=(0.0, 0.0, 0.0), offset=(0.0, 0.0), **how):
    """The pixels that hold objects of one Gaussian each, and how they appear."""
    options = ContinuumOptions(n_pixels=256, beam=(3.0, 2.0, 30.0), pixel=0.6, **how)
    frame, beam = frame_of(options), beam_of(options, 1.4e9)
    n = len(ra)
    ones = np.ones(n)
    elements = Elements(
        np.arange(n), offset[0] * ones, offset[1] * ones, np.asarray(flux), *(c * ones for c in covariance), 0 * ones
    )  # fmt: skip
    apparent = appear(objects_at(ra, dec, flux), elements, frame, beam, 1.0)
    layer = GaussianLayer(apparent.x, apparent.y, apparent.peak, apparent.shape, frame.shape)
    return DrawnSource(frame.shape, (layer,)).read(Box.of(frame.shape)).astype(float), apparent, frame, beam


def test_the_middle_of_the_field_is_the_middle_pixel():
    options = ContinuumOptions(n_pixels=(200, 301), ra=123.4, dec=56.7, beam=5.0)
    frame = frame_of(options)
    ra, dec = frame.to_sky(150, 100)
    assert (float(ra), float(dec)) == pytest.approx((123.4, 56.7))
    assert frame.scale == pytest.approx((2.0, 2.0), rel=1e-9)
    assert frame.projection == "SIN"


def test_a_point_is_the_beam_with_its_flux_as_peak():
    pixels, apparent, frame, beam = seen([0.0], [-30.0], [2.5])
    assert pixels[128, 128] == pytest.approx(2.5, rel=1e-5)
    assert pixels.sum() / frame.beam_area_pixels(beam) == pytest.approx(2.5, rel=1e-4)
    ee, en, nn = apparent.sky_seen[0]
    assert Beam.from_covariance(np.array([[ee, en], [en, nn]])).pa == pytest.approx(30.0, abs=1e-3)


def test_flux_is_conserved_when_a_gaussian_is_seen_through_the_beam():
    pixels, apparent, frame, beam = seen([0.0], [-30.0], [1.0], covariance=(30.0, 12.0, 20.0))
    assert pixels.sum() / frame.beam_area_pixels(beam) == pytest.approx(1.0, rel=1e-4)
    assert apparent.sky[0] == pytest.approx([30.0, 12.0, 20.0])


def test_offsets_go_east_and_north():
    pixels, _, frame, _ = seen([0.0], [-30.0], [1.0], offset=(12.0, 6.0))
    y, x = np.unravel_index(pixels.argmax(), pixels.shape)
    assert (y - 128, x - 128) == (10, -20)  # north is up, east is left
    ra, dec = frame.to_sky(x, y)
    assert (float(dec) + 30.0) * 3600 == pytest.approx(6.0, abs=0.01)
    assert float(ra) * 3600 * np.cos(np.radians(30)) == pytest.approx(12.0, abs=0.01)


def test_a_wider_field_holds_the_same_objects():
    small, wide = (ContinuumSimulator(ContinuumOptions(n_pixels=n, **PLAIN)) for n in (300, 700))
    one, two = (each.sky(area_of(frame_of(each.options)))[0] for each in (small, wide))
    assert len(two) > len(one) > 20
    assert set(zip(one.ra, one.dec, one.flux, strict=True)) <= set(
        zip(two.ra, two.dec, two.flux, strict=True)
    )


def test_frequencies_show_one_sky():
    (low, sky_low), (high, sky_high) = skysift.simulate(
        frequency=(0.7e9, 1.4e9), beam=4.0, n_pixels=256, rms=1e-5, depth=3.0, **PLAIN
    )
    assert low.frame == high.frame
    assert (low.beam.major, high.beam.major) == pytest.approx((4.0, 2.0))
    one, two = sky_low.sources, sky_high.sources
    pairs = one_to_one(one["ra"], one["dec"], two["ra"], two["dec"], 0.01)
    assert len(pairs) > 0.7 * len(two)  # extended ones move a little by their spectra
    assert np.median(sky_low.sources["flux_true"]) > np.median(sky_high.sources["flux_true"])


def test_the_rms_is_what_was_asked_for_or_what_the_radiometer_gives():
    asked = ContinuumOptions(rms=3e-6, frequency=(1e9, 2e9))
    assert rms_of(asked, 1e9) == 3e-6
    assert rms_of(asked, 2e9) < 3e-6
    one, four = radiometer("ska-mid", 1.4e9, 1.0, 0.3), radiometer("ska-mid", 1.4e9, 4.0, 0.3)
    assert one == pytest.approx(2e-6, rel=0.15)  # Braun et al. 2019, arXiv:1912.12699
    assert one / four == pytest.approx(2.0)
    assert radiometer("meerkat", 1.4e9, 1.0, 0.3) > one
    ((image, truth),) = skysift.simulate(n_pixels=256, rms=1e-3, depth=1e3, **PLAIN)
    assert image.read().std() == pytest.approx(1e-3, rel=0.05)
    assert len(truth) < 5


def test_a_primary_beam_dims_objects_or_lets_the_noise_grow():
    how = {"n_pixels": 300, "beam": 20.0, "primary_beam": "dish", "rms": 2e-5, "depth": 20.0, **PLAIN}
    ((dim, truth),) = skysift.simulate(**how)
    ((flat, same),) = skysift.simulate(corrected=True, cutoff=0.7, **how)
    sources = truth.sources
    assert np.allclose(sources["flux_int"], sources["flux_true"] * sources["primary_beam"])
    assert np.allclose(same.sources["flux_int"], same.sources["flux_true"])
    assert same.sources["primary_beam"].min() >= 0.7
    assert np.allclose(same.sources["rms"], 2e-5 / same.sources["primary_beam"], rtol=1e-6)
    pixels = flat.read()
    assert np.isnan(pixels[0, 0])
    assert np.isfinite(pixels[150, 150])
    assert np.isfinite(dim.read()).all()


def test_what_the_border_cuts_is_flagged():
    ((image, truth),) = skysift.simulate(n_pixels=256, **PLAIN)
    ny, nx = image.shape
    boxes = truth.detections.boxes
    inner = (boxes[:, 0] > 0) & (boxes[:, 1] < ny) & (boxes[:, 2] > 0) & (boxes[:, 3] < nx)
    flagged = truth.sources["class"] == "flagged"
    assert flagged.any()
    assert not (flagged & inner).any()
    assert skysift.sky.flags.has(truth.sources["flags"], "edge")[flagged].all()


def test_artefacts_are_rows_of_their_own():
    ((_, truth),) = skysift.simulate(
        n_pixels=400, random_seed=4, hours=1000.0, depth=100.0, amplitude_error=0.2, phase_error=20.0
    )
    spurious = ~truth.real
    assert spurious.any()
    assert (np.abs(truth.sources["snr"][spurious]) > 3.0).all()
    assert np.isnan(truth.sources["flux_true"][spurious]).all()
    assert (truth.detections.area[spurious] > 0).all()


def test_what_was_made_is_found_again():
    ((image, truth),) = skysift.simulate(n_pixels=900, random_seed=2, **PLAIN)
    found = skysift.find(image).sources
    true = truth.sources.select((truth.sources["snr"] > 10) & (truth.sources["class"] == "compact"))
    pairs = one_to_one(true["ra"], true["dec"], found["ra"], found["dec"], 0.3)
    assert len(pairs.left) > 0.9 * len(true)
    made, met = true.select(pairs.left), found.select(pairs.right)
    alone = (met["n_components"] == 1) & (met["flags"] == 0)
    assert alone.sum() > 50
    ratio = (met["flux_int"] / made["flux_int"])[alone]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.03)
    dx, dy = (met["x"] - made["x"])[alone], (met["y"] - made["y"])[alone]
    assert abs(np.median(dx)) < 0.03
    assert abs(np.median(dy)) < 0.03
    for offset, error in ((dx, met["x_err"][alone]), (dy, met["y_err"][alone])):
        low, high = np.percentile(offset / error, [16, 84])
        assert 0.5 * (high - low) == pytest.approx(1.0, abs=0.3)
    assert np.median(found["rms"]) == pytest.approx(np.median(truth.sources["rms"]), rel=0.05)


def test_objects_are_drawn_as_deep_as_asked_for():
    how = {"n_pixels": 700, "rms": 1e-6, **PLAIN}

    def drawn(**more):
        simulator = ContinuumSimulator(ContinuumOptions(**how, **more))
        return simulator.sky(area_of(frame_of(simulator.options)))[0].flux

    assert drawn().min() == pytest.approx(1e-6, rel=0.1)
    assert drawn(flux_min=1e-5).min() >= 1e-5
    assert drawn(depth=30.0).min() >= 3e-5
    assert 1e-5 <= drawn(depth=None, flux_min=1e-5).min() < 2e-5
    assert len(drawn(depth=2e7)) == 0  # nothing is that bright


def test_a_sky_of_more_objects_than_memory_holds_is_refused():
    with pytest.raises(UsageError, match="too many objects"):
        skysift.simulate(beam=20.0, n_pixels=4096, **PLAIN)


def test_objects_beyond_the_border_shine_into_the_map():
    simulator = ContinuumSimulator(ContinuumOptions(beam=100.0, n_pixels=64, rms=1e-4, **PLAIN))
    frame = frame_of(simulator.options)
    near, far = area_of(frame), area_of(frame, [beam_of(simulator.options, 1.4e9)])
    assert far[1] - near[1] == pytest.approx(300.0 - 90.0)
    ((_, truth),) = simulator.simulate()
    x, y = truth.sources["x"], truth.sources["y"]
    assert ((np.abs(x - 31.5) > 32 + 90 / 40) | (np.abs(y - 31.5) > 32 + 90 / 40)).any()


def test_the_map_holds_the_flux_of_what_lies_inside():
    options = ContinuumOptions(
        n_pixels=700, beam=(4.0, 2.0, 40.0), rms=1e-13, depth=None, flux_min=2e-5, **PLAIN
    )

    class Inner(ContinuumSimulator):
        def sky(self, area):
            objects, elements = super().sky(tuple(0.5 * each for each in area))
            kept = objects.angular_size < 15.0
            chosen = elements.select(kept[elements.owner])
            return objects.select(kept), replace(chosen, owner=(np.cumsum(kept) - 1)[chosen.owner])

    ((image, truth),) = Inner(options).simulate()
    assert len(truth) > 30
    held = image.read().sum(dtype=float) / image.frame.beam_area_pixels(image.beam)
    assert held == pytest.approx(truth.sources["flux_int"].sum(), rel=1e-6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"beam": 0.0},
        {"n_pixels": 7},
        {"frequency": ()},
        {"frequency": (1e9, 1e9)},
        {"rms": -1.0},
        {"random_seed": -1},
        {"pixels": 100},
    ],
)
def test_wrong_options_are_told(wrong):
    with pytest.raises(OptionError):
        skysift.simulate(**wrong)


def test_a_simulator_that_is_not_there_is_told():
    with pytest.raises(UnknownName, match="continuum"):
        skysift.simulate("continuums")


def test_a_huge_map_costs_nothing_until_it_is_read():
    import tracemalloc

    tracemalloc.start()
    how = {"n_pixels": 16384, "depth": 1e5, **PLAIN}  # 1.1 degrees with some bright objects
    ((image, truth),) = skysift.simulate(**how)
    corner = image.read(Box(15800, 16384, 16000, 16384))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2e8  # bytes; the map itself would be 1.1e9
    assert len(truth) > 0
    assert corner.std() == pytest.approx(np.median(truth.sources["rms"]), rel=0.1)


def test_a_corrected_map_has_true_fluxes_noise_that_grows_and_blanks():
    field = {"array": "none", "n_pixels": 256, "pixel": 20.0, "beam": 60.0, "rms": 1e-4, "rms_spread": 0.0}
    ((image, truth),) = skysift.simulate(primary_beam="dish", diameter=25.0, corrected=True, **field)
    inside = truth.sources["primary_beam"] > 0.1
    assert inside.any()
    assert np.allclose(truth.sources["flux"], truth.sources["flux_true"], rtol=1e-6)
    assert np.allclose(truth.sources["rms"][inside], 1e-4 / truth.sources["primary_beam"][inside], rtol=0.05)
    pixels = image.read()
    assert np.isnan(pixels[0, 0])
    assert np.isfinite(pixels[128, 128])


def test_nothing_is_corrected_for_no_primary_beam():
    with pytest.raises(OptionError, match="corrected needs a primary_beam"):
        skysift.simulate(corrected=True, n_pixels=64)
