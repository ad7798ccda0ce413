"""Answers are made beside those who take them: who takes their time holds no connection to the database."""

import itertools
import socket
import threading
import time
import urllib.parse

import httpx
import pytest
from tests.serve.vo.knowledge import TABLE, running_service

from skysift.base.errors import TimeLimitError, UsageError
from skysift.serve import ahead as room
from skysift.serve.ahead import ahead


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(room, "SEGMENT", 1000)
    monkeypatch.setattr(room, "LEAD", 4000)
    monkeypatch.setattr(room, "PATIENCE", 0.2)


def made(count, closed):
    try:
        for number in range(count):
            yield bytes([number % 256]) * 100
    finally:
        closed.set()


def test_all_bytes_come_in_their_order():
    closed = threading.Event()
    assert b"".join(ahead(made(300, closed))) == b"".join(made(300, threading.Event()))
    assert closed.wait(5)
    assert list(ahead(iter(()))) == []


def test_what_is_made_lets_go_before_it_is_taken():
    closed = threading.Event()
    taking = ahead(made(30, closed))
    first = next(taking)
    assert closed.wait(5)
    time.sleep(3 * room.PATIENCE)  # no hurry: nothing is held
    assert len(first + b"".join(taking)) == 3000


def test_who_is_far_behind_must_not_stand_still():
    closed = threading.Event()
    taking = ahead(made(10**6, closed))
    first = next(taking)
    assert closed.wait(5)
    rest = bytearray(first)
    with pytest.raises(TimeLimitError, match=r"not taken in time.*ask by a job"):
        rest.extend(itertools.chain.from_iterable(taking))


def test_who_leaves_lets_go():
    closed = threading.Event()
    taking = ahead(made(10**6, closed))
    next(taking)
    taking.close()
    assert closed.wait(5)


def test_what_fails_while_it_is_made_is_raised_where_it_is_taken():
    def pieces():
        yield b"1" * 1000
        raise UsageError("the rows are broken")

    taking = ahead(pieces())
    assert next(taking) == b"1" * 1000
    with pytest.raises(UsageError, match="the rows are broken"):
        next(taking)


def test_clients_that_take_nothing_hold_no_connection(tmp_path, monkeypatch):
    monkeypatch.setattr("skysift.io.sql.QUERIES", 2)
    monkeypatch.setattr("skysift.io.sql.KEPT", 2)
    monkeypatch.setattr("skysift.io.sql.QUERY_PATIENCE", 1.0)
    monkeypatch.setattr(room, "SEGMENT", 1 << 20)
    monkeypatch.setattr(room, "LEAD", 64 << 20)
    monkeypatch.setattr(room, "PATIENCE", 60.0)
    query = f"SELECT TOP 40000 a.*, b.name AS other FROM {TABLE} AS a, {TABLE} AS b"
    with running_service(tmp_path) as (url, _):
        place = urllib.parse.urlsplit(url)
        path = "/tap/sync?" + urllib.parse.urlencode({"LANG": "ADQL", "QUERY": query})
        silent = []
        try:
            for _ in range(2):
                one = socket.create_connection((place.hostname, place.port))
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                one.sendall(f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode())
                silent.append(one)
                assert one.recv(12).startswith(b"HTTP/1.1 200")
            for _ in range(20):
                asked = {"LANG": "ADQL", "QUERY": f"SELECT COUNT(*) AS n FROM {TABLE}", "FORMAT": "csv"}
                answer = httpx.get(f"{url}/tap/sync", params=asked, timeout=30)
                if answer.status_code == 200:
                    break
                time.sleep(0.5)
            assert (answer.status_code, answer.text.split()) == (200, ["n", "400"])
        finally:
            for one in silent:
                one.close()
