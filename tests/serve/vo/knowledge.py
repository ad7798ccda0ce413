"""A service with a few catalogues and maps of ada, as the protocols see it."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from astropy.io import fits
from fastapi.testclient import TestClient
from tests.archive.shelves import ADA, stock, write_catalogue, write_map

from skysift.archive.policy import Access
from skysift.base.store import checksum
from skysift.serve.app import create_app
from skysift.serve.server import make_server
from skysift.serve.settings import serve_settings

__all__ = ["ADA", "TABLE", "did_of", "open_service", "running_service"]

TABLE = "radio.src"
PUBLIC = Access("ada", "public")


def fill(shelf, folder: Path) -> None:
    """What `stock` has, and two neighbouring tiles of one survey with a slope."""
    stock(shelf, folder)
    for number, ra in enumerate((30.0, 29.85)):
        path = write_map(folder / f"tile{number}.fits", ra, 0.0, size=24)
        with fits.open(path, mode="update") as hdus:
            hdus[0].header["CRVAL1"] = 30.0
            hdus[0].header["CRPIX1"] -= 15.0 * number
            column = np.arange(24.0) + 15.0 * number
            hdus[0].data[:] = column[None, :] + 100.0 * np.arange(24.0)[:, None]
        shelf.ingest(path, ADA, access=PUBLIC, collection="tiles", survey="slope")
    shelf.ingest(found(folder / "found", folder / "map.fits"), ADA, access=PUBLIC, collection="runs")


def found(folder: Path, path: Path) -> Path:
    """A folder as `skysift find` leaves it: a table, a map of the noise, and where they come from."""
    folder.mkdir()
    write_catalogue(folder / "sources.fits", 5)
    write_map(folder / "rms.fits", 9.0, 18.0)  # elsewhere, so that it is not found with the map
    story = {
        "version": "1",
        "finder": "classic",
        "inputs": [{"name": path.name, "checksum": checksum(str(path))[0]}],
        "outputs": [{"name": name} for name in ("sources.fits", "rms.fits")],
    }
    (folder / "manifest.json").write_text(json.dumps(story))
    return folder


@contextmanager
def open_service(folder: Path, **settings: object) -> Iterator[TestClient]:
    """A client of a service in this process; its workers do not run."""
    told = serve_settings({"data": str(folder / "data"), **settings}, environment={})
    app = create_app(told)
    fill(app.state.shelf, folder)
    client = TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)
    try:
        yield client
    finally:
        client.close()
        app.state.engine.dispose()


@contextmanager
def running_service(folder: Path, **settings: object) -> Iterator[tuple[str, object]]:
    """The address of a service on a free port, with workers, and its app."""
    ready: queue.Queue[str] = queue.Queue()
    told = serve_settings(
        {"data": str(folder / "data"), "port": 0, "fetch_from": "127.0.0.0/8", **settings}, environment={}
    )
    server, listening = make_server(told, ready.put)
    app = server.config.loaded_app if server.config.loaded else server.config.app
    fill(app.state.shelf, folder)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
    thread.start()
    try:
        yield ready.get(timeout=30).rstrip("/"), app
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()


def did_of(shelf, name: str) -> str:
    """The identifier of a file on the shelf."""
    return next(each.did for each in shelf.entries(ADA, count=1000) if each.name == name)
