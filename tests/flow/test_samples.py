"""A made sample of classes as a folder: its table and images are read again, and the same seed gives the same bytes."""

import numpy as np
import pytest
from tests.commands import called

from skysift.io.features import read_features
from skysift.stamps.opening import open_pictures


def test_the_table_and_the_images_are_read_again(tmp_path):
    words = ("simulate", "samples", "--set", "number=5", "--set", "stamps=24", "--set", "random_seed=3")
    said = called(*words, "--out", tmp_path / "one")
    assert said.returncode == 0, said.stderr
    assert "35 made sources" in said.stdout
    assert "5 pulsar" in said.stdout
    table = read_features(tmp_path / "one" / "features.parquet")
    assert len(table) == 35
    assert table.provenance.finder == "samples"
    assert "the sample is made" in table.provenance.notes[0]
    pictures = open_pictures(tmp_path / "one" / "stamps.npz")
    assert pictures.shape == (35, 12, 24, 24)
    assert pictures.bands[:2] == ("radio", "wise_3_4")
    assert pictures.names == table.names
    assert pictures.labels() == table.labels()
    assert np.allclose(pictures.facts["ra"], table.facts["ra"])
    page = (tmp_path / "one" / "report.html").read_text()
    assert "Makai2017" in page
    assert "planetary" in page or "pn" in page
    again = called(*words, "--out", tmp_path / "two")
    assert again.returncode == 0
    same = read_features(tmp_path / "two" / "features.parquet")
    assert np.array_equal(table.values, same.values, equal_nan=True)


@pytest.mark.parametrize(
    ("choice", "told"),
    [("classes=quasar", "no colours are known"), ("number=0", "number"), ("scater=2", "scatter")],
)
def test_wrong_choices_are_one_line(tmp_path, choice, told):
    said = called("simulate", "samples", "--set", choice, "--out", tmp_path / "no")
    assert said.returncode == 2
    assert told in said.stderr
    assert not (tmp_path / "no").exists()
