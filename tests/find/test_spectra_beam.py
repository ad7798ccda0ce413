"""Spectra through a primary beam: its slope is taken out, or the maps are refused before anything is computed."""

from dataclasses import replace

import numpy as np
import pytest
from tests import images, skies

from skysift.base.errors import UsageError
from skysift.find.channels import Channels
from skysift.find.options import FinderOptions
from skysift.find.run import make_finder, search
from skysift.find.taylor import TaylorTerms
from skysift.sky.power_pattern import PATTERNS, half_power, power

SIZE, SCALE, NU = 200, 2.0, 1.2e9
DISH = 190.0  # m; about five arcmin wide
X, Y = (each.ravel() for each in np.meshgrid(np.arange(30, 180, 35) + 0.2, np.arange(30, 180, 35) - 0.3))
ALPHA, BETA, FLUX, RMS = -0.7, 0.2, 1.0, 2e-4


def seen(pattern, nu):
    """What is seen of the sources at a frequency."""
    frame = images.frame((SIZE, SIZE))
    ra, dec = np.radians(frame.to_sky(X, Y))
    cosine = np.sin(dec) * np.sin(np.radians(-30)) + np.cos(dec) * np.cos(np.radians(-30)) * np.cos(
        ra - np.pi
    )
    rho = np.degrees(np.arccos(cosine)) * 3600 / half_power(pattern, nu, DISH)
    u = np.log(nu / NU)
    return FLUX * np.exp(ALPHA * u + BETA * u * u) * power(pattern, rho)


def sky(flux, seed, frequency=NU, rms=RMS):
    sources = np.concatenate([images.source(*one) for one in zip(X, Y, flux, strict=True)])
    data, _ = skies.paint((SIZE, SIZE), images.ROUND, rms=rms, sources=sources, seed=seed)
    return replace(images.image(data, centre=(180.0, -30.0)), frequency=frequency, name=f"map{seed}")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_beam_is_taken_out_of_taylor_terms(pattern):
    w = np.linspace(-0.05, 0.05, 41)
    fluxes = np.stack([seen(pattern, NU * (1 + each)) for each in w])
    terms = np.polyfit(w, fluxes, 8)[::-1][:3]
    maps = [sky(terms[0], 1), sky(terms[1], 2), replace(sky(terms[2], 3), frequency=np.nan)]
    finder = make_finder("classic", dish=DISH, pattern=pattern)
    finding = search(maps[0], finder, beside=[TaylorTerms(tuple(maps[1:]))])
    for rows in (finding.catalogue.components, finding.catalogue.sources):
        assert (rows["primary_beam"] < 0.4).sum() >= 4
        for name, true in (("spectral_index", ALPHA), ("spectral_curvature", BETA)):
            pull = (rows[name] - true) / rows[f"{name}_err"]
            assert abs(np.mean(pull)) < 0.7, name
            assert 0.6 < np.std(pull) < 1.5, name
        assert rows["spectral_index_err"].max() < 0.02
    kept = search(maps[0], make_finder("classic", dish=DISH, pattern=pattern, corrected=True),
        beside=[TaylorTerms(tuple(maps[1:]))]).catalogue.components  # fmt: skip
    assert kept["spectral_index"].min() < ALPHA - 1.0


def test_each_channel_has_the_beam_of_its_own_frequency():
    channels = [sky(seen("cosine", nu), k, nu, rms=1e-3) for k, nu in enumerate((0.9e9, 1.2e9, 1.5e9), 1)]
    finder = make_finder("classic", dish=DISH, spectral_curvature=True)
    rows = search(channels[1], finder, beside=[Channels(tuple(channels))]).catalogue.components
    for name, true in (("spectral_index", ALPHA), ("spectral_curvature", BETA)):
        pull = (rows[name] - true) / rows[f"{name}_err"]
        assert abs(np.mean(pull)) < 0.7, name
        assert np.std(pull) < 1.5, name


def test_a_response_of_one_frequency_is_refused_before_anything_is_computed():
    image, low = sky(seen("cosine", NU), 1), sky(seen("cosine", 0.9e9), 2, 0.9e9)
    options = FinderOptions(primary_beam="none.fits")
    with pytest.raises(UsageError, match=r"does not tell that of channels.*give the dish.*corrected=true"):
        Channels((image, low)).open(image, options)
    with pytest.raises(
        UsageError, match=r"does not tell that of a band.*give the dish alone.*corrected=true"
    ):
        TaylorTerms((low,)).open(image, options)
    for given in (
        FinderOptions(primary_beam="none.fits", corrected=True),
        FinderOptions(weight="none.fits"),
        FinderOptions(dish=DISH),
    ):
        assert len(Channels((image, low)).open(image, given).planes) == 2
        assert len(TaylorTerms((low,)).open(image, given).terms) == 1
    other = low.cut(low.box.expand(-5))
    with pytest.raises(UsageError, match=r"the channel .* does not lie on the pixels"):
        Channels((image, other)).open(image, FinderOptions(weight="none.fits"))
    assert len(Channels((image, other)).open(image, FinderOptions(dish=DISH)).planes) == 2
