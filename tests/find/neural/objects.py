"""A small crop with objects of several classes and their masks, and a network that says what it is told to."""

import numpy as np
import torch
from tests import skies

from skysift.learn.samples import Crop
from skysift.sky.truth import CLASSES

SIZE = 96
BEAM = (4.0, 4.0, 0.0)


def crop_of(seed=1, size=SIZE):
    """Two points, a disc, a pair of lobes apart, and a stripe of what is spurious, in noise of 1."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size].astype(np.float64)
    pixels, mask = rng.normal(size=(size, size)), np.zeros((size, size), np.int32)
    sigma = BEAM[0] / skies.FWHM
    labels = []

    def add(kind, shape, at_x, at_y, peak, limit=2.5):
        pixels[:] += shape
        mask[shape >= limit] = len(labels) + 1
        labels.append(
            [at_x, at_y, 0, 0, 0, peak, shape.sum() / (2 * np.pi * sigma**2), np.nan, CLASSES.index(kind), 1]
        )

    def bump(at_x, at_y, peak):
        return peak * np.exp(-0.5 * ((x - at_x) ** 2 + (y - at_y) ** 2) / sigma**2)

    add("compact", bump(15.2, 20.4, 30.0), 15.2, 20.4, 30.0)
    add("compact", bump(75.0, 12.6, 15.0), 75.0, 12.6, 15.0)
    disc = 12.0 * (np.hypot(x - 34.0, y - 62.0) < 13.0)
    add("extended", disc, 34.0, 62.0, 12.0)
    add("extended-multisland", bump(66.0, 42.0, 20.0) + bump(82.0, 54.0, 20.0), 74.0, 48.0, 20.0)
    stripe = 8.0 * ((np.abs(y - 80.0) < 2.6) & (np.abs(x - 72.0) < 11.0))
    add("spurious", stripe, 72.0, 80.0, 8.0)
    beam = skies.covariance(*BEAM)
    return Crop(
        pixels.astype(np.float32), np.array(labels, np.float64), np.arange(len(labels)),
        np.array([beam[0, 0], beam[0, 1], beam[1, 1]]), mask,
    )  # fmt: skip


class Answers(torch.nn.Module):
    """A network that always answers the same."""

    def __init__(self, answer):
        super().__init__()
        self.answer = torch.nn.Parameter(answer)

    def forward(self, image, told):
        return self.answer
