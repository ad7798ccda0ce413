import numpy as np
import pytest
from astropy.io import fits

from skysift.base.errors import FormatError, UsageError
from skysift.io.labels import read_labels
from skysift.sky.mask import Mask


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32, np.uint8])
def test_labels_come_back_as_they_were_painted(tmp_path, monkeypatch, dtype):
    labels = np.random.default_rng(1).integers(0, 4, (31, 17)).astype(dtype)
    fits.writeto(tmp_path / "labels.fits", labels[None])
    monkeypatch.setattr("skysift.io.labels._BAND", 17 * 5)
    assert read_labels(tmp_path / "labels.fits") == Mask.from_labels(labels.astype(np.int64))


def test_blanks_belong_to_nothing(tmp_path):
    labels = np.full((4, 5), np.nan, dtype=np.float32)
    labels[1, 2:4] = 3
    fits.writeto(tmp_path / "labels.fits", labels)
    assert read_labels(tmp_path / "labels.fits").labels.tolist() == [3]


def test_what_holds_no_labels_is_told(tmp_path):
    with pytest.raises(UsageError, match="no such map of labels"):
        read_labels(tmp_path / "missing.fits")
    (tmp_path / "text.fits").write_text("words")
    with pytest.raises(FormatError, match="cannot be read as FITS"):
        read_labels(tmp_path / "text.fits")
    fits.writeto(tmp_path / "cube.fits", np.ones((2, 3, 4), dtype=np.int16))
    with pytest.raises(FormatError, match="no plane of labels"):
        read_labels(tmp_path / "cube.fits")
    fits.writeto(tmp_path / "map.fits", np.full((3, 4), 0.5, dtype=np.float32))
    with pytest.raises(FormatError, match="other pixels than labels"):
        read_labels(tmp_path / "map.fits")
