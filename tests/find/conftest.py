"""Skies that several tests of the finder look at."""

from __future__ import annotations

import numpy as np
import pytest
from tests import images, skies

from skysift.find.finding import Finding
from skysift.sky.image import SkyImage


@pytest.fixture(scope="session")
def crowded() -> SkyImage:
    """Points, doubles, discs and extended sources on a map of the sky, with a hole in it."""
    shape = (300, 340)
    sources = skies.population(
        shape,
        images.BEAM,
        n_points=40,
        n_extended=4,
        n_doubles=4,
        n_discs=1,
        snr=(5, 800),
        rms=images.RMS,
        seed=7,
    )
    data, _ = skies.paint(shape, images.BEAM, rms=images.RMS, sources=sources, seed=7)
    data[100:130, 200:240] = np.nan
    return images.image(data, images.BEAM, centre=(150.0, 30.0))


@pytest.fixture(scope="session")
def found(crowded: SkyImage) -> Finding:
    """What the finder finds in the crowded sky."""
    return images.finding(crowded)


@pytest.fixture(scope="session")
def both_signs() -> Finding:
    """Three positive and two negative sources, looked for both ways."""
    image = images.painted(
        (150, 200),
        *(images.source(40 + 50 * k, 50, 0.1) for k in range(3)),
        *(images.source(60 + 70 * k, 110, -0.1) for k in range(2)),
    )
    return images.finding(image, negative=True)
