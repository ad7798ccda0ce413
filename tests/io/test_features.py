"""Features in files: units and meanings come back; foreign tables are read by their numbers."""

import numpy as np
import pytest

from skysift.base.errors import FormatError, UnknownName, UsageError
from skysift.base.provenance import Provenance
from skysift.io.features import is_features, read_features, write_features
from skysift.sky.features import Feature, Features


@pytest.fixture
def features():
    return Features(
        ("a", "b", "c"),
        (Feature("flux", "Jy", "Flux in the mask.", "flux"), Feature("bend", "deg", "", "shape")),
        np.array([[1.0, 2.0], [np.nan, 3.0], [0.5, -1.0]]),
        {
            "label": np.array(["FRI", "", "FRII"]),
            "ra": np.array([1.0, 2.0, 3.0]),
            "flags": np.array([0, 4, 1]),
        },
        Provenance("0.1", "features", {"size": 3}, kind="step"),
    )


def test_a_round_trip_changes_nothing(features, tmp_path):
    write_features(features, tmp_path / "f.parquet")
    back = read_features(tmp_path / "f.parquet")
    assert is_features(tmp_path / "f.parquet")
    assert (back.names, back.columns, back.provenance) == (
        features.names,
        features.columns,
        features.provenance,
    )
    np.testing.assert_array_equal(back.values, features.values)
    assert back.labels() == ("FRI", "", "FRII")
    np.testing.assert_array_equal(back.facts["flags"], [0, 4, 1])


def test_rows_and_columns_are_chosen(features):
    assert features.select(features["bend"] > 0).names == ("a", "b")
    assert features.group("shape").titles == ("bend",)
    assert features.only(["bend", "flux"]).values[0].tolist() == [2.0, 1.0]
    with pytest.raises(UnknownName, match="no such feature"):
        features["size"]


def test_tables_go_together_by_name(features):
    other = Features(("c", "a", "b"), (Feature("e000"),), np.array([[3.0], [1.0], [2.0]]))
    both = features.beside(other)
    assert both["e000"].tolist() == [1.0, 2.0, 3.0]
    assert both.labels()[0] == "FRI"
    with pytest.raises(UsageError, match="not in the other table"):
        features.beside(other.select([0, 1]))


def test_a_foreign_table_is_read_by_its_numbers(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("source,ra,label,flux,size\nx,10.5,FRI,1.5,3\ny,11.5,FRII,,4\n")
    read = read_features(path)
    assert read.names == ("x", "y")
    assert read.titles == ("flux", "size")
    assert np.isnan(read["flux"][1])
    assert read.labels() == ("FRI", "FRII")
    path.write_text("name,label\nx,FRI\n")
    with pytest.raises(FormatError, match="no column of numbers"):
        read_features(path)
    with pytest.raises(UsageError, match="no such table"):
        read_features(tmp_path / "none.parquet")
