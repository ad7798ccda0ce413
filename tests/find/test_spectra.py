"""Spectral indices from channels and from Taylor terms: unbiased, with honest errors, and plain about bad input."""

import numpy as np
import pytest
from tests import images
from tests.find import spectral_skies as made

from skysift.base.errors import HeaderError, OptionError, UsageError
from skysift.find.channels import Channels
from skysift.find.run import make_finder, search
from skysift.find.taylor import TaylorTerms
from skysift.sky.flags import has

FREQUENCIES = np.linspace(0.9e9, 1.6e9, 5)


def pulls(rows, found, truth, name="spectral_index"):
    mine, theirs = made.paired(rows, found)
    assert len(mine) > 0.85 * len(found)
    difference = rows[name][mine] - truth[theirs]
    return difference, difference / rows[f"{name}_err"][mine]


def test_channels_of_several_beams_give_unbiased_indices():
    found, alpha = made.sources(40, extended=10)
    image = made.channel(found, alpha, made.REFERENCE, seed=9)
    channels = [
        made.channel(found, alpha, nu, beam_px=(6.0 - k / 2, 5.0 - k / 2, 20.0 * k), seed=k)
        for k, nu in enumerate(FREQUENCIES)
    ]
    finding = search(image, make_finder("classic"), beside=[Channels(tuple(channels))])
    off, pull = pulls(finding.catalogue.components, found, alpha)
    assert abs(np.mean(off)) < 0.02
    assert abs(np.mean(pull)) < 0.5
    assert 0.75 < np.std(pull) < 1.3
    sources = finding.catalogue.sources
    assert (sources["n_channels"] == 5).mean() > 0.9
    np.testing.assert_allclose(np.nanmedian(sources["spectral_chi2"]), 2.4, atol=1.2)
    table = finding.tables["spectra"]
    assert len(table) == 5 * len(finding.catalogue.components)
    assert sorted(set(table["frequency"])) == FREQUENCIES.tolist()
    assert any("all are convolved to" in note for note in finding.notes)
    assert len(finding.catalogue.provenance.inputs) == 6


def test_taylor_terms_give_indices_with_errors_that_know_the_noise():
    found, alpha = made.sources(40, extended=8, snr=(60, 3000), seed=3)
    tt0, tt1 = made.taylor(found, alpha, rms=4e-3)
    finding = search(tt0, make_finder("classic"), beside=[TaylorTerms((tt1,))])
    off, pull = pulls(finding.catalogue.components, found, alpha)
    assert abs(np.mean(off)) < 0.02
    assert 0.75 < np.std(pull) < 1.3
    correlation = finding.facts["correlation of the noise"]["tt0 tt1"]
    assert -0.7 < correlation < -0.1
    assert "spectral_chi2" not in finding.catalogue.components
    assert set(finding.tables["spectra"]["term"].tolist()) == {0, 1}


def test_what_the_terms_leave_out_is_an_error_of_its_own():
    """Two terms alone bend a steep spectrum by many statistical errors; the error of their end covers it."""
    found, alpha = made.sources(16, snr=(2000, 5000), seed=6)
    tt0, tt1 = made.taylor(found, alpha, rms=2e-3, spare=0)
    band = (0.75 * made.REFERENCE, 1.4 * made.REFERENCE)
    finding = search(tt0, make_finder("classic", taylor_band=band), beside=[TaylorTerms((tt1,))])
    rows = finding.catalogue.components
    off, pull = pulls(rows, found, alpha)
    assert np.std(pull) > 2.0
    mine, _ = made.paired(rows, found)
    wrong = rows["spectral_index_trunc_err"][mine]
    assert np.median(wrong) > 0.03
    both = off / np.hypot(rows["spectral_index_err"][mine], wrong)
    assert np.sqrt(np.mean(both**2)) < 1.2
    assert "spectral_index_trunc_err" in finding.catalogue.sources
    assert "spectral_curvature_trunc_err" not in rows


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"taylor_band": (900.0, 1500.0)}, "does not hold the frequency of tt0"),
        ({"taylor_band": (0.9e9, 1.5e9), "taylor_terms": 2}, "fewer Taylor terms"),
    ],
)
def test_a_band_that_cannot_be_is_refused(options, what):
    found, alpha = made.sources(4, seed=1)
    terms = made.taylor(found, alpha, terms=3, n=6)
    with pytest.raises(UsageError, match=what) as caught:
        search(terms[0], make_finder("classic", **options), beside=[TaylorTerms(tuple(terms[1:]))])
    assert "\n" not in str(caught.value)
    for nonsense in ({"taylor_band": (2e9, 1e9)}, {"taylor_terms": 3}):
        with pytest.raises(OptionError, match="taylor_band"):
            make_finder("classic", **nonsense)


def test_three_terms_give_the_curvature():
    found, alpha = made.sources(25, snr=(1000, 5000), seed=4)
    beta = np.full(len(found), -0.4)
    terms = made.taylor(found, alpha, terms=3, beta=-0.4)
    finding = search(terms[0], make_finder("classic"), beside=[TaylorTerms(tuple(terms[1:]))])
    _, pull = pulls(finding.catalogue.components, found, beta, "spectral_curvature")
    assert abs(np.mean(pull)) < 0.6
    assert 0.6 < np.std(pull) < 1.5


def test_terms_of_different_beams_are_brought_to_one():
    found, alpha = made.sources(20, snr=(300, 3000), seed=5)
    tt0, _ = made.taylor(found, alpha, rms=2e-3)
    _, tt1 = made.taylor(found, alpha, rms=2e-3, beam_px=(5.0, 4.4, 30.0))
    finding = search(tt0, make_finder("classic"), beside=[TaylorTerms((tt1,))])
    off, _ = pulls(finding.catalogue.components, found, alpha)
    assert abs(np.mean(off)) < 0.02
    assert finding.image.beam == tt1.beam
    assert any("different beams: all are convolved to" in note for note in finding.notes)


def test_channels_on_other_pixels_are_measured_by_position():
    found, alpha = made.sources(20, snr=(100, 1000), seed=6)
    image = made.channel(found, alpha, made.REFERENCE, seed=1)
    low = made.channel(found, alpha, 0.9e9, seed=2)
    shifted = low.cut(low.box.expand(-30))
    finding = search(image, make_finder("classic"), beside=[Channels((shifted, image))])
    rows = finding.catalogue.components
    inside = (np.abs(rows["x"] - 199.5) < 160) & (np.abs(rows["y"] - 199.5) < 160)
    mine, theirs = made.paired(rows, found)
    good = inside[mine]
    off = (rows["spectral_index"][mine] - alpha[theirs])[good]
    assert abs(np.mean(off / rows["spectral_index_err"][mine][good])) < 0.7
    outside = (rows["x"] < 29) | (rows["x"] > 370) | (rows["y"] < 29) | (rows["y"] > 370)
    assert np.isnan(rows["spectral_index"][outside]).all()


def test_nothing_depends_on_tiles_or_workers():
    found, alpha = made.sources(20, seed=7)
    image = made.channel(found, alpha, made.REFERENCE, seed=1)
    channels = Channels(
        tuple(
            made.channel(found, alpha, nu, beam_px=(4.0 + k, 4.0, 0.0), seed=k)
            for k, nu in enumerate((0.9e9, 1.5e9))
        )
    )
    terms = TaylorTerms((made.channel(found, alpha, 0.9e9, seed=5),))
    for beside in (channels, terms):
        whole = search(image, make_finder("classic"), beside=[beside])
        cut = search(image, make_finder("classic"), beside=[beside], tile=64, workers=2)
        assert whole.catalogue == cut.catalogue
        for name in whole.tables["spectra"]:
            np.testing.assert_array_equal(whole.tables["spectra"][name], cut.tables["spectra"][name])


def test_an_extended_source_seen_by_unlike_arrays_is_flagged():
    big = np.concatenate([images.source(200, 200, 3.0, 24.0), images.source(60, 60, 0.5)])
    alpha = np.full(2, -0.7)
    image = made.channel(big, alpha, made.REFERENCE)
    channels = (
        made.channel(big, alpha, 0.9e9, seed=1),
        made.channel(big, alpha, 1.5e9, beam_px=(8, 8, 0), seed=2),
    )
    rows = search(image, make_finder("classic"), beside=[Channels(channels)]).catalogue.sources
    doubted = has(rows["flags"], "uv_mismatch")
    assert doubted[np.argmax(rows["flux_int"])]
    assert not doubted[np.argmin(np.hypot(rows["x"] - 60, rows["y"] - 60))]
    alike = search(image, make_finder("classic"), beside=[Channels((channels[0], image))]).catalogue.sources
    assert not has(alike["flags"], "uv_mismatch").any()


def test_an_extended_source_that_loses_flux_is_flagged_by_its_chi_squared():
    big = images.source(200, 200, 3.0, 20.0)
    image = made.channel(big, np.array([-0.7]), made.REFERENCE)
    channels = []
    for k, nu in enumerate(FREQUENCIES):
        seen = big.copy()
        seen["total"] *= 0.8 if k in (1, 4) else 1.0
        channels.append(made.channel(seen, np.array([-0.7]), nu, seed=k))
    rows = search(image, make_finder("classic"), beside=[Channels(tuple(channels))]).catalogue.sources
    assert has(rows["flags"], "uv_mismatch")[np.argmax(rows["flux_int"])]


def test_a_map_without_sources_gets_empty_columns():
    nothing = images.source(5, 5, 0.0)
    image = made.channel(nothing, np.zeros(1), made.REFERENCE)
    channels = Channels((made.channel(nothing, np.zeros(1), 0.9e9), image))
    finding = search(image, make_finder("classic", seed=8.0), beside=[channels])
    assert len(finding.catalogue.components) == 0
    assert "spectral_index" in finding.catalogue.components
    assert len(finding.tables["spectra"]) == 0
    finding = search(image, make_finder("classic", seed=8.0), beside=[TaylorTerms((image,))])
    assert len(finding.tables["spectra"]) == 0


def test_channels_without_data_are_left_out_and_bad_ones_refused_in_one_line():
    source = images.source(60, 60, 0.5)
    alpha = np.array([-0.7])
    image = made.channel(source, alpha, made.REFERENCE, size=120)
    low = made.channel(source, alpha, 0.9e9, size=120)
    blank = made.channel(source, alpha, 1.4e9, size=120)
    blank = type(blank)(
        images.image(np.full((120, 120), np.nan)).pixels,
        blank.frame,
        blank.beam,
        frequency=1.4e9,
        name="blank",
    )
    finding = search(image, make_finder("classic"), beside=[Channels((low, blank, image))])
    assert "blank holds no data: it is left out" in finding.notes
    assert finding.facts["channels"] == 2
    unknown = images.image(low.read(), **made.PLACE)
    with pytest.raises(HeaderError, match=r"tells no frequency.*--channel-frequencies"):
        Channels((low, unknown)).open(image)
    assert len(Channels((low, unknown), (np.nan, 1.4e9)).open(image).planes) == 2
    curved = search(image, make_finder("classic", spectral_curvature=True), beside=[Channels((low, image))])
    assert "spectral_curvature needs 3 frequencies or more: with 2 no curvature is fitted" in curved.notes
    assert not np.isfinite(curved.catalogue.components["spectral_curvature"]).any()
    with pytest.raises(UsageError, match="two frequencies or more: got '1 of 900 MHz'"):
        Channels((low,)).open(image)
    with pytest.raises(UsageError, match="not one for each map"):
        Channels((low, image), (1e9,)).open(image)
    with pytest.raises(UsageError, match=r"tt1 .* does not lie on the pixels"):
        TaylorTerms((low.cut(low.box.expand(-5)),)).open(image)
    with pytest.raises(UsageError, match="tt1 holds no data"):
        TaylorTerms((blank,)).open(image)
    with pytest.raises(UsageError, match="tt1, and perhaps tt2"):
        TaylorTerms(()).open(image)
