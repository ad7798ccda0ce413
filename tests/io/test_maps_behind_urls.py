"""Maps behind URLs are as those on disk: headers, pixels, sources, what the run tells of its input."""

import pickle
from dataclasses import replace

import fsspec
import numpy as np
import pytest
from astropy.io import fits
from tests import skies
from tests.cli.test_find import BARE, everything, run
from tests.io.fits_maps import write_map
from tests.servers import serving

from skysift.base import store
from skysift.base.errors import FormatError, UsageError
from skysift.base.settings import settings
from skysift.cli.main import main
from skysift.data import demo_map
from skysift.io.open import open_image
from skysift.sky.box import Box

BEAM = (5.0, 4.0, 10.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A map with sources, on disk."""
    place = tmp_path_factory.mktemp("maps")
    sources = skies.population((300, 340), BEAM, n_points=30, n_extended=2, snr=(6, 500), rms=1e-3, seed=3)
    data, _ = skies.paint((300, 340), BEAM, rms=1e-3, sources=sources, seed=3)
    write_map(place / "sky.fits", data.astype(np.float32))
    (place / "packed.fits.fz").write_bytes(demo_map().read_bytes())
    wide = np.random.default_rng(1).normal(0, 1e-3, (80, 30_000)).astype(np.float32)
    write_map(place / "wide.fits", wide)
    write_map(place / "whole.fits", (wide[:40, :3000] * 1e6).astype(np.int16), BSCALE=1e-6, BLANK=-3)
    (place / "page.fits").write_text("<html>moved</html>")
    (place / "cut.fits").write_bytes((place / "sky.fits").read_bytes()[:200_000])
    return place


@pytest.fixture
def server(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_PAUSES", (0.0, 0.0))
    usual = settings()
    monkeypatch.setattr(store, "settings", lambda: replace(usual, cache=tmp_path / "cache"))
    with serving(folder) as one:
        yield one
    store._system.cache_clear()
    fsspec.get_filesystem_class("http").clear_instance_cache()


@pytest.mark.parametrize("name", ["sky.fits", "wide.fits", "whole.fits", "packed.fits.fz"])
def test_headers_and_pixels_are_those_on_disk(server, folder, name):
    local, remote = open_image(folder / name), open_image(f"{server.url}/{name}")
    assert remote.name == local.name
    assert (remote.frame, remote.beam, remote.notes) == (local.frame, local.beam, local.notes)
    assert remote.origin.path == f"{server.url}/{name}"
    assert remote.input_record() == local.input_record()
    ny, nx = local.shape
    travelled = pickle.loads(pickle.dumps(remote))
    for box in (
        local.box,
        Box(3, 30, 0, nx),
        Box(ny - 2, ny, nx - 5, nx),
        Box(5, 39, 7, 90),
        Box(7, 8, 9, 10),
    ):
        np.testing.assert_array_equal(travelled.read(box), local.read(box))


def test_only_what_is_asked_for_travels(server):
    image = open_image(f"{server.url}/wide.fits")
    assert server.sent < 2**17  # headers
    before = server.sent
    image.read(Box(0, 80, 100, 120))  # a narrow strip of many rows
    assert server.sent - before == 80 * 20 * 4
    before, requests = server.sent, len(server.asked)
    image.read(Box(0, 64, 0, 30_000))
    assert server.sent - before == 64 * 30_000 * 4
    assert len(server.asked) - requests == 1


def test_a_packed_map_is_fetched_once(server, tmp_path):
    size = demo_map().stat().st_size
    image = open_image(f"{server.url}/packed.fits.fz")
    image.read(Box(0, 10, 0, 10))
    assert size < server.sent < size + 2**18
    sent = server.sent
    open_image(f"{server.url}/packed.fits.fz").read()
    assert server.sent < sent + 2**18
    assert [path.suffix for path in (tmp_path / "cache" / "maps").iterdir() if path.suffix != ".lock"] == [
        ".fz"
    ]


def test_an_hdu_is_named_as_on_disk(server, folder, tmp_path):
    with fits.open(folder / "sky.fits") as hdus:
        hdus.append(fits.ImageHDU(hdus[0].data[:50, :60], hdus[0].header, name="SCI"))
        hdus.writeto(folder / "two.fits", overwrite=True)
    assert open_image(f"{server.url}/two.fits[SCI]").shape == (50, 60)
    assert open_image(f"{server.url}/two.fits[1]").shape == (50, 60)
    assert open_image(f"{server.url}/two.fits?x=[1]").shape == (50, 60)


def test_the_sources_are_the_same(server, folder, tmp_path):
    for name, place in (("far", f"{server.url}/sky.fits"), ("near", folder / "sky.fits")):
        done = run(place, "--out", tmp_path / name, "--quiet", *BARE)
        assert done.returncode == 0, done.stderr
    far, near = everything(tmp_path / "far"), everything(tmp_path / "near")
    assert {name for name in far if far[name] != near[name]} == {"manifest.json"}


def test_info(server, capsys):
    assert main(["info", f"{server.url}/sky.fits"]) == 0
    assert "300 x 340" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("none.fits", UsageError, r"there is no such file: got 'http"),
        ("page.fits", FormatError, r"the file is not FITS: got .http.*begins with the text '<html>moved"),
        ("cut.fits", FormatError, r"the file is truncated: got .http.*200000 bytes"),
    ],
)
def test_what_is_no_map_is_told_in_one_line(server, name, error, words):
    with pytest.raises(error, match=words):
        open_image(f"{server.url}/{name}")
