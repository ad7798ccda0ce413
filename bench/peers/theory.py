"""How many islands pure noise makes above a threshold."""

import numpy as np
from scipy.stats import norm
from tests.skies import covariance

from bench.peers.fields import Field


def expected_islands(field: Field, threshold: float = 5.0, draws: int = 100_000) -> float:
    """Expected number of pixels above the threshold (in sigma) that exceed their eight neighbours.

    At 5 sigma that is the number of islands: two maxima in one island are rare. The noise is Gaussian with a
    known autocorrelation, so neighbours given the centre are Gaussian: drawn, with centres from the tail.
    """
    rng = np.random.default_rng(0)
    acf = np.linalg.inv(covariance(*field.beam_px) * {"convolved": 2.0, "beam": 1.0}[field.noise])
    around = [(dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dx or dy]
    at = np.array([(0, 0), *around], float)
    lag = at[:, None] - at[None]
    rho = np.exp(-0.5 * np.einsum("ijk,kl,ijl->ij", lag, acf, lag))
    slope, given = rho[1:, 0], rho[1:, 1:] - np.outer(rho[1:, 0], rho[1:, 0])
    root = np.linalg.cholesky(given + 1e-12 * np.eye(8))
    z = norm.isf(rng.uniform(0, norm.sf(threshold), draws))
    neighbours = z[:, None] * slope + rng.standard_normal((draws, 8)) @ root.T
    return field.size**2 * norm.sf(threshold) * float(np.mean((neighbours < z[:, None]).all(1)))
