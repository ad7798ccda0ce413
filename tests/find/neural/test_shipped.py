"""The weights that come with skysift: on skies that they never saw they do what they are there for."""

import json

import numpy as np
import pytest
from tests import images, skies

import skysift
from skysift.base.errors import UsageError
from skysift.base.registry import Registry
from skysift.find.run import find
from skysift.learn.hub import shipped, weights_of
from skysift.measure.ellipse import FWHM

BEAM = (4.0, 4.0, 0.0)
MOST, ALL = 8e6, 24e6  # bytes: of a file of weights, of all of them


def made(**options):
    registry = Registry("simulator")
    told = {
        "n_pixels": 384,
        "flux_min": 1e-6,
        "artefacts": False,
        "array": "none",
        "random_seed": 9001,
        **options,
    }
    simulator = registry.load("continuum")(registry.options("continuum").parse(told))
    ((image, truth), *_) = simulator.simulate()
    return image, truth


def test_what_ships_is_small_and_tells_where_it_comes_from():
    sizes = [one.path.stat().st_size for one in shipped().values()]
    assert sizes
    assert max(sizes) <= MOST
    assert sum(sizes) <= ALL
    for name in shipped():
        card = weights_of(name).card
        assert card.name == name
        assert card.task
        assert card.numbers
        json.dumps(card.to_dict())
        if card.model not in Registry("model").names():
            continue  # no finder's: tests of its own kind tell more
        assert card.training["fields"]
        assert card.training["train"]["random_seed"] >= 0
        assert card.settings["threshold"] > 0.0
        assert (
            (shipped()[name].path.parent / f"{name}.csv").read_text().startswith("step,")
        )  # how it was learnt


@pytest.mark.parametrize("noise_width", [0.5, 0.7, 1.0])
def test_yolo_earns_more_than_the_classic_finder_whatever_the_colour_of_the_noise(noise_width):
    image, truth = made(frequency=5.6e8, hours=100, noise_width=noise_width)
    told = {"whole": True, "class_id": 3, "core_fraction": 0.0375}  # the same for both
    ours = skysift.score(find(image, "yolo"), truth, "sdc1", **told).numbers
    theirs = [
        skysift.score(find(image, "classic", seed=seed), truth, "sdc1", **told).numbers for seed in (5.0, 3.5)
    ]
    assert ours["M_s"] > 1.03 * max(each["M_s"] for each in theirs)
    assert ours["purity"] > 0.9


def disc(peak, fwhm):
    """A map of 400 pixels with a smooth source in its middle and twelve points around it, in noise."""
    points = skies.population(
        (400, 400), BEAM, n_points=12, rms=1e-5, snr=(15, 60), lattice=90, margin=30, seed=4
    )
    data, truth = skies.paint((400, 400), BEAM, rms=1e-5, sources=points, noise="convolved", seed=4)
    v, u = np.mgrid[:400, :400]
    wide = peak * 1e-5 * np.exp(-0.5 * ((u - 200) ** 2 + (v - 200) ** 2) / (fwhm / FWHM) ** 2)
    return images.image(np.asarray(data + wide, np.float32), BEAM), truth


@pytest.mark.parametrize("finder", ["yolo", "unet", "rcnn", "detr"])
def test_every_network_finds_points_and_what_is_not_one(finder):
    image, truth = disc(25, 12.0)
    sources = find(image, finder).sources
    away = np.hypot(sources["x"][:, None] - truth["x"], sources["y"][:, None] - truth["y"])
    assert (away.min(axis=0) < 2.0).mean() > 0.8
    wide = np.hypot(sources["x"] - 200.0, sources["y"] - 200.0) < 4.0
    assert wide.sum() == 1
    assert sources["class"][wide][0] == "extended"
    flux = 25e-5 * (12.0 / 4.0) ** 2
    assert sources["flux"][wide][0] == pytest.approx(flux, rel=0.25)


def test_a_network_that_reckons_with_places_is_not_given_numbers_that_round_them():
    image, truth = disc(25, 12.0)
    with pytest.raises(UsageError, match="rcnn reckons with places in pixels"):
        find(image, "rcnn", engine="openvino", precision="bfloat16")
    found = find(image, "rcnn", engine="openvino", precision="auto").sources
    torch_found = find(image, "rcnn", engine="torch").sources
    assert abs(len(found) - len(torch_found)) <= 1
    away = np.hypot(found["x"][:, None] - truth["x"], found["y"][:, None] - truth["y"])
    assert (away.min(axis=0) < 2.0).mean() > 0.8


def test_yolo_finds_next_to_nothing_in_noise_alone():
    """Its usual threshold is that of skies full of sources; what is to be pure has a setting of its own."""
    for kind, beam in (
        ("convolved", (4.0, 4.0, 0.0)),
        ("beam", (5.0, 3.0, 40.0)),
        ("white", (4.0, 4.0, 0.0)),
    ):
        data, _ = skies.paint((384, 384), beam, rms=1e-5, noise=kind, seed=3)
        image = images.image(data, beam)
        found = find(image, "yolo").sources
        assert len(found) <= 12
        assert np.all(found["score"] < 0.95)
        assert len(find(image, "yolo", setting="purity=0.99").sources) <= 1
