"""Small images from wherever they are: npz, folders of FITS, labels in a table; what is broken is told by row."""

import gzip

import numpy as np
import pytest
from astropy.io import fits

from skysift.base.errors import FormatError, UnknownName, UsageError
from skysift.stamps.opening import open_pictures
from skysift.stamps.pictures import centred, thumbnail


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


def test_what_skysift_find_made_is_left_out_and_told(tmp_path):
    written(tmp_path, "one.fits", np.ones((5, 5)))
    header = fits.Header([("CREATOR", "skysift 0.1.0"), ("FINDER", "classic")])
    fits.PrimaryHDU(np.ones((40, 40), np.float32), header).writeto(tmp_path / "rms.fits")
    pictures = open_pictures(tmp_path)
    assert pictures.names == ("one",)
    assert pictures.shape == (1, 1, 5, 5)
    assert pictures.notes == ("left out, for skysift find made them: rms.fits",)
    (tmp_path / "one.fits").unlink()
    with pytest.raises(UsageError, match=r"no picture of the sky: got 'rms\.fits'.*skysift stamps"):
        open_pictures(tmp_path)


def test_names_that_stand_more_than_once_are_numbered_and_told_once(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.ones((5, 4, 4)), name=["a", "b", "a", "a#2", "a"])
    pictures = open_pictures(tmp_path / "a.npz")
    assert pictures.names == ("a", "b", "a#3", "a#2", "a#4")
    assert pictures.notes == ("1 name of pictures more than once, numbered from the second on: a",)
    assert pictures.select([0, 2]).notes == pictures.notes


def test_a_step_of_nothing_spoils_its_row(tmp_path):
    np.savez(tmp_path / "a.npz", pixels=np.ones((3, 4, 4), np.int16), step_jy=[1e-4, 0.0, np.nan])
    assert open_pictures(tmp_path / "a.npz").errors == ("", *["its step_jy is 0, or no number"] * 2)


def test_small_pictures_are_drawn_larger_and_large_ones_as_means():
    image = np.arange(9.0).reshape(3, 3)
    assert thumbnail(image, 6)[::2, ::2].tolist() == image.tolist()
    large = np.repeat(np.repeat(image, 4, axis=0), 4, axis=1)
    large[0, 0] = np.nan
    assert thumbnail(large, 3).tolist() == image.tolist()


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


def test_compressed_images_are_read_and_broken_ones_spoil_their_row_alone(tmp_path):
    whole = gzip.compress(written(tmp_path, "a.fits", np.full((8, 8), 3.0)).read_bytes())
    (tmp_path / "b.fits.gz").write_bytes(whole)
    (tmp_path / "c.fits.gz").write_bytes(whole[: len(whole) // 2])
    spoilt = bytearray(whole)
    spoilt[len(whole) // 2] ^= 0xFF
    (tmp_path / "d.fits.gz").write_bytes(spoilt)
    pictures = open_pictures(tmp_path)
    assert [bool(each) for each in pictures.errors] == [False, False, True, True]
    assert (pictures.read([0, 1]) == 3.0).all()


@pytest.mark.parametrize("lost", ["end", "middle", "all"])
def test_a_broken_npz_is_told_in_one_line(tmp_path, lost):
    np.savez(tmp_path / "a.npz", images=np.arange(4000.0).reshape(10, 20, 20))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    if lost == "middle":
        content[len(content) // 2] ^= 0xFF
    else:
        content = content[: len(content) // 2 if lost == "end" else 0]
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(FormatError, match=r"the npz cannot be read: got 'a\.npz'"):
        open_pictures(tmp_path / "a.npz")


def test_a_table_of_labels_that_is_no_utf8_is_told_in_one_line(tmp_path):
    written(tmp_path, "one.fits", np.ones((4, 4)))
    (tmp_path / "labels.csv").write_bytes("name,label\none,café\n".encode("latin-1"))
    with pytest.raises(FormatError, match=r"cannot be read: got 'labels\.csv'; allowed: .* in UTF-8"):
        open_pictures(tmp_path, labels=tmp_path / "labels.csv")


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


def test_npz_files_that_are_none_are_refused_in_one_line(tmp_path):
    np.savez_compressed(tmp_path / "good.npz", images=np.arange(4096.0).reshape(4, 32, 32))
    whole = (tmp_path / "good.npz").read_bytes()
    (tmp_path / "short.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.npz").write_bytes(b"")
    middle = len(whole) // 2
    (tmp_path / "broken.npz").write_bytes(whole[:middle] + bytes(40) + whole[middle + 40 :])
    np.save(tmp_path / "one.npy", np.ones((2, 3, 3)))
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    for name in ("short", "empty", "broken", "one"):
        with pytest.raises(FormatError, match="npz cannot be read"):
            open_pictures(tmp_path / f"{name}.npz")


def test_bytes_are_the_texts_that_they_are(tmp_path):
    meta = np.array([(b"a", 1), (b"b", 2)], [("name", "S4"), ("code", "i4")])
    np.savez(tmp_path / "a.npz", images=np.ones((2, 4, 4)), meta=meta, label=np.array([b"FRI", b"FRII"]))
    pictures = open_pictures(tmp_path / "a.npz")
    assert pictures.names == ("a", "b")
    assert pictures.labels() == ("FRI", "FRII")
