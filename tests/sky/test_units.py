"""Units of brightness as headers spell them."""

from __future__ import annotations

import math

import pytest
from astropy import units as u

from skysift.base.errors import HeaderError
from skysift.sky.beam import Beam
from skysift.sky.units import jansky_per_beam

BEAM = Beam(12.0, 8.0, 30.0)


def factor(unit: str | None, frequency: float = 1.4e9) -> float:
    return jansky_per_beam(unit, beam=BEAM, pixel_area=4.0, frequency=frequency).factor


@pytest.mark.parametrize(
    ("spellings", "expected"),
    [
        (
            [
                "Jy/beam",
                "JY/BEAM",
                "Jy/Beam",
                "beam-1 Jy",
                "Jy beam-1",
                "Jy beam^-1",
                "Jy.beam**-1",
                "Jy / beam",
            ],
            1.0,
        ),
        (["jy/bm", "Jy per beam", "JY/BEAM   ", "Jansky/beam"], 1.0),
        (["mJy/beam", "mJy beam-1", "beam-1 mJy", "mJY/BEAM", "milliJy/beam"], 1e-3),
        (["uJy/beam", "microJy/beam", "µJy/beam", "μJy/beam"], 1e-6),
        (["Jy/pixel", "Jy/pix", "JY/PIXEL"], BEAM.area / 4.0),
        (["mJy/pixel"], 1e-3 * BEAM.area / 4.0),
    ],
)
def test_spellings(spellings, expected):
    for spelling in spellings:
        assert factor(spelling) == pytest.approx(expected), spelling


def test_surface_brightness_is_that_of_astropy():
    area = BEAM.area * u.arcsec**2
    assert factor("MJy/sr") == pytest.approx((u.MJy / u.sr * area).to_value(u.Jy))
    for spelling in ("Jy/arcsec2", "Jy/arcsec^2", "Jy arcsec-2", "Jy arcsec**-2"):
        assert factor(spelling) == pytest.approx(BEAM.area)


@pytest.mark.parametrize(("spelling", "kelvin"), [("K", 1.0), ("mK", 1e-3), ("Kelvin", 1.0), ("K (Tb)", 1.0)])
def test_brightness_temperature_is_that_of_astropy(spelling, kelvin):
    equivalency = u.brightness_temperature(1.4 * u.GHz, beam_area=BEAM.area * u.arcsec**2)
    expected = (kelvin * u.K).to_value(u.Jy / u.beam, equivalencies=equivalency)
    assert factor(spelling) == pytest.approx(expected)


def test_a_temperature_needs_its_frequency():
    with pytest.raises(HeaderError, match="--frequency"):
        factor("K", math.nan)


@pytest.mark.parametrize("unit", [None, "", "   "])
def test_no_unit_is_taken_as_jansky_per_beam_and_told(unit):
    conversion = jansky_per_beam(unit, beam=BEAM, pixel_area=4.0)
    assert conversion.factor == 1.0
    assert "assumed" in conversion.notes[0]


def test_a_conversion_is_told():
    (note,) = jansky_per_beam("mJy/beam", beam=BEAM, pixel_area=4.0).notes
    assert "mJy/beam" in note
    assert jansky_per_beam("JY/BEAM", beam=BEAM, pixel_area=4.0).notes == ()


@pytest.mark.parametrize(
    "unit",
    ["counts", "W/m^2-sr", "Jy", "Jy/beam.km/s", "K km/s", "MJY/BEAM", "beam", "Jy2/beam", "Jy*beam", "/"],
)
def test_a_unit_that_cannot_be_converted_says_unit(unit):
    with pytest.raises(HeaderError, match="--unit"):
        factor(unit)
