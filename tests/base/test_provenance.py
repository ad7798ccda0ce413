import json
import pickle

import numpy as np
import pytest
from astropy.io import fits

from skysift.base.provenance import InputRecord, Manifest, Provenance, library_versions

RECORD = InputRecord("map.fits", "sha256:" + "0123456789abcdef" * 4, hdu=1, plane=(0, 2), size=1234)
STORY = Provenance(
    version="0.1.0",
    finder="classic",
    options={"seed": 5.0, "beam": (3.0, 2.0), "name": "Ä" * 50, "file": None},
    inputs=(RECORD,),
    notes=("no BUNIT: Jy/beam was assumed",),
)


def test_it_is_a_value():
    assert pickle.loads(pickle.dumps(STORY)) == STORY
    assert hash(STORY) == hash(Provenance.from_dict(STORY.to_dict()))
    assert Provenance("0.1.0", "classic") != STORY
    with pytest.raises(TypeError):
        STORY.options["seed"] = 4


def test_the_round_trip_through_json_keeps_all():
    assert Provenance.from_dict(json.loads(json.dumps(STORY.to_dict()))) == STORY


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(TypeError):
        Provenance("0.1.0", "classic", options={"seed": np.float32(5)})


def test_cards_fit_a_fits_header():
    header = fits.Header()
    for keyword, value, comment in STORY.cards():
        if keyword == "HISTORY":
            assert len(value) <= 72
            header.add_history(value)
        else:
            header[keyword] = (value, comment)
    twin = fits.Header.fromstring(header.tostring())
    assert twin["CREATOR"] == "skysift 0.1.0"
    assert twin["FINDER"] == "classic"
    history = list(twin["HISTORY"])
    assert "option seed = 5.0" in history
    assert any(
        line.startswith("input map.fits HDU 1 plane [0, 2] 1234 bytes sha256:0123") for line in history
    )
    assert "note no BUNIT: Jy/beam was assumed" in history


def test_the_same_question_gives_the_same_cards():
    assert STORY.cards() == Provenance.from_dict(STORY.to_dict()).cards()


def test_a_manifest_adds_the_run():
    manifest = Manifest(
        STORY,
        outputs=("sources.fits",),
        tile=1024,
        workers=2,
        started="2026-01-01T00:00:00Z",
        seconds={"read": 1.23456},
        counts={"sources": 3},
        versions=library_versions(),
        warnings=("odd",),
    )
    told = json.loads(json.dumps(manifest.to_dict()))
    assert told["options"]["seed"] == 5.0
    assert told["inputs"][0]["checksum"] == RECORD.checksum
    assert (told["tile"], told["workers"], told["outputs"]) == (1024, 2, ["sources.fits"])
    assert told["seconds"] == {"read": 1.235}
    assert {"python", "numpy", "numba", "astropy"} <= told["versions"].keys()
    assert "tile" not in STORY.to_dict()
