"""The painter of made skies does what it says."""

import numpy as np
import pytest
from tests import skies

BEAM = (6.0, 3.5, 30.0)


@pytest.mark.parametrize("kind", ["convolved", "beam", "white"])
def test_noise_has_the_promised_variance_and_autocorrelation(kind):
    noise = skies.correlated_noise((1024, 1024), BEAM, kind, skies.generator(1, "noise"))
    acf = np.fft.ifft2(np.abs(np.fft.fft2(noise)) ** 2).real / noise.size
    assert acf[0, 0] == pytest.approx(1, abs=0.02)
    widening = {"convolved": 2.0, "beam": 1.0, "white": 1e-6}[kind]
    inverse = np.linalg.inv(skies.covariance(*BEAM) * widening)
    for dy, dx in ((0, 1), (1, 0), (2, 2), (3, -2)):
        lag = np.array([dx, dy])
        assert acf[dy, dx] / acf[0, 0] == pytest.approx(np.exp(-0.5 * lag @ inverse @ lag), abs=0.02)


def test_total_flux_is_conserved_and_peaks_are_true():
    sources = skies.population((400, 400), BEAM, n_points=5, n_extended=5, n_discs=5, lattice=90, seed=2)
    image, truth = skies.paint((400, 400), BEAM, noise=None, sources=sources)
    assert image.sum(dtype=float) / skies.beam_area(BEAM) == pytest.approx(truth["total"].sum(), rel=1e-5)
    for s in truth:
        x, y = round(s["x"]), round(s["y"])
        assert image[y - 1 : y + 2, x - 1 : x + 2].max() == pytest.approx(s["peak"], rel=0.15)
        assert image[y - 1 : y + 2, x - 1 : x + 2].max() <= s["peak"] * (1 + 1e-6)


def test_moments_of_a_disc_and_of_a_gaussian_are_those_of_the_truth():
    y, x = np.mgrid[:200, :200]
    for kind in ("n_extended", "n_discs"):
        sources = skies.population((200, 200), BEAM, **{kind: 1}, lattice=200, seed=4)
        image, truth = skies.paint((200, 200), BEAM, noise=None, sources=sources)
        w = image.astype(float) / image.sum(dtype=float)
        dx, dy = x - truth["x"][0], y - truth["y"][0]
        moments = [(w * p).sum() for p in (dx * dx, dx * dy, dy * dy)]
        cov = skies.covariance(truth["maj"], truth["min"], truth["pa"])[0]
        assert moments == pytest.approx([cov[0, 0], cov[0, 1], cov[1, 1]], rel=1e-3, abs=1e-3)


def test_a_sky_is_the_same_twice_and_another_with_another_seed():
    def sky(seed):
        sources = skies.population((128, 128), BEAM, n_points=9, n_doubles=2, seed=seed)
        return skies.paint((128, 128), BEAM, sources=sources, seed=seed)

    (a, t), (b, u), (c, _) = sky(1), sky(1), sky(2)
    assert (a == b).all()
    assert (t == u).all()
    assert (a != c).any()


def test_the_written_beam_is_that_of_the_pixels(tmp_path):
    from astropy.io import fits

    skies.write(
        tmp_path / "map.fits", np.zeros((20, 30), "f4"), (4, 4, 0), pixel_arcsec=(3.0, 2.0), OBJECT="x"
    )
    header = fits.getheader(tmp_path / "map.fits")
    assert header["BMAJ"] * 3600 == pytest.approx(12)
    assert header["BMIN"] * 3600 == pytest.approx(8)
    assert header["BPA"] % 180 == pytest.approx(0)
    assert header["CDELT2"] * 3600 == pytest.approx(3)
    assert header["OBJECT"] == "x"
