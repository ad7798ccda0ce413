"""A search by the workers of a cluster: the same bytes as by one thread, whatever happens to the workers."""

import json
import os
import signal

import numpy as np
import pytest
from distributed import Client
from tests import clusters, skies
from tests.cli.test_find import BARE, run
from tests.io.fits_maps import write_map

import skysift
from skysift.base.cluster import cluster
from skysift.base.errors import OptionError, StorageError, UsageError
from skysift.cli.main import main
from skysift.find.run import make_finder, search
from skysift.flow.steps.find import find_products
from skysift.io.open import open_image
from skysift.sky.image import SkyImage

BEAM = (5.0, 4.0, 10.0)
FORMATS = ("fits", "votable", "parquet", "csv")
LEAN = {"name": "classic", "formats": FORMATS, "maps": (), "report": False}


@pytest.fixture(scope="module")
def address():
    with clusters.running(3) as told:
        yield told


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    """A map with points, doubles and extended sources, and a hole."""
    shape = (720, 400)
    sources = skies.population(
        shape, BEAM, n_points=60, n_extended=6, n_doubles=6, snr=(6, 500), rms=1e-3, seed=3
    )
    data, _ = skies.paint(shape, BEAM, rms=1e-3, sources=sources, seed=3)
    data[100:130, 200:260] = np.nan
    return write_map(tmp_path_factory.mktemp("sky") / "sky.fits", data.astype(np.float32))


@pytest.fixture(scope="module")
def alone(sky, tmp_path_factory):
    """What one thread writes."""
    out = tmp_path_factory.mktemp("alone") / "out"
    find_products(open_image(sky), make_finder("classic"), out, workers=1, **LEAN)
    return catalogue_bytes(out)


def catalogue_bytes(folder):
    """Bytes of all that a run wrote but its manifest, which tells times."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"}


@pytest.mark.parametrize(
    "stages",
    [("islands",), pytest.param(("noise, second pass", "islands", "fits"), marks=pytest.mark.full)],
    ids=len,
)
def test_a_cluster_that_loses_workers_writes_the_same_bytes(sky, alone, address, tmp_path, stages):
    killed = []

    def kill(stage, done, total):
        """End a worker after the first task of a stage."""
        if done == 1 and stage in stages:
            with Client(address, set_as_default=False) as client:
                client.wait_for_workers(2, timeout=60)
                pids = sorted(client.run(os.getpid).values())
            os.kill(pids[len(killed) % len(pids)], signal.SIGKILL)
            killed.append((stage, total))

    find_products(
        open_image(sky),
        make_finder("classic"),
        tmp_path / "out",
        tile=64,
        progress=kill,
        scheduler=address,
        **LEAN,
    )
    assert tuple(stage for stage, _ in killed) == stages
    assert min(total for _, total in killed) > 3  # tasks were under way or waiting when the worker went
    assert len(alone) == 3 * len(FORMATS) + 2  # tables and regions
    assert catalogue_bytes(tmp_path / "out") == alone
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert 1 <= manifest["workers"] <= 3


def test_the_command(sky, alone, address, tmp_path):
    done = run(
        sky,
        "--out",
        tmp_path / "out",
        "--scheduler",
        address,
        "--format",
        ",".join(FORMATS),
        *BARE,
        "--quiet",
    )
    assert done.returncode == 0, done.stderr
    assert catalogue_bytes(tmp_path / "out") == alone
    refused = run(sky, "--out", tmp_path / "other", "--scheduler", "localhost")
    assert refused.returncode == 2
    assert refused.stderr.startswith(
        "skysift: error: the address of the scheduler is not allowed: got 'localhost'"
    )
    assert len(refused.stderr.splitlines()) == 1


def test_the_verb_of_the_package(sky, address):
    catalogue = skysift.find(sky, scheduler=address)
    assert len(catalogue)
    assert catalogue == skysift.find(sky)
    with pytest.raises(OptionError, match="the address of the scheduler"):
        skysift.find(sky, scheduler="tcp://")


def test_pixels_never_travel(address):
    image = SkyImage.from_array(np.zeros((80, 90)), beam=10.0, pixel_scale=2.0)
    for ask in (
        lambda: skysift.find(image, scheduler=address),
        lambda: search(image, make_finder("classic"), executor=cluster(address)),
    ):
        with pytest.raises(UsageError, match=r"a cluster cannot search a map in memory.*'array'.*as FITS"):
            ask()


def test_a_map_that_the_workers_do_not_see_is_told(sky, address, tmp_path):
    copy = tmp_path / "gone.fits"
    copy.write_bytes(sky.read_bytes())
    image = open_image(copy)
    copy.unlink()
    with pytest.raises(StorageError, match=r"the map cannot be read: got '.*gone.fits'; No such file"):
        search(image, make_finder("classic"), executor=cluster(address))


def test_measuring_at_known_places_gives_the_same_bytes(sky, address, tmp_path):
    find_products(open_image(sky), make_finder("classic"), tmp_path / "field", workers=1, maps=("labels",))
    how = [
        "--at",
        tmp_path / "field",
        "--labels",
        tmp_path / "field" / "labels.fits",
        "--set",
        "apertures=20",
    ]
    for out, more in (("alone", ["--workers", "1"]), ("cluster", ["--scheduler", address, "--tile", "128"])):
        command = ["measure", sky, "--out", tmp_path / out, *how, *more, "--no-report", "--quiet"]
        assert main([*map(str, command)]) == 0
    assert catalogue_bytes(tmp_path / "alone") == catalogue_bytes(tmp_path / "cluster")


def test_known_places_are_measured_by_a_cluster_to_the_same_numbers(sky, address):
    ra, dec = open_image(sky).frame.to_sky(*np.meshgrid(np.arange(20.0, 390, 60), np.arange(20.0, 700, 80)))
    at = (ra.ravel(), dec.ravel())
    one = skysift.measure_at(sky, at, workers=1)
    many = skysift.measure_at(sky, at, scheduler=address, tile=128)
    for name in one.table:
        np.testing.assert_array_equal(many.table[name], one.table[name])
    with pytest.raises(OptionError, match="address of the scheduler"):
        skysift.measure_at(sky, at, scheduler="nowhere")
