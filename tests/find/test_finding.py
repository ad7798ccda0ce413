"""A finding paints its maps when asked, box by box, and can be kept."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import images
from tests.images import MAPS

from skysift.base.errors import UnknownName
from skysift.find.finding import MAPS as NAMES
from skysift.sky.box import Box


def test_the_maps_are_these():
    assert set(NAMES) == set(MAPS)


def test_maps_are_blank_where_the_data_are(found):
    whole = Box.of(found.image.shape)
    blank = np.isnan(found.image.read())
    assert blank.any()
    for name in MAPS:
        values = found.read(name, whole)
        assert values.shape == found.image.shape
        assert values.dtype == (np.int32 if name == "labels" else np.float32)
        if name == "labels":
            assert not values[blank].any()
        else:
            np.testing.assert_array_equal(np.isnan(values), blank)


def test_data_are_background_and_model_and_residual(found):
    whole = Box.of(found.image.shape)
    background, model, residual = (found.read(name, whole) for name in ("background", "model", "residual"))
    np.testing.assert_allclose(background + model + residual, found.image.read(), rtol=1e-5, atol=1e-7)


def test_the_residual_is_noise(found):
    whole = Box.of(found.image.shape)
    z = found.read("residual", whole) / found.read("rms", whole)
    assert np.nanstd(z) == pytest.approx(1.0, abs=0.1)


def test_labels_are_the_islands(found):
    labels = found.read("labels", Box.of(found.image.shape))
    np.testing.assert_array_equal(labels, found.mask.paint())
    assert labels.max() == len(found.catalogue.islands)


def spans(stop: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, stop), min_size=2, max_size=2, unique=True).map(sorted)


@settings(max_examples=30, deadline=None)
@given(rows=spans(300), columns=spans(340), name=st.sampled_from(MAPS))
def test_any_box_of_a_map_is_cut_from_the_whole(found, rows, columns, name):
    box = Box(*rows, *columns)
    part = found.read(name, box)
    assert (
        part.tobytes()
        == np.ascontiguousarray(found.read(name, Box.of(found.image.shape))[box.slices()]).tobytes()
    )


def test_another_map_is_refused(found):
    with pytest.raises(UnknownName, match=r"no such map.*'sky'.*residual"):
        found.read("sky", Box(0, 1, 0, 1))


def test_it_travels_by_pickle(found):
    again = pickle.loads(pickle.dumps(found))
    assert again.catalogue == found.catalogue
    assert again.mask == found.mask
    box = Box(20, 90, 30, 100)
    for name in MAPS:
        np.testing.assert_array_equal(again.read(name, box), found.read(name, box))


def test_it_shows_what_it_is(found):
    text = repr(found)
    assert "Finding(" in text
    assert f"{len(found.catalogue)} sources" in text
    assert len(text) < 2000


def test_facts_tell_how_it_went(found):
    assert found.facts["counts"] == {
        "islands": len(found.catalogue.islands),
        "sources": len(found.catalogue.sources),
        "components": len(found.catalogue.components),
        **{f"structure_{s}": int((found.catalogue.sources.structure == s).sum()) for s in "SCME"},
        "with_children": 0,
        "on_extended": 0,
        "resolved": int(found.catalogue.sources.resolved.sum()),
        "flagged": int((found.catalogue.sources.flags != 0).sum()),
    }
    assert all(seconds >= 0 for seconds in found.facts["seconds"].values())
    assert found.facts["cell_pixels"] > 0


def test_an_empty_finding_has_maps_as_well():
    finding = images.finding(images.painted((100, 120)))
    assert len(finding.catalogue) == 0
    assert not finding.catalogue
    whole = Box.of((100, 120))
    assert not finding.read("labels", whole).any()
    assert not finding.read("model", whole).any()
    np.testing.assert_array_equal(
        finding.read("residual", whole), finding.image.read() - finding.read("background", whole)
    )
