"""Background and rms of maps whose noise is known."""

import numpy as np
import pytest
from tests import images, skies
from tests.images import RMS

from skysift.base.errors import UsageError
from skysift.find.classic.options import ClassicOptions
from skysift.find.noise import Noise, measure_noise
from skysift.sky.box import Box


def noise_of(data: np.ndarray, beam_px=images.ROUND, **options) -> Noise:
    return measure_noise(images.image(data, beam_px), ClassicOptions(**options))


def read(noise: Noise, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Level and rms of the whole map."""
    return noise.mesh.read(Box.of(shape))


def plane(shape: tuple[int, int], beam_px=images.ROUND, kind: str = "convolved", seed: int = 1) -> np.ndarray:
    return RMS * skies.correlated_noise(shape, beam_px, kind, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", ["convolved", "beam", "white"])
@pytest.mark.parametrize("beam_px", [images.ROUND, images.BEAM, (2.5, 2.5, 0.0)])
def test_the_rms_of_pure_noise_is_right_within_a_percent(kind, beam_px):
    data = plane((900, 1000), beam_px, kind)
    level, rms = read(noise_of(data, beam_px), data.shape)
    assert rms.mean() == pytest.approx(data.std(), rel=0.01)
    assert np.percentile(rms, [1, 99]) == pytest.approx([data.std()] * 2, rel=0.12)
    assert np.abs(level).max() < 0.2 * RMS


@pytest.mark.parametrize("beam_px", [(12.0, 12.0, 0.0), (30.0, 8.0, 60.0)])
def test_wide_beams(beam_px):
    data = plane((900, 900), beam_px)
    _, rms = read(noise_of(data, beam_px), data.shape)
    assert rms.mean() == pytest.approx(data.std(), rel=0.05)


def test_the_rms_follows_the_noise_over_the_map():
    x = np.arange(600)
    true = 1 + 2 * (x / 600)
    data = plane((600, 600)) * true
    _, rms = read(noise_of(data), data.shape)
    ratio = rms / (RMS * true)
    assert np.median(ratio) == pytest.approx(1.0, abs=0.03)
    assert np.percentile(ratio, [5, 95]) == pytest.approx([1.0, 1.0], abs=0.2)


def test_sources_do_not_raise_the_rms():
    shape = (600, 600)
    sources = skies.population(
        shape, images.ROUND, n_points=300, n_extended=10, snr=(5, 3e3), seed=2, rms=RMS
    )
    with_sources, _ = skies.paint(shape, images.ROUND, rms=RMS, sources=sources, seed=2)
    without, _ = skies.paint(shape, images.ROUND, rms=RMS, seed=2)
    assert with_sources.std() > 5 * without.std()
    _, rms = read(noise_of(with_sources), shape)
    _, quiet = read(noise_of(without), shape)
    assert rms.mean() == pytest.approx(quiet.mean(), rel=0.04)
    assert np.percentile(rms / quiet, 95) < 1.15


def test_a_lobe_wider_than_the_cells_raises_it_no_more():
    shape = (700, 700)
    lobe = images.source(350, 350, 60.0, 90.0, 60.0, 20.0)
    image = images.painted(shape, lobe)
    noise = measure_noise(image, ClassicOptions())
    level, rms = read(noise, shape)
    assert np.median(rms) == pytest.approx(RMS, rel=0.05)
    assert np.abs(level).max() < 0.5 * RMS


@pytest.mark.parametrize("kind", ["convolved", "beam", "white"])
def test_no_level_for_noise_of_zero_mean(kind):
    shares = []
    for seed in range(12):
        noise = noise_of(plane((300, 300), kind=kind, seed=seed))
        shares.append(noise.mesh.facts["level_share"])
        assert np.abs(noise.mesh.level).max() < 0.4 * RMS
    assert np.mean(shares) < 0.05


@pytest.mark.parametrize("offset", [3.0, -0.5])
def test_a_real_offset_is_found(offset):
    data = plane((500, 500)) + offset * RMS
    level, rms = read(noise_of(data), data.shape)
    assert level == pytest.approx(np.full(data.shape, offset * RMS), abs=0.15 * RMS)
    assert rms.mean() == pytest.approx(RMS, rel=0.02)
    level, rms = read(noise_of(data, background="zero"), data.shape)
    assert not level.any()
    assert rms.mean() == pytest.approx(RMS, rel=0.02)


def test_the_autocorrelation_is_that_of_the_noise():
    for kind, widening in (("convolved", 2.0), ("beam", 1.0)):
        rho = noise_of(plane((900, 900), images.BEAM, kind), images.BEAM).mesh.correlation
        n_y, n_x = rho.shape[0] // 2, rho.shape[1] // 2
        inverse = np.linalg.inv(widening * skies.covariance(*images.BEAM))
        assert rho[n_y, n_x] == pytest.approx(1.0)
        for dy, dx in ((0, 1), (1, 0), (2, -1), (3, 2)):
            lag = np.array([dx, dy])
            assert rho[n_y + dy, n_x + dx] == pytest.approx(np.exp(-0.5 * lag @ inverse @ lag), abs=0.05)


# -- maps with borders, holes and nothing


def blanked(shape: tuple[int, int], where: str) -> np.ndarray:
    data = plane(shape)
    y, x = np.indices(shape)
    cases = {
        "border": (y < 20) | (x > shape[1] - 30) | (y > shape[0] - 5),
        "circle": np.hypot(y - shape[0] / 2, x - shape[1] / 2) > 0.45 * min(shape),
        "hole": (abs(y - 80) < 40) & (abs(x - 90) < 45),
        "stripes": x % 3 > 0,
        "half": np.random.default_rng(1).random(shape) < 0.5,
        "a corner left": (y > 30) | (x > 30),
        "islands": (y // 15 + x // 15) % 2 == 0,
    }
    data[cases[where]] = np.nan
    return data


def test_what_bright_sources_add_to_the_level_of_cells_does_not_join_the_noise():
    """White noise goes together with nothing, however many sources stand in it."""
    shape = (600, 600)
    sources = skies.population(
        shape, images.ROUND, n_points=600, snr=(40, 41), lattice=20, margin=10, rms=RMS, seed=5
    )
    data, _ = skies.paint(shape, images.ROUND, rms=RMS, sources=sources, noise="white", seed=5)
    found = noise_of(data).mesh.correlation
    middle = found.shape[0] // 2, found.shape[1] // 2
    assert found[middle] == pytest.approx(1.0)
    assert abs(found.sum() - 1.0) / found.size < 1.5e-3


@pytest.mark.parametrize("where", ["border", "circle", "hole", "stripes", "half", "a corner left", "islands"])
def test_there_is_noise_wherever_there_are_data(where):
    data = blanked((180, 210), where)
    noise = noise_of(data)
    level, rms = read(noise, data.shape)
    assert np.isfinite(level).all()
    assert np.isfinite(rms).all()
    assert (rms > 0).all()
    assert np.median(rms[np.isfinite(data)]) == pytest.approx(
        RMS, rel=0.4 if where == "a corner left" else 0.15
    )
    tile = noise.tile(images.image(data), Box.of(data.shape))
    np.testing.assert_array_equal(np.isnan(tile.data), np.isnan(data))


@pytest.mark.parametrize("shape", [(1, 400), (400, 1), (2, 300), (8, 8), (5, 40), (20, 20), (63, 65)])
def test_small_and_thin_maps(shape):
    data = plane((400, 400))[: shape[0], : shape[1]]
    level, rms = read(noise_of(data), shape)
    assert np.isfinite(level).all()
    assert (rms > 0).all()
    assert np.isfinite(rms).all()
    if max(shape) > 100:
        assert np.median(rms) == pytest.approx(RMS, rel=0.4)


def test_padding_with_zeros_is_not_quiet_noise():
    data = np.zeros((400, 400))
    data[60:340, 60:340] = plane((280, 280))
    _, rms = read(noise_of(data), data.shape)
    assert rms[70:330, 70:330] == pytest.approx(np.full((260, 260), RMS), rel=0.25)
    assert rms.min() > 0.5 * RMS


@pytest.mark.parametrize("value", [np.nan, 0.0, 1.0, -3e20])
def test_maps_without_noise_say_so(value):
    noise = noise_of(np.full((150, 160), value))
    assert not noise.mesh.valid


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_the_unit_does_not_matter(scale):
    data = plane((200, 200))
    level, rms = read(noise_of(data + 2 * RMS), data.shape)
    level_scaled, rms_scaled = read(noise_of((data + 2 * RMS).astype(float) * scale), data.shape)
    assert rms_scaled / scale == pytest.approx(rms, rel=1e-4)
    assert level_scaled / scale == pytest.approx(level, rel=1e-4)


# -- maps that are given


def test_given_maps_are_used(tmp_path):
    shape = (150, 180)
    data = plane(shape) + 5 * RMS
    skies.write(tmp_path / "level.fits", np.full(shape, 4.5 * RMS, "f4"), images.ROUND)
    skies.write(tmp_path / "rms.fits", np.full(shape, 2 * RMS, "f4"), images.ROUND)
    noise = noise_of(
        data,
        background="file",
        background_file=str(tmp_path / "level.fits"),
        rms_file=str(tmp_path / "rms.fits"),
    )
    tile = noise.tile(images.image(data), Box.of(shape))
    assert tile.level == pytest.approx(np.full(shape, 4.5 * RMS))
    assert tile.rms == pytest.approx(np.full(shape, 2 * RMS))


def test_pixels_without_a_given_noise_are_blank(tmp_path):
    shape = (150, 180)
    given = np.full(shape, RMS, "f4")
    given[:20], given[20:30], given[30:40] = np.nan, 0.0, -1.0
    skies.write(tmp_path / "rms.fits", given, images.ROUND)
    data = plane(shape)
    tile = noise_of(data, rms_file=str(tmp_path / "rms.fits")).tile(images.image(data), Box.of(shape))
    assert np.isnan(tile.data[:40]).all()
    assert np.isfinite(tile.data[40:]).all()
    assert (tile.rms > 0).all()


def test_a_given_map_must_fit_the_image(tmp_path):
    skies.write(tmp_path / "rms.fits", np.full((20, 30), RMS, "f4"), images.ROUND)
    with pytest.raises(UsageError, match=r"does not fit.*\(20, 30\).*\(150, 180\)"):
        noise_of(plane((150, 180)), rms_file=str(tmp_path / "rms.fits"))
    with pytest.raises(UsageError, match=r"background=file.*background_file"):
        noise_of(plane((150, 180)), background="file")
    with pytest.raises(UsageError, match="no such file"):
        noise_of(plane((150, 180)), rms_file=str(tmp_path / "missing.fits"))


def test_negative_sources_are_left_out_where_a_map_is_signed():
    sources = skies.population(
        (600, 600), images.ROUND, n_extended=100, rms=RMS, snr=(20, 200), lattice=50, margin=20
    )
    sources["total"] *= -1.0
    data, _ = skies.paint((600, 600), images.ROUND, rms=RMS, sources=sources)
    image = images.image(data)
    signed, plain = (
        read(measure_noise(image, ClassicOptions(), signed=each), data.shape)[1].mean()
        for each in (True, False)
    )
    assert signed == pytest.approx(RMS, rel=0.05)
    assert plain > 1.1 * signed
    mirrored = images.image(-data)
    assert read(measure_noise(mirrored, ClassicOptions(), signed=True), data.shape)[
        1
    ].mean() == pytest.approx(signed, rel=1e-3)
