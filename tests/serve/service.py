"""A service in this process, and its users: two of one group, one of none, and nobody."""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from skysift.serve.app import create_app
from skysift.serve.server import make_server
from skysift.serve.settings import serve_settings

BASE = "http://127.0.0.1"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    """service(**settings): a client of a service with these settings; everybody is the local user by default."""
    opened = []

    def make(**settings: object) -> TestClient:
        told = serve_settings({"data": str(tmp_path / "data"), **settings}, environment={})
        client = TestClient(create_app(told), base_url=BASE, raise_server_exceptions=False)
        client.__enter__()
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """running(**settings): the address of a service on a socket, where the wire matters."""
    served = []

    def start(**settings: object) -> str:
        ready: queue.Queue[str] = queue.Queue()
        told = serve_settings({"data": str(tmp_path / "data"), "port": 0, **settings}, environment={})
        server, listening = make_server(told, ready.put)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
        thread.start()
        served.append((server, thread, listening))
        return ready.get(timeout=20)

    yield start
    for server, thread, listening in served:
        server.should_exit = True
        thread.join(20)
        listening.close()


@pytest.fixture
def local(service: Callable[..., TestClient]) -> TestClient:
    """A client of a service that nobody configured."""
    return service()


@pytest.fixture
def people(service: Callable[..., TestClient]) -> dict[str, dict[str, str]]:
    """The headers of ana and ben (group radio), of cleo (no group), of the admin root, and of nobody.

    The service itself is under "service".
    """
    client = service(sign_in="tokens")
    known = client.app.state.people
    headers: dict[str, object] = {"service": client, "nobody": {}}
    for name, groups, admin in (
        ("ana", ("radio",), False),
        ("ben", ("radio",), False),
        ("cleo", (), False),
        ("root", (), True),
    ):
        known.add(name, groups=groups, admin=admin)
        headers[name] = {"Authorization": f"Bearer {known.make_token(name)[1]}"}
    return headers
