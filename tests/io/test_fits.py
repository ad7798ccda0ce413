"""Pixels: any box of any kind of FITS equals what astropy reads; what is written reopens the same."""

from __future__ import annotations

import errno
import math
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.io.fits_maps import CARDS, noise, write_map
from tests.sky.test_frame import PROJECTIONS, SYSTEMS, frames
from tests.sky.test_frame import frame as sky_frame

from skysift.base.errors import FormatError, OutputError, StorageError, UsageError
from skysift.base.provenance import InputRecord, Provenance
from skysift.io import fits as skysift_fits
from skysift.io.fits import CompressedSource, FitsSource, write_image
from skysift.io.open import open_image
from skysift.sky.beam import Beam
from skysift.sky.box import Box
from skysift.sky.frame import Frame

NY, NX = 150, 70


def pattern(kind: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind.startswith("f"):
        data = rng.normal(0, 1e-3, (NY, NX)).astype(kind)
        data[3:9, 5:50] = np.nan
        data[0, 0], data[1, 1], data[2, 2] = np.inf, -np.inf, 1e30
        return data
    return rng.integers(0 if kind == "u1" else -100, 100, (NY, NX)).astype(kind)


def made_file(path: Path, kind: str) -> Path:
    """One map of each kind that surveys hand out."""
    if kind in ("f4", "f8", "i8"):
        return write_map(path, pattern(kind))
    if kind in ("u1", "i2", "i4"):
        return write_map(path, pattern(kind), BSCALE=2.5e-5, BZERO=0.013, BLANK=7)
    if kind == "scaled f4":
        return write_map(path, pattern("f4"), BSCALE=1e-3, BZERO=1.0)
    if kind == "unsigned":
        return write_map(path, pattern("i2"), BZERO=32768)
    if kind == "cube":
        cube = np.stack([pattern("f4", i) for i in range(6)]).reshape(2, 3, NY, NX)
        return write_map(
            path, cube, CTYPE3="FREQ", CRVAL3=1e9, CDELT3=1e6, CTYPE4="STOKES", CRVAL4=1, CDELT4=1
        )
    header = fits.Header(CARDS)
    if kind == "packed f4":
        hdu = fits.CompImageHDU(pattern("f4"), header, compression_type="RICE_1", quantize_level=16)
    elif kind == "packed tiles":
        hdu = fits.CompImageHDU(
            pattern("f4"), header, compression_type="GZIP_2", quantize_level=0, tile_shape=(32, 20)
        )
    elif kind == "packed cube":
        cube = np.stack([pattern("f4", i) for i in range(3)])
        hdu = fits.CompImageHDU(cube, header, compression_type="GZIP_1", quantize_level=0)
    else:
        hdu = fits.CompImageHDU(pattern("i2"), header, compression_type="RICE_1")
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    if kind == "packed i2":
        with fits.open(path, mode="update", disable_image_compression=True) as hdus:
            hdus[1].header.update({"BLANK": 7, "ZBLANK": 7, "BSCALE": 2.5e-5, "BZERO": 0.013})
    return path


KINDS = ["f4", "f8", "u1", "i2", "i4", "i8", "scaled f4", "unsigned", "cube"]
PACKED = ["packed f4", "packed tiles", "packed cube", "packed i2"]
PLANES = {"cube": (1, 2), "packed cube": (2,)}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("maps")
    return {kind: made_file(folder / f"{kind.replace(' ', '_')}.fits", kind) for kind in KINDS + PACKED}


def by_astropy(path: Path, plane: tuple[int, ...]) -> np.ndarray:
    with fits.open(path) as hdus:
        hdu = next(each for each in hdus if each.data is not None)
        data = np.array(hdu.data, dtype=np.float64)[plane]
    data[np.isinf(data)] = np.nan
    return data


BOXES = st.tuples(*[st.integers(0, NY)] * 2, *[st.integers(0, NX)] * 2).map(
    lambda e: Box(min(e[:2]), max(e[:2]), min(e[2:]), max(e[2:]))
)


@pytest.mark.parametrize("kind", KINDS + PACKED)
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(box=BOXES)
def test_any_box_is_what_astropy_reads(files, kind, box):
    plane = PLANES.get(kind)
    image = open_image(files[kind], plane=plane)
    read = image.read(box)
    assert read.dtype == np.float32
    assert read.dtype.isnative
    assert read.flags.c_contiguous
    expected = by_astropy(files[kind], plane or ())[box.slices()]
    assert np.allclose(read, expected, rtol=3e-7, atol=0, equal_nan=True)


def test_kinds_are_read_by_the_source_meant_for_them(files):
    assert all(isinstance(open_image(files[kind]).pixels, FitsSource) for kind in KINDS)
    assert all(isinstance(open_image(files[kind]).pixels, CompressedSource) for kind in PACKED)
    assert open_image(files["f4"]).read()[2, 2] == np.float32(1e30)


@pytest.mark.parametrize("kind", ["i2", "packed tiles"])
def test_many_threads_read_the_same(files, kind):
    image = open_image(files[kind])
    whole = image.read()
    boxes = [Box(y, y + 13, x, x + 17) for y in range(0, NY, 13) for x in range(0, NX, 17)] * 5
    with ThreadPoolExecutor(8) as threads:
        read = list(threads.map(image.read, boxes))
    assert all(np.array_equal(a, whole[b.slices()], equal_nan=True) for a, b in zip(read, boxes, strict=True))


@pytest.mark.parametrize("kind", ["f4", "packed f4"])
def test_sources_travel_by_pickle_and_do_not_carry_pixels(files, kind):
    image = open_image(files[kind])
    whole = image.read()
    packed = pickle.dumps(image)
    assert len(packed) < 5000
    again = pickle.loads(packed)
    assert again == image
    assert np.array_equal(again.read(), whole, equal_nan=True)


def test_bands_that_are_kept_are_bounded(files, monkeypatch):
    monkeypatch.setattr(skysift_fits, "_KEPT_BYTES", 64 * NX * 4)
    image = open_image(files["packed tiles"])
    whole = image.read()
    assert len(image.pixels._unpacker()._kept) == 1
    assert np.array_equal(image.read(), whole, equal_nan=True)


def test_a_relative_path_is_read_from_anywhere(tmp_path, monkeypatch):
    write_map(tmp_path / "map.fits")
    monkeypatch.chdir(tmp_path)
    image = open_image("map.fits")
    monkeypatch.chdir("/")
    assert np.array_equal(image.read(), noise())


def test_a_file_that_shrinks_or_goes_is_told(tmp_path):
    path = write_map(tmp_path / "map.fits")
    image = open_image(path)
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(FormatError, match="too early"):
        image.read()
    path.unlink()
    with pytest.raises(StorageError, match="cannot be read"):
        image.read()


def test_packed_bytes_that_are_broken_are_told(files, tmp_path):
    content = bytearray(files["packed tiles"].read_bytes())
    start = open_image(files["packed tiles"]).origin.hdu
    with fits.open(files["packed tiles"]) as hdus:
        start = hdus[1].fileinfo()["datLoc"] + hdus[1].header.get("NAXIS2", 0)
    content[start + 400 : start + 6000] = b"\xff" * 5600
    path = tmp_path / "broken.fits"
    path.write_bytes(content)
    with pytest.raises(FormatError, match="unpacked"):
        open_image(path).read()


# -- writing


def bands_of(data: np.ndarray, height: int = 7):
    return (data[y : y + height] for y in range(0, data.shape[0], height))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=frames())
def test_what_is_written_reopens_with_the_same_geometry(tmp_path, made):
    path = tmp_path / "out.fits"
    data = noise(*made.shape)
    data[3, 4] = np.nan
    beam = Beam(9 * max(made.scale), 7 * max(made.scale), 33.3)
    write_image(
        path, made.shape, bands_of(data), frame=made, beam=beam, unit="Jy/beam", frequency=1.4e9, title="rms"
    )
    again = open_image(path)
    assert again.frame.cards == made.cards
    assert again.frame == made
    assert np.array_equal(again.read(), data, equal_nan=True)
    assert again.frequency == 1.4e9
    assert (again.beam.major, again.beam.minor, again.beam.pa) == pytest.approx(
        (beam.major, beam.minor, beam.pa)
    )


@pytest.mark.parametrize("projection", PROJECTIONS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_astropy_reads_what_is_written(tmp_path, projection, system):
    made = sky_frame(projection, system, lon=123.4567890123456, lat=-61.2345678901234, turn=12.0)
    path = tmp_path / "out.fits"
    write_image(path, made.shape, bands_of(noise(*made.shape)), frame=made, unit="Jy/beam")
    with fits.open(path) as hdus:
        hdus.verify("exception")
        assert hdus[0].data.shape == made.shape
        x, y = np.array([0.0, 50.0]), np.array([3.0, 80.0])
        from astropy.wcs import WCS

        theirs = WCS(hdus[0].header).pixel_to_world(x, y).icrs
    ra, dec = made.to_sky(x, y)
    assert np.allclose(theirs.ra.deg, ra, atol=1e-9)
    assert np.allclose(theirs.dec.deg, dec, atol=1e-9)


def test_labels_and_provenance(tmp_path):
    path = tmp_path / "labels.fits"
    labels = np.arange(60, dtype=np.int32).reshape(6, 10)
    provenance = Provenance(
        "1.2.3", "classic", {"seed": 5.0}, (InputRecord("map.fits", "sha256:00"),), ("a note",)
    )
    write_image(
        path,
        (6, 10),
        bands_of(labels, 4),
        dtype="int32",
        frame=Frame.pixels_only((6, 10), (3.0, 2.0)),
        provenance=provenance,
        cards=[("TILES", 3, "a number"), ("WORD", "it's", "a text"), ("FLAG", True, "")],
    )
    with fits.open(path) as hdus:
        hdus.verify("exception")
        header = hdus[0].header
        assert np.array_equal(hdus[0].data, labels)
    assert header["CREATOR"] == "skysift 1.2.3"
    assert "option seed = 5.0" in str(header["HISTORY"])
    assert (header["TILES"], header["WORD"], header["FLAG"]) == (3, "it's", True)
    assert "BMAJ" not in header
    assert (header["CDELT1"], header["CDELT2"]) == pytest.approx((-2 / 3600, 3 / 3600))


def test_bands_must_make_up_the_map(tmp_path):
    path = tmp_path / "out.fits"
    for bands in (
        [np.zeros((5, 8))],
        [np.zeros((5, 8)), np.zeros((6, 8))],
        [np.zeros((10, 7))],
        [np.zeros(8)],
    ):
        with pytest.raises(UsageError, match="band"):
            write_image(path, (10, 8), iter(bands))
        assert not path.exists()
    with pytest.raises(UsageError, match="shape"):
        write_image(path, (10, 8), iter([]), frame=Frame.pixels_only((3, 3), (1, 1)))
    with pytest.raises(UsageError, match="NaN"):
        write_image(path, (1, 8), [np.zeros((1, 8))], cards=[("BAD", math.nan, "")])


def test_an_error_of_the_bands_leaves_no_file(tmp_path):
    path = tmp_path / "out.fits"

    def bands():
        yield np.zeros((5, 8))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_image(path, (10, 8), bands())
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        write_image(tmp_path / "none" / "out.fits", (1, 8), [np.zeros((1, 8))])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full to stand for a full disk")
def test_a_full_disk_is_told():
    with pytest.raises(StorageError, match="No space left"):
        write_image("/dev/full", (2000, 1000), (np.zeros((1, 1000), np.float32) for _ in range(2000)))


def test_an_error_of_the_disk_while_bands_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(
        skysift_fits, "_write_bands", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left"))
    )
    with pytest.raises(StorageError, match="make room"):
        write_image(tmp_path / "out.fits", (1, 8), [])
    assert list(tmp_path.iterdir()) == []
