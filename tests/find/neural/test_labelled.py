"""Labels of made maps: what the border cuts is to be learnt as far as it is seen."""

import numpy as np

import skysift
from skysift.base.registry import Registry
from skysift.find.neural.labelled import labelled_field
from skysift.find.noise import measure_noise
from skysift.measure.options import NoiseOptions


def made_scene():
    registry = Registry("simulator")
    options = {
        "n_pixels": 192, "extended": 4.0, "size_low": 20, "size_high": 60, "brightness_low": 8, "brightness_high": 20,
        "shapes": ("disc",), "spacing": 0.0, "density": 0.0, "array": "none", "random_seed": 4,
    }  # fmt: skip
    simulator = registry.load("extended")(registry.options("extended").parse(options))
    ((image, truth), *_) = simulator.simulate()
    return image, truth


def test_objects_with_their_centres_beyond_the_map_are_learnt_by_what_is_seen():
    image, truth = made_scene()
    assert isinstance(image, skysift.SkyImage)
    field = labelled_field(image, truth, measure_noise(image, NoiseOptions()), name="cut")
    labels = field.labels
    beyond = np.flatnonzero(~image.box.contains(labels["x"], labels["y"]))
    assert beyond.size
    assert (labels["use"] == 1.0).all()
    prints = labels.footprints
    for k in beyond:
        own = np.flatnonzero(prints.index == k)
        top = max(field.pixels[prints.row[i], prints.start[i] : prints.stop[i]].max() for i in own)
        assert labels["snr_peak"][k] <= max(top, 0.0) + 1e-5
    assert (labels["snr_peak"][beyond] > 4.0).any()
    assert set(truth.sources["class"][beyond]) == {"flagged"}
