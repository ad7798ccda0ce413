"""Wide sources: labels of binned crops are true, and what only the binned map shows whole is taken from there."""

import numpy as np
import pytest

from skysift.find.neural.coarser import coarser
from skysift.find.neural.detector import Detector
from skysift.find.neural.found import RAW, as_detections, without_doubles
from skysift.find.neural.levels import quiet_of
from skysift.find.neural.measuring import alone_among
from skysift.find.neural.shapes import beam_width
from skysift.find.neural.wide import FACTOR, not_too_wide, wide_in, wide_windows
from skysift.find.neural.windows import found_in, windows_of
from skysift.find.neural.yolo.finder import YoloFinder
from skysift.learn.samples import Crop
from skysift.measure.ellipse import FWHM
from skysift.sky.box import Box
from skysift.sky.detections import Detections

BEAM = np.array([2.0, 0.0, 2.0])


def gaussian(side, x, y, sigma):
    v, u = np.mgrid[:side, :side]
    return np.exp(-0.5 * ((u - x) ** 2 + (v - y) ** 2) / sigma**2)


def test_labels_of_a_binned_crop_tell_what_its_bins_hold():
    side, sigma, peak = 128, 9.0, 20.0  # sigma of what is seen, with the beam
    rng = np.random.default_rng(1)
    pixels = peak * gaussian(side, 61.5, 65.5, sigma) + rng.normal(size=(side, side))
    intrinsic = sigma**2 - 2.0
    flux = peak * sigma**2 / 2.0  # in beams: the ratio of the areas
    labels = np.array([[61.5, 65.5, intrinsic, 0.0, intrinsic, peak, flux, 0.0, 2.0, 1.0]])
    crop = Crop(pixels.astype(np.float32), labels, np.arange(1), BEAM)
    made = coarser(crop, FACTOR)
    assert made.mask is None
    assert made.pixels.shape == (side // FACTOR, side // FACTOR)
    x, y, xx, _, _, top, total = made.labels[0, :7]
    j, i = np.unravel_index(np.nanargmax(made.pixels), made.pixels.shape)
    assert (i, j) == pytest.approx((x, y), abs=1.0)
    assert xx == pytest.approx(intrinsic / FACTOR**2)
    assert made.pixels.max() == pytest.approx(top, rel=0.06)
    area = 2.0 * np.pi * np.sqrt(np.prod(made.beam[[0, 2]]))
    assert made.pixels.sum() / area == pytest.approx(total, rel=0.02)
    assert quiet_of(made.pixels, 1) == 1.0


@pytest.mark.parametrize("model", ["yolo-dense", "yolo-grid"])
def test_weights_that_never_saw_a_binned_map_do_not_look_at_one(model):
    made = YoloFinder.models[model]
    assert not made({}).wide
    assert not made({"coarse": 0.0}).wide
    assert made({"coarse": 0.1}).wide


class Bright(Detector):
    """Finds the brightest pixel of a window, as wide as half of what is there is above half of it."""

    wide = True

    def net(self):
        raise NotImplementedError

    def inputs(self, z, beam):
        return {"image": np.nan_to_num(z)[None, None]}

    def found(self, answer, z, beam, least):
        top = float(np.nanmax(z))
        if top < 5.0:
            return self.nothing()
        j, i = np.unravel_index(np.nanargmax(z), z.shape)
        area = float((np.nan_to_num(z) > 0.5 * top).sum())
        wide = np.sqrt(max(4.0 * area / np.pi - beam_width(beam) ** 2, 0.0))
        told = {
            "x": float(i),
            "y": float(j),
            "major": wide,
            "minor": wide,
            "snr": top,
            "reach": beam_width(beam),
        }
        columns = {name: np.array([told.get(name, 1.0)]) for name in RAW}
        return as_detections(columns, np.array([0.9]))


@pytest.mark.parametrize("sigma", [2.0, 30.0])
def test_a_source_is_found_once_by_the_map_that_shows_it(sigma):
    shape = (1300, 1200)
    sky = np.zeros(shape, np.float32)
    sky[400:800, 300:700] = 50.0 * gaussian(400, 210.0, 190.0, sigma)
    detector = Bright()

    def run(inputs):
        return inputs["image"]

    def read(box):
        return sky[box.slices()]

    parts = [
        not_too_wide(found_in(core, detector, run, read, shape, BEAM, 0.5, 1), detector, BEAM)
        for core in windows_of(Box.of(shape), 448)
    ]
    cores = wide_windows(Box.of(shape), detector)
    assert len(cores) == 1
    parts += [wide_in(core, detector, run, read, shape, BEAM, 0.5, 1, 0.5) for core in cores]
    found = without_doubles(Detections.concat(parts))
    assert len(found) == 1
    assert (found["x"][0], found["y"][0]) == pytest.approx((510.0, 590.0), abs=FACTOR / 2)
    assert np.hypot(found["major"][0], beam_width(BEAM)) == pytest.approx(FWHM * sigma, rel=0.1)
    assert found["snr"][0] == pytest.approx(50.0, rel=0.05)


def test_without_such_windows_everything_is_taken_from_the_map():
    plain = Bright()
    plain.wide = False
    found = as_detections({name: np.full(2, 90.0) for name in RAW}, np.array([0.9, 0.8]))
    assert wide_windows(Box(0, 900, 0, 900), plain) == []
    assert len(not_too_wide(found, plain, BEAM)) == 2
    assert len(not_too_wide(found, Bright(), BEAM)) == 0


def test_sources_on_a_wide_one_or_in_a_crowd_keep_the_place_that_the_network_told():
    x = np.array([50.0, 54.0, 300.0, 400.0, *np.linspace(600.0, 601.0, 12)])
    y = np.full(x.size, 50.0)
    shape = np.tile(BEAM, (x.size, 1)) * 1.2
    shape[0] = (900.0, 0.0, 900.0)  # a wide one, with another on it
    alone = alone_among(x, y, shape, np.tile(BEAM, (x.size, 1)))
    assert alone.tolist() == [False, False, True, True] + [False] * 12
