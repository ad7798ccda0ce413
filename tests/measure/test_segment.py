"""Sums over segments: what made shapes hold is found, above the level around them, with errors that are errors."""

import numpy as np
import pytest
from scipy import fft, ndimage

from skysift.measure.distance import square_distances
from skysift.measure.segment import RIM, SAMPLES, label_boxes, mark_rim, measure_segments

SIGMA = 2.0  # of the beam, in pixels
AREA = 2 * np.pi * SIGMA**2
REACH = 8
LAGS = np.stack(np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1], axis=-1).reshape(-1, 2)
CORRELATION = np.exp(-(LAGS**2).sum(axis=1) / (4 * SIGMA**2))
INNER, OUTER = 3.0, 14.0


def beam_noise(shape: tuple[int, int], rng: np.random.Generator, rms: float = 1.0) -> np.ndarray:
    """Noise that is correlated as by a round Gaussian beam."""
    v, u = fft.fftfreq(shape[0]), fft.fftfreq(shape[1])
    transfer = np.exp(-2 * (np.pi * SIGMA) ** 2 * (v[:, None] ** 2 + u**2))
    noise = fft.ifft2(fft.fft2(rng.standard_normal(shape)) * transfer).real
    return noise * rms * 2 * np.sqrt(np.pi) * SIGMA


def measured(
    data,
    labels,
    members,
    *,
    level=None,
    rms=None,
    blocked=None,
    y0=0,
    x0=0,
    inner=INNER,
    outer=OUTER,
    rim=0.0,
):
    data = data.astype(np.float32)
    level = np.zeros_like(data) if level is None else level.astype(np.float32)
    rms = np.ones_like(data) if rms is None else rms.astype(np.float32)
    blocked = np.zeros(data.shape, bool) if blocked is None else blocked
    return measure_segments(
        data, level, rms, labels.astype(np.int32), blocked, y0, x0, np.asarray(members), AREA, LAGS, CORRELATION,
        inner, outer, rim,
    )  # fmt: skip


def painted(kind: str, size: int = 101) -> np.ndarray:
    """A shape seen with the beam, its flux 1 Jy."""
    y, x = np.mgrid[:size, :size] - size // 2
    r = np.hypot(x, y)
    flat = {
        "disc": (r <= 18) * 1.0,
        "ring": ((r <= 22) & (r >= 14)) * 1.0,
        "gaussian": np.exp(-(x**2 / 100 + y**2 / 40 + x * y / 100) / 2),
    }[kind]
    return ndimage.gaussian_filter(flat, SIGMA) / flat.sum() * AREA


def test_distances_are_those_of_the_transform():
    rng = np.random.default_rng(4)
    for shape, share in (((40, 61), 0.02), ((7, 90), 0.2), ((30, 1), 0.1)):
        inside = rng.random(shape) < share
        inside[3, 0] = True
        out = np.empty(shape, np.int32)
        square_distances(inside, out)
        assert np.array_equal(out, np.rint(ndimage.distance_transform_edt(~inside) ** 2))


def test_boxes_hold_their_labels():
    labels = np.zeros((20, 30), np.int32)
    labels[3:6, 7:9], labels[10, 2], labels[12, 28] = 2, 5, 5
    index = np.array([-1, -1, 1, -1, -1, 0, 2])
    assert label_boxes(labels, index, 3).tolist() == [[10, 13, 2, 29], [3, 6, 7, 9], [0, 0, 0, 0]]


@pytest.mark.parametrize("kind", ["disc", "ring", "gaussian"])
def test_a_shape_has_the_flux_it_was_made_with(kind):
    model = painted(kind)
    labels = (model > 1e-4 * model.max()).astype(np.int32)
    tilted = model + 0.01 * model.max() + 1e-5 * model.max() * np.arange(model.shape[1])  # with a slope
    found = measured(tilted, labels, [1], rms=np.full(model.shape, 1e-4 * model.max()), y0=200, x0=300)
    assert found.flux_int[0] == pytest.approx(1.0, rel=0.005)
    assert found.n_pixels[0] == labels.sum()
    assert found.n_beams[0] == pytest.approx(labels.sum() / AREA)
    assert found.background[0] == pytest.approx(0.0105 * model.max(), rel=0.01)
    assert (found.x[0], found.y[0]) == pytest.approx((350, 250), abs=0.06)
    y, x = np.mgrid[:101, :101] - 50
    true = [(model * term).sum() / model.sum() for term in (x * x, x * y, y * y)]
    assert found.moments[0] == pytest.approx(true, rel=0.02, abs=0.5)
    if kind == "gaussian":
        assert (found.x_peak[0], found.y_peak[0]) == (350, 250)
        assert found.flux_peak[0] == pytest.approx(model.max(), rel=1e-3)


def test_errors_are_errors_and_nothing_is_biased():
    """Pulls of discs and rings of several sizes on noise, each with the level around it taken off."""
    step, n = 72, 8
    y, x = np.mgrid[: step * n, : step * n]
    r = np.hypot(y % step - step // 2, x % step - step // 2)
    cell = (y // step) * n + x // step
    outer = 8.0 + 2.0 * (cell % 5)
    inside = (r <= outer) & ((cell % 2 == 0) | (r >= outer - 5))
    labels = np.where(inside, cell + 1, 0)
    rms = 1.0 + 0.5 * x / (step * n)
    truth = np.where(inside, 3.0, 0.0) + 0.7
    rng = np.random.default_rng(11)
    pulls, levels, places, fluxes = [], [], [], []
    members = np.arange(1, n * n + 1)
    pixels = np.bincount(labels.ravel())[1:]
    for _ in range(12):
        noise = beam_noise(labels.shape, rng) * rms
        found = measured(truth + noise, labels, members, rms=rms)
        pulls.append((found.flux_int - 3.0 * pixels / AREA) / found.flux_int_err)
        levels.append((found.background - 0.7) / found.background_err)
        places.append((found.x - (cell[36::72, 36::72].ravel() % n * step + 36)) / found.x_err)
        fluxes.append(found.flux_int / (3.0 * pixels / AREA))
    for pull in (pulls, levels, places):
        pull = np.concatenate(pull)
        assert abs(pull.mean()) < 3.5 * pull.std() / np.sqrt(pull.size)
        assert 0.9 < pull.std() < 1.1
    assert np.mean(fluxes) == pytest.approx(1.0, abs=0.01)


def test_an_annulus_next_to_the_segment_counts_its_noise_only_once():
    """Without a gap the noise of segment and annulus go together, and the error says so."""
    labels = np.zeros((60, 60), np.int32)
    labels[26:34, 26:34] = 1
    rng = np.random.default_rng(3)
    found = [measured(beam_noise(labels.shape, rng), labels, [1], inner=0.0, outer=8.0) for _ in range(400)]
    pull = np.array([each.flux_int[0] / each.flux_int_err[0] for each in found])
    assert 0.92 < pull.std() < 1.08


@pytest.mark.parametrize(("seed", "rim"), [(0, 0.0), (1, 0.0), (3, 0.0), (0, 2.0), (3, 1.5)])
def test_sums_and_errors_are_those_of_a_slow_twin(seed, rim):
    """Flux, level, centroid and their errors as sums over all pairs of pixels."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.standard_normal((56, 60)), 3)
    labels, _ = ndimage.label(field > 0.8 * field.std())
    data = beam_noise(labels.shape, rng) + 4 * (labels > 0) + 0.3
    rms = 1 + 0.3 * rng.random(labels.shape)
    blocked = rng.random(labels.shape) < 0.05
    data[rng.random(labels.shape) < 0.03] = np.nan
    sizes = np.bincount(labels.ravel(), minlength=2)[1:]
    member = int(np.argmax(np.where(sizes < 400, sizes, 0))) + 1
    found = measured(data, labels, [member], rms=rms, blocked=blocked, inner=2.0, outer=7.0, rim=rim)
    data, rms = data.astype(np.float32).astype(float), rms.astype(np.float32).astype(float)
    far = ndimage.distance_transform_edt(labels != member)
    ring = (far > 2) & (far <= 7) & (labels == 0) & ~blocked & np.isfinite(data)
    assert 10 * AREA < ring.sum() < 500
    assert found.n_annulus[0] == ring.sum()
    middle, scatter = np.median(data[ring]), 1.4826 * np.median(np.abs(data[ring] - np.median(data[ring])))
    for _ in range(20):  # cut at 3 of its own rms, freed of what the cut takes of it
        kept = data[ring & (np.abs(data - middle) <= 3 * scatter)]
        middle, scatter = kept.mean(), kept.std() / 0.98658
    assert found.background[0] == pytest.approx(middle, rel=1e-5)
    level = found.background[0]
    own = (labels == member) & np.isfinite(data)
    other = ndimage.distance_transform_edt((labels == 0) | (labels == member))
    beside = (far > 0) & (far <= rim) & (far < other) & (labels == 0) & ~blocked & np.isfinite(data)
    assert (rim == 0.0) == (not beside.any())
    y, x = np.nonzero(own | beside | ring)
    inside, summed = own[y, x], (own | beside)[y, x]
    weight = np.where(summed, 1.0, -summed.sum() / ring.sum()) * rms[y, x]
    pairs = np.exp(-((y[:, None] - y) ** 2 + (x[:, None] - x) ** 2) / (4 * SIGMA**2))
    pairs[(np.abs(y[:, None] - y) > REACH) | (np.abs(x[:, None] - x) > REACH)] = 0.0
    value = data[own] - level
    assert found.flux_int[0] == pytest.approx((data[own | beside] - level).sum() / AREA, rel=1e-6)
    assert found.flux_int_err[0] == pytest.approx(np.sqrt(weight @ pairs @ weight) / AREA, rel=1e-6)
    apart = np.where(summed, 0.0, rms[y, x]) / ring.sum()
    assert found.background_err[0] == pytest.approx(np.sqrt(apart @ pairs @ apart), rel=1e-6)
    centre = (value * np.nonzero(own)[1]).sum() / value.sum()
    assert found.x[0] == pytest.approx(centre, rel=1e-6)
    lever = np.where(inside, (x - centre) * rms[y, x], 0.0)
    both = lever @ pairs @ lever + ((x - centre)[inside].sum() * found.background_err[0]) ** 2
    assert found.x_err[0] == pytest.approx(np.sqrt(both) / value.sum(), rel=1e-6)


@pytest.mark.parametrize(("kind", "without"), [("disc", 0.98), ("ring", 0.98), ("gaussian", 0.91)])
def test_a_rim_holds_the_wings_outside_an_isophote(kind, without):
    model = painted(kind)
    labels = (model > 0.2 * model.max()).astype(np.int32)
    rms = np.full(model.shape, 1e-3 * model.max())
    bare, whole = (measured(model, labels, [1], rms=rms, inner=12, outer=24, rim=rim) for rim in (0.0, 6.0))
    assert bare.flux_int[0] < without
    assert whole.flux_int[0] == pytest.approx(1.0, abs=0.05)
    assert whole.flux_int_err[0] > bare.flux_int_err[0]
    for name in (
        "n_pixels",
        "n_beams",
        "background",
        "x",
        "y",
        "x_err",
        "moments",
        "flux_peak",
        "rms",
        "n_annulus",
    ):
        assert np.array_equal(getattr(bare, name), getattr(whole, name)), name


def test_fluxes_within_outlines_that_follow_the_noise_need_a_rim():
    """Gaussians of 5 sigma, each cut at 2.2 sigma of the map smoothed with the beam, as finders do."""
    step, n = 96, 6
    y, x = np.mgrid[: step * n, : step * n]
    r = np.hypot(y % step - step // 2, x % step - step // 2)
    cell = (y // step) * n + x // step
    model = 5.0 * np.exp(-(r**2) / (2.0 * (6.0 + 0.5 * (cell % 8)) ** 2))
    true = np.bincount(cell.ravel(), model.ravel()) / AREA
    rng = np.random.default_rng(17)
    pulls = {0.0: [], 5.9: []}
    for _ in range(6):
        data = model + beam_noise(model.shape, rng)
        pieces, _ = ndimage.label((ndimage.gaussian_filter(data, SIGMA) > 2.2 * np.sqrt(0.5)) & (r < 30))
        middle = pieces[step // 2 :: step, step // 2 :: step].ravel()
        labels = np.where((pieces == middle[cell]) & (pieces > 0), cell + 1, 0)
        for rim, pull in pulls.items():
            found = measured(data, labels, np.arange(1, n * n + 1), inner=11.8, outer=23.5, rim=rim)
            pull.append((found.flux_int - true) / found.flux_int_err)
    bare, whole = (np.concatenate(each) for each in pulls.values())
    assert bare.mean() < -0.5
    assert abs(whole.mean()) < 0.3
    assert 0.85 < whole.std() < 1.25


@pytest.mark.parametrize("gap", [4, 5])
def test_a_pixel_between_two_segments_is_in_the_rim_of_the_nearer(gap):
    labels = np.zeros((60, 80), np.int32)
    labels[20:40, 10:30], labels[20:40, 30 + gap : 60], labels[5:8, 20:24] = 1, 2, 3
    rims = np.zeros(labels.shape, int)
    for label in (1, 2, 3):
        distance, part = np.empty(labels.shape, np.int32), (labels == label).astype(np.int8)
        square_distances(labels == label, distance)
        mark_rim(
            np.zeros(labels.shape, "f4"),
            labels,
            np.zeros(labels.shape, bool),
            distance,
            0,
            0,
            label,
            6.0,
            part,
        )
        rims += part == RIM
        if label == 1:  # it has the middle of an odd gap too
            assert (part[25:35, 30 : 30 + (gap + 1) // 2] == RIM).all()
    away = ndimage.distance_transform_edt(labels == 0)
    assert rims.max() == 1
    assert np.array_equal(rims == 1, (labels == 0) & (away <= 6.0))


def test_the_subsample_of_a_large_segment_gives_the_same_error():
    labels = np.zeros((220, 220), np.int32)
    y, x = np.mgrid[:220, :220] - 110
    labels[np.hypot(x, y) < 80] = 1
    found = measured(np.zeros(labels.shape), labels, [1], rms=1 + 0.004 * (x + 110))
    rms = np.where(labels > 0, 1 + 0.004 * (x + 110), 0.0)
    square = ndimage.convolve(rms, CORRELATION.reshape(2 * REACH + 1, -1), mode="constant")
    exact = np.sqrt((rms * square).sum()) / AREA
    noise = found.n_beams[0] * found.background_err[0]
    assert labels.sum() > 5 * SAMPLES
    assert np.sqrt(found.flux_int_err[0] ** 2 - noise**2) == pytest.approx(exact, rel=0.03)


def test_neighbours_and_blocked_and_blank_pixels_leave_the_level_alone():
    data = np.full((80, 80), 0.5)
    labels = np.zeros((80, 80), np.int32)
    labels[30:50, 30:50], labels[30:50, 54:60] = 1, 2
    data[labels == 1], data[labels == 2] = 2.5, 9.0
    blocked = np.zeros(labels.shape, bool)
    blocked[52:58, 30:50] = True
    data[blocked] = 7.0
    data[20:26, 20:60] = np.nan
    data[40, 40] = np.nan
    found = measured(data, labels, [2, 1], blocked=blocked)
    assert found.background == pytest.approx([0.5, 0.5])
    assert found.n_pixels.tolist() == [120, 399]
    assert found.flux_int[1] == pytest.approx(2.0 * 399 / AREA)
    assert found.flux_peak == pytest.approx([8.5, 2.0])


def test_the_annulus_comes_nearer_where_there_is_little_room_and_errors_tell():
    labels = np.full((60, 60), 9, np.int32)
    labels[20:40, 20:40] = 1
    labels[18:20, 18:42] = labels[40:42, 18:42] = labels[18:42, 18:20] = labels[18:42, 40:42] = 0
    data = np.where(labels == 0, 0.25, 1.25)
    near = measured(data, labels, [1])
    assert near.n_annulus[0] == 24 * 24 - 20 * 20
    assert near.flux_int[0] == pytest.approx(400 / AREA)
    labels[labels == 0] = 9
    shut = measured(data, labels, [1])
    assert (shut.n_annulus[0], shut.background[0], shut.background_err[0]) == (0, 0.0, 1.0)
    assert shut.flux_int_err[0] > shut.n_beams[0]


def test_structure_around_a_segment_widens_the_error_of_its_level():
    labels = np.zeros((80, 80), np.int32)
    labels[30:50, 30:50] = 1
    rng = np.random.default_rng(8)
    quiet = beam_noise(labels.shape, rng)
    rough = quiet + 2.0 * np.sign(np.sin(np.arange(80) / 3.0))
    assert (
        measured(rough, labels, [1]).background_err[0] > 1.8 * measured(quiet, labels, [1]).background_err[0]
    )


def test_the_rows_do_not_depend_on_the_tile():
    rng = np.random.default_rng(5)
    data = beam_noise((120, 140), rng) + 1.0
    labels = np.zeros(data.shape, np.int32)
    labels[50:70, 40:80], labels[80:84, 100:106] = 7, 3
    whole = measured(data, labels, [3, 7])
    cut = measured(data[20:], labels[20:], [7, 3], y0=20)
    for name in (
        "flux_int",
        "flux_int_err",
        "background",
        "background_err",
        "x",
        "y",
        "x_err",
        "moments",
        "n_annulus",
    ):
        assert np.array_equal(getattr(whole, name), getattr(cut, name)[::-1]), name


def test_nothing_gives_nothing_and_no_data_gives_nan():
    labels = np.zeros((30, 30), np.int32)
    labels[10:20, 10:20] = 1
    assert len(measured(np.zeros(labels.shape), labels, [])) == 0
    data = np.zeros(labels.shape)
    data[10:20, 10:20] = np.nan
    found = measured(data, labels, [1, 2])
    assert found.n_pixels.tolist() == [0, 0]
    assert np.isnan(found.flux_int).all()
    assert np.isnan(found.background).all()
