"""Quoted errors are one sigma, fluxes are unbiased, and noise gives as few islands as theory says."""

import numpy as np
import pytest
from scipy.stats import norm, poisson
from tests import images, skies
from tests.images import RMS

from skysift.sky.catalogue import Table

LATTICE = 36
NOISES = {"convolved": 2.0, "beam": 1.0}  # covariance of the autocorrelation over that of the beam


def isolated(
    beam_px, noise: str, snr: float, *, size: float = 0.0, shape=(1000, 1000), seed: int = 1, **options
):
    """Truth and found components of sources of one peak on a lattice, matched row by row."""
    n = (shape[0] // LATTICE) * (shape[1] // LATTICE)
    kind = "n_extended" if size else "n_points"
    sources = skies.population(shape, beam_px, **{kind: n}, lattice=LATTICE, seed=seed)
    sources["total"] = snr
    if size:
        sources["dmaj"], sources["dmin"], sources["dpa"] = size, 0.6 * size, 40.0
        beam = skies.covariance(*beam_px)
        seen = beam + skies.covariance(size, 0.6 * size, 40.0)
        sources["total"] *= np.sqrt(np.linalg.det(seen) / np.linalg.det(beam))
    sources["total"] *= RMS
    data, truth = skies.paint(shape, beam_px, rms=RMS, noise=noise, sources=sources, seed=seed)
    c = images.finding(images.image(data, beam_px), **options).catalogue.components
    apart = np.hypot(c.x[:, None] - truth["x"], c.y[:, None] - truth["y"])
    nearest = np.argmin(apart, axis=0)
    found = apart[nearest, np.arange(len(truth))] < 3.0
    return truth[found], c.select(nearest[found]), found.mean()


def width(pulls: np.ndarray) -> float:
    """Half the distance of the 16th and the 84th percentile: 1 for a unit Gaussian."""
    low, high = np.percentile(pulls, [16, 84])
    return (high - low) / 2


def check(name: str, pulls: np.ndarray, loose: float = 0.12) -> None:
    known = pulls[np.isfinite(pulls)]
    assert len(known) > 0.9 * len(pulls), name
    assert width(known) == pytest.approx(1.0, abs=loose), name
    assert abs(np.median(known)) < 0.15 + 3 * 1.25 / np.sqrt(len(known)), name
    assert (np.abs(known) > 5).mean() < 0.015, name


def pulls_of(c: Table, truth: np.ndarray, arcsec: float = 2.0) -> dict[str, np.ndarray]:
    return {
        "x": (c.x - truth["x"]) / c.x_err,
        "y": (c.y - truth["y"]) / c.y_err,
        "flux": (c.flux - truth["total"]) / c.flux_err,
        "flux_int": (c.flux_int - truth["total"]) / c.flux_int_err,
        "flux_peak": (c.flux_peak - truth["peak"]) / c.flux_peak_err,
        "major": (c.major - arcsec * truth["maj"]) / c.major_err,
        "minor": (c.minor - arcsec * truth["min"]) / c.minor_err,
    }


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("beam_px", [images.ROUND, images.BEAM])
def test_errors_of_points_are_one_sigma(beam_px, noise):
    truth, c, share = isolated(beam_px, noise, 20.0)
    assert share > 0.995
    pulls = pulls_of(c, truth)
    for name in ("x", "y", "flux", "flux_peak"):
        check(name, pulls[name])
    assert np.median(c.flux / truth["total"]) == pytest.approx(1.0, abs=0.01)
    assert np.median(c.flux_peak / truth["peak"]) == pytest.approx(1.0, abs=0.01)
    assert c.resolved.mean() < 0.02


@pytest.mark.parametrize("noise", NOISES)
def test_errors_of_extended_sources_are_one_sigma(noise):
    truth, c, share = isolated(images.ROUND, noise, 25.0, size=7.0)
    assert share > 0.995
    pulls = pulls_of(c, truth)
    for name in ("x", "y", "flux", "flux_int", "flux_peak", "major", "minor"):
        check(name, pulls[name])
    assert np.median(c.flux / truth["total"]) == pytest.approx(1.0, abs=0.015)
    assert c.resolved.mean() > 0.99


def test_errors_by_condon_hold_for_extended_sources_in_smoothed_white_noise():
    """His noise is white, then convolved with the beam; his formulas hold best for sources larger than it."""
    truth, c, _ = isolated(images.ROUND, "convolved", 25.0, size=7.0, errors="condon")
    pulls = pulls_of(c, truth)
    for name in ("flux_peak", "flux", "major", "minor"):
        check(name, pulls[name], 0.2)


# -- pure noise


def expected_islands(beam_px, noise: str, threshold: float, pixels: int) -> float:
    """Expected number of pixels above a threshold (sigma) that exceed their eight neighbours."""
    rng = np.random.default_rng(0)
    inverse = np.linalg.inv(NOISES[noise] * skies.covariance(*beam_px))
    at = np.array([(0, 0), *((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j)], float)
    lag = at[:, None] - at[None]
    rho = np.exp(-0.5 * np.einsum("ijk,kl,ijl->ij", lag, inverse, lag))
    root = np.linalg.cholesky(rho[1:, 1:] - np.outer(rho[1:, 0], rho[1:, 0]) + 1e-12 * np.eye(8))
    z = norm.isf(rng.uniform(0, norm.sf(threshold), 40000))
    around = z[:, None] * rho[1:, 0] + rng.standard_normal((len(z), 8)) @ root.T
    return pixels * norm.sf(threshold) * float((around < z[:, None]).all(axis=1).mean())


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("beam_px", [images.ROUND, images.BEAM])
def test_pure_noise_gives_as_many_islands_as_theory_says(beam_px, noise):
    shape, seed, maps = (800, 800), 4.2, 4
    expected = expected_islands(beam_px, noise, seed, maps * shape[0] * shape[1])
    counted = 0
    for number in range(maps):
        image = images.painted(shape, beam_px=beam_px, noise=noise, seed=100 + number)
        counted += len(images.finding(image, seed=seed).catalogue.islands)
    low, high = poisson.ppf([0.005, 0.995], expected)
    assert low <= counted <= high


# -- more of the same


@pytest.mark.full
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("beam_px", [images.ROUND, images.BEAM])
@pytest.mark.parametrize("snr", [10.0, 16.0, 30.0, 80.0])
@pytest.mark.parametrize("size", [0.0, 8.0])
def test_errors_are_one_sigma_at_any_strength(beam_px, noise, snr, size):
    truth, c, share = isolated(beam_px, noise, snr, size=size, shape=(2000, 2000), seed=5)
    assert share > 0.99
    pulls = pulls_of(c, truth)
    for name in ("x", "y", "flux", "flux_peak", *(("major", "minor") if size and snr > 15 else ())):
        check(name, pulls[name], 0.1)


@pytest.mark.full
@pytest.mark.parametrize("noise", NOISES)
def test_at_five_sigma_noise_gives_as_many_islands_as_theory_says(noise):
    shape = (4096, 4096)
    expected = expected_islands(images.ROUND, noise, 5.0, shape[0] * shape[1])
    image = images.painted(shape, noise=noise, seed=9)
    counted = len(images.finding(image, workers=2).catalogue.islands)
    low, high = poisson.ppf([0.005, 0.995], expected)
    assert low <= counted <= high
