"""When a map was observed, by whatever cards its header has."""

import math

import pytest

from skysift.io.cards import Header
from skysift.io.epochs import header_epoch


@pytest.mark.parametrize(
    ("cards", "mjd"),
    [
        ({"DATE-OBS": "2011-01-28T06:00:00"}, 55589.25),
        ({"DATE-OBS": "2011-01-28"}, 55589.0),
        ({"DATE-OBS": "28/01/91"}, 48284.0),
        ({"MJD-OBS": 55589.5}, 55589.5),
        ({"MJD-OBS": 55589.5, "MJD-END": 55590.5}, 55590.0),
        ({"DATE-BEG": "2011-01-28T00:00:00", "DATE-END": "2011-01-28T12:00:00.0"}, 55589.25),
        ({"DATE-AVG": "2011-01-28T18:00", "DATE-OBS": "2011-01-28"}, 55589.75),
        ({"DATE-OBS": "yesterday"}, math.nan),
        ({"DATE-OBS": "2011-13-45"}, math.nan),
        ({"MJD-OBS": 0.0}, math.nan),
        ({}, math.nan),
    ],
)
def test_epochs(cards, mjd):
    assert header_epoch(Header(cards)) == pytest.approx(mjd, nan_ok=True, abs=1e-6)
