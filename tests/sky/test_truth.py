import numpy as np
import pytest

from skysift.base.errors import UsageError
from skysift.io.truth import is_truth, read_truth, write_truth
from skysift.sky import schema
from skysift.sky.beam import Beam
from skysift.sky.catalogue import Catalogue
from skysift.sky.detections import Detections, Footprints
from skysift.sky.frame import Frame
from skysift.sky.table import Table
from skysift.sky.truth import Truth

CARDS = {
    "CTYPE1": "RA---SIN",
    "CTYPE2": "DEC--SIN",
    "CRVAL1": 10.0,
    "CRVAL2": -40.0,
    "CRPIX1": 20.0,
    "CRPIX2": 15.0,
    "CDELT1": -1e-3,
    "CDELT2": 1e-3,
}


def truth_of(classes=("compact", "extended", "spurious"), frame=None):
    n = len(classes)
    kinds = {"int64": 0, "float64": 0.5, "bool": False, "str": "a"}
    columns = {each.name: np.full(n, kinds[each.dtype]) for each in schema.columns("sources")}
    columns["source_id"] = np.arange(1, n + 1)
    columns["class"] = np.array(classes)
    sources = Table("sources", columns, schema.further("sources", "class"))
    catalogue = Catalogue(Table.empty("islands"), sources, Table.empty("components"))
    boxes = np.array([[i, i + 2, 3, 9] for i in range(n)])
    prints = Footprints(np.arange(n), np.full(n, 3), np.full(n, 8), np.arange(n))  # they overlap in no pixel
    frame = Frame.from_cards(CARDS, (30, 40)) if frame is None else frame
    return Truth(catalogue, Detections(boxes, np.ones(n), prints), frame, Beam(10.0, 5.0, 30.0), 1.4e9)


@pytest.mark.parametrize("frame", [None, Frame.pixels_only((30, 40), (3.0, 2.0))])
def test_a_truth_comes_back_from_disk_as_it_was(tmp_path, frame):
    truth = truth_of(frame=frame)
    write_truth(truth, tmp_path / "truth")
    assert is_truth(tmp_path / "truth")
    back = read_truth(tmp_path / "truth")
    assert back.catalogue == truth.catalogue
    assert back.detections == truth.detections
    assert back.frame == truth.frame
    assert back.frequency == truth.frequency
    assert back.beam == truth.beam


def test_no_number_of_the_geometry_loses_its_last_digit_on_disk(tmp_path):
    rng = np.random.default_rng(1)
    for number in range(20):
        ra, dec, scale, major, pa = (float(each) for each in rng.random(5))
        cards = {
            **CARDS,
            "CRVAL1": 360 * ra,
            "CRVAL2": -90 * dec,
            "CDELT1": -scale / 3600,
            "CDELT2": scale / 3600,
        }
        like = truth_of(frame=Frame.from_cards(cards, (30, 40)))
        truth = Truth(
            like.catalogue, like.detections, like.frame, Beam(1 + major, major, 180 * pa), 1e9 * (1 + ra)
        )
        write_truth(truth, tmp_path / str(number))
        assert read_truth(tmp_path / str(number)) == truth


def test_artefacts_are_no_objects():
    truth = truth_of()
    assert truth.real.tolist() == [True, True, False]
    assert len(truth.select(truth.real)) == 2
    assert truth.mask().n_labels == 3


def test_what_a_truth_cannot_be_is_told():
    truth = truth_of()
    with pytest.raises(UsageError, match="one footprint a source"):
        Truth(truth.catalogue, truth.detections.select([0]))
    with pytest.raises(UsageError, match="class that does not exist"):
        truth_of(("compact", "lumpy"))
