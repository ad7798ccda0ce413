"""Maps beside a smeared one, or one whose beam varies, are seen as it is: ratios of fluxes stay what they are."""

from dataclasses import replace

import numpy as np
import pytest
from tests import images, skies
from tests.find import varying

from skysift.base.errors import UsageError
from skysift.find.beams import as_seen
from skysift.find.channels import Channels
from skysift.find.options import FinderOptions
from skysift.find.run import make_finder, search
from skysift.find.stokes import StokesMaps
from skysift.find.taylor import TaylorTerms
from skysift.sim.made import painted
from skysift.sky.beam import Beam
from skysift.sky.box import Box

SIZE = 240
FREQUENCY, WIDTH = 1.2e9, 60e6  # a channel so wide that the corners are smeared by two beams
X, Y = (each.ravel() for each in np.meshgrid(np.arange(20, 240, 40) + 0.3, np.arange(20, 240, 40) - 0.2))
FLUX = 0.3
RMS = 1e-3


def sky(flux, frequency=FREQUENCY, seed=0, beam_px=images.ROUND):
    """Points seen through the beam and the smearing by a channel of 60 MHz."""
    blank = images.image(np.zeros((SIZE, SIZE), np.float32), beam_px, centre=(180.0, -30.0))
    blank = replace(blank, frequency=frequency)
    smeared, _ = as_seen(blank, FinderOptions(channel_width=WIDTH))
    beam, seen = (each(X, Y) for each in (smeared.unit_covariance, smeared.point_covariance))
    area = [np.sqrt(c[:, 0] * c[:, 2] - c[:, 1] ** 2) for c in (beam, seen)]
    rows = np.column_stack([np.broadcast_to(flux, X.shape) * area[0] / area[1], X, Y, seen])
    noise = skies.correlated_noise((SIZE, SIZE), beam_px, "beam", skies.generator(seed, "noise"))
    data = painted(rows, Box.of((SIZE, SIZE))) + RMS * noise
    image = images.image(data.astype(np.float32), beam_px, centre=(180.0, -30.0))
    return replace(image, frequency=frequency, name=f"map{seed}")


def found(image, *beside):
    return search(image, make_finder("classic", channel_width=WIDTH), beside=beside)


def corners(rows):
    return np.hypot(rows["x"] - SIZE / 2, rows["y"] - SIZE / 2) > 110


@pytest.mark.parametrize("wider", [False, True])
def test_taylor_terms_are_smeared_as_the_first(wider):
    beam = (5.0, 4.5, 20.0) if wider else images.ROUND
    finding = found(sky(FLUX), TaylorTerms((sky(-0.7 * FLUX, seed=1, beam_px=beam),)))
    rows = finding.catalogue.components
    assert len(rows) == len(X)
    assert corners(rows).sum() >= 8
    pull = (rows["spectral_index"] + 0.7) / rows["spectral_index_err"]
    assert abs(np.mean(pull)) < 0.7
    assert np.mean(rows["spectral_index"][corners(rows)]) == pytest.approx(-0.7, abs=0.01)
    terms = finding.tables["spectra"]
    assert np.mean(terms["flux_int"][terms["term"] == 1]) == pytest.approx(-0.7 * FLUX, rel=0.01)


def test_stokes_maps_are_smeared_as_stokes_i():
    alone = np.where(np.arange(len(X)) % 2, FLUX, 0.0)
    total, v, q = sky(alone), sky(-0.2 * FLUX, seed=1), sky(0.1 * alone, seed=2)
    u = replace(sky(0.0, seed=3), frequency=np.nan)
    finding = found(total, StokesMaps.of({"Q": q, "U": u, "V": v}, total))
    rows = finding.catalogue.components
    assert len(rows) == len(X) // 2
    far = corners(rows)
    assert np.mean(rows["fraction_v"][far]) == pytest.approx(-0.2, abs=0.004)
    assert np.mean(rows["fraction_p"][far]) == pytest.approx(0.1, abs=0.004)
    table = finding.tables["stokes_v"]
    assert len(table) == len(X)
    assert np.mean(table["flux"][corners(table)]) == pytest.approx(-0.2 * FLUX, rel=0.02)
    assert not table["resolved"].any()
    nothing = table["stokes_i_id"] == 0
    assert nothing.sum() == len(X) // 2
    assert abs(np.mean(table["flux_i"][nothing] / table["flux_i_err"][nothing])) < 0.8


def test_channels_are_smeared_each_by_its_own_frequency():
    channels = [
        sky(FLUX * (nu / FREQUENCY) ** -0.7, nu, seed) for seed, nu in enumerate((0.8e9, 1.2e9, 1.6e9), 1)
    ]
    finding = found(sky(FLUX), Channels(tuple(channels)))
    rows, table = finding.catalogue.components, finding.tables["spectra"]
    far = np.isin(table["component_id"], rows.ids[corners(rows)])
    for nu in (0.8e9, 1.2e9, 1.6e9):
        true = FLUX * (nu / FREQUENCY) ** -0.7
        here = far & (table["frequency"] == nu)
        assert np.mean(table["flux_int"][here]) == pytest.approx(true, rel=0.01)
    assert np.mean(rows["spectral_index"][corners(rows)]) == pytest.approx(-0.7, abs=0.01)


def test_a_beam_that_varies_is_shared_by_maps_of_the_same_beam_only():
    made = varying.mosaic(shape=(136, 408))
    image = varying.with_beams(made.image)
    double = replace(made.image, factor=2.0 * made.image.factor, frequency=2.8e9)
    v = replace(made.image, factor=-0.5 * made.image.factor)
    finding = search(
        image,
        make_finder("classic"),
        beside=[StokesMaps.of({"V": v}, image), Channels((made.image, double))],
    )
    rows = finding.catalogue.components
    np.testing.assert_allclose(rows["flux_v"], -0.5 * rows["flux"], rtol=0.02)
    np.testing.assert_allclose(rows["spectral_index"], 1.0, atol=0.02)
    wide = replace(double, beam=Beam(20.0, 18.0, 0.0))
    with pytest.raises(UsageError, match="whose beam varies over the map"):
        Channels((made.image, wide)).open(image)
    with pytest.raises(UsageError, match="whose beam varies over the map"):
        StokesMaps.of({"V": wide}, image).open(image)
    with pytest.raises(UsageError, match="cannot be convolved: its beam varies"):
        TaylorTerms((wide,)).open(image)
