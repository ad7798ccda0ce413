"""Made sources on a real map: what was made is learnt, what was there is left alone, the rest is background."""

import numpy as np
import pytest
import yaml
from tests import skies

from skysift.base.errors import UsageError
from skysift.base.parallel import Crew
from skysift.flow.training.making import make_fields
from skysift.flow.training.recipe import read_recipe

BEAM, SIZE = (4.0, 4.0, 0.0), 192
INJECT = {
    "kind": "gaussians",
    "number": 20,
    "size_low": 0.0,
    "size_high": 20.0,
    "snr_low": 5.0,
    "spacing": 0.0,
}


@pytest.fixture
def survey(tmp_path, monkeypatch):
    """A map with six bright sources in a folder of data, and these."""
    sources = skies.population(
        (SIZE, SIZE), BEAM, n_points=6, rms=1.0, snr=(30, 60), margin=20, lattice=48, seed=4
    )
    data, truth = skies.paint((SIZE, SIZE), BEAM, rms=1.0, sources=sources, seed=4)
    skies.write(tmp_path / "deep.fits", data, BEAM)
    monkeypatch.setenv("SKYSIFT_DATA", str(tmp_path))
    return truth


def plans(tmp_path, **entry):
    path = tmp_path / "recipe.yaml"
    fields = [{"map": "$SKYSIFT_DATA/deep.fits", "inject": INJECT, **entry}]
    path.write_text(yaml.safe_dump({"model": "yolo-dense", "fields": fields}))
    return read_recipe(path)


def test_made_sources_are_learnt_and_real_ones_left_alone(tmp_path, survey):
    recipe = plans(tmp_path, number=2)
    one, other = make_fields(recipe.plans, recipe.noise, tmp_path / "fields", Crew(1))
    for field in (one, other):
        labels = field.labels
        use = np.asarray(labels["use"]) > 0.0
        assert use.sum() == INJECT["number"]
        assert (np.asarray(labels["snr_peak"])[use] > 4.0).all()
        x, y = (np.asarray(labels[name])[~use] for name in ("x", "y"))
        gap = np.hypot(survey["x"][:, None] - x, survey["y"][:, None] - y).min(axis=1)
        assert gap.max() < 1.0  # all six, where they are
        assert (~use).sum() == 6
        rows, columns = (np.floor(np.asarray(labels[name])[use] + 0.5).astype(int) for name in ("y", "x"))
        assert np.median(field.pixels[rows, columns]) > 5.0  # they are on the map
    assert not np.array_equal(one.labels["x"], other.labels["x"])  # each map has its own
    again = make_fields(plans(tmp_path, number=2).plans, recipe.noise, tmp_path / "anew", Crew(1))
    assert np.array_equal(one.pixels, again[0].pixels)


def test_nothing_real_is_left_alone_where_nothing_is_reliable_enough(tmp_path, survey):
    recipe = plans(tmp_path, real=1.0)
    (field,) = make_fields(recipe.plans, recipe.noise, tmp_path / "fields", Crew(1))
    assert (np.asarray(field.labels["use"]) > 0.0).sum() == INJECT["number"]


def test_a_map_that_is_not_there_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv("SKYSIFT_DATA", raising=False)
    with pytest.raises(
        UsageError, match=r"the map of the recipe is not there: got .*\$SKYSIFT_DATA/deep.fits"
    ):
        plans(tmp_path)
