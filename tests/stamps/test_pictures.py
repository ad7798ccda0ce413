"""Small images from wherever they are: npz, folders of FITS, labels in a table; what is broken is told by row."""

import numpy as np
import pytest
from astropy.io import fits

from skysift.base.errors import FormatError, UnknownName, UsageError
from skysift.stamps.opening import open_pictures
from skysift.stamps.pictures import centred


def written(folder, name, data):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.PrimaryHDU(np.asarray(data, np.float32)).writeto(path)
    return path


def test_an_npz_gives_its_pixels_its_facts_and_its_blanks(tmp_path):
    pixels = np.arange(2 * 4 * 4, dtype=np.int16).reshape(2, 4, 4)
    pixels[1] = -32768
    meta = np.array([("a", 0.5), ("b", 1.0)], [("name", "U4"), ("step_jy", "f4")])
    np.savez(tmp_path / "a.npz", pixels=pixels, meta=meta, label=np.array(["FRI", "FRII"]))
    pictures = open_pictures(tmp_path / "a.npz")
    assert pictures.names == ("a", "b")
    assert pictures.labels() == ("FRI", "FRII")
    assert pictures.errors == ("", "all pixels are blank")
    assert pictures.unit == "Jy/beam"
    np.testing.assert_allclose(pictures.read([0])[0, 0], 0.5 * pixels[0])
    assert np.isnan(pictures.read([1])).all()
    with pytest.raises(UnknownName, match="no such column"):
        pictures.labels("kind")


def test_a_folder_gives_labels_by_its_folders_and_tells_what_is_broken(tmp_path):
    written(tmp_path, "ring/one.fits", np.ones((5, 5)))
    written(tmp_path, "ring/two.fits", np.full((5, 5), np.nan))
    (tmp_path / "double").mkdir()
    (tmp_path / "double" / "three.fits").write_bytes(b"SIMPLE  = nothing of that kind")
    pictures = open_pictures(tmp_path, size=3)
    assert pictures.names == ("three", "one", "two")
    assert pictures.labels() == ("double", "ring", "ring")
    assert [bool(each) for each in pictures.errors] == [True, False, True]
    assert pictures.read().shape == (3, 1, 3, 3)
    assert np.isnan(pictures.read([0])).all()
    assert pictures.select(pictures.good).names == ("one",)


def test_labels_of_a_table_are_found_by_name(tmp_path):
    written(tmp_path, "one.fits", np.ones((4, 4)))
    written(tmp_path, "two.fits", np.ones((4, 4)))
    table = tmp_path / "labels.csv"
    table.write_text("# by hand\nname,label,who\ntwo,FRI|bent,me\n")
    pictures = open_pictures(tmp_path, labels=table)
    assert pictures.labels() == ("", "FRI|bent")
    assert pictures.labels("who") == ("", "me")
    table.write_text("name,label\nthree,FRI\n")
    with pytest.raises(UsageError, match="names none of the pictures"):
        open_pictures(tmp_path, labels=table)


@pytest.mark.parametrize("size", [3, 4, 7, 8])
@pytest.mark.parametrize("side", [5, 6])
def test_the_middle_pixel_stays_the_middle(side, size):
    image = np.zeros((2, side, side), np.float32)
    image[:, side // 2, side // 2] = 1.0
    assert centred(image, size)[0, size // 2, size // 2] == 1.0


def test_what_holds_no_pictures_is_refused_in_one_line(tmp_path):
    np.savez(tmp_path / "a.npz", weights=np.ones(3))
    (tmp_path / "empty").mkdir()
    (tmp_path / "b.npz").write_bytes(b"no zip")
    for path, error in (
        ("a.npz", FormatError),
        ("b.npz", FormatError),
        ("empty", UsageError),
        ("none", UsageError),
    ):
        with pytest.raises(error, match=r"picture|npz"):
            open_pictures(tmp_path / path)
