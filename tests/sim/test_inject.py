"""Made sources in real maps: what is added is what was made, whatever is read and in whatever order."""

import pickle

import numpy as np
import pytest
from astropy.io import fits
from tests import images

import skysift
from skysift.base.errors import DataError, FormatError, OptionError, UnknownName, UsageError
from skysift.base.provenance import Provenance
from skysift.io.fits import write_image
from skysift.sim.inject.options import CompletenessOptions, InjectOptions
from skysift.sim.inject.sources import make_sources, values_at
from skysift.sim.made import inject, injected_truth, painted
from skysift.sim.templates import read_templates
from skysift.sky.box import Box
from skysift.sky.image import SkyImage

RMS = 1e-3


@pytest.fixture(scope="module")
def real():
    """A map with noise, a blank corner and an elliptical beam on pixels that are not square."""
    rng = np.random.default_rng(3)
    data = rng.normal(0.0, RMS, (300, 400)).astype(np.float32)
    data[:60, :80] = np.nan
    return images.image(data, (5.0, 4.0, 30.0), scale=(3.0, 2.0), projection="SIN")


def flat(image, rms=RMS):
    """A reader of an even noise that is unknown where the map is blank."""
    return lambda box: np.where(np.isnan(image.read(box)), np.nan, rms)


def made_of(image, **options):
    return make_sources(image, flat(image), InjectOptions(**options))


@pytest.fixture
def template(tmp_path):
    """A noise-free image of two unequal lobes and a bridge, as a cube of three planes."""
    y, x = np.mgrid[:120, :150]
    plane = np.exp(-((x - 40) ** 2 + (y - 60) ** 2) / 200) + 0.5 * np.exp(
        -((x - 110) ** 2 + (y - 55) ** 2) / 400
    )
    plane += 0.05 * ((abs(y - 58) < 4) & (x > 40) & (x < 110))
    path = tmp_path / "lobes.fits"
    fits.PrimaryHDU(np.stack([0.2 * plane, 0.5 * plane, 0.3 * plane])).writeto(path)
    return path


def test_what_is_added_is_what_was_painted(real):
    made = made_of(real, number=15, kind="gaussians")
    full = inject(real, made)
    expected = (real.read().astype(np.float64) + painted(made.gaussians, real.box)).astype(np.float32)
    assert np.array_equal(full.read(), expected, equal_nan=True)
    assert np.array_equal(np.isnan(full.read()), np.isnan(real.read()))


def test_no_box_changes_a_pixel_and_a_map_travels(real):
    full = inject(real, made_of(real, number=30))
    whole = full.read()
    for box in (Box(0, 128, 0, 128), Box(61, 239, 17, 400), Box(150, 151, 0, 400), Box(299, 300, 399, 400)):
        assert full.read(box).tobytes() == whole[box.slices()].tobytes()
    assert pickle.loads(pickle.dumps(full)).read().tobytes() == whole.tobytes()


def test_the_same_seed_gives_the_same_bytes_and_another_others(real):
    first, same = (inject(real, made_of(real, number=20)).read() for _ in range(2))
    other = inject(real, made_of(real, number=20, random_seed=2)).read()
    assert first.tobytes() == same.tobytes()
    assert not np.array_equal(first, other, equal_nan=True)


@pytest.mark.parametrize("kind", ["points", "gaussians"])
def test_every_source_adds_its_flux(real, kind):
    made = made_of(real, number=12, kind=kind)
    area = real.frame.beam_area_pixels(real.beam)
    for k in range(len(made)):
        one = painted(made.select(np.array([k])).gaussians, Box(-200, 500, -200, 600))
        assert one.sum() / area == pytest.approx(made.flux[k], rel=1e-6)


def test_a_point_has_its_flux_as_peak_and_its_place_where_it_was_put(real):
    made = made_of(real, number=12)
    assert made.flux_peak == pytest.approx(made.flux)
    one = painted(made.select(np.array([3])).gaussians, real.box)
    y, x = np.mgrid[: real.shape[0], : real.shape[1]]
    assert (one * x).sum() / one.sum() == pytest.approx(made.x[3], abs=1e-4)
    assert (one * y).sum() / one.sum() == pytest.approx(made.y[3], abs=1e-4)


def test_signal_to_noise_is_spread_evenly_in_its_logarithm(real):
    snr = np.sort(made_of(real, number=80, spacing=0, snr_low=2.0, snr_high=200.0).snr)
    steps = np.log(snr / 2.0) / np.log(100.0)
    assert np.allclose(steps, (np.arange(80) + 0.5) / 80, atol=1 / 80)


def test_fluxes_can_be_given_instead(real):
    made = made_of(real, number=20, kind="gaussians", flux_low=1e-3, flux_high=1e-1)
    assert made.flux.min() >= 1e-3
    assert made.flux.max() <= 1e-1


def test_positions_keep_apart_and_lie_on_data(real):
    made = made_of(real, number=60)
    there = np.stack([made.x * real.frame.scale[1], made.y * real.frame.scale[0]], axis=1)
    apart = np.linalg.norm(there[:, None] - there, axis=2)[np.triu_indices(60, 1)]
    assert apart.min() >= 6.0 * real.beam.major
    assert np.isfinite(values_at(real.read, real.shape, made.x, made.y)).all()


def test_a_grid_has_about_as_many_cells_as_asked_for(real):
    made = made_of(real, number=100, layout="grid")
    blank = 60 * 80 / (300 * 400)
    assert len(made) == pytest.approx(100 * (1 - blank), abs=12)
    assert np.isfinite(values_at(real.read, real.shape, made.x, made.y)).all()


def test_the_flux_of_a_template_is_conserved_at_any_size(real, template):
    area = real.frame.beam_area_pixels(real.beam)
    for size in (20.0, 60.0, 200.0):
        made = made_of(
            real,
            number=2,
            kind="templates",
            templates=(str(template),),
            size_low=size,
            size_high=size,
            spacing=1,
        )
        for k in range(2):
            one = painted(made.select(np.array([k])).gaussians, Box(-300, 600, -300, 700))
            assert one.sum() / area == pytest.approx(made.flux[k], rel=1e-4)


def test_a_template_is_its_image_convolved_with_the_beam(template):
    """Against a convolution pixel by pixel, at the scale of the template's own pixels."""
    read = read_templates([template])[0]
    sigma = 6.0  # arcsec, and pixels of the template: one arcsec each
    shape = read.shape(read.extent, sigma)
    pixels = read.pixels / read.pixels.sum()
    y, x = np.mgrid[:120, :150]
    middle_x, middle_y = (pixels * x).sum(), (pixels * y).sum()
    for px, py in ((40, 60), (75, 58), (110, 55), (20, 90)):
        exact = (pixels * np.exp(-0.5 * ((x - px) ** 2 + (y - py) ** 2) / sigma**2)).sum()
        east, north = -(px - middle_x), py - middle_y
        a, b, c = shape.ee + sigma**2, shape.en, shape.nn + sigma**2
        det, u, v = a * c - b * b, east - shape.east, north - shape.north
        value = np.exp(-0.5 * (c * u * u - 2 * b * u * v + a * v * v) / det) * sigma**2 / np.sqrt(det)
        assert (shape.share * value).sum() == pytest.approx(exact, rel=5e-3)
    assert len(shape.share) < pixels.size / 4


def test_a_coarse_template_leaves_no_bumps_between_its_pixels(tmp_path):
    """A flat square of few pixels, blown up to many beams, is flat inside."""
    path = tmp_path / "square.fits"
    fits.PrimaryHDU(np.pad(np.ones((12, 12)), 3)).writeto(path)
    read = read_templates([path])[0]
    shape = read.shape(1700.0, 5.0)  # pixels of 100 arcsec
    at = np.linspace(-200.0, 200.0, 41)
    a = shape.ee + 25.0
    value = [
        (shape.share * np.exp(-0.5 * ((e - shape.east) ** 2 + shape.north**2) / a) / a).sum() for e in at
    ]
    assert np.ptp(value) / np.mean(value) < 0.01


def test_turning_keeps_flux_centroid_and_size(template):
    shape = read_templates([template])[0].shape(100.0, 2.0)
    turned = shape.turned(73.0, mirrored=True)
    ee, en, nn = shape.moments()
    tt, tn, nt = turned.moments()
    assert turned.share.sum() == pytest.approx(1.0)
    assert (turned.share * turned.east).sum() == pytest.approx(0.0, abs=1e-9)
    assert tt + nt == pytest.approx(ee + nn)
    assert tt * nt - tn**2 == pytest.approx(ee * nn - en**2)


def test_the_truth_tells_what_was_put_in(real):
    made = made_of(real, number=25, kind="gaussians", size_low=20.0, size_high=40.0, snr_low=3, snr_high=100)
    truth = injected_truth(real, made, Provenance("1", "inject"))
    sources = truth.sources
    assert len(truth) == 25
    assert np.allclose(sources["flux"], made.flux)
    assert np.allclose(sources["snr"], made.flux_peak / RMS)
    assert np.allclose(np.sort(sources["major_deconv"]), np.sort(made.extent))
    x, y = real.frame.to_pixel(sources["ra"], sources["dec"])
    assert np.allclose([x, y], [made.x, made.y], atol=1e-6)
    assert set(sources["class"]) == {"extended"}
    assert (truth.detections.area > 0).all()


def test_a_true_mask_is_where_the_image_is_above_the_noise(real):
    made = made_of(real, number=5, snr_low=50, snr_high=50)
    truth = injected_truth(real, made, Provenance("1", "inject"))
    for k in range(5):
        one = painted(made.select(np.array([k])).gaussians, real.box)
        assert truth.detections.area[k] == (one >= RMS).sum()
    assert np.allclose(truth.sources["mask_level"], RMS)


def test_a_map_without_place_on_the_sky_will_do():
    image = images.image(np.random.default_rng(1).normal(0, RMS, (200, 200)))
    made = made_of(image, number=10)
    assert len(injected_truth(image, made, Provenance("1", "inject"))) == 10


def test_a_map_of_nothing_and_one_without_room_are_told(real):
    blank = images.image(np.full((50, 50), np.nan))
    with pytest.raises(UsageError, match="holds no pixels"):
        made_of(blank, number=3)
    with pytest.raises(OptionError, match=r"no room for so many sources.*allowed: about"):
        made_of(real, number=5000)


def test_templates_that_cannot_be_used_are_told(real, tmp_path):
    with pytest.raises(UsageError, match="no template there"):
        read_templates([tmp_path / "none.fits"])
    with pytest.raises(UsageError, match="no template there"):
        read_templates([tmp_path])
    empty, junk = tmp_path / "zero.fits", tmp_path / "junk.fits"
    fits.PrimaryHDU(np.zeros((5, 5))).writeto(empty)
    junk.write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="no flux above zero"):
        read_templates([empty])
    with pytest.raises(FormatError, match="cannot be read"):
        read_templates([junk])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"flux_low": 1.0}, "given together"),
        ({"snr_low": 50.0}, "snr_low must not exceed snr_high"),
        ({"kind": "templates"}, "go together"),
        ({"templates": ("a.fits",)}, "go together"),
        ({"number": 0}, "number"),
    ],
)
def test_options_that_contradict_are_told(options, words):
    with pytest.raises(OptionError, match=words):
        InjectOptions(**options)


def test_a_size_that_is_not_told_follows_from_the_beam(real):
    made = made_of(real, number=20, kind="gaussians")
    assert made.extent.min() >= real.beam.major
    assert made.extent.max() <= 3.0 * real.beam.major
    with pytest.raises(OptionError, match="the other follows from the beam"):
        made_of(real, number=5, kind="gaussians", size_low=100.0 * real.beam.major)


def test_the_real_templates_conserve_their_flux(data_folder):
    templates = read_templates([data_folder / "challenge" / "templates"])
    assert len(templates) == 12
    image = SkyImage.from_array(np.zeros((64, 64)), beam=(12.0, 10.0, 20.0), pixel_scale=2.5)
    options = InjectOptions(
        kind="templates", templates=(str(data_folder / "challenge" / "templates"),), number=12, spacing=0,
        size_low=60.0, size_high=60.0, layout="grid", snr_low=20, snr_high=20,
    )  # fmt: skip
    made = make_sources(image, lambda box: np.full(box.shape, 1.0), options)
    area = image.frame.beam_area_pixels(image.beam)
    for k in range(len(made)):
        one = painted(made.select(np.array([k])).gaussians, Box(-100, 164, -100, 164))
        assert one.sum() / area == pytest.approx(made.flux[k], rel=1e-4)


def test_sources_are_put_in_as_the_primary_beam_shows_them(tmp_path):
    """Found with the same beam they have their true fluxes, and the map's pixels hold what it shows of them."""
    noise = np.random.default_rng(5).normal(0.0, 1e-4, (200, 200)).astype(np.float32)
    image = SkyImage.from_array(noise, beam=(10.0, 10.0, 0.0), pixel_scale=2.5, frequency=1.4e9)
    v, u = np.mgrid[:200, :200]
    beam = np.exp(-4 * np.log(2) * ((u - 99.5) ** 2 + (v - 99.5) ** 2) / 180.0**2)
    path = tmp_path / "beam.fits"
    write_image(
        path, beam.shape, [beam.astype(np.float32)], frame=image.frame, beam=image.beam, unit="Jy/beam"
    )
    how = {"number": 25, "flux_low": 0.05, "flux_high": 0.05, "spacing": 4.0}
    full, truth = skysift.inject(image, primary_beam=str(path), **how)
    rows = truth.sources
    x, y = np.rint(rows["x"]).astype(int), np.rint(rows["y"]).astype(int)
    assert rows["primary_beam"] == pytest.approx(beam[y, x], abs=0.02)
    assert rows["primary_beam"].min() < 0.7
    assert rows["rms"] * rows["primary_beam"] == pytest.approx([1e-4] * 25, rel=0.2)
    area = image.frame.beam_area_pixels(image.beam)
    shown = (full.read() - noise).sum() / area
    assert shown == pytest.approx((rows["flux"] * rows["primary_beam"]).sum(), rel=0.01)
    found = skysift.find(full, primary_beam=str(path)).sources
    at = np.argmin(np.hypot(found["x"][:, None] - rows["x"], found["y"][:, None] - rows["y"]), axis=0)
    assert len(set(at.tolist())) == 25
    assert found["flux"][at] == pytest.approx(rows["flux"], rel=0.02)
    plain, same = skysift.inject(image, primary_beam=str(path), corrected=True, **how)
    assert (plain.read() - noise).sum() / area == pytest.approx(same.sources["flux"].sum(), rel=0.01)
    assert "primary_beam" in skysift.inject(image, dish=25.0, **how)[1].sources
    assert "primary_beam" not in skysift.inject(image, **how)[1].sources
    with pytest.raises(OptionError, match="two ways"):
        skysift.inject(image, primary_beam="a.fits", weight="b.fits")


def test_sources_have_the_beam_of_their_place(tmp_path):
    noise = np.random.default_rng(5).normal(0.0, 1e-4, (160, 160)).astype(np.float32)
    image = images.image(noise, (5.0, 5.0, 0.0), scale=(2.0, 2.0), projection="SIN")
    (tmp_path / "psf.csv").write_text("ra,dec,bmaj,bmin,bpa\n180,-30,0.004,0.0035,20\n")
    how = {"number": 9, "flux_low": 0.05, "flux_high": 0.05, "layout": "grid"}
    full, truth = skysift.inject(image, psf_file=str(tmp_path / "psf.csv"), **how)
    rows = truth.sources
    assert rows["major"] == pytest.approx([14.4] * len(rows), rel=0.01)
    assert rows["minor"] == pytest.approx([12.6] * len(rows), rel=0.01)
    found = skysift.find(full, psf_file=str(tmp_path / "psf.csv")).sources
    at = np.argmin(np.hypot(found["x"][:, None] - rows["x"], found["y"][:, None] - rows["y"]), axis=0)
    assert not found["resolved"][at].any()
    assert np.median(found["flux"][at] / rows["flux"]) == pytest.approx(1.0, abs=0.01)
    assert [each.name for each in truth.catalogue.provenance.inputs][1:] == ["psf.csv"]


def test_completeness_asks_for_more_sources_than_injection():
    assert CompletenessOptions().number > InjectOptions().number


def test_the_verb_puts_sources_in_and_the_simulators_point_to_it():
    image = images.image(np.random.default_rng(1).normal(0, RMS, (200, 200)))
    full, truth = skysift.inject(image, number=5, snr_low=20)
    assert len(truth) == 5
    x, y = (np.round(truth.sources[name]).astype(int) for name in ("x", "y"))
    assert ((full.read() - image.read())[y, x] > 10 * RMS).all()
    with pytest.raises(UnknownName, match=r"skysift.inject\(image"):
        skysift.simulate("inject")
    with pytest.raises(UsageError, match="go into maps only"):
        skysift.inject(np.zeros((5, 5)))


def test_the_verb_of_completeness_tells_what_the_command_tells():
    image = images.image(np.random.default_rng(1).normal(0, RMS, (120, 120)))
    done = skysift.completeness(image, finder_options={"seed": 6.0}, number=20, inverted=False, workers=1)
    assert done.report.numbers["n_made"] == len(done.made) == 20
    assert done.recovery.found[done.made.snr > 12].mean() > 0.7
    with pytest.raises(OptionError, match="did you mean 'number'"):
        skysift.completeness(image, nmber=3)


def test_the_inverted_map_tells_nothing_of_a_finder_that_drops_by_it():
    image = images.image(np.random.default_rng(1).normal(0, RMS, (120, 120)))
    for level, tells in ((None, True), (0.0, True), (0.95, False)):
        options = {"seed": 6.0, "reliability": level}
        done = skysift.completeness(image, finder_options=options, number=20, workers=1)
        assert ("reliability" in done.report.numbers) is tells
