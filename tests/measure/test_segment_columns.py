"""What segments are on the sky: arcsec, position angles and surface brightness by the map's own geometry."""

import numpy as np
import pytest
from scipy import ndimage
from tests.measure.test_segment import CORRELATION, LAGS

from skysift.measure.morphology import segment_shapes
from skysift.measure.segment import measure_segments
from skysift.measure.segment_columns import SCATTER, extended_columns
from skysift.sky import schema
from skysift.sky.beam import Beam
from skysift.sky.frame import Frame
from skysift.sky.image import SkyImage
from skysift.sky.table import Table


def image_of(data: np.ndarray, turn: float, pixel: tuple[float, float]) -> SkyImage:
    """A map whose +y is turned by so many degrees from north through east, pixels in arcsec (x, y)."""
    c, s = float(np.cos(np.radians(turn))), float(np.sin(np.radians(turn)))
    cards = {"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CRVAL1": 80.0, "CRVAL2": -30.0, "RADESYS": "ICRS"}
    cards |= {"CRPIX1": 81.0, "CRPIX2": 81.0, "CDELT1": -pixel[0] / 3600, "CDELT2": pixel[1] / 3600}
    cards |= {"CUNIT1": "deg", "CUNIT2": "deg", "PC1_1": c, "PC1_2": -s, "PC2_1": s, "PC2_2": c}
    frame = Frame.from_cards(cards, data.shape)
    return SkyImage.from_array(data, frame=frame, beam=Beam(8.0, 8.0, 0.0))


def columns_of(
    mask: np.ndarray, turn: float = 0.0, pixel: tuple[float, float] = (2.0, 2.0), light: float = 3e-3
) -> dict:
    data = (light * mask).astype(np.float32)
    image = image_of(data, turn, pixel)
    area = 2 * np.pi * np.sqrt(np.linalg.det(image.beam.to_covariance())) / (pixel[0] * pixel[1])
    flat = np.zeros_like(data)
    common = (data, flat, flat + 1e-4, mask.astype(np.int32))
    members = np.array([1])
    fluxes = measure_segments(
        *common, np.zeros(mask.shape, bool), 0, 0, members, area, LAGS, CORRELATION, 2.0, 10.0
    )
    shapes = segment_shapes(*common, 0, 0, members, np.array([4.0, 0.0, 4.0]))
    return extended_columns(fluxes, shapes, image)


Y, X = np.mgrid[:161, :161] - 80.0


@pytest.mark.parametrize("turn", [0.0, 35.0, -60.0])
def test_lengths_and_angles_are_those_on_the_sky(turn):
    found = columns_of((np.abs(X - Y) < 6) & (np.abs(X + Y) < 84), turn)
    assert found["extent"][0] == pytest.approx(84 * np.sqrt(2) * 2, rel=0.04)
    assert found["largest_angular_size"][0] == pytest.approx(found["extent"][0], rel=0.04)
    assert found["width_mean"][0] == pytest.approx(11 / np.sqrt(2) * 2, rel=0.05)
    # from -x -y to +x +y: north-west on an unturned map, where x runs west
    away = (found["extent_pa"][0] - (135.0 + turn) + 90) % 180 - 90
    assert abs(away) < 5


def test_pixels_need_not_be_square():
    found = columns_of((np.abs(Y) < 4) & (np.abs(X) < 50), pixel=(1.0, 3.0))
    assert found["extent"][0] == pytest.approx(100, rel=0.02)
    assert found["extent_pa"][0] == pytest.approx(90, abs=13)
    tall = columns_of((np.abs(X) < 4) & (np.abs(Y) < 50), pixel=(1.0, 3.0))
    assert tall["extent"][0] == pytest.approx(300, rel=0.02)
    assert tall["largest_angular_size"][0] == pytest.approx(300, rel=0.03)


def test_errors_of_lengths_shrink_with_signal_and_are_in_beams():
    disc = np.hypot(X, Y) < 30
    near, far = columns_of(disc, pixel=(2.0, 2.0)), columns_of(disc, pixel=(4.0, 4.0))
    faint = columns_of(disc, light=3e-4)
    for name in ("extent", "largest_angular_size", "width_mean"):
        err = near[f"{name}_err"][0]
        assert 0.05 * 8.0 < err < 0.5 * near[name][0]
        assert faint[f"{name}_err"][0] > 3.0 * err
        # the same beam in half the pixels: four times the area in beams
        assert far[f"{name}_err"][0] == pytest.approx(err * 4 ** SCATTER[name][2], rel=0.05)
    dwarf = columns_of(np.hypot(X, Y) < 3, light=1e-4)
    assert dwarf["extent_err"][0] == pytest.approx(0.5 * dwarf["extent"][0])


def test_surface_brightness_is_flux_over_solid_angle():
    found = columns_of(np.hypot(X, Y) < 30, pixel=(2.0, 2.0))
    beam = 2 * np.pi * 64 / (8 * np.log(2))  # arcsec^2
    assert found["surface_brightness"][0] == pytest.approx(3e-3 / beam, rel=1e-3)
    assert found["surface_snr"][0] == pytest.approx(30, rel=1e-3)
    assert 0 < found["surface_brightness_err"][0] < 0.05 * found["surface_brightness"][0]
    assert found["n_beams"][0] == pytest.approx((np.hypot(X, Y) < 30).sum() * 4 / beam, rel=1e-3)


def test_a_closed_ring_is_as_large_as_it_is_wide():
    ring = ndimage.binary_dilation(np.hypot(X, Y) < 40, iterations=3) & (np.hypot(X, Y) > 32)
    found = columns_of(ring)
    assert found["largest_angular_size"][0] == found["extent"][0]
    assert found["ringness"][0] > 0.95
    assert found["morphology"][0] == "ring"


def test_the_columns_are_declared_and_go_into_a_table():
    found = columns_of(np.hypot(X, Y) < 30)
    known = {each.name for each in schema.further("sources")}
    mine = {name: value for name, value in found.items() if name in known}
    assert set(found) - known <= {"background_local", "background_local_err"}
    empty = {
        each.name: np.zeros(1, {"str": "U1", "int64": int, "float64": float, "bool": bool}[each.dtype])
        for each in schema.columns("sources")
    }
    table = Table.from_columns("sources", {**empty, **mine}, schema.further("sources", *mine))
    assert table["n_peaks"].tolist() == [1]
