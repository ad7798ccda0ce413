"""What a network says of places: of those on wide sources, what it sees on the binned map."""

from types import SimpleNamespace

import numpy as np
import pytest
from tests import images
from tests.find.neural.test_wide import Bright, gaussian

from skysift.find.neural import opinion
from skysift.find.neural.options import JudgeOptions
from skysift.find.noise import measure_noise

SIDE = 1000
BEAM = (4.0, 4.0, 0.0)


@pytest.mark.parametrize("flips", [1, 4])
@pytest.mark.parametrize("wide", [False, True])
def test_places_on_a_wide_source_are_judged_by_the_binned_map(wide, flips, monkeypatch):
    sky = np.random.default_rng(1).normal(size=(SIDE, SIDE))
    sky[300:700, 200:600] += 60.0 * gaussian(400, 210.0, 190.0, 30.0)  # 71 pixels (FWHM) about (410, 490)
    image = images.image(sky, BEAM)
    options = JudgeOptions(background="zero")
    noise = measure_noise(image, options)
    detector = Bright()
    detector.wide = wide
    card = SimpleNamespace(settings={"flips": flips})
    eye = SimpleNamespace(
        weights=SimpleNamespace(card=card, checksum="none"),
        detector=detector,
        run=lambda inputs: inputs["image"],
    )
    monkeypatch.setattr(opinion, "eye_of", lambda *_: eye)
    x = np.array([410.0, 425.0, 410.0, 480.0, -5.0])  # the third and the fourth are beside it
    y = np.array([490.0, 480.0, 550.0, 490.0, 10.0])
    said = opinion.opinion_of(image, noise, x, y, options)
    assert said.given.tolist() == [True, True, True, True, False]
    assert np.isnan(said.score[4])
    assert said.score[1:4] == pytest.approx([0.9 if wide else 0.0, 0.0, 0.0])
    if wide:
        assert said.score[0] == pytest.approx(0.9)
        assert said.class_score[:2] == pytest.approx([1.0, 1.0])
