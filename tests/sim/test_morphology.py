"""Discs and radio galaxies as sums of Gaussians."""

import numpy as np
import pytest

from skysift.base.random import generator
from skysift.sim.morphology import DISC_SIGMA, DISC_WEIGHT, KINDS, sketch
from skysift.sim.strokes import Sketch

RADIO_GALAXIES = ("FRI", "FRII", "bent", "head-tail", "double-double", "remnant")


def painted(drawing: Sketch, row: int, x: np.ndarray, y: np.ndarray, beam: float) -> np.ndarray:
    """Brightness of one galaxy at points, seen through a round beam (sigma)."""
    xx, xy, yy = (each[row] for each in drawing.covariance())
    a, b, c = xx + beam**2, xy, yy + beam**2
    dx, dy = x[..., None] - drawing.x[row], y[..., None] - drawing.y[row]
    det = a * c - b * b
    square = (c * dx * dx - 2 * b * dx * dy + a * dy * dy) / det
    return (drawing.flux[row] / (2 * np.pi * np.sqrt(det)) * np.exp(-0.5 * square)).sum(axis=-1)


def share(drawing: Sketch, chosen: np.ndarray) -> np.ndarray:
    """Parts of the flux of each galaxy in the chosen Gaussians."""
    return np.where(chosen, drawing.flux, 0.0).sum(axis=1)


def test_the_gaussians_of_a_disc_are_an_exponential():
    r = np.geomspace(0.1, 5.0, 1000)
    profile = (DISC_WEIGHT / (2 * np.pi * DISC_SIGMA**2) * np.exp(-0.5 * (r[:, None] / DISC_SIGMA) ** 2)).sum(
        1
    )
    assert np.abs(profile / (np.exp(-r) / (2 * np.pi)) - 1).max() < 0.02


def test_the_gaussians_of_a_disc_have_its_flux_and_second_moment():
    assert DISC_WEIGHT.sum() == pytest.approx(1.0, abs=1e-3)
    assert (DISC_WEIGHT * DISC_SIGMA**2).sum() == pytest.approx(3.0, rel=2e-3)  # of r^2 / 2 under exp(-r)


@pytest.mark.parametrize("kind", KINDS)
def test_sketches_are_sound(kind):
    drawing = sketch(kind, 200, generator(1, kind))
    for column in vars(drawing).values():
        assert column.shape == drawing.x.shape
        assert np.isfinite(column).all()
    assert (drawing.flux >= 0).all()
    np.testing.assert_allclose(drawing.flux.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose((drawing.flux * drawing.tilt).sum(axis=1), 0.0, atol=1e-12)
    assert (drawing.along > 0).all()
    assert (drawing.across > 0).all()
    extent = drawing.extent()
    assert ((extent > 0.5) & (extent < 4.0)).all()


@pytest.mark.parametrize("kind", RADIO_GALAXIES)
def test_radio_galaxies_have_enough_gaussians_and_not_too_many(kind):
    lit = (sketch(kind, 50, generator(2, kind)).flux > 0).sum(axis=1)
    assert lit.min() >= 20
    assert lit.max() <= 150


@pytest.mark.parametrize("kind", RADIO_GALAXIES)
def test_no_two_are_alike(kind):
    drawing = sketch(kind, 30, generator(3, kind))
    assert np.unique(np.round(drawing.extent(), 9)).size == 30


def test_no_galaxies_are_an_empty_sketch():
    assert sketch("FRI", 0, generator(1, "none")).x.shape[0] == 0


def test_edge_brightened_doubles_are_brightest_at_their_ends_and_edge_darkened_near_the_core():
    x, y = np.meshgrid(np.linspace(-1.3, 1.3, 79), np.linspace(-0.9, 0.9, 55))
    where = {}
    for kind in ("FRI", "FRII"):
        drawing = sketch(kind, 30, generator(4, kind))
        extent = drawing.extent()
        peaks = []
        for row in range(30):
            image = painted(drawing, row, x, y, 0.03)
            top = np.unravel_index(np.argmax(image), image.shape)
            peaks.append(np.hypot(x[top], y[top]) / (0.5 * extent[row]))
        where[kind] = np.array(peaks)
    assert np.median(where["FRII"]) > 0.75  # Fanaroff & Riley: separation of the peaks over the extent
    assert np.mean(where["FRII"] > 0.5) > 0.95
    assert np.median(where["FRI"]) < 0.25
    assert np.mean(where["FRI"] < 0.5) > 0.95


def test_tails_are_bent_to_one_side_and_narrow_ones_more():
    wide, narrow = (sketch(kind, 100, generator(5, kind)) for kind in ("bent", "head-tail"))
    for drawing in (wide, narrow):
        assert np.mean(share(drawing, drawing.y < 0.1) > 0.9) > 0.95
    angle = []
    for drawing in (wide, narrow):
        ends = []
        for side in (1, -1):
            here = np.where((side * drawing.x > 0) & (drawing.y < 0), drawing.flux * drawing.y**2, 0.0)
            ends.append(np.arctan2((here * side * drawing.x).sum(1), -(here * drawing.y).sum(1)))
        angle.append(np.degrees(ends[0] + ends[1]))
    assert np.median(angle[0]) > 80  # between the tails
    assert np.median(angle[1]) < 45


def test_double_doubles_have_a_gap_and_remnants_none_brighter_than_the_rest():
    x = np.linspace(-1.2, 1.2, 121)
    double = sketch("double-double", 20, generator(6, "dd"))
    dead = sketch("remnant", 20, generator(6, "dead"))
    peaks = []
    for row in range(20):
        y = np.linspace(-0.6, 0.6, 41)
        along = painted(double, row, *np.meshgrid(x, y), 0.015).sum(axis=0)
        rises = (along[1:-1] > along[:-2]) & (along[1:-1] > along[2:]) & (along[1:-1] > 0.05 * along.max())
        peaks.append(rises.sum())
        smooth = painted(dead, row, *np.meshgrid(x, y), 0.015)
        contrast = smooth.max() / np.median(smooth[smooth > 0.2 * smooth.max()])
        assert contrast < 3.5
    assert np.mean(np.array(peaks) >= 4) > 0.9


def test_spectra_steepen_away_from_where_electrons_are_made_fresh():
    def mean(drawing, chosen):
        weight = np.where(chosen, drawing.flux, 0.0)
        return ((weight * drawing.tilt).sum(1) / np.maximum(weight.sum(1), 1e-12)).mean()

    for kind, fresh, old in (
        ("FRII", lambda r: r > 0.8, lambda r: r < 0.5),  # hot spots
        ("FRI", lambda r: r < 0.2, lambda r: r > 0.6),  # jets
        ("head-tail", lambda r: r < 0.2, lambda r: r > 0.6),
        ("bent", lambda r: r < 0.3, lambda r: r > 0.6),
    ):
        drawing = sketch(kind, 200, generator(7, kind))
        r = np.hypot(drawing.x, drawing.y)
        assert mean(drawing, fresh(r)) > mean(drawing, old(r)) + 0.08, kind


def test_the_extent_of_one_gaussian_at_the_core_is_its_fwhm():
    one = np.ones((1, 1))
    drawing = Sketch(0 * one, 0 * one, one, 2 * one, one, np.radians(45.0) * one, 0 * one)
    assert drawing.extent()[0] == pytest.approx(2 * np.sqrt(8 * np.log(2)))
