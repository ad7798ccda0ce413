"""Clients that do not go on are not waited for."""

import socket
import time

import httpx
import pytest


def open_to(address):
    host, _, port = address.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def test_a_client_that_says_nothing_is_left(running):
    with open_to(running(header_patience=0.3)) as client:
        client.sendall(b"GET /api/v1/hea")
        start = time.monotonic()
        assert client.recv(1000) == b""
        assert time.monotonic() - start < 10


def test_a_body_that_does_not_go_on_is_ended(running, tmp_path):
    with open_to(running(body_patience=0.3)) as client:
        client.sendall(
            b"POST /api/v1/uploads?name=a.fits HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nSIMPLE"
        )
        answer = b"".join(iter(lambda: client.recv(4000), b""))
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"no more of the body came" in answer
    assert not list((tmp_path / "data" / "uploads").iterdir())


def test_a_client_that_leaves_leaves_nothing_behind(running, tmp_path):
    address = running()
    with open_to(address) as client:
        client.sendall(
            b"POST /api/v1/uploads?name=a.fits HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nSIMPLE"
        )
        time.sleep(0.2)
    folder = tmp_path / "data" / "uploads"
    for _ in range(50):
        if not list(folder.iterdir()):
            break
        time.sleep(0.05)
    assert not list(folder.iterdir())
    assert httpx.get(f"{address}/api/v1/health").status_code == 200


def test_a_request_without_end_of_headers_is_ended(running):
    with open_to(running()) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X-A: " + b"a" * 200_000)
        assert client.recv(1000).startswith(b"HTTP/1.1 400")


def test_a_client_that_does_not_read_is_left(running, tmp_path):
    address = running(answer_patience=0.5)
    size = 64 << 20
    sent = httpx.post(f"{address}/api/v1/uploads?name=a.fits", content=bytes(size), timeout=60).json()
    with open_to(address) as client:
        path = f"/api/v1/uploads/{sent['id']}/content"
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        for _ in range(100):
            time.sleep(0.1)
            if "skysift_requests_open 1.0" in httpx.get(f"{address}/metrics").text:  # this question alone
                break
        else:
            raise AssertionError("the answer is still waited for")
        got = 0
        while piece := client.recv(1 << 20):
            got += len(piece)
    assert got < size


@pytest.mark.parametrize("together", [False, True])
def test_half_a_second_request_is_left(running, together):
    """The patience with headers begins anew, whether their begin comes with the first request or later."""
    first, half = b"GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"GET /api/v1/hea"
    with open_to(running(header_patience=0.3)) as client:
        client.sendall(first + (half if together else b""))
        answers = client.makefile("rb")
        assert b"200" in answers.readline()
        if not together:
            time.sleep(0.5)  # between two requests there is time
            client.sendall(first)
            assert any(b"HTTP/1.1 200" in line for line in iter(answers.readline, b""))
            client.sendall(half)
        answers.read()  # to the end of the connection


def test_the_body_of_a_head_is_neither_sent_nor_read(running):
    address = running()
    sent = httpx.post(f"{address}/api/v1/uploads?name=a.fits", content=bytes(8 << 20), timeout=60).json()
    path = f"{address}/api/v1/uploads/{sent['id']}/content"
    with httpx.Client() as client:
        for _ in range(3):
            answer = client.head(path)
            assert (answer.status_code, answer.headers["content-length"]) == (200, str(8 << 20))
        assert len(client.get(path).content) == 8 << 20
    assert 'method="HEAD"' in httpx.get(f"{address}/metrics").text
