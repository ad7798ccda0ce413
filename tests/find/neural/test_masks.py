"""Objects by their masks: doubles, who owns a pixel, levels, and a finder whose eye needs no training."""

import numpy as np
import pytest
from scipy import ndimage
from tests import images, skies
from tests.images import RMS

from skysift.base.errors import OptionError
from skysift.base.parallel import Crew
from skysift.find.extended.coarse import block_noise
from skysift.find.neural import maskfinder
from skysift.find.neural.eye import Eye
from skysift.find.neural.inputs import channels, conditions
from skysift.find.neural.levels import SEEN_RAW, binned, levels_of, objects_in, quiet_of, windows_on
from skysift.find.neural.maskfinder import MaskFinder, owned
from skysift.find.neural.masks import MASK_RAW, MaskDetector, as_masks, from_prints, no_masks
from skysift.find.neural.options import MaskOptions, UnetOptions
from skysift.find.neural.overlaps import lying_on, mended, overlaps, without_double_masks
from skysift.find.noise import measure_noise
from skysift.find.run import search
from skysift.learn.checkpoint import Card, read_checkpoint, write_checkpoint
from skysift.measure.options import NoiseOptions
from skysift.sky.box import Box
from skysift.sky.detections import Detections, Footprints
from skysift.sky.schema import TABLES
from skysift.sky.truth import CLASSES

COMPACT, EXTENDED = CLASSES.index("compact"), CLASSES.index("extended")
BEAM = (4.0, 4.0, 0.0)


def drawn(planes, kinds=None, scores=None, windows=None, **given):
    """Objects from planes of true and false, which may overlap; all seen whole in windows of their own, if not told."""
    n = len(planes)
    runs = [
        np.stack([j, i, i + 1, np.full(len(j), k)])
        for k, plane in enumerate(planes)
        for j, i in [np.nonzero(plane)]
    ]
    found = from_prints(
        Footprints(*np.concatenate(runs, axis=1)), np.ones(planes[0].shape, np.float32),
        np.full(n, EXTENDED) if kinds is None else np.array(kinds), np.ones(n),
        np.linspace(0.9, 0.5, n) if scores is None else np.array(scores),
    )  # fmt: skip
    more = {name: np.zeros(n) for name in SEEN_RAW} | {"own": np.ones(n)}
    more |= {name: np.array(each, float) for name, each in given.items()}
    if windows is not None:
        more |= dict(zip(SEEN_RAW[3:], np.array(windows, float).T, strict=True))
    return Detections(found.boxes, found.scores, found.footprints, {**found.raw, **more})


def plane(y0, y1, x0, x1, shape=(60, 80)):
    made = np.zeros(shape, bool)
    made[y0:y1, x0:x1] = True
    return made


def test_objects_are_made_of_labels():
    labels = np.zeros((20, 30), np.int32)
    labels[3:6, 4:10], labels[3:6, 20:22], labels[10, 5] = 1, 1, 2
    z = np.random.default_rng(1).normal(size=labels.shape).astype(np.float32)
    z[4, 5], z[10, 5] = 9.0, np.nan
    found = as_masks(labels, z, np.array([3, 1]), np.array([0.7, 0.8]), np.array([0.9, 0.6]))
    assert tuple(found.raw) == MASK_RAW
    assert found.boxes.tolist() == [[3, 6, 4, 22], [10, 11, 5, 6]]
    assert found.area.tolist() == [24, 1]
    assert found["y"].tolist() == [4.0, 10.0]
    assert found["x"][0] == pytest.approx((18 * 6.5 + 6 * 20.5) / 24)
    assert found["snr"].tolist() == [9.0, 0.0]
    assert tuple(no_masks().raw) == MASK_RAW


def test_overlaps_are_those_of_a_slow_twin():
    rng = np.random.default_rng(4)
    planes = [
        ndimage.binary_opening(ndimage.gaussian_filter(rng.normal(size=(60, 80)), 3) > 0.05) for _ in range(7)
    ]
    got = {(a, b): n for a, b, n in overlaps(drawn(planes)).tolist()}
    wanted = {
        (a, b): int((planes[a] & planes[b]).sum())
        for a in range(7)
        for b in range(a + 1, 7)
        if (planes[a] & planes[b]).any()
    }
    assert got == wanted


def test_doubles_go_and_compact_objects_stay_on_top():
    planes = [plane(10, 40, 10, 40), plane(12, 42, 10, 40), plane(20, 24, 20, 24), plane(30, 36, 30, 36)]
    kinds = [EXTENDED, EXTENDED, COMPACT, EXTENDED]
    kept = without_double_masks(drawn(planes, kinds))
    assert kept.scores.tolist() == pytest.approx(
        [0.9, 0.9 - 0.8 / 3.0]
    )  # the first, and the compact one on top
    assert kept["class"].tolist() == [EXTENDED, COMPACT]
    far = without_double_masks(drawn([plane(0, 5, 0, 5), plane(0, 5, 4, 9)]))
    assert len(far) == 2


def test_what_only_a_coarse_level_sees_whole_comes_first():
    planes = [plane(10, 14, 10, 40), plane(10, 40, 10, 40)]
    kept = without_double_masks(drawn(planes, scores=[0.9, 0.6], large=[0, 1]))
    assert kept.scores.tolist() == [0.6]


def test_pieces_that_windows_cut_are_mended():
    planes = [plane(10, 14, 0, 40), plane(10, 14, 30, 70), plane(10, 14, 35, 50), plane(50, 55, 0, 5)]
    one, other = (0, 60, 0, 40), (0, 60, 30, 70)
    whole = mended(drawn(planes, windows=[one, other, other, one], cut=[1, 1, 0, 1]))
    assert sorted(whole.boxes.tolist()) == [[10, 14, 0, 70], [10, 14, 35, 50], [50, 55, 0, 5]]
    # what one window sees whole and another cuts
    whole = mended(drawn([plane(10, 14, 20, 40), plane(10, 14, 20, 60)], windows=[one, other], cut=[1, 0]))
    assert whole.boxes.tolist() == [[10, 14, 20, 60]]


def test_cut_objects_that_share_a_few_pixels_stay_two():
    one, other = (0, 60, 0, 40), (0, 60, 30, 80)
    touching = [plane(10, 20, 0, 40), plane(19, 30, 30, 80)]  # they share a row of what both windows see
    assert len(mended(drawn(touching, windows=[one, other], cut=[1, 1]))) == 2
    assert len(mended(drawn([plane(10, 20, 0, 40)] * 2, windows=[one, one], cut=[1, 1]))) == 2
    mixed = [plane(10, 20, 0, 40), plane(10, 20, 30, 80)]
    assert len(mended(drawn(mixed, [EXTENDED, COMPACT], windows=[one, other], cut=[1, 1]))) == 2
    forked = [plane(10, 14, 0, 40), plane(20, 24, 0, 40), plane(10, 24, 30, 80)]
    forked[2][14:20, 30:50] = False  # two arms in one window, the fork in the other
    assert len(mended(drawn(forked, windows=[one, one, other], cut=[1, 1, 1]))) == 1


def test_an_object_is_that_of_the_window_of_its_centre_but_windows_need_not_agree():
    windows = [(0, 60, 0, 45), (0, 60, 35, 80)]
    planes = [plane(10, 30, 20, 50), plane(10, 30, 22, 52)]
    both = without_double_masks(drawn(planes, scores=[0.6, 0.9], windows=windows, own=[1, 0]))
    assert both.scores.tolist() == [0.6]  # another window, though it is surer, does not tell
    neither = without_double_masks(drawn(planes, scores=[0.6, 0.9], windows=windows, own=[0, 0]))
    assert neither.scores.tolist() == [0.9]  # each says that it is the other's
    assert len(without_double_masks(drawn(planes[:1], windows=windows[:1], own=[0]))) == 0
    lone = drawn(
        [plane(10, 30, 20, 50), plane(10, 40, 20, 60)], windows=windows, own=[1, 0], scores=[0.5, 0.9]
    )
    assert without_double_masks(lone).area.tolist() == [600]


def test_classes_that_are_left_out_hide_no_other_object():
    spurious = CLASSES.index("spurious")
    planes = [plane(5, 55, 5, 75), plane(10, 30, 10, 40), plane(35, 50, 50, 70)]
    kinds = [spurious, EXTENDED, COMPACT]
    found = drawn(planes, kinds, scores=[0.95, 0.7, 0.6], large=[1, 0, 0])
    every = without_double_masks(found)
    assert every["class"].tolist() == [spurious, COMPACT]
    some = without_double_masks(found, np.array([False, True, True]))
    assert some["class"].tolist() == [EXTENDED, COMPACT]
    # the same object: its class is that of the surest mask
    same = [plane(10, 30, 10, 40), plane(10, 30, 12, 42)]
    for scores, left in (([0.9, 0.6], []), ([0.6, 0.9], [COMPACT])):
        two = drawn(same, [spurious, COMPACT], scores=scores, large=[1, 0])
        assert without_double_masks(two, np.array([False, True]))["class"].tolist() == left


def test_what_small_objects_lie_on():
    disc = plane(10, 50, 10, 50)
    pair, edge, beside = (
        [plane(20, 26, 20, 26), plane(20, 26, 26, 32)],
        plane(30, 36, 46, 52),
        plane(20, 26, 60, 66),
    )
    small = [*pair, edge, beside]
    disc &= ~np.logical_or.reduce(small)
    on = lying_on(drawn(small), drawn([plane(0, 3, 0, 9), disc]), disc.shape)
    assert on.tolist() == [1, 1, 1, -1]
    corner = plane(0, 4, 0, 4)
    assert lying_on(drawn([corner]), drawn([plane(0, 9, 0, 9) & ~corner]), disc.shape).tolist() == [0]
    assert lying_on(drawn([corner]), drawn([disc]).select([]), disc.shape).tolist() == [-1]


def test_no_two_objects_share_a_pixel_in_the_end():
    image = images.painted((60, 80))
    noise = measure_noise(image, NoiseOptions())
    planes = [plane(10, 40, 10, 40), plane(20, 24, 20, 24), plane(38, 50, 30, 60)]
    objects, sums = owned(drawn(planes), image, noise, Crew(1))
    mask = objects.to_mask(image.shape)  # refuses what shares a pixel
    assert mask.area.tolist() == [900 - 16 - 20, 16, 12 * 30] == sums[:, 0].tolist()
    data = image.read(image.box).astype(float) - noise.tile(image, image.box).level
    for k, label in enumerate(mask.labels.tolist()):
        assert sums[k, 1] == pytest.approx(data[mask.paint() == label].sum(), rel=1e-6)


# -- levels


def test_binned_maps_are_in_units_of_their_noise():
    data = skies.correlated_noise((600, 600), BEAM, "convolved", np.random.default_rng(2))
    data = (data / data.std()).astype(np.float32)
    lag = range(-9, 10)
    correlation = np.array([[np.mean(data * np.roll(data, (j, i), (0, 1))) for i in lag] for j in lag])
    for factor in (2, 4):
        quiet = block_noise(correlation, factor)[0]
        means = binned(data, factor, quiet)
        assert means.shape == (600 // factor, 600 // factor)
        assert means.std() == pytest.approx(1.0, rel=0.05)
        assert quiet_of(binned(data, factor), factor) == pytest.approx(quiet, rel=0.08)
    assert binned(data, 1) is data
    hole = np.ones((5, 5), np.float32)
    hole[:2, :1], hole[4, :] = np.nan, np.nan
    small = binned(hole, 2)
    assert small.shape == (3, 3)
    assert small[0, 0] == 1.0
    assert np.isnan(small[2]).all()


@pytest.mark.parametrize(("beam", "kind"), [((4.0, 4.0, 0.0), "white"), ((6.0, 4.0, 30.0), "beam")])
def test_the_noise_of_bins_is_the_same_in_training_as_on_a_map(beam, kind):
    """That of the negative means, and that which follows from the correlation of the noise."""
    data = skies.correlated_noise((768, 768), beam, kind, np.random.default_rng(1))
    data = (data / data.std()).astype(np.float32)
    lag = range(-14, 15)
    correlation = np.array([[np.mean(data * np.roll(data, (j, i), (0, 1))) for i in lag] for j in lag])
    for factor in (2, 4):
        on_a_map = block_noise(correlation, factor)[0]
        assert quiet_of(binned(data, factor), factor) == pytest.approx(on_a_map, rel=0.04)


def test_levels_share_what_they_are_trusted_with():
    fine, middle, last = levels_of((1, 2, 4), 64, np.ones((1, 1)), (3000, 500))
    assert fine.widest == 96.0
    assert (middle.narrowest, middle.widest, middle.large) == (48.0, 192.0, 96.0)
    assert last.last
    assert np.isinf(last.widest)
    assert len(windows_on(last, (3000, 500), 64)) == 2
    for side, many in ((384, 1), (385, 2), (768, 2), (769, 3)):
        levels = levels_of((1, 2, 4), 64, np.ones((1, 1)), (100, side))
        assert len(levels) == many
        assert levels[-1].last  # one window sees the whole map
        assert len(windows_on(levels[-1], (100, side), 64)) == 1
    with pytest.raises(OptionError, match="levels ascend from 1"):
        MaskOptions(levels=(2, 4))
    with pytest.raises(OptionError, match="levels ascend from 1"):
        UnetOptions(levels=(1, 2, 3))


class Bright(MaskDetector):
    """What hangs together above 4 sigma: an eye without a network."""

    def net(self):
        raise AssertionError("there is none")

    def inputs(self, z, beam):
        return {"image": channels(z)[None], "told": conditions(z, beam)[None]}

    def found(self, answer, z, beam, least):
        labels, n = ndimage.label(np.nan_to_num(z) > 4.0, structure=np.ones((3, 3)))
        area = np.bincount(labels.ravel(), minlength=n + 1)[1:]
        big = area > 120.0 * beam[0]
        return as_masks(
            labels.astype(np.int32), z, np.where(big, EXTENDED, COMPACT), np.ones(n), np.full(n, 0.9)
        )


@pytest.mark.parametrize("factor", [1, 2])
def test_a_window_of_a_level_tells_objects_in_pixels_of_the_map(factor):
    z = np.zeros((700, 900), np.float32)
    z[400:420, 600:640], z[100:104, 700:704] = 8.0, 9.0
    z[500:540, 100:180] = 7.0
    z[520, 140], z[610, 110] = 7.5, 4.9
    fine, coarse = levels_of((1, 2), 64, np.ones((1, 1)), (700, 900))
    level = fine if factor == 1 else coarse
    found = without_double_masks(seen_on(z, level, Bright()))
    told = sorted(zip(map(tuple, found.boxes.tolist()), found["snr"].tolist(), strict=True))
    wide = ((500, 540, 100, 180), 7.5)  # whichever level: the brightest pixel of the map, in its noise
    if factor == 1:
        assert told == [
            ((100, 104, 700, 704), 9.0),
            ((400, 420, 600, 640), 8.0),
            wide,
            ((610, 611, 110, 111), pytest.approx(4.9)),
        ]
    else:
        assert told == [wide]  # what is narrower than 48 pixels is left to the finer level
        assert (found["x"][0], found["y"][0]) == (139.5, 519.5)
        assert found["large"].tolist() == [0.0]


# -- seams


class Known(Bright):
    """What hangs together above 4 sigma, whose centre is at its brightest pixel, moved by some pixels."""

    def __init__(self, off=(0.0, 0.0), from_middle=0.0):
        self.off, self.from_middle = off, from_middle

    def found(self, answer, z, beam, least):
        found = super().found(answer, z, beam, least)
        labels, n = ndimage.label(np.nan_to_num(z) > 4.0, structure=np.ones((3, 3)))
        at = np.array(ndimage.maximum_position(z, labels, np.arange(1, n + 1)), float).reshape(n, 2)
        away = self.from_middle * np.sign(at - 0.5 * (z.shape[0] - 1)) + np.array(self.off)
        raw = {**found.raw, "y": at[:, 0] + away[:, 0], "x": at[:, 1] + away[:, 1]}
        return Detections(found.boxes, found.scores, found.footprints, raw)


def seen_on(z, level, detector, seams=64):
    return Detections.concat([
        objects_in(core, level, detector, lambda inputs: np.zeros((1, 1, 1, 1), np.float32),
                   lambda box: z[box.slices()], z.shape, np.array([3.0, 0.0, 3.0]), 0.5)
        for core in windows_on(level, z.shape, seams)
    ])  # fmt: skip


SEAM = 384  # where the cores of two windows meet


@pytest.mark.parametrize("first", [SEAM - 30, SEAM - 60, SEAM - 100, 150])
def test_an_object_on_a_seam_is_the_one_that_a_single_window_sees(first):
    (level,) = levels_of((1,), 64, np.ones((1, 1)), (700, 900))
    z = np.zeros((500, 900), np.float32)
    z[200:206, first : first + 180] = 8.0
    z[203, first + 10] = 30.0  # a head, which the centre is told at
    parts = seen_on(z, level, Known())
    found = without_double_masks(mended(parts))
    assert found.boxes.tolist() == [[200, 206, first, first + 180]]
    assert found["snr"].tolist() == [30.0]
    assert found["x"].tolist() == [first + 10.0]


@pytest.mark.parametrize("moved", [10.0, -10.0])
def test_windows_that_tell_the_centre_differently_tell_one_object(moved):
    (level,) = levels_of((1,), 64, np.ones((1, 1)), (700, 900))
    z = np.zeros((500, 900), np.float32)
    z[200:240, SEAM - 20 : SEAM + 20] = 8.0
    z[220, SEAM - 1 : SEAM + 1] = 9.0
    found = without_double_masks(mended(seen_on(z, level, Known(from_middle=moved))))
    assert found.boxes.tolist() == [[200, 240, SEAM - 20, SEAM + 20]]


def test_an_object_whose_centre_is_beyond_the_map_is_told():
    (level,) = levels_of((1,), 64, np.ones((1, 1)), (700, 900))
    z = np.zeros((500, 600), np.float32)
    z[200:230, :20], z[480:, 560:] = 8.0, 8.0
    for off in ((0.0, -15.0), (40.0, 60.0)):
        found = without_double_masks(mended(seen_on(z, level, Known(off))))
        assert sorted(found.boxes.tolist()) == [[200, 230, 0, 20], [480, 500, 560, 600]]


# -- the finder


@pytest.fixture
def bright_finder(monkeypatch, tmp_path):
    """A finder that looks through `Bright`."""
    path = tmp_path / "none.safetensors"
    write_checkpoint(path, {}, Card("bright", "none", "tests"))
    eye = Eye(read_checkpoint(path), Bright(), lambda inputs: np.zeros((1, 1, 1, 1), np.float32))
    monkeypatch.setattr(maskfinder, "eye_of", lambda options, checksum=None: eye)
    monkeypatch.setattr(MaskFinder, "eye", lambda self: eye)
    return MaskFinder


@pytest.fixture(scope="module")
def sky():
    """A giant stripe, a disc with a point on top, and points beside them; brightness in sigma."""
    shape = (900, 1300)
    sources = skies.population(
        shape, BEAM, n_points=12, rms=RMS, snr=(30, 200), lattice=200, margin=40, seed=5
    )
    data, truth = skies.paint(shape, BEAM, rms=RMS, sources=sources, seed=5)
    y, x = np.mgrid[:900, :1300]
    stripe = (np.abs(y - 500 - 40 * np.sin(x / 120.0)) < 9) & (x > 60) & (x < 1240)
    disc = np.hypot(y - 150, x - 1000) < 40
    data = data + 8.0 * RMS * ndimage.gaussian_filter((stripe | disc).astype(float), 1.7)
    return images.image(data, BEAM, centre=(80.0, 30.0)), truth, stripe, disc


def test_objects_larger_than_windows_and_tiles_are_one_source(bright_finder, sky):
    image, truth, stripe, disc = sky
    finder = bright_finder(MaskOptions(threshold=0.5))
    finding = search(image, finder, name="masks")
    sources = finding.catalogue.sources
    wide = sources["structure"] == "E"
    assert wide.sum() == 2
    assert set(sources["class"][wide]) == {"extended"}
    longest = np.argmax(np.where(wide, sources["largest_angular_size"], 0.0))
    pixel = float(image.frame.scale[0])
    assert sources["largest_angular_size"][longest] > 1100 * pixel * (3600.0 if pixel < 0.01 else 1.0)
    area = 2.0 * np.pi * (4.0 / 2.3548) ** 2
    for shape, row in (
        (stripe, longest),
        (disc, np.flatnonzero(wide & (np.arange(len(wide)) != longest))[0]),
    ):
        inside = shape[np.round(truth["y"]).astype(int), np.round(truth["x"]).astype(int)]
        flux = 8.0 * RMS * shape.sum() / area
        assert sources["flux"][row] == pytest.approx(flux, rel=0.1), inside.sum()
    apart = ~(ndimage.binary_dilation(stripe | disc, iterations=12))
    lone = truth[apart[np.round(truth["y"]).astype(int), np.round(truth["x"]).astype(int)]]
    away = np.hypot(sources["x"][:, None] - lone["x"], sources["y"][:, None] - lone["y"])
    assert (away.min(axis=0) < 1.0).all()
    at = away.argmin(axis=0)
    assert np.abs((sources["flux"][at] - lone["total"]) / sources["flux_err"][at]).max() < 5.0
    assert finding.facts["segments"] == 2
    other = search(image, finder, name="masks", tile=100, workers=2)
    for kind in TABLES:
        assert finding.catalogue.table(kind) == other.catalogue.table(kind)
    assert finding.mask == other.mask
    labels = finding.read("labels", Box.of(image.shape))
    count = np.bincount(labels.ravel(), minlength=len(sources) + 1)[1:]
    assert (count > 0).all()


class Layered(Bright):
    """A disc and what is brighter than 25 sigma on top of it, as footprints that overlap or as a plane of labels."""

    def __init__(self, overlap):
        self.overlap = overlap

    def found(self, answer, z, beam, least):
        seen = np.nan_to_num(z)
        disc, n_discs = ndimage.label(seen > 4.0, structure=np.ones((3, 3)))
        top, n_tops = ndimage.label(
            ndimage.binary_dilation(seen > 25.0, iterations=2), structure=np.ones((3, 3))
        )
        area = np.bincount(disc.ravel(), minlength=n_discs + 1)
        disc = np.where(area[disc] > 800, disc, 0)
        tops = top * (top > 0)
        if not self.overlap:
            disc = np.where(tops > 0, 0, disc)
        kept = [k for k in range(1, n_discs + 1) if (disc == k).any()]
        planes = [disc == k for k in kept] + [tops == k for k in range(1, n_tops + 1)]
        if not planes:
            return no_masks()
        kinds = np.array([EXTENDED] * len(kept) + [COMPACT] * n_tops)
        runs = [np.stack([j, i, i + 1, np.full(len(j), k)])
                for k, each in enumerate(planes) for j, i in [np.nonzero(each)]]  # fmt: skip
        return from_prints(
            Footprints(*np.concatenate(runs, axis=1)), z, kinds, np.ones(len(kinds)), np.full(len(kinds), 0.9)
        )


@pytest.mark.parametrize("overlap", [True, False])
def test_the_flux_of_an_extended_source_goes_on_below_what_lies_on_it(bright_finder, monkeypatch, overlap):
    shape, area = (300, 320), 2.0 * np.pi * (4.0 / 2.3548) ** 2
    data = skies.paint(shape, BEAM, rms=RMS, seed=8)[0]
    y, x = np.mgrid[: shape[0], : shape[1]]
    disc = ndimage.gaussian_filter((np.hypot(y - 150, x - 160) < 24).astype(float), 1.7)
    data = data + 9.0 * RMS * disc
    tops = [(150.0, 160.0, 90.0), (140.0, 172.0, 70.0), (162.0, 150.0, 110.0)]
    for at_y, at_x, peak in tops:
        data += peak * RMS * np.exp(-0.5 * ((y - at_y) ** 2 + (x - at_x) ** 2) / (4.0 / 2.3548) ** 2)
    finder = bright_finder(MaskOptions(threshold=0.5))
    eye = finder.eye()
    eye = Eye(eye.weights, Layered(overlap), eye.run)
    monkeypatch.setattr(maskfinder, "eye_of", lambda options, checksum=None: eye)
    monkeypatch.setattr(MaskFinder, "eye", lambda self: eye)
    sources = search(images.image(data, BEAM, centre=(80.0, 30.0)), finder, name="masks").catalogue.sources
    wide = sources["structure"] == "E"
    assert wide.sum() == 1
    assert (~wide).sum() == 3
    true = 9.0 * RMS * disc.sum() / area
    assert sources["flux"][wide][0] / true == pytest.approx(1.0, abs=0.03)
    for at_y, at_x, peak in tops:
        row = np.flatnonzero(~wide & (np.hypot(sources["x"] - at_x, sources["y"] - at_y) < 1.0))
        assert sources["flux"][row] == pytest.approx([peak * RMS], rel=0.05)


def test_one_level_alone_takes_all(bright_finder, sky):
    finding = search(sky[0], bright_finder(MaskOptions(threshold=0.5, levels=(1,))), name="masks")
    assert (finding.catalogue.sources["structure"] == "E").sum() == 2  # windows cut it; it is mended


def test_what_has_no_pixel_of_its_own_counts_as_dropped(bright_finder, monkeypatch):
    places = skies.population(
        (200, 220), BEAM, n_points=6, rms=RMS, snr=(40, 90), lattice=60, margin=25, seed=3
    )
    image = images.image(
        skies.paint((200, 220), BEAM, rms=RMS, sources=places, seed=3)[0], BEAM, centre=(80.0, 30.0)
    )
    finder = bright_finder(MaskOptions(threshold=0.5, levels=(1,)))
    every = search(image, finder, name="masks")
    taken = maskfinder.owned

    def without_the_first(*given):
        objects, sums = taken(*given)
        return objects.select(np.arange(1, len(objects))), sums[1:]

    monkeypatch.setattr(maskfinder, "owned", without_the_first)
    fewer = search(image, finder, name="masks")
    assert len(fewer.catalogue.sources) == len(every.catalogue.sources) - 1 > 3
    assert fewer.facts["dropped_when_measured"] == every.facts["dropped_when_measured"] + 1
