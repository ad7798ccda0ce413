"""Fainter copies: what they look like, that they are left out with their source, and what they do to faint points."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from tests.classify.pictures import blob, pictures_of
from tests.classify.tables import labelled

from skysift.base.errors import OptionError, UsageError
from skysift.classify.classifier import Labelled, open_model
from skysift.classify.clipped import clipped, ground
from skysift.classify.fainter import FAINT, TABLE, faint_note, fainter, peaks_of
from skysift.classify.options import LightGBMOptions
from skysift.classify.tables import LightGBMClassifier
from skysift.flow.steps.classify_predict import ClassifyPredictStep

SIDE, BEAM = 64, 3.0
RMS = BEAM / 2.3548
WANTED = LightGBMOptions(fainter=1, faintest=8, brightest=30, calibration="none", trees=20, least=5)


def sky(n, peak, seed=1, side=SIDE, spots=((0.0, 0.0, 1.0),)):
    """Sources of some spots (y, x, height) under noise of the beam, whose sigma is 1."""
    rng = np.random.default_rng(seed)
    noise = gaussian_filter(rng.normal(size=(n, side, side)), (0, RMS, RMS), mode="wrap")
    noise /= noise.std(axis=(1, 2), keepdims=True)
    return noise + sum(blob(side, y, x, peak * height, RMS) for y, x, height in spots)


def peaks(pictures):
    pixels = pictures.read()[:, 0]
    return np.array([(np.nanmax(each) - ground(each)[0]) / ground(each)[1] for each in pixels])


def test_a_copy_has_its_peak_between_the_bounds_and_noise_of_the_beam():
    bright = pictures_of(sky(40, 300.0))
    copies = fainter(bright, WANTED, BEAM, 0)
    found = peaks(copies)
    assert found.min() > 8 - 3  # noise adds to a peak, or takes from it
    assert found.max() < 30 + 4
    assert np.ptp(found) > 12
    rim = copies.read()[:, 0, :, :16]
    rim = rim - rim.mean(axis=(1, 2), keepdims=True)
    neighbours = (rim[:, :, 1:] * rim[:, :, :-1]).mean() / (rim**2).mean()
    assert neighbours == pytest.approx(np.exp(-1 / (4 * RMS**2)), abs=0.04)
    assert rim.std() == pytest.approx(1.0, abs=0.1)  # the noise of the picture itself
    np.testing.assert_array_equal(copies.read([3, 5]), copies.read()[[3, 5]])  # whatever is read with it
    assert not np.array_equal(fainter(bright, WANTED, BEAM, 1).read([3]), copies.read([3]))


def test_a_copy_still_shows_what_its_label_says():
    """A core beside a lobe of a twelfth of it: a copy that hid the lobe would not show 60 % of the flux."""
    lobe = tuple((y, x, 1 / 12) for y in (-6, 0, 6) for x in (8, 12))
    source = pictures_of(sky(20, 600.0, spots=((0.0, 0.0, 1.0), *lobe)))
    shown = fainter(source, WANTED.replace(brightest=100), BEAM, 0)
    found = peaks(shown)
    assert found.min() > 18  # a point alone goes down to 8
    none = fainter(source, WANTED.replace(brightest=15), BEAM, 0)
    assert np.isnan(none.read()).all()  # so faint no copy is honest
    assert np.isnan(fainter(pictures_of(sky(2, 6.0)), WANTED, BEAM, 0).read()).all()


def test_copies_of_clipped_pictures_are_clipped():
    once = clipped(sky(6, 300.0)[:, None].astype(np.float32))
    copies = fainter(pictures_of(once), WANTED, BEAM, 0).read()
    assert copies.max() == 255
    assert np.array_equal(copies, np.round(copies))
    assert np.mean(copies == 0) > 0.97
    assert (copies > 0).sum() < (once > 0).sum()  # less of it stands out


def test_a_clipped_picture_begins_at_three_sigma():
    image = sky(1, 33.0, side=200)[:, None].astype(np.float32)
    level, sigma = ground(image[0, 0])
    shown = clipped(image)[0, 0]
    above = (image[0, 0] - level) / sigma
    np.testing.assert_allclose(shown, np.maximum(above - 3, 0) / (above.max() - 3) * 255, atol=0.6)


def given(n=40, peak=200.0):
    one = sky(n // 2, peak, seed=1)
    two = sky(n // 2, peak, seed=2, spots=((0.0, -7.0, 1.0), (0.0, 7.0, 0.8)))
    pictures = pictures_of(np.concatenate([one, two]), scale=1.8)
    pictures = pictures.with_facts(beam_major=np.full(n, 5.4), beam_minor=np.full(n, 5.4))
    return Labelled(pictures.names, ("one", "two"), np.arange(n) // (n // 2), pictures)


def test_copies_are_learnt_and_left_out_with_their_source():
    data = given()
    one = LightGBMClassifier(WANTED.replace(fainter=2))
    data = replace(data, copies=one.copied(data.pictures))
    assert len(data.copies) == 2
    some = data.select([3, 30])
    assert [each.names for each in some.copies] == [("s3", "s30")] * 2
    np.testing.assert_array_equal(some.copies[1].values[1], data.copies[1].values[30])
    held = []

    class Watched(LightGBMClassifier):
        def _left_out(self, values, targets, first, progress):
            held.extend([values, targets, first])
            return super()._left_out(values, targets, first, progress)

    two = Watched(WANTED.replace(fainter=2, calibration="temperature", calibration_folds=4))
    two.fit(data)
    values, targets, first = held
    assert len(values) == len(targets) == len(first) > 100  # most of the 40 have both copies
    np.testing.assert_array_equal(targets, first // 20)
    assert two.left_out.shape == (40, 2)
    assert np.isfinite(two.left_out).all()
    three = LightGBMClassifier(two.options)
    three.fit(given())  # makes the copies itself
    np.testing.assert_array_equal(three.probabilities(data.pictures), two.probabilities(data.pictures))


def test_sources_fainter_than_what_was_learnt_are_told_of(tmp_path):
    one = LightGBMClassifier(WANTED)
    one.fit(given())
    pictures = given(peak=200.0).pictures
    faint = replace(pictures, store=pictures_of(np.concatenate([sky(20, 5.5), sky(20, 20.0)])).store)
    np.testing.assert_array_equal(peaks_of(faint, WANTED) < 8, np.arange(40) < 20)
    told = ClassifyPredictStep().run(one, faint, tmp_path / "told.csv")
    assert (told.ood[:20][told.known[:20]] == 1.0).all()
    assert (told.ood[20:] < 1.0).all()
    (note,) = told.notes
    n = told.known.sum()
    assert note.startswith(
        f"{n - 20} of {n} sources have a peak below 8 times the noise, and nothing as faint was learnt: "
    )
    assert faint_note(np.zeros(3, bool), 8.0) == ""
    assert one.warned(replace(one.seen(faint), facts={})) == TABLE  # as a table of features that was read
    one.save(tmp_path / "one.safetensors", name="one", task="", training={}, numbers={})
    again = open_model(str(tmp_path / "one.safetensors"))
    assert again.copies == one.copies > 30
    np.testing.assert_array_equal(again.predict(faint).ood, told.ood)
    plain = LightGBMClassifier(LightGBMOptions(calibration="none", trees=20, least=5))
    plain.fit(given())
    assert plain.warned(plain.seen(faint)) == ""
    assert FAINT not in plain.seen(faint).facts


def test_a_faint_set_that_was_learnt_itself_is_not_too_faint():
    one = LightGBMClassifier(WANTED.replace(faintest=12))
    data = given(peak=16.0)
    some = np.r_[0:20, 20:40]
    pixels = data.pictures.read()[:, 0]
    pixels[:4] = sky(4, 8.0, seed=9)
    data = replace(data, pictures=replace(data.pictures, store=pictures_of(pixels).store)).select(some)
    one.fit(data)
    assert 5 < one.faintest < 11  # of the four, not 12
    assert (one.predict(data.pictures).ood[:4] < 1.0).any()


def test_a_set_of_which_no_copy_can_be_made_is_refused():
    with pytest.raises(
        UsageError,
        match="no source is bright enough for a fainter copy: got '40 sources, faintest=20, shown",
    ):
        LightGBMClassifier(WANTED.replace(faintest=20)).fit(given(peak=12.0))


def test_a_brighter_stranger_is_not_the_source():
    alone = pictures_of(sky(10, 7.0, side=150))
    stranger = pictures_of(sky(10, 7.0, side=150, spots=((0.0, 0.0, 1.0), (24.0, 20.0, 4.0))))
    np.testing.assert_allclose(peaks_of(stranger, WANTED), peaks_of(alone, WANTED), rtol=0.05)
    bright = pictures_of(sky(10, 100.0, side=150, spots=((0.0, 0.0, 1.0), (24.0, 20.0, 4.0))))
    copies = fainter(bright, WANTED, BEAM, 0)
    assert (
        peaks_of(copies, WANTED).min() > 8 - 3
    )  # the source itself, not the stranger, is as bright as was drawn


def test_copies_do_not_depend_on_the_order_of_the_set():
    pictures = pictures_of(sky(6, 200.0))
    order = [4, 1, 5, 0, 3, 2]
    turned = replace(pictures_of(pictures.read(order)), names=tuple(pictures.names[k] for k in order))
    np.testing.assert_array_equal(
        fainter(turned, WANTED, BEAM, 0).read(), fainter(pictures, WANTED, BEAM, 0).read(order)
    )


def test_what_cannot_be_copied_is_refused():
    pixels = sky(4, 100.0)
    with pytest.raises(UsageError, match="of pictures of one band"):
        fainter(pictures_of(np.stack([pixels, pixels], axis=1)), WANTED, BEAM, 0)
    with pytest.raises(UsageError, match="noise of the beam, and this is not known"):
        LightGBMClassifier(WANTED).copied(pictures_of(pixels))
    with pytest.raises(UsageError, match="fainter copies are made of pictures"):
        LightGBMClassifier(WANTED).fit(labelled())
    for wrong in ({"fainter": -1}, {"fainter": 11}, {"faintest": 4}, {"shown": 1.0}, {"shown": 0.0}):
        with pytest.raises(OptionError, match=next(iter(wrong))):
            LightGBMOptions.parse(wrong)
    with pytest.raises(OptionError, match="brightest is above faintest, which is 20 sigma; got 20"):
        LightGBMOptions.parse({"fainter": 1, "faintest": 20, "brightest": 20})
    with pytest.raises(OptionError, match="shown is of fainter copies, and there are none; got 0"):
        LightGBMOptions.parse({"shown": 0.7})


def first_like(n, peak, spots=((0.0, 0.0, 1.0),), seed=11):
    return pictures_of(1.5e-4 * sky(n, peak, seed=seed, side=150, spots=spots))


@pytest.mark.parametrize("peak", [10, 20, 40])
def test_the_classifier_that_ships_tells_faint_points_as_compact_and_faint_doubles_as_fr2(peak):
    model = open_model("first-morphology")
    told = model.predict(first_like(10, peak))
    sure = (np.array(told.labels) != "Compact") & (told.probability > 0.5) & (told.ood < 0.99)
    assert np.mean(np.array(told.labels) == "Compact") >= 0.8
    assert not sure.any()
    for apart in (14, 24):
        spots = ((-apart / 2 * 0.6, -apart / 2 * 0.8, 1.0), (apart / 2 * 0.6, apart / 2 * 0.8, 0.8))
        assert set(model.predict(first_like(5, peak, spots)).labels) == {"FRII"}


def test_the_classifier_that_ships_says_which_points_are_too_faint_for_it(tmp_path):
    told = ClassifyPredictStep().run(
        open_model("first-morphology"), first_like(6, 4.5), tmp_path / "told.csv"
    )
    assert (told.ood[told.known] == 1.0).all()
    n = told.known.sum()
    assert n > 0
    assert f"{n} of {n} sources have a peak below 7 times the noise" in told.notes[-1]
